//! Several servers: batches are shared out, or go to all.

use super::{all_once, collector, end, lines};
use crate::pipe::{Pipe, Running};
use crate::shell::output_of;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Two collectors with directories of their own, which listen on the sockets `one` and `two` above them.
fn two_collectors(at: &Path, words: [&str; 2]) -> [Running; 2] {
    let mut words = words.into_iter();
    ["a", "b"].map(|name| {
        std::fs::create_dir(at.join(name)).unwrap();
        let started = collector(&at.join(name), words.next().unwrap());
        started.address(0);
        started
    })
}

const ONE_AND_TWO: [&str; 2] = ["--listen unix:../one", "--listen unix:../two"];

/// A client of both that sends so many lines.
fn client_of_both(at: &Path, count: u64, words: &str) -> Running {
    Pipe::new("source stdin --batch-size 20")
        .dir(at)
        .input(lines(0, count))
        .then(&format!("sink stream {words} --summary json"))
        .patience(Duration::from_secs(120))
        .start()
}

/// How often each number came to the two together.
fn together(at: &Path, count: u64) -> [BTreeMap<u64, u64>; 2] {
    let both = ["a", "b"].map(|name| {
        let text = output_of("flume cat spool", &at.join(name), &[]);
        let mut counts = BTreeMap::new();
        text.lines()
            .for_each(|line| *counts.entry(line.parse().unwrap()).or_insert(0) += 1);
        counts
    });
    let lost = (0..count).filter(|number| both.iter().all(|counts| !counts.contains_key(number)));
    assert_eq!(lost.count(), 0, "of {count}");
    both
}

#[test]
fn several_servers_share_the_batches_in_turn() {
    for mode in ["round-robin", "least-loaded"] {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let collectors = two_collectors(at, ONE_AND_TWO);
        client_of_both(at, 20_000, &format!("unix:./one unix:./two --mode {mode}"))
            .wait()
            .expect_status([0, 0])
            .counts(1, "accepted", 20_000);
        for collector in collectors {
            end(collector);
        }
        let [a, b] = together(at, 20_000);
        assert_eq!(a.len() + b.len(), 20_000, "{mode}");
        assert!(
            a.len().min(b.len()) > 2_000,
            "{mode}: {} and {}",
            a.len(),
            b.len()
        );
    }
}

#[test]
fn every_server_of_a_fan_out_gets_everything() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let collectors = two_collectors(at, ONE_AND_TWO);
    client_of_both(at, 20_000, "unix:./one unix:./two --mode fan-out")
        .wait()
        .expect_status([0, 0])
        .counts(1, "accepted", 20_000);
    for collector in collectors {
        end(collector);
    }
    for name in ["a", "b"] {
        all_once(&at.join(name), 0, 20_000);
    }
}

#[test]
fn what_a_killed_server_had_goes_to_another() {
    for mode in ["failover", "round-robin"] {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let [one, two] = two_collectors(at, ONE_AND_TWO);
        let (reader, mut writer) = std::io::pipe().unwrap();
        let client = Pipe::new("source stdin --batch-size 20")
            .dir(at)
            .input_from(reader)
            .then(&format!(
                "sink stream unix:./one unix:./two --mode {mode} --summary json"
            ))
            .patience(Duration::from_secs(120))
            .start();
        writer.write_all(&lines(0, 50_000)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while output_of("flume cat -n 1 spool", &at.join("a"), &[]).is_empty() {
            assert!(Instant::now() < deadline, "the first server gets nothing");
        }
        one.kill(0, Signal::KILL);
        one.wait();
        writer.write_all(&lines(50_000, 100_000)).unwrap();
        drop(writer);
        client.wait().expect_status([0, 0]).counts(1, "accepted", 100_000);
        end(two);
        let [a, b] = together(at, 100_000);
        assert!(!a.is_empty() && !b.is_empty(), "{mode}");
        assert!(b.values().all(|count| *count == 1), "{mode}");
    }
}

#[test]
fn members_of_a_group_need_not_name_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let groups = format!(
        "logs.mode = round-robin\nlogs.servers = a b\nlogs.servers.a = unix:{0}/one\nlogs.servers.b = unix:{0}/two\n",
        at.display()
    );
    std::fs::write(at.join("groups"), groups).unwrap();
    let server = "--group logs --groups-file ../groups";
    let collectors = two_collectors(at, [server, server]);
    assert_ne!(collectors[0].address(0), collectors[1].address(0));
    client_of_both(at, 10_000, "--group logs --groups-file groups")
        .wait()
        .expect_status([0, 0])
        .counts(1, "accepted", 10_000);
    Pipe::new("send --group logs --groups-file groups --batch-size 20 --ledger ledger --summary json")
        .dir(at)
        .input(lines(10_000, 20_000))
        .run()
        .expect_status([0])
        .counts(0, "accepted", 10_000);
    assert_eq!(
        std::fs::read_to_string(at.join("ledger"))
            .unwrap()
            .lines()
            .count(),
        500
    );
    Pipe::new("source stream --group logs --groups-file groups")
        .dir(at)
        .then("sink null")
        .run()
        .expect_status([1, 1])
        .says(0, ["none of the group's addresses can be listened on here"]);
    Pipe::new("sink stream --group metrics --groups-file groups")
        .dir(at)
        .input(lines(0, 1))
        .run()
        .expect_status([2])
        .says(0, ["there is no group \"metrics\"; there are: logs"]);
    for collector in collectors {
        end(collector);
    }
    let [a, b] = together(at, 20_000);
    assert!(a.len().min(b.len()) > 2_000, "{} and {}", a.len(), b.len());
}
