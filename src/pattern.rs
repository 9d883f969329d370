//! Regular expressions as Java reads them, on the engine of the `regex` crate.
//!
//! `java` reads the pattern and refuses what would mean something else. This file runs it: on bytes, which
//! need not be UTF-8. As Java does when it decodes, a byte that belongs to no character counts as one
//! character U+FFFD; positions are those of the bytes as they came, so what is captured is never changed.
//!
//! # What decides the speed
//!
//! An event costs one search. Log patterns match at the start of the line: that is tried first, since an
//! anchored search gives the groups in one pass where an unanchored one needs three. Most of them need no
//! going back either, and run as plain `steps`; the others on the engine below `regex`, with its working
//! memory in the pattern and not in a pool.

mod java;
mod steps;

use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input};
use std::ops::Range;
use std::str::FromStr;
use steps::Steps;

/// Bytes that a compiled pattern may take.
const SIZE_LIMIT: usize = 10 << 20;
/// How often the try at the start may fail more often than succeed before it is given up.
const START_TRIES: i32 = 32;

/// Why a pattern cannot be used: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl PatternError {
    /// A construct at a character, counted from 0 here and from 1 in the message, and what would be right.
    fn new(what: &str, at: usize, instead: &str) -> Self {
        PatternError(format!(
            "{what} at character {} cannot be used; {instead}",
            at + 1
        ))
    }

    fn not_compiled(error: &regex_automata::meta::BuildError) -> Self {
        let why = match (error.size_limit(), error.syntax_error()) {
            (Some(limit), _) => format!("it would take more than {} MiB; repeat less often", limit >> 20),
            (None, Some(syntax)) => last_line(&syntax.to_string()),
            (None, None) => last_line(&error.to_string()),
        };
        PatternError(format!("the pattern does not compile: {why}"))
    }
}

/// The sentence of a message that draws the pattern first.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_string()
}

/// A compiled pattern and the memory that it works in. A clone has its own.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    regex: Regex,
    cache: Cache,
    /// Starts and ends of the groups of the last match, in the text that was searched.
    slots: Vec<Option<NonMaxUsize>>,
    /// Spare of the same length.
    spare: Vec<Option<NonMaxUsize>>,
    /// `$` stands before a final line end, too.
    ends: bool,
    /// Whether the try at the start pays; see the module.
    start_tries: i32,
    /// The same pattern for texts of ASCII, where it needs no going back.
    steps: Option<Steps>,
    mended: Mended,
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(source: &str) -> Result<Self, PatternError> {
        Pattern::compile(source, |pattern| pattern)
    }
}

impl Pattern {
    /// A pattern that must match a whole text, as Java's `matches`.
    pub fn whole(source: &str) -> Result<Self, PatternError> {
        let mut pattern = Pattern::compile(source, |pattern| format!(r"\A(?:{pattern})\z"))?;
        // A `$` in front of a final line end leaves that over.
        pattern.ends = false;
        Ok(pattern)
    }

