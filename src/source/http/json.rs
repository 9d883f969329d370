//! An array of events in JSON, as lenient as Flume's `JSONHandler` reads it.
//!
//! `[{"headers": {"name": "value"}, "body": "text"}]`: both members may be missing, others are passed over. Beyond
//! JSON there may be comments, single quotes, and names and texts without quotes; numbers and truth values are
//! taken as they are written. Bodies are encoded in the character set that the request came in.

use super::bodies;
use super::handler::{Handler, HandlerError, Post};
use crate::charset::{Charset, DecodeErrorPolicy};
use crate::event::{Batch, BatchBuilder};
use std::borrow::Cow;

/// Objects and arrays inside each other, where they are passed over.
const DEEPEST: u32 = 64;

/// See the module. What says that it is NDJSON, or our event stream, is read so.
pub struct Json;

impl Handler for Json {
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError> {
        match post.media_type().as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                return bodies::Lines.events(post);
            }
            "application/x-flume-stream" => return bodies::Frames.events(post),
            _ => {}
        }
        let name = post.charset().unwrap_or("UTF-8");
        let charset = charset(name)?;
        let text = charset
            .decode(post.body, DecodeErrorPolicy::Fail)
            .map_err(|why| HandlerError::Bad(format!("the body cannot be read: {why}")))?;
        read(&text, charset).map_err(HandlerError::Bad)
    }
}

