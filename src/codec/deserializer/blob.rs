//! `BLOB`: an event for the whole file, or several if it is longer than `maxBlobLength`.

use super::{DeserializeError, EventDeserializer, Events, Text};
use crate::codec::Options;

/// Bytes of an event at most: with its headers it must go into a frame.
const LONGEST: u64 = 60 << 20;

struct Blob {
    most: usize,
}

pub(super) fn make(options: &mut Options, _text: Text) -> Result<Box<dyn EventDeserializer>, String> {
    let most = options.number("maxBlobLength", 100_000_000)?;
    if most == 0 {
        return Err("maxBlobLength: an event has at least 1 byte".into());
    }
    Ok(Box::new(Blob {
        most: most.min(LONGEST) as usize,
    }))
}

impl EventDeserializer for Blob {
    fn take(&mut self, input: &[u8], is_all: bool, out: &mut Events<'_>) -> Result<usize, DeserializeError> {
        let mut used = 0;
        while !out.is_full() && used < input.len() {
            let rest = &input[used..];
            if rest.len() < self.most && !is_all {
                break;
            }
            let piece = &rest[..rest.len().min(self.most)];
            out.push(piece);
            used += piece.len();
        }
        Ok(used)
    }
}
