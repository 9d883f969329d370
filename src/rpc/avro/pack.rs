//! The frames of Avro's Netty transport, there called data packs: a serial number, then a list of buffers.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | serial, chosen by the client; the answer has the same |
//! | 4 | how many buffers follow |
//! | for each: 4, then so many | its length, its bytes |
//!
//! Numbers are big-endian. The buffers are one payload: where it is cut means nothing. Java cuts every 8 KiB,
//! so they are gathered as they come: what the system has given is copied once, and a large buffer not at all.

use crate::slab;
use crate::wire::Input;
use std::io;

/// Bytes read at once. Buffers of which at least so much is missing are read in place.
const READ: usize = 64 << 10;

/// What a pack may have at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the payload.
    pub bytes: usize,
    /// Buffers in the list.
    pub buffers: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // A batch of the greatest size, with what a request has around it.
            bytes: (64 << 20) + (64 << 10),
            // Java makes one of 8 KiB, and more of events that are larger than that.
            buffers: 1 << 20,
        }
    }
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// Joins a request and its answer.
    pub serial: u32,
    /// The buffers, one behind the other.
    pub payload: Vec<u8>,
}

/// Why no pack can be read any more.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The input has ended inside a pack.
    #[error("the connection ended inside a pack (at byte {at})")]
    Cut {
        /// Bytes of the input.
        at: u64,
    },
    /// A number that is over its bound: garbage, or another protocol.
    #[error("{what} of {found} at byte {at} is over the limit of {limit}")]
    Limit {
        /// What it counts.
        what: &'static str,
        /// What it says.
        found: u64,
        /// The bound.
        limit: u64,
        /// Where in the input it stands.
        at: u64,
    },
    /// The system, or a compressed stream that is none.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What [`PackReader::next`] found.
#[derive(Debug)]
pub enum Got {
    /// A whole pack.
    Pack(Pack),
    /// The input below says `WouldBlock`: call again later, nothing is lost.
    Pending,
    /// The input has ended between two packs.
    Eof,
}

/// What of the next pack is here.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Nothing: serial and count come next.
    None,
    /// So many buffers are missing, and of the one that comes next the length, too.
    Length { serial: u32, buffers: u32 },
    /// So many are missing behind this one, of which so many bytes are.
    Buffer { serial: u32, buffers: u32, bytes: usize },
}

/// Reads packs.
pub struct PackReader<I> {
    input: I,
    limits: Limits,
    /// Bytes read ahead, used up to `from`. Nothing is allocated while the input is silent between two packs: that
    /// is what most of many connections do.
    ahead: Vec<u8>,
    from: usize,
    part: Part,
    payload: Vec<u8>,
    /// Bytes of the input that were read.
    read: u64,
    /// The first of them.
    first: Vec<u8>,
}

impl<I: Input> PackReader<I> {
    /// Read packs within these limits.
    pub fn new(input: I, limits: Limits) -> Self {
        PackReader {
            input,
            limits,
            ahead: Vec::new(),
            from: 0,
            part: Part::None,
            payload: Vec::new(),
            read: 0,
            first: Vec::new(),
        }
    }

    /// What is read from.
    pub fn inner(&self) -> &I {
        &self.input
    }

    /// What is read from.
    pub fn inner_mut(&mut self) -> &mut I {
        &mut self.input
    }

    /// Bytes of the next pack that are here already; 0 between two packs.
    pub fn begun(&self) -> usize {
        let head = match self.part {
            Part::None => 0,
            Part::Length { .. } | Part::Buffer { .. } => 8,
        };
        head + self.payload.len() + self.ahead.len() - self.from
    }

    /// The first bytes of the input, up to 16: they tell who speaks, where it is not who should.
    pub fn first_bytes(&self) -> &[u8] {
        &self.first
    }

