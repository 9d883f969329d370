//! The sending side: `flume send` and `sink avro`, to our own collectors and to the real Apache Flume.

use crate::crash::Random;
use crate::pipe::{Pipe, Running};
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The launcher of the real Flume.
const AGENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/flume/agent");
/// How long a test with a Java machine may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Numbered lines.
fn lines(count: u64) -> String {
    (1..=count).fold(String::new(), |mut text, number| {
        writeln!(text, "{number}").unwrap();
        text
    })
}

/// The events that a ledger says to be acknowledged. They are numbered as the lines are.
fn acknowledged(path: &Path) -> BTreeSet<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be half written while somebody still writes.
    let entries = text
        .lines()
        .filter_map(|line| serde_json::from_str::<flume::client::Entry>(line).ok());
    entries.flat_map(|entry| entry.first..=entry.last).collect()
}

/// The numbers in the files of a directory, in their order there.
fn numbers_in(directory: &Path) -> Vec<u64> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    let texts = files.iter().map(|path| std::fs::read_to_string(path).unwrap());
    texts
        .flat_map(|text| {
            text.lines()
                .map(|line| line.parse().unwrap_or(0))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        // A file of somebody else has no event that could be awaited.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Nothing that the ledger says is missing.
fn nothing_lost(ledger: &Path, found: &BTreeSet<u64>) {
    let lost: Vec<_> = acknowledged(ledger).difference(found).copied().collect();
    assert!(
        lost.is_empty(),
        "{} acknowledged events are lost, first {:?}",
        lost.len(),
        lost.first()
    );
}

/// A collector at a socket in this directory, with a file channel of its own.
fn collector(directory: &Path, name: &str) -> Running {
    let words = format!("source stream unix:./{name}.sock");
    let running = Pipe::new(&words)
        .then(&format!("channel file {name} --put"))
        .dir(directory)
        .start();
    running.wait_for(0, "listening on");
    running
}

fn numbers_in_channel(directory: &Path, name: &str) -> Vec<u64> {
    let ended = Pipe::new(&format!("cat {name}"))
        .dir(directory)
        .run()
        .expect_status([0]);
    let text = String::from_utf8(ended.stdout().to_vec()).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn sending_goes_on_with_the_next_address_when_a_collector_is_killed() {
    const LINES: u64 = 200_000;
    let mut random = Random::seeded(u64::from(std::process::id()));
    for _ in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let (first, second) = (collector(at, "one"), collector(at, "two"));
        std::fs::write(at.join("lines"), lines(LINES)).unwrap();
        let ledger = at.join("ledger");
        let sending = Pipe::new(
            "send unix:./one.sock unix:./two.sock lines --batch-size 100 --ledger ledger --summary json",
        )
        .dir(at)
        .start();
        let so_many = random.below(LINES / 2);
        wait_until("nothing is acknowledged", || {
            acknowledged(&ledger).len() as u64 >= so_many
        });
        first.kill_all(Signal::KILL);
        sending
            .wait()
            .expect_status([0])
            .counts(0, "accepted", LINES)
            .says(0, ["sending to unix:./two.sock"]);
        second.kill(0, Signal::TERM);
        second.wait().expect_status([0, 0]);
        let mut found: BTreeSet<u64> = numbers_in_channel(at, "one").into_iter().collect();
        found.extend(numbers_in_channel(at, "two"));
        assert_eq!(acknowledged(&ledger).len() as u64, LINES);
        nothing_lost(&ledger, &found);
    }
}

#[test]
fn load_is_balanced_over_the_hosts_of_a_properties_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let collectors = ["one", "two"].map(|name| collector(at, name));
    let properties = "client.type = default_loadbalance\nhosts = a b\nhosts.a = unix:./one.sock\n\
                      hosts.b = unix:./two.sock\nbatch-size = 10\nhost-selector = ROUND_ROBIN\n";
    std::fs::write(at.join("client.properties"), properties).unwrap();
    Pipe::new("send --rpcProps client.properties")
        .dir(at)
        .input(lines(1000))
        .run()
        .expect_status([0])
        .expect_silence();
    for running in collectors {
        running.kill(0, Signal::TERM);
        running.wait().expect_status([0, 0]);
    }
    let found = ["one", "two"].map(|name| numbers_in_channel(at, name));
    assert_eq!(found[0].len() + found[1].len(), 1000);
    assert!(
        found.iter().all(|numbers| numbers.len() >= 100),
        "{} and {}",
        found[0].len(),
        found[1].len()
    );
    let all: BTreeSet<u64> = found.concat().into_iter().collect();
    assert_eq!(all.len(), 1000);
}

#[test]
fn balanced_load_of_a_killed_collector_goes_to_the_other() {
    const LINES: u64 = 200_000;
    let mut random = Random::seeded(u64::from(std::process::id()) + 1);
    for _ in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let (first, mut second) = (collector(at, "one"), collector(at, "two"));
        std::fs::write(at.join("lines"), lines(LINES)).unwrap();
        let ledger = at.join("ledger");
        let words = "send unix:./one.sock unix:./two.sock lines --host-selector random --batch-size 100 \
                     --ledger ledger --summary json";
        let sending = Pipe::new(words).dir(at).start();
        let mut wait_for = |part: u64| {
            let so_many = acknowledged(&ledger).len() as u64 + random.below(LINES / part);
            wait_until("nothing is acknowledged", || {
                acknowledged(&ledger).len() as u64 >= so_many.min(LINES)
            });
        };
        // One is killed and comes again, then the other is gone for good.
        wait_for(4);
        second.kill_all(Signal::KILL);
        second.wait();
        second = collector(at, "two");
        wait_for(4);
        first.kill_all(Signal::KILL);
        first.wait();
        sending.wait().expect_status([0]).counts(0, "accepted", LINES);
        second.kill(0, Signal::TERM);
        second.wait().expect_status([0, 0]);
        let mut found: BTreeSet<u64> = numbers_in_channel(at, "one").into_iter().collect();
        found.extend(numbers_in_channel(at, "two"));
        assert_eq!(acknowledged(&ledger).len() as u64, LINES);
        nothing_lost(&ledger, &found);
    }
}

