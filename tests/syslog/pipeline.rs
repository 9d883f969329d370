//! The sources as stages: what is sent to each comes out with its headers.

use super::*;

#[test]
fn tcp_and_udp_on_one_port_both_arrive() {
    let running = collect("syslog --port 0 --client-ip-header from");
    let number = port(&running, "tcp");
    assert_eq!(port(&running, "udp"), number);
    send_tcp(
        number,
        b"<34>1 2003-10-11T22:14:15.003Z host app 7 ID [a b=\"c\"] new\n28 <13>2003-10-11T22:14:15Z h x",
    );
    running.wait_count(0, "EventReceivedCount", 2);
    send_udp(number, b"<13>app[9]: old");
    let (lines, _) = lines_of(running, 3);
    assert_eq!(
        lines,
        [
            "{Facility=4, Severity=2, priority=34, version=1, timestamp=1065910455003, host=host, appname=app, procid=7, \
             msgid=ID, sd.a.b=c, from=127.0.0.1} new",
            "{Facility=1, Severity=5, priority=13, timestamp=1065910455000, host=h, from=127.0.0.1} x",
            "{Facility=1, Severity=5, priority=13, appname=app, procid=9, from=127.0.0.1} app[9]: old",
        ]
    );
}

#[test]
fn garbage_is_kept_and_told_once() {
    let running = collect("syslog --port 0 --tcp");
    let number = port(&running, "tcp");
    send_tcp(number, b"GET / HTTP/1.1\nHost: x\n\n<13>good\n");
    let (lines, ended) = lines_of(running, 3);
    assert_eq!(
        lines,
        [
            "{Facility=0, Severity=0, flume.syslog.status=Invalid} GET / HTTP/1.1",
            "{Facility=0, Severity=0, flume.syslog.status=Invalid} Host: x",
            "{Facility=1, Severity=5, priority=13} good"
        ]
    );
    let said = ended.stderr(0);
    assert_eq!(said.matches("is no syslog").count(), 1, "{said}");
    assert!(said.contains("GET / HTTP/1.1"), "{said}");
}

#[test]
fn sources_of_flume_read_as_they_do() {
    let message: &[u8] = b"<34>1 2003-10-11T22:14:15.003Z host app - - text\n";
    let running = collect("syslogtcp --port 0 --keep-fields 'timestamp hostname'");
    send_tcp(port(&running, "tcp"), message);
    let (lines, _) = lines_of(running, 1);
    assert_eq!(
        lines,
        [
            "{Facility=4, Severity=2, priority=34, version=1, timestamp=1065910455003, host=host} \
          2003-10-11T22:14:15.003Z host app - - text"
        ]
    );
    let running = collect("syslogudp --port 0");
    send_udp(port(&running, "udp"), message);
    let (lines, _) = lines_of(running, 1);
    assert_eq!(
        lines,
        ["{Facility=4, Severity=2, priority=34, version=1, timestamp=1065910455003, host=host} app - - text"]
    );
    let running = collect("multiport_syslogtcp --ports '0 0' --port-header port");
    let number = port(&running, "tcp");
    send_tcp(number, message);
    let (lines, _) = lines_of(running, 1);
    assert_eq!(
        lines,
        [format!(
            "{{Facility=4, Severity=2, Priority=34, Version=1, timestamp=1065910455003, host=host, port={number}}} \
             app - - text"
        )]
    );
}

#[test]
fn lines_in_datagrams() {
    let running = collect("netcatudp --port 0");
    send_udp(port(&running, "udp"), b"one\ntwo\n");
    let (lines, _) = lines_of(running, 2);
    assert_eq!(lines, ["{} one", "{} two"]);
}

#[test]
fn port_that_is_in_use_and_a_missing_one_end_the_start() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = held.local_addr().unwrap().port();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken_udp = taken.local_addr().unwrap().port();
    for (words, status, what) in [
        ("syslog".to_string(), 2, "port is missing"),
        ("syslogtcp".to_string(), 2, "port is missing"),
        (
            format!("syslog --udp={taken_udp}"),
            1,
            "in use by another listener",
        ),
        (
            format!("syslogudp --port {taken_udp}"),
            1,
            "in use by another listener",
        ),
        (
            format!("netcatudp --port {taken_udp}"),
            1,
            "in use by another listener",
        ),
    ] {
        let ended = Pipe::new(&format!("source {words}")).output_file("out.flm").run();
        ended.expect_status([status]).says(0, [what]);
    }
    for words in [
        format!("syslog --tcp={busy}"),
        format!("syslogtcp --port {busy}"),
        format!("multiport_syslogtcp --ports '0 {busy}'"),
    ] {
        let ended = Pipe::new(&format!("source {words}")).output_file("out.flm").run();
        ended.expect_status([1]).says(0, ["in use by another listener"]);
    }
}
