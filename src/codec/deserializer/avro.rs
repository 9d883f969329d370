//! `AVRO`: an event for each record of an Avro object container, its body the record in Avro binary.
//!
//! The schema goes into a header, as `schemaType` says: `HASH` (`flume.avro.schema.hash`, the CRC-64-AVRO fingerprint of its
//! canonical form in hexadecimal) or `LITERAL` (`flume.avro.schema.literal`, the schema itself).
//!
//! A position is where a sync marker stands in front of a block, as Flume has it, so a block is handed on as one batch.

use super::container::{Block, Container, SchemaType};
use super::{DeserializeError, EventDeserializer, Events, Text};
use crate::codec::Options;
use crate::codec::avro::MARKER;

struct Records {
    kind: SchemaType,
    read: Option<Read>,
    block: Vec<u8>,
}

/// What the head of the file said.
struct Read {
    container: Container,
    /// The header with the schema.
    name: &'static [u8],
    value: Vec<u8>,
}

pub(super) fn make(options: &mut Options, _text: Text) -> Result<Box<dyn EventDeserializer>, String> {
    let word = options.take("schemaType").unwrap_or_else(|| "HASH".into());
    let kind = clap::ValueEnum::from_str(&word, true)
        .map_err(|_| format!("schemaType: \"{word}\" is neither HASH nor LITERAL"))?;
    Ok(Box::new(Records {
        kind,
        read: None,
        block: Vec::new(),
    }))
}

fn wrong(what: impl Into<String>) -> DeserializeError {
    DeserializeError::Format(what.into())
}

impl EventDeserializer for Records {
    fn begin(&mut self, head: &[u8], is_all: bool) -> Result<Option<usize>, DeserializeError> {
        let Some((container, end)) = Container::open(head, is_all).map_err(wrong)? else {
            return Ok(None);
        };
        let (name, value) = container.schema_header(self.kind);
        self.read = Some(Read {
            container,
            name,
            value,
        });
        // The marker behind the head is that in front of the first block.
        Ok(Some(end - MARKER))
    }

    fn take(&mut self, input: &[u8], is_all: bool, out: &mut Events<'_>) -> Result<usize, DeserializeError> {
        let Some(read) = &self.read else {
            return Err(wrong("its head was not read"));
        };
        if out.is_full() {
            return Ok(0);
        }
        let cut = |what: &str| match is_all {
            true => Err(wrong(format!("the Avro container ends in the middle of {what}"))),
            false => Ok(0),
        };
        let Some((front, rest)) = input.split_first_chunk() else {
            return match input.is_empty() {
                true => Ok(0),
                false => cut("a sync marker"),
            };
        };
        if front != read.container.marker() {
            return Err(wrong(
                "a block of the Avro container does not end with its sync marker",
            ));
        }
        if rest.is_empty() {
            return Ok(if is_all { MARKER } else { 0 });
        }
        let (count, bytes) = match read.container.block(rest, &mut self.block).map_err(wrong)? {
            Block::Whole { records, bytes } => (records, bytes),
            Block::Cut(what) => return cut(what),
        };
        let mut records = &self.block[..];
        for _ in 0..count {
            let (record, behind) = records.split_at(read.container.record(records).map_err(wrong)?);
            out.push_with(&[(read.name, &read.value)], record);
            records = behind;
        }
        match records.is_empty() {
            true => Ok(MARKER + bytes),
            false => Err(wrong("a block of the Avro container has more than its records")),
        }
    }
}
