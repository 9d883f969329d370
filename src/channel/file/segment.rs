//! Segment files: a head of 4 KiB, then batch frames whose headers are salted with the segment's number.
//!
//! A frame's `origin` is its position (segment number and frame index). Its `sequence` is used here for what
//! a scan has to know, and is not the place in any stream:
//!
//! - upper half: frames that were synced when this one was written. A bad spot at or behind all that any
//!   whole frame behind it calls synced may never have been: a torn tail. One before that was on the disk,
//!   and is damage.
//! - lower half: frames of the same put that came before, and frames that still follow, in 16 bits each. A
//!   put at the end of the file counts only when its last frame is there, and behind a bad spot only when its
//!   first one is, so that a transaction is never half visible.
//!
//! The head says when the segment was made, and each frame how many milliseconds later it was put: so the age
//! of what waits is known without a word about it anywhere else.

mod scan;

pub use scan::{Scan, scan};

use super::disk::DiskFile;
use super::index::{Amount, Entry};
use super::rigged::{Bug, planted};
use crate::event::Batch;
use crate::slab;
use crate::wire::{self, Fault, Frame, FrameHeader, HEADER};
use bytes::Bytes;
use std::io::{self, IoSlice};

/// Bytes in front of the first frame.
pub const HEAD: u64 = 4096;
/// Where in the head the totals stand once the segment is sealed.
const AT_TOTALS: u64 = 512;
const HEAD_MAGIC: [u8; 8] = *b"FLMSEG1\0";
const TOTALS_MAGIC: [u8; 8] = *b"FLMSEAL\0";
/// Frames that a segment may have at most.
pub const MOST_FRAMES: u32 = 8192;
/// Frames that it may have at least, however small it is: what one put may be.
const LEAST_FRAMES: u32 = 2048;
/// Bytes that a scan reads at once.
const WINDOW: usize = 256 << 10;

/// The position of a frame.
pub fn position(number: u64, frame: u32) -> u64 {
    number << 20 | u64::from(frame)
}

/// Frames that a segment of this size may have.
pub fn cap_for(segment_bytes: u64) -> u32 {
    (segment_bytes / 256).clamp(LEAST_FRAMES.into(), MOST_FRAMES.into()) as u32
}

/// What `sequence` holds; see the head of this module.
pub fn sequence(synced: u32, before: u16, follow: u16) -> u64 {
    u64::from(synced) << 32 | u64::from(before) << 16 | u64::from(follow)
}

fn checked(mut bytes: Vec<u8>, number: u64) -> Vec<u8> {
    bytes.extend_from_slice(&number.to_le_bytes());
    let crc = wire::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// The head of a new segment: magic, version, frames that it may have, when it was made (milliseconds since
/// 1970, 0 if that is not known), flags; then its number and the checksum.
pub fn head(number: u64, cap: u32, created: u64, flags: u32) -> Vec<u8> {
    let mut bytes = HEAD_MAGIC.to_vec();
    bytes.extend_from_slice(&super::place::VERSION.to_le_bytes());
    bytes.extend_from_slice(&cap.to_le_bytes());
    bytes.extend_from_slice(&created.to_le_bytes());
    bytes.extend_from_slice(&flags.to_le_bytes());
    let mut bytes = checked(bytes, number);
    bytes.resize(HEAD as usize, 0);
    bytes
}

/// Flag of a head: the file was another segment before, and what stands behind the last frame is that one's.
pub const RECYCLED: u32 = 1;

/// What a segment says of itself when nobody appends any more: so that counting does not need a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Frames.
    pub frames: u32,
    /// Events and bytes in them.
    pub amount: Amount,
    /// Of the frames, how many were synced by then: if fewer are found, some were lost.
    pub synced: u32,
}

/// Write the totals. Not synced: they are a help, and a hint at what should be there.
pub fn write_totals(file: &dyn DiskFile, number: u64, totals: Totals) -> io::Result<()> {
    let mut bytes = TOTALS_MAGIC.to_vec();
    bytes.extend_from_slice(&totals.frames.to_le_bytes());
    bytes.extend_from_slice(&totals.amount.events.to_le_bytes());
    bytes.extend_from_slice(&totals.amount.bytes.to_le_bytes());
    bytes.extend_from_slice(&totals.synced.to_le_bytes());
    file.write_at(&mut [IoSlice::new(&checked(bytes, number))], AT_TOTALS)
}

