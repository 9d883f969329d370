//! Files as a source: each a whole event, or the lines of those in a directory, which are put aside when all of
//! them was accepted.

use crate::event::Event;
use crate::exit::{StageError, StageResult};
use crate::source::batches::{Batches, Filling};
use crate::source::lines::{Cutting, Format, LineEnd, LongLines};
use crate::source::reading::{Read, Reading};
use crate::stage::{ChannelProcessor, PollableSource, Status};
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Bytes of a file that is one event at most: with its headers it must go into a frame.
const LARGEST: u64 = 60 << 20;

/// What becomes of a file of a directory when all of it was accepted.
pub(super) enum Finished {
    /// It gets this suffix.
    Renamed(String),
    /// It is moved to this directory.
    MovedTo(PathBuf),
}

/// See the module.
pub(super) struct Files {
    list: List,
    /// How a file is cut into events; `None` for one event a file.
    format: Option<Format>,
    long: LongLines,
    batches: Batches,
    basename_header: Option<String>,
    end: LineEnd,
    open: Option<Open>,
    /// Read to their ends and not accepted yet.
    waiting: VecDeque<Open>,
    filling: Filling,
    /// Whole files in the batch that fills.
    inside: Vec<PathBuf>,
    /// Whole files that were accepted, and those that were not yet.
    accepted: Arc<Mutex<Vec<PathBuf>>>,
    unaccepted: usize,
}

enum List {
    Given(VecDeque<PathBuf>),
    Directory(Directory),
}

struct Directory {
    path: PathBuf,
    finished: Finished,
    found: VecDeque<PathBuf>,
    /// Those that were taken and are still there under their names.
    taken: BTreeSet<PathBuf>,
}

struct Open {
    path: PathBuf,
    file: File,
    reading: Reading,
}

impl Files {
    /// These files, each of them an event.
    pub fn given(files: Vec<PathBuf>, long: LongLines, batches: Batches) -> Files {
        Self::new(List::Given(files.into()), None, long, batches)
    }

    /// The files of a directory.
    pub fn of_directory(
        path: PathBuf,
        finished: Finished,
        format: Option<Format>,
        long: LongLines,
        batches: Batches,
    ) -> Files {
        let directory = Directory {
            path,
            finished,
            found: VecDeque::new(),
            taken: BTreeSet::new(),
        };
        Self::new(List::Directory(directory), format, long, batches)
    }

    fn new(list: List, format: Option<Format>, long: LongLines, batches: Batches) -> Files {
        Files {
            list,
            format,
            long,
            filling: Filling::new(&batches),
            batches,
            basename_header: None,
            end: LineEnd::default(),
            open: None,
            waiting: VecDeque::new(),
            inside: Vec::new(),
            accepted: Arc::default(),
            unaccepted: 0,
        }
    }

    /// What ends a line.
    pub fn with_line_end(mut self, end: LineEnd) -> Files {
        self.end = end;
        self
    }

    /// Put the names of whole files into this header.
    pub fn named_in(mut self, header: Option<String>) -> Files {
        self.basename_header = header;
        self
    }

    fn next(&mut self) -> Result<Option<PathBuf>, StageError> {
        match &mut self.list {
            List::Given(files) => Ok(files.pop_front()),
            List::Directory(directory) => directory.next(),
        }
    }