    /// The next pack.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Got, PackError> {
        loop {
            match self.part {
                Part::None => {
                    let Some(head) = self.take::<8>() else {
                        match self.fill()? {
                            Some(0) if self.from == self.ahead.len() => return Ok(Got::Eof),
                            Some(0) => return Err(self.cut()),
                            Some(_) => continue,
                            None => return Ok(Got::Pending),
                        }
                    };
                    self.begin(head)?;
                }
                Part::Length { serial, buffers: 0 } => {
                    self.part = Part::None;
                    let payload = std::mem::take(&mut self.payload);
                    return Ok(Got::Pack(Pack { serial, payload }));
                }
                Part::Length { serial, buffers } => match self.take::<4>() {
                    Some(length) => self.begin_buffer(serial, buffers - 1, u32::from_be_bytes(length))?,
                    None => match self.fill()? {
                        Some(0) => return Err(self.cut()),
                        Some(_) => {}
                        None => return Ok(Got::Pending),
                    },
                },
                Part::Buffer {
                    serial,
                    buffers,
                    bytes: 0,
                } => self.part = Part::Length { serial, buffers },
                Part::Buffer {
                    serial,
                    buffers,
                    bytes,
                } => {
                    let fresh = match self.gather(bytes)? {
                        Some(0) => return Err(self.cut()),
                        Some(fresh) => fresh,
                        None => return Ok(Got::Pending),
                    };
                    let bytes = bytes - fresh;
                    self.part = Part::Buffer {
                        serial,
                        buffers,
                        bytes,
                    };
                }
            }
        }
    }

    /// The next bytes, if so many are here.
    fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let found = *self.ahead[self.from..].first_chunk::<COUNT>()?;
        self.from += COUNT;
        Some(found)
    }

    fn begin(&mut self, head: [u8; 8]) -> Result<(), PackError> {
        let [s0, s1, s2, s3, c0, c1, c2, c3] = head;
        let serial = u32::from_be_bytes([s0, s1, s2, s3]);
        let buffers = u32::from_be_bytes([c0, c1, c2, c3]);
        if buffers > self.limits.buffers {
            return Err(self.over("a number of buffers", buffers.into(), self.limits.buffers.into()));
        }
        self.part = Part::Length { serial, buffers };
        self.payload = slab::take();
        Ok(())
    }

    fn begin_buffer(&mut self, serial: u32, buffers: u32, length: u32) -> Result<(), PackError> {
        let bytes = length as usize;
        if bytes > self.limits.bytes - self.payload.len() {
            let found = self.payload.len() as u64 + u64::from(length);
            return Err(self.over("a payload", found, self.limits.bytes as u64));
        }
        self.part = Part::Buffer {
            serial,
            buffers,
            bytes,
        };
        Ok(())
    }

    /// Bytes of the payload, up to `most`: those that are here, else more from the input.
    fn gather(&mut self, most: usize) -> Result<Option<usize>, PackError> {
        let here = &self.ahead[self.from..];
        if !here.is_empty() {
            let fresh = here.len().min(most);
            self.payload.extend_from_slice(&here[..fresh]);
            self.from += fresh;
            return Ok(Some(fresh));
        }
        if most >= READ {
            let payload = &mut self.payload;
            let fresh = retried(|| self.input.read_onto(payload, most.min(4 * READ)))?;
            self.read += fresh.unwrap_or(0) as u64;
            return Ok(fresh);
        }
        // What has come is gathered by the next call.
        Ok(match self.fill()? {
            Some(fresh) if fresh > 0 => {
                let fresh = fresh.min(most);
                self.payload.extend_from_slice(&self.ahead[..fresh]);
                self.from = fresh;
                Some(fresh)
            }
            nothing => nothing,
        })
    }

    /// Read more behind what is here: `None` if the input would block, 0 at its end.
    fn fill(&mut self) -> Result<Option<usize>, PackError> {
        self.ahead.drain(..self.from);
        self.from = 0;
        let ahead = &mut self.ahead;
        let fresh = retried(|| self.input.read_onto(ahead, READ))?;
        if fresh.is_none() && self.ahead.is_empty() && matches!(self.part, Part::None) {
            self.ahead = Vec::new();
        }
        self.note(fresh.unwrap_or(0));
        Ok(fresh)
    }

    fn note(&mut self, fresh: usize) {
        self.read += fresh as u64;
        if self.first.len() < 16 && self.read <= READ as u64 {
            let missing = 16 - self.first.len();
            let start = self.ahead.len() - fresh;
            let end = self.ahead.len().min(start + missing);
            self.first.extend_from_slice(&self.ahead[start..end]);
        }
    }

    /// Where in the input the byte stands that comes next.
    fn at(&self) -> u64 {
        self.read - (self.ahead.len() - self.from) as u64
    }

    fn cut(&self) -> PackError {
        PackError::Cut { at: self.read }
    }

    fn over(&self, what: &'static str, found: u64, limit: u64) -> PackError {
        let at = self.at() - 4;
        PackError::Limit {
            what,
            found,
            limit,
            at,
        }
    }
}

/// `None` where it would block; again where it was interrupted.
fn retried(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            other => return other.map(Some),
        }
    }
}

/// Append what stands in front of the buffers of a pack.
pub fn put_head(to: &mut Vec<u8>, serial: u32, buffers: u32) {
    to.extend_from_slice(&serial.to_be_bytes());
    to.extend_from_slice(&buffers.to_be_bytes());
}

/// Append a pack of one buffer, whose payload `fill` appends.
pub fn put_pack(to: &mut Vec<u8>, serial: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    put_head(to, serial, 1);
    put_buffer(to, fill);
}

