//! An agent with a properties file, beside the real Flume with the same file.

use crate::measure::{Program, Run, cpu_seconds, median, memory_kib};
use crate::peer::Peer;
use crate::table::{self, Row};
use anyhow::{Context, ensure};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts that are measured.
const STARTS: usize = 20;
/// How long an agent may take until it has counters.
const PATIENCE: Duration = Duration::from_secs(60);
/// A line of an access log.
const LINE: &str = "192.0.2.17 - - [28/Nov/2026:19:00:00 +0000] GET /index.html 200 5120";

/// What runs, and how many times Flume's rate it should have.
struct Case {
    what: &'static str,
    properties: String,
    /// Lines are sent to its port.
    port: Option<u16>,
    faster: f64,
}

/// How fast an agent was.
struct Speed {
    events_per_second: f64,
    cpu_micros: f64,
    resident_mib: f64,
}

/// Print the tables.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    starts(bench)?;
    let peer = match Peer::find() {
        Ok(peer) => peer,
        Err(why) if bench.named("agent") => return Err(why),
        Err(why) => {
            let row = Row::new("an agent beside the real Flume", "-").missing(&format!("{why:#}"));
            return table::print("An agent beside the real Flume 1.11, the same file", &[row]);
        }
    };
    let mut rows = Vec::new();
    for case in cases()? {
        let ours = speed(bench, &case, |file, words| {
            let agent = bench.flume("agent --no-control --quiet --name a1 --conf-file");
            let mut command = agent.with(&[&file.to_string_lossy()]).command();
            command.args(words);
            command
        })?;
        let theirs = speed(bench, &case, |file, words| {
            let mut command = Command::new(peer.launcher());
            command
                .args(["--name", "a1", "--conf-file"])
                .arg(file)
                .args(words);
            command
        })?;
        rows.extend(compared(&case, &ours, &theirs));
    }
    table::print("An agent beside the real Flume 1.11, the same file", &rows)
}

fn compared(case: &Case, ours: &Speed, theirs: &Speed) -> Vec<Row> {
    let rate = |speed: &Speed| format!("{:.2} M events/s", speed.events_per_second / 1e6);
    let ratio = ours.events_per_second / theirs.events_per_second;
    let cpu = |speed: &Speed| format!("{:.3} us CPU an event", speed.cpu_micros);
    let resident = |speed: &Speed| format!("{:.1} MiB", speed.resident_mib);
    vec![
        Row::new(case.what, rate(ours))
            .against(rate(theirs), ratio)
            .at_least(ratio, case.faster, "x"),
        Row::new(format!("{}: CPU", case.what), cpu(ours))
            .against(cpu(theirs), ours.cpu_micros / theirs.cpu_micros),
        Row::new(format!("{}: resident", case.what), resident(ours))
            .against(resident(theirs), ours.resident_mib / theirs.resident_mib)
            .at_most(ours.resident_mib, 64.0, "MiB"),
    ]
}

fn cases() -> anyhow::Result<Vec<Case>> {
    let port = free_port()?;
    let exec = format!(
        "a1.sources.s.type = exec\na1.sources.s.command = yes {LINE}\na1.sources.s.batchSize = 1000\n"
    );
    let groups = r"^(\\S+) - - \\[([^\\]]+)\\] (\\S+) (\\S+) (\\d+)";
    let intercepted = format!(
        "{exec}a1.sources.s.interceptors = i1 i2 i3\na1.sources.s.interceptors.i1.type = regex_extractor\n\
         a1.sources.s.interceptors.i1.regex = {groups}\na1.sources.s.interceptors.i1.serializers = a b c d e\n{}\
         a1.sources.s.interceptors.i2.type = timestamp\na1.sources.s.interceptors.i3.type = host\n",
        ["a", "b", "c", "d", "e"]
            .map(|name| format!("a1.sources.s.interceptors.i1.serializers.{name}.name = {name}\n"))
            .concat()
    );
    let seq = "a1.sources.s.type = seq\na1.sources.s.batchSize = 1000\n";
    let netcat = format!(
        "a1.sources.s.type = netcat\na1.sources.s.bind = 127.0.0.1\na1.sources.s.port = {port}\n\
         a1.sources.s.ack-every-event = false\n"
    );
    let case = |what, source: &str, faster| Case {
        what,
        properties: through_memory(source),
        port: None,
        faster,
    };
    Ok(vec![
        case("seq, memory, null", seq, 8.0),
        case("exec, memory, null", &exec, 5.0),
        case(
            "exec, five groups, timestamp, host, memory, null",
            &intercepted,
            2.0,
        ),
        Case {
            port: Some(port),
            ..case("netcat, memory, null", &netcat, 5.0)
        },
    ])
}

