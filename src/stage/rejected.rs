//! What can never be taken: the sentence about it, and the place where it is kept aside.

use super::SinkError;
use crate::event::{Batch, BatchBuilder, Event};

/// Where events go that can never be taken, with why as headers.
pub trait Rejected: Send {
    /// Keep the event for ever.
    fn keep(&mut self, event: &Event) -> Result<(), String>;
}

/// What somebody found in a batch that can never be taken.
pub struct Misfit<'a> {
    /// Who found it.
    pub stage: &'a str,
    /// Where the batch came from.
    pub from: &'a str,
    /// The event, if it is one, and why.
    pub error: &'a SinkError,
}

impl Misfit<'_> {
    fn place(&self, batch: &Batch) -> String {
        let (from, sequence) = (self.from, batch.sequence);
        match self.error.event {
            Some(event) => format!("event {} of batch {sequence} from {from}", event + 1),
            None => format!("batch {sequence} from {from}"),
        }
    }

    /// For the writer of the batch.
    pub fn reason(&self, batch: &Batch) -> String {
        format!("{} is rejected: {}", self.place(batch), self.error.reason)
    }

    /// For the end of a stage that has nowhere to keep it.
    pub fn end(&self, batch: &Batch) -> String {
        format!("{}; --rejected DIR would keep it and go on", self.reason(batch))
    }

    /// Take it out of its batch, keep it, and say so. How many events are kept; the error is a sentence.
    pub fn keep(&self, rejected: &mut dyn Rejected, batch: &mut Batch) -> Result<u64, String> {
        let place = self.place(batch);
        let kept = self
            .set_aside(rejected, batch)
            .map_err(|why| format!("{place} cannot be kept aside: {why}"))?;
        let reason = &self.error.reason;
        crate::say::warn(
            self.stage,
            format!("{place} is rejected and kept aside: {reason}"),
        );
        Ok(kept)
    }

    /// The event that the error names, or all, when the batch is no events.
    fn set_aside(&self, rejected: &mut dyn Rejected, batch: &mut Batch) -> Result<u64, String> {
        let mark = |event: Event| {
            event
                .with_header("flume.rejected.reason", self.error.reason.as_bytes())
                .with_header("flume.rejected.stage", self.stage)
                .with_header("flume.rejected.stream", self.from)
                .with_header("flume.rejected.sequence", batch.sequence.to_string())
        };
        let Some(number) = self.error.event else {
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
}
