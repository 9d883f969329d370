//! A source that is killed under load. Nobody answers a sender of syslog, so what it had got rid of and what was in no
//! channel yet is lost; but all that came before that is there, whole and in its order, and it is no more than fits into
//! the sockets and the window of unaccepted batches.

use super::*;
use crate::shell::output_of;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Kills.
const ROUNDS: u64 = 8;
/// Bytes of a message with its end.
const LINE: usize = 256;
/// Bytes that may be lost at most: of the sockets, of what was read, of the window.
const MOST: usize = 24 << 20;

fn message(number: u64) -> String {
    let text = format!("<13>1 2003-10-11T22:14:15Z host app - - - {number:012} ");
    format!("{text}{:x<width$}\n", "", width = LINE - 1 - text.len())
}

/// Send numbered messages from this one on until the connection breaks: how many were got rid of.
fn send_until_killed(port: u16, first: u64, running: &Running, after: Duration) -> u64 {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let block: String = (0..400).map(|number| message(first + number)).collect();
    let (mut sent, mut number, mut block) = (0, first + 400, block.into_bytes());
    let start = Instant::now();
    let mut is_killed = false;
    loop {
        if !is_killed && start.elapsed() >= after && sent > 0 {
            running.kill(0, Signal::KILL);
            is_killed = true;
        }
        match client.write(&block) {
            Ok(count) => {
                sent += count;
                block.drain(..count);
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
                    "{error}"
                );
                return (sent / LINE) as u64;
            }
        }
        while block.len() < 100 * LINE {
            block.extend(message(number).bytes());
            number += 1;
        }
    }
}

/// The numbers that are in the channel.
fn found(directory: &TempDir) -> Vec<u64> {
    let text = output_of("flume cat spool", directory.path(), &[]);
    text.lines()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn source_that_is_killed_loses_only_what_was_on_its_way() {
    let directory = tempfile::tempdir().unwrap();
    let (mut first, mut most) = (0, 0);
    let mut ranges = Vec::new();
    for round in 0..ROUNDS {
        let running = Pipe::new("run 'source syslog --port 0 --tcp | channel file spool --put'")
            .dir(directory.path())
            .start();
        let number = port(&running, "tcp");
        let sent = send_until_killed(number, first, &running, Duration::from_millis(20 + 30 * round));
        running.wait();
        ranges.push((first, sent));
        // The next round begins somewhere else, so that it is known what came in which.
        first += sent + 1_000_000;
    }
    let found = found(&directory);
    let all: BTreeSet<u64> = found.iter().copied().collect();
    assert_eq!(all.len(), found.len(), "something came twice");
    let mut came = 0;
    for (first, sent) in &ranges {
        let numbers: Vec<u64> = all.range(first..&(first + sent)).copied().collect();
        let is_without_gap = numbers
            .iter()
            .zip(*first..)
            .all(|(number, expected)| *number == expected);
        assert!(
            is_without_gap,
            "of {sent} from {first} something in the middle is missing"
        );
        came += numbers.len();
        most = most.max((*sent as usize - numbers.len()) * LINE);
    }
    assert_eq!(came, found.len(), "there is something that nobody sent");
    assert!(most <= MOST, "{most} bytes were lost in one kill");
    assert!(came > 0, "nothing came at all");
}

#[test]
fn source_that_is_stopped_loses_nothing_of_what_it_has_received() {
    let directory = tempfile::tempdir().unwrap();
    let running = Pipe::new("run 'source syslog --port 0 --tcp | channel file spool --put'")
        .dir(directory.path())
        .start();
    let number = port(&running, "tcp");
    let mut client = TcpStream::connect(("127.0.0.1", number)).unwrap();
    let count = 20_000;
    for number in 0..count {
        client.write_all(message(number).as_bytes()).unwrap();
    }
    // It is connected, since more was taken than fits into the sockets.
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0]);
    let found = found(&directory);
    assert!(found.iter().zip(0..).all(|(found, expected)| *found == expected));
    assert_eq!(found.len() as u64, count);
}
