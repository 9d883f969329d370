//! The thread of a writer that reads what its takers say, and waits for nothing else.
//!
//! Over a socket of its own (the endpoint of [`super::reply`]), over the socket that the stream goes by, or from
//! the standard output of a command that takes. A stream has one taker unless it was told more, for `tee`: then
//! a batch is accepted when all have accepted it, and the loss of one is the loss of all.

use super::acks::Acks;
use super::reply::Endpoint;
use crate::ack::Refusal;
use crate::fd::{self, Bell, PolledFd};
use crate::wire::{self, FrameReader, Got, Hello, Kind, Refuse};
use rustix::event::{PollFd, PollFlags};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a new connection may take to show its token.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// Connections that have not shown it yet at most.
const GUESTS: usize = 16;
/// How often to look at the clock while a taker is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How a writer waits for its takers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How many must come.
    pub takers: usize,
    /// How long a batch waits for them to come.
    pub timeout: Duration,
}

/// What a taker says.
enum Said {
    /// It has come, and remembers the stream up to this origin.
    Welcome(u64),
    /// Every batch up to this one is taken.
    Accept(u64),
    /// This one is not.
    Refuse(u64, Refusal),
}

/// Reads what a taker says.
struct ReplyReader<R> {
    frames: FrameReader<R>,
    /// What came that is no reply.
    fault: Option<wire::WireError>,
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

impl<R: wire::Input> ReplyReader<R> {
    fn new(from: R) -> Self {
        ReplyReader {
            frames: FrameReader::new(from, wire::HELLO_LIMIT),
            fault: None,
        }
    }

    /// Hear what has come in; false at the end of the reply.
    fn read_what_is_there(&mut self, hear: &mut dyn FnMut(Said)) -> bool {
        loop {
            match self.frames.next() {
                Ok(Got::Pending) => return true,
                Ok(Got::Frame(frame)) => match frame.header.kind {
                    Kind::Accept if frame.header.sequence == 0 => hear(Said::Welcome(frame.header.origin)),
                    Kind::Accept => hear(Said::Accept(frame.header.sequence)),
                    Kind::Refuse => hear(Said::Refuse(frame.header.sequence, refusal(&frame))),
                    _ => {}
                },
                Ok(Got::Eof) => return false,
                Err(error) => {
                    self.fault = Some(error);
                    return false;
                }
            }
        }
    }

