//! One file: where its reading stands, and whether it is still what was read. `reading` reads it.

use super::identity::{Fingerprint, Identity, born};
use crate::event::BatchBuilder;
use crate::say;
use crate::source::accepted::Accepted;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// See the module.
pub struct Tracked {
    /// What makes it this file.
    pub identity: Identity,
    /// Its group.
    pub group: usize,
    /// The directory that it is in, or was.
    pub directory: usize,
    /// The path under which it matched last.
    pub path: PathBuf,
    /// Its path leads to it; else it was renamed to what does not match, or deleted.
    pub is_here: bool,
    /// It is to be read.
    pub is_dirty: bool,
    /// Open, unless there was nothing to read for long.
    pub file: Option<File>,
    /// The number that it is watched by, where its directory is not enough.
    pub watch: Option<i32>,
    /// When something new was found in it last.
    pub progress: Instant,
    /// Its size and the time of its last change, when it was looked at last.
    pub seen: (u64, i128),
    /// Its header map, encoded.
    pub(super) head: Vec<u8>,
    /// Up to here events were cut; and handed on.
    pub(super) pos: u64,
    pub(super) submitted: u64,
    pub(super) accepted: Accepted,
    /// When it was made, where that is known.
    pub born: Option<u64>,
    pub(super) fingerprint: Fingerprint,
    /// The rest of a line that is too long is passed over.
    pub(super) skipping: bool,
    /// It could not be read, and is tried again.
    pub has_failed: bool,
}

/// When a file was changed, in nanoseconds.
fn changed(metadata: &Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Size and time of change.
pub fn seen(metadata: &Metadata) -> (u64, i128) {
    (metadata.len(), changed(metadata))
}

impl Tracked {
    /// A file that is read from this position on.
    pub fn new(
        identity: Identity,
        path: &Path,
        place: (usize, usize),
        pos: u64,
        fingerprint: Fingerprint,
    ) -> Self {
        let (group, directory) = place;
        Tracked {
            identity,
            group,
            directory,
            path: path.to_path_buf(),
            is_here: true,
            is_dirty: false,
            file: None,
            watch: None,
            progress: Instant::now(),
            seen: (pos, 0),
            head: vec![0],
            pos,
            submitted: pos,
            accepted: Accepted::from(pos),
            born: None,
            fingerprint,
            skipping: false,
            has_failed: false,
        }
    }

    /// Headers of all its events.
    pub fn set_headers<'h>(&mut self, headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone) {
        let mut one = BatchBuilder::new();
        one.push(headers, b"");
        // Without the body, whose length takes the last byte.
        let batch = one.finish();
        self.head = batch.encoded()[..batch.bytes() - 1].to_vec();
    }

    /// Up to where its events were accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.position()
    }

    /// Everything that was handed on was accepted.
    pub fn is_settled(&self) -> bool {
        self.accepted() >= self.submitted
    }

    /// How it begins, as far as it was read.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Bytes that it had beyond what was read.
    pub fn unread(&self) -> u64 {
        self.seen.0.saturating_sub(self.pos)
    }

    /// The open file, opened if it was not. An error if the path leads to another one by now.
    fn open(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let file = File::open(&self.path)?;
            if Identity::of(&file.metadata()?) != self.identity {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "it is another file by now",
                ));
            }
            // The system may read ahead more than it would; that it does not is no failure.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Open it and see whether it is still the content that was read: else it begins anew.
    pub(super) fn look(&mut self, longest: u64, name: &str) -> io::Result<u64> {
        let (pos, fingerprint, then) = (self.pos, self.fingerprint, self.born);
        let file = self.open()?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let now = born(&metadata);
        let fits = size >= pos && now == then.or(now) && fingerprint.fits(file)?;
        let start = if fits { pos } else { first_data(file)? };
        // Where it was begun in the middle, or by somebody who notes less.
        let known = longest.min(pos);
        let beginning = match fits && fingerprint.length < known {
            true => Fingerprint::of(file, known)?,
            false => fingerprint,
        };
        if (size, changed(&metadata)) != self.seen {
            self.progress = Instant::now();
        }
        self.fingerprint = beginning;
        if !fits {
            self.tell_anew(size, name);
            self.begin_at(start);
        }
        self.born = now;
        self.seen = seen(&metadata);
        Ok(size)
    }

    fn tell_anew(&self, size: u64, name: &str) {
        let (path, pos, unread) = (self.path.display(), self.pos, self.unread());
        let what = match size < pos {
            true => format!(
                "{path} has {size} bytes, and {pos} of it were read: it was cut off, and is read from its start"
            ),
            false => format!("{path} has another beginning: it is read from its start"),
        };
        match unread {
            0 => say::info(name, what),
            unread => say::warn(
                name,
                format!("{what}; {unread} bytes of what it was were not read"),
            ),
        }
    }

    /// Everything before this counts as accepted; what is under way belongs to what the file was.
    fn begin_at(&mut self, pos: u64) {
        self.pos = pos;
        self.submitted = pos;
        self.accepted = Accepted::from(pos);
        self.fingerprint = Fingerprint::default();
        self.skipping = false;
    }
}

/// Where the data of a file begins. A writer that did not notice that its file was cut off writes on where it was,
/// and leaves a hole of zeros in front.
fn first_data(file: &File) -> io::Result<u64> {
    let mut start = rustix::fs::seek(file, rustix::fs::SeekFrom::Data(0)).unwrap_or(0);
    let mut buffer = vec![0; 4096];
    loop {
        let filled = file.read_at(&mut buffer, start)?;
        match buffer[..filled].iter().position(|byte| *byte != 0) {
            Some(at) => return Ok(start + at as u64),
            None if filled == 0 => return Ok(0),
            None => start += filled as u64,
        }
    }
}