/// What the head of a segment says.
pub struct Head {
    /// It is a whole head of this segment.
    pub whole: bool,
    /// Frames that the segment may have.
    pub cap: u32,
    /// Written over another segment: bytes behind the last frame are no torn write.
    pub recycled: bool,
    /// When it was made, in milliseconds since 1970; 0 if that is not known.
    pub created: u64,
    /// Its totals, if it was sealed.
    pub totals: Option<Totals>,
}

impl Head {
    /// Frames that are known to have been on the disk.
    pub fn synced(&self) -> u32 {
        self.totals.map_or(0, |totals| totals.synced)
    }
}

/// Read the head. A damaged one is told by `whole`: the frames behind it stand for themselves.
pub fn read_head(file: &dyn DiskFile, number: u64) -> io::Result<Head> {
    let mut bytes = Vec::new();
    file.read_at(&mut bytes, HEAD as usize, 0)?;
    bytes.resize(HEAD as usize, 0);
    let is_whole = |magic: &[u8], at: usize, size: usize| {
        let part = &bytes[at..at + size];
        part.starts_with(magic) && checked(part[..size - 12].to_vec(), number) == part
    };
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let at = AT_TOTALS as usize;
    let totals = is_whole(&TOTALS_MAGIC, at, 8 + 24 + 12).then(|| Totals {
        frames: u32_at(at + 8),
        amount: Amount {
            events: u64_at(at + 12),
            bytes: u64_at(at + 20),
        },
        synced: u32_at(at + 28),
    });
    let whole = is_whole(&HEAD_MAGIC, 0, 28 + 12);
    Ok(Head {
        whole,
        cap: if whole {
            u32_at(12).min(1 << 20)
        } else {
            MOST_FRAMES
        },
        recycled: whole && u32_at(24) & RECYCLED != 0,
        created: if whole { u64_at(16) } else { 0 },
        totals,
    })
}

