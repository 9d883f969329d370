//! Programs in Java whose logs come by Flume's appenders: that of log4j 1, alone and balanced over two hosts, and
//! that of log4j 2.

use super::port;
use super::real::peer;
use crate::pipe::{Pipe, Running};
use crate::shell::output_of;
use crate::surroundings::skipped;
use rustix::process::Signal;
use serde_json::Value;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const LINES: usize = 200;

/// The launcher can run; where it cannot, that is said.
fn is_there() -> bool {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| {
        let output = Command::new(peer("appender")).arg("--prepare").output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    });
    if let Err(why) = prepared {
        skipped(&format!("programs that log by Flume's appenders: {why}"));
    }
    prepared.is_ok()
}

fn taker() -> Running {
    Pipe::new("source avro --port 0")
        .then("channel file spool --put")
        .start()
}

/// Log by this version of log4j to these takers: the events that each has got.
fn logged(version: &str, takers: Vec<Running>, rest: &str) -> Vec<Vec<Value>> {
    let hosts: Vec<_> = takers
        .iter()
        .map(|it| format!("127.0.0.1:{}", port(it, 0)))
        .collect();
    let program = peer("appender");
    Pipe::foreign(&format!(
        "exec {} {version} {} {rest}",
        program.display(),
        hosts.join(",")
    ))
    .patience(Duration::from_secs(120))
    .run()
    .expect_status([0]);
    let events = |taker: Running| {
        taker.kill(0, Signal::TERM);
        let ended = taker.wait().expect_status([0, 0]);
        let text = output_of("flume cat --json spool", &ended.path(""), &[]);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    takers.into_iter().map(events).collect()
}

fn body(event: &Value) -> &str {
    event["body"].as_str().unwrap()
}

fn names(event: &Value) -> Vec<&String> {
    let mut names: Vec<_> = event["headers"].as_object().unwrap().keys().collect();
    names.sort();
    names
}

/// What log4j 1 says of an event beside its body.
fn check_log4j1(event: &Value, level: &str) {
    let headers = &event["headers"];
    let header = |name: &str| &headers[format!("flume.client.log4j.{name}")];
    assert_eq!(header("logger.name"), "shop.Orders");
    assert_eq!(header("log.level"), level, "{event}");
    assert_eq!(header("address"), "127.0.0.1");
    assert_eq!(header("message.encoding"), "UTF8");
    let stamp: u64 = header("timestamp").as_str().unwrap().parse().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    assert!((now - 600_000..=now).contains(&stamp), "{stamp}");
    assert_eq!(names(event).len(), 5, "{event}");
}

#[test]
fn lines_of_log4j_1_arrive_once_in_their_order_with_their_headers() {
    if !is_there() {
        return;
    }
    let events = logged("1", vec![taker()], &LINES.to_string()).remove(0);
    let (lines, of_a_list) = events.split_at(LINES);
    for (event, number) in lines.iter().zip(1..) {
        assert_eq!(body(event), format!("p\u{159}\u{ed}kaz {number}"));
        check_log4j1(event, if number % 2 == 0 { "30000" } else { "20000" });
    }
    let bodies: Vec<_> = of_a_list.iter().map(body).collect();
    assert_eq!(bodies, ["first of three", "second of three", "third of three"]);
    of_a_list.iter().for_each(|event| check_log4j1(event, "40000"));
}

#[test]
fn lines_of_log4j_1_are_balanced_over_two_hosts_and_arrive_once() {
    if !is_there() {
        return;
    }
    let shares = logged("1", vec![taker(), taker()], &LINES.to_string());
    assert!(
        shares.iter().all(|share| share.len() >= LINES / 2),
        "one has less than its share"
    );
    let numbers = shares
        .iter()
        .flatten()
        .filter_map(|event| body(event).strip_prefix("p\u{159}\u{ed}kaz "));
    let mut numbers: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
    numbers.sort();
    assert_eq!(numbers, (1..=LINES).collect::<Vec<_>>());
}

#[test]
fn lines_of_log4j_2_arrive_once_singly_and_in_batches() {
    if !is_there() {
        return;
    }
    for batch in [1, 30] {
        let events = logged("2", vec![taker()], &format!("{LINES} {batch}")).remove(0);
        assert_eq!(events.len(), LINES);
        for (event, number) in events.iter().zip(1..) {
            let level = if number % 2 == 0 { "WARN" } else { "INFO" };
            assert_eq!(body(event), format!("{level} p\u{159}\u{ed}kaz {number}"));
            assert_eq!(names(event), ["guId", "order", "timeStamp"]);
            assert_eq!(event["headers"]["order"], "17");
        }
    }
}
