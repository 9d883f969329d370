//! The thread that carries bytes between a TLS connection and a plain socket.
//!
//! It waits for nothing but its two descriptors and holds at most [`HELD`] bytes each way: whoever does not read
//! holds up whoever writes. The end of what one side sends is passed on by itself, as on any socket.

use super::TlsError;
use crate::fd;
use crate::threads;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SendFlags, Shutdown, SocketFlags, SocketType};
use rustls::Connection;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Plain bytes held for the reader at most; one TLS record more may be on its way.
const HELD: usize = 128 << 10;
/// Read at once.
const BLOCK: usize = 64 << 10;
/// How long the last bytes may take when the user of the tunnel has gone.
const LAST_BYTES: Duration = Duration::from_secs(10);
/// How long a peer is listened to that was told of the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection behind its handshake.
#[derive(Debug)]
pub struct Tunnel {
    /// Plain bytes, both ways: a Unix stream socket.
    pub fd: OwnedFd,
    /// What becomes of the connection.
    pub fate: Fate,
}

/// How a connection ended, if it was not well. Shared with the thread that serves it.
#[derive(Debug, Clone, Default)]
pub struct Fate(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    word: Mutex<Word>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Word {
    why: Option<TlsError>,
    /// Everything that the user wrote has gone to the system, and behind it the end; or nothing more ever will.
    flushed: bool,
}

impl Fate {
    /// Why it ended. Known before the plain socket ends.
    pub fn why(&self) -> Option<TlsError> {
        self.lock().why.clone()
    }

    /// Wait until everything that was written is on its way, once no more is written: before the process ends,
    /// which would end the thread that writes it, too.
    pub fn wait_flushed(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut word = self.lock();
        while !word.flushed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.changed.wait_timeout(word, left);
            word = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Word> {
        self.0
            .word
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn set(&self, why: TlsError) {
        self.lock().why.get_or_insert(why);
    }

    fn flushed(&self) {
        self.lock().flushed = true;
        self.0.changed.notify_all();
    }
}

/// A socket that does not wait, as rustls reads and writes it.
pub(super) struct Raw<'a>(pub &'a OwnedFd);

impl Read for Raw<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, to)?)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self.0, from, SendFlags::NOSIGNAL)?)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        // SIGPIPE is ignored in every program of Rust.
        Ok(rustix::io::writev(self.0, parts)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Let the bytes flow.
pub(super) fn start(mut connection: Connection, socket: OwnedFd) -> io::Result<Tunnel> {
    let (near, inner) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::io::ioctl_fionbio(&inner, true)?;
    // The pump asks before it writes whether there is room.
    connection.set_buffer_limit(None);
    let fate = Fate::default();
    let mut pump = Pump {
        connection,
        socket,
        inner,
        waiting: Vec::new(),
        from: 0,
        user_ended: false,
        peer_ended: false,
        told_user: false,
        told_peer: false,
        fate: fate.clone(),
    };
    threads::start("flume-tls", 256 << 10, move || {
        // The plain socket closes when the pump is dropped, behind the word.
        if let Err(why) = pump.run() {
            pump.fate.set(why);
            pump.deliver_rest();
        }
        pump.fate.flushed();
    })?;
    Ok(Tunnel { fd: near, fate })
}

struct Pump {
    connection: Connection,
    socket: OwnedFd,
    inner: OwnedFd,
    /// Plain bytes for the user: `waiting[from..]`.
    waiting: Vec<u8>,
    from: usize,
    /// The user writes nothing more; the peer does.
    user_ended: bool,
    peer_ended: bool,
    /// And the other one knows it.
    told_user: bool,
    told_peer: bool,
    fate: Fate,
}

/// What the two descriptors are ready for.
struct Ready {
    socket: PollFlags,
    inner: PollFlags,
}

impl Pump {
    /// Until both sides have ended, the user has gone or something breaks.
    fn run(&mut self) -> Result<(), TlsError> {
        let mut block = vec![0; BLOCK];
        // The handshake may have brought the first bytes along.
        self.take_plain(&mut block)?;
        loop {
            self.hand_on()?;
            if self.told_peer && !self.connection.wants_write() {
                self.fate.flushed();
                if self.told_user {
                    return Ok(());
                }
            }
            let ready = self.wait()?;
            if ready.inner.contains(PollFlags::HUP) && !ready.inner.contains(PollFlags::IN) {
                return self.say_farewell();
            }
            if ready.inner.contains(PollFlags::IN) {
                self.read_user(&mut block)?;
            }
            if ready
                .socket
                .intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
                && !self.peer_ended
            {
                self.read_peer(&mut block)?;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.waiting.len() - self.from >= HELD
    }

    fn wait(&self) -> io::Result<Ready> {
        let mut socket = PollFlags::empty();
        let mut inner = PollFlags::empty();
        socket.set(PollFlags::IN, !self.peer_ended && !self.is_full());
        socket.set(PollFlags::OUT, self.connection.wants_write());
        inner.set(PollFlags::IN, !self.user_ended && !self.connection.wants_write());
        inner.set(PollFlags::OUT, self.from < self.waiting.len());
        // The loss of the peer is reported unasked, and for ever: not to one who listens for nothing there.
        let watches_socket = !socket.is_empty();
        let mut fds = vec![PollFd::new(&self.inner, inner)];
        if watches_socket {
            fds.push(PollFd::new(&self.socket, socket));
        }
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Ready {
            inner: fds[0].revents(),
            socket: fds.get(1).map_or(PollFlags::empty(), PollFd::revents),
        })
    }

    /// Write what waits, both ways, as far as it goes, and behind it the ends.
    fn hand_on(&mut self) -> Result<(), TlsError> {
        while self.from < self.waiting.len() {
            match rustix::net::send(&self.inner, &self.waiting[self.from..], SendFlags::NOSIGNAL) {
                Ok(count) => self.from += count,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                // Nobody reads it any more.
                Err(_) => self.from = self.waiting.len(),
            }
        }
        if self.from == self.waiting.len() {
            self.waiting.clear();
            self.from = 0;
            if self.peer_ended && !self.told_user {
                let _ = rustix::net::shutdown(&self.inner, Shutdown::Write);
                self.told_user = true;
            }
        }
        self.write_peer()?;
        if self.user_ended && !self.told_peer && !self.connection.wants_write() {
            self.connection.send_close_notify();
            self.write_peer()?;
            if !self.connection.wants_write() {
                let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
            }
            self.told_peer = true;
        }
        Ok(())
    }

    fn write_peer(&mut self) -> Result<(), TlsError> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Raw(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An alert that says why may have come before.
                Err(error) => return Err(self.last_word().unwrap_or_else(|| error.into())),
            }
        }
        Ok(())
    }

    /// What the peer has said before it closed the connection.
    fn last_word(&mut self) -> Option<TlsError> {
        while self
            .connection
            .read_tls(&mut Raw(&self.socket))
            .is_ok_and(|count| count > 0)
        {
            if let Err(error) = self.connection.process_new_packets() {
                return Some(error.into());
            }
            let _ = io::copy(&mut self.connection.reader(), &mut io::sink());
        }
        None
    }

    fn read_user(&mut self, block: &mut [u8]) -> Result<(), TlsError> {
        match rustix::io::read(&self.inner, &mut *block) {
            Ok(0) => self.user_ended = true,
            Ok(count) => self.connection.writer().write_all(&block[..count])?,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => self.user_ended = true,
        }
        Ok(())
    }

    fn read_peer(&mut self, block: &mut [u8]) -> Result<(), TlsError> {
        match self.connection.read_tls(&mut Raw(&self.socket)) {
            Ok(0) => {
                // What came is still handed on, and then the end; only the word differs.
                self.peer_ended = true;
                self.fate.set(TlsError::Cut);
                return Ok(());
            }
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        match self.connection.process_new_packets() {
            Ok(state) => self.peer_ended |= state.peer_has_closed(),
            Err(error) => {
                // The alert that tells the other side.
                let _ = self.connection.write_tls(&mut Raw(&self.socket));
                return Err(error.into());
            }
        }
        self.take_plain(block)
    }

    fn take_plain(&mut self, block: &mut [u8]) -> Result<(), TlsError> {
        loop {
            match self.connection.reader().read(block) {
                Ok(0) => {
                    self.peer_ended = true;
                    return Ok(());
                }
                Ok(count) => self.waiting.extend_from_slice(&block[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The connection is broken: what came before is still the user's.
    fn deliver_rest(&mut self) {
        let deadline = Instant::now() + LAST_BYTES;
        while self.from < self.waiting.len() {
            match rustix::net::send(&self.inner, &self.waiting[self.from..], SendFlags::NOSIGNAL) {
                Ok(count) => self.from += count,
                Err(rustix::io::Errno::AGAIN) => {
                    match fd::wait(self.inner.as_fd(), PollFlags::OUT, &[], Some(deadline)) {
                        Ok(fd::Woken::Ready) => {}
                        _ => return,
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// The user has gone: send the rest and the end, and listen a moment, since a socket that is closed with
    /// unread bytes in it takes back what is on its way.
    fn say_farewell(&mut self) -> Result<(), TlsError> {
        if !self.told_peer {
            self.connection.send_close_notify();
        }
        let deadline = Instant::now() + LAST_BYTES;
        while self.connection.wants_write() && Instant::now() < deadline {
            self.write_peer()?;
            if self.connection.wants_write() {
                fd::wait(self.socket.as_fd(), PollFlags::OUT, &[], Some(deadline))?;
            }
        }
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
        let deadline = Instant::now() + FAREWELL;
        let mut unread = Vec::new();
        while let Ok(fd::Woken::Ready) = fd::wait(self.socket.as_fd(), PollFlags::IN, &[], Some(deadline)) {
            unread.clear();
            if !matches!(fd::read_onto(&self.socket, &mut unread, BLOCK), Ok(1..))
                || Instant::now() >= deadline
            {
                break;
            }
        }
        Ok(())
    }
}
