//! `seq`: numbers from 0 upward, for trying and measuring (Flume's SequenceGeneratorSource).

use crate::event::BatchBuilder;
use crate::exit::StageError;
use crate::stage::{ChannelProcessor, PollableSource, Status};
use std::sync::Arc;

/// Make events whose bodies are the numbers 0, 1, 2 ... in decimal.
#[derive(clap::Args)]
pub struct Seq {
    /// Events in a batch.
    #[arg(long, id = "batchSize", default_value = "1", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch_size: u32,
    /// Events in all; without it there is no end.
    #[arg(long, id = "totalEvents", value_name = "EVENTS")]
    total_events: Option<u64>,
    #[arg(skip)]
    made: u64,
    #[arg(skip)]
    number: Numbered,
}

impl PollableSource for Seq {
    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let left = self.total_events.map_or(u64::MAX, |total| total - self.made);
        if left == 0 {
            return Ok(Status::Finished);
        }
        let count = left.min(u64::from(self.batch_size)) as u32;
        let mut batch = BatchBuilder::with_room(count as usize * (self.number.event().len() + 1));
        for _ in 0..count {
            batch.push_prepared(self.number.event());
            self.number.increment();
        }
        self.made += u64::from(count);
        to.submit(batch.finish(), || {})?;
        Ok(Status::Ready)
    }
}

/// An encoded event whose body is a number in decimal, counted up in place.
struct Numbered {
    bytes: [u8; 22],
    from: usize,
}

impl Default for Numbered {
    fn default() -> Self {
        let mut numbered = Numbered {
            bytes: [b'0'; 22],
            from: 0,
        };
        numbered.begin_at(21);
        numbered
    }
}

impl Numbered {
    /// The digits begin at this byte: in front of them stand an empty map and their number.
    fn begin_at(&mut self, digits: usize) {
        self.from = digits - 2;
        self.bytes[digits - 2] = 0;
        self.bytes[digits - 1] = ((self.bytes.len() - digits) * 2) as u8;
    }

    #[inline]
    fn event(&self) -> &[u8] {
        &self.bytes[self.from..]
    }

    #[inline]
    fn increment(&mut self) {
        let first = self.from + 2;
        for at in (first..self.bytes.len()).rev() {
            if self.bytes[at] < b'9' {
                self.bytes[at] += 1;
                return;
            }
            self.bytes[at] = b'0';
        }
        // All nines: one digit more. Twenty digits are more than anybody waits for.
        if first > 2 {
            self.bytes[first - 1] = b'1';
            self.begin_at(first - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventRef;

    #[test]
    fn bodies_count_as_numbers_do() {
        let mut numbered = Numbered::default();
        for number in 0..1_234u32 {
            let (event, length) = EventRef::decode(numbered.event()).unwrap();
            assert_eq!(event.body(), number.to_string().as_bytes());
            assert_eq!(length, numbered.event().len());
            numbered.increment();
        }
    }
}
