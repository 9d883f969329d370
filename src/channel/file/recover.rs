//! Making an index where none is, finding what a dead putter left, and putting finished segments away.
//!
//! Nothing here needs a lock or a leader. An index is linked under its name and the first one wins; what
//! salvagers store is a function of a file that does not change any more, so they may all store it.

use super::Sync;
use super::core::Core;
use super::disk::DiskFile;
use super::index::{ACCEPTED, Amount, Index, Maker};
use super::place::failed;
use super::rigged::{Bug, planted};
use super::segment::{self, Head, Scan};
use super::spare;
use crate::channel::ChannelError;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

/// A segment with its index.
pub struct Opened {
    pub index: Arc<Index>,
    pub file: Arc<dyn DiskFile>,
    created: OnceLock<u64>,
}

impl Opened {
    fn new(index: Index, file: Arc<dyn DiskFile>) -> Opened {
        Opened {
            index: Arc::new(index),
            file,
            created: OnceLock::new(),
        }
    }

    /// When the segment was made, in milliseconds since 1970; 0 if that is not known.
    pub fn created(&self, number: u64) -> u64 {
        let read = || segment::read_head(&*self.file, number).map_or(0, |head| head.created);
        *self.created.get_or_init(read)
    }
}

/// Open a segment, making its index if there is none; `None` if it is gone.
pub fn open(core: &Core, dir: usize, number: u64) -> Result<Option<Opened>, ChannelError> {
    let path = core.place.segment(dir, number);
    let file = match core.disk.open_to_read(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            remove_orphan(core, dir, number);
            return Ok(None);
        }
        Err(error) => return Err(failed("open", &path, &error)),
    };
    let told = |error: io::Error| failed("recover", &path, &error);
    for _ in 0..3 {
        if let Some(index) = existing(core, &*file, number).map_err(told)? {
            return Ok(Some(Opened::new(index, file)));
        }
        let scan = match build(core, &*file, number) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && make_room(core) => continue,
            other => other.map_err(told)?,
        };
        // Put away just before: what we made would give it out once more.
        if !is_there(core, &path, &*file).map_err(told)? {
            let _ = std::fs::remove_file(core.table.index_path(number));
            return Ok(None);
        }
        if let Some(scan) = scan {
            tell(core, dir, number, &scan);
        }
        core.table.segments_changed().fetch_add(1, Ordering::SeqCst);
    }
    Err(ChannelError::Failed(format!(
        "the index of {} does not stay; is something removing files from {}?",
        path.display(),
        core.place.checkpoint.display()
    )))
}

/// A full disk has room again.
fn make_room(core: &Core) -> bool {
    spare::give_up(core) || core.drop_ballast()
}

