//! `uuid`: a random identity for each event (Flume's UUIDInterceptor).

use super::push_header;
use crate::event::{BatchBuilder, EventRef};
use crate::exit::{StageError, StageResult};
use crate::stage::Interceptor;
use rustix::rand::{GetRandomFlags, getrandom};

/// Random bytes of so many events are asked of the kernel at once; up to 256 bytes it gives all or none.
const AT_ONCE: usize = 16;

/// Set a header to a random UUID (version 4).
#[derive(clap::Args)]
pub struct Uuid {
    /// Name of the header.
    #[arg(long, id = "headerName", default_value = "id", value_name = "NAME")]
    header_name: String,
    /// Keep the value of an event that has the header already.
    #[arg(long, id = "preserveExisting", default_value = "true")]
    preserve_existing: bool,
    /// Text in front of the UUID.
    #[arg(
        long,
        id = "prefix",
        default_value = "",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    prefix: String,
    #[arg(skip)]
    value: Vec<u8>,
    #[arg(skip)]
    random: Random,
}

#[derive(Default)]
struct Random {
    bytes: [[u8; 16]; AT_ONCE],
    left: usize,
}

impl Random {
    fn next(&mut self) -> Result<[u8; 16], StageError> {
        if self.left == 0 {
            let filled = getrandom(self.bytes.as_flattened_mut(), GetRandomFlags::empty());
            let filled = filled.map_err(|error| StageError::Failed(format!("no random numbers: {error}")))?;
            self.left = filled / 16;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(self.bytes[left])
            }
            None => Err(StageError::Failed("no random numbers from the system".into())),
        }
    }
}

/// The text of a version 4 UUID (RFC 9562, sections 4 and 5.4).
fn put_uuid(mut bytes: [u8; 16], to: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            to.push(b'-');
        }
        to.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

impl Interceptor for Uuid {
    fn start(&mut self) -> StageResult {
        self.value = self.prefix.clone().into_bytes();
        Ok(())
    }

    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        let random = self.random.next()?;
        self.value.truncate(self.prefix.len());
        put_uuid(random, &mut self.value);
        push_header(event, &self.header_name, &self.value, self.preserve_existing, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::intercept::tests::intercepted;
    use std::collections::HashSet;

    #[test]
    fn every_event_gets_an_identity_of_its_own() {
        let input = vec![Event::new("a"); 40];
        let shape: crate::pattern::Pattern =
            "^p-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
                .parse()
                .unwrap();
        let events = intercepted(&["uuid", "--prefix", "p-"], &input);
        let ids: HashSet<_> = events
            .iter()
            .map(|event| event.header("id").unwrap().to_vec())
            .collect();
        assert_eq!(ids.len(), 40);
        assert!(ids.iter().all(|id| shape.clone().is_match(id)));
    }

    #[test]
    fn an_existing_identity_stays_unless_told() {
        let input = [Event::new("a").with_header("id", "7")];
        assert_eq!(intercepted(&["uuid"], &input), input);
        assert_ne!(intercepted(&["uuid", "--preserve-existing=false"], &input), input);
    }
}
