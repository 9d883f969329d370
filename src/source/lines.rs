//! Bytes to events: lines, JSON lines, raw blocks, none longer than a bound, netstrings, or Avro containers. Shared by
//! the sources that read what has no frames.
//!
//! No line is copied but into its batch, and none is held whole that is over the bound: of a line of 1 GiB
//! the buffer holds one piece.

mod containers;
mod netstring;
#[cfg(test)]
mod tests;

use super::batches::Filling;
use crate::codec::deserializer::SchemaType;
use crate::codec::json;
use crate::metrics::{Count, Counters};
use crate::say;
use crate::value::Size;
use containers::Containers;
use std::sync::Arc;

/// The longest line that can be asked for: it must go into a frame with its headers.
const LONGEST: u64 = 32 << 20;
/// Lines with a fault that are told one by one; the others are only counted.
const TOLD: u64 = 5;
/// The header of a line that should have been JSON, with the reason.
pub const JSON_ERROR: &str = "flume.json.error";

/// Settings for lines that are too long.
#[derive(clap::Args, Debug, Clone)]
pub struct LongLines {
    /// Bytes of a line or a block at most.
    #[arg(long, id = "maxLineLength", default_value = "1MiB", value_name = "SIZE", value_parser = line_length)]
    pub max_line_length: Size,
    /// What becomes of a longer line: several events (split), its beginning (truncate), or nothing (reject).
    /// It is counted, and the first ones are reported with their number.
    #[arg(long, id = "longLines", default_value = "split", value_name = "WHAT")]
    pub long_lines: LongLine,
}

fn line_length(word: &str) -> Result<Size, String> {
    let size: Size = word.parse()?;
    match size.0 {
        1..=LONGEST => Ok(size),
        _ => Err(format!("a line has from 1 byte to {}", Size(LONGEST))),
    }
}

/// What becomes of a line that is too long.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongLine {
    /// Several events.
    Split,
    /// One event with the beginning of the line.
    Truncate,
    /// None.
    Reject,
}

/// What an event is made of.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line.
    Line,
    /// A line with an event in JSON.
    Json,
    /// The bytes of one read.
    Raw,
    /// A length in decimal, a colon, so many bytes and a comma, as in "5:hello,".
    Netstring,
    /// Avro object containers, one behind the other: an event for each record, with its schema in a header.
    Avro,
    /// Avro object containers whose records are events, as the serializer of this name writes them.
    #[value(name = "avro_event")]
    AvroEvent,
}

impl Format {
    /// Avro object containers of either kind.
    pub fn is_avro(self) -> bool {
        matches!(self, Format::Avro | Format::AvroEvent)
    }
}

/// What ends a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LineEnd {
    /// LF alone; a CR belongs to the line.
    #[default]
    Lf,
    /// LF, CR, or both together, as Java's line reader has it.
    Any,
}

/// How to cut.
#[derive(Debug, Clone)]
pub struct Cutting {
    /// What an event is made of.
    pub format: Format,
    /// What ends a line.
    pub end: LineEnd,
    /// The bound of a line.
    pub long: LongLines,
    /// Which header has the schema of an Avro container.
    pub schema_type: SchemaType,
}

/// Where a position is in the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes in front of it.
    pub bytes: u64,
    /// Where somebody can begin to read without losing anything behind it: at the same place, or before.
    pub again: u64,
}

/// Lines that were not taken as they are.
struct Faults {
    counters: Arc<Counters>,
    input: String,
    count: u64,
}

