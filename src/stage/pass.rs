//! The loop of a stage in the middle of a pipe: it maps batches and passes responsibility on.
//!
//! It hands the hello on with itself in `via`, keeps each batch's sequence, also of a batch that it emptied,
//! and never speaks to the writer's reply endpoint: the next stage that takes does. It has no queue; the
//! thread that reads does the work and writes, small frames together.

use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::fd::{self, PolledFd};
use crate::metrics::{Count, Counters};
use crate::stop::Stop;
use crate::wire::{self, FrameHeader, FrameReader, Got, Hello, Kind, Order};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Waiting frames are written together up to here.
const COALESCE: usize = 64 << 10;
/// How long a stopped stage still hands on what comes.
const LINGER: Duration = Duration::from_secs(1);

struct Output {
    fd: OwnedFd,
    stop: Stop,
    waiting: Vec<u8>,
}

impl Output {
    fn put(&mut self, header: &FrameHeader, payload: &[u8]) -> StageResult {
        self.waiting.extend_from_slice(&header.encode(0));
        if payload.len() >= COALESCE / 2 {
            return self.write(payload);
        }
        self.waiting.extend_from_slice(payload);
        match self.waiting.len() >= COALESCE {
            true => self.write(&[]),
            false => Ok(()),
        }
    }

    /// Nobody reads it any more, or will in a moment: the reply of a killed process may go before its pipe.
    fn closes(&self) -> bool {
        fd::hangs_up_within(self.fd.as_fd(), Duration::from_millis(100))
    }

    fn write(&mut self, more: &[u8]) -> StageResult {
        if self.waiting.is_empty() && more.is_empty() {
            return Ok(());
        }
        let mut parts = [IoSlice::new(&self.waiting), IoSlice::new(more)];
        let written = self.stop.write_all(self.fd.as_fd(), &mut parts, &[]);
        self.waiting.clear();
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => StageError::Closed,
            io::ErrorKind::TimedOut => StageError::Temporary(
                "the grace is over and the next stage has not read what it was sent".into(),
            ),
            _ => StageError::Failed(format!("cannot write the stream: {error}")),
        })
    }
}

/// What a passing stage does.
pub struct Pass<'a> {
    /// Its name, which goes into `via`.
    pub name: &'a str,
    /// Its counters.
    pub counters: &'a Counters,
    /// The wish to end.
    pub stop: &'a Stop,
    /// The largest payload.
    pub limit: u32,
}

