//! flume as a library: a source of ours, an interceptor of our own, a channel and a sink of our own in this
//! process, with the same loops and the same promises as in a pipeline.

use flume::component::find;
use flume::event::{Batch, BatchBuilder, EventRef};
use flume::exit::StageError;
use flume::flow::{Board, Flow, Options, Part};
use flume::stage::{Interceptor, Sink, SinkError};
use flume::stop::Stop;
use flume::{channel, source};
use std::io::Write;
use std::time::Duration;

/// Keeps the even numbers.
struct Even;

impl Interceptor for Even {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        if event.body().last().is_some_and(|digit| digit % 2 == 0) {
            out.push_encoded(event);
        }
        Ok(())
    }
}

/// Counts what it takes, and says so at each commit.
#[derive(Default)]
struct Count {
    written: u64,
}

impl Sink for Count {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.written += u64::from(batch.len());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let said = writeln!(std::io::stdout(), "{} events so far", self.written);
        said.map_err(|error| SinkError::retry(error.to_string()))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words = ["--total-events", "1000"].map(String::from);
    let seq = find(source::ALL, "seq")
        .ok_or("there is no seq")?
        .from_flags(&words)?;
    let memory = find(channel::ALL, "memory")
        .ok_or("there is no memory")?
        .from_flags(&[])?;
    let (memory, ends) = memory.open("channel memory")?;
    let flow = Flow {
        parts: vec![
            ("source seq".into(), Part::Source(seq)),
            ("intercept even".into(), Part::Intercept(Box::new(Even))),
            ("channel memory".into(), Part::Channel(memory, ends)),
            ("sink count".into(), Part::Sink(Box::new(Count::default()))),
        ],
    };
    // Another thread may call `stop.stop()`: then the flow takes in no more, drains, and ends.
    let stop = Stop::new(Duration::from_secs(30))?;
    flow.run(Options::new(&stop), &Board::default())?;
    Ok(())
}
