//! An Avro object container as it is read: its head, then block after block (Avro 1.11 specification, "Object Container
//! Files").

use super::schema::Shapes;
use crate::codec::avro::{HEAD, MAGIC, MARKER, header, take_long};
use apache_avro::Codec;
use apache_avro::rabin::Rabin;
use apache_avro::schema::Schema;
use std::str::FromStr;

/// Bytes of a block at most, as it stands in the container and as it is without compression.
const BLOCK: usize = 256 << 20;
/// Records of a block at most where they have no bytes: nothing else bounds them.
const EMPTY_RECORDS: usize = 1 << 20;

/// Which header says what the schema of a record is.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaType {
    /// flume.avro.schema.hash, the CRC-64-AVRO fingerprint of its canonical form in hexadecimal.
    #[default]
    #[value(name = "HASH")]
    Hash,
    /// flume.avro.schema.literal, the schema itself.
    #[value(name = "LITERAL")]
    Literal,
}

/// What the head of a container said.
pub(crate) struct Container {
    marker: [u8; MARKER],
    codec: Codec,
    shapes: Shapes,
    schema: Schema,
    literal: String,
}

/// A block that was looked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// All of it is there.
    Whole {
        /// Its records.
        records: u64,
        /// Its bytes in the container up to its marker.
        bytes: usize,
    },
    /// The input ends in the middle of this.
    Cut(&'static str),
}

impl Container {
    /// The container that `input` begins with, and how many bytes its head has with the marker at its end; `None` if there
    /// must be more to tell, `is_all` says that there is not.
    ///
    /// Errors: a sentence.
    pub(crate) fn open(input: &[u8], is_all: bool) -> Result<Option<(Container, usize)>, String> {
        let none = || Err("it is no Avro container".to_string());
        let Some((end, marker, entries)) = header(input) else {
            let begins = MAGIC.starts_with(&input[..input.len().min(MAGIC.len())]);
            return match is_all || input.len() >= HEAD || !begins {
                true => none(),
                false => Ok(None),
            };
        };
        let entry = |name: &[u8]| {
            let mut found = entries.iter().filter(|(key, _)| *key == name);
            found.next().map(|(_, value)| *value)
        };
        let literal = entry(b"avro.schema").and_then(|schema| std::str::from_utf8(schema).ok());
        let literal = literal.ok_or("the Avro container has no schema")?;
        let schema = Schema::parse_str(literal)
            .map_err(|error| format!("the schema of the Avro container is none: {error}"))?;
        let shapes = Shapes::new(&schema)
            .map_err(|why| format!("the schema of the Avro container cannot be used: {why}"))?;
        let codec = codec(entry(b"avro.codec"))?;
        let container = Container {
            marker,
            codec,
            shapes,
            schema,
            literal: literal.to_string(),
        };
        Ok(Some((container, end as usize)))
    }

    /// What stands behind each block.
    pub(crate) fn marker(&self) -> &[u8; MARKER] {
        &self.marker
    }

    /// The header that tells a record's schema: its name and its value.
    pub(crate) fn schema_header(&self, kind: SchemaType) -> (&'static [u8], Vec<u8>) {
        match kind {
            SchemaType::Literal => (b"flume.avro.schema.literal", self.literal.as_bytes().to_vec()),
            SchemaType::Hash => {
                let hash = self.schema.fingerprint::<Rabin>().bytes;
                let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                (b"flume.avro.schema.hash", hex.into_bytes())
            }
        }
    }

    /// Each record is an event as Flume's file sinks write it: a map of headers, then a body.
    pub(crate) fn holds_events(&self) -> bool {
        let Schema::Record(record) = &self.schema else {
            return false;
        };
        match &record.fields[..] {
            [headers, body] => {
                let is_map = matches!(&headers.schema, Schema::Map(map) if *map.types == Schema::String);
                (headers.name.as_str(), body.name.as_str()) == ("headers", "body")
                    && is_map
                    && body.schema == Schema::Bytes
            }
            _ => false,
        }
    }

    /// The block that `input` begins with, whose records are put into `into`.
    ///
    /// Errors: a sentence.
    pub(crate) fn block(&self, input: &[u8], into: &mut Vec<u8>) -> Result<Block, String> {
        let mut rest = input;
        let (Some(count), Some(length)) = (take_long(&mut rest), take_long(&mut rest)) else {
            return match rest.len() >= 20 {
                true => Err("no block of the Avro container begins where the next one should".into()),
                false => Ok(Block::Cut("the head of a block")),
            };
        };
        let (Ok(count), Ok(length)) = (u64::try_from(count), usize::try_from(length)) else {
            return Err("no block of the Avro container begins where the next one should".into());
        };
        let too_large = || {
            let most = BLOCK >> 20;
            Err(format!("a block of the Avro container has more than {most} MiB"))
        };
        if length > BLOCK {
            return too_large();
        }
        // With the marker behind it, which shows that it is whole.
        let Some(marker) = rest.get(length..length + MARKER) else {
            return Ok(Block::Cut("a block"));
        };
        if marker != self.marker {
            return Err("a block of the Avro container does not end with its sync marker".into());
        }
        into.clear();
        into.extend_from_slice(&rest[..length]);
        self.codec
            .decompress(into)
            .map_err(|error| format!("a block of the Avro container cannot be decompressed: {error}"))?;
        if into.len() > BLOCK {
            return too_large();
        }
        if count > into.len().max(EMPTY_RECORDS) as u64 {
            return Err(format!(
                "a block of the Avro container says that it has {count} records in {} bytes",
                into.len()
            ));
        }
        Ok(Block::Whole {
            records: count,
            bytes: input.len() - rest.len() + length,
        })
    }

    /// How many bytes the first record in these has.
    ///
    /// Errors: a sentence.
    pub(crate) fn record(&self, bytes: &[u8]) -> Result<usize, String> {
        let behind = self.shapes.behind(bytes);
        let behind = behind.ok_or("a record of the Avro container is not as its schema says")?;
        Ok(bytes.len() - behind.len())
    }
}

fn codec(word: Option<&[u8]>) -> Result<Codec, String> {
    let word = word.unwrap_or(b"null");
    let known = std::str::from_utf8(word)
        .ok()
        .and_then(|word| Codec::from_str(word).ok());
    known.ok_or_else(|| {
        let word = crate::event::shown(word);
        format!("the Avro container is compressed with \"{word}\", which is not known")
    })
}
