//! Path escapes, as Flume has them in `hdfs.path`, `hdfs.filePrefix` and the like: `/logs/%{host}/%Y-%m-%d`.
//!
//! | escape | becomes |
//! |---|---|
//! | `%{NAME}` | the value of a header, nothing where it is missing |
//! | `%[localhost]`, `%[IP]`, `%[FQDN]` | this host's name, address, canonical name |
//! | `%a %A %b %B` | day of the week and month, short and long |
//! | `%c` | as in `Thu Mar 5 07:08:09 2026` |
//! | `%d %e %D` | day of the month with two digits and without a zero in front; `MM/dd/yy` |
//! | `%H %I %k %l %p` | hour: 00 to 23, 01 to 12, 0 to 23, 1 to 12; AM or PM |
//! | `%j %m %n %M %S` | day of the year, month, month without a zero in front, minute, second |
//! | `%s %t` | seconds since 1970, rounded as the rest; the header's own text |
//! | `%y %Y %z` | year with two and four digits; `+hhmm` |
//! | `%%` | a percent sign |
//! | another letter, a digit or `_` | nothing |
//!
//! What comes from a header cannot lead out of the directory that is written in front of the first escape: see
//! [`EscapedPath`].

use crate::date::{DatePattern, Zone};
use crate::event::EventRef;
use std::path::{Path, PathBuf};

mod clean;
mod host;

/// The header with the time of an event, in milliseconds since 1970.
const TIMESTAMP: &[u8] = b"timestamp";

/// A text with escapes.
#[derive(Debug, Clone)]
pub struct Escaped {
    pieces: Vec<Piece>,
    /// Cut down times to a multiple.
    rounding: Option<Rounding>,
    zone: Zone,
    /// What the last expansion was made of, and what came out: events of one second often follow each other.
    key: Vec<u8>,
    last: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Header(String),
    Date(DatePattern),
    Seconds,
    /// The timestamp as it stands in its header.
    Timestamp,
}

/// Times are cut down to a multiple of so many units in the zone of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounding {
    value: i8,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Rounding {
    /// By Flume's `roundValue` and `roundUnit`: `second`, `minute` or `hour`.
    pub fn new(value: u32, unit: &str) -> Result<Rounding, String> {
        let (unit, most) = match unit.to_ascii_lowercase().as_str() {
            "second" => (Unit::Second, 59),
            "minute" => (Unit::Minute, 59),
            "hour" => (Unit::Hour, 23),
            _ => {
                return Err(format!(
                    "\"{unit}\" is no unit to round to; there are second, minute and hour"
                ));
            }
        };
        match i8::try_from(value)
            .ok()
            .filter(|value| (1..=most).contains(value))
        {
            Some(value) => Ok(Rounding { value, unit }),
            None => Err(format!("{value} is no value to round to; it is from 1 to {most}")),
        }
    }
}

/// Why a path cannot be made for an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// There is an escape of a time, and the event has none.
    #[error("the event has no header \"timestamp\", which the escapes of times need")]
    NoTimestamp,
    /// The time is none.
    #[error("the header \"timestamp\" is \"{0}\", which is no time in milliseconds")]
    BadTimestamp(String),
}

/// What an escape of one letter means, as a pattern of SimpleDateFormat.
fn date_of(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a' => "EEE",
        'A' => "EEEE",
        'b' => "MMM",
        'B' => "MMMM",
        'c' => "EEE MMM d HH:mm:ss yyyy",
        'd' => "dd",
        'e' => "d",
        'D' => "MM/dd/yy",
        'H' => "HH",
        'I' => "hh",
        'j' => "DDD",
        'k' => "H",
        'l' => "h",
        'm' => "MM",
        'n' => "M",
        'M' => "mm",
        'p' => "a",
        'S' => "ss",
        'y' => "yy",
        'Y' => "yyyy",
        'z' => "ZZZ",
        _ => return None,
    })
}

