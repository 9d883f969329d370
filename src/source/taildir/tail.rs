//! All files of a source: which is read next. `idle` says what becomes of those to which nothing was added, and `noting`
//! when positions are noted.

use super::groups::Group;
use super::identity::Identity;
use super::positions::Record;
use super::reading::{Reader, Trouble, Turn};
use super::scan::Directory;
use super::standby::Standby;
use super::store::Store;
use super::tracked::Tracked;
use super::watch::{Wake, Watch};
use crate::exit::{StageError, StageResult};
use crate::fd;
use crate::metrics::Count;
use crate::say;
use crate::stage::{ChannelProcessor, Status};
use rustix::event::PollFlags;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The least time between two times that it is woken: a file that is written to all the time comes in batches.
const LEAST_PAUSE: Duration = Duration::from_millis(5);
/// Files that are kept open at most.
const MOST_OPEN: usize = 4096;

/// When what is done.
pub(super) struct Habits {
    /// After so long without anything new a file is closed.
    pub idle: Duration,
    /// And an event of several lines is complete.
    pub multiline: Option<Duration>,
    /// Between two writes of the positions.
    pub write: Duration,
    /// Between two looks that nobody asked for: the first, and what it grows by; the longest.
    pub look: (Duration, Duration),
    /// Directories are listed only when they have changed.
    pub caches: bool,
    /// New files at the start are read from their end.
    pub skips_to_end: bool,
    /// The header with the path.
    pub file_header: Option<String>,
    /// It ends when everything was read.
    pub until_end: bool,
}

/// See the module.
pub(super) struct Tail {
    pub habits: Habits,
    pub groups: Vec<Group>,
    pub directories: Vec<Directory>,
    pub files: HashMap<Identity, Tracked>,
    /// What the position file said of files that were not found yet.
    pub records: Vec<Record>,
    pub watch: Watch,
    pub is_starting: bool,
    /// How many may be open, and those that are.
    pub most_open: usize,
    pub open: usize,
    pub store: Store,
    pub reader: Reader,
    pub dirty: Vec<Identity>,
    /// Dirty ones in the order in which they are read.
    queue: VecDeque<Identity>,
    /// When directories are looked at unasked, and after what pause.
    look_at: Instant,
    pause: Duration,
    woken: Instant,
    /// When a file may be idle.
    pub care_at: Option<Instant>,
    /// When positions were noted, and whether there is something to note.
    pub noted: Instant,
    pub has_news: bool,
    /// Files have come or gone.
    pub has_moved: bool,
    /// Others are tracked than its second thread knows.
    pub has_others: bool,
    pub standby: Standby,
    pub note_failed: bool,
    /// Everything was read that was to be.
    pub is_over: bool,
}

impl Tail {
    /// Find the files and where they were left.
    pub fn start(
        groups: Vec<Group>,
        place: &Path,
        reader: Reader,
        habits: Habits,
        to: &Arc<ChannelProcessor>,
    ) -> Result<Tail, StageError> {
        let name = to.counters().name();
        let directories = super::scan::directories(&groups)?;
        let (store, records) = Store::open(place)?;
        let (watch, error) = Watch::new();
        if let Some(error) = error {
            say::warn(
                name,
                format!(
                    "the system does not tell of changes ({error}): files are looked at from time to time"
                ),
            );
        }
        let standby = Standby::start(groups.clone(), &directories, name);
        let now = Instant::now();
        let mut tail = Tail {
            standby,
            has_others: true,
            pause: habits.look.0,
            look_at: now + habits.look.0,
            habits,
            groups,
            directories,
            files: HashMap::new(),
            records,
            watch,
            is_starting: true,
            most_open: most_open(),
            open: 0,
            store,
            reader,
            dirty: Vec::new(),
            queue: VecDeque::new(),
            woken: now,
            care_at: None,
            noted: now,
            has_news: true,
            has_moved: true,
            note_failed: false,
            is_over: false,
        };
        tail.look_at_all(to);
        tail.is_starting = false;
        // Once more, for what was not met anywhere.
        tail.directories
            .iter_mut()
            .for_each(|directory| directory.is_stale = true);
        tail.look_at_stale(to);
        tail.forget_strangers(name);
        say::info(
            name,
            format!(
                "{} files are there; positions are noted in {}",
                tail.files.len(),
                tail.store.path().display()
            ),
        );
        tail.tell_empty(name);
        Ok(tail)
    }

    /// Read one file on, or wait until there is something to read.
    pub fn step(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        self.look(to);
        self.look_at_held(to);
        if self.queue.is_empty() {
            self.fill_queue();
        }
        if let Some(identity) = self.queue.pop_front() {
            self.read(identity, to)?;
            self.note_if_due(to.counters().name());
            return Ok(Status::Ready);
        }
        self.care(to)?;
        self.note_if_due(to.counters().name());
        if !self.dirty.is_empty() {
            return Ok(Status::Ready);
        }
        if self.habits.until_end && self.is_complete(to)? {
            self.is_over = true;
            self.tell_unended(to.counters().name());
            return Ok(Status::Finished);
        }
        to.flush()?;
        self.standby.rest();
        self.wait(to);
        Ok(Status::Ready)
    }

    /// This file has something new, as far as is known.
    pub fn mark(&mut self, identity: Identity) {
        if let Some(file) = self.files.get_mut(&identity)
            && !std::mem::replace(&mut file.is_dirty, true)
        {
            self.dirty.push(identity);
        }
    }

