//! The files of the directory: which there are to read, in which order, and what a file is known by.

use crate::pattern::Pattern;
use crate::say;
use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a file is known by: while it is read none of this may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The device and the number of the file on it.
    pub device: u64,
    /// See `device`.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub changed_ns: i128,
}

impl Identity {
    /// Of a file that is open, or of what has a path.
    pub fn of(meta: &Metadata) -> Identity {
        Identity {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            changed_ns: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
        }
    }

    /// As text, which is short.
    pub fn encode(&self) -> Vec<u8> {
        let Identity {
            device,
            inode,
            size,
            changed_ns,
        } = self;
        format!("device={device} inode={inode} size={size} changed={changed_ns}").into_bytes()
    }

    /// What [`Identity::encode`] wrote.
    pub fn decode(text: &[u8]) -> Option<Identity> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.trim_end().split(' ');
        let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        Some(Identity {
            device: value("device")?.parse().ok()?,
            inode: value("inode")?.parse().ok()?,
            size: value("size")?.parse().ok()?,
            changed_ns: value("changed")?.parse().ok()?,
        })
    }

    /// The same content, as far as that can be seen: a copy of a file system may have other numbers.
    pub fn has_content_of(&self, other: &Identity) -> bool {
        (self.size, self.changed_ns) == (other.size, other.changed_ns)
    }

    /// What is no longer as it was, as a part of a sentence; `None` if nothing is.
    pub fn difference(&self, now: &Identity) -> Option<String> {
        if self == now {
            return None;
        }
        Some(match now.size == self.size {
            false => format!("it had {} bytes and has {} now", self.size, now.size),
            true => "it was written to, though its length is the same".to_string(),
        })
    }
}

/// In which order files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// That which was changed first.
    Oldest,
    /// That which was changed last.
    Youngest,
    /// As the directory has them.
    Random,
}

/// A file that is to be read.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The directory and the path below it, as Flume puts them together.
    pub path: PathBuf,
    /// Its path below the directory.
    pub below: PathBuf,
    changed_ns: i128,
}

/// Where to look, and what is a file to read.
pub struct Rules {
    /// The directory.
    pub directory: PathBuf,
    /// Whether to look into directories below.
    pub recursive: bool,
    /// The name of a file matches this.
    pub include: Pattern,
    /// The name of a file or a directory does not match this.
    pub ignore: Pattern,
    /// Ends of names of files that are done with.
    pub suffixes: Vec<Vec<u8>>,
    /// In which order.
    pub order: Order,
    /// Directories that cannot be read, of which it was told.
    pub unreadable: HashSet<PathBuf>,
    /// Who speaks.
    pub name: String,
}

impl Rules {
    /// All files to read, in their order; not those that `is_known` says are done with or under way. An error is that of
    /// the directory itself.
    pub fn list(&mut self, is_known: impl Fn(&Path) -> bool) -> io::Result<Vec<Candidate>> {
        let mut found = Vec::new();
        let mut directories = vec![PathBuf::new()];
        while let Some(below) = directories.pop() {
            let path = self.directory.join(&below);
            match self.look_into(&path, &below, &is_known, &mut found, &mut directories) {
                Ok(()) => drop(self.unreadable.remove(&path)),
                Err(error) if below == Path::new("") => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    if self.unreadable.insert(path.clone()) {
                        say::warn(&self.name, format!("{} cannot be read: {error}", path.display()));
                    }
                }
            }
        }
        match self.order {
            Order::Oldest => found
                .sort_by(|one, other| (one.changed_ns, &one.below).cmp(&(other.changed_ns, &other.below))),
            Order::Youngest => found
                .sort_by(|one, other| (other.changed_ns, &one.below).cmp(&(one.changed_ns, &other.below))),
            Order::Random => {}
        }
        Ok(found)
    }

    fn look_into(
        &mut self,
        path: &Path,
        below: &Path,
        is_known: &impl Fn(&Path) -> bool,
        found: &mut Vec<Candidate>,
        directories: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.as_bytes();
            // Links are not followed, as in Flume.
            let Ok(kind) = entry.file_type() else { continue };
            if name.starts_with(b".") || self.ignore.is_match(name) {
                continue;
            }
            if kind.is_dir() {
                if self.recursive {
                    directories.push(below.join(entry.file_name()));
                }
                continue;
            }
            let is_done = self.suffixes.iter().any(|suffix| name.ends_with(suffix));
            if !kind.is_file() || is_done || !self.include.is_match(name) {
                continue;
            }
            let below = below.join(entry.file_name());
            if is_known(&below) {
                continue;
            }
            // One that is gone already is none.
            let Ok(meta) = entry.metadata() else { continue };
            found.push(Candidate {
                path: entry.path(),
                below,
                changed_ns: Identity::of(&meta).changed_ns,
            });
        }
        Ok(())
    }
}

impl Candidate {
    /// One that is known by its path below the directory.
    pub fn at(directory: &Path, below: PathBuf) -> Candidate {
        Candidate {
            path: directory.join(&below),
            below,
            changed_ns: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(directory: &Path, order: Order) -> Rules {
        Rules {
            directory: directory.to_path_buf(),
            recursive: true,
            include: Pattern::whole("^.*$").unwrap(),
            ignore: Pattern::whole("^skip.*$").unwrap(),
            suffixes: vec![b".COMPLETED".to_vec()],
            order,
            unreadable: HashSet::new(),
            name: "it".into(),
        }
    }

    #[test]
    fn files_are_those_that_are_to_be_read_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        std::fs::create_dir_all(at.join("sub/.hidden")).unwrap();
        std::fs::create_dir(at.join("skipped")).unwrap();
        let files = [
            "b",
            "a",
            "sub/c",
            ".d",
            "e.COMPLETED",
            "skip-f",
            "skipped/g",
            "sub/.hidden/h",
            "z",
        ];
        for (age, name) in files.iter().enumerate() {
            let file = std::fs::File::create(at.join(name)).unwrap();
            // The first two at one time.
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + age.max(1) as u64);
            file.set_modified(time).unwrap();
        }
        std::os::unix::fs::symlink(at.join("a"), at.join("link")).unwrap();
        let names = |order: Order| {
            let found = rules(at, order).list(|below| below == Path::new("z")).unwrap();
            found
                .iter()
                .map(|file| file.below.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Order::Oldest), ["a", "b", "sub/c"]);
        assert_eq!(names(Order::Youngest), ["sub/c", "a", "b"]);
        let mut random = names(Order::Random);
        random.sort();
        assert_eq!(random, ["a", "b", "sub/c"]);
        assert!(rules(&at.join("none"), Order::Oldest).list(|_| false).is_err());
    }

    proptest! {
        #[test]
        fn identity_comes_back(device: u64, inode: u64, size: u64, changed_ns: i64) {
            let identity = Identity { device, inode, size, changed_ns: changed_ns.into() };
            prop_assert_eq!(Identity::decode(&identity.encode()), Some(identity));
        }

        #[test]
        fn any_text_is_an_identity_or_none(text in "\\PC{0,40}") {
            let _ = Identity::decode(text.as_bytes());
        }
    }
}
