//! Requests over a real socket.

use super::*;
use crate::ack::{Outcome, Refusal};
use crate::component::{Spec, find};
use crate::link::testing::Collect;
use crate::metrics::Count;
use crate::source;
use crate::stage::Source;
use crate::stop::Stop;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

struct Bench {
    source: Box<dyn EventDrivenSource>,
    to: Arc<ChannelProcessor>,
    stop: Stop,
    collect: Collect,
    directory: tempfile::TempDir,
}

fn spec() -> &'static Spec<Source> {
    find(source::ALL, "http").unwrap()
}

fn start(words: &[&str], collect: Collect) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let mut all = vec![
        "--listen".to_string(),
        format!("unix:{}", directory.path().join("s").display()),
    ];
    all.extend(words.iter().map(|word| word.to_string()));
    let Source::EventDriven(mut source) = spec().from_flags(&all).unwrap() else {
        panic!("it is a server");
    };
    let (to, stop) = collect.processor("source http");
    source.start(&to).unwrap();
    Bench {
        source,
        to,
        stop,
        collect,
        directory,
    }
}

/// A response: its status, its head and its body.
struct Heard {
    status: u16,
    head: String,
    body: String,
}

impl Bench {
    fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).unwrap()
    }

    fn post(&self, content_type: &str, body: &[u8]) -> Heard {
        let mut client = self.connect();
        write_post(&mut client, content_type, body);
        hear(&mut client)
    }

    fn count(&self, count: Count) -> u64 {
        self.to.counters().get(count)
    }

    fn stop(mut self) -> Collect {
        self.stop.stop();
        self.source.stop().unwrap();
        self.collect
    }
}

