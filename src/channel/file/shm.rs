//! Memory and signs of life that processes share: mapped words, futexes, OFD locks. The only module of the
//! channel with `unsafe` in it.
//!
//! An OFD lock belongs to an open file, not to a process: it falls when the last descriptor of that open
//! file is closed, which a dying process does in any case. A POSIX lock would fall when *any* descriptor
//! of the file closes, and a process id may be somebody else's by the time we look.

#![allow(unsafe_code)]

use memmap2::{MmapOptions, MmapRaw};
use rustix::thread::futex;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// A file in memory, seen by every process that maps it.
pub struct Map {
    raw: MmapRaw,
    /// Words may be stored; a store into a view would kill the process.
    pub is_writable: bool,
}

impl Map {
    /// Map the first `bytes` of a file that has at least as many: a word behind the end of the file would
    /// kill the process that touches it.
    pub fn of(file: &File, bytes: usize) -> io::Result<Map> {
        check_length(file, bytes)?;
        let raw = MmapOptions::new().len(bytes).map_raw(file)?;
        let is_writable = true;
        Ok(Map { raw, is_writable })
    }

    /// The same to look only, also at a file that may not be written. Nobody may store a word.
    pub fn view(file: &File, bytes: usize) -> io::Result<Map> {
        check_length(file, bytes)?;
        let raw = MmapOptions::new().len(bytes).map_raw_read_only(file)?;
        let is_writable = false;
        Ok(Map { raw, is_writable })
    }

    /// The 64-bit word at a byte offset.
    #[inline]
    pub fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.raw.len());
        // SAFETY: inside the mapping and aligned (checked above; a mapping begins at a page), alive as long
        // as `self`, and only ever used as an atomic by all who map it.
        unsafe { AtomicU64::from_ptr(self.raw.as_mut_ptr().add(at).cast()) }
    }

    /// The 32-bit word at a byte offset.
    #[inline]
    pub fn half(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(4) && at + 4 <= self.raw.len());
        // SAFETY: as in `word`; the offsets of halves and of words do not overlap.
        unsafe { AtomicU32::from_ptr(self.raw.as_mut_ptr().add(at).cast()) }
    }
}

fn check_length(file: &File, bytes: usize) -> io::Result<()> {
    let have = file.metadata()?.len();
    if have < bytes as u64 {
        let why = format!("it has {have} bytes, {bytes} were expected");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(())
}

/// A place to sleep until something changes: a counter shifted by one, and a bit that says that somebody
/// sleeps. A count of sleepers would stay wrong when one is killed; a bit costs one needless wake at most.
#[derive(Clone, Copy)]
pub struct Bell<'a>(pub &'a AtomicU32);

