//! The writing end of a stream: a pipe, a socket or a file of frames.

use super::acks::{Acks, Room};
use super::replies::{self, Patience};
use super::reply::Endpoint;
use super::{Identity, Outlet, SendError, Unsettled, Window, random_hex};
use crate::ack::Promise;
use crate::event::Batch;
use crate::fd::{self, Bell, FdKind};
use crate::stop::Stop;
use crate::tls::Fate;
use crate::wire::{self, Compression, End, Hello, Kind};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

/// Waiting frames are written together up to here; below it a pipe loses throughput.
const COALESCE: usize = 64 << 10;
/// How long the last bytes may take through a tunnel.
const LAST_BYTES: Duration = Duration::from_secs(5);
/// A payload from here on is written from where it lies.
const IN_PLACE: usize = 32 << 10;

/// Where acceptances come from.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A Unix socket on the side; below this directory where one is given.
    Unix(Option<PathBuf>),
    /// The socket that the stream goes over.
    SelfSocket,
    /// The standard output of the command that reads the stream: this is its other end.
    Stdout(Arc<OwnedFd>),
    /// Nobody: a batch is accepted when it is written (best effort).
    None,
    /// Nobody: standard output is a regular file, and a batch is accepted when it is synced to it.
    File,
}

/// How a stream is written.
#[derive(Debug, Clone)]
pub struct OutletOptions {
    /// Who writes.
    pub identity: Identity,
    /// Where acceptances come from.
    pub reply: Reply,
    /// How far unaccepted batches may pile up.
    pub window: Window,
    /// How long to wait for a taker.
    pub reply_timeout: Duration,
    /// How many take from the stream, behind a `tee`: a batch is accepted when all of them have accepted it.
    pub takers: usize,
    /// How payloads are compressed.
    pub compression: Compression,
    /// The channel that origins count in.
    pub origin: String,
    /// What the other side wants to be shown before it takes anything.
    pub token: String,
    /// The thread between the descriptor and the network, which must have written everything before the end.
    pub tunnel: Option<Fate>,
    /// The other side is a server that answers the hello: [`StreamOutlet::wait_welcome`].
    pub is_greeted: bool,
    /// Largest payload.
    pub limit: u32,
}

impl OutletOptions {
    /// The defaults for a stage with this name.
    pub fn new(identity: Identity, reply: Reply) -> Self {
        OutletOptions {
            identity,
            reply,
            window: Window::default(),
            reply_timeout: Duration::from_secs(30),
            takers: 1,
            compression: Compression::None,
            origin: String::new(),
            token: String::new(),
            tunnel: None,
            is_greeted: false,
            limit: wire::LIMIT,
        }
    }
}

/// Writes a stream and keeps the accounts of what was accepted.
pub struct StreamOutlet {
    writer: Mutex<Writer>,
    acks: Arc<Acks>,
    options: OutletOptions,
    stop: Stop,
    done: Bell,
    /// Origins up to here were accepted before this connection was made.
    known: OnceLock<u64>,
    /// The socket for acceptances, where it is a file.
    socket: Option<PathBuf>,
}

struct Writer {
    /// None once it is closed, and then it is dead, too.
    fd: Option<OwnedFd>,
    waiting: Vec<u8>,
    /// When the first of the batches that wait came: the clock is not asked for each.
    since: Instant,
    last: u64,
    /// Something was written, or was tried to.
    begun: bool,
    totals: End,
    ended: bool,
    broken: bool,
    dead: Option<SendError>,
}

