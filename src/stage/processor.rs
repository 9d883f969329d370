//! What a source hands its events to, and the loop that a source runs in.

use super::{Interceptor, PollableSource, Source, Status, failing, telling};
use crate::ack::{Outcome, Promise, Receipt, Refusal, promise};
use crate::event::{Batch, Event};
use crate::exit::{StageError, StageResult};
use crate::link::Outlet;
use crate::metrics::{Count, Counters};
use crate::stop::Stop;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What a source hands its events to: the interceptors, then the outlet (Flume's `ChannelProcessor`).
/// Shared by all threads of a source.
pub struct ChannelProcessor {
    chain: Mutex<Vec<Box<dyn Interceptor>>>,
    outlet: Arc<dyn Outlet>,
    counters: Arc<Counters>,
    stop: Stop,
    failed: Mutex<Option<StageError>>,
    began: Option<Began>,
}

/// Called when a source or a sink has started.
pub type Began = Arc<dyn Fn() + Send + Sync>;

impl ChannelProcessor {
    /// A processor in front of an outlet.
    pub fn new(
        chain: Vec<Box<dyn Interceptor>>,
        outlet: Arc<dyn Outlet>,
        counters: Arc<Counters>,
        stop: &Stop,
    ) -> Self {
        ChannelProcessor {
            chain: Mutex::new(chain),
            outlet,
            counters,
            stop: stop.clone(),
            failed: Mutex::new(None),
            began: None,
        }
    }

    /// Have `began` called when the source has started.
    pub fn telling(mut self, began: Option<Began>) -> Self {
        self.began = began;
        self
    }

    /// The wish to end, which a source looks at before it takes in more.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The source's counters.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Hand on one event, and wait until somebody has taken responsibility for it.
    pub fn process_event(&self, event: &Event) -> Result<(), Refusal> {
        self.process_and_wait(Batch::single(event))
    }

    /// Hand on a batch, and wait until somebody has taken responsibility for it.
    pub fn process_and_wait(&self, batch: Batch) -> Result<(), Refusal> {
        let gone = || Refusal::retry("the next stage has gone");
        let receipt = self
            .process(batch)
            .map_err(|error| Refusal::retry(error.to_string()))?;
        self.flush().map_err(|error| Refusal::retry(error.to_string()))?;
        match receipt.wait() {
            Outcome::Accepted => Ok(()),
            Outcome::Refused(refusal) => Err(refusal),
            Outcome::Lost => Err(gone()),
        }
    }

    /// Hand on a batch. The receipt resolves when somebody has taken responsibility, or refused; an event
    /// that an interceptor drops counts as taken.
    ///
    /// Errors: those after which the source can hand on nothing more.
    pub fn process(&self, batch: Batch) -> Result<Receipt, StageError> {
        let (promise, receipt) = promise();
        self.process_promised(batch, promise)?;
        Ok(receipt)
    }

    /// As [`ChannelProcessor::process`] for a client that hands on its events one by one.
    pub fn process_append(&self, event: Batch) -> Result<Receipt, StageError> {
        let (promise, receipt) = promise();
        self.process_counted(event, promise, Count::AppendReceived)?;
        Ok(receipt)
    }

    fn process_promised(&self, batch: Batch, promise: Promise) -> Result<(), StageError> {
        self.process_counted(batch, promise, Count::AppendBatchReceived)
    }

    fn process_counted(&self, batch: Batch, promise: Promise, count: Count) -> Result<(), StageError> {
        if let Some(error) = &*self.lock_failed() {
            return Err(error.clone());
        }
        let events = u64::from(batch.len());
        self.counters.add(Count::EventReceived, events);
        self.counters.add(count, 1);
        let batch = self.intercept(batch)?;
        let kept = u64::from(batch.len());
        self.counters.add(Count::Filtered, events.saturating_sub(kept));
        if batch.is_empty() {
            promise.settle(Outcome::Accepted);
            return Ok(());
        }
        self.counters.add(Count::Sent, kept);
        self.counters.add(Count::Batches, 1);
        self.counters.add(Count::Bytes, batch.bytes() as u64);
        let sent = self.outlet.send_promised(batch, promise);
        Ok(sent.inspect_err(|_| self.counters.add(Count::ChannelWriteFail, 1))?)
    }

    fn intercept(&self, mut batch: Batch) -> Result<Batch, StageError> {
        let mut chain = self.chain.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for interceptor in chain.iter_mut() {
            if !batch.is_empty() {
                batch = interceptor.intercept_batch(batch)?;
            }
        }
        Ok(batch)
    }

    /// As [`ChannelProcessor::process`] for a source that owes nobody an answer: `then` is called, in
    /// order, with each batch that was accepted, and a rejection ends the source.
    pub fn submit(
        self: &Arc<Self>,
        batch: Batch,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<(), StageError> {
        let events = u64::from(batch.len());
        let this = self.clone();
        let promise = Promise::hook(move |outcome| match outcome {
            Outcome::Accepted => {
                this.counters.add(Count::EventAccepted, events);
                this.counters.add(Count::AppendBatchAccepted, 1);
                then();
            }
            Outcome::Refused(refusal) => {
                this.counters.add(Count::Refused, events);
                this.fail(StageError::Failed(format!(
                    "a batch of {events} events was rejected: {refusal}"
                )));
            }
            Outcome::Lost => {}
        });
        self.process_promised(batch, promise)
    }

    fn fail(&self, error: StageError) {
        self.lock_failed().get_or_insert(error);
        self.stop.stop();
    }

    fn lock_failed(&self) -> MutexGuard<'_, Option<StageError>> {
        self.failed
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Hand on everything. Call it before waiting for anything.
    pub fn flush(&self) -> Result<(), StageError> {
        Ok(self.outlet.flush()?)
    }

    /// Hand on everything, and ask who takes it to accept it now: somebody waits for that before he sends more.
    pub fn ask_flush(&self) -> Result<(), StageError> {
        Ok(self.outlet.ask_flush()?)
    }

    /// Nothing more comes, since the source has come to its end or failed: wait for what is unaccepted.
    fn finish(&self, source: &StageResult) -> StageResult {
        if source.is_err() {
            self.outlet.break_off();
        }
        let deadline = self.stop.deadline();
        let finished = self.outlet.finish(deadline);
        if let Some(error) = self.lock_failed().take() {
            return Err(error);
        }
        Ok(finished?)
    }
}

/// Run a source to its end, or until somebody wishes it to stop: its events go through the processor.
pub fn run_source(source: Source, to: &Arc<ChannelProcessor>) -> StageResult {
    {
        let mut chain = to.chain.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        chain.iter_mut().try_for_each(|interceptor| interceptor.start())?;
    }
    let result = match source {
        Source::Polled(mut source) => {
            source.start(to)?;
            begin(to);
            let polled = poll(&mut *source, to).and_then(|()| source.hand_on_rest(to));
            let finished = to.finish(&polled);
            telling(polled, finished).and(source.stop())
        }
        Source::EventDriven(mut source) => {
            source.start(to)?;
            begin(to);
            to.stop.wait();
            let stopped = source.stop();
            let waited = failing(&to.stop);
            let finished = to.finish(&waited);
            telling(waited, finished).and(stopped)
        }
    };
    to.counters.stopped();
    result
}

/// The source has started: only now does its stream begin.
fn begin(to: &ChannelProcessor) {
    if let Some(began) = &to.began {
        began();
    }
    // A hello that nobody reads shows at the first batch.
    let _ = to.flush();
}

fn poll(source: &mut dyn PollableSource, to: &Arc<ChannelProcessor>) -> StageResult {
    let (first, longest) = source.back_off();
    let mut pause = Duration::ZERO;
    while !to.stop.is_stopping() {
        match source.process(to)? {
            Status::Ready => pause = Duration::ZERO,
            Status::Finished => return Ok(()),
            Status::BackOff => {
                to.flush()?;
                pause = (pause + first).min(longest);
                to.stop.sleep(pause);
            }
        }
    }
    failing(&to.stop)
}
