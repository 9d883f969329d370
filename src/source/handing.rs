//! Batches of a source whose senders are told nothing: syslog, datagrams.

use crate::ack::Outcome;
use crate::event::BatchBuilder;
use crate::exit::StageError;
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use std::sync::Arc;

/// A batch that fills, and the way to the next hop.
pub struct Handing<'a> {
    to: &'a Arc<ChannelProcessor>,
    /// The events so far.
    pub batch: BatchBuilder,
    size: u32,
    bytes: usize,
    peer: Arc<str>,
    /// Something was handed on and may be held back.
    holds: bool,
}

impl<'a> Handing<'a> {
    /// In batches of so many events and bytes. `peer` is who has sent them, for messages.
    pub fn new(to: &'a Arc<ChannelProcessor>, size: u32, bytes: usize, peer: &str) -> Self {
        Handing {
            to,
            batch: BatchBuilder::new(),
            size,
            bytes,
            peer: peer.into(),
            holds: false,
        }
    }

    /// No more fits.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.batch.len() >= self.size || self.batch.bytes() >= self.bytes
    }

    /// Hand on what is there; wait while nothing can be handed on. A full batch is not flushed: more comes.
    ///
    /// Errors: those after which nothing more can be handed on; the source ends then.
    pub fn hand_on(&mut self) -> Result<(), String> {
        let is_full = self.is_full();
        if !self.batch.is_empty() {
            let batch = self.batch.finish();
            let events = u64::from(batch.len());
            let receipt = self.to.process(batch).map_err(|error| self.ended(&error))?;
            let (to, peer) = (self.to.clone(), self.peer.clone());
            receipt.then(move |outcome| settled(&outcome, events, &peer, &to));
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
        format!("{peer}: {events} events were not taken, and their sender does not know it: {why}"),
    );
}
