//! Character sets by Java's names, as properties of Flume have them.
//!
//! A [`Charset`] decodes a whole text, or finds the lines in bytes that are not decoded yet ([`Charset::find_lf`]):
//! in all character sets here a line feed is found without decoding what stands in front of it, so a position in a
//! file is a number of bytes, and each line is decoded for itself.
//!
//! UTF-8, US-ASCII, ISO-8859-1, UTF-16 and UTF-32 are exactly Java's. The others are those of the Encoding Standard
//! (encoding_rs), which differs from Java in bytes that a set leaves undefined: 0x81 in windows-1252 is U+0081 here
//! and U+FFFD in Java.

use encoding_rs::{DecoderResult, EncoderResult, Encoding};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

mod names;
use names::ALL;

/// A character set. The default is UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Charset(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Utf8,
    Ascii,
    Latin1,
    Utf16(Order),
    Utf32(Order),
    Other(&'static str, &'static Encoding),
    /// As the other, but its bytes from 0x80 to 0x9F are the control characters of the same numbers.
    OtherWithControls(&'static str, &'static Encoding),
}

/// In which order the bytes of a code unit stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Big,
    Little,
    /// The first byte is the highest; a byte order mark that says so is none of the text.
    BigOrMarked,
    /// The first byte is the lowest; a byte order mark that says so is none of the text.
    LittleOrMarked,
    /// What a byte order mark says; without one, the first byte is the highest.
    Marked,
    /// What a byte order mark says; without one, the first byte is the lowest. One is written.
    MarkedLittle,
}

/// What becomes of bytes that are no text in the character set (Flume's `decodeErrorPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeErrorPolicy {
    /// They are an error.
    Fail,
    /// U+FFFD takes their place.
    Replace,
    /// They are left out.
    Ignore,
}

/// Bytes that are no text in a character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} begins nothing that is text in {charset}")]
pub struct Malformed {
    /// Where the first of them stands, counted from 0.
    pub at: usize,
    /// The character set.
    pub charset: Charset,
}

impl Charset {
    /// UTF-8.
    pub const UTF_8: Charset = Charset(Kind::Utf8);
    /// US-ASCII.
    pub const US_ASCII: Charset = Charset(Kind::Ascii);
    /// ISO-8859-1.
    pub const ISO_8859_1: Charset = Charset(Kind::Latin1);

