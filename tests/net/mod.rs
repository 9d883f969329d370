//! Streams between machines: over TLS, with a token, through connections that break and ends that are killed, to
//! several servers. A ledger says what was sent: nothing is lost, and where a server remembers nothing comes twice.

mod broken;
#[path = "../../src/tls/testing.rs"]
#[allow(dead_code)] // The tests of the library use more of it.
pub mod certificates;
mod several;

use crate::pipe::{Ended, Pipe, Running};
use crate::shell::{bash, output_of};
use certificates::Authority;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Lines from the first number up to and without the last.
fn lines(from: u64, to: u64) -> Vec<u8> {
    (from..to)
        .map(|number| format!("{number:09}\n"))
        .collect::<String>()
        .into()
}

/// A collector that puts what it takes into the channel `spool` there.
fn collector(directory: &Path, words: &str) -> Running {
    Pipe::new(&format!("run 'source stream {words} | channel file spool --put'"))
        .dir(directory)
        .patience(Duration::from_secs(120))
        .start()
}

/// Stop it, and see that it ends well.
#[track_caller]
fn end(collector: Running) -> Ended {
    collector.kill(0, Signal::TERM);
    collector.wait().expect_status([0])
}

/// How often each number came, and that there is none but these.
#[track_caller]
fn counts(directory: &Path, from: u64, to: u64) -> BTreeMap<u64, u64> {
    let text = output_of("flume cat spool", directory, &[]);
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        *counts.entry(line.parse().unwrap()).or_insert(0) += 1;
    }
    let lost = (from..to).filter(|number| !counts.contains_key(number)).count();
    assert_eq!(lost, 0, "of {} numbers", to - from);
    assert_eq!(counts.len() as u64, to - from);
    counts
}

/// Every number came, and none of them twice.
#[track_caller]
fn all_once(directory: &Path, from: u64, to: u64) {
    let twice = counts(directory, from, to)
        .values()
        .filter(|count| **count > 1)
        .count();
    assert_eq!(twice, 0, "of {} numbers", to - from);
}

/// A directory with an authority and certificates of a server and a client.
fn certified() -> (TempDir, Authority) {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path(), "ca");
    authority.sign("server");
    authority.sign("client");
    (directory, authority)
}

