//! A connection that brings lines.

use super::Netcat;
use super::answers::Answers;
use crate::charset::{Charset, DecodeErrorPolicy};
use crate::event::BatchBuilder;
use crate::fd::{self, Woken};
use crate::metrics::Count;
use crate::say;
use crate::source::idle::Patience;
use crate::source::server::{Connection, hang_up};
use crate::stage::ChannelProcessor;
use rustix::event::PollFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Bytes read at once.
const READ: usize = 64 << 10;
/// Lines that are in the buffer already go together, up to so many and so many bytes.
const BATCH: (u32, usize) = (1000, 256 << 10);

/// One connection.
pub struct Client<'a> {
    socket: Arc<OwnedFd>,
    settings: &'a Netcat,
    answers: Answers,
    /// Of the lines: the byte order is known when the first bytes have come.
    encoding: Charset,
    is_begun: bool,
    buffer: Vec<u8>,
    scanned: usize,
    patience: Patience,
}

impl<'a> Client<'a> {
    pub fn new(connection: Connection, settings: &'a Netcat) -> Self {
        let socket = Arc::new(connection.socket);
        Client {
            answers: Answers {
                socket: socket.clone(),
                peer: connection.peer,
                encoding: settings.encoding,
                acknowledges: settings.ack_every_event,
            },
            socket,
            settings,
            encoding: settings.encoding,
            is_begun: false,
            buffer: Vec::new(),
            scanned: 0,
            patience: settings.idle.patience(),
        }
    }

    /// Until the client goes or the source stops. The error is how the connection broke.
    pub fn serve(&mut self, to: &Arc<ChannelProcessor>) -> Result<(), String> {
        loop {
            let deadline = self.patience.deadline(self.buffer.len());
            let bells = [to.stop().bell()];
            match fd::wait(self.socket.as_fd(), PollFlags::IN, &bells, deadline) {
                Err(error) => return Err(error.to_string()),
                Ok(_) if to.stop().is_stopping() => return Ok(()),
                Ok(Woken::Ready) => {}
                Ok(Woken::Timeout) => return self.let_go(to),
                Ok(_) => return Ok(()),
            }
            match fd::read_onto(&*self.socket, &mut self.buffer, READ) {
                Ok(0) => {
                    self.drop_unended_line(to);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("the connection broke: {error}")),
            }
            let goes_on = self.take_lines(to)?;
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Close the connection of a client that was silent for too long.
    fn let_go(&self, to: &ChannelProcessor) -> Result<(), String> {
        let begun = self.buffer.len();
        let why = format!("{}: the connection is closed", self.patience.reason(begun));
        if begun == 0 {
            say::info(to.counters().name(), format!("{}: {why}", self.answers.peer));
            return Ok(());
        }
        to.counters().add(Count::EventReadFail, 1);
        Err(why)
    }

    /// As Flume does it, but told.
    fn drop_unended_line(&self, to: &ChannelProcessor) {
        if !self.buffer.is_empty() {
            to.counters().add(Count::EventReadFail, 1);
            say::warn(
                to.counters().name(),
                format!(
                    "{}: the last line has no LF and is not taken ({} bytes)",
                    self.answers.peer,
                    self.buffer.len()
                ),
            );
        }
    }

    /// Hand on the whole lines of the buffer; false to end the connection.
    fn take_lines(&mut self, to: &Arc<ChannelProcessor>) -> Result<bool, String> {
        let width = self.encoding.width();
        let mut used = self.begun();
        let mut batch = BatchBuilder::new();
        let mut too_long = false;
        while let Some(length) = self.encoding.find_lf(&self.buffer[self.scanned..]) {
            let end = self.scanned + length;
            let line = &self.buffer[used..end];
            too_long = self.is_too_long(line, 1);
            if too_long {
                break;
            }
            push(&mut batch, line, self.encoding);
            used = end + width;
            self.scanned = used;
            if batch.len() >= BATCH.0 || batch.bytes() >= BATCH.1 {
                self.answers.hand_on(&mut batch, to)?;
            }
        }
        if !batch.is_empty() {
            self.answers.hand_on(&mut batch, to)?;
        }
        if used > 0 {
            self.buffer.drain(..used);
            self.patience.renew();
        }
        self.scanned = self.buffer.len() - self.buffer.len() % width;
        // Flume's buffer is full before the LF that would come next.
        if too_long || self.is_too_long(&self.buffer, 0) {
            self.refuse_long_line(to)?;
            return Ok(false);
        }
        Ok(!to.stop().is_stopping())
    }

    /// When the first code unit has come: the byte order. The length of the mark that said so.
    fn begun(&mut self) -> usize {
        if self.is_begun || self.buffer.len() < self.encoding.width() {
            return 0;
        }
        self.is_begun = true;
        let (encoding, mark) = self.encoding.at_start(&self.buffer);
        self.encoding = encoding;
        self.answers.encoding = encoding;
        self.scanned = mark;
        mark
    }

    fn is_too_long(&self, line: &[u8], end: usize) -> bool {
        let most = self.settings.max_line_length as usize - end;
        let reached = |count: usize| match end {
            0 => count >= most,
            _ => count > most,
        };
        reached(line.len()) && reached(self.encoding.count(line))
    }

    fn refuse_long_line(&self, to: &ChannelProcessor) -> Result<(), String> {
        to.counters().add(Count::EventReadFail, 1);
        let most = self.settings.max_line_length;
        say::warn(
            to.counters().name(),
            format!(
                "{}: a line is longer than {most} characters (--max-line-length): the connection is closed",
                self.answers.peer
            ),
        );
        self.answers.say(&format!(
            "FAILED: Event exceeds the maximum length ({most} chars, including newline)\n"
        ))?;
        hang_up(&self.socket);
        Ok(())
    }
}

fn push(batch: &mut BatchBuilder, line: &[u8], encoding: Charset) {
    let is_kept = encoding == Charset::UTF_8 || encoding == Charset::US_ASCII;
    if is_kept || (encoding.is_ascii_compatible() && line.is_ascii()) {
        return batch.push_body(line);
    }
    match encoding.decode(line, DecodeErrorPolicy::Replace) {
        Ok(text) => batch.push_body(text.as_bytes()),
        Err(_) => batch.push_body(line),
    }
}
