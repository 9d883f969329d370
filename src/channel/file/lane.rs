//! The segment that one process appends to: made, written, synced, published, sealed.

mod make;

use self::make::make_both;
use super::Sync;
use super::core::Core;
use super::disk::DiskFile;
use super::index::{Amount, Entry, Index};
use super::place::failed;
use super::put::lock;
use super::rigged::{Bug, planted};
use super::segment::{self, Ready, Totals};
use super::shm::now_ns;
use super::spare::{self, Spare};
use crate::channel::ChannelError;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The first step in which room is set aside; each is twice the one before.
const FIRST_STEP: u64 = 1 << 20;
/// How often is looked whether the segment is still there, where nothing is synced.
const LOOK_NS: u64 = 20_000_000;

/// Bytes that are remembered until they are synced; more are synced before their time.
const KEPT_BYTES: u64 = 16 << 20;

/// Nothing is put into a segment that is so many milliseconds old (24 days).
const OLDEST: u32 = u32::MAX / 2;

/// A segment that we made, as whoever syncs and publishes sees it.
pub struct Segment {
    number: u64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    index: Index,
    /// Of no more use: nothing that is written to it now counts.
    broken: AtomicBool,
    /// No more room, or nobody knows what stands behind what is there: the next put goes elsewhere.
    spent: AtomicBool,
    /// Something was published and not synced yet.
    unsynced: AtomicBool,
    /// When it was last looked whether it is still there.
    looked_ns: AtomicU64,
    /// Frames that have to be on the disk.
    synced: AtomicU32,
    /// What is published and not synced yet, where that is done at intervals.
    kept: Mutex<Kept>,
}

/// Frames, by their index, and their bytes.
#[derive(Default)]
struct Kept {
    frames: Vec<(u32, Ready)>,
    bytes: u64,
}

/// The same, as whoever writes sees it. What was written may be ahead of what is published.
pub struct Lane {
    segment: Arc<Segment>,
    /// Where the next group goes.
    at: u64,
    frames: u32,
    amount: Amount,
    reserved: u64,
    step: u64,
    /// Bytes that it shall have at most.
    most: u64,
    /// When the segment was made, by the clock of the wall.
    created: u64,
}

/// Puts that were written together and are not published yet.
pub struct Group {
    segment: Arc<Segment>,
    first: u32,
    entries: Vec<Entry>,
    /// Everything in the segment with this group.
    amount: Amount,
    /// The frames themselves, if they are needed until they are synced.
    kept: Vec<Ready>,
}

/// Bytes and frames.
#[derive(Debug, Clone, Copy, Default)]
pub struct Room {
    pub bytes: u64,
    pub frames: usize,
}

impl Room {
    /// There is room for as much.
    pub fn holds(self, other: Room) -> bool {
        other.bytes <= self.bytes && other.frames <= self.frames
    }
}

/// Frames that a new segment of so many bytes may have: a small one has a small index.
fn cap_of_new(core: &Core, most: u64) -> u32 {
    let all = segment::cap_for(core.config.segment_bytes);
    match most < core.config.segment_bytes {
        true => segment::cap_for(most / 8).min(all),
        false => all,
    }
}

/// Room in a new segment of so many bytes.
pub fn room_of_new(core: &Core, most: u64) -> Room {
    Room {
        bytes: most.saturating_sub(segment::HEAD),
        frames: cap_of_new(core, most) as usize,
    }
}

