//! The reply: where acceptances travel back on the side of a one-way pipe.
//!
//! The writer of a stream listens on a Unix socket with a random name, abstract on Linux (nothing to clean
//! up, works across mount namespaces), or at a path below `--reply-dir` (for network namespaces). Its hello
//! carries the address and a token. The next stage that takes connects, shows the token in a hello of its
//! own, and is welcomed with `accept 0`. From then on it sends `accept` and `refuse`. A thread of the
//! writer that waits for nothing else reads them, so the taker may block while it writes one, and nobody
//! ever waits in a circle.

use super::Identity;
use crate::ack::{Outcome, Promise, Refusal};
use crate::fd::{self, Bell};
use crate::wire::{self, FrameReader, Got, Hello, Kind, Refuse};
use rustix::event::{PollFd, PollFlags};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a new connection may take to show its token.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// How long a taker waits to be welcomed; the writer's thread answers at once unless it is stopped.
const WELCOME: Duration = Duration::from_secs(30);

/// Batches on their way and what became of them: shared by the writer and the thread that reads replies.
pub(super) struct Acks {
    state: Mutex<AckState>,
    changed: Condvar,
    /// Rung when nothing more can be accepted, to wake a writer that waits for a full pipe.
    pub lost: Bell,
    after: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
    when_gone: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
}

/// Until when to wait, asked again now and then: a stop may come meanwhile and set a limit.
pub(super) type Until<'a> = &'a dyn Fn() -> Option<Instant>;

/// How often it is asked.
const ASK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Default)]
struct AckState {
    under_way: VecDeque<UnderWay>,
    bytes: usize,
    events: u64,
    taker: bool,
    taker_came: bool,
    gone: bool,
    lost: bool,
    /// Taken off the list and not settled yet: nobody may think that all is done.
    settling: usize,
    /// Empty: where batches are put to be settled. A new one for thousands of small batches would be
    /// given back to the system each time.
    spare: Vec<UnderWay>,
    /// Threads that wait for a change: without any, an acceptance costs no system call.
    waiting: u32,
    no_taker: Option<String>,
}

struct UnderWay {
    sequence: u64,
    bytes: usize,
    events: u32,
    since: Instant,
    promise: Promise,
}

/// What a writer sees when it looks whether it may go on.
pub(super) enum Room {
    Free,
    Full,
    Gone,
    NoTaker(String),
}

