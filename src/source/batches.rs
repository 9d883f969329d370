//! When a source that reads lines or records closes a batch: settings that several sources share.

use crate::event::BatchBuilder;
use crate::value::{Millis, Size};
use std::time::{Duration, Instant};

/// Settings of batches.
#[derive(clap::Args, Debug, Clone)]
pub struct Batches {
    /// Events in a batch at most.
    #[arg(long, id = "batchSize", default_value = "1000", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Encoded bytes in a batch at most; a larger event is a batch of its own.
    #[arg(long, id = "batchBytes", default_value = "256KiB", value_name = "SIZE")]
    pub batch_bytes: Size,
    /// Milliseconds after which a batch that is not full is sent.
    #[arg(long, id = "batchTimeout", default_value = "100", value_name = "TIME")]
    pub batch_timeout: Millis,
}

/// A batch that fills, and since when.
pub struct Filling {
    /// The events so far.
    pub events: BatchBuilder,
    since: Option<Instant>,
    size: u32,
    bytes: usize,
    timeout: Duration,
}

impl Filling {
    /// An empty one.
    pub fn new(settings: &Batches) -> Self {
        Filling {
            events: BatchBuilder::new(),
            since: None,
            size: settings.batch_size.max(1),
            bytes: settings.batch_bytes.0 as usize,
            timeout: settings.batch_timeout.0,
        }
    }

    /// No more fits.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.events.len() >= self.size || self.events.bytes() >= self.bytes
    }

    /// When it must be sent though it is not full. The clock runs from the first call with events in it.
    pub fn deadline(&mut self) -> Option<Instant> {
        if self.events.is_empty() {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        Some(since + self.timeout)
    }

    /// The batch; a new one begins.
    pub fn finish(&mut self) -> crate::event::Batch {
        self.since = None;
        self.events.finish()
    }
}
