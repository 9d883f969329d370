//! An event, a batch of events, and the one encoding that both keep from end to end.
//!
//! An event is Avro binary of Flume's record `AvroFlumeEvent`: `headers`, a map of strings, then `body`,
//! bytes. A batch is one contiguous slab of such events. What we encode writes the header map as one block
//! with its size in bytes (Avro specification, "Maps": a negative count), so that a reader can step over
//! the headers without looking at them; what others encode without sizes is read as well.
//!
//! Everything that decodes here checks each length against what remains before it uses it.

use crate::slab;
use bytes::Bytes;
use std::borrow::Cow;

/// Headers that one event may carry at most; more is malformed.
pub const MAX_HEADERS: u64 = 65_536;

/// Why bytes are not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the message names each field
pub enum DecodeError {
    /// The bytes end inside an event.
    #[error("the bytes end inside an event ({what} at byte {at})")]
    Short { what: &'static str, at: usize },
    /// A length or count that cannot be: negative, or over its bound.
    #[error("{what} of {found} at byte {at} cannot be")]
    Length {
        what: &'static str,
        found: i64,
        at: usize,
    },
    /// A variable-length number of more than ten bytes.
    #[error("a number at byte {at} is longer than ten bytes")]
    Varint { at: usize },
    /// The size of a block of headers is not the size of its entries.
    #[error("a block of headers at byte {at} has another size than it says")]
    BlockSize { at: usize },
    /// The slab holds fewer or more events than its count.
    #[error("{found} events where the batch says {said}")]
    Count { said: u32, found: u32 },
}

/// Where decoding stands in a slab, or in another piece of Avro binary.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    /// A zig-zag variable-length number (Avro specification, "long"). Those of one and two bytes, which almost
    /// all lengths are, without a call.
    #[inline(always)]
    pub(crate) fn long(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        let value = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
            (Some(&byte), _) if byte < 0x80 => {
                self.at += 1;
                i64::from(byte)
            }
            (Some(&low), Some(&high)) if high < 0x80 => {
                self.at += 2;
                i64::from(low & 0x7f) | i64::from(high) << 7
            }
            _ => return self.long_slow(what),
        };
        Ok(value >> 1 ^ -(value & 1))
    }

    #[cold]
    fn long_slow(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        let start = self.at;
        let mut value = 0u64;
        for shift in 0..10 {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(DecodeError::Short { what, at: start });
            };
            self.at += 1;
            value |= u64::from(byte & 0x7f) << (7 * shift);
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(DecodeError::Varint { at: start })
    }

    /// Bytes with their length in front.
    #[inline]
    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let start = self.at;
        let length = self.long(what)?;
        let found = length;
        let length = usize::try_from(length).map_err(|_| DecodeError::Length {
            what,
            found,
            at: start,
        })?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(DecodeError::Short { what, at: start });
        };
        let found = &self.bytes[self.at..end];
        self.at = end;
        Ok(found)
    }

    /// The start of a block of headers: entries in it, and the byte where it ends if it says so.
    #[inline]
    fn block(&mut self) -> Result<(u64, Option<usize>), DecodeError> {
        let at = self.at;
        let count = self.long("a count of headers")?;
        let sized = count < 0;
        let entries = count.unsigned_abs();
        if entries > MAX_HEADERS {
            return Err(DecodeError::Length {
                what: "a count of headers",
                found: count,
                at,
            });
        }
        if !sized {
            return Ok((entries, None));
        }
        let at = self.at;
        let found = self.long("the size of a block of headers")?;
        let end = usize::try_from(found)
            .ok()
            .and_then(|size| self.at.checked_add(size))
            .filter(|end| *end <= self.bytes.len());
        match end {
            Some(end) => Ok((entries, Some(end))),
            None => Err(DecodeError::Length {
                what: "the size of a block of headers",
                found,
                at,
            }),
        }
    }

    /// Step over the header map; `deep` looks at each entry also where a size allows a jump.
    #[inline]
    fn map(&mut self, deep: bool) -> Result<(), DecodeError> {
        let mut total = 0;
        loop {
            let at = self.at;
            let (entries, end) = self.block()?;
            if entries == 0 {
                return Ok(());
            }
            total += entries;
            if total > MAX_HEADERS {
                return Err(DecodeError::Length {
                    what: "a count of headers",
                    found: total as i64,
                    at,
                });
            }
            match end {
                Some(end) if !deep => self.at = end,
                _ => {
                    for _ in 0..entries {
                        self.bytes("the name of a header")?;
                        self.bytes("the value of a header")?;
                    }
                    if end.is_some_and(|end| end != self.at) {
                        return Err(DecodeError::BlockSize { at });
                    }
                }
            }
        }
    }

    #[inline(always)]
    pub(crate) fn event(&mut self, deep: bool) -> Result<EventRef<'a>, DecodeError> {
        match self.usual_event(deep, |_, _| {}) {
            Some(event) => Ok(event),
            None => self.any_event(deep),
        }
    }

    /// A length of one or two bytes; `None` for all else. Moves `at` if it is one.
    #[inline(always)]
    fn usual_length(&self, at: &mut usize) -> Option<usize> {
        let low = *self.bytes.get(*at)?;
        let mut value = usize::from(low & 0x7f);
        if low >= 0x80 {
            let high = *self.bytes.get(*at + 1)?;
            if high >= 0x80 {
                return None;
            }
            value |= usize::from(high) << 7;
            *at += 1;
        }
        *at += 1;
        (value & 1 == 0).then_some(value >> 1)
    }

    /// Bytes with such a length in front, all here.
    #[inline(always)]
    fn usual_bytes(&self, at: &mut usize) -> Option<&'a [u8]> {
        let length = self.usual_length(at)?;
        let found = self.bytes.get(*at..*at + length)?;
        *at += length;
        Some(found)
    }

    /// Bytes with their length in front, in what was checked before.
    #[inline(always)]
    fn part(&mut self) -> Option<&'a [u8]> {
        let mut at = self.at;
        match self.usual_bytes(&mut at) {
            Some(found) => {
                self.at = at;
                Some(found)
            }
            None => self.bytes("").ok(),
        }
    }

    /// An event as almost all are: short lengths, and no headers or one block of them with its size. For any
    /// other, good or bad, nothing has moved, and the long way says what is wrong. `see` gets each header that a
    /// `deep` look passes, also of what turns out to be no such event.
    // Inline, or its three fields are stored by eights and read back by sixteens: a stall for each event.
    #[inline(always)]
    fn usual_event(&mut self, deep: bool, mut see: impl FnMut(&'a [u8], &'a [u8])) -> Option<EventRef<'a>> {
        let start = self.at;
        let first = *self.bytes.get(start)?;
        let mut at = start + 1;
        if first != 0 {
            // A negative count, in one byte.
            if first & 1 == 0 || first >= 0x80 {
                return None;
            }
            let size = self.usual_length(&mut at)?;
            let end = at + size;
            if *self.bytes.get(end)? != 0 {
                return None;
            }
            for _ in 0..if deep { usize::from(first / 2) + 1 } else { 0 } {
                see(self.usual_bytes(&mut at)?, self.usual_bytes(&mut at)?);
            }
            if deep && at != end {
                return None;
            }
            at = end + 1;
        }
        let map = at - start;
        let body = self.usual_bytes(&mut at)?;
        self.at = at;
        Some(EventRef {
            raw: &self.bytes[start..at],
            map,
            body,
        })
    }

    #[cold]
    fn any_event(&mut self, deep: bool) -> Result<EventRef<'a>, DecodeError> {
        let start = self.at;
        self.map(deep)?;
        let map_end = self.at;
        let body = self.bytes("a body")?;
        Ok(EventRef {
            raw: &self.bytes[start..self.at],
            map: map_end - start,
            body,
        })
    }
}

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