impl Acks {
    pub fn new() -> io::Result<Arc<Acks>> {
        Ok(Arc::new(Acks {
            state: Mutex::default(),
            changed: Condvar::new(),
            lost: Bell::new()?,
            after: Mutex::new(None),
            when_gone: Mutex::new(None),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, AckState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn set_after(&self, then: Box<dyn Fn() + Send + Sync>) {
        *self.after.lock().unwrap_or_else(|p| p.into_inner()) = Some(then);
    }

    /// Have `then` called when nobody will accept anything any more, at once if it is so already.
    pub fn set_when_gone(&self, then: Box<dyn Fn() + Send + Sync>) {
        let mut hook = self.when_gone.lock().unwrap_or_else(|p| p.into_inner());
        if self.lock().gone {
            then();
        }
        *hook = Some(then);
    }

    /// Called when some were settled and nothing more is there to settle.
    fn after(&self) {
        if let Some(then) = self.after.lock().unwrap_or_else(|p| p.into_inner()).as_ref() {
            then();
        }
    }

    /// A batch is on its way, since then.
    pub fn push(&self, sequence: u64, bytes: usize, events: u32, since: Instant, promise: Promise) {
        let mut state = self.lock();
        state.bytes += bytes;
        state.events += u64::from(events);
        state.under_way.push_back(UnderWay {
            sequence,
            bytes,
            events,
            since,
            promise,
        });
    }

    /// Is there room for so many bytes more?
    pub fn room(&self, bytes: usize, window: &super::Window) -> Room {
        let state = self.lock();
        Self::room_in(&state, bytes, window)
    }

    fn room_in(state: &AckState, bytes: usize, window: &super::Window) -> Room {
        if let Some(why) = &state.no_taker {
            return Room::NoTaker(why.clone());
        }
        if state.gone {
            return Room::Gone;
        }
        let count = state.under_way.len();
        let fits = count < window.batches && state.bytes + bytes <= window.bytes;
        if fits || count == 0 {
            Room::Free
        } else {
            Room::Full
        }
    }

    /// Wait for room; `Full` again when the deadline passes.
    pub fn wait_room(&self, bytes: usize, window: &super::Window, stop: &crate::stop::Stop) -> Room {
        let mut state = self.lock();
        loop {
            let room = Self::room_in(&state, bytes, window);
            let deadline = stop.deadline();
            if !matches!(room, Room::Full) || deadline.is_some_and(|at| at <= Instant::now()) {
                return room;
            }
            // A stop that comes later wakes nobody here: look again now and then only in that rare case.
            let left = deadline.map_or(ASK_AGAIN, |at| at.saturating_duration_since(Instant::now()));
            state = self.wait(state, left);
        }
    }

    fn wait<'a>(&'a self, mut state: MutexGuard<'a, AckState>, left: Duration) -> MutexGuard<'a, AckState> {
        state.waiting += 1;
        let waited = self.changed.wait_timeout(state, left);
        let mut state = waited.unwrap_or_else(|p| p.into_inner()).0;
        state.waiting -= 1;
        state
    }

    /// Let those who wait look again.
    fn changed(&self, state: MutexGuard<'_, AckState>) {
        let somebody_waits = state.waiting > 0;
        drop(state);
        if somebody_waits {
            self.changed.notify_all();
        }
    }

    /// Wait until all are settled or `deadline` passes: true if they are and none was lost.
    pub fn wait_all(&self, until: Until<'_>) -> bool {
        self.wait_until(until, |state| {
            state.settling == 0 && (state.under_way.is_empty() || state.gone || state.no_taker.is_some())
        });
        let state = self.lock();
        state.under_way.is_empty() && state.settling == 0 && !state.lost
    }

    /// Wait until the other end is gone, or all are settled.
    pub fn wait_gone(&self, deadline: Instant) {
        self.wait_until(&|| Some(deadline), |state| {
            state.gone || (state.taker_came && state.under_way.is_empty())
        });
    }

    /// Wait until a taker came, or nobody can come any more.
    pub fn wait_taker(&self, until: Until<'_>) {
        self.wait_until(until, |state| state.taker_came || state.gone);
    }

    fn wait_until(&self, until: Until<'_>, done: impl Fn(&AckState) -> bool) {
        let mut state = self.lock();
        while !done(&state) {
            let left = until().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            state = self.wait(state, left.map_or(ASK_AGAIN, |left| left.min(ASK_AGAIN)));
        }
    }

    /// Everything up to `sequence` is accepted.
    pub fn accept_up_to(&self, sequence: u64) {
        let mut state = self.lock();
        let mut settled = std::mem::take(&mut state.spare);
        while state
            .under_way
            .front()
            .is_some_and(|first| first.sequence <= sequence)
        {
            settled.extend(Self::pop(&mut state, 0));
        }
        self.settle(state, settled, Outcome::Accepted);
    }

    /// Settle batches that were taken off the list. There is room at once; all is done only afterwards.
    fn settle(&self, mut state: MutexGuard<'_, AckState>, mut batches: Vec<UnderWay>, outcome: Outcome) {
        let count = batches.len();
        state.settling += count;
        self.changed(state);
        for batch in batches.drain(..) {
            batch.promise.settle(outcome.clone());
        }
        let mut state = self.lock();
        state.settling -= count;
        if batches.capacity() > state.spare.capacity() {
            state.spare = batches;
        }
        if state.settling == 0 && state.under_way.is_empty() {
            self.changed(state);
        }
    }

    fn pop(state: &mut AckState, index: usize) -> Option<UnderWay> {
        let batch = state.under_way.remove(index)?;
        state.bytes -= batch.bytes;
        state.events -= u64::from(batch.events);
        Some(batch)
    }

    fn refuse(&self, sequence: u64, refusal: Refusal) {
        let mut state = self.lock();
        let index = state
            .under_way
            .iter()
            .position(|batch| batch.sequence == sequence);
        let batch = index.and_then(|index| Self::pop(&mut state, index));
        self.settle(state, batch.into_iter().collect(), Outcome::Refused(refusal));
    }

    fn taker_came(&self) {
        let mut state = self.lock();
        state.taker = true;
        state.taker_came = true;
        self.changed(state);
    }

    /// Nobody will accept anything any more.
    pub fn gone(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.taker = false;
        let lost: Vec<_> = state.under_way.drain(..).collect();
        state.lost |= !lost.is_empty();
        state.bytes = 0;
        state.events = 0;
        self.lost.ring();
        self.settle(state, lost, Outcome::Lost);
        self.changed(self.lock());
        if let Some(then) = self.when_gone.lock().unwrap_or_else(|p| p.into_inner()).as_ref() {
            then();
        }
    }

    /// Bytes are waiting since then and nobody has come to take them.
    fn waits_since(&self) -> Option<Instant> {
        let state = self.lock();
        if state.taker_came {
            return None;
        }
        state.under_way.front().map(|first| first.since)
    }

    fn give_up(&self, why: String) {
        self.lock().no_taker = Some(why);
        self.gone();
    }

    pub fn unsettled(&self) -> super::Unsettled {
        let state = self.lock();
        super::Unsettled {
            events: state.events,
            bytes: state.bytes as u64,
            oldest: state.under_way.front().map(|first| first.since.elapsed()),
        }
    }
}

/// Where a writer waits for its taker.
pub(super) struct Endpoint {
    listener: UnixListener,
    /// As the hello says it.
    pub address: String,
    /// What the taker must show.
    pub token: String,
    /// The socket's file, if it has one.
    pub path: Option<PathBuf>,
}

impl Endpoint {
    /// Listen: at an abstract name, or below `directory`.
    pub fn open(directory: Option<&Path>) -> io::Result<Endpoint> {
        let name = format!("flume-{}", super::random_hex());
        let token = super::random_hex();
        let Some(directory) = directory else {
            let address = SocketAddr::from_abstract_name(name.as_bytes())?;
            return Ok(Endpoint {
                listener: UnixListener::bind_addr(&address)?,
                address: format!("unix:@{name}"),
                token,
                path: None,
            });
        };
        let path = std::path::absolute(directory)?.join(&name);
        let listener = UnixListener::bind(&path)?;
        Ok(Endpoint {
            listener,
            address: format!("unix:{}", path.display()),
            token,
            path: Some(path),
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Reads what a connected taker says.
pub(super) struct ReplyReader {
    frames: FrameReader<Socket>,
}

/// A socket that says `WouldBlock` instead of waiting; its descriptor keeps blocking for writers.
struct Socket(OwnedFd);

impl Read for Socket {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match rustix::net::recv(&self.0, to, rustix::net::RecvFlags::DONTWAIT) {
            Ok((_, count)) => Ok(count),
            Err(error) => Err(error.into()),
        }
    }
}

impl wire::Input for Socket {}

impl ReplyReader {
    pub fn new(socket: OwnedFd) -> Self {
        ReplyReader {
            frames: FrameReader::new(Socket(socket), wire::HELLO_LIMIT),
        }
    }

    /// Settle what has come in; false at the end of the reply.
    fn read_what_is_there(&mut self, acks: &Acks) -> bool {
        loop {
            match self.frames.next() {
                Ok(Got::Pending) => {
                    acks.after();
                    return true;
                }
                Ok(Got::Frame(frame)) => match frame.header.kind {
                    Kind::Accept => acks.accept_up_to(frame.header.sequence),
                    Kind::Refuse => acks.refuse(frame.header.sequence, refusal(&frame)),
                    _ => {}
                },
                Ok(Got::Eof) | Err(_) => {
                    acks.after();
                    return false;
                }
            }
        }
    }
}

fn refusal(frame: &wire::Frame) -> Refusal {
    match frame.json::<Refuse>("refusal") {
        Ok(refuse) if refuse.class == "reject" => Refusal::reject(refuse.reason),
        Ok(refuse) => Refusal::retry(refuse.reason),
        Err(fault) => Refusal::retry(fault.to_string()),
    }
}

/// Read acceptances from a socket that carries the stream the other way, until it ends or `done` rings.
pub(super) fn serve_self(socket: OwnedFd, acks: &Acks, done: &Bell) {
    let mut reader = match socket.try_clone() {
        Ok(copy) => ReplyReader::new(copy),
        Err(_) => return acks.gone(),
    };
    acks.taker_came();
    while let Ok(fd::Woken::Ready) = fd::wait(socket.as_fd(), PollFlags::IN, &[done], None) {
        if !reader.read_what_is_there(acks) {
            break;
        }
    }
    acks.gone();
}

/// Wait for the taker, welcome it, turn others away, and read acceptances until it goes or `done` rings.
/// `output` is the pipe that the stream is written to: when nobody reads it, nobody will come.
pub(super) fn serve(endpoint: Endpoint, output: OwnedFd, acks: &Acks, done: &Bell, timeout: Duration) {
    let mut taker: Option<(UnixStream, ReplyReader)> = None;
    loop {
        let Ok(ready) = poll_all(
            &endpoint,
            &output,
            taker.as_ref().map(|(socket, _)| socket),
            done,
            acks,
            timeout,
        ) else {
            return acks.gone();
        };
        if ready.reply {
            let more = taker
                .as_mut()
                .is_some_and(|(_, reader)| reader.read_what_is_there(acks));
            if !more {
                return acks.gone();
            }
        }
        if ready.listener
            && let Ok((socket, _)) = endpoint.listener.accept()
            && let Some(reader) = handshake(&socket, &endpoint.token, taker.is_none())
        {
            taker = Some((socket, reader));
            acks.taker_came();
        }
        if ready.output_closed && taker.is_none() && !ready.listener {
            return acks.gone();
        }
        if ready.done {
            return;
        }
        let overdue = acks.waits_since().is_some_and(|since| since.elapsed() >= timeout);
        if overdue {
            let seconds = timeout.as_secs_f64();
            return acks.give_up(format!(
                "nobody has come for {seconds} s to accept what was written to standard output: is the next \
                 stage one of flume's? --durability best-effort is done when the pipe has it"
            ));
        }
    }
}

#[derive(Default)]
struct Ready {
    reply: bool,
    listener: bool,
    output_closed: bool,
    done: bool,
}

fn poll_all(
    endpoint: &Endpoint,
    output: &OwnedFd,
    taker: Option<&UnixStream>,
    done: &Bell,
    acks: &Acks,
    timeout: Duration,
) -> io::Result<Ready> {
    let mut fds = vec![
        PollFd::new(&endpoint.listener, PollFlags::IN),
        PollFd::new(done, PollFlags::IN),
    ];
    match taker {
        Some(socket) => fds.push(PollFd::new(socket, PollFlags::IN)),
        // Only errors are reported: the reading end of the pipe was closed.
        None => fds.push(PollFd::new(output, PollFlags::empty())),
    }
    // Looks at the clock only while a batch waits for a taker that has not come.
    let limit = match taker {
        Some(_) => None,
        None => Some(
            acks.waits_since()
                .map_or(timeout.min(Duration::from_millis(500)), |since| {
                    timeout.saturating_sub(since.elapsed())
                }),
        ),
    };
    let limit = limit.map(|limit| rustix::event::Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    match rustix::event::poll(&mut fds, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let third = fds[2].revents();
    Ok(Ready {
        listener: !fds[0].revents().is_empty(),
        done: !fds[1].revents().is_empty(),
        reply: taker.is_some() && !third.is_empty(),
        output_closed: taker.is_none() && third.intersects(PollFlags::ERR | PollFlags::HUP),
    })
}

/// Look who connects: the same user or root, with the token, and the first.
fn handshake(socket: &UnixStream, token: &str, first: bool) -> Option<ReplyReader> {
    let peer = rustix::net::sockopt::socket_peercred(socket).ok()?;
    if peer.uid != rustix::process::geteuid() && !peer.uid.is_root() {
        return None;
    }
    let mut reader = ReplyReader::new(socket.try_clone().ok()?.into());
    let deadline = Instant::now() + HANDSHAKE;
    let frame = loop {
        match reader.frames.next().ok()? {
            Got::Frame(frame) => break frame,
            Got::Eof => return None,
            Got::Pending => {
                let woken = fd::wait(socket.as_fd(), PollFlags::IN, &[], Some(deadline)).ok()?;
                if woken != fd::Woken::Ready {
                    return None;
                }
            }
        }
    };
    let hello = Hello::from_frame(&frame).ok()?;
    if hello.token != token {
        return None;
    }
    let mut socket = socket;
    if !first {
        let surplus = Refuse {
            class: "surplus".into(),
            reason: "this stream has a taker already: tell the source --takers N".into(),
        };
        let _ = socket.write_all(&wire::encode_json(Kind::Refuse, 0, &surplus));
        return None;
    }
    socket.write_all(&wire::accept_frame(0)).ok()?;
    Some(reader)
}

/// Why a taker has no reply.
#[derive(Debug, Clone)]
pub(super) enum NoReply {
    /// Another stage takes from this stream already.
    Surplus(String),
    /// The endpoint cannot be reached.
    Unreachable(String),
}

/// Connect to the endpoint that a hello names, and wait to be welcomed.
pub(super) fn connect(hello: &Hello, me: &Identity) -> Result<UnixStream, NoReply> {
    let unreachable = |why: String| NoReply::Unreachable(explain(hello, me, &why));
    let address = hello.reply.strip_prefix("unix:").unwrap_or(&hello.reply);
    if hello.host != me.host {
        return Err(unreachable(format!(
            "the stream comes from another host, {}",
            hello.host
        )));
    }
    let connected = match address.strip_prefix('@') {
        Some(name) => {
            SocketAddr::from_abstract_name(name.as_bytes()).and_then(|at| UnixStream::connect_addr(&at))
        }
        None => UnixStream::connect(address),
    };
    let mut socket = connected.map_err(|error| unreachable(error.to_string()))?;
    let mine = Hello {
        version: wire::VERSION,
        stream: hello.stream.clone(),
        stage: me.stage.clone(),
        host: me.host.clone(),
        pid: me.pid,
        time: crate::say::now(),
        reply: "none".into(),
        token: hello.token.clone(),
        origin: String::new(),
        via: Vec::new(),
        other: Default::default(),
    };
    let welcomed = socket
        .write_all(&mine.encode())
        .and_then(|()| socket.set_read_timeout(Some(WELCOME)))
        .map_err(|error| unreachable(error.to_string()))
        .and_then(|()| welcome(&mut socket).map_err(unreachable)?);
    let _ = socket.set_read_timeout(None);
    welcomed.map(|()| socket)
}

/// Read the answer to a taker's hello.
fn welcome(socket: &mut UnixStream) -> Result<Result<(), NoReply>, String> {
    let mut frame = [0; wire::HEADER];
    socket
        .read_exact(&mut frame)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it has turned this process away (another user?)".to_string(),
            io::ErrorKind::WouldBlock => "it does not answer".to_string(),
            _ => error.to_string(),
        })?;
    let header =
        wire::FrameHeader::decode(&frame, 0, wire::HELLO_LIMIT).map_err(|fault| fault.to_string())?;
    if header.kind == Kind::Accept {
        return Ok(Ok(()));
    }
    let mut payload = vec![0; header.length as usize];
    socket
        .read_exact(&mut payload)
        .map_err(|error| error.to_string())?;
    let refuse: Refuse = serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
    Ok(Err(NoReply::Surplus(refuse.reason)))
}

fn explain(hello: &Hello, me: &Identity, why: &str) -> String {
    let from = format!("{} (host {}, pid {})", hello.stage, hello.host, hello.pid);
    let advice = match hello.host == me.host {
        true => {
            "a recording is played by \"flume replay FILE\"; across network namespaces use --reply-dir; \
             --durability best-effort at the source needs no acceptance"
        }
        false => {
            "use \"flume sink pipe -- ssh HOST flume ...\", an address (tcp:HOST:PORT), or --durability \
             best-effort at the source"
        }
    };
    format!(
        "cannot accept batches from {from} at {}: {why}; {advice}",
        hello.reply
    )
}
