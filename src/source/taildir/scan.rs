//! Directories: which files there are, which of them are new, and what has become of those that are there no more.

use super::groups::Group;
use super::identity::Identity;
use super::tail::Tail;
use super::tracked::seen;
use crate::exit::StageError;
use crate::say;
use crate::stage::ChannelProcessor;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A directory that was changed less than so long before it was listed may have changed again at the same time of its
/// clock.
const COARSE: Duration = Duration::from_secs(2);

/// A directory with files of one or more groups.
pub(super) struct Directory {
    pub path: PathBuf,
    pub groups: Vec<usize>,
    /// Names that match, and what they led to.
    pub names: HashMap<OsString, Identity>,
    pub is_watched: bool,
    /// It is to be listed.
    pub is_stale: bool,
    /// When it had changed as it was listed; and when that was.
    pub changed: Option<(SystemTime, SystemTime)>,
    /// It could not be listed, which was told.
    pub has_failed: bool,
    /// Names of files that could not be opened, which was told.
    pub unreadable: HashSet<OsString>,
}

/// A file as it was listed.
pub(super) struct Listed {
    pub group: usize,
    pub path: PathBuf,
    pub name: OsString,
    pub metadata: Metadata,
}

/// The directories of all groups, each once. Those of a group that are not there are an error.
pub(super) fn directories(groups: &[Group]) -> Result<Vec<Directory>, StageError> {
    let mut all: Vec<Directory> = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        if let Some(known) = all.iter_mut().find(|known| known.path == group.directory) {
            known.groups.push(number);
            continue;
        }
        let shown = group.directory.display();
        let bad = |why: String| StageError::Usage(format!("group {}: {shown} {why}", group.name));
        match fs::metadata(&group.directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(bad("is no directory".into())),
            Err(error) => return Err(bad(format!("cannot be listed: {error}"))),
        }
        all.push(Directory {
            path: group.directory.clone(),
            groups: vec![number],
            names: HashMap::new(),
            is_watched: false,
            is_stale: true,
            changed: None,
            has_failed: false,
            unreadable: HashSet::new(),
        });
    }
    Ok(all)
}

impl Directory {
    pub fn group_of(&self, name: &OsStr, groups: &mut [Group]) -> Option<usize> {
        let mut own = self.groups.iter().copied();
        own.find(|number| groups[*number].matches(name.as_bytes()))
    }

    /// Whether it matters that this name has come or gone.
    pub fn concerns(&self, name: &OsStr, groups: &mut [Group]) -> bool {
        self.names.contains_key(name) || self.group_of(name, groups).is_some()
    }

    /// It may have other names than when it was listed.
    fn may_have_changed(&self) -> bool {
        let now = fs::metadata(&self.path).and_then(|metadata| metadata.modified());
        match (self.changed, now) {
            (Some((then, listed)), Ok(now)) => {
                then != now || listed.duration_since(then).is_ok_and(|age| age < COARSE)
            }
            _ => true,
        }
    }

    fn names_in(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    }
}

/// Does a path lead to this file?
fn leads_to(path: &Path, identity: Identity) -> bool {
    fs::metadata(path).is_ok_and(|metadata| Identity::of(&metadata) == identity)
}

impl Tail {
    /// Look at everything.
    pub fn look_at_all(&mut self, to: &Arc<ChannelProcessor>) {
        for at in 0..self.directories.len() {
            let directory = &self.directories[at];
            let is_listed = directory.is_stale || !self.habits.caches || directory.may_have_changed();
            if !is_listed {
                self.look_at_known(at);
            }
            self.directories[at].is_stale |= is_listed;
        }
        self.look_at_left();
        self.look_at_stale(to);
    }

    /// List the directories that were marked.
    pub fn look_at_stale(&mut self, to: &Arc<ChannelProcessor>) {
        for at in 0..self.directories.len() {
            if std::mem::take(&mut self.directories[at].is_stale) {
                self.list(at, to);
            }
        }
    }

