//! Reading the encoding: each length is checked against what remains before it is used.

use super::{EventRef, MAX_HEADERS};

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
    pub(super) fn long_slow(&mut self, what: &'static str) -> Result<i64, DecodeError> {
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
    pub(super) fn block(&mut self) -> Result<(u64, Option<usize>), DecodeError> {
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
    pub(super) fn map(&mut self, deep: bool) -> Result<(), DecodeError> {
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
    pub(super) fn usual_length(&self, at: &mut usize) -> Option<usize> {
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
    pub(super) fn usual_bytes(&self, at: &mut usize) -> Option<&'a [u8]> {
        let length = self.usual_length(at)?;
        let found = self.bytes.get(*at..*at + length)?;
        *at += length;
        Some(found)
    }

    /// Bytes with their length in front, in what was checked before.
    #[inline(always)]
    pub(super) fn part(&mut self) -> Option<&'a [u8]> {
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
    pub(super) fn usual_event(
        &mut self,
        deep: bool,
        mut see: impl FnMut(&'a [u8], &'a [u8]),
    ) -> Option<EventRef<'a>> {
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

    /// Step over an event as Java writes almost all: short lengths, and no headers or one block of them without its
    /// size. False for any other, good or bad, and then nothing has moved.
    // Apart from `usual_event`, which is inlined into many loops that meet no such event.
    #[inline(always)]
    pub(crate) fn step_over_unsized(&mut self) -> bool {
        let mut at = self.at;
        let stepped = (|| {
            let entries = usize::from(*self.bytes.get(at)?);
            at += 1;
            if entries != 0 {
                if entries & 1 != 0 || entries >= 0x80 {
                    return None;
                }
                for _ in 0..entries {
                    // Twice the number of entries: a name, a value.
                    self.usual_bytes(&mut at)?;
                }
                if *self.bytes.get(at)? != 0 {
                    return None;
                }
                at += 1;
            }
            self.usual_bytes(&mut at).map(drop)
        })();
        if stepped.is_some() {
            self.at = at;
        }
        stepped.is_some()
    }

    #[cold]
    pub(super) fn any_event(&mut self, deep: bool) -> Result<EventRef<'a>, DecodeError> {
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
