//! Files that come and go while a batch waits for room. Nobody looks at directories then, and the middle one of two
//! rotations would never be met: so a second thread looks, and keeps open what is new until it is.

use super::groups::Group;
use super::identity::Identity;
use super::scan::Directory;
use super::tail::Tail;
use super::tracked::{Tracked, seen};
use crate::say;
use crate::stage::ChannelProcessor;
use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// The source is held up when it has not looked for so long; and how often is looked then.
const HELD_UP: Duration = Duration::from_secs(1);
/// A directory that was changed less than so long ago may change again at the same time of its clock.
const COARSE: Duration = Duration::from_secs(2);
/// Files that are kept open at most.
const MOST: usize = 1024;

/// A file that is kept open.
pub(super) struct Held {
    group: usize,
    directory: usize,
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

#[derive(Default)]
struct State {
    /// Since when the source is at work without a look.
    since: Option<Instant>,
    known: HashSet<Identity>,
    held: Vec<Held>,
    /// The thread sleeps until it is woken.
    is_asleep: bool,
    is_over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    woken: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The second thread.
pub(super) struct Standby {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Standby {
    /// Have it wait until it is needed. Without it files may be missed while nothing can be handed on, which is told.
    pub fn start(groups: Vec<Group>, directories: &[Directory], name: &str) -> Standby {
        let shared = Arc::new(Shared::default());
        let mut looker = Looker {
            shared: shared.clone(),
            groups,
            directories: directories.iter().map(Own::of).collect(),
        };
        let spawned = std::thread::Builder::new()
            .name("flume-standby".into())
            .stack_size(256 << 10)
            .spawn(move || looker.run());
        if let Err(error) = &spawned {
            say::warn(
                name,
                format!(
                    "no thread can be started that looks at directories while nothing can be handed on: {error}"
                ),
            );
        }
        Standby {
            shared,
            thread: spawned.ok(),
        }
    }

    /// The source has looked, and is at work from now on: what was kept open since it looked before.
    fn looked(&self) -> Vec<Held> {
        let mut state = self.shared.lock();
        state.since = Some(Instant::now());
        if std::mem::take(&mut state.is_asleep) {
            self.shared.woken.notify_all();
        }
        std::mem::take(&mut state.held)
    }

    /// The source waits for changes.
    pub fn rest(&self) {
        self.shared.lock().since = None;
    }

    fn know(&self, files: impl Iterator<Item = Identity>) {
        let known = files.collect();
        self.shared.lock().known = known;
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.woken.notify_all();
        // It has not panicked, and if it had, that was told.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A directory as this thread knows it.
struct Own {
    path: PathBuf,
    groups: Vec<usize>,
    changed: Option<SystemTime>,
}

impl Own {
    fn of(directory: &Directory) -> Own {
        Own {
            path: directory.path.clone(),
            groups: directory.groups.clone(),
            changed: None,
        }
    }

    /// It may have other names than at the last time.
    fn may_have_changed(&mut self) -> bool {
        let now = fs::metadata(&self.path).and_then(|metadata| metadata.modified());
        let settled = now.ok().filter(|now| now.elapsed().is_ok_and(|age| age > COARSE));
        let is_same = settled.is_some() && settled == self.changed;
        self.changed = settled;
        !is_same
    }
}

struct Looker {
    shared: Arc<Shared>,
    groups: Vec<Group>,
    directories: Vec<Own>,
}

impl Looker {
    fn run(&mut self) {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        while !state.is_over {
            let Some(since) = state.since else {
                // While the source waits for changes nobody need wake up.
                state.is_asleep = true;
                let woken = shared.woken.wait(state);
                state = woken.unwrap_or_else(|poisoned| poisoned.into_inner());
                continue;
            };
            if since.elapsed() >= HELD_UP {
                drop(state);
                self.look();
                state = shared.lock();
                if state.is_over {
                    return;
                }
            }
            let waited = shared.woken.wait_timeout(state, HELD_UP);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    fn look(&mut self) {
        for at in 0..self.directories.len() {
            if self.directories[at].may_have_changed() {
                self.list(at);
            }
        }
    }

    /// What is wrong with a directory the source itself tells, when it looks again.
    fn list(&mut self, at: usize) {
        let directory = &self.directories[at];
        let names = fs::read_dir(&directory.path).into_iter().flatten().flatten();
        for name in names.map(|entry| entry.file_name()) {
            let bytes = std::os::unix::ffi::OsStrExt::as_bytes(&*name);
            let mut own = directory.groups.iter().copied();
            let Some(group) = own.find(|number| self.groups[*number].matches(bytes)) else {
                continue;
            };
            let path = directory.path.join(&name);
            let is_file = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
            let opened = is_file.then(|| File::open(&path).and_then(|file| Ok((file.metadata()?, file))));
            if let Some(Ok((metadata, file))) = opened {
                self.hold(Held {
                    group,
                    directory: at,
                    path,
                    file,
                    metadata,
                });
            }
        }
    }

    fn hold(&self, file: Held) {
        let mut state = self.shared.lock();
        let identity = Identity::of(&file.metadata);
        let is_held = |held: &Held| Identity::of(&held.metadata) == identity;
        let is_new = !state.known.contains(&identity) && !state.held.iter().any(is_held);
        // Else the source has looked by now, and has met what is there.
        let is_held_up = state.since.is_some_and(|since| since.elapsed() >= HELD_UP);
        if is_new && is_held_up && state.held.len() < MOST {
            state.held.push(file);
        }
    }
}

impl Tail {
    /// After a look: what came and went before it is read to its end.
    pub fn look_at_held(&mut self, to: &Arc<ChannelProcessor>) {
        if std::mem::take(&mut self.has_others) {
            self.standby.know(self.files.keys().copied());
        }
        let held = self.standby.looked();
        if held.is_empty() {
            return;
        }
        // What has its name still is met under that.
        self.directories
            .iter_mut()
            .for_each(|directory| directory.is_stale = true);
        self.look_at_stale(to);
        for held in held {
            self.adopt(held, to.counters().name());
        }
        self.standby.know(self.files.keys().copied());
    }

    fn adopt(&mut self, held: Held, name: &str) {
        let identity = Identity::of(&held.metadata);
        if self.files.contains_key(&identity) {
            return;
        }
        let path = held.path.display();
        say::info(
            name,
            format!("another {path} came and went while nothing could be handed on: it is read to its end"),
        );
        let (pos, fingerprint) = self.place_of(&held.path, &held.file, &held.metadata, name);
        let place = (held.group, held.directory);
        let mut file = Tracked::new(identity, &held.path, place, pos, fingerprint);
        file.seen = seen(&held.metadata);
        file.born = super::identity::born(&held.metadata);
        self.set_headers(&mut file);
        self.leave(file, held.file);
        self.has_moved = true;
    }
}
