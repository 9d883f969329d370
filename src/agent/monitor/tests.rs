//! A board as those see it who watch.

use super::*;
use crate::channel::{Channel, Taken};
use crate::event::{Batch, Event};
use crate::metrics::{Count, Kind};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A board with a source, an empty channel in memory and a sink.
fn board() -> (Board, Arc<dyn Channel>) {
    crate::say::be_quiet();
    let board = Board::named();
    let source = board.counters(Kind::Source, "r1");
    source.add(Count::EventReceived, 7);
    let row = crate::channel::ALL
        .iter()
        .find(|row| row.name == "memory")
        .unwrap();
    let (channel, _) = row.from_properties(&BTreeMap::new()).unwrap().open("c1").unwrap();
    let counters = board.counters(Kind::Channel, "c1");
    board.channel(&channel, &counters);
    board.counters(Kind::Sink, "k1").add(Count::EventDrainSuccess, 3);
    (board, channel)
}

fn monitor(board: &Board, words: &[(&str, &str)]) -> Monitor {
    let words = words
        .iter()
        .map(|(key, value)| (format!("flume.monitoring.{key}"), value.to_string()));
    let config = Config::from_system_properties(&words.collect(), &mut |what| panic!("{what}"));
    start(config.unwrap().unwrap(), board).unwrap()
}

