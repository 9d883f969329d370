//! An array of events: what stands between brackets, braces, colons and commas.

use crate::charset::Charset;
use crate::event::{Batch, BatchBuilder};
use std::borrow::Cow;

/// Objects and arrays inside each other, where they are passed over.
const DEEPEST: u32 = 64;

/// Where reading is.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Counted from 1 once there is one.
    event: u32,
}

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl<'a> Parser<'a> {
    /// At the beginning of this.
    pub(super) fn new(text: &'a str) -> Parser<'a> {
        Parser {
            text,
            at: 0,
            event: 0,
        }
    }

    /// A sentence about what is wrong, and where.
    pub(super) fn place(&self, what: &str) -> String {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        match self.event {
            0 => format!("line {line}, column {column}: {what}"),
            event => format!("line {line}, column {column}, in event {event}: {what}"),
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What is there, for a message.
    fn found(&self) -> String {
        match self.rest().chars().next() {
            None => "the end of the body".into(),
            Some(found) => format!("{found:?}"),
        }
    }

    pub(super) fn expected(&self, what: &str) -> String {
        format!("{} instead of {what}", self.found())
    }

    /// Pass over blanks and comments.
    fn skip(&mut self) -> Result<(), String> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b'\x0c') => self.at += 1,
                Some(b'#') => self.skip_line(),
                Some(b'/') => {
                    let rest = self.rest();
                    match (rest.starts_with("//"), rest.strip_prefix("/*")) {
                        (true, _) => self.skip_line(),
                        (_, Some(inside)) => {
                            let end = inside.find("*/").ok_or("a comment has no end")?;
                            self.at += end + 4;
                        }
                        _ => return Err(self.expected("a comment")),
                    }
                }
                // A byte order mark at the very beginning.
                Some(0xef) if self.at == 0 && self.rest().starts_with('\u{feff}') => self.at = 3,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// Take this byte if it is next, behind what is passed over.
    fn take(&mut self, byte: u8) -> Result<bool, String> {
        self.skip()?;
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        Ok(is_it)
    }

    /// All of it: the events.
    pub(super) fn array(&mut self, charset: Charset) -> Result<Batch, String> {
        let mut events = BatchBuilder::with_room(self.text.len());
        let mut headers = Pairs::new();
        if !self.take(b'[')? {
            return Err(self.expected("[, which begins an array of events"));
        }
        if !self.take(b']')? {
            loop {
                self.event += 1;
                let body = self.event(&mut headers)?;
                let body = charset.encode(&body);
                let pairs = headers
                    .iter()
                    .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
                events.push(pairs, &body);
                if self.take(b']')? {
                    break;
                }
                if !self.take(b',')? {
                    return Err(self.expected(", or ] behind an event"));
                }
            }
        }
        self.event = 0;
        self.skip()?;
        match self.peek() {
            None => Ok(events.finish()),
            Some(_) => Err(self.expected("the end of the body behind the array")),
        }
    }

    /// One event: its headers, and its body.
    fn event(&mut self, headers: &mut Pairs<'a>) -> Result<Cow<'a, str>, String> {
        headers.clear();
        let mut body = Cow::Borrowed("");
        if !self.take(b'{')? {
            return Err(self.expected("{, which begins an event"));
        }
        self.members(|parser, name| {
            match &*name {
                "headers" => parser.headers(headers)?,
                "body" => body = parser.text_of("the body")?.unwrap_or_default(),
                _ => parser.pass(0)?,
            }
            Ok(())
        })?;
        Ok(body)
    }

    fn headers(&mut self, headers: &mut Pairs<'a>) -> Result<(), String> {
        headers.clear();
        if self.is_null()? {
            return Ok(());
        }
        if !self.take(b'{')? {
            return Err(self.expected("{, which begins the headers"));
        }
        self.members(|parser, name| {
            let Some(value) = parser.text_of("a header's value")? else {
                return Ok(());
            };
            match headers.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => headers.push((name, value)),
            }
            Ok(())
        })
    }

    /// The members of an object whose brace is taken, each behind its colon.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.take(b'}')? {
            return Ok(());
        }
        loop {
            self.skip()?;
            let name = self.text("a name")?;
            if !(self.take(b':')? || self.take(b'=')?) {
                return Err(self.expected(": behind a name"));
            }
            self.skip()?;
            member(self, name)?;
            if self.take(b'}')? {
                return Ok(());
            }
            if !self.take(b',')? {
                return Err(self.expected(", or } behind a member"));
            }
        }
    }

    fn is_null(&mut self) -> Result<bool, String> {
        self.skip()?;
        let bare = self.bare();
        let is_null = bare == "null";
        self.at += if is_null { bare.len() } else { 0 };
        Ok(is_null)
    }

    /// A text, or nothing for null.
    fn text_of(&mut self, what: &str) -> Result<Option<Cow<'a, str>>, String> {
        if self.is_null()? {
            return Ok(None);
        }
        match self.peek() {
            Some(b'{' | b'[') => Err(self.expected(&format!("a text, which {what} has to be"))),
            _ => self.text(what).map(Some),
        }
    }

    /// Pass over a value of any kind.
    fn pass(&mut self, depth: u32) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!(
                "values stand inside each other more than {DEEPEST} times"
            ));
        }
        self.skip()?;
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.members(|parser, _| parser.pass(depth + 1))
            }
            Some(b'[') => {
                self.at += 1;
                if self.take(b']')? {
                    return Ok(());
                }
                loop {
                    self.pass(depth + 1)?;
                    if self.take(b']')? {
                        return Ok(());
                    }
                    if !self.take(b',')? {
                        return Err(self.expected(", or ] behind a value"));
                    }
                }
            }
            _ => self.text("a value").map(drop),
        }
    }
}
