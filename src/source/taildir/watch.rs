//! inotify: what wakes the source. It may miss something (a file system over a network, a queue that is full), so
//! that directories are looked at from time to time all the same.

use super::identity::Identity;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes of events that are read at once.
const READ: usize = 64 << 10;

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Wake<'a> {
    /// The file with this name in this directory has changed.
    Changed(usize, &'a OsStr),
    /// This name has come to this directory, or gone.
    Named(usize, &'a OsStr),
    /// The directory has gone, or moved.
    Directory(usize),
    /// This file has changed, wherever it is now.
    File(Identity),
    /// Something was missed.
    Missed,
}

/// What happens to a directory itself.
const SELF: ReadFlags = ReadFlags::DELETE_SELF
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::IGNORED)
    .union(ReadFlags::UNMOUNT);

enum Watched {
    Directory(usize),
    File(Identity),
}

/// See the module. Without inotify it never wakes.
pub struct Watch {
    fd: Option<OwnedFd>,
    watched: HashMap<i32, Watched>,
    buffer: Box<[MaybeUninit<u8>]>,
}

impl Watch {
    /// Nothing is watched yet. The error says why nothing ever will be.
    pub fn new() -> (Watch, Option<io::Error>) {
        let opened = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let (fd, error) = match opened {
            Ok(fd) => (Some(fd), None),
            Err(error) => (None, Some(error.into())),
        };
        let watch = Watch {
            fd,
            watched: HashMap::new(),
            buffer: vec![MaybeUninit::uninit(); READ].into_boxed_slice(),
        };
        (watch, error)
    }

    /// One that never wakes.
    #[cfg(test)]
    pub fn none() -> Watch {
        Watch {
            fd: None,
            watched: HashMap::new(),
            buffer: Box::new([]),
        }
    }

    /// What can be read when something has happened.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Watch a directory and all in it; false if that cannot be.
    pub fn add_directory(&mut self, path: &Path, number: usize) -> bool {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let Some(fd) = &self.fd else { return false };
        match inotify::add_watch(fd, path, flags) {
            Ok(watch) => {
                self.watched.insert(watch, Watched::Directory(number));
                true
            }
            Err(_) => false,
        }
    }

    /// Watch an open file, whatever its name is; the number is for [`Watch::remove`].
    pub fn add_file(&mut self, file: &File, identity: Identity) -> Option<i32> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let watch = inotify::add_watch(self.fd.as_ref()?, path, WatchFlags::MODIFY).ok()?;
        self.watched.insert(watch, Watched::File(identity));
        Some(watch)
    }

    /// Watch it no longer.
    pub fn remove(&mut self, watch: i32) {
        self.watched.remove(&watch);
        if let Some(fd) = &self.fd {
            // It is gone already where the file was deleted.
            let _ = inotify::remove_watch(fd, watch);
        }
    }

    /// Tell all that has happened since the last call.
    pub fn drain(&mut self, mut tell: impl FnMut(Wake<'_>)) {
        let Some(fd) = &self.fd else { return };
        let mut reader = inotify::Reader::new(fd, &mut self.buffer);
        let mut gone = Vec::new();
        // It ends with EAGAIN.
        while let Ok(event) = reader.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                tell(Wake::Missed);
                continue;
            }
            match self.watched.get(&event.wd()) {
                Some(Watched::File(identity)) => tell(Wake::File(*identity)),
                Some(Watched::Directory(number)) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    match name {
                        Some(name) if flags.intersects(ReadFlags::MODIFY | ReadFlags::ATTRIB) => {
                            tell(Wake::Changed(*number, name));
                        }
                        Some(name) => tell(Wake::Named(*number, name)),
                        None if flags.intersects(SELF) => tell(Wake::Directory(*number)),
                        None => {}
                    }
                }
                None => {}
            }
            if flags.contains(ReadFlags::IGNORED) {
                gone.push(event.wd());
            }
        }
        for watch in gone {
            self.watched.remove(&watch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn changes_are_told_by_directory_and_name_and_by_file_when_it_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let (mut watch, error) = Watch::new();
        assert!(error.is_none());
        assert!(watch.add_directory(directory.path(), 3));
        assert!(!watch.add_directory(&directory.path().join("none"), 4));
        let mut file = File::create(directory.path().join("a")).unwrap();
        let mut told = Vec::new();
        watch.drain(|wake| told.push(format!("{wake:?}")));
        assert_eq!(told, ["Named(3, \"a\")"]);
        told.clear();
        file.write_all(b"x").unwrap();
        watch.drain(|wake| told.push(format!("{wake:?}")));
        assert_eq!(told, ["Changed(3, \"a\")"]);
        std::fs::remove_file(directory.path().join("a")).unwrap();
        let identity = Identity { device: 1, inode: 2 };
        let number = watch.add_file(&file, identity).unwrap();
        watch.drain(|_| {});
        told.clear();
        file.write_all(b"x").unwrap();
        watch.drain(|wake| told.push(format!("{wake:?}")));
        assert!(told.contains(&format!("{:?}", Wake::File(identity))), "{told:?}");
        watch.remove(number);
    }
}