/// Encodes events one behind the other into a slab.
pub struct BatchBuilder {
    slab: Vec<u8>,
    count: u32,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty builder on a recycled slab.
    pub fn new() -> Self {
        BatchBuilder {
            slab: slab::take(),
            count: 0,
        }
    }

    /// An empty builder with room for `bytes`.
    pub fn with_room(bytes: usize) -> Self {
        let mut builder = Self::new();
        builder.slab.reserve(bytes);
        builder
    }

    /// Events so far.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// No event yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Encoded bytes so far.
    pub fn bytes(&self) -> usize {
        self.slab.len()
    }

    /// An event without headers.
    #[inline]
    pub fn push_body(&mut self, body: &[u8]) {
        self.slab.push(0);
        put_bytes(&mut self.slab, body);
        self.count += 1;
    }

    /// An event as it is encoded elsewhere.
    #[inline]
    pub fn push_encoded(&mut self, event: EventRef<'_>) {
        self.slab.extend_from_slice(event.encoded());
        self.count += 1;
    }

    /// An event that the caller has encoded.
    #[inline]
    pub fn push_prepared(&mut self, encoded: &[u8]) {
        self.slab.extend_from_slice(encoded);
        self.count += 1;
    }

    /// An event from headers and a body. The headers are walked twice.
    pub fn push<'h>(&mut self, headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone, body: &[u8]) {
        let (mut entries, mut size) = (0, 0);
        for (key, value) in headers.clone() {
            entries += 1;
            size += entry_size(key, value);
        }
        put_block(&mut self.slab, entries, size);
        for (key, value) in headers {
            put_bytes(&mut self.slab, key);
            put_bytes(&mut self.slab, value);
        }
        if entries > 0 {
            self.slab.push(0);
        }
        put_bytes(&mut self.slab, body);
        self.count += 1;
    }

    /// An event that stands by itself.
    pub fn push_event(&mut self, event: &Event) {
        let headers = event.headers.iter().map(|(k, v)| (k.as_slice(), v.as_slice()));
        self.push(headers, &event.body);
    }

    /// The event with some headers set: one that is there keeps its place and gets the new value, the
    /// others follow behind in the order given. The body is `body`, or stays. Names in `set` are distinct.
    pub fn push_with(&mut self, event: EventRef<'_>, set: &[(&[u8], &[u8])], body: Option<&[u8]>) {
        let body = body.unwrap_or(event.body);
        if !event
            .headers()
            .any(|(key, _)| set.iter().any(|(name, _)| *name == key))
        {
            return self.push_appended(event, set, body);
        }
        let value_of = |key: &[u8]| set.iter().find(|(name, _)| *name == key).map(|(_, v)| *v);
        let kept = event
            .headers()
            .map(|(key, value)| (key, value_of(key).unwrap_or(value)));
        let added = set.iter().copied();
        let added = added.filter(|(name, _)| event.header(name).is_none());
        let all: Vec<_> = kept.chain(added).collect();
        self.push(all.into_iter(), body);
    }

    /// The event with headers behind its own, none of which it has already; the body is `body`.
    pub fn push_appended(&mut self, event: EventRef<'_>, set: &[(&[u8], &[u8])], body: &[u8]) {
        if set.is_empty() {
            self.slab.extend_from_slice(&event.raw[..event.map]);
            put_bytes(&mut self.slab, body);
            self.count += 1;
            return;
        }
        let Some((entries, old)) = single_block(&event.raw[..event.map]) else {
            let all: Vec<_> = event.headers().chain(set.iter().copied()).collect();
            return self.push(all.into_iter(), body);
        };
        let added: usize = set.iter().map(|(key, value)| entry_size(key, value)).sum();
        put_block(&mut self.slab, entries + set.len(), old.len() + added);
        self.slab.extend_from_slice(old);
        for (key, value) in set {
            put_bytes(&mut self.slab, key);
            put_bytes(&mut self.slab, value);
        }
        self.slab.push(0);
        put_bytes(&mut self.slab, body);
        self.count += 1;
    }

    /// Events that are encoded elsewhere, one behind the other.
    pub(crate) fn push_run(&mut self, encoded: &[u8], count: u32) {
        self.slab.extend_from_slice(encoded);
        self.count += count;
    }

    /// The event with headers behind its own, none of which it has.
    #[inline(always)]
    pub(crate) fn push_entries(&mut self, event: EventRef<'_>, entries: &Entries) {
        if entries.is_empty() {
            return self.push_encoded(event);
        }
        let block = usual_block(&event.raw[..event.map]);
        let head = block.and_then(|(count, start)| {
            let old = event.map - 1 - start;
            usual_head(count + entries.count, old + entries.size).map(|head| (head, start, old))
        });
        let Some(((head, length), start, old)) = head else {
            let all: Vec<_> = event
                .headers()
                .chain(entries.headers().take(entries.count))
                .collect();
            return self.push(all.into_iter(), event.body);
        };
        put_front::<3>(&mut self.slab, &head, length);
        put_front::<FRONT>(&mut self.slab, &event.raw[start..], old);
        put_front::<FRONT>(&mut self.slab, &entries.encoded, entries.size + 1);
        self.slab.extend_from_slice(&event.raw[event.map..]);
        self.count += 1;
    }

    /// The event without the headers that `drop` names.
    pub fn push_without(&mut self, event: EventRef<'_>, mut drop: impl FnMut(&[u8]) -> bool) {
        if !event.headers().any(|(key, _)| drop(key)) {
            return self.push_encoded(event);
        }
        let kept: Vec<_> = event.headers().filter(|(key, _)| !drop(key)).collect();
        self.push(kept.into_iter(), event.body);
    }

    /// The batch; the builder is empty again and takes a new slab.
    pub fn finish(&mut self) -> Batch {
        let slab = std::mem::replace(&mut self.slab, slab::take());
        let count = std::mem::take(&mut self.count);
        Batch::from_encoded(slab::freeze(slab), count)
    }
}

