//! Drained segments that are written over instead of made anew.
//!
//! A sync of blocks that were written before has nothing to tell the file system's journal: with `--sync
//! always` it takes half to two thirds of the time of an append. So putters that sync each time say in the
//! table how many drained segments they would like to find, whoever puts a drained one away leaves it as
//! `NUMBER.spare`, and the next segment is made of it:
//!
//! 1. rename to a private name: one putter gets it, others find it gone;
//! 2. sync the directory: from here on no power cut brings back the earlier name over another content;
//! 3. write the new head, sync: frames of the earlier number do not pass for frames of this one, since each
//!    header is salted with the number and names it;
//! 4. rename to the new number's name, sync the directory. Only then is anything put into it.
//!
//! A death in between leaves a private file, which the next who attaches removes. All names are in one
//! directory, so that one sync covers the old one and the new one.

use super::core::Core;
use super::disk::DiskFile;
use super::place::{failed, random};
use super::rigged::{Bug, planted};
use crate::channel::ChannelError;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Spares that a putter would like to find: one to write, one to come while that is taken from.
pub const WANTED: u64 = 2;
/// A smaller file is not worth its renames.
const LEAST_BYTES: u64 = 1 << 20;

const SPARE: &str = ".spare";
const HALF: &str = ".half";

/// Put a drained segment away as a spare; false if nobody wants it, and it is still there.
pub fn keep(core: &Core, dir: usize, number: u64) -> io::Result<bool> {
    let wanted = core.table.spares_wanted();
    if wanted == 0 {
        return Ok(false);
    }
    let path = core.place.segment(dir, number);
    let data = &core.place.data[dir];
    let names = core.disk.names(data)?;
    let have = names.iter().filter(|name| name.ends_with(SPARE)).count() as u64;
    let least = LEAST_BYTES.min(core.config.segment_bytes / 2);
    if have >= wanted || core.disk.open_to_read(&path)?.length()? < least {
        return Ok(false);
    }
    core.disk
        .rename(&path, &data.join(format!("{number:016}{SPARE}")))?;
    Ok(true)
}

/// A spare that is ours, under a private name.
pub struct Spare {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    bytes: u64,
}

/// Get a spare of a data directory, if there is one. From here on its earlier name cannot come back.
pub fn take(core: &Core, dir: usize) -> Option<Spare> {
    let data = &core.place.data[dir];
    let names = core.disk.names(data).ok()?;
    let (slot, registration) = core.table.me();
    let path = data.join(format!(".{slot}-{registration}-{:016x}{HALF}", random()));
    let got = names
        .iter()
        .filter(|name| name.ends_with(SPARE))
        .any(|name| core.disk.rename(&data.join(name), &path).is_ok());
    if !got {
        return None;
    }
    // What does not work here does not work for a new file either, which then says so.
    match opened(core, data, &path) {
        Ok((file, bytes)) => Some(Spare { path, file, bytes }),
        Err(_) => {
            let _ = core.disk.unlink(&path);
            None
        }
    }
}

fn opened(core: &Core, data: &Path, path: &Path) -> io::Result<(Arc<dyn DiskFile>, u64)> {
    if !planted(Bug::SpareNotSynced) {
        core.disk.sync_dir(data)?;
    }
    let file = core.disk.open_to_write(path)?;
    let most = core.config.segment_bytes;
    if file.length()? > most {
        file.truncate(most)?;
    }
    let bytes = file.length()?;
    Ok((file, bytes))
}

impl Spare {
    /// Bytes that can be written over.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Remove it: there will be no segment.
    pub fn discard(&self, core: &Core) {
        let _ = core.disk.unlink(&self.path);
    }

    /// Make it a segment with this head. After a failure neither is there.
    pub fn become_segment(
        self,
        core: &Core,
        dir: usize,
        path: &Path,
        head: &[u8],
    ) -> Result<Arc<dyn DiskFile>, ChannelError> {
        let file = &self.file;
        let made = file
            .write_at(&mut [IoSlice::new(head)], 0)
            .and_then(|()| file.sync())
            .and_then(|()| core.disk.rename(&self.path, path))
            .and_then(|()| match planted(Bug::RecycledNameNotSynced) {
                false => core.disk.sync_dir(&core.place.data[dir]),
                true => Ok(()),
            });
        match made {
            Ok(()) => Ok(self.file),
            Err(error) => {
                let _ = core.disk.unlink(&self.path);
                let _ = core.disk.unlink(path);
                Err(failed("make", path, &error))
            }
        }
    }
}

/// Remove what dead putters have begun, and the spares if nobody wants any. False if there were none.
pub fn clear(core: &Core) -> bool {
    let unwanted = core.table.spares_wanted() == 0;
    remove(core, |name| match name.strip_suffix(HALF) {
        Some(maker) => !is_alive(core, maker),
        None => unwanted && name.ends_with(SPARE),
    })
}

/// Remove the spares: their room is needed. False if there were none.
pub fn give_up(core: &Core) -> bool {
    remove(core, |name| name.ends_with(SPARE))
}

fn remove(core: &Core, is_meant: impl Fn(&str) -> bool) -> bool {
    let mut removed = false;
    for data in &core.place.data {
        let names = core.disk.names(data).unwrap_or_default();
        for name in names.iter().filter(|name| is_meant(name)) {
            removed |= core.disk.unlink(&data.join(name)).is_ok();
        }
    }
    removed
}

/// The process with this slot and registration, which stand in the name of its private file.
fn is_alive(core: &Core, maker: &str) -> bool {
    let mut parts = maker.trim_start_matches('.').split('-');
    let mut next = || parts.next()?.parse::<u64>().ok();
    match (next(), next()) {
        (Some(slot), Some(registration)) => core.table.is_owner_alive((slot as usize, registration)),
        _ => false,
    }
}
