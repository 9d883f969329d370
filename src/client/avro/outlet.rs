//! One connection to an Avro source: batches become calls of `appendBatch`, and are settled by their answers.
//!
//! Several calls are under way at a time. Batches that are there together and small go in one call, each as a
//! block of its array; one that is larger than a call may be goes in several. Events are never copied: a call
//! is written from where its slabs lie. After the handshake a thread reads answers.

use super::super::{Compress, Destination, Settings};
use super::answers::{Waitable, read_answers, silent, told};
use super::calls::{Call, Calls, Kept, Parts, Room, Waiting};
use crate::ack::{Outcome, Promise, Refusal};
use crate::event::{Batch, DecodeError, put_bytes, put_long};
use crate::fd::{Bell, PolledFd};
use crate::link::{Outlet, SendError, Unsettled, Window};
use crate::rpc::avro::handshake::Greeting;
use crate::rpc::avro::pack::{put_buffer, put_head};
use crate::rpc::avro::{Deflate, Got, Inflated, Limits, PackReader, Reply, RequestPack};
use crate::stop::Stop;
use crate::tls::Fate;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Calls are written together up to here.
const COALESCE: usize = 64 << 10;
/// Bytes of batches that are joined in one call at most.
const JOINED: usize = 1 << 20;
/// What a batch costs beside its events, so that batches of almost nothing are bounded, too.
const HELD: usize = 64;
/// Pieces that the system takes in one call at most (`IOV_MAX`).
const SLICES: usize = 1024;
/// An answer is short: a status, or the text of an error.
const ANSWER: Limits = Limits {
    bytes: 4 << 20,
    buffers: 1 << 16,
};

/// See the module.
pub struct AvroOutlet {
    writer: Mutex<Writer>,
    calls: Arc<Calls>,
    stop: Stop,
    batch_size: u32,
    window: Window,
    /// Calls that may be under way: one, where the server does not promise to take them in their order.
    most_calls: usize,
    /// Who carries its bytes through TLS, and knows why that ended.
    fate: Option<Fate>,
    /// When it has lived long enough: the next batch goes over another connection.
    until: Option<Instant>,
}

struct Writer {
    socket: OwnedFd,
    deflate: Option<Deflate>,
    serial: u32,
    /// The call that is being made.
    open: Vec<(Batch, Waiting)>,
    open_events: u32,
    open_bytes: usize,
    /// What is to be written: heads of calls and blocks, with events behind each of them.
    heads: Vec<u8>,
    pieces: Vec<(usize, Bytes)>,
    waiting: usize,
    packed: Vec<u8>,
    /// A write has failed: nothing can be written any more, and the answers that have come are still read.
    dead: bool,
}

impl AvroOutlet {
    /// Greet the server on a socket that is connected to it. The error is a sentence.
    pub fn open(
        socket: OwnedFd,
        to: &Destination,
        settings: &Settings,
        stop: &Stop,
    ) -> Result<AvroOutlet, String> {
        let failed = |error: io::Error| error.to_string();
        let calls = Calls::new(to, settings.counted.clone()).map_err(failed)?;
        let mut input = PolledFd::new(socket.try_clone().map_err(failed)?, false);
        input.bell = Some(calls.over.clone());
        let deflates = settings.compression == Compress::Deflate;
        let writer = Writer {
            socket,
            deflate: deflates.then(|| Deflate::new(settings.compression_level)),
            serial: 0,
            open: Vec::new(),
            open_events: 0,
            open_bytes: 0,
            heads: Vec::new(),
            pieces: Vec::new(),
            waiting: 0,
            packed: Vec::new(),
            dead: false,
        };
        let mut outlet = AvroOutlet {
            writer: Mutex::new(writer),
            calls,
            most_calls: 1,
            fate: None,
            stop: stop.clone(),
            batch_size: settings.batch_size.max(1),
            window: settings.window,
            until: settings.reset_after.map(|interval| Instant::now() + interval),
        };
        match deflates {
            true => outlet.begin(Inflated::new(input), settings),
            false => outlet.begin(input, settings),
        }?;
        Ok(outlet)
    }

