//! An array of events in JSON, as lenient as Flume's `JSONHandler` reads it.
//!
//! `[{"headers": {"name": "value"}, "body": "text"}]`: both members may be missing, others are passed over. Beyond
//! JSON there may be comments, single quotes, and names and texts without quotes; numbers and truth values are
//! taken as they are written. Bodies are encoded in the character set that the request came in.

mod parser;
#[cfg(test)]
mod tests;
mod texts;

use super::bodies;
use super::handler::{Handler, HandlerError, Post};
use crate::charset::{Charset, DecodeErrorPolicy};
use crate::event::Batch;
use parser::Parser;

/// See the module. What says that it is NDJSON, or our event stream, is read so.
pub struct Json;

impl Handler for Json {
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError> {
        match post.media_type().as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                return bodies::Lines.events(post);
            }
            "application/x-flume-stream" => return bodies::Frames.events(post),
            _ => {}
        }
        let name = post.charset().unwrap_or("UTF-8");
        let charset = charset(name)?;
        let text = charset
            .decode(post.body, DecodeErrorPolicy::Fail)
            .map_err(|why| HandlerError::Bad(format!("the body cannot be read: {why}")))?;
        read(&text, charset).map_err(HandlerError::Bad)
    }
}

/// Those that Flume takes.
fn charset(name: &str) -> Result<Charset, HandlerError> {
    let known = ["UTF-8", "UTF-16", "UTF-32"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    let charset = name.parse().ok().filter(|_| known);
    charset.ok_or_else(|| {
        HandlerError::Unsupported(format!(
            "the charset \"{name}\" is not taken; there are UTF-8, UTF-16 and UTF-32"
        ))
    })
}

/// The events of an array.
fn read(text: &str, charset: Charset) -> Result<Batch, String> {
    let mut parser = Parser::new(text);
    parser.array(charset).map_err(|what| parser.place(&what))
}
