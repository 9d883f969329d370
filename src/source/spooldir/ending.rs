//! What becomes of a file that is done with, or that is set aside.

use super::files::Identity;
use super::reading::InWork;
use super::{DeletePolicy, SpoolDir, TrackingPolicy};
use crate::kept::{self, Outlives, beside};
use crate::say;
use rustix::fs::{AtFlags, CWD, RenameFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Quiet,
    /// Under another name than that which it should have, which is taken.
    As(PathBuf),
    /// Its name is that of another file now.
    Replaced,
}

/// What is done at the end of a file.
pub struct Ending {
    directory: PathBuf,
    tracker_dir: PathBuf,
    suffix: String,
    quarantine: String,
    deletes: bool,
    marks: bool,
    /// Files that are marked and have changed since, of which it was told.
    told: Mutex<HashSet<PathBuf>>,
}

impl Ending {
    /// As the settings want it.
    pub fn new(settings: &SpoolDir, directory: PathBuf, tracker_dir: PathBuf) -> Ending {
        Ending {
            directory,
            tracker_dir,
            suffix: settings.file_suffix.clone(),
            quarantine: settings.quarantine_suffix.clone(),
            deletes: settings.delete_policy == DeletePolicy::Immediate,
            marks: settings.tracking_policy == TrackingPolicy::TrackerDir,
            told: Mutex::default(),
        }
    }

    /// Names in the directory change.
    pub fn changes_names(&self) -> bool {
        self.deletes || !self.marks
    }

    /// Ends of names of files that are done with.
    pub fn suffixes(&self) -> Vec<Vec<u8>> {
        vec![
            self.suffix.clone().into_bytes(),
            self.quarantine.clone().into_bytes(),
        ]
    }

    fn mark(&self, below: &Path, suffix: &str) -> PathBuf {
        beside(&self.tracker_dir.join(below), suffix)
    }

    /// It is marked as done with, or as set aside. One that has changed since is told, once: its content was not read.
    pub fn is_known(&self, below: &Path) -> bool {
        if !self.marks {
            return false;
        }
        let marks = [self.mark(below, &self.suffix), self.mark(below, &self.quarantine)];
        let Some(mark) = marks.into_iter().find(|mark| mark.exists()) else {
            return false;
        };
        let marked = std::fs::read(&mark)
            .ok()
            .and_then(|text| Identity::decode(first_line(&text)));
        let now = std::fs::metadata(self.directory.join(below));
        // The marks of Flume say nothing of the file.
        if let (Some(marked), Ok(now)) = (marked, now)
            && !marked.has_content_of(&Identity::of(&now))
        {
            let mut told = self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if told.insert(below.to_path_buf()) {
                say::error(
                    "source spooldir",
                    format!(
                        "{} was done with and has other content now, which is not read: remove {} to have it read",
                        self.directory.join(below).display(),
                        mark.display()
                    ),
                );
            }
        }
        true
    }

    /// What is no longer as it was when the file was opened.
    pub fn difference(&self, file: &InWork) -> Option<String> {
        let now = Identity::of(&file.file.metadata().ok()?);
        let difference = file.identity.difference(&now)?;
        Some(format!("it changed while it was read: {difference}"))
    }

    /// Be done with a file that was accepted.
    pub fn end(&self, file: &InWork) -> io::Result<End> {
        let path = &file.candidate.path;
        match name_of(file)? {
            // Somebody has taken it away; all that it had was handed on.
            Named::Nothing => return Ok(End::Quiet),
            Named::Another => return Ok(End::Replaced),
            Named::It => {}
        }
        if self.deletes {
            std::fs::remove_file(path)?;
            return Ok(End::Quiet);
        }
        if self.marks {
            return self.put_mark(&self.mark(&file.candidate.below, &self.suffix), file, "");
        }
        let wanted = beside(path, &self.suffix);
        let place = rename_free(path, &wanted)?;
        Ok(if place == wanted {
            End::Quiet
        } else {
            End::As(place)
        })
    }

    /// Set a file aside that is not as it should be; where it is then.
    pub fn set_aside(&self, file: &InWork, why: &str) -> io::Result<PathBuf> {
        if self.changes_names() {
            let path = &file.candidate.path;
            if !matches!(name_of(file)?, Named::It) {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "its name is gone, or that of another file",
                ));
            }
            return rename_free(path, &beside(path, &self.quarantine));
        }
        let mark = self.mark(&file.candidate.below, &self.quarantine);
        self.put_mark(&mark, file, why)?;
        Ok(mark)
    }

    fn put_mark(&self, mark: &Path, file: &InWork, why: &str) -> io::Result<End> {
        if let Some(parent) = mark.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let identity = file
            .file
            .metadata()
            .map_or(file.identity, |meta| Identity::of(&meta));
        let mut text = identity.encode().to_vec();
        text.extend_from_slice(format!("\n{why}").trim_end().as_bytes());
        text.push(b'\n');
        kept::replace(mark, &text, Outlives::Kills)?;
        Ok(End::Quiet)
    }
}

/// What the name of a file stands for now.
enum Named {
    It,
    Another,
    Nothing,
}

fn name_of(file: &InWork) -> io::Result<Named> {
    match std::fs::symlink_metadata(&file.candidate.path) {
        Ok(meta) => {
            let now = Identity::of(&meta);
            let is_it = (now.device, now.inode) == (file.identity.device, file.identity.inode);
            Ok(if is_it { Named::It } else { Named::Another })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Named::Nothing),
        Err(error) => Err(error),
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// Rename to a name that is free: the one wanted, or that with a number in front of its suffix. Nothing is replaced.
fn rename_free(path: &Path, wanted: &Path) -> io::Result<PathBuf> {
    let mut place = wanted.to_path_buf();
    for number in 1.. {
        match rename_new(path, &place) {
            Err(Errno::EXIST) => {
                let suffix =
                    &wanted.as_os_str().to_string_lossy()[path.as_os_str().to_string_lossy().len()..];
                place = beside(path, &format!(".{number}{suffix}"));
            }
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(place),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot: the second name first, then the first one goes.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
            rustix::fs::unlinkat(CWD, from, AtFlags::empty())
        }
        other => other,
    }
}