    /// Its socket is one end of this.
    pub fn through(mut self, fate: Option<Fate>) -> AvroOutlet {
        self.fate = fate;
        self
    }

    fn begin<I>(&mut self, input: I, settings: &Settings) -> Result<(), String>
    where
        I: Waitable + Send + 'static,
    {
        let mut reader = PackReader::new(input, ANSWER);
        let timeout = settings.request_timeout;
        let keeps_order = self.greet(&mut reader, timeout)?;
        if keeps_order || !settings.keeps_order() {
            self.most_calls = settings.window.batches.max(1);
        }
        self.calls.connected();
        let calls = self.calls.clone();
        std::thread::Builder::new()
            .name("flume-reply".into())
            .stack_size(128 << 10)
            .spawn(move || {
                let why = read_answers(&mut reader, &calls, timeout);
                calls.end(Some(why));
            })
            .map(drop)
            .map_err(|error| format!("no thread can be started: {error}"))
    }

    /// Shake hands by a call of nothing, so that all others can follow without waiting for it. True if the server
    /// promises to take them in their order.
    fn greet<I: Waitable>(&self, reader: &mut PackReader<I>, timeout: Duration) -> Result<bool, String> {
        let mut greeting = Greeting::asking_order();
        reader.inner_mut().wait_until(Instant::now() + timeout);
        while let Some(request) = greeting.request() {
            let mut writer = self.lock();
            writer.serial += 1;
            let ping = RequestPack::ping(writer.serial, Some(&request));
            for part in ping.parts() {
                writer.heads.extend_from_slice(part);
            }
            writer.waiting = writer.heads.len();
            let written = writer.write(&self.stop, &self.calls.over);
            let serial = writer.serial;
            drop(writer);
            written.map_err(|error| format!("it cannot be written to: {error}"))?;
            let pack = match reader.next() {
                Ok(Got::Pack(pack)) => pack,
                Ok(Got::Pending) => return Err(silent(timeout, reader)),
                Ok(Got::Eof) => return Err("it has closed the connection at the handshake".into()),
                Err(error) => return Err(told(&error, reader)),
            };
            if pack.serial != serial {
                return Err(format!(
                    "it answers call {} instead of the handshake",
                    pack.serial
                ));
            }
            let reply = Reply::decode(&pack.payload, true);
            let handshake = reply
                .map(|reply| reply.handshake)
                .map_err(|error| format!("its answer to the handshake cannot be read: {error}"))?;
            let handshake = handshake.ok_or("its answer has no handshake")?;
            greeting.heard(&handshake).map_err(|error| error.to_string())?;
        }
        Ok(greeting.keeps_order())
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait_for_room(&self, writer: &mut Writer, bytes: usize) -> Result<(), SendError> {
        let mut room = self.calls.room(bytes, &self.window);
        if room == Room::Full {
            self.make_call(writer)?;
            self.write(writer)?;
            room = self.calls.wait_room(bytes, &self.window, &self.stop);
        }
        match room {
            Room::Free => Ok(()),
            Room::Full => Err(SendError::Stopped),
            Room::Over => Err(SendError::Closed),
        }
    }

    /// Its time is over: what is under way is still answered.
    fn leave(&self, writer: &mut Writer) -> SendError {
        if self.make_call(writer).and_then(|()| self.write(writer)).is_ok() {
            self.calls.wait_all(&|| self.stop.deadline());
        }
        self.calls.end(None);
        SendError::Closed
    }

    /// What was put together becomes a call, when one more may be under way.
    fn make_call(&self, writer: &mut Writer) -> Result<(), SendError> {
        if writer.open.is_empty() {
            return Ok(());
        }
        if !self.calls.has_place(self.most_calls) {
            self.write(writer)?;
            if !self.calls.wait_place(self.most_calls, &self.stop) {
                self.calls.end(None);
                writer.close_call(&self.calls);
                return Err(SendError::Stopped);
            }
        }
        writer.close_call(&self.calls);
        Ok(())
    }

    /// Write the calls that were made.
    fn write(&self, writer: &mut Writer) -> Result<(), SendError> {
        if writer.dead || self.calls.is_over() {
            // They are lost, and what no call was made of with them.
            writer.close_call(&self.calls);
            return Err(SendError::Closed);
        }
        writer.write(&self.stop, &self.calls.over).map_err(|error| {
            if error.kind() == io::ErrorKind::TimedOut {
                self.calls.end(None);
                return SendError::Stopped;
            }
            self.calls.note(format!("it cannot be written to: {error}"));
            writer.give_up();
            SendError::Closed
        })
    }

    /// A batch that is larger than a call may be, in several.
    fn split(&self, writer: &mut Writer, parts: Vec<Batch>, promise: Promise) -> Result<(), SendError> {
        self.make_call(writer)?;
        let shared = Parts::new(parts.len(), promise);
        for (index, part) in parts.into_iter().enumerate() {
            let waiting = Waiting {
                bytes: part.bytes() + if index == 0 { HELD } else { 0 },
                events: part.len(),
                promise: Kept::Part(shared.clone()),
            };
            self.calls.take_in(waiting.bytes, waiting.events);
            writer.open(part, waiting);
            self.make_call(writer)?;
        }
        Ok(())
    }

    /// Put a batch into the calls that are to be written.
    fn put(
        &self,
        writer: &mut Writer,
        batch: Batch,
        parts: Option<Vec<Batch>>,
        promise: Promise,
    ) -> Result<(), SendError> {
        if let Some(parts) = parts {
            return self.split(writer, parts, promise);
        }
        let joined = writer.open_events.saturating_add(batch.len());
        if joined > self.batch_size || writer.open_bytes + batch.bytes() > JOINED {
            self.make_call(writer)?;
        }
        let waiting = Waiting {
            bytes: batch.bytes() + HELD,
            events: batch.len(),
            promise: Kept::Whole(promise),
        };
        self.calls.take_in(waiting.bytes, waiting.events);
        writer.open(batch, waiting);
        match writer.open_events == self.batch_size {
            true => self.make_call(writer),
            false => Ok(()),
        }
    }
}

/// Parts of a batch with so many events each, none of them copied.
fn cuts(batch: &Batch, size: u32) -> Result<Vec<Batch>, DecodeError> {
    let mut parts = Vec::with_capacity(batch.len().div_ceil(size) as usize);
    let (mut from, mut at, mut count) = (0, 0, 0);
    for event in batch.bodies() {
        at += event?.encoded().len();
        count += 1;
        if count == size {
            parts.push(Batch::from_encoded(batch.encoded().slice(from..at), count));
            (from, count) = (at, 0);
        }
    }
    if count > 0 {
        parts.push(Batch::from_encoded(batch.encoded().slice(from..at), count));
    }
    Ok(parts)
}

impl Writer {
    /// Put a batch into the call that is being made.
    fn open(&mut self, batch: Batch, waiting: Waiting) {
        self.open_events += batch.len();
        self.open_bytes += batch.bytes();
        self.open.push((batch, waiting));
    }

