//! Syslog and datagrams: the same messages to the real Flume and to this agent, in one file with all these sources.

use super::*;
use std::collections::BTreeMap;
use std::net::UdpSocket;

const AGENT: &str = "
    sources = r1 r2 r3 r4 r5
    channels = c1
    sinks = k1
    sources.r1.type = syslogtcp
    sources.r1.host = 127.0.0.1
    sources.r1.port = TCP
    sources.r1.eventSize = 90
    sources.r1.clientIPHeader = ip
    sources.r1.channels = c1
    sources.r2.type = multiport_syslogtcp
    sources.r2.host = 127.0.0.1
    sources.r2.ports = MANY
    sources.r2.eventSize = 90
    sources.r2.portHeader = port
    sources.r2.charset.port.MANY = ISO-8859-1
    sources.r2.channels = c1
    sources.r3.type = syslogudp
    sources.r3.host = 127.0.0.1
    sources.r3.port = UDP
    sources.r3.keepFields = timestamp hostname version priority
    sources.r3.channels = c1
    sources.r4.type = netcatudp
    sources.r4.bind = 127.0.0.1
    sources.r4.port = LINES
    sources.r4.remoteAddress = from
    sources.r4.channels = c1
    sources.r5.type = multiport_syslogtcp
    sources.r5.host = 127.0.0.1
    sources.r5.ports = KEPT
    sources.r5.keepFields = timestamp hostname version priority
    sources.r5.channels = c1
    channels.c1.type = memory
    channels.c1.capacity = 1000
    sinks.k1.type = file_roll
    sinks.k1.sink.directory = DIR/one
    sinks.k1.sink.rollInterval = 0
    sinks.k1.sink.serializer = header_and_text
    sinks.k1.channel = c1";

/// The ways in.
const WAYS: [&str; 5] = ["TCP", "MANY", "UDP", "LINES", "KEPT"];

/// Messages, each with a word of its own in the place of `ID`.
const MESSAGES: &[&str] = &[
    "<34>1 2003-10-11T22:14:15Z mymachine.example.com su - ID47 - ID",
    "<34>1 2003-10-11T22:14:15+02:00 host app 7 - [a@1 b=\"c\"] ID",
    "<34>1 - - app - - - ID",
    "<34>1 - host app - - - ID",
    "<165>2003-10-11T22:14:15Z host ID",
    "<0>Oct 11 22:14:15 mymachine su: ID",
    "<13>Oct  1 02:04:05 a@b_c-d.e text ID",
    "<13>1 Oct  1 02:04:05 host text ID",
    "<13>STAMP host text ID",
    "<13>Oct 11 22:14:15 fe80::1 text ID",
    "<13>Oct 11 22:14:15 - text ID",
    "<13>Oct 41 22:14:15 host text ID",
    "<13>Foo 11 22:14:15 host text ID",
    "<13>text ID",
    "<13>1 ID",
    "<999>- host ID",
    "<1234>- host ID",
    "<>ID",
    "<a>ID",
    "text ID",
    "75 <157>1 - host app - - - ID",
    "<13>2003-10-11T22:14:15Z host ID caf\u{e9}",
    "<13>2003-10-11T22:14:15Z h\u{f6}st ID",
    "<13>- host ID\ttab  blanks ",
    "<13>- host ID 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
    "<13>2003-10-11T22:14:15.5Z host ID fraction",
    "<13>2003-10-11T22:14:15.123456Z host ID digits",
    "<13>2003-10-11T22:14:15 host ID local",
    "<13>- host ID cr\r",
    "<13>Oct 11 22:14:15.123 host ID",
];

/// Those in whose heads UDP finds no form: Flume gives them priority and version of the message before.
const STALE: [usize; 12] = [9, 10, 13, 14, 16, 17, 18, 19, 20, 22, 28, 29];

/// What this agent makes of a message that Flume makes this line of. Where they differ, docs/decisions.md says why.
fn by_us(way: &str, number: usize, flume: &str, ours: &str) -> String {
    let message = MESSAGES[number];
    // A time that is not in the message is kept as a dash.
    let mut line = flume.replace("null", "-");
    let is_many = matches!(way, "MANY" | "KEPT");
    let has_short = ["Oct", "STAMP"].iter().any(|name| message.contains(name));
    if way == "UDP" && STALE.contains(&number) {
        line = line.replace(", priority=13, version=1", "");
    }
    if is_many && has_short && time(flume) != time(ours) {
        // The year 2001 is that of all that is older than a month.
        let [flumes, ours] = [flume, ours].map(|line| time(line).unwrap());
        assert_eq!(year(flumes), 2001, "{flume}");
        assert!((year(ours) - jiff::Zoned::now().year()).abs() <= 1, "{ours}");
        line = line.replace(&format!("timestamp={flumes}"), &format!("timestamp={ours}"));
    }
    if message.contains("2003") && message.contains("15.") && !is_many && way != "LINES" {
        // Of a stamp with a fraction Flume takes neither the zone nor the fraction for what they are.
        let right = if message.contains(".5Z") { 500 } else { 123 };
        let flumes = time(flume).unwrap();
        line = line.replace(
            &format!("timestamp={flumes}"),
            &format!("timestamp={}", 1_065_910_455_000i64 + right),
        );
        assert_ne!(line, flume);
    }
    line
}

fn time(line: &str) -> Option<i64> {
    let digits = line.split_once("timestamp=")?.1.split([',', '}']).next()?;
    digits.parse().ok()
}

