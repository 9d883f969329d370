//! `LINE`: an event for each line.
//!
//! LF alone ends a line; the last one needs none. A line longer than `maxLineLength` characters becomes several events,
//! so that nothing is lost. Text that stays in its character set is not decoded but checked, a block at a time.

use super::{DeserializeError, EventDeserializer, Events, Text};
use crate::charset::{Charset, DecodeErrorPolicy, Malformed};
use crate::codec::Options;

/// Cuts lines.
pub struct Lines {
    charset: Charset,
    policy: DecodeErrorPolicy,
    output: Charset,
    /// Characters of a line at most, as Java counts them.
    most: usize,
    /// Bytes of the input in which no line feed is, from the front.
    scanned: usize,
    /// Bytes of the input that are known to be text, from the front.
    checked: usize,
}

pub(super) fn make(options: &mut Options, text: Text) -> Result<Box<dyn EventDeserializer>, String> {
    let most = options.number("maxLineLength", 2048)?;
    if !(1..=32 << 20).contains(&most) {
        return Err(format!("maxLineLength: {most} is not between 1 and {}", 32 << 20));
    }
    let output = options.take("outputCharset").unwrap_or_else(|| "UTF-8".into());
    let output = output.parse().map_err(|why| format!("outputCharset: {why}"))?;
    Ok(Box::new(Lines::new(text, output, most as usize)))
}

impl Lines {
    /// Lines of at most so many characters, whose bodies are in another character set or the same.
    pub fn new(text: Text, output: Charset, most: usize) -> Lines {
        Lines {
            charset: text.charset,
            policy: text.policy,
            output,
            most: most.max(1),
            scanned: 0,
            checked: 0,
        }
    }

    /// Lines may be copied as they are where they are UTF-8.
    fn is_plain(&self) -> bool {
        self.charset == Charset::UTF_8 && self.output == Charset::UTF_8
    }

    /// See whether the input is text up to `end`, which is the end of a line. Where it is none each line is decoded for
    /// itself.
    fn check(&mut self, input: &[u8], end: usize) -> bool {
        if self.checked < end {
            // As far as there are whole lines, since it is asked for each.
            let last = memchr::memrchr(b'\n', input).map_or(end, |at| (at + 1).max(end));
            let last = last.min(self.checked.max(end) + (1 << 20)).max(end);
            let text = &input[self.checked..last];
            match std::str::from_utf8(text) {
                Ok(_) => self.checked = last,
                Err(error) => self.checked += error.valid_up_to(),
            }
        }
        self.checked >= end
    }

    fn push(&self, line: &[u8], at: usize, out: &mut Events<'_>) -> Result<(), DeserializeError> {
        let text = self.charset.decode(line, self.policy);
        let text = text.map_err(|error| Malformed {
            at: at + error.at,
            ..error
        })?;
        out.push(&self.output.encode(&text));
        Ok(())
    }

    /// Bytes at the front of a line that are `most` characters, or all of it. A character stays whole.
    fn piece(&self, line: &[u8]) -> usize {
        let width = self.charset.width();
        // Of UTF-32 a code unit may be two characters for Java.
        if line.len() / width <= self.most && width < 4 {
            return line.len();
        }
        if width == 2 {
            let end = self.most * 2;
            return match (self.charset.is_low_half(&line[end..]), end) {
                (true, 2) => 4,
                (true, end) => end - 2,
                (false, end) => end,
            };
        }
        // More than these bytes are more characters in any character set.
        let line = &line[..line.len().min(4 * self.most + 8)];
        if self.charset == Charset::UTF_8 {
            return self.piece_of_utf8(line);
        }
        if self.charset.count(line) <= self.most {
            return line.len();
        }
        // The longest front whose characters are not too many: so many code units, between these.
        let (mut fits, mut too_many) = (1, line.len().div_ceil(width));
        while too_many - fits > 1 {
            let middle = (fits + too_many) / 2;
            match self.charset.count(&line[..middle * width]) <= self.most {
                true => fits = middle,
                false => too_many = middle,
            }
        }
        fits * width
    }

    fn piece_of_utf8(&self, line: &[u8]) -> usize {
        let (mut at, mut count) = (0, 0);
        while at < line.len() {
            let (length, units) = match line[at] {
                0xF0.. => (4, 2),
                0xE0.. => (3, 1),
                0xC0.. => (2, 1),
                _ => (1, 1),
            };
            if at > 0 && count + units > self.most {
                return at;
            }
            // What is no character ends where the next one begins.
            let inside = line[at + 1..].iter().take(length - 1);
            at += 1 + inside.take_while(|byte| **byte & 0xC0 == 0x80).count();
            count += units;
        }
        line.len()
    }

    fn advance(&mut self, bytes: usize) {
        self.scanned = self.scanned.saturating_sub(bytes);
        self.checked = self.checked.saturating_sub(bytes);
    }
}

impl EventDeserializer for Lines {
    fn begin(&mut self, head: &[u8], is_all: bool) -> Result<Option<usize>, DeserializeError> {
        if head.len() < 4 && !is_all {
            return Ok(None);
        }
        let (charset, mark) = self.charset.at_start(head);
        self.charset = charset;
        Ok(Some(mark))
    }

    fn take(&mut self, input: &[u8], is_all: bool, out: &mut Events<'_>) -> Result<usize, DeserializeError> {
        let width = self.charset.width();
        let mut used = 0;
        while !out.is_full() {
            let from = used.max(self.scanned);
            let found = self.charset.find_lf(&input[from..]).map(|at| from + at);
            let line = &input[used..found.unwrap_or(input.len())];
            if line.len() > self.most {
                let piece = self.piece(line);
                // Without its end nobody knows whether a character is whole.
                if piece < line.len() && (found.is_some() || is_all || line.len() >= piece + 8) {
                    self.push(&line[..piece], used, out)?;
                    used += piece;
                    self.scanned = self.scanned.max(used);
                    continue;
                }
            }
            let (end, done) = match found {
                Some(at) => (at, at + width),
                None if is_all && !line.is_empty() => (input.len(), input.len()),
                None => {
                    self.scanned = input.len() - (input.len() - used) % width;
                    break;
                }
            };
            match self.is_plain() && self.check(input, end) {
                true => out.push(&input[used..end]),
                false => self.push(&input[used..end], used, out)?,
            }
            used = done;
            self.scanned = self.scanned.max(used);
        }
        self.advance(used);
        Ok(used)
    }
}