    /// Settle what has come in from the only taker; false at the end of the reply.
    fn settle_what_is_there(&mut self, acks: &Acks) -> bool {
        let more = self.read_what_is_there(&mut |said| match said {
            Said::Welcome(known) => acks.welcomed(Ok(known)),
            Said::Accept(sequence) => acks.accept_up_to(sequence),
            Said::Refuse(0, refusal) => acks.welcomed(Err(refusal)),
            Said::Refuse(sequence, refusal) => acks.refuse(sequence, refusal),
        });
        if let Some(fault) = &self.fault {
            acks.fault(fault.to_string());
        }
        acks.after();
        more
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
        Ok(copy) => ReplyReader::new(Socket(copy)),
        Err(_) => return acks.gone(),
    };
    acks.taker_came();
    while let Ok(fd::Woken::Ready) = fd::wait(socket.as_fd(), PollFlags::IN, &[done], None) {
        if !reader.settle_what_is_there(acks) {
            break;
        }
    }
    acks.gone();
}

/// Read acceptances from the standard output of a command, until it ends or `done` rings. Text in front of the
/// first of them is reported under `name`.
pub(super) fn serve_stdout(output: OwnedFd, name: &str, acks: &Acks, done: &Bell, timeout: Duration) {
    let Ok(copy) = output.try_clone() else {
        return acks.gone();
    };
    let mut reader = ReplyReader::new(super::banner::Banner::new(PolledFd::new(copy, false), name));
    let mut has_come = false;
    loop {
        let look = (!has_come).then(|| Instant::now() + LOOK_AGAIN.min(timeout));
        match fd::wait(output.as_fd(), PollFlags::IN, &[done], look) {
            Ok(fd::Woken::Ready) => {
                let more = reader.read_what_is_there(&mut |said| {
                    if !std::mem::replace(&mut has_come, true) {
                        acks.taker_came();
                    }
                    match said {
                        Said::Welcome(_) => {}
                        Said::Accept(sequence) => acks.accept_up_to(sequence),
                        Said::Refuse(sequence, refusal) => acks.refuse(sequence, refusal),
                    }
                });
                acks.after();
                if let Some(fault) = &reader.fault {
                    crate::say::warn(name, format!("the command's standard output: {fault}"));
                }
                if !more {
                    return acks.gone();
                }
            }
            Ok(fd::Woken::Timeout) => {}
            _ => return,
        }
        if acks.waits_since().is_some_and(|since| since.elapsed() >= timeout) {
            let seconds = timeout.as_secs_f64();
            return acks.give_up(format!(
                "the command has said nothing on its standard output for {seconds} s: its last stage has to be one \
                 of flume's that takes, such as \"flume channel file DIR --put\""
            ));
        }
    }
}

/// One who takes.
struct Taker {
    socket: UnixStream,
    reader: ReplyReader<Socket>,
}

/// All who take.
struct Takers {
    want: usize,
    each: Vec<Taker>,
    taken: Taken,
}

/// Up to which batch everybody has taken, in the order in which they came.
#[derive(Default)]
struct Taken {
    by_each: Vec<u64>,
    by_all: u64,
}

impl Taken {
    /// What all have taken now, if that is more than before.
    fn hear(&mut self, index: usize, sequence: u64, want: usize) -> Option<u64> {
        self.by_each[index] = self.by_each[index].max(sequence);
        let common = self.by_each.iter().copied().min()?;
        let is_more = self.by_each.len() == want && common > self.by_all;
        self.by_all = if is_more { common } else { self.by_all };
        is_more.then_some(common)
    }
}

impl Takers {
    fn is_whole(&self) -> bool {
        self.each.len() == self.want
    }

    /// Settle what one of them says, each word before the next is heard; false when it has gone.
    fn hear(&mut self, index: usize, acks: &Acks) -> bool {
        let (taken, want) = (&mut self.taken, self.want);
        let more = self.each[index]
            .reader
            .read_what_is_there(&mut |said| match said {
                Said::Welcome(_) => {}
                Said::Accept(sequence) => {
                    if let Some(common) = taken.hear(index, sequence, want) {
                        acks.accept_up_to(common);
                    }
                }
                Said::Refuse(sequence, refusal) => acks.refuse(sequence, refusal),
            });
        acks.after();
        more
    }

