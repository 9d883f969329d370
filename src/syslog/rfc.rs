//! Our own parser: RFC 5424, RFC 3164, and what senders make of them.
//!
//! A message is only invalid where its priority cannot be read, or where it says that it is of RFC 5424 and is not.
//! Everything else has a priority and a text at the least: RFC 3164 describes what was seen, and not what must be.

use super::time::Clock;
use super::{Message, Status, priority, structured};
use memchr::memchr;

/// The largest priority: facility 23, severity 7.
const MOST: i32 = 191;
/// What Windows and some libraries put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Read a message. Line ends and a zero behind it belong to the way that it came by.
pub fn parse<'m>(text: &'m [u8], clock: &mut Clock) -> Message<'m> {
    let text = trimmed(text);
    let Some((number, priority_text, at)) = priority(text).filter(|(number, ..)| *number <= MOST) else {
        return Message::invalid(text);
    };
    let mut message = Message {
        priority: Some(number),
        priority_text,
        has_head: true,
        body: &text[at..],
        ..Message::default()
    };
    let rest = &text[at..];
    if let Some((version, rest)) = version(rest) {
        return match new_style(message, version, rest, clock) {
            Some(message) => message,
            None => Message {
                status: Some(Status::Invalid),
                has_head: false,
                body: text,
                ..message
            },
        };
    }
    if let Some((behind, stamp, time)) = stamped(rest, clock) {
        message.timestamp_ms = time;
        message.stamp = Some(stamp);
        old_style(&mut message, behind);
    } else {
        tagged(&mut message, rest);
    }
    message
}

/// Without the line end or zero behind it.
pub fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r' | 0] = text {
        text = rest;
    }
    text
}

/// One or two digits that are no year, and what is behind the blank behind them: only RFC 5424 has that.
#[inline]
fn version(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match text {
        [b'1'..=b'9', b' ', ..] => 1,
        [b'1'..=b'9', b'0'..=b'9', b' ', ..] => 2,
        _ => return None,
    };
    // A text may begin with a number, too; a stamp or a dash follows a version.
    let rest = &text[length + 1..];
    let is_followed = rest.starts_with(b"- ") || rest.get(4) == Some(&b'-') && rest[0].is_ascii_digit();
    is_followed.then_some((&text[..length], rest))
}

/// A field up to the next blank, `-` for none, and what is behind.
#[inline]
fn field(text: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let end = memchr(b' ', text)?;
    let found = &text[..end];
    let given = (found != b"-").then_some(found);
    (end > 0).then_some((given, &text[end + 1..]))
}

fn new_style<'m>(
    message: Message<'m>,
    version: &'m [u8],
    rest: &'m [u8],
    clock: &mut Clock,
) -> Option<Message<'m>> {
    let (stamp, rest) = field(rest)?;
    let timestamp_ms = match stamp {
        None => None,
        Some(stamp) => Some(clock.long(stamp, false)?),
    };
    let (host, rest) = field(rest)?;
    let (app_name, rest) = field(rest)?;
    let (proc_id, rest) = field(rest)?;
    let (msg_id, rest) = field(rest)?;
    let end = structured::end(rest)?;
    let (data, body) = rest.split_at(end);
    let body = match body.split_first() {
        None => body,
        Some((b' ', body)) => body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body),
        Some(_) => return None,
    };
    Some(Message {
        version: Some(version),
        timestamp_ms,
        stamp,
        host,
        app_name,
        proc_id,
        msg_id,
        structured: (data != b"-").then_some(data),
        body,
        ..message
    })
}

/// What is behind a stamp of either form and its blank, the stamp, and when that was.
#[inline]
fn stamped<'m>(text: &'m [u8], clock: &mut Clock) -> Option<(&'m [u8], &'m [u8], Option<i64>)> {
    if text.first()?.is_ascii_digit() {
        let end = memchr(b' ', text).unwrap_or(text.len());
        let time = clock.long(&text[..end], false)?;
        return Some((text.get(end + 1..).unwrap_or(b""), &text[..end], Some(time)));
    }
    let (length, time) = clock.short(text, false)?;
    let behind = &text[length..];
    // Some devices end the stamp with a colon.
    let behind = behind.strip_prefix(b":").unwrap_or(behind);
    let behind = match behind.split_first() {
        None => behind,
        Some((b' ', behind)) => behind,
        Some(_) => return None,
    };
    Some((behind, &text[..length], time))
}

/// Host and text. What is sent to a socket of this host has no host, but a tag.
#[inline]
fn old_style<'m>(message: &mut Message<'m>, text: &'m [u8]) {
    let end = memchr(b' ', text).unwrap_or(text.len());
    let first = &text[..end];
    let is_tag = first.last() == Some(&b':') || memchr(b'[', first).is_some() || first.is_empty();
    if is_tag || end == text.len() {
        return tagged(message, text);
    }
    message.host = (first != b"-").then_some(first);
    tagged(message, &text[end + 1..]);
}

