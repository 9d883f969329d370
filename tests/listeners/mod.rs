//! What every listener must bear: many clients at full speed, and clients that say nothing, a byte at a time, nonsense
//! or too much, that vanish, or that come in thousands. Each is one function, which knows a listener only by its kind,
//! and a test for each kind; the figures stand on standard error.

pub mod crowd;
mod datagrams;
mod kinds;

use crate::crash::Random;
use crowd::Crowd;
use kinds::{Kind, Listener, Ready};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// A test of this fact for each of these listeners.
macro_rules! each {
    ($fact:ident: $($name:ident $kind:ident),+) => {
        mod $fact {
            $(
                #[test]
                fn $name() {
                    super::$fact(super::Kind::$kind);
                }
            )+
        }
    };
}

/// Print a figure.
fn figure(kind: Kind, what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{kind:?}: {what}");
}

each!(what_a_flood_was_acknowledged_arrives:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog, http Http, monitor Monitor);

/// Many clients send as fast as they can, and others only come and go.
fn what_a_flood_was_acknowledged_arrives(kind: Kind) {
    const CLIENTS: u32 = 16;
    let (rounds, events) = match kind {
        Kind::Monitor => (20, 1),
        _ => (20, 500),
    };
    let listener = Listener::start(kind, "");
    let began = Instant::now();
    let acknowledged = std::thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|_| {
            scope.spawn(|| {
                let mut client = listener.client();
                (0..rounds).map(|_| client.send(events)).sum::<u32>()
            })
        });
        let clients: Vec<_> = clients.collect();
        for _ in 0..1000 {
            drop(listener.connect());
        }
        let counts = clients.into_iter().map(|client| client.join().unwrap());
        counts.sum::<u32>()
    });
    let seconds = began.elapsed().as_secs_f64();
    figure(
        kind,
        format_args!(
            "a flood of {CLIENTS} clients: {acknowledged} acknowledged in {seconds:.2} s, {:.0} a second",
            f64::from(acknowledged) / seconds
        ),
    );
    assert_eq!(acknowledged, CLIENTS * rounds * events);
    if kind == Kind::Syslog {
        // Nobody has told its clients how far it is.
        let all = acknowledged.into();
        listener.running.wait_count(0, "EventReceivedCount", all);
    }
    let ended = listener.end();
    if kind != Kind::Monitor {
        ended.counts(1, "received", acknowledged.into());
    }
}

each!(byte_at_a_time_keeps_nobody_out:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog, http Http, monitor Monitor);

/// As many clients as may be connected write a byte now and then, and no message is ever whole.
fn byte_at_a_time_keeps_nobody_out(kind: Kind) {
    let (words, count) = match kind {
        // Who asks the monitor has seconds, and only a few may ask at a time.
        Kind::Monitor => ("", 300),
        _ => ("--max-connections 8 --idle-timeout 1s", 8),
    };
    let listener = Listener::start(kind, words);
    let slow: Vec<_> = (0..count).map(|_| listener.connect()).collect();
    let half = kind.half();
    let began = Instant::now();
    let dribbling = std::thread::spawn(move || dribble(slow, &half));
    listener.serves();
    figure(
        kind,
        format_args!(
            "{count} clients that send a byte now and then: another is served after {:.2} s",
            began.elapsed().as_secs_f64()
        ),
    );
    dribbling.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "they are not let go");
    listener.end();
}

/// Write a byte to each now and then, until the other side has hung up on all of them.
fn dribble(mut sockets: Vec<TcpStream>, bytes: &[u8]) {
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    for byte in bytes {
        sockets.retain_mut(|socket| {
            let is_open = socket
                .read(&mut [0; 100])
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            is_open && socket.write_all(&[*byte]).is_ok()
        });
        if sockets.is_empty() {
            return;
        }
        // That it comes slowly is what this is about.
        std::thread::sleep(Duration::from_millis(30));
    }
    panic!("{} slow clients are still connected", sockets.len());
}

each!(garbage_is_told_and_ends_nothing_else:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog, http Http, monitor Monitor);

fn garbage_is_told_and_ends_nothing_else(kind: Kind) {
    let listener = Listener::start(kind, "");
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let listener = &listener;
            scope.spawn(move || {
                let mut random = Random::seeded(seed);
                for number in 0..50 {
                    let mut socket = listener.connect();
                    // Some of it begins well.
                    let mut bytes = kind.half();
                    bytes.truncate(random.below(60) as usize * (number % 2));
                    bytes.extend((0..random.below(3000)).map(|_| random.below(256) as u8));
                    // It may be hung up on before all is written.
                    let _ = socket.write_all(&bytes);
                    let _ = socket.shutdown(std::net::Shutdown::Write);
                    let _ = socket.read_to_end(&mut Vec::new());
                }
                listener.serves();
            });
        }
    });
    if !matches!(kind, Kind::Monitor) {
        listener.running.wait_count(0, "EventReadFail", 1);
    }
    listener.end();
}

each!(endless_message_takes_no_memory:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog, http Http, monitor Monitor);