impl Drop for BatchBuilder {
    fn drop(&mut self) {
        slab::give(std::mem::take(&mut self.slab));
    }
}

/// Headers as they stand in a map, to be set on events that have none of their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    /// The entries, and once closed the zero behind the last and more of them to copy it in one piece.
    encoded: Vec<u8>,
    /// Bytes of the entries.
    size: usize,
    count: usize,
}

impl Entries {
    /// One header.
    pub fn one(name: &[u8], value: &[u8]) -> Entries {
        let mut entries = Entries::default();
        entries.add(&Name::new(name), value, value.len());
        entries.close();
        entries
    }

    /// None any more.
    pub fn clear(&mut self) {
        self.encoded.clear();
        self.count = 0;
    }

    /// One more, whose value is the first bytes of `text`, so many of them.
    #[inline(always)]
    pub fn add(&mut self, name: &Name, text: &[u8], length: usize) {
        put_front::<16>(&mut self.encoded, &name.encoded, name.size);
        put_long(&mut self.encoded, length as i64);
        put_front::<32>(&mut self.encoded, text, length);
        self.count += 1;
    }

    /// That is all.
    #[inline(always)]
    pub fn close(&mut self) {
        self.size = self.encoded.len();
        self.encoded.extend_from_slice(&[0; FRONT]);
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that an event grows by at most, with what a longer head of its map takes.
    pub fn room(&self) -> usize {
        self.size + 8
    }

    fn headers(&self) -> Headers<'_> {
        Headers {
            cursor: Cursor {
                bytes: &self.encoded,
                at: 0,
            },
            left: self.count as u64,
        }
    }
}

