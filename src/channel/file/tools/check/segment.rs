//! One segment: its head, every frame, its totals, and what its index says of it.

use super::{Checked, Mend};
use crate::channel::ChannelError;
use crate::channel::file::disk::{Disk, DiskFile};
use crate::channel::file::index::{Amount, Entry, Index};
use crate::channel::file::place::failed;
use crate::channel::file::recover::look_for_loss;
use crate::channel::file::segment::{self, HEAD, Head, Scan};
use crate::channel::file::table;
use crate::channel::file::viewer::Viewer;
use crate::wire::HEADER;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// What is not sound in one segment.
#[derive(Default)]
struct Doubts {
    damage: Vec<String>,
    /// The end of a write that was never finished, and so never acknowledged.
    torn: Option<String>,
    /// The index is not of this file.
    index: Option<String>,
    batches: u64,
}

/// Check a segment; one that goes meanwhile is passed over.
pub fn check(viewer: &Viewer, number: u64, dir: usize, checked: &mut Checked) -> Result<(), ChannelError> {
    let path = viewer.place.segment(dir, number);
    let doubts = match look(viewer, number, dir) {
        Ok(Some(doubts)) => doubts,
        Ok(None) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(failed("read", &path, &error));
        }
        Err(error) => {
            checked.find(&path, Mend::ByHand, format!("cannot be read: {error}"));
            return Ok(());
        }
    };
    checked.segments += 1;
    checked.batches += doubts.batches;
    for what in doubts.damage {
        checked.find(&path, Mend::Segment { number, dir }, what);
    }
    if let Some(what) = doubts.index {
        checked.find(&table::index_path(&viewer.table, number), Mend::Remove, what);
    }
    if let Some(torn) = doubts.torn {
        checked.note(
            &path,
            format!("ends in a write that was never finished and never acknowledged ({torn})"),
        );
    }
    Ok(())
}

/// `None`: it is gone.
fn look(viewer: &Viewer, number: u64, dir: usize) -> io::Result<Option<Doubts>> {
    let path = viewer.place.segment(dir, number);
    let file = match viewer.disk.open_to_read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let (inode, _) = file.identity()?;
    let doubts = match viewer.index(number) {
        Some(index) if [0, inode].contains(&index.inode()) => published(&file, number, &index)?,
        Some(_) => Doubts {
            index: Some("it was made for another file of that name".into()),
            ..whole(&*file, number)?
        },
        None => whole(&*file, number)?,
    };
    // A segment that was put away while we read may have been written over.
    let is_same = match viewer.disk.open_to_read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        opened => opened?.identity()?.0 == inode,
    };
    Ok(is_same.then_some(doubts))
}

/// A segment that nobody of this boot has touched: all of it stands still.
fn whole(file: &dyn DiskFile, number: u64) -> io::Result<Doubts> {
    let head = segment::read_head(file, number)?;
    let mut scan = segment::scan(file, number, head.cap, HEAD, 0, head.synced())?;
    look_for_loss(&head, &mut scan);
    let mut damage = std::mem::take(&mut scan.damage);
    damage.extend(wrong_totals(&head, &scan));
    Ok(Doubts {
        damage,
        torn: scan.torn,
        index: None,
        batches: scan.entries.iter().filter(|entry| entry.length > 0).count() as u64,
    })
}

/// Totals that speak of the frames that are there and count them wrongly.
fn wrong_totals(head: &Head, scan: &Scan) -> Option<String> {
    let totals = head.totals?;
    let frames = scan.entries.get(..totals.frames as usize)?;
    if frames.iter().any(|entry| entry.length == 0) {
        return None;
    }
    let mut found = Amount::default();
    frames.iter().for_each(|entry| found.add(entry.amount()));
    (found != totals.amount).then(|| {
        format!(
            "its totals say {} events of {} bytes, it holds {} of {}",
            totals.amount.events, totals.amount.bytes, found.events, found.bytes
        )
    })
}

/// A segment with an index: what is published stands still, behind it may be written just now.
fn published(file: &Arc<dyn DiskFile>, number: u64, index: &Index) -> io::Result<Doubts> {
    let is_sealed = index.is_sealed();
    let entries: Vec<Entry> = (0..index.committed()).map(|frame| index.entry(frame)).collect();
    let end = entries.iter().rev().find(|entry| entry.length > 0);
    let end = end.map_or(HEAD, |entry| {
        u64::from(entry.offset) + (HEADER as u64) + u64::from(entry.length)
    });
    let head = segment::read_head(&**file, number)?;
    let prefix = Prefix {
        file: file.clone(),
        end,
    };
    let scan = segment::scan(&prefix, number, index.cap(), HEAD, 0, entries.len() as u32)?;
    let mut doubts = Doubts {
        batches: entries.iter().filter(|entry| entry.length > 0).count() as u64,
        damage: scan.damage,
        ..Doubts::default()
    };
    if !head.whole && !entries.is_empty() {
        doubts.damage.push("its head is damaged".into());
    }
    // The last put may be shown in part by a salvager that died: a scan does not count it, the index does.
    for (frame, entry) in (0..).zip(&entries).skip(scan.entries.len()) {
        if entry.length > 0
            && let Err(error) = segment::read_frame(&**file, number, frame, *entry)
        {
            doubts
                .damage
                .push(format!("frame {frame} at byte {} is lost: {error}", entry.offset));
        }
    }
    let differs = |(one, other): &(&Entry, &Entry)| one.length > 0 && other.length > 0 && one != other;
    if let Some(frame) = scan.entries.iter().zip(&entries).position(|pair| differs(&pair)) {
        doubts.index = Some(format!("says of frame {frame} what is not so"));
    }
    let missing = head
        .totals
        .filter(|_| is_sealed)
        .map(|totals| totals.frames as usize);
    if let Some(frames) = missing.filter(|frames| *frames > entries.len()) {
        let lost = frames - entries.len();
        doubts
            .damage
            .push(format!("the last {lost} of its {frames} frames are lost"));
    }
    Ok(doubts)
}

/// A file that ends where what stands still ends.
struct Prefix {
    file: Arc<dyn DiskFile>,
    end: u64,
}

impl DiskFile for Prefix {
    fn read_at(&self, to: &mut Vec<u8>, most: usize, at: u64) -> io::Result<()> {
        let left = self.end.saturating_sub(at);
        self.file
            .read_at(to, usize::try_from(left).unwrap_or(usize::MAX).min(most), at)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.end)
    }

    fn identity(&self) -> io::Result<(u64, bool)> {
        self.file.identity()
    }

    fn write_at(&self, _: &mut [IoSlice<'_>], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
