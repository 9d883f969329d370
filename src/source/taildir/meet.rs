//! Files that are met for the first time, and those that are no more where they were: what the position file knows of
//! them decides where their reading begins.

use super::identity::{Fingerprint, Identity};
use super::positions::Record;
use super::scan::Listed;
use super::tail::Tail;
use super::tracked::{Tracked, seen};
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
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
        let (pos, fingerprint) = self.place_of(identity, &listed.path, &file, metadata.len(), name);
        let mut tracked = Tracked::new(identity, &listed.path, (listed.group, at), pos, fingerprint);
        tracked.seen = seen(&metadata);
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

    fn set_headers(&self, tracked: &mut Tracked) {
        let path = tracked.path.as_os_str().as_bytes().to_vec();
        let group = &self.groups[tracked.group];
        let fixed = group.headers.iter();
        let fixed = fixed.map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let key = self.habits.file_header.as_ref().map(String::as_bytes);
        let fixed = fixed.filter(|(name, _)| Some(*name) != key);
        tracked.set_headers(fixed.chain(key.map(|key| (key, &path[..]))));
    }

    /// Where to begin with a file that was not known: where the position file says, if that is of this file.
    fn place_of(
        &mut self,
        identity: Identity,
        path: &Path,
        file: &File,
        size: u64,
        name: &str,
    ) -> (u64, Fingerprint) {
        let shown = path.display();
        let is_same = |record: &Record| record.inode == identity.inode && record.path == path;
        if let Some(at) = self.records.iter().position(is_same) {
            let record = self.records.remove(at);
            let fits = record.fingerprint.fits(file).unwrap_or(true);
            if record.pos > size {
                say::info(
                    name,
                    format!(
                        "{shown} has {size} bytes, and {} of it were read: it is read from its start",
                        record.pos
                    ),
                );
                return (0, Fingerprint::default());
            }
            if fits || record.is_old {
                return (
                    record.pos,
                    if fits {
                        record.fingerprint
                    } else {
                        Fingerprint::default()
                    },
                );
            }
            say::warn(
                name,
                format!("{shown} has another beginning than at the last time: it is read from its start"),
            );
            return (0, Fingerprint::default());
        }
        if let Some(at) = self
            .records
            .iter()
            .position(|record| is_of(record, identity, file, size))
        {
            let record = self.records.remove(at);
            say::info(
                name,
                format!(
                    "{shown} was {}: it is read on at byte {}",
                    record.path.display(),
                    record.pos
                ),
            );
            return (record.pos, record.fingerprint);
        }
        let pos = if self.is_starting && self.habits.skips_to_end {
            size
        } else {
            0
        };
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
                    file.watch = file.watch.or_else(|| self.watch.add_file(open, identity));
                    self.mark(identity);
                }
                None => closed.push(identity),
            }
        }
        let directory = &self.directories[at].path;
        let is_sought = |record: &Record| {
            let is_seen = record
                .path
                .file_name()
                .is_some_and(|name| self.directories[at].unreadable.contains(name));
            record.path.parent() == Some(directory) && !is_seen
        };
        let (sought, kept): (Vec<Record>, Vec<Record>) =
            std::mem::take(&mut self.records).into_iter().partition(is_sought);
        self.records = kept;
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
        self.watch_no_more(&mut file);
        let opened = found.get(&identity).and_then(|path| File::open(path).ok());
        let is_it = |opened: &File| file.fingerprint().fits(opened).unwrap_or(false);
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
        for (identity, path) in found
            .iter()
            .filter(|(identity, _)| identity.inode == record.inode)
        {
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
            let Ok((size, opened)) = opened else { continue };
            let group = self.directories[at].groups.first().copied().unwrap_or(0);
            let own = record
                .path
                .file_name()
                .and_then(|name| self.directories[at].group_of(name, &mut self.groups));
            if is_of(&record, *identity, &opened, size) && !self.files.contains_key(identity) {
                say::info(
                    name,
                    format!(
                        "{} was {shown}: it is read to its end, from byte {} on",
                        path.display(),
                        record.pos
                    ),
                );
                let place = (own.unwrap_or(group), at);
                let mut file = Tracked::new(*identity, &record.path, place, record.pos, record.fingerprint);
                self.set_headers(&mut file);
                return self.leave(file, opened);
            }
        }
        match record.size.saturating_sub(record.pos) {
            0 => say::debug(
                name,
                format!("{shown} is in the position file and not there any more"),
            ),
            unread => say::warn(
                name,
                format!(
                    "{shown} is not there any more; of what it was, {unread} bytes or more were not read"
                ),
            ),
        }
    }

    fn leave(&mut self, mut file: Tracked, opened: File) {
        let identity = file.identity;
        file.is_here = false;
        file.progress = std::time::Instant::now();
        file.watch = self.watch.add_file(&opened, identity);
        file.file = Some(opened);
        self.open += 1;
        self.care_soon(&file);
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

/// Is this file what the record is of, under another name? Its inode alone does not say so.
fn is_of(record: &Record, identity: Identity, file: &File, size: u64) -> bool {
    let is_same = record.inode == identity.inode && record.device == Some(identity.device);
    is_same
        && record.pos <= size
        && !record.fingerprint.is_none()
        && record.fingerprint.fits(file).unwrap_or(false)
}
