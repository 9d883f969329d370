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

mod names;
mod open;
mod recover;
mod state;
#[cfg(test)]
mod tests;

use crate::codec::{self, EventSerializer};
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::metrics::{Count, Counters};
use crate::say;
use crate::stage::{Sink, SinkError};
use crate::value::{Pair, Seconds, Size};
use names::{Manager, Names};
use open::OpenFile;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NAME: &str = "sink file_roll";
/// Full files that a transaction holds open at most.
const FULL_FILES: usize = 32;

/// Write events to files in a directory, which are rolled by time, size or number of events.
#[derive(clap::Args)]
pub struct FileRoll {
    /// Directory for the files; it is created with its parents.
    #[arg(long, id = "sink.directory", value_name = "DIR")]
    directory: PathBuf,
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
    /// How events are written: TEXT, HEADER_AND_TEXT, avro_event, or Flume's class name for it.
    #[arg(long, id = "sink.serializer", default_value = "TEXT", value_name = "NAME")]
    serializer: String,
    /// Settings of the serializer: appendNewline for TEXT and HEADER_AND_TEXT; syncIntervalBytes and
    /// compressionCodec (null, deflate, snappy, zstandard, bzip2) for avro_event.
    #[arg(long, id = "sink.serializer.*", value_name = "KEY=VALUE")]
    serializer_set: Vec<Pair>,
    /// How files are named: DEFAULT (milliseconds of the start, number) or ROLLTIME (local time, number).
    #[arg(long, id = "sink.pathManager", default_value = "DEFAULT", value_name = "NAME")]
    path_manager: String,
    /// What names begin with.
    #[arg(
        long,
        id = "sink.pathManager.prefix",
        default_value = "",
        value_name = "TEXT",
        hide_default_value = true
    )]
    path_manager_prefix: String,
    /// What names end with, without the dot.
    #[arg(
        long,
        id = "sink.pathManager.extension",
        default_value = "",
        value_name = "TEXT",
        hide_default_value = true
    )]
    path_manager_extension: String,
    #[arg(skip)]
    own_serializer: Option<MakeSerializer>,
    #[arg(skip)]
    names: Option<Names>,
    #[arg(skip)]
    files: Files,
}

type MakeSerializer = Box<dyn Fn() -> Box<dyn EventSerializer> + Send>;

/// The files of the transaction.
#[derive(Default)]
struct Files {
    /// Those that are full, oldest first.
    full: Vec<OpenFile>,
    /// The one that is written.
    current: Option<OpenFile>,
    /// A buffer that no file has.
    spare: Vec<u8>,
    /// Where files are counted, as connections.
    counters: Option<Arc<Counters>>,
}

impl FileRoll {
    /// Write with a serializer of one's own, of which each file gets a new one.
    pub fn with_serializer(
        mut self,
        make: impl Fn() -> Box<dyn EventSerializer> + Send + 'static,
    ) -> FileRoll {
        self.own_serializer = Some(Box::new(make));
        self
    }

    fn new_serializer(&self) -> Result<(Box<dyn EventSerializer>, Vec<String>), String> {
        if let Some(make) = &self.own_serializer {
            return Ok((make(), Vec::new()));
        }
        let given = self.serializer_set.iter().cloned();
        let mut options = codec::Options::new(given.map(|pair| (pair.name, pair.value)));
        let serializer = codec::serializer(&self.serializer, &mut options)?;
        Ok((serializer, options.warnings))
    }

    /// A file under the next free name.
    fn create(&mut self) -> Result<OpenFile, SinkError> {
        loop {
            let (serializer, _) = self.new_serializer().map_err(SinkError::retry)?;
            let Some(names) = &mut self.names else {
                return Err(SinkError::retry("the sink was not started"));
            };
            let name = names.next();
            let spare = std::mem::take(&mut self.files.spare);
            let created = OpenFile::create(&self.directory, &name, serializer, spare);
            let created = created.map_err(|error| {
                SinkError::retry(format!(
                    "no file can be made in {}: {error}",
                    self.directory.display()
                ))
            })?;
            if let Some(file) = created {
                return Ok(file);
            }
        }
    }

    fn current(&mut self) -> Result<&mut OpenFile, SinkError> {
        let file = match self.files.current.take() {
            Some(file) => file,
            None => {
                let created = self.create();
                self.files.count(match &created {
                    Ok(_) => Count::ConnectionCreated,
                    Err(_) => Count::ConnectionFailed,
                });
                created?
            }
        };
        Ok(self.files.current.insert(file))
    }

