//! What travels back: the promise that a batch makes, and how it is settled.
//!
//! The life of a batch. Whoever writes a batch to a link gets a [`Receipt`]. Whoever reads it at the other
//! end gets a [`Delivery`]: the batch and an obligation. The reader settles the obligation exactly once:
//! *accept*, when it has taken responsibility (a sink has synced, a channel has stored), or *refuse*, with a
//! class and a reason. A delivery that is dropped unsettled counts as refused for now, so that no code path
//! can lose a batch by forgetting it. The receipt then resolves: [`Outcome::Accepted`], [`Outcome::Refused`],
//! or [`Outcome::Lost`] when the other end is gone without a word. What the writer owes its own source (a
//! file position, a client's `OK`, a place in a channel) it settles when the receipt resolves, never before.
//!
//! Nothing is ever accepted that was not taken: a link that cannot know resolves its receipts as lost.

use crate::event::Batch;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Whether a retry can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The trouble is temporary: the writer keeps the batch and sends it again.
    Retry,
    /// It can never be stored there: too large, undecodable, forbidden.
    Reject,
}

/// A batch that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Whether a retry can help.
    pub class: Class,
    /// A sentence for a person.
    pub reason: String,
}

impl Refusal {
    /// For now.
    pub fn retry(reason: impl Into<String>) -> Self {
        Refusal {
            class: Class::Retry,
            reason: reason.into(),
        }
    }

    /// For ever.
    pub fn reject(reason: impl Into<String>) -> Self {
        Refusal {
            class: Class::Reject,
            reason: reason.into(),
        }
    }
}

/// How the promise of a batch was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side has taken responsibility.
    Accepted,
    /// The other side has not, and says why.
    Refused(Refusal),
    /// The other side is gone; nothing is known of the batch.
    Lost,
}

/// What is called when a receipt resolves.
type Then = Box<dyn FnOnce(Outcome) + Send>;

#[derive(Default)]
struct Slot {
    outcome: Option<Outcome>,
    then: Option<Then>,
    waker: Option<Waker>,
    /// Threads that wait: without any, settling costs no system call.
    waiting: u32,
}

#[derive(Default)]
struct Shared {
    slot: Mutex<Slot>,
    settled: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn settle(&self, outcome: Outcome) {
        let mut slot = self.lock();
        if slot.outcome.is_some() {
            return;
        }
        slot.outcome = Some(outcome.clone());
        let (then, waker) = (slot.then.take(), slot.waker.take());
        let somebody_waits = slot.waiting > 0;
        drop(slot);
        if somebody_waits {
            self.settled.notify_all();
        }
        if let Some(then) = then {
            then(outcome);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The writer's end of a promise. Wait for it, await it, look at it, or leave a closure with it.
pub struct Receipt(Option<Arc<Shared>>);

/// The other end: whoever drops it unsettled resolves the receipt as lost.
pub struct Promise(Option<Kept>);

enum Kept {
    Receipt(Arc<Shared>),
    Hook(Then),
    Numbered(Arc<dyn Numbered>, u64),
}

/// Keeps what it has promised in a list of its own, so that no batch needs an allocation for a hook.
pub trait Numbered: Send + Sync {
    /// The promise with this number was settled. Must not hold up the thread.
    fn settled(self: Arc<Self>, number: u64, outcome: Outcome);
}

/// A promise and its receipt.
pub fn promise() -> (Promise, Receipt) {
    let shared = Arc::new(Shared::default());
    (
        Promise(Some(Kept::Receipt(shared.clone()))),
        Receipt(Some(shared)),
    )
}

impl Promise {
    /// A promise without a receipt: `then` is called with the outcome, in the thread that settles it, which
    /// must not be held up.
    pub fn hook(then: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Promise(Some(Kept::Hook(Box::new(then))))
    }

    /// As [`Promise::hook`] for one who knows by a number what to do.
    pub fn numbered(by: Arc<dyn Numbered>, number: u64) -> Self {
        Promise(Some(Kept::Numbered(by, number)))
    }

    /// Resolve the receipt.
    pub fn settle(mut self, outcome: Outcome) {
        self.resolve(outcome);
    }

    fn resolve(&mut self, outcome: Outcome) {
        match self.0.take() {
            Some(Kept::Receipt(shared)) => shared.settle(outcome),
            Some(Kept::Hook(then)) => then(outcome),
            Some(Kept::Numbered(by, number)) => by.settled(number, outcome),
            None => {}
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.resolve(Outcome::Lost);
    }
}

impl Receipt {
    /// A receipt of a batch that is accepted already.
    pub fn accepted() -> Self {
        Receipt(None)
    }

    /// How it was settled, if it was.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.0 {
            None => Some(Outcome::Accepted),
            Some(shared) => shared.lock().outcome.clone(),
        }
    }

    /// Block until it resolves.
    pub fn wait(&self) -> Outcome {
        self.wait_for(None).unwrap_or(Outcome::Lost)
    }

    /// Block until it resolves or `timeout` is over; `None` for the latter.
    pub fn wait_for(&self, timeout: Option<Duration>) -> Option<Outcome> {
        let Some(shared) = &self.0 else {
            return Some(Outcome::Accepted);
        };
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut slot = shared.lock();
        slot.waiting += 1;
        while slot.outcome.is_none() {
            slot = match deadline {
                None => shared.settled.wait(slot).unwrap_or_else(|p| p.into_inner()),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    let waited = shared.settled.wait_timeout(slot, left);
                    waited.unwrap_or_else(|p| p.into_inner()).0
                }
            };
        }
        slot.waiting -= 1;
        slot.outcome.clone()
    }

    /// Call `then` when it resolves: at once if it has, else in the thread that settles it, which must not
    /// be held up.
    pub fn then(self, then: impl FnOnce(Outcome) + Send + 'static) {
        let Some(shared) = self.0 else {
            return then(Outcome::Accepted);
        };
        let mut slot = shared.lock();
        match slot.outcome.clone() {
            None => slot.then = Some(Box::new(then)),
            Some(outcome) => {
                drop(slot);
                then(outcome);
            }
        }
    }
}

impl Future for Receipt {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(shared) = &self.0 else {
            return Poll::Ready(Outcome::Accepted);
        };
        let mut slot = shared.lock();
        match slot.outcome.clone() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// What a link, a queue or a channel does when a delivery of theirs is settled. Called once.
pub trait Settle: Send {
    /// Responsibility was taken. Must not block on anything that waits for the caller.
    fn accept(self: Box<Self>);
    /// It was not.
    fn refuse(self: Box<Self>, refusal: Refusal);
}

impl Settle for Promise {
    fn accept(self: Box<Self>) {
        self.settle(Outcome::Accepted);
    }