impl Lane {
    /// Make a segment of at most so many bytes, in which `frames` find room. The index comes first, so that
    /// whoever sees the segment of a living putter finds it; the segment counts when its name is synced, and only
    /// then is anything put into it.
    pub fn create(core: &Core, most: u64, frames: usize) -> Result<Lane, ChannelError> {
        core.check_there()?;
        let numbers = core.place.numbers();
        let number = core
            .table
            .draw_number(&core.place, &*core.disk)
            .map_err(|error| failed("set segment numbers aside in", &numbers, &error))?;
        let dir = core.place.dir_of(number);
        let spare = match core.config.sync {
            Sync::Always => spare::take(core, dir),
            _ => None,
        };
        let again_bytes = spare.as_ref().map(Spare::bytes);
        let cap = match again_bytes {
            Some(bytes) => segment::cap_for(bytes),
            None => cap_of_new(core, most),
        };
        let cap = cap.max(u32::try_from(frames).unwrap_or(segment::MOST_FRAMES));
        let created = core.disk.clock_ms();
        let flags = spare.as_ref().map_or(0, |_| segment::RECYCLED);
        let head = segment::head(number, cap, created, flags);
        let (index, file) = make_both(core, number, cap, &head, spare)?;
        let path = core.place.segment(dir, number);
        // An index without it counts as one of a segment that is just being made, which does no harm.
        index.set_inode(file.identity().map_or(0, |(inode, _)| inode));
        core.table.segments_changed().fetch_add(1, Ordering::SeqCst);
        let segment = Segment {
            number,
            path,
            file,
            index,
            broken: AtomicBool::new(false),
            spent: AtomicBool::new(false),
            unsynced: AtomicBool::new(false),
            looked_ns: AtomicU64::new(0),
            synced: AtomicU32::new(0),
            kept: Mutex::default(),
        };
        Ok(Lane {
            segment: Arc::new(segment),
            at: segment::HEAD,
            frames: 0,
            amount: Amount::default(),
            reserved: again_bytes.unwrap_or(segment::HEAD),
            step: FIRST_STEP,
            most: again_bytes.unwrap_or(most),
            created,
        })
    }

    /// Bytes that it shall have at most.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// What is published and synced through it.
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Milliseconds since the segment was made; 0 when the clock was set back.
    fn since(&self, core: &Core) -> u32 {
        let since = core.disk.clock_ms().saturating_sub(self.created);
        u32::try_from(since).unwrap_or(u32::MAX)
    }

    /// What still goes in: nothing when the time of a frame would not fit soon.
    pub fn room(&self, core: &Core) -> Room {
        if self.frames > 0 && self.since(core) > OLDEST && !planted(Bug::OldSegmentWrittenOn) {
            return Room::default();
        }
        Room {
            bytes: self.most.saturating_sub(self.at),
            frames: (self.segment.index.cap() - self.frames) as usize,
        }
    }

    /// Set room aside for a group, with more for those that come.
    pub fn reserve(&mut self, core: &Core, bytes: u64) -> Result<(), ChannelError> {
        let end = self.at + bytes;
        if end <= self.reserved {
            return Ok(());
        }
        let generous = (self.reserved + self.step)
            .min(core.config.segment_bytes)
            .max(end);
        for upto in [generous, end] {
            let more = upto - self.reserved;
            let done = check_free(core, &self.segment.path, more).and_then(|()| {
                let reserved = self.segment.file.reserve(self.reserved, more);
                reserved.map_err(|error| failed("set room aside in", &self.segment.path, &error))
            });
            match done {
                Ok(()) => {
                    self.reserved = upto;
                    self.step = next_step(self.step, core.config.segment_bytes);
                    return Ok(());
                }
                Err(error) if upto == end => return Err(error),
                Err(_) => {
                    spare::give_up(core);
                }
            }
        }
        Ok(())
    }

    /// Write a group behind what is there. Nothing is visible yet; after a failure nothing of it is there.
    pub fn write(&mut self, core: &Core, puts: &[&[Ready]]) -> Result<Group, ChannelError> {
        let segment = &self.segment;
        let since = self.since(core);
        // What is not synced may be torn together with this, published or not.
        let synced = match planted(Bug::PublishedCountsAsSynced) {
            false => segment.synced.load(Ordering::SeqCst),
            true => segment.index.committed(),
        };
        let (file, number) = (&*segment.file, segment.number);
        match segment::write_group(file, number, self.frames, synced, self.at, since, puts) {
            Ok(entries) => Ok(self.written(core, entries, puts)),
            Err(error) => {
                // What is there of it must not be found, neither if we die now nor behind what is written
                // over its first frame: the next put goes into another segment.
                let is_spent = !planted(Bug::FailedWriteOverwritten);
                segment.spent.store(is_spent, Ordering::SeqCst);
                let blank = [0; crate::wire::HEADER];
                if !planted(Bug::FailedWriteNotBlanked) {
                    let _ = file.write_at(&mut [IoSlice::new(&blank)], self.at);
                }
                Err(failed("write", &segment.path, &error))
            }
        }
    }

