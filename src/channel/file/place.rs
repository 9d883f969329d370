//! Where a channel lives: its directories, the marker that says whose they are, and the checks before
//! anything is touched.
//!
//! The marker is the first file that is made, under a hidden name and then linked, so that a directory
//! without one is either empty or somebody else's.

use super::Config;
use super::disk::{Disk, RealDisk};
use super::rigged::{self, Bug, planted};
use crate::channel::ChannelError;
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Version of everything on the disk.
pub const VERSION: u32 = 1;
/// Name of the marker file.
pub const MARKER: &str = "flume-channel";
/// What its `format` member says.
const FORMAT: &str = "flume file channel";
/// Bytes of a marker that are read: more are none.
const LONGEST_MARKER: usize = 1 << 20;

/// File systems that do not keep what we need (locks, shared mappings, syncs), by their magic numbers.
const FOREIGN: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0x6573_5546, "FUSE"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x7461_636f, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x0bd0_0bd0, "Lustre"),
];

#[derive(Serialize, Deserialize)]
struct Marker {
    format: String,
    version: u32,
    /// A random name; origins count in it.
    #[serde(default)]
    id: String,
    #[serde(default)]
    checkpoint: PathBuf,
    #[serde(default)]
    data: Vec<PathBuf>,
}

/// The directories of one channel.
#[derive(Debug, Clone)]
pub struct Place {
    /// The channel's directory.
    pub directory: PathBuf,
    /// Its name, for origins.
    pub id: String,
    /// Acceptances, numbers, tables.
    pub checkpoint: PathBuf,
    /// Segments.
    pub data: Vec<PathBuf>,
}

impl Place {
    /// Where the durable mark of segment numbers is, as a name.
    pub fn numbers(&self) -> PathBuf {
        self.checkpoint.join("hi")
    }

    /// Where the logs of acceptances are.
    pub fn acceptances(&self) -> PathBuf {
        self.checkpoint.join("acc")
    }

    /// What is given up so that takers can work on a full disk.
    pub fn ballast(&self) -> PathBuf {
        self.checkpoint.join("ballast")
    }

    /// The file of a segment in the data directory `dir`.
    pub fn segment(&self, dir: usize, number: u64) -> PathBuf {
        self.data[dir].join(format!("{number:016}.seg"))
    }

    /// The data directory of a new segment.
    pub fn dir_of(&self, number: u64) -> usize {
        (number % self.data.len() as u64) as usize
    }

    /// Where damaged segments of a data directory go: on the same file system, so that a rename does it.
    pub fn quarantine(&self, dir: usize) -> PathBuf {
        self.data[dir].join("quarantine")
    }

