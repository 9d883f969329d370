//! A sink processor of your own: one sink gets ten batches, then the next one, and whoever fails gives up its turn.
//!
//! `cargo run --example sink_processor`

use flume::component::find;
use flume::event::Batch;
use flume::flow::{Board, Flow, Options, Part};
use flume::metrics::{Counters, Kind};
use flume::source;
use flume::stage::group::{Grouped, Member};
use flume::stage::{Load, Sink, SinkError, SinkProcessor};
use flume::stop::Stop;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Batches of one turn.
const TURN: u32 = 10;

#[derive(Default)]
struct Turns {
    sinks: usize,
    current: usize,
    done: u32,
}

impl SinkProcessor for Turns {
    fn bind(&mut self, sinks: &[String]) -> Result<(), String> {
        self.sinks = sinks.len();
        Ok(())
    }

    /// The one whose turn it is, then the others behind it.
    fn order(&mut self, _now: Instant, _loads: &[Load]) -> Vec<usize> {
        (0..self.sinks)
            .map(|step| (self.current + step) % self.sinks)
            .collect()
    }

    fn failed(&mut self, sink: usize, _now: Instant) {
        if sink == self.current {
            (self.current, self.done) = ((sink + 1) % self.sinks, 0);
        }
    }

    fn worked(&mut self, sink: usize, _now: Instant) {
        if sink != self.current {
            return;
        }
        self.done += 1;
        if self.done == TURN {
            (self.current, self.done) = ((sink + 1) % self.sinks, 0);
        }
    }
}

/// Prints how many events each of its transactions had.
struct Print(&'static str, u32);

impl Sink for Print {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.1 += batch.len();
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let events = std::mem::take(&mut self.1);
        let said = writeln!(std::io::stdout(), "{} {events}", self.0);
        said.map_err(|error| SinkError::retry(error.to_string()))
    }

    fn rollback(&mut self) {
        self.1 = 0;
    }
}

fn member(name: &'static str) -> Member {
    Member {
        name: name.into(),
        counters: Arc::new(Counters::new(Kind::Sink, name)),
        make: Box::new(move || Ok(Box::new(Print(name, 0)))),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words = ["--total-events", "1000", "--batch-size", "10"].map(String::from);
    let seq = find(source::ALL, "seq")
        .ok_or("there is no seq")?
        .from_flags(&words)?;
    let group = Grouped::bind(vec![member("one"), member("two")], Box::<Turns>::default())?;
    let flow = Flow {
        parts: vec![
            ("source seq".into(), Part::Source(seq)),
            ("group turns".into(), Part::Group(group)),
        ],
    };
    let stop = Stop::new(Duration::from_secs(30))?;
    flow.run(Options::new(&stop), &Board::default())?;
    Ok(())
}
