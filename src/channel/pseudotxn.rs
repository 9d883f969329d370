//! `pseudotxn`: the channel that Flume has for its own tests (Flume's PseudoTxnMemoryChannel).
//!
//! There a rollback loses events; here it is a small memory channel with its transactions, so that nothing is.

use super::{Channel, Ends, memory};
use crate::exit::StageError;
use std::sync::Arc;

/// Hold a few events in memory. It is there for files that name it: memory is the channel to use.
#[derive(clap::Args, Debug, Clone)]
pub struct Settings {
    /// Events that it holds.
    #[arg(long, id = "capacity", default_value = "50", value_name = "EVENTS",
          value_parser = clap::value_parser!(u64).range(1..))]
    capacity: u64,
    /// Seconds that a put waits for a place.
    #[arg(long, id = "keep-alive", default_value = "3", value_name = "TIME")]
    keep_alive: crate::value::Seconds,
}

impl super::Settings for Settings {
    fn open(&self, _name: &str) -> Result<(Arc<dyn Channel>, Ends), StageError> {
        let memory = memory::Settings::small(self.capacity, self.keep_alive);
        Ok((memory.channel(), Ends::Both))
    }
}
