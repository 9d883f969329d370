//! A stream in a file: read from the start, over damage, or as it grows.

use super::Wait;
use crate::event::Batch;
use crate::exit::StageError;
use crate::stop::Stop;
use crate::wire::{self, FrameReader, Got, Hello, Input, Kind, Order, WireError};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a recording that is followed is looked at for more.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A file whose end is not the end: there may be more later.
struct Growing {
    file: File,
    follow: bool,
}

impl Growing {
    fn at_end(&self, count: io::Result<usize>) -> io::Result<usize> {
        match count {
            Ok(0) if self.follow => Err(io::ErrorKind::WouldBlock.into()),
            other => other,
        }
    }
}

impl Read for Growing {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(to);
        self.at_end(count)
    }
}

impl Input for Growing {
    fn read_onto(&mut self, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let count = crate::fd::read_onto(&self.file, to, most);
        self.at_end(count)
    }
}

/// What a recording holds next.
pub enum Recorded {
    /// A batch.
    Batch(Batch),
    /// Nothing now; only of a recording that is followed.
    Nothing,
    /// Nothing any more.
    End,
}

/// Reads a recording.
pub struct Recording {
    name: String,
    frames: FrameReader<Growing>,
    order: Order,
    stop: Stop,
    hello: Option<Hello>,
    damaged: u64,
}

impl Recording {
    /// Open a file of frames; one that is followed has no end.
    ///
    /// Errors: `Usage` for what is no file that can be read: nothing was taken yet.
    pub fn open(path: &Path, follow: bool, stop: &Stop) -> Result<Recording, StageError> {
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| StageError::Usage(format!("{name} cannot be opened: {error}")))?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(StageError::Usage(format!(
                "{name} is a directory and no file channel"
            )));
        }
        Ok(Recording {
            name,
            frames: FrameReader::new(Growing { file, follow }, wire::LIMIT),
            order: Order::default(),
            stop: stop.clone(),
            hello: None,
            damaged: 0,
        })
    }

    /// What the stream says of itself, once a hello was read.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Places that were damaged and passed over.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// The next batch. What is damaged is passed over and reported; a file without any frame is an error.
    pub fn next(&mut self, wait: Wait) -> Result<Recorded, StageError> {
        let deadline = wait.deadline();
        loop {
            match self.frames.next() {
                Ok(Got::Frame(frame)) => {
                    if let Some(batch) = self.frame(frame)? {
                        return Ok(Recorded::Batch(batch));
                    }
                }
                Ok(Got::Eof) => return Ok(self.at_end()),
                Ok(Got::Pending) => {
                    let over = deadline.is_some_and(|deadline| deadline <= Instant::now());
                    if over || self.stop.sleep(LOOK_AGAIN) {
                        return Ok(Recorded::Nothing);
                    }
                }
                Err(WireError::Io(error)) => {
                    return Err(StageError::Failed(format!(
                        "{} cannot be read: {error}",
                        self.name
                    )));
                }
                Err(error) => {
                    if !self.pass_over(error)? {
                        return Ok(Recorded::End);
                    }
                }
            }
        }
    }

    fn frame(&mut self, frame: wire::Frame) -> Result<Option<Batch>, StageError> {
        let bad = |fault: wire::Fault| StageError::Failed(format!("{}: {fault}", self.name));
        match frame.header.kind {
            Kind::Hello => {
                let _ = self.order.check(&frame.header);
                self.hello = Some(Hello::from_frame(&frame).map_err(bad)?);
                Ok(None)
            }
            Kind::Batch => {
                // A gap behind damage was reported with the damage.
                let _ = self.order.check(&frame.header);
                frame.batch().map(Some).map_err(bad)
            }
            _ => {
                let _ = self.order.check(&frame.header);
                Ok(None)
            }
        }
    }

    fn at_end(&mut self) -> Recorded {
        if self.order.is_open() {
            let last = self.order.last();
            crate::say::warn(
                "recording",
                format!(
                    "{}: the stream has no end: its writer has died behind batch {last}, or still writes",
                    self.name
                ),
            );
        }
        Recorded::End
    }

    /// Go on behind damage; false if nothing follows.
    fn pass_over(&mut self, error: WireError) -> Result<bool, StageError> {
        let is_first = self.frames.at() == 0 && self.hello.is_none();
        if is_first {
            return Err(StageError::Failed(format!("{}: {error}", self.name)));
        }
        self.damaged += 1;
        let skipped = self.frames.skip_to_next();
        let skipped = skipped.map_err(|error| StageError::Failed(format!("{}: {error}", self.name)))?;
        let what = match skipped {
            Some(bytes) => format!("{bytes} bytes are passed over to the next whole frame"),
            None => "no whole frame follows".to_string(),
        };
        crate::say::warn("recording", format!("{}: {error}; {what}", self.name));
        Ok(skipped.is_some())
    }
}
