//! The simulated disk as a process sees it: each call is a step, at which the process can be killed, the
//! power can go, the call can fail, or somebody else can come first.

use super::super::super::disk::{Disk, DiskFile};
use super::image::{Id, Image, errno};
use super::random::Random;
use crate::channel::file::put::lock;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// How a process or all of them end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The power goes during the call.
    Cut,
    /// The process is killed before the call has an effect.
    KillBefore,
    /// The process is killed before the call returns.
    KillAfter,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EIO.
    Io,
    /// ENOSPC, for calls that need room.
    NoSpace,
}

/// What happens at which step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plan {
    pub crash: Option<(u64, Crash)>,
    /// Another crash after that one.
    pub then: Option<(u64, Crash)>,
    pub fault: Option<(u64, Fault)>,
    /// Somebody else comes first.
    pub visit: Option<u64>,
}

/// What a crash unwinds with.
pub struct Crashed(pub Crash);

thread_local! {
    /// Who comes when the plan says so.
    static VISITOR: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

pub fn set_visitor(visitor: Option<Box<dyn FnOnce()>>) {
    VISITOR.with(|cell| *cell.borrow_mut() = visitor);
}

struct State {
    image: Image,
    random: Random,
    plan: Plan,
    steps: u64,
    faults: u64,
    /// Syncs that failed.
    failed_syncs: u64,
    /// Bytes of the disk.
    capacity: u64,
    trace: Vec<String>,
}

/// The disk.
pub struct Simulated {
    state: Mutex<State>,
    /// Power cuts.
    cuts: AtomicU64,
    /// The clock of the wall, in milliseconds since 1970.
    wall_ms: AtomicU64,
}

/// What it says when a run begins.
const BEGIN_MS: u64 = 1_700_000_000_000;

impl Simulated {
    pub fn new(root: &Path, seed: u64, plan: Plan, capacity: u64) -> Arc<Simulated> {
        let state = State {
            image: Image::new(root),
            random: Random::new(seed),
            plan,
            steps: 0,
            faults: 0,
            failed_syncs: 0,
            capacity,
            trace: Vec::new(),
        };
        Arc::new(Simulated {
            state: Mutex::new(state),
            cuts: AtomicU64::new(0),
            wall_ms: AtomicU64::new(BEGIN_MS),
        })
    }

    /// What the clock of the wall says.
    pub fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    /// Set it.
    pub fn set_wall_ms(&self, now: u64) {
        self.wall_ms.store(now, Ordering::SeqCst);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Calls so far.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Calls that were made to fail so far.
    pub fn faults(&self) -> u64 {
        self.state().faults
    }

    /// Syncs that were made to fail so far: what was written before may be gone, here and now.
    pub fn failed_syncs(&self) -> u64 {
        self.state().failed_syncs
    }

    /// Nothing happens any more but what is asked for.
    pub fn calm(&self) {
        let mut state = self.state();
        state.plan = Plan::default();
        state.capacity = u64::MAX;
    }

    /// The last calls, a line each.
    pub fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    pub fn say(&self, what: String) {
        self.state().trace.push(what);
    }

    /// The power goes: every process is dead, and the disk holds what it holds.
    pub fn cut_power(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state();
        let state = &mut *state;
        state.image.cut_power(&mut state.random);
    }

    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }

    pub fn names(&self, path: &Path) -> Vec<String> {
        self.state().image.names(path).unwrap_or_default()
    }
}

/// The disk of one process.
pub struct Port {
    disk: Arc<Simulated>,
    life: u32,
    cuts: u64,
    killed: AtomicBool,
}

impl Port {
    pub fn new(disk: &Arc<Simulated>, life: u32) -> Arc<Port> {
        Arc::new(Port {
            disk: disk.clone(),
            life,
            cuts: disk.cuts.load(Ordering::SeqCst),
            killed: AtomicBool::new(false),
        })
    }

    pub fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
    }

    pub fn is_dead(&self) -> bool {
        self.killed.load(Ordering::SeqCst) || self.disk.cuts.load(Ordering::SeqCst) != self.cuts
    }

    /// One call. What a dead process still calls has no effect.
    fn call<T>(
        &self,
        what: &str,
        path: &Path,
        act: impl FnOnce(&mut State, Option<Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.is_dead() {
            return Err(errno(libc::EIO));
        }
        let step = {
            let mut state = self.disk.state();
            state.steps += 1;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let line = format!("{:4} life {} {what} {name}", state.steps, self.life);
            state.trace.push(line);
            state.steps
        };
        if self.disk.state().plan.visit == Some(step)
            && let Some(visitor) = VISITOR.with(|cell| cell.borrow_mut().take())
        {
            visitor();
        }
        let mut state = self.disk.state();
        if state.plan.crash.is_none() {
            state.plan.crash = state.plan.then.take();
        }
        let crash = state
            .plan
            .crash
            .take_if(|(at, _)| *at == step)
            .map(|(_, crash)| crash);
        let fault = state
            .plan
            .fault
            .take_if(|(at, _)| *at == step)
            .map(|(_, fault)| fault);
        state.faults += u64::from(fault.is_some());
        if let Some(fault) = fault {
            state.trace.push(format!("     {fault:?}"));
        }
        if crash == Some(Crash::KillBefore) || crash == Some(Crash::Cut) && state.random.eighths(4) {
            self.die(state, crash);
        }
        let result = act(&mut state, fault);
        match crash {
            None => result,
            _ => self.die(state, crash),
        }
    }

    fn die(&self, mut state: MutexGuard<'_, State>, crash: Option<Crash>) -> ! {
        let crash = crash.unwrap_or(Crash::Cut);
        state.trace.push(format!("     {crash:?}"));
        drop(state);
        match crash {
            Crash::Cut => self.disk.cut_power(),
            Crash::KillBefore | Crash::KillAfter => self.kill(),
        }
        std::panic::resume_unwind(Box::new(Crashed(crash)))
    }
}

/// An error for a call that needs no room.
fn fail(fault: Option<Fault>) -> io::Result<()> {
    match fault {
        None => Ok(()),
        Some(_) => Err(errno(libc::EIO)),
    }
}

/// An error for a call that needs room.
fn refuse_room(fault: Option<Fault>) -> io::Result<()> {
    match fault {
        None => Ok(()),
        Some(Fault::Io) => Err(errno(libc::EIO)),
        Some(Fault::NoSpace) => Err(errno(libc::ENOSPC)),
    }
}

impl State {
    /// There is room for a file to grow.
    fn check_room(&mut self, id: Id, end: u64) -> io::Result<()> {
        let more = end.saturating_sub(self.image.file(id)?.size());
        if more > 0 && self.image.used().saturating_add(more) > self.capacity {
            return Err(errno(libc::ENOSPC));
        }
        Ok(())
    }

    fn write(&mut self, id: Id, at: u64, bytes: &[u8], fault: Option<Fault>) -> io::Result<()> {
        let refused = refuse_room(fault).and_then(|()| self.check_room(id, at + bytes.len() as u64));
        let Err(error) = refused else {
            self.image.file(id)?.write(at, bytes);
            return Ok(());
        };
        // Some of it went before that was found out, or even all of it.
        let part = self.random.index(bytes.len() + 1);
        let part = [part, bytes.len(), 0][self.random.index(3)];
        if fault.is_some() {
            self.image.file(id)?.write(at, &bytes[..part]);
        }
        Err(error)
    }
}

/// An open file.
struct Open {
    port: Arc<Port>,
    id: Id,
    path: std::path::PathBuf,
}

impl Open {
    fn call<T>(
        &self,
        what: &str,
        act: impl FnOnce(&mut State, Option<Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.port.call(what, &self.path, act)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.port.disk.state().image.closed(self.id);
    }
}

impl DiskFile for Open {
    fn write_at(&self, parts: &mut [IoSlice<'_>], at: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        let what = format!("write {} at {at} of", bytes.len());
        self.call(&what, |state, fault| state.write(self.id, at, &bytes, fault))
    }

    fn read_at(&self, to: &mut Vec<u8>, most: usize, at: u64) -> io::Result<()> {
        self.call("read", |state, fault| {
            fail(fault)?;
            state.image.file(self.id)?.read(to, most, at);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.call("sync", |state, fault| {
            let file = state.image.file(self.id)?;
            match fault {
                None => file.sync(),
                Some(_) => file.fail_sync(&mut state.random),
            }
            state.failed_syncs += u64::from(fault.is_some());
            fail(fault)
        })
    }

    fn reserve(&self, at: u64, length: u64) -> io::Result<()> {
        self.call("reserve", |state, fault| {
            refuse_room(fault)?;
            state.check_room(self.id, at + length)?;
            state.image.file(self.id)?.reserve(at + length);
            Ok(())
        })
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.call("truncate", |state, fault| {
            fail(fault)?;
            state.image.file(self.id)?.truncate(length);
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.port.disk.state().image.file(self.id)?.size())
    }

    fn identity(&self) -> io::Result<(u64, bool)> {
        let state = self.port.disk.state();
        Ok((state.image.shown(self.id), state.image.links(self.id) > 0))
    }
}

/// What the channel is given.
pub struct PortOf(pub Arc<Port>);

impl PortOf {
    fn opened(&self, path: &Path, id: Id) -> Arc<dyn DiskFile> {
        self.0.disk.state().image.opened(id);
        Arc::new(Open {
            port: self.0.clone(),
            id,
            path: path.to_path_buf(),
        })
    }
}

impl Disk for PortOf {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let id = self.0.call("create", path, |state, fault| {
            refuse_room(fault)?;
            state.image.create(path)
        })?;
        Ok(self.opened(path, id))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let id = self.0.call("open", path, |state, fault| {
            fail(fault)?;
            state.image.find(path)
        })?;
        Ok(self.opened(path, id))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open_to_read(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.0.call("make directory", path, |state, fault| {
            refuse_room(fault)?;
            state.image.make_dir(path)
        })
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        self.0.call("list", path, |state, fault| {
            fail(fault)?;
            state.image.names(path)
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.call("sync directory", path, |state, fault| {
            fail(fault)?;
            state.image.sync_dir(path)
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.call("link", to, |state, fault| {
            refuse_room(fault)?;
            state.image.link(from, to)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.call("rename", to, |state, fault| {
            refuse_room(fault)?;
            state.image.rename(from, to)
        })
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.0.call("unlink", path, |state, fault| {
            fail(fault)?;
            state.image.unlink(path)
        })
    }

    fn clock_ms(&self) -> u64 {
        self.0.disk.wall_ms()
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        let state = self.0.disk.state();
        Ok(state.capacity.saturating_sub(state.image.used()))
    }
}
