//! One sink of a group: started when it is needed, and made anew after a failure that ends it.

use super::Load;
use super::linked::Linked;
use crate::ack::Class;
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::metrics::{Count, Counters};
use crate::say;
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Makes a sink; called again in the place of one that can do nothing more.
pub type Make = Box<dyn FnMut() -> Result<Box<dyn Sink>, StageError> + Send>;

/// A sink of a group, as it is given to one.
pub struct Member {
    /// Its name, such as `k1`.
    pub name: String,
    /// Its own counters.
    pub counters: Arc<Counters>,
    /// What makes it.
    pub make: Make,
}

/// So long ago a time that was spent counts half.
const HALF_LIFE: Duration = Duration::from_secs(30);
/// After a `tick` that failed the next comes so much later.
const TICK_AGAIN: Duration = Duration::from_secs(1);

/// The same while it runs.
pub(super) struct Running {
    member: Member,
    stop: Stop,
    sink: Option<Box<dyn Sink>>,
    /// Why it failed the last time, until it works.
    trouble: Option<String>,
    spent: (Duration, Instant),
    no_tick_before: Option<Instant>,
}

impl Running {
    pub fn of(member: Member, stop: &Stop) -> Running {
        Running {
            member,
            stop: stop.clone(),
            sink: None,
            trouble: None,
            spent: (Duration::ZERO, Instant::now()),
            no_tick_before: None,
        }
    }

    pub fn name(&self) -> &str {
        &self.member.name
    }

    #[cfg(test)]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.member.counters
    }

    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub fn load(&self) -> Load {
        Load {
            unaccepted: 0,
            spent: self.spent_lately(Instant::now()),
        }
    }

    pub fn start(&mut self) -> StageResult {
        let mut sink = (self.member.make)()?;
        sink.start()?;
        sink.count_in(&self.member.counters);
        self.sink = Some(Linked::if_linked(sink, &self.stop));
        Ok(())
    }

    fn sink(&mut self) -> Result<&mut Box<dyn Sink>, SinkError> {
        if self.sink.is_none() {
            self.start()
                .map_err(|error| SinkError::retry(error.to_string()))?;
        }
        self.sink
            .as_mut()
            .ok_or_else(|| SinkError::retry("it is not started"))
    }

    /// Write a transaction from its beginning. A rejection of an earlier batch than the last is told as a failure
    /// for now: that batch comes again as the last, and then it is told of it.
    pub fn write_all(&mut self, batches: &[Batch]) -> Result<(), SinkError> {
        for (at, batch) in batches.iter().enumerate() {
            self.write(batch).map_err(|error| match error.class {
                Class::Reject if at + 1 < batches.len() => SinkError::retry(error.reason),
                _ => error,
            })?;
        }
        Ok(())
    }

    pub fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.member
            .counters
            .add(Count::EventDrainAttempt, u64::from(batch.len()));
        self.sink()?.write(batch)
    }

    pub fn commit(&mut self, batches: &[Batch], began: Instant) -> Result<(), SinkError> {
        self.sink()?.commit()?;
        let counters = &self.member.counters;
        let events = batches.iter().map(|batch| u64::from(batch.len())).sum();
        counters.add(Count::EventDrainSuccess, events);
        counters.add(Count::BatchComplete, 1);
        counters.add(Count::Batches, batches.len() as u64);
        counters.add(
            Count::Bytes,
            batches.iter().map(|batch| batch.bytes() as u64).sum(),
        );
        self.spend(began.elapsed());
        if self.trouble.take().is_some() {
            say::info(&self.member.name, "it works again");
        }
        Ok(())
    }

    fn spent_lately(&self, now: Instant) -> Duration {
        let (spent, at) = self.spent;
        let ago = now.saturating_duration_since(at).as_secs_f64();
        spent.mul_f64(0.5f64.powf(ago / HALF_LIFE.as_secs_f64()))
    }

    pub fn spend(&mut self, time: Duration) {
        let now = Instant::now();
        self.spent = (self.spent_lately(now) + time, now);
    }

    pub fn rollback(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.rollback();
        }
    }

    /// A transaction, a tick or a start has failed.
    pub fn failed(&mut self, error: &SinkError, spent: Duration) {
        self.member.counters.add(Count::EventWriteFail, 1);
        self.rollback();
        self.spend(spent);
        if error.is_over
            && let Some(mut sink) = self.sink.take()
        {
            // It has said why; how it ends does not matter any more.
            let _ = sink.stop();
        }
        if error.class == Class::Reject {
            return;
        }
        if self.trouble.as_ref() != Some(&error.reason) {
            say::warn(
                &self.member.name,
                format!("{}; other sinks of the group are tried", error.reason),
            );
        }
        self.trouble = Some(error.reason.clone());
    }

    pub fn deadline(&self) -> Option<Instant> {
        let deadline = self.sink.as_ref()?.deadline()?;
        Some(
            self.no_tick_before
                .map_or(deadline, |not_before| deadline.max(not_before)),
        )
    }

    pub fn tick(&mut self) -> Result<(), SinkError> {
        self.no_tick_before = None;
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let ticked = sink.tick();
        if ticked.is_err() {
            self.no_tick_before = Some(Instant::now() + TICK_AGAIN);
        }
        ticked
    }

    pub fn stop(&mut self) -> StageResult {
        self.member.counters.stopped();
        match self.sink.take() {
            Some(mut sink) => sink.stop(),
            None => Ok(()),
        }
    }
}
