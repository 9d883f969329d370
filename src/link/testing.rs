//! An outlet for unit tests: it collects what comes and accepts, refuses or keeps back on demand.

use super::{Outlet, SendError, Unsettled};
use crate::ack::{Outcome, Promise};
use crate::event::{Batch, Event};
use crate::metrics::{Counters, Kind};
use crate::stage::ChannelProcessor;
use crate::stop::Stop;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct State {
    batches: Vec<Batch>,
    held: Vec<Promise>,
    answer: Option<Outcome>,
    /// Whoever sends is held up.
    is_blocking: bool,
    /// Who is held up now.
    blocked: u32,
}

/// See the module. A clone collects into the same place.
#[derive(Clone, Default)]
pub(crate) struct Collect(Arc<(Mutex<State>, Condvar)>);

impl Collect {
    /// Settles each batch at once with this.
    pub fn answering(outcome: Outcome) -> Collect {
        let collect = Collect::default();
        collect.lock().answer = Some(outcome);
        collect
    }

    /// Accepts each batch at once.
    pub fn accepting() -> Collect {
        Self::answering(Outcome::Accepted)
    }

    /// Keeps each batch unsettled until [`Collect::settle_all`].
    pub fn holding() -> Collect {
        Collect::default()
    }

    /// Accepts each batch, but holds up who sends it until [`Collect::unblock`].
    pub fn blocking() -> Collect {
        let collect = Self::accepting();
        collect.lock().is_blocking = true;
        collect
    }

    /// Wait until somebody is held up.
    pub fn wait_blocked(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while state.blocked == 0 {
            assert!(Instant::now() < deadline, "nobody sends anything");
            state = self.0.1.wait_timeout(state, PATIENCE).unwrap().0;
        }
    }

    /// Let all go on.
    pub fn unblock(&self) {
        self.lock().is_blocking = false;
        self.0.1.notify_all();
    }

    /// Settle each batch that comes from now on with this.
    #[cfg(feature = "http")]
    pub fn answer(&self, outcome: Outcome) {
        self.lock().answer = Some(outcome);
    }

    /// A processor in front of it, and its stop.
    pub fn processor(&self, name: &str) -> (Arc<ChannelProcessor>, Stop) {
        crate::say::be_quiet();
        let stop = Stop::new(Duration::from_secs(5)).unwrap();
        let counters = Arc::new(Counters::new(Kind::Source, name));
        let to = ChannelProcessor::new(Vec::new(), Arc::new(self.clone()), counters, &stop);
        (Arc::new(to), stop)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// Settle what is held, oldest first.
    pub fn settle_all(&self, outcome: Outcome) {
        let held = std::mem::take(&mut self.lock().held);
        held.into_iter()
            .for_each(|promise| promise.settle(outcome.clone()));
    }

    /// Settle the oldest of what is held.
    pub fn settle_oldest(&self, outcome: Outcome) {
        let oldest = self.lock().held.remove(0);
        oldest.settle(outcome);
    }

    /// Settle the newest of what is held.
    pub fn settle_newest(&self, outcome: Outcome) {
        let newest = self.lock().held.pop();
        newest.expect("nothing is held").settle(outcome);
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        let state = self.lock();
        let all = state.batches.iter().flat_map(Batch::events);
        all.map(|event| event.unwrap().to_event()).collect()
    }

    /// Where the bytes of each batch are, to see that they were not copied.
    pub fn slabs(&self) -> Vec<*const u8> {
        let state = self.lock();
        state
            .batches
            .iter()
            .map(|batch| batch.encoded().as_ptr())
            .collect()
    }

    /// The bodies so far, as text.
    pub fn bodies(&self) -> Vec<String> {
        let events = self.events();
        let text = |event: &Event| String::from_utf8_lossy(event.body()).into_owned();
        events.iter().map(text).collect()
    }

    /// Wait until so many events came.
    pub fn wait_for(&self, events: u32) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while state.batches.iter().map(Batch::len).sum::<u32>() < events {
            assert!(Instant::now() < deadline, "{events} events did not come");
            state = self.0.1.wait_timeout(state, PATIENCE).unwrap().0;
        }
    }
}

impl Outlet for Collect {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let mut state = self.lock();
        state.blocked += 1;
        self.0.1.notify_all();
        while state.is_blocking {
            state = self.0.1.wait(state).unwrap();
        }
        state.blocked -= 1;
        state.batches.push(batch);
        let answer = state.answer.clone();
        let promise = match answer {
            Some(_) => Some(promise),
            None => {
                state.held.push(promise);
                None
            }
        };
        drop(state);
        self.0.1.notify_all();
        if let (Some(promise), Some(answer)) = (promise, answer) {
            promise.settle(answer);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        Ok(())
    }

    fn finish(&self, _deadline: Option<Instant>) -> Result<(), SendError> {
        Ok(())
    }

    fn on_settled(&self, _then: Box<dyn Fn() + Send + Sync>) {}

    fn unsettled(&self) -> Unsettled {
        Unsettled::default()
    }
}
