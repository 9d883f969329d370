//! One file in progress: written, committed, taken back, completed.

use super::state::{StateFile, data_name, unlink};
use crate::codec::{EventSerializer, SerializeError, Tail};
use crate::event::{Batch, EventRef};
use crate::stage::SinkError;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes gathered before they are written.
const WRITE: usize = 1 << 20;

/// A file in progress. Dropped as it is, it stays behind as after a crash.
pub struct OpenFile {
    /// Its name once it is complete.
    name: String,
    /// For messages: the directory may have moved since.
    path: PathBuf,
    /// The directory itself, wherever it is now.
    directory: OwnedFd,
    data: File,
    state: StateFile,
    serializer: Box<dyn EventSerializer>,
    /// Serialized and not yet written.
    out: Vec<u8>,
    /// Bytes of the file that were written, and that are committed.
    written: u64,
    committed: u64,
    /// Events in it, and those that are committed.
    events: u64,
    committed_events: u64,
    /// There may be bytes behind `written`.
    is_torn: bool,
    /// Everything is in it that will be.
    is_ended: bool,
    /// It has its final name, which may not be safe yet.
    is_renamed: bool,
    /// When it was opened.
    pub opened: Instant,
}

impl OpenFile {
    /// A new file; `None` if the name is taken.
    pub fn create(
        directory: &Path,
        name: &str,
        mut serializer: Box<dyn EventSerializer>,
        mut out: Vec<u8>,
    ) -> io::Result<Option<OpenFile>> {
        let path = directory.join(name);
        let directory = open_directory(directory)?;
        let Some(state) = StateFile::create(&directory, name, serializer.tail())? else {
            return Ok(None);
        };
        let data = match create_data(&directory, name) {
            Ok(Some(data)) => data,
            other => {
                state.remove(&directory, name)?;
                return other.map(|_| None);
            }
        };
        out.clear();
        serializer.begin(&mut out);
        Ok(Some(OpenFile {
            name: name.to_string(),
            path,
            directory,
            data,
            state,
            serializer,
            out,
            written: 0,
            committed: 0,
            events: 0,
            committed_events: 0,
            is_torn: false,
            is_ended: false,
            is_renamed: false,
            opened: Instant::now(),
        }))
    }

    /// Bytes that it has or will have, before compression.
    pub fn size(&self) -> u64 {
        self.written + (self.out.len() + self.serializer.held()) as u64
    }

    /// Events written.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// It has events, and all of them are committed.
    pub fn is_clean(&self) -> bool {
        let is_written = self.out.is_empty() && self.serializer.held() == 0 && self.written == self.committed;
        is_written && self.events == self.committed_events && self.events > 0
    }

    /// Nothing more comes into it.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    #[cfg(test)]
    pub fn noted_tail(&self) -> Tail {
        self.state.tail()
    }

    /// Its format can hold the event; where it cannot, the file is complete and another one can.
    pub fn fits(&mut self, event: EventRef<'_>) -> bool {
        self.serializer.fits(event)
    }

    /// Its format has to be asked for each event whether it fits.
    pub fn looks_at_each(&self) -> bool {
        self.serializer.looks_at_each()
    }

    /// Write a batch.
    pub fn write_batch(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.serializer
            .write_batch(batch, &mut self.out)
            .map_err(refused)?;
        self.events += u64::from(batch.len());
        self.spill_if_full()
    }

    /// Write one event.
    pub fn write(&mut self, event: EventRef<'_>) -> Result<(), SinkError> {
        self.serializer.write(event, &mut self.out).map_err(refused)?;
        self.events += 1;
        self.spill_if_full()
    }

    /// Nothing more comes: write what belongs behind the events. Gives the buffer back.
    pub fn end(&mut self) -> Result<Vec<u8>, SinkError> {
        if !self.is_ended {
            self.serializer.end(&mut self.out).map_err(refused)?;
            self.is_ended = true;
        }
        self.spill()?;
        Ok(std::mem::take(&mut self.out))
    }

    /// Have everything safe that was written.
    pub fn commit(&mut self) -> Result<(), SinkError> {
        if self.is_clean() {
            return Ok(());
        }
        self.serializer.flush(&mut self.out).map_err(refused)?;
        self.spill()?;
        self.sync().map_err(|error| self.trouble(error))?;
        self.committed = self.written;
        self.committed_events = self.events;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        rustix::fs::fdatasync(&self.data)?;
        if self.is_deleted()? {
            let why = "somebody removed the file while it was written";
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let tail = self.serializer.tail();
        // A length that the content shows need not outlive the system: no second sync for each commit.
        self.state.note(self.written, tail, tail == Tail::Exact)
    }

    fn is_deleted(&self) -> io::Result<bool> {
        Ok(rustix::fs::fstat(&self.data)?.st_nlink == 0)
    }

    fn spill_if_full(&mut self) -> Result<(), SinkError> {
        match self.out.len() >= WRITE {
            true => self.spill(),
            false => Ok(()),
        }
    }

    fn spill(&mut self) -> Result<(), SinkError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.try_spill().map_err(|error| self.trouble(error))?;
        self.out.clear();
        self.out.shrink_to(4 * WRITE);
        Ok(())
    }