#[test]
fn directory_is_sent_and_its_files_move_when_they_were_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let running = collector(at, "one");
    for (name, text) in [("a", "1\n2\n"), ("b", "3\n")] {
        std::fs::create_dir_all(at.join("inbox")).unwrap();
        std::fs::write(at.join("inbox").join(name), text).unwrap();
    }
    std::fs::create_dir(at.join("done")).unwrap();
    std::fs::write(at.join("headers"), "from = a file\n").unwrap();
    let words =
        "send unix:./one.sock --dirname inbox --move-to done -R headers --header by=hand --summary json";
    Pipe::new(words)
        .dir(at)
        .run()
        .expect_status([0])
        .counts(0, "accepted", 3);
    assert_eq!(std::fs::read_dir(at.join("inbox")).unwrap().count(), 0);
    assert_eq!(std::fs::read(at.join("done/a")).unwrap(), b"1\n2\n");
    // And as whole files, with their names.
    let words = "send unix:./one.sock done/a done/b --format file --basename-header basename";
    Pipe::new(words).dir(at).run().expect_status([0]);
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
    let ended = Pipe::new("cat --output json one")
        .dir(at)
        .run()
        .expect_status([0]);
    let text = String::from_utf8_lossy(ended.stdout());
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 5, "{text}");
    assert_eq!(
        (&events[0]["headers"]["from"], &events[2]["headers"]["by"]),
        (&"a file".into(), &"hand".into())
    );
    assert_eq!(
        (&events[3]["headers"]["basename"], &events[3]["body"]),
        (&"a".into(), &"1\n2\n".into())
    );
}

#[test]
fn nobody_at_the_address_is_temporary_and_input_stays_where_it_was() {
    use std::io::Seek;
    let free = free_port();
    for address in [
        format!("avro://127.0.0.1:{free}"),
        format!("tcp:127.0.0.1:{free}"),
    ] {
        let pipe = Pipe::new(&format!("send {address} --retry-for 300ms")).file("lines", lines(10));
        let mut file = std::fs::File::open(pipe.path("lines")).unwrap();
        let ended = pipe
            .input_from(file.try_clone().unwrap())
            .run()
            .expect_status([75]);
        assert!(ended.stderr(0).contains(&address), "{}", ended.told());
        assert_eq!(file.stream_position().unwrap(), 0);
    }
}

