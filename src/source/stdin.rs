//! `stdin`: lines, JSON events or raw blocks from standard input.

use super::batches::{Batches, Filling};
use crate::exit::{StageError, StageResult};
use crate::fd::{self, FdKind, Woken};
use crate::stage::{ChannelProcessor, PollableSource, Status};
use rustix::event::PollFlags;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Bytes read at once.
const READ: usize = 256 << 10;

/// Make an event of each line of standard input.
#[derive(clap::Args)]
pub struct Stdin {
    #[command(flatten)]
    batches: Batches,
    #[arg(skip)]
    state: Option<State>,
}

struct State {
    filling: Filling,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are events already.
    used: usize,
    /// Where the next byte of the buffer that is no event yet stands in the input.
    position: u64,
    /// Where a seekable input stood at the start.
    start: Option<u64>,
    /// Up to where everything was accepted.
    accepted: Arc<AtomicU64>,
}

impl PollableSource for Stdin {
    fn start(&mut self, _to: &Arc<ChannelProcessor>) -> StageResult {
        let stdin = std::io::stdin();
        let kind =
            fd::kind(&stdin).map_err(|error| StageError::Failed(format!("standard input: {error}")))?;
        let start = match kind {
            FdKind::File => rustix::fs::seek(&stdin, rustix::fs::SeekFrom::Current(0)).ok(),
            _ => None,
        };
        self.state = Some(State {
            filling: Filling::new(&self.batches),
            buffer: Vec::with_capacity(2 * READ),
            used: 0,
            position: 0,
            start,
            accepted: Arc::default(),
        });
        Ok(())
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let Some(state) = &mut self.state else {
            return Ok(Status::Finished);
        };
        match state.read(to)? {
            Read::Some => {
                state.cut_lines(to)?;
                Ok(Status::Ready)
            }
            Read::Nothing => Ok(Status::Ready),
            Read::End => {
                state.last_line();
                state.submit(to)?;
                Ok(Status::Finished)
            }
        }
    }

    fn stop(&mut self) -> StageResult {
        if let Some((state, start)) = self.state.as_ref().and_then(|state| Some((state, state.start?))) {
            // Whoever reads on after us finds the first line that nobody has accepted.
            let at = start + state.accepted.load(Ordering::SeqCst);
            let _ = rustix::fs::seek(std::io::stdin(), rustix::fs::SeekFrom::Start(at));
        }
        Ok(())
    }
}

enum Read {
    Some,
    Nothing,
    End,
}

impl State {
    /// Read what is there; wait for it, but not beyond the batch's time.
    fn read(&mut self, to: &Arc<ChannelProcessor>) -> Result<Read, StageError> {
        let stdin = std::io::stdin();
        if self.start.is_none() {
            let now = fd::wait(stdin.as_fd(), PollFlags::IN, &[], Some(Instant::now()));
            if !matches!(now, Ok(Woken::Ready)) {
                to.flush()?;
                let bell = to.stop().bell();
                let woken = fd::wait(stdin.as_fd(), PollFlags::IN, &[bell], self.filling.deadline());
                match woken.map_err(cannot_read)? {
                    Woken::Ready => {}
                    Woken::Timeout => {
                        self.submit(to)?;
                        return Ok(Read::Nothing);
                    }
                    Woken::Bell => {
                        self.submit(to)?;
                        return Ok(Read::Nothing);
                    }
                }
            }
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        match fd::read_onto(&stdin, &mut self.buffer, READ) {
            Ok(0) => Ok(Read::End),
            Ok(_) => Ok(Read::Some),
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted
                ) =>
            {
                Ok(Read::Nothing)
            }
            Err(error) => Err(cannot_read(error)),
        }
    }

    fn cut_lines(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        while let Some(end) = memchr::memchr(b'\n', &self.buffer[self.used..]) {
            self.filling
                .events
                .push_body(&self.buffer[self.used..self.used + end]);
            self.used += end + 1;
            self.position += end as u64 + 1;
            if self.filling.is_full() {
                self.submit(to)?;
            }
        }
        Ok(())
    }

    fn last_line(&mut self) {
        let rest = self.buffer.len() - self.used;
        if rest > 0 {
            self.filling.events.push_body(&self.buffer[self.used..]);
            self.used += rest;
            self.position += rest as u64;
        }
    }

    fn submit(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        if self.filling.events.is_empty() {
            return Ok(());
        }
        let (accepted, position) = (self.accepted.clone(), self.position);
        to.submit(self.filling.finish(), move || {
            accepted.store(position, Ordering::SeqCst)
        })
    }
}

fn cannot_read(error: std::io::Error) -> StageError {
    StageError::Failed(format!("standard input cannot be read: {error}"))
}
