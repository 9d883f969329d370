//! How the bytes of a file become events (Flume's `EventDeserializer`).
//!
//! [`ALL`] lists those that a source knows by name. A program that uses the library hands its own to the source, with
//! [`crate::source::spooldir::SpoolDir::with_deserializer`].

pub mod avro;
pub mod blob;
pub(crate) mod container;
pub mod line;
mod schema;

pub use container::SchemaType;

use super::Options;
use crate::charset::{Charset, DecodeErrorPolicy, Malformed};
use crate::event::BatchBuilder;

/// Why a file cannot be read as events: it is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeserializeError {
    /// Bytes that are no text; where they stand is counted in what was given.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Something else: a sentence.
    #[error("{0}")]
    Format(String),
}

/// Cuts one file into events. One deserializer reads one file, in order.
///
/// Where it stands after each call is where reading goes on after a crash: then another deserializer gets the head of
/// the file again, and the bytes from there on.
pub trait EventDeserializer: Send {
    /// What the file begins with; `is_all`: it is no longer than that. Called before the first `take`, also when reading
    /// goes on in the middle. Returns how many bytes are no events, or `None` to be called again with more.
    fn begin(&mut self, _head: &[u8], _is_all: bool) -> Result<Option<usize>, DeserializeError> {
        Ok(Some(0))
    }

    /// Cut events off the front of `input` until `out` is full or nothing whole is left; `is_all`: the file ends behind
    /// it, so that the rest is whole. Returns how many bytes are done with. If it is none and not all, it is called
    /// again with more behind the same bytes.
    fn take(&mut self, input: &[u8], is_all: bool, out: &mut Events<'_>) -> Result<usize, DeserializeError>;
}

/// Where events are put: a batch, with what all of them have in their headers.
pub struct Events<'a> {
    batch: &'a mut BatchBuilder,
    headers: &'a Headers,
    most: u32,
    most_bytes: usize,
}

/// The headers that each event of a file has.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    encoded: Vec<u8>,
}

impl Headers {
    /// These, in this order.
    pub fn new(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Headers {
        let mut headers = Headers {
            pairs,
            encoded: Vec::new(),
        };
        let mut batch = BatchBuilder::new();
        batch.push(headers.iter(), b"");
        // An event is its headers and its body, and an empty body is one byte.
        headers.encoded = batch.finish().encoded().to_vec();
        headers.encoded.pop();
        headers
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

impl<'a> Events<'a> {
    /// Put at most so many events and bytes into a batch; a single event may be larger.
    pub fn new(batch: &'a mut BatchBuilder, headers: &'a Headers, most: u32, most_bytes: usize) -> Self {
        Events {
            batch,
            headers,
            most,
            most_bytes,
        }
    }

    /// No more fits.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.batch.len() >= self.most || self.batch.bytes() >= self.most_bytes
    }

    /// One event with this body.
    #[inline]
    pub fn push(&mut self, body: &[u8]) {
        match self.headers.pairs.is_empty() {
            true => self.batch.push_body(body),
            false => self.batch.push_headed(&self.headers.encoded, body),
        }
    }

    /// One event with headers of its own beside those of the file.
    pub fn push_with(&mut self, own: &[(&[u8], &[u8])], body: &[u8]) {
        let own = own.iter().map(|(name, value)| (*name, *value));
        self.batch.push(self.headers.iter().chain(own), body);
    }
}

/// What a deserializer is made with.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// In which character set the file is.
    pub charset: Charset,
    /// What becomes of bytes that are none in it.
    pub policy: DecodeErrorPolicy,
}

/// What makes a deserializer for one file.
type Make = fn(&mut Options, Text) -> Result<Box<dyn EventDeserializer>, String>;

/// One line in the table of deserializers.
pub struct Spec {
    /// The word for it, in any case.
    pub name: &'static str,
    /// Flume's class name.
    pub class: &'static str,
    /// The settings that it has.
    pub settings: &'static [&'static str],
    /// What it makes, as a sentence.
    pub about: &'static str,
    /// It wants the file as it is, also where that is compressed.
    pub is_raw: bool,
    make: Make,
}

/// All deserializers.
pub const ALL: &[Spec] = &[
    Spec {
        name: "LINE",
        class: "org.apache.flume.serialization.LineDeserializer$Builder",
        settings: &["maxLineLength", "outputCharset"],
        about: "An event for each line.",
        is_raw: false,
        make: line::make,
    },
    Spec {
        name: "AVRO",
        class: "org.apache.flume.serialization.AvroEventDeserializer$Builder",
        settings: &["schemaType"],
        about: "An event for each record of an Avro container, with its schema in a header.",
        is_raw: false,
        make: avro::make,
    },
    Spec {
        name: "BLOB",
        class: "org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder",
        settings: &["maxBlobLength"],
        about: "An event for the whole file.",
        is_raw: true,
        make: blob::make,
    },
];

/// The line with this name or class name, in any case. The error is a sentence.
pub fn find(name: &str) -> Result<&'static Spec, String> {
    let known = |spec: &&Spec| spec.name.eq_ignore_ascii_case(name) || spec.class.eq_ignore_ascii_case(name);
    ALL.iter().find(known).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
        format!("\"{name}\" is no deserializer; there are {}", names.join(", "))
    })
}

impl Spec {
    /// One for a file. The error is a sentence that names the setting.
    pub fn make(&self, options: &mut Options, text: Text) -> Result<Box<dyn EventDeserializer>, String> {
        if let Some(key) = options.unknown(self.settings) {
            return Err(format!(
                "the deserializer {} has no setting \"{key}\"; it has {}",
                self.name,
                self.settings.join(" and ")
            ));
        }
        (self.make)(options, text).map_err(|why| format!("deserializer {}: {why}", self.name))
    }
}

#[cfg(test)]
mod tests;
