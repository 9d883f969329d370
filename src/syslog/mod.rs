//! Syslog messages: where one ends in a stream of bytes, and what it says in front of its text.
//!
//! [`framing`] cuts a stream into messages. Three parsers read one, and each has its users: [`rfc`] is ours, for
//! RFC 3164, RFC 5424 and what is sent in their names; [`classic`] reads as Flume's syslogtcp and syslogudp do,
//! [`multiport`] as its multiport_syslogtcp does, which differ from each other in names, zones and errors.
//! [`time`] has the stamps. Nothing is copied: a [`Message`] points into the bytes that came.

pub mod classic;
pub mod framing;
pub mod keep;
pub mod multiport;
pub mod rfc;
pub mod structured;
#[cfg(test)]
mod tests;
pub mod time;

pub use framing::{Cut, Framer, Framing};
pub use keep::Keep;
pub use time::Clock;

/// The priority divided by eight.
pub const FACILITY: &str = "Facility";
/// The rest of that.
pub const SEVERITY: &str = "Severity";
/// What is not as it should be with a message.
pub const STATUS: &str = "flume.syslog.status";

/// What is not as it should be with a message, which is kept whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is no syslog message.
    Invalid,
    /// It is longer than may be, or was cut by the end of its connection.
    Incomplete,
}

impl Status {
    /// The value of the header.
    pub fn word(self) -> &'static str {
        match self {
            Status::Invalid => "Invalid",
            Status::Incomplete => "Incomplete",
        }
    }
}

/// A message, read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'m> {
    /// Its head was read: the body is what is behind it.
    pub has_head: bool,
    /// The number in the brackets; `None` where there is none that can be.
    pub priority: Option<i32>,
    /// Its text.
    pub priority_text: &'m [u8],
    /// The version of the protocol.
    pub version: Option<&'m [u8]>,
    /// When it was made, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// The same as it was written.
    pub stamp: Option<&'m [u8]>,
    /// Who has sent it.
    pub host: Option<&'m [u8]>,
    /// The program.
    pub app_name: Option<&'m [u8]>,
    /// Its process.
    pub proc_id: Option<&'m [u8]>,
    /// The kind of message.
    pub msg_id: Option<&'m [u8]>,
    /// Structured data, whose form was checked.
    pub structured: Option<&'m [u8]>,
    /// What is behind all that; the whole message where it could not be read.
    pub body: &'m [u8],
    /// Not as it should be.
    pub status: Option<Status>,
}

impl<'m> Message<'m> {
    /// One that is none.
    pub fn invalid(text: &'m [u8]) -> Self {
        Message {
            body: text,
            status: Some(Status::Invalid),
            ..Message::default()
        }
    }
}

/// One to three digits in brackets at the start: the number, its text, and where it ends.
#[inline]
pub(crate) fn priority(text: &[u8]) -> Option<(i32, &[u8], usize)> {
    if text.first() != Some(&b'<') {
        return None;
    }
    let mut number = 0;
    for (index, byte) in text[1..].iter().take(4).enumerate() {
        match byte {
            b'0'..=b'9' if index < 3 => number = number * 10 + i32::from(byte - b'0'),
            b'>' if index > 0 => return Some((number, &text[1..=index], index + 2)),
            _ => return None,
        }
    }
    None
}
