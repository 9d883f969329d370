//! What makes a file the one that it was, whatever it is called now.

use crate::wire::{crc32c, crc32c_and};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::UNIX_EPOCH;

/// Device and inode. A file that is deleted leaves its own to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The device.
    pub device: u64,
    /// The inode, which is all that Flume notes.
    pub inode: u64,
}

impl Identity {
    /// Of the file with this metadata.
    pub fn of(metadata: &Metadata) -> Self {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// When a file was made, in nanoseconds since 1970, where the file system knows: no other file with its inode has the
/// same.
pub fn born(metadata: &Metadata) -> Option<u64> {
    let since = metadata.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// How a file begins: its first bytes never change while it only grows, so another content shows by them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Bytes that it is of.
    pub length: u64,
    /// Their CRC32C.
    pub crc: u32,
}

impl Fingerprint {
    /// Bytes that one is of at most.
    pub const LONGEST: u64 = 64 << 10;

    /// Of the first bytes of a file, or of all that it has.
    pub fn of(file: &File, length: u64) -> io::Result<Fingerprint> {
        let mut bytes = vec![0; length.min(Self::LONGEST) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Fingerprint {
            length: filled as u64,
            crc: crc32c(&bytes[..filled]),
        })
    }

    /// With the bytes that follow.
    pub fn and(&self, more: &[u8]) -> Fingerprint {
        let length = more.len() as u64;
        Fingerprint {
            length: self.length + length,
            crc: crc32c_and(self.crc, crc32c(more), length),
        }
    }

    /// Nothing can be told from it.
    pub fn is_none(&self) -> bool {
        self.length == 0
    }

    /// The file still begins so.
    pub fn fits(&self, file: &File) -> io::Result<bool> {
        Ok(self.is_none() || Fingerprint::of(file, self.length)? == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_fits_while_a_file_grows_and_not_when_its_beginning_is_another() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"one\n", 0).unwrap();
        let short = Fingerprint::of(&file, 1024).unwrap();
        assert_eq!(short.length, 4);
        assert_eq!(Fingerprint::default().and(b"on").and(b"e\n"), short);
        file.write_all_at(b"two\n", 4).unwrap();
        assert!(short.fits(&file).unwrap());
        file.write_all_at(b"O", 0).unwrap();
        assert!(!short.fits(&file).unwrap());
        file.set_len(3).unwrap();
        assert!(!short.fits(&file).unwrap());
        assert!(Fingerprint::default().fits(&file).unwrap());
    }
}
