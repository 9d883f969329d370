//! The reading end of a stream, for a stage that takes: batches in, acceptances out on the side.

mod accounts;
mod answer;
#[cfg(test)]
mod tests;

use self::accounts::{AllAccounts, Begin, Shared, Ticket, lock};
use self::answer::Reply;
use super::reply::Silence;
use super::welcome::{self, Gate};
use super::{Identity, Inlet, Next, Wait};
use crate::ack::Delivery;
use crate::event::Batch;
use crate::exit::StageError;
use crate::fd::{self, FdKind, PolledFd};
use crate::stop::Stop;
use crate::wire::{self, FrameReader, Got, Hello, Kind, Order, WireError};
use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// After a stop a stage still reads what is on its way to it for so long: the stages before it were
/// stopped by the same Ctrl-C and end their streams.
const LINGER: Duration = Duration::from_secs(1);

/// The reply of a writer that dies may go before its stream: how long the end of that is waited for.
const LAST_OF_A_WRITER: Duration = Duration::from_millis(500);

/// What an input is to the one who reads it.
#[derive(Debug, Clone)]
pub struct InletOptions {
    /// Who reads.
    pub identity: Identity,
    /// The name of the input in messages, such as `standard input`.
    pub name: String,
    /// Largest payload.
    pub limit: u32,
    /// The writer may be anybody: acceptances go back over the socket that the stream comes by, and no
    /// address that its hello names is connected to.
    pub only_self: bool,
    /// Of a server: who is let in.
    pub gate: Option<Gate>,
    /// Standard output is free for acceptances, if the stream asks for that.
    pub owns_stdout: bool,
}

impl InletOptions {
    /// Standard input of a stage.
    pub fn new(identity: Identity, name: impl Into<String>) -> Self {
        InletOptions {
            identity,
            name: name.into(),
            limit: wire::LIMIT,
            only_self: false,
            gate: None,
            owns_stdout: false,
        }
    }
}

/// Reads a stream for a stage that takes.
pub struct StreamInlet {
    frames: FrameReader<PolledFd>,
    /// Frames that were read before their turn, and where each begins.
    ahead: VecDeque<(Result<wire::Frame, WireError>, u64)>,
    order: Order,
    options: InletOptions,
    kind: FdKind,
    reply: Reply,
    shared: Shared,
    all: AllAccounts,
    hello: Option<Hello>,
    stop: Stop,
    opened: Instant,
    stopped_at: Option<Instant>,
    /// Of a seekable input: where it stood, and where each unsettled batch begins.
    start: Option<u64>,
    begins: VecDeque<Begin>,
    over: Option<StageError>,
    finished: bool,
    /// The reply has gone, and with it the stream: what of it came is still taken.
    cut: bool,
}

impl StreamInlet {
    /// Read a stream from a descriptor.
    ///
    /// Errors: `Usage` for a terminal or a directory.
    pub fn open(fd: OwnedFd, options: InletOptions, stop: &Stop) -> Result<StreamInlet, StageError> {
        let name = &options.name;
        let kind =
            fd::kind(&fd).map_err(|error| StageError::Failed(format!("{name} cannot be read: {error}")))?;
        if kind == FdKind::Terminal {
            return Err(StageError::Usage(format!(
                "{name} is a terminal and this stage reads a stream of events: put it behind another stage, \
                 such as \"flume source stdin | flume {}\"",
                options.identity.stage
            )));
        }
        if kind == FdKind::Other {
            return Err(StageError::Usage(format!("{name} is not a file, pipe or socket")));
        }
        let start = (kind == FdKind::File)
            .then(|| rustix::fs::seek(&fd, rustix::fs::SeekFrom::Current(0)).ok())
            .flatten();
        let polled = PolledFd::new(fd, kind == FdKind::File);
        Ok(StreamInlet {
            frames: FrameReader::new(polled, options.limit),
            ahead: VecDeque::new(),
            order: Order::default(),
            options,
            kind,
            reply: Reply::Unknown,
            shared: Shared::default(),
            all: AllAccounts::default(),
            hello: None,
            stop: stop.clone(),
            opened: Instant::now(),
            stopped_at: None,
            start,
            begins: VecDeque::new(),
            over: None,
            finished: false,
            cut: false,
        })
    }

    /// What the stream says of itself, once its hello was read.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// The descriptor that is read.
    pub fn input(&self) -> &OwnedFd {
        &self.frames.inner().fd
    }

    /// Bytes of whole frames that have come, and bytes of the next that are here.
    pub fn progress(&self) -> (u64, usize) {
        (self.frames.at(), self.frames.begun())
    }

