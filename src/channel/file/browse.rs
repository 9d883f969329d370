//! Looking at a channel without taking anything or being seen: what waits, and how much.

use super::accept::{self, Accepted};
use super::disk::{Disk, DiskFile, RealDisk};
use super::index::{Amount, Entry, Index};
use super::place::{Place, failed};
use super::segment;
use super::table;
use crate::channel::ChannelError;
use crate::event::Batch;
use crate::wire::FrameHeader;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much is in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Events that are not accepted.
    pub events: u64,
    /// Bytes of their encoded form.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Damaged segments that were moved aside.
    pub quarantined: u64,
    /// The name that origins count in.
    pub id: String,
}

/// What one segment holds that is not accepted.
struct Waiting {
    file: Arc<dyn DiskFile>,
    frames: VecDeque<(u32, Entry)>,
    damage: VecDeque<String>,
}

struct Viewer {
    place: Place,
    disk: RealDisk,
    accepted: Accepted,
    table: PathBuf,
}

impl Viewer {
    fn new(directory: &Path) -> Result<Viewer, ChannelError> {
        let place = Place::find(directory)?;
        let disk = RealDisk;
        Ok(Viewer {
            accepted: accept::read_all(&place.acceptances(), &disk)?,
            table: table::directory(&place).map_err(|error| failed("look at", &place.directory, &error))?,
            place,
            disk,
        })
    }

    /// The index, if processes of this boot made one; otherwise the file and the logs say it all.
    fn index(&self, number: u64) -> Option<Index> {
        Index::open(&table::index_path(&self.table, number), number).ok()
    }

    /// `None`: it is gone meanwhile.
    fn look(&self, dir: usize, number: u64) -> Result<Option<Waiting>, ChannelError> {
        let path = self.place.segment(dir, number);
        match self.look_into(&path, number) {
            Ok(waiting) => Ok(Some(waiting)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    fn look_into(&self, path: &Path, number: u64) -> io::Result<Waiting> {
        let file = self.disk.open_to_read(path)?;
        let mut damage = VecDeque::new();
        let frames = match self.index(number) {
            Some(index) => (index.first()..index.committed())
                .filter(|frame| !index.is_accepted(*frame))
                .map(|frame| (frame, index.entry(frame)))
                .collect(),
            None => {
                let head = segment::read_head(&*file, number)?;
                let scan = segment::scan(&*file, number, head.cap, segment::HEAD, 0)?;
                let told = scan.damage.iter();
                damage.extend(told.map(|what| format!("{} is damaged: {what}", path.display())));
                let ranges = self.accepted.get(&number);
                let is_accepted = |frame: u32| {
                    ranges.is_some_and(|all| all.iter().any(|(from, to)| (*from..*to).contains(&frame)))
                };
                let all = (0..).zip(scan.entries);
                all.filter(|(frame, entry)| entry.length > 0 && !is_accepted(*frame))
                    .collect()
            }
        };
        Ok(Waiting { file, frames, damage })
    }

    /// The path still leads to this file.
    fn is_there(&self, path: &Path, file: &dyn DiskFile) -> bool {
        let now = self.disk.open_to_read(path).and_then(|now| now.identity());
        let (Ok(now), Ok(then)) = (now, file.identity()) else {
            return false;
        };
        now.0 == then.0
    }

    fn amount(&self, dir: usize, number: u64) -> Result<Amount, ChannelError> {
        if let Some(index) = self.index(number) {
            return Ok(index.waiting_exactly());
        }
        let path = self.place.segment(dir, number);
        let head = self
            .disk
            .open_to_read(&path)
            .and_then(|file| segment::read_head(&*file, number));
        if !self.accepted.contains_key(&number)
            && let Some(totals) = head.ok().and_then(|head| head.totals)
        {
            return Ok(totals.amount);
        }
        let mut sum = Amount::default();
        for (_, entry) in self.look(dir, number)?.into_iter().flat_map(|found| found.frames) {
            sum.add(Amount {
                events: entry.events.into(),
                bytes: entry.raw.into(),
            });
        }
        Ok(sum)
    }
}

/// How much is in the channel of a directory.
pub fn status(directory: &Path) -> Result<Status, ChannelError> {
    let viewer = Viewer::new(directory)?;
    let segments = viewer.place.segments(&viewer.disk)?;
    let aside = (0..viewer.place.data.len()).map(|dir| viewer.place.quarantine(dir));
    let mut status = Status {
        segments: segments.len() as u64,
        quarantined: aside
            .map(|path| viewer.disk.names(&path).map_or(0, |names| names.len() as u64))
            .sum(),
        id: viewer.place.id.clone(),
        ..Status::default()
    };
    for (number, dir) in segments {
        let amount = viewer.amount(dir, number)?;
        status.events += amount.events;
        status.bytes += amount.bytes;
    }
    Ok(status)
}

/// All batches that are not accepted, oldest first, without taking them. Works while others put and take:
/// a batch that is accepted meanwhile may be seen or not.
pub fn browse(
    directory: &Path,
) -> Result<impl Iterator<Item = Result<(FrameHeader, Batch), ChannelError>> + use<>, ChannelError> {
    let viewer = Viewer::new(directory)?;
    let segments = viewer.place.segments(&viewer.disk)?.into();
    Ok(Browse {
        viewer,
        segments,
        current: None,
    })
}

struct Browse {
    viewer: Viewer,
    segments: VecDeque<(u64, usize)>,
    current: Option<(u64, PathBuf, Waiting)>,
}

impl Iterator for Browse {
    type Item = Result<(FrameHeader, Batch), ChannelError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((number, path, waiting)) = &mut self.current {
                if let Some(damage) = waiting.damage.pop_front() {
                    return Some(Err(ChannelError::Failed(damage)));
                }
                if let Some((frame, entry)) = waiting.frames.pop_front() {
                    let read = segment::read_frame(&*waiting.file, *number, frame, entry);
                    let is_bad = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData;
                    if read.as_ref().is_err_and(is_bad) && !self.viewer.is_there(path, &*waiting.file) {
                        // Drained meanwhile, and another segment by now.
                        waiting.frames.clear();
                        continue;
                    }
                    return Some(read.map_err(|error| failed("read", path, &error)));
                }
            }
            let (number, dir) = self.segments.pop_front()?;
            self.current = match self.viewer.look(dir, number) {
                Ok(found) => found.map(|waiting| (number, self.viewer.place.segment(dir, number), waiting)),
                Err(error) => return Some(Err(error)),
            };
        }
    }
}
