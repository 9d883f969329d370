//! What stands around the segments: directories, numbers, logs of acceptances, and leftovers.

use super::{Checked, Mend};
use crate::channel::ChannelError;
use crate::channel::file::accept;
use crate::channel::file::disk::Disk;
use crate::channel::file::index::Index;
use crate::channel::file::place::{MARKER, failed};
use crate::channel::file::viewer::Viewer;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file that is being made is younger.
const BEING_MADE: Duration = Duration::from_secs(60);

/// The directories of a channel that is just being made come soon behind its marker.
const ARE_MADE: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Every directory is there, or will be in a moment where nobody is shut out.
pub fn check_directories(viewer: &Viewer, alone: bool, checked: &mut Checked) {
    let deadline = Instant::now() + ARE_MADE;
    for path in viewer.place.directories() {
        // There is no event for a directory that is made.
        while !path.is_dir() && !alone && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN);
        }
        if !path.is_dir() {
            let what = "is missing; is its disk not mounted?";
            checked.find(&path, Mend::Directory, what);
        }
    }
}

/// All segments; each number once.
pub fn segments(viewer: &Viewer, checked: &mut Checked) -> Result<Vec<(u64, usize)>, ChannelError> {
    let mut all = Vec::new();
    for (dir, path) in viewer.place.data.iter().enumerate() {
        let names = names(viewer, path)?;
        let numbers = names
            .iter()
            .filter_map(|name| name.strip_suffix(".seg")?.parse().ok());
        all.extend(numbers.map(|number: u64| (number, dir)));
        let moved = names_of_quarantine(viewer, dir).len();
        if moved > 0 {
            let aside = viewer.place.quarantine(dir);
            checked.note(&aside, format!("damaged segments that were moved here: {moved}"));
        }
    }
    all.sort_unstable();
    for pair in all.windows(2) {
        if pair[0].0 == pair[1].0 {
            let path = viewer.place.segment(pair[1].1, pair[1].0);
            let other = viewer.place.segment(pair[0].1, pair[0].0);
            let what = format!(
                "{} has the same number; only one of them is read",
                other.display()
            );
            checked.find(&path, Mend::ByHand, what);
        }
    }
    Ok(all)
}

/// The names in a directory; none if it is missing, which was told.
fn names(viewer: &Viewer, path: &Path) -> Result<Vec<String>, ChannelError> {
    match viewer.disk.names(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(|error| failed("list", path, &error)),
    }
}

fn names_of_quarantine(viewer: &Viewer, dir: usize) -> Vec<String> {
    viewer
        .disk
        .names(&viewer.place.quarantine(dir))
        .unwrap_or_default()
}

/// The mark lies above every number in use. It is read after the segments were listed: it only grows.
pub fn check_numbers(
    viewer: &Viewer,
    segments: &[(u64, usize)],
    checked: &mut Checked,
) -> Result<(), ChannelError> {
    let directory = viewer.place.numbers();
    let names = names(viewer, &directory)?;
    let mark: Option<u64> = names.iter().filter_map(|name| name.parse().ok()).max();
    let Some((last, _)) = segments.last() else {
        return Ok(());
    };
    let what = match mark {
        Some(mark) if mark > *last => return Ok(()),
        Some(mark) => format!("its mark {mark} is not above the number of segment {last}"),
        None => format!("it has no mark, and there is segment {last}"),
    };
    checked.find(&directory, Mend::Mark, what);
    Ok(())
}