impl Faults {
    fn note(&mut self, line: u64, what: impl FnOnce() -> String) {
        self.count += 1;
        self.counters.add(Count::EventReadFail, 1);
        if self.count <= TOLD {
            say::warn(
                self.counters.name(),
                format!("{}: line {line} {}", self.input, what()),
            );
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        if self.count > TOLD {
            let (input, count) = (&self.input, self.count);
            say::warn(
                self.counters.name(),
                format!("{input}: {count} lines were too long or no JSON"),
            );
        }
    }
}

/// Cuts the bytes of one input.
pub struct Cutter {
    format: Format,
    end: LineEnd,
    most: usize,
    long: LongLine,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with, and from there those in which no end of a line is.
    used: usize,
    scanned: usize,
    containers: Containers,
    /// Bytes of the input that are done with; and up to where they are whole events, in containers by the number of
    /// records, since one block may be in several batches.
    consumed: u64,
    position: u64,
    line: u64,
    /// Inside a line that is too long.
    is_long: bool,
    /// What is thrown away up to the end of the line; what is kept of the line for then.
    skipping: bool,
    held: Option<Vec<u8>>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// What is left of the netstring whose length was read.
    left: Option<usize>,
    /// Why nothing more can be cut: where the next event begins is not known.
    broken: Option<String>,
    faults: Faults,
}

/// What one step came to.
enum Step {
    More,
    Empty,
}

impl Cutter {
    /// A cutter for the input with this name.
    pub fn new(cutting: &Cutting, input: &str, counters: &Arc<Counters>) -> Self {
        Cutter {
            format: cutting.format,
            end: cutting.end,
            most: cutting.long.max_line_length.0 as usize,
            long: cutting.long.long_lines,
            buffer: Vec::new(),
            used: 0,
            scanned: 0,
            containers: Containers::new(cutting.format == Format::AvroEvent, cutting.schema_type),
            consumed: 0,
            position: 0,
            line: 1,
            is_long: false,
            skipping: false,
            held: None,
            after_cr: false,
            left: None,
            broken: None,
            faults: Faults {
                counters: counters.clone(),
                input: input.to_string(),
                count: 0,
            },
        }
    }

    /// The name of the input, for messages.
    pub fn input(&self) -> &str {
        &self.faults.input
    }

    /// Where to append what was read.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.used);
        self.scanned -= self.used;
        self.used = 0;
        &mut self.buffer
    }

    /// How far whole events were cut: a number that grows, which [`Cutter::place`] knows.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Where this position is in the input.
    pub fn place(&self, position: u64) -> Place {
        match self.format.is_avro() {
            true => self.containers.place(position),
            false => Place {
                bytes: position,
                again: position,
            },
        }
    }

    /// Nobody will ask for a place before this position.
    pub fn forget(&mut self, position: u64) {
        self.containers.forget(position);
    }

    /// Cut events into `into` until it is full (true) or there is no whole one any more (false).
    pub fn cut(&mut self, into: &mut Filling) -> bool {
        loop {
            if into.is_full() {
                return true;
            }
            let step = match self.format {
                Format::Raw => self.block(into),
                Format::Netstring => self.netstring(into),
                Format::Avro | Format::AvroEvent => self.container(into),
                Format::Line | Format::Json => self.step(into),
            };
            if matches!(step, Step::Empty) {
                return false;
            }
        }
    }

    /// The input has ended: what is left is the last line.
    pub fn cut_last(&mut self, into: &mut Filling) {
        let left = self.buffer.len() - self.used;
        if self.format == Format::Netstring {
            if (left > 0 || self.left.is_some()) && self.broken.is_none() {
                self.break_off("the input ends in the middle of it");
            }
            return;
        }
        if self.format.is_avro() {
            return self.end_containers();
        }
        if left > 0 || self.skipping {
            self.finish_line(left, 0, into);
        }
    }

    fn block(&mut self, into: &mut Filling) -> Step {
        let length = (self.buffer.len() - self.used).min(self.most);
        if length == 0 {
            return Step::Empty;
        }
        into.events.push_body(&self.buffer[self.used..self.used + length]);
        self.advance(length);
        self.position = self.consumed;
        Step::More
    }

