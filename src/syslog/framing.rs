//! Where one message ends and the next begins in a stream of bytes.
//!
//! RFC 6587 has two ways: a number and a blank in front of each message, or a line feed behind it; senders do not say
//! which they use. [`Framing::Either`] decides it for each message: a number, a blank and a `<` can be no message.

use memchr::memchr;
use std::ops::Range;

/// Digits that the length of a message may have.
const MOST_DIGITS: usize = 9;

/// How messages are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By line feeds only. What is as long as may be is cut, and what follows is another message.
    Lines,
    /// By their length, or by line feeds. What is longer than may be is cut, and what follows is the rest of it.
    Either,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A message.
    Whole,
    /// The beginning of one that is too long.
    Front,
    /// More of it.
    Rest,
}

/// A message or a piece of one, and how many bytes it has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its bytes.
    pub text: Range<usize>,
    /// The next one begins here.
    pub used: usize,
    /// What it is.
    pub cut: Cut,
}

/// Finds the messages of one stream.
#[derive(Debug, Clone)]
pub struct Framer {
    framing: Framing,
    limit: usize,
    inside: Inside,
    /// Bytes at the start of what is not over in which there is no line feed.
    scanned: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Nothing: a message begins.
    Nothing,
    /// A line that was cut.
    Line,
    /// A message with its length that was cut, of which so many bytes follow.
    Counted(usize),
}

/// What a message begins with.
enum Start {
    Line,
    /// Behind so many bytes, so many bytes.
    Counted(usize, usize),
    /// That cannot be told yet.
    Unknown,
}

impl Framer {
    /// A message may have `limit` bytes.
    pub fn new(framing: Framing, limit: usize) -> Framer {
        Framer {
            framing,
            limit: limit.max(1),
            inside: Inside::Nothing,
            scanned: 0,
        }
    }

    /// Bytes of the longest message.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The first message of `input`, which begins where the last one ended; `None` if it is not over.
    #[inline]
    pub fn next(&mut self, input: &[u8]) -> Option<Frame> {
        match (self.framing, self.inside) {
            (Framing::Lines, _) => self.next_line(input),
            (Framing::Either, Inside::Nothing) => match start(input) {
                Start::Line => self.next_of_either(input),
                Start::Counted(head, length) => self.next_counted(input, head, length),
                Start::Unknown => None,
            },
            (Framing::Either, Inside::Line) => self.next_of_either(input),
            (Framing::Either, Inside::Counted(left)) => self.next_counted(input, 0, left),
        }
    }

    fn line_feed(&mut self, input: &[u8]) -> Option<usize> {
        let from = self.scanned.min(input.len());
        let found = memchr(b'\n', &input[from..]).map(|at| from + at);
        self.scanned = if found.is_some() { 0 } else { input.len() };
        found
    }

    #[inline]
    fn next_line(&mut self, input: &[u8]) -> Option<Frame> {
        let found = self.line_feed(input);
        let end = found.unwrap_or(input.len());
        if end < self.limit {
            return found.map(|end| whole(0..end, end + 1));
        }
        self.scanned = 0;
        Some(Frame {
            text: 0..self.limit,
            used: self.limit,
            cut: Cut::Front,
        })
    }

    #[inline]
    fn next_of_either(&mut self, input: &[u8]) -> Option<Frame> {
        let found = self.line_feed(input);
        let end = found.unwrap_or(input.len());
        let is_rest = self.inside == Inside::Line;
        if end > self.limit {
            self.inside = Inside::Line;
            self.scanned = 0;
            return Some(self.piece(0, self.limit, self.limit, is_rest));
        }
        let end = found?;
        self.inside = Inside::Nothing;
        Some(match is_rest {
            true => self.piece(0, end, end + 1, true),
            false => whole(0..end, end + 1),
        })
    }

    fn next_counted(&mut self, input: &[u8], head: usize, length: usize) -> Option<Frame> {
        self.scanned = 0;
        let is_rest = matches!(self.inside, Inside::Counted(_));
        let now = length.min(self.limit);
        if input.len() < head + now {
            return None;
        }
        let used = head + now;
        let left = length - now;
        self.inside = match left {
            0 => Inside::Nothing,
            _ => Inside::Counted(left),
        };
        Some(match is_rest || left > 0 {
            true => self.piece(head, used, used, is_rest),
            false => whole(head..used, used),
        })
    }

    fn piece(&self, start: usize, end: usize, used: usize, is_rest: bool) -> Frame {
        Frame {
            text: start..end,
            used,
            cut: if is_rest { Cut::Rest } else { Cut::Front },
        }
    }

    /// What is left when nothing more comes: a line without its end, or a part of a message that said that it is longer.
    pub fn last(&mut self, input: &[u8]) -> Option<Frame> {
        if input.is_empty() {
            return None;
        }
        let (from, cut) = match (self.framing, self.inside) {
            (Framing::Either, Inside::Line | Inside::Counted(_)) => (0, Cut::Rest),
            (Framing::Either, Inside::Nothing) => match start(input) {
                Start::Counted(head, _) => (head.min(input.len()), Cut::Front),
                Start::Line | Start::Unknown => (0, Cut::Whole),
            },
            (Framing::Lines, _) => (0, Cut::Whole),
        };
        self.inside = Inside::Nothing;
        self.scanned = 0;
        Some(Frame {
            text: from..input.len(),
            used: input.len(),
            cut,
        })
    }

    /// What comes now is the rest of a message.
    pub fn is_inside(&self) -> bool {
        self.inside != Inside::Nothing
    }
}