/// Our Avro source at this port, with a file channel of its own.
fn avro_collector(directory: &Path, port: u16) -> Running {
    let words = format!("source avro --bind 127.0.0.1 --port {port}");
    let running = Pipe::new(&words)
        .then("channel file av --put")
        .dir(directory)
        .start();
    running.wait_for(0, "listening on");
    running
}

#[test]
fn sink_and_source_keep_the_order_with_many_calls_under_way() {
    const LINES: u64 = 50_000;
    let directory = tempfile::tempdir().unwrap();
    let (at, port) = (directory.path(), free_port());
    let running = avro_collector(at, port);
    let sink = format!("sink avro --hostname 127.0.0.1 --port {port} --summary json");
    for size in [3, 250] {
        Pipe::new(&format!("source stdin --batch-size {size}"))
            .then(&sink)
            .input(lines(LINES))
            .run()
            .expect_status([0, 0])
            .counts(1, "accepted", LINES);
    }
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
    let twice: Vec<u64> = (1..=LINES).chain(1..=LINES).collect();
    assert!(numbers_in_channel(at, "av") == twice);
}

#[test]
fn our_source_may_be_killed_again_and_again_and_nothing_acknowledged_is_lost() {
    const LINES: u64 = 200_000;
    let directory = tempfile::tempdir().unwrap();
    let (at, port) = (directory.path(), free_port());
    let mut random = Random::seeded(u64::from(std::process::id()));
    std::fs::write(at.join("lines"), lines(LINES)).unwrap();
    let ledger = at.join("ledger");
    let mut running = avro_collector(at, port);
    let words = format!("send avro://127.0.0.1:{port} lines --ledger ledger --summary json");
    let sending = Pipe::new(&words).dir(at).patience(PATIENCE).start();
    for _ in 0..5 {
        let before = acknowledged(&ledger).len() as u64;
        let so_many = (before + 1 + random.below(LINES / 10)).min(LINES);
        wait_until("nothing more is acknowledged", || {
            acknowledged(&ledger).len() as u64 >= so_many
        });
        running.kill_all(Signal::KILL);
        running.wait();
        running = avro_collector(at, port);
    }
    sending.wait().expect_status([0]).counts(0, "accepted", LINES);
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0, 0]);
    let found: BTreeSet<u64> = numbers_in_channel(at, "av").into_iter().collect();
    assert_eq!(acknowledged(&ledger).len() as u64, LINES);
    nothing_lost(&ledger, &found);
}

/// A port that nobody has now. Flume cannot be asked which one it was given.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The real Flume can run here.
fn flume_is_here() -> bool {
    let prepared = Command::new(AGENT).arg("--prepare").output().unwrap();
    if !prepared.status.success() {
        let why = String::from_utf8_lossy(&prepared.stderr);
        skipped(&format!("the real Apache Flume: {}", why.trim()));
    }
    prepared.status.success()
}

/// Avro sources of a real agent, each with a channel and a file sink; sources whose name begins with z deflate.
fn configuration(directory: &Path, sources: &[(&str, u16)], channel: &str) -> String {
    let names: Vec<_> = sources.iter().map(|(name, _)| *name).collect();
    let mut text = ["sources", "channels", "sinks"]
        .map(|kind| format!("a1.{kind} = {}\n", names.join(" ")))
        .concat();
    for (name, port) in sources {
        let out = directory.join(name);
        std::fs::create_dir_all(&out).unwrap();
        let (out, store) = (
            out.display(),
            directory.join(format!("{name}.channel")).display().to_string(),
        );
        let compression = if name.starts_with('z') { "deflate" } else { "none" };
        write!(
            text,
            "a1.sources.{name}.type = avro\na1.sources.{name}.bind = 127.0.0.1\na1.sources.{name}.port = {port}\n\
             a1.sources.{name}.compression-type = {compression}\na1.sources.{name}.channels = {name}\n\
             a1.channels.{name}.type = {channel}\n\
             a1.sinks.{name}.type = file_roll\na1.sinks.{name}.sink.directory = {out}\n\
             a1.sinks.{name}.sink.rollInterval = 0\na1.sinks.{name}.channel = {name}\n"
        )
        .unwrap();
        if channel == "file" {
            let of_file = format!(
                "a1.channels.{name}.checkpointDir = {store}/checkpoint\na1.channels.{name}.dataDirs = {store}/data\n"
            );
            text.push_str(&of_file);
        } else {
            writeln!(text, "a1.channels.{name}.capacity = 100000").unwrap();
        }
    }
    text
}