/// Append a buffer of a pack, whose bytes `fill` appends.
pub fn put_buffer(to: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = to.len();
    to.extend_from_slice(&[0; 4]);
    fill(to);
    let length = (to.len() - at - 4) as u32;
    to[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    /// Gives out what it holds in pieces of these sizes, and would block between them.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.turn.is_multiple_of(3) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if self.turn.is_multiple_of(5) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let size = self.sizes[self.turn % self.sizes.len()];
            let end = self.bytes.len().min(self.at + size.min(to.len()));
            let piece = &self.bytes[self.at..end];
            to[..piece.len()].copy_from_slice(piece);
            self.at = end;
            Ok(piece.len())
        }
    }

    impl Input for Pieces {}

    fn packed(serial: u32, buffers: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_head(&mut bytes, serial, buffers.len() as u32);
        for buffer in buffers {
            put_buffer(&mut bytes, |to| to.extend_from_slice(buffer));
        }
        bytes
    }

    fn all<I: Input>(reader: &mut PackReader<I>) -> Result<Vec<Pack>, PackError> {
        let mut found = Vec::new();
        loop {
            match reader.next()? {
                Got::Pack(pack) => found.push(pack),
                Got::Pending => {}
                Got::Eof => return Ok(found),
            }
        }
    }

    fn read(bytes: &[u8]) -> Result<Vec<Pack>, PackError> {
        all(&mut PackReader::new(bytes, Limits::default()))
    }

    proptest! {
        #[test]
        fn packs_come_back_however_they_are_cut(
            packs in proptest::collection::vec(
                (any::<u32>(), proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..5)), 0..5),
            sizes in proptest::collection::vec(1usize..300, 1..6),
        ) {
            let bytes = packs.iter().flat_map(|(serial, buffers)| packed(*serial, buffers)).collect();
            let expected: Vec<Pack> = packs
                .into_iter()
                .map(|(serial, buffers)| Pack { serial, payload: buffers.concat() })
                .collect();
            let pieces = Pieces { bytes, at: 0, sizes, turn: 0 };
            prop_assert_eq!(all(&mut PackReader::new(pieces, Limits::default())).unwrap(), expected);
        }

        #[test]
        fn large_buffers_are_read_in_place_and_come_back_too(
            sizes in proptest::collection::vec(0usize..400_000, 1..4),
            pieces in proptest::collection::vec(1usize..200_000, 1..4),
        ) {
            let buffers: Vec<Vec<u8>> = sizes.iter().map(|size| (0..*size).map(|at| (at / 7) as u8).collect()).collect();
            let bytes = packed(7, &buffers);
            let pieces = Pieces { bytes, at: 0, sizes: pieces, turn: 0 };
            let found = all(&mut PackReader::new(pieces, Limits::default())).unwrap();
            prop_assert_eq!(found, vec![Pack { serial: 7, payload: buffers.concat() }]);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn end_inside_a_pack_is_told_apart_from_one_between_packs() {
        let whole = packed(1, &[vec![1; 20], vec![], vec![2; 5]]);
        assert!(read(&[]).unwrap().is_empty());
        assert_eq!(read(&whole).unwrap().len(), 1);
        for end in 1..whole.len() {
            let error = read(&whole[..end]).unwrap_err();
            assert!(
                matches!(error, PackError::Cut { at } if at == end as u64),
                "{error}"
            );
        }
    }

    #[test]
    fn numbers_over_their_bounds_are_refused_before_anything_is_allocated() {
        let error = read(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a number of buffers of 790644820 at byte 4"),
            "{error}"
        );
        let mut four_gib = Vec::new();
        put_head(&mut four_gib, 1, 2);
        put_buffer(&mut four_gib, |to| to.push(1));
        four_gib.extend_from_slice(&u32::MAX.to_be_bytes());
        let mut reader = PackReader::new(&four_gib[..], Limits::default());
        let error = reader.next().unwrap_err();
        assert!(
            error.to_string().contains("a payload of 4294967296 at byte 13"),
            "{error}"
        );
        assert!(reader.payload.capacity() < 1 << 20);
        let limits = Limits {
            bytes: 10,
            buffers: 2,
        };
        let mut reader = PackReader::new(io::Cursor::new(packed(1, &[vec![0; 5], vec![0; 6]])), limits);
        assert!(matches!(reader.next(), Err(PackError::Limit { found: 11, .. })));
    }

    #[test]
    fn silent_connection_holds_no_buffer_and_its_first_bytes_are_known() {
        let bytes = packed(1, &[vec![3; 9]]);
        let pieces = Pieces {
            bytes: bytes.clone(),
            at: 0,
            sizes: vec![5],
            turn: 0,
        };
        let mut reader = PackReader::new(pieces, Limits::default());
        while !matches!(reader.next().unwrap(), Got::Pack(_)) {}
        assert_eq!(reader.first_bytes(), &bytes[..16]);
        while !matches!(reader.next().unwrap(), Got::Pending) {}
        assert_eq!((reader.ahead.capacity(), reader.payload.capacity()), (0, 0));
    }
}
