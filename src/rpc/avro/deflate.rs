//! `compression-type = deflate`: each direction of a connection is one zlib stream (RFC 1950), which is flushed
//! after each write. Both sides must be told; nothing on the connection says it.

use crate::wire::Input;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io::{self, Read};

/// Compressed bytes read at once.
const READ: usize = 64 << 10;
/// Room that is made for what a compressor gives out.
const ROOM: usize = 32 << 10;
/// The greatest stored block of deflate.
const STORED: usize = 65_535;

/// Inflates what another input gives.
pub struct Inflated<I> {
    input: I,
    inner: Decompress,
    /// Bytes that came and are used up to `from`; nothing is allocated while the input is silent.
    packed: Vec<u8>,
    from: usize,
    /// The last piece had no room for all that there was.
    is_full: bool,
    ended: bool,
    first: Vec<u8>,
}

impl<I: Input> Inflated<I> {
    /// At the start of a stream.
    pub fn new(input: I) -> Self {
        Inflated {
            input,
            inner: Decompress::new(true),
            packed: Vec::new(),
            from: 0,
            is_full: false,
            ended: false,
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

    /// The first bytes of the input, as they came, up to 16.
    pub fn first_bytes(&self) -> &[u8] {
        &self.first
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.packed.clear();
        self.from = 0;
        let fresh = self.input.read_onto(&mut self.packed, READ);
        if matches!(&fresh, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.packed = Vec::new();
        }
        if self.first.len() < 16 {
            let missing = 16 - self.first.len();
            self.first
                .extend_from_slice(&self.packed[..self.packed.len().min(missing)]);
        }
        fresh
    }
}

impl<I: Input> Read for Inflated<I> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.ended || to.is_empty() {
                return Ok(0);
            }
            if self.from == self.packed.len() && !self.is_full && self.fill()? == 0 {
                return Ok(0);
            }
            let before = (self.inner.total_in(), self.inner.total_out());
            let status = self
                .inner
                .decompress(&self.packed[self.from..], to, FlushDecompress::None)
                .map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("no zlib stream: {error}"))
                })?;
            let used = (self.inner.total_in() - before.0) as usize;
            let made = (self.inner.total_out() - before.1) as usize;
            self.from += used;
            self.is_full = made == to.len();
            self.ended = status == Status::StreamEnd;
            if made > 0 {
                return Ok(made);
            }
            if used == 0 && self.from < self.packed.len() && !self.ended {
                let stuck = "no zlib stream: it does not go on";
                return Err(io::Error::new(io::ErrorKind::InvalidData, stuck));
            }
        }
    }
}

impl<I: Input> Input for Inflated<I> {}

/// Deflates what is written.
pub struct Deflate {
    inner: Compress,
}

impl Deflate {
    /// A stream at this level, 0 (none) to 9.
    pub fn new(level: u32) -> Self {
        Deflate {
            inner: Compress::new(Compression::new(level.min(9)), true),
        }
    }

    /// Append what these bytes become; some of it may come only with later ones, or by [`Deflate::flush`].
    pub fn put(&mut self, bytes: &[u8], to: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[self.step(rest, to, FlushCompress::None)?.0..];
        }
        Ok(())
    }

    /// Append all that is held back, so that the other side can read everything.
    pub fn flush(&mut self, to: &mut Vec<u8>) -> io::Result<()> {
        // As long as it fills the room that it gets there may be more.
        while self.step(&[], to, FlushCompress::Sync)?.1 {}
        Ok(())
    }

    /// Bytes used, and whether there was no room for more.
    fn step(&mut self, bytes: &[u8], to: &mut Vec<u8>, flush: FlushCompress) -> io::Result<(usize, bool)> {
        to.reserve(ROOM);
        let before = self.inner.total_in();
        self.inner
            .compress_vec(bytes, to, flush)
            .map_err(|error| io::Error::other(format!("the compressor fails: {error}")))?;
        Ok((
            (self.inner.total_in() - before) as usize,
            to.len() == to.capacity(),
        ))
    }
}

/// Append bytes as stored blocks of a zlib stream, with the stream's head before the first of them. Answers of
/// twenty bytes would not get smaller; so no compressor with its 256 KiB is kept for each connection.
pub fn put_stored(to: &mut Vec<u8>, bytes: &[u8], is_first: bool) {
    if is_first {
        to.extend_from_slice(&[0x78, 0x01]);
    }
    for block in bytes.chunks(STORED) {
        let length = block.len() as u16;
        to.push(0);
        to.extend_from_slice(&length.to_le_bytes());
        to.extend_from_slice(&(!length).to_le_bytes());
        to.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As much as one read gives, each time, and "would block" between: what came must be readable then.
    struct Steps(std::collections::VecDeque<Vec<u8>>);

    impl Read for Steps {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let Some(step) = self.0.front_mut() else {
                return Ok(0);
            };
            if step.is_empty() {
                self.0.pop_front();
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = step.len().min(to.len());
            to[..count].copy_from_slice(&step[..count]);
            step.drain(..count);
            Ok(count)
        }
    }

    impl Input for Steps {}

    fn what_is_readable(inflated: &mut Inflated<Steps>) -> Vec<u8> {
        let mut all = Vec::new();
        while inflated.read_onto(&mut all, 1000).is_ok_and(|fresh| fresh > 0) {}
        all
    }

    proptest! {
        #[test]
        fn each_write_is_readable_when_it_was_flushed(
            writes in proptest::collection::vec(proptest::collection::vec(0u8..20, 0..5000), 1..6),
            level in 0u32..=9,
        ) {
            let mut deflate = Deflate::new(level);
            let steps = writes.iter().map(|write| {
                let mut packed = Vec::new();
                deflate.put(write, &mut packed).unwrap();
                deflate.flush(&mut packed).unwrap();
                packed
            });
            let mut inflated = Inflated::new(Steps(steps.collect()));
            for write in writes {
                prop_assert_eq!(what_is_readable(&mut inflated), write);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Inflated::new(&bytes[..]).read_to_end(&mut Vec::new());
        }
    }

    #[test]
    fn much_in_one_write_comes_back_at_each_level() {
        let text: Vec<u8> = (0..500_000u32)
            .flat_map(|at| at.to_string().into_bytes())
            .collect();
        for level in 0..=9 {
            let (mut deflate, mut packed) = (Deflate::new(level), Vec::new());
            deflate.put(&text, &mut packed).unwrap();
            deflate.flush(&mut packed).unwrap();
            assert!(
                level == 0 || packed.len() < text.len(),
                "{level}: {}",
                packed.len()
            );
            let mut back = Vec::new();
            Inflated::new(&packed[..]).read_to_end(&mut back).unwrap();
            assert!(back == text, "{level}");
        }
    }

    #[test]
    fn stored_blocks_are_a_stream_that_any_reader_inflates() {
        let mut packed = Vec::new();
        put_stored(&mut packed, b"one", true);
        put_stored(&mut packed, &[7; STORED + 1], false);
        let mut back = Vec::new();
        Inflated::new(&packed[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, [&b"one"[..], &[7; STORED + 1]].concat());
    }

    #[test]
    fn what_is_not_compressed_is_said_and_its_first_bytes_are_known() {
        let plain = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 51];
        let mut inflated = Inflated::new(&plain[..]);
        let error = inflated.read(&mut [0; 10]).unwrap_err();
        assert!(error.to_string().contains("no zlib stream"), "{error}");
        assert_eq!(inflated.first_bytes(), plain);
    }
}
