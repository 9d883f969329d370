//! File descriptors as stages use them: blocking descriptors that nevertheless can be waited for.
//!
//! Standard input and output stay blocking, since O_NONBLOCK would change them for every process that
//! shares them. A stage that must not block polls first, or asks the kernel not to block for one call
//! (`RWF_NOWAIT`). An EAGAIN that somebody else's O_NONBLOCK causes is waited out, never an error.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, ReadWriteFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Size of our pipes: 64 KiB halves the rate, 1 MiB gains nothing and eats the user's quota.
pub const PIPE_SIZE: usize = 256 << 10;

/// Make a pipe as large as ours are. That it cannot be is no failure, nor that it is no pipe.
pub fn widen_pipe(fd: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(fd, PIPE_SIZE);
}

/// Append at most `most` bytes to `to`; 0 is the end of the input.
#[allow(unsafe_code)]
pub fn read_onto(fd: impl AsFd, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    to.reserve(most);
    let spare = &mut to.spare_capacity_mut()[..most];
    let (fresh, _) = rustix::io::read(fd, spare)?;
    let fresh = fresh.len();
    // SAFETY: the kernel has just written `fresh` bytes behind the old length, inside the capacity.
    unsafe { to.set_len(to.len() + fresh) };
    Ok(fresh)
}

/// As [`read_onto`] of a socket, which may be a blocking one, without waiting: `WouldBlock` if nothing is there.
#[allow(unsafe_code)]
pub fn recv_onto(fd: impl AsFd, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    to.reserve(most);
    let spare = &mut to.spare_capacity_mut()[..most];
    let ((fresh, _), _) = rustix::net::recv(fd, spare, rustix::net::RecvFlags::DONTWAIT)?;
    let fresh = fresh.len();
    // SAFETY: the kernel has just written `fresh` bytes behind the old length, inside the capacity.
    unsafe { to.set_len(to.len() + fresh) };
    Ok(fresh)
}

/// Wakes whoever waits in [`wait`] for other things; once set it stays set.
#[derive(Clone, Debug)]
pub struct Bell(Arc<BellInner>);

#[derive(Debug)]
struct BellInner {
    rung: AtomicBool,
    event: OwnedFd,
}

impl Bell {
    /// A bell that nobody has rung.
    pub fn new() -> io::Result<Bell> {
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
        Ok(Bell(Arc::new(BellInner {
            rung: AtomicBool::new(false),
            event,
        })))
    }

    /// Wake all who wait, now and from now on.
    pub fn ring(&self) {
        if !self.0.rung.swap(true, Ordering::SeqCst) {
            // An eventfd takes a one unless 2^64 of them are in it.
            let _ = rustix::io::write(&self.0.event, &1u64.to_ne_bytes());
        }
    }

    /// Somebody has rung.
    pub fn is_rung(&self) -> bool {
        self.0.rung.load(Ordering::SeqCst)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

/// Why [`wait`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The descriptor can be used, or has ended.
    Ready,
    /// A bell rang.
    Bell,
    /// The other end of a descriptor that was only watched is gone.
    HungUp,
    /// None of them, and the time is over.
    Timeout,
}

/// Wait until `fd` can be read (`PollFlags::IN`) or written (`OUT`), a bell rings, or the deadline passes.
/// A descriptor that is ready wins over a bell.
pub fn wait(
    fd: BorrowedFd<'_>,
    flags: PollFlags,
    bells: &[&Bell],
    deadline: Option<Instant>,
) -> io::Result<Woken> {
    wait_watching(fd, flags, bells, None, deadline)
}

/// As [`wait`], and end also when the other end of `watched` is gone.
fn wait_watching(
    fd: BorrowedFd<'_>,
    flags: PollFlags,
    bells: &[&Bell],
    watched: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
) -> io::Result<Woken> {
    let mut fds = Vec::with_capacity(2 + bells.len());
    fds.push(PollFd::from_borrowed_fd(fd, flags));
    fds.extend(bells.iter().map(|bell| PollFd::new(*bell, PollFlags::IN)));
    // Only errors are reported: nobody reads any more.
    fds.extend(watched.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::empty())));
    let bells = 1..1 + bells.len();
    loop {
        let left = deadline.map(|deadline| timespec(deadline.saturating_duration_since(Instant::now())));
        match rustix::event::poll(&mut fds, left.as_ref()) {
            Ok(0) => return Ok(Woken::Timeout),
            Ok(_) if !fds[0].revents().is_empty() => return Ok(Woken::Ready),
            Ok(_) if fds[bells.clone()].iter().any(|bell| !bell.revents().is_empty()) => {
                return Ok(Woken::Bell);
            }
            Ok(_) => return Ok(Woken::HungUp),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// The descriptor could be read now without waiting.
pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    wait(fd, PollFlags::IN, &[], Some(Instant::now())).is_ok_and(|woken| woken == Woken::Ready)
}

/// The other end of a socket or pipe is gone.
pub fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::RDHUP)];
    let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    rustix::event::poll(&mut fds, Some(&timespec(Duration::ZERO))).is_ok()
        && fds[0].revents().intersects(gone)
}

