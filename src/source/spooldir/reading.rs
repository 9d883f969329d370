//! One file that is read: its content goes through the deserializer into batches.

use super::content::Content;
use super::files::{Candidate, Identity};
use crate::codec::deserializer::{DeserializeError, EventDeserializer, Events, Headers};
use crate::event::BatchBuilder;
use crate::exit::StageError;
use crate::source::accepted::Accepted;
use crate::stage::ChannelProcessor;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Bytes read at once.
const READ: usize = 1 << 20;
/// Bytes of which a deserializer makes no event and that it wants to have more of: a file of another kind.
const LARGEST: usize = 600 << 20;

/// A file that was opened.
pub struct InWork {
    /// Where it is.
    pub candidate: Candidate,
    /// What it was when it was opened.
    pub identity: Identity,
    /// To look at it again.
    pub file: File,
    /// Up to where it is accepted.
    pub accepted: Accepted,
    /// Where reading began.
    pub start: u64,
    /// Batches that are not accepted.
    outstanding: Arc<AtomicU64>,
    /// While it is read.
    reader: Option<Reader>,
    /// It could be opened and was begun.
    pub was_read: bool,
    /// What is wrong with it: a sentence, without the file.
    pub fault: Option<String>,
}

/// What the reading of a file needs.
struct Reader {
    content: Content,
    deserializer: Box<dyn EventDeserializer>,
    headers: Headers,
    batch: BatchBuilder,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with, and where the first of them stands in the content.
    used: usize,
    position: u64,
    /// Up to where batches were handed on.
    submitted: u64,
    has_begun: bool,
    /// The content ends with the buffer.
    is_all: bool,
}

/// Rings when a batch was accepted.
#[derive(Default)]
pub struct Wake(Mutex<bool>, Condvar);

impl Wake {
    fn ring(&self) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
        self.1.notify_all();
    }

    /// Wait for a ring since the last wait, but not longer than this.
    pub fn wait(&self, time: Duration) {
        let rung = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let waited = self.1.wait_timeout_while(rung, time, |rung| !*rung);
        *waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0 = false;
    }
}

/// How large batches are.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Events at most.
    pub events: u32,
    /// Bytes at most.
    pub bytes: usize,
}

impl InWork {
    /// A file that was opened, from a place in its content on.
    pub fn new(
        candidate: Candidate,
        identity: Identity,
        file: File,
        start: u64,
        content: Content,
        deserializer: Box<dyn EventDeserializer>,
        headers: Headers,
    ) -> InWork {
        InWork {
            candidate,
            identity,
            file,
            accepted: Accepted::from(start),
            start,
            outstanding: Arc::new(AtomicU64::new(0)),
            reader: Some(Reader {
                content,
                deserializer,
                headers,
                batch: BatchBuilder::new(),
                buffer: Vec::new(),
                used: 0,
                position: 0,
                submitted: start,
                has_begun: false,
                is_all: false,
            }),
            was_read: true,
            fault: None,
        }
    }

    /// A file that cannot be read.
    pub fn faulty(candidate: Candidate, identity: Identity, file: File, fault: String) -> InWork {
        InWork {
            candidate,
            identity,
            file,
            accepted: Accepted::from(0),
            start: 0,
            outstanding: Arc::default(),
            reader: None,
            was_read: false,
            fault: Some(fault),
        }
    }

    /// It is not at its end.
    pub fn is_read(&self) -> bool {
        self.reader.is_some()
    }

    /// Everything that was read of it is accepted.
    pub fn is_accepted(&self) -> bool {
        self.outstanding.load(Ordering::Acquire) == 0
    }

    /// Read a piece and hand on what it has. What is wrong with the file is its fault; an error is that of who takes it.
    pub fn step(
        &mut self,
        limits: Limits,
        to: &Arc<ChannelProcessor>,
        wake: &Arc<Wake>,
    ) -> Result<(), StageError> {
        let Some(mut reader) = self.reader.take() else {
            return Ok(());
        };
        match self.read_piece(&mut reader, limits, to, wake)? {
            Ok(true) => self.reader = Some(reader),
            Ok(false) => {}
            Err(fault) => {
                // What stands in front of the fault is good.
                let rest = reader.batch.finish();
                self.submit(rest, reader.submitted, reader.position, to, wake)?;
                self.fault = Some(fault);
            }
        }
        Ok(())
    }