    /// Files of a directory whose names are as they were.
    fn look_at_known(&mut self, at: usize) {
        let mut changed = Vec::new();
        for file in self
            .files
            .values()
            .filter(|file| file.directory == at && file.is_here)
        {
            match fs::metadata(&file.path) {
                Ok(metadata) if Identity::of(&metadata) == file.identity => {
                    if seen(&metadata) != file.seen || file.has_failed {
                        changed.push(file.identity);
                    }
                }
                _ => self.directories[at].is_stale = true,
            }
        }
        changed.into_iter().for_each(|identity| self.mark(identity));
    }

    /// Files that were renamed or deleted and are still open.
    fn look_at_left(&mut self) {
        let mut changed = Vec::new();
        for file in self.files.values().filter(|file| !file.is_here) {
            let metadata = file.file.as_ref().and_then(|file| file.metadata().ok());
            if metadata.is_some_and(|metadata| seen(&metadata) != file.seen) {
                changed.push(file.identity);
            }
        }
        changed.into_iter().for_each(|identity| self.mark(identity));
    }

    fn list(&mut self, at: usize, to: &Arc<ChannelProcessor>) {
        let name = to.counters().name();
        let directory = &mut self.directories[at];
        if !directory.is_watched {
            directory.is_watched = self.watch.add_directory(&directory.path, at);
        }
        let changed = fs::metadata(&directory.path).and_then(|metadata| metadata.modified());
        let names = match directory.names_in() {
            Ok(names) => names,
            Err(error) => {
                directory.is_watched = false;
                if !std::mem::replace(&mut directory.has_failed, true) {
                    let path = directory.path.display();
                    say::warn(
                        name,
                        format!("{path} cannot be listed: {error}; it is tried again"),
                    );
                }
                return;
            }
        };
        self.has_news = true;
        directory.has_failed = false;
        directory.changed = changed.ok().map(|changed| (changed, SystemTime::now()));
        let (listed, others) = self.sorted(at, names);
        let found = listed
            .iter()
            .map(|listed| (listed.name.clone(), Identity::of(&listed.metadata)));
        let directory = &mut self.directories[at];
        directory.names = found.collect();
        let names = &directory.names;
        directory.unreadable.retain(|name| names.contains_key(name));
        for listed in listed {
            self.see(at, listed, to);
        }
        self.seek(at, &others, name);
    }

    /// The files that match, in the order in which they were changed, and the other names.
    fn sorted(&mut self, at: usize, names: Vec<OsString>) -> (Vec<Listed>, Vec<OsString>) {
        let (mut listed, mut others) = (Vec::new(), Vec::new());
        for name in names {
            let Some(group) = self.directories[at].group_of(&name, &mut self.groups) else {
                others.push(name);
                continue;
            };
            let path = self.directories[at].path.join(&name);
            // A link to nothing, or gone by now.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            if metadata.is_file() {
                listed.push(Listed {
                    group,
                    path,
                    name,
                    metadata,
                });
            }
        }
        listed.sort_by(|one, other| {
            let key = |listed: &Listed| (listed.group, seen(&listed.metadata).1);
            key(one).cmp(&key(other)).then_with(|| one.name.cmp(&other.name))
        });
        (listed, others)
    }

    /// A file that matches.
    fn see(&mut self, at: usize, listed: Listed, to: &Arc<ChannelProcessor>) {
        let identity = Identity::of(&listed.metadata);
        let Some(file) = self.files.get_mut(&identity) else {
            return self.meet(at, listed, to);
        };
        if !file.is_here || file.path != listed.path {
            if file.is_here && leads_to(&file.path, identity) {
                // One file with two names is read once.
                return;
            }
            file.path = listed.path;
            file.directory = at;
            file.is_here = true;
        }
        if seen(&listed.metadata) != file.seen || file.has_failed {
            self.mark(identity);
        }
    }
}