    /// Set how long the next read may wait. After a stop it waits on for what is on its way.
    fn set_wait(&mut self, wait: Wait) {
        let deadline = match wait {
            // Any time that has passed: this is asked before each frame, and a clock is dearer than one.
            Wait::No => Some(self.opened),
            other => other.deadline(),
        };
        let stopping = self.stop.is_stopping();
        if stopping && self.stopped_at.is_none() {
            self.stopped_at = Some(Instant::now());
        }
        let linger = self.stopped_at.map(|since| since + self.linger());
        let input = self.frames.inner_mut();
        input.deadline = match (deadline, linger) {
            (Some(deadline), Some(linger)) => Some(deadline.min(linger)),
            (deadline, linger) => deadline.or(linger),
        };
        if input.bell.is_none() != stopping {
            input.bell = (!stopping).then(|| self.stop.bell().clone());
        }
    }

    fn linger_is_over(&self) -> bool {
        self.stopped_at
            .is_some_and(|since| since.elapsed() >= self.linger())
    }

    /// What is on its way is of no use to a stage that can hand it to nobody.
    fn linger(&self) -> Duration {
        match self.stop.is_failing() {
            true => Duration::ZERO,
            false => LINGER.min(self.stop.grace()),
        }
    }

    fn open_stream(&mut self, frame: &wire::Frame) -> Result<(), StageError> {
        let hello = Hello::from_frame(frame).map_err(|fault| self.bad(fault))?;
        // What an earlier stream of the same input still owes stays with its own accounts.
        self.all.tell();
        self.shared = Shared::default();
        self.reply = self.find_reply(&hello);
        if let Reply::Socket(socket) = &self.reply {
            let mut accounts = lock(&self.shared);
            accounts.socket = Some(socket.clone());
            accounts.stop = Some(self.stop.clone());
        }
        self.all.begin(&self.shared);
        let socket = match &self.reply {
            Reply::Socket(socket) => Some(socket),
            _ => None,
        };
        welcome::let_in(&self.options, &hello, socket, &self.stop)?;
        self.hello = Some(hello);
        if let Reply::Surplus(why) = &self.reply {
            // Read on without taking: closing the pipe would kill the tee that feeds both of us.
            return Err(StageError::Usage(why.clone()));
        }
        Ok(())
    }

    fn bad(&self, fault: wire::Fault) -> StageError {
        StageError::Failed(format!(
            "{}: at byte {}: {fault}",
            self.options.name,
            self.frames.at()
        ))
    }

    fn bad_wire(&self, error: WireError) -> StageError {
        StageError::Failed(format!("{}: {error}", self.options.name))
    }

    /// Read what is there without taking any of it, until the other end closes.
    fn drain_untaken(&mut self) {
        let mut sink = vec![0; 64 << 10];
        let input = self.frames.inner_mut();
        input.deadline = None;
        input.bell = Some(self.stop.bell().clone());
        while input.read(&mut sink).is_ok_and(|count| count > 0) {}
    }

    fn deliver(&mut self, frame: wire::Frame, at: u64) -> Result<Next, StageError> {
        let sequence = frame.header.sequence;
        if let Reply::Silence(silence) = &self.reply
            && self.is_of_a_dead_writer(silence.was_there)
        {
            self.reply = Reply::Dead;
        }
        match &self.reply {
            Reply::Unreachable(why) | Reply::Silence(Silence { why, .. }) => {
                let why = format!("{}: {why}", self.options.name);
                return Ok(self.end_with(StageError::Usage(why)));
            }
            Reply::Nobody | Reply::Dead if self.start.is_none() => {
                let batch = frame.batch().map_err(|fault| self.bad(fault))?;
                return Ok(Next::Delivery(Delivery::unowed(batch)));
            }
            _ => {}
        }
        let batch: Batch = frame.batch().map_err(|fault| self.bad(fault))?;
        if self.start.is_some() {
            while self.begins.front().is_some_and(Begin::is_settled) {
                self.begins.pop_front();
            }
            self.begins.push_back(Begin {
                shared: self.shared.clone(),
                sequence,
                at,
            });
        }
        let ticket = Ticket {
            shared: self.shared.clone(),
            sequence,
        };
        Ok(Next::Delivery(Delivery::new(batch, ticket)))
    }

    /// Remember how the input ended, to say it once what came before was settled.
    fn end_with(&mut self, error: StageError) -> Next {
        self.finished = true;
        self.over = Some(error.clone());
        Next::Broken(error)
    }

