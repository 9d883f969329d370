//! An outlet that cuts and joins batches anew: at most so many events, so many bytes, so much time.

use super::{Outlet, SendError, Unsettled};
use crate::ack::{Outcome, Promise, Refusal};
use crate::event::{Batch, BatchBuilder};
use crate::stop::Stop;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// When a batch is full.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events.
    pub events: u32,
    /// Encoded bytes. One event may have more.
    pub bytes: usize,
    /// Age of its first event; `None` waits until it is full.
    pub timeout: Option<Duration>,
}

/// See the module.
pub struct Regroup(Arc<Shared>);

struct Shared {
    outlet: Arc<dyn Outlet>,
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    open: BatchBuilder,
    since: Option<Instant>,
    owed: Vec<Arc<Owed>>,
    closed: bool,
    failed: Option<SendError>,
}

/// What one incoming batch is owed: it is settled when every outgoing batch with events of it is.
struct Owed(Mutex<Owing>);

struct Owing {
    parts: usize,
    complete: bool,
    worst: Outcome,
    promise: Option<Promise>,
}

impl Owed {
    fn lock(&self) -> MutexGuard<'_, Owing> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn add_part(&self) {
        self.lock().parts += 1;
    }

    fn part_settled(&self, outcome: &Outcome) {
        let mut owing = self.lock();
        owing.parts -= 1;
        if owing.worst == Outcome::Accepted {
            owing.worst = outcome.clone();
        }
        owing.settle_if_done();
    }

    fn complete(&self) {
        let mut owing = self.lock();
        owing.complete = true;
        owing.settle_if_done();
    }
}

impl Owing {
    fn settle_if_done(&mut self) {
        if self.complete
            && self.parts == 0
            && let Some(promise) = self.promise.take()
        {
            promise.settle(self.worst.clone());
        }
    }
}

impl Regroup {
    /// Regroup what goes to `outlet`.
    pub fn over(outlet: Arc<dyn Outlet>, limits: Limits, stop: &Stop) -> Regroup {
        let shared = Arc::new(Shared {
            outlet,
            limits,
            state: Mutex::new(State {
                open: BatchBuilder::new(),
                since: None,
                owed: Vec::new(),
                closed: false,
                failed: None,
            }),
            changed: Condvar::new(),
        });
        if limits.timeout.is_some() {
            let timed = shared.clone();
            let _ = std::thread::Builder::new()
                .name("flume-regroup".into())
                .spawn(move || timed.keep_time());
        }
        let weak = Arc::downgrade(&shared);
        stop.on_stop(move || {
            if let Some(shared) = weak.upgrade() {
                shared.changed.notify_all();
            }
        });
        Regroup(shared)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Close the open batch and send it.
    fn close_open(&self, state: &mut State) -> Result<(), SendError> {
        state.since = None;
        let owed = std::mem::take(&mut state.owed);
        if state.open.is_empty() {
            return Ok(());
        }
        let promise = Promise::hook(move |outcome| owed.iter().for_each(|owed| owed.part_settled(&outcome)));
        self.outlet
            .send_promised(state.open.finish(), promise)
            .inspect_err(|error| state.failed = Some(error.clone()))
    }

    fn keep_time(self: Arc<Self>) {
        let Some(timeout) = self.limits.timeout else {
            return;
        };
        let mut state = self.lock();
        while !state.closed && state.failed.is_none() {
            state = match state.since {
                None => self.changed.wait(state).unwrap_or_else(|p| p.into_inner()),
                Some(since) if since.elapsed() >= timeout => {
                    if self.close_open(&mut state).is_ok() {
                        let _ = self.outlet.flush();
                    }
                    state
                }
                Some(since) => {
                    let left = timeout.saturating_sub(since.elapsed());
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(|p| p.into_inner()).0
                }
            };
        }
    }
}

impl Outlet for Regroup {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let shared = &self.0;
        let mut state = shared.lock();
        if let Some(failed) = &state.failed {
            return Err(failed.clone());
        }
        let owed = Arc::new(Owed(Mutex::new(Owing {
            parts: 0,
            complete: false,
            worst: Outcome::Accepted,
            promise: Some(promise),
        })));
        let mut in_open = false;
        for event in batch.events() {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    owed.lock().worst = Outcome::Refused(Refusal::reject(error.to_string()));
                    break;
                }
            };
            let full = state.open.len() >= shared.limits.events
                || state.open.bytes() + event.encoded().len() > shared.limits.bytes;
            if full && !state.open.is_empty() {
                shared.close_open(&mut state)?;
                in_open = false;
            }
            if !in_open {
                owed.add_part();
                state.owed.push(owed.clone());
                in_open = true;
            }
            state.open.push_encoded(event);
            state.since.get_or_insert_with(Instant::now);
        }
        owed.complete();
        if state.open.len() >= shared.limits.events || state.open.bytes() >= shared.limits.bytes {
            shared.close_open(&mut state)?;
        }
        drop(state);
        shared.changed.notify_all();
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        self.0.outlet.flush()
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.0.close_open(&mut self.0.lock())?;
        self.0.outlet.ask_flush()
    }

    fn break_off(&self) {
        self.0.outlet.break_off();
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        let mut state = self.0.lock();
        let closed = self.0.close_open(&mut state);
        state.closed = true;
        drop(state);
        self.0.changed.notify_all();
        closed?;
        self.0.outlet.finish(deadline)
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        self.0.outlet.on_settled(then);
    }

    fn unsettled(&self) -> Unsettled {
        self.0.outlet.unsettled()
    }
}

impl Drop for Regroup {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}
