//! The reply: where acceptances travel back on the side of a one-way pipe.
//!
//! The writer of a stream listens on a Unix socket with a random name, abstract on Linux (nothing to clean
//! up, works across mount namespaces), or at a path below `--reply-dir` (for network namespaces). Its hello
//! carries the address and a token. The next stage that takes connects, shows the token in a hello of its
//! own, and is welcomed with `accept 0`. From then on it sends `accept` and `refuse`. A thread of the
//! writer that waits for nothing else reads them, so the taker may block while it writes one, and nobody
//! ever waits in a circle.

use super::Identity;
use super::acks::Acks;
use crate::ack::Refusal;
use crate::fd::{self, Bell};
use crate::wire::{self, FrameReader, Got, Hello, Kind, Refuse};
use rustix::event::{PollFd, PollFlags};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a new connection may take to show its token.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// Connections that have not shown it yet at most.
const GUESTS: usize = 16;
/// How long a taker waits to be welcomed; the writer's thread answers at once unless it is stopped.
const WELCOME: Duration = Duration::from_secs(30);

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
        let listener = UnixListener::bind(&path).map_err(|error| {
            let place = directory.display();
            io::Error::new(
                error.kind(),
                format!("--reply-dir {place}: no socket can be made there: {error}"),
            )
        })?;
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
    let mut guests = Vec::new();
    loop {
        let Ok(ready) = poll_all(
            &endpoint,
            &output,
            taker.as_ref().map(|(socket, _)| socket),
            &guests,
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
        {
            guests.extend(Guest::come(socket));
            // Who says nothing makes room for others.
            guests.drain(..guests.len().saturating_sub(GUESTS));
        }
        for (socket, reader) in identified(&mut guests, &endpoint.token) {
            if answer(&socket, taker.is_none()) {
                taker = Some((socket, reader));
                acks.taker_came();
            }
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
    guests: &[Guest],
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
        None if guests.is_empty() => fds.push(PollFd::new(output, PollFlags::empty())),
        // One of them may have read what was written, and accept it.
        None => {}
    }
    let first_guest = fds.len();
    fds.extend(
        guests
            .iter()
            .map(|guest| PollFd::new(&guest.socket, PollFlags::IN)),
    );
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
    let left = guests.iter().map(Guest::time_left).min();
    let limit = limit.into_iter().chain(left).min();
    let limit = limit.map(|limit| rustix::event::Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    match rustix::event::poll(&mut fds, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let third = fds[2..first_guest]
        .first()
        .map_or(PollFlags::empty(), |fd| fd.revents());
    Ok(Ready {
        listener: !fds[0].revents().is_empty(),
        done: !fds[1].revents().is_empty(),
        reply: taker.is_some() && !third.is_empty(),
        output_closed: taker.is_none() && third.intersects(PollFlags::ERR | PollFlags::HUP),
    })
}

/// Somebody who has connected and not shown the token yet.
struct Guest {
    socket: UnixStream,
    reader: ReplyReader,
    until: Instant,
}

impl Guest {
    /// Look who connects: nobody but the same user or root.
    fn come(socket: UnixStream) -> Option<Guest> {
        let peer = rustix::net::sockopt::socket_peercred(&socket).ok()?;
        if peer.uid != rustix::process::geteuid() && !peer.uid.is_root() {
            return None;
        }
        let reader = ReplyReader::new(socket.try_clone().ok()?.into());
        let until = Instant::now() + HANDSHAKE;
        Some(Guest {
            socket,
            reader,
            until,
        })
    }

    fn time_left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Whether the token was shown; `None` as long as it may still be. Never waits.
    fn has_shown(&mut self, token: &str) -> Option<bool> {
        match self.reader.frames.next() {
            Ok(Got::Frame(frame)) => Some(Hello::from_frame(&frame).is_ok_and(|hello| hello.token == token)),
            Ok(Got::Pending) if !self.time_left().is_zero() => None,
            Ok(Got::Pending | Got::Eof) | Err(_) => Some(false),
        }
    }
}

/// Take those who have shown the token out of the guests; those who did not in time, or a wrong one, are gone.
fn identified(guests: &mut Vec<Guest>, token: &str) -> Vec<(UnixStream, ReplyReader)> {
    let mut known = Vec::new();
    for mut guest in std::mem::take(guests) {
        match guest.has_shown(token) {
            None => guests.push(guest),
            Some(true) => known.push((guest.socket, guest.reader)),
            Some(false) => {}
        }
    }
    known
}

/// Welcome the first who has the token, and turn others away; true if this one takes.
fn answer(mut socket: &UnixStream, first: bool) -> bool {
    if first {
        return socket.write_all(&wire::accept_frame(0)).is_ok();
    }
    let surplus = Refuse {
        class: "surplus".into(),
        reason: "this stream has a taker already: tell the source --takers N".into(),
    };
    let _ = socket.write_all(&wire::encode_json(Kind::Refuse, 0, &surplus));
    false
}

/// Why a taker has no reply.
#[derive(Debug, Clone)]
pub(super) enum NoReply {
    /// Another stage takes from this stream already.
    Surplus(String),
    /// No endpoint of another host can be reached.
    Elsewhere(String),
    /// Nobody has answered.
    Silence(Silence),
}

/// An endpoint on this host that gave no answer. Whether its writer is dead, the stream can tell.
#[derive(Debug, Clone)]
pub(super) struct Silence {
    /// The sentence for a writer that lives.
    pub why: String,
    /// Somebody was there when we came.
    pub was_there: bool,
}

/// Connect to the endpoint that a hello names, and wait to be welcomed.
pub(super) fn connect(hello: &Hello, me: &Identity) -> Result<UnixStream, NoReply> {
    if hello.host != me.host {
        let why = format!("the stream comes from another host, {}", hello.host);
        return Err(NoReply::Elsewhere(explain(hello, me, &why)));
    }
    let silence = |why: &str, was_there| {
        let why = explain(hello, me, why);
        NoReply::Silence(Silence { why, was_there })
    };
    let address = hello.reply.strip_prefix("unix:").unwrap_or(&hello.reply);
    let connected = match address.strip_prefix('@') {
        Some(name) => {
            SocketAddr::from_abstract_name(name.as_bytes()).and_then(|at| UnixStream::connect_addr(&at))
        }
        None => UnixStream::connect(address),
    };
    let mut socket = connected.map_err(|error| silence(&error.to_string(), false))?;
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
        .map_err(|error| error.to_string())
        .and_then(|()| welcome(&mut socket))
        .map_err(|why| silence(&why, true))?;
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
