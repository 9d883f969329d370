//! `null`: takes everything and keeps nothing (Flume's NullSink).

use crate::event::Batch;
use crate::say;
use crate::stage::{Sink, SinkError};

/// Accept every event and throw it away.
#[derive(clap::Args)]
pub struct Null {
    /// Events in a transaction. Accepted for Flume's sake: batches are taken as they come.
    #[arg(long, id = "batchSize", default_value = "100", value_name = "EVENTS")]
    batch_size: u32,
    /// Say how far it is after so many events; 0 never.
    #[arg(long, id = "logEveryNEvents", default_value = "10000", value_name = "EVENTS")]
    log_every_n_events: u64,
    #[arg(skip)]
    taken: u64,
}

impl Sink for Null {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let every = self.log_every_n_events;
        let before = self.taken;
        self.taken += u64::from(batch.len());
        if every > 0 && before / every != self.taken / every {
            say::info("sink null", format!("{} events so far", self.taken));
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