    fn try_spill(&mut self) -> io::Result<()> {
        if self.serializer.tail() == Tail::Exact && self.state.tail() != Tail::Exact {
            // From here on the content does not show where events end. That must be known first.
            self.state.note(self.committed, Tail::Exact, true)?;
        }
        if std::mem::replace(&mut self.is_torn, true) {
            self.data.set_len(self.written)?;
        }
        self.data.write_all_at(&self.out, self.written)?;
        self.written += self.out.len() as u64;
        self.is_torn = false;
        Ok(())
    }

    /// Take back what is not committed. If that is all of the file it is removed; its name then.
    pub fn rolled_back(mut self) -> Result<OpenFile, String> {
        if self.committed_events == 0 || self.is_deleted().unwrap_or(false) {
            return Err(self.remove());
        }
        self.serializer.discard();
        self.out.clear();
        self.written = self.committed;
        self.events = self.committed_events;
        self.is_ended = false;
        self.is_torn = self.data.set_len(self.written).is_err();
        Ok(self)
    }

    /// Remove a file that holds nothing that was accepted; its name. What resists is removed at a next start.
    pub fn remove(self) -> String {
        let removed = unlink(&self.directory, &data_name(&self.name));
        if removed.is_ok() {
            let _ = self.state.remove(&self.directory, &self.name);
        }
        self.name
    }

    /// Give an ended and committed file its final name. Safe only after [`OpenFile::finish`].
    pub fn rename(&mut self) -> Result<(), SinkError> {
        if self.is_renamed {
            return Ok(());
        }
        let renamed = self.try_rename().map_err(|error| self.trouble(error))?;
        if let Some(other) = renamed {
            let path = self.path.display();
            crate::say::warn(super::NAME, format!("{path} exists: the new one is {other}"));
        }
        self.is_renamed = true;
        Ok(())
    }

    fn try_rename(&mut self) -> io::Result<Option<String>> {
        if self.is_torn {
            self.data.set_len(self.written)?;
            rustix::fs::fdatasync(&self.data)?;
            self.is_torn = false;
        }
        if self.is_deleted()? {
            let why = format!(
                "{}: somebody removed it while it was written",
                self.path.display()
            );
            crate::say::warn(super::NAME, why);
            return Ok(None);
        }
        let found = rename_new(&self.directory, &data_name(&self.name), &self.name)?;
        Ok((found != self.name).then_some(found))
    }

    /// The final name is safe when this returns; the state is no longer needed.
    pub fn finish(&self) -> Result<(), SinkError> {
        rustix::fs::fsync(&self.directory).map_err(|error| self.trouble(error.into()))
    }

    /// Let go of a finished file.
    pub fn close(self) {
        // A state that stays is removed at a next start.
        let _ = self.state.remove(&self.directory, &self.name);
    }

    fn trouble(&self, error: io::Error) -> SinkError {
        SinkError::retry(format!("{}: {error}", self.path.display()))
    }
}

/// Create a directory with its parents, each safe in its own parent.
pub fn create_directory(path: &Path) -> io::Result<()> {
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
        rustix::fs::fsync(open_directory(parent)?)?;
    }
    Ok(())
}

/// The directory as a descriptor that stays with it when it is moved.
pub fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// The data file under its name in progress, safe in its directory; `None` if the name is taken.
fn create_data(directory: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Ok(None),
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o666);
    match rustix::fs::openat(directory, data_name(name), flags, mode) {
        Err(Errno::EXIST) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(data) => {
            rustix::fs::fsync(directory)?;
            Ok(Some(File::from(data)))
        }
    }
}

/// Rename to a name that is free: the one wanted, or else that with a number. Returns the name.
pub fn rename_new(directory: &OwnedFd, from: &str, wanted: &str) -> io::Result<String> {
    let mut name = wanted.to_string();
    for number in 1.. {
        match rename_to(directory, from, &name) {
            Err(Errno::EXIST) => name = numbered(wanted, number),
            other => return Ok(other.map(|()| name)?),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn rename_to(directory: &OwnedFd, from: &str, to: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE) {
        // A file system that cannot: the second name first, then the first one goes.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(directory, from, directory, to, AtFlags::empty())?;
            rustix::fs::unlinkat(directory, from, AtFlags::empty())
        }
        other => other,
    }
}

fn numbered(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}.{number}.{extension}"),
        None => format!("{name}.{number}"),
    }
}

fn refused(error: SerializeError) -> SinkError {
    match error {
        SerializeError::Decode(error) => error.into(),
        SerializeError::Format(reason) => SinkError::reject_batch(reason),
    }
}