    /// All segments: number and data directory, in order.
    pub fn segments(&self, disk: &dyn Disk) -> Result<Vec<(u64, usize)>, ChannelError> {
        let mut all = Vec::new();
        for (dir, path) in self.data.iter().enumerate() {
            let names = disk.names(path).map_err(|error| failed("list", path, &error))?;
            let numbers = names
                .iter()
                .filter_map(|name| name.strip_suffix(".seg")?.parse().ok());
            all.extend(numbers.map(|number: u64| (number, dir)));
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The channel in a directory, which must be one already.
    pub fn find(directory: &Path) -> Result<Place, ChannelError> {
        let marker = read_marker(directory, &RealDisk)?.ok_or_else(|| not_a_channel(directory))?;
        Ok(Place::of(directory, marker))
    }

    fn of(directory: &Path, marker: Marker) -> Place {
        let data = marker.data.iter().map(|path| directory.join(path)).collect();
        Place {
            directory: directory.to_path_buf(),
            id: marker.id,
            checkpoint: directory.join(marker.checkpoint),
            data,
        }
    }

    /// The channel of a configuration; made if it is missing and may be made.
    pub fn open(config: &Config, disk: &dyn Disk) -> Result<Place, ChannelError> {
        let directory = &config.directory;
        // First of all: what somebody else owns may not even be looked into.
        check_owner(directory)?;
        check_exists(directory, config.create)?;
        let wanted = marker_of(config);
        let others = wanted.data.iter().chain([&wanted.checkpoint]);
        for path in [directory.clone()]
            .into_iter()
            .chain(others.map(|path| directory.join(path)))
        {
            check_file_system(&path)?;
            check_owner(&path)?;
        }
        let marker = match read_marker(directory, disk)? {
            Some(marker) => marker,
            None => match check_empty(directory, disk) {
                // What is there now may be a channel that somebody else has made since we looked.
                Err(error) => read_marker(directory, disk)?.ok_or(error)?,
                Ok(()) if !config.create => return Err(not_a_channel(directory)),
                Ok(()) => write_marker(directory, wanted, disk)?,
            },
        };
        let wanted = marker_of(config);
        if marker.data != wanted.data || marker.checkpoint != wanted.checkpoint {
            return Err(other_directories(directory, &marker, &wanted));
        }
        let place = Place::of(directory, marker);
        place.make_dirs(disk)?;
        Ok(place)
    }

    /// The directories that it must have.
    pub fn directories(&self) -> Vec<PathBuf> {
        let inner = [self.numbers(), self.acceptances()];
        self.data.iter().cloned().chain(inner).collect()
    }

    fn make_dirs(&self, disk: &dyn Disk) -> Result<(), ChannelError> {
        // Whoever made the marker may not have come to this. Without a marker the others would be in the way.
        if !planted(Bug::DirectoriesNotSynced) {
            disk.sync_dir(&self.directory)
                .map_err(|error| failed("sync", &self.directory, &error))?;
        }
        for path in self.directories() {
            disk.make_dir(&path)
                .map_err(|error| failed("make directory", &path, &error))?;
        }
        if planted(Bug::DirectoriesNotSynced) {
            return Ok(());
        }
        for path in self.data.iter().chain([&self.checkpoint]) {
            sync_above(path, &self.directory, disk)?;
        }
        disk.sync_dir(&self.checkpoint)
            .map_err(|error| failed("sync", &self.checkpoint, &error))
    }
}

/// Make durable that a directory is there: sync those above it, up to the channel's own or else all of them,
/// since whoever made them may have died before it could. Those that may not be read are not ours.
fn sync_above(path: &Path, upto: &Path, disk: &dyn Disk) -> Result<(), ChannelError> {
    for above in path.ancestors().skip(1) {
        let above = match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        };
        match disk.sync_dir(above) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                return Err(failed("sync", above, &error));
            }
            _ if above == upto => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

fn marker_of(config: &Config) -> Marker {
    let data = match config.data_dirs.is_empty() {
        true => vec![PathBuf::from("data")],
        false => config.data_dirs.clone(),
    };
    let within = |path: PathBuf| match path.strip_prefix(&config.directory) {
        Ok(inner) => inner.to_path_buf(),
        Err(_) => std::path::absolute(&path).unwrap_or(path),
    };
    let checkpoint = config.checkpoint_dir.clone();
    let checkpoint = checkpoint.unwrap_or_else(|| config.directory.join("checkpoint"));
    Marker {
        format: FORMAT.into(),
        version: VERSION,
        id: format!("{:016x}{:016x}", random(), random()),
        checkpoint: within(checkpoint),
        data: match config.data_dirs.is_empty() {
            true => data,
            false => data.into_iter().map(within).collect(),
        },
    }
}

/// A number that no other process has.
pub fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    if let Some(number) = rigged::random() {
        return number;
    }
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(super::shm::now_ns());
    hasher.write_u32(std::process::id());
    hasher.finish()
}

/// A sentence for what the system did not do.
pub fn failed(what: &str, path: &Path, error: &io::Error) -> ChannelError {
    ChannelError::Failed(format!("cannot {what} {}: {error}", path.display()))
}

pub fn unusable(why: String) -> ChannelError {
    ChannelError::Unusable(why)
}

fn not_a_channel(directory: &Path) -> ChannelError {
    let directory = directory.display();
    unusable(format!(
        "{directory} is not a file channel: it has no file \"{MARKER}\""
    ))
}

fn check_exists(directory: &Path, create: bool) -> Result<(), ChannelError> {
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(unusable(format!(
            "{} is not a directory; a file channel is one",
            directory.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(unusable(format!("{} does not exist", directory.display())))
        }
        Err(error) => Err(unusable(format!(
            "cannot look at {}: {error}",
            directory.display()
        ))),
    }
}

/// The path or the nearest one above it that exists.
fn existing(path: &Path) -> &Path {
    let mut path = path;
    while !path.exists() {
        path = match path.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
    }
    path
}

fn check_file_system(path: &Path) -> Result<(), ChannelError> {
    let found = rustix::fs::statfs(existing(path))
        .map_err(|error| unusable(format!("cannot look at {}: {error}", path.display())))?;
    refuse_magic(path, found.f_type as u32)
}

fn refuse_magic(path: &Path, magic: u32) -> Result<(), ChannelError> {
    match FOREIGN.iter().find(|(known, _)| *known == magic) {
        None => Ok(()),
        Some((_, name)) => Err(unusable(format!(
            "{} is on {name}, which does not keep the locks and syncs that a file channel promises by; \
             use a directory on a local disk",
            path.display()
        ))),
    }
}

/// Only its owner uses a channel: what another made would be out of the owner's reach.
pub(super) fn check_owner(path: &Path) -> Result<(), ChannelError> {
    let Ok(found) = std::fs::metadata(path) else {
        return Ok(());
    };
    let me = rustix::process::geteuid().as_raw();
    refuse_owner(path, found.uid(), me)
}

fn refuse_owner(path: &Path, owner: u32, me: u32) -> Result<(), ChannelError> {
    if me == 0 || owner == me {
        return Ok(());
    }
    Err(unusable(format!(
        "{} belongs to user {owner}, this process runs as user {me}; run it as user {owner}",
        path.display()
    )))
}

/// Nothing but hidden names may be where a channel is made.
fn check_empty(directory: &Path, disk: &dyn Disk) -> Result<(), ChannelError> {
    let names = match disk.names(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(unusable(format!("cannot list {}: {error}", directory.display())));
        }
    };
    match names.into_iter().find(|name| !name.starts_with('.')) {
        None => Ok(()),
        Some(name) => Err(unusable(format!(
            "{} is not a file channel and holds other files (\"{name}\"); give an empty or a new directory",
            directory.display()
        ))),
    }
}

fn read_marker(directory: &Path, disk: &dyn Disk) -> Result<Option<Marker>, ChannelError> {
    let path = directory.join(MARKER);
    let mut text = Vec::new();
    let read = disk
        .open_to_read(&path)
        .and_then(|file| file.read_at(&mut text, LONGEST_MARKER, 0));
    match read {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(format!("cannot read {}: {error}", path.display()))),
    }
    parse_marker(&path, &text).map(Some)
}