    /// Put those aside that were accepted.
    fn put_aside(&mut self) -> StageResult {
        let done = std::mem::take(&mut *self.accepted.lock().unwrap_or_else(|p| p.into_inner()));
        self.unaccepted -= done.len();
        for path in done {
            self.finish(&path)?;
        }
        while self
            .waiting
            .front()
            .is_some_and(|open| open.reading.all_accepted())
        {
            if let Some(open) = self.waiting.pop_front() {
                self.finish(&open.path)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, path: &Path) -> StageResult {
        match &mut self.list {
            List::Given(_) => Ok(()),
            List::Directory(directory) => directory.finish(path),
        }
    }

    /// Read some of the file that is open; false when there is none any more.
    fn read_lines(&mut self, format: Format, to: &Arc<ChannelProcessor>) -> Result<bool, StageError> {
        if self.open.is_none() {
            let Some(path) = self.next()? else {
                return Ok(false);
            };
            let cutting = Cutting {
                format,
                end: self.end,
                long: self.long.clone(),
                schema_type: Default::default(),
            };
            let name = path.display().to_string();
            self.open = Some(Open {
                file: File::open(&path).map_err(|error| cannot_read(&path, error))?,
                reading: Reading::new(&self.batches, &cutting, &name, to),
                path,
            });
        }
        if let Some(open) = &mut self.open
            && open.reading.step(open.file.as_fd(), true, to)? == Read::End
        {
            open.reading.finish(to)?;
            self.waiting.extend(self.open.take());
        }
        Ok(true)
    }

    /// Make an event of the next file; false when there is none any more.
    fn read_whole(&mut self, to: &Arc<ChannelProcessor>) -> Result<bool, StageError> {
        let Some(path) = self.next()? else {
            self.submit(to)?;
            return Ok(false);
        };
        let mut event = Event::new(whole(&path)?);
        if let (Some(header), Some(name)) = (&self.basename_header, path.file_name()) {
            event.set_header(header, name.as_encoded_bytes());
        }
        self.filling.events.push_event(&event);
        self.inside.push(path);
        self.unaccepted += 1;
        if self.filling.is_full() {
            self.submit(to)?;
        }
        Ok(true)
    }

    fn submit(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        if self.filling.events.is_empty() {
            return Ok(());
        }
        let (inside, accepted) = (std::mem::take(&mut self.inside), self.accepted.clone());
        to.submit(self.filling.finish(), move || {
            accepted.lock().unwrap_or_else(|p| p.into_inner()).extend(inside);
        })
    }
}

fn cannot_read(path: &Path, error: std::io::Error) -> StageError {
    StageError::Failed(format!("{} cannot be read: {error}", path.display()))
}

fn whole(path: &Path) -> Result<Vec<u8>, StageError> {
    let file = File::open(path).map_err(|error| cannot_read(path, error))?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    match read.map_err(|error| cannot_read(path, error))? as u64 {
        0..=LARGEST => Ok(bytes),
        _ => Err(StageError::Failed(format!(
            "{} is larger than an event may be: {LARGEST} bytes",
            path.display()
        ))),
    }
}

impl Directory {
    /// The next file. When those that were found are used up it is looked for new ones.
    fn next(&mut self) -> Result<Option<PathBuf>, StageError> {
        if self.found.is_empty() {
            self.found = self.look().map_err(|error| cannot_read(&self.path, error))?;
        }
        let next = self.found.pop_front();
        self.taken.extend(next.clone());
        Ok(next)
    }

    /// Those that nobody has taken, the oldest first, of the same age by their names.
    fn look(&self) -> std::io::Result<VecDeque<PathBuf>> {
        let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            let is_done = matches!(&self.finished, Finished::Renamed(suffix) if name.ends_with(&**suffix));
            if name.starts_with('.') || is_done || self.taken.contains(&path) {
                continue;
            }
            // One that has gone meanwhile was somebody else's.
            match std::fs::metadata(&path) {
                Ok(meta) if meta.is_file() => found.push((meta.modified()?, path)),
                _ => {}
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Under its new name nobody takes it again. What has that name already is not replaced.
    fn finish(&mut self, path: &Path) -> StageResult {
        let name = path.file_name().unwrap_or_default();
        let to = match &self.finished {
            Finished::Renamed(suffix) => {
                let mut name = name.to_os_string();
                name.push(suffix);
                path.with_file_name(name)
            }
            Finished::MovedTo(directory) => directory.join(name),
        };
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        let moved = rustix::fs::renameat_with(rustix::fs::CWD, path, rustix::fs::CWD, &to, flags);
        self.taken.remove(path);
        moved.map_err(|error| {
            StageError::Failed(format!(
                "{} was accepted and cannot be renamed to {}: {error}",
                path.display(),
                to.display()
            ))
        })
    }

    fn check(&self) -> StageResult {
        let directories = match &self.finished {
            Finished::Renamed(suffix) if suffix.is_empty() || suffix.contains('/') => {
                return Err(StageError::Usage(format!(
                    "--file-suffix \"{suffix}\" does not tell a file that is done from one that is not"
                )));
            }
            Finished::Renamed(_) => vec![&self.path],
            Finished::MovedTo(to) => vec![&self.path, to],
        };
        for path in directories {
            if !path.is_dir() {
                return Err(StageError::Usage(format!("{} is no directory", path.display())));
            }
        }
        Ok(())
    }
}

impl PollableSource for Files {
    fn start(&mut self, _to: &Arc<ChannelProcessor>) -> StageResult {
        match &self.list {
            List::Given(files) => files.iter().try_for_each(|path| match File::open(path) {
                Ok(_) if path.is_dir() => {
                    Err(StageError::Usage(format!("{} is a directory", path.display())))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(StageError::Usage(format!(
                    "{} cannot be read: {error}",
                    path.display()
                ))),
            }),
            List::Directory(directory) => directory.check(),
        }
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        self.put_aside()?;
        let more = match self.format {
            Some(format) => self.read_lines(format, to)?,
            None => self.read_whole(to)?,
        };
        Ok(match more {
            true => Status::Ready,
            false => Status::Finished,
        })
    }

    fn stop(&mut self) -> StageResult {
        self.put_aside()?;
        let left = match &self.list {
            List::Given(files) => files.len(),
            List::Directory(directory) => directory.found.len(),
        };
        let unaccepted = self.unaccepted + self.waiting.len() + usize::from(self.open.is_some());
        match left + unaccepted {
            0 => Ok(()),
            files => Err(StageError::Temporary(format!(
                "stopped before everything was sent: {files} files were not, or not as a whole"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::{Outcome, Refusal};
    use crate::link::testing::Collect;
    use crate::source::lines::LongLine;
    use crate::stage::{Source, run_source};
    use crate::value::{Millis, Size};
    use std::time::Duration;

    fn settings() -> (LongLines, Batches) {
        let long = LongLines {
            max_line_length: Size(100),
            long_lines: LongLine::Split,
        };
        let batches = Batches {
            batch_size: 2,
            batch_bytes: Size(1000),
            batch_timeout: Millis(Duration::from_secs(60)),
        };
        (long, batches)
    }

    fn directory(path: &Path, finished: Finished, format: Option<Format>) -> Files {
        let (long, batches) = settings();
        Files::of_directory(path.to_path_buf(), finished, format, long, batches)
    }

    fn run(files: Files, collect: &Collect) -> StageResult {
        let (to, _stop) = collect.processor("send");
        run_source(Source::Polled(Box::new(files)), &to)
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write(path: &Path, name: &str, text: &str, age_s: u64) {
        let file = File::create(path.join(name)).unwrap();
        std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_s))
            .unwrap();
    }

    #[test]
    fn files_of_a_directory_are_sent_the_oldest_first_and_renamed_when_accepted() {
        let at = tempfile::tempdir().unwrap();
        write(at.path(), "b", "1\n2\n3", 9);
        write(at.path(), "a", "4\n", 5);
        write(at.path(), "empty", "", 7);
        write(at.path(), ".hidden", "no\n", 7);
        write(at.path(), "old.COMPLETED", "no\n", 7);
        std::fs::create_dir(at.path().join("directory")).unwrap();
        let collect = Collect::accepting();
        let suffix = Finished::Renamed(".COMPLETED".into());
        assert_eq!(
            run(directory(at.path(), suffix, Some(Format::Line)), &collect),
            Ok(())
        );
        assert_eq!(collect.bodies(), ["1", "2", "3", "4"]);
        let expected = [
            ".hidden",
            "a.COMPLETED",
            "b.COMPLETED",
            "directory",
            "empty.COMPLETED",
            "old.COMPLETED",
        ];
        assert_eq!(names(at.path()), expected);
    }

    #[test]
    fn what_was_not_accepted_stays() {
        let at = tempfile::tempdir().unwrap();
        write(at.path(), "a", "1\n2\n3\n", 9);
        let collect = Collect::answering(Outcome::Refused(Refusal::reject("no")));
        for format in [Some(Format::Line), None] {
            let suffix = Finished::Renamed(".done".into());
            run(directory(at.path(), suffix, format), &collect).unwrap_err();
            assert_eq!(names(at.path()), ["a"]);
        }
    }

    #[test]
    fn whole_files_are_events_with_their_names_and_move_to_another_directory() {
        let (at, done) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, age) in [("x", 3), ("y", 2), ("z", 1)] {
            write(at.path(), name, &format!("{name}\n{name}\n"), age);
        }
        let collect = Collect::accepting();
        let files = directory(at.path(), Finished::MovedTo(done.path().to_path_buf()), None);
        assert_eq!(run(files.named_in(Some("basename".into())), &collect), Ok(()));
        assert_eq!(collect.bodies(), ["x\nx\n", "y\ny\n", "z\nz\n"]);
        assert_eq!(collect.events()[1].header("basename"), Some(&b"y"[..]));
        assert_eq!(
            (names(at.path()).len(), names(done.path())),
            (0, ["x", "y", "z"].map(String::from).to_vec())
        );
    }

    #[test]
    fn name_that_is_taken_is_not_replaced() {
        let at = tempfile::tempdir().unwrap();
        write(at.path(), "a", "new\n", 1);
        write(at.path(), "a.done", "old\n", 1);
        let suffix = Finished::Renamed(".done".into());
        let error = run(
            directory(at.path(), suffix, Some(Format::Line)),
            &Collect::accepting(),
        )
        .unwrap_err();
        assert!(
            error.to_string().contains("a cannot be renamed to")
                || error.to_string().contains("accepted and cannot"),
            "{error}"
        );
        assert_eq!(
            std::fs::read_to_string(at.path().join("a.done")).unwrap(),
            "old\n"
        );
    }

    #[test]
    fn file_that_is_larger_than_an_event_is_named() {
        let at = tempfile::tempdir().unwrap();
        let large = at.path().join("large");
        File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        let (long, batches) = settings();
        let error = run(Files::given(vec![large], long, batches), &Collect::accepting()).unwrap_err();
        assert!(
            error.to_string().contains("large is larger than an event"),
            "{error}"
        );
    }

    #[test]
    fn wrong_directories_are_found_before_anything_is_sent() {
        let at = tempfile::tempdir().unwrap();
        let none = at.path().join("none");
        let suffix = || Finished::Renamed(".x".into());
        for files in [
            directory(&none, suffix(), None),
            directory(at.path(), Finished::MovedTo(none.clone()), None),
            directory(at.path(), Finished::Renamed(String::new()), None),
        ] {
            assert_eq!(run(files, &Collect::accepting()).unwrap_err().status(), 2);
        }
    }
}
