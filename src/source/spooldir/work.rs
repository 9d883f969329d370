//! The work of the source: files are listed, read, and done with when they are accepted.

use super::content::Content;
use super::ending::{End, Ending};
use super::files::{Candidate, Identity, Order, Rules};
use super::reading::{InWork, Limits, Wake};
use super::tracker::{self, Found, Tracker};
use super::{ConsumeOrder, SpoolDir};
use crate::codec::deserializer::Headers;
use crate::exit::{StageError, StageResult};
use crate::kept;
use crate::metrics::{Count, Counters};
use crate::say;
use crate::stage::obstacle::{is_readable, is_writable, may_be_made};
use crate::stage::{ChannelProcessor, Obstacle, Status};
use rustix::fs::{Access, Mode, OFlags};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Files that are read and not accepted at most.
const UNDER_WAY: usize = 64;
/// How long to wait for an acceptance before looking at other things.
const LOOK: Duration = Duration::from_millis(50);
/// The lock of a directory.
const LOCK: &str = ".flumespool.lock";

/// The state of a source that runs.
pub struct Work {
    rules: Rules,
    ending: Ending,
    counters: Arc<Counters>,
    limits: Limits,
    poll_delay: Duration,
    /// In the order in which they are read. The last one may be at it.
    files: VecDeque<InWork>,
    /// Files to read next.
    list: VecDeque<Candidate>,
    /// When it was made, how long that took, and whether anything of it could be opened.
    listed: Option<(Instant, Duration, bool)>,
    /// Files that could not be opened, of which it was told.
    unopened: HashSet<PathBuf>,
    tracker_path: PathBuf,
    /// That of the first file.
    tracker: Option<Tracker>,
    /// A position from an earlier run, and that its file is there.
    found: Option<Found>,
    /// Files that are set aside, and could not be given another name.
    set_aside: HashMap<PathBuf, Identity>,
    /// Files that are done with, and could not be given another name or removed.
    done: Vec<InWork>,
    /// Files that were set aside in this run.
    faulty: u64,
    /// There is nothing to read any more.
    is_over: bool,
    wake: Arc<Wake>,
    has_warned: HashSet<&'static str>,
    /// Held as long as the source runs.
    _lock: File,
}

/// What would be in the way of a start: told by `check --deep`.
pub fn look(settings: &SpoolDir) -> Vec<Obstacle> {
    let directory: PathBuf = settings.spool_dir.components().collect();
    let tracker_dir = directory.join(&settings.tracker_dir);
    let ending = Ending::new(settings, directory.clone(), tracker_dir.clone());
    let mut is_usable = is_readable(&directory);
    if ending.changes_names() {
        is_usable = is_usable.and_then(|()| is_writable(&directory));
    }
    if let Err(why) = is_usable {
        let what = format!("spoolDir is {}: {why}", directory.display());
        return vec![Obstacle::fatal("spoolDir", what)];
    }
    let may_be_made = may_be_made(&tracker_dir).err();
    let what = |why| format!("trackerDir is {}: {why}", tracker_dir.display());
    let found = may_be_made.map(|why| Obstacle::fatal("trackerDir", what(why)));
    found.into_iter().collect()
}

