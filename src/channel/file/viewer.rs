//! A look into a channel without attaching to it: nothing is taken, nothing is changed, nobody notices.
//!
//! Others may put and take meanwhile. What is gone when we come to it is passed over, and what is accepted
//! meanwhile may be seen or not.

use super::accept::{self, Accepted};
use super::attached::Onlooker;
use super::disk::{Disk, DiskFile, RealDisk};
use super::index::{Amount, Claim, Entry, Index};
use super::place::{Place, failed};
use super::segment::{self, Head};
use super::table;
use crate::channel::ChannelError;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A channel that is looked at.
pub struct Viewer {
    pub place: Place,
    pub disk: RealDisk,
    /// The processes that use it, if there is a table of this boot.
    pub onlooker: Option<Onlooker>,
    /// What the logs of acceptances say.
    pub accepted: Accepted,
    /// The directory of the table that processes of this boot use.
    pub table: PathBuf,
}

/// A frame that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingFrame {
    pub frame: u32,
    pub entry: Entry,
    /// Who has it, if somebody has.
    pub claim: Claim,
}

/// What one segment holds that is not accepted.
pub struct Waiting {
    pub file: Arc<dyn DiskFile>,
    /// When it was made; 0 if that is not known.
    pub created: u64,
    pub frames: VecDeque<WaitingFrame>,
    pub damage: VecDeque<String>,
}

/// How much of one segment is not accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub amount: Amount,
    /// Milliseconds since the oldest of it was put, if that is known.
    pub age: Option<u64>,
}

impl Viewer {
    /// Look at the channel of a directory, which must be one of this version.
    pub fn new(directory: &Path) -> Result<Viewer, ChannelError> {
        let place = Place::find(directory)?;
        let disk = RealDisk;
        let table = table::directory(&place).map_err(|error| failed("look at", &place.directory, &error))?;
        // A process that was killed while it made the channel may have left it without this directory.
        let accepted = match place.acceptances().exists() {
            true => accept::read_all(&place.acceptances(), &disk)?,
            false => Accepted::new(),
        };
        Ok(Viewer {
            onlooker: Onlooker::at(&table).ok(),
            place,
            disk,
            accepted,
            table,
        })
    }

    /// The index, if processes of this boot made one; otherwise the file and the logs say it all.
    pub fn index(&self, number: u64) -> Option<Index> {
        Index::view(&table::index_path(&self.table, number), number).ok()
    }

    /// What waits in a segment, `None` if it is gone meanwhile.
    pub fn look(&self, dir: usize, number: u64) -> Result<Option<Waiting>, ChannelError> {
        let path = self.place.segment(dir, number);
        match self.look_into(&path, number) {
            Ok(waiting) if waiting.damage.is_empty() => Ok(Some(waiting)),
            Ok(waiting) => Ok(self.is_there(number, dir, &*waiting.file).then_some(waiting)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    fn look_into(&self, path: &Path, number: u64) -> io::Result<Waiting> {
        let file = self.disk.open_to_read(path)?;
        let head = segment::read_head(&*file, number)?;
        let mut damage = VecDeque::new();
        let frames = match self.index(number) {
            Some(index) => frames_of(&index).collect(),
            None => {
                let scan = segment::scan(&*file, number, head.cap, segment::HEAD, 0, head.synced())?;
                let told = scan.damage.iter();
                damage.extend(told.map(|what| format!("{} is damaged: {what}", path.display())));
                let all = (0..).zip(scan.entries);
                all.filter(|(frame, entry)| entry.length > 0 && !self.is_logged(number, *frame))
                    .map(|(frame, entry)| WaitingFrame {
                        frame,
                        entry,
                        claim: Claim::Waiting,
                    })
                    .collect()
            }
        };
        Ok(Waiting {
            file,
            created: head.created,
            frames,
            damage,
        })
    }

    /// The path of a segment still leads to this file. One that was drained may be another segment by now.
    pub fn is_there(&self, number: u64, dir: usize, file: &dyn DiskFile) -> bool {
        let now = self.disk.open_to_read(&self.place.segment(dir, number));
        let now = now.and_then(|now| now.identity());
        matches!((now, file.identity()), (Ok(now), Ok(then)) if now.0 == then.0)
    }

    /// The logs say that this frame is accepted.
    pub fn is_logged(&self, number: u64, frame: u32) -> bool {
        let ranges = self.accepted.get(&number);
        ranges.is_some_and(|all| all.iter().any(|(from, to)| (*from..*to).contains(&frame)))
    }

    /// How much of a segment is not accepted, by its index or its totals where that is enough.
    pub fn seen(&self, dir: usize, number: u64) -> Result<Seen, ChannelError> {
        let path = self.place.segment(dir, number);
        let opened = self
            .disk
            .open_to_read(&path)
            .and_then(|file| segment::read_head(&*file, number).map(|head| (file, head)));
        let (file, head) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Seen::default()),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        if let Some(index) = self.index(number) {
            let oldest = frames_of(&index).next().map(|waiting| waiting.entry);
            return Ok(self.with_age(number, &*file, &head, index.waiting_exactly(), oldest));
        }
        if !self.accepted.contains_key(&number)
            && let Some(totals) = head.totals
        {
            let first = Entry {
                offset: segment::HEAD as u32,
                ..Entry::default()
            };
            return Ok(self.with_age(number, &*file, &head, totals.amount, Some(first)));
        }
        let Some(waiting) = self.look(dir, number)? else {
            return Ok(Seen::default());
        };
        let mut sum = Amount::default();
        for waiting in &waiting.frames {
            sum.add(waiting.entry.amount());
        }
        let oldest = waiting.frames.front().map(|waiting| waiting.entry);
        Ok(self.with_age(number, &*file, &head, sum, oldest))
    }

    fn with_age(
        &self,
        number: u64,
        file: &dyn DiskFile,
        head: &Head,
        amount: Amount,
        oldest: Option<Entry>,
    ) -> Seen {
        let age = oldest.and_then(|entry| self.age(number, file, head.created, entry));
        Seen { amount, age }
    }

    /// Milliseconds since a frame was put, if that is known.
    pub fn age(&self, number: u64, file: &dyn DiskFile, created: u64, entry: Entry) -> Option<u64> {
        if created == 0 {
            return None;
        }
        let header = segment::header_of(file, number, entry).ok()?;
        segment::age(self.disk.clock_ms(), created, header.since)
    }
}

/// The frames of an index that are not accepted.
fn frames_of(index: &Index) -> impl Iterator<Item = WaitingFrame> {
    let frames = index.first()..index.committed();
    frames.filter_map(|frame| {
        let claim = Claim::of(index.claim(frame).load(Ordering::SeqCst));
        let entry = index.entry(frame);
        (claim != Claim::Accepted).then_some(WaitingFrame { frame, entry, claim })
    })
}
