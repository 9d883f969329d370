//! Requests and their answers: what stands in the payload of a pack.
//!
//! A request: the handshake, if the connection is new; meta data; the name of a message; its parameter. An
//! answer: the handshake, if there was one; meta data; whether it is an error; the status, or the error.

use super::CallError;
use super::handshake::{HandshakeRequest, HandshakeResponse};
use super::pack::{put_buffer, put_head, put_pack};
use crate::event::{Batch, Cursor, DecodeError, put_bytes, put_long, shown};
use crate::slab;
use bytes::Bytes;
use std::io::IoSlice;
use std::ops::Range;

/// What a server says to a call (Flume's `Status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has the events.
    Ok,
    /// It has not.
    Failed,
    /// It does not know; Flume never says that.
    Unknown,
}

/// What a client calls.
#[derive(Debug, Clone)]
pub enum Message {
    /// Nothing: it only wants the handshake.
    Ping,
    /// One event.
    Append(Batch),
    /// Events.
    AppendBatch(Batch),
    /// A message that the protocol does not have.
    Other(String),
}

/// A request behind its handshake.
#[derive(Debug)]
pub struct Request;

impl Request {
    /// The handshake at the start of a payload, and where it ends.
    pub fn handshake(payload: &[u8]) -> Result<(HandshakeRequest<'_>, usize), CallError> {
        let mut cursor = Cursor::start(payload);
        let request = HandshakeRequest::decode(&mut cursor)?;
        Ok((request, cursor.at))
    }

    /// The call that stands from byte `at` of a payload. Each event was looked at, and stays where it is: the
    /// batch is a slice of the payload. What follows the call is left alone, as Java leaves it.
    pub fn decode(payload: Vec<u8>, at: usize) -> Result<Message, CallError> {
        let mut cursor = Cursor { bytes: &payload, at };
        cursor.skip_meta()?;
        match cursor.bytes("the name of a message")? {
            b"" => Ok(Message::Ping),
            b"append" => {
                let start = cursor.at;
                cursor.event(true)?;
                let range = start..cursor.at;
                Ok(Message::Append(Batch::from_encoded(sliced(payload, range), 1)))
            }
            b"appendBatch" => {
                let (count, blocks) = events(&mut cursor)?;
                let (payload, range) = joined(payload, &blocks);
                Ok(Message::AppendBatch(Batch::from_encoded(
                    sliced(payload, range),
                    count,
                )))
            }
            other => Ok(Message::Other(shown(&other[..other.len().min(100)]).into_owned())),
        }
    }
}

/// The blocks of an array of events: how many events, and where those of each block are.
fn events(cursor: &mut Cursor<'_>) -> Result<(u32, Vec<Range<usize>>), CallError> {
    let mut total = 0u32;
    let mut blocks = Vec::with_capacity(1);
    loop {
        let count = cursor.long("a count of events")?;
        if count == 0 {
            return Ok((total, blocks));
        }
        let at = cursor.at;
        let size = match count < 0 {
            true => Some(cursor.long("the size of a block of events")?),
            false => None,
        };
        // Two bytes are the least that an event has.
        let left = (cursor.bytes.len() - cursor.at) as u64 / 2;
        let fresh = u32::try_from(count.unsigned_abs())
            .ok()
            .filter(|fresh| u64::from(*fresh) <= left);
        let sum = fresh.and_then(|fresh| total.checked_add(fresh).map(|total| (fresh, total)));
        let Some((fresh, sum)) = sum else {
            return Err(CallError::Count(count));
        };
        total = sum;
        let start = cursor.at;
        for _ in 0..fresh {
            if !cursor.step_over_unsized() {
                cursor.event(true)?;
            }
        }
        if size.is_some_and(|size| u64::try_from(size).ok() != Some((cursor.at - start) as u64)) {
            return Err(DecodeError::BlockSize { at }.into());
        }
        blocks.push(start..cursor.at);
    }
}

/// The events of all blocks as one piece. Almost always there is one block, and nothing moves.
fn joined(mut payload: Vec<u8>, blocks: &[Range<usize>]) -> (Vec<u8>, Range<usize>) {
    let Some(first) = blocks.first() else {
        return (payload, 0..0);
    };
    let mut end = first.end;
    for block in &blocks[1..] {
        let next = end + block.len();
        payload.copy_within(block.clone(), end);
        end = next;
    }
    (payload, first.start..end)
}

fn sliced(payload: Vec<u8>, range: Range<usize>) -> Bytes {
    if range.len() <= slab::SMALL_BYTES {
        let small = slab::copy(&payload[range]);
        slab::give(payload);
        return small;
    }
    slab::freeze(payload).slice(range)
}

/// A call as a pack, for who sends it: the batch's slab is one of the pack's buffers, and is not copied.
#[derive(Debug, Clone)]
pub struct RequestPack {
    front: Vec<u8>,
    events: Bytes,
    back: &'static [u8],
}

