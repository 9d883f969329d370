//! A block of a file to events: lines, or several lines that belong together. Nothing is copied here.

use super::super::lines::{LongLine, whole_characters};
use crate::pattern::Pattern;

/// What stands at the beginning of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// An event of so many bytes; with what ends it so many are done with.
    Event(usize, usize),
    /// The first part of one that is too long: so many bytes of it. What follows is looked at by itself.
    Piece(usize),
    /// The end is not in the block.
    Open,
}

/// How to cut.
#[derive(Debug, Clone)]
pub struct Cut {
    /// What the first line of an event matches, where events have several lines.
    pub start: Option<Pattern>,
    /// Bytes of an event at most.
    pub most: usize,
    /// What becomes of a longer one.
    pub long: LongLine,
}

impl Cut {
    /// What stands at the beginning of these bytes of a file.
    #[inline]
    pub fn first(&mut self, bytes: &[u8]) -> Found {
        let end = match &mut self.start {
            None => memchr::memchr(b'\n', bytes),
            Some(start) => end_of_lines(start, bytes),
        };
        match end {
            Some(at) => {
                let length = without_cr(&bytes[..at]);
                match length <= self.most {
                    true => Found::Event(length, at + 1),
                    false => Found::Piece(whole_characters(bytes, self.most)),
                }
            }
            // One more, for the CR that may belong to the end.
            None if bytes.len() > self.most + 1 => Found::Piece(whole_characters(bytes, self.most)),
            None => Found::Open,
        }
    }

    /// Bytes up to where whole lines reach, of a block without the end of an event: those of an event that was
    /// complete for a while.
    pub fn whole_lines(&self, bytes: &[u8]) -> usize {
        match self.start {
            None => 0,
            Some(_) => memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1),
        }
    }
}

/// The body of lines whose last end may be there or not.
pub fn body(lines: &[u8]) -> &[u8] {
    lines
        .strip_suffix(b"\n")
        .map_or(lines, |lines| &lines[..without_cr(lines)])
}

#[inline]
fn without_cr(line: &[u8]) -> usize {
    line.len() - usize::from(line.last() == Some(&b'\r'))
}

/// Where the line ends behind which the next event starts.
fn end_of_lines(start: &mut Pattern, bytes: &[u8]) -> Option<usize> {
    let mut last = memchr::memchr(b'\n', bytes)?;
    loop {
        let next = last + 1;
        let end = next + memchr::memchr(b'\n', &bytes[next..])?;
        if start.is_match(&bytes[next..next + without_cr(&bytes[next..end])]) {
            return Some(last);
        }
        last = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(start: Option<&str>, most: usize) -> Cut {
        Cut {
            start: start.map(|pattern| pattern.parse().unwrap()),
            most,
            long: LongLine::Split,
        }
    }

    /// Events of a text that grows by a byte at a time, and what is left.
    fn events(cut: &mut Cut, text: &str) -> (Vec<String>, String) {
        let (mut all, mut at) = (Vec::new(), 0);
        for end in 1..=text.len() {
            loop {
                let bytes = &text.as_bytes()[at..end];
                let (length, used) = match cut.first(bytes) {
                    Found::Event(length, used) => (length, used),
                    Found::Piece(length) => (length, length),
                    Found::Open => break,
                };
                all.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
                at += used;
            }
        }
        (all, text[at..].to_string())
    }

    #[test]
    fn lines_end_with_lf_and_a_cr_before_it_is_no_part_of_them() {
        let (all, left) = events(&mut cut(None, 100), "one\r\n\ntwo\rtoo\nthree");
        assert_eq!(all, ["one", "", "two\rtoo"]);
        assert_eq!(left, "three");
    }

    #[test]
    fn event_of_several_lines_ends_where_the_next_one_starts() {
        let mut cut = cut(Some(r"^\d+ "), 1000);
        let (all, left) = events(
            &mut cut,
            "  in the middle\n1 one\n\tat a\r\n\tat b\r\n2 two\n3 three\n\tat c\n4",
        );
        assert_eq!(all, ["  in the middle", "1 one\n\tat a\r\n\tat b", "2 two"]);
        assert_eq!(left, "3 three\n\tat c\n4");
        assert_eq!(cut.whole_lines(left.as_bytes()), left.len() - 1);
        assert_eq!(body(b"3 three\n\tat c\r\n"), b"3 three\n\tat c");
        assert_eq!(body(b"half\r"), b"half\r");
    }

    #[test]
    fn long_line_is_cut_at_the_border_of_a_character() {
        let (all, left) = events(&mut cut(None, 4), "12345678\n1234\r\nabc\u{e9}56\n12");
        assert_eq!(all, ["1234", "5678", "1234", "abc", "\u{e9}56"]);
        assert_eq!(left, "12");
    }

    #[test]
    fn what_is_cut_does_not_depend_on_how_much_is_seen_at_once() {
        let text = "a\r\nbb\nccccccc\r\n\r\n\ndddd\n";
        for most in 1..12 {
            let mut cut = cut(None, most);
            let (all, _) = events(&mut cut, text);
            let (mut whole, mut at) = (Vec::new(), 0);
            loop {
                let bytes = &text.as_bytes()[at..];
                let (length, used) = match cut.first(bytes) {
                    Found::Event(length, used) => (length, used),
                    Found::Piece(length) => (length, length),
                    Found::Open => break,
                };
                whole.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
                at += used;
            }
            assert_eq!(whole, all, "{most}");
        }
    }
}