/// The name of a header, encoded once.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    encoded: Vec<u8>,
    /// Bytes without the zeros behind, which are there to copy it in one piece.
    size: usize,
}

impl Name {
    pub fn new(name: &[u8]) -> Name {
        let mut encoded = Vec::new();
        put_bytes(&mut encoded, name);
        let size = encoded.len();
        encoded.resize(size.max(16), 0);
        Name { encoded, size }
    }
}

/// Entries of a map and where they begin, if it has none or is one block with its size in one or two bytes.
#[inline(always)]
fn usual_block(map: &[u8]) -> Option<(usize, usize)> {
    let &[count, low, ref more @ ..] = map else {
        return (map == [0]).then_some((0, 0));
    };
    if count & 1 == 0 || count >= 0x80 {
        return None;
    }
    let (twice, start) = match more.first() {
        _ if low < 0x80 => (usize::from(low), 2),
        Some(&high) if high < 0x80 => (usize::from(low & 0x7F) | usize::from(high) << 7, 3),
        _ => return None,
    };
    // Nothing but the closing zero behind it.
    (start + twice / 2 + 1 == map.len()).then_some((usize::from(count / 2) + 1, start))
}

/// Number of entries and their bytes, of a map that is none or one block with a size.
fn single_block(map: &[u8]) -> Option<(usize, &[u8])> {
    if map == [0] {
        return Some((0, &[]));
    }
    let mut cursor = Cursor { bytes: map, at: 0 };
    let (entries, end) = cursor.block().ok()?;
    let end = end.filter(|end| map.get(*end..) == Some(&[0]))?;
    Some((entries as usize, &map[cursor.at..end]))
}

