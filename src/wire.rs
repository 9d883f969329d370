//! Frames: how a stream of batches looks in a pipe, a socket, a recording and a channel's segment.
//!
//! A stream is `hello`, batches, `end`; acceptances travel the other way in the same frames. Each frame has
//! a header of 48 bytes, little-endian, and a payload ([`FrameHeader`] lists the fields). This module knows
//! bytes and frames; what a frame obliges anybody to do is told in [`crate::ack`].
//!
//! Corruption is an error that says where it is and what was expected there. Nothing is allocated for a
//! length that was not checked against its limit first.

mod hello;
mod reader;

pub use hello::{End, Hello, Refuse, accept_frame, encode_json, welcome_frame};
pub use reader::{FrameReader, Got, Input, Order};

use crate::event::Batch;
use crate::slab;
use bytes::Bytes;
use serde::Deserialize;
use std::io;

/// What is said of an input that has ended before anything came.
pub const NOTHING_CAME: &str = "no stream came: the stage before has ended without beginning one, and its own \
                                message says why";

/// The first four bytes of every frame.
pub const MAGIC: [u8; 4] = *b"FLM1";
/// Bytes of a frame's header.
pub const HEADER: usize = 48;
/// Version of the stream format that this program speaks.
pub const VERSION: u64 = 1;
/// Payload bytes that a frame may have unless both sides were told otherwise.
pub const LIMIT: u32 = 64 << 20;
/// Member of a hello whose writer waits for a welcome over the same socket.
pub const GREET: &str = "greet";
/// Bytes that a hello may have.
pub const HELLO_LIMIT: u32 = 64 << 10;
/// Stages that a hello may name in `via`.
pub const VIA_LIMIT: usize = 64;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opens a stream: a JSON object, [`Hello`].
    Hello,
    /// Encoded events.
    Batch,
    /// Closes a stream that ended well: a JSON object, [`End`].
    End,
    /// Travels back: every batch up to `sequence` is taken.
    Accept,
    /// Travels back: the batch `sequence` is not taken; the payload is a JSON object, [`Refuse`].
    Refuse,
    /// Asks the next taker to accept what it has now.
    Flush,
    /// A sign of life.
    Ping,
    /// 128 to 255: not known here, handed on or skipped.
    Other(u8),
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Hello,
            2 => Kind::Batch,
            3 => Kind::End,
            4 => Kind::Accept,
            5 => Kind::Refuse,
            6 => Kind::Flush,
            7 => Kind::Ping,
            128.. => Kind::Other(byte),
            _ => return None,
        })
    }

    fn byte(self) -> u8 {
        match self {
            Kind::Hello => 1,
            Kind::Batch => 2,
            Kind::End => 3,
            Kind::Accept => 4,
            Kind::Refuse => 5,
            Kind::Flush => 6,
            Kind::Ping => 7,
            Kind::Other(byte) => byte,
        }
    }
}

/// How a payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// An LZ4 block without a size in front.
    Lz4,
    /// A Zstandard frame.
    Zstd,
}

/// The fields of a frame's header.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 4 | `FLM1` |
/// | 4 | 1 | kind |
/// | 5 | 1 | flags: bits 0-1 compression (0 none, 1 lz4, 2 zstd), bit 2 encrypted |
/// | 6 | 2 | zero |
/// | 8 | 4 | bytes of the payload |
/// | 12 | 4 | events in the payload |
/// | 16 | 8 | sequence: 1, 2, 3 ... in each stream |
/// | 24 | 8 | origin: position in the channel that the hello names, 0 if none |
/// | 32 | 4 | bytes of the payload before compression |
/// | 36 | 4 | zero; in a channel's segment milliseconds since it was made |
/// | 40 | 4 | CRC32C of the payload as written |
/// | 44 | 4 | CRC32C of bytes 0-43; in a channel's segment of these and the segment's number (8 bytes) |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame is.
    pub kind: Kind,
    /// How its payload is compressed.
    pub compression: Compression,
    /// Bytes of the payload as written.
    pub length: u32,
    /// Events in the payload.
    pub events: u32,
    /// Place in the stream.
    pub sequence: u64,
    /// Position in a channel.
    pub origin: u64,
    /// Bytes of the payload before compression.
    pub raw_length: u32,
    /// Milliseconds between the making of the segment that holds the frame and its put; 0 in a stream.
    pub since: u32,
    /// CRC32C of the payload as written.
    pub crc: u32,
}