    /// False at the end; the inner error is a fault of the file.
    fn read_piece(
        &mut self,
        reader: &mut Reader,
        limits: Limits,
        to: &Arc<ChannelProcessor>,
        wake: &Arc<Wake>,
    ) -> Result<Result<bool, String>, StageError> {
        if let Err(error) = reader.fill() {
            return Ok(Err(format!("it cannot be read: {error}")));
        }
        if !reader.has_begun {
            match reader.begin(self.start) {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(true)),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        loop {
            let mut events = Events::new(&mut reader.batch, &reader.headers, limits.events, limits.bytes);
            let rest = &reader.buffer[reader.used..];
            let used = match reader.deserializer.take(rest, reader.is_all, &mut events) {
                Ok(used) => used.min(rest.len()),
                Err(error) => return Ok(Err(reader.fault(error))),
            };
            reader.advance(used);
            let is_full = reader.batch.len() >= limits.events || reader.batch.bytes() >= limits.bytes;
            let is_done = reader.is_all && reader.used == reader.buffer.len();
            if is_full || (is_done && !reader.batch.is_empty()) {
                let batch = reader.batch.finish();
                self.submit(batch, reader.submitted, reader.position, to, wake)?;
                reader.submitted = reader.position;
            }
            match (used, is_full) {
                _ if is_done => return self.end(reader, to, wake).map(Ok),
                (0, true) => return Ok(Err("its deserializer makes events of nothing".into())),
                (0, false) if reader.is_all => return Ok(Err("its end is no event".into())),
                (0, false) if reader.buffer.len() - reader.used > LARGEST => {
                    return Ok(Err(format!("an event in it has more than {} MiB", LARGEST >> 20)));
                }
                (0, false) => return Ok(Ok(true)),
                // A stop is looked at between batches.
                _ if to.stop().is_stopping() => return Ok(Ok(true)),
                _ => {}
            }
        }
    }

    /// At the end. A file without a byte is an event without a body, as in Flume.
    fn end(
        &mut self,
        reader: &Reader,
        to: &Arc<ChannelProcessor>,
        wake: &Arc<Wake>,
    ) -> Result<bool, StageError> {
        if self.start == 0 && reader.position == 0 {
            let mut batch = BatchBuilder::new();
            Events::new(&mut batch, &reader.headers, 1, 1).push(b"");
            self.submit(batch.finish(), 0, 0, to, wake)?;
        }
        Ok(false)
    }

    fn submit(
        &self,
        batch: crate::event::Batch,
        from: u64,
        position: u64,
        to: &Arc<ChannelProcessor>,
        wake: &Arc<Wake>,
    ) -> Result<(), StageError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (accepted, outstanding, wake) = (self.accepted.clone(), self.outstanding.clone(), wake.clone());
        outstanding.fetch_add(1, Ordering::AcqRel);
        to.submit(batch, move || {
            accepted.add(from, position);
            outstanding.fetch_sub(1, Ordering::AcqRel);
            wake.ring();
        })
    }
}

impl Reader {
    /// Have more in the buffer.
    fn fill(&mut self) -> io::Result<()> {
        if self.is_all {
            return Ok(());
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        self.is_all = self.content.read_onto(&mut self.buffer, READ)? == 0;
        Ok(())
    }

    /// The head of the file, and then the place where reading begins; false to read more first.
    fn begin(&mut self, start: u64) -> Result<bool, String> {
        let begun = self.deserializer.begin(&self.buffer, self.is_all);
        let Some(head) = begun.map_err(|error| self.fault(error))? else {
            return Ok(false);
        };
        self.has_begun = true;
        let head = head.min(self.buffer.len());
        if start <= head as u64 {
            self.advance(head);
            return Ok(true);
        }
        self.position = start;
        if start <= self.buffer.len() as u64 {
            self.used = start as usize;
            return Ok(true);
        }
        // What is in the buffer was read already; compressed content goes on from there.
        let place = match self.content.is_plain() {
            true => start,
            false => start - self.buffer.len() as u64,
        };
        self.buffer.clear();
        self.used = 0;
        match self.content.go_to(place) {
            Ok(true) => self
                .fill()
                .map(|()| true)
                .map_err(|error| format!("it cannot be read: {error}")),
            Ok(false) => Err(format!(
                "it ends in front of byte {start}, up to which it was read before"
            )),
            Err(error) => Err(format!("it cannot be read: {error}")),
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.used += bytes;
        self.position += bytes as u64;
    }

    fn fault(&self, error: DeserializeError) -> String {
        match error {
            DeserializeError::Malformed(malformed) => {
                let at = self.position + malformed.at as u64;
                format!(
                    "byte {at} of it begins nothing that is text in {}",
                    malformed.charset
                )
            }
            DeserializeError::Format(why) => why,
        }
    }
}