    fn written(&mut self, core: &Core, entries: Vec<Entry>, puts: &[&[Ready]]) -> Group {
        let first = self.frames;
        for entry in &entries {
            self.at = u64::from(entry.offset) + crate::wire::HEADER as u64 + u64::from(entry.length);
            self.amount.add(Amount {
                events: entry.events.into(),
                bytes: entry.raw.into(),
            });
        }
        self.frames += entries.len() as u32;
        let kept = match core.config.sync {
            Sync::Every(_) => puts.concat(),
            Sync::Always | Sync::Never => Vec::new(),
        };
        Group {
            kept,
            segment: self.segment.clone(),
            first,
            entries,
            amount: self.amount,
        }
    }
}

impl Group {
    /// Sync, if that was asked for, and show it to the takers. To be called in the order of writing.
    ///
    /// After a failure the segment is of no more use: the system may have forgotten what it could not write
    /// and call the next sync a success. So a group that was written behind this one is refused as well.
    pub fn finish(self, core: &Core) -> Result<(), ChannelError> {
        let segment = &*self.segment;
        if segment.broken.load(Ordering::SeqCst) {
            let path = segment.path.display();
            let why = format!("cannot sync {path}: the sync before this one failed");
            return Err(ChannelError::Failed(why));
        }
        if planted(Bug::PublishedBeforeSync) {
            self.publish(core);
        }
        if core.config.sync == Sync::Always
            && !planted(Bug::PutNotSynced)
            && let Err(error) = segment.file.sync()
            && !planted(Bug::FailedSyncIgnored)
        {
            if !planted(Bug::SegmentUsedAfterFailedSync) {
                segment.broken.store(true, Ordering::SeqCst);
                // At once: if we die now, nobody finds what was refused.
                segment.seal(core);
            }
            return Err(failed("sync", &segment.path, &error));
        }
        segment.check_there(core)?;
        // Before a sync can come to it.
        let is_much = segment.keep(self.first, &self.kept);
        self.publish(core);
        if is_much {
            // A failure stands in the segment, and whoever retires it has what was kept put again.
            let _ = segment.sync();
        }
        Ok(())
    }

    fn publish(&self, core: &Core) {
        let segment = &*self.segment;
        for (frame, entry) in (self.first..).zip(&self.entries) {
            segment.index.set_entry(frame, *entry);
        }
        let frames = self.first + self.entries.len() as u32;
        if core.config.sync != Sync::Always {
            segment.unsynced.store(true, Ordering::SeqCst);
        }
        // Where nobody ever syncs, what is published counts as synced: what is missing later is reported.
        if !matches!(core.config.sync, Sync::Every(_)) {
            segment.synced.store(frames, Ordering::SeqCst);
        }
        segment.index.commit(frames, self.amount);
        core.table.put_bell().ring();
    }
}

impl Segment {
    /// The file still has a name: what is written to one without goes nowhere. Looked at before each answer that
    /// promises something, otherwise now and then.
    fn check_there(&self, core: &Core) -> Result<(), ChannelError> {
        let (now, last) = (now_ns(), self.looked_ns.load(Ordering::Relaxed));
        if core.config.sync != Sync::Always && now < last + LOOK_NS {
            return Ok(());
        }
        self.looked_ns.store(now, Ordering::Relaxed);
        match self.file.identity() {
            Ok((_, false)) => {
                self.broken.store(true, Ordering::SeqCst);
                Err(core.removed())
            }
            _ => Ok(()),
        }
    }