    /// The call that is being made is whole: it is to be written.
    fn close_call(&mut self, calls: &Calls) {
        if self.open.is_empty() {
            return;
        }
        self.serial = self.serial.wrapping_add(1);
        let buffers = 2 * self.open.len() as u32 + 1;
        put_head(&mut self.heads, self.serial, buffers);
        let mut batches = Vec::with_capacity(self.open.len());
        for (index, (batch, waiting)) in self.open.drain(..).enumerate() {
            put_buffer(&mut self.heads, |to| {
                if index == 0 {
                    to.push(0);
                    put_bytes(to, b"appendBatch");
                }
                put_long(to, i64::from(batch.len()));
            });
            let events = batch.encoded();
            self.heads.extend_from_slice(&(events.len() as u32).to_be_bytes());
            self.pieces.push((self.heads.len(), events.clone()));
            batches.push(waiting);
        }
        put_buffer(&mut self.heads, |to| to.push(0));
        self.waiting += self.open_bytes;
        (self.open_events, self.open_bytes) = (0, 0);
        calls.push(Call {
            serial: self.serial,
            since: Instant::now(),
            batches,
        });
    }

    /// What is to be written, piece by piece.
    fn slices(&self) -> Vec<&[u8]> {
        let mut slices = Vec::with_capacity(2 * self.pieces.len() + 1);
        let mut from = 0;
        for (to, events) in &self.pieces {
            slices.push(&self.heads[from..*to]);
            slices.push(&events[..]);
            from = *to;
        }
        slices.push(&self.heads[from..]);
        slices
    }