impl Pass<'_> {
    /// Read frames from `input`, map their batches, write them to `output`, until the input ends.
    pub fn run(
        &self,
        input: OwnedFd,
        output: OwnedFd,
        map: &mut dyn FnMut(Batch) -> Result<Batch, StageError>,
    ) -> StageResult {
        fd::widen_pipe(&output);
        let mut input = PolledFd::new(input, false);
        input.bell = Some(self.stop.bell().clone());
        // A stage that waits for input learns at once that the next one has gone: so the loss of a taker
        // goes through a row of such stages from its own side.
        input.watched = output.try_clone().ok();
        let mut frames = FrameReader::new(input, self.limit);
        let mut order = Order::default();
        let mut output = Output {
            fd: output,
            stop: self.stop.clone(),
            waiting: Vec::new(),
        };
        let result = self.pass_all(&mut frames, &mut order, &mut output, map);
        // What came whole before a fault is still delivered.
        let flushed = output.write(&[]);
        self.counters.stopped();
        result.and(flushed)
    }

    fn pass_all(
        &self,
        frames: &mut FrameReader<PolledFd>,
        order: &mut Order,
        output: &mut Output,
        map: &mut dyn FnMut(Batch) -> Result<Batch, StageError>,
    ) -> StageResult {
        let mut came = false;
        let mut linger = None;
        loop {
            if self.is_over(frames.inner_mut(), &mut linger) {
                output.write(&[])?;
                return Err(StageError::Closed);
            }
            let at = frames.at();
            let bad =
                |fault: wire::Fault| StageError::Failed(format!("standard input: at byte {at}: {fault}"));
            let got = frames
                .next()
                .map_err(|error| StageError::Failed(format!("standard input: {error}")))?;
            match got {
                // After an end the next stage may have all that it wanted.
                Got::Pending if frames.inner_mut().hung_up => {
                    let all_is_handed_on = came && !order.is_open();
                    return if all_is_handed_on {
                        Ok(())
                    } else {
                        Err(StageError::Closed)
                    };
                }
                Got::Pending => {
                    output.write(&[])?;
                    frames.inner_mut().deadline = linger;
                    continue;
                }
                Got::Eof if order.is_open() => {
                    output.write(&[])?;
                    // The loss of the next stage reaches the one before first: its end follows from that.
                    if output.closes() {
                        return Err(StageError::Closed);
                    }
                    return Err(StageError::Failed(
                        "standard input: the stream has no end: the stage before has died".into(),
                    ));
                }
                Got::Eof if order.was_torn() => {
                    return Err(StageError::Failed(
                        "standard input: a stream before the last has no end: the stage that wrote it has died"
                            .into(),
                    ));
                }
                Got::Eof if !came => {
                    return Err(StageError::Failed(format!(
                        "standard input: {}",
                        wire::NOTHING_CAME
                    )));
                }
                Got::Eof => return Ok(()),
                Got::Frame(frame) => {
                    came = true;
                    order.check(&frame.header).map_err(bad)?;
                    self.hand_on(frame, output, map).map_err(|error| match error {
                        Faulty::Wire(fault) => bad(fault),
                        Faulty::Stage(error) => error,
                    })?;
                }
            }
            frames.inner_mut().deadline = Some(Instant::now());
        }
    }

    /// Is it time to end? The stages before were stopped by the same Ctrl-C as this one, so what they still
    /// send is handed on for a moment.
    fn is_over(&self, input: &mut PolledFd, linger: &mut Option<Instant>) -> bool {
        if !self.stop.is_stopping() {
            return false;
        }
        let until = *linger.get_or_insert_with(|| Instant::now() + LINGER.min(self.stop.grace()));
        if input.bell.take().is_some() {
            // From now on no wait ends by the bell: the clock must end each.
            input.deadline = Some(input.deadline.map_or(until, |deadline| deadline.min(until)));
        }
        until <= Instant::now()
    }

    /// What no reader would take must not be written.
    fn check_size(&self, batch: &Batch, before: u32) -> StageResult {
        let (bytes, limit) = (batch.bytes(), self.limit);
        if bytes <= limit as usize {
            return Ok(());
        }
        Err(StageError::Failed(format!(
            "{}: a batch of {} events had {before} bytes and has {bytes} behind this stage, more than the {limit} that \
             a frame may have: give the source smaller batches (--batch-size, --batch-bytes)",
            self.name,
            batch.len()
        )))
    }

    fn hand_on(
        &self,
        frame: wire::Frame,
        output: &mut Output,
        map: &mut dyn FnMut(Batch) -> Result<Batch, StageError>,
    ) -> Result<(), Faulty> {
        match frame.header.kind {
            Kind::Hello => {
                let mut hello = Hello::from_frame(&frame)?;
                if hello.via.len() < wire::VIA_LIMIT {
                    hello.via.push(self.name.to_string());
                }
                output.waiting.extend_from_slice(&hello.encode());
                Ok(())
            }
            Kind::Batch => {
                let (sequence, origin) = (frame.header.sequence, frame.header.origin);
                let compression = frame.header.compression;
                self.counters
                    .add(Count::EventReceived, u64::from(frame.header.events));
                let received = frame.header.events;
                let before = frame.header.raw_length;
                let mut batch = map(frame.batch()?)?;
                self.check_size(&batch, before)?;
                batch.sequence = sequence;
                batch.origin = origin;
                let (header, payload) = wire::batch_frame(&batch, compression);
                output.put(&header, &payload)?;
                self.counters.add(Count::Sent, u64::from(batch.len()));
                self.counters.add(Count::Batches, 1);
                self.counters.add(Count::Bytes, batch.bytes() as u64);
                self.counters
                    .add(Count::Filtered, u64::from(received.saturating_sub(batch.len())));
                Ok(())
            }
            _ => Ok(output.put(&frame.header, &frame.payload)?),
        }
    }
}

enum Faulty {
    Wire(wire::Fault),
    Stage(StageError),
}

impl From<wire::Fault> for Faulty {
    fn from(fault: wire::Fault) -> Self {
        Faulty::Wire(fault)
    }
}

impl From<StageError> for Faulty {
    fn from(error: StageError) -> Self {
        Faulty::Stage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::metrics::Kind as Component;
    use std::io::{Read, Write};

    #[test]
    fn batch_that_grew_beyond_a_frame_is_told_and_not_written() {
        let (input, mut given) = std::io::pipe().unwrap();
        let (mut written, output) = std::io::pipe().unwrap();
        let hello = wire::encode_json(Kind::Hello, 0, &serde_json::json!({"version": wire::VERSION}));
        let mut batch = Batch::single(&Event::new("small"));
        batch.sequence = 1;
        let (header, payload) = wire::batch_frame(&batch, wire::Compression::None);
        given.write_all(&hello).unwrap();
        given.write_all(&header.encode(0)).unwrap();
        given.write_all(&payload).unwrap();
        drop(given);
        let pass = Pass {
            name: "intercept test",
            counters: &Counters::new(Component::Interceptor, "intercept test"),
            stop: &Stop::new(Duration::from_secs(5)).unwrap(),
            limit: 4096,
        };
        let large = Event::new(vec![b'x'; 5000]);
        let result = pass.run(input.into(), output.into(), &mut |_| Ok(Batch::single(&large)));
        let why = result.unwrap_err();
        assert_eq!(why.status(), 1);
        let told = why.to_string();
        assert!(told.starts_with("intercept test: a batch of 1 events"), "{told}");
        assert!(told.contains("--batch-bytes"), "{told}");
        let mut bytes = Vec::new();
        written.read_to_end(&mut bytes).unwrap();
        let first = FrameHeader::decode(bytes[..wire::HEADER].try_into().unwrap(), 0, wire::LIMIT).unwrap();
        assert_eq!(bytes.len(), wire::HEADER + first.length as usize);
    }
}