    /// Java's name of it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Other(name, _) | Kind::OtherWithControls(name, _) => name,
            // What these have become at the start of a text.
            Kind::Utf32(Order::Big) => "UTF-32BE",
            Kind::Utf32(Order::Little) => "UTF-32LE",
            kind => ALL
                .iter()
                .find(|line| line.2 == kind)
                .map_or("UTF-8", |line| line.1),
        }
    }

    /// Java's names of all that are known.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|line| line.1)
    }

    /// ASCII text has the same bytes in it, and none of them has another meaning.
    pub fn is_ascii_compatible(self) -> bool {
        !matches!(self.0, Kind::Utf16(_) | Kind::Utf32(_))
    }

    /// Bytes of a code unit: 1, 2 or 4.
    pub fn width(self) -> usize {
        match self.0 {
            Kind::Utf16(_) => 2,
            Kind::Utf32(_) => 4,
            _ => 1,
        }
    }

    /// At the beginning of a text: the character set with its byte order, and the length of the mark that says so,
    /// which is no text. For all but those that have a mark it is what it was, and 0.
    pub fn at_start(self, text: &[u8]) -> (Charset, usize) {
        let resolved = |order, has_mark: bool| {
            let kind = match self.0 {
                Kind::Utf32(_) => Kind::Utf32(order),
                _ => Kind::Utf16(order),
            };
            (Charset(kind), if has_mark { self.width() } else { 0 })
        };
        let (order, big, little): (Order, &[u8], &[u8]) = match self.0 {
            Kind::Utf16(order) => (order, b"\xFE\xFF", b"\xFF\xFE"),
            Kind::Utf32(order) => (order, b"\0\0\xFE\xFF", b"\xFF\xFE\0\0"),
            _ => return (self, 0),
        };
        match order {
            Order::Big | Order::Little => (self, 0),
            Order::BigOrMarked => resolved(Order::Big, text.starts_with(big)),
            Order::LittleOrMarked => resolved(Order::Little, text.starts_with(little)),
            _ if text.starts_with(big) => resolved(Order::Big, true),
            _ if text.starts_with(little) => resolved(Order::Little, true),
            Order::Marked => resolved(Order::Big, false),
            Order::MarkedLittle => resolved(Order::Little, false),
        }
    }

    /// UTF-16 that begins with the second half of a character.
    pub(crate) fn is_low_half(self, text: &[u8]) -> bool {
        match (text, self.is_little()) {
            ([_, high, ..], true) | ([high, _, ..], false) => (0xDC..=0xDF).contains(high),
            _ => false,
        }
    }

    fn is_little(self) -> bool {
        match self.0 {
            Kind::Utf16(order) | Kind::Utf32(order) => {
                matches!(order, Order::Little | Order::LittleOrMarked | Order::MarkedLittle)
            }
            _ => false,
        }
    }

    /// The first line feed in bytes that begin with a whole code unit, and how many bytes it has.
    pub fn find_lf(self, bytes: &[u8]) -> Option<usize> {
        let width = self.width();
        if width == 1 {
            return memchr::memchr(b'\n', bytes);
        }
        let place = if self.is_little() { 0 } else { width - 1 };
        memchr::memchr_iter(b'\n', bytes).find_map(|at| {
            let start = at.checked_sub(place).filter(|start| start % width == 0)?;
            let unit = bytes.get(start..start + width)?;
            let is_lf = unit
                .iter()
                .enumerate()
                .all(|(index, byte)| index == place || *byte == 0);
            is_lf.then_some(start)
        })
    }

    /// The characters that a Java program would count (UTF-16 code units) in bytes, malformed ones included.
    pub fn count(self, bytes: &[u8]) -> usize {
        match self.0 {
            Kind::Latin1 | Kind::Ascii => bytes.len(),
            Kind::Utf16(_) => bytes.len().div_ceil(2),
            // A character has one byte that is no continuation; one of four bytes counts twice.
            Kind::Utf8 => {
                let counts = bytes
                    .iter()
                    .map(|byte| usize::from(byte & 0xC0 != 0x80) + usize::from(*byte >= 0xF0));
                counts.sum()
            }
            _ if self.is_ascii_compatible() && bytes.is_ascii() => bytes.len(),
            _ => match self.decode(bytes, DecodeErrorPolicy::Replace) {
                Ok(text) => text.chars().map(char::len_utf16).sum(),
                Err(_) => bytes.len(),
            },
        }
    }

    /// A whole text.
    pub fn decode(self, bytes: &[u8], policy: DecodeErrorPolicy) -> Result<Cow<'_, str>, Malformed> {
        match self.0 {
            Kind::Utf8 => self.decode_utf8(bytes, policy),
            Kind::Utf16(_) | Kind::Utf32(_) => {
                let (charset, mark) = self.at_start(bytes);
                let text = charset.decode_wide(&bytes[mark..], mark, policy);
                text.map(Cow::Owned).map_err(|error| Malformed {
                    charset: self,
                    ..error
                })
            }
            _ if bytes.is_ascii() => self.decode_utf8(bytes, policy),
            Kind::Ascii => {
                self.decode_bytes(bytes, policy, |byte| byte.is_ascii().then_some(char::from(byte)))
            }
            Kind::Latin1 => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Kind::OtherWithControls(_, encoding) => self.decode_bytes(bytes, policy, |byte| match byte {
                0x80..=0x9F => Some(char::from(byte)),
                _ => encoding.decode_without_bom_handling(&[byte]).0.chars().next(),
            }),
            Kind::Other(_, encoding) => self.decode_other(encoding, bytes, policy),
        }
    }

    fn decode_utf8<'t>(self, bytes: &'t [u8], policy: DecodeErrorPolicy) -> Result<Cow<'t, str>, Malformed> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Ok(Cow::Borrowed(text));
        }
        let (mut text, mut at) = (String::with_capacity(bytes.len()), 0);
        // Java takes a surrogate in three bytes for one fault.
        let mut surrogate_end = 0;
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            at += chunk.valid().len();
            if !chunk.invalid().is_empty() && at >= surrogate_end {
                self.note_malformed(&mut text, at, policy)?;
                if let [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] = bytes[at..] {
                    surrogate_end = at + 3;
                }
            }
            at += chunk.invalid().len();
        }
        Ok(Cow::Owned(text))
    }

    fn note_malformed(
        self,
        text: &mut String,
        at: usize,
        policy: DecodeErrorPolicy,
    ) -> Result<(), Malformed> {
        match policy {
            DecodeErrorPolicy::Fail => return Err(Malformed { at, charset: self }),
            DecodeErrorPolicy::Replace => text.push(char::REPLACEMENT_CHARACTER),
            DecodeErrorPolicy::Ignore => {}
        }
        Ok(())
    }

    /// One byte is one character.
    fn decode_bytes(
        self,
        bytes: &[u8],
        policy: DecodeErrorPolicy,
        of: impl Fn(u8) -> Option<char>,
    ) -> Result<Cow<'static, str>, Malformed> {
        let mut text = String::with_capacity(bytes.len());
        for (at, byte) in bytes.iter().enumerate() {
            match of(*byte) {
                Some(c) => text.push(c),
                None => self.note_malformed(&mut text, at, policy)?,
            }
        }
        Ok(Cow::Owned(text))
    }

    fn decode_wide(
        self,
        bytes: &[u8],
        before: usize,
        policy: DecodeErrorPolicy,
    ) -> Result<String, Malformed> {
        let (width, little) = (self.width(), self.is_little());
        let unit = |bytes: &[u8]| {
            let add = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
            if little {
                bytes.iter().rev().fold(0, add)
            } else {
                bytes.iter().fold(0, add)
            }
        };
        let mut text = String::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(unit_bytes) = bytes.get(at..at + width) {
            let low = bytes.get(at + width..at + 2 * width).map(unit);
            let (code, length) = match (unit(unit_bytes), low) {
                (high @ 0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) if width == 2 => {
                    (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), 2 * width)
                }
                // Java takes the unit behind a first half that stands alone for part of the fault.
                (high @ 0xD800..0xDC00, Some(_)) if width == 2 => (high, 2 * width),
                (code, _) => (code, width),
            };
            match char::from_u32(code) {
                Some(c) => text.push(c),
                None => self.note_malformed(&mut text, before + at, policy)?,
            }
            at += length;
        }
        if at < bytes.len() {
            self.note_malformed(&mut text, before + at, policy)?;
        }
        Ok(text)
    }

    fn decode_other(
        self,
        encoding: &'static Encoding,
        bytes: &[u8],
        policy: DecodeErrorPolicy,
    ) -> Result<Cow<'static, str>, Malformed> {
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let mut text = String::new();
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            text.reserve(
                decoder
                    .max_utf8_buffer_length_without_replacement(rest.len())
                    .unwrap_or(64),
            );
            let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
            at += read;
            match result {
                DecoderResult::InputEmpty => return Ok(Cow::Owned(text)),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, behind) => {
                    let start = at.saturating_sub(usize::from(length) + usize::from(behind));
                    self.note_malformed(&mut text, start, policy)?;
                }
            }
        }
    }

    /// A text in this character set; `?` stands for what it does not have, as in Java.
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self.0 {
            Kind::Utf8 => Cow::Borrowed(text.as_bytes()),
            Kind::Utf16(_) | Kind::Utf32(_) => Cow::Owned(self.encode_wide(text)),
            _ if text.is_ascii() => Cow::Borrowed(text.as_bytes()),
            Kind::Ascii => text.chars().map(|c| byte_of(c, 0x7F)).collect(),
            Kind::Latin1 => text.chars().map(|c| byte_of(c, 0xFF)).collect(),
            Kind::Other(_, encoding) => Cow::Owned(encode_other(encoding, text)),
            Kind::OtherWithControls(_, encoding) => {
                let mut bytes = Vec::with_capacity(text.len());
                for c in text.chars() {
                    match u32::from(c) {
                        control @ 0x80..=0x9F => bytes.push(control as u8),
                        _ => match encode_other(encoding, c.encode_utf8(&mut [0; 4])).as_slice() {
                            [0x80..=0x9F] => bytes.push(b'?'),
                            other => bytes.extend_from_slice(other),
                        },
                    }
                }
                Cow::Owned(bytes)
            }
        }
    }

    fn encode_wide(self, text: &str) -> Vec<u8> {
        let little = self.is_little();
        let mut bytes = Vec::with_capacity(2 * text.len() + 4);
        let mut push = |unit: &[u8]| match little {
            true => bytes.extend(unit.iter().rev()),
            false => bytes.extend_from_slice(unit),
        };
        match self.0 {
            Kind::Utf32(order) => {
                let mark = (order == Order::MarkedLittle).then_some('\u{FEFF}');
                mark.into_iter()
                    .chain(text.chars())
                    .for_each(|c| push(&u32::from(c).to_be_bytes()));
            }
            Kind::Utf16(order) => {
                let marked = matches!(order, Order::Marked | Order::MarkedLittle) && !text.is_empty();
                let mark = marked.then_some(0xFEFF);
                mark.into_iter()
                    .chain(text.encode_utf16())
                    .for_each(|unit| push(&unit.to_be_bytes()));
            }
            _ => {}
        }
        bytes
    }
}