fn write_post(client: &mut UnixStream, content_type: &str, body: &[u8]) {
    let head = format!(
        "POST /any?a=1 HTTP/1.1\r\nHost: here\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(body).unwrap();
}

/// The next response of a connection.
fn hear(client: &mut UnixStream) -> Heard {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.split_whitespace().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    client.read_exact(&mut body).unwrap();
    Heard {
        status: head.split_whitespace().nth(1).unwrap().parse().unwrap(),
        body: String::from_utf8(body).unwrap(),
        head,
    }
}

const TWO: &[u8] = br#"[{"headers":{"k":"v"},"body":"one"},{"body":"two"}]"#;

#[test]
fn request_is_answered_with_200_when_its_events_are_accepted() {
    let bench = start(&[], Collect::holding());
    let mut client = bench.connect();
    write_post(&mut client, "application/json", TWO);
    bench.collect.wait_for(2);
    client.set_nonblocking(true).unwrap();
    assert!(client.read(&mut [0]).is_err());
    client.set_nonblocking(false).unwrap();
    bench.collect.settle_all(Outcome::Accepted);
    let heard = hear(&mut client);
    assert_eq!((heard.status, heard.body.as_str()), (200, ""));
    assert_eq!(bench.collect.bodies(), ["one", "two"]);
    assert_eq!(bench.collect.events()[0].header("k"), Some(&b"v"[..]));
    assert_eq!(bench.count(Count::EventAccepted), 2);
    // The connection goes on.
    bench.collect.answer(Outcome::Accepted);
    write_post(&mut client, "application/x-ndjson", b"{\"body\":\"three\"}\n");
    assert_eq!(hear(&mut client).status, 200);
    assert_eq!(bench.stop().bodies(), ["one", "two", "three"]);
}

#[test]
fn mistakes_are_answered_with_their_place_and_nothing_is_taken() {
    let bench = start(&["--max-body", "100"], Collect::accepting());
    let heard = bench.post("application/json", b"[{\"body\":\"one\"},\n {\"body\":}]");
    assert_eq!(heard.status, 400);
    assert!(
        heard.body.contains("line 2, column 10, in event 2"),
        "{}",
        heard.body
    );
    assert_eq!(bench.post("application/json; charset=latin1", b"[]").status, 415);
    assert_eq!(bench.post("application/json", &[b'['; 101]).status, 413);
    assert_eq!(bench.post("", b"").status, 400);
    for (method, status) in [
        ("TRACE", 403),
        ("OPTIONS", 403),
        ("PUT", 405),
        ("DELETE", 405),
        ("GET", 400),
    ] {
        let mut client = bench.connect();
        write!(client, "{method} / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        assert_eq!(hear(&mut client).status, status, "{method}");
    }
    assert_eq!(bench.post("application/json", b"[]").status, 200);
    assert!(bench.collect.bodies().is_empty());
    assert_eq!(bench.count(Count::EventReadFail), 5);
}

#[test]
fn who_cannot_be_served_now_is_told_to_come_again() {
    let refusing = Collect::answering(Outcome::Refused(Refusal::retry("no room")));
    let heard = start(&[], refusing).post("application/json", TWO);
    assert_eq!((heard.status, heard.body.as_str()), (503, "no room\n"));
    assert!(heard.head.contains("retry-after: 5"), "{}", heard.head);
    let rejecting = Collect::answering(Outcome::Refused(Refusal::reject("never")));
    assert_eq!(start(&[], rejecting).post("application/json", TWO).status, 422);
    let full = start(&["--max-buffered", "10"], Collect::accepting());
    assert_eq!(full.post("application/json", TWO).status, 503);
    assert_eq!(full.post("application/json", b"[]").status, 200);
}

#[test]
fn what_could_not_be_handed_on_in_time_is_answered_503_and_does_not_come_later() {
    let bench = start(&["--max-wait", "50ms"], Collect::blocking());
    let mut first = bench.connect();
    write_post(&mut first, "application/json", b"[{\"body\":\"first\"}]");
    bench.collect.wait_blocked();
    let heard = bench.post("application/json", b"[{\"body\":\"second\"}]");
    assert_eq!(heard.status, 503);
    assert!(heard.body.contains("--max-wait"), "{}", heard.body);
    bench.collect.unblock();
    assert_eq!(hear(&mut first).status, 200);
    assert_eq!(bench.count(Count::ChannelWriteFail), 1);
    assert_eq!(bench.stop().bodies(), ["first"]);
}

#[test]
fn slow_clients_are_given_up_and_hold_nobody_up() {
    let bench = start(&["--idle-timeout", "200ms"], Collect::accepting());
    let mut silent = bench.connect();
    let mut half = bench.connect();
    half.write_all(b"POST / HTTP/1.1\r\nHo").unwrap();
    let mut body = bench.connect();
    body.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n[")
        .unwrap();
    assert_eq!(bench.post("application/json", TWO).status, 200);
    assert_eq!(hear(&mut body).status, 408);
    for client in [&mut silent, &mut half] {
        let mut rest = Vec::new();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client.read_to_end(&mut rest).unwrap();
    }
    let mut drip = bench.connect();
    drip.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        .unwrap();
    let began = Instant::now();
    while drip.write_all(b" ").is_ok() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "a byte now and then is enough"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_no_http_ends_its_connection_and_no_other() {
    let bench = start(&[], Collect::accepting());
    let mut client = bench.connect();
    client.write_all(b"\x16\x03\x01\x00garbage\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{rest:?}");
    assert_eq!(bench.post("application/json", TWO).status, 200);
}

#[test]
fn stop_answers_what_was_asked_and_closes_what_says_nothing() {
    let bench = start(&[], Collect::holding());
    let (mut silent, mut asked) = (bench.connect(), bench.connect());
    write_post(&mut asked, "application/json", TWO);
    bench.collect.wait_for(2);
    bench.stop.stop();
    bench.collect.settle_all(Outcome::Accepted);
    assert_eq!(hear(&mut asked).status, 200);
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    bench.stop();
}

#[test]
fn settings_that_do_not_fit_are_named() {
    for (words, expected) in [
        (&["--listen", "tls:127.0.0.1:1"][..], "--ssl"),
        (&["--port", "0", "--handler", "xml"], "\"xml\" is no handler"),
        (&["--bind", "127.0.0.1"], "port is missing"),
        (&["--port", "0", "--handler-set", "a=1"], "no settings"),
    ] {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let error = spec().from_flags(&words).map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{words:?}: {error}");
    }
    let given = |key: &str, value: &str| (key.to_string(), value.to_string());
    let properties = [
        given("port", "0"),
        given("handler", "org.apache.flume.source.http.BLOBHandler"),
        given("handler.mandatoryParameters", "a"),
        given("enableSSL", "false"),
        given("keystorePassword", "secret"),
        given("QueuedThreadPool.maxThreads", "9"),
    ];
    assert!(spec().from_properties(&properties.into()).is_ok());
}
