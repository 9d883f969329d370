//! `AVRO`: an event for each record of an Avro object container, its body the record in Avro binary.
//!
//! The schema goes into a header, as `schemaType` says: `HASH` (`flume.avro.schema.hash`, the CRC-64-AVRO fingerprint of its
//! canonical form in hexadecimal) or `LITERAL` (`flume.avro.schema.literal`, the schema itself).
//!
//! A position is where a sync marker stands in front of a block, as Flume has it, so a block is handed on as one batch.

use super::schema::Shapes;
use super::{DeserializeError, EventDeserializer, Events, Text};
use crate::codec::Options;
use crate::codec::avro::{HEAD, MARKER, header, take_long};
use apache_avro::rabin::Rabin;
use apache_avro::{Codec, Schema};
use std::str::FromStr;

const HASH: &[u8] = b"flume.avro.schema.hash";
const LITERAL: &[u8] = b"flume.avro.schema.literal";
/// Bytes of a block at most, as it stands in the file and as it is without compression.
const BLOCK: usize = 256 << 20;

struct Container {
    literal: bool,
    read: Option<Read>,
    block: Vec<u8>,
}

/// What the head of the file said.
struct Read {
    marker: [u8; MARKER],
    codec: Codec,
    shapes: Shapes,
    /// The header with the schema.
    name: &'static [u8],
    value: Vec<u8>,
}

pub(super) fn make(options: &mut Options, _text: Text) -> Result<Box<dyn EventDeserializer>, String> {
    let word = options.take("schemaType").unwrap_or_else(|| "HASH".into());
    let literal = match word.to_ascii_uppercase().as_str() {
        "HASH" => false,
        "LITERAL" => true,
        _ => return Err(format!("schemaType: \"{word}\" is neither HASH nor LITERAL")),
    };
    Ok(Box::new(Container {
        literal,
        read: None,
        block: Vec::new(),
    }))
}

fn wrong(what: impl Into<String>) -> DeserializeError {
    DeserializeError::Format(what.into())
}

impl Container {
    fn read_head(&mut self, head: &[u8]) -> Result<Option<usize>, DeserializeError> {
        let Some((end, marker, entries)) = header(head) else {
            return Ok(None);
        };
        let entry = |name: &[u8]| {
            entries
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        let schema = entry(b"avro.schema").and_then(|schema| std::str::from_utf8(schema).ok());
        let schema = schema.ok_or_else(|| wrong("the Avro container has no schema"))?;
        let parsed = Schema::parse_str(schema)
            .map_err(|error| wrong(format!("the schema of the Avro container is none: {error}")))?;
        let shapes = Shapes::new(&parsed)
            .map_err(|why| wrong(format!("the schema of the Avro container cannot be used: {why}")))?;
        let codec = entry(b"avro.codec")
            .map_or(Ok("null"), std::str::from_utf8)
            .unwrap_or("?");
        let known = Codec::from_str(codec);
        let codec = known.map_err(|_| {
            let codec = crate::event::shown(codec.as_bytes());
            wrong(format!(
                "the Avro container is compressed with \"{codec}\", which is not known"
            ))
        })?;
        let (name, value) = match self.literal {
            true => (LITERAL, schema.as_bytes().to_vec()),
            false => {
                let hash = parsed.fingerprint::<Rabin>().bytes;
                let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                (HASH, hex.into_bytes())
            }
        };
        self.read = Some(Read {
            marker,
            codec,
            shapes,
            name,
            value,
        });
        // The marker behind the head is that in front of the first block.
        Ok(Some(end as usize - MARKER))
    }
}

impl EventDeserializer for Container {
    fn begin(&mut self, head: &[u8], is_all: bool) -> Result<Option<usize>, DeserializeError> {
        let found = self.read_head(head)?;
        match found {
            None if is_all || head.len() >= HEAD => Err(wrong("it is no Avro container")),
            None if !b"Obj\x01".starts_with(&head[..head.len().min(4)]) => {
                Err(wrong("it is no Avro container"))
            }
            found => Ok(found),
        }
    }

    fn take(&mut self, input: &[u8], is_all: bool, out: &mut Events<'_>) -> Result<usize, DeserializeError> {
        let Some(read) = &self.read else {
            return Err(wrong("its head was not read"));
        };
        if out.is_full() {
            return Ok(0);
        }
        let Some(front) = input.get(..MARKER) else {
            return match is_all && !input.is_empty() {
                true => Err(wrong("the Avro container ends in the middle of a sync marker")),
                false => Ok(0),
            };
        };
        if front != read.marker {
            return Err(wrong(
                "a block of the Avro container does not end with its sync marker",
            ));
        }
        let mut rest = &input[MARKER..];
        if rest.is_empty() {
            return Ok(if is_all { MARKER } else { 0 });
        }
        let cut = |what: &str| match is_all {
            true => Err(wrong(format!("the Avro container ends in the middle of {what}"))),
            false => Ok(0),
        };
        let (Some(count), Some(length)) = (take_long(&mut rest), take_long(&mut rest)) else {
            return match rest.len() >= 20 {
                true => Err(wrong("a block of the Avro container begins with no number")),
                false => cut("the head of a block"),
            };
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= BLOCK);
        let (Some(length), 0..) = (length, count) else {
            return Err(wrong(format!(
                "a block of the Avro container has more than {} MiB",
                BLOCK >> 20
            )));
        };
        // With the marker behind it, which shows that it is whole.
        let Some(data) = rest.get(..length).filter(|_| rest.len() >= length + MARKER) else {
            return cut("a block");
        };
        let head = input.len() - rest.len();
        if rest[length..length + MARKER] != read.marker {
            return Err(wrong(
                "a block of the Avro container does not end with its sync marker",
            ));
        }
        self.block.clear();
        self.block.extend_from_slice(data);
        let decompressed = read.codec.decompress(&mut self.block);
        decompressed.map_err(|error| {
            wrong(format!(
                "a block of the Avro container cannot be decompressed: {error}"
            ))
        })?;
        let mut records = &self.block[..];
        for _ in 0..count {
            let behind = read.shapes.behind(records);
            let behind =
                behind.ok_or_else(|| wrong("a record of the Avro container is not as its schema says"))?;
            out.push_with(
                &[(read.name, &read.value)],
                &records[..records.len() - behind.len()],
            );
            records = behind;
        }
        match records.is_empty() {
            true => Ok(head + length),
            false => Err(wrong("a block of the Avro container has more than its records")),
        }
    }
}
