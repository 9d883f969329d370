//! Going through a segment whose index is not known: what is whole, what is damage, and what was never finished.

use super::super::disk::DiskFile;
use super::super::index::Entry;
use super::super::rigged::{Bug, planted};
use super::{WINDOW, cut};
use crate::slab;
use crate::wire::{self, Fault, FrameHeader, HEADER, Kind, MAGIC};
use std::io;

/// What a scan found. Entries in order of their index; a gap is an entry of length 0.
#[derive(Default)]
pub struct Scan {
    /// Where the frames are.
    pub entries: Vec<Entry>,
    /// What was damaged, a sentence each; empty for a sound segment.
    pub damage: Vec<String>,
    /// What was found behind the last frame, if that was not nothing.
    pub torn: Option<String>,
}

/// A frame as a scan finds it.
struct Found {
    frame: u32,
    synced: u32,
    before: u16,
    follow: u16,
    entry: Entry,
}

/// Reads a file through one buffer.
struct Window<'a> {
    file: &'a dyn DiskFile,
    bytes: Vec<u8>,
    start: u64,
}

impl Window<'_> {
    /// `want` bytes from `at`, fewer at the end of the file.
    fn bytes(&mut self, at: u64, want: usize) -> io::Result<&[u8]> {
        let end = self.start + self.bytes.len() as u64;
        if at < self.start || at + want as u64 > end {
            self.bytes.clear();
            self.file.read_at(&mut self.bytes, want.max(WINDOW), at)?;
            self.start = at;
        }
        let here = &self.bytes[(at - self.start) as usize..];
        Ok(&here[..here.len().min(want)])
    }
}

/// What stands at an offset.
enum Look {
    Frame(Found),
    /// Nothing: the end of the file or zeros.
    Nothing,
    Bad(Fault),
}

struct Walk<'a> {
    window: Window<'a>,
    number: u64,
    cap: u32,
    synced: u32,
}

impl Walk<'_> {
    fn look(&mut self, at: u64) -> io::Result<Look> {
        let bytes = self.window.bytes(at, HEADER)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Look::Nothing);
        }
        let Some(header) = bytes.first_chunk::<HEADER>() else {
            return Ok(Look::Bad(cut(bytes.len() as u64, HEADER as u64)));
        };
        let header = match FrameHeader::decode(header, self.number, wire::LIMIT) {
            Ok(header) => header,
            Err(fault) => return Ok(Look::Bad(fault)),
        };
        let want = header.length as usize;
        let payload = self.window.bytes(at + HEADER as u64, want)?;
        if payload.len() < want {
            return Ok(Look::Bad(cut(
                (HEADER + payload.len()) as u64,
                (HEADER + want) as u64,
            )));
        }
        let (said, found) = (header.crc, wire::crc32c(payload));
        if said != found && !planted(Bug::ScanWithoutChecksum) {
            return Ok(Look::Bad(Fault::PayloadCrc { said, found }));
        }
        Ok(self.found(at, &header))
    }

    fn found(&self, at: u64, header: &FrameHeader) -> Look {
        let frame = (header.origin & 0xf_ffff) as u32;
        let is_ours = header.origin >> 20 == self.number && frame < self.cap;
        let Ok(offset) = u32::try_from(at) else {
            return Look::Bad(Fault::Kind(0));
        };
        if !is_ours || header.kind != Kind::Batch || header.length == 0 {
            return Look::Bad(Fault::Kind(0));
        }
        Look::Frame(Found {
            frame,
            synced: (header.sequence >> 32) as u32,
            before: (header.sequence >> 16) as u16,
            follow: header.sequence as u16,
            entry: Entry {
                offset,
                length: header.length,
                events: header.events,
                raw: header.raw_length,
            },
        })
    }

    /// The next whole frame behind a bad spot where frame `index` should be, if that was synced once: if that is
    /// known, or some frame behind was written when it was. What was synced and is whole counts, each frame by
    /// itself; from there on only whole puts do.
    fn next_synced(&mut self, at: u64, index: u32) -> io::Result<Option<(u64, Found)>> {
        let behind = self.next_whole(at, |found| found.frame >= index && found.synced > index)?;
        let synced = behind.map_or(0, |(_, proof)| proof.synced).max(self.synced);
        match synced > index {
            false => Ok(None),
            true => self.next_whole(at, |found| {
                found.frame >= index && (found.before == 0 || found.frame < synced)
            }),
        }
    }

    fn next_whole(
        &mut self,
        mut at: u64,
        is_wanted: impl Fn(&Found) -> bool,
    ) -> io::Result<Option<(u64, Found)>> {
        loop {
            let bytes = self.window.bytes(at, WINDOW)?;
            let have = bytes.len();
            match memchr::memmem::find(bytes, &MAGIC) {
                Some(skip) => {
                    at += skip as u64;
                    match self.look(at)? {
                        Look::Frame(found) if is_wanted(&found) => {
                            return Ok(Some((at, found)));
                        }
                        _ => at += 1,
                    }
                }
                None if have < WINDOW => return Ok(None),
                None => at += (have - MAGIC.len() + 1) as u64,
            }
        }
    }
}

/// Look through a segment from a frame's offset on; `index` is the frame that should stand there. Frames below
/// `synced` are known to have been on the disk: what is not whole of them is damage.
pub fn scan(
    file: &dyn DiskFile,
    number: u64,
    cap: u32,
    start: u64,
    index: u32,
    synced: u32,
) -> io::Result<Scan> {
    let window = Window {
        file,
        bytes: slab::take(),
        start: 0,
    };
    let mut walk = Walk {
        window,
        number,
        cap,
        synced,
    };
    let mut scan = Scan::default();
    let scanned = scan_on(&mut walk, &mut scan, start, index);
    slab::give(std::mem::take(&mut walk.window.bytes));
    scanned.map(|()| scan)
}

fn scan_on(walk: &mut Walk<'_>, scan: &mut Scan, start: u64, index: u32) -> io::Result<()> {
    let mut at = start;
    // Entries of puts that are whole; what lies behind waits for the last frame of its put.
    let mut whole = 0;
    loop {
        let expected = index + scan.entries.len() as u32;
        let looked = walk.look(at)?;
        let fault = match looked {
            Look::Frame(found) if found.frame == expected => {
                at += HEADER as u64 + u64::from(found.entry.length);
                scan.entries.push(found.entry);
                if found.follow == 0 || planted(Bug::HalfPutShown) {
                    whole = scan.entries.len();
                }
                continue;
            }
            Look::Frame(found) => format!("frame {} follows where {expected} should", found.frame),
            Look::Nothing => "zeros".to_string(),
            Look::Bad(fault) => fault.to_string(),
        };
        let Some((next, found)) = walk.next_synced(at, expected)? else {
            scan.entries
                .truncate(whole.max((walk.synced.saturating_sub(index)) as usize));
            if fault != "zeros" {
                scan.torn = Some(format!("at byte {at}: {fault}"));
            }
            return Ok(());
        };
        let lost = found.frame - expected;
        scan.damage.push(format!(
            "{lost} frames from byte {at} to {next} are lost: {fault}"
        ));
        scan.entries
            .resize((found.frame - index) as usize, Entry::default());
        (at, whole) = (next, scan.entries.len());
    }
}
