//! The four traits of components, and the loops that each kind of stage runs, once for all compositions.
//!
//! A component only fills in the work. [`run_source`] feeds a source's batches through its interceptors to
//! an outlet; [`Drain`] gives an inlet's batches to a sink and accepts them when the sink has committed;
//! [`Pump`] joins an inlet to an outlet and carries acceptances back; the last maps batches in the middle of
//! a pipe without taking them ([`pass`]). None of them knows which link it is on.

use crate::ack::{Class, Delivery, Outcome, Promise, Receipt, Refusal, promise};
use crate::event::{Batch, BatchBuilder, DecodeError, Event, EventRef};
use crate::exit::{StageError, StageResult};
use crate::link::{Inlet, Next, Outlet, Wait};
use crate::metrics::{Count, Counters};
use crate::stop::Stop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub mod pass;

/// What one call of [`PollableSource::process`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There was something: call again at once.
    Ready,
    /// There was nothing: call again after a pause that grows.
    BackOff,
    /// There will be nothing any more.
    Finished,
}

/// A source that is asked for events in a loop (Flume's `PollableSource`).
pub trait PollableSource: Send {
    /// Called once before the first `process`. What is wrong here ends the start.
    fn start(&mut self, _to: &Arc<ChannelProcessor>) -> StageResult {
        Ok(())
    }

    /// Take in what is there and hand it to the processor. May wait for input, but not beyond a ring of
    /// `to.stop().bell()`; calls `to.flush()` before it waits.
    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError>;

    /// Pause after the first [`Status::BackOff`], and the longest (Flume: 1 s more each time, up to 5 s).
    fn back_off(&self) -> (Duration, Duration) {
        (Duration::from_secs(1), Duration::from_secs(5))
    }

    /// Called once after the last `process`, unless that failed: hand on what was read and can not be given
    /// back. What is unaccepted is waited for after it.
    fn hand_on_rest(&mut self, _to: &Arc<ChannelProcessor>) -> StageResult {
        Ok(())
    }

    /// Called once at the end, after everything is settled or given up.
    fn stop(&mut self) -> StageResult {
        Ok(())
    }
}

/// A source that has threads of its own, such as a server (Flume's `EventDrivenSource`).
pub trait EventDrivenSource: Send {
    /// Begin to listen; hand batches to the processor from any thread.
    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult;

    /// Stop the intake and wait for the own threads. Unaccepted batches are the processor's business.
    fn stop(&mut self) -> StageResult;
}

/// Either kind of source.
pub enum Source {
    /// Asked in a loop.
    Polled(Box<dyn PollableSource>),
    /// With threads of its own.
    EventDriven(Box<dyn EventDrivenSource>),
}

/// Changes, drops or adds events (Flume's `Interceptor`).
pub trait Interceptor: Send {
    /// Called once before the first event.
    fn start(&mut self) -> StageResult {
        Ok(())
    }

    /// Push what becomes of one event to `out`: nothing to drop it.
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError>;

    /// The whole batch at once, for interceptors that need not look at each event.
    fn intercept_batch(&mut self, batch: Batch) -> Result<Batch, StageError> {
        let mut out = BatchBuilder::with_room(batch.bytes() + 64 * batch.len() as usize);
        for event in batch.events() {
            self.intercept(event.map_err(undecodable)?, &mut out)?;
        }
        Ok(batch.replaced_by(out.finish()))
    }

    /// For `batch`, which does not change events but cuts and joins batches: how.
    fn regroups(&self) -> Option<crate::link::regroup::Limits> {
        None
    }
}

/// The error of a batch whose bytes are no events.
pub fn undecodable(error: DecodeError) -> StageError {
    StageError::Failed(format!("a batch holds bytes that are no events: {error}"))
}

/// Why a sink could not write or commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SinkError {
    /// Whether a retry can help.
    pub class: Class,
    /// A sentence for a person.
    pub reason: String,
    /// Of a batch that is rejected: the event that it is rejected for, counted from 0.
    pub event: Option<u32>,
}