/// The other end of a socket or pipe is gone, or will be within this time: the system closes what a killed
/// process held open one after the other.
pub fn hangs_up_within(fd: BorrowedFd<'_>, time: Duration) -> bool {
    let woken = wait(fd, PollFlags::RDHUP, &[], Some(Instant::now() + time));
    woken.is_ok_and(|woken| woken == Woken::Ready)
}

/// Write as much of `parts` as goes without blocking; `WouldBlock` if nothing does. On a kernel or a file
/// that cannot promise that, this blocks.
pub fn write_now(fd: BorrowedFd<'_>, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
    match rustix::io::pwritev2(fd, parts, u64::MAX, ReadWriteFlags::NOWAIT) {
        Err(Errno::OPNOTSUPP | Errno::SPIPE | Errno::INVAL) => Ok(rustix::io::writev(fd, parts)?),
        other => Ok(other?),
    }
}

/// Write everything, waiting as long as it takes, unless a bell rings.
///
/// Errors: `Interrupted` if a bell rang before all was written; what the system says otherwise.
pub fn write_all(fd: BorrowedFd<'_>, mut parts: &mut [io::IoSlice<'_>], bells: &[&Bell]) -> io::Result<()> {
    while parts.iter().any(|part| !part.is_empty()) {
        match write_now(fd, parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => io::IoSlice::advance_slices(&mut parts, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if wait(fd, PollFlags::OUT, bells, None)? == Woken::Bell {
                    return Err(io::Error::new(
                        io::ErrorKind::Interrupted,
                        "stopped while writing",
                    ));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a blocking descriptor, waiting no longer than it was told: `WouldBlock` then.
#[derive(Debug)]
pub struct PolledFd {
    /// What is read.
    pub fd: OwnedFd,
    is_file: bool,
    /// How long the next read may wait; `None` for ever.
    pub deadline: Option<Instant>,
    /// Ends the wait, too.
    pub bell: Option<Bell>,
    /// So does the loss of the other end of this, which is not read.
    pub watched: Option<OwnedFd>,
    /// That other end is lost.
    pub hung_up: bool,
}

impl PolledFd {
    /// Reads that wait for ever. A regular file is never waited for.
    pub fn new(fd: OwnedFd, is_file: bool) -> Self {
        PolledFd {
            fd,
            is_file,
            deadline: None,
            bell: None,
            watched: None,
            hung_up: false,
        }
    }

    fn when_ready(&mut self, mut read: impl FnMut(&OwnedFd) -> io::Result<usize>) -> io::Result<usize> {
        let bells: &[&Bell] = match &self.bell {
            Some(bell) => &[bell],
            None => &[],
        };
        loop {
            if !self.is_file {
                let watched = self.watched.as_ref().map(AsFd::as_fd);
                let woken = wait_watching(self.fd.as_fd(), PollFlags::IN, bells, watched, self.deadline)?;
                if woken != Woken::Ready {
                    self.hung_up |= woken == Woken::HungUp;
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
            match read(&self.fd) {
                // Somebody else made the descriptor non-blocking, and somebody else read what was there.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                other => return other,
            }
        }
    }
}

impl io::Read for PolledFd {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.when_ready(|fd| Ok(rustix::io::read(fd, &mut *to)?))
    }
}

impl crate::wire::Input for PolledFd {
    fn read_onto(&mut self, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.when_ready(|fd| read_onto(fd, to, most))
    }
}

/// What a descriptor is, for those decisions that depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FdKind {
    /// A regular file.
    File,
    /// A pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal.
    Terminal,
    /// Another device, such as /dev/null.
    Device,
    /// A directory or something stranger.
    Other,
}

/// Look what a descriptor is.
pub fn kind(fd: impl AsFd) -> io::Result<FdKind> {
    use rustix::fs::FileType;
    let fd = fd.as_fd();
    if rustix::termios::isatty(fd) {
        return Ok(FdKind::Terminal);
    }
    let stat = rustix::fs::fstat(fd)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FdKind::File,
        FileType::Fifo => FdKind::Pipe,
        FileType::Socket => FdKind::Socket,
        FileType::CharacterDevice => FdKind::Device,
        _ => FdKind::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bell_wakes_who_waits_for_a_pipe_that_stays_empty() {
        let (read, _write) = rustix::pipe::pipe().unwrap();
        let bell = Bell::new().unwrap();
        let ringer = bell.clone();
        let thread = std::thread::spawn(move || ringer.ring());
        assert_eq!(
            wait(read.as_fd(), PollFlags::IN, &[&bell], None).unwrap(),
            Woken::Bell
        );
        thread.join().unwrap();
    }

    #[test]
    fn write_into_a_full_pipe_would_block_though_the_pipe_is_blocking() {
        let (_read, write) = rustix::pipe::pipe().unwrap();
        let block = vec![0; 1 << 20];
        let parts = [io::IoSlice::new(&block)];
        let written = write_now(write.as_fd(), &parts).unwrap();
        assert!(written < block.len());
        let error = write_now(write.as_fd(), &parts).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
