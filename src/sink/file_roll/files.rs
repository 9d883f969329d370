//! The files of a transaction: one that is written in each place that events go to, and those that are full.

use super::FULL_FILES;
use super::names::Names;
use super::open::{OpenFile, create_directory};
use super::place::Place;
use crate::codec::EventSerializer;
use crate::metrics::{Count, Counters};
use crate::stage::SinkError;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Places that are remembered for each file that may be open, so that numbers in names go on.
const REMEMBERED: usize = 4;

type Key = Arc<[u8]>;

/// A place that events go to.
struct Bucket {
    directory: PathBuf,
    names: Names,
    /// The file that is written.
    file: Option<OpenFile>,
    /// When it was last written to, in writes.
    used: u64,
}

/// All files that are open.
#[derive(Default)]
pub struct Files {
    /// Those that are full, oldest first.
    full: Vec<(Key, OpenFile)>,
    buckets: HashMap<Key, Bucket>,
    /// A buffer that no file has.
    spare: Vec<u8>,
    writes: u64,
    /// Where files are counted, as connections.
    pub counters: Option<Arc<Counters>>,
}

impl Files {
    /// Files that are full and not complete.
    pub fn full(&self) -> usize {
        self.full.len()
    }

    /// The file for a key, which is opened if there is none.
    pub fn current(
        &mut self,
        key: &[u8],
        most: usize,
        place: &Place,
        make: impl Fn() -> Result<Box<dyn EventSerializer>, String>,
    ) -> Result<&mut OpenFile, SinkError> {
        self.writes += 1;
        let is_open = self.buckets.get(key).is_some_and(|bucket| bucket.file.is_some());
        if !is_open {
            self.make_room(most)?;
            let created = self.create(key, place, make);
            self.count(match &created {
                Ok(()) => Count::ConnectionCreated,
                Err(_) => Count::ConnectionFailed,
            });
            created?;
        }
        let writes = self.writes;
        let bucket = self.buckets.get_mut(key);
        let file = bucket.and_then(|bucket| {
            bucket.used = writes;
            bucket.file.as_mut()
        });
        file.ok_or_else(|| SinkError::retry("the sink was not started"))
    }

    /// A file under the next free name.
    fn create(
        &mut self,
        key: &[u8],
        place: &Place,
        make: impl Fn() -> Result<Box<dyn EventSerializer>, String>,
    ) -> Result<(), SinkError> {
        if !self.buckets.contains_key(key) {
            let made = place.of(key);
            let (directory, names) = made.ok_or_else(|| SinkError::retry("the sink was not started"))?;
            let bucket = Bucket {
                directory,
                names,
                file: None,
                used: 0,
            };
            self.buckets.insert(key.into(), bucket);
        }
        let Some(bucket) = self.buckets.get_mut(key) else {
            return Ok(());
        };
        let cannot = |error: io::Error| {
            let directory = bucket.directory.display();
            SinkError::retry(format!("no file can be made in {directory}: {error}"))
        };
        // The base itself is not made again: it may be a file system that is not mounted.
        if bucket.directory != place.base() && !bucket.directory.is_dir() && place.base().is_dir() {
            create_directory(&bucket.directory).map_err(cannot)?;
        }
        loop {
            let serializer = make().map_err(SinkError::retry)?;
            let (name, spare) = (bucket.names.next(), std::mem::take(&mut self.spare));
            let created = OpenFile::create(&bucket.directory, &name, serializer, spare);
            if let Some(file) = created.map_err(cannot)? {
                bucket.file = Some(file);
                return Ok(());
            }
        }
    }

    /// Fewer files than so many are open: those that were not written to for long are completed.
    fn make_room(&mut self, most: usize) -> Result<(), SinkError> {
        let open = self
            .buckets
            .values()
            .filter(|bucket| bucket.file.is_some())
            .count();
        if open >= most {
            let oldest = self.buckets.iter().filter(|(_, bucket)| bucket.file.is_some());
            let oldest = oldest
                .min_by_key(|(_, bucket)| bucket.used)
                .map(|(key, _)| key.clone());
            if let Some(key) = oldest {
                self.fill(&key)?;
                self.close_if_many()?;
            }
        }
        if self.buckets.len() >= REMEMBERED * most {
            let mut uses: Vec<u64> = self.buckets.values().map(|bucket| bucket.used).collect();
            uses.sort_unstable();
            let border = uses[uses.len() / 2];
            self.buckets
                .retain(|_, bucket| bucket.file.is_some() || bucket.used > border);
        }
        Ok(())
    }

