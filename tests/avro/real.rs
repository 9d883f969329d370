//! The real Flume 1.11 sends: the client of its SDK and an agent's avro sink. Each event arrives once, and when
//! something is killed, what was acknowledged arrives.

use super::{collector, ledger, lines_of, port};
use crate::pipe::{Ended, Pipe, Running};
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

pub fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers/flume")
        .join(name)
}

/// The launchers can run; where they cannot, that is said.
pub fn is_there() -> bool {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| {
        let output = Command::new(peer("client")).arg("--prepare").output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    });
    if let Err(why) = prepared {
        skipped(&format!("the real Flume as a client: {why}"));
    }
    prepared.is_ok()
}

/// The client with these options, in the directory of the pipeline that takes what it sends.
fn client(taker: &Running, options: &str) -> Pipe {
    client_of("1.11.0", taker, options)
}

fn client_of(version: &str, taker: &Running, options: &str) -> Pipe {
    let program = peer("client");
    // Of two ledgers the last counts.
    Pipe::foreign(&format!("exec {} --ledger ledger {options}", program.display()))
        .env("FLUME_PEER_VERSION", version)
        .dir(&taker.path(""))
        .patience(Duration::from_secs(120))
}

fn stopped(taker: Running) -> Ended {
    taker.kill(0, Signal::TERM);
    taker.wait().expect_status([0, 0, 0])
}

/// What the client sends with these options arrives, each event once.
fn check(source: &str, options: &str, events: u64) {
    check_with("1.11.0", source, options, events);
}

fn check_with(version: &str, source: &str, options: &str, events: u64) {
    if !is_there() {
        return;
    }
    let taker = collector(source).start();
    let hosts = format!("--hosts 127.0.0.1:{}", port(&taker, 0));
    client_of(version, &taker, &format!("{hosts} --events {events} {options}"))
        .run()
        .expect_status([0]);
    let ended = stopped(taker).counts(0, "accepted", events);
    let acknowledged = ledger(&ended.path("ledger"));
    assert_eq!(acknowledged.len() as u64, events);
    assert_eq!(lines_of(&ended), acknowledged);
}

#[test]
fn batches_of_the_default_client_arrive_once() {
    check("", "--batch 500 --size 256 --headers 3", 20_000);
}

#[test]
fn single_events_of_the_default_client_arrive_once() {
    check("", "--batch 1 --headers 0", 300);
}

#[test]
fn events_larger_than_the_buffers_of_java_arrive_once() {
    check("", "--batch 20 --size 20000", 400);
}

#[test]
fn deflated_batches_arrive_once_at_the_ends_of_its_levels() {
    for level in [1, 9] {
        let properties = "--property compression-type=deflate --property compression-level";
        check(
            "--compression-type deflate",
            &format!("--batch 200 --size 100 {properties}={level}"),
            5000,
        );
    }
}

#[test]
fn clients_of_both_generations_arrive_by_tls_and_with_deflate_outside_or_inside() {
    if !is_there() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let keys =
        "keytool -genkeypair -keystore keys.p12 -storetype PKCS12 -storepass changeit -alias a -keyalg RSA \
                  -dname CN=localhost
                keytool -exportcert -rfc -keystore keys.p12 -storepass changeit -alias a > ca.pem
                keytool -importcert -noprompt -file ca.pem -keystore trust.p12 -storetype PKCS12 \
                  -storepass changeit -alias a
                printf changeit > password";
    crate::shell::output_of(keys, directory.path(), &[]);
    let at = directory.path().display();
    let source = format!("--ssl --keystore {at}/keys.p12 --keystore-password file:{at}/password");
    let options = format!(
        "--batch 100 --size 200 --property ssl=true --property truststore={at}/trust.p12 \
         --property truststore-password=changeit --property truststore-type=PKCS12"
    );
    for version in ["1.9.0", "1.11.0"] {
        check_with(version, &source, &options, 3000);
        check_with(
            version,
            &format!("{source} --compression-type deflate"),
            &format!("{options} --property compression-type=deflate"),
            3000,
        );
    }
}

#[test]
fn sides_that_differ_in_compression_are_told() {
    if !is_there() {
        return;
    }
    for (source, property, said) in [
        (
            "",
            "--property compression-type=deflate",
            "compression-type is none here",
        ),
        (
            "--compression-type deflate",
            "",
            "compression-type is deflate here",
        ),
    ] {
        let taker = collector(source).start();
        let hosts = format!(
            "--hosts 127.0.0.1:{} --property request-timeout=2000",
            port(&taker, 0)
        );
        client(&taker, &format!("{hosts} {property}"))
            .run()
            .expect_status([1]);
        taker.wait_for(0, said);
        stopped(taker).counts(0, "accepted", 0);
    }
}

