//! One thread hands on the events of all requests: it may be held up by who takes them, and requests must not be.
//!
//! A request whose events were not begun to be handed on can be given up, and then nothing of it was taken.

use crate::ack::{Outcome, Refusal};
use crate::event::Batch;
use crate::stage::ChannelProcessor;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Waits to be handed on.
const WAITS: u8 = 0;
/// Is being handed on, or was.
const TAKEN: u8 = 1;
/// Nobody wants it to be handed on any more.
const GIVEN_UP: u8 = 2;

/// The queue in front of the thread.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

struct Job {
    batch: Batch,
    place: Arc<AtomicU8>,
    tell: oneshot::Sender<Outcome>,
}

/// The events of one request in the queue.
pub struct Queued {
    place: Arc<AtomicU8>,
    /// What became of them.
    pub outcome: oneshot::Receiver<Outcome>,
}

impl Queued {
    /// Have them not be handed on. False if that is too late.
    pub fn give_up(&self) -> bool {
        let change = self
            .place
            .compare_exchange(WAITS, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire);
        change.is_ok()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Have these events be handed on.
    pub fn put(&self, batch: Batch) -> Queued {
        let (tell, outcome) = oneshot::channel();
        let place = Arc::new(AtomicU8::new(WAITS));
        let job = Job {
            batch,
            place: place.clone(),
            tell,
        };
        self.lock().jobs.push_back(job);
        self.changed.notify_one();
        Queued { place, outcome }
    }

    /// Nothing more comes.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn next_now(&self) -> Option<Job> {
        self.lock().jobs.pop_front()
    }

    /// The next, waiting for it; `None` at the end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Hand on until the queue is closed and empty.
    pub fn start(self: &Arc<Self>, to: &Arc<ChannelProcessor>) -> std::io::Result<JoinHandle<()>> {
        let (queue, to) = (self.clone(), to.clone());
        std::thread::Builder::new()
            .name("flume-http-out".into())
            .spawn(move || queue.run(&to))
    }

    fn run(&self, to: &Arc<ChannelProcessor>) {
        let mut holds = false;
        loop {
            let job = match self.next_now() {
                Some(job) => job,
                None => {
                    if std::mem::take(&mut holds) && to.flush().is_err() {
                        // Nothing more can be handed on: the source ends and says why.
                        to.stop().stop();
                    }
                    match self.next() {
                        Some(job) => job,
                        None => return,
                    }
                }
            };
            let taken = job
                .place
                .compare_exchange(WAITS, TAKEN, Ordering::AcqRel, Ordering::Acquire);
            if taken.is_ok() {
                holds = true;
                hand_on(job, to);
            }
        }
    }
}

fn hand_on(job: Job, to: &Arc<ChannelProcessor>) {
    let tell = job.tell;
    // Whoever asked may have gone: nobody is told then.
    match to.process(job.batch) {
        Ok(receipt) => receipt.then(move |outcome| drop(tell.send(outcome))),
        Err(error) => {
            to.stop().stop();
            let _ = tell.send(Outcome::Refused(Refusal::retry(error.to_string())));
        }
    }
}