    /// Why nothing more can be made of this input, if that is so.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn break_off(&mut self, why: &str) {
        let place = match self.format.is_avro() {
            true => self.place_in_containers(),
            false => format!("netstring {}, at byte {}", self.line, self.consumed),
        };
        self.broken = Some(format!("{place}: {why}"));
    }

    #[inline]
    fn step(&mut self, into: &mut Filling) -> Step {
        if self.after_cr && self.used < self.buffer.len() {
            self.after_cr = false;
            if self.buffer[self.used] == b'\n' {
                self.advance(1);
                self.position = self.consumed;
            }
        }
        let unseen = &self.buffer[self.scanned..];
        let found = match self.end {
            LineEnd::Lf => memchr::memchr(b'\n', unseen),
            LineEnd::Any => memchr::memchr2(b'\n', b'\r', unseen),
        };
        let length = found.map_or(self.buffer.len(), |at| self.scanned + at) - self.used;
        if length > self.most && !self.skipping {
            // The end is looked for again from here: it is found at once.
            self.scanned = self.used + length;
            self.long_line(into);
            return Step::More;
        }
        match found {
            Some(_) => {
                self.after_cr = self.buffer[self.used + length] == b'\r';
                self.finish_line(length, 1, into);
                Step::More
            }
            None => {
                if self.skipping {
                    self.advance(length);
                }
                self.scanned = self.buffer.len();
                Step::Empty
            }
        }
    }

    #[inline]
    fn advance(&mut self, bytes: usize) {
        self.used += bytes;
        self.consumed += bytes as u64;
        self.scanned = self.scanned.max(self.used);
    }

    /// A line ends after `length` bytes; `end` bytes follow that only say so.
    #[inline]
    fn finish_line(&mut self, length: usize, end: usize, into: &mut Filling) {
        if self.skipping {
            if let Some(held) = self.held.take() {
                self.push(&held, into);
            }
        } else if self.format == Format::Line {
            into.events.push_body(&self.buffer[self.used..self.used + length]);
        } else {
            let line = std::mem::take(&mut self.buffer);
            self.push(&line[self.used..self.used + length], into);
            self.buffer = line;
        }
        self.advance(length + end);
        self.position = self.consumed;
        self.line += 1;
        self.is_long = false;
        self.skipping = false;
    }

    /// The next line is too long: deal with its first part.
    fn long_line(&mut self, into: &mut Filling) {
        let rest = &self.buffer[self.used..];
        let length = whole_characters(rest, self.most);
        if !self.is_long {
            self.note_long();
        }
        let piece = self.buffer[self.used..self.used + length].to_vec();
        self.advance(length);
        match self.long {
            LongLine::Split => {
                self.push(&piece, into);
                self.position = self.consumed;
            }
            LongLine::Truncate => self.held = Some(piece),
            LongLine::Reject => {}
        }
        self.skipping = self.long != LongLine::Split;
    }

    /// Tell that a line is too long, once.
    fn note_long(&mut self) {
        self.is_long = true;
        let (most, long) = (Size(self.most as u64), self.long);
        self.faults.note(self.line, || {
            let what = match long {
                LongLine::Split => "split into several events",
                LongLine::Truncate => "cut off there",
                LongLine::Reject => "not taken",
            };
            format!("is longer than {most} (--max-line-length): {what}")
        });
        if long == LongLine::Reject {
            self.faults.counters.add(Count::Rejected, 1);
        }
    }

    fn push(&mut self, line: &[u8], into: &mut Filling) {
        if self.format != Format::Json {
            return into.events.push_body(line);
        }
        if line.trim_ascii().is_empty() {
            return;
        }
        match json::read_event(line) {
            Ok(event) => into.events.push_event(&event),
            Err(why) => {
                self.faults.note(self.line, || {
                    format!("is kept as it is, for it is no event: {why}")
                });
                let headers = [(JSON_ERROR.as_bytes(), why.as_bytes())];
                into.events.push(headers.into_iter(), line);
            }
        }
    }
}

/// At most `most` bytes, and no character cut in two where the bytes are UTF-8.
pub(super) fn whole_characters(bytes: &[u8], most: usize) -> usize {
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let back = (0..4.min(most)).find(|back| !is_inside(most - back));
    most - back.unwrap_or(0)
}