/// CRC32C (Castagnoli), as in RFC 3720.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The CRC32C of bytes with this one, followed by `length` bytes with that one.
pub(crate) fn crc32c_and(first: u32, second: u32, length: u64) -> u32 {
    let both = crc_fast::checksum_combine(
        crc_fast::CrcAlgorithm::Crc32Iscsi,
        first.into(),
        second.into(),
        length,
    );
    both as u32
}

fn header_crc(bytes: &[u8; HEADER], salt: u64) -> u32 {
    if salt == 0 {
        return crc32c(&bytes[..44]);
    }
    let mut salted = [0; 52];
    salted[..44].copy_from_slice(&bytes[..44]);
    salted[44..].copy_from_slice(&salt.to_le_bytes());
    crc32c(&salted)
}

impl FrameHeader {
    /// The header of an uncompressed frame with this payload.
    pub fn new(kind: Kind, payload: &[u8]) -> Self {
        FrameHeader {
            kind,
            compression: Compression::None,
            length: payload.len() as u32,
            events: 0,
            sequence: 0,
            origin: 0,
            raw_length: payload.len() as u32,
            since: 0,
            crc: crc32c(payload),
        }
    }

    /// The header of an uncompressed batch; a checksum that is known already is not computed again.
    pub fn batch(batch: &Batch) -> Self {
        FrameHeader {
            kind: Kind::Batch,
            compression: Compression::None,
            length: batch.bytes() as u32,
            events: batch.len(),
            sequence: batch.sequence,
            origin: batch.origin,
            raw_length: batch.bytes() as u32,
            since: 0,
            crc: batch.crc.unwrap_or_else(|| crc32c(batch.encoded())),
        }
    }

    /// The 48 bytes. `salt` is a segment's number, 0 in a stream.
    pub fn encode(&self, salt: u64) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind.byte();
        bytes[5] = match self.compression {
            Compression::None => 0,
            Compression::Lz4 => 1,
            Compression::Zstd => 2,
        };
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.events.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.origin.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.raw_length.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.since.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.crc.to_le_bytes());
        let crc = header_crc(&bytes, salt);
        bytes[44..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Read the 48 bytes, checked in every field. `limit` bounds both lengths.
    pub fn decode(bytes: &[u8; HEADER], salt: u64, limit: u32) -> Result<Self, Fault> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        check_magic(bytes)?;
        let (said, found) = (u32_at(44), header_crc(bytes, salt));
        if said != found {
            return Err(Fault::HeaderCrc { said, found });
        }
        let kind = Kind::from_byte(bytes[4]).ok_or(Fault::Kind(bytes[4]))?;
        let compression = match bytes[5] {
            0 => Compression::None,
            1 => Compression::Lz4,
            2 => Compression::Zstd,
            4..8 => return Err(Fault::Encrypted),
            flags => return Err(Fault::Flags(flags)),
        };
        let header = FrameHeader {
            kind,
            compression,
            length: u32_at(8),
            events: u32_at(12),
            sequence: u64_at(16),
            origin: u64_at(24),
            raw_length: u32_at(32),
            since: u32_at(36),
            crc: u32_at(40),
        };
        let limit = match kind {
            Kind::Hello => limit.min(HELLO_LIMIT),
            _ => limit,
        };
        let length = header.length.max(header.raw_length);
        if length > limit {
            return Err(Fault::TooLong { length, limit });
        }
        // An event has two bytes at the least: an empty map and an empty body.
        if header.events > header.raw_length / 2 {
            return Err(Fault::Events {
                events: header.events,
                bytes: header.raw_length,
            });
        }
        Ok(header)
    }
}

/// What to say of the first bytes when they are a record of TLS: a handshake or an alert.
fn looks_like_tls(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x15 | 0x16, 3, ..] => ": this is TLS, so that one side has a tcp: address and the other tls:",
        _ => "",
    }
}

fn check_magic(bytes: &[u8]) -> Result<(), Fault> {
    let have = bytes.len().min(4);
    if bytes[..have] == MAGIC[..have] {
        return Ok(());
    }
    Err(Fault::Magic(bytes[..bytes.len().min(16)].to_vec()))
}