/// Bytes that a number takes.
fn varint_size(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

fn entry_size(key: &[u8], value: &[u8]) -> usize {
    let sized = |bytes: &[u8]| varint_size(bytes.len() as i64) + bytes.len();
    sized(key) + sized(value)
}

/// A number as Avro writes it.
#[inline]
pub(crate) fn put_long(to: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        to.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    to.push(zigzag as u8);
}

/// Bytes with their length in front, as Avro writes them.
#[inline]
pub(crate) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_long(to, bytes.len() as i64);
    to.extend_from_slice(bytes);
}

/// The head of the one block of a map; nothing but the closing zero if it has no entries.
#[inline(always)]
fn put_block(to: &mut Vec<u8>, entries: usize, size: usize) {
    if let Some((head, length)) = usual_head(entries, size) {
        return put_front::<3>(to, &head, length);
    }
    put_long(to, -(entries as i64));
    put_long(to, size as i64);
}

/// Bytes of a few short headers.
const FRONT: usize = 64;

/// The first `length` bytes of `from`. Up to `SIZE` of them are copied as a piece of that size, which is cut
/// afterwards: a call for each would cost more than the bytes.
#[inline(always)]
fn put_front<const SIZE: usize>(to: &mut Vec<u8>, from: &[u8], length: usize) {
    match from.first_chunk::<SIZE>() {
        Some(piece) if length <= SIZE => {
            let end = to.len() + length;
            to.extend_from_slice(piece);
            to.truncate(end);
        }
        _ => to.extend_from_slice(&from[..length]),
    }
}