    /// Nothing more may be written to it.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst) || self.spent.load(Ordering::SeqCst)
    }

    /// Something in it is published and not synced.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced.load(Ordering::SeqCst)
    }

    /// Remember what is published until it is synced; true if that is so much that it should be now.
    fn keep(&self, first: u32, frames: &[Ready]) -> bool {
        if frames.is_empty() {
            return false;
        }
        let mut kept = lock(&self.kept);
        kept.bytes += frames.iter().map(Ready::size).sum::<u64>();
        kept.frames.extend((first..).zip(frames.iter().cloned()));
        kept.bytes >= KEPT_BYTES
    }

    /// What was published and is not known to be on the disk, now that a sync failed; given once.
    pub fn take_kept(&self) -> Vec<(u32, Ready)> {
        match self.broken.load(Ordering::SeqCst) {
            true => std::mem::take(&mut *lock(&self.kept)).frames,
            false => Vec::new(),
        }
    }

    /// There is something to be put again.
    pub fn has_kept(&self) -> bool {
        self.broken.load(Ordering::SeqCst) && !lock(&self.kept).frames.is_empty()
    }

    /// These could not be put again yet.
    pub fn give_kept(&self, frames: Vec<(u32, Ready)>) {
        lock(&self.kept).frames.extend(frames);
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Sync what was published without; after a failure it is of no more use.
    pub fn sync(&self) -> Result<(), ChannelError> {
        if !self.unsynced.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let frames = self.index.committed();
        self.file.sync().map_err(|error| {
            self.broken.store(true, Ordering::SeqCst);
            failed("sync", &self.path, &error)
        })?;
        self.synced.store(frames, Ordering::SeqCst);
        let mut kept = lock(&self.kept);
        // What was published meanwhile is not synced.
        kept.frames.retain(|(frame, _)| *frame >= frames);
        kept.bytes = kept.frames.iter().map(|(_, ready)| ready.size()).sum();
        Ok(())
    }

    /// Append no more. What was not published is cut off, and the totals are noted for who counts later;
    /// both are only help, so that their failure is none. No group that is still to be published may be on
    /// its way. Once more does no harm.
    pub fn seal(&self, core: &Core) {
        if core.config.sync != Sync::Never
            && let Err(error) = self.sync()
        {
            (core.report)(&error.to_string());
        }
        if !planted(Bug::RefusedNotCutOff) {
            let _ = self.file.truncate(self.index.end());
            if self.is_broken() && !planted(Bug::CutNotSynced) {
                // What was refused stays away after a power cut as well, as far as this disk still works.
                let _ = self.file.sync();
            }
        }
        // Only now: they would not count what is still to be cut off.
        let totals = Totals {
            frames: self.index.committed(),
            amount: self.index.amount_in(),
            synced: self.synced.load(Ordering::SeqCst),
        };
        let _ = segment::write_totals(&*self.file, self.number, totals);
        self.index.seal();
        core.table.put_bell().ring_for_sleepers();
    }
}

/// So much may be used without going below what stays free.
fn check_free(core: &Core, path: &Path, more: u64) -> Result<(), ChannelError> {
    let least = core.config.min_free;
    if least == 0 {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(path);
    let free = core
        .disk
        .free(directory)
        .map_err(|error| failed("ask for the free space of", directory, &error))?;
    if free >= least.saturating_add(more) {
        return Ok(());
    }
    Err(ChannelError::Full(format!(
        "the file system of {} has {free} bytes free, {least} have to stay free; make room or lower the limit",
        directory.display()
    )))
}

/// Twice the step, but no more than a segment holds: on a full disk groups go in one by one without end.
fn next_step(step: u64, segment_bytes: u64) -> u64 {
    step.saturating_mul(2).min(segment_bytes.max(FIRST_STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_grows_to_a_segment_and_no_further() {
        assert_eq!(next_step(FIRST_STEP, 64 << 20), 2 << 20);
        let after_many = (0..100).fold(FIRST_STEP, |step, _| next_step(step, 64 << 20));
        assert_eq!(after_many, 64 << 20);
        assert_eq!(next_step(FIRST_STEP, 4096), FIRST_STEP);
    }
}