fn start_agent(directory: &Path, sources: &[(&str, u16)]) -> Running {
    let pipe = Pipe::foreign(&format!("exec {AGENT} --name a1 --conf-file a1.conf")).dir(directory);
    let running = pipe.patience(PATIENCE).start();
    for (name, _) in sources {
        running.wait_for(0, &format!("Avro source {name} started"));
    }
    running
}

#[test]
fn real_flume_takes_what_send_and_the_sink_give_in_order_and_once() {
    const LINES: u64 = 20_000;
    if !flume_is_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let sources = [
        ("plain", free_port()),
        ("sent", free_port()),
        ("zipped", free_port()),
    ];
    std::fs::write(at.join("a1.conf"), configuration(at, &sources, "memory")).unwrap();
    let agent = start_agent(at, &sources);
    std::fs::write(at.join("lines"), lines(LINES)).unwrap();
    let [plain, sent, zipped] = sources.map(|(_, port)| port);
    Pipe::new(&format!(
        "send avro://127.0.0.1:{sent} lines --header a=b --ledger ledger"
    ))
    .dir(at)
    .run()
    .expect_status([0])
    .expect_silence();
    let whole: BTreeSet<u64> = (1..=LINES).collect();
    assert_eq!(acknowledged(&at.join("ledger")), whole);
    // Batches of the stream are smaller than a call, as large, and larger.
    for (port, size, more) in [
        (plain, 7, ""),
        (zipped, 1000, "--compression-type deflate --compression-level 9"),
    ] {
        Pipe::new(&format!("source stdin --batch-size {size} --summary json"))
            .then(&format!(
                "sink avro --hostname 127.0.0.1 --port {port} {more} --summary json"
            ))
            .input(lines(LINES))
            .run()
            .expect_status([0, 0])
            .counts(0, "accepted", LINES)
            .counts(1, "accepted", LINES);
    }
    for (name, _) in sources {
        let out = at.join(name);
        wait_until("the agent writes less than it has acknowledged", || {
            numbers_in(&out).len() as u64 >= LINES
        });
        let found = numbers_in(&out);
        assert!(
            found == whole.iter().copied().collect::<Vec<_>>(),
            "{name}: another order, or not once"
        );
    }
    agent.kill(0, Signal::TERM);
    agent.wait();
}

#[test]
fn real_flume_may_be_killed_and_nothing_acknowledged_is_lost() {
    const LINES: u64 = 60_000;
    if !flume_is_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let sources = [("av", free_port())];
    std::fs::write(at.join("a1.conf"), configuration(at, &sources, "file")).unwrap();
    let agent = start_agent(at, &sources);
    std::fs::write(at.join("lines"), lines(LINES)).unwrap();
    let ledger = at.join("ledger");
    let words = format!(
        "send avro://127.0.0.1:{} lines --ledger ledger --summary json",
        sources[0].1
    );
    let sending = Pipe::new(&words).dir(at).patience(PATIENCE).start();
    wait_until("nothing is acknowledged", || {
        acknowledged(&ledger).len() as u64 >= LINES / 4
    });
    agent.kill(0, Signal::KILL);
    agent.wait();
    assert!(
        (acknowledged(&ledger).len() as u64) < LINES,
        "it was killed too late to tell anything"
    );
    let agent = start_agent(at, &sources);
    sending.wait().expect_status([0]).counts(0, "accepted", LINES);
    let out = at.join("av");
    let whole: BTreeSet<u64> = (1..=LINES).collect();
    let found = || numbers_in(&out).into_iter().collect::<BTreeSet<u64>>();
    wait_until("acknowledged events are lost", || found().is_superset(&whole));
    nothing_lost(&ledger, &found());
    assert_eq!(acknowledged(&ledger), whole);
    agent.kill(0, Signal::TERM);
    agent.wait();
}

