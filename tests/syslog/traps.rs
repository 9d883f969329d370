//! What a sender may send that Flume's sources lose, mix up or take for something else.

use super::*;

/// Send something by TCP; the lines that come out, and what was said.
fn by_tcp(source: &str, bytes: &[u8], events: u64) -> (Vec<String>, String) {
    let running = collect(source);
    send_tcp(port(&running, "tcp"), bytes);
    let (lines, ended) = lines_of(running, events);
    (lines, ended.stderr(0).to_string())
}

/// The same in datagrams.
fn by_udp(source: &str, datagrams: &[&[u8]], events: u64) -> (Vec<String>, String) {
    let running = collect(source);
    let number = port(&running, "udp");
    datagrams.iter().for_each(|datagram| send_udp(number, datagram));
    let (lines, ended) = lines_of(running, events);
    (lines, ended.stderr(0).to_string())
}

#[test]
fn line_that_ends_as_in_windows_is_whole_for_syslogtcp_and_read_by_syslog() {
    let message: &[u8] = b"<13>2003-10-11T22:14:15Z h text\r\n";
    let (lines, _) = by_tcp("syslogtcp --port 0", message, 1);
    assert_eq!(
        lines,
        ["{Facility=1, Severity=5} <13>2003-10-11T22:14:15Z h text"]
    );
    let (lines, _) = by_tcp("syslog --port 0 --tcp", message, 1);
    assert_eq!(
        lines,
        ["{Facility=1, Severity=5, priority=13, timestamp=1065910455000, host=h} text"]
    );
}

#[test]
fn fraction_of_a_second_is_one_and_the_zone_behind_it_counts() {
    let message: &[u8] = b"<13>1 2003-10-11T22:14:15.5+02:00 h text\n";
    let (lines, _) = by_tcp("syslogtcp --port 0", message, 1);
    let read = "Facility=1, Severity=5, priority=13, version=1, timestamp=1065903255500, host=h";
    assert_eq!(lines, [format!("{{{read}}} text")]);
}

#[test]
fn priority_and_version_of_the_message_before_are_not_those_of_the_next() {
    let messages: &[u8] = b"<34>1 2003-10-11T22:14:15Z h one\nnone at all\n<13>no head\n";
    let (lines, said) = by_tcp("syslogtcp --port 0", messages, 3);
    assert_eq!(
        lines,
        [
            "{Facility=4, Severity=2, priority=34, version=1, timestamp=1065910455000, host=h} one",
            "{Facility=0, Severity=0, flume.syslog.status=Invalid} none at all",
            "{Facility=1, Severity=5} <13>no head",
        ]
    );
    assert!(
        said.contains("is no syslog") && said.contains("none at all"),
        "{said}"
    );
}

#[test]
fn length_in_front_of_a_message_is_part_of_it_for_syslogtcp_alone() {
    let message: &[u8] = b"28 <13>2003-10-11T22:14:15Z h x\n";
    let (lines, said) = by_tcp("syslogtcp --port 0", message, 1);
    let marked = "{Facility=0, Severity=0, flume.syslog.status=Invalid}";
    assert_eq!(lines, [format!("{marked} 28 <13>2003-10-11T22:14:15Z h x")]);
    assert!(said.contains("is no syslog"), "{said}");
}

#[test]
fn message_that_is_too_long_comes_in_pieces() {
    let message: &[u8] = b"<13>2003-10-11T22:14:15Z h 0123456789\n";
    let (lines, said) = by_tcp("syslogtcp --port 0 --event-size 32", message, 2);
    assert_eq!(
        lines,
        [
            "{Facility=1, Severity=5, priority=13, timestamp=1065910455000, host=h, flume.syslog.status=Incomplete} 01234",
            "{Facility=0, Severity=0, flume.syslog.status=Invalid} 56789",
        ]
    );
    assert!(said.contains("too long or cut"), "{said}");
}

/// In Flume the rest of what was read with it is lost. An empty line is none.
#[test]
fn line_that_multiport_cannot_read_costs_no_other() {
    let lines: &[u8] = b"<13>2003-10-11T22:14:15Z h before\n\n<13>2003-10-11T22:14:15\n<>x\n<13>2003-10-11T22:14:15Z h after\n";
    let (lines, said) = by_tcp("multiport_syslogtcp --ports 0", lines, 4);
    let read = "Facility=1, Severity=5, Priority=13, timestamp=1065910455000, host=h";
    assert_eq!(
        lines,
        [
            format!("{{{read}}} before"),
            "{flume.syslog.status=Invalid} <13>2003-10-11T22:14:15".into(),
            "{flume.syslog.status=Invalid} <>x".into(),
            format!("{{{read}}} after"),
        ]
    );
    assert!(said.contains("is no syslog"), "{said}");
}

#[test]
fn datagrams_are_whole_whatever_their_length_and_end() {
    let mut long = b"<13>2003-10-11T22:14:15Z h ".to_vec();
    long.extend(std::iter::repeat_n(b'x', 60_000));
    let (lines, _) = by_udp("syslogudp --port 0", &[&long], 1);
    assert!(lines[0].ends_with(&format!(" {}", "x".repeat(60_000))));
    // An empty one is no message; what is cut in its priority, and a second line, are messages.
    let second: &[u8] = b"<13>2003-10-11T22:14:15Z h one\n<13>2003-10-11T22:14:15Z h two";
    let (lines, said) = by_udp("syslogudp --port 0", &[b"", b"<13", b"<", second], 4);
    let read = "{Facility=1, Severity=5, priority=13, timestamp=1065910455000, host=h}";
    assert_eq!(
        lines,
        [
            "{Facility=1, Severity=5} <13".into(),
            "{Facility=0, Severity=0, flume.syslog.status=Invalid} <".into(),
            format!("{read} one"),
            format!("{read} two"),
        ]
    );
    assert!(said.contains("is no syslog"), "{said}");
    let (lines, _) = by_udp("netcatudp --port 0", &[&long], 1);
    assert_eq!(lines[0].len(), "{} ".len() + long.len());
}

/// Flume gives each event a header without a name, which a file channel does not take.
#[test]
fn lines_in_datagrams_have_no_header_unless_it_has_a_name() {
    let running = Pipe::new("run 'source netcatudp --port 0 | channel file spool | sink logger'").start();
    send_udp(port(&running, "udp"), b"one");
    running.wait_for(0, "{} body: 6F 6E 65");
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0]);
}
