//! An event, a batch of events, and the one encoding that both keep from end to end.
//!
//! An event is Avro binary of Flume's record `AvroFlumeEvent`: `headers`, a map of strings, then `body`,
//! bytes. A batch is one contiguous slab of such events. What we encode writes the header map as one block
//! with its size in bytes (Avro specification, "Maps": a negative count), so that a reader can step over
//! the headers without looking at them; what others encode without sizes is read as well.
//!
//! Everything that decodes here checks each length against what remains before it uses it.

mod build;
mod decode;
#[cfg(test)]
mod tests;

pub use build::BatchBuilder;
pub(crate) use build::{Entries, Name, put_bytes, put_long};
pub use decode::DecodeError;

pub(crate) use self::decode::Cursor;
use bytes::Bytes;
use std::borrow::Cow;

/// Headers that one event may carry at most; more is malformed.
pub const MAX_HEADERS: u64 = 65_536;

/// An event inside a slab: nothing is copied, nothing is decoded before it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    raw: &'a [u8],
    map: usize,
    body: &'a [u8],
}

impl<'a> EventRef<'a> {
    /// Decode the event at the start of `bytes`, and say how many bytes it has.
    pub fn decode(bytes: &'a [u8]) -> Result<(EventRef<'a>, usize), DecodeError> {
        let mut cursor = Cursor { bytes, at: 0 };
        let event = cursor.event(true)?;
        Ok((event, cursor.at))
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The event as encoded, headers and body.
    pub fn encoded(&self) -> &'a [u8] {
        self.raw
    }

    /// The headers in their order, names and values as they came.
    pub fn headers(&self) -> Headers<'a> {
        Headers {
            cursor: Cursor {
                bytes: &self.raw[..self.map],
                at: 0,
            },
            left: 0,
        }
    }

    /// The value of a header; of a repeated one, the last.
    pub fn header(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut found = None;
        for (key, value) in self.headers() {
            if key == name {
                found = Some(value);
            }
        }
        found
    }

    /// A copy that stands by itself.
    pub fn to_event(&self) -> Event {
        let mut event = Event::new(self.body.to_vec());
        for (key, value) in self.headers() {
            event.set_header(key, value);
        }
        event
    }
}

/// The headers of an event, in order. Ends early on bytes that are no headers, which
/// [`Batch::events`] has refused before it hands an event out.
#[derive(Clone)]
pub struct Headers<'a> {
    cursor: Cursor<'a>,
    left: u64,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let (entries, _) = self.cursor.block().ok()?;
            if entries == 0 {
                return None;
            }
            self.left = entries;
        }
        self.left -= 1;
        Some((self.cursor.part()?, self.cursor.part()?))
    }
}

/// An event that owns its headers and body: for custom components and for tests. Components on the
/// hot path use [`EventRef`] and [`BatchBuilder`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Bytes,
}

impl Event {
    /// An event without headers.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Event {
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The same event with one more header.
    pub fn with_header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.set_header(name, value);
        self
    }

    /// Set a header in its place, or as the last one.
    pub fn set_header(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        match self.headers.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value.to_vec(),
            None => self.headers.push((name.to_vec(), value.to_vec())),
        }
    }

    /// The value of a header.
    pub fn header(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Put another body in its place.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
    }
}

/// The events of one transaction: the unit of sending, storing and acknowledging. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    slab: Bytes,
    count: u32,
    /// Place in the stream that it came by: 1, 2, 3 ...; 0 for a batch that was in none yet.
    pub sequence: u64,
    /// Position in the channel that the stream's hello names; 0 if none. It survives redelivery.
    pub origin: u64,
    /// CRC32C of the slab, where whoever read it has computed it already.
    pub(crate) crc: Option<u32>,
}

impl Batch {
    /// Encoded events whose number is known. Nothing is looked at before somebody asks for the events.
    pub fn from_encoded(slab: Bytes, count: u32) -> Self {
        Batch {
            slab,
            count,
            ..Batch::default()
        }
    }

    /// A batch of one event.
    pub fn single(event: &Event) -> Self {
        let mut builder = BatchBuilder::new();
        builder.push_event(event);
        builder.finish()
    }

    /// Number of events.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// No event; such a batch still has a place in its stream.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the encoded events.
    pub fn bytes(&self) -> usize {
        self.slab.len()
    }

    /// The encoded events.
    pub fn encoded(&self) -> &Bytes {
        &self.slab
    }

    /// Other events in the place of these: sequence and origin stay.
    pub fn replaced_by(&self, other: Batch) -> Batch {
        Batch {
            sequence: self.sequence,
            origin: self.origin,
            ..other
        }
    }

    /// The events, each fully checked before it is handed out; the last item is an error if the slab
    /// holds another number than [`Batch::len`] says.
    pub fn events(&self) -> Events<'_> {
        Events {
            cursor: Cursor {
                bytes: &self.slab,
                at: 0,
            },
            said: self.count,
            found: 0,
            deep: true,
            over: false,
        }
    }

    /// As [`Batch::events`], stepping over headers unseen where their block has a size: for who reads
    /// bodies only.
    pub fn bodies(&self) -> Events<'_> {
        Events {
            deep: false,
            ..self.events()
        }
    }

    /// Look at every byte once: is this what it says?
    pub fn check(&self) -> Result<(), DecodeError> {
        self.events().try_for_each(|event| event.map(drop))
    }
}

/// The events of a batch. See [`Batch::events`].
pub struct Events<'a> {
    cursor: Cursor<'a>,
    said: u32,
    found: u32,
    deep: bool,
    over: bool,
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<EventRef<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(end) = self.end() {
            return end.map(Err);
        }
        let event = self.cursor.event(self.deep);
        self.found += 1;
        self.over = event.is_err();
        Some(event)
    }
}

impl<'a> Events<'a> {
    /// The next event, fully checked, if it is as almost all are, and the value of its header `name` (of a
    /// repeated one, the last), found on the same walk. `None` says nothing: ask [`Events::rare_finding`].
    // Two calls, because a result that both kinds of events are written to is stored and read back: 9 ns.
    #[inline(always)]
    pub(crate) fn usual_finding(&mut self, name: &[u8]) -> Option<Found<'a>> {
        if self.over || self.found == self.said {
            return None;
        }
        let mut value = None;
        let event = self.cursor.usual_event(true, |key, found| {
            if key == name {
                value = Some(found);
            }
        })?;
        self.found += 1;
        Some((event, value))
    }

    /// The next event, whatever it is, and the value of its header `name`.
    #[cold]
    pub(crate) fn rare_finding(&mut self, name: &[u8]) -> Option<Result<Found<'a>, DecodeError>> {
        Some(self.next()?.map(|event| (event, event.header(name))))
    }

    /// Bytes of the slab before the event that comes next.
    pub(crate) fn at(&self) -> usize {
        self.cursor.at
    }

    /// `Some` where no event comes any more, with the error if their number is not what the batch says.
    #[inline(always)]
    fn end(&mut self) -> Option<Option<DecodeError>> {
        if self.over {
            return Some(None);
        }
        let is_last = self.cursor.at == self.cursor.bytes.len();
        if !is_last && self.found != self.said {
            return None;
        }
        self.over = true;
        let (said, found) = (self.said, self.found.saturating_add(u32::from(!is_last)));
        Some((said != found || !is_last).then_some(DecodeError::Count { said, found }))
    }
}

/// An event and the value of the header that was looked for.
pub(crate) type Found<'a> = (EventRef<'a>, Option<&'a [u8]>);

/// Bytes for a person: UTF-8 stays, everything else and control characters are escaped.
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(bytes)),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
