//! What a source must bear: who speaks otherwise, breaks off, dawdles, or comes in thousands. None of them is
//! felt by another connection.

use super::{Caller, FAILED, OK, collector, lines_of, port};
use crate::listeners::crowd::{Crowd, resident};
use crate::pipe::{Pipe, Running};
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// A source alone, whose events go nowhere.
fn sink(words: &str) -> Running {
    Pipe::new(&format!("source avro --port 0 --summary json {words}"))
        .then("sink null")
        .start()
}

/// Bytes that end their own connection; another one is served before and after. What is said of them.
fn check(words: &str, bytes: &[u8], end: Option<Shutdown>, said: &str) {
    let running = sink(words);
    let port = port(&running, 0);
    let mut good = Caller::connect(port);
    if words.is_empty() {
        assert_eq!(good.call(&["one"]), Some(OK));
    }
    let mut bad = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let name = bad.local_addr().unwrap();
    bad.write_all(bytes).unwrap();
    if let Some(end) = end {
        bad.shutdown(end).unwrap();
    }
    let _ = bad.read_to_end(&mut Vec::new());
    running.wait_for(0, &format!("{name}: {said}"));
    if words.is_empty() {
        assert_eq!(good.call(&["two"]), Some(OK));
    }
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
}

#[test]
fn who_speaks_otherwise_is_named() {
    check(
        "",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        None,
        "what comes is HTTP and not Avro RPC",
    );
    let hello = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 a random of a client, and so on";
    check("", hello, None, "what comes is TLS and not Avro RPC");
    check("--compression-type deflate", hello, None, "what comes is TLS");
    check(
        "",
        &[0xff; 1000],
        None,
        "what comes is no Avro RPC: a number of buffers of 4294967295 at byte 4 is over the limit",
    );
}

#[test]
fn request_that_breaks_off_is_told() {
    let half = b"\0\0\0\x01\0\0\0\x01\0\0\0\x33\x86\xaa\xda";
    check(
        "",
        half,
        Some(Shutdown::Write),
        "the connection ended inside a pack (at byte 15)",
    );
    check(
        "",
        b"\0\0\0\x01\0\0\0\x01\0\0\0\x02ab",
        None,
        "a request begins with no handshake",
    );
}

#[test]
fn length_of_four_gigabytes_takes_no_memory() {
    let running = sink("");
    let port = port(&running, 0);
    let before = resident(&running, 0);
    for _ in 0..50 {
        let mut bad = TcpStream::connect(("127.0.0.1", port)).unwrap();
        bad.write_all(b"\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff and some of it")
            .unwrap();
        let _ = bad.read_to_end(&mut Vec::new());
    }
    running.wait_for(0, "a payload of 4294967295 at byte 8 is over the limit");
    assert!(resident(&running, 0) < before + (4 << 20));
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
}

#[test]
fn reset_in_the_middle_of_a_request_is_told_and_ends_nothing_else() {
    let running = sink("");
    let port = port(&running, 0);
    let mut good = Caller::connect(port);
    assert_eq!(good.call(&["one"]), Some(OK));
    let mut bad = Caller::connect(port);
    let request = bad.request(&super::batch(&["two"]));
    bad.socket.write_all(&request[..request.len() - 1]).unwrap();
    rustix::net::sockopt::set_socket_linger(&bad.socket, Some(Duration::ZERO)).unwrap();
    drop(bad);
    running.wait_for(0, "Connection reset by peer");
    assert_eq!(good.call(&["three"]), Some(OK));
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]).counts(0, "received", 2);
}

#[test]
fn slow_sender_holds_up_nobody_and_is_answered() {
    let running = sink("");
    let port = port(&running, 0);
    let (mut slow, mut fast) = (Caller::connect(port), Caller::connect(port));
    let request = slow.request(&super::batch(&["slow"]));
    for byte in request {
        slow.socket.write_all(&[byte]).unwrap();
        assert_eq!(fast.call(&["fast"]), Some(OK));
    }
    assert_eq!(slow.answer(), Some(OK));
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
}