    fn frame(&mut self, frame: wire::Frame, at: u64) -> Result<Option<Next>, StageError> {
        if let Err(fault) = self.order.check(&frame.header) {
            let error = self.bad(fault);
            return Ok(Some(self.end_with(error)));
        }
        match frame.header.kind {
            Kind::Hello => {
                if let Err(error) = self.open_stream(&frame) {
                    if matches!(self.reply, Reply::Surplus(_)) {
                        crate::say::error(&self.options.identity.stage, error.to_string());
                        self.drain_untaken();
                    }
                    return Ok(Some(self.end_with(error)));
                }
                Ok(None)
            }
            Kind::Batch => match self.deliver(frame, at) {
                Ok(next) => Ok(Some(next)),
                Err(error) => Ok(Some(self.end_with(error))),
            },
            Kind::End => {
                lock(&self.shared).ended = true;
                // The writer only waits for its acceptances now.
                Ok(Some(Next::Flush))
            }
            Kind::Flush => Ok(Some(Next::Flush)),
            _ => Ok(None),
        }
    }

    fn hangs_up(&mut self) -> bool {
        self.finished || fd::hangs_up_within(self.frames.inner_mut().fd.as_fd(), LAST_OF_A_WRITER)
    }

    /// The next frame, and where it begins.
    fn read_frame(&mut self) -> (Result<Got, WireError>, u64) {
        if let Some((frame, at)) = self.ahead.pop_front() {
            return (frame.map(Got::Frame), at);
        }
        let at = self.frames.at();
        (self.frames.next(), at)
    }

    fn at_eof(&mut self) -> Next {
        self.finished = true;
        if self.order.is_open() {
            return self.end_with(StageError::Failed(format!(
                "{}: the stream has no end: the stage before has died; {} batches came",
                self.options.name,
                self.order.last()
            )));
        }
        if self.order.was_torn() {
            return self.end_with(StageError::Failed(format!(
                "{}: a stream before the last has no end: the stage that wrote it has died",
                self.options.name
            )));
        }
        if self.hello.is_none() {
            let what = match self.kind {
                FdKind::Pipe | FdKind::Socket => wire::NOTHING_CAME,
                _ => "no stream came: it is empty",
            };
            return self.end_with(StageError::Failed(format!("{}: {what}", self.options.name)));
        }
        Next::End
    }
}

impl Inlet for StreamInlet {
    fn next(&mut self, wait: Wait) -> Result<Next, StageError> {
        if self.finished {
            return Ok(self.over.clone().map_or(Next::End, Next::Broken));
        }
        loop {
            if self.linger_is_over() {
                return Ok(Next::Stopped);
            }
            self.set_wait(wait);
            let (got, at) = self.read_frame();
            match got {
                Ok(Got::Frame(frame)) => {
                    if let Some(next) = self.frame(frame, at)? {
                        return Ok(next);
                    }
                    if wait != Wait::No {
                        // A hello or an end: what was settled before must not wait for what follows.
                        self.all.tell();
                    }
                }
                Ok(Got::Eof) => return Ok(self.at_eof()),
                Ok(Got::Pending) => {
                    let rung = self.stop.is_stopping() && self.stopped_at.is_none();
                    if wait == Wait::No || !rung && !matches!(wait, Wait::Forever) {
                        return Ok(Next::Idle);
                    }
                }
                Err(error) => {
                    let error = self.bad_wire(error);
                    return Ok(self.end_with(error));
                }
            }
        }
    }

    fn flush_settled(&mut self) -> Result<(), StageError> {
        self.all.tell();
        let accounts = lock(&self.shared);
        // The writer is satisfied by what it had and has left: all is well.
        let lost = accounts.failed && !accounts.ended;
        drop(accounts);
        // The end of the stream says what has happened, once all that came was taken.
        self.cut = self.cut || lost && self.hangs_up();
        if lost && !self.cut {
            return Err(StageError::Temporary(format!(
                "{}: the reply of the stage before has gone; what was not accepted comes again",
                self.options.name
            )));
        }
        Ok(())
    }

    fn settler(&self) -> Box<dyn Fn() + Send + Sync> {
        let all = self.all.clone();
        Box::new(move || all.tell())
    }

    fn has_begun(&self) -> bool {
        self.hello.is_some()
    }

    fn is_abandoned(&self) -> bool {
        match &self.reply {
            Reply::Socket(socket) => fd::is_hung_up(socket.as_fd()),
            Reply::Dead => true,
            _ => false,
        }
    }

    fn describe(&self) -> String {
        match &self.hello {
            Some(hello) => format!("{} ({})", self.options.name, hello.stage),
            None => self.options.name.clone(),
        }
    }

    fn close(&mut self) {
        let Some(start) = self.start else { return };
        let unsettled = self.begins.iter().find(|begin| !begin.is_settled());
        let at = unsettled.map_or(self.frames.at(), |begin| begin.at);
        // Best effort: whoever reads on after us finds the first batch that we did not take.
        let _ = rustix::fs::seek(
            &self.frames.inner_mut().fd,
            rustix::fs::SeekFrom::Start(start + at),
        );
    }
}
