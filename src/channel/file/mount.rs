//! Whether a table that is found was made on the mount that is seen now, and whether it is still there.
//!
//! Boot, device and inode may all be as before though the disk was detached meanwhile and another state of
//! it attached: a copy of an image, a snapshot that was rolled back. What the table says then is of another
//! time than the segments.

use super::place::Place;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `STATX_MNT_ID_UNIQUE`: an id that no other mount of this boot ever gets (since Linux 6.8). An older system
/// gives one that may come again after an unmount.
const UNIQUE: u32 = 0x4000;

/// Start and factor of an FNV sum.
const START: u64 = 0xcbf2_9ce4_8422_2325;
const FACTOR: u64 = 0x0000_0100_0000_01b3;

/// A number for the mounts on which the directories of a channel are and for its control file itself, which
/// is another file when a copy was put in its place. Never 0.
pub fn stamp(place: &Place, control: &File) -> io::Result<u64> {
    let paths = [&place.directory, &place.checkpoint]
        .into_iter()
        .chain(&place.data);
    let words = paths.map(|path| mount_id(path));
    let add = |sum: u64, word: u64| (sum ^ word).wrapping_mul(FACTOR);
    Ok(words.fold(add(START, control.metadata()?.ino()), add).max(1))
}

/// 0 where the system does not tell.
fn mount_id(path: &Path) -> u64 {
    let wanted = StatxFlags::from_bits_retain(UNIQUE) | StatxFlags::MNT_ID;
    match statx(CWD, path, AtFlags::empty(), wanted) {
        Ok(found) if found.stx_mask & wanted.bits() != 0 => found.stx_mnt_id,
        _ => 0,
    }
}

/// The path leads to this very file.
pub fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let mine = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (mine.dev(), mine.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