#[test]
fn interrupt_ends_it_at_once_whatever_clients_have_sent_and_still_send() {
    let running = sink("");
    let port = port(&running, 0);
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut quiet: Vec<_> = (0..50).map(|_| connect()).collect();
    for (index, socket) in quiet.iter_mut().enumerate() {
        // Nothing, half a head, a pack of which most is missing, what is no Avro.
        let said: &[u8] = match index % 4 {
            0 => b"",
            1 => b"\0\0\0\x01\0\0",
            2 => b"\0\0\0\x01\0\0\0\x01\x02\0\0\0 and some",
            _ => &[0xa5; 3000],
        };
        socket.write_all(said).unwrap();
    }
    let mut endless = connect();
    let writer = std::thread::spawn(move || while endless.write_all(&[0; 1 << 16]).is_ok() {});
    running
        .wait_for(0, "the connection is closed")
        .wait_for_handlers(1);
    let since = Instant::now();
    running.kill_all(Signal::INT);
    running.wait().expect_status([0, 0]);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    writer.join().unwrap();
}

#[test]
fn rules_decide_who_may_connect() {
    let rules = "--ip-filter --ip-filter-rules 'deny:name:localhost,allow:ip:*'";
    let running = sink(rules);
    let mut caller = Caller::connect(port(&running, 0));
    assert_eq!(caller.call(&["one"]), None);
    running.wait_for(0, "ipFilterRules do not allow it to connect");
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]).counts(0, "received", 0);
    let running = sink(&rules.replace("deny:name:localhost", "allow:ip:127.0.0.?"));
    assert_eq!(Caller::connect(port(&running, 0)).call(&["one"]), Some(OK));
}

#[test]
fn calls_that_nobody_takes_are_not_acknowledged() {
    let running = Pipe::new("source avro --port 0")
        .then("channel file spool")
        .then_foreign("exec sleep 60")
        .start();
    let mut caller = Caller::connect(port(&running, 0));
    assert_eq!(caller.call(&["one"]), Some(OK));
    running.kill(1, Signal::KILL);
    // An answer or the end of the connection, but nothing that says that it was taken.
    let answer = caller.call(&["two"]);
    assert!(answer.is_none() || answer == Some(FAILED), "{answer:?}");
    running.kill(2, Signal::KILL);
    running.wait().expect_status([75, -9, -9]);
}

#[test]
fn calls_under_way_are_answered_when_the_source_stops() {
    let running = collector("").start();
    let port = port(&running, 0);
    let mut callers: Vec<_> = (0..20).map(|_| Caller::connect(port)).collect();
    for caller in &mut callers {
        assert_eq!(caller.call(&["first"]), Some(OK));
    }
    for caller in &mut callers {
        let requests: Vec<u8> = (0..5)
            .flat_map(|_| caller.request(&super::batch(&["more"])))
            .collect();
        caller.socket.write_all(&requests).unwrap();
    }
    running.kill(0, Signal::TERM);
    let taken = |caller: &mut Caller| {
        std::iter::from_fn(|| caller.answer())
            .filter(|it| *it == OK)
            .count()
    };
    let acknowledged: usize = callers.iter_mut().map(taken).sum();
    let ended = running.wait().expect_status([0, 0, 0]);
    let arrived = lines_of(&ended).iter().filter(|line| *line == "more").count();
    assert_eq!(arrived, acknowledged);
}

#[test]
fn five_thousand_idle_connections_take_less_than_100_mib() {
    const CONNECTIONS: usize = 5000;
    let crowd = Crowd::of(CONNECTIONS);
    if crowd.size < CONNECTIONS {
        return skipped("5,000 idle connections: the system gives a process fewer descriptors");
    }
    let running = sink("--max-connections 6000");
    let port = port(&running, 0);
    let began = Instant::now();
    let mut callers: Vec<_> = (0..CONNECTIONS).map(|_| Caller::connect(port)).collect();
    for caller in &mut callers {
        // All have shaken hands, and half of them have sent something.
        assert_eq!(caller.call(&[]), None);
    }
    let body = "x".repeat(200_000);
    for caller in callers.iter_mut().step_by(2) {
        assert_eq!(caller.call(&[&body]), Some(OK));
    }
    let memory = resident(&running, 0);
    let _ = writeln!(
        std::io::stderr(),
        "{CONNECTIONS} connections: {memory} bytes, {:?}",
        began.elapsed()
    );
    assert!(memory < 100 << 20, "{memory} bytes");
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
}