    /// What has changed since the last look.
    fn look(&mut self, to: &Arc<ChannelProcessor>) {
        let (mut changed, mut missed) = (Vec::new(), false);
        let (directories, groups) = (&mut self.directories, &mut self.groups);
        let files = &self.files;
        self.watch.drain(|wake| match wake {
            Wake::Changed(at, name) => match directories[at].names.get(name) {
                Some(identity) if files.contains_key(identity) => changed.push(*identity),
                Some(_) => directories[at].is_stale = true,
                None => {}
            },
            Wake::Named(at, name) => {
                if directories[at].concerns(name, groups) {
                    directories[at].is_stale = true;
                }
            }
            Wake::Directory(at) => {
                directories[at].is_watched = false;
                directories[at].is_stale = true;
            }
            Wake::File(identity) => changed.push(identity),
            Wake::Missed => missed = true,
        });
        for identity in changed {
            self.mark(identity);
        }
        if missed || Instant::now() >= self.look_at {
            self.look_at_all(to);
            self.pause = (self.pause + self.habits.look.0).min(self.habits.look.1);
            self.look_at = Instant::now() + self.pause;
        } else {
            self.look_at_stale(to);
        }
    }

    /// Flume's order: group after group, in each the file that was changed first.
    fn fill_queue(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        let files = &self.files;
        dirty.retain(|identity| files.contains_key(identity));
        dirty.sort_by_cached_key(|identity| {
            let file = &files[identity];
            // What was renamed or deleted was written before; so was, at the same time of a coarse clock, what has begun.
            (
                file.group,
                file.is_here,
                file.seen.1,
                file.accepted() == 0,
                file.path.clone(),
            )
        });
        self.queue = dirty.into();
    }

    fn read(&mut self, identity: Identity, to: &Arc<ChannelProcessor>) -> StageResult {
        let Some(file) = self.files.get_mut(&identity) else {
            return Ok(());
        };
        let was_open = file.file.is_some();
        file.is_dirty = false;
        let turn = file.turn(&mut self.reader, to);
        self.open = self.open - usize::from(was_open) + usize::from(file.file.is_some());
        self.has_news = true;
        match turn {
            Ok(Turn::End) => {
                file.has_failed = false;
                let after = match self.habits.multiline {
                    Some(multiline) if file.unread() > 0 => multiline.min(self.habits.idle),
                    _ => self.habits.idle,
                };
                self.care_by(Instant::now() + after);
                self.close_some();
            }
            Ok(Turn::More) => {
                file.is_dirty = true;
                self.queue.push_front(identity);
            }
            Ok(Turn::Others) => self.mark(identity),
            Err(trouble) => self.has_trouble(identity, trouble, to)?,
        }
        self.pause = self.habits.look.0;
        Ok(())
    }

    /// A file that cannot be read is left for the next look; the others go on.
    pub fn has_trouble(
        &mut self,
        identity: Identity,
        trouble: Trouble,
        to: &ChannelProcessor,
    ) -> StageResult {
        let error = match trouble {
            Trouble::Stage(error) => return Err(error),
            Trouble::File(error) => error,
        };
        let Some(file) = self.files.get_mut(&identity) else {
            return Ok(());
        };
        self.open -= usize::from(file.file.take().is_some());
        if error.kind() == std::io::ErrorKind::NotFound {
            // Listing its directory tells what has become of it.
            self.directories[file.directory].is_stale = true;
            return Ok(());
        }
        to.counters().add(Count::EventReadFail, 1);
        if !std::mem::replace(&mut file.has_failed, true) {
            say::warn(
                to.counters().name(),
                format!(
                    "{} cannot be read: {error}; it is tried again",
                    file.path.display()
                ),
            );
        }
        self.close_all_idle();
        Ok(())
    }

    /// Wait for a change, a stop, or something that is due.
    fn wait(&mut self, to: &ChannelProcessor) {
        let pause = LEAST_PAUSE.saturating_sub(self.woken.elapsed());
        if !pause.is_zero() && to.stop().sleep(pause) {
            return;
        }
        let mut until = self.look_at;
        until = self.care_at.map_or(until, |at| at.min(until));
        until = self.note_at().map_or(until, |at| at.min(until));
        match self.watch.fd() {
            // A failure to wait is a look too early.
            Some(fd) => drop(fd::wait(fd, PollFlags::IN, &[to.stop().bell()], Some(until))),
            None => drop(to.stop().sleep(until.saturating_duration_since(Instant::now()))),
        }
        self.woken = Instant::now();
    }

    /// Nobody can read a deleted file after us.
    pub fn read_deleted(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        self.look_at_held(to);
        for file in self.files.values_mut() {
            // Also one of which nobody has noticed it yet.
            if file.file.as_ref().is_none_or(has_name) {
                continue;
            }
            file.is_here = false;
            let read = loop {
                match file.turn(&mut self.reader, to) {
                    Ok(Turn::End) => break file.take_rest(false, &mut self.reader, to).map(drop),
                    Ok(Turn::More | Turn::Others) => {}
                    Err(trouble) => break Err(trouble),
                }
            };
            match read {
                Ok(()) => {}
                Err(Trouble::Stage(error)) => return Err(error),
                Err(Trouble::File(error)) => say::warn(
                    to.counters().name(),
                    format!(
                        "{}, which was deleted, cannot be read: {error}",
                        file.path.display()
                    ),
                ),
            }
        }
        Ok(())
    }
}

/// It was not deleted.
pub(super) fn has_name(file: &std::fs::File) -> bool {
    file.metadata()
        .is_ok_and(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) > 0)
}

/// Half of what the process may have, for others need some.
fn most_open() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit
        .map_or(MOST_OPEN, |limit| (limit / 2) as usize)
        .min(MOST_OPEN)
}
