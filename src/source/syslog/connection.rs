//! A connection that brings messages: what was read is handed on when nothing more is there, or a batch is full.
//!
//! Nobody answers a sender of syslog, so what a connection brought before it broke is all handed on, and while
//! nothing can be handed on nothing is read: the sender waits.

use super::events::Events;
use super::heads::Heads;
use crate::event::Entries;
use crate::fd::{self, Woken};
use crate::metrics::Count;
use crate::say;
use crate::source::handing::{Handing, Most, Together};
use crate::source::idle::{Idle, Patience};
use crate::source::server::Connection;
use crate::stage::ChannelProcessor;
use crate::syslog::{Cut, Framer};
use crate::tls::{Acceptor, TlsError};
use rustix::event::PollFlags;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes read at once at first, and at most: a sender that fills the one gets the double.
const READ: (usize, usize) = (16 << 10, 256 << 10);
/// Encoded bytes in a batch at most.
const BATCH_BYTES: usize = 256 << 10;
/// After this time without a byte the memory of a connection is given back.
const QUIET: Duration = Duration::from_secs(5);
/// At a stop, what has come already is still read: so much, so long.
const LAST: (usize, Duration) = (8 << 20, Duration::from_millis(500));

/// What all connections of a listener share.
pub struct Service {
    /// Reads messages; copied for each connection.
    pub events: Events,
    /// Finds them; copied for each connection.
    pub framer: Framer,
    /// Headers that tell the sender.
    pub heads: Heads,
    /// A header and what it says, for all messages.
    pub fixed: Option<(String, String)>,
    /// Events in a batch at most.
    pub batch_size: u32,
    /// How long a sender may be silent.
    pub idle: Idle,
    /// What all connections of the source have put together.
    pub together: Arc<Together>,
    /// Speaks TLS.
    pub acceptor: Option<Acceptor>,
}

impl Service {
    /// Read a connection to its end, or to that of the source.
    pub fn serve(&self, connection: Connection, to: &Arc<ChannelProcessor>) {
        let Connection { socket, peer } = connection;
        let name = to.counters().name();
        let broke = |why: &dyn std::fmt::Display| {
            to.counters().add(Count::EventReadFail, 1);
            say::warn(name, format!("{peer}: {why}"));
        };
        let Some(acceptor) = &self.acceptor else {
            return self.read(&socket, &peer, to, &broke);
        };
        match acceptor.accept_within(socket, self.idle.handshake(), to.stop()) {
            Err(why) => broke(&why),
            Ok(tunnel) => {
                self.read(&tunnel.fd, &peer, to, &broke);
                if let Some(why @ (TlsError::Refused(_) | TlsError::Failed(_))) = tunnel.fate.why() {
                    broke(&why);
                }
            }
        }
    }

    fn read(
        &self,
        socket: &OwnedFd,
        peer: &str,
        to: &Arc<ChannelProcessor>,
        broke: &dyn Fn(&dyn std::fmt::Display),
    ) {
        let mut sender = Entries::default();
        if let Some((name, value)) = &self.fixed {
            sender.put(name.as_bytes(), value.as_bytes());
        }
        let address = peer.parse::<SocketAddr>().ok();
        self.heads
            .put_sender(address.map(|address| address.ip()), &mut sender);
        let mut events = self.events.clone();
        events.set_sender(sender);
        let most = Most {
            events: self.batch_size,
            bytes: BATCH_BYTES,
        };
        let mut reader = Reader {
            socket,
            to,
            framer: self.framer.clone(),
            events,
            handing: Handing::new(to, most, &self.together, peer),
            peer,
            buffer: Vec::new(),
            room: READ.0,
            patience: self.idle.patience(),
        };
        if let Err(why) = reader.run() {
            broke(&why);
        }
    }
}

/// One connection.
struct Reader<'a> {
    socket: &'a OwnedFd,
    to: &'a Arc<ChannelProcessor>,
    peer: &'a str,
    framer: Framer,
    events: Events,
    handing: Handing<'a>,
    /// What is not cut into messages yet.
    buffer: Vec<u8>,
    room: usize,
    patience: Patience,
}

impl Reader<'_> {
    /// The error is how the connection ended before its time.
    fn run(&mut self) -> Result<(), String> {
        loop {
            match self.read() {
                Ok(0) => return self.end(false),
                Ok(_) => self.cut()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.hand_on()?;
                    self.rest();
                    match self.wait()? {
                        Woken::Ready => self.handing.wake(),
                        Woken::Timeout => {
                            let why = self.patience.reason(self.buffer.len());
                            self.end(true)?;
                            return Err(format!("{why}: the connection is closed"));
                        }
                        Woken::Bell | Woken::HungUp => return self.read_last(),
                    }
                }
                Err(error) => {
                    self.end(true)?;
                    return Err(format!("the connection broke: {error}"));
                }
            }
            if self.to.stop().is_stopping() {
                return self.read_last();
            }
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        let count = fd::recv_onto(self.socket, &mut self.buffer, self.room)?;
        if count == self.room {
            self.room = (self.room * 2).min(READ.1);
        }
        Ok(count)
    }

    /// Hand on the whole messages of the buffer.
    fn cut(&mut self) -> Result<(), String> {
        self.events.wind();
        let mut used = 0;
        while let Some(frame) = self.framer.next(&self.buffer[used..]) {
            let text = &self.buffer[used + frame.text.start..used + frame.text.end];
            self.events.push(text, frame.cut, false, &mut self.handing.batch);
            used += frame.used;
            if self.handing.is_full() {
                self.hand_on()?;
            }
        }
        if used > 0 {
            self.buffer.drain(..used);
            self.patience.renew();
        }
        Ok(())
    }

    /// Give memory back: most connections wait for ever.
    fn rest(&mut self) {
        self.handing.rest();
        if self.buffer.is_empty() && self.room == READ.0 {
            self.buffer = Vec::new();
        }
    }

    /// Wait for more; give the rest of the memory back meanwhile if that takes long.
    fn wait(&mut self) -> Result<Woken, String> {
        let deadline = self.patience.deadline(self.buffer.len());
        let bell = self.to.stop().bell();
        let wait = |until| fd::wait(self.socket.as_fd(), PollFlags::IN, &[bell], until);
        let quiet = Instant::now() + QUIET;
        let mut woken = wait(Some(deadline.map_or(quiet, |deadline| deadline.min(quiet))));
        if matches!(woken, Ok(Woken::Timeout)) && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            self.room = READ.0;
            self.buffer.shrink_to_fit();
            woken = wait(deadline);
        }
        woken.map_err(|error| error.to_string())
    }

    /// At a stop: what the sender has got rid of already would be lost.
    fn read_last(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + LAST.1;
        let mut left = LAST.0;
        while left > 0 && Instant::now() < deadline {
            match self.read() {
                Ok(0) => return self.end(false),
                Ok(count) => left = left.saturating_sub(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            self.cut()?;
        }
        self.end(true)
    }

    /// Nothing more comes.
    fn end(&mut self, is_cut: bool) -> Result<(), String> {
        if let Some(frame) = self.framer.last(&self.buffer) {
            let is_cut = is_cut || frame.cut != Cut::Whole;
            let text = &self.buffer[frame.text.clone()];
            self.events.push(text, frame.cut, is_cut, &mut self.handing.batch);
        }
        self.buffer = Vec::new();
        self.hand_on()
    }

    fn hand_on(&mut self) -> Result<(), String> {
        self.events.report(self.to, self.peer);
        self.handing.hand_on()
    }
}