impl Work {
    /// Look at the directories and at what an earlier run has left.
    pub fn begin(settings: &SpoolDir, counters: &Arc<Counters>) -> Result<Work, StageError> {
        // As Java writes a path.
        let directory: PathBuf = settings.spool_dir.components().collect();
        let failed = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
            StageError::Failed(format!("{what} {} {error}", path.display()))
        };
        let there = std::fs::metadata(&directory)
            .map_err(|error| failed("spoolDir", &directory, &format!("cannot be read: {error}")))?;
        if !there.is_dir() {
            return Err(failed("spoolDir", &directory, &"is no directory"));
        }
        let tracker_dir = directory.join(&settings.tracker_dir);
        let ending = Ending::new(settings, directory.clone(), tracker_dir.clone());
        if ending.changes_names() {
            rustix::fs::access(&directory, Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|error| failed("spoolDir", &directory, &format!("cannot be written to: {error}")))?;
        }
        let cannot =
            |error: io::Error| failed("trackerDir", &tracker_dir, &format!("cannot be used: {error}"));
        std::fs::create_dir_all(&tracker_dir).map_err(cannot)?;
        let lock = kept::lock_file(&tracker_dir.join(LOCK)).map_err(cannot)?;
        let lock = lock.ok_or_else(|| {
            StageError::Temporary(format!(
                "spoolDir {} is read by another source already: each needs its own",
                directory.display()
            ))
        })?;
        let mut work = Work {
            rules: Rules {
                directory,
                recursive: settings.recursive_directory_search,
                include: settings.include_pattern.clone(),
                ignore: settings.ignore_pattern.clone(),
                suffixes: ending.suffixes(),
                order: match settings.consume_order {
                    ConsumeOrder::Oldest => Order::Oldest,
                    ConsumeOrder::Youngest => Order::Youngest,
                    ConsumeOrder::Random => Order::Random,
                },
                unreadable: HashSet::new(),
                name: counters.name().to_string(),
            },
            ending,
            counters: counters.clone(),
            limits: Limits {
                events: settings.batch_size,
                bytes: settings.batch_bytes.0 as usize,
            },
            poll_delay: settings.poll_delay.0,
            files: VecDeque::new(),
            list: VecDeque::new(),
            listed: None,
            unopened: HashSet::new(),
            tracker_path: tracker_dir.join(tracker::NAME),
            tracker: None,
            found: None,
            set_aside: HashMap::new(),
            done: Vec::new(),
            faulty: 0,
            is_over: false,
            wake: Arc::default(),
            has_warned: HashSet::new(),
            _lock: lock,
        };
        work.look_at_tracker();
        Ok(work)
    }

    /// A file that was read in part by an earlier run is the first one.
    fn look_at_tracker(&mut self) {
        let path = self.tracker_path.display().to_string();
        let found = match tracker::read(&self.tracker_path) {
            Ok(Some(found)) => found,
            Ok(None) => return drop(kept::remove(&self.tracker_path)),
            Err(error) => {
                say::error(
                    self.counters.name(),
                    format!(
                        "the position in {path} is lost: {error}; a file that was read in part comes again"
                    ),
                );
                return;
            }
        };
        let below = Path::new(std::ffi::OsStr::from_bytes(&found.file)).strip_prefix(&self.rules.directory);
        let below = below.ok().filter(|below| {
            let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
            below.components().all(is_plain)
        });
        let candidate = below.map(|below| Candidate::at(&self.rules.directory, below.to_path_buf()));
        match candidate.filter(|candidate| candidate.path.is_file()) {
            Some(candidate) if !self.ending.is_known(&candidate.below) => {
                self.list.push_back(candidate);
                self.found = Some(found);
            }
            // It was done with, and only its position was left.
            _ => drop(kept::remove(&self.tracker_path)),
        }
    }

    /// Do what there is to do.
    pub fn step(&mut self, settings: &SpoolDir, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        self.note_progress();
        let is_reading = self.files.back().is_some_and(InWork::is_read);
        if !is_reading && self.files.len() < UNDER_WAY {
            self.open_next(settings);
        }
        if let Some(file) = self.files.back_mut().filter(|file| file.is_read()) {
            file.step(self.limits, to, &self.wake)?;
            return Ok(Status::Ready);
        }
        if !self.files.is_empty() {
            to.flush()?;
            self.wake.wait(LOOK);
            return Ok(Status::Ready);
        }
        if !settings.until_empty {
            return Ok(Status::BackOff);
        }
        self.is_over = true;
        Ok(Status::Finished)
    }

    /// Whether all that was there has been handed on, once it is over. What was handed on is safe either way.
    pub fn outcome(&self) -> StageResult {
        let directory = self.rules.directory.display();
        let (done, unopened) = (self.done.len(), self.unopened.len());
        let failed = |what: String| Err(StageError::Failed(what));
        match self.is_over {
            true if self.has_warned.contains("list") => {
                failed(format!("spoolDir {directory} cannot be read"))
            }
            true if done > 0 => Err(StageError::Temporary(format!(
                "{done} files of spoolDir {directory} were read and cannot be marked as done: they would come again"
            ))),
            true if unopened > 0 => failed(format!(
                "{unopened} files of spoolDir {directory} could not be opened and are left there"
            )),
            true if self.faulty > 0 => failed(format!(
                "{} files of spoolDir {directory} were set aside: not all that is in them was handed on",
                self.faulty
            )),
            _ => Ok(()),
        }
    }

    /// Open the next file, if there is one.
    fn open_next(&mut self, settings: &SpoolDir) {
        loop {
            self.list_if_due();
            let Some(candidate) = self.list.pop_front() else {
                return;
            };
            if self.is_under_way(&candidate.below) {
                continue;
            }
            match self.open(&candidate, settings) {
                Ok(file) => {
                    self.unopened.remove(&candidate.below);
                    if let Some((.., has_opened)) = &mut self.listed {
                        *has_opened = true;
                    }
                    return self.files.push_back(file);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.unopened.remove(&candidate.below);
                }
                Err(error) => self.leave_unopened(candidate, &error),
            }
        }
    }

    fn is_under_way(&self, below: &Path) -> bool {
        let mut files = self.files.iter().chain(&self.done);
        files.any(|file| file.candidate.below == below)
    }

    fn list_if_due(&mut self) {
        let is_due = match self.listed {
            None => self.list.is_empty(),
            // The position of an earlier run comes first, and the list is made then.
            Some((when, took, has_opened)) => {
                let since = when.elapsed();
                let may = since >= self.poll_delay.max(10 * took);
                match self.list.is_empty() {
                    true => has_opened || may,
                    // Somebody younger may have come.
                    false => self.rules.order == Order::Youngest && may,
                }
            }
        };
        if !is_due {
            return;
        }
        let start = Instant::now();
        let (ending, set_aside) = (&self.ending, &self.set_aside);
        let under_way: HashSet<&Path> = self
            .files
            .iter()
            .chain(&self.done)
            .map(|file| file.candidate.below.as_path())
            .collect();
        let known = |below: &Path| {
            under_way.contains(below) || set_aside.contains_key(below) || ending.is_known(below)
        };
        match self.rules.list(known) {
            Ok(found) => {
                let unopened = std::mem::take(&mut self.unopened);
                let still = found.iter().map(|candidate| &candidate.below);
                self.unopened = still.filter(|below| unopened.contains(*below)).cloned().collect();
                self.list = found.into();
                self.has_warned.remove("list");
            }
            Err(error) => {
                let directory = self.rules.directory.display().to_string();
                self.warn_once("list", format!("spoolDir {directory} cannot be read: {error}"));
            }
        }
        self.listed = Some((start, start.elapsed(), false));
    }

    /// It stays in the directory, and is tried again when that is listed the next time.
    fn leave_unopened(&mut self, candidate: Candidate, error: &io::Error) {
        if self.unopened.insert(candidate.below) {
            let path = candidate.path.display();
            say::warn(
                self.counters.name(),
                format!("{path} cannot be opened: {error}; it is tried again"),
            );
        }
    }

    fn warn_once(&mut self, what: &'static str, sentence: String) {
        if self.has_warned.insert(what) {
            say::warn(self.counters.name(), sentence);
        }
    }

    fn open(&mut self, candidate: &Candidate, settings: &SpoolDir) -> io::Result<InWork> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::open(&candidate.path, flags, Mode::empty())?);
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let identity = Identity::of(&meta);
        let mut start = 0;
        if let Some(found) = self
            .found
            .take_if(|found| found.file == candidate.path.as_os_str().as_bytes())
        {
            start = found.offset;
            let before = found.identity.filter(|before| !before.has_content_of(&identity));
            if let Some(difference) = before.and_then(|before| before.difference(&identity)) {
                let fault = format!("it has changed since it was read up to byte {start}: {difference}");
                return Ok(InWork::faulty(candidate.clone(), identity, file, fault));
            }
            say::info(
                self.counters.name(),
                format!("{} goes on at byte {start}", candidate.path.display()),
            );
        }
        let content = Content::open(file.try_clone()?, identity.size, settings.decompresses());
        let content = match content {
            Ok(content) => content,
            Err(error) => {
                let fault = format!("it cannot be read: {error}");
                return Ok(InWork::faulty(candidate.clone(), identity, file, fault));
            }
        };
        let deserializer = settings.new_deserializer().map_err(io::Error::other)?;
        let headers = headers(candidate, settings);
        Ok(InWork::new(
            candidate.clone(),
            identity,
            file,
            start,
            content,
            deserializer,
            headers,
        ))
    }

    /// Be done with files that are accepted, from the first on, and note the position in the first that is not.
    pub fn note_progress(&mut self) {
        self.retry_done();
        while let Some(file) = self.files.front() {
            if file.is_read() || !file.is_accepted() {
                break;
            }
            if let Some(file) = self.files.pop_front() {
                self.finish(file);
            }
        }
        if let Err(error) = self.note_position() {
            let path = self.tracker_path.display();
            let sentence = format!(
                "the position cannot be written to {path}: {error}; after a restart events come again"
            );
            self.warn_once("tracker", sentence);
        }
    }

    fn note_position(&mut self) -> io::Result<()> {
        let Some(file) = self.files.front().filter(|file| file.fault.is_none()) else {
            return Ok(());
        };
        let position = file.accepted.position();
        if position <= file.start && self.tracker.is_none() {
            return Ok(());
        }
        let tracker = self.tracker.get_or_insert_with(|| {
            let name = file.candidate.path.as_os_str().as_bytes().to_vec();
            Tracker::new(self.tracker_path.clone(), name, file.identity, file.start)
        });
        tracker.note(position)
    }

    /// All of a file is accepted, or what could be read of it.
    fn finish(&mut self, file: InWork) {
        let name = self.counters.name().to_string();
        let path = file.candidate.path.display().to_string();
        let ended = match file.fault.clone().or_else(|| self.ending.difference(&file)) {
            Some(fault) => {
                self.counters.add(Count::EventReadFail, 1);
                self.counters.add(Count::GenericProcessingFail, 1);
                self.faulty += 1;
                let set_aside = self.ending.set_aside(&file, &fault);
                let handed_on = match (&file.fault, file.was_read) {
                    (Some(_), true) => {
                        "what stands in front of that was handed on, and nothing behind it".into()
                    }
                    (Some(_), false) => "nothing of it was handed on in this run".into(),
                    (None, _) => format!(
                        "events up to byte {} were handed on, and nothing behind that",
                        file.accepted.position()
                    ),
                };
                let place = match &set_aside {
                    Ok(place) => format!("it is set aside as {}", place.display()),
                    Err(error) => format!("it is left where it is, since it cannot be set aside: {error}"),
                };
                say::error(&name, format!("{path}: {fault}; {handed_on}: {place}"));
                let is_there = std::fs::metadata(&file.candidate.path).map(|meta| Identity::of(&meta));
                if set_aside.is_err() && is_there.is_ok_and(|now| now.inode == file.identity.inode) {
                    self.set_aside.insert(file.candidate.below.clone(), file.identity);
                }
                Ok(())
            }
            None => self.end(file),
        };
        if let Err((error, file)) = ended {
            say::error(
                &name,
                format!(
                    "{path} was read, but cannot be marked as done: {error}; this is tried again, and after a restart it would come again"
                ),
            );
            self.done.push(*file);
        }
        // The position is that of this file, or of an earlier run.
        let removed = self.tracker.take().map_or_else(|| Ok(()), Tracker::remove);
        if self.found.is_none() {
            let _ = removed.and_then(|()| match self.tracker_path.exists() {
                true => kept::remove(&self.tracker_path),
                false => Ok(()),
            });
        }
    }

    fn end(&mut self, file: InWork) -> Result<(), (io::Error, Box<InWork>)> {
        match self.ending.end(&file) {
            Ok(End::As(place)) => {
                let (path, place) = (file.candidate.path.display(), place.display());
                say::warn(
                    self.counters.name(),
                    format!("a file was done with under this name before: {path} is {place} now"),
                );
                Ok(())
            }
            Ok(End::Replaced) => {
                say::warn(
                    self.counters.name(),
                    format!(
                        "another file has taken the name {} while that was read: it is read, too",
                        file.candidate.path.display()
                    ),
                );
                Ok(())
            }
            Ok(End::Quiet) => Ok(()),
            Err(error) => Err((error, Box::new(file))),
        }
    }

    fn retry_done(&mut self) {
        let due = self
            .listed
            .is_none_or(|(when, ..)| when.elapsed() >= self.poll_delay);
        if self.done.is_empty() || !due {
            return;
        }
        for file in std::mem::take(&mut self.done) {
            if let Err((_, file)) = self.end(file) {
                self.done.push(*file);
            }
        }
    }
}

fn headers(candidate: &Candidate, settings: &SpoolDir) -> Headers {
    let mut pairs = Vec::new();
    if settings.file_header {
        let path = std::path::absolute(&candidate.path).unwrap_or_else(|_| candidate.path.clone());
        pairs.push((
            settings.file_header_key.clone().into_bytes(),
            path.as_os_str().as_bytes().to_vec(),
        ));
    }
    if settings.basename_header {
        let name = candidate.path.file_name().unwrap_or_default();
        pairs.push((
            settings.basename_header_key.clone().into_bytes(),
            name.as_bytes().to_vec(),
        ));
    }
    Headers::new(pairs)
}
