//! As Flume's multiport_syslogtcp reads a message.
//!
//! Fields end at the next blank, whatever is in them; a stamp without a zone is UTC, and where a message says that it
//! has none it is of now. What cannot be read is invalid, with no priority either, and kept whole. So is what is no text
//! in the character set of its port.

use super::Message;
use super::time::{Clock, is_blank};
use memchr::memchr;

/// Bytes up to the closing bracket at most.
const PRIORITY_END: usize = 6;
/// `Mmm dd hh:mm:ss`
const SHORT: usize = 15;
/// `YYYY-MM-DDThh:mm:ss`
const SECONDS: usize = 19;

/// Read a message without its line end. The clock is of UTC.
#[inline]
pub fn parse<'m>(text: &'m [u8], clock: &mut Clock) -> Message<'m> {
    read(text, clock).unwrap_or(Message::invalid(text))
}

#[inline]
fn read<'m>(text: &'m [u8], clock: &mut Clock) -> Option<Message<'m>> {
    if text.first() != Some(&b'<') {
        return None;
    }
    let end = memchr(b'>', &text[..text.len().min(PRIORITY_END + 1)])?;
    let priority_text = &text[1..end];
    let number: i32 = std::str::from_utf8(priority_text).ok()?.parse().ok()?;
    let rest = &text[end + 1..];
    let (version, rest) = match rest.strip_prefix(b"1 ") {
        Some(behind) if !behind.is_empty() => (Some(&rest[..1]), behind),
        _ => (None, rest),
    };
    let (stamp, time, rest) = match rest.first()? {
        b'-' => (
            &rest[..1],
            clock.now_ms(),
            rest.get(2..).filter(|rest| !rest.is_empty())?,
        ),
        byte if byte.is_ascii_uppercase() => {
            let behind = rest.get(SHORT..).filter(|behind| !behind.is_empty())?;
            let stamp = &rest[..SHORT];
            (stamp, short(stamp, clock), &behind[1..])
        }
        _ => {
            let end = memchr(b' ', rest)?;
            (&rest[..end], long(&rest[..end], clock)?, &rest[end + 1..])
        }
    };
    let end = memchr(b' ', rest)?;
    let body = &rest[end + 1..];
    Some(Message {
        priority: Some(number),
        priority_text,
        version,
        timestamp_ms: Some(time),
        stamp: Some(stamp),
        host: Some(&rest[..end]),
        has_head: true,
        body,
        ..Message::default()
    })
}

/// 0 where it is no time.
#[inline]
fn short(stamp: &[u8], clock: &mut Clock) -> i64 {
    let read = clock.short(stamp, false);
    let is_whole =
        |length: usize| length == stamp.len() || stamp[length..].iter().all(|byte| is_blank(*byte));
    match read {
        Some((length, Some(time))) if is_whole(length) => time,
        _ => 0,
    }
}

/// Any word behind the seconds that is no offset means nothing, but there has to be one.
#[inline]
fn long(stamp: &[u8], clock: &mut Clock) -> Option<i64> {
    if stamp.len() <= SECONDS {
        return None;
    }
    clock.long(stamp, false).or_else(|| {
        let digits = stamp
            .iter()
            .position(|byte| !byte.is_ascii_digit() && !b"-T:.".contains(byte))?;
        let is_offset = matches!(
            stamp
                .get(SECONDS..)?
                .iter()
                .find(|byte| !byte.is_ascii_digit() && **byte != b'.'),
            Some(b'+' | b'-')
        );
        (digits >= SECONDS && !is_offset)
            .then(|| clock.long(&stamp[..digits], false))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::Zone;
    use crate::syslog::tests::{shown, told};

    fn check(text: &str, expected: &str) {
        let mut clock = Clock::new(Zone::utc());
        clock.set(told("2026-11-28T22:00:00Z"));
        assert_eq!(shown(&parse(text.as_bytes(), &mut clock)), expected, "{text}");
    }

    #[test]
    fn fields_end_at_the_next_blank() {
        check(
            "<34>1 2003-10-11T22:14:15.0031234567+02:00 my:machine su - ID47 - x",
            "34 v1 at 2003-10-11T20:14:15.003Z host my:machine: su - ID47 - x",
        );
        check(
            "<13>Oct 11 22:14:15 h text",
            "13 at 2026-10-11T22:14:15Z host h: text",
        );
        check(
            "<13>Feb  3 22:14:15 h a  b",
            "13 at 2026-02-03T22:14:15Z host h: a  b",
        );
        check("<13>1 - h text", "13 v1 at 2026-11-28T22:00:00Z host h: text");
        check(
            "<13>2003-10-11T22:14:15.5 h text",
            "13 at 2003-10-11T22:14:15.5Z host h: text",
        );
        check(
            "<13>2003-10-11T22:14:15.5X h text",
            "13 at 2003-10-11T22:14:15.5Z host h: text",
        );
        check("<13456>- h text", "13456 at 2026-11-28T22:00:00Z host h: text");
        check("<-13>- h text", "-13 at 2026-11-28T22:00:00Z host h: text");
        check("<13>Foo 11 22:14:15 h x", "13 at 1970-01-01T00:00:00Z host h: x");
        check("<13>- h ", "13 at 2026-11-28T22:00:00Z host h: ");
    }

    #[test]
    fn what_cannot_be_read_is_invalid_and_whole() {
        for bad in [
            "",
            "text",
            "<",
            "<>x",
            "<x>- h text",
            "<134567>- h text",
            "<13>",
            "<13>- ",
            "<13>- host",
            "<13>Oct 11 22:14:15",
            "<13>Oct 11 22:14:15 host",
            "<13>2003-10-11T22:14:15Z",
            "<13>2003-13-11T22:14:15Z h text",
            "<13>2003-10-11T22:14:15 h text",
            "<13>2003-10-11T22:14:15+2 h text",
            "<13>2003-10-11T22:14:15. h text",
            "<13>text",
        ] {
            check(bad, &format!("Invalid: {bad}"));
        }
    }
}