/// Read one frame whose place is known and check all of it.
pub fn read_frame(
    file: &dyn DiskFile,
    number: u64,
    frame: u32,
    entry: Entry,
) -> io::Result<(FrameHeader, Batch)> {
    let bad = |fault: Fault| io::Error::new(io::ErrorKind::InvalidData, fault.to_string());
    let (have, want) = (HEADER, HEADER + entry.length as usize);
    let mut bytes = slab::take();
    file.read_at(&mut bytes, want, entry.offset.into())?;
    let header = match bytes.first_chunk::<HEADER>() {
        Some(header) => FrameHeader::decode(header, number, wire::LIMIT).map_err(bad)?,
        None => return Err(bad(cut(have as u64, want as u64))),
    };
    if header.length != entry.length || header.origin != position(number, frame) {
        let why = "another frame stands where its index says";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    if bytes.len() < want {
        return Err(bad(cut(bytes.len() as u64, want as u64)));
    }
    let payload = slab::freeze(bytes).slice(HEADER..);
    let found = wire::crc32c(&payload);
    if found != header.crc {
        let said = header.crc;
        return Err(bad(Fault::PayloadCrc { said, found }));
    }
    let mut batch = Frame { header, payload }.batch().map_err(bad)?;
    batch.sequence = 0;
    Ok((header, batch))
}

/// The header of a frame whose place is known, without its payload.
pub fn header_of(file: &dyn DiskFile, number: u64, entry: Entry) -> io::Result<FrameHeader> {
    let bad = |fault: Fault| io::Error::new(io::ErrorKind::InvalidData, fault.to_string());
    let mut bytes = Vec::with_capacity(HEADER);
    file.read_at(&mut bytes, HEADER, entry.offset.into())?;
    match bytes.first_chunk::<HEADER>() {
        Some(header) => FrameHeader::decode(header, number, wire::LIMIT).map_err(bad),
        None => Err(bad(cut(bytes.len() as u64, HEADER as u64))),
    }
}

/// Milliseconds since a frame was put, if its segment says when it was made. A clock that was set back makes
/// things young, not old: what waits is not dropped for it.
pub fn age(now: u64, created: u64, since: u32) -> Option<u64> {
    if planted(Bug::SetBackMakesOld) {
        return (created > 0).then(|| now.abs_diff(created.saturating_add(since.into())));
    }
    (created > 0).then(|| now.saturating_sub(created.saturating_add(since.into())))
}

fn cut(have: u64, want: u64) -> Fault {
    Fault::Cut { have, want }
}

/// A frame that is ready to be written but for its place.
#[derive(Clone)]
pub struct Ready {
    /// Its header; origin and sequence come later.
    pub header: FrameHeader,
    /// Its payload as stored.
    pub payload: Bytes,
}

impl Ready {
    /// Bytes that it takes.
    pub fn size(&self) -> u64 {
        (HEADER + self.payload.len()) as u64
    }
}

/// Write frames of several puts as one group, `since` milliseconds after the segment was made; gives where
/// they are. Frames below `synced` are on the disk.
pub fn write_group(
    file: &dyn DiskFile,
    number: u64,
    first: u32,
    synced: u32,
    start: u64,
    since: u32,
    puts: &[&[Ready]],
) -> io::Result<Vec<Entry>> {
    let mut headers = Vec::new();
    let mut entries = Vec::new();
    let mut at = start;
    for put in puts {
        for (nth, ready) in put.iter().enumerate() {
            let mut header = ready.header;
            header.origin = position(number, first + entries.len() as u32);
            header.sequence = sequence(synced, nth as u16, (put.len() - nth - 1) as u16);
            header.since = since;
            headers.push(header.encode(number));
            entries.push(Entry {
                offset: u32::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?,
                length: header.length,
                events: header.events,
                raw: header.raw_length,
            });
            at += ready.size();
        }
    }
    let payloads = puts.iter().flat_map(|put| put.iter()).map(|ready| &ready.payload);
    let mut parts: Vec<_> = headers
        .iter()
        .zip(payloads)
        .flat_map(|(header, payload)| [IoSlice::new(header), IoSlice::new(payload)])
        .collect();
    file.write_at(&mut parts, start)?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Disk, RealDisk};
    use super::*;
    use crate::event::Event;
    use std::sync::Arc;

    /// A segment of four groups: one put of one frame, one of three, and two puts of one frame each.
    fn sample(dir: &std::path::Path) -> (Arc<dyn DiskFile>, Vec<Entry>) {
        let file = RealDisk.create(&dir.join("s")).unwrap();
        file.write_at(&mut [IoSlice::new(&head(7, 100, 77_000, 0))], 0)
            .unwrap();
        let ready = |text: &str| {
            let (header, payload) = wire::batch_frame(
                &Batch::single(&Event::new(text.to_string().repeat(50))),
                wire::Compression::None,
            );
            Ready { header, payload }
        };
        let (mut at, mut entries) = (HEAD, Vec::new());
        for put in [vec!["a"], vec!["b", "c", "d"], vec!["e"], vec!["f"]] {
            let put: Vec<_> = put.into_iter().map(ready).collect();
            let first = entries.len() as u32;
            entries.extend(write_group(&*file, 7, first, first, at, 5 + first, &[&put]).unwrap());
            at += put.iter().map(Ready::size).sum::<u64>();
        }
        (file, entries)
    }

    fn spoil(file: &dyn DiskFile, at: u32, bytes: &[u8]) {
        file.write_at(&mut [IoSlice::new(bytes)], at.into()).unwrap();
    }

    fn scanned(file: &dyn DiskFile) -> Scan {
        scan(file, 7, 100, HEAD, 0, 0).unwrap()
    }

    #[test]
    fn sound_segment_is_scanned_whole_and_its_frames_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        assert!(read_head(&*file, 7).unwrap().whole && !read_head(&*file, 8).unwrap().whole);
        assert_eq!(read_head(&*file, 7).unwrap().created, 77_000);
        let scan = scanned(&*file);
        assert_eq!(
            (scan.entries, scan.damage.len(), scan.torn),
            (entries.clone(), 0, None)
        );
        let (header, batch) = read_frame(&*file, 7, 3, entries[3]).unwrap();
        assert_eq!(
            (header.since, header_of(&*file, 7, entries[3]).unwrap().since),
            (6, 6)
        );
        assert_eq!(
            (header.origin, batch.origin, batch.sequence),
            (7 << 20 | 3, 7 << 20 | 3, 0)
        );
        assert!(read_frame(&*file, 7, 2, entries[3]).is_err());
        assert!(read_frame(&*file, 8, 3, entries[3]).is_err());
    }

    #[test]
    fn torn_tail_ends_the_segment_without_loss_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        let end = entries[5].offset;
        for tail in [&[0; 300][..], &[7; 300], b"FLM1", &[]] {
            file.truncate(end.into()).unwrap();
            spoil(&*file, end, tail);
            let scan = scanned(&*file);
            assert_eq!((scan.entries.len(), scan.damage.len()), (5, 0), "{tail:?}");
            assert_eq!(scan.torn.is_some(), tail.iter().any(|byte| *byte != 0));
        }
    }

    #[test]
    fn put_of_several_frames_that_was_cut_is_not_half_visible() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        file.truncate(u64::from(entries[3].offset) + 60).unwrap();
        assert_eq!(scanned(&*file).entries.len(), 1);
    }

    #[test]
    fn hole_in_the_last_group_is_a_torn_tail() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        file.truncate(entries[4].offset.into()).unwrap();
        spoil(&*file, entries[1].offset, &[0; 80]);
        let scan = scanned(&*file);
        assert_eq!((scan.entries.len(), scan.damage.len()), (1, 0));
    }

    #[test]
    fn bad_spot_in_front_of_a_later_group_is_damage_and_loses_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        for (byte, what) in [(2, "header"), (60, "payload")] {
            let (file, _) = (&file, spoil(&*file, entries[4].offset + byte, &[0x55]));
            let scan = scanned(&**file);
            assert_eq!(scan.damage.len(), 1, "{what}");
            let mut expected = entries.clone();
            expected[4] = Entry::default();
            assert_eq!(scan.entries, expected);
        }
    }

    #[test]
    fn good_frames_of_a_group_with_a_bad_spot_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        spoil(&*file, entries[1].offset + 60, &[0x55]);
        let scan = scanned(&*file);
        let mut expected = entries.clone();
        expected[1] = Entry::default();
        assert_eq!((scan.entries, scan.damage.len()), (expected, 1));
    }

    #[test]
    fn bad_spot_in_what_is_known_to_be_synced_loses_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        // Two of the three frames of the second put, and nothing behind them that says anything.
        file.truncate(entries[3].offset.into()).unwrap();
        for lost in [1, 2] {
            let (file, mut expected) = (&*file, entries[..3].to_vec());
            let before = {
                let mut bytes = Vec::new();
                file.read_at(&mut bytes, 1, u64::from(entries[lost].offset) + 60)
                    .unwrap();
                bytes
            };
            spoil(file, entries[lost].offset + 60, &[before[0] ^ 1]);
            let scan = scan(file, 7, 100, HEAD, 0, 3).unwrap();
            spoil(file, entries[lost].offset + 60, &before);
            match lost {
                1 => expected[1] = Entry::default(),
                // The last one: the totals say that it is missing.
                _ => expected.truncate(2),
            }
            assert_eq!(scan.entries, expected);
        }
    }

    #[test]
    fn behind_a_bad_spot_and_what_was_synced_only_whole_puts_count() {
        let dir = tempfile::tempdir().unwrap();
        let (file, entries) = sample(dir.path());
        file.truncate(entries[4].offset.into()).unwrap();
        spoil(&*file, entries[1].offset, &[0x55]);
        // Nothing says that the second put was synced.
        assert_eq!(scanned(&*file).entries, entries[..1]);
    }

    #[test]
    fn totals_are_read_only_when_whole_and_of_this_segment() {
        let dir = tempfile::tempdir().unwrap();
        let (file, _) = sample(dir.path());
        assert_eq!(read_head(&*file, 7).unwrap().totals, None);
        let totals = Totals {
            frames: 6,
            amount: Amount { events: 6, bytes: 99 },
            synced: 5,
        };
        write_totals(&*file, 7, totals).unwrap();
        assert_eq!(read_head(&*file, 7).unwrap().totals, Some(totals));
        assert_eq!(read_head(&*file, 8).unwrap().totals, None);
        spoil(&*file, 520, &[9]);
        assert_eq!(read_head(&*file, 7).unwrap().totals, None);
    }
}
