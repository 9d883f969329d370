//! The four traits of components, and the loops that each kind of stage runs, once for all compositions.
//!
//! A component only fills in the work. [`run_source`] feeds a source's batches through its interceptors to
//! an outlet; [`Drain`] gives an inlet's batches to a sink and accepts them when the sink has committed;
//! [`Pump`] joins an inlet to an outlet and carries acceptances back; the last maps batches in the middle of
//! a pipe without taking them ([`pass`]). None of them knows which link it is on.

pub mod drain;
pub mod fan_out;
pub mod group;
pub mod obstacle;
pub mod pass;
pub mod processor;
pub mod pump;
pub mod rejected;
pub mod selector;
pub mod turns;

pub use drain::{Drain, HELD, JOIN_BYTES};
pub use fan_out::{Branch, FanOut};
pub use group::{GroupSink, Load, Member, SinkProcessor};
pub use obstacle::Obstacle;
pub use processor::{Began, ChannelProcessor, run_source};
pub use pump::Pump;
pub use rejected::{Misfit, Rejected};
pub use selector::{ChannelSelector, Route, Split};

use crate::ack::Class;
use crate::event::{Batch, BatchBuilder, DecodeError, EventRef};
use crate::exit::{StageError, StageResult};
use crate::link::{Connect, Outlet};
use crate::metrics::Counters;
use crate::stop::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first pause after a failure for now, and the longest.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

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
    /// Do the settings fit together? Asked when it is made, before a stream begins; the error is a sentence.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// What of this machine would be in the way of a start. Nothing is changed by asking.
    fn look(&self) -> Vec<Obstacle> {
        Vec::new()
    }

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
    /// Do the settings fit together? Asked when it is made, before a stream begins; the error is a sentence.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// What of this machine would be in the way of a start. Nothing is changed by asking.
    fn look(&self) -> Vec<Obstacle> {
        Vec::new()
    }

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

impl Source {
    /// What of this machine would be in the way of a start. Nothing is changed by asking.
    pub fn look(&self) -> Vec<Obstacle> {
        match self {
            Source::Polled(source) => source.look(),
            Source::EventDriven(source) => source.look(),
        }
    }
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
    /// This sink can do nothing more, and one that is started anew may.
    pub is_over: bool,
}

impl SinkError {
    /// For now: the loop rolls back, pauses and tries again.
    pub fn retry(reason: impl Into<String>) -> Self {
        SinkError {
            class: Class::Retry,
            reason: reason.into(),
            event: None,
            is_over: false,
        }
    }

    /// For now, but not by this sink: the stage gives its batches back and ends, to be started again.
    pub fn over(reason: impl Into<String>) -> Self {
        SinkError {
            is_over: true,
            ..SinkError::retry(reason)
        }
    }

    /// For ever, because of this event.
    pub fn reject(event: u32, reason: impl Into<String>) -> Self {
        SinkError {
            class: Class::Reject,
            reason: reason.into(),
            event: Some(event),
            is_over: false,
        }
    }

    /// For ever, the whole batch.
    pub fn reject_batch(reason: impl Into<String>) -> Self {
        SinkError {
            class: Class::Reject,
            reason: reason.into(),
            event: None,
            is_over: false,
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

    /// Where to count what only the sink itself sees, such as its connections. Called before [`Sink::outlet`].
    fn count_in(&mut self, _counters: &Arc<Counters>) {}

    /// For a sink that is only a link to another place: its outlet. Batches then go there with
    /// acceptances coming back one by one, and `write` and `commit` are not called.
    fn outlet(&mut self, _stop: &Stop) -> Option<Arc<dyn Outlet>> {
        None
    }

    /// For such a sink in the place of [`Sink::outlet`]: what connects it, for somebody who tries another sink
    /// when a connection cannot be made or breaks.
    fn connect(&mut self, _stop: &Stop) -> Option<Connect> {
        None
    }
}

/// The error of an outlet that could not be opened.
pub fn cannot_open(error: std::io::Error) -> StageError {
    StageError::Failed(format!("the stream cannot be opened: {error}"))
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