    fn refuse(self: Box<Self>, refusal: Refusal) {
        self.settle(Outcome::Refused(refusal));
    }
}

/// A batch and the obligation to settle it.
pub struct Delivery {
    /// The events.
    pub batch: Batch,
    ticket: Option<Box<dyn Settle>>,
}

impl Delivery {
    /// A batch whose settling `ticket` waits for.
    pub fn new(batch: Batch, ticket: impl Settle + 'static) -> Self {
        Delivery {
            batch,
            ticket: Some(Box::new(ticket)),
        }
    }

    /// A batch for which nobody waits.
    pub fn unowed(batch: Batch) -> Self {
        Delivery { batch, ticket: None }
    }

    /// Take responsibility for the batch.
    pub fn accept(mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.accept();
        }
    }

    /// Do not take it.
    pub fn refuse(mut self, refusal: Refusal) {
        if let Some(ticket) = self.ticket.take() {
            ticket.refuse(refusal);
        }
    }

    /// Settle it as somebody else has settled a copy of it.
    pub fn settle(self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.accept(),
            Outcome::Refused(refusal) => self.refuse(refusal),
            Outcome::Lost => self.refuse(Refusal::retry("the next stage has gone")),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.refuse(Refusal::retry("it was given up unsettled"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_promise_is_lost_and_dropped_delivery_is_refused_for_now() {
        let (given, receipt) = promise();
        drop(given);
        assert_eq!(receipt.wait(), Outcome::Lost);
        let (given, receipt) = promise();
        drop(Delivery::new(Batch::default(), given));
        assert!(matches!(
            receipt.wait(),
            Outcome::Refused(Refusal {
                class: Class::Retry,
                ..
            })
        ));
    }

    #[test]
    fn receipt_can_be_waited_for_from_another_thread_and_left_a_closure() {
        let (given, receipt) = promise();
        let thread = std::thread::spawn(move || Delivery::new(Batch::default(), given).accept());
        assert_eq!(receipt.wait(), Outcome::Accepted);
        thread.join().unwrap();
        let (sent, seen) = std::sync::mpsc::channel();
        let (given, receipt) = promise();
        receipt.then(move |outcome| sent.send(outcome).unwrap());
        given.settle(Outcome::Refused(Refusal::reject("no")));
        assert_eq!(seen.recv().unwrap(), Outcome::Refused(Refusal::reject("no")));
    }

    #[test]
    fn waiting_for_a_time_says_when_it_is_over() {
        let (_given, receipt) = promise();
        assert_eq!(receipt.wait_for(Some(Duration::from_millis(1))), None);
    }
}
