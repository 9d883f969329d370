//! The accounts of a connection: which calls wait for their answer, and what became of them.

use crate::ack::{Outcome, Promise, Refusal};
use crate::client::Destination;
use crate::client::settings::Connections;
use crate::fd::Bell;
use crate::link::{Unsettled, Window};
use crate::metrics::Count;
use crate::rpc::avro::{Answer, Status};
use crate::stop::Stop;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How often a waiter looks for a stop that came meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Shared by the thread that sends and the one that reads answers.
pub(super) struct Calls {
    /// The server's address, for messages.
    pub to: String,
    state: Mutex<State>,
    changed: Condvar,
    /// Rung when the connection is over, to wake a writer that waits for a full socket.
    pub over: Bell,
    after: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
    counted: Connections,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Call>,
    /// Of all batches that were given to the connection and are not settled, those too that wait for their call.
    bytes: usize,
    events: u64,
    /// When the server last said something.
    heard: Option<Instant>,
    over: bool,
    lost: bool,
    why: Option<String>,
    /// Taken off the list and not settled yet: nobody may think that all is done.
    settling: usize,
    /// Threads that wait for a change.
    waiting: u32,
}

/// A call that waits for its answer.
pub(super) struct Call {
    pub serial: u32,
    pub since: Instant,
    pub batches: Vec<Waiting>,
}

/// A batch, or the part of one that a call has.
pub(super) struct Waiting {
    pub bytes: usize,
    pub events: u32,
    pub promise: Kept,
}

/// What is settled by the answer to a call.
pub(super) enum Kept {
    /// The promise of a whole batch.
    Whole(Promise),
    /// That of a batch which is in several calls: it is settled by the last of their answers.
    Part(Arc<Parts>),
}

/// A batch in several calls.
pub(super) struct Parts(Mutex<PartsState>);

struct PartsState {
    left: usize,
    worst: Outcome,
    promise: Option<Promise>,
}

impl Parts {
    pub fn new(parts: usize, promise: Promise) -> Arc<Parts> {
        Arc::new(Parts(Mutex::new(PartsState {
            left: parts,
            worst: Outcome::Accepted,
            promise: Some(promise),
        })))
    }

    fn settle(&self, outcome: Outcome) {
        let mut state = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        state.left -= 1;
        // Lost says more than refused: there is no connection for what comes next.
        if state.worst == Outcome::Accepted || outcome == Outcome::Lost {
            state.worst = outcome;
        }
        if state.left > 0 {
            return;
        }
        let (promise, worst) = (state.promise.take(), state.worst.clone());
        drop(state);
        if let Some(promise) = promise {
            promise.settle(worst);
        }
    }
}

impl Kept {
    fn settle(self, outcome: Outcome) {
        match self {
            Kept::Whole(promise) => promise.settle(outcome),
            Kept::Part(parts) => parts.settle(outcome),
        }
    }
}

/// What a writer sees when it looks whether it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    Full,
    Over,
}