/// Status and body of the answer to these bytes.
fn ask(monitor: &Monitor, request: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(monitor.address().unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
}

fn get(monitor: &Monitor, target: &str) -> (u16, String) {
    ask(monitor, &format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"))
}

#[test]
fn counters_are_shown_as_flume_shows_them() {
    let (board, channel) = board();
    let monitor = monitor(&board, &[("type", "http"), ("port", "0")]);
    channel.put(&[Batch::single(&Event::new("x"))]).unwrap();
    let (status, body) = get(&monitor, "/METRICS");
    assert_eq!(status, 200);
    let all: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(&body).unwrap();
    let names: Vec<_> = all.keys().collect();
    assert_eq!(names, ["CHANNEL.c1", "SINK.k1", "SOURCE.r1"]);
    assert_eq!(all["SOURCE.r1"]["EventReceivedCount"], "7");
    assert_eq!(all["SINK.k1"]["EventDrainSuccessCount"], "3");
    assert_eq!(all["CHANNEL.c1"]["ChannelSize"], "1");
    assert_eq!(all["CHANNEL.c1"]["ChannelFillPercentage"], "1.0");
    let expected = [
        "ChannelCapacity ChannelFillPercentage ChannelSize EventPutAttemptCount EventPutSuccessCount \
         EventTakeAttemptCount EventTakeSuccessCount StartTime StopTime Type",
        "BatchCompleteCount BatchEmptyCount BatchUnderflowCount ChannelReadFail ConnectionClosedCount \
         ConnectionCreatedCount ConnectionFailedCount EventDrainAttemptCount EventDrainSuccessCount EventWriteFail \
         StartTime StopTime Type",
        "AppendAcceptedCount AppendBatchAcceptedCount AppendBatchReceivedCount AppendReceivedCount ChannelWriteFail \
         EventAcceptedCount EventReadFail EventReceivedCount GenericProcessingFail OpenConnectionCount StartTime \
         StopTime Type",
    ];
    for (group, expected) in all.values().zip(expected) {
        let names: Vec<_> = group.keys().map(String::as_str).collect();
        assert_eq!(names.join(" "), expected);
    }
}

#[test]
fn pages_and_what_is_none() {
    let (board, _) = board();
    let monitor = monitor(&board, &[("type", "http"), ("port", "0")]);
    let start = get(&monitor, "/");
    assert!(
        start.0 == 200 && start.1.contains("href=\"/metrics\""),
        "{start:?}"
    );
    assert_eq!(get(&monitor, "/nothing").0, 404);
    assert_eq!(ask(&monitor, "TRACE /metrics HTTP/1.1\r\n\r\n").0, 403);
    assert_eq!(ask(&monitor, "OPTIONS /metrics HTTP/1.1\r\n\r\n").0, 403);
    assert_eq!(
        ask(&monitor, "HEAD /metrics HTTP/1.1\r\n\r\n"),
        (200, String::new())
    );
    assert_eq!(ask(&monitor, "what\0 is this\r\n\r\n").0, 400);
    assert_eq!(
        ask(&monitor, &format!("GET /{} HTTP/1.1\r\n", "x".repeat(9000))).0,
        431
    );
}

#[test]
fn prometheus_gets_its_text_at_either_type() {
    let (board, _) = board();
    let json = monitor(&board, &[("type", "http"), ("port", "0")]);
    let scrape = "GET /metrics HTTP/1.1\r\nAccept: text/plain;version=0.0.4;q=0.4,*/*;q=0.1\r\n\r\n";
    let own = monitor(&board, &[("type", "prometheus"), ("port", "0")]);
    for text in [
        ask(&json, scrape).1,
        get(&json, "/metrics?format=prometheus").1,
        get(&own, "/metrics").1,
    ] {
        let lines: Vec<_> = text.lines().collect();
        for line in [
            "# TYPE Flume_EventReceivedCount_total counter",
            "Flume_EventReceivedCount_total{component=\"r1\",type=\"SOURCE\"} 7",
            "# TYPE Flume_ChannelCapacity gauge",
            "Flume_ChannelCapacity{component=\"c1\",type=\"CHANNEL\"} 100",
            "Flume_OldestUnacceptedAgeSeconds 0",
        ] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
    }
    assert!(get(&own, "/metrics?format=json").1.starts_with('{'));
}

#[test]
fn oldest_unaccepted_event_decides_whether_it_is_well() {
    let (board, channel) = board();
    let limit = Duration::from_millis(50);
    let monitor = monitor(&board, &[("type", "http"), ("port", "0"), ("readyLimit", "50ms")]);
    let (status, body) = get(&monitor, "/health/ready");
    assert!(
        status == 200 && body.contains("\"oldest_seconds\":null"),
        "{body}"
    );
    channel.put(&[Batch::single(&Event::new("x"))]).unwrap();
    let Ok(Taken::Delivery(delivery)) = channel.take(None) else {
        panic!("nothing was taken");
    };
    // What was taken and not accepted counts, too.
    std::thread::sleep(limit + Duration::from_millis(1));
    let (status, body) = get(&monitor, "/health/ready");
    assert!(status == 503 && body.contains("\"status\":\"late\""), "{body}");
    assert_eq!(get(&monitor, "/health/live").0, 200);
    delivery.accept();
    assert_eq!(get(&monitor, "/health/ready").0, 200);
}

#[test]
fn clients_that_say_nothing_hold_up_only_themselves() {
    let (board, _) = board();
    let monitor = monitor(&board, &[("type", "http"), ("port", "0")]);
    let connect = || TcpStream::connect(monitor.address().unwrap()).unwrap();
    let mut silent: Vec<_> = (0..15).map(|_| connect()).collect();
    assert_eq!(get(&monitor, "/metrics").0, 200);
    let mut answer = String::new();
    silent[0].read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let since = Instant::now();
    drop(monitor);
    assert!(since.elapsed() < Duration::from_secs(2));
}

#[test]
fn port_that_is_taken_is_told() {
    let (board, _) = board();
    let first = monitor(&board, &[("type", "http"), ("port", "0")]);
    let port: u16 = first
        .address()
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    let Config::Http(config) = Config::from_system_properties(
        &BTreeMap::from([("flume.monitoring.type".into(), "http".into())]),
        &mut |_| {},
    )
    .unwrap()
    .unwrap() else {
        panic!("no server");
    };
    let error = start(Config::Http(config::Http { port, ..config }), &board)
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("in use by another listener"),
        "{error}"
    );
}

#[test]
fn ganglia_is_told_each_attribute_again_and_again() {
    let (board, _) = board();
    let gmond = UdpSocket::bind("127.0.0.1:0").unwrap();
    gmond.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let host = gmond.local_addr().unwrap().to_string();
    let monitor = monitor(
        &board,
        &[("type", "ganglia"), ("hosts", &host), ("pollFrequency", "10ms")],
    );
    let mut packet = [0; 1500];
    let mut times = 0;
    while times < 2 {
        let count = gmond.recv(&mut packet).unwrap();
        let text = String::from_utf8_lossy(&packet[..count]);
        let is_value = packet[..4] == 133u32.to_be_bytes();
        if is_value && text.contains("flume.SOURCE.r1.EventReceivedCount") {
            assert!(
                packet[..count].ends_with(b"\0\0\0\x02%s\0\0\0\0\0\x017\0\0\0"),
                "{text:?}"
            );
            times += 1;
        }
    }
    drop(monitor);
}
