//! Frames: how a stream of batches looks in a pipe, a socket, a recording and a channel's segment.
//!
//! A stream is `hello`, batches, `end`; acceptances travel the other way in the same frames. Each frame has
//! a header of 48 bytes, little-endian, and a payload ([`FrameHeader`] lists the fields). This module knows
//! bytes and frames; what a frame obliges anybody to do is told in [`crate::ack`].
//!
//! Corruption is an error that says where it is and what was expected there. Nothing is allocated for a
//! length that was not checked against its limit first.

use crate::event::Batch;
use crate::slab;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// The first four bytes of every frame.
pub const MAGIC: [u8; 4] = *b"FLM1";
/// Bytes of a frame's header.
pub const HEADER: usize = 48;
/// Version of the stream format that this program speaks.
pub const VERSION: u64 = 1;
/// Payload bytes that a frame may have unless both sides were told otherwise.
pub const LIMIT: u32 = 64 << 20;
/// Bytes that a hello may have.
pub const HELLO_LIMIT: u32 = 64 << 10;
/// Stages that a hello may name in `via`.
pub const VIA_LIMIT: usize = 64;
/// Bytes read ahead of the frame that is wanted.
const READ_AHEAD: usize = 64 << 10;

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
/// | 36 | 4 | zero |
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
    /// CRC32C of the payload as written.
    pub crc: u32,
}

/// CRC32C (Castagnoli), as in RFC 3720.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
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
    #[error("found {}, expected a frame, which begins with \"FLM1\"", quoted(.0))]
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

/// What frames are read from: a reader that can also append to a buffer without filling it with zeros first.
pub trait Input: Read {
    /// Append at most `most` bytes to `to`; 0 is the end of the input.
    fn read_onto(&mut self, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let before = to.len();
        to.resize(before + most, 0);
        let outcome = self.read(&mut to[before..]);
        to.truncate(before + outcome.as_ref().copied().unwrap_or(0));
        outcome
    }
}

impl Input for &[u8] {}
impl Input for io::Empty {}
impl Input for io::Cursor<Vec<u8>> {}
impl Input for std::fs::File {
    fn read_onto(&mut self, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        crate::fd::read_onto(self, to, most)
    }
}

/// What [`FrameReader::next`] found.
#[derive(Debug)]
pub enum Got {
    /// A whole frame.
    Frame(Frame),
    /// The reader below says `WouldBlock`: call again later, nothing is lost.
    Pending,
    /// The input has ended between two frames.
    Eof,
}

fn check_payload(header: &FrameHeader, payload: &[u8]) -> Result<(), Fault> {
    let (said, found) = (header.crc, crc32c(payload));
    match said == found {
        true => Ok(()),
        false => Err(Fault::PayloadCrc { said, found }),
    }
}

/// Reads frames. Not enough bytes yet is a value, and the end of input inside a frame is told apart from
/// the end between frames.
pub struct FrameReader<R> {
    inner: R,
    limit: u32,
    salt: u64,
    /// Bytes read ahead: `ahead[from..to]`.
    ahead: Vec<u8>,
    from: usize,
    to: usize,
    /// A header whose payload is still coming in, and what has come of it.
    partial: Option<(FrameHeader, Vec<u8>)>,
    /// Bytes of the input before the frame that comes next.
    at: u64,
}

impl<R: Input> FrameReader<R> {
    /// Read frames of at most `limit` payload bytes.
    pub fn new(inner: R, limit: u32) -> Self {
        FrameReader {
            inner,
            limit,
            salt: 0,
            ahead: vec![0; READ_AHEAD],
            from: 0,
            to: 0,
            partial: None,
            at: 0,
        }
    }

    /// Read the frames of a channel's segment, whose headers are salted with its number. `at` is the
    /// offset at which the input stands.
    pub fn salted(inner: R, limit: u32, salt: u64, at: u64) -> Self {
        FrameReader {
            salt,
            at,
            ..Self::new(inner, limit)
        }
    }

    /// What is read from.
    pub fn inner_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// Bytes of the input before the frame that comes next.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Some bytes of the next frame are here already.
    pub fn is_inside(&self) -> bool {
        self.from < self.to || self.partial.is_some()
    }