/// What is wrong with a frame.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message names each field
pub enum Fault {
    /// The first bytes are no frame.
    #[error("found {}, expected a frame, which begins with \"FLM1\"{}", quoted(.0), looks_like_tls(.0))]
    Magic(Vec<u8>),
    /// The header was changed on its way.
    #[error("the frame's header is damaged: its checksum is {found:08x}, it says {said:08x}")]
    HeaderCrc { said: u32, found: u32 },
    /// The payload was changed on its way.
    #[error("the frame's payload is damaged: its checksum is {found:08x}, its header says {said:08x}")]
    PayloadCrc { said: u32, found: u32 },
    /// A kind that must be understood.
    #[error("a frame of kind {0} is not known to this version")]
    Kind(u8),
    /// Flags that must be understood.
    #[error("a frame with flags {0:#04x} is not known to this version")]
    Flags(u8),
    /// Nobody has a key here.
    #[error("the frame is encrypted and no key was given")]
    Encrypted,
    /// A length over the limit.
    #[error("a frame of {length} bytes is over the limit of {limit}")]
    TooLong { length: u32, limit: u32 },
    /// More events than the bytes can hold.
    #[error("a frame says that it holds {events} events in {bytes} bytes")]
    Events { events: u32, bytes: u32 },
    /// The input ended in the middle of a frame.
    #[error("the input ends inside a frame, after {have} of its {want} bytes")]
    Cut { have: u64, want: u64 },
    /// A batch is missing.
    #[error("batch {found} follows where batch {expected} should: data is missing")]
    Gap { expected: u64, found: u64 },
    /// A batch before any hello.
    #[error("the stream does not begin with a hello: an earlier reader of this pipe has taken its beginning")]
    NoHello,
    /// A hello of another version.
    #[error("the stream has version {found}, this program speaks version {VERSION}")]
    Version { found: u64 },
    /// A payload that should be JSON of a known shape.
    #[error("the {what} is not understood: {why}")]
    Json { what: &'static str, why: String },
    /// Compressed bytes that do not expand to what was said.
    #[error("the payload does not expand to the {want} bytes that it says: {why}")]
    Expand { want: u32, why: String },
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", crate::event::shown(bytes))
}

/// A fault with its place, or a failure to read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message names each field
pub enum WireError {
    /// Bad bytes, `at` bytes behind the start of the input.
    #[error("at byte {at}: {fault}")]
    Fault { at: u64, fault: Fault },
    /// The system could not read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A frame as it came: the payload is checked against its checksum and not expanded yet.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The header.
    pub header: FrameHeader,
    /// The payload as written.
    pub payload: Bytes,
}

impl Frame {
    /// The events of a batch frame, expanded if they were compressed.
    pub fn batch(self) -> Result<Batch, Fault> {
        let compressed = self.header.compression != Compression::None;
        let slab = match compressed {
            true => slab::freeze(expand(&self.header, &self.payload)?),
            false => self.payload,
        };
        let mut batch = Batch::from_encoded(slab, self.header.events);
        batch.sequence = self.header.sequence;
        batch.origin = self.header.origin;
        batch.crc = (!compressed).then_some(self.header.crc);
        Ok(batch)
    }

    /// The JSON object of a hello, end or refuse frame.
    pub fn json<T: for<'de> Deserialize<'de>>(&self, what: &'static str) -> Result<T, Fault> {
        serde_json::from_slice(&self.payload).map_err(|error| Fault::Json {
            what,
            why: error.to_string(),
        })
    }
}

fn expand(header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, Fault> {
    let want = header.raw_length;
    let failed = |why: String| Fault::Expand { want, why };
    let mut slab = slab::take();
    slab.resize(want as usize, 0);
    let found = match header.compression {
        Compression::None => unreachable!("an uncompressed payload is used as it is"),
        Compression::Lz4 => {
            lz4_flex::block::decompress_into(payload, &mut slab).map_err(|error| failed(error.to_string()))?
        }
        Compression::Zstd => zstd::bulk::decompress_to_buffer(payload, &mut slab[..])
            .map_err(|error| failed(error.to_string()))?,
    };
    if found != want as usize {
        return Err(failed(format!("it has {found}")));
    }
    Ok(slab)
}

/// A batch as a frame: header fields and payload, compressed where that makes it smaller.
pub fn batch_frame(batch: &Batch, compression: Compression) -> (FrameHeader, Bytes) {
    let mut header = FrameHeader::batch(batch);
    let packed = match compression {
        Compression::None => return (header, batch.encoded().clone()),
        Compression::Lz4 => {
            let mut packed = slab::take();
            packed.resize(lz4_flex::block::get_maximum_output_size(batch.bytes()), 0);
            let size = lz4_flex::block::compress_into(batch.encoded(), &mut packed);
            packed.truncate(size.unwrap_or(usize::MAX));
            packed
        }
        Compression::Zstd => zstd::bulk::compress(batch.encoded(), 1).unwrap_or_default(),
    };
    if packed.is_empty() || packed.len() >= batch.bytes() {
        return (header, batch.encoded().clone());
    }
    header.compression = compression;
    header.length = packed.len() as u32;
    header.crc = crc32c(&packed);
    (header, slab::freeze(packed))
}

#[cfg(test)]
mod tests;
