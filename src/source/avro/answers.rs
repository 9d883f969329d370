//! The answers of one connection: each is written by whoever settles its batch, without waiting.
//!
//! So a connection needs no second thread, and the way from an acceptance to the client has no detour. Only where
//! a client does not read its answers, and the socket is full, does a thread of their own wait for it.

use crate::ack::Outcome;
use crate::fd::{self, Woken};
use crate::rpc::avro::{Answer, HandshakeResponse, put_stored};
use crate::stage::ChannelProcessor;
use crate::threads;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a client may take to read its answers before its connection is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of answers that may wait for a client that does not read.
const LATE_BYTES: usize = 64 << 10;
/// How often a stop is looked for while something else is waited for.
pub const LOOK: Duration = Duration::from_millis(200);

/// Why a request is not taken at the end of a stop's grace.
pub const GOING: &str = "the source stops, and a request was not taken";

/// See the module.
pub struct Answers {
    socket: Arc<OwnedFd>,
    is_deflated: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Requests that are not answered.
    in_flight: u32,
    /// Answers that the socket had no room for; a thread writes them.
    late: Vec<u8>,
    is_late: bool,
    /// Nobody reads answers any more.
    is_gone: bool,
    /// Something was written: the head of a compressed stream stands only in front of the first.
    has_begun: bool,
    /// Where an answer is made.
    made: Vec<u8>,
    /// When the last request was settled.
    settled: Option<Instant>,
}

/// What a request gets an answer by.
pub struct Owed {
    /// Of the request.
    pub serial: u32,
    /// Where the request had a handshake.
    pub handshake: Option<HandshakeResponse<'static>>,
    /// The client's protocol says that it waits for none.
    pub is_one_way: bool,
}

impl Answers {
    pub fn new(socket: Arc<OwnedFd>, is_deflated: bool) -> Arc<Answers> {
        Arc::new(Answers {
            socket,
            is_deflated,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// What they are written to.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Wait until there is place for one request more: fewer than `most` are unanswered, and the client reads what
    /// it is answered. The error is why there will be none.
    pub fn wait_for_place(&self, most: u32, to: &ChannelProcessor) -> Result<(), &'static str> {
        let has_place = |state: &State| state.in_flight < most && state.late.len() < LATE_BYTES;
        let mut state = self.lock();
        if !has_place(&state) {
            // What is held back there would never be answered.
            drop(state);
            to.flush().map_err(|_| GOING)?;
            state = self.wait(to, has_place);
        }
        match (state.is_gone, has_place(&state)) {
            (true, _) => Err("the client does not read its answers"),
            (false, true) => Ok(()),
            (false, false) => Err(GOING),
        }
    }

    /// One request more is to be answered.
    pub fn begin(&self) {
        self.lock().in_flight += 1;
    }

    /// Wait until everything is answered; false if a stop's grace is over before, or nobody reads.
    pub fn finish(&self, to: &ChannelProcessor) -> bool {
        let state = self.wait(to, |state| state.in_flight == 0 && !state.is_late);
        state.in_flight == 0 && !state.is_gone
    }

    /// Nothing is owed now.
    pub fn is_idle(&self) -> bool {
        let state = self.lock();
        state.in_flight == 0 && !state.is_late
    }

    /// When the last request was settled; while one is not, that is now.
    pub fn settled(&self) -> Option<Instant> {
        let state = self.lock();
        match state.in_flight == 0 && !state.is_late {
            true => state.settled,
            false => Some(Instant::now()),
        }
    }

    fn wait(&self, to: &ChannelProcessor, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let is_over = || {
            to.stop()
                .deadline()
                .is_some_and(|deadline| deadline <= Instant::now())
        };
        while !state.is_gone && !done(&state) && !is_over() {
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        state
    }

    /// Answer a request that [`Answers::begin`] has counted.
    pub fn settle(self: &Arc<Self>, owed: &Owed, answer: &Answer) {
        let mut state = self.lock();
        state.in_flight -= 1;
        state.settled = Some(Instant::now());
        if !owed.is_one_way {
            self.put(state, owed, Some(answer));
        } else {
            drop(state);
        }
        self.changed.notify_all();
    }

    /// Answer a request at once; with a handshake alone where there is nothing else to say.
    pub fn say(self: &Arc<Self>, owed: &Owed, answer: Option<&Answer>) {
        let state = self.lock();
        self.put(state, owed, answer);
    }

    fn put(self: &Arc<Self>, mut state: MutexGuard<'_, State>, owed: &Owed, answer: Option<&Answer>) {
        if state.is_gone {
            return;
        }
        let mut made = std::mem::take(&mut state.made);
        made.clear();
        Answer::put(answer, owed.serial, owed.handshake.as_ref(), &mut made);
        if self.is_deflated {
            let plain = std::mem::take(&mut made);
            put_stored(&mut made, &plain, !state.has_begun);
        }
        state.has_begun = true;
        if state.is_late {
            state.late.extend_from_slice(&made);
        } else {
            match self.send(&made) {
                Ok(sent) if sent == made.len() => {}
                Ok(sent) => {
                    state.late.extend_from_slice(&made[sent..]);
                    state.is_late = true;
                    self.begin_late(&mut state);
                }
                Err(_) => self.give_up(&mut state),
            }
        }
        state.made = made;
    }

    /// As many bytes as the socket takes now.
    fn send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        loop {
            match rustix::net::send(&*self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                other => return other,
            }
        }
    }

    fn give_up(&self, state: &mut State) {
        state.is_gone = true;
        // Wakes who reads the connection, and ends it.
        let _ = rustix::net::shutdown(&*self.socket, Shutdown::Both);
        self.changed.notify_all();
    }

    fn begin_late(self: &Arc<Self>, state: &mut State) {
        let this = self.clone();
        let spawned = threads::start("flume-late", 64 << 10, move || this.write_late());
        if spawned.is_err() {
            self.give_up(state);
        }
    }

    fn write_late(self: Arc<Self>) {
        loop {
            let mut state = self.lock();
            let bytes = std::mem::take(&mut state.late);
            if bytes.is_empty() || state.is_gone {
                state.is_late = false;
                self.changed.notify_all();
                return;
            }
            drop(state);
            if !self.send_all(&bytes) {
                self.give_up(&mut self.lock());
            }
        }
    }

    fn send_all(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.send(rest) {
                Ok(0) => {
                    let deadline = Some(Instant::now() + PATIENCE);
                    let woken = fd::wait(self.socket.as_fd(), PollFlags::OUT, &[], deadline);
                    if !matches!(woken, Ok(Woken::Ready)) {
                        return false;
                    }
                }
                Ok(sent) => rest = &rest[sent..],
                Err(_) => return false,
            }
        }
        true
    }
}

/// Why events were not taken, in words for a message.
pub fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(refusal) => refusal.reason.replace(['\n', '\r'], " "),
        _ => "the next stage has gone".into(),
    }
}