impl SinkError {
    /// For now: the loop rolls back, pauses and tries again.
    pub fn retry(reason: impl Into<String>) -> Self {
        SinkError {
            class: Class::Retry,
            reason: reason.into(),
            event: None,
        }
    }

    /// For ever, because of this event.
    pub fn reject(event: u32, reason: impl Into<String>) -> Self {
        SinkError {
            class: Class::Reject,
            reason: reason.into(),
            event: Some(event),
        }
    }

    /// For ever, the whole batch.
    pub fn reject_batch(reason: impl Into<String>) -> Self {
        SinkError {
            class: Class::Reject,
            reason: reason.into(),
            event: None,
        }
    }
}

impl From<DecodeError> for SinkError {
    fn from(error: DecodeError) -> Self {
        SinkError::reject_batch(format!("the batch holds bytes that are no events: {error}"))
    }
}

/// Takes events to where they go (Flume's `Sink`). A transaction is some `write`s and one `commit`; the
/// loop accepts the batches after the commit.
pub trait Sink: Send {
    /// Called once. What is wrong here ends the start: `Usage` for settings, `Failed` for the world.
    fn start(&mut self) -> StageResult {
        Ok(())
    }

    /// Write a batch. It need not be safe yet.
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError>;

    /// Everything written since the last commit is safe when this returns.
    fn commit(&mut self) -> Result<(), SinkError>;

    /// Undo what was written since the last commit, as far as the destination can: it comes again.
    fn rollback(&mut self) {}

    /// When [`Sink::tick`] wants to be called though no batch comes.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has passed. Called between transactions.
    fn tick(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Called once at the end, with everything committed or rolled back.
    fn stop(&mut self) -> StageResult {
        Ok(())
    }

    /// For a sink that is only a link to another place: its outlet. Batches then go there with
    /// acceptances coming back one by one, and `write` and `commit` are not called.
    fn outlet(&mut self, _stop: &Stop) -> Option<Arc<dyn Outlet>> {
        None
    }
}

/// What a source hands its events to: the interceptors, then the outlet (Flume's `ChannelProcessor`).
/// Shared by all threads of a source.
pub struct ChannelProcessor {
    chain: Mutex<Vec<Box<dyn Interceptor>>>,
    outlet: Arc<dyn Outlet>,
    counters: Arc<Counters>,
    stop: Stop,
    failed: Mutex<Option<StageError>>,
}

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
        }
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

    fn process_promised(&self, batch: Batch, promise: Promise) -> Result<(), StageError> {
        if let Some(error) = &*self.lock_failed() {
            return Err(error.clone());
        }
        let events = u64::from(batch.len());
        self.counters.add(Count::EventReceived, events);
        self.counters.add(Count::AppendBatchReceived, 1);
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
            let polled = poll(&mut *source, to).and_then(|()| source.hand_on_rest(to));
            let finished = to.finish(&polled);
            telling(polled, finished).and(source.stop())
        }
        Source::EventDriven(mut source) => {
            source.start(to)?;
            wait_for_stop(to);
            let stopped = source.stop();
            let waited = failing(&to.stop);
            let finished = to.finish(&waited);
            telling(waited, finished).and(stopped)
        }
    };
    to.counters.stopped();
    result
}

/// Of two results the one to report: that somebody has closed the pipe is less than why.
fn telling(first: StageResult, second: StageResult) -> StageResult {
    match (first, second) {
        (Err(StageError::Closed), Err(second)) => Err(second),
        (first, second) => first.and(second),
    }
}

