//! A sink that is several: a processor says which of them gets a batch, and the next one gets it when that
//! fails.
//!
//! One transaction goes to one member. What fails there is rolled back and written to the next member of the
//! order at once; when all have failed, the transaction has, and comes again. Members that cannot be started
//! count as failed and are started again when it is their turn.

mod linked;
mod member;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use member::{Make, Member};

use self::member::Running;
use super::{Sink, SinkError};
use crate::ack::Class;
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::stop::Stop;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a sink of a group has to do, for processors that look at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Batches that it was sent and has not accepted.
    pub unaccepted: usize,
    /// The time that it has needed for its transactions; what is long ago counts less.
    pub spent: Duration,
}

/// Says which sink of a group gets a batch, and learns how it went (Flume's `SinkProcessor`).
///
/// ```
/// use flume::stage::{Load, SinkProcessor};
/// use std::time::Instant;
///
/// /// The sinks in their order, whatever has failed before.
/// struct InOrder(usize);
///
/// impl SinkProcessor for InOrder {
///     fn bind(&mut self, sinks: &[String]) -> Result<(), String> {
///         self.0 = sinks.len();
///         Ok(())
///     }
///
///     fn order(&mut self, _now: Instant, _loads: &[Load]) -> Vec<usize> {
///         (0..self.0).collect()
///     }
///
///     fn failed(&mut self, _sink: usize, _now: Instant) {}
/// }
/// ```
pub trait SinkProcessor: Send {
    /// The names of the sinks, in their order. Called once, before the first batch. The error is a sentence that
    /// names the setting and what is wrong with it.
    fn bind(&mut self, sinks: &[String]) -> Result<(), String>;

    /// The sinks that the next transaction is tried with, one after the other, as places in the list; none when
    /// all are left out for now.
    fn order(&mut self, now: Instant, loads: &[Load]) -> Vec<usize>;

    /// This sink could not be started, or a transaction failed there.
    fn failed(&mut self, sink: usize, now: Instant);

    /// A transaction was committed there.
    fn worked(&mut self, _sink: usize, _now: Instant) {}
}

/// Which member was used last, for whoever shows it.
#[derive(Clone)]
pub struct Chosen {
    names: Arc<[String]>,
    at: Arc<AtomicUsize>,
}

impl Chosen {
    /// Its name, once there was one.
    pub fn name(&self) -> Option<&str> {
        self.names
            .get(self.at.load(Ordering::Relaxed))
            .map(String::as_str)
    }
}

/// See the module.
pub struct GroupSink {
    processor: Box<dyn SinkProcessor>,
    members: Vec<Running>,
    /// Wrong settings of a member end the start.
    strict: bool,
    /// Of the open transaction: who has it, who else may be tried, and what was written.
    current: Option<usize>,
    order: VecDeque<usize>,
    written: Vec<Batch>,
    began: Instant,
    /// Why nobody has it.
    failures: Vec<SinkError>,
    chosen: Chosen,
}

/// Sinks and the processor that is bound to them: a group before it has a stop.
pub struct Grouped {
    members: Vec<Member>,
    processor: Box<dyn SinkProcessor>,
}

impl Grouped {
    /// Bind the processor to the names of these sinks.
    ///
    /// Errors: what it says of its settings.
    pub fn bind(members: Vec<Member>, mut processor: Box<dyn SinkProcessor>) -> Result<Grouped, String> {
        let names: Vec<_> = members.iter().map(|member| member.name.clone()).collect();
        processor.bind(&names)?;
        Ok(Grouped { members, processor })
    }

    /// As a sink.
    pub fn open(self, stop: &Stop) -> GroupSink {
        let Grouped { members, processor } = self;
        let names: Vec<_> = members.iter().map(|member| member.name.clone()).collect();
        GroupSink {
            processor,
            members: members
                .into_iter()
                .map(|member| Running::of(member, stop))
                .collect(),
            strict: false,
            current: None,
            order: VecDeque::new(),
            written: Vec::new(),
            began: Instant::now(),
            failures: Vec::new(),
            chosen: Chosen {
                names: names.into(),
                at: Arc::new(AtomicUsize::new(usize::MAX)),
            },
        }
    }
}

