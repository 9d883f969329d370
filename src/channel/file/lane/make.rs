//! The two files of a new segment.

use super::super::core::Core;
use super::super::disk::DiskFile;
use super::super::index::{Index, Maker};
use super::super::place::failed;
use super::super::rigged::{Bug, planted};
use super::super::segment;
use super::super::spare::Spare;
use super::{FIRST_STEP, check_free};
use crate::channel::ChannelError;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

/// The index of a segment and the segment, of a spare if there is one. After a failure none of them is there.
pub(super) fn make_both(
    core: &Core,
    number: u64,
    cap: u32,
    head: &[u8],
    spare: Option<Spare>,
) -> Result<(Index, Arc<dyn DiskFile>), ChannelError> {
    let dir = core.place.dir_of(number);
    let (path, index_path) = (core.place.segment(dir, number), core.table.index_path(number));
    let make_index = || {
        let made = make_index(core, number, cap, &index_path);
        made.map_err(|error| failed("make the index", &index_path, &error))
    };
    let make_file = |spare: Option<Spare>| match spare {
        Some(spare) => spare.become_segment(core, dir, &path, head),
        None => check_free(core, &path, FIRST_STEP).and_then(|()| make_file(core, dir, &path, head)),
    };
    if planted(Bug::SegmentBeforeIndex) {
        let file = make_file(spare)?;
        return Ok((make_index()?, file));
    }
    let index = match make_index() {
        Ok(index) => index,
        Err(error) => {
            spare.inspect(|spare| spare.discard(core));
            return Err(error);
        }
    };
    let file = make_file(spare).inspect_err(|_| {
        let _ = std::fs::remove_file(&index_path);
    })?;
    Ok((index, file))
}

fn make_index(core: &Core, number: u64, cap: u32, path: &Path) -> io::Result<Index> {
    let hidden = core.table.private_path();
    let maker = Maker {
        number,
        cap,
        owner: core.table.me(),
    };
    let made =
        Index::create(&hidden, &maker).and_then(|index| std::fs::hard_link(&hidden, path).map(|()| index));
    let _ = std::fs::remove_file(&hidden);
    made
}

fn make_file(core: &Core, dir: usize, path: &Path, head: &[u8]) -> Result<Arc<dyn DiskFile>, ChannelError> {
    let told = |error: io::Error| failed("make", path, &error);
    let file = core.disk.create(path).map_err(told)?;
    let ready = file
        .reserve(0, segment::HEAD)
        .and_then(|()| file.write_at(&mut [IoSlice::new(head)], 0))
        .and_then(|()| file.sync())
        .and_then(|()| match planted(Bug::SegmentNameNotSynced) {
            false => core.disk.sync_dir(&core.place.data[dir]),
            true => Ok(()),
        });
    match ready {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = core.disk.unlink(path);
            Err(told(error))
        }
    }
}
