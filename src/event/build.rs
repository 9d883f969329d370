//! Writing the encoding: events and parts of them, one behind the other, into a slab.

use super::decode::Cursor;
use super::{Batch, Event, EventRef, Headers};
use crate::slab;

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

    /// An empty builder that holds no slab, for who may not need one for long.
    pub(crate) fn resting() -> Self {
        BatchBuilder {
            slab: Vec::new(),
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

    /// An event from a header map that the caller has encoded, and a body.
    #[inline]
    pub(crate) fn push_headed(&mut self, map: &[u8], body: &[u8]) {
        self.slab.extend_from_slice(map);
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

    /// The events of another builder, which is empty then.
    pub(crate) fn append(&mut self, other: &mut BatchBuilder) {
        self.slab.extend_from_slice(&other.slab);
        self.count += other.count;
        other.slab.clear();
        other.count = 0;
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

    /// An event with these headers, which are closed.
    #[inline(always)]
    pub(crate) fn push_made(&mut self, entries: &Entries, body: &[u8]) {
        put_block(&mut self.slab, entries.count, entries.size);
        if !entries.is_empty() {
            // With the zero behind the last.
            put_front::<FRONT>(&mut self.slab, &entries.encoded, entries.size + 1);
        }
        put_bytes(&mut self.slab, body);
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

    /// One more.
    pub fn put(&mut self, name: &[u8], value: &[u8]) {
        put_bytes(&mut self.encoded, name);
        put_bytes(&mut self.encoded, value);
        self.count += 1;
    }

    /// Those of `other`, which are closed, behind the ones that are there.
    #[inline(always)]
    pub fn add_all(&mut self, other: &Entries) {
        put_front::<FRONT>(&mut self.encoded, &other.encoded, other.size);
        self.count += other.count;
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
pub(super) fn varint_size(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

pub(super) fn entry_size(key: &[u8], value: &[u8]) -> usize {
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
pub(super) fn put_block(to: &mut Vec<u8>, entries: usize, size: usize) {
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
pub(super) fn usual_head(entries: usize, size: usize) -> Option<([u8; 3], usize)> {
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