    fn is_full(&self, file: &OpenFile) -> bool {
        let by_size = self.roll_size.0 > 0 && file.size() >= self.roll_size.0;
        by_size || (self.roll_count > 0 && file.events() >= self.roll_count)
    }

    /// When the current file is complete by its age.
    fn roll_time(&self) -> Option<Instant> {
        let interval = self.roll_interval.0;
        let file = self
            .files
            .current
            .as_ref()
            .filter(|_| interval > Duration::ZERO)?;
        file.opened.checked_add(interval)
    }

    /// Where names begin, the directory is there, and a file can be made in it.
    fn prepare(&mut self) -> StageResult {
        let usage = |property: &str, why: String| StageError::Usage(format!("{property}: {why}"));
        let manager = Manager::from_word(&self.path_manager).map_err(|why| usage("sink.pathManager", why))?;
        let names = Names::new(manager, &self.path_manager_prefix, &self.path_manager_extension)
            .map_err(|why| usage("sink.pathManager", why))?;
        let (_, warnings) = self
            .new_serializer()
            .map_err(|why| usage("sink.serializer", why))?;
        for warning in warnings {
            say::warn(NAME, format!("sink.serializer.{warning}"));
        }
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            let path = self.directory.display();
            StageError::Failed(format!("sink.directory {path} {what}: {why}"))
        };
        if self.directory.exists() && !self.directory.is_dir() {
            return Err(failed("cannot be used", &"it is no directory"));
        }
        create_directory(&self.directory).map_err(|error| failed("cannot be created", &error))?;
        recover::complete_leftovers(&self.directory).map_err(|error| failed("cannot be read", &error))?;
        self.names = Some(names.clone());
        let probe = self
            .create()
            .map_err(|error| StageError::Failed(format!("sink.directory: {error}")))?;
        probe.remove();
        self.names = Some(names);
        Ok(())
    }
}

/// Create a directory with its parents, each safe in its own parent.
fn create_directory(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    std::fs::create_dir_all(path)?;
    for path in missing {
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        rustix::fs::fsync(open::open_directory(parent)?)?;
    }
    Ok(())
}

impl Files {
    /// Nothing more comes into the current file.
    fn fill(&mut self) -> Result<(), SinkError> {
        if let Some(file) = &mut self.current {
            self.spare = file.end()?;
        }
        self.full.extend(self.current.take());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let mut files = self.full.iter_mut().chain(&mut self.current);
        files.try_for_each(OpenFile::commit)
    }

    /// Complete the full files, which are committed.
    fn complete(&mut self) -> Result<(), SinkError> {
        self.full.iter_mut().try_for_each(OpenFile::rename)?;
        self.full.iter().try_for_each(OpenFile::finish)?;
        self.full.iter().for_each(|_| self.count(Count::ConnectionClosed));
        self.full.drain(..).for_each(OpenFile::close);
        Ok(())
    }

    /// As Flume's sink counts its files.
    fn count(&self, count: Count) {
        if let Some(counters) = &self.counters {
            counters.add(count, 1);
        }
    }

    /// Commit and complete all files.
    fn close(&mut self) -> Result<(), SinkError> {
        self.fill()?;
        self.commit()?;
        self.complete()
    }
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
        if self.roll_size.0 == 0 && self.roll_count == 0 {
            return self.current()?.write_batch(batch);
        }
        for event in batch.events() {
            let event = event?;
            self.current()?.write(event)?;
            if self.files.current.as_ref().is_some_and(|file| self.is_full(file)) {
                self.files.fill()?;
                if self.files.full.len() >= FULL_FILES {
                    self.files.close()?;
                }
            }
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
        let full = std::mem::take(&mut self.files.full);
        for file in full.into_iter().chain(self.files.current.take()) {
            if file.is_clean() && file.is_ended() {
                self.files.full.push(file);
                continue;
            }
            // Of all that are not committed only the oldest can have had a commit before: it goes on.
            match if file.is_clean() {
                Ok(file)
            } else {
                file.rolled_back()
            } {
                Ok(file) => self.files.current = Some(file),
                Err(name) => self.names.iter_mut().for_each(|names| names.give_back(&name)),
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.files.full.is_empty() {
            true => self.roll_time(),
            false => Some(Instant::now()),
        }
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        if self.roll_time().is_some_and(|time| time <= Instant::now()) {
            self.files.fill()?;
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
