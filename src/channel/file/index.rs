//! The mapped index of one segment: where its frames are and who has them.
//!
//! A claim word says what happened to a frame: waiting, claimed (by which slot, under which id) or
//! accepted. The id comes from one counter that all processes share and never gives the same twice, so a
//! compare-and-swap of the exact word can not be fooled by somebody who claimed the frame meanwhile.
//!
//! The file is written with zeros before it gets its name: a store into a hole of a mapped file on a full
//! disk kills the process.

use super::rigged::{Bug, planted};
use super::shm::Map;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: u64 = u64::from_le_bytes(*b"FLMIDX1\0");
const HEAD: usize = 4096;
/// Bytes of a frame: its claim word and its entry.
const PER_FRAME: usize = 24;

const AT_MAGIC: usize = 0;
const AT_NUMBER: usize = 8;
const AT_CAP: usize = 16;
const AT_INODE: usize = 24;
const AT_SLOT: usize = 32;
const AT_REGISTRATION: usize = 40;
const AT_COMMITTED: usize = 64;
const AT_SEALED: usize = 72;
const AT_FIRST: usize = 80;
const AT_DAMAGED: usize = 88;
const AT_EVENTS_IN: usize = 96;
const AT_BYTES_IN: usize = 104;
const AT_EVENTS_OUT: usize = 128;
const AT_BYTES_OUT: usize = 136;

/// A claim word, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has it.
    Waiting,
    /// The process in this slot has it, if it still lives.
    Claimed { slot: usize, id: u64 },
    /// Done.
    Accepted,
}

/// The word of an accepted frame.
pub const ACCEPTED: u64 = 2 << 62;
/// The word of a waiting frame.
pub const WAITING: u64 = 0;

impl Claim {
    /// The word of a claim: state in 2 bits, slot in 10, id in 52.
    pub fn word(slot: usize, id: u64) -> u64 {
        1 << 62 | (slot as u64 & 0x3ff) << 52 | id & ((1 << 52) - 1)
    }

    /// What a word says.
    pub fn of(word: u64) -> Claim {
        match word >> 62 {
            0 => Claim::Waiting,
            1 => Claim::Claimed {
                slot: (word >> 52 & 0x3ff) as usize,
                id: word & ((1 << 52) - 1),
            },
            _ => Claim::Accepted,
        }
    }
}

/// Where a frame is. A length of 0 marks a gap: a frame that is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entry {
    /// Byte of its header in the segment.
    pub offset: u32,
    /// Bytes of its payload as stored.
    pub length: u32,
    /// Events.
    pub events: u32,
    /// Bytes of the payload before compression.
    pub raw: u32,
}

impl Entry {
    /// Events and bytes in the frame.
    pub fn amount(self) -> Amount {
        Amount {
            events: self.events.into(),
            bytes: self.raw.into(),
        }
    }
}

/// Events and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    pub events: u64,
    pub bytes: u64,
}

impl Amount {
    /// Add.
    pub fn add(&mut self, other: Amount) {
        self.events += other.events;
        self.bytes += other.bytes;
    }
}

/// Who makes an index.
pub struct Maker {
    /// Segment.
    pub number: u64,
    /// Frames that it may have.
    pub cap: u32,
    /// The putter that appends to it: slot and registration; (0, 0) if nobody does any more.
    pub owner: (usize, u64),
}

/// Bytes of the file for a number of frames.
pub fn size_of(cap: u32) -> usize {
    HEAD + cap as usize * PER_FRAME
}

/// An index in memory.
pub struct Index {
    map: Map,
    cap: u32,
}

impl Index {
    /// A new file with zeros, mapped.
    pub fn create(path: &Path, maker: &Maker) -> io::Result<Index> {
        let mut how = File::options();
        let mut file = how.read(true).write(true).create_new(true).open(path)?;
        file.write_all(&vec![0; size_of(maker.cap)])?;
        let map = Map::of(&file, size_of(maker.cap))?;
        let index = Index { map, cap: maker.cap };
        let set = |at: usize, value: u64| index.map.word(at).store(value, Ordering::Relaxed);
        set(AT_NUMBER, maker.number);
        set(AT_CAP, u64::from(maker.cap));
        set(AT_SLOT, maker.owner.0 as u64);
        set(AT_REGISTRATION, maker.owner.1);
        set(AT_MAGIC, MAGIC);
        Ok(index)
    }

    /// An index that is there. Whatever is not the whole index of this segment is `InvalidData`.
    pub fn open(path: &Path, number: u64) -> io::Result<Index> {
        let file = File::options().read(true).write(true).open(path)?;
        Index::mapped(&file, number, Map::of)
    }

    /// The same to look only: nothing may be stored in it.
    pub fn view(path: &Path, number: u64) -> io::Result<Index> {
        Index::mapped(&File::open(path)?, number, Map::view)
    }

