//! As Flume's syslogtcp and syslogudp read a message.
//!
//! Names the priority and the host; of RFC 5424 it knows the head up to the host, and the rest is text. Stamps without a
//! zone are of this host's. A message whose head is not of this form is not invalid: it keeps its priority and is kept
//! whole. That is so for one that ends with CR, too.

use super::time::{Clock, is_blank};
use super::{Message, priority};
use crate::date::DatePattern;
use crate::event::shown;
use crate::pattern::{Pattern, Template};

/// The longest fraction of a second.
const MOST_DIGITS: usize = 6;

/// Reads messages.
#[derive(Debug, Clone)]
pub struct Classic {
    /// Each comes in a datagram, which may end anywhere.
    pub in_datagrams: bool,
    /// A form that is tried before the others.
    pub custom: Option<Box<Custom>>,
}

/// A form of messages that the user describes (`format.*`).
#[derive(Debug, Clone)]
pub struct Custom {
    /// Its groups are priority, version, stamp, host and text.
    pub regex: Pattern,
    /// What is replaced in the stamp before it is read.
    pub replace: Option<(Pattern, Template)>,
    /// How the stamp is read; without it there is no time.
    pub date: Option<DatePattern>,
}

impl Classic {
    /// Read a message without its line end.
    #[inline]
    pub fn parse<'m>(&mut self, text: &'m [u8], clock: &mut Clock) -> Message<'m> {
        let Some((number, priority_text, at)) = priority(text).or_else(|| self.cut_priority(text)) else {
            return Message::invalid(text);
        };
        let unread = Message {
            priority: Some(number),
            body: text,
            ..Message::default()
        };
        if let Some(custom) = &mut self.custom
            && let Some(message) = custom.read(unread, text, clock)
        {
            return message;
        }
        let rest = &text[at..];
        let known = Message {
            priority_text,
            ..unread
        };
        let found = match rest.split_first() {
            Some((digit, behind)) if digit.is_ascii_digit() => {
                let behind = match behind.split_first() {
                    Some((byte, behind)) if is_blank(*byte) => behind,
                    _ => behind,
                };
                // A digit may also be the first of a year.
                head(known, Some(&rest[..1]), behind, clock).or_else(|| head(known, None, rest, clock))
            }
            Some((byte, behind)) if is_blank(*byte) => head(known, None, behind, clock),
            _ => head(known, None, rest, clock),
        };
        found.unwrap_or(unread)
    }

    /// The digits of a datagram that ends in them.
    fn cut_priority<'m>(&self, text: &'m [u8]) -> Option<(i32, &'m [u8], usize)> {
        let digits = text.strip_prefix(b"<")?;
        let is_one =
            self.in_datagrams && (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(digits)
            .ok()
            .filter(|_| is_one)?
            .parse()
            .ok()?;
        Some((number, digits, text.len()))
    }
}

/// Stamp, host and text, in one of the two forms.
#[inline]
fn head<'m>(
    message: Message<'m>,
    version: Option<&'m [u8]>,
    text: &'m [u8],
    clock: &mut Clock,
) -> Option<Message<'m>> {
    let (stamp, time, may_be_nobody) = match text.first()? {
        b'-' => (&text[..1], None, true),
        byte if byte.is_ascii_digit() => {
            let length = long_stamp(text)?;
            (&text[..length], clock.long(&text[..length], true), true)
        }
        _ => {
            let (length, time) = clock.short(text, true)?;
            (&text[..length], time, false)
        }
    };
    let rest = behind_blank(&text[stamp.len()..])?;
    let end = rest
        .iter()
        .position(|byte| !is_of_host(*byte))
        .unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end);
    let host = match host.split_first() {
        Some((b'-', b"")) if may_be_nobody => None,
        Some((first, _)) if is_of_word(*first) => Some(host),
        _ => return None,
    };
    let body = behind_blank(rest)?;
    // No line end can be in the text, and that of a line from Windows is behind it.
    if memchr::memchr2(b'\r', b'\n', body).is_some() {
        return None;
    }
    Some(Message {
        version,
        timestamp_ms: time,
        stamp: (stamp != b"-").then_some(stamp),
        host,
        has_head: true,
        body,
        ..message
    })
}