impl StreamOutlet {
    /// Open a stream on a descriptor. Its hello is written with the first flush or batch: of a stage that cannot
    /// start, nothing comes.
    pub fn open(fd: OwnedFd, options: OutletOptions, stop: &Stop) -> io::Result<StreamOutlet> {
        if fd::kind(&fd)? == FdKind::Pipe {
            fd::widen_pipe(&fd);
        }
        let acks = Acks::new()?;
        let done = Bell::new()?;
        let mut hello = hello_of(&options);
        let mut socket = None;
        match &options.reply {
            Reply::Unix(directory) => {
                let endpoint = Endpoint::open(directory.as_deref())?;
                hello.reply = endpoint.address.clone();
                hello.token = endpoint.token.clone();
                socket = endpoint.path.clone();
                let (acks, done, output) = (acks.clone(), done.clone(), fd.try_clone()?);
                let patience = Patience {
                    takers: options.takers.max(1),
                    timeout: options.reply_timeout,
                };
                spawn(move || replies::serve(endpoint, output, &acks, &done, patience))?;
            }
            Reply::SelfSocket => {
                hello.reply = "self".into();
                let (acks, done, socket) = (acks.clone(), done.clone(), fd.try_clone()?);
                spawn(move || replies::serve_self(socket, &acks, &done))?;
            }
            Reply::Stdout(from) => {
                hello.reply = "stdout".into();
                let (acks, done, from) = (acks.clone(), done.clone(), from.try_clone()?);
                let (name, timeout) = (options.identity.stage.clone(), options.reply_timeout);
                spawn(move || replies::serve_stdout(from, &name, &acks, &done, timeout))?;
            }
            Reply::None | Reply::File => {}
        }
        let writer = Writer {
            fd: Some(fd),
            waiting: hello.encode(),
            since: Instant::now(),
            last: 0,
            begun: false,
            totals: End::default(),
            ended: false,
            broken: false,
            dead: None,
        };
        Ok(StreamOutlet {
            writer: Mutex::new(writer),
            acks,
            options,
            stop: stop.clone(),
            done,
            known: OnceLock::new(),
            socket,
        })
    }

    /// Stop the flow as soon as nobody will accept anything any more, also while nothing is written: an idle
    /// writer learns of the loss at once. For an output in whose place nothing can come.
    pub fn stop_when_gone(&self) {
        let stop = self.stop.clone();
        self.acks.set_when_gone(Box::new(move || stop.fail()));
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait_for_room(&self, writer: &mut Writer, bytes: usize) -> Result<(), SendError> {
        let mut room = self.acks.room(bytes, &self.options.window);
        if matches!(room, Room::Full) {
            if !self.settles_by_writing() {
                // Whoever holds part of a batch until it is full would wait for what we cannot send.
                let ask = wire::FrameHeader::new(Kind::Flush, &[]).encode(0);
                writer.waiting.extend_from_slice(&ask);
            }
            self.write_waiting(writer, &[])?;
            room = self.acks.wait_room(bytes, &self.options.window, &self.stop);
        }
        match room {
            Room::Free => Ok(()),
            Room::Full => Err(SendError::Stopped),
            Room::Gone => Err(writer.die(SendError::Closed)),
            Room::NoTaker(why) => Err(writer.die(SendError::NoTaker(why))),
        }
    }

    /// Write what waits and then `parts`, and settle what is settled by being written.
    fn write_waiting(&self, writer: &mut Writer, parts: &[&[u8]]) -> Result<(), SendError> {
        if let Some(dead) = &writer.dead {
            return Err(dead.clone());
        }
        if !writer.waiting.is_empty() || !parts.is_empty() {
            writer.begun = true;
            let Writer {
                fd: Some(fd),
                waiting,
                ..
            } = writer
            else {
                return Err(SendError::Closed);
            };
            let mut all: Vec<_> = std::iter::once(&waiting[..])
                .chain(parts.iter().copied())
                .map(IoSlice::new)
                .collect();
            let written = self.stop.write_all(fd.as_fd(), &mut all, &[&self.acks.lost]);
            waiting.clear();
            if let Err(error) = written {
                return Err(self.write_failed(writer, error));
            }
        }
        match self.options.reply {
            Reply::None => self.acks.accept_up_to(writer.last),
            Reply::File => self.sync(writer)?,
            Reply::Unix(_) | Reply::SelfSocket | Reply::Stdout(_) => {}
        }
        Ok(())
    }

    fn sync(&self, writer: &mut Writer) -> Result<(), SendError> {
        let synced = writer.fd.as_ref().map(rustix::fs::fdatasync);
        if let Some(Err(error)) = synced {
            self.acks.gone();
            return Err(writer.die(SendError::Failed(format!(
                "standard output cannot be synced: {error}"
            ))));
        }
        self.acks.accept_up_to(writer.last);
        Ok(())
    }

    fn write_failed(&self, writer: &mut Writer, error: io::Error) -> SendError {
        if error.kind() == io::ErrorKind::TimedOut {
            self.acks.gone();
            return writer.die(SendError::Stopped);
        }
        let closed = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionReset
        );
        if !closed {
            self.acks.gone();
            return writer.die(SendError::Failed(format!("cannot write the stream: {error}")));
        }
        // The reply may hold a refusal that says why, or acceptances: read it to its end first.
        match self.options.reply {
            Reply::Unix(_) | Reply::SelfSocket | Reply::Stdout(_) => {
                self.acks.wait_gone(Instant::now() + self.stop.grace())
            }
            Reply::None | Reply::File => self.acks.gone(),
        }
        match self.acks.room(0, &self.options.window) {
            Room::NoTaker(why) => writer.die(SendError::NoTaker(why)),
            _ => writer.die(SendError::Closed),
        }
    }

