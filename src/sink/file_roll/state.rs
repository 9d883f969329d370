//! The small file beside a file in progress: how much of it is committed, and, by its lock, whether its
//! writer lives. See the head of [`super`] for the protocol.

use crate::codec::Tail;
use crate::kept;
use crate::wire::crc32c;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// Bytes of the record, newline included: one sector, so that it is written whole or not at all.
const RECORD: usize = 128;
const MAGIC: &str = "flume-file-roll-1";

/// The name of the file in progress.
pub fn data_name(name: &str) -> String {
    format!(".{name}.inprogress")
}

/// The name of the state beside it.
pub fn state_name(name: &str) -> String {
    format!(".{name}.state")
}

/// What the name of a state says it is the state of.
pub fn name_of_state(file: &str) -> Option<&str> {
    file.strip_prefix('.')?.strip_suffix(".state")
}

/// The committed length of a file, and how to find its last whole event behind that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The boot of the system in which it was written.
    pub boot: String,
    /// What can be seen from the content.
    pub tail: Tail,
    /// Bytes that are committed. Behind them may be more if the system itself went down, see `boot`.
    pub length: u64,
}

impl Record {
    fn now(tail: Tail, length: u64) -> Record {
        let boot = boot_id().to_string();
        Record { boot, tail, length }
    }

    fn encode(&self) -> Vec<u8> {
        let tail = match self.tail {
            Tail::Exact => "exact",
            Tail::Lines => "lines",
            Tail::AvroBlocks => "avro",
        };
        let (boot, length) = (&self.boot, self.length);
        let text = format!("{MAGIC} boot={boot} tail={tail} length={length}");
        let crc = crc32c(text.as_bytes());
        format!(
            "{:<width$}\n",
            format!("{text} crc={crc:08x}"),
            width = RECORD - 1
        )
        .into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Record> {
        let line = std::str::from_utf8(bytes).ok()?.trim_end();
        let (text, crc) = line.rsplit_once(" crc=")?;
        if u32::from_str_radix(crc, 16).ok()? != crc32c(text.as_bytes()) {
            return None;
        }
        let mut words = text.split(' ');
        if words.next()? != MAGIC {
            return None;
        }
        let boot = words.next()?.strip_prefix("boot=")?.to_string();
        let tail = match words.next()?.strip_prefix("tail=")? {
            "exact" => Tail::Exact,
            "lines" => Tail::Lines,
            "avro" => Tail::AvroBlocks,
            _ => return None,
        };
        let length = words.next()?.strip_prefix("length=")?.parse().ok()?;
        Some(Record { boot, tail, length })
    }

    /// Written since the system started: what was written to its files since is there.
    pub fn is_of_this_boot(&self) -> bool {
        self.boot != "-" && self.boot == boot_id()
    }
}

/// What the kernel calls this boot; "-" where it does not say.
fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let id = id.trim();
        let fits = (1..=36).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { id } else { "-" }.to_string()
    })
}

/// A state file that we hold the lock of.
pub struct StateFile {
    file: File,
    tail: Tail,
}

/// What came of trying to take over a state file.
pub enum Adopted {
    /// Its writer is dead. The record is `None` if there is none that is sound.
    Ours(StateFile, Option<Record>),
    /// Its writer lives, or it is gone.
    Not,
}

impl StateFile {
    /// The state of a new file of this name; `None` if there is one already.
    pub fn create(directory: &OwnedFd, name: &str, tail: Tail) -> io::Result<Option<StateFile>> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(directory, state_name(name), flags, Mode::from_raw_mode(0o666));
        let file = match opened {
            Err(Errno::EXIST) => return Ok(None),
            other => File::from(other?),
        };
        // Between the two calls somebody may have taken it for the state of a dead writer.
        if !is_locked_and_there(&file)? {
            return Ok(None);
        }
        let mut state = StateFile { file, tail };
        match state.note(0, tail, true) {
            Ok(()) => Ok(Some(state)),
            Err(error) => {
                state.remove(directory, name)?;
                Err(error)
            }
        }
    }

    /// Take over the state of a dead writer.
    pub fn adopt(directory: &OwnedFd, name: &str) -> io::Result<Adopted> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(directory, state_name(name), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Adopted::Not),
            other => File::from(other?),
        };
        if !is_locked_and_there(&file)? {
            return Ok(Adopted::Not);
        }
        let mut bytes = [0; RECORD];
        let record = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Record::decode(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let tail = record.as_ref().map_or(Tail::Exact, |record| record.tail);
        Ok(Adopted::Ours(StateFile { file, tail }, record))
    }

    /// What the record says of the content.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// Note a committed length; `sync` where it must outlive the system.
    pub fn note(&mut self, length: u64, tail: Tail, sync: bool) -> io::Result<()> {
        self.file.write_all_at(&Record::now(tail, length).encode(), 0)?;
        if sync {
            self.file.sync_data()?;
        }
        self.tail = tail;
        Ok(())
    }

    /// Remove the file. The lock goes with it.
    pub fn remove(self, directory: &OwnedFd, name: &str) -> io::Result<()> {
        unlink(directory, &state_name(name))
    }
}

/// Remove a file that may be gone already.
pub fn unlink(directory: &OwnedFd, file: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, file, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

fn is_locked_and_there(file: &File) -> io::Result<bool> {
    // Whoever had the lock before may have removed the file.
    Ok(kept::take_lock(file)? && rustix::fs::fstat(file)?.st_nlink > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_comes_back_and_a_flipped_bit_is_seen() {
        let record = Record::now(Tail::Lines, u64::MAX);
        assert!(record.is_of_this_boot());
        let bytes = record.encode();
        assert_eq!(bytes.len(), RECORD);
        assert_eq!(Record::decode(&bytes), Some(record.clone()));
        for at in 0..record.encode().trim_ascii_end().len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(Record::decode(&flipped), None, "bit at {at}");
        }
    }

    #[test]
    fn state_of_a_living_writer_is_not_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let fd = OwnedFd::from(File::open(&directory).unwrap());
        let state = StateFile::create(&fd, "a", Tail::Lines).unwrap().unwrap();
        assert!(StateFile::create(&fd, "a", Tail::Lines).unwrap().is_none());
        assert!(matches!(StateFile::adopt(&fd, "a").unwrap(), Adopted::Not));
        drop(state);
        let Adopted::Ours(_, record) = StateFile::adopt(&fd, "a").unwrap() else {
            panic!("nobody holds the lock")
        };
        assert_eq!(record, Some(Record::now(Tail::Lines, 0)));
    }
}
