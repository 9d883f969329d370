//! Bytes to events: lines, JSON lines or raw blocks, none longer than a bound. Shared by the sources that
//! read what has no frames.
//!
//! No line is copied but into its batch, and none is held whole that is over the bound: of a line of 1 GiB
//! the buffer holds one piece.

use super::batches::Filling;
use crate::codec::json;
use crate::metrics::{Count, Counters};
use crate::say;
use crate::value::Size;
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
    /// Bytes of the input that are done with; and up to where they are whole events.
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
            consumed: 0,
            position: 0,
            line: 1,
            is_long: false,
            skipping: false,
            held: None,
            after_cr: false,
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

    /// Bytes of the input up to the end of the last whole event.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Cut events into `into` until it is full (true) or there is no whole one any more (false).
    pub fn cut(&mut self, into: &mut Filling) -> bool {
        loop {
            if into.is_full() {
                return true;
            }
            let step = match self.format {
                Format::Raw => self.block(into),
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
        if !std::mem::replace(&mut self.is_long, true) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Batch, Event};
    use crate::metrics::Kind;
    use crate::source::batches::Batches;
    use crate::value::Millis;
    use proptest::prelude::*;

    fn cutting(format: Format, end: LineEnd, most: u64, long_lines: LongLine) -> Cutting {
        Cutting {
            format,
            end,
            long: LongLines {
                max_line_length: Size(most),
                long_lines,
            },
        }
    }

    fn batches(size: u32) -> Batches {
        Batches {
            batch_size: size,
            batch_bytes: Size(256 << 10),
            batch_timeout: Millis(std::time::Duration::from_secs(60)),
        }
    }

    fn cutter(cutting: &Cutting) -> (Cutter, Filling, Arc<Counters>) {
        crate::say::be_quiet();
        let counters = Arc::new(Counters::new(Kind::Source, "source test"));
        let cutter = Cutter::new(cutting, "it", &counters);
        (cutter, Filling::new(&batches(3)), counters)
    }

    fn events(batch: Batch) -> Vec<Event> {
        batch.events().map(|event| event.unwrap().to_event()).collect()
    }

    /// What is cut from `input` when it comes in chunks of `chunk` bytes, up to where all was whole before
    /// the end, and how many lines were rejected.
    fn cut(cutting: &Cutting, input: &[u8], chunk: usize) -> (Vec<Event>, u64, u64) {
        let (mut cutter, mut filling, counters) = cutter(cutting);
        let mut all = Vec::new();
        for part in input.chunks(chunk) {
            cutter.room().extend_from_slice(part);
            while cutter.cut(&mut filling) {
                all.extend(events(filling.finish()));
            }
        }
        let before_the_end = cutter.position();
        cutter.cut_last(&mut filling);
        all.extend(events(filling.finish()));
        assert_eq!(cutter.position(), input.len() as u64);
        (all, before_the_end, counters.get(Count::Rejected))
    }

    fn bodies(cutting: &Cutting, input: &[u8], chunk: usize) -> Vec<String> {
        let text = |event: Event| String::from_utf8_lossy(event.body()).into_owned();
        cut(cutting, input, chunk).0.into_iter().map(text).collect()
    }

    fn check(cutting: &Cutting, input: &str, expected: &[&str]) {
        for chunk in 1..=input.len() {
            assert_eq!(bodies(cutting, input.as_bytes(), chunk), expected, "{chunk}");
        }
    }

    #[test]
    fn lines_end_with_lf_and_the_last_one_need_not() {
        let lf = cutting(Format::Line, LineEnd::Lf, 100, LongLine::Split);
        check(&lf, "one\n\ntwo\r\nthree", &["one", "", "two\r", "three"]);
        check(&lf, "one\n", &["one"]);
        let any = cutting(Format::Line, LineEnd::Any, 100, LongLine::Split);
        check(
            &any,
            "one\rtwo\r\n\r\nthree\n\rfour",
            &["one", "two", "", "three", "", "four"],
        );
    }

    #[test]
    fn long_line_is_split_cut_off_or_not_taken() {
        let input = "1234\n12345\n1234567890123\nab\n12345678";
        let with = |long| cutting(Format::Line, LineEnd::Lf, 4, long);
        check(
            &with(LongLine::Split),
            input,
            &[
                "1234", "1234", "5", "1234", "5678", "9012", "3", "ab", "1234", "5678",
            ],
        );
        check(
            &with(LongLine::Truncate),
            input,
            &["1234", "1234", "1234", "ab", "1234"],
        );
        check(&with(LongLine::Reject), input, &["1234", "ab"]);
        assert_eq!(cut(&with(LongLine::Reject), input.as_bytes(), 3).2, 3);
    }

    #[test]
    fn split_does_not_cut_a_character_in_two() {
        let split = cutting(Format::Line, LineEnd::Lf, 4, LongLine::Split);
        check(&split, "abc\u{fc}d\n", &["abc", "\u{fc}d"]);
    }

    #[test]
    fn input_can_be_read_again_from_the_start_of_a_line_that_is_not_over() {
        for long in [LongLine::Truncate, LongLine::Reject] {
            let cutting = cutting(Format::Line, LineEnd::Lf, 4, long);
            assert_eq!(cut(&cutting, b"ab\n123456789", 2).1, 3);
        }
    }

    #[test]
    fn line_that_is_no_json_is_kept_with_the_reason() {
        let json = cutting(Format::Json, LineEnd::Lf, 100, LongLine::Split);
        let input = b"{\"headers\":{\"a\":\"b\"},\"body\":\"x\"}\n\n{\"body\":\n";
        let events = cut(&json, input, 7).0;
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].header("a"), Some(&b"b"[..]));
        assert_eq!(events[1].body(), "{\"body\":");
        assert!(events[1].header(JSON_ERROR).is_some());
    }

    #[test]
    fn raw_blocks_are_what_came_but_never_longer_than_the_bound() {
        let raw = cutting(Format::Raw, LineEnd::Lf, 4, LongLine::Split);
        assert_eq!(bodies(&raw, b"ab\n123456\n", 6), ["ab\n1", "23", "456\n"]);
    }

    #[test]
    fn line_of_64_mib_needs_no_buffer_of_that_size() {
        for long in [LongLine::Split, LongLine::Truncate, LongLine::Reject] {
            let (mut cutter, mut filling, _) = cutter(&cutting(Format::Line, LineEnd::Lf, 1 << 20, long));
            for _ in 0..256 {
                cutter.room().extend_from_slice(&[b'x'; 256 << 10]);
                while cutter.cut(&mut filling) {
                    filling.finish();
                }
            }
            assert!(cutter.buffer.capacity() <= 4 << 20);
        }
    }

    proptest! {
        #[test]
        fn lines_are_what_split_gives(input: Vec<u8>, chunk in 1usize..40) {
            let lines = cutting(Format::Line, LineEnd::Lf, 1000, LongLine::Split);
            let mut expected: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            let found = cut(&lines, &input, chunk).0;
            let found: Vec<&[u8]> = found.iter().map(|event| &event.body()[..]).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn split_loses_no_byte(input: Vec<u8>, most in 1u64..9, chunk in 1usize..40) {
            let lines = cutting(Format::Line, LineEnd::Lf, most, LongLine::Split);
            let found = cut(&lines, &input, chunk).0;
            let all: Vec<u8> = found.iter().flat_map(|event| event.body().to_vec()).collect();
            let expected: Vec<u8> = input.iter().copied().filter(|byte| *byte != b'\n').collect();
            prop_assert_eq!(all, expected);
            prop_assert!(found.iter().all(|event| event.body().len() as u64 <= most));
        }
    }
}
