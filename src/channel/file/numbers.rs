//! Numbers of segments, none of which is ever used twice: durable marks, and what was used.

use super::disk::Disk;
use super::place::{Place, failed};
use super::rigged::{Bug, planted};
use crate::channel::ChannelError;
use std::io;
use std::path::Path;

/// Numbers that one durable mark sets aside.
pub const BLOCK: u64 = 1024;

/// Make a durable mark: all numbers below it may be used.
pub fn make_mark(place: &Place, disk: &dyn Disk, mark: u64) -> io::Result<()> {
    let directory = place.numbers();
    if planted(Bug::LowerMarksFirst) {
        remove_marks(&directory, disk, mark)?;
    }
    match disk.create(&directory.join(format!("{mark:016}"))) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ if planted(Bug::NumbersNotSynced) => {}
        _ => disk.sync_dir(&directory)?,
    }
    remove_marks(&directory, disk, mark)
}

/// Lower names mean nothing any more; one that stays is harmless.
fn remove_marks(directory: &Path, disk: &dyn Disk, below: u64) -> io::Result<()> {
    for name in disk.names(directory)? {
        if name.parse::<u64>().is_ok_and(|number| number < below) {
            let _ = disk.unlink(&directory.join(name));
        }
    }
    Ok(())
}

/// 0 if there is none.
fn highest_mark(place: &Place, disk: &dyn Disk) -> Result<u64, ChannelError> {
    let directory = place.numbers();
    let names = disk
        .names(&directory)
        .map_err(|error| failed("list", &directory, &error))?;
    let marks = names.iter().filter_map(|name| name.parse().ok());
    Ok(marks
        .max()
        .filter(|_| !planted(Bug::NumbersOfTheDrainedReused))
        .unwrap_or(0))
}

/// The first number that no life of the channel can have used.
pub fn next_number(place: &Place, disk: &dyn Disk) -> Result<u64, ChannelError> {
    let mut next = highest_mark(place, disk)?.max(1);
    for dir in 0..place.data.len() {
        let names = disk.names(&place.quarantine(dir)).unwrap_or_default();
        let moved = names
            .iter()
            .filter_map(|name| name.split('.').next()?.parse::<u64>().ok());
        next = moved.fold(next, |next, number| next.max(number + 1));
    }
    let segments = place.segments(disk)?;
    Ok(segments
        .iter()
        .fold(next, |next, (number, _)| next.max(number + 1)))
}

/// The numbers that were used, as far as names tell. A help for a table that was put back by hand, not a
/// promise: so it is looked at without the disk that can fail, and what cannot be listed says nothing.
pub struct Used {
    /// The highest durable mark.
    pub mark: u64,
    /// The highest segment that is there.
    pub segment: u64,
}

impl Used {
    pub fn look(place: &Place) -> Used {
        let highest = |directory: &Path, suffix: &str| {
            let names = names_in(directory).into_iter();
            let numbers = names.filter_map(|name| name.strip_suffix(suffix)?.parse().ok());
            numbers.max().unwrap_or(0)
        };
        Used {
            mark: highest(&place.numbers(), ""),
            segment: place
                .data
                .iter()
                .map(|data| highest(data, ".seg"))
                .max()
                .unwrap_or(0),
        }
    }
}

/// The names in a directory, none if it cannot be listed.
pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