/// The error of an intake that was not stopped by a wish but because it can go nowhere.
fn failing(stop: &Stop) -> StageResult {
    match stop.is_failing() {
        true => Err(StageError::Closed),
        false => Ok(()),
    }
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

fn wait_for_stop(to: &Arc<ChannelProcessor>) {
    use std::os::fd::AsFd;
    let bell = to.stop.bell();
    while !to.stop.is_stopping() {
        let _ = crate::fd::wait(bell.as_fd(), rustix::event::PollFlags::IN, &[], None);
    }
}

/// Where events go that can never be taken, with why as headers.
pub trait Rejected: Send {
    /// Keep the event for ever.
    fn keep(&mut self, event: &Event) -> Result<(), String>;
}

/// How a sink is drained into.
pub struct Drain<'a> {
    /// The sink's name, for messages.
    pub name: &'a str,
    /// Its counters.
    pub counters: Arc<Counters>,
    /// The wish to end.
    pub stop: Stop,
    /// Where rejected events go.
    pub rejected: Option<Box<dyn Rejected>>,
    /// Uncommitted bytes at most: a transaction joins the batches that are there, up to so many.
    pub join_bytes: usize,
}

/// Bytes that a sink's transaction joins unless told otherwise.
pub const JOIN_BYTES: usize = 4 << 20;

/// The first pause after a failure for now, and the longest.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A failure for now that is not over before the work that failed has worked: what was said about it and
/// how long the next pause is.
struct Trouble {
    pause: Duration,
    said: String,
}

impl Default for Trouble {
    fn default() -> Self {
        Trouble {
            pause: RETRY_PAUSE.0,
            said: String::new(),
        }
    }
}

impl Trouble {
    /// Say the reason, unless it was the last one said.
    fn say(&mut self, name: &str, reason: &str) {
        if self.said != reason {
            crate::say::warn(name, format!("{reason}; trying again until it works"));
            self.said = reason.to_string();
        }
    }

    fn end(self, name: &str) {
        if !self.said.is_empty() {
            crate::say::info(name, "it works again");
        }
    }
}

