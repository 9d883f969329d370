//! The position file: Flume's JSON, read and written, and what ours notes beside it.
//!
//! Flume's file is one array of objects with exactly `inode`, `pos` and `file`. Ours is an object in a second file,
//! with the device and the fingerprint of each file, and with those that are read to their end though they match no
//! more. Flume never sees it; without the first file it counts for nothing.

use super::identity::{Fingerprint, Identity};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The version of the file beside.
const VERSION: u32 = 1;

/// What Flume notes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its inode.
    pub inode: u64,
    /// Bytes up to where its lines were accepted.
    pub pos: u64,
    /// Its absolute path.
    pub file: String,
}

/// What ours notes beside that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct More {
    /// Its device.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// As [`Entry::pos`].
    pub pos: u64,
    /// Bytes that it had when it was last looked at.
    pub size: u64,
    /// The path under which it matched.
    pub file: String,
    /// The bytes of a path that is no UTF-8, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// When it was made, in nanoseconds since 1970, where the file system knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<u64>,
    /// Length and CRC32C of its beginning.
    #[serde(default)]
    pub fingerprint: (u64, u32),
    /// It was renamed or deleted, and is read to its end.
    #[serde(default)]
    pub left: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    version: u32,
    files: Vec<More>,
}

/// Everything that is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its inode.
    pub inode: u64,
    /// Its device, if ours wrote it.
    pub device: Option<u64>,
    /// The path under which it matched.
    pub path: PathBuf,
    /// Up to where its lines were accepted.
    pub pos: u64,
    /// Bytes that it had, as far as is known.
    pub size: u64,
    /// When it was made, as far as is known.
    pub born: Option<u64>,
    /// How it begins.
    pub fingerprint: Fingerprint,
    /// Only Flume has noted something since the fingerprint was: it may be of a file before this one.
    pub is_old: bool,
    /// See [`More::left`].
    pub left: bool,
}

impl Record {
    /// What is known of a file of this identity.
    pub fn new(identity: Identity, path: &Path, pos: u64) -> Record {
        Record {
            inode: identity.inode,
            device: Some(identity.device),
            path: path.to_path_buf(),
            pos,
            size: pos,
            born: None,
            fingerprint: Fingerprint::default(),
            is_old: false,
            left: false,
        }
    }

    fn entry(&self) -> Entry {
        Entry {
            inode: self.inode,
            pos: self.pos,
            file: self.path.to_string_lossy().into_owned(),
        }
    }

    fn more(&self, device: u64) -> More {
        let is_text = self.path.to_str().is_some();
        More {
            device,
            inode: self.inode,
            pos: self.pos,
            size: self.size,
            file: self.path.to_string_lossy().into_owned(),
            path: (!is_text).then(|| hex(self.path.as_os_str().as_bytes())),
            born: self.born,
            fingerprint: (self.fingerprint.length, self.fingerprint.crc),
            left: self.left,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<PathBuf> {
    let digit = |c: u8| char::from(c).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
            _ => None,
        })
        .collect();
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes?)))
}

/// The two files for these.
pub fn write(records: &[Record]) -> (Vec<u8>, Vec<u8>) {
    let entries: Vec<Entry> = records
        .iter()
        .filter(|record| !record.left)
        .map(Record::entry)
        .collect();
    let more = |record: &Record| Some(record.more(record.device?));
    let beside = Beside {
        version: VERSION,
        files: records.iter().filter_map(more).collect(),
    };
    // Texts and numbers can always be written.
    let flumes = serde_json::to_vec(&entries).unwrap_or_default();
    (flumes, serde_json::to_vec(&beside).unwrap_or_default())
}

/// What the two files say together; the error is the end of a sentence about the first.
pub fn read(flumes: &[u8]) -> Result<Vec<Record>, String> {
    if flumes.trim_ascii().is_empty() {
        return Err("is empty, as Flume may leave it behind when a disk is full".into());
    }
    if !flumes.trim_ascii_start().starts_with(b"[") {
        return Err(
            "is no array of objects such as {\"inode\":17,\"pos\":12,\"file\":\"/var/log/a.log\"}".into(),
        );
    }
    let entries: Vec<Entry> =
        serde_json::from_slice(flumes).map_err(|error| format!("cannot be used: {error}"))?;
    Ok(entries.into_iter().map(of_entry).collect())
}

fn of_entry(entry: Entry) -> Record {
    Record {
        inode: entry.inode,
        device: None,
        path: PathBuf::from(entry.file),
        pos: entry.pos,
        size: entry.pos,
        born: None,
        fingerprint: Fingerprint::default(),
        is_old: false,
        left: false,
    }
}

/// Add what the second file knows: of files in the first, and those that were left. The error is the end of a
/// sentence about the second.
pub fn add_more(records: &mut Vec<Record>, beside: &[u8]) -> Result<(), String> {
    let beside: Beside =
        serde_json::from_slice(beside).map_err(|error| format!("cannot be used: {error}"))?;
    if beside.version != VERSION {
        return Err(format!(
            "has version {}, and this flume knows {VERSION}",
            beside.version
        ));
    }
    for more in beside.files {
        let path = match &more.path {
            Some(digits) => unhex(digits).ok_or("has a \"path\" that is no hexadecimal number")?,
            None => PathBuf::from(&more.file),
        };
        let lossy = Path::new(OsStr::new(&more.file));
        let known = records.iter_mut().find(|record| {
            record.device.is_none()
                && record.inode == more.inode
                && (record.path == lossy || record.path == path)
        });
        let fingerprint = Fingerprint {
            length: more.fingerprint.0,
            crc: more.fingerprint.1,
        };
        if fingerprint.length > Fingerprint::LONGEST {
            return Err(format!("has a fingerprint of {} bytes", fingerprint.length));
        }
        match known {
            Some(record) => {
                record.device = Some(more.device);
                record.path = path;
                record.size = more.size.max(record.pos);
                record.born = more.born;
                record.fingerprint = fingerprint;
                record.is_old = record.pos != more.pos;
            }
            None if more.left => records.push(Record {
                inode: more.inode,
                device: Some(more.device),
                path,
                pos: more.pos,
                size: more.size,
                born: more.born,
                fingerprint,
                is_old: false,
                left: true,
            }),
            // Somebody took it out of Flume's file.
            None => {}
        }
    }
    Ok(())
}
