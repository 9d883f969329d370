//! A queue in memory between two parts of one process: a pipe without framing.

use super::{Inlet, Next, Outlet, SendError, Unsettled, Wait, Window};
use crate::ack::{Delivery, Outcome, Promise, Refusal, Settle};
use crate::event::Batch;
use crate::exit::StageError;
use crate::stop::Stop;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

#[derive(Default)]
struct State {
    waiting: VecDeque<Delivery>,
    /// Sent and not settled, with those that wait.
    batches: usize,
    bytes: usize,
    events: u64,
    /// All batches so far: they are numbered for messages.
    sent: u64,
    since: VecDeque<Instant>,
    finished: bool,
    closed: bool,
    lost: bool,
    flush: bool,
}

type Hook = Box<dyn Fn() + Send + Sync>;

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    window: Window,
    stop: Stop,
    after: Mutex<Option<Hook>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn settled(&self, bytes: usize, events: u32, lost: bool) {
        let mut state = self.lock();
        state.batches -= 1;
        state.bytes -= bytes;
        state.events -= u64::from(events);
        state.since.pop_front();
        state.lost |= lost;
        drop(state);
        self.changed.notify_all();
        if let Some(after) = self.after.lock().unwrap_or_else(|p| p.into_inner()).as_ref() {
            after();
        }
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, deadline: Option<Instant>) -> MutexGuard<'a, State> {
        match deadline {
            None => self.changed.wait(state).unwrap_or_else(|p| p.into_inner()),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(|p| p.into_inner()).0
            }
        }
    }
}

/// The two ends of a queue that holds as much unsettled as the window allows.
pub fn queue(window: Window, stop: &Stop) -> (QueueOutlet, QueueInlet) {
    let queue = Arc::new(Queue {
        state: Mutex::default(),
        changed: Condvar::new(),
        window,
        stop: stop.clone(),
        after: Mutex::new(None),
    });
    let weak = Arc::downgrade(&queue);
    stop.on_stop(move || {
        if let Some(queue) = weak.upgrade() {
            // Whoever has asked for the deadline and does not wait yet holds the lock, and would miss it.
            drop(queue.lock());
            queue.changed.notify_all();
        }
    });
    (QueueOutlet(queue.clone()), QueueInlet(queue))
}

/// The writing end.
pub struct QueueOutlet(Arc<Queue>);

/// The reading end.
pub struct QueueInlet(Arc<Queue>);

struct Ticket {
    queue: Arc<Queue>,
    promise: Promise,
    bytes: usize,
    events: u32,
}

impl Settle for Ticket {
    fn accept(self: Box<Self>) {
        self.promise.settle(Outcome::Accepted);
        self.queue.settled(self.bytes, self.events, false);
    }

    fn refuse(self: Box<Self>, refusal: Refusal) {
        self.promise.settle(Outcome::Refused(refusal));
        self.queue.settled(self.bytes, self.events, false);
    }
}

impl Outlet for QueueOutlet {
    fn send_promised(&self, mut batch: Batch, promise: Promise) -> Result<(), SendError> {
        let window = self.0.window;
        let (bytes, events) = (batch.bytes(), batch.len());
        let mut state = self.0.lock();
        while !state.closed && state.batches > 0 {
            if state.batches < window.batches && state.bytes + bytes <= window.bytes {
                break;
            }
            let deadline = self.0.stop.deadline();
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(SendError::Stopped);
            }
            state = self.0.wait(state, deadline);
        }
        if state.closed {
            return Err(SendError::Closed);
        }
        state.batches += 1;
        state.sent += 1;
        batch.sequence = state.sent;
        state.bytes += bytes;
        state.events += u64::from(events);
        state.since.push_back(Instant::now());
        let ticket = Ticket {
            queue: self.0.clone(),
            promise,
            bytes,
            events,
        };
        state.waiting.push_back(Delivery::new(batch, ticket));
        drop(state);
        self.0.changed.notify_all();
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        Ok(())
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.0.lock().flush = true;
        self.0.changed.notify_all();
        Ok(())
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        let mut state = self.0.lock();
        state.finished = true;
        self.0.changed.notify_all();
        while state.batches > 0 && !state.closed {
            // A stop that comes while we wait sets a limit, too.
            let deadline = deadline.or_else(|| self.0.stop.deadline());
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(SendError::Temporary(
                    "the grace is over and not every batch was accepted".into(),
                ));
            }
            state = self.0.wait(state, deadline);
        }
        if state.lost {
            Err(SendError::Closed)
        } else {
            Ok(())
        }
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        *self.0.after.lock().unwrap_or_else(|p| p.into_inner()) = Some(then);
    }

    fn unsettled(&self) -> Unsettled {
        let state = self.0.lock();
        Unsettled {
            events: state.events,
            bytes: state.bytes as u64,
            oldest: state.since.front().map(Instant::elapsed),
        }
    }
}

impl Drop for QueueOutlet {
    fn drop(&mut self) {
        // An outlet that goes without having finished has failed: its reader must not wait for it.
        self.0.lock().finished = true;
        self.0.changed.notify_all();
    }
}

impl Inlet for QueueInlet {
    fn next(&mut self, wait: Wait) -> Result<Next, StageError> {
        let deadline = wait.deadline();
        let mut state = self.0.lock();
        loop {
            if let Some(delivery) = state.waiting.pop_front() {
                return Ok(Next::Delivery(delivery));
            }
            if std::mem::take(&mut state.flush) {
                return Ok(Next::Flush);
            }
            if state.finished {
                return Ok(Next::End);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(Next::Idle);
            }
            state = self.0.wait(state, deadline);
        }
    }

    fn flush_settled(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    fn settler(&self) -> Box<dyn Fn() + Send + Sync> {
        Box::new(|| {})
    }

    fn describe(&self) -> String {
        "the stage before".into()
    }
}

impl Drop for QueueInlet {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.lost |= !state.waiting.is_empty();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        self.0.changed.notify_all();
    }
}