impl Drain<'_> {
    /// Give an inlet's batches to a sink until the input ends, and accept them when they are committed.
    pub fn run(mut self, inlet: &mut dyn Inlet, sink: &mut dyn Sink) -> StageResult {
        let mut open = Vec::new();
        let result = self.take_all(inlet, sink, &mut open);
        // What is still open was not taken.
        drop(open);
        let _ = inlet.flush_settled();
        inlet.close();
        let stopped = sink.stop();
        self.counters.stopped();
        result.and(stopped)
    }

    fn take_all(
        &mut self,
        inlet: &mut dyn Inlet,
        sink: &mut dyn Sink,
        open: &mut Vec<Delivery>,
    ) -> StageResult {
        let mut bytes = 0;
        loop {
            let wait = match (open.is_empty(), sink.deadline()) {
                (false, _) => Wait::No,
                (true, None) => Wait::Forever,
                (true, Some(deadline)) => Wait::Until(deadline),
            };
            let next = inlet.next(wait)?;
            match next {
                Next::Delivery(delivery) => {
                    bytes += delivery.batch.bytes();
                    self.counters
                        .add(Count::EventDrainAttempt, u64::from(delivery.batch.len()));
                    open.push(delivery);
                    self.write_last(inlet, sink, open)?;
                    if bytes >= self.join_bytes {
                        self.commit(inlet, sink, open)?;
                        bytes = 0;
                    }
                }
                Next::Idle | Next::Flush => {
                    self.commit(inlet, sink, open)?;
                    bytes = 0;
                }
                Next::End => return self.commit(inlet, sink, open),
                Next::Stopped => return self.commit(inlet, sink, open),
                Next::Broken(error) => {
                    self.commit(inlet, sink, open)?;
                    return Err(error);
                }
            }
            if sink.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                self.commit(inlet, sink, open)?;
                bytes = 0;
                self.retried(inlet, sink, open, |sink| sink.tick())?;
            }
        }
    }

    /// Write the newest of the open batches.
    fn write_last(
        &mut self,
        inlet: &mut dyn Inlet,
        sink: &mut dyn Sink,
        open: &mut Vec<Delivery>,
    ) -> StageResult {
        let Some(last) = open.last() else { return Ok(()) };
        match sink.write(&last.batch) {
            Ok(()) => Ok(()),
            Err(error) => {
                let mut trouble = Trouble::default();
                self.recover(inlet, sink, open, error, &mut trouble)?;
                trouble.end(self.name);
                Ok(())
            }
        }
    }

    fn commit(
        &mut self,
        inlet: &mut dyn Inlet,
        sink: &mut dyn Sink,
        open: &mut Vec<Delivery>,
    ) -> StageResult {
        if open.is_empty() {
            return inlet.flush_settled();
        }
        self.retried(inlet, sink, open, |sink| sink.commit())?;
        self.counters.add(Count::BatchComplete, 1);
        self.accept(open.drain(..));
        inlet.flush_settled()
    }

    fn accept(&self, taken: impl Iterator<Item = Delivery>) {
        let (mut batches, mut events, mut bytes) = (0, 0, 0);
        for delivery in taken {
            batches += 1;
            events += u64::from(delivery.batch.len());
            bytes += delivery.batch.bytes() as u64;
            delivery.accept();
        }
        self.counters.add(Count::Batches, batches);
        self.counters.add(Count::EventDrainSuccess, events);
        self.counters.add(Count::Bytes, bytes);
    }

    /// What came before a batch that ends the stage is good, and was rolled back with it: take it now, or
    /// leave it unaccepted if that does not work.
    fn take_good(&mut self, sink: &mut dyn Sink, open: &mut Vec<Delivery>, count: usize) {
        let written = self.rewrite(sink, &open[..count]);
        if written.is_ok() && sink.commit().is_ok() {
            self.accept(open.drain(..count));
        } else {
            sink.rollback();
        }
    }

    fn retried(
        &mut self,
        inlet: &mut dyn Inlet,
        sink: &mut dyn Sink,
        open: &mut Vec<Delivery>,
        mut work: impl FnMut(&mut dyn Sink) -> Result<(), SinkError>,
    ) -> StageResult {
        let mut trouble = Trouble::default();
        while let Err(error) = work(sink) {
            self.recover(inlet, sink, open, error, &mut trouble)?;
        }
        trouble.end(self.name);
        Ok(())
    }

    /// After a failure: roll back, see to what can never be taken, and write the open batches again until
    /// that works. Gives up when the grace after a stop is over.
    fn recover(
        &mut self,
        inlet: &mut dyn Inlet,
        sink: &mut dyn Sink,
        open: &mut Vec<Delivery>,
        mut error: SinkError,
        trouble: &mut Trouble,
    ) -> StageResult {
        let mut culprit = open.len().saturating_sub(1);
        loop {
            self.counters.add(Count::EventWriteFail, 1);
            sink.rollback();
            if error.class == Class::Reject && culprit < open.len() {
                self.reject(inlet, sink, open, culprit, &error)?;
            } else {
                if !self.stop.is_failing() {
                    trouble.say(self.name, &error.reason);
                }
                self.pause(inlet, open, &mut trouble.pause, &error)?;
            }
            match self.rewrite(sink, open) {
                Ok(()) => return Ok(()),
                Err((index, again)) => (culprit, error) = (index, again),
            }
        }
    }

    fn rewrite(&mut self, sink: &mut dyn Sink, open: &[Delivery]) -> Result<(), (usize, SinkError)> {
        for (index, delivery) in open.iter().enumerate() {
            sink.write(&delivery.batch).map_err(|error| (index, error))?;
        }
        Ok(())
    }

    fn pause(
        &mut self,
        inlet: &mut dyn Inlet,
        open: &mut Vec<Delivery>,
        pause: &mut Duration,
        error: &SinkError,
    ) -> StageResult {
        let over = self
            .stop
            .deadline()
            .is_some_and(|deadline| deadline <= Instant::now());
        if over {
            let count: u64 = open.iter().map(|delivery| u64::from(delivery.batch.len())).sum();
            self.counters.add(Count::Refused, count);
            inlet.refuse_all(std::mem::take(open), &Refusal::retry(error.reason.clone()));
            return Err(StageError::Temporary(error.reason.clone()));
        }
        if self.stop.is_stopping() {
            std::thread::sleep((*pause).min(Duration::from_millis(100)));
        } else {
            self.stop.sleep(*pause);
        }
        *pause = (*pause * 2).min(RETRY_PAUSE.1);
        Ok(())
    }

    /// One event, or the whole batch, can never be taken: keep it aside, or stop and say so.
    fn reject(
        &mut self,
        inlet: &mut dyn Inlet,
        sink: &mut dyn Sink,
        open: &mut Vec<Delivery>,
        culprit: usize,
        error: &SinkError,
    ) -> StageResult {
        let from = inlet.describe();
        let delivery = &mut open[culprit];
        let sequence = delivery.batch.sequence;
        let place = match error.event {
            Some(event) => format!("event {} of batch {sequence} from {from}", event + 1),
            None => format!("batch {sequence} from {from}"),
        };
        let Some(rejected) = &mut self.rejected else {
            let reason = format!("{place} is rejected: {}", error.reason);
            let refusal = Refusal::reject(reason.clone());
            self.counters.add(Count::Refused, u64::from(delivery.batch.len()));
            let refused = open.remove(culprit);
            self.take_good(sink, open, culprit);
            inlet.refuse_all(vec![refused], &refusal);
            return Err(StageError::Failed(format!(
                "{reason}; --rejected DIR would keep it and go on"
            )));
        };
        let kept = set_aside(&mut **rejected, &mut delivery.batch, error, self.name, &from)
            .map_err(|why| StageError::Temporary(format!("{place} cannot be kept aside: {why}")))?;
        self.counters.add(Count::Rejected, kept);
        crate::say::warn(
            self.name,
            format!("{place} is rejected and kept aside: {}", error.reason),
        );
        Ok(())
    }
}

