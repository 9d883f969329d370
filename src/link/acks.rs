//! The accounts of a writer: which batches are on their way, and what became of them.

use crate::ack::{Outcome, Promise, Refusal};
use crate::fd::Bell;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Batches on their way and what became of them: shared by the writer and the thread that reads replies.
pub(super) struct Acks {
    state: Mutex<AckState>,
    changed: Condvar,
    /// Rung when nothing more can be accepted, to wake a writer that waits for a full pipe.
    pub lost: Bell,
    after: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
    when_gone: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
}

/// Until when to wait, asked again now and then: a stop may come meanwhile and set a limit.
pub(super) type Until<'a> = &'a dyn Fn() -> Option<Instant>;

/// How often it is asked.
const ASK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Default)]
struct AckState {
    under_way: VecDeque<UnderWay>,
    bytes: usize,
    events: u64,
    taker: bool,
    taker_came: bool,
    gone: bool,
    lost: bool,
    /// Taken off the list and not settled yet: nobody may think that all is done.
    settling: usize,
    /// Empty: where batches are put to be settled. A new one for thousands of small batches would be
    /// given back to the system each time.
    spare: Vec<UnderWay>,
    /// Threads that wait for a change: without any, an acceptance costs no system call.
    waiting: u32,
    no_taker: Option<String>,
    /// How the other side has answered the hello.
    welcome: Option<Result<u64, Refusal>>,
    /// What came in the place of a reply.
    fault: Option<String>,
}

struct UnderWay {
    sequence: u64,
    bytes: usize,
    events: u32,
    since: Instant,
    promise: Promise,
}

/// What a writer sees when it looks whether it may go on.
pub(super) enum Room {
    Free,
    Full,
    Gone,
    NoTaker(String),
}

