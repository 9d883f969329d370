//! The position in a file that is not read to its end, as Flume keeps it: `.flumespool-main.meta`, an Avro container of
//! records with one number, of which the last counts; its entry `file` is the path.
//!
//! Ours has two entries more, the size and the time of change of the file when it was opened, so that a change is seen
//! across a restart. Flume passes them over.

use super::files::Identity;
use crate::codec::avro::{HEAD, header};
use crate::event::{put_bytes, put_long};
use crate::kept::{self, Outlives};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The name of the file in the directory of the tracker.
pub const NAME: &str = ".flumespool-main.meta";
const SCHEMA: &str = r#"{"type":"record","name":"TransferStateFileMeta","namespace":"org.apache.flume.serialization","fields":[{"name":"offset","type":"long"}]}"#;
const IDENTITY: &[u8] = b"flume.identity";
/// Bytes at which it is written anew, with the last position alone.
const LARGE: u64 = 1 << 20;

/// A position, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path of the file, as bytes.
    pub file: Vec<u8>,
    /// Up to where it is accepted.
    pub offset: u64,
    /// What the file was when it was opened, if ours wrote it.
    pub identity: Option<Identity>,
}

/// Writes the position of one file.
pub struct Tracker {
    path: PathBuf,
    file: Vec<u8>,
    identity: Identity,
    marker: [u8; 16],
    open: Option<(File, u64)>,
    offset: u64,
}

/// What a tracker says; `None` if there is none, or it is empty, as a full disk leaves it.
pub fn read(path: &Path) -> io::Result<Option<Found>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(64 << 20).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let damaged = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "it is no position of a spooling directory",
        )
    };
    decode(&bytes).map(Some).ok_or_else(damaged)
}

/// What the bytes of a tracker say. A last record that is cut off does not count; without records it is 0.
pub fn decode(bytes: &[u8]) -> Option<Found> {
    let (start, marker, entries) = header(bytes.get(..bytes.len().min(HEAD))?)?;
    let entry = |name: &[u8]| {
        entries
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    };
    if entry(b"avro.codec").is_some_and(|codec| codec != b"null") {
        return None;
    }
    let file = entry(b"file")?.to_vec();
    let identity = entry(IDENTITY).and_then(Identity::decode);
    let mut offset = 0;
    let mut rest = bytes.get(start as usize..)?;
    while let Some((last, behind)) = block(rest, &marker) {
        offset = last.unwrap_or(offset);
        rest = behind;
    }
    Some(Found {
        file,
        offset,
        identity,
    })
}

/// The last number of a block, and what is behind it; `None` if it is not whole.
fn block<'b>(bytes: &'b [u8], marker: &[u8; 16]) -> Option<(Option<u64>, &'b [u8])> {
    use crate::codec::avro::take_long;
    let mut rest = bytes;
    let count = take_long(&mut rest)?;
    let length = usize::try_from(take_long(&mut rest)?).ok()?;
    let (mut data, behind) = rest.split_at_checked(length)?;
    let behind = behind.strip_prefix(marker)?;
    let mut last = None;
    for _ in 0..count {
        last = Some(u64::try_from(take_long(&mut data)?).ok()?);
    }
    Some((last, behind))
}

impl Tracker {
    /// For this file, in the place of whatever is there. It is written with the first position.
    pub fn new(path: PathBuf, file: Vec<u8>, identity: Identity, offset: u64) -> Tracker {
        Tracker {
            path,
            file,
            identity,
            marker: *b"flume-spooldir-1",
            open: None,
            offset,
        }
    }

    /// Note a position.
    pub fn note(&mut self, offset: u64) -> io::Result<()> {
        if offset == self.offset && self.open.is_some() {
            return Ok(());
        }
        self.offset = offset;
        match &mut self.open {
            Some((file, size)) if *size < LARGE => {
                let block = self::encoded(offset, &self.marker);
                *size += block.len() as u64;
                file.write_all(&block)
            }
            _ => self.write_anew(),
        }
    }

    /// The whole file, under another name first.
    fn write_anew(&mut self) -> io::Result<()> {
        let mut bytes = b"Obj\x01".to_vec();
        let identity = self.identity.encode();
        let entries: [(&[u8], &[u8]); 4] = [
            (b"avro.schema", SCHEMA.as_bytes()),
            (b"avro.codec", b"null"),
            (b"file", &self.file),
            (IDENTITY, &identity),
        ];
        put_long(&mut bytes, entries.len() as i64);
        for (name, value) in entries {
            put_bytes(&mut bytes, name);
            put_bytes(&mut bytes, value);
        }
        put_long(&mut bytes, 0);
        bytes.extend_from_slice(&self.marker);
        bytes.extend_from_slice(&encoded(self.offset, &self.marker));
        // A kill leaves one of the two; one that a power cut has emptied is read as none.
        let file = kept::replace(&self.path, &bytes, Outlives::Kills)?;
        self.open = Some((file, bytes.len() as u64));
        Ok(())
    }

    /// The file is done with.
    pub fn remove(self) -> io::Result<()> {
        match self.open {
            Some(_) => kept::remove(&self.path),
            None => Ok(()),
        }
    }
}

/// A block of one record.
fn encoded(offset: u64, marker: &[u8; 16]) -> Vec<u8> {
    let (mut record, mut block) = (Vec::new(), Vec::new());
    put_long(&mut record, offset as i64);
    put_long(&mut block, 1);
    put_bytes(&mut block, &record);
    block.extend_from_slice(marker);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDENTITY: Identity = Identity {
        device: 1,
        inode: 2,
        size: 3,
        changed_ns: -4,
    };

    #[test]
    fn last_position_counts_and_one_that_is_cut_off_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        assert_eq!(read(&path).unwrap(), None);
        let mut tracker = Tracker::new(path.clone(), b"/spool/a".to_vec(), IDENTITY, 0);
        for offset in [7, 100, 123_456_789] {
            tracker.note(offset).unwrap();
            let found = read(&path).unwrap().unwrap();
            assert_eq!((found.offset, found.identity), (offset, Some(IDENTITY)));
            assert_eq!(found.file, b"/spool/a");
        }
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(decode(&bytes[..bytes.len() - 1]).unwrap().offset, 100);
        let records = apache_avro::Reader::new(&bytes[..]).unwrap();
        assert_eq!(records.count(), 3);
        tracker.remove().unwrap();
        assert!(!path.exists());
        std::fs::write(&path, b"").unwrap();
        assert_eq!(read(&path).unwrap(), None, "a full disk leaves an empty one");
        std::fs::write(&path, b"what is this").unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn tracker_that_has_become_large_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        let mut tracker = Tracker::new(path.clone(), b"a".to_vec(), IDENTITY, 0);
        for offset in 0..60_000 {
            tracker.note(offset).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() < 2 * LARGE);
        assert_eq!(read(&path).unwrap().unwrap().offset, 59_999);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_position_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let mut like = b"Obj\x01\x02\x08file\x02a\x00".to_vec();
            like.extend(bytes);
            let _ = decode(&like);
        }
    }
}