/// A text, which may begin with the name of a program and its process: `name[42]: text`.
#[inline]
fn tagged<'m>(message: &mut Message<'m>, text: &'m [u8]) {
    message.body = text;
    let end = memchr(b' ', text).unwrap_or(text.len());
    let Some((b':', tag)) = text[..end].split_last() else {
        return;
    };
    let (name, process) = match (memchr(b'[', tag), tag.split_last()) {
        (Some(open), Some((b']', inside))) => (&tag[..open], Some(&inside[open + 1..])),
        _ => (tag, None),
    };
    if !name.is_empty() {
        message.app_name = Some(name);
        message.proc_id = process.filter(|process| !process.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::Zone;
    use crate::syslog::tests::{shown, told};

    fn read(text: &str) -> String {
        let mut clock = Clock::new(Zone::utc());
        clock.set(told("2026-11-28T22:00:00Z"));
        shown(&parse(text.as_bytes(), &mut clock))
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(read(text), expected, "{text}");
        for end in ["\n", "\r\n", "\0", "\0\n"] {
            assert_eq!(read(&format!("{text}{end}")), expected, "{text}{end:?}");
        }
    }

    #[test]
    fn messages_of_rfc_5424() {
        check(
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
            "34 v1 at 2003-10-11T22:14:15.003Z host mymachine.example.com app su msg ID47: 'su root' failed",
        );
        check(
            "<165>1 2003-10-11T22:14:15.003Z - evntslog 8710 ID47 [a@1 b=\"c\\]\"][d] text",
            "165 v1 at 2003-10-11T22:14:15.003Z app evntslog proc 8710 msg ID47 data [a@1 b=\"c\\]\"][d]: text",
        );
        check("<13>1 - - - - - -", "13 v1: ");
        check("<13>1 - h - - - - ", "13 v1 host h: ");
        check("<13>12 - h - - - - x", "13 v12 host h: x");
        check("<13>1 - h a - - [x]", "13 v1 host h app a data [x]: ");
    }

    #[test]
    fn messages_of_rfc_3164() {
        check(
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
            "34 at 2026-10-11T22:14:15Z host mymachine app su: su: 'su root' failed",
        );
        check(
            "<13>Feb  5 17:32:18 10.0.0.99 app[42]: text",
            "13 at 2026-02-05T17:32:18Z host 10.0.0.99 app app proc 42: app[42]: text",
        );
        check(
            "<13>Feb  5 17:32:18 fe80::1 just a text",
            "13 at 2026-02-05T17:32:18Z host fe80::1: just a text",
        );
        // As programs send it to the socket of their host.
        check(
            "<13>Feb  5 17:32:18 postfix/smtpd[7]: text",
            "13 at 2026-02-05T17:32:18Z app postfix/smtpd proc 7: postfix/smtpd[7]: text",
        );
        check(
            "<13>2003-10-11T22:14:15.003+02:00 host app: text",
            "13 at 2003-10-11T20:14:15.003Z host host app app: app: text",
        );
        check("<13>Feb 30 17:32:18 h x", "13 host h: x");
        check("<13>Feb  5 17:32:18", "13 at 2026-02-05T17:32:18Z: ");
    }

    #[test]
    fn what_has_only_a_priority_is_a_text() {
        check("<13>text", "13: text");
        check("<13>app: text", "13 app app: app: text");
        check("<13>", "13: ");
        check(
            "<189>29: *Mar 1 18:46:11: %SYS-5",
            "189 app 29: 29: *Mar 1 18:46:11: %SYS-5",
        );
        check("<13>1 text", "13: 1 text");
        check("<13>[x]: text", "13: [x]: text");
        check("<13>2003 text", "13: 2003 text");
    }

    #[test]
    fn what_is_none_is_kept_whole_and_marked() {
        for bad in [
            "", "text", "<>x", "<a>x", "<1234>x", "<192>x", "<13", "<", "<-1>x", " <13>x",
        ] {
            check(bad, &format!("Invalid: {bad}"));
        }
        for bad in [
            "<34>1 2003-10-11T22:14:15.003Z host app",
            "<34>1 2003-13-11T22:14:15.003Z host app - - - x",
            "<34>1 - host app - - x",
            "<34>1 - host app - - [x y] x",
            "<34>1 - host app - - -x",
            "<34>1 - host  - - - x",
        ] {
            check(bad, &format!("34 Invalid: {bad}"));
        }
    }
}
