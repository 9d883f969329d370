//! A branch that is free to lose what it is sent.

use crate::ack::{Outcome, Promise};
use crate::event::Batch;
use crate::link::{Outlet, Window};
use crate::metrics::{Count, Counters};
use crate::say;
use crate::stop::Stop;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a branch that has no room is waited for: as long as a put into a channel of Flume's by itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two warnings of one branch: the first time, and at most.
const SAY_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// See the module.
pub(super) struct Optional {
    name: String,
    outlet: Arc<dyn Outlet>,
    window: Window,
    counters: Arc<Counters>,
    stop: Stop,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    batches: usize,
    bytes: usize,
    events: u64,
    /// It was waited for in vain, and nothing has moved since.
    is_stuck: bool,
    trouble: Option<Trouble>,
}

/// Events are being lost.
struct Trouble {
    say_next: Instant,
    pause: Duration,
    /// Lost since the last warning.
    unsaid: u64,
}

impl Optional {
    pub fn new(
        name: String,
        outlet: Arc<dyn Outlet>,
        window: Window,
        counters: Arc<Counters>,
        stop: &Stop,
    ) -> Arc<Optional> {
        Arc::new(Optional {
            name,
            outlet,
            window,
            counters,
            stop: stop.clone(),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Send a batch once. Waits for room for a moment, unless that was in vain before.
    pub fn send(self: &Arc<Self>, batch: Batch) {
        let (bytes, events) = (batch.bytes(), u64::from(batch.len()));
        let mut state = self.lock();
        let until = Instant::now() + PATIENCE;
        while state.batches > 0
            && (state.batches >= self.window.batches || state.bytes + bytes > self.window.bytes)
        {
            let until = self.stop.deadline().map_or(until, |deadline| deadline.min(until));
            let left = until.saturating_duration_since(Instant::now());
            if state.is_stuck || left.is_zero() {
                state.is_stuck = true;
                return self.lost(state, events, "it takes nothing more");
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(|p| p.into_inner()).0;
        }
        state.batches += 1;
        state.bytes += bytes;
        state.events += events;
        drop(state);
        let own = self.clone();
        let promise = Promise::hook(move |outcome| own.settled(bytes, events, outcome));
        // What could not be sent has come back by its promise.
        let _ = self.outlet.send_promised(batch, promise);
    }

    fn settled(&self, bytes: usize, events: u64, outcome: Outcome) {
        let mut state = self.lock();
        state.batches -= 1;
        state.bytes -= bytes;
        state.events -= events;
        state.is_stuck = false;
        self.changed.notify_all();
        match outcome {
            Outcome::Accepted => {
                if let Some(trouble) = state.trouble.take() {
                    drop(state);
                    say::info(&self.name, works_again(trouble.unsaid));
                }
            }
            Outcome::Refused(refusal) => self.lost(state, events, &refusal.reason),
            Outcome::Lost => {
                let why = self.outlet.why_closed();
                self.lost(state, events, why.as_deref().unwrap_or("it has gone"));
            }
        }
    }

    /// Count and, now and then, say.
    fn lost(&self, mut state: MutexGuard<'_, State>, events: u64, why: &str) {
        self.counters.add(Count::Refused, events);
        let now = Instant::now();
        let trouble = state.trouble.get_or_insert(Trouble {
            say_next: now,
            pause: SAY_AGAIN.0,
            unsaid: 0,
        });
        trouble.unsaid += events;
        if now < trouble.say_next {
            return;
        }
        let lost = std::mem::take(&mut trouble.unsaid);
        trouble.say_next = now + trouble.pause;
        trouble.pause = (trouble.pause * 2).min(SAY_AGAIN.1);
        drop(state);
        say::warn(
            &self.name,
            format!("events that are optional here and were not taken: {lost}; {why}"),
        );
    }

    pub fn flush(&self) {
        let _ = self.outlet.flush();
    }

    pub fn ask_flush(&self) {
        let _ = self.outlet.ask_flush();
    }

    /// Wait for what is under way as long as something moves.
    pub fn finish(&self, deadline: Option<Instant>) {
        self.ask_flush();
        let mut state = self.lock();
        while state.batches > 0 && !state.is_stuck {
            let patience = Instant::now() + PATIENCE;
            let deadline = deadline.or_else(|| self.stop.deadline());
            let until = deadline.map_or(patience, |deadline| deadline.min(patience));
            let (before, left) = (state.events, until.saturating_duration_since(Instant::now()));
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(|p| p.into_inner()).0;
            state.is_stuck = state.events == before && until <= Instant::now();
        }
        let is_stuck = state.batches > 0;
        drop(state);
        // Of one that does not move the rest comes back as lost when it is let go.
        let until = match is_stuck {
            true => Some(Instant::now()),
            false => Some(deadline.unwrap_or_else(|| Instant::now() + PATIENCE)),
        };
        let _ = self.outlet.finish(until);
    }
}

fn works_again(unsaid: u64) -> String {
    match unsaid {
        0 => "it takes events again".into(),
        lost => format!("it takes events again; not taken since the last word of it: {lost}"),
    }
}