    /// Nothing more comes into the file of this key.
    pub fn fill(&mut self, key: &[u8]) -> Result<(), SinkError> {
        let Some(bucket) = self.buckets.get_mut(key) else {
            return Ok(());
        };
        if let Some(file) = &mut bucket.file {
            self.spare = file.end()?;
            self.full
                .extend(bucket.file.take().map(|file| (key.into(), file)));
        }
        Ok(())
    }

    /// Full files do not stay open in great numbers: a transaction over many commits the full ones early.
    pub fn close_if_many(&mut self) -> Result<(), SinkError> {
        if self.full.len() < FULL_FILES {
            return Ok(());
        }
        self.full.iter_mut().try_for_each(|(_, file)| file.commit())?;
        self.complete()
    }

    /// Nothing more comes into the files that are older than this.
    pub fn fill_older(&mut self, interval: Duration, now: Instant) -> Result<(), SinkError> {
        let is_old = |file: &OpenFile| file.opened.checked_add(interval).is_some_and(|end| end <= now);
        let old = self
            .buckets
            .iter()
            .filter(|(_, bucket)| bucket.file.as_ref().is_some_and(is_old));
        let old: Vec<Key> = old.map(|(key, _)| key.clone()).collect();
        old.iter().try_for_each(|key| self.fill(key))
    }

    /// When the first file has this age.
    pub fn next_end(&self, interval: Duration) -> Option<Instant> {
        let opened = self
            .buckets
            .values()
            .filter_map(|bucket| Some(bucket.file.as_ref()?.opened));
        opened.min()?.checked_add(interval)
    }

    /// Commit all.
    pub fn commit(&mut self) -> Result<(), SinkError> {
        let current = self
            .buckets
            .values_mut()
            .filter_map(|bucket| bucket.file.as_mut());
        let mut files = self.full.iter_mut().map(|(_, file)| file).chain(current);
        files.try_for_each(OpenFile::commit)
    }

    /// Complete the full files, which are committed.
    pub fn complete(&mut self) -> Result<(), SinkError> {
        self.full.iter_mut().try_for_each(|(_, file)| file.rename())?;
        self.full.iter().try_for_each(|(_, file)| file.finish())?;
        self.full.iter().for_each(|_| self.count(Count::ConnectionClosed));
        self.full.drain(..).for_each(|(_, file)| file.close());
        Ok(())
    }

    /// Take back what is not committed.
    pub fn rollback(&mut self) {
        let full = std::mem::take(&mut self.full);
        let open = self
            .buckets
            .iter_mut()
            .filter_map(|(key, bucket)| Some((key.clone(), bucket.file.take()?)));
        let all: Vec<_> = full.into_iter().chain(open).collect();
        for (key, file) in all {
            if file.is_clean() && file.is_ended() {
                self.full.push((key, file));
                continue;
            }
            // Of all in one place that are not committed only the oldest can have had a commit before: it goes on.
            let kept = match file.is_clean() {
                true => Ok(file),
                false => file.rolled_back(),
            };
            let Some(bucket) = self.buckets.get_mut(&key) else {
                continue;
            };
            match kept {
                Ok(file) => bucket.file = Some(file),
                Err(name) => bucket.names.give_back(&name),
            }
        }
    }

    /// As Flume's sink counts its files.
    fn count(&self, count: Count) {
        if let Some(counters) = &self.counters {
            counters.add(count, 1);
        }
    }

    /// Commit and complete all files.
    pub fn close(&mut self) -> Result<(), SinkError> {
        let keys: Vec<Key> = self.buckets.keys().cloned().collect();
        keys.iter().try_for_each(|key| self.fill(key))?;
        self.commit()?;
        self.complete()
    }

    #[cfg(test)]
    pub fn noted_tail(&self) -> crate::codec::Tail {
        let mut open = self.buckets.values().filter_map(|bucket| bucket.file.as_ref());
        open.next().unwrap().noted_tail()
    }

    /// Make a file and remove it again, so that a place that cannot be written to is known at once.
    pub fn probe(
        directory: &Path,
        names: &Names,
        make: impl Fn() -> Result<Box<dyn EventSerializer>, String>,
    ) -> Result<(), String> {
        let mut names = names.clone();
        loop {
            let serializer = make()?;
            let created = OpenFile::create(directory, &names.next(), serializer, Vec::new());
            let created = created
                .map_err(|error| format!("no file can be made in {}: {error}", directory.display()))?;
            if let Some(file) = created {
                file.remove();
                return Ok(());
            }
        }
    }
}
