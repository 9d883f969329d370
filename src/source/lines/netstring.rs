//! Netstrings: a length in decimal, a colon, so many bytes and a comma.
//!
//! Where one is broken nobody knows where the next begins, so the input ends there.

use super::{Cutter, LongLine, Step};
use crate::source::batches::Filling;

impl Cutter {
    /// A netstring, or a part of one that is too long.
    pub(super) fn netstring(&mut self, into: &mut Filling) -> Step {
        if self.broken.is_some() {
            return Step::Empty;
        }
        let Some(left) = self.left else {
            return self.netstring_length();
        };
        let there = self.buffer.len() - self.used;
        if left > self.most || self.is_long {
            return self.long_netstring(left, there, into);
        }
        if there <= left {
            return Step::Empty;
        }
        into.events.push_body(&self.buffer[self.used..self.used + left]);
        self.end_netstring(left)
    }

    fn netstring_length(&mut self) -> Step {
        let there = &self.buffer[self.used..];
        // Twelve digits are more than anybody has bytes.
        let head = &there[..there.len().min(13)];
        let digits = head
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(head.len());
        match head.get(digits) {
            None if head.len() < 13 => Step::Empty,
            Some(b':') if digits > 0 => {
                let length = std::str::from_utf8(&head[..digits])
                    .ok()
                    .and_then(|digits| digits.parse().ok());
                self.left = length;
                self.advance(digits + 1);
                Step::More
            }
            _ => {
                self.break_off("a length and a colon were expected, as in 5:hello,");
                Step::Empty
            }
        }
    }

    /// Part of a netstring that is longer than a line may be.
    fn long_netstring(&mut self, left: usize, there: usize, into: &mut Filling) -> Step {
        let piece = left.min(self.most);
        if there < piece || there == left {
            return Step::Empty;
        }
        let is_first = !self.is_long;
        if is_first {
            self.note_long();
        }
        if self.long == LongLine::Split || is_first && self.long == LongLine::Truncate {
            into.events.push_body(&self.buffer[self.used..self.used + piece]);
        }
        if piece == left {
            return self.end_netstring(piece);
        }
        self.advance(piece);
        self.left = Some(left - piece);
        Step::More
    }

    fn end_netstring(&mut self, left: usize) -> Step {
        if self.buffer[self.used + left] != b',' {
            self.advance(left);
            self.break_off("no comma stands behind its last byte");
            return Step::Empty;
        }
        self.advance(left + 1);
        self.position = self.consumed;
        self.left = None;
        self.line += 1;
        self.is_long = false;
        Step::More
    }
}
