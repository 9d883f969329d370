//! `keepFields`: what of the head of a message stays in the body.

use super::Message;
use std::str::FromStr;

/// The fields that stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// The message stays as it came.
    pub all: bool,
    /// `<34>`
    pub priority: bool,
    /// The version.
    pub version: bool,
    /// The time as it was written.
    pub timestamp: bool,
    /// The host.
    pub hostname: bool,
}

impl FromStr for Keep {
    type Err = String;

    /// `none` or `false`, `all` or `true`, or a list of fields. As in Flume the separator is anything.
    fn from_str(word: &str) -> Result<Self, String> {
        let word = word.trim().to_ascii_lowercase();
        let has = |name: &str| word.contains(name);
        match word.as_str() {
            "none" | "false" => Ok(Keep::default()),
            "all" | "true" => Ok(Keep {
                all: true,
                ..Keep::default()
            }),
            _ => {
                let keep = Keep {
                    all: false,
                    priority: has("priority"),
                    version: has("version"),
                    timestamp: has("timestamp"),
                    hostname: has("hostname"),
                };
                match keep.is_some() {
                    true => Ok(keep),
                    false => Err(format!(
                        "\"{word}\" names no field to keep; there are none, all, and a list of priority, version, \
                         timestamp and hostname"
                    )),
                }
            }
        }
    }
}

impl Keep {
    /// Some of the fields, but not all.
    pub fn is_some(&self) -> bool {
        self.priority || self.version || self.timestamp || self.hostname
    }

    /// Append the fields of a message that was read, as they stand in front of its body. One that is not there is `-`.
    pub fn put(&self, message: &Message<'_>, to: &mut Vec<u8>) {
        if self.priority {
            to.push(b'<');
            to.extend_from_slice(message.priority_text);
            to.push(b'>');
        }
        let mut field = |text: Option<&[u8]>| {
            to.extend_from_slice(text.unwrap_or(b"-"));
            to.push(b' ');
        };
        if self.version && message.version.is_some() {
            field(message.version);
        }
        if self.timestamp {
            field(message.stamp);
        }
        if self.hostname {
            field(message.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_words_with_anything_between_them() {
        let keep = |word: &str| word.parse::<Keep>();
        assert_eq!(keep(" None "), Ok(Keep::default()));
        assert_eq!(keep("false"), Ok(Keep::default()));
        assert!(keep("TRUE").unwrap().all && keep("all").unwrap().all);
        let some = keep("priority,hostname").unwrap();
        assert_eq!(keep("hostname priority"), Ok(some));
        assert!(some.priority && some.hostname && !some.version && !some.timestamp);
        assert!(keep("prio").unwrap_err().contains("prio"));
    }

    #[test]
    fn fields_stand_in_their_order_and_a_missing_one_is_a_dash() {
        let message = Message {
            priority_text: b"34",
            version: Some(b"1"),
            stamp: Some(b"2003-10-11T22:14:15Z"),
            ..Message::default()
        };
        let put = |word: &str| {
            let mut text = Vec::new();
            word.parse::<Keep>().unwrap().put(&message, &mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(
            put("priority version timestamp hostname"),
            "<34>1 2003-10-11T22:14:15Z - "
        );
        assert_eq!(put("priority"), "<34>");
        assert_eq!(put("hostname version"), "1 - ");
    }
}
