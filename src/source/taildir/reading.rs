//! The reading of one file: block by block, until its end or until it is another's turn.

use super::cut::{Cut, Found, body};
use super::tracked::Tracked;
use crate::event::{BatchBuilder, put_bytes};
use crate::exit::StageResult;
use crate::metrics::Count;
use crate::say;
use crate::source::lines::LongLine;
use crate::stage::ChannelProcessor;
use crate::value::Size;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes read at once.
const READ: usize = 256 << 10;
/// How long a file is read until directories are looked at and positions noted, before it goes on.
const TURN: Duration = Duration::from_millis(100);
/// Long lines that are told one by one.
const TOLD: u64 = 5;
/// The header with the offset of a line.
const BYTE_OFFSET: &[u8] = b"byteoffset";

/// What reads all files, one after the other: one buffer and one batch for all of them.
pub struct Reader {
    /// How events are cut.
    pub cut: Cut,
    /// Events in a batch at most, and bytes.
    pub batch: (u32, usize),
    /// Batches from one file until the next has its turn.
    pub most_batches: u64,
    /// Bytes that a fingerprint is of.
    pub fingerprint: u64,
    /// The offset of each event is a header.
    pub byte_offset: bool,
    buffer: Vec<u8>,
    events: BatchBuilder,
    /// Lines that were too long.
    long_lines: u64,
}

/// How far a turn came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// To the end of the file, as it is now.
    End,
    /// There is more, for the next turn of this file.
    More,
    /// There is more, after the others.
    Others,
}

/// How far a turn may go.
struct Allowance {
    batches: u64,
    until: Instant,
    /// It is used up, and what comes then.
    over: Option<Turn>,
}

impl Allowance {
    fn new(most_batches: u64) -> Self {
        Allowance {
            batches: most_batches,
            until: Instant::now() + TURN,
            over: None,
        }
    }

    /// A batch was handed on, for which there may have been no room for long.
    fn take_batch(&mut self) {
        self.batches -= 1;
        if self.batches == 0 {
            self.over = Some(Turn::Others);
        } else if Instant::now() >= self.until {
            self.over = Some(Turn::More);
        }
    }
}

/// What a turn found wrong with a file.
#[derive(Debug)]
pub enum Trouble {
    /// The file.
    File(io::Error),
    /// Nothing more can be handed on.
    Stage(crate::exit::StageError),
}

impl Reader {
    /// A reader with empty hands.
    pub fn new(
        cut: Cut,
        batch: (u32, usize),
        most_batches: u64,
        fingerprint: u64,
        byte_offset: bool,
    ) -> Reader {
        Reader {
            cut,
            batch,
            most_batches,
            fingerprint,
            byte_offset,
            buffer: Vec::new(),
            events: BatchBuilder::new(),
            long_lines: 0,
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.events.len() >= self.batch.0 || self.events.bytes() >= self.batch.1
    }

    #[inline]
    fn push(&mut self, head: &[u8], offset: u64, body: &[u8]) {
        match self.byte_offset {
            false => self.events.push_headed(head, body),
            true => self.push_with_offset(head, offset, body),
        }
    }

    fn push_with_offset(&mut self, head: &[u8], offset: u64, body: &[u8]) {
        let mut encoded = Vec::with_capacity(head.len() + 1);
        encoded.extend_from_slice(head);
        put_bytes(&mut encoded, b"");
        // What was encoded here can be decoded.
        if let Ok((event, _)) = crate::event::EventRef::decode(&encoded) {
            let text = offset.to_string();
            self.events
                .push_with(event, &[(BYTE_OFFSET, text.as_bytes())], Some(body));
        }
    }
}

impl Tracked {
    /// Note how the file begins, from what was read of it: in the file itself it may be another by now.
    fn note_beginning(&mut self, from: u64, bytes: &[u8], longest: u64) {
        let known = self.fingerprint.length;
        let end = self.pos.min(longest);
        if known < end && from <= known {
            let part = &bytes[(known - from) as usize..(end - from) as usize];
            self.fingerprint = self.fingerprint.and(part);
        }
    }

    /// Read on, and hand on what is whole.
    pub fn turn(&mut self, reader: &mut Reader, to: &Arc<ChannelProcessor>) -> Result<Turn, Trouble> {
        let size = self
            .look(reader.fingerprint, to.counters().name())
            .map_err(Trouble::File)?;
        let mut allowance = Allowance::new(reader.most_batches);
        let turn = loop {
            let is_last = self.block(reader, to, &mut allowance)?;
            match allowance.over {
                Some(turn) => break turn,
                None if is_last => break Turn::End,
                // What was added since has its turn after the others.
                None if self.pos >= size => break Turn::Others,
                None => {}
            }
        };
        self.submit(reader, to).map_err(Trouble::Stage)?;
        Ok(turn)
    }

    /// One block; true if the file had no more than that.
    fn block(
        &mut self,
        reader: &mut Reader,
        to: &Arc<ChannelProcessor>,
        allowance: &mut Allowance,
    ) -> Result<bool, Trouble> {
        let mut buffer = std::mem::take(&mut reader.buffer);
        let result = self.block_in(&mut buffer, reader, to, allowance);
        // What a long line needed is given back.
        buffer.truncate(READ);
        buffer.shrink_to(READ);
        reader.buffer = buffer;
        result
    }

