//! The position file on the disk: one process has it at a time, and it is replaced whole or not at all.

use super::groups::{Group, expanded};
use super::positions::{self, Record};
use crate::exit::StageError;
use crate::kept::{Outlives, beside, lock, read, replace};
use crate::stage::obstacle::file_may_be_made;
use crate::wire::crc32c;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The word for a position file of the groups' own.
pub const AUTO: &str = "auto";
/// Characters of a path in the name of such a file.
const NAME: usize = 100;

/// A position file that we hold the lock of.
pub struct Store {
    path: PathBuf,
    _lock: File,
    /// What was written last.
    written: (Vec<u8>, Vec<u8>),
}

/// Where positions are kept, as the setting says.
pub fn place(setting: &str, groups: &[Group]) -> PathBuf {
    if setting != AUTO {
        return expanded(setting);
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute());
    let directory = state
        .unwrap_or_else(|| expanded("~/.local/state"))
        .join("flume/taildir");
    let path_of = |group: &Group| format!("{}/{}", group.directory.display(), group.pattern.source());
    let all: Vec<String> = groups.iter().map(path_of).collect();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '_'
        }
    };
    let shown: String = all
        .first()
        .into_iter()
        .flat_map(|path| path.chars())
        .map(plain)
        .take(NAME)
        .collect();
    let digits = crc32c(all.join("\n").as_bytes());
    directory.join(format!("{}-{digits:08x}.json", shown.trim_matches('_')))
}

impl Store {
    /// Lock the position file and read what it says.
    pub fn open(path: &Path) -> Result<(Store, Vec<Record>), StageError> {
        let lock = lock(path)?;
        let written = (read(path)?, read(&beside(path, ".more"))?);
        let records = match &written {
            (None, _) => Vec::new(),
            (Some(flumes), more) => records(path, flumes, more.as_deref())?,
        };
        let store = Store {
            path: path.to_path_buf(),
            _lock: lock,
            written: (written.0.unwrap_or_default(), written.1.unwrap_or_default()),
        };
        Ok((store, records))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Note these. Nothing is written where nothing has changed.
    pub fn note(&mut self, records: &[Record]) -> io::Result<()> {
        let (flumes, more) = positions::write(records);
        // Ours first: it may know more than the other, never less.
        let beside = beside(&self.path, ".more");
        if more != self.written.1 {
            replace(&beside, &more, Outlives::PowerCuts)?;
            self.written.1 = more;
        }
        if flumes != self.written.0 {
            replace(&self.path, &flumes, Outlives::PowerCuts)?;
            self.written.0 = flumes;
        }
        Ok(())
    }
}

/// Could it be opened? The error is a sentence; nothing is written and nothing locked.
pub fn look(path: &Path) -> Result<(), String> {
    let shown = path.display();
    file_may_be_made(path).map_err(|why| format!("positionFile is {shown}: {why}"))?;
    let read = read(path).and_then(|flumes| Ok((flumes, read(&beside(path, ".more"))?)));
    match read.map_err(|error| error.to_string())? {
        (None, _) => Ok(()),
        (Some(flumes), more) => records(path, &flumes, more.as_deref())
            .map(drop)
            .map_err(|error| error.to_string()),
    }
}

/// Never a silent start from the beginning: what cannot be understood ends the start.
fn records(path: &Path, flumes: &[u8], more: Option<&[u8]>) -> Result<Vec<Record>, StageError> {
    let bad = |path: &Path, why: String, then: &str| {
        StageError::Failed(format!(
            "the position file {} {why}; mend it, or remove it to {then}",
            path.display()
        ))
    };
    let mut records =
        positions::read(flumes).map_err(|why| bad(path, why, "have all files read from their start"))?;
    if let Some(more) = more {
        positions::add_more(&mut records, more)
            .map_err(|why| bad(&beside(path, ".more"), why, "go by paths and inodes alone"))?;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::taildir::identity::{Fingerprint, Identity};
    use crate::value::Word;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    fn record(inode: u64, path: &str, pos: u64) -> Record {
        Record::new(Identity { device: 7, inode }, Path::new(path), pos)
    }

    fn open_error(path: &Path) -> String {
        match Store::open(path) {
            Ok(_) => panic!("{} was taken", path.display()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn file_is_flumes_and_what_is_beside_it_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/positions.json");
        let (mut store, records) = Store::open(&path).unwrap();
        assert!(records.is_empty());
        let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"/var/log/\xff.log"));
        let mut written = vec![
            record(2_496_272, "/var/log/a.log", 12),
            record(u64::MAX, "/x", 0),
            record(3, "/x", 4),
        ];
        written[0].fingerprint = Fingerprint { length: 12, crc: 99 };
        written[1].path = odd;
        written[2].left = true;
        written[2].size = 40;
        store.note(&written).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(r#"[{"inode":2496272,"pos":12,"file":"/var/log/a.log"},{"inode":1844"#),
            "{text}"
        );
        assert!(!text.contains(r#""pos":4"#), "{text}");
        drop(store);
        let (_, read) = Store::open(&path).unwrap();
        assert_eq!(read, written);
    }

    #[test]
    fn without_the_first_file_the_second_counts_for_nothing_and_without_an_entry_its_own_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        let (mut store, _) = Store::open(&path).unwrap();
        store.note(&[record(1, "/a", 5), record(2, "/b", 6)]).unwrap();
        drop(store);
        fs::write(&path, r#"[ {"file":"/a", "pos":7, "inode":1} ]"#).unwrap();
        let (_, read) = Store::open(&path).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].pos, read[0].device, read[0].is_old), (7, Some(7), true));
        fs::remove_file(&path).unwrap();
        assert!(Store::open(&path).unwrap().1.is_empty());
    }

    #[test]
    fn second_source_with_the_same_file_is_told_to_take_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        let _first = Store::open(&path).unwrap();
        assert!(open_error(&path).contains("in use by another source"));
    }