fn parse_marker(path: &Path, text: &[u8]) -> Result<Marker, ChannelError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: String,
        version: u64,
    }
    let bad = |why: &str| unusable(format!("{} {why}", path.display()));
    let said: Versioned = serde_json::from_slice(text)
        .map_err(|error| bad(&format!("is not the marker of a file channel: {error}")))?;
    if said.format != FORMAT {
        return Err(bad(&format!(
            "marks a \"{}\", expected \"{FORMAT}\"",
            said.format
        )));
    }
    if said.version != u64::from(VERSION) {
        return Err(bad(&format!(
            "says format version {}, this program knows version {VERSION}; nothing was touched",
            said.version
        )));
    }
    serde_json::from_slice(text).map_err(|error| bad(&format!("is not understood: {error}")))
}

fn write_marker(directory: &Path, marker: Marker, disk: &dyn Disk) -> Result<Marker, ChannelError> {
    disk.make_dir(directory)
        .map_err(|error| failed("make directory", directory, &error))?;
    if !planted(Bug::DirectoriesNotSynced) && !planted(Bug::AboveNotSynced) {
        // Before there is a marker: whoever finds one need not look above.
        sync_above(directory, Path::new("/"), disk)?;
    }
    let path = directory.join(MARKER);
    let hidden = directory.join(format!(".{MARKER}-{:016x}", random()));
    let text = serde_json::to_vec_pretty(&marker).unwrap_or_default();
    let made = (|| {
        let file = disk.create(&hidden)?;
        file.write_at(&mut [IoSlice::new(&text)], 0)?;
        if !planted(Bug::MarkerNotSynced) {
            file.sync()?;
        }
        match disk.link(&hidden, &path) {
            // Somebody else was first; theirs counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    })();
    let _ = disk.unlink(&hidden);
    if planted(Bug::DirectoriesNotSynced) {
        return Ok(marker);
    }
    made.and_then(|()| disk.sync_dir(directory))
        .map_err(|error| failed("write", &path, &error))?;
    Ok(read_marker(directory, disk)?.unwrap_or(marker))
}

fn other_directories(directory: &Path, found: &Marker, wanted: &Marker) -> ChannelError {
    let all = |marker: &Marker| {
        let data: Vec<_> = marker
            .data
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!(
            "checkpoint {} and data {}",
            marker.checkpoint.display(),
            data.join(", ")
        )
    };
    unusable(format!(
        "{} was made with {}, now it is opened with {}; give the same directories",
        directory.display(),
        all(found),
        all(wanted)
    ))
}

/// Is this directory a file channel of ours, of any version?
pub fn looks_like_channel(directory: &Path) -> bool {
    let text = std::fs::read(directory.join(MARKER)).unwrap_or_default();
    let parsed: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    parsed["format"] == FORMAT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_file_systems_and_owners_are_refused_by_name() {
        let path = Path::new("/somewhere");
        let said = |result: Result<(), ChannelError>| result.unwrap_err().to_string();
        assert!(said(refuse_magic(path, 0x6969)).contains("/somewhere is on NFS"));
        assert!(said(refuse_magic(path, 0x6573_5546)).contains("FUSE"));
        assert!(refuse_magic(path, 0xef53).is_ok());
        assert!(said(refuse_owner(path, 7, 8)).contains("belongs to user 7"));
        assert!(refuse_owner(path, 7, 0).is_ok() && refuse_owner(path, 7, 7).is_ok());
    }

    #[test]
    fn marker_of_another_version_says_both() {
        let text = br#"{"format": "flume file channel", "version": 2, "what": 1}"#;
        let error = parse_marker(Path::new("m"), text).err().unwrap().to_string();
        assert!(
            error.contains("version 2") && error.contains("version 1"),
            "{error}"
        );
    }
}