impl RequestPack {
    /// `appendBatch` with the events of a batch.
    pub fn append_batch(serial: u32, handshake: Option<&HandshakeRequest<'_>>, batch: &Batch) -> Self {
        if batch.is_empty() {
            // A count of no events is the end of the array.
            return Self::new(serial, handshake, b"appendBatch", Some(0), Bytes::new(), &[]);
        }
        let count = Some(i64::from(batch.len()));
        // The end of the array, in a buffer of one byte.
        Self::new(
            serial,
            handshake,
            b"appendBatch",
            count,
            batch.encoded().clone(),
            &[0, 0, 0, 1, 0],
        )
    }

    /// `append` with the one event of a batch.
    pub fn append(serial: u32, handshake: Option<&HandshakeRequest<'_>>, batch: &Batch) -> Self {
        debug_assert_eq!(batch.len(), 1);
        Self::new(serial, handshake, b"append", None, batch.encoded().clone(), &[])
    }

    /// A request for the handshake alone, which also shows whether a server still answers.
    pub fn ping(serial: u32, handshake: Option<&HandshakeRequest<'_>>) -> Self {
        Self::new(serial, handshake, b"", None, Bytes::new(), &[])
    }

    fn new(
        serial: u32,
        handshake: Option<&HandshakeRequest<'_>>,
        name: &[u8],
        count: Option<i64>,
        events: Bytes,
        back: &'static [u8],
    ) -> Self {
        let mut front = Vec::with_capacity(80);
        let buffers = 1 + u32::from(!events.is_empty()) + u32::from(!back.is_empty());
        put_head(&mut front, serial, buffers);
        put_buffer(&mut front, |to| {
            if let Some(handshake) = handshake {
                handshake.put(to);
            }
            to.push(0);
            put_bytes(to, name);
            if let Some(count) = count {
                put_long(to, count);
            }
        });
        if !events.is_empty() {
            front.extend_from_slice(&(events.len() as u32).to_be_bytes());
        }
        RequestPack { front, events, back }
    }

    /// What is to be written, in this order.
    pub fn parts(&self) -> [&[u8]; 3] {
        [&self.front, &self.events, self.back]
    }

    /// The same for one call that writes them all.
    pub fn slices(&self) -> [IoSlice<'_>; 3] {
        self.parts().map(IoSlice::new)
    }

    /// Bytes of all.
    pub fn bytes(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status.
    Status(Status),
    /// An error of the server, as text.
    Error(String),
}

impl Answer {
    /// Append the pack that answers the request with this serial; without an answer it has the handshake alone,
    /// which is what a ping gets, and a call to a server that does not know the client.
    pub fn put(
        this: Option<&Answer>,
        serial: u32,
        handshake: Option<&HandshakeResponse<'_>>,
        to: &mut Vec<u8>,
    ) {
        if this.is_none() && handshake.is_none() {
            return put_head(to, serial, 0);
        }
        put_pack(to, serial, |to| {
            if let Some(handshake) = handshake {
                handshake.put(to);
            }
            match this {
                None => {}
                Some(Answer::Status(status)) => to.extend_from_slice(&[0, 0, 2 * *status as u8]),
                Some(Answer::Error(why)) => {
                    // No meta data; an error; of the union of errors the first, a string.
                    to.extend_from_slice(&[0, 1, 0]);
                    put_bytes(to, why.as_bytes());
                }
            }
        });
    }
}

/// What a client finds in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The handshake, where one was asked for.
    pub handshake: Option<HandshakeResponse<'a>>,
    /// What the call came to; nothing where the answer is the handshake alone.
    pub answer: Option<Answer>,
}

impl<'a> Reply<'a> {
    /// Decode the payload of an answer. `greets`: the request that it answers had a handshake.
    pub fn decode(payload: &'a [u8], greets: bool) -> Result<Self, CallError> {
        let mut cursor = Cursor::start(payload);
        let handshake = match greets {
            true => Some(HandshakeResponse::decode(&mut cursor)?),
            false => None,
        };
        if cursor.at == payload.len() {
            return Ok(Reply {
                handshake,
                answer: None,
            });
        }
        cursor.skip_meta()?;
        let answer = match cursor.boolean("the flag of an error")? {
            false => Answer::Status(status(&mut cursor)?),
            true => match cursor.long("the kind of an error")? {
                0 => Answer::Error(shown(cursor.bytes("an error")?).into_owned()),
                found => {
                    let what = "the kind of an error";
                    return Err(CallError::Branch { what, found });
                }
            },
        };
        Ok(Reply {
            handshake,
            answer: Some(answer),
        })
    }
}

fn status(cursor: &mut Cursor<'_>) -> Result<Status, CallError> {
    let what = "a status";
    match cursor.long(what)? {
        0 => Ok(Status::Ok),
        1 => Ok(Status::Failed),
        2 => Ok(Status::Unknown),
        found => Err(CallError::Branch { what, found }),
    }
}

#[cfg(test)]
mod tests;