#[test]
fn real_flume_is_spoken_to_by_tls() {
    const LINES: u64 = 2000;
    if !flume_is_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (at, port) = (directory.path(), free_port());
    let keys =
        "keytool -genkeypair -keystore keys.p12 -storetype PKCS12 -storepass changeit -alias a -keyalg RSA \
                  -dname CN=localhost -ext san=dns:localhost
                keytool -exportcert -rfc -keystore keys.p12 -storepass changeit -alias a > ca.pem
                keytool -importcert -noprompt -file ca.pem -keystore trust.p12 -storetype PKCS12 \
                  -storepass changeit -alias a";
    crate::shell::output_of(keys, at, &[]);
    let mut text = configuration(at, &[("av", port)], "memory");
    for (key, value) in [
        ("ssl", "true"),
        ("keystore", "keys.p12"),
        ("keystore-password", "changeit"),
    ] {
        writeln!(text, "a1.sources.av.{key} = {value}").unwrap();
    }
    text.push_str("a1.sources.av.keystore-type = PKCS12\n");
    std::fs::write(at.join("a1.conf"), text).unwrap();
    let properties = format!(
        "hosts = h\nhosts.h = 127.0.0.1:{port}\nssl = true\ntruststore = trust.p12\n\
         truststore-password = changeit\ntruststore-type = PKCS12\n"
    );
    std::fs::write(at.join("client.properties"), properties).unwrap();
    let agent = start_agent(at, &[("av", port)]);
    let ways = [
        format!("send avros://localhost:{port} --tls-ca ca.pem"),
        "send --rpcProps client.properties".to_string(),
    ];
    for words in &ways {
        Pipe::new(words)
            .dir(at)
            .input(lines(LINES))
            .run()
            .expect_status([0]);
    }
    // As in Flume nobody looks at the name: the certificate has another.
    Pipe::new("source stdin")
        .then(&format!(
            "sink avro --hostname 127.0.0.1 --port {port} --ssl --tls-ca ca.pem"
        ))
        .dir(at)
        .input(lines(LINES))
        .run()
        .expect_status([0, 0]);
    let out = at.join("av");
    wait_until("the agent writes less than it has acknowledged", || {
        numbers_in(&out).len() as u64 >= 3 * LINES
    });
    for (words, why) in [
        (
            format!("send avros://127.0.0.1:{port} --tls-ca ca.pem --retry-for 100ms"),
            "127.0.0.1",
        ),
        (
            format!("send avro://127.0.0.1:{port} --retry-for 100ms --request-timeout 2s"),
            "cannot be made",
        ),
    ] {
        Pipe::new(&words)
            .dir(at)
            .input("x\n")
            .run()
            .expect_status([75])
            .says(0, [why]);
    }
    agent.kill(0, Signal::TERM);
    agent.wait();
    deflated_inside_and_outside(at, port);
}

/// Both generations of Flume, with TLS and deflate together, which they have in different layers.
fn deflated_inside_and_outside(at: &Path, port: u16) {
    const LINES: u64 = 2000;
    let text = std::fs::read_to_string(at.join("a1.conf")).unwrap();
    let text = text.replace("compression-type = none", "compression-type = deflate");
    std::fs::write(at.join("a1.conf"), text).unwrap();
    let written = || numbers_in(&at.join("av")).len() as u64;
    for version in ["1.11.0", "1.9.0"] {
        let before = written();
        let agent = Pipe::foreign(&format!("exec {AGENT} --name a1 --conf-file a1.conf"))
            .env("FLUME_PEER_VERSION", version)
            .dir(at)
            .patience(PATIENCE)
            .start();
        agent.wait_for(0, "Avro source av started");
        Pipe::new(&format!(
            "send avros://localhost:{port} --tls-ca ca.pem --compression deflate"
        ))
        .dir(at)
        .input(lines(LINES))
        .run()
        .expect_status([0]);
        wait_until("the agent writes less than it has acknowledged", || {
            written() >= before + LINES
        });
        agent.kill(0, Signal::TERM);
        agent.wait();
    }
}