impl Escaped {
    /// Read a text. An error is a sentence.
    pub fn new(text: &str) -> Result<Escaped, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            literal.push_str(&rest[..at]);
            let (piece, length) = escape(&rest[at..])?;
            rest = &rest[at + length..];
            match piece {
                Piece::Literal(text) => literal.push_str(&text),
                piece => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(piece);
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Escaped {
            pieces,
            rounding: None,
            zone: Zone::local(),
            key: Vec::new(),
            last: Vec::new(),
        })
    }

    /// With the times of another zone than that of this machine.
    pub fn in_zone(mut self, zone: Zone) -> Escaped {
        self.zone = zone;
        self
    }

    /// With rounded times.
    pub fn rounded(mut self, rounding: Rounding) -> Escaped {
        self.rounding = Some(rounding);
        self
    }

    /// It is the same for all events.
    pub fn is_constant(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    /// It has an escape of a time.
    pub fn has_time(&self) -> bool {
        let is_time = |piece: &Piece| matches!(piece, Piece::Date(_) | Piece::Seconds | Piece::Timestamp);
        self.pieces.iter().any(is_time)
    }

    /// The text for an event. With `now`, in milliseconds since 1970, times are that and not the event's.
    ///
    /// It holds header values as they came: for a path, take [`EscapedPath`].
    pub fn expand(&mut self, event: EventRef<'_>, now: Option<i64>) -> Result<&[u8], ExpandError> {
        let time = match (self.has_time(), now) {
            (false, _) => None,
            (true, Some(now)) => Some(now),
            (true, None) => Some(timestamp(event)?),
        };
        let key = self.key_of(event, time, now.is_some());
        if self.key != key || key.is_empty() {
            self.last = self.rendered(event, time, now.is_some())?;
            self.key = key;
        }
        Ok(&self.last)
    }

    /// What the text depends on.
    fn key_of(&self, event: EventRef<'_>, time: Option<i64>, is_now: bool) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.key.len());
        for piece in &self.pieces {
            match piece {
                Piece::Header(name) => {
                    let value = event.header(name.as_bytes()).unwrap_or_default();
                    key.extend_from_slice(&value.len().to_ne_bytes());
                    key.extend_from_slice(value);
                }
                Piece::Timestamp if is_now => key.extend_from_slice(&time.unwrap_or_default().to_ne_bytes()),
                Piece::Timestamp => key.extend_from_slice(event.header(TIMESTAMP).unwrap_or_default()),
                Piece::Literal(_) | Piece::Date(_) | Piece::Seconds => {}
            }
        }
        key.extend_from_slice(&time.map_or(i64::MIN, |time| time.div_euclid(1000)).to_ne_bytes());
        key
    }

    fn rendered(&self, event: EventRef<'_>, time: Option<i64>, is_now: bool) -> Result<Vec<u8>, ExpandError> {
        let rounded = time.map(|time| self.round(time)).transpose()?;
        let mut out = Vec::new();
        let mut text = String::new();
        for piece in &self.pieces {
            text.clear();
            match (piece, rounded) {
                (Piece::Literal(literal), _) => text.push_str(literal),
                (Piece::Header(name), _) => {
                    out.extend_from_slice(event.header(name.as_bytes()).unwrap_or_default())
                }
                (Piece::Date(pattern), Some(time)) => {
                    let written = pattern.write(time, &self.zone, &mut text);
                    written.map_err(|_| ExpandError::BadTimestamp(time.to_string()))?;
                }
                (Piece::Seconds, Some(time)) => text.push_str(&time.div_euclid(1000).to_string()),
                (Piece::Timestamp, _) if is_now => text.push_str(&time.unwrap_or_default().to_string()),
                (Piece::Timestamp, _) => out.extend_from_slice(event.header(TIMESTAMP).unwrap_or_default()),
                (Piece::Date(_) | Piece::Seconds, None) => return Err(ExpandError::NoTimestamp),
            }
            out.extend_from_slice(text.as_bytes());
        }
        Ok(out)
    }

    fn round(&self, time: i64) -> Result<i64, ExpandError> {
        let Some(Rounding { value, unit }) = self.rounding else {
            return Ok(time);
        };
        let bad = || ExpandError::BadTimestamp(time.to_string());
        let at = self.zone.at(time).map_err(|_| bad())?;
        let down = |field: i8| field / value * value;
        let with = at.with().subsec_nanosecond(0);
        let with = match unit {
            Unit::Second => with.second(down(at.second())),
            Unit::Minute => with.second(0).minute(down(at.minute())),
            Unit::Hour => with.second(0).minute(0).hour(down(at.hour())),
        };
        // What the clocks show twice stays the one that it was, where it can.
        let rounded = with.build().map_err(|_| bad())?;
        Ok(rounded.timestamp().as_millisecond())
    }
}

fn timestamp(event: EventRef<'_>) -> Result<i64, ExpandError> {
    let text = event.header(TIMESTAMP).ok_or(ExpandError::NoTimestamp)?;
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| ExpandError::BadTimestamp(crate::event::shown(text).into_owned()))
}