/// Take the event that an error names out of its batch (or all, when the batch is no events) and keep it.
fn set_aside(
    rejected: &mut dyn Rejected,
    batch: &mut Batch,
    error: &SinkError,
    stage: &str,
    from: &str,
) -> Result<u64, String> {
    let mark = |event: Event| {
        event
            .with_header("flume.rejected.reason", error.reason.as_bytes())
            .with_header("flume.rejected.stage", stage)
            .with_header("flume.rejected.stream", from)
            .with_header("flume.rejected.sequence", batch.sequence.to_string())
    };
    let Some(number) = error.event else {
        rejected.keep(&mark(Event::new(batch.encoded().clone())))?;
        let all = u64::from(batch.len());
        *batch = batch.replaced_by(Batch::default());
        return Ok(all);
    };
    let mut left = BatchBuilder::new();
    for (index, event) in batch.events().enumerate() {
        let event = event.map_err(|error| error.to_string())?;
        match index == number as usize {
            true => rejected.keep(&mark(event.to_event()))?,
            false => left.push_encoded(event),
        }
    }
    *batch = batch.replaced_by(left.finish());
    Ok(1)
}

/// Joins an inlet to an outlet: each batch is handed on, and its delivery settled as its promise is.
pub struct Pump<'a> {
    /// Where batches go.
    pub outlet: Arc<dyn Outlet>,
    /// Counters of who pumps.
    pub counters: Arc<Counters>,
    /// The wish to end.
    pub stop: &'a Stop,
    /// Deliveries that were refused for now, and come again.
    returned: Arc<AtomicU64>,
}