    #[test]
    fn what_cannot_be_understood_is_told_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        for (text, expected) in [
            ("", "is empty"),
            ("{}", "is no array"),
            ("[{\"inode\":1,\"pos\":2", "EOF while parsing"),
            (r#"[{"inode":1,"pos":2}]"#, "missing field `file`"),
            (r#"[{"inode":1,"pos":-2,"file":"/a"}]"#, "line 1 column 20"),
            (
                r#"[{"inode":1,"pos":2,"file":"/a","device":3}]"#,
                "unknown field `device`",
            ),
            (r#"[{"inode":1,"pos":2,"file":"/a"}] x"#, "trailing characters"),
        ] {
            fs::write(&path, text).unwrap();
            let why = open_error(&path);
            assert!(why.contains(expected) && why.contains("remove it to"), "{why}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, "[]").unwrap();
        for (text, expected) in [
            ("", "cannot be used"),
            (r#"{"version":2,"files":[]}"#, "version 2"),
            (r#"{"version":1,"files":[],"more":1}"#, "unknown field `more`"),
        ] {
            fs::write(beside(&path, ".more"), text).unwrap();
            let why = open_error(&path);
            assert!(why.contains(expected) && why.contains("p.more"), "{why}");
        }
    }

    #[test]
    fn failed_replacement_leaves_the_old_file_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        let (mut store, _) = Store::open(&path).unwrap();
        store.note(&[record(1, "/a", 5)]).unwrap();
        let before = fs::read(&path).unwrap();
        // A directory in the way, which fails for root as well.
        fs::create_dir(beside(&path, ".more.tmp")).unwrap();
        store.note(&[record(1, "/a", 6)]).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::remove_dir(beside(&path, ".more.tmp")).unwrap();
        store.note(&[record(1, "/a", 6)]).unwrap();
        assert_ne!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn position_file_of_the_groups_own_differs_with_them() {
        let of = |path: &str| {
            let groups = super::super::groups::groups(&[Word(path.into())], None, &[], &[], None).unwrap();
            place(AUTO, &groups)
        };
        let one = of(r"/var/log/app/.*\.log");
        assert!(
            one.to_string_lossy()
                .contains("flume/taildir/var_log_app_.__.log-"),
            "{}",
            one.display()
        );
        assert_ne!(one, of(r"/var/log/app/.*.log"));
        assert_eq!(one, of(r"/var/log/app/.*\.log"));
    }
}