/// The escape at the front of a text, and its length; a percent sign that begins none is itself.
fn escape(text: &str) -> Result<(Piece, usize), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let bracketed = |close: char| {
        text.get(2..)
            .and_then(|rest| rest.split_once(close))
            .map(|(name, _)| name)
    };
    let literal = |text: &str, length| Ok((Piece::Literal(text.to_string()), length));
    match text.chars().nth(1) {
        Some('%') => literal("%", 2),
        Some('s') => Ok((Piece::Seconds, 2)),
        Some('t') => Ok((Piece::Timestamp, 2)),
        Some('{') => match bracketed('}') {
            Some(name) if !name.is_empty() && name.chars().all(|c| is_word(c) || ".-".contains(c)) => {
                Ok((Piece::Header(name.to_string()), name.len() + 3))
            }
            _ => literal("%", 1),
        },
        Some('[') => match bracketed(']') {
            Some(name) if !name.is_empty() && name.chars().all(is_word) => {
                literal(&host::named(name)?, name.len() + 3)
            }
            _ => literal("%", 1),
        },
        Some(c) if is_word(c) => match date_of(c) {
            Some(pattern) => Ok((Piece::Date(DatePattern::simple_writer(pattern)?), 2)),
            None => literal("", 2),
        },
        _ => literal("%", 1),
    }
}

/// A path with escapes: a directory that is fixed, and below it what the escapes say.
///
/// Whatever a header holds, the path stays below the fixed directory, which is what stands in front of the first
/// component with an escape: a slash in a value makes directories, as in Flume, but one at its beginning does not lead
/// to the root; a component that begins with a dot, `..` with it, begins with `%2E`; control characters, NUL with them,
/// become `%` and their number. A component is at most 200 bytes long and all of them 2,048: what is cut off has its hash
/// in its place, so that two that differ stay two.
#[derive(Debug, Clone)]
pub struct EscapedPath {
    base: PathBuf,
    rest: Option<Escaped>,
    below: Vec<u8>,
}

impl EscapedPath {
    /// Read a path. An error is a sentence.
    pub fn new(path: &str) -> Result<EscapedPath, String> {
        let is_constant = Escaped::new(path)?.is_constant();
        let first = if is_constant {
            path.len()
        } else {
            first_escape(path)?
        };
        // A constant one may have escapes of its own: two percent signs, or the host.
        let fixed = path[..first].rfind('/').map_or(0, |slash| slash + 1);
        let split = if is_constant { path.len() } else { fixed };
        let (base, rest) = path.split_at(split);
        if rest.split('/').any(|component| component == "..") {
            return Err(format!(
                "the path \"{path}\" has \"..\" behind an escape, where nobody knows what it is above"
            ));
        }
        let mut base = Escaped::new(base)?;
        let base = String::from_utf8_lossy(&base.constant()).into_owned();
        Ok(EscapedPath {
            base: PathBuf::from(if base.is_empty() { "." } else { &base }),
            rest: (!rest.is_empty()).then(|| Escaped::new(rest)).transpose()?,
            below: Vec::new(),
        })
    }

    /// With the times of another zone than that of this machine.
    pub fn in_zone(mut self, zone: Zone) -> EscapedPath {
        self.rest = self.rest.map(|rest| rest.in_zone(zone));
        self
    }

    /// With rounded times.
    pub fn rounded(mut self, rounding: Rounding) -> EscapedPath {
        self.rest = self.rest.map(|rest| rest.rounded(rounding));
        self
    }

    /// The directory that no event leads out of.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// All events have the same path, which is the base.
    pub fn is_constant(&self) -> bool {
        self.rest.is_none()
    }

    /// It has an escape of a time.
    pub fn has_time(&self) -> bool {
        self.rest.as_ref().is_some_and(Escaped::has_time)
    }

    /// The path below the base for an event, without a slash at its ends; empty for the base itself. With `now`, in
    /// milliseconds since 1970, times are that and not the event's.
    pub fn below(&mut self, event: EventRef<'_>, now: Option<i64>) -> Result<&[u8], ExpandError> {
        self.below.clear();
        if let Some(rest) = &mut self.rest {
            clean::path(rest.expand(event, now)?, &mut self.below);
        }
        Ok(&self.below)
    }
}

impl Escaped {
    /// The text of one that is constant.
    fn constant(&mut self) -> Vec<u8> {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_bytes()),
            _ => None,
        });
        texts.collect::<Vec<_>>().concat()
    }

    /// The text for an event as one component of a path, without slashes and not hidden.
    pub fn expand_component(
        &mut self,
        event: EventRef<'_>,
        now: Option<i64>,
    ) -> Result<Vec<u8>, ExpandError> {
        let mut out = Vec::new();
        clean::component(self.expand(event, now)?, &mut out);
        Ok(out)
    }
}

/// Where the first escape begins that depends on the event.
fn first_escape(text: &str) -> Result<usize, String> {
    let mut from = 0;
    while let Some(at) = text[from..].find('%') {
        let (piece, length) = escape(&text[from + at..])?;
        if !matches!(piece, Piece::Literal(_)) {
            return Ok(from + at);
        }
        from += at + length;
    }
    Ok(text.len())
}

#[cfg(test)]
mod tests;
