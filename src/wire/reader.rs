//! Reading frames, and the order that they come in.

use super::{Fault, Frame, FrameHeader, HEADER, Kind, MAGIC, WireError, check_magic, crc32c};
use crate::slab;
use std::io::{self, Read};

/// Bytes read ahead of the frame that is wanted.
const READ_AHEAD: usize = 64 << 10;
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

/// A frame with what of it has come.
struct Partial {
    header: FrameHeader,
    slab: Vec<u8>,
    /// Where the payload begins in the slab: the header may be there, too.
    start: usize,
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
    /// A frame whose payload is still coming in.
    partial: Option<Partial>,
    /// Bytes of the last frame with its header, if it was large: its like are read into their slab, header and
    /// all, and nothing of them is copied. Else 0.
    large: usize,
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
            large: 0,
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
    pub fn inner(&self) -> &R {
        &self.inner
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
        self.begun() > 0
    }

    /// Bytes of the next frame that are here already; 0 between two frames.
    pub fn begun(&self) -> usize {
        let partial = self.partial.as_ref();
        let partial = partial.map_or(0, |partial| HEADER + partial.slab.len() - partial.start);
        partial + self.to - self.from
    }

    /// The next frame.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Got, WireError> {
        if self.partial.is_none() && self.large > 0 && self.from == self.to {
            match self.start_large()? {
                Some(0) => return Ok(Got::Eof),
                Some(_) => {}
                None => return Ok(Got::Pending),
            }
        }
        if self.partial.is_none() {
            while self.to - self.from < HEADER {
                self.check_start()?;
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
            self.note_size(length);
            if length <= slab::SMALL_BYTES && length <= self.to - self.from {
                let payload = &self.ahead[self.from..self.from + length];
                check_payload(&header, payload).map_err(|fault| self.fault(fault))?;
                let payload = slab::copy(payload);
                self.from += length;
                self.at += (HEADER + length) as u64;
                return Ok(Got::Frame(Frame { header, payload }));
            }
            self.partial = Some(Partial {
                header,
                slab: self.start_payload(length),
                start: 0,
            });
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

    fn note_size(&mut self, length: usize) {
        self.large = if length < READ_AHEAD { 0 } else { HEADER + length };
    }

    /// Begin a frame in a slab of its own. How many bytes came; where they are not the beginning of a large
    /// frame and nothing else, they are bytes read ahead.
    fn start_large(&mut self) -> Result<Option<usize>, WireError> {
        let mut slab = slab::take();
        slab.reserve(self.large + self.large / 8);
        // No more, though the slab has room: the writer fills the pipe again while the rest is read.
        let most = self.large.min(READ_AHEAD);
        let fresh = match retried(|| self.inner.read_onto(&mut slab, most)) {
            Ok(Some(fresh)) if fresh > 0 => fresh,
            nothing => {
                slab::give(slab);
                return Ok(nothing?);
            }
        };
        let header = slab.first_chunk::<HEADER>();
        let header = header.and_then(|bytes| FrameHeader::decode(bytes, self.salt, self.limit).ok());
        let length = |header: &FrameHeader| header.length as usize;
        match header.filter(|header| length(header) >= READ_AHEAD && HEADER + length(header) >= fresh) {
            Some(header) => {
                self.note_size(length(&header));
                slab.reserve_exact(HEADER + length(&header) - fresh);
                self.partial = Some(Partial {
                    header,
                    slab,
                    start: HEADER,
                });
            }
            None => {
                self.ahead[..fresh].copy_from_slice(&slab);
                (self.from, self.to) = (0, fresh);
                slab::give(slab);
            }
        }
        Ok(Some(fresh))
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
        let Some(Partial { header, slab, start }) = &mut self.partial else {
            return Ok(true);
        };
        let want = header.length as usize;
        while slab.len() < *start + want {
            let left = *start + want - slab.len();
            match retried(|| self.inner.read_onto(slab, left))? {
                Some(0) => {
                    let have = slab.len() - *start;
                    return Err(self.cut(HEADER + have, HEADER + want));
                }
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn finish_frame(&mut self) -> Result<Got, WireError> {
        let Some(Partial { header, slab, start }) = self.partial.take() else {
            return Ok(Got::Pending);
        };
        check_payload(&header, &slab[start..]).map_err(|fault| self.fault(fault))?;
        self.at += (HEADER + slab.len() - start) as u64;
        let payload = slab::freeze(slab).slice(start..);
        Ok(Got::Frame(Frame { header, payload }))
    }

    /// After a fault: go on at the next frame whose header is whole. Says how many bytes were passed over,
    /// `None` if no frame follows. For files only; a live stream stops at its first fault.
    pub fn skip_to_next(&mut self) -> Result<Option<u64>, WireError> {
        if let Some(partial) = self.partial.take() {
            slab::give(partial.slab);
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
    torn: bool,
}

impl Order {
    /// Look at a frame in its turn.
    pub fn check(&mut self, header: &FrameHeader) -> Result<(), Fault> {
        match header.kind {
            Kind::Hello => {
                *self = Order {
                    open: true,
                    last: 0,
                    torn: self.torn || self.open,
                }
            }
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
                    found: header.sequence.saturating_add(1),
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

    /// A stream was followed by another without having ended.
    pub fn was_torn(&self) -> bool {
        self.torn
    }

    /// The sequence of the last batch.
    pub fn last(&self) -> u64 {
        self.last
    }
}
