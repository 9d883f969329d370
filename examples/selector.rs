//! A channel selector of your own: large events to the last branch, all others to the first. Both end in a sink here,
//! and could begin with a channel.
//!
//! `cargo run --example selector < app.log`

use flume::component::find;
use flume::event::EventRef;
use flume::flow::{Board, Flow, Fork, Options, Part};
use flume::stage::{ChannelSelector, Route};
use flume::stop::Stop;
use flume::{sink, source};
use std::time::Duration;

/// Bytes of a body that are many.
const LARGE: usize = 20;

#[derive(Default)]
struct BySize {
    small: Vec<usize>,
    large: Vec<usize>,
}

impl ChannelSelector for BySize {
    /// The error would be told before anything is taken.
    fn bind(&mut self, channels: &[String]) -> Result<(), String> {
        if channels.len() < 2 {
            return Err("two branches are needed, one for small events and one for large ones".into());
        }
        self.small = vec![0];
        self.large = vec![channels.len() - 1];
        Ok(())
    }

    /// Both are required: an event is accepted when its branch has taken it.
    fn select(&mut self, event: EventRef<'_>) -> Route<'_> {
        let required = match event.body().len() >= LARGE {
            true => &self.large,
            false => &self.small,
        };
        Route {
            required,
            optional: &[],
        }
    }
}

/// A branch that writes to files in a directory.
fn into(directory: &str) -> Result<(String, Flow), Box<dyn std::error::Error>> {
    let words = ["--directory", directory].map(String::from);
    let sink = find(sink::ALL, "file_roll")
        .ok_or("there is no file_roll")?
        .from_flags(&words)?;
    let parts = vec![("sink file_roll".into(), Part::Sink(sink))];
    Ok((directory.into(), Flow { parts }))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lines = find(source::ALL, "stdin")
        .ok_or("there is no stdin")?
        .from_flags(&[])?;
    let branches = vec![into("small")?, into("large")?];
    let fork = Fork::to(Box::<BySize>::default(), branches)?;
    let flow = Flow {
        parts: vec![
            ("source stdin".into(), Part::Source(lines)),
            ("select by_size".into(), Part::Fork(fork)),
        ],
    };
    let stop = Stop::new(Duration::from_secs(30))?;
    flow.run(Options::new(&stop), &Board::default())?;
    Ok(())
}
