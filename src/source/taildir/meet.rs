//! Files that are met for the first time, and those that are no more where they were: what the position file knows of
//! them decides where their reading begins.

use super::identity::{Fingerprint, Identity, born};
use super::positions::Record;
use super::scan::Listed;
use super::tail::Tail;
use super::tracked::{Tracked, seen};
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Tail {
    /// A file that was not known to be there.
    pub fn meet(&mut self, at: usize, listed: Listed, to: &Arc<ChannelProcessor>) {
        let identity = Identity::of(&listed.metadata);
        let opened = File::open(&listed.path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match opened {
            Ok((metadata, _)) if Identity::of(&metadata) != identity => {
                self.directories[at].is_stale = true;
                return;
            }
            Ok(opened) => opened,
            Err(error) => return self.cannot_open(at, &listed, &error, to),
        };
        self.directories[at].unreadable.remove(&listed.name);
        let name = to.counters().name();
        let (pos, fingerprint) = self.place_of(&listed.path, &file, &metadata, name);
        let mut tracked = Tracked::new(identity, &listed.path, (listed.group, at), pos, fingerprint);
        tracked.seen = seen(&metadata);
        tracked.born = born(&metadata);
        self.set_headers(&mut tracked);
        let is_link = fs::symlink_metadata(&listed.path).is_ok_and(|metadata| metadata.is_symlink());
        if is_link {
            // Its own directory may be another.
            tracked.watch = self.watch.add_file(&file, identity);
        }
        let is_new = metadata.len() != pos;
        let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
        if self.open < self.most_open && (is_new || age.is_none_or(|age| age < self.habits.idle)) {
            tracked.file = Some(file);
            self.open += 1;
        }
        self.care_soon(&tracked);
        self.has_moved = true;
        self.has_others = true;
        self.files.insert(identity, tracked);
        if is_new {
            self.mark(identity);
        }
    }

    fn cannot_open(&mut self, at: usize, listed: &Listed, error: &io::Error, to: &ChannelProcessor) {
        if error.kind() == io::ErrorKind::NotFound {
            return;
        }
        to.counters().add(Count::EventReadFail, 1);
        if self.directories[at].unreadable.insert(listed.name.clone()) {
            say::warn(
                to.counters().name(),
                format!(
                    "{} cannot be read: {error}; it is tried again",
                    listed.path.display()
                ),
            );
        }
        // Nothing in the directory changes when it can be read.
        self.directories[at].changed = None;
    }

    pub fn set_headers(&self, tracked: &mut Tracked) {
        let path = tracked.path.as_os_str().as_bytes().to_vec();
        let group = &self.groups[tracked.group];
        let fixed = group.headers.iter();
        let fixed = fixed.map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let key = self.habits.file_header.as_ref().map(String::as_bytes);
        let fixed = fixed.filter(|(name, _)| Some(*name) != key);
        tracked.set_headers(fixed.chain(key.map(|key| (key, &path[..]))));
    }

    /// Where to begin with a file that was not known: where the position file says, if that is of this file.
    pub fn place_of(
        &mut self,
        path: &Path,
        file: &File,
        metadata: &Metadata,
        name: &str,
    ) -> (u64, Fingerprint) {
        let identity = Identity::of(metadata);
        let mut records = self.records.iter();
        if let Some(at) = records.position(|record| record.inode == identity.inode && record.path == path) {
            return begin(&self.records.remove(at), file, metadata, name);
        }
        let mut records = self.records.iter();
        if let Some(at) = records.position(|record| is_of(record, file, metadata)) {
            let record = self.records.remove(at);
            let (shown, old, pos) = (path.display(), record.path.display(), record.pos);
            say::info(name, format!("{shown} was {old}: it is read on at byte {pos}"));
            return begin(&record, file, metadata, name);
        }
        let is_skipped = self.is_starting && self.habits.skips_to_end;
        let pos = if is_skipped { metadata.len() } else { 0 };
        (pos, Fingerprint::default())
    }

    /// What has become of files that were in this directory and are no more.
    pub fn seek(&mut self, at: usize, others: &[OsString], name: &str) {
        let is_gone = |file: &&Tracked| file.directory == at && file.is_here && !self.is_listed(file);
        let gone: Vec<Identity> = self
            .files
            .values()
            .filter(is_gone)
            .map(|file| file.identity)
            .collect();
        let mut closed = Vec::new();
        for identity in gone {
            let Some(file) = self.files.get_mut(&identity) else {
                continue;
            };
            match &file.file {
                Some(open) => {
                    file.is_here = false;
                    self.has_moved = true;
                    file.watch = file.watch.or_else(|| self.watch.add_file(open, identity));
                    self.mark(identity);
                }
                None => closed.push(identity),
            }
        }
        let sought = self.sought(at);
        if closed.is_empty() && sought.is_empty() {
            return;
        }
        let found = self.identities(at, others);
        for identity in closed {
            self.find_closed(identity, &found, name);
        }
        for record in sought {
            self.find_record(at, record, &found, name);
        }
    }

    /// What the position file knows and nobody has met in this directory.
    fn sought(&mut self, at: usize) -> Vec<Record> {
        // While directories are listed for the first time, a file may still be met in another one.
        if self.is_starting {
            return Vec::new();
        }
        let directory = &self.directories[at];
        let is_sought = |record: &Record| {
            let name = record.path.file_name();
            let is_unreadable = name.is_some_and(|name| directory.unreadable.contains(name));
            record.path.parent() == Some(&directory.path) && !is_unreadable
        };
        let records = std::mem::take(&mut self.records);
        let (sought, kept): (Vec<Record>, Vec<Record>) = records.into_iter().partition(is_sought);
        self.records = kept;
        sought
    }

    fn is_listed(&self, file: &Tracked) -> bool {
        let names = &self.directories[file.directory].names;
        file.path.file_name().and_then(|name| names.get(name)) == Some(&file.identity)
    }

    fn identities(&self, at: usize, names: &[OsString]) -> HashMap<Identity, PathBuf> {
        let paths = names.iter().map(|name| self.directories[at].path.join(name));
        let with_metadata = paths.filter_map(|path| Some((fs::symlink_metadata(&path).ok()?, path)));
        let files = with_metadata.filter(|(metadata, _)| metadata.is_file());
        files
            .map(|(metadata, path)| (Identity::of(&metadata), path))
            .collect()
    }

    /// A closed file that is not where it was: under its new name it is read to its end.
    fn find_closed(&mut self, identity: Identity, found: &HashMap<Identity, PathBuf>, name: &str) {
        let Some(mut file) = self.files.remove(&identity) else {
            return;
        };
        self.has_others = true;
        self.watch_no_more(&mut file);
        let opened = found.get(&identity).and_then(|path| File::open(path).ok());
        let is_it = |opened: &File| {
            let now = opened.metadata().ok().and_then(|metadata| born(&metadata));
            now == file.born.or(now) && file.fingerprint().fits(opened).unwrap_or(false)
        };
        match opened.filter(is_it) {
            Some(opened) => self.leave(file, opened),
            None if file.unread() > 0 => say::warn(
                name,
                format!(
                    "{} is gone, with {} bytes that were not read",
                    file.path.display(),
                    file.unread()
                ),
            ),
            None => {}
        }
    }

    /// A file that the position file knows and that is not where it was.
    fn find_record(&mut self, at: usize, record: Record, found: &HashMap<Identity, PathBuf>, name: &str) {
        let shown = record.path.display();
        let same_inode = found
            .iter()
            .filter(|(identity, _)| identity.inode == record.inode);
        for (identity, path) in same_inode {
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
            let Ok((metadata, opened)) = opened else { continue };
            if !is_of(&record, &opened, &metadata) {
                continue;
            }
            if self.files.contains_key(identity) {
                return;
            }
            let (now, pos) = (path.display(), record.pos);
            say::info(
                name,
                format!("{now} was {shown}: it is read to its end, from byte {pos} on"),
            );
            let place = (self.group_of(at, &record.path), at);
            let mut file = Tracked::new(*identity, &record.path, place, pos, record.fingerprint);
            file.born = born(&metadata);
            self.set_headers(&mut file);
            return self.leave(file, opened);
        }
        match record.size.saturating_sub(record.pos) {
            0 => say::debug(
                name,
                format!("{shown} is in the position file and not there any more"),
            ),
            unread => say::warn(
                name,
                format!("{shown} is not there any more; {unread} bytes or more of it were not accepted"),
            ),
        }
    }

    /// The group that a path in this directory belonged to.
    fn group_of(&mut self, at: usize, path: &Path) -> usize {
        let directory = &self.directories[at];
        let named = path.file_name();
        let own = named.and_then(|name| directory.group_of(name, &mut self.groups));
        own.or(directory.groups.first().copied()).unwrap_or(0)
    }

    pub fn leave(&mut self, mut file: Tracked, opened: File) {
        let identity = file.identity;
        file.is_here = false;
        file.progress = std::time::Instant::now();
        file.watch = self.watch.add_file(&opened, identity);
        file.file = Some(opened);
        self.open += 1;
        self.care_soon(&file);
        self.has_others = true;
        self.files.insert(identity, file);
        self.mark(identity);
    }

    fn watch_no_more(&mut self, file: &mut Tracked) {
        if let Some(watch) = file.watch.take() {
            self.watch.remove(watch);
        }
    }

    /// Entries of the position file that belong to no directory of ours.
    pub fn forget_strangers(&mut self, name: &str) {
        let directories = &self.directories;
        self.records.retain(|record| {
            let is_ours = directories.iter().any(|own| record.path.parent() == Some(&own.path));
            if !is_ours {
                let (path, pos) = (record.path.display(), record.pos);
                say::warn(
                    name,
                    format!("{path}, read up to byte {pos}, is in the position file and in the directory of no group: it is forgotten"),
                );
            }
            is_ours
        });
    }
}

/// Where to begin with a file that is where it was.
fn begin(record: &Record, file: &File, metadata: &Metadata, name: &str) -> (u64, Fingerprint) {
    let (shown, pos, size) = (record.path.display(), record.pos, metadata.len());
    let from_start = (0, Fingerprint::default());
    if pos > size {
        say::info(
            name,
            format!("{shown} has {size} bytes, and {pos} of it were read: it is read from its start"),
        );
        return from_start;
    }
    let born = born(metadata);
    let is_same = born == record.born.or(born) && record.fingerprint.fits(file).unwrap_or(true);
    if is_same {
        return (pos, record.fingerprint);
    }
    if record.is_old {
        // Flume has gone by path and inode.
        return (pos, Fingerprint::default());
    }
    say::info(
        name,
        format!("{shown} is another file than at the last time: it is read from its start"),
    );
    from_start
}

/// Is this file what the record is of, under another name? Its inode alone does not say so.
fn is_of(record: &Record, file: &File, metadata: &Metadata) -> bool {
    let identity = Identity::of(metadata);
    let is_same = record.inode == identity.inode && record.device == Some(identity.device);
    match (record.born, born(metadata)) {
        // Its content may be another: it was cut off.
        (Some(then), Some(now)) => is_same && then == now,
        _ => {
            let is_known = !record.fingerprint.is_none() && record.pos <= metadata.len();
            is_same && is_known && record.fingerprint.fits(file).unwrap_or(false)
        }
    }
}