    fn compile(source: &str, wrap: impl FnOnce(String) -> String) -> Result<Self, PatternError> {
        let translated = java::translate(source)?;
        let wrapped = wrap(translated.text);
        let config = Config::new().nfa_size_limit(Some(SIZE_LIMIT));
        let built = Regex::builder().configure(config).build(&wrapped);
        let regex = built.map_err(|error| PatternError::not_compiled(&error))?;
        let slots = vec![None; regex.group_info().slot_len()];
        Ok(Pattern {
            source: source.to_string(),
            cache: regex.create_cache(),
            regex,
            spare: slots.clone(),
            slots,
            ends: translated.ends,
            start_tries: START_TRIES,
            steps: Steps::of(&wrapped),
            mended: Mended::default(),
        })
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Groups, without group 0, which is the whole match.
    pub fn group_count(&self) -> usize {
        self.slots.len() / 2 - 1
    }

    /// The named groups, in order.
    pub fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        let names = self
            .regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO);
        names.enumerate().filter_map(|(group, name)| Some((group, name?)))
    }

    /// Does the pattern match anywhere in the text?
    pub fn is_match(&mut self, text: &[u8]) -> bool {
        if self.ends && final_line_end(text).is_some() {
            return self.find(text);
        }
        match std::str::from_utf8(text) {
            Ok(_) => self
                .regex
                .search_half_with(&mut self.cache, &Input::new(text).earliest(true))
                .is_some(),
            Err(_) => self.find(text),
        }
    }

    /// Find the first match: its groups are those of [`Pattern::group`] from then on.
    #[inline]
    pub fn find(&mut self, text: &[u8]) -> bool {
        let is_ascii = text.is_ascii();
        if is_ascii || std::str::from_utf8(text).is_ok() {
            self.mended.clear();
            return self.search(text, 0, is_ascii);
        }
        let mut mended = std::mem::take(&mut self.mended);
        mended.mend(text);
        let found = self.search(mended.text.as_bytes(), 0, false);
        self.mended = mended;
        found
    }

    /// Where a group of the last match lies in its text; `None` if it took no part.
    #[inline]
    pub fn group(&self, group: usize) -> Option<Range<usize>> {
        let (start, end) = (self.slots[2 * group]?.get(), self.slots[2 * group + 1]?.get());
        match self.mended.is_clear() {
            true => Some(start..end),
            false => Some(self.mended.origin(start)..self.mended.origin(end)),
        }
    }

    /// Find the first match at or after `from` in a text that is UTF-8, and fill the slots. Steps are for what is
    /// known to be ASCII.
    #[inline]
    fn search(&mut self, text: &[u8], from: usize, is_ascii: bool) -> bool {
        match self.ends.then(|| final_line_end(text)).flatten() {
            Some(cut) if cut >= from => self.search_both_ends(text, cut, from, is_ascii),
            _ => self.search_in(text, from, is_ascii),
        }
    }

    #[inline]
    fn search_in(&mut self, text: &[u8], from: usize, is_ascii: bool) -> bool {
        if from == 0
            && is_ascii
            && let Some(steps) = &self.steps
        {
            if steps.matches(text, &mut self.slots) {
                return true;
            }
            if steps.anchored {
                return false;
            }
        }
        self.search_by_crate(text, from)
    }

    fn search_by_crate(&mut self, text: &[u8], from: usize) -> bool {
        let input = Input::new(text).span(from..text.len());
        if from == 0 && self.start_tries > 0 {
            let anchored = input.clone().anchored(Anchored::Yes);
            if self
                .regex
                .search_slots_with(&mut self.cache, &anchored, &mut self.slots)
                .is_some()
            {
                self.start_tries = (self.start_tries + 1).min(2 * START_TRIES);
                return true;
            }
            self.start_tries -= 1;
        }
        self.regex
            .search_slots_with(&mut self.cache, &input, &mut self.slots)
            .is_some()
    }

    /// The text ends with a line end, and `$` may stand on either side of it: the leftmost match of both
    /// counts, and of two at one place the one in the whole text, which is what a greedy pattern takes.
    fn search_both_ends(&mut self, text: &[u8], cut: usize, from: usize, is_ascii: bool) -> bool {
        let before = self.search_in(&text[..cut], from, is_ascii);
        std::mem::swap(&mut self.slots, &mut self.spare);
        let whole = self.search_in(text, from, is_ascii);
        if before && (!whole || self.spare[0] < self.slots[0]) {
            std::mem::swap(&mut self.slots, &mut self.spare);
        }
        before || whole
    }

    /// Put `template` in the place of every match, as Java's `replaceAll`; false if there is none. What is
    /// around the matches stays as it came.
    pub fn replace_all(&mut self, text: &[u8], template: &Template, out: &mut Vec<u8>) -> bool {
        let mut mended = std::mem::take(&mut self.mended);
        mended.clear();
        if std::str::from_utf8(text).is_err() {
            mended.mend(text);
        }
        let searched = if mended.is_clear() {
            text
        } else {
            mended.text.as_bytes()
        };
        let (mut copied, mut from, mut found) = (0, 0, false);
        while from <= searched.len() && self.search(searched, from, false) {
            found = true;
            let slot = |slot: usize| self.slots[slot].map(|at| at.get());
            let (Some(start), Some(end)) = (slot(0), slot(1)) else {
                break;
            };
            out.extend_from_slice(&text[copied..mended.origin(start)]);
            for piece in &template.0 {
                match piece {
                    Piece::Text(piece) => out.extend_from_slice(piece.as_bytes()),
                    Piece::Group(group) => {
                        if let (Some(start), Some(end)) = (slot(2 * group), slot(2 * group + 1)) {
                            out.extend_from_slice(&text[mended.origin(start)..mended.origin(end)]);
                        }
                    }
                }
            }
            copied = mended.origin(end);
            from = match start == end {
                true => next_character(searched, end),
                false => end,
            };
        }
        if found {
            out.extend_from_slice(&text[copied..]);
        }
        self.mended = Mended::default();
        found
    }
}