    /// Somebody has shown the token: welcome, or turned away.
    fn admit(&mut self, socket: UnixStream, reader: ReplyReader<Socket>, acks: &Acks) {
        if !answer(&socket, !self.is_whole(), self.want) {
            return;
        }
        self.each.push(Taker { socket, reader });
        self.taken.by_each.push(0);
        if self.is_whole() {
            acks.taker_came();
        }
    }
}

/// Wait for the takers, welcome them, turn others away, and read acceptances until one goes or `done` rings.
/// `output` is the pipe that the stream is written to: when nobody reads it, nobody will come.
pub(super) fn serve(endpoint: Endpoint, output: OwnedFd, acks: &Acks, done: &Bell, patience: Patience) {
    let mut takers = Takers {
        want: patience.takers,
        each: Vec::new(),
        taken: Taken::default(),
    };
    let mut guests = Vec::new();
    loop {
        let Ok(ready) = poll_all(&endpoint, &output, &takers, &guests, done, acks, patience.timeout) else {
            return acks.gone();
        };
        for index in ready.replies {
            if !takers.hear(index, acks) {
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
            takers.admit(socket, reader, acks);
        }
        if ready.output_closed && !takers.is_whole() && !ready.listener {
            return acks.gone();
        }
        if ready.done {
            return;
        }
        let overdue = acks
            .waits_since()
            .is_some_and(|since| since.elapsed() >= patience.timeout);
        if overdue {
            return acks.give_up(nobody_came(&takers, patience));
        }
    }
}

fn nobody_came(takers: &Takers, patience: Patience) -> String {
    let seconds = patience.timeout.as_secs_f64();
    match takers.want {
        1 => format!(
            "nobody has come for {seconds} s to accept what was written to standard output: is the next stage one \
             of flume's? --durability best-effort is done when the pipe has it"
        ),
        want => format!(
            "{} of {want} takers have come within {seconds} s to accept what was written to standard output: \
             --takers is the number of flume's stages that take behind the tee",
            takers.each.len()
        ),
    }
}

#[derive(Default)]
struct Ready {
    /// Indexes of the takers that have said something.
    replies: Vec<usize>,
    listener: bool,
    output_closed: bool,
    done: bool,
}

fn poll_all(
    endpoint: &Endpoint,
    output: &OwnedFd,
    takers: &Takers,
    guests: &[Guest],
    done: &Bell,
    acks: &Acks,
    timeout: Duration,
) -> io::Result<Ready> {
    let mut fds = vec![
        PollFd::new(&endpoint.listener, PollFlags::IN),
        PollFd::new(done, PollFlags::IN),
    ];
    let each = takers.each.iter();
    fds.extend(each.map(|taker| PollFd::new(&taker.socket, PollFlags::IN)));
    let behind_takers = fds.len();
    // Only errors are reported: the reading end of the pipe was closed. While there are guests one of them may
    // have read what was written, and accept it.
    let watches_output = !takers.is_whole() && guests.is_empty();
    if watches_output {
        fds.push(PollFd::new(output, PollFlags::empty()));
    }
    fds.extend(
        guests
            .iter()
            .map(|guest| PollFd::new(&guest.socket, PollFlags::IN)),
    );
    // Looks at the clock only while a batch waits for a taker that has not come.
    let limit = match takers.is_whole() {
        true => None,
        false => Some(acks.waits_since().map_or(timeout.min(LOOK_AGAIN), |since| {
            timeout.saturating_sub(since.elapsed())
        })),
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
    let has_news = |index: &usize| !fds[index + 2].revents().is_empty();
    let closed = PollFlags::ERR | PollFlags::HUP;
    Ok(Ready {
        replies: (0..takers.each.len()).filter(has_news).collect(),
        listener: !fds[0].revents().is_empty(),
        done: !fds[1].revents().is_empty(),
        output_closed: watches_output && fds[behind_takers].revents().intersects(closed),
    })
}

/// Somebody who has connected and not shown the token yet.
struct Guest {
    socket: UnixStream,
    reader: ReplyReader<Socket>,
    until: Instant,
}

impl Guest {
    /// Look who connects: nobody but the same user or root.
    fn come(socket: UnixStream) -> Option<Guest> {
        let peer = rustix::net::sockopt::socket_peercred(&socket).ok()?;
        if peer.uid != rustix::process::geteuid() && !peer.uid.is_root() {
            return None;
        }
        let reader = ReplyReader::new(Socket(socket.try_clone().ok()?.into()));
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
fn identified(guests: &mut Vec<Guest>, token: &str) -> Vec<(UnixStream, ReplyReader<Socket>)> {
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

/// Welcome who has the token, and turn those away that are too many; true if this one takes.
fn answer(mut socket: &UnixStream, has_place: bool, takers: usize) -> bool {
    if has_place {
        return socket.write_all(&wire::accept_frame(0)).is_ok();
    }
    let has = match takers {
        1 => "a taker".to_string(),
        many => format!("its {many} takers"),
    };
    let surplus = Refuse {
        class: "surplus".into(),
        reason: format!("this stream has {has} already: tell the source --takers N"),
    };
    let _ = socket.write_all(&wire::encode_json(Kind::Refuse, 0, &surplus));
    false
}
