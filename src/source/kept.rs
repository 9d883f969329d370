//! Small files in which sources keep how far they are: one process has one at a time, and it is replaced whole or not at
//! all.

use crate::exit::StageError;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that we hold the lock of.
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
        replace(&self.path, bytes).map_err(|error| {
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
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, ".lock"))
        .map_err(|error| failed(path, "cannot be locked", &error))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(StageError::Temporary(format!(
            "the position file {} is in use by another source: each needs its own (--position-file)",
            path.display()
        ))),
        Err(error) => Err(failed(path, "cannot be locked", &error.into())),
    }
}

/// The bytes of a position file; `None` if it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, StageError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "cannot be read", &error)),
    }
}

/// The file of this name with something behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Write a file beside and put it in the place of the other.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = beside(path, ".tmp");
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // It would keep the space that somebody lacks.
        let _ = fs::remove_file(&temporary);
    }
    written
}
