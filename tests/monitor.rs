//! An agent as those see it who watch it: curl, a real Ganglia, and beside it the real Flume with the same file.

use crate::avro::real;
use crate::pipe::{Pipe, Running};
use crate::surroundings::skipped;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

const GMOND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/gmond/gmond");
const PATIENCE: Duration = Duration::from_secs(60);

/// 1,000 events through memory into nothing, 250 lines through a file channel into files.
const CONFIGURATION: &str = "a1.sources = numbers lines
a1.channels = memory disk
a1.sinks = nothing files
a1.sources.numbers.type = seq
a1.sources.numbers.totalEvents = 1000
a1.sources.numbers.batchSize = 100
a1.sources.numbers.channels = memory
a1.channels.memory.type = memory
a1.channels.memory.capacity = 2000
a1.sinks.nothing.type = null
a1.sinks.nothing.channel = memory
a1.sources.lines.type = exec
a1.sources.lines.command = seq 250
a1.sources.lines.channels = disk
a1.channels.disk.type = file
a1.channels.disk.checkpointDir = checkpoint
a1.channels.disk.dataDirs = data
a1.sinks.files.type = file_roll
a1.sinks.files.sink.directory = out
a1.sinks.files.sink.rollInterval = 0
a1.sinks.files.channel = disk
";

fn agent(words: &str) -> Running {
    agent_of(CONFIGURATION, words)
}

fn agent_of(configuration: &str, words: &str) -> Running {
    Pipe::new(&format!(
        "agent --name a1 --conf-file a1.conf --no-control {words}"
    ))
    .file("a1.conf", configuration)
    .patience(Duration::from_secs(120))
    .start()
}

/// What curl gets of there, and the status.
fn curl(url: &str) -> (String, String) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--max-time",
            "20",
            "--write-out",
            "\n%{http_code}",
            url,
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (body.to_string(), status.to_string())
}

/// Where an agent shows itself.
fn shown_at(agent: &Running) -> String {
    let mark = "counters are shown at ";
    agent.wait_for(0, mark);
    let said = agent.said(0);
    let url = said
        .split_once(mark)
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap();
    url.trim_end_matches("/metrics").to_string()
}

fn wait_until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "{what}"),
        }
        // What another process counts has no event that could be awaited.
        std::thread::sleep(Duration::from_millis(50));
    }
}

type Groups = BTreeMap<String, BTreeMap<String, String>>;

/// The groups, once everything has arrived.
fn groups_when_done(url: &str) -> Groups {
    groups_when(url, &[("CHANNEL.memory", "1000"), ("CHANNEL.disk", "250")])
}

/// The groups, once so many events were taken from these channels.
fn groups_when(url: &str, taken: &[(&str, &str)]) -> Groups {
    wait_until("not everything arrives", || {
        let groups: Groups = serde_json::from_str(&curl(url).0).ok()?;
        let has = |(group, count): &(&str, &str)| {
            let found = groups.get(*group)?.get("EventTakeSuccessCount")?;
            (found == count).then_some(())
        };
        taken.iter().all(|taken| has(taken).is_some()).then_some(groups)
    })
}

fn has_curl() -> bool {
    let has = Command::new("curl").arg("--version").output().is_ok();
    if !has {
        skipped("an agent that is watched: curl is missing");
    }
    has
}

#[test]
fn curl_sees_counters_and_health_of_an_agent() {
    if !has_curl() {
        return;
    }
    let agent = agent("-Dflume.monitoring.type=http -Dflume.monitoring.port=0");
    let at = shown_at(&agent);
    let groups = groups_when_done(&format!("{at}/metrics"));
    assert_eq!(groups["CHANNEL.disk"]["Open"], "true");
    assert_eq!(groups["SOURCE.lines"]["EventAcceptedCount"], "250");
    let (health, status) = curl(&format!("{at}/health/ready"));
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status.as_str(), &health["status"]), ("200", &Value::from("ok")));
    let (text, _) = curl(&format!("{at}/metrics?format=prometheus"));
    let line = "Flume_EventTakeSuccessCount_total{component=\"memory\",type=\"CHANNEL\"} 1000";
    assert!(text.lines().any(|found| found == line), "{text}");
    assert_eq!(curl(&format!("{at}/elsewhere")).1, "404");
    agent.kill(0, Signal::TERM);
    agent.wait().expect_status([0]);
}