    fn block_in(
        &mut self,
        buffer: &mut Vec<u8>,
        reader: &mut Reader,
        to: &Arc<ChannelProcessor>,
        allowance: &mut Allowance,
    ) -> Result<bool, Trouble> {
        let mut want = READ;
        loop {
            let filled = self.fill(buffer, want).map_err(Trouble::File)?;
            let before = self.pos;
            self.events_of(&buffer[..filled], reader, to, allowance)
                .map_err(Trouble::Stage)?;
            self.note_beginning(before, &buffer[..filled], reader.fingerprint);
            if allowance.over.is_some() {
                return Ok(false);
            }
            if self.pos > before {
                return Ok(filled < want);
            }
            if filled < want {
                return Ok(true);
            }
            // No end of an event in all of it.
            want *= 2;
        }
    }

    fn fill(&mut self, buffer: &mut Vec<u8>, want: usize) -> io::Result<usize> {
        if buffer.len() < want {
            buffer.resize(want, 0);
        }
        let Some(file) = &self.file else { return Ok(0) };
        loop {
            match file.read_at(&mut buffer[..want], self.pos) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// The events in these bytes, which stand at the position.
    fn events_of(
        &mut self,
        bytes: &[u8],
        reader: &mut Reader,
        to: &Arc<ChannelProcessor>,
        allowance: &mut Allowance,
    ) -> StageResult {
        let mut at = 0;
        while allowance.over.is_none() {
            let (length, used) = match reader.cut.first(&bytes[at..]) {
                Found::Open => break,
                Found::Event(length, used) => (length, used),
                Found::Piece(length) => {
                    self.long_piece(&bytes[at..at + length], reader, to.counters().name(), to);
                    at += length;
                    self.pos += length as u64;
                    continue;
                }
            };
            if !std::mem::take(&mut self.skipping) {
                reader.push(&self.head, self.pos, &bytes[at..at + length]);
            }
            at += used;
            self.pos += used as u64;
            if reader.is_full() {
                self.submit(reader, to)?;
                allowance.take_batch();
            }
        }
        Ok(())
    }

    /// The first part of what is too long, or a further one.
    fn long_piece(&mut self, piece: &[u8], reader: &mut Reader, name: &str, to: &ChannelProcessor) {
        if self.skipping {
            return;
        }
        to.counters().add(Count::EventReadFail, 1);
        reader.long_lines += 1;
        let what = match reader.cut.long {
            LongLine::Split => "split into several events",
            LongLine::Truncate => "cut off there",
            LongLine::Reject => "not taken",
        };
        if reader.long_lines <= TOLD {
            let (path, most) = (self.path.display(), Size(reader.cut.most as u64));
            say::warn(
                name,
                format!(
                    "{path}: the line at byte {} is longer than {most} (--max-line-length): {what}",
                    self.pos
                ),
            );
        }
        match reader.cut.long {
            LongLine::Reject => to.counters().add(Count::Rejected, 1),
            LongLine::Split | LongLine::Truncate => reader.push(&self.head, self.pos, piece),
        }
        self.skipping = reader.cut.long != LongLine::Split;
    }

    /// What stands behind the last whole event: it is complete, since nothing was added for long. With
    /// `whole_lines` only up to the last end of a line. True if there was something.
    pub fn take_rest(
        &mut self,
        whole_lines: bool,
        reader: &mut Reader,
        to: &Arc<ChannelProcessor>,
    ) -> Result<bool, Trouble> {
        self.look(reader.fingerprint, to.counters().name())
            .map_err(Trouble::File)?;
        let mut buffer = std::mem::take(&mut reader.buffer);
        let filled = self
            .fill(&mut buffer, READ.max(reader.cut.most + 2))
            .map_err(Trouble::File)?;
        let rest = &buffer[..filled];
        let length = match reader.cut.first(rest) {
            Found::Open if whole_lines => reader.cut.whole_lines(rest),
            Found::Open => filled,
            // Something was added just now.
            Found::Event(..) | Found::Piece(_) => 0,
        };
        if length > 0 && !std::mem::take(&mut self.skipping) {
            reader.push(&self.head, self.pos, body(&rest[..length]));
        }
        self.pos += length as u64;
        reader.buffer = buffer;
        self.submit(reader, to).map_err(Trouble::Stage)?;
        Ok(length > 0)
    }

    /// Hand on the batch, if there is one.
    fn submit(&mut self, reader: &mut Reader, to: &Arc<ChannelProcessor>) -> StageResult {
        let (from, position) = (self.submitted, self.pos);
        self.submitted = position;
        let accepted = self.accepted.clone();
        if reader.events.is_empty() {
            if position > from {
                // Lines that nobody wants.
                accepted.add(from, position);
            }
            return Ok(());
        }
        to.submit(reader.events.finish(), move || accepted.add(from, position))
    }
}