    /// The next frame.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Got, WireError> {
        if self.partial.is_none() {
            while self.to - self.from < HEADER {
                let fresh = self.fill()?;
                self.check_start()?;
                match fresh {
                    Some(0) if self.from == self.to => return Ok(Got::Eof),
                    Some(0) => return Err(self.cut(self.to - self.from, HEADER)),
                    Some(_) => {}
                    None => return Ok(Got::Pending),
                }
            }
            let header = self.start_frame()?;
            let length = header.length as usize;
            if length <= slab::SMALL_BYTES && length <= self.to - self.from {
                let payload = &self.ahead[self.from..self.from + length];
                check_payload(&header, payload).map_err(|fault| self.fault(fault))?;
                let payload = slab::copy(payload);
                self.from += length;
                self.at += (HEADER + length) as u64;
                return Ok(Got::Frame(Frame { header, payload }));
            }
            self.partial = Some((header, self.start_payload(length)));
        }
        if !self.fill_payload()? {
            return Ok(Got::Pending);
        }
        self.finish_frame()
    }

    /// Read more behind what is there; `None` if the reader would block, 0 at the end.
    fn fill(&mut self) -> Result<Option<usize>, WireError> {
        if self.from > 0 {
            self.ahead.copy_within(self.from..self.to, 0);
            self.to -= self.from;
            self.from = 0;
        }
        let fresh = retried(|| self.inner.read(&mut self.ahead[self.to..]))?;
        self.to += fresh.unwrap_or(0);
        Ok(fresh)
    }

    /// What is no frame is found at the first byte, not when 48 of them are there.
    fn check_start(&self) -> Result<(), WireError> {
        check_magic(&self.ahead[self.from..self.to]).map_err(|fault| self.fault(fault))
    }

    fn start_frame(&mut self) -> Result<FrameHeader, WireError> {
        let mut bytes = [0; HEADER];
        bytes.copy_from_slice(&self.ahead[self.from..self.from + HEADER]);
        let header = FrameHeader::decode(&bytes, self.salt, self.limit).map_err(|fault| self.fault(fault))?;
        self.from += HEADER;
        Ok(header)
    }

    /// A slab for a payload, with what of it is here.
    fn start_payload(&mut self, length: usize) -> Vec<u8> {
        let mut payload = slab::take();
        let here = (self.to - self.from).min(length);
        payload.reserve(length);
        payload.extend_from_slice(&self.ahead[self.from..self.from + here]);
        self.from += here;
        payload
    }

    /// Read the rest of a payload straight into its slab; false if the reader would block.
    fn fill_payload(&mut self) -> Result<bool, WireError> {
        let Some((header, payload)) = &mut self.partial else {
            return Ok(true);
        };
        let want = header.length as usize;
        while payload.len() < want {
            let left = want - payload.len();
            match retried(|| self.inner.read_onto(payload, left))? {
                Some(0) => {
                    let have = payload.len();
                    return Err(self.cut(HEADER + have, HEADER + want));
                }
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn finish_frame(&mut self) -> Result<Got, WireError> {
        let Some((header, payload)) = self.partial.take() else {
            return Ok(Got::Pending);
        };
        check_payload(&header, &payload).map_err(|fault| self.fault(fault))?;
        self.at += (HEADER + payload.len()) as u64;
        let payload = slab::freeze(payload);
        Ok(Got::Frame(Frame { header, payload }))
    }

    /// After a fault: go on at the next frame whose header is whole. Says how many bytes were passed over,
    /// `None` if no frame follows. For files only; a live stream stops at its first fault.
    pub fn skip_to_next(&mut self) -> Result<Option<u64>, WireError> {
        if let Some((_, payload)) = self.partial.take() {
            slab::give(payload);
        }
        let mut skipped = 0u64;
        loop {
            let window = &self.ahead[self.from..self.to];
            let start = usize::from(skipped == 0 && window.starts_with(&MAGIC));
            match memchr::memmem::find(&window[start.min(window.len())..], &MAGIC) {
                Some(found) => {
                    self.from += start + found;
                    skipped += (start + found) as u64;
                    if self.whole_header()? {
                        self.at += skipped;
                        return Ok(Some(skipped));
                    }
                    self.from += 1;
                    skipped += 1;
                }
                None => {
                    let keep = window.len().min(MAGIC.len() - 1);
                    skipped += (window.len() - keep) as u64;
                    self.from = self.to - keep;
                    if self.fill()?.unwrap_or(0) == 0 {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn whole_header(&mut self) -> Result<bool, WireError> {
        while self.to - self.from < HEADER {
            if self.fill()?.unwrap_or(0) == 0 {
                return Ok(false);
            }
        }
        let mut bytes = [0; HEADER];
        bytes.copy_from_slice(&self.ahead[self.from..self.from + HEADER]);
        Ok(FrameHeader::decode(&bytes, self.salt, self.limit).is_ok())
    }

    fn fault(&self, fault: Fault) -> WireError {
        WireError::Fault { at: self.at, fault }
    }

    fn cut(&self, have: usize, want: usize) -> WireError {
        self.fault(Fault::Cut {
            have: have as u64,
            want: want as u64,
        })
    }
}

/// Read until it works; `None` if it would block.
fn retried(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match read() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Follows the order of a stream: hello first, batches without a gap, nothing behind the end but a new hello.
#[derive(Debug, Default)]
pub struct Order {
    open: bool,
    last: u64,
}

impl Order {
    /// Look at a frame in its turn.
    pub fn check(&mut self, header: &FrameHeader) -> Result<(), Fault> {
        match header.kind {
            Kind::Hello => *self = Order { open: true, last: 0 },
            Kind::Batch if !self.open => return Err(Fault::NoHello),
            Kind::Batch if header.sequence != self.last + 1 => {
                return Err(Fault::Gap {
                    expected: self.last + 1,
                    found: header.sequence,
                });
            }
            Kind::Batch => self.last = header.sequence,
            Kind::End if !self.open => return Err(Fault::NoHello),
            Kind::End if header.sequence != self.last => {
                return Err(Fault::Gap {
                    expected: self.last + 1,
                    found: header.sequence + 1,
                });
            }
            Kind::End => self.open = false,
            _ => {}
        }
        Ok(())
    }

    /// A hello has come and no end since.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The sequence of the last batch.
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BatchBuilder, Event};
    use proptest::prelude::*;

    fn hello() -> Hello {
        Hello {
            version: VERSION,
            stream: "s".into(),
            stage: "source seq".into(),
            host: "h".into(),
            pid: 1,
            time: String::new(),
            reply: "none".into(),
            token: String::new(),
            origin: String::new(),
            via: vec![],
            other: Default::default(),
        }
    }

    fn stream(batches: &[Batch], compression: Compression) -> Vec<u8> {
        let mut bytes = hello().encode();
        for (index, batch) in batches.iter().enumerate() {
            let (mut header, payload) = batch_frame(batch, compression);
            header.sequence = index as u64 + 1;
            bytes.extend_from_slice(&header.encode(0));
            bytes.extend_from_slice(&payload);
        }
        let end = End {
            batches: batches.len() as u64,
            ..End::default()
        };
        bytes.extend_from_slice(&end.encode());
        bytes
    }

    /// Hands out bytes in pieces of the given sizes and would block between them.
    struct Pieces<'a> {
        bytes: &'a [u8],
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Input for Pieces<'_> {}

    impl Read for Pieces<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.turn % 2 == 1 && !self.bytes.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let size = self.sizes[self.turn % self.sizes.len()].min(to.len());
            self.bytes.read(&mut to[..size])
        }
    }

    fn read_all(reader: impl Input) -> Result<Vec<Frame>, WireError> {
        let mut frames = FrameReader::new(reader, LIMIT);
        let mut order = Order::default();
        let mut all = Vec::new();
        loop {
            match frames.next()? {
                Got::Frame(frame) => {
                    let at = frames.at();
                    order
                        .check(&frame.header)
                        .map_err(|fault| WireError::Fault { at, fault })?;
                    all.push(frame);
                }
                Got::Pending => {}
                Got::Eof => return Ok(all),
            }
        }
    }

    fn batch_of(bodies: &[Vec<u8>]) -> Batch {
        let mut builder = BatchBuilder::new();
        bodies.iter().for_each(|body| builder.push_body(body));
        builder.finish()
    }

    fn fault_of(result: Result<Vec<Frame>, WireError>) -> Fault {
        match result.unwrap_err() {
            WireError::Fault { fault, .. } => fault,
            WireError::Io(error) => panic!("{error}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn stream_in_any_pieces_comes_back_whole(
            given in proptest::collection::vec(proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..9), 0..6),
            sizes in proptest::collection::vec(1usize..300, 1..4),
            packed in 0..3,
        ) {
            let compression = [Compression::None, Compression::Lz4, Compression::Zstd][packed as usize];
            let batches: Vec<_> = given.iter().map(|bodies| batch_of(bodies)).collect();
            let bytes = stream(&batches, compression);
            let frames = read_all(Pieces { bytes: &bytes, sizes, turn: 0 }).unwrap();
            prop_assert_eq!(frames.len(), batches.len() + 2);
            for (frame, batch) in frames[1..].iter().zip(&batches) {
                let found = frame.clone().batch().unwrap();
                prop_assert_eq!(found.encoded(), batch.encoded());
                prop_assert!(found.check().is_ok());
            }
        }

        #[test]
        fn flipped_bit_is_found(at: prop::sample::Index, bit in 0u32..8) {
            let mut bytes = stream(&[batch_of(&[b"one".to_vec(), b"two".to_vec()])], Compression::None);
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(read_all(&bytes[..]).is_err());
        }

        #[test]
        fn cut_anywhere_is_told_from_the_end_between_frames(at: prop::sample::Index) {
            let bytes = stream(&[batch_of(&[b"one".to_vec()])], Compression::None);
            let end = at.index(bytes.len());
            match read_all(&bytes[..end]) {
                Ok(frames) => prop_assert!(frames.len() < 3),
                Err(WireError::Fault { fault: Fault::Cut { .. }, .. }) => {}
                Err(error) => prop_assert!(false, "{}", error),
            }
        }

        #[test]
        fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
            let _ = read_all(&bytes[..]);
            let mut reader = FrameReader::new(&bytes[..], LIMIT);
            let _ = reader.next();
            let _ = reader.skip_to_next();
        }
    }

    #[test]
    fn text_is_refused_at_its_first_bytes() {
        let fault = fault_of(read_all(&b"he"[..]));
        assert!(matches!(&fault, Fault::Magic(found) if found == b"he"), "{fault}");
    }

    #[test]
    fn length_of_four_gigabytes_allocates_nothing() {
        let mut header = FrameHeader::new(Kind::Batch, &[]);
        header.length = u32::MAX;
        let fault = fault_of(read_all(&header.encode(0)[..]));
        assert!(
            matches!(
                fault,
                Fault::TooLong {
                    length: u32::MAX,
                    limit: LIMIT
                }
            ),
            "{fault}"
        );
    }

    #[test]
    fn hello_of_version_two_names_both_versions() {
        let frame = encode_json(
            Kind::Hello,
            0,
            &serde_json::json!({"version": 2, "reply": {"new": "shape"}}),
        );
        let frames = read_all(&frame[..]).unwrap();
        let fault = Hello::from_frame(&frames[0]).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the stream has version 2, this program speaks version 1"
        );
    }

    #[test]
    fn members_of_a_hello_that_are_not_known_are_handed_on() {
        let frame = encode_json(
            Kind::Hello,
            0,
            &serde_json::json!({"version": 1, "colour": "blue"}),
        );
        let frames = read_all(&frame[..]).unwrap();
        let hello = Hello::from_frame(&frames[0]).unwrap();
        let again = read_all(&hello.encode()[..]).unwrap();
        assert!(String::from_utf8_lossy(&again[0].payload).contains("\"colour\":\"blue\""));
    }

    #[test]
    fn missing_batch_is_a_gap() {
        let whole = stream(
            &[batch_of(&[b"a".to_vec()]), batch_of(&[b"b".to_vec()])],
            Compression::None,
        );
        let hello = hello().encode().len();
        let one = HEADER + 3;
        let bytes = [&whole[..hello], &whole[hello + one..]].concat();
        assert!(matches!(
            fault_of(read_all(&bytes[..])),
            Fault::Gap {
                expected: 1,
                found: 2
            }
        ));
    }

    #[test]
    fn batch_without_a_hello_is_refused() {
        let whole = stream(&[Batch::single(&Event::new("a"))], Compression::None);
        let bytes = &whole[hello().encode().len()..];
        assert!(matches!(fault_of(read_all(bytes)), Fault::NoHello));
    }

    #[test]
    fn reader_of_a_file_goes_on_behind_damage() {
        let batches = [
            batch_of(&[b"a".to_vec()]),
            batch_of(&[b"b".to_vec()]),
            batch_of(&[b"c".to_vec()]),
        ];
        let mut bytes = stream(&batches, Compression::None);
        let second = hello().encode().len() + HEADER + 3;
        bytes[second + 20] ^= 1;
        let mut reader = FrameReader::new(&bytes[..], LIMIT);
        assert!(matches!(reader.next(), Ok(Got::Frame(_))));
        assert!(matches!(reader.next(), Ok(Got::Frame(_))));
        assert!(reader.next().is_err());
        assert_eq!(reader.skip_to_next().unwrap(), Some((HEADER + 3) as u64));
        let Ok(Got::Frame(frame)) = reader.next() else {
            panic!("the third batch follows");
        };
        assert_eq!(frame.header.sequence, 3);
    }

    #[test]
    fn salted_header_is_not_one_of_another_segment() {
        let header = FrameHeader::new(Kind::Batch, b"x");
        let bytes = header.encode(7);
        assert!(FrameHeader::decode(&bytes, 7, LIMIT).is_ok());
        assert!(matches!(
            FrameHeader::decode(&bytes, 8, LIMIT),
            Err(Fault::HeaderCrc { .. })
        ));
    }
}