/// Bytes of a stamp like `2003-10-11T22:14:15.003+02:00` at the start, each part of which has its length.
fn long_stamp(text: &[u8]) -> Option<usize> {
    let form = b"0000-00-00T00:00:00";
    let is_like = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    if text.len() < form.len() || !text.iter().zip(form).all(is_like) {
        return None;
    }
    let mut length = form.len();
    if text.get(length) == Some(&b'.') {
        let digits = text[length + 1..].iter().take_while(|byte| byte.is_ascii_digit());
        match digits.count() {
            0 => return Some(length),
            count if count > MOST_DIGITS => return None,
            count => length += 1 + count,
        }
    }
    match text.get(length) {
        Some(b'Z') => length += 1,
        Some(b'+' | b'-') => length += 6,
        _ => {}
    }
    (length <= text.len()).then_some(length)
}

fn behind_blank(text: &[u8]) -> Option<&[u8]> {
    let (first, rest) = text.split_first()?;
    is_blank(*first).then_some(rest)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_of_host(byte: u8) -> bool {
    is_of_word(byte) || matches!(byte, b'.' | b'@' | b'-')
}

impl Custom {
    fn read<'m>(&mut self, message: Message<'m>, text: &'m [u8], clock: &mut Clock) -> Option<Message<'m>> {
        if !self.regex.find(text) {
            return None;
        }
        let regex = &self.regex;
        let group = |number: usize| {
            let range = (number <= regex.group_count())
                .then(|| regex.group(number))
                .flatten()?;
            Some(&text[range]).filter(|found| !found.is_empty())
        };
        let stamp = group(3);
        Some(Message {
            priority_text: group(1).unwrap_or(b""),
            version: group(2),
            stamp,
            timestamp_ms: stamp.and_then(|stamp| time(&mut self.replace, self.date.as_ref()?, stamp, clock)),
            host: group(4),
            has_head: true,
            body: group(5).unwrap_or(b""),
            ..message
        })
    }
}

/// When a stamp of the user's form was, once it is rewritten.
fn time(
    replace: &mut Option<(Pattern, Template)>,
    date: &DatePattern,
    stamp: &[u8],
    clock: &Clock,
) -> Option<i64> {
    let mut text = Vec::new();
    let is_replaced = match replace {
        Some((search, template)) => search.replace_all(stamp, template, &mut text),
        None => false,
    };
    let stamp = if is_replaced { &text } else { stamp };
    date.read(stamp, clock.zone())
}

impl Custom {
    /// From the properties `regex`, `search`, `replace` and `dateFormat`.
    pub fn new(
        regex: &str,
        search: Option<&str>,
        replace: Option<&str>,
        date: Option<&str>,
    ) -> Result<Custom, String> {
        let pattern = |text: &str, name: &str| -> Result<Pattern, String> {
            text.parse().map_err(|error| format!("format.{name}: {error}"))
        };
        let regex = Pattern::whole(regex).map_err(|error| format!("format.regex: {error}"))?;
        let replace = match (search, replace) {
            (None, None) => None,
            (Some(search), replace) => {
                let search = pattern(search, "search")?;
                let template = Template::new(replace.unwrap_or_default(), &search);
                Some((
                    search,
                    template.map_err(|error| format!("format.replace: {error}"))?,
                ))
            }
            (None, Some(replace)) => {
                return Err(format!(
                    "format.replace is \"{}\", and format.search is missing: what it stands for",
                    shown(replace.as_bytes())
                ));
            }
        };
        let date = date.map(DatePattern::simple_reader).transpose();
        let date = date.map_err(|error| format!("format.dateFormat: {error}"))?;
        Ok(Custom { regex, replace, date })
    }
}
