//! Reading an input that has no frames: what is there at once, cut into events and handed on in batches.

use super::accepted::Accepted;
use super::batches::{Batches, Filling};
use super::lines::{Cutter, Cutting, Place};
use crate::exit::{StageError, StageResult};
use crate::fd::{self, Woken};
use crate::stage::ChannelProcessor;
use rustix::event::PollFlags;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

/// Bytes read at once.
const READ: usize = 256 << 10;

/// What one read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Something was read and handed on as far as it goes.
    Some,
    /// There was nothing in the time of a batch, or somebody wishes an end.
    Nothing,
    /// The input has ended.
    End,
}

/// Reads an input, cuts it, and hands on the batches.
pub struct Reading {
    cutter: Cutter,
    filling: Filling,
    /// The cutter's position up to where batches were made.
    submitted: u64,
    accepted: Accepted,
}

impl Reading {
    /// Read the input with this name.
    pub fn new(batches: &Batches, cutting: &Cutting, input: &str, to: &ChannelProcessor) -> Self {
        Reading {
            cutter: Cutter::new(cutting, input, to.counters()),
            filling: Filling::new(batches),
            submitted: 0,
            accepted: Accepted::default(),
        }
    }

    /// Up to where everything of the input was accepted.
    pub fn accepted(&self) -> Place {
        self.cutter.place(self.accepted.position())
    }

    /// Everything that was handed on so far was accepted.
    pub fn all_accepted(&self) -> bool {
        self.accepted.position() >= self.submitted
    }

    /// Read what is there once; wait for it, but not beyond the time of a batch, and send that then.
    pub fn step(
        &mut self,
        fd: BorrowedFd<'_>,
        is_file: bool,
        to: &Arc<ChannelProcessor>,
    ) -> Result<Read, StageError> {
        if !is_file && !self.wait(fd, to)? {
            return Ok(Read::Nothing);
        }
        match fd::read_onto(fd, self.cutter.room(), READ) {
            Ok(0) => Ok(Read::End),
            Ok(_) => {
                while self.cutter.cut(&mut self.filling) {
                    self.submit(to)?;
                }
                self.check(to)?;
                Ok(Read::Some)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(Read::Nothing)
            }
            Err(error) => Err(cannot_read(self.cutter.input(), &error)),
        }
    }

    /// Wait for input; false if the batch was sent instead.
    fn wait(&mut self, fd: BorrowedFd<'_>, to: &Arc<ChannelProcessor>) -> Result<bool, StageError> {
        let failed = |error: io::Error| cannot_read(self.cutter.input(), &error);
        if fd::wait(fd, PollFlags::IN, &[], Some(Instant::now())).map_err(failed)? == Woken::Ready {
            return Ok(true);
        }
        to.flush()?;
        let bell = to.stop().bell();
        let woken = fd::wait(fd, PollFlags::IN, &[bell], self.filling.deadline());
        if woken.map_err(failed)? == Woken::Ready {
            return Ok(true);
        }
        self.submit(to)?;
        Ok(false)
    }

    /// Nothing more comes of this input: its last line, and the batch.
    pub fn finish(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        while self.cutter.cut(&mut self.filling) {
            self.submit(to)?;
        }
        self.cutter.cut_last(&mut self.filling);
        self.submit(to)?;
        self.check(to)
    }

    /// An input in which the next event is not found any more ends; what came before is handed on.
    fn check(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let Some(why) = self.cutter.broken().map(str::to_string) else {
            return Ok(());
        };
        self.submit(to)?;
        let input = self.cutter.input();
        Err(StageError::Failed(format!("{input}: {why}")))
    }

    fn submit(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        if self.filling.events.is_empty() {
            return Ok(());
        }
        let (accepted, from) = (self.accepted.clone(), self.submitted);
        let position = self.cutter.position();
        self.submitted = position;
        self.cutter.forget(accepted.position());
        to.submit(self.filling.finish(), move || accepted.add(from, position))
    }
}

fn cannot_read(input: &str, error: &io::Error) -> StageError {
    StageError::Failed(format!("{input} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Format, LineEnd, LongLine, LongLines};
    use super::*;
    use crate::ack::Outcome;
    use crate::link::testing::Collect;
    use crate::value::{Millis, Size};
    use std::os::fd::AsFd;
    use std::time::Duration;

    fn reading(timeout_ms: u64, to: &ChannelProcessor) -> Reading {
        let batches = Batches {
            batch_size: 1000,
            batch_bytes: Size(256 << 10),
            batch_timeout: Millis(Duration::from_millis(timeout_ms)),
        };
        let cutting = Cutting {
            format: Format::Line,
            end: LineEnd::Lf,
            long: LongLines {
                max_line_length: Size(100),
                long_lines: LongLine::Split,
            },
            schema_type: Default::default(),
        };
        Reading::new(&batches, &cutting, "it", to)
    }

    #[test]
    fn partial_batch_goes_when_its_time_is_over() {
        let collect = Collect::accepting();
        let (to, _stop) = collect.processor("source test");
        let mut reading = reading(1, &to);
        let (read, write) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&write, b"one\ntw").unwrap();
        assert_eq!(reading.step(read.as_fd(), false, &to).unwrap(), Read::Some);
        assert_eq!(reading.step(read.as_fd(), false, &to).unwrap(), Read::Nothing);
        assert_eq!(collect.bodies(), ["one"]);
    }

    #[test]
    fn input_is_given_back_up_to_what_was_accepted() {
        let collect = Collect::holding();
        let (to, _stop) = collect.processor("source test");
        let mut reading = reading(60_000, &to);
        let (read, write) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&write, b"one\ntwo\nth").unwrap();
        reading.step(read.as_fd(), false, &to).unwrap();
        reading.submit(&to).unwrap();
        assert_eq!(reading.accepted().bytes, 0);
        collect.settle_all(Outcome::Accepted);
        assert_eq!(reading.accepted().bytes, 8);
    }

    #[test]
    fn what_is_accepted_behind_a_gap_counts_when_the_gap_is_closed() {
        let collect = Collect::holding();
        let (to, _stop) = collect.processor("source test");
        let mut reading = reading(60_000, &to);
        let (read, write) = rustix::pipe::pipe().unwrap();
        for text in ["one\n", "two\n", "three\n"] {
            rustix::io::write(&write, text.as_bytes()).unwrap();
            reading.step(read.as_fd(), false, &to).unwrap();
            reading.submit(&to).unwrap();
        }
        collect.settle_newest(Outcome::Accepted);
        collect.settle_newest(Outcome::Accepted);
        assert_eq!((reading.accepted().bytes, reading.all_accepted()), (0, false));
        collect.settle_newest(Outcome::Accepted);
        assert_eq!((reading.accepted().bytes, reading.all_accepted()), (14, true));
    }
}