impl Acks {
    pub fn new() -> io::Result<Arc<Acks>> {
        Ok(Arc::new(Acks {
            state: Mutex::default(),
            changed: Condvar::new(),
            lost: Bell::new()?,
            after: Mutex::new(None),
            when_gone: Mutex::new(None),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, AckState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn set_after(&self, then: Box<dyn Fn() + Send + Sync>) {
        *self.after.lock().unwrap_or_else(|p| p.into_inner()) = Some(then);
    }

    /// Have `then` called when nobody will accept anything any more, at once if it is so already.
    pub fn set_when_gone(&self, then: Box<dyn Fn() + Send + Sync>) {
        let mut hook = self.when_gone.lock().unwrap_or_else(|p| p.into_inner());
        if self.lock().gone {
            then();
        }
        *hook = Some(then);
    }

    /// Called when some were settled and nothing more is there to settle.
    pub fn after(&self) {
        if let Some(then) = self.after.lock().unwrap_or_else(|p| p.into_inner()).as_ref() {
            then();
        }
    }

    /// A batch is on its way, since then. Once nobody will accept anything any more it is lost at once.
    pub fn push(&self, sequence: u64, bytes: usize, events: u32, since: Instant, promise: Promise) {
        let mut state = self.lock();
        if state.gone {
            state.lost = true;
            drop(state);
            return promise.settle(Outcome::Lost);
        }
        state.bytes += bytes;
        state.events += u64::from(events);
        state.under_way.push_back(UnderWay {
            sequence,
            bytes,
            events,
            since,
            promise,
        });
    }

    /// Is there room for so many bytes more?
    pub fn room(&self, bytes: usize, window: &super::Window) -> Room {
        let state = self.lock();
        Self::room_in(&state, bytes, window)
    }

    fn room_in(state: &AckState, bytes: usize, window: &super::Window) -> Room {
        if let Some(why) = &state.no_taker {
            return Room::NoTaker(why.clone());
        }
        if state.gone {
            return Room::Gone;
        }
        let count = state.under_way.len();
        let fits = count < window.batches && state.bytes + bytes <= window.bytes;
        if fits || count == 0 {
            Room::Free
        } else {
            Room::Full
        }
    }

    /// Wait for room; `Full` again when the deadline passes.
    pub fn wait_room(&self, bytes: usize, window: &super::Window, stop: &crate::stop::Stop) -> Room {
        let mut state = self.lock();
        loop {
            let room = Self::room_in(&state, bytes, window);
            let deadline = stop.deadline();
            if !matches!(room, Room::Full) || deadline.is_some_and(|at| at <= Instant::now()) {
                return room;
            }
            // A stop that comes later wakes nobody here: look again now and then only in that rare case.
            let left = deadline.map_or(ASK_AGAIN, |at| at.saturating_duration_since(Instant::now()));
            state = self.wait(state, left);
        }
    }

    fn wait<'a>(&'a self, mut state: MutexGuard<'a, AckState>, left: Duration) -> MutexGuard<'a, AckState> {
        state.waiting += 1;
        let waited = self.changed.wait_timeout(state, left);
        let mut state = waited.unwrap_or_else(|p| p.into_inner()).0;
        state.waiting -= 1;
        state
    }

    /// Let those who wait look again.
    fn changed(&self, state: MutexGuard<'_, AckState>) {
        let somebody_waits = state.waiting > 0;
        drop(state);
        if somebody_waits {
            self.changed.notify_all();
        }
    }

    /// Wait until all are settled or `deadline` passes: true if they are and none was lost.
    pub fn wait_all(&self, until: Until<'_>) -> bool {
        self.wait_until(until, |state| {
            state.settling == 0 && (state.under_way.is_empty() || state.gone || state.no_taker.is_some())
        });
        let state = self.lock();
        state.under_way.is_empty() && state.settling == 0 && !state.lost
    }

    /// Wait until the other end is gone, or all are settled.
    pub fn wait_gone(&self, deadline: Instant) {
        self.wait_until(&|| Some(deadline), |state| {
            state.gone || (state.taker_came && state.under_way.is_empty())
        });
    }

    /// A taker has come, and may have gone since.
    pub fn had_taker(&self) -> bool {
        self.lock().taker_came
    }

    /// Wait until a taker came, or nobody can come any more.
    pub fn wait_taker(&self, until: Until<'_>) {
        self.wait_until(until, |state| state.taker_came || state.gone);
    }

    fn wait_until(&self, until: Until<'_>, done: impl Fn(&AckState) -> bool) {
        let mut state = self.lock();
        while !done(&state) {
            let left = until().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            state = self.wait(state, left.map_or(ASK_AGAIN, |left| left.min(ASK_AGAIN)));
        }
    }

    /// Everything up to `sequence` is accepted.
    pub fn accept_up_to(&self, sequence: u64) {
        let mut state = self.lock();
        let mut settled = std::mem::take(&mut state.spare);
        while state
            .under_way
            .front()
            .is_some_and(|first| first.sequence <= sequence)
        {
            settled.extend(Self::pop(&mut state, 0));
        }
        self.settle(state, settled, Outcome::Accepted);
    }

    /// Settle batches that were taken off the list. There is room at once; all is done only afterwards.
    fn settle(&self, mut state: MutexGuard<'_, AckState>, mut batches: Vec<UnderWay>, outcome: Outcome) {
        let count = batches.len();
        state.settling += count;
        self.changed(state);
        for batch in batches.drain(..) {
            batch.promise.settle(outcome.clone());
        }
        let mut state = self.lock();
        state.settling -= count;
        if batches.capacity() > state.spare.capacity() {
            state.spare = batches;
        }
        if state.settling == 0 && state.under_way.is_empty() {
            self.changed(state);
        }
    }

    fn pop(state: &mut AckState, index: usize) -> Option<UnderWay> {
        let batch = state.under_way.remove(index)?;
        state.bytes -= batch.bytes;
        state.events -= u64::from(batch.events);
        Some(batch)
    }

    pub fn refuse(&self, sequence: u64, refusal: Refusal) {
        let mut state = self.lock();
        let index = state
            .under_way
            .iter()
            .position(|batch| batch.sequence == sequence);
        let batch = index.and_then(|index| Self::pop(&mut state, index));
        self.settle(state, batch.into_iter().collect(), Outcome::Refused(refusal));
    }

    pub fn taker_came(&self) {
        let mut state = self.lock();
        state.taker = true;
        state.taker_came = true;
        self.changed(state);
    }

    /// Nobody will accept anything any more.
    pub fn gone(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.taker = false;
        let lost: Vec<_> = state.under_way.drain(..).collect();
        state.lost |= !lost.is_empty();
        state.bytes = 0;
        state.events = 0;
        self.lost.ring();
        self.settle(state, lost, Outcome::Lost);
        self.changed(self.lock());
        if let Some(then) = self.when_gone.lock().unwrap_or_else(|p| p.into_inner()).as_ref() {
            then();
        }
    }

    /// The other side has answered the hello: how far it remembers this stream, or why it does not take it.
    pub fn welcomed(&self, answer: Result<u64, Refusal>) {
        let mut state = self.lock();
        state.welcome = Some(answer);
        self.changed(state);
    }

    /// Something came that is no reply.
    pub fn fault(&self, why: String) {
        self.lock().fault = Some(why);
    }

    /// The answer to the hello, once it is there; the error says why there is none.
    pub fn wait_welcome(&self, until: Until<'_>) -> Result<u64, String> {
        self.wait_until(until, |state| state.welcome.is_some() || state.gone);
        let state = self.lock();
        match (&state.welcome, &state.fault) {
            (Some(Ok(known)), _) => Ok(*known),
            (Some(Err(refusal)), _) => Err(refusal.reason.clone()),
            (None, Some(fault)) => Err(fault.clone()),
            (None, None) if state.gone => Err("it has closed the connection before it answered".into()),
            (None, None) => Err("it does not answer".into()),
        }
    }

    /// Bytes are waiting since then and nobody has come to take them.
    pub fn waits_since(&self) -> Option<Instant> {
        let state = self.lock();
        if state.taker_came {
            return None;
        }
        state.under_way.front().map(|first| first.since)
    }

    pub fn give_up(&self, why: String) {
        self.lock().no_taker = Some(why);
        self.gone();
    }

    pub fn unsettled(&self) -> super::Unsettled {
        let state = self.lock();
        super::Unsettled {
            events: state.events,
            bytes: state.bytes as u64,
            oldest: state.under_way.front().map(|first| first.since.elapsed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::promise;

    #[test]
    fn batch_that_comes_after_the_loss_is_lost_too() {
        let acks = Acks::new().unwrap();
        // The reply ends between a writer's look for room and its batch.
        acks.gone();
        let (promise, receipt) = promise();
        acks.push(1, 10, 1, Instant::now(), promise);
        assert_eq!(receipt.outcome(), Some(Outcome::Lost));
        assert!(acks.unsettled().oldest.is_none());
        assert!(!acks.wait_all(&|| None));
    }
}
