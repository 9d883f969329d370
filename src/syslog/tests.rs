//! What the parsers' tests share, and the messages that all of them read.

use super::classic::Classic;
use super::{Clock, Message, multiport, rfc};
use crate::date::Zone;
use crate::event::shown as escaped;
use jiff::Timestamp;
use proptest::prelude::*;

/// A time in milliseconds.
pub(super) fn told(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

/// A message in one line: what is there, a colon, the text.
pub(super) fn shown(message: &Message<'_>) -> String {
    let mut out = String::new();
    if let Some(number) = message.priority {
        out.push_str(&number.to_string());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            out.push_str(&format!(" {name}{value}"));
        }
    };
    field("v", message.version.map(text));
    let time = message
        .timestamp_ms
        .map(|ms| Timestamp::from_millisecond(ms).unwrap());
    field("at ", time.map(|time| time.to_string()));
    field("host ", message.host.map(text));
    field("app ", message.app_name.map(text));
    field("proc ", message.proc_id.map(text));
    field("msg ", message.msg_id.map(text));
    field("data ", message.structured.map(text));
    field("", message.status.map(|status| status.word().to_string()));
    format!("{}: {}", out.trim_start(), text(message.body))
}

fn classic(in_datagrams: bool) -> Classic {
    Classic {
        in_datagrams,
        custom: None,
    }
}

fn check_classic(text: &str, expected: &str) {
    let mut clock = Clock::new("Europe/Berlin".parse::<Zone>().unwrap());
    clock.set(told("2026-11-28T22:00:00Z"));
    let found = shown(&classic(false).parse(text.as_bytes(), &mut clock));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn classic_reads_heads_of_both_forms() {
    check_classic(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - text",
        "34 v1 at 2003-10-11T22:14:15.003Z host mymachine.example.com: su - ID47 - text",
    );
    check_classic(
        "<34>2003-10-11T22:14:15.003456+02:00 - text",
        "34 at 2003-10-11T20:14:15.003Z: text",
    );
    check_classic(
        "<34>2003-10-11T22:14:15 h text",
        "34 at 2003-10-11T20:14:15Z host h: text",
    );
    check_classic("<34>1- - text", "34 v1: text");
    check_classic(
        "<34>Oct 11 22:14:15 h su: text",
        "34 at 2026-10-11T20:14:15Z host h: su: text",
    );
    check_classic(
        "<34>1 Oct  1 22:14:15 a@b_c-d.e text",
        "34 v1 at 2026-10-01T20:14:15Z host a@b_c-d.e: text",
    );
    check_classic("<34>Foo 11 22:14:15 h text", "34 host h: text");
    check_classic(
        "<34>Oct 32 22:14:15 h text",
        "34 at 2026-11-01T21:14:15Z host h: text",
    );
    check_classic("<34>Oct 11 22:14:15 h ", "34 at 2026-10-11T20:14:15Z host h: ");
    check_classic("<999>- h text", "999 host h: text");
}

#[test]
fn classic_keeps_what_has_another_head_whole() {
    for text in [
        "<34>text",
        "<34>Oct 11 22:14:15 h text\r",
        "<34>Oct 11 22:14:15 fe80::1 text",
        "<34>Oct 11 22:14:15 - text",
        "<34>Oct 11 22:14:15 h",
        "<34>12 2003-10-11T22:14:15Z h text",
        "<34>1  - h text",
        "<34>2003-10-11T22:14:15.1234567Z h text",
        "<34>2003-10-11T22:14:15.Z h text",
        "<34>- -h text",
        "<34>",
    ] {
        check_classic(text, &format!("34: {text}"));
    }
    for bad in ["", "text", "<>text", "<1x>text", "<1234>text", "<12"] {
        check_classic(bad, &format!("Invalid: {bad}"));
    }
}

#[test]
fn datagram_may_end_in_its_priority() {
    let mut clock = Clock::new(Zone::utc());
    let mut read = |text: &str| shown(&classic(true).parse(text.as_bytes(), &mut clock));
    assert_eq!(read("<12"), "12: <12");
    assert_eq!(read("<"), "Invalid: <");
    assert_eq!(read("<1234"), "Invalid: <1234");
}

fn check_all(text: &[u8]) {
    let is_of = |part: &[u8]| part.is_empty() || text.as_ptr_range().contains(&part.as_ptr());
    let mut clock = Clock::new(Zone::utc());
    let all = [
        rfc::parse(text, &mut clock),
        multiport::parse(text, &mut clock),
        classic(true).parse(text, &mut clock),
        classic(false).parse(text, &mut clock),
    ];
    for message in all {
        assert!(is_of(message.body), "{}", escaped(text));
        assert!(message.status.is_none() || message.body.len() <= text.len());
        assert_eq!(
            message.priority.is_none(),
            message.status.is_some() && message.priority_text.is_empty()
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_kept(text: Vec<u8>) {
        check_all(&text);
    }

    #[test]
    fn what_looks_like_a_message_is_read_and_kept(
        text in "<[0-9]{0,4}>?(1 )?(-|[A-Z][a-z]{2} {1,2}[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}|2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,8})?(Z|[+-][0-9]{2}:[0-9]{2})?)? ?[a-z:\\[\\] -]{0,12}( -| \\[a b=\"c\\\\?\"\\])?.{0,10}"
    ) {
        check_all(text.as_bytes());
    }

    #[test]
    fn messages_of_rfc_5424_are_read_as_they_were_written(
        number in 0i32..192,
        millis in 0i64..4_102_444_800_000,
        words in proptest::collection::vec("[!-Z^-~]{1,20}", 4),
        value in "[ -~]{0,20}",
        body in "[ -~]{0,40}",
    ) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
        let time = Timestamp::from_millisecond(millis).unwrap();
        let data = format!("[x@1 y=\"{escaped}\"]");
        let [host, app, process, id] = &words[..] else { unreachable!() };
        let text = format!("<{number}>1 {time:.3} {host} {app} {process} {id} {data} {body}");
        let mut clock = Clock::new(Zone::utc());
        let message = rfc::parse(text.as_bytes(), &mut clock);
        prop_assert_eq!(message.status, None);
        prop_assert_eq!(message.priority, Some(number));
        prop_assert_eq!(message.timestamp_ms, Some(millis));
        let nil = |word: &str| (word != "-").then(|| word.as_bytes().to_vec());
        let own = |field: Option<&[u8]>| field.map(<[u8]>::to_vec);
        prop_assert_eq!(own(message.host), nil(host));
        prop_assert_eq!(own(message.app_name), nil(app));
        prop_assert_eq!(own(message.proc_id), nil(process));
        prop_assert_eq!(own(message.msg_id), nil(id));
        prop_assert_eq!(message.body, body.as_bytes());
        let mut found = Vec::new();
        let param = super::structured::params(message.structured.unwrap()).next().unwrap();
        param.put_value(&mut found);
        prop_assert_eq!(found, value.as_bytes());
    }
}