#[test]
fn agents_avro_sink_delivers_each_event_once() {
    if !is_there() {
        return;
    }
    let taker = collector("").start();
    let configuration = format!(
        "a.sources = s\na.channels = c\na.sinks = k\n\
         a.sources.s.type = seq\na.sources.s.totalEvents = 20000\na.sources.s.batchSize = 100\n\
         a.sources.s.channels = c\n\
         a.channels.c.type = memory\na.channels.c.capacity = 10000\na.channels.c.transactionCapacity = 1000\n\
         a.sinks.k.type = avro\na.sinks.k.hostname = 127.0.0.1\na.sinks.k.port = {}\n\
         a.sinks.k.batch-size = 200\na.sinks.k.channel = c\n",
        port(&taker, 0)
    );
    let agent = format!("exec {} --name a --conf-file a.conf", peer("agent").display());
    let agent = Pipe::foreign(&agent)
        .file("a.conf", configuration)
        .patience(Duration::from_secs(120))
        .start();
    taker.wait_count(0, "EventAcceptedCount", 20_000);
    agent.kill(0, Signal::TERM);
    agent.wait();
    let ended = stopped(taker).counts(0, "accepted", 20_000);
    let mut numbers: Vec<u32> = lines_of(&ended)
        .iter()
        .map(|line| line.parse().unwrap())
        .collect();
    numbers.sort();
    assert_eq!(numbers, (0..20_000).collect::<Vec<_>>());
}

#[test]
fn balanced_client_sends_each_event_once_to_one_of_two() {
    if !is_there() {
        return;
    }
    let takers = [collector("").start(), collector("").start()];
    let hosts = takers
        .each_ref()
        .map(|taker| format!("127.0.0.1:{}", port(taker, 0)));
    let options = format!(
        "--type default_loadbalance --events 4000 --batch 50 --hosts {}",
        hosts.join(",")
    );
    client(&takers[0], &options).run().expect_status([0]);
    let ended = takers.map(stopped);
    let shares = ended.each_ref().map(lines_of);
    assert!(shares.iter().all(|share| !share.is_empty()), "one has everything");
    let mut arrived = shares.concat();
    arrived.sort();
    assert_eq!(arrived, ledger(&ended[0].path("ledger")));
}

#[test]
fn nothing_acknowledged_is_lost_when_one_of_two_sources_is_killed() {
    if !is_there() {
        return;
    }
    let takers = [collector("").start(), collector("").start()];
    let hosts = takers
        .each_ref()
        .map(|taker| format!("127.0.0.1:{}", port(taker, 0)));
    let options = format!(
        "--type default_failover --retry 200 --events 20000 --batch 50 --hosts {}",
        hosts.join(",")
    );
    let client = client(&takers[1], &options).start();
    takers[0].wait_count(0, "EventAcceptedCount", 500);
    takers[0].kill(0, Signal::KILL);
    client.wait().expect_status([0]);
    let [first, second] = takers;
    // The stages behind the dead one deliver what came.
    let mut arrived = lines_of(&first.wait());
    let second = stopped(second);
    arrived.extend(lines_of(&second));
    arrived.sort();
    arrived.dedup();
    let acknowledged = ledger(&second.path("ledger"));
    assert_eq!(acknowledged.len(), 20_000);
    assert_eq!(arrived, acknowledged);
}

#[test]
fn nothing_acknowledged_is_lost_when_all_stages_are_killed_and_started_again() {
    if !is_there() {
        return;
    }
    let taker = collector("").start();
    let port = port(&taker, 0);
    let directory = tempfile::tempdir().unwrap();
    let options = format!(
        "--hosts 127.0.0.1:{port} --retry 200 --events 30000 --batch 50 --ledger {}",
        directory.path().join("ledger").display()
    );
    let client = client(&taker, &options).start();
    taker.wait_count(0, "EventAcceptedCount", 500);
    taker.kill_all(Signal::KILL);
    let dead = taker.wait().expect_status([-9, -9, -9]);
    // On the same port, behind the same channel.
    let again = Pipe::new(&format!("source avro --port {port} --summary json"))
        .then("channel file spool")
        .then("sink file_roll --directory out")
        .dir(&dead.path(""))
        .start();
    client.wait().expect_status([0]);
    let ended = stopped(again);
    let mut arrived = lines_of(&ended);
    arrived.dedup();
    let acknowledged = ledger(&directory.path().join("ledger"));
    assert_eq!(acknowledged.len(), 30_000);
    assert_eq!(arrived, acknowledged);
}
