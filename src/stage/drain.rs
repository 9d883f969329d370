//! The loop of everything that takes: an inlet's batches go into a sink and are accepted when it has
//! committed; what fails is tried again, what can never be taken is kept aside or ends the stage.

use super::{Misfit, RETRY_PAUSE, Rejected, Sink, SinkError};
use crate::ack::{Class, Delivery, Refusal};
use crate::exit::{StageError, StageResult};
use crate::link::{Inlet, Next, Wait};
use crate::metrics::{Count, Counters, Kind};
use crate::stop::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// What a batch that is held costs beside its events.
pub const HELD: usize = 128;

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
        // A channel that is put into goes on for others.
        if self.counters.kind() != Kind::Channel {
            self.counters.stopped();
        }
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
                    bytes += HELD + delivery.batch.bytes();
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
    /// that works. Gives up when the grace after a stop is over, or the sink is.
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
                if !self.stop.is_failing() && !error.is_over {
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
        let grace_over = self
            .stop
            .deadline()
            .is_some_and(|deadline| deadline <= Instant::now());
        // Whoever still had these batches has gone: it will send them again, and nobody waits here.
        let abandoned = !open.is_empty() && inlet.is_abandoned();
        if grace_over || abandoned || error.is_over {
            let count: u64 = open.iter().map(|delivery| u64::from(delivery.batch.len())).sum();
            self.counters.add(Count::Refused, count);
            inlet.refuse_all(std::mem::take(open), &Refusal::retry(error.reason.clone()));
            let why = match abandoned {
                true => format!("{}; given up, for the stage before has gone", error.reason),
                false => error.reason.clone(),
            };
            return Err(StageError::Temporary(why));
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
        let misfit = Misfit {
            stage: self.name,
            from: &from,
            error,
        };
        let batch = &mut open[culprit].batch;
        let Some(rejected) = &mut self.rejected else {
            let refusal = Refusal::reject(misfit.reason(batch));
            let end = misfit.end(batch);
            self.counters.add(Count::Refused, u64::from(batch.len()));
            let refused = open.remove(culprit);
            self.take_good(sink, open, culprit);
            inlet.refuse_all(vec![refused], &refusal);
            return Err(StageError::Failed(end));
        };
        let kept = misfit.keep(&mut **rejected, batch);
        self.counters
            .add(Count::Rejected, kept.map_err(StageError::Temporary)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::Outcome;
    use crate::event::{Batch, Event};
    use crate::link::Outlet;
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

    /// Counts what was written since the last commit.
    #[derive(Default)]
    struct Counting {
        open: u32,
        most: u32,
    }

    impl Sink for Counting {
        fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
            self.open += 1;
            self.most = self.most.max(self.open);
            Ok(())
        }

        fn commit(&mut self) -> Result<(), SinkError> {
            self.open = 0;
            Ok(())
        }
    }

    #[test]
    fn batches_that_hold_nothing_are_not_joined_without_a_bound() {
        let stop = Stop::new(Duration::from_secs(1)).unwrap();
        let window = Window {
            batches: 1000,
            ..Window::default()
        };
        let (outlet, mut inlet) = queue(window, &stop);
        for _ in 0..window.batches {
            outlet.send(Batch::default()).unwrap();
        }
        let mut sink = Counting::default();
        let drain = Drain {
            name: "counting",
            counters: Arc::new(Counters::new(Kind::Sink, "counting")),
            stop,
            rejected: None,
            join_bytes: 10 * HELD,
        };
        drop(outlet);
        drain.run(&mut inlet, &mut sink).unwrap();
        assert_eq!(sink.most, 10);
    }
}
