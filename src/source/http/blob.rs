//! A whole body as one event: Flume's two handlers of that kind.

use super::handler::{Handler, HandlerError, Post};
use crate::codec::Options;
use crate::event::{Batch, Event};

/// Parameters of the request become headers (Flume's `BLOBHandler`).
pub struct Parameters {
    mandatory: Vec<String>,
}

impl Parameters {
    pub fn new(options: &mut Options) -> Parameters {
        let named = options.take("mandatoryParameters").unwrap_or_default();
        let names = named.split(',').map(str::trim).filter(|name| !name.is_empty());
        Parameters {
            mandatory: names.map(str::to_string).collect(),
        }
    }
}

impl Handler for Parameters {
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError> {
        let mut event = Event::new(post.body.to_vec());
        for [name, value] in parameters(post.query.unwrap_or_default())? {
            // The first of a name counts.
            if event.header(&name).is_none() {
                event.set_header(name, value);
            }
        }
        let missing = self.mandatory.iter().find(|name| event.header(name).is_none());
        match missing {
            None => Ok(Batch::single(&event)),
            Some(name) => Err(HandlerError::Bad(format!(
                "the parameter \"{name}\" is missing (handler.mandatoryParameters)"
            ))),
        }
    }
}

/// The parameters of a query, as HTML forms encode them.
fn parameters(query: &str) -> Result<Vec<[Vec<u8>; 2]>, HandlerError> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let decoded = parts.map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Ok([decode(name)?, decode(value)?])
    });
    decoded.collect()
}

/// A plus is a blank, and `%HH` a byte.
fn decode(text: &str) -> Result<Vec<u8>, HandlerError> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                    return Err(HandlerError::Bad(format!(
                        "the parameter \"{text}\" has a % that two hexadecimal digits do not follow"
                    )));
                };
                out.push((high << 4 | low) as u8);
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

/// The content type becomes a header (the `BlobHandler` of Flume's morphline sink).
pub struct Content {
    longest: usize,
}

impl Content {
    pub fn new(options: &mut Options) -> Result<Content, String> {
        let longest = options.number("maxBlobLength", 100_000_000)?;
        Ok(Content {
            longest: usize::try_from(longest).unwrap_or(usize::MAX),
        })
    }
}

impl Handler for Content {
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError> {
        if post.body.len() > self.longest {
            return Err(HandlerError::Bad(format!(
                "the body has {} bytes, and {} are the most (handler.maxBlobLength)",
                post.body.len(),
                self.longest
            )));
        }
        let mut event = Event::new(post.body.to_vec());
        if let Some(content_type) = post.content_type {
            event.set_header("Content-Type", content_type);
        }
        Ok(Batch::single(&event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(handler: &dyn Handler, query: &str, body: &[u8]) -> Result<Event, HandlerError> {
        let post = Post {
            path: "/",
            query: Some(query),
            content_type: Some("text/x-log"),
            body,
        };
        let batch = handler.events(&post)?;
        assert_eq!(batch.len(), 1);
        Ok(batch.events().next().unwrap().unwrap().to_event())
    }

    fn options(key: &str, value: &str) -> Options {
        Options::new([(key.to_string(), value.to_string())])
    }

    #[test]
    fn parameters_become_headers_and_the_first_of_a_name_counts() {
        let handler = Parameters::new(&mut options("mandatoryParameters", "a, c"));
        let made = event(&handler, "a=1&b=x+%c3%bc&a=2&c&&", b"\x00\xff").unwrap();
        let expected = Event::new(&b"\x00\xff"[..])
            .with_header("a", "1")
            .with_header("b", "x \u{fc}")
            .with_header("c", "");
        assert_eq!(made, expected);
        let error = event(&handler, "a=1", b"").unwrap_err();
        assert!(
            matches!(&error, HandlerError::Bad(why) if why.contains("\"c\"")),
            "{error}"
        );
    }

    #[test]
    fn no_parameter_is_mandatory_unless_it_is_named() {
        let handler = Parameters::new(&mut Options::default());
        assert_eq!(event(&handler, "", b"x"), Ok(Event::new("x")));
        for bad in ["a=%", "a=%4", "%zz=1"] {
            assert!(event(&handler, bad, b"").is_err(), "{bad}");
        }
    }

    #[test]
    fn content_type_becomes_a_header_and_what_is_too_long_is_refused() {
        let handler = Content::new(&mut options("maxBlobLength", "3")).unwrap();
        let expected = Event::new("abc").with_header("Content-Type", "text/x-log");
        assert_eq!(event(&handler, "a=1", b"abc"), Ok(expected));
        let error = event(&handler, "", b"abcd").unwrap_err();
        assert!(error.to_string().contains("4 bytes"), "{error}");
    }
}