impl Pump<'_> {
    /// Join to this outlet.
    pub fn to(outlet: Arc<dyn Outlet>, counters: Arc<Counters>, stop: &Stop) -> Pump<'_> {
        Pump {
            outlet,
            counters,
            stop,
            returned: Arc::default(),
        }
    }

    /// Until the input ends.
    pub fn run(self, inlet: &mut dyn Inlet) -> StageResult {
        self.outlet.on_settled(inlet.settler());
        let result = self.pump_all(inlet);
        if result.is_err() {
            self.outlet.break_off();
        }
        let finished = self.outlet.finish(self.stop.deadline().or_else(|| {
            // An input that broke is not waited for any longer than a stop would be.
            result.is_err().then(|| Instant::now() + self.stop.grace())
        }));
        let _ = inlet.flush_settled();
        inlet.close();
        self.counters.stopped();
        telling(result, finished.map_err(Into::into))?;
        match self.returned.load(Ordering::SeqCst) {
            0 => Ok(()),
            // Whoever refused has said why.
            _ => Err(StageError::Closed),
        }
    }

    fn pump_all(&self, inlet: &mut dyn Inlet) -> StageResult {
        let mut pause = RETRY_PAUSE.0;
        loop {
            let next = match inlet.next(Wait::No)? {
                Next::Idle => {
                    self.outlet.flush()?;
                    inlet.flush_settled()?;
                    inlet.next(Wait::Forever)?
                }
                next => next,
            };
            match next {
                Next::Delivery(delivery) => {
                    if self.returned.swap(0, Ordering::SeqCst) > 0 {
                        self.outlet.flush()?;
                        self.stop.sleep(pause);
                        pause = (pause * 2).min(RETRY_PAUSE.1);
                    }
                    self.hand_on(delivery)?;
                }
                Next::Idle => {}
                Next::Flush => self.outlet.ask_flush()?,
                // An input can also end because the stop reached it first.
                Next::End | Next::Stopped => return failing(self.stop),
                Next::Broken(error) => return Err(error),
            }
        }
    }

    fn hand_on(&self, delivery: Delivery) -> StageResult {
        let batch = delivery.batch.clone();
        let events = u64::from(batch.len());
        self.counters.add(Count::EventReceived, events);
        if batch.is_empty() {
            delivery.accept();
            return Ok(());
        }
        self.counters.add(Count::Sent, events);
        self.counters.add(Count::Batches, 1);
        self.counters.add(Count::Bytes, batch.bytes() as u64);
        let (counters, returned) = (self.counters.clone(), self.returned.clone());
        let promise = Promise::hook(move |outcome| {
            let count = match &outcome {
                Outcome::Accepted => Count::EventAccepted,
                Outcome::Refused(refusal) if refusal.class == Class::Reject => Count::Rejected,
                _ => {
                    returned.fetch_add(1, Ordering::SeqCst);
                    Count::Refused
                }
            };
            counters.add(count, events);
            delivery.settle(outcome);
        });
        Ok(self.outlet.send_promised(batch, promise)?)
    }
}

/// The error of an outlet that could not be opened.
pub fn cannot_open(error: std::io::Error) -> StageError {
    StageError::Failed(format!("the stream cannot be opened: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Window, queue::queue};
    use crate::metrics::Kind;

    /// Takes every write; its first commits fail.
    struct FailingCommits(u32);

    impl Sink for FailingCommits {
        fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
            Ok(())
        }

        fn commit(&mut self) -> Result<(), SinkError> {
            if self.0 == 0 {
                return Ok(());
            }
            self.0 -= 1;
            Err(SinkError::retry("the disk is full"))
        }
    }

    #[test]
    fn pauses_grow_when_only_the_commit_fails() {
        let stop = Stop::new(Duration::from_secs(1)).unwrap();
        let (outlet, mut inlet) = queue(Window::default(), &stop);
        let receipt = outlet.send(Batch::single(&Event::new("x"))).unwrap();
        let counters = Arc::new(Counters::new(Kind::Sink, "failing"));
        let drain = Drain {
            name: "failing",
            counters: counters.clone(),
            stop,
            rejected: None,
            join_bytes: JOIN_BYTES,
        };
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(move || outlet.finish(None));
            drain.run(&mut inlet, &mut FailingCommits(3)).unwrap();
        });
        assert_eq!(receipt.wait(), Outcome::Accepted);
        assert_eq!(counters.get(Count::EventWriteFail), 3);
        assert!(start.elapsed() >= RETRY_PAUSE.0 * (1 + 2 + 4));
    }
}