    /// Close the descriptor, for a reader that waits for the end of its input. Nothing is settled any more.
    pub fn close(&self) {
        let mut writer = self.lock();
        writer.die(SendError::Closed);
        writer.fd = None;
        self.done.ring();
    }

    /// Why nobody is waited for any more, if nobody came to take.
    pub fn given_up(&self) -> Option<SendError> {
        match self.acks.room(0, &self.options.window) {
            Room::NoTaker(why) => Some(SendError::NoTaker(why)),
            _ => None,
        }
    }

    /// Wait until the server has answered the hello. The error is a sentence about it.
    pub fn wait_welcome(&self, until: &dyn Fn() -> Option<Instant>) -> Result<(), String> {
        self.known
            .set(self.acks.wait_welcome(until)?)
            .map_err(|_| "it was asked twice".to_string())
    }

    /// Somebody has come to take.
    pub fn had_taker(&self) -> bool {
        self.acks.had_taker()
    }

    fn settles_by_writing(&self) -> bool {
        matches!(self.options.reply, Reply::None | Reply::File)
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new()
        .name("flume-reply".into())
        .stack_size(128 << 10)
        .spawn(work)
        .map(drop)
}

fn hello_of(options: &OutletOptions) -> Hello {
    Hello {
        version: wire::VERSION,
        stream: random_hex(),
        stage: options.identity.stage.clone(),
        host: options.identity.host.clone(),
        pid: options.identity.pid,
        time: crate::say::now(),
        reply: "none".into(),
        token: options.token.clone(),
        origin: options.origin.clone(),
        via: Vec::new(),
        other: match options.is_greeted {
            true => [(wire::GREET.to_string(), true.into())].into_iter().collect(),
            false => Default::default(),
        },
    }
}

impl Writer {
    /// It broke before anything was written.
    fn has_come_to_nothing(&self) -> bool {
        self.broken && !self.begun && self.totals.batches == 0
    }