impl Pattern {
    /// The pieces between the matches, as Java's `split`: empty ones at the end are left out.
    pub fn split<'t>(&mut self, text: &'t str) -> Vec<&'t str> {
        let (mut pieces, mut piece, mut from) = (Vec::new(), 0, 0);
        self.mended.clear();
        while from <= text.len() && self.search(text.as_bytes(), from, false) {
            let Some(Range { start, end }) = self.group(0) else {
                break;
            };
            if end > 0 && start < text.len() {
                pieces.push(&text[piece..start]);
                piece = end;
            }
            from = match start == end {
                true => next_character(text.as_bytes(), end),
                false => end,
            };
        }
        pieces.push(&text[piece..]);
        while pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.is_empty()) {
            pieces.pop();
        }
        pieces
    }
}

/// Where the character after the one at `at` begins.
fn next_character(text: &[u8], at: usize) -> usize {
    let rest = text.get(at + 1..).unwrap_or_default();
    at + 1 + rest.iter().take_while(|byte| **byte & 0xC0 == 0x80).count()
}

/// Where the line end begins that the text ends with, as Java knows line ends.
fn final_line_end(text: &[u8]) -> Option<usize> {
    let length = match text {
        [.., b'\r', b'\n'] | [.., 0xC2, 0x85] => 2,
        [.., b'\r' | b'\n'] => 1,
        [.., 0xE2, 0x80, 0xA8 | 0xA9] => 3,
        _ => return None,
    };
    Some(text.len() - length)
}

/// A text in which U+FFFD stands for what is not UTF-8, and where each piece of it came from. Without pieces
/// it stands for a text that needed no mending.
#[derive(Clone, Debug, Default)]
struct Mended {
    text: String,
    /// Where a piece begins here, and where in the bytes as they came.
    pieces: Vec<(usize, usize)>,
}

impl Mended {
    fn clear(&mut self) {
        self.pieces.clear();
    }

    fn is_clear(&self) -> bool {
        self.pieces.is_empty()
    }

    fn mend(&mut self, bytes: &[u8]) {
        self.text.clear();
        self.pieces.clear();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            self.pieces.push((self.text.len(), at));
            self.text.push_str(chunk.valid());
            at += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                self.pieces.push((self.text.len(), at));
                self.text.push(char::REPLACEMENT_CHARACTER);
                at += chunk.invalid().len();
            }
        }
        self.pieces.push((self.text.len(), at));
    }

    /// The place in the bytes as they came.
    fn origin(&self, at: usize) -> usize {
        match self
            .pieces
            .partition_point(|(start, _)| *start <= at)
            .checked_sub(1)
        {
            None => at,
            Some(piece) => {
                let (here, there) = self.pieces[piece];
                there + (at - here)
            }
        }
    }
}

/// What is put in the place of a match, in Java's words: `$1` and `${name}` are groups, a backslash takes the
/// next character as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Template {
    /// Read a template for a pattern. The error is a sentence.
    pub fn new(text: &str, pattern: &Pattern) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let group = match c {
                '\\' => {
                    let next = chars.next();
                    let next =
                        next.ok_or("a backslash at the end takes no character; write \"\\\\\" for itself");
                    literal.push(next?);
                    continue;
                }
                '$' if chars.peek() == Some(&'{') => named_group(&mut chars, pattern)?,
                '$' => numbered_group(&mut chars, pattern)?,
                c => {
                    literal.push(c);
                    continue;
                }
            };
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Group(group));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Template(pieces))
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Behind the `$` of `${name}`.
fn named_group(chars: &mut Chars<'_>, pattern: &Pattern) -> Result<usize, String> {
    let name: String = chars.skip(1).take_while(|c| *c != '}').collect();
    let found = pattern
        .names()
        .find(|(_, own)| *own == name)
        .map(|(group, _)| group);
    found.ok_or_else(|| format!("${{{name}}} names no group of the pattern {}", pattern.source()))
}

/// Behind the `$` of `$1`: as many digits as still make the number of a group, the first in any case.
fn numbered_group(chars: &mut Chars<'_>, pattern: &Pattern) -> Result<usize, String> {
    let digit = |chars: &mut Chars<'_>| {
        chars
            .peek()
            .and_then(|c| c.to_digit(10))
            .map(|digit| digit as usize)
    };
    let Some(mut group) = digit(chars) else {
        return Err("\"$\" is followed by no group; write \"\\$\" for itself".into());
    };
    chars.next();
    while let Some(digit) = digit(chars) {
        let longer = group * 10 + digit;
        if longer > pattern.group_count() {
            break;
        }
        group = longer;
        chars.next();
    }
    match group <= pattern.group_count() {
        true => Ok(group),
        false => Err(format!(
            "${group} is no group: the pattern {} has {}",
            pattern.source(),
            pattern.group_count()
        )),
    }
}

#[cfg(test)]
mod tests;
