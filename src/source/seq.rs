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
    number: Decimal,
}

impl PollableSource for Seq {
    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let left = self.total_events.map_or(u64::MAX, |total| total - self.made);
        if left == 0 {
            return Ok(Status::Finished);
        }
        let count = left.min(u64::from(self.batch_size)) as u32;
        let mut batch = BatchBuilder::with_room(count as usize * (2 + self.number.digits().len() + 1));
        for _ in 0..count {
            batch.push_body(self.number.digits());
            self.number.increment();
        }
        self.made += u64::from(count);
        to.submit(batch.finish(), || {})?;
        Ok(Status::Ready)
    }
}

/// A number as decimal digits, counted up in place.
struct Decimal {
    digits: [u8; 20],
    from: usize,
}

impl Default for Decimal {
    fn default() -> Self {
        Decimal {
            digits: [b'0'; 20],
            from: 19,
        }
    }
}

impl Decimal {
    #[inline]
    fn digits(&self) -> &[u8] {
        &self.digits[self.from..]
    }

    #[inline]
    fn increment(&mut self) {
        for at in (0..self.digits.len()).rev() {
            if self.digits[at] < b'9' {
                self.digits[at] += 1;
                self.from = self.from.min(at);
                return;
            }
            self.digits[at] = b'0';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_count_as_numbers_do() {
        let mut decimal = Decimal::default();
        for number in 0..1_234u32 {
            assert_eq!(decimal.digits(), number.to_string().as_bytes());
            decimal.increment();
        }
    }
}
