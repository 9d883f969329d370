//! Senders that are slow, many, silent or mad hold up nobody else.

use super::*;
use crate::listeners::crowd::resident;
use std::time::Duration;

#[test]
fn message_without_an_end_takes_no_more_memory_than_a_message_may_have() {
    let running = collect("syslog --port 0 --tcp");
    let number = port(&running, "tcp");
    let mut client = TcpStream::connect(("127.0.0.1", number)).unwrap();
    client.write_all(b"<13>").unwrap();
    let mebibytes = 64;
    for _ in 0..mebibytes {
        client.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    drop(client);
    send_tcp(number, b"<13>another\n");
    let pieces = (mebibytes << 20) / (64 << 10) + 1;
    running.wait_count(0, "EventReceivedCount", pieces + 1);
    let memory = resident(&running, 0);
    let (lines, _) = lines_of(running, pieces + 1);
    assert!(memory < 64 << 20, "{memory} bytes are resident");
    assert!(lines.iter().any(|line| line.ends_with("} another")));
    let marked = lines.iter().filter(|line| line.contains("status=Incomplete"));
    assert_eq!(marked.count() as u64, pieces);
}

#[test]
fn slow_and_silent_senders_hold_up_nobody() {
    let running = collect("syslog --port 0 --tcp");
    let number = port(&running, "tcp");
    let mut slow: Vec<TcpStream> = (0..500)
        .map(|_| TcpStream::connect(("127.0.0.1", number)).unwrap())
        .collect();
    for client in &mut slow {
        client.write_all(b"<13>ha").unwrap();
    }
    send_tcp(number, b"<13>quick\n");
    running.wait_count(0, "EventReceivedCount", 1);
    for client in &mut slow {
        client.write_all(b"lf\n").unwrap();
    }
    let (lines, _) = lines_of(running, 501);
    assert_eq!(lines[0].split_once("} ").unwrap().1, "quick");
    assert_eq!(lines.iter().filter(|line| line.ends_with("} half")).count(), 500);
}

#[test]
fn sender_waits_while_nothing_can_be_handed_on() {
    // The sink holds everything up: it is stopped.
    let running = collect("syslog --port 0 --tcp");
    let number = port(&running, "tcp");
    running.kill(1, Signal::STOP);
    let mut client = TcpStream::connect(("127.0.0.1", number)).unwrap();
    client
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let line = format!("<13>{}\n", "x".repeat(251));
    let block = line.repeat(1024);
    let mut sent = 0;
    let error = loop {
        match client.write(&block.as_bytes()[sent % line.len()..]) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
        assert!(sent < 1 << 30, "a gibibyte was taken in");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(resident(&running, 0) < 64 << 20);
    running.kill(1, Signal::CONT);
    client.set_write_timeout(None).unwrap();
    client.write_all(&line.as_bytes()[sent % line.len()..]).unwrap();
    drop(client);
    let all = (sent / line.len() + 1) as u64;
    let (lines, _) = lines_of(running, all);
    assert_eq!(lines.len() as u64, all);
    assert!(lines.iter().all(|line| !line.contains("status=")));
}

#[test]
fn garbage_from_many_at_once_loses_no_good_message() {
    let running = collect("syslog --port 0");
    let (tcp, udp) = (port(&running, "tcp"), port(&running, "udp"));
    let threads = (0..8u64).map(|seed| {
        std::thread::spawn(move || {
            let mut random = crate::crash::Random::seeded(seed);
            for number in 0..50 {
                let garbage: Vec<u8> = (0..random.below(3000)).map(|_| random.below(256) as u8).collect();
                send_udp(udp, &garbage);
                let mut client = TcpStream::connect(("127.0.0.1", tcp)).unwrap();
                client.write_all(&garbage).unwrap();
                // Behind it on the same connection, whatever the garbage says how long it is.
                client
                    .write_all(format!("\n<13>- good {seed}/{number}\n").as_bytes())
                    .unwrap();
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    running.wait_for(0, "is no syslog");
    running.kill(0, Signal::TERM);
    let ended = running.wait().expect_status([0, 0]);
    let mut text = Vec::new();
    for entry in std::fs::read_dir(ended.path("out")).unwrap().flatten() {
        text.extend(std::fs::read(entry.path()).unwrap());
    }
    let text = String::from_utf8_lossy(&text);
    for (seed, number) in (0..8).flat_map(|seed| (0..50).map(move |number| (seed, number))) {
        assert!(
            text.contains(&format!("good {seed}/{number}\n")),
            "{seed}/{number} is missing"
        );
    }
}