impl Calls {
    pub fn new(to: &Destination, counted: Connections) -> io::Result<Arc<Calls>> {
        Ok(Arc::new(Calls {
            to: to.to_string(),
            state: Mutex::default(),
            changed: Condvar::new(),
            over: Bell::new()?,
            after: Mutex::default(),
            counted,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn set_after(&self, then: Box<dyn Fn() + Send + Sync>) {
        *self.after.lock().unwrap_or_else(|p| p.into_inner()) = Some(then);
    }

    /// Called when some were settled and nothing more is there to settle.
    pub fn after(&self) {
        if let Some(then) = self.after.lock().unwrap_or_else(|p| p.into_inner()).as_ref() {
            then();
        }
    }

    /// A batch was given to the connection.
    pub fn take_in(&self, bytes: usize, events: u32) {
        let mut state = self.lock();
        state.bytes += bytes;
        state.events += u64::from(events);
    }

    /// A call is about to be written. Once the connection is over its batches are lost at once.
    pub fn push(&self, call: Call) {
        let mut state = self.lock();
        if !state.over {
            return state.calls.push_back(call);
        }
        state.lost = true;
        self.settle(state, call.batches, Outcome::Lost);
    }

    /// Is there room for so many bytes more?
    pub fn room(&self, bytes: usize, window: &Window) -> Room {
        room_in(&self.lock(), bytes, window)
    }

    /// Wait for room; `Full` again when the grace after a stop is over.
    pub fn wait_room(&self, bytes: usize, window: &Window, stop: &Stop) -> Room {
        let found = self.wait_until(&|| stop.deadline(), |state| match room_in(state, bytes, window) {
            Room::Full => None,
            room => Some(room),
        });
        found.unwrap_or(Room::Full)
    }

    /// One more call may be under way.
    pub fn has_place(&self, most: usize) -> bool {
        let state = self.lock();
        state.over || state.calls.len() < most
    }

    /// Wait for that; false when the grace after a stop is over.
    pub fn wait_place(&self, most: usize, stop: &Stop) -> bool {
        let found = self.wait_until(&|| stop.deadline(), |state| {
            (state.over || state.calls.len() < most).then_some(())
        });
        found.is_some()
    }

    /// Wait until every call is settled: true if they are, and none was lost.
    pub fn wait_all(&self, until: &dyn Fn() -> Option<Instant>) -> bool {
        let all = self.wait_until(until, |state| {
            let settled = state.settling == 0 && (state.calls.is_empty() || state.over);
            settled.then_some(state.calls.is_empty() && !state.lost)
        });
        all.unwrap_or(false)
    }

    fn wait_until<T>(
        &self,
        until: &dyn Fn() -> Option<Instant>,
        look: impl Fn(&State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = until().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            state.waiting += 1;
            let pause = left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN));
            let waited = self.changed.wait_timeout(state, pause);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
            state.waiting -= 1;
        }
    }

    /// The server has answered a call. The error is a sentence: there is no such call.
    pub fn answered(&self, serial: u32, answer: Answer) -> Result<(), String> {
        let outcome = match answer {
            Answer::Status(Status::Ok) => Outcome::Accepted,
            Answer::Status(Status::Failed) => self.refused("FAILED, as Flume does when its channel is full"),
            Answer::Status(Status::Unknown) => self.refused("UNKNOWN"),
            Answer::Error(why) => self.refused(&format!("an error: {why}")),
        };
        let mut state = self.lock();
        state.heard = Some(Instant::now());
        let at = state.calls.iter().position(|call| call.serial == serial);
        match at.and_then(|at| state.calls.remove(at)) {
            Some(call) => self.settle(state, call.batches, outcome),
            None => {
                return Err(format!(
                    "the server answers call {serial}, which waits for no answer"
                ));
            }
        }
        Ok(())
    }

    fn refused(&self, what: &str) -> Outcome {
        Outcome::Refused(Refusal::retry(format!("{} answers {what}", self.to)))
    }

    /// The server has answered the handshake.
    pub fn connected(&self) {
        self.lock().heard = Some(Instant::now());
        self.counted.add(Count::ConnectionCreated);
    }

    /// When the server has not answered for too long; `None` while no call waits.
    pub fn overdue(&self, timeout: Duration) -> Option<Instant> {
        let state = self.lock();
        let oldest = state.calls.iter().map(|call| call.since).min()?;
        Some(state.heard.map_or(oldest, |heard| heard.max(oldest)) + timeout)
    }

    /// The connection is over, and why: what waits is lost. What was said first counts.
    pub fn end(&self, why: Option<String>) {
        let mut state = self.lock();
        if !state.over && state.why.is_none() {
            state.why = why;
        }
        if !std::mem::replace(&mut state.over, true) && state.heard.is_some() {
            self.counted.add(Count::ConnectionClosed);
        }
        let lost: Vec<_> = state.calls.drain(..).flat_map(|call| call.batches).collect();
        state.lost |= !lost.is_empty();
        self.over.ring();
        self.settle(state, lost, Outcome::Lost);
        self.after();
    }

    /// Why it will be over soon.
    pub fn note(&self, why: String) {
        let mut state = self.lock();
        if !state.over {
            state.why.get_or_insert(why);
        }
    }

    /// A batch that no call was made of any more.
    pub fn lose(&self, batch: Waiting) {
        let mut state = self.lock();
        state.lost = true;
        self.settle(state, vec![batch], Outcome::Lost);
    }

    pub fn is_over(&self) -> bool {
        self.lock().over
    }

    pub fn why(&self) -> Option<String> {
        let state = self.lock();
        state.why.as_ref().map(|why| format!("{}: {why}", self.to))
    }

    /// Settle without the lock. There is room at once; all is done only afterwards.
    fn settle(&self, mut state: MutexGuard<'_, State>, batches: Vec<Waiting>, outcome: Outcome) {
        for batch in &batches {
            state.bytes -= batch.bytes;
            state.events -= u64::from(batch.events);
        }
        state.settling += 1;
        self.wake(state);
        for batch in batches {
            batch.promise.settle(outcome.clone());
        }
        let mut state = self.lock();
        state.settling -= 1;
        self.wake(state);
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let somebody_waits = state.waiting > 0;
        drop(state);
        if somebody_waits {
            self.changed.notify_all();
        }
    }

    pub fn unsettled(&self) -> Unsettled {
        let state = self.lock();
        let oldest = state.calls.iter().map(|call| call.since).min();
        Unsettled {
            events: state.events,
            bytes: state.bytes as u64,
            oldest: oldest.map(|since| since.elapsed()),
        }
    }
}

fn room_in(state: &State, bytes: usize, window: &Window) -> Room {
    let fits = state.bytes + bytes <= window.bytes;
    match state.over {
        true => Room::Over,
        false if fits || state.bytes == 0 => Room::Free,
        false => Room::Full,
    }
}