/// Records of acceptances are whole. The last one may be torn by a crash.
pub fn check_logs(viewer: &Viewer, checked: &mut Checked) -> Result<(), ChannelError> {
    let directory = viewer.place.acceptances();
    for name in names(viewer, &directory)? {
        let path = directory.join(&name);
        if !name.ends_with(".acc") {
            checked.note(&path, "is none of the channel's files");
            continue;
        }
        let count = || accept::damaged_records(&path, &viewer.disk);
        match (count()?, count()?) {
            // Read while it was written, it may look so once.
            (Some(one), Some(other)) if one > 0 && other > 0 => {
                let what = format!("acceptances that cannot be read: {other}; their batches may come twice");
                checked.find(&path, Mend::Log, what);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Files that a dead process left, and others that are not ours.
pub fn check_leftovers(viewer: &Viewer, checked: &mut Checked) {
    let place = &viewer.place;
    let mut own = vec![place.directory.clone(), place.checkpoint.clone()];
    own.extend(place.data.iter().cloned());
    own.push(viewer.table.clone());
    own.dedup();
    for directory in own {
        for name in viewer.disk.names(&directory).unwrap_or_default() {
            let path = directory.join(&name);
            if let Some(maker) = maker_of(&name) {
                let onlooker = viewer.onlooker.as_ref();
                let is_alive = onlooker.is_some_and(|onlooker| onlooker.is_owner_alive(maker));
                if !is_alive && path.exists() {
                    checked.find(&path, Mend::Remove, "was left by a process that died");
                }
            } else if is_hidden_of_ours(&name) {
                if is_abandoned(viewer, &path) {
                    checked.find(&path, Mend::Remove, "was left by a process that died");
                }
            } else if let Some(number) = number_of(&name, ".idx") {
                check_index(viewer, number, &path, checked);
            } else if !is_known(viewer, &path, &name) {
                checked.note(&path, "is none of the channel's files");
            }
        }
    }
}

fn number_of(name: &str, ending: &str) -> Option<u64> {
    name.strip_suffix(ending)?.parse().ok()
}

/// Slot and registration of the putter that makes a segment of a drained one.
fn maker_of(name: &str) -> Option<(usize, u64)> {
    let name = name.strip_prefix('.')?.strip_suffix(".half")?;
    let (slot, rest) = name.split_once('-')?;
    let (registration, _) = rest.split_once('-')?;
    Some((slot.parse().ok()?, registration.parse().ok()?))
}

/// Private files have hidden names that end in a random number.
fn is_hidden_of_ours(name: &str) -> bool {
    let Some(name) = name.strip_prefix('.') else {
        return false;
    };
    let random = name.rsplit('-').next().unwrap_or_default();
    random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Nobody is making it any more.
fn is_abandoned(viewer: &Viewer, path: &Path) -> bool {
    let is_used = viewer
        .onlooker
        .as_ref()
        .is_some_and(|onlooker| !onlooker.all().is_empty());
    let Ok(found) = std::fs::metadata(path) else {
        return false;
    };
    let age = found.modified().map(|modified| modified.elapsed());
    // A clock that was set back tells nothing.
    let is_old = matches!(age, Ok(Ok(age)) if age > BEING_MADE);
    is_old || !is_used
}

fn check_index(viewer: &Viewer, number: u64, path: &Path, checked: &mut Checked) {
    let has_segment = (0..viewer.place.data.len()).any(|dir| viewer.place.segment(dir, number).exists());
    match Index::view(path, number) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => checked.find(
            path,
            Mend::Remove,
            format!("is not the index of its segment: {error}"),
        ),
        Ok(index) if !has_segment => {
            let onlooker = viewer.onlooker.as_ref();
            let is_being_made = onlooker.is_some_and(|onlooker| onlooker.is_owner_alive(index.owner()));
            // Its deleter takes it away next.
            if !is_being_made && path.exists() && is_abandoned(viewer, path) {
                checked.find(path, Mend::Remove, "has no segment any more");
            }
        }
        Ok(_) => {}
    }
}

fn is_known(viewer: &Viewer, path: &Path, name: &str) -> bool {
    let place = &viewer.place;
    let known: Vec<PathBuf> = [
        place.directory.join(MARKER),
        place.checkpoint.clone(),
        place.numbers(),
        place.acceptances(),
        place.ballast(),
        place.checkpoint.join("quarantine"),
        viewer.table.join("control"),
    ]
    .into_iter()
    .chain(place.data.iter().cloned())
    .chain((0..place.data.len()).map(|dir| place.quarantine(dir)))
    .collect();
    known.iter().any(|own| own == path)
        || known.iter().any(|own| own.starts_with(path))
        || number_of(name, ".seg").is_some()
        || number_of(name, ".spare").is_some()
        || name.starts_with("table-")
        // What mkfs makes on a disk of its own, and files that a desktop or NFS hides.
        || name == "lost+found"
        || name.starts_with('.')
}
