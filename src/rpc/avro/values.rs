//! The values of Avro binary that the protocol is made of, beside those that an event has.

use super::CallError;
use crate::event::{Cursor, DecodeError, put_bytes, put_long};

/// Entries that a map of meta data may have at most.
const MAX_META: u64 = 1024;

impl<'a> Cursor<'a> {
    /// At the start of these bytes.
    pub(super) fn start(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// A hash.
    pub(super) fn hash(&mut self, what: &'static str) -> Result<[u8; 16], CallError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.first_chunk::<16>();
        let found = found.ok_or(DecodeError::Short { what, at: self.at })?;
        self.at += 16;
        Ok(*found)
    }

    /// A string.
    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a str, CallError> {
        std::str::from_utf8(self.bytes(what)?).map_err(|_| CallError::Text(what))
    }

    /// A boolean.
    pub(super) fn boolean(&mut self, what: &'static str) -> Result<bool, CallError> {
        match self.bytes.get(self.at) {
            None => Err(DecodeError::Short { what, at: self.at }.into()),
            Some(0) => {
                self.at += 1;
                Ok(false)
            }
            Some(1) => {
                self.at += 1;
                Ok(true)
            }
            Some(&found) => Err(CallError::Branch {
                what,
                found: found.into(),
            }),
        }
    }

    /// The branch of a union with `null` and one other type: is it the other?
    pub(super) fn is_some(&mut self, what: &'static str) -> Result<bool, CallError> {
        match self.long(what)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(CallError::Branch { what, found }),
        }
    }

    /// Step over a map of bytes.
    pub(super) fn skip_meta(&mut self) -> Result<(), CallError> {
        self.find_meta(b"").map(drop)
    }

    /// Step over a map of bytes: does it have this entry?
    pub(super) fn find_meta(&mut self, name: &[u8]) -> Result<bool, CallError> {
        let what = "a map of meta data";
        let (mut total, mut found_it) = (0, false);
        loop {
            let at = self.at;
            let count = self.long(what)?;
            if count == 0 {
                return Ok(found_it);
            }
            if count < 0 {
                self.long("the size of a block of meta data")?;
            }
            total += count.unsigned_abs();
            if count.unsigned_abs() > MAX_META || total > MAX_META {
                let found = count;
                return Err(DecodeError::Length { what, found, at }.into());
            }
            for _ in 0..count.unsigned_abs() {
                found_it |= self.bytes("the name of meta data")? == name;
                self.bytes("the value of meta data")?;
            }
        }
    }
}

/// A union with `null`.
pub(super) fn put_option(to: &mut Vec<u8>, text: Option<&str>) {
    put_long(to, i64::from(text.is_some()));
    if let Some(text) = text {
        put_bytes(to, text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_data_is_stepped_over_in_both_forms_and_within_its_bound() {
        let skipped = |bytes: &[u8]| {
            let mut cursor = Cursor::start(bytes);
            cursor.skip_meta().map(|()| cursor.at)
        };
        assert_eq!(skipped(&[0, 9]), Ok(1));
        assert_eq!(skipped(b"\x02\x02k\x02v\x00"), Ok(6));
        assert_eq!(skipped(b"\x01\x08\x02k\x02v\x00"), Ok(7));
        assert!(skipped(b"\x02\x02k").is_err());
        let mut many = Vec::new();
        put_long(&mut many, i64::MIN);
        assert!(skipped(&many).is_err());
        let block = [&b"\x02"[..], b"\x00\x00"].concat();
        assert!(skipped(&block.repeat(MAX_META as usize + 1)).is_err());
    }

    #[test]
    fn branch_that_is_not_there_is_named() {
        let error = Cursor::start(&[4]).is_some("the thing").unwrap_err();
        assert_eq!(error.to_string(), "the thing has no branch 2");
        assert!(Cursor::start(&[2]).boolean("it").is_err());
        assert!(Cursor::start(&[2, 0xFF]).text("it").is_err());
        assert!(Cursor::start(&[0; 15]).hash("it").is_err());
    }
}