#[test]
fn agent_whose_monitor_cannot_start_runs_unwatched() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (words, why) in [
        (
            format!("http -Dflume.monitoring.port={port}"),
            "in use by another listener",
        ),
        ("my.Own".into(), "there are http, prometheus and ganglia"),
    ] {
        let agent = agent(&format!("-Dflume.monitoring.type={words}"));
        agent
            .wait_for(0, "it runs unwatched")
            .wait_for(0, why)
            .wait_for(0, "a1 runs");
        agent.kill(0, Signal::TERM);
        agent.wait().expect_status([0]);
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn real_ganglia_is_told() {
    let prepared = Command::new(GMOND).arg("--prepare").output().unwrap();
    if !prepared.status.success() {
        return skipped(&format!(
            "a real Ganglia: {}",
            String::from_utf8_lossy(&prepared.stderr)
        ));
    }
    let udp = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let xml = free_port();
    let gmond = Pipe::foreign(&format!("exec {GMOND} {udp} {xml}")).start();
    let all = || {
        let mut text = Vec::new();
        TcpStream::connect(("127.0.0.1", xml))
            .ok()?
            .read_to_end(&mut text)
            .ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    };
    wait_until("gmond does not answer", all);
    let words = "-Dflume.monitoring.type=ganglia -Dflume.monitoring.pollFrequency=100ms";
    let agent = agent(&format!("{words} -Dflume.monitoring.hosts=127.0.0.1:{udp}"));
    let metric = "flume.CHANNEL.memory.EventTakeSuccessCount\" VAL=\"1000\" TYPE=\"float\"";
    wait_until("gmond does not learn what has happened", || {
        all()?.contains(metric).then_some(())
    });
    let other = "flume.SINK.files.Type\" VAL=\"SINK\" TYPE=\"string\"";
    wait_until("gmond does not learn of a word", || {
        all()?.contains(other).then_some(())
    });
    agent.kill(0, Signal::TERM);
    agent.wait().expect_status([0]);
    gmond.kill(0, Signal::TERM);
    gmond.wait();
}

/// The packets about one attribute, whose value is this, when they come.
fn packets(socket: &UdpSocket, name: &str, value: &str) -> BTreeSet<Vec<u8>> {
    let (deadline, mut found) = (Instant::now() + PATIENCE, BTreeSet::new());
    let mut packet = [0; 1500];
    loop {
        assert!(Instant::now() < deadline, "no packet says that {name} is {value}");
        let Ok(count) = socket.recv(&mut packet) else {
            continue;
        };
        let packet = packet[..count].to_vec();
        let text = String::from_utf8_lossy(&packet).into_owned();
        if !text.contains(name) {
            continue;
        }
        // Of 3.1 the one that describes it comes first.
        let describes = packet[..4] == 128u32.to_be_bytes();
        let has_value = !describes && text.replace(name, "").contains(value);
        if has_value || describes {
            found.insert(packet);
        }
        if has_value {
            return found;
        }
    }
}

#[test]
fn packets_for_ganglia_are_those_of_the_real_flume() {
    if !real::is_there() {
        return;
    }
    for form in ["", "-Dflume.monitoring.isGanglia3=true"] {
        let [ours_to, theirs_to] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let words = |socket: &UdpSocket| {
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let port = socket.local_addr().unwrap().port();
            format!(
                "-Dflume.monitoring.type=ganglia -Dflume.monitoring.pollFrequency=1 \
                 -Dflume.monitoring.hosts=127.0.0.1:{port} {form}"
            )
        };
        let ours = agent(&words(&ours_to));
        let theirs = real::peer("agent").display().to_string();
        let theirs = format!(
            "mkdir out; exec {theirs} --name a1 --conf-file a1.conf {}",
            words(&theirs_to)
        );
        let theirs = Pipe::foreign(&theirs)
            .file("a1.conf", CONFIGURATION)
            .patience(PATIENCE * 2)
            .start();
        for (attribute, value) in [
            ("CHANNEL.memory.EventTakeSuccessCount", "1000"),
            ("SINK.files.Type", "SINK"),
        ] {
            let name = format!("flume.{attribute}");
            let expected = packets(&theirs_to, &name, value);
            assert_eq!(packets(&ours_to, &name, value), expected, "{attribute} {form}");
        }
        for agent in [ours, theirs] {
            agent.kill(0, Signal::TERM);
            agent.wait();
        }
    }
}

/// What is counted for the same work in the same way, whatever batches are made of.
const SAME: &[&str] = &[
    "AppendAcceptedCount",
    "AppendReceivedCount",
    "ChannelCapacity",
    "ChannelFillPercentage",
    "ChannelReadFail",
    "ChannelSize",
    "ChannelWriteFail",
    "CheckpointBackupWriteErrorCount",
    "CheckpointWriteErrorCount",
    "Closed",
    "ConnectionClosedCount",
    "ConnectionCreatedCount",
    "ConnectionFailedCount",
    "EventAcceptedCount",
    "EventDrainAttemptCount",
    "EventDrainSuccessCount",
    "EventPutAttemptCount",
    "EventPutErrorCount",
    "EventPutSuccessCount",
    "EventReadFail",
    "EventTakeErrorCount",
    "EventTakeSuccessCount",
    "EventWriteFail",
    "GenericProcessingFail",
    "Open",
    "OpenConnectionCount",
    "Type",
    "Unhealthy",
];

/// The real Flume with its counters shown at this port of loopback.
fn flume_of(configuration: &str, port: u16) -> Running {
    let words = format!(
        "exec {} --name a1 --conf-file a1.conf -Dflume.monitoring.type=http -Dflume.monitoring.port={port}",
        real::peer("agent").display()
    );
    Pipe::foreign(&format!("mkdir out; {words}"))
        .file("a1.conf", configuration)
        .patience(Duration::from_secs(120))
        .start()
}

/// Where the two differ in what both count.
fn assert_same(ours: &Groups, theirs: &Groups) {
    for (group, expected) in theirs {
        let found = &ours[group];
        let names = |group: &BTreeMap<String, String>| group.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(found), names(expected), "{group}");
        let differ = SAME
            .iter()
            .filter(|name| found.get(**name) != expected.get(**name));
        let differ: Vec<_> = differ
            .map(|name| (name, found.get(*name), expected.get(*name)))
            .collect();
        assert!(differ.is_empty(), "{group}: {differ:?}");
    }
}

