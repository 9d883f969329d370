//! `file_roll`: files in a directory, rolled by time, size and count (Flume's RollingFileSink).
//!
//! # What a reader of the directory sees
//!
//! A file that is complete has its final name; it was synced, and so was the directory. Everything else
//! begins with a dot: `.NAME.inprogress`, which is being written, and `.NAME.state` beside it. Without
//! events there is no file. A name is never used twice, also not by two sinks: who makes `.NAME.state` has
//! the name, and the rename at the end replaces nothing.
//!
//! # After a crash
//!
//! The state file is locked as long as its writer lives and holds the committed length. It is written
//! after each commit's `fdatasync` of the data, but not synced itself, since that would double the syncs:
//!
//! - When the process was killed the system has both files as they were written: the next sink that starts
//!   in the directory finds the lock free, cuts the file to the noted length, and completes it. Events
//!   behind that were never accepted and come again.
//! - When the system went down (the state names another boot) the noted length may be older than what was
//!   accepted. It is a lower bound; the last whole event behind it is found from the content: the last
//!   newline, or the last whole block of an Avro container. What is kept beyond the last commit comes
//!   again, too: at least once.
//! - Where the content does not tell (no newline is appended, or an event has one inside) the state says so
//!   before the first such byte is written, and from then on it is synced at each commit and exact.
//!
//! # A transaction
//!
//! Events are gathered and written in large pieces; `commit` syncs each file that was written and then
//! completes those that are full; `rollback` cuts back to the last commit. A file that is full stays open
//! until the commit, but only a few do: a transaction over many small files commits the full ones early,
//! which a failure later would repeat.

mod files;
mod names;
mod open;
mod place;
mod recover;
mod state;
#[cfg(test)]
mod tests;

use crate::codec::{self, EventSerializer};
use crate::event::{Batch, EventRef};
use crate::exit::{StageError, StageResult};
use crate::metrics::Counters;
use crate::say;
use crate::stage::{Sink, SinkError};
use crate::value::{Pair, Seconds, Size};
use files::Files;
use open::{OpenFile, create_directory};
use place::Place;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NAME: &str = "sink file_roll";
/// Full files that a transaction holds open at most.
const FULL_FILES: usize = 32;

/// Write events to files in a directory, which are rolled by time, size or number of events.
#[derive(clap::Args)]
pub struct FileRoll {
    #[command(flatten)]
    place: Place,
    /// Seconds after which a file is complete and the next event begins another; 0 never.
    #[arg(long, id = "sink.rollInterval", default_value = "30", value_name = "TIME")]
    roll_interval: Seconds,
    /// Bytes at which a file is complete, before compression; 0 never.
    #[arg(long, id = "sink.rollSize", default_value = "0", value_name = "SIZE")]
    roll_size: Size,
    /// Events at which a file is complete; 0 never.
    #[arg(long, id = "sink.rollCount", default_value = "0", value_name = "EVENTS")]
    roll_count: u64,
    /// Events in a transaction. Accepted for Flume's sake: batches are taken as they come.
    #[arg(long, id = "sink.batchSize", default_value = "100", value_name = "EVENTS")]
    batch_size: u32,
    /// How events are written: TEXT, HEADER_AND_TEXT, avro_event, or Flume's class name for one of these or for
    /// AvroEventSerializer.
    #[arg(long, id = "sink.serializer", default_value = "TEXT", value_name = "NAME")]
    serializer: String,
    /// Settings of the serializer: appendNewline for TEXT and HEADER_AND_TEXT; syncIntervalBytes and
    /// compressionCodec (null, deflate, snappy, zstandard, bzip2) for avro_event and AvroEventSerializer, which has
    /// schemaURL, too.
    #[arg(long, id = "sink.serializer.*", value_name = "KEY=VALUE")]
    serializer_set: Vec<Pair>,
    /// Files that are open at a time, where the directory or the prefix has escapes: before another one is opened, the
    /// one that was not written to for longest is completed.
    #[arg(long, id = "sink.maxOpenFiles", default_value = "500", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_open_files: u32,
    #[arg(skip)]
    own_serializer: Option<MakeSerializer>,
    #[arg(skip)]
    files: Files,
}

type MakeSerializer = Box<dyn Fn() -> Box<dyn EventSerializer> + Send>;

impl FileRoll {
    /// Write with a serializer of one's own, of which each file gets a new one.
    pub fn with_serializer(
        mut self,
        make: impl Fn() -> Box<dyn EventSerializer> + Send + 'static,
    ) -> FileRoll {
        self.own_serializer = Some(Box::new(make));
        self
    }