fn byte_of(c: char, last: u8) -> u8 {
    u8::try_from(u32::from(c))
        .ok()
        .filter(|byte| *byte <= last)
        .unwrap_or(b'?')
}

fn encode_other(encoding: &'static Encoding, text: &str) -> Vec<u8> {
    let mut encoder = encoding.new_encoder();
    let (mut bytes, mut at) = (Vec::new(), 0);
    loop {
        let rest = &text[at..];
        bytes.reserve(
            encoder
                .max_buffer_length_from_utf8_without_replacement(rest.len())
                .unwrap_or(64),
        );
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
        at += read;
        match result {
            EncoderResult::InputEmpty => return bytes,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => bytes.push(b'?'),
        }
    }
}

impl Default for Charset {
    fn default() -> Self {
        Charset::UTF_8
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Debug for Charset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Charset({self})")
    }
}

impl FromStr for Charset {
    type Err = String;

    /// By Java's name or an alias of it, in any case.
    fn from_str(name: &str) -> Result<Self, String> {
        let wanted = name.trim().to_ascii_lowercase();
        if let Some(line) = ALL.iter().find(|line| line.0.contains(&wanted.as_str())) {
            return Ok(Charset(line.2));
        }
        let known = ALL.iter().flat_map(|line| line.0.iter().copied());
        let near = match crate::component::nearest(&wanted, known) {
            Some(near) => format!("did you mean {near}? "),
            None => String::new(),
        };
        Err(format!(
            "\"{name}\" is no character set that is known; {near}there are UTF-8, ISO-8859-1, US-ASCII, UTF-16, UTF-32, \
             windows-1252 and others"
        ))
    }
}

impl FromStr for DecodeErrorPolicy {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.to_ascii_uppercase().as_str() {
            "FAIL" => Ok(DecodeErrorPolicy::Fail),
            "REPLACE" => Ok(DecodeErrorPolicy::Replace),
            "IGNORE" => Ok(DecodeErrorPolicy::Ignore),
            _ => Err(format!("\"{word}\" is none of FAIL, REPLACE and IGNORE")),
        }
    }
}

#[cfg(test)]
mod tests;