const SERVER: &str = "--listen tls:127.0.0.1:0 --tls-cert server.cert --tls-key server.key";
/// Wait until the channel has more events than now.
fn wait_until_more(at: &Path) {
    let count = || {
        let output = bash("flume channel file spool --status --json", at, &[]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let before = count();
    let deadline = Instant::now() + Duration::from_secs(10);
    while count() == before && Instant::now() < deadline {}
}

#[test]
fn stream_over_tls_with_compression_arrives() {
    let (directory, _) = certified();
    let collector = collector(directory.path(), SERVER);
    let address = collector.address(0);
    assert!(address.starts_with("tls:127.0.0.1:"), "{address}");
    for (compression, from) in [("none", 0), ("lz4", 10_000), ("zstd", 20_000)] {
        Pipe::new("source stdin")
            .dir(directory.path())
            .input(lines(from, from + 10_000))
            .then(&format!(
                "sink stream {address} --tls-ca ca.pem --compression {compression} --summary json"
            ))
            .run()
            .expect_status([0, 0])
            .counts(1, "accepted", 10_000);
    }
    Pipe::new(&format!("send {address} --tls-ca ca.pem"))
        .dir(directory.path())
        .input(lines(30_000, 40_000))
        .run()
        .expect_status([0]);
    // Each stream had its end, though its client had nothing more to wait for.
    let said = end(collector).stderr(0).to_string();
    assert!(!said.contains("WARN"), "{said}");
    all_once(directory.path(), 0, 40_000);
}

/// A client that must not succeed, with what it says.
#[track_caller]
fn fails(directory: &Path, words: &str, says: &'static str) {
    Pipe::new(&format!("send --retry-for 300ms {words}"))
        .dir(directory)
        .input("x\n")
        .run()
        .expect_status([75])
        .says(0, [says]);
}

#[test]
fn who_is_not_trusted_is_named_and_costs_only_its_own_connection() {
    let (directory, authority) = certified();
    let other = Authority::new(directory.path(), "other");
    other.sign("stranger");
    authority.sign_until("expired", 2020);
    let at = directory.path();
    let collector = collector(at, &format!("{SERVER} --tls-ca ca.pem"));
    let address = collector.address(0);
    let own = "--tls-ca ca.pem --tls-cert client.cert --tls-key client.key";
    fails(
        at,
        &format!("{address} --tls-ca ca.pem"),
        "wants a certificate from this one",
    );
    collector.wait_for(
        0,
        "showed no certificate, and this one wants one; the connection is closed",
    );
    let strange = "--tls-ca ca.pem --tls-cert stranger.cert --tls-key stranger.key";
    fails(
        at,
        &format!("{address} {strange}"),
        "does not know who has signed it",
    );
    let expired = "--tls-ca ca.pem --tls-cert expired.cert --tls-key expired.key";
    fails(at, &format!("{address} {expired}"), "it has expired");
    fails(
        at,
        &format!("{address} --tls-ca other.pem"),
        "no certificate authority that is known here",
    );
    fails(
        at,
        &format!("{address} {own} --tls-name elsewhere"),
        "does not bear the name",
    );
    fails(at, &address.replace("tls:", "tcp:"), "this is TLS");
    collector.wait_for(0, "speaks no TLS, it sent \"FLM1");
    Pipe::new(&format!("send {address} {own}"))
        .dir(at)
        .input(lines(0, 1000))
        .run()
        .expect_status([0]);
    end(collector);
    all_once(at, 0, 1000);
}

#[test]
fn tls_on_a_plain_port_is_named_on_both_sides() {
    let (directory, _) = certified();
    let collector = collector(directory.path(), "--listen tcp:127.0.0.1:0");
    let address = collector.address(0);
    let tls = address.replace("tcp:", "tls:");
    fails(
        directory.path(),
        &format!("{tls} --tls-ca ca.pem"),
        "is it a plain port",
    );
    collector.wait_for(
        0,
        "this is TLS, so that one side has a tcp: address and the other tls:",
    );
    Pipe::new(&format!("send {address}"))
        .input(lines(0, 10))
        .run()
        .expect_status([0]);
    end(collector);
}

#[test]
fn certificate_that_is_replaced_is_used_without_a_restart() {
    let (directory, _) = certified();
    let at = directory.path();
    let collector = collector(at, SERVER);
    let address = collector.address(0);
    let other = Authority::new(at, "other");
    fails(
        at,
        &format!("{address} --tls-ca other.pem"),
        "no certificate authority that is known here",
    );
    other.sign("server");
    // It looks once a second, and the client tries again meanwhile.
    Pipe::new(&format!("send {address} --tls-ca other.pem"))
        .dir(at)
        .input(lines(0, 10))
        .run()
        .expect_status([0]);
    collector.wait_for(0, "certificates have changed: new connections use the new ones");
    std::fs::write(at.join("server.cert"), "nonsense").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !collector
        .said(0)
        .contains("cannot be used, the old ones stay in use")
    {
        assert!(Instant::now() < deadline, "{}", collector.said(0));
        Pipe::new(&format!("send {address} --tls-ca other.pem"))
            .dir(at)
            .input("")
            .run();
        Pipe::new(&format!("send {address} --tls-ca other.pem"))
            .dir(at)
            .input("x\n")
            .run()
            .expect_status([0]);
    }
    end(collector);
}

#[test]
fn client_without_the_token_is_turned_away() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("token"), "open sesame\n").unwrap();
    std::fs::write(at.join("wrong"), "open barley\n").unwrap();
    let collector = collector(at, "--listen unix:./s --token-file token");
    collector.address(0);
    fails(
        at,
        "unix:./s",
        "it shows no token, and this server wants one (--token-file)",
    );
    fails(at, "unix:./s --token-file wrong", "its token is wrong");
    collector.wait_for(0, "send is not let in: its token is wrong");
    Pipe::new("send unix:./s --token-file token")
        .dir(at)
        .input(lines(0, 100))
        .run()
        .expect_status([0]);
    assert!(!end(collector).stderr(0).contains("sesame"));
    all_once(at, 0, 100);
    Pipe::new("send unix:./s --token-file nowhere")
        .dir(at)
        .input("x\n")
        .run()
        .expect_status([2])
        .says(0, ["nowhere cannot be read"]);
}