#[test]
fn real_flume_counts_the_same_under_the_same_names() {
    if !has_curl() || !real::is_there() {
        return;
    }
    let ours = agent("-Dflume.monitoring.type=http -Dflume.monitoring.port=0");
    let port = free_port();
    let theirs = flume_of(CONFIGURATION, port);
    let theirs_shown = groups_when_done(&format!("http://127.0.0.1:{port}/metrics"));
    let ours_shown = groups_when_done(&format!("{}/metrics", shown_at(&ours)));
    assert_same(&ours_shown, &theirs_shown);
    assert_eq!(theirs_shown.len(), 5, "{:?}", theirs_shown.keys());
    for agent in [ours, theirs] {
        agent.kill(0, Signal::TERM);
        agent.wait();
    }
}

/// Lines over TCP, on by Avro RPC to another source of the same agent, and into its log.
const OVER_THE_NET: &str = "a1.sources = lines calls
a1.channels = near far
a1.sinks = on log
a1.sources.lines.type = netcat
a1.sources.lines.bind = 127.0.0.1
a1.sources.lines.port = PORT1
a1.sources.lines.channels = near
a1.channels.near.type = file
a1.channels.near.checkpointDir = checkpoint
a1.channels.near.dataDirs = data
a1.sinks.on.type = avro
a1.sinks.on.hostname = 127.0.0.1
a1.sinks.on.port = PORT2
a1.sinks.on.channel = near
a1.sources.calls.type = avro
a1.sources.calls.bind = 127.0.0.1
a1.sources.calls.port = PORT2
a1.sources.calls.channels = far
a1.channels.far.type = memory
a1.channels.far.capacity = 2000
a1.sinks.log.type = logger
a1.sinks.log.channel = far
";

#[test]
fn real_flume_counts_the_same_of_netcat_avro_and_logger() {
    if !has_curl() || !real::is_there() {
        return;
    }
    let shown = [true, false].map(|is_flume| {
        let [lines, calls, port] = [(); 3].map(|()| free_port());
        let configuration = OVER_THE_NET
            .replace("PORT1", &lines.to_string())
            .replace("PORT2", &calls.to_string());
        let words = format!("-Dflume.monitoring.type=http -Dflume.monitoring.port={port}");
        let agent = match is_flume {
            true => flume_of(&configuration, port),
            false => agent_of(&configuration, &words),
        };
        let mut client = wait_until("netcat does not listen", || {
            TcpStream::connect(("127.0.0.1", lines)).ok()
        });
        let mut answers = [0; 3];
        for number in 0..300 {
            client.write_all(format!("line {number}\n").as_bytes()).unwrap();
            client.read_exact(&mut answers).unwrap();
            assert_eq!(&answers, b"OK\n");
        }
        let url = format!("http://127.0.0.1:{port}/metrics");
        let groups = groups_when(&url, &[("CHANNEL.near", "300"), ("CHANNEL.far", "300")]);
        agent.kill(0, Signal::TERM);
        let ended = agent.wait();
        assert_eq!(ended.stderr(0).matches("Event: {").count(), 300);
        groups
    });
    // The sink starts before the source that it calls: who is quick enough has no failure to count. And the real
    // Flume may count an open connection or none, as the threads happened to run.
    let [theirs, ours] = shown.map(|mut groups| {
        for (group, name) in [
            ("SINK.on", "ConnectionFailedCount"),
            ("SINK.on", "EventWriteFail"),
            ("SOURCE.calls", "OpenConnectionCount"),
        ] {
            groups.get_mut(group).unwrap().insert(name.into(), "0".into());
        }
        groups
    });
    assert_same(&ours, &theirs);
    // Neither netcat nor logger count in Flume.
    assert_eq!(
        theirs.keys().collect::<Vec<_>>(),
        ["CHANNEL.far", "CHANNEL.near", "SINK.on", "SOURCE.calls"]
    );
    assert_eq!(ours["SINK.on"]["EventDrainSuccessCount"], "300");
}
