//! Bodies of our own forms: events in JSON line by line, and the event stream.

use super::handler::{Handler, HandlerError, Post};
use crate::codec::json;
use crate::event::{Batch, BatchBuilder};
use crate::wire::{self, FrameReader, Got, Kind, Order};

/// An event a line, as `flume cat --output json` writes them. Blank lines are nothing.
pub struct Lines;

impl Handler for Lines {
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError> {
        let mut events = BatchBuilder::new();
        for (line, number) in post.body.split(|byte| *byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let event = json::read_event(line)
                .map_err(|why| HandlerError::Bad(format!("line {number} is no event: {why}")))?;
            events.push_event(&event);
        }
        Ok(events.finish())
    }
}

/// The event stream, from its hello to its end, or several one after the other: all batches in them are one.
pub struct Frames;

impl Handler for Frames {
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError> {
        let mut reader = FrameReader::new(post.body, wire::LIMIT);
        let (mut order, mut events, mut has_begun) = (Order::default(), BatchBuilder::new(), false);
        loop {
            let at = reader.at();
            let bad = |why: &dyn std::fmt::Display| {
                HandlerError::Bad(format!("the stream is broken at byte {at}: {why}"))
            };
            let frame = match reader.next().map_err(|error| bad(&error))? {
                Got::Frame(frame) => frame,
                Got::Pending | Got::Eof if order.is_open() => {
                    return Err(bad(&"it has no end, so something is missing"));
                }
                Got::Pending | Got::Eof if !has_begun => return Err(bad(&"it is empty")),
                Got::Pending | Got::Eof => return Ok(events.finish()),
            };
            order.check(&frame.header).map_err(|fault| bad(&fault))?;
            if order.was_torn() {
                return Err(bad(&"another stream begins before it has ended"));
            }
            has_begun = true;
            if frame.header.kind == Kind::Batch {
                let batch = frame.batch().map_err(|fault| bad(&fault))?;
                batch.check().map_err(|fault| bad(&fault))?;
                for event in batch.events() {
                    events.push_encoded(event.map_err(|fault| bad(&fault))?);
                }
            }
        }
    }
}