/// Properties of an agent with this source, a channel in memory and a null sink.
fn through_memory(source: &str) -> String {
    format!(
        "a1.sources = s\na1.channels = c\na1.sinks = k\n{source}a1.sources.s.channels = c\n\
         a1.channels.c.type = memory\na1.channels.c.capacity = 100000\na1.channels.c.transactionCapacity = 10000\n\
         a1.sinks.k.type = null\na1.sinks.k.batchSize = 1000\na1.sinks.k.channel = c\n"
    )
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A process that is killed when it goes.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn speed(bench: &Run, case: &Case, command: impl Fn(&Path, &[String]) -> Command) -> anyhow::Result<Speed> {
    let directory = bench.directory()?;
    let file = directory.path().join("a.conf");
    std::fs::write(&file, &case.properties)?;
    let port = free_port()?;
    let words =
        ["type=http".to_string(), format!("port={port}")].map(|word| format!("-Dflume.monitoring.{word}"));
    let agent = command(&file, &words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let agent = Killed(agent?);
    let pid = agent.0.id() as i32;
    let sender = case.port.map(sender).transpose()?;
    let deadline = Instant::now() + PATIENCE;
    while taken(port).unwrap_or(0) == 0 {
        ensure!(Instant::now() < deadline, "{}: nothing is taken", case.what);
        std::thread::sleep(Duration::from_millis(20));
    }
    // Java compiles what is hot.
    std::thread::sleep(Duration::from_secs(bench.size(8, 3)));
    let (at, before, cpu) = (Instant::now(), taken(port)?, cpu_seconds(pid)?);
    std::thread::sleep(Duration::from_secs(bench.size(10, 3)));
    let events = (taken(port)? - before) as f64;
    let seconds = at.elapsed().as_secs_f64();
    let used = cpu_seconds(pid)? - cpu;
    let resident_mib = resident(pid)?;
    drop((sender, agent));
    Ok(Speed {
        events_per_second: events / seconds,
        cpu_micros: used * 1e6 / events,
        resident_mib,
    })
}

/// Sends the same line for ever, as soon as somebody listens.
fn sender(port: u16) -> anyhow::Result<Killed> {
    let script = format!(
        "until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done; exec yes '{LINE}' > /dev/tcp/127.0.0.1/{port}"
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    Ok(Killed(command.spawn()?))
}

/// MiB that a process has resident now.
fn resident(pid: i32) -> anyhow::Result<f64> {
    let kib = memory_kib(pid, "VmRSS").context("the agent has ended")?;
    Ok(kib as f64 / 1024.0)
}

/// Events that were taken from the channel, as the monitor says.
fn taken(port: u16) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").context("no answer")?.1;
    let groups: serde_json::Value = serde_json::from_str(body.trim())?;
    let count = groups["CHANNEL.c"]["EventTakeSuccessCount"].as_str();
    Ok(count.context("no such counter")?.parse()?)
}

/// From exec until its port takes connections, and what it has resident then.
fn starts(bench: &Run) -> anyhow::Result<()> {
    let (mut millis, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let directory = bench.directory()?;
        let port = free_port()?;
        let source = format!(
            "a1.sources.s.type = netcat\na1.sources.s.bind = 127.0.0.1\na1.sources.s.port = {port}\n"
        );
        let file = directory.path().join("a.conf");
        std::fs::write(&file, through_memory(&source))?;
        let agent: Program = bench.flume("agent --no-control --quiet --name a1 --conf-file");
        let mut command = agent.with(&[&file.to_string_lossy()]).command();
        let started = Instant::now();
        let agent = Killed(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(started.elapsed() < PATIENCE, "the agent does not listen");
            std::hint::spin_loop();
        }
        millis.push(started.elapsed().as_secs_f64() * 1000.0);
        resident.push(self::resident(agent.0.id() as i32)?);
    }
    let (millis, resident) = (median(millis), median(resident));
    let many = many(bench)?;
    let rows = [
        Row::new("from exec until source netcat listens", format!("{millis:.1} ms"))
            .at_most(millis, 20.0, "ms"),
        Row::new("resident, idle", format!("{resident:.1} MiB")).at_most(resident, 24.0, "MiB"),
        Row::new("501 components: until all listen", format!("{many:.0} ms")).at_most(many, 500.0, "ms"),
    ];
    table::print("Start of an agent: netcat, memory, null; median of 20", &rows)
}

/// Sources of netcat, each with a channel and a sink, in one file.
const MANY: usize = 167;

/// Milliseconds until all of many sources listen.
fn many(bench: &Run) -> anyhow::Result<f64> {
    let directory = bench.directory()?;
    let held = (0..MANY).map(|_| TcpListener::bind("127.0.0.1:0"));
    let held: Vec<_> = held.collect::<Result<_, _>>()?;
    let ports = held
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()));
    let ports: Vec<u16> = ports.collect::<Result<_, _>>()?;
    drop(held);
    let names = |letter: &str| -> String {
        let names = (0..MANY).map(|number| format!("{letter}{number} "));
        names.collect()
    };
    let mut text = format!(
        "a1.sources = {}\na1.channels = {}\na1.sinks = {}\n",
        names("r"),
        names("c"),
        names("k")
    );
    for (number, port) in ports.iter().enumerate() {
        text.push_str(&format!(
            "a1.sources.r{number}.type = netcat\na1.sources.r{number}.bind = 127.0.0.1\na1.sources.r{number}.port = {port}\n\
             a1.sources.r{number}.channels = c{number}\na1.channels.c{number}.type = memory\n\
             a1.sinks.k{number}.type = null\na1.sinks.k{number}.channel = c{number}\n"
        ));
    }
    let file = directory.path().join("many.conf");
    std::fs::write(&file, text)?;
    let agent = bench.flume("agent --no-control --quiet --name a1 --conf-file");
    let mut command = agent.with(&[&file.to_string_lossy()]).command();
    let started = Instant::now();
    let _agent = Killed(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?);
    for port in ports {
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(started.elapsed() < PATIENCE, "not all sources listen");
            std::hint::spin_loop();
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}