fn year(ms: i64) -> i16 {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap();
    time.to_zoned(jiff::tz::TimeZone::UTC).year()
}

fn messages(way: &str, stamp: &str) -> Vec<String> {
    let written = MESSAGES.iter().enumerate().map(|(number, message)| {
        let own = format!("{way}{number:02}");
        message.replace("ID", &own).replace("STAMP", stamp)
    });
    written.collect()
}

fn properties(ports: &BTreeMap<&str, u16>) -> String {
    let replace = |text: String, (way, port): (&&str, &u16)| text.replace(*way, &port.to_string());
    ports.iter().fold(AGENT.to_string(), replace)
}

/// Send until something arrives: nobody says when a datagram can be received.
fn knock(side: &Side, port: u16) {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = all_lines(&side.running.path("one"));
    let deadline = Instant::now() + PATIENCE;
    while all_lines(&side.running.path("one")) == before {
        assert!(Instant::now() < deadline, "{}", side.running.said(0));
        client.send_to(b"<13>- host knock", ("127.0.0.1", port)).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Each on a connection of its own: what Flume makes of one may depend on the one before.
fn send(side: &Side, way: &str, port: u16, stamp: &str) {
    let is_udp = matches!(way, "UDP" | "LINES");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    if is_udp {
        knock(side, port);
    }
    for message in messages(way, stamp) {
        match is_udp {
            // One socket of Flume keeps priority and version of the message before.
            true if way == "UDP" => {
                client
                    .send_to(b"<13>1 - host knock", ("127.0.0.1", port))
                    .unwrap();
                client.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
            }
            true => {
                client.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
            }
            false => {
                let mut client = connect(side, port);
                client.write_all(message.as_bytes()).unwrap();
                client.write_all(b"\n").unwrap();
            }
        }
    }
}

fn connect(side: &Side, port: u16) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(client) => return client,
            Err(_) => assert!(Instant::now() < deadline, "{}", side.running.said(0)),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The lines by the words in them; ports and the time of now have names.
fn run(is_flume: bool, stamp: &str) -> BTreeMap<String, String> {
    let ports: BTreeMap<&str, u16> = WAYS.iter().map(|way| (*way, free_port())).collect();
    let side = Side::new(is_flume, &properties(&ports));
    for (way, port) in &ports {
        send(&side, way, *port, stamp);
    }
    let all = WAYS.len() * MESSAGES.len();
    let is_message = |line: &String| !line.contains("knock");
    let deadline = Instant::now() + PATIENCE;
    while lines_now(&side.running.path("one"))
        .iter()
        .filter(|line| is_message(line))
        .count()
        < all
    {
        if Instant::now() > deadline {
            let found = lines_now(&side.running.path("one")).join("\n");
            panic!("not all lines came:\n{found}\n{}", side.running.said(0));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = side.stop();
    let mut found = BTreeMap::new();
    for line in lines_now(&ended.path("one"))
        .iter()
        .filter(|line| is_message(line))
    {
        let line = ports.iter().fold(in_order(line), |line, (way, port)| {
            line.replace(&format!("port={port}"), &format!("port={way}"))
        });
        let way = WAYS.iter().find_map(|way| {
            (0..MESSAGES.len())
                .map(|number| format!("{way}{number:02}"))
                .find(|own| line.contains(own.as_str()))
        });
        let line = line
            .split("/127.0.0.1:")
            .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
        let line = line.collect::<Vec<_>>().join("SENDER");
        let own = way.unwrap_or_else(|| format!("unknown: {line}"));
        found.insert(own, without_now(&line));
    }
    found
}

/// Lines in all files of a directory, also in those that are being written.
fn lines_now(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let texts = entries.filter(|entry| !entry.path().to_string_lossy().ends_with(".state"));
    let texts = texts.map(|entry| std::fs::read(entry.path()).unwrap_or_default());
    let lines = texts.flat_map(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        text.split_terminator('\n')
            .map(str::to_string)
            .collect::<Vec<_>>()
    });
    lines.collect()
}

/// A time of the last minutes is written NOW.
fn without_now(line: &str) -> String {
    let Some((front, rest)) = line.split_once("timestamp=") else {
        return line.to_string();
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let now = jiff::Timestamp::now().as_millisecond();
    let is_now = digits
        .parse::<i64>()
        .is_ok_and(|time| (now - time).abs() < 600_000);
    match is_now {
        true => format!("{front}timestamp=NOW{}", &rest[digits.len()..]),
        false => line.to_string(),
    }
}

#[test]
fn messages_become_the_same_events() {
    if !is_there() {
        return;
    }
    let now = jiff::Zoned::now() - jiff::Span::new().hours(1);
    let stamp = now.strftime("%b %e %H:%M:%S").to_string();
    let [flume, ours] = [true, false].map(|is_flume| run(is_flume, &stamp));
    let mut wrong = Vec::new();
    for (own, line) in &flume {
        let found = ours.get(own).map(String::as_str).unwrap_or_default();
        let way = WAYS.iter().find(|way| own.starts_with(**way));
        let expected = match way {
            Some(way) => by_us(way, own[way.len()..].parse().unwrap(), line, found),
            // The rest of one that was too long, which has the priority of the front in Flume.
            None => line.replace(", priority=13", ""),
        };
        let is_there = match way {
            Some(_) => found == expected,
            None => ours.values().any(|line| *line == expected),
        };
        if !is_there {
            wrong.push(format!(
                "{own}\n  Flume {line}\n  ours  {found}\n  not   {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(flume.len(), ours.len());
}
