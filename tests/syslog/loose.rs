//! The crate syslog_loose as a second opinion: what it and our own parser both take for a message, they read the same.

use flume::date::Zone;
use flume::syslog::{Clock, Message, rfc, structured};
use syslog_loose::{Protocol, Variant, parse_message_with_year};

/// 2026-11-28T22:00:00Z
const NOW_MS: i64 = 1_795_903_200_000;

const MESSAGES: &[&str] = &[
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed for lonvick on /dev/pts/8",
    "<165>1 2003-08-24T05:14:15.003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\"] An event",
    "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [a@1 iut=\"3\"][b@1 class=\"high\"] two",
    "<165>1 2003-10-11T22:14:15+02:00 host evntslog - ID47 [a@1 iut=\"a\\\"b\"] escaped",
    "<13>1 - - - - - - nobody knows",
    "<0>1 2003-10-11T22:14:15Z host app 7 - - text",
    "<191>1 2003-10-11T22:14:15.123456Z host app name ID - text  with blanks ",
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    "<13>Feb  5 17:32:18 10.0.0.99 app[42]: Use the BFG!",
    "<13>Nov 28 21:00:00 host postfix/smtpd[7]: connect from unknown",
    "<13>Jan  1 00:00:00 host kernel: [    0.000000] Linux version",
    "<46>Nov 28 20:00:00 some-host.example.org rsyslogd: [origin software=\"rsyslogd\"] start",
];

fn text(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

fn data(message: &Message<'_>) -> Vec<(String, String, String)> {
    let params = message.structured.into_iter().flat_map(structured::params);
    let all = params.map(|param| {
        let mut value = Vec::new();
        param.put_value(&mut value);
        [param.id, param.name, &value].map(|part| String::from_utf8(part.to_vec()).unwrap())
    });
    all.map(|[id, name, value]| (id, name, value)).collect()
}

fn check(line: &str) {
    let mut clock = Clock::new(Zone::local());
    clock.set(NOW_MS);
    let ours = rfc::parse(line.as_bytes(), &mut clock);
    let theirs = parse_message_with_year(line, |_| 2026, Variant::Either);
    let priority = theirs.facility.zip(theirs.severity);
    let priority = priority.map(|(facility, severity)| facility as i32 * 8 + severity as i32);
    assert_eq!(ours.priority, priority, "{line}");
    assert_eq!(ours.status, None, "{line}");
    assert_eq!(
        ours.timestamp_ms,
        theirs.timestamp.map(|time| time.timestamp_millis()),
        "{line}"
    );
    assert_eq!(text(ours.host).as_deref(), theirs.hostname, "{line}");
    assert_eq!(text(ours.app_name).as_deref(), theirs.appname, "{line}");
    assert_eq!(
        text(ours.proc_id),
        theirs.procid.as_ref().map(ToString::to_string),
        "{line}"
    );
    assert_eq!(text(ours.msg_id).as_deref(), theirs.msgid, "{line}");
    let elements = theirs.structured_data.iter().flat_map(|element| {
        let unescaped = element.params();
        unescaped.map(move |(name, value)| (element.id.to_string(), name.to_string(), value))
    });
    let is_new = matches!(theirs.protocol, Protocol::RFC5424(_));
    if is_new {
        assert_eq!(data(&ours), elements.collect::<Vec<_>>(), "{line}");
    }
    let body = text(Some(ours.body)).unwrap();
    // It takes the tag for no part of the text.
    match is_new {
        true => assert_eq!(body.trim(), theirs.msg.trim(), "{line}"),
        false => assert!(
            body.ends_with(theirs.msg.trim_start()),
            "{line}: {body}, {}",
            theirs.msg
        ),
    }
}

#[test]
fn messages_that_both_understand_are_read_the_same() {
    MESSAGES.iter().for_each(|line| check(line));
}