/// Those that Flume takes.
fn charset(name: &str) -> Result<Charset, HandlerError> {
    let known = ["UTF-8", "UTF-16", "UTF-32"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    let charset = name.parse().ok().filter(|_| known);
    charset.ok_or_else(|| {
        HandlerError::Unsupported(format!(
            "the charset \"{name}\" is not taken; there are UTF-8, UTF-16 and UTF-32"
        ))
    })
}

/// The events of an array.
fn read(text: &str, charset: Charset) -> Result<Batch, String> {
    let mut parser = Parser {
        text,
        at: 0,
        event: 0,
    };
    parser.array(charset).map_err(|what| parser.place(&what))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Counted from 1 once there is one.
    event: u32,
}

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl<'a> Parser<'a> {
    /// A sentence about what is wrong, and where.
    fn place(&self, what: &str) -> String {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        match self.event {
            0 => format!("line {line}, column {column}: {what}"),
            event => format!("line {line}, column {column}, in event {event}: {what}"),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What is there, for a message.
    fn found(&self) -> String {
        match self.rest().chars().next() {
            None => "the end of the body".into(),
            Some(found) => format!("{found:?}"),
        }
    }

    fn expected(&self, what: &str) -> String {
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

    fn array(&mut self, charset: Charset) -> Result<Batch, String> {
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

    /// A text with quotes of either kind, or without any.
    fn text(&mut self, what: &str) -> Result<Cow<'a, str>, String> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote),
            _ => {
                let bare = self.bare();
                if bare.is_empty() {
                    return Err(self.expected(what));
                }
                self.at += bare.len();
                Ok(Cow::Borrowed(bare))
            }
        }
    }

    /// What stands here without quotes: empty if there is nothing of that kind.
    fn bare(&self) -> &'a str {
        let rest = self.rest();
        let ends = |byte: u8| byte <= b' ' || b"{}[]:,;=#/\\\"'".contains(&byte);
        let end = rest.bytes().position(ends).unwrap_or(rest.len());
        &rest[..end]
    }

    fn quoted(&mut self, quote: u8) -> Result<Cow<'a, str>, String> {
        let (text, begin) = (self.text, self.at + 1);
        let mut out = String::new();
        let mut from = begin;
        loop {
            let Some(found) = memchr::memchr2(quote, b'\\', &text.as_bytes()[from..]) else {
                self.at = begin - 1;
                return Err("a text has no end".into());
            };
            let at = from + found;
            if text.as_bytes()[at] == quote {
                self.at = at + 1;
                if out.is_empty() {
                    return Ok(Cow::Borrowed(&text[from..at]));
                }
                out.push_str(&text[from..at]);
                return Ok(Cow::Owned(out));
            }
            out.push_str(&text[from..at]);
            self.at = at;
            out.push(self.escape()?);
            from = self.at;
        }
    }

    /// The character that an escape stands for; its backslash is next.
    fn escape(&mut self) -> Result<char, String> {
        let escaped = self.rest().chars().nth(1).ok_or("a text has no end")?;
        let plain = match escaped {
            'u' => return self.unicode(),
            't' => '\t',
            'b' => '\u{8}',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            '\n' | '\'' | '"' | '\\' | '/' => escaped,
            _ => return Err(format!("\\{escaped} is no escape")),
        };
        self.at += 1 + escaped.len_utf8();
        Ok(plain)
    }

    /// `\uHHHH`, or two of them for a character beyond the first plane.
    fn unicode(&mut self) -> Result<char, String> {
        let unit = |text: &str| {
            let digits = text.strip_prefix("\\u")?.get(..4)?;
            let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u16::from_str_radix(digits, 16).ok().filter(|_| all)
        };
        let first = unit(self.rest()).ok_or("\\u is not followed by four hexadecimal digits")?;
        let second = self.rest().get(6..).and_then(unit);
        let units = [Some(first), second].into_iter().flatten();
        match char::decode_utf16(units).next() {
            Some(Ok(found)) => {
                self.at += 6 * found.len_utf16();
                Ok(found)
            }
            _ => Err(format!(
                "\\u{first:04x} is half of a character, and the other half does not follow"
            )),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use proptest::prelude::*;

    fn events(body: &[u8], content_type: &str) -> Result<Vec<Event>, HandlerError> {
        let post = Post {
            path: "/",
            query: None,
            content_type: Some(content_type),
            body,
        };
        let batch = Json.events(&post)?;
        Ok(batch.events().map(|event| event.unwrap().to_event()).collect())
    }

    fn read(text: &str) -> Vec<Event> {
        events(text.as_bytes(), "application/json").unwrap()
    }

    fn fault(text: &str) -> String {
        events(text.as_bytes(), "application/json")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn array_of_events_is_read() {
        let text =
            r#"[{"headers": {"k": "v", "n": "\u00e4\ud83d\ude00\n"}, "body": "a \"b\""}, {}, {"body":"x"}]"#;
        let first = Event::new("a \"b\"")
            .with_header("k", "v")
            .with_header("n", "\u{e4}\u{1f600}\n");
        assert_eq!(read(text), [first, Event::default(), Event::new("x")]);
        assert_eq!(read(" [ ] "), []);
    }

    #[test]
    fn what_is_not_quite_json_is_read_as_flume_does() {
        let text = "\u{feff}/* one */ [{headers: {'a': 1.50, b: true, c: null, 'a': 2}, 'body' = 12e3, more: [1, {x: []}]}, // two\n\
                    {body: null, headers: null} # three\n]";
        let first = Event::new("12e3").with_header("a", "2").with_header("b", "true");
        assert_eq!(read(text), [first, Event::default()]);
    }

    #[test]
    fn mistake_is_told_with_its_place() {
        for (text, expected) in [
            ("", "line 1, column 1: the end of the body instead of ["),
            ("null", "line 1, column 1: 'n' instead of ["),
            (
                "{\"body\":\"x\"}",
                "line 1, column 1: '{' instead of [, which begins an array",
            ),
            (
                "[{\"body\":\"x\"}",
                "in event 1: the end of the body instead of , or ]",
            ),
            (
                "[\n {\"body\" \"\u{e4}\"}]",
                "line 2, column 10, in event 1: '\"' instead of :",
            ),
            (
                "[{}, {\"body\": [1]}]",
                "line 1, column 15, in event 2: '[' instead of a text, which the body has",
            ),
            ("[{headers: {k: {}}}]", "a text, which a header's value has"),
            ("[{headers: []}]", "'[' instead of {, which begins the headers"),
            ("[{body: \"x]", "line 1, column 9, in event 1: a text has no end"),
            (
                "[{body: \"\\q\"}]",
                "line 1, column 10, in event 1: \\q is no escape",
            ),
            ("[{body: \"\\u12\"}]", "four hexadecimal digits"),
            ("[{body: \"\\ud83dx\"}]", "half of a character"),
            ("[null]", "in event 1: 'n' instead of {"),
            ("[] []", "line 1, column 4: '[' instead of the end"),
            ("[{,}]", "',' instead of a name"),
            ("[/* x", "a comment has no end"),
        ] {
            let fault = fault(text);
            assert!(fault.contains(expected), "{text}: {fault}");
        }
        assert!(fault(&format!("[{{x: {}}}]", "[".repeat(100))).contains("inside each other"));
    }

    #[test]
    fn bodies_are_in_the_character_set_of_the_request_and_headers_in_utf8() {
        let text = "[{\"headers\": {\"k\": \"\u{e4}\"}, \"body\": \"\u{e4}\"}]";
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let found = events(&wide, "application/json; charset=utf-16").unwrap();
        // As Java encodes it: with a byte order mark.
        let expected = Event::new(&b"\xfe\xff\x00\xe4"[..]).with_header("k", "\u{e4}");
        assert_eq!(found, [expected]);
        let wide: Vec<u8> = text
            .chars()
            .flat_map(|one| u32::from(one).to_be_bytes())
            .collect();
        let found = events(&wide, "application/json; charset=UTF-32").unwrap();
        assert_eq!(found[0].body(), &b"\x00\x00\x00\xe4"[..]);
        let error = events(b"[]", "application/json; charset=latin1").unwrap_err();
        assert!(
            matches!(&error, HandlerError::Unsupported(why) if why.contains("latin1")),
            "{error}"
        );
        let error = events(b"[{body:\"a\xff\"}]", "application/json").unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }

    #[test]
    fn other_bodies_are_told_by_their_type() {
        let found = events(b"{\"body\":\"a\"}\n\n{\"body\":\"b\"}", "application/x-ndjson").unwrap();
        assert_eq!(found, [Event::new("a"), Event::new("b")]);
        let error = events(b"{\"body\":\"a\"}\nx", "application/x-ndjson").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        let error = events(b"FLM", "application/x-flume-stream").unwrap_err();
        assert!(
            error.to_string().contains("the stream is broken at byte 0"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}:,'\"a\\\\u0-9 /*#\n\u{e4}]{0,40}", bytes: Vec<u8>) {
            let _ = events(text.as_bytes(), "");
            let _ = events(&bytes, "a/b; charset=utf-16");
        }

        #[test]
        fn what_serde_writes_is_read(headers: std::collections::BTreeMap<String, String>, body: String) {
            let text = serde_json::json!([{ "headers": headers, "body": body }]).to_string();
            let event = headers.iter().fold(Event::new(body), |event, (k, v)| event.with_header(k, v));
            prop_assert_eq!(read(&text), [event]);
        }
    }
}