    /// Write what waits; `TimedOut` when the grace after a stop is over.
    fn write(&mut self, stop: &Stop, over: &Bell) -> io::Result<()> {
        if self.heads.is_empty() {
            return Ok(());
        }
        let written = self.deflated().and_then(|packed| {
            let slices = match packed {
                true => vec![&self.packed[..]],
                false => self.slices(),
            };
            let mut slices: Vec<_> = slices.into_iter().map(IoSlice::new).collect();
            slices
                .chunks_mut(SLICES)
                .try_for_each(|some| stop.write_all(self.socket.as_fd(), some, &[over]))
        });
        self.heads.clear();
        self.pieces.clear();
        self.packed.clear();
        self.waiting = 0;
        written
    }

    /// Nothing more goes out. What the server has said until now can still be read, then comes the end.
    fn give_up(&mut self) {
        self.dead = true;
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    /// The same, compressed; false if it is not to be.
    fn deflated(&mut self) -> io::Result<bool> {
        let Some(mut deflate) = self.deflate.take() else {
            return Ok(false);
        };
        let mut packed = std::mem::take(&mut self.packed);
        let mut put = self
            .slices()
            .into_iter()
            .map(|slice| deflate.put(slice, &mut packed));
        let done = put.try_for_each(|put| put);
        drop(put);
        let done = done.and_then(|()| deflate.flush(&mut packed));
        self.packed = packed;
        self.deflate = Some(deflate);
        done.map(|()| true)
    }
}

impl Outlet for AvroOutlet {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        if batch.is_empty() {
            promise.settle(Outcome::Accepted);
            return Ok(());
        }
        let parts = match batch.len() > self.batch_size {
            true => match cuts(&batch, self.batch_size) {
                Ok(parts) => Some(parts),
                Err(error) => {
                    let why = format!("it holds bytes that are no events: {error}");
                    promise.settle(Outcome::Refused(Refusal::reject(why)));
                    return Ok(());
                }
            },
            false => None,
        };
        let mut writer = self.lock();
        if writer.dead || self.calls.is_over() {
            return self.write(&mut writer);
        }
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return Err(self.leave(&mut writer));
        }
        self.wait_for_room(&mut writer, batch.bytes() + HELD)?;
        self.put(&mut writer, batch, parts, promise)?;
        // One that is alone under way is waited for by all that follow.
        let enough = if self.most_calls == 1 { 1 } else { COALESCE };
        match writer.waiting >= enough {
            true => self.write(&mut writer),
            false => Ok(()),
        }
    }

    fn flush(&self) -> Result<(), SendError> {
        let mut writer = self.lock();
        self.make_call(&mut writer)?;
        self.write(&mut writer)
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        let flushed = self.flush();
        let all = self.calls.wait_all(&|| deadline.or_else(|| self.stop.deadline()));
        let over = self.calls.is_over();
        self.calls.end(None);
        match (all, over) {
            (true, _) => Ok(()),
            (false, true) => Err(flushed.err().unwrap_or(SendError::Closed)),
            (false, false) => Err(SendError::Temporary(
                "the grace is over and not every batch was accepted".into(),
            )),
        }
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        self.calls.set_after(then);
    }

    fn unsettled(&self) -> Unsettled {
        self.calls.unsettled()
    }

    fn why_closed(&self) -> Option<String> {
        let why = self.calls.why()?;
        let known = self.fate.as_ref().and_then(Fate::why);
        Some(known.map_or(why, |known| format!("{}: {known}", self.calls.to)))
    }
}

impl Drop for AvroOutlet {
    fn drop(&mut self) {
        self.calls.end(None);
        let mut writer = self.lock();
        for (_, waiting) in writer.open.drain(..) {
            self.calls.lose(waiting);
        }
    }
}