/// The path still leads to this file. A name that is left never comes back, so it is the segment that it was.
pub fn is_there(core: &Core, path: &Path, file: &dyn DiskFile) -> io::Result<bool> {
    match core.disk.open_to_read(path) {
        Ok(now) => Ok(now.identity()?.0 == file.identity()?.0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The index that is there, if it is one of this very file.
fn existing(core: &Core, file: &dyn DiskFile, number: u64) -> io::Result<Option<Index>> {
    let path = core.table.index_path(number);
    let why = match Index::open(&path, number) {
        Ok(index) => {
            let inode = file.identity()?.0;
            let is_other = index.inode() != 0 && index.inode() != inode;
            // Who came to others has what they go by; they looked when they came.
            let is_sound = !core.table.was_alone() || index.is_sound();
            match (is_other, is_sound) {
                (false, true) => return Ok(Some(index)),
                (true, _) => "the segment is another file than when its index was made".to_string(),
                (false, false) => "its frames do not lie one behind the other".to_string(),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => error.to_string(),
        Err(error) => return Err(error),
    };
    (core.report)(&format!("{}: {why}; it is made anew", path.display()));
    let _ = std::fs::remove_file(&path);
    Ok(None)
}

/// An index whose segment is gone: its deleter died in between, or its putter is just making the segment.
fn remove_orphan(core: &Core, dir: usize, number: u64) {
    let path = core.table.index_path(number);
    let is_dead = Index::open(&path, number).is_ok_and(|index| !core.is_writer_alive(&index));
    // Looked at once more: the putter may have made the segment before it died.
    let is_missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    let segment = core.place.segment(dir, number);
    if is_dead && core.disk.open_to_read(&segment).err().is_some_and(is_missing) {
        let _ = std::fs::remove_file(&path);
    }
}

/// Remove the indexes of putters that died before they made the segment, and those of segments whose deleter
/// died in between.
pub fn remove_leftovers(core: &Core) {
    let mut numbers = core.table.indexes();
    numbers.retain(|number| {
        let segment = core.place.segment(core.place.dir_of(*number), *number);
        !segment.exists() && is_leftover(core, *number)
    });
    for number in numbers {
        remove_orphan(core, core.place.dir_of(number), number);
    }
}

fn is_leftover(core: &Core, number: u64) -> bool {
    let index = Index::open(&core.table.index_path(number), number);
    index.is_ok_and(|index| index.inode() == 0 || index.is_drained())
}

/// Make an index from the segment and the logs of acceptances; what was found, unless somebody else made it.
fn build(core: &Core, file: &dyn DiskFile, number: u64) -> io::Result<Option<Scan>> {
    let head = segment::read_head(file, number)?;
    let mut scan = segment::scan(file, number, head.cap, segment::HEAD, 0, head.synced())?;
    look_for_loss(&head, &mut scan);
    let hidden = core.table.private_path();
    let maker = Maker {
        number,
        cap: head.cap,
        owner: (0, 0),
    };
    let made = Index::create(&hidden, &maker).and_then(|index| {
        fill(core, &index, number, &scan);
        index.set_inode(file.identity()?.0);
        if !scan.damage.is_empty() {
            index.set_damaged();
        }
        index.seal();
        std::fs::hard_link(&hidden, core.table.index_path(number))
    });
    let _ = std::fs::remove_file(&hidden);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        other => other.map(|()| Some(scan)),
    }
}

/// What a scan cannot see by itself: a head that is no head, and frames that are missing at the end.
pub fn look_for_loss(head: &Head, scan: &mut Scan) {
    let is_unfinished = scan.entries.is_empty() && head.totals.is_none();
    if !head.whole && !is_unfinished {
        scan.damage.push("its head is damaged".into());
    }
    let found = scan.entries.len() as u32;
    if let Some(totals) = head.totals.filter(|totals| totals.synced > found) {
        let why = scan.torn.take().unwrap_or_else(|| "zeros".into());
        scan.damage.push(format!(
            "the last {} of its {} frames are lost: {why}",
            totals.frames - found,
            totals.frames
        ));
    }
    if head.recycled {
        scan.torn = None;
    }
}

fn fill(core: &Core, index: &Index, number: u64, scan: &Scan) {
    let mut sum = Amount::default();
    let mut out = Amount::default();
    let ranges = core.accepted.get(&number);
    for (frame, entry) in scan.entries.iter().enumerate() {
        let frame = frame as u32;
        let amount = Amount {
            events: entry.events.into(),
            bytes: entry.raw.into(),
        };
        sum.add(amount);
        index.set_entry(frame, *entry);
        let has = |(from, to): &(u32, u32)| (*from..*to).contains(&frame);
        if entry.length == 0 || ranges.is_some_and(|ranges| ranges.iter().any(has)) {
            index.claim(frame).store(ACCEPTED, Ordering::SeqCst);
            out.add(amount);
        }
    }
    index.add_out(out);
    index.commit(scan.entries.len() as u32, sum);
}

fn tell(core: &Core, dir: usize, number: u64, scan: &Scan) {
    let path = core.place.segment(dir, number);
    for damage in &scan.damage {
        (core.report)(&format!(
            "{} is damaged: {damage}; it goes to {} when its good frames are taken",
            path.display(),
            core.place.quarantine(dir).display()
        ));
    }
    if let Some(torn) = &scan.torn {
        (core.report)(&format!(
            "{} ends in a write that was never finished ({torn})",
            path.display()
        ));
    }
}

/// Show the whole frames that a dead putter wrote and did not publish, and seal its segment. It may have
/// died before its sync, so they are synced first: what was given out must not come to half of a put by a
/// power cut. If that fails they are left out, since nobody was promised anything.
pub fn salvage(core: &Core, number: u64, opened: &Opened) -> io::Result<()> {
    let index = &opened.index;
    let start = index.committed();
    let mut scan = segment::scan(&*opened.file, number, index.cap(), index.end(), start, 0)?;
    let is_synced = core.config.sync == Sync::Never || planted(Bug::SalvagedNotSynced);
    if !is_synced && !scan.entries.is_empty() && opened.file.sync().is_err() {
        scan.entries.clear();
    }
    let mut sum = Amount::default();
    for frame in 0..start {
        let entry = index.entry(frame);
        sum.add(Amount {
            events: entry.events.into(),
            bytes: entry.raw.into(),
        });
    }
    // Beyond the published frames nothing was acknowledged: what is behind a gap does not count.
    let whole = scan.entries.iter().take_while(|entry| entry.length > 0);
    for (frame, entry) in (start..).zip(whole) {
        sum.add(Amount {
            events: entry.events.into(),
            bytes: entry.raw.into(),
        });
        index.set_entry(frame, *entry);
        index.salvage_one(frame);
    }
    index.set_amount_in(sum);
    index.seal();
    Ok(())
}

/// Put a drained segment away: a sound one is deleted, a damaged one goes to the quarantine. The segment
/// goes first and its index second, or else somebody would make the index anew with everything waiting.
/// False if the segment is still there.
pub fn dispose(core: &Core, dir: usize, number: u64, index: &Index) -> bool {
    let path = core.place.segment(dir, number);
    if planted(Bug::IndexDeletedFirst) {
        let _ = std::fs::remove_file(core.table.index_path(number));
    }
    let gone = match index.is_damaged() {
        false => match spare::keep(core, dir, number) {
            Ok(true) => Ok(()),
            Ok(false) => core.disk.unlink(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            Err(_) => core.disk.unlink(&path),
        },
        true => quarantine(core, dir, number),
    };
    match gone {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            (core.report)(&failed("put away", &path, &error).to_string());
            planted(Bug::FailedRemovalForgotten)
        }
        _ => {
            let _ = std::fs::remove_file(core.table.index_path(number));
            true
        }
    }
}

fn quarantine(core: &Core, dir: usize, number: u64) -> io::Result<()> {
    let path = core.place.segment(dir, number);
    let aside = core.place.quarantine(dir);
    core.disk.make_dir(&aside)?;
    let name = path.file_name().unwrap_or_default();
    core.disk.rename(&path, &aside.join(name))?;
    core.disk.sync_dir(&aside)?;
    core.disk.sync_dir(&core.place.data[dir])?;
    (core.report)(&format!(
        "moved {} to {}; what was good in it has been taken",
        path.display(),
        aside.display()
    ));
    Ok(())
}