impl Bell<'_> {
    /// What to give to [`Bell::sleep`] later; look here before looking whether there is something to do.
    #[inline]
    pub fn look(self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Say that somebody is going to sleep on what was `seen`; false if it has rung since.
    pub fn announce(self, seen: u32) -> bool {
        let with_bit = seen | 1;
        match self
            .0
            .compare_exchange(seen, with_bit, Ordering::SeqCst, Ordering::SeqCst)
        {
            Ok(_) => true,
            Err(found) => found == with_bit,
        }
    }

    /// Sleep until it rings, if it has not rung since `seen`, or until the time is over.
    pub fn sleep(self, seen: u32, timeout: Option<Duration>) {
        if !self.announce(seen) {
            return;
        }
        let timeout = timeout.map(|timeout| futex::Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        // Rung meanwhile, interrupted, time over: the caller looks again in any case.
        let _ = futex::wait(self.0, futex::Flags::empty(), seen | 1, timeout.as_ref());
    }

    /// Wake all who sleep. All, since one that is woken alone may be stopped just then.
    #[inline]
    pub fn ring(self) {
        let mut old = self.0.load(Ordering::SeqCst);
        while let Err(found) = self.0.compare_exchange_weak(
            old,
            (old & !1).wrapping_add(2),
            Ordering::SeqCst,
            Ordering::SeqCst,
        ) {
            old = found;
        }
        if old & 1 == 1 {
            let _ = futex::wake(self.0, futex::Flags::empty(), u32::MAX >> 1);
        }
    }

    /// Somebody sleeps, or is about to.
    #[inline]
    pub fn is_waited_for(self) -> bool {
        self.0.load(Ordering::SeqCst) & 1 == 1
    }

    /// Ring if somebody sleeps.
    #[inline]
    pub fn ring_for_sleepers(self) {
        if self.is_waited_for() {
            self.ring();
        }
    }
}

fn lock_of(byte: i64, length: i64) -> libc::flock {
    // SAFETY: a struct of integers, for which zero is a value. `l_pid` must be zero for OFD locks.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = byte;
    lock.l_len = length;
    lock
}

/// Lock bytes for as long as this open file lives, all or none; false if another open file has one of them.
pub fn try_lock(file: &File, byte: i64, length: i64) -> io::Result<bool> {
    let lock = lock_of(byte, length);
    // SAFETY: the descriptor is open and the struct outlives the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            busy if matches!(busy.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            error => Err(error),
        },
    }
}

/// Give a lock back now. The end of the open file would do it as well, but a child between its fork and its
/// exec has a copy of every descriptor.
pub fn unlock(file: &File, byte: i64) {
    let mut lock = lock_of(byte, 1);
    lock.l_type = libc::F_UNLCK as libc::c_short;
    // SAFETY: as above. A failure leaves what the end of the open file does.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
}

/// Some other open file has a lock on these bytes. An open file does not see its own locks: ask through
/// another one than the one that locks.
pub fn is_locked(file: &File, byte: i64, length: i64) -> io::Result<bool> {
    let mut lock = lock_of(byte, length);
    // SAFETY: as above; the kernel writes into the struct.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) } {
        0 => Ok(lock.l_type != libc::F_UNLCK as libc::c_short),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Nanoseconds of the clock that all processes of one boot share.
pub fn now_ns() -> u64 {
    if let Some(now) = super::rigged::clock_ns() {
        return now;
    }
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Append what one `pread` gives of at most `most` bytes at an offset; 0 is the end of the file.
pub fn pread_onto(file: &File, to: &mut Vec<u8>, most: usize, at: u64) -> rustix::io::Result<usize> {
    to.reserve(most);
    let spare = &mut to.spare_capacity_mut()[..most];
    let (fresh, _) = rustix::io::pread(file, spare, at)?;
    let fresh = fresh.len();
    // SAFETY: the kernel has just written `fresh` bytes behind the old length, inside the capacity.
    unsafe { to.set_len(to.len() + fresh) };
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_seen_through_another_open_file_and_falls_with_its_own() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let open = || File::options().read(true).write(true).open(path.path()).unwrap();
        let (mine, probe) = (open(), open());
        assert!(try_lock(&mine, 7, 1).unwrap());
        assert!(!is_locked(&mine, 7, 1).unwrap());
        assert!(is_locked(&probe, 7, 1).unwrap());
        assert!(!is_locked(&probe, 8, 1).unwrap());
        assert!(!try_lock(&probe, 7, 1).unwrap());
        drop(mine);
        assert!(!is_locked(&probe, 0, 256).unwrap());
    }

    #[test]
    fn bell_that_rang_since_it_was_looked_at_does_not_let_anybody_sleep() {
        let word = AtomicU32::new(0);
        let bell = Bell(&word);
        let seen = bell.look();
        bell.ring();
        bell.sleep(seen, None);
        let seen = bell.look();
        std::thread::scope(|scope| {
            scope.spawn(|| bell.sleep(seen, None));
            while word.load(Ordering::SeqCst) & 1 == 0 {
                std::thread::yield_now();
            }
            bell.ring();
        });
    }
}
