//! `TEXT` and `HEADER_AND_TEXT`: for people and for tools that read lines. Neither escapes anything, so a
//! body with newlines comes back as several lines (as in Flume).

use super::{EventSerializer, SerializeError, Tail};
use crate::event::{Batch, EventRef};

/// Whether a cut file can be mended by looking for the last newline: not once an event had one inside.
struct Ends {
    newline: bool,
    are_lines: bool,
}

impl Ends {
    fn new(newline: bool) -> Self {
        Ends {
            newline,
            are_lines: newline,
        }
    }

    /// The event stands in `out` from `start`.
    #[inline]
    fn close(&mut self, start: usize, out: &mut Vec<u8>) {
        if self.newline {
            if self.are_lines && memchr::memchr(b'\n', &out[start..]).is_some() {
                self.are_lines = false;
            }
            out.push(b'\n');
        }
    }

    fn tail(&self) -> Tail {
        match self.are_lines {
            true => Tail::Lines,
            false => Tail::Exact,
        }
    }
}

/// The body and a newline.
pub struct Text(Ends);

impl Text {
    /// With or without a newline behind each body.
    pub fn new(newline: bool) -> Self {
        Text(Ends::new(newline))
    }
}

impl EventSerializer for Text {
    #[inline]
    fn write(&mut self, event: EventRef<'_>, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        let start = out.len();
        out.extend_from_slice(event.body());
        self.0.close(start, out);
        Ok(())
    }

    fn write_batch(&mut self, batch: &Batch, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        out.reserve(batch.bytes());
        batch.bodies().try_for_each(|event| self.write(event?, out))
    }

    fn tail(&self) -> Tail {
        self.0.tail()
    }
}

/// The headers as `{name=value, name=value}`, a blank, the body and a newline.
pub struct HeaderAndText(Ends);

impl HeaderAndText {
    /// With or without a newline behind each body.
    pub fn new(newline: bool) -> Self {
        HeaderAndText(Ends::new(newline))
    }
}

impl EventSerializer for HeaderAndText {
    fn write(&mut self, event: EventRef<'_>, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        let start = out.len();
        out.push(b'{');
        for (index, (name, value)) in event.headers().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend_from_slice(value);
        }
        out.extend_from_slice(b"} ");
        out.extend_from_slice(event.body());
        self.0.close(start, out);
        Ok(())
    }

    fn tail(&self) -> Tail {
        self.0.tail()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn written(mut serializer: impl EventSerializer, event: &Event) -> (Vec<u8>, Tail) {
        let mut out = Vec::new();
        serializer.begin(&mut out);
        serializer.write_batch(&Batch::single(event), &mut out).unwrap();
        serializer.end(&mut out).unwrap();
        (out, serializer.tail())
    }

    #[test]
    fn text_is_the_body_with_or_without_a_newline() {
        let event = Event::new("hello").with_header("k", "v");
        assert_eq!(written(Text::new(true), &event), (b"hello\n".into(), Tail::Lines));
        assert_eq!(written(Text::new(false), &event), (b"hello".into(), Tail::Exact));
    }

    #[test]
    fn headers_stand_in_braces_in_their_order() {
        let event = Event::new("x").with_header("b", "1").with_header("a", "2");
        let (out, _) = written(HeaderAndText::new(true), &event);
        assert_eq!(out, b"{b=1, a=2} x\n");
        let (out, _) = written(HeaderAndText::new(true), &Event::new("x"));
        assert_eq!(out, b"{} x\n");
    }

    #[test]
    fn newline_inside_an_event_is_seen() {
        assert_eq!(written(Text::new(true), &Event::new("a\nb")).1, Tail::Exact);
        let event = Event::new("x").with_header("k", "a\nb");
        assert_eq!(written(HeaderAndText::new(true), &event).1, Tail::Exact);
        assert_eq!(written(Text::new(true), &event).1, Tail::Lines);
    }
}
