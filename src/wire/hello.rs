//! The frames that say something: what opens a stream, what closes it, what travels back.

use super::{Fault, Frame, FrameHeader, HEADER, Kind, VERSION, VIA_LIMIT};
use serde::{Deserialize, Serialize};

/// What opens a stream. Members that are not known here are kept and handed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the format.
    pub version: u64,
    /// A random name of this stream.
    #[serde(default)]
    pub stream: String,
    /// The stage that writes it, in the words of the command line.
    #[serde(default)]
    pub stage: String,
    /// Its host.
    #[serde(default)]
    pub host: String,
    /// Its process.
    #[serde(default)]
    pub pid: u32,
    /// When it began, RFC 3339.
    #[serde(default)]
    pub time: String,
    /// Where acceptances go: `unix:@NAME`, `unix:PATH`, `self`, `stdout` or `none`.
    #[serde(default = "none")]
    pub reply: String,
    /// What a taker shows there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// The channel that `origin` counts in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// The stages passed so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

fn none() -> String {
    "none".into()
}

impl Hello {
    /// Read a hello frame.
    pub fn from_frame(frame: &Frame) -> Result<Hello, Fault> {
        /// Only the version, so that one that is not ours may have any other shape.
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let found = frame.json::<Versioned>("hello")?.version;
        if found != VERSION {
            return Err(Fault::Version { found });
        }
        let hello: Hello = frame.json("hello")?;
        if hello.via.len() > VIA_LIMIT {
            return Err(Fault::Json {
                what: "hello",
                why: format!(
                    "it has passed {} stages, {VIA_LIMIT} are allowed",
                    hello.via.len()
                ),
            });
        }
        Ok(hello)
    }

    /// The writer waits for a welcome over the same socket.
    pub fn wants_welcome(&self) -> bool {
        self.other.get(super::GREET) == Some(&serde_json::Value::Bool(true))
    }

    /// The whole frame.
    pub fn encode(&self) -> Vec<u8> {
        encode_json(Kind::Hello, 0, self)
    }
}

/// What closes a stream that ended well: its totals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Batches in the stream.
    pub batches: u64,
    /// Events in it.
    pub events: u64,
    /// Bytes of encoded events in it.
    pub bytes: u64,
}

impl End {
    /// The whole frame.
    pub fn encode(&self) -> Vec<u8> {
        encode_json(Kind::End, self.batches, self)
    }
}

/// What a taker says of a batch that it does not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuse {
    /// `retry`, `reject`, or `surplus` to a taker too many.
    pub class: String,
    /// A sentence for a person.
    pub reason: String,
}

/// An accept frame: every batch up to `sequence` is taken.
pub fn accept_frame(sequence: u64) -> [u8; HEADER] {
    let mut header = FrameHeader::new(Kind::Accept, &[]);
    header.sequence = sequence;
    header.encode(0)
}

/// The answer of a server to a hello: what has an origin up to this one was accepted before.
pub fn welcome_frame(known: u64) -> [u8; HEADER] {
    let mut header = FrameHeader::new(Kind::Accept, &[]);
    header.origin = known;
    header.encode(0)
}

/// A whole frame with a JSON payload.
pub fn encode_json(kind: Kind, sequence: u64, value: &impl Serialize) -> Vec<u8> {
    // Strings, numbers and lists of them always serialize.
    let payload = serde_json::to_vec(value).unwrap_or_default();
    let mut header = FrameHeader::new(kind, &payload);
    header.sequence = sequence;
    let mut frame = header.encode(0).to_vec();
    frame.extend_from_slice(&payload);
    frame
}