    /// The file that is written for a key.
    fn current(&mut self, key: &[u8]) -> Result<&mut OpenFile, SinkError> {
        let FileRoll { files, place, .. } = self;
        let settings = (&self.own_serializer, &self.serializer, &self.serializer_set);
        let make = || new_serializer(settings).map(|(made, _)| made);
        files.current(key, self.max_open_files as usize, place, make)
    }

    /// One event, in the file for a key.
    fn write_one(&mut self, key: &[u8], event: EventRef<'_>) -> Result<(), SinkError> {
        if !self.current(key)?.fits(event) {
            self.files.fill(key)?;
            self.files.close_if_many()?;
        }
        let (size, count) = (self.roll_size.0, self.roll_count);
        let file = self.current(key)?;
        file.write(event)?;
        if (size > 0 && file.size() >= size) || (count > 0 && file.events() >= count) {
            self.files.fill(key)?;
            self.files.close_if_many()?;
        }
        Ok(())
    }

    /// When a file is complete by its age.
    fn roll_time(&self) -> Option<Instant> {
        let interval = self.roll_interval.0;
        (interval > Duration::ZERO)
            .then(|| self.files.next_end(interval))
            .flatten()
    }

    /// Where names begin, the directory is there, and a file can be made in it.
    fn prepare(&mut self) -> StageResult {
        let usage = |property: &str, why: String| StageError::Usage(format!("{property}: {why}"));
        self.place
            .prepare()
            .map_err(|(property, why)| usage(property, why))?;
        let settings = (&self.own_serializer, &self.serializer, &self.serializer_set);
        let (_, warnings) = new_serializer(settings).map_err(|why| usage("sink.serializer", why))?;
        for warning in warnings {
            say::warn(NAME, format!("sink.serializer.{warning}"));
        }
        let base = self.place.base();
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            let path = base.display();
            StageError::Failed(format!("sink.directory {path} {what}: {why}"))
        };
        if base.exists() && !base.is_dir() {
            return Err(failed("cannot be used", &"it is no directory"));
        }
        create_directory(base).map_err(|error| failed("cannot be created", &error))?;
        let all = !self.place.is_constant();
        recover::complete_leftovers(base, all).map_err(|error| failed("cannot be read", &error))?;
        let make = || new_serializer(settings).map(|(made, _)| made);
        let probed = self
            .place
            .of(&[])
            .map(|(_, names)| Files::probe(base, &names, make));
        probed
            .unwrap_or(Ok(()))
            .map_err(|error| StageError::Failed(format!("sink.directory: {error}")))
    }
}

type Serializer<'a> = (&'a Option<MakeSerializer>, &'a String, &'a Vec<Pair>);

/// A serializer by the settings, and what is worth a warning.
fn new_serializer(
    (own, name, set): Serializer<'_>,
) -> Result<(Box<dyn EventSerializer>, Vec<String>), String> {
    if let Some(make) = own {
        return Ok((make(), Vec::new()));
    }
    let given = set.iter().cloned();
    let mut options = codec::Options::new(given.map(|pair| (pair.name, pair.value)));
    let serializer = codec::serializer(name, &mut options)?;
    Ok((serializer, options.warnings))
}

impl Sink for FileRoll {
    fn start(&mut self) -> StageResult {
        self.prepare()
    }

    fn count_in(&mut self, counters: &Arc<Counters>) {
        self.files.counters = Some(counters.clone());
    }

    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if batch.is_empty() {
            return Ok(());
        }
        let is_constant = self.place.is_constant();
        if is_constant && self.roll_size.0 == 0 && self.roll_count == 0 {
            let file = self.current(&[])?;
            if !file.looks_at_each() {
                return file.write_batch(batch);
            }
        }
        let mut key = Vec::new();
        for event in batch.events() {
            let event = event?;
            if !is_constant {
                key.clear();
                key.extend_from_slice(self.place.key(event));
            }
            self.write_one(&key, event)?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        self.files.commit()?;
        // The events are safe. What the names lack is seen to, and said, by the tick, which is due at once.
        let _ = self.files.complete();
        Ok(())
    }

    fn rollback(&mut self) {
        self.files.rollback();
    }

    fn deadline(&self) -> Option<Instant> {
        match self.files.full() {
            0 => self.roll_time(),
            _ => Some(Instant::now()),
        }
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        let now = Instant::now();
        if self.roll_time().is_some_and(|time| time <= now) {
            self.files.fill_older(self.roll_interval.0, now)?;
        }
        self.files.commit()?;
        self.files.complete()
    }

    fn stop(&mut self) -> StageResult {
        self.rollback();
        self.files.close().map_err(|error| {
            StageError::Temporary(format!(
                "{error}; the events are safe, and the next start completes the file"
            ))
        })
    }
}