/// Twenty clients send a message that is larger than any may be, and go on.
fn endless_message_takes_no_memory(kind: Kind) {
    let words = match kind {
        Kind::Http => "--max-body 100KiB",
        _ => "",
    };
    let listener = Listener::start(kind, words);
    listener.serves();
    let before = listener.resident();
    let mut written = 0;
    for _ in 0..20 {
        let mut ready = listener.ready();
        let to: &mut dyn Write = match &mut ready {
            Ready::Plain(socket) => socket,
            Ready::Secured(stream) => stream,
        };
        let _ = to.write_all(&kind.endless());
        let block = [b'x'; 64 << 10];
        let mut left = 64;
        while left > 0 && to.write_all(&block).is_ok() {
            written += block.len();
            left -= 1;
        }
    }
    let more = listener.resident().saturating_sub(before);
    figure(
        kind,
        format_args!("20 endless messages: {written} bytes were written, and {more} are resident"),
    );
    assert!(more < 16 << 20, "{more} bytes more are resident");
    listener.serves();
    listener.end();
}

each!(peer_that_vanished_is_found:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog);

/// Nothing comes from its machine any more, not even a confirmation.
fn peer_that_vanished_is_found(kind: Kind) {
    let listener = Listener::start(kind, "--keep-alive 1s");
    let ready = listener.ready();
    make_deaf(ready.socket());
    let began = Instant::now();
    listener.running.wait_for(0, "timed out");
    let found = began.elapsed();
    figure(
        kind,
        format_args!(
            "a peer that vanished is found after {:.1} s, with --keep-alive 1s",
            found.as_secs_f64()
        ),
    );
    assert!(found > Duration::from_millis(900), "{found:?}");
    listener.serves();
    listener.end();
}

/// Have the system drop what comes for this socket, as if its machine had gone.
fn make_deaf(socket: &TcpStream) {
    let mut nothing = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: &raw mut nothing,
    };
    // SAFETY: the program and its one instruction live through the call, which copies them.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}

each!(silent_client_is_let_go:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog);

/// One that says nothing at all, one that has shaken hands, and one that was served.
fn silent_client_is_let_go(kind: Kind) {
    let listener = Listener::start(kind, "--idle-timeout 500ms");
    let began = Instant::now();
    let mut client = listener.client();
    assert_eq!(client.send(1), 1);
    let (silent, ready) = (listener.connect(), listener.ready());
    for mut socket in [&silent, ready.socket()] {
        // An alert may come before the end.
        let _ = socket.read_to_end(&mut Vec::new());
        assert!(began.elapsed() >= Duration::from_millis(500));
    }
    listener.running.wait_for(0, "--idle-timeout");
    if let kinds::Client::Lines(_, socket) = &mut client {
        assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    }
    drop(client);
    // One that comes again is served.
    listener.serves();
    listener.end();
}

each!(who_is_one_too_many_waits:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog, http Http);

fn who_is_one_too_many_waits(kind: Kind) {
    let listener = Listener::start(kind, "--max-connections 2");
    let (first, _second) = (listener.connect(), listener.connect());
    listener
        .running
        .wait_for(0, "2 connections are open (--max-connections)");
    std::thread::scope(|scope| {
        let third = scope.spawn(|| listener.serves());
        // It is connected, as far as the system is concerned, and nobody speaks with it.
        let mut fourth = listener.connect();
        fourth.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert!(fourth.read(&mut [0]).is_err());
        assert!(!third.is_finished());
        drop((fourth, first));
        third.join().unwrap();
    });
    listener.end();
}

each!(all_who_may_connect_have_descriptors:
    netcat Netcat, avro_tls AvroTls, stream_tls StreamTls);

/// A shell gives a process few, and a connection with TLS takes several.
fn all_who_may_connect_have_descriptors(kind: Kind) {
    let listener = Listener::start_behind(kind, "ulimit -S -n 200", "--max-connections 151");
    let held: Vec<_> = (0..150).map(|_| listener.ready()).collect();
    listener.serves();
    drop(held);
    let said = listener.end().stderr(0).to_string();
    assert!(!said.contains("cannot be accepted"), "{said}");
}

each!(ten_thousand_idle_connections_cost_little_and_hold_up_nobody:
    netcat Netcat, avro Avro, avro_tls AvroTls, stream Stream, stream_tls StreamTls, syslog Syslog, http Http, monitor Monitor);

fn ten_thousand_idle_connections_cost_little_and_hold_up_nobody(kind: Kind) {
    let (wanted, words, most) = match kind {
        // Two threads each, of which a process has 32,000 at most; and behind a handshake each.
        Kind::AvroTls | Kind::StreamTls => (2000, "--max-connections 12000", 128 << 10),
        Kind::Monitor => (10_000, "", 4 << 10),
        Kind::Http => (10_000, "--max-connections 12000", 16 << 10),
        _ => (10_000, "--max-connections 12000", 40 << 10),
    };
    let crowd = Crowd::of(wanted);
    let listener = Listener::start(kind, words);
    let before = listener.resident();
    let began = Instant::now();
    let held: Vec<_> = (0..crowd.size).map(|_| listener.ready()).collect();
    let connected = began.elapsed();
    listener.serves();
    let served = began.elapsed() - connected;
    let more = listener.resident().saturating_sub(before);
    let each = more / crowd.size as u64;
    figure(
        kind,
        format_args!(
            "{} idle connections after {:.2} s, {} MiB, {each} bytes each; another is served within {:.0} ms",
            crowd.size,
            connected.as_secs_f64(),
            more >> 20,
            served.as_secs_f64() * 1000.0
        ),
    );
    assert!(each < most, "{each} bytes for an idle connection");
    drop(held);
    listener.end();
}