    fn die(&mut self, error: SendError) -> SendError {
        self.dead.get_or_insert(error).clone()
    }
}

impl Outlet for StreamOutlet {
    fn send_promised(&self, mut batch: Batch, promise: Promise) -> Result<(), SendError> {
        let bytes = batch.bytes();
        if bytes > self.options.limit as usize {
            let limit = self.options.limit;
            return Err(SendError::TooLarge(format!(
                "a batch of {bytes} bytes is over the limit of {limit}"
            )));
        }
        let mut writer = self.lock();
        if let Some(dead) = &writer.dead {
            return Err(dead.clone());
        }
        self.wait_for_room(&mut writer, bytes)?;
        writer.last += 1;
        batch.sequence = writer.last;
        if writer.waiting.is_empty() {
            writer.since = Instant::now();
        }
        self.acks
            .push(writer.last, bytes, batch.len(), writer.since, promise);
        writer.totals.batches += 1;
        writer.totals.events += u64::from(batch.len());
        writer.totals.bytes += bytes as u64;
        let packed;
        let (header, payload) = match self.options.compression {
            Compression::None => (wire::FrameHeader::batch(&batch), batch.encoded()),
            how => {
                packed = wire::batch_frame(&batch, how);
                (packed.0, &packed.1)
            }
        };
        let header = header.encode(0);
        if payload.len() >= IN_PLACE && !matches!(self.options.reply, Reply::File) {
            self.write_waiting(&mut writer, &[&header, payload])?;
            return Ok(());
        }
        writer.waiting.extend_from_slice(&header);
        writer.waiting.extend_from_slice(payload);
        // What is settled by being written would sync for each 64 KiB: let the window decide there.
        let enough = match self.options.reply {
            Reply::File => self.options.window.bytes.min(1 << 20),
            _ => COALESCE,
        };
        if writer.waiting.len() >= enough {
            self.write_waiting(&mut writer, &[])?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        let mut writer = self.lock();
        if writer.has_come_to_nothing() {
            return Ok(());
        }
        let written = self.write_waiting(&mut writer, &[]);
        drop(writer);
        if self.settles_by_writing() {
            // No thread reads acceptances that would say so.
            self.acks.after();
        }
        written
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        if self.settles_by_writing() {
            return self.flush();
        }
        let mut writer = self.lock();
        let frame = wire::FrameHeader::new(Kind::Flush, &[]).encode(0);
        self.write_waiting(&mut writer, &[&frame])
    }

    fn break_off(&self) {
        self.lock().broken = true;
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        let mut writer = self.lock();
        if writer.has_come_to_nothing() {
            // Who reads is not told of a stream that has come to nothing.
            self.stop_waiting();
            return Ok(());
        }
        if !writer.ended {
            writer.ended = true;
            let end = match writer.broken || self.stop.is_failing() {
                true => Vec::new(),
                false => writer.totals.encode(),
            };
            let written = self.write_waiting(&mut writer, &[&end]);
            let all_settled = self.acks.unsettled().oldest.is_none();
            // The pipe may be closed: that matters only to batches that nobody has accepted.
            if written.is_err() && (!all_settled || self.settles_by_writing()) {
                return written;
            }
        }
        let empty = writer.totals.batches == 0;
        drop(writer);
        // A stop that comes while we wait sets a limit, too.
        let until = || deadline.or_else(|| self.stop.deadline());
        if empty && matches!(self.options.reply, Reply::Unix(_) | Reply::Stdout(_)) {
            let patience = Instant::now() + self.options.reply_timeout;
            self.acks
                .wait_taker(&|| Some(until().map_or(patience, |until| until.min(patience))));
        }
        let all = self.acks.wait_all(&until);
        self.stop_waiting();
        self.flush_tunnel();
        if all {
            return Ok(());
        }
        match self.acks.room(0, &self.options.window) {
            Room::NoTaker(why) => Err(SendError::NoTaker(why)),
            Room::Gone => Err(SendError::Closed),
            _ => Err(SendError::Temporary(
                "the grace is over and not every batch was accepted".into(),
            )),
        }
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        self.acks.set_after(then);
    }

    fn unsettled(&self) -> Unsettled {
        self.acks.unsettled()
    }

    fn known(&self) -> u64 {
        self.known.get().copied().unwrap_or(0)
    }
}

impl StreamOutlet {
    /// The process may end next, and with it the thread that has the last bytes.
    fn flush_tunnel(&self) {
        if let (Some(fate), Some(fd)) = (&self.options.tunnel, &self.lock().fd) {
            let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
            fate.wait_flushed(LAST_BYTES);
        }
    }

    /// Nobody is waited for any more. The thread that serves the socket would remove it, too, but the
    /// process may end first.
    fn stop_waiting(&self) {
        self.done.ring();
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}

impl Drop for StreamOutlet {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}
