//! A source of your own: prime numbers, one an event.
//!
//! Under the name `flume-source-primes` on the PATH it is a component like ours:
//! `flume source primes --count 10 | flume sink logger`.

use flume::event::{BatchBuilder, Event};
use flume::exit::StageError;
use flume::source;
use flume::stage::{ChannelProcessor, PollableSource, Status};
use std::process::ExitCode;
use std::sync::Arc;

/// Events whose bodies are the prime numbers.
#[derive(clap::Args)]
struct Primes {
    /// Events in all.
    #[arg(long, id = "count", default_value = "10", value_name = "EVENTS")]
    count: usize,
    /// Events in a batch.
    #[arg(long, id = "batchSize", default_value = "100", value_name = "EVENTS")]
    batch_size: usize,
    #[arg(skip)]
    found: Vec<u64>,
}

impl PollableSource for Primes {
    /// Hand on one batch. It is called again until it says that nothing more will come, or until the stage
    /// is to stop. Who owes somebody an answer gives it in the closure: it is called when the next stage
    /// has taken responsibility for the batch.
    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let mut batch = BatchBuilder::new();
        while self.found.len() < self.count && (batch.len() as usize) < self.batch_size {
            let prime = self.next_prime();
            batch.push_event(&Event::new(prime.to_string()).with_header("kind", "prime"));
        }
        if batch.is_empty() {
            return Ok(Status::Finished);
        }
        to.submit(batch.finish(), || {})?;
        Ok(Status::Ready)
    }
}

impl Primes {
    fn next_prime(&mut self) -> u64 {
        let mut number = self.found.last().map_or(2, |last| last + 1);
        while self.found.iter().any(|prime| number.is_multiple_of(*prime)) {
            number += 1;
        }
        self.found.push(number);
        number
    }
}

fn main() -> ExitCode {
    flume::cli::own::main(&source::polled::<Primes>("primes"))
}
