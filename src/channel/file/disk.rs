//! The file system, as far as promises rest on it. Everything whose loss would lose events goes through
//! [`Disk`]; the mapped tables do not, since they are hints that can be rebuilt from what is here.
//!
//! The trait has one real implementation. It is shaped so that another one can forget what was not synced,
//! tear and reorder it, fail and fill up.

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// Parts that one call may write.
const PARTS: usize = 1024;

/// An open file. All calls are whole or an error, except that a read at the end is short.
pub trait DiskFile: Send + Sync {
    /// Write all parts, one behind the other.
    fn write_at(&self, parts: &mut [IoSlice<'_>], at: u64) -> io::Result<()>;
    /// Append at most `most` bytes from `at` to `to`, fewer only at the end of the file.
    fn read_at(&self, to: &mut Vec<u8>, most: usize, at: u64) -> io::Result<()>;
    /// What was written is on the disk when this returns well. After a failure nothing is known of what was
    /// written since the last good one.
    fn sync(&self) -> io::Result<()>;
    /// Set room aside, so that a later write there does not find the disk full.
    fn reserve(&self, at: u64, length: u64) -> io::Result<()>;
    /// Cut off, giving back what was reserved behind.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Bytes.
    fn length(&self) -> io::Result<u64>;
    /// What tells this file from another one that took its name; and whether it still has a name.
    fn identity(&self) -> io::Result<(u64, bool)>;
}

/// A file system.
pub trait Disk: Send + Sync {
    /// A file that must not be there yet.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// A file to read only.
    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// A file to write over that is there.
    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// A directory and those above it, where they are missing.
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Names made and removed in a directory are on the disk when this returns well.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// A second name; an error if it is there already.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Another name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Remove a name.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Bytes that are free for us on the file system of a path.
    fn free(&self, path: &Path) -> io::Result<u64>;
    /// Milliseconds since 1970. May jump in both directions.
    fn clock_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }
}

/// The real one.
pub struct RealDisk;

impl DiskFile for File {
    fn write_at(&self, mut parts: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        while !parts.is_empty() {
            let few = parts.len().min(PARTS);
            let some = parts[..few].iter().any(|part| !part.is_empty());
            match rustix::io::pwritev(self, &parts[..few], at) {
                Ok(0) if some => return Err(io::ErrorKind::WriteZero.into()),
                Ok(0) => parts = &mut parts[few..],
                Ok(count) => {
                    at += count as u64;
                    IoSlice::advance_slices(&mut parts, count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read_at(&self, to: &mut Vec<u8>, most: usize, at: u64) -> io::Result<()> {
        let (start, end) = (to.len(), to.len() + most);
        while to.len() < end {
            let offset = at + (to.len() - start) as u64;
            match super::shm::pread_onto(self, to, end - to.len(), offset) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn reserve(&self, at: u64, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), at, length) {
            // A file system without it: the write will say whether there is room.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            other => Ok(other?),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn identity(&self) -> io::Result<(u64, bool)> {
        let found = self.metadata()?;
        Ok((found.ino(), found.nlink() > 0))
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut how = File::options();
        how.read(true).write(true).create_new(true).mode(0o640);
        Ok(Arc::new(how.open(path)?))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::open(path)?))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::options().read(true).write(true).open(path)?))
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut how = std::fs::DirBuilder::new();
        how.recursive(true).mode(0o750).create(path)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn free(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}