/// As almost all heads are: one byte, two or three of these.
#[inline(always)]
fn usual_head(entries: usize, size: usize) -> Option<([u8; 3], usize)> {
    if entries == 0 {
        return Some(([0; 3], 1));
    }
    if entries >= 0x40 || size >= 1 << 13 {
        return None;
    }
    let is_long = size >= 0x40;
    let low = (size << 1) as u8 & 0x7F | u8::from(is_long) << 7;
    let head = [2 * entries as u8 - 1, low, (size >> 6) as u8];
    Some((head, 2 + usize::from(is_long)))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(batch: &Batch) -> Vec<Event> {
        batch.events().map(|event| event.unwrap().to_event()).collect()
    }

    /// The same event in the form of other writers: unsized blocks of one entry each.
    fn foreign(event: &Event) -> Vec<u8> {
        in_blocks(event, false)
    }

    /// The same event with a block for each header, with or without its size.
    fn in_blocks(event: &Event, sized: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in event.headers() {
            match sized {
                true => put_block(&mut bytes, 1, entry_size(key, value)),
                false => put_long(&mut bytes, 1),
            }
            put_bytes(&mut bytes, key);
            put_bytes(&mut bytes, value);
        }
        bytes.push(0);
        put_bytes(&mut bytes, event.body());
        bytes
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let name = proptest::collection::vec(any::<u8>(), 0..9);
        let value = proptest::collection::vec(any::<u8>(), 0..80);
        let headers = proptest::collection::vec((name, value), 0..5);
        (headers, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(headers, body)| {
            headers.iter().fold(Event::new(body), |event, (key, value)| {
                event.with_header(key, value)
            })
        })
    }

    proptest! {
        #[test]
        fn short_way_sees_what_the_long_way_sees(
            given in any_event(),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            deep in any::<bool>(),
        ) {
            let mut bytes = Batch::single(&given).encoded().to_vec();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let (mut short, mut long) = (Cursor { bytes: &bytes, at: 0 }, Cursor { bytes: &bytes, at: 0 });
            let found = long.any_event(deep);
            match short.usual_event(deep, |_, _| {}) {
                None => prop_assert_eq!(short.at, 0),
                Some(event) => {
                    let found = found.unwrap();
                    prop_assert_eq!(short.at, long.at);
                    prop_assert_eq!((event.raw, event.map, event.body), (found.raw, found.map, found.body));
                }
            }
        }

        #[test]
        fn usual_events_are_read_the_short_way(given in any_event()) {
            let bytes = Batch::single(&given).encoded().to_vec();
            let mut cursor = Cursor { bytes: &bytes, at: 0 };
            let found = cursor.usual_event(true, |_, _| {});
            prop_assert_eq!(found.map(|event| event.to_event()), Some(given));
        }

        #[test]
        fn events_come_back_as_they_were_pushed(given in proptest::collection::vec(any_event(), 0..20)) {
            let mut builder = BatchBuilder::new();
            given.iter().for_each(|event| builder.push_event(event));
            let batch = builder.finish();
            prop_assert_eq!(batch.len() as usize, given.len());
            prop_assert_eq!(events(&batch), given);
        }

        #[test]
        fn both_forms_of_the_header_map_are_read(event in any_event()) {
            let batch = Batch::from_encoded(foreign(&event).into(), 1);
            prop_assert_eq!(events(&batch), vec![event]);
        }

        #[test]
        fn set_headers_are_what_a_map_would_hold(event in any_event(), value: Vec<u8>, unsized_blocks: bool) {
            let first = event.headers().next().map(|(key, _)| key.to_vec()).unwrap_or_default();
            let batch = match unsized_blocks {
                true => Batch::from_encoded(foreign(&event).into(), 1),
                false => Batch::single(&event),
            };
            for name in [&first[..], b"some other name"] {
                let mut builder = BatchBuilder::new();
                let source = batch.events().next().unwrap().unwrap();
                builder.push_with(source, &[(name, &value)], None);
                builder.push_without(source, |key| key == name);
                let mut without = event.clone();
                without.headers.retain(|(key, _)| key != name);
                let expected = vec![event.clone().with_header(name, &value), without];
                prop_assert_eq!(events(&builder.finish()), expected);
            }
        }

        #[test]
        fn entries_are_what_a_map_would_hold(
            event in any_event(),
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..70),
            more: u8,
            form in 0..3,
        ) {
            let name = |at: usize| format!("name {at} {}", "n".repeat(usize::from(more)));
            let mut entries = Entries::default();
            let mut expected = event.clone();
            for (at, value) in values.iter().enumerate() {
                let text = [&value[..], b"what follows in the text that the value is a part of"].concat();
                entries.add(&Name::new(name(at).as_bytes()), &text, value.len());
                expected.set_header(name(at), value);
            }
            entries.close();
            let batch = match form {
                0 => Batch::single(&event),
                form => Batch::from_encoded(in_blocks(&event, form == 1).into(), 1),
            };
            let mut builder = BatchBuilder::new();
            builder.push_entries(batch.events().next().unwrap().unwrap(), &entries);
            prop_assert!(builder.bytes() <= batch.bytes() + entries.room());
            builder.push_run(batch.encoded(), 1);
            let out = builder.finish();
            prop_assert_eq!(out.check(), Ok(()));
            prop_assert_eq!(events(&out), vec![expected, event]);
        }

        #[test]
        fn walk_that_looks_for_a_header_sees_what_events_see(
            given in proptest::collection::vec(any_event(), 1..4),
            name in proptest::collection::vec(any::<u8>(), 0..2),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            said in 0u32..5,
        ) {
            let mut builder = BatchBuilder::new();
            given.iter().for_each(|event| builder.push_event(event));
            let mut bytes = builder.finish().encoded().to_vec();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let batch = Batch::from_encoded(bytes.into(), said);
            let mut looking = batch.events();
            for event in batch.events() {
                let found = looking.usual_finding(&name).map(Ok);
                let found = found.or_else(|| looking.rare_finding(&name));
                let plain = |event: EventRef<'_>| (event.encoded().to_vec(), event.header(&name).map(<[u8]>::to_vec));
                let expected = event.map(plain);
                let found = found.unwrap().map(|(event, value)| (event.encoded().to_vec(), value.map(<[u8]>::to_vec)));
                prop_assert_eq!(found, expected);
            }
            prop_assert!(looking.usual_finding(&name).is_none() && looking.rare_finding(&name).is_none());
        }

        #[test]
        fn no_bytes_panic_or_read_past_their_end(bytes: Vec<u8>, count in 0u32..4) {
            let batch = Batch::from_encoded(bytes.into(), count);
            let _ = batch.check();
            batch.bodies().for_each(|event| { let _ = event.map(|e| e.headers().count()); });
        }

        #[test]
        fn a_cut_event_is_an_error(event in any_event()) {
            let whole = Batch::single(&event).encoded().clone();
            for end in 1..whole.len() {
                prop_assert!(Batch::from_encoded(whole.slice(..end), 1).check().is_err());
            }
        }
    }

    #[test]
    fn count_that_differs_from_the_events_is_an_error() {
        let slab = Batch::single(&Event::new("a")).encoded().clone();
        let said = |count| Batch::from_encoded(slab.clone(), count).check();
        assert!(said(1).is_ok());
        assert_eq!(said(0), Err(DecodeError::Count { said: 0, found: 1 }));
        assert_eq!(said(2), Err(DecodeError::Count { said: 2, found: 1 }));
    }

    #[test]
    fn block_size_that_lies_is_found_by_who_looks_at_headers() {
        let mut lying = Batch::single(&Event::new("x").with_header("k", "v"))
            .encoded()
            .to_vec();
        lying[2] = 6; // the name of the header now seems to be three bytes long
        let batch = Batch::from_encoded(lying.into(), 1);
        assert!(batch.check().is_err());
    }

    #[test]
    fn varint_sizes_agree_with_what_is_written() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_long(&mut bytes, value);
            assert_eq!(bytes.len(), varint_size(value), "{value}");
            assert_eq!(Cursor { bytes: &bytes, at: 0 }.long("it"), Ok(value));
        }
    }

    #[test]
    fn head_of_a_block_is_its_two_numbers() {
        for entries in [1, 2, 0x3F, 0x40, 0x41, 9000] {
            for size in [0, 1, 0x3F, 0x40, 0x41, 0x7F, 0x80, 0x1FFF, 0x2000, 1 << 20] {
                let (mut bytes, mut expected) = (Vec::new(), Vec::new());
                put_block(&mut bytes, entries, size);
                put_long(&mut expected, -(entries as i64));
                put_long(&mut expected, size as i64);
                assert_eq!(bytes, expected, "{entries} {size}");
            }
        }
    }

    #[test]
    fn shown_escapes_what_is_not_text() {
        assert_eq!(shown("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
        assert_eq!(shown(b"a\xffb\n"), "a\\xffb\\n");
    }
}