impl GroupSink {
    /// These sinks, whose names the processor is bound to.
    ///
    /// Errors: what the processor says of its settings.
    pub fn of(
        members: Vec<Member>,
        processor: Box<dyn SinkProcessor>,
        stop: &Stop,
    ) -> Result<GroupSink, String> {
        Grouped::bind(members, processor).map(|grouped| grouped.open(stop))
    }

    /// A member whose settings are wrong ends the start, where it would be left out otherwise.
    pub fn strict(mut self) -> GroupSink {
        self.strict = true;
        self
    }

    /// Which member was used last, to be looked at from elsewhere.
    pub fn chosen(&self) -> Chosen {
        self.chosen.clone()
    }

    fn failed(&mut self, at: usize, error: SinkError) {
        let now = Instant::now();
        self.members[at].failed(&error, now.saturating_duration_since(self.began));
        // What can never be stored there says nothing of the sink.
        if error.class == Class::Retry {
            self.processor.failed(at, now);
        }
        self.failures.push(error);
    }

    /// Write the transaction to the next members of the order until one has it.
    fn try_next(&mut self) -> Result<(), SinkError> {
        self.current = None;
        while let Some(at) = self.order.pop_front() {
            if at >= self.members.len() {
                continue;
            }
            self.began = Instant::now();
            match self.members[at].write_all(&self.written) {
                Ok(()) => {
                    self.current = Some(at);
                    self.chosen.at.store(at, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => self.failed(at, error),
            }
        }
        Err(self.nobody())
    }

    /// A rejection is what is told, so that nothing waits behind it for ever; else all that was said.
    fn nobody(&mut self) -> SinkError {
        let failures = std::mem::take(&mut self.failures);
        if let Some(rejection) = failures.into_iter().find(|error| error.class == Class::Reject) {
            return rejection;
        }
        let said = self.members.iter().filter_map(|member| {
            let why = member.trouble()?;
            Some(format!("{}: {why}", member.name()))
        });
        let said: Vec<_> = said.collect();
        SinkError::retry(match said.is_empty() {
            true => "no sink of the group is to be used now".into(),
            false => said.join("; "),
        })
    }

    /// Begin a transaction.
    fn begin(&mut self) {
        let loads: Vec<_> = self.members.iter().map(Running::load).collect();
        self.failures.clear();
        self.order = self.processor.order(Instant::now(), &loads).into();
    }
}

impl Sink for GroupSink {
    fn start(&mut self) -> StageResult {
        for at in 0..self.members.len() {
            if let Err(error) = self.members[at].start() {
                if self.strict && matches!(error, StageError::Usage(_)) {
                    return Err(error.within(self.members[at].name()));
                }
                self.members[at].failed(&SinkError::retry(error.to_string()), Duration::ZERO);
                self.processor.failed(at, Instant::now());
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.written.push(batch.clone());
        let Some(at) = self.current else {
            self.begin();
            return self.try_next();
        };
        match self.members[at].write(batch) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.failed(at, error);
                self.try_next()
            }
        }
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        while let Some(at) = self.current {
            match self.members[at].commit(&self.written, self.began) {
                Ok(()) => {
                    self.processor.worked(at, Instant::now());
                    self.written.clear();
                    self.current = None;
                }
                Err(error) => {
                    self.failed(at, error);
                    self.try_next()?;
                }
            }
        }
        Ok(())
    }

    fn rollback(&mut self) {
        if let Some(at) = self.current.take() {
            self.members[at].rollback();
        }
        self.written.clear();
    }

    fn deadline(&self) -> Option<Instant> {
        self.members.iter().filter_map(Running::deadline).min()
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        let now = Instant::now();
        for at in 0..self.members.len() {
            if self.members[at]
                .deadline()
                .is_some_and(|deadline| deadline <= now)
                && let Err(error) = self.members[at].tick()
            {
                self.began = now;
                self.failed(at, error);
            }
        }
        self.failures.clear();
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        let mut result = Ok(());
        for member in &mut self.members {
            let stopped = member.stop();
            result = result.and(stopped.map_err(|error| error.within(member.name())));
        }
        result
    }
}
