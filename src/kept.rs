//! Small files in which a stage keeps how far it is: one process has one at a time, and what it says is replaced whole or
//! not at all.
//!
//! [`Kept`] is all of that for a position file. Who has a protocol of its own takes the parts: [`take_lock`], [`lock_file`],
//! [`beside`], [`replace`], [`remove`].

use crate::exit::StageError;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What a file has to outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlives {
    /// A kill of the process: after a power cut it may be empty.
    Kills,
    /// A power cut, too: it is synced before it takes the place of the other.
    PowerCuts,
}

/// A position file that we hold the lock of.
pub struct Kept {
    path: PathBuf,
    _lock: File,
    /// What was written last.
    written: Vec<u8>,
}

impl Kept {
    /// Lock it and read what it says; `None` if it is not there yet. Its directories are made.
    ///
    /// Errors: sentences that name the file; temporary if another process has it.
    pub fn open(path: &Path) -> Result<(Kept, Option<Vec<u8>>), StageError> {
        let lock = lock(path)?;
        let found = read(path)?;
        let kept = Kept {
            path: path.to_path_buf(),
            _lock: lock,
            written: found.clone().unwrap_or_default(),
        };
        Ok((kept, found))
    }

    /// Replace what it says. Nothing is written where nothing has changed. It is synced first: a power cut leaves one of
    /// the two.
    pub fn replace(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        if self.written == bytes {
            return Ok(());
        }
        replace(&self.path, bytes, Outlives::PowerCuts).map_err(|error| {
            StageError::Temporary(format!(
                "the position file {} cannot be written: {error}",
                self.path.display()
            ))
        })?;
        self.written = bytes.to_vec();
        Ok(())
    }
}

fn failed(path: &Path, what: &str, error: &io::Error) -> StageError {
    StageError::Failed(format!("the position file {} {what}: {error}", path.display()))
}

/// Make the directories of a position file and lock it, as long as the result lives.
pub fn lock(path: &Path) -> Result<File, StageError> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .map_err(|error| failed(path, "has no directory, and none can be made", &error))?;
    }
    let lock = lock_file(&beside(path, ".lock")).map_err(|error| failed(path, "cannot be locked", &error))?;
    lock.ok_or_else(|| {
        StageError::Temporary(format!(
            "the position file {} is in use by another source: each needs its own (--position-file)",
            path.display()
        ))
    })
}

/// The bytes of a position file; `None` if it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, StageError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "cannot be read", &error)),
    }
}

/// A file that is only a lock, made if it is not there; `None` if somebody else has it. It is held as long as the result
/// lives.
pub fn lock_file(path: &Path) -> io::Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    Ok(take_lock(&file)?.then_some(file))
}

/// Take the lock of an open file; false if somebody else has it.
pub fn take_lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The file of this name with something behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Write a file beside and put it in the place of the other; it is still open, behind its last byte.
pub fn replace(path: &Path, bytes: &[u8], outlives: Outlives) -> io::Result<File> {
    let temporary = beside(path, ".tmp");
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        if outlives == Outlives::PowerCuts {
            file.sync_data()?;
        }
        fs::rename(&temporary, path)?;
        Ok(file)
    })();
    if written.is_err() {
        // It would keep the space that somebody lacks.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Remove a file that may not be there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_of_one_at_a_time_and_is_replaced_or_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/position");
        let (mut kept, found) = Kept::open(&path).unwrap();
        assert_eq!(found, None);
        let error = Kept::open(&path).err().unwrap();
        assert_eq!(error.status(), 75);
        assert!(error.to_string().contains("--position-file"), "{error}");
        kept.replace(b"one").unwrap();
        // Nothing can be written beside it.
        fs::create_dir(beside(&path, ".tmp")).unwrap();
        assert_eq!(kept.replace(b"two").unwrap_err().status(), 75);
        kept.replace(b"one").unwrap();
        drop(kept);
        let (mut kept, found) = Kept::open(&path).unwrap();
        assert_eq!(found.as_deref(), Some(&b"one"[..]));
        fs::remove_dir(beside(&path, ".tmp")).unwrap();
        kept.replace(b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn what_replaces_is_open_behind_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let mut file = replace(&path, b"one", Outlives::Kills).unwrap();
        file.write_all(b" more").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one more");
        assert!(!beside(&path, ".tmp").exists());
        remove(&path).unwrap();
        remove(&path).unwrap();
    }
}