fn whole(text: Range<usize>, used: usize) -> Frame {
    Frame {
        text,
        used,
        cut: Cut::Whole,
    }
}

/// A number, a blank and `<`: a message with its length.
#[inline]
fn start(input: &[u8]) -> Start {
    match input.first() {
        None => return Start::Unknown,
        Some(b'1'..=b'9') => {}
        Some(_) => return Start::Line,
    }
    let mut length = 0;
    for (at, byte) in input.iter().enumerate().take(MOST_DIGITS + 1) {
        match byte {
            b'0'..=b'9' => length = length * 10 + usize::from(byte - b'0'),
            b' ' => {
                return match input.get(at + 1) {
                    None => Start::Unknown,
                    Some(b'<') => Start::Counted(at + 1, length),
                    Some(_) => Start::Line,
                };
            }
            _ => return Start::Line,
        }
    }
    match input.len() > MOST_DIGITS {
        true => Start::Line,
        false => Start::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All messages, `|` between them; what follows of a long one is marked.
    fn frames(framing: Framing, limit: usize, input: &[u8], chunk: usize) -> Vec<String> {
        let mut framer = Framer::new(framing, limit);
        let (mut buffer, mut out) = (Vec::new(), Vec::new());
        let mut put = |frame: &Frame, buffer: &mut Vec<u8>| {
            let text = String::from_utf8_lossy(&buffer[frame.text.clone()]).into_owned();
            out.push(match frame.cut {
                Cut::Whole => text,
                Cut::Front => format!("{text}+"),
                Cut::Rest => format!("+{text}"),
            });
            buffer.drain(..frame.used);
        };
        for part in input.chunks(chunk) {
            buffer.extend_from_slice(part);
            while let Some(frame) = framer.next(&buffer) {
                put(&frame, &mut buffer);
            }
        }
        if let Some(frame) = framer.last(&buffer) {
            put(&frame, &mut buffer);
        }
        out
    }

    fn check(framing: Framing, limit: usize, input: &str, expected: &[&str]) {
        for chunk in 1..=input.len() {
            let found = frames(framing, limit, input.as_bytes(), chunk);
            assert_eq!(found, expected, "{input:?} in chunks of {chunk}");
        }
    }

    #[test]
    fn each_message_says_for_itself_how_it_ends() {
        check(
            Framing::Either,
            100,
            "<1>one\n7 <1>\ntwo<1>three\n9 lives\n123456789012 <x\n",
            &["<1>one", "<1>\ntwo", "<1>three", "9 lives", "123456789012 <x"],
        );
        check(Framing::Either, 100, "6 <1>one6 <1>two", &["<1>one", "<1>two"]);
        check(Framing::Either, 100, "\n\n<1>a\n", &["", "", "<1>a"]);
        check(Framing::Either, 100, "<1>no end", &["<1>no end"]);
        check(Framing::Either, 100, "20 <1>cut", &["<1>cut+"]);
        check(Framing::Either, 100, "20 ", &["20 "]);
        check(Framing::Lines, 100, "6 <1>one\n<1>two", &["6 <1>one", "<1>two"]);
    }

    #[test]
    fn message_that_is_too_long_comes_in_pieces() {
        check(
            Framing::Either,
            4,
            "<1>a\n<1>abcdefghij\n<1>b\n",
            &["<1>a", "<1>a+", "+bcde", "+fghi", "+j", "<1>b"],
        );
        check(
            Framing::Either,
            4,
            "4 <1>a9 <1>a\n<1>bx<1>b\n",
            &["<1>a", "<1>a+", "+\n<1>", "+b", "x<1>+", "+b"],
        );
        check(
            Framing::Lines,
            4,
            "abc\nabcd\nabcdefgh\n",
            &["abc", "abcd+", "", "abcd+", "efgh+", ""],
        );
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in(
            texts in proptest::collection::vec("[a-z<>0-9 ]{0,30}", 0..20),
            counted: u32,
            chunk in 1usize..50,
        ) {
            let mut input = Vec::new();
            let mut expected = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                let text = format!("<13>{text}");
                match counted >> index & 1 {
                    1 => input.extend(format!("{} {text}", text.len()).bytes()),
                    _ => input.extend(format!("{text}\n").bytes()),
                }
                expected.push(text);
            }
            prop_assert_eq!(frames(Framing::Either, 100, &input, chunk), expected);
        }

        #[test]
        fn no_byte_of_a_line_is_lost(input: Vec<u8>, limit in 1usize..9, chunk in 1usize..40) {
            for framing in [Framing::Either, Framing::Lines] {
                let mut framer = Framer::new(framing, limit);
                let (mut buffer, mut found) = (Vec::new(), 0);
                for part in input.chunks(chunk) {
                    buffer.extend_from_slice(part);
                    while let Some(frame) = framer.next(&buffer) {
                        prop_assert!(frame.text.len() <= limit && frame.text.end <= frame.used);
                        prop_assert!(frame.used > 0 && frame.used <= buffer.len());
                        found += frame.text.len();
                        buffer.drain(..frame.used);
                    }
                    prop_assert!(buffer.len() <= limit + MOST_DIGITS + 2);
                }
                found += framer.last(&buffer).map_or(0, |frame| frame.text.len());
                let line_feeds = input.iter().filter(|byte| **byte == b'\n').count();
                if framing == Framing::Lines {
                    prop_assert_eq!(found, input.len() - line_feeds);
                }
            }
        }
    }
}
