//! `logger`: events as messages on standard error, for looking at them (Flume's LoggerSink).
//!
//! For other components a message is a courtesy that a full standard error may drop. Here it is the
//! delivery: a commit waits until standard error has taken every line. Where messages of this level are
//! switched off the events are taken all the same, as in Flume.

use crate::event::{Batch, EventRef, shown};
use crate::link::Outlet;
use crate::say::{self, Level};
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use std::fmt::Write;
use std::io::ErrorKind;
use std::sync::Arc;

/// How messages name this sink, and `--log-level logger=...` finds it.
const NAME: &str = "sink logger";
/// Bytes of lines after which they are written before the commit.
const HELD: usize = 256 << 10;
/// Bytes of a body in one line of the dump.
const ROW: usize = 16;

/// Log each event at INFO to standard error: its headers, and its body in hex and as text.
#[derive(clap::Args)]
pub struct Logger {
    /// Bytes of the body that are shown.
    #[arg(long, id = "maxBytesToLog", default_value = "16", value_name = "BYTES")]
    max_bytes_to_log: usize,
    #[arg(skip)]
    lines: Vec<u8>,
    #[arg(skip)]
    stop: Option<Stop>,
}

impl Logger {
    fn deliver(&mut self) -> Result<(), SinkError> {
        let stop = self.stop.as_ref();
        let until = || stop.and_then(Stop::deadline);
        say::deliver(&self.lines, until).map_err(|error| match error.kind() {
            ErrorKind::TimedOut => SinkError::retry("standard error takes nothing more"),
            // Nobody will ever read there again: a retry would not end.
            ErrorKind::BrokenPipe => {
                SinkError::reject_batch("standard error is closed, nobody reads the events")
            }
            _ => SinkError::retry(format!("standard error: {error}")),
        })?;
        self.lines.clear();
        Ok(())
    }
}

impl Sink for Logger {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if !say::is_said(Level::Info, NAME) {
            return Ok(());
        }
        for event in batch.events() {
            let text = format!("Event: {}", dump(event?, self.max_bytes_to_log));
            let line = say::line(Level::Info, NAME, &text);
            self.lines.extend_from_slice(line.as_bytes());
            if self.lines.len() >= HELD {
                self.deliver()?;
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        self.deliver()
    }

    fn rollback(&mut self) {
        self.lines.clear();
    }

    fn outlet(&mut self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        // No link to another place, but the one occasion to learn of the grace, which bounds the wait.
        self.stop = Some(stop.clone());
        None
    }
}

/// An event as Flume's EventHelper shows it. Headers that are no text are escaped.
fn dump(event: EventRef<'_>, most: usize) -> String {
    let mut text = String::from("{ headers:{");
    for (index, (name, value)) in event.headers().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let _ = write!(text, "{comma}{}={}", shown(name), shown(value));
    }
    text.push_str("} body:");
    let body = event.body();
    for (index, row) in body[..body.len().min(most)].chunks(ROW).enumerate() {
        if index > 0 {
            // Only the first row goes without its offset.
            let _ = write!(text, "\n{:08X}", index * ROW);
        }
        dump_row(row, &mut text);
    }
    text.push_str(" }");
    text
}

fn dump_row(row: &[u8], text: &mut String) {
    for place in 0..ROW {
        let _ = match row.get(place) {
            Some(byte) => write!(text, " {byte:02X}"),
            None => write!(text, "   "),
        };
    }
    text.push(' ');
    text.extend(row.iter().map(|&byte| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn dumped(event: &Event, most: usize) -> String {
        dump(Batch::single(event).events().next().unwrap().unwrap(), most)
    }

    #[test]
    fn dump_is_that_of_flumes_guide() {
        let event = Event::new("Hello world!\r");
        assert_eq!(
            dumped(&event, 16),
            "{ headers:{} body: 48 65 6C 6C 6F 20 77 6F 72 6C 64 21 0D          Hello world!. }"
        );
    }

    #[test]
    fn body_is_cut_without_a_mark_and_an_empty_one_shows_nothing() {
        let event = Event::new("0123456789abcdefgh").with_header("k", "v");
        let event = event.with_header("k2", b"\xff\n");
        assert_eq!(
            dumped(&event, 16),
            "{ headers:{k=v, k2=\\xff\\n} body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 \
             0123456789abcdef }"
        );
        assert_eq!(dumped(&Event::new(""), 16), "{ headers:{} body: }");
        assert_eq!(dumped(&Event::new("x"), 0), "{ headers:{} body: }");
    }

    #[test]
    fn rows_after_the_first_have_their_offset() {
        let text = dumped(&Event::new("0123456789abcdefgh"), 64);
        let second = format!("\n00000010 67 68{}gh }}", " ".repeat(14 * 3 + 1));
        assert!(text.ends_with(&second), "{text}");
    }
}
