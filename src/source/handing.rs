//! Batches of a source whose senders are told nothing: syslog, datagrams.
//!
//! Thousands of senders with an event now and then would make thousands of batches with one event each, and fill the
//! window of unaccepted ones with them. So who has little puts it to what others have, and whoever has the turn hands
//! on all of it: the busier the next hop, the larger the batches.

use crate::ack::Outcome;
use crate::event::BatchBuilder;
use crate::exit::StageError;
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use std::sync::{Arc, Mutex, MutexGuard};

/// Encoded bytes that are little.
const LITTLE: usize = 16 << 10;

/// What the senders of one source have put together.
#[derive(Default)]
pub struct Together {
    pending: Mutex<BatchBuilder>,
    /// Who holds it hands on.
    turn: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// How large a batch may become.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Events.
    pub events: u32,
    /// Encoded bytes.
    pub bytes: usize,
}

impl Most {
    fn is_reached(&self, batch: &BatchBuilder) -> bool {
        batch.len() >= self.events || batch.bytes() >= self.bytes
    }
}

/// A batch that fills, and the way to the next hop.
pub struct Handing<'a> {
    to: &'a Arc<ChannelProcessor>,
    /// The events so far.
    pub batch: BatchBuilder,
    most: Most,
    together: Arc<Together>,
    peer: Arc<str>,
    /// Something was handed on and may be held back.
    holds: bool,
}

impl<'a> Handing<'a> {
    /// For one sender, together with the others of its source. `peer` is who it is, for messages.
    pub fn new(to: &'a Arc<ChannelProcessor>, most: Most, together: &Arc<Together>, peer: &str) -> Self {
        Handing {
            to,
            batch: BatchBuilder::resting(),
            most,
            together: together.clone(),
            peer: peer.into(),
            holds: false,
        }
    }

    /// No more fits.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.most.is_reached(&self.batch)
    }

    /// Hand on what is there; wait while nothing can be handed on. A full batch is not flushed: more comes.
    ///
    /// Errors: those after which nothing more can be handed on; the source ends then.
    pub fn hand_on(&mut self) -> Result<(), String> {
        let is_full = self.is_full();
        if !self.batch.is_empty() {
            let together = self.together.clone();
            if self.batch.bytes() <= LITTLE {
                self.put_to_others(&together);
            }
            let turn = lock(&together.turn);
            // Also where the own events are large: some of this sender may be among them, and come first.
            let mut pending = std::mem::replace(&mut *lock(&together.pending), BatchBuilder::resting());
            self.process(&mut pending)?;
            let mut own = std::mem::replace(&mut self.batch, BatchBuilder::resting());
            self.process(&mut own)?;
            self.batch = own;
            drop(turn);
            self.holds = true;
        }
        match self.holds && !is_full {
            true => {
                self.holds = false;
                self.to.flush().map_err(|error| self.ended(&error))
            }
            false => Ok(()),
        }
    }

    /// Unless there is enough already.
    fn put_to_others(&mut self, together: &Together) {
        let mut pending = lock(&together.pending);
        let is_room = pending.len() + self.batch.len() <= self.most.events
            && pending.bytes() + self.batch.bytes() <= self.most.bytes;
        if is_room {
            pending.append(&mut self.batch);
        }
    }

    fn process(&self, batch: &mut BatchBuilder) -> Result<(), String> {
        if batch.is_empty() {
            return Ok(());
        }
        let batch = batch.finish();
        let events = u64::from(batch.len());
        let receipt = self.to.process(batch).map_err(|error| self.ended(&error))?;
        let (to, peer) = (self.to.clone(), self.peer.clone());
        receipt.then(move |outcome| settled(&outcome, events, &peer, &to));
        Ok(())
    }

    /// Give memory back while nothing comes. What is in the batch must have been handed on.
    pub fn rest(&mut self) {
        debug_assert!(self.batch.is_empty());
        self.batch = BatchBuilder::resting();
    }

    /// Something comes.
    pub fn wake(&mut self) {
        if self.batch.is_empty() {
            self.batch = BatchBuilder::new();
        }
    }

    fn ended(&self, error: &StageError) -> String {
        self.to.stop().stop();
        error.to_string()
    }
}

/// Count what became of events, and tell if they were not taken.
fn settled(outcome: &Outcome, events: u64, peer: &str, to: &ChannelProcessor) {
    let why = match outcome {
        Outcome::Accepted => {
            to.counters().add(Count::EventAccepted, events);
            return to.counters().add(Count::AppendBatchAccepted, 1);
        }
        Outcome::Refused(refusal) => refusal.reason.clone(),
        Outcome::Lost => {
            to.stop().stop();
            "the next stage has gone".into()
        }
    };
    to.counters().add(Count::Refused, events);
    say::warn(
        to.counters().name(),
        format!("{peer}: {events} events were not taken, and their senders do not know it: {why}"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Collect;

    #[test]
    fn what_many_have_goes_together_and_each_keeps_its_order() {
        let collect = Collect::accepting();
        let (to, _) = collect.processor("source syslog");
        let together = Arc::new(Together::default());
        let most = Most {
            events: 100,
            bytes: 256 << 10,
        };
        std::thread::scope(|scope| {
            for sender in 0..16 {
                let (to, together) = (&to, &together);
                scope.spawn(move || {
                    let mut handing = Handing::new(to, most, together, "one");
                    for number in 0..200 {
                        // Some are large, and go by themselves.
                        let filler = if number % 7 == 0 { 20_000 } else { 1 };
                        let body = format!("{sender} {number:04} {}", "x".repeat(filler));
                        handing.batch.push_body(body.as_bytes());
                        handing.hand_on().unwrap();
                        handing.rest();
                        handing.wake();
                    }
                });
            }
        });
        let bodies = collect.bodies();
        assert_eq!(bodies.len(), 16 * 200);
        for sender in 0..16 {
            let own = format!("{sender} ");
            let mut numbers = bodies
                .iter()
                .filter_map(|body| body.strip_prefix(&own))
                .map(|rest| &rest[..4]);
            assert!(numbers.clone().is_sorted(), "the order of {sender} is lost");
            assert_eq!(numbers.next_back(), Some("0199"));
        }
        assert_eq!(to.counters().get(Count::EventAccepted), 16 * 200);
    }
}