    fn mapped(file: &File, number: u64, map: impl Fn(&File, usize) -> io::Result<Map>) -> io::Result<Index> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "it is not the index of this segment");
        let head = map(file, HEAD)?;
        let get = |at: usize| head.word(at).load(Ordering::Relaxed);
        let cap = u32::try_from(get(AT_CAP)).map_err(|_| bad())?;
        if get(AT_MAGIC) != MAGIC || get(AT_NUMBER) != number || cap > 1 << 20 {
            return Err(bad());
        }
        let map = map(file, size_of(cap))?;
        Ok(Index { map, cap })
    }

    fn get(&self, at: usize) -> u64 {
        self.map.word(at).load(Ordering::SeqCst)
    }

    /// Frames that it has room for.
    pub fn cap(&self) -> u32 {
        self.cap
    }

    /// The claim word of a frame.
    #[inline]
    pub fn claim(&self, frame: u32) -> &AtomicU64 {
        assert!(frame < self.cap);
        self.map.word(HEAD + frame as usize * 8)
    }

    fn entry_at(&self, frame: u32) -> usize {
        assert!(frame < self.cap);
        HEAD + self.cap as usize * 8 + frame as usize * 16
    }

    /// Where a frame is; to be asked only below `committed`.
    pub fn entry(&self, frame: u32) -> Entry {
        let at = self.entry_at(frame);
        let place = self.map.word(at).load(Ordering::Relaxed);
        let size = self.map.word(at + 8).load(Ordering::Relaxed);
        Entry {
            offset: place as u32,
            length: (place >> 32) as u32,
            events: size as u32,
            raw: (size >> 32) as u32,
        }
    }

    /// Store where a frame is. Salvagers may do so at once: they all store the same.
    pub fn set_entry(&self, frame: u32, entry: Entry) {
        let at = self.entry_at(frame);
        let place = u64::from(entry.offset) | u64::from(entry.length) << 32;
        let size = u64::from(entry.events) | u64::from(entry.raw) << 32;
        self.map.word(at).store(place, Ordering::Relaxed);
        self.map.word(at + 8).store(size, Ordering::Relaxed);
    }

    /// Frames that are published; entries below are valid.
    #[inline]
    pub fn committed(&self) -> u32 {
        (self.map.word(AT_COMMITTED).load(Ordering::SeqCst) as u32).min(self.cap)
    }

    /// Publish. By the putter, or by salvagers step by step with [`Index::salvage_one`].
    pub fn commit(&self, frames: u32, amount: Amount) {
        self.set_amount_in(amount);
        self.map
            .word(AT_COMMITTED)
            .store(u64::from(frames), Ordering::SeqCst);
    }

    /// Publish one more frame of a dead putter, if nobody else has done it yet.
    pub fn salvage_one(&self, frame: u32) {
        let (old, new) = (u64::from(frame), u64::from(frame) + 1);
        let word = self.map.word(AT_COMMITTED);
        let _ = word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Everything that was ever put into the segment.
    pub fn set_amount_in(&self, amount: Amount) {
        self.map.word(AT_EVENTS_IN).store(amount.events, Ordering::SeqCst);
        self.map.word(AT_BYTES_IN).store(amount.bytes, Ordering::SeqCst);
    }

    /// Everything that was ever put into the segment.
    pub fn amount_in(&self) -> Amount {
        Amount {
            events: self.get(AT_EVENTS_IN),
            bytes: self.get(AT_BYTES_IN),
        }
    }

    /// Note that a frame left. Whoever dies between its acceptance and this makes the channel look fuller
    /// than it is, which [`Index::waiting_exactly`] finds out.
    pub fn add_out(&self, amount: Amount) {
        self.map
            .word(AT_EVENTS_OUT)
            .fetch_add(amount.events, Ordering::SeqCst);
        self.map
            .word(AT_BYTES_OUT)
            .fetch_add(amount.bytes, Ordering::SeqCst);
    }

    /// What is in the segment and not accepted, by its counters.
    pub fn waiting(&self) -> Amount {
        let all = self.amount_in();
        Amount {
            events: all.events.saturating_sub(self.get(AT_EVENTS_OUT)),
            bytes: all.bytes.saturating_sub(self.get(AT_BYTES_OUT)),
        }
    }

    /// The same by every claim word.
    pub fn waiting_exactly(&self) -> Amount {
        let mut sum = Amount::default();
        for frame in self.first()..self.committed() {
            if Claim::of(self.claim(frame).load(Ordering::SeqCst)) != Claim::Accepted {
                let entry = self.entry(frame);
                sum.add(Amount {
                    events: entry.events.into(),
                    bytes: entry.raw.into(),
                });
            }
        }
        sum
    }

    /// Nobody appends any more.
    pub fn is_sealed(&self) -> bool {
        self.get(AT_SEALED) != 0
    }

    /// Nobody will append any more.
    pub fn seal(&self) {
        self.map.word(AT_SEALED).store(1, Ordering::SeqCst);
    }

    /// Some frame of it could not be read.
    pub fn is_damaged(&self) -> bool {
        self.get(AT_DAMAGED) != 0
    }

    /// Some frame of it could not be read: quarantine rather than delete it. False if that was known.
    pub fn set_damaged(&self) -> bool {
        self.map.word(AT_DAMAGED).swap(1, Ordering::SeqCst) == 0
    }

    /// The putter: slot and registration.
    pub fn owner(&self) -> (usize, u64) {
        (self.get(AT_SLOT) as usize, self.get(AT_REGISTRATION))
    }

    /// The segment's file, which must not be another one than when the index was made; 0 while it is new.
    pub fn inode(&self) -> u64 {
        self.get(AT_INODE)
    }

    /// See [`Index::inode`].
    pub fn set_inode(&self, inode: u64) {
        self.map.word(AT_INODE).store(inode, Ordering::SeqCst);
    }

    /// The first frame that is not accepted, moved on over an unbroken run of accepted ones. Never over
    /// claimed ones: nobody would look behind it again.
    pub fn first(&self) -> u32 {
        let word = self.map.word(AT_FIRST);
        let start = word.load(Ordering::SeqCst) as u32;
        let committed = self.committed();
        let mut first = start.min(committed);
        let passed = |frame| match planted(Bug::FirstPassesClaimed) {
            false => self.is_accepted(frame),
            true => self.claim(frame).load(Ordering::SeqCst) != WAITING,
        };
        while first < committed && passed(first) {
            first += 1;
        }
        if first > start && self.map.is_writable {
            word.fetch_max(first.into(), Ordering::SeqCst);
        }
        first
    }

    /// This frame is done.
    pub fn is_accepted(&self, frame: u32) -> bool {
        self.claim(frame).load(Ordering::SeqCst) >= ACCEPTED
    }

    /// Nothing can come any more and everything is accepted.
    pub fn is_drained(&self) -> bool {
        self.is_sealed() && self.first() == self.committed()
    }

    /// What it says can be: no more frames than there is room for, each behind the one before. Holds also while
    /// others use it.
    pub fn is_sound(&self) -> bool {
        // In this order: both only grow, the first never over the other.
        let (first, committed) = (self.get(AT_FIRST), self.get(AT_COMMITTED));
        if committed > u64::from(self.cap) || first > committed {
            return false;
        }
        let (mut end, mut behind_gap) = (super::segment::HEAD, false);
        (0..committed as u32).map(|frame| self.entry(frame)).all(|entry| {
            let is_gap = entry == Entry::default();
            let start = u64::from(entry.offset);
            let fits = entry.length > 0 && (start == end || behind_gap && start > end);
            if !is_gap {
                end = start + crate::wire::HEADER as u64 + u64::from(entry.length);
            }
            behind_gap = is_gap;
            is_gap || fits
        })
    }

    /// Where the next frame goes.
    pub fn end(&self) -> u64 {
        let entries = (0..self.committed()).rev().map(|frame| self.entry(frame));
        let last = entries.into_iter().find(|entry| entry.length > 0);
        last.map_or(super::segment::HEAD, |entry| {
            u64::from(entry.offset) + crate::wire::HEADER as u64 + u64::from(entry.length)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(dir: &Path) -> Index {
        let maker = Maker {
            number: 5,
            cap: 16,
            owner: (3, 9),
        };
        Index::create(&dir.join("i"), &maker).unwrap()
    }

    #[test]
    fn claim_words_come_apart_as_they_were_made() {
        let word = Claim::word(255, (1 << 52) - 1);
        let id = (1 << 52) - 1;
        assert_eq!(Claim::of(word), Claim::Claimed { slot: 255, id });
        assert_eq!(Claim::of(WAITING), Claim::Waiting);
        assert_eq!(Claim::of(ACCEPTED), Claim::Accepted);
    }

    #[test]
    fn first_does_not_pass_a_claimed_frame() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        index.commit(3, Amount::default());
        index.claim(0).store(ACCEPTED, Ordering::SeqCst);
        index.claim(1).store(Claim::word(1, 77), Ordering::SeqCst);
        index.claim(2).store(ACCEPTED, Ordering::SeqCst);
        assert_eq!(index.first(), 1);
        index.claim(1).store(ACCEPTED, Ordering::SeqCst);
        assert_eq!(index.first(), 3);
        assert!(!index.is_drained());
        index.seal();
        assert!(index.is_drained());
    }

    #[test]
    fn index_of_another_segment_or_a_cut_one_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("i");
        drop(index(dir.path()));
        assert_eq!(Index::open(&path, 5).unwrap().owner(), (3, 9));
        let kind = |number| Index::open(&path, number).err().map(|error| error.kind());
        assert_eq!(kind(6), Some(io::ErrorKind::InvalidData));
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(4100)
            .unwrap();
        assert_eq!(kind(5), Some(io::ErrorKind::InvalidData));
    }
}
