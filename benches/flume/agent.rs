//! An agent with a properties file, beside the real Flume with the same file.

use crate::measure::{Program, Run, median};
use crate::peer::Peer;
use crate::rolled::rolled;
use crate::server::free_port;
use crate::table::{self, Row};
use crate::watched::{self, Killed, LINE, PATIENCE, Side, Speed, Watched, through, through_memory};
use anyhow::ensure;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Starts that are measured.
const STARTS: usize = 20;
/// What runs, and how many times Flume's rate it should have.
struct Case {
    what: &'static str,
    properties: String,
    /// Lines are sent to its port.
    port: Option<u16>,
    faster: f64,
    /// CPU of an event at most, in parts of Flume's.
    cheaper: Option<f64>,
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
        let (ours, theirs) = (
            speed(&case, Side::Ours(bench))?,
            speed(&case, Side::Real(bench, &peer))?,
        );
        rows.extend(compared(&case, &ours, &theirs));
    }
    let exec = "a1.sources.s.type = exec\na1.sources.s.command = cat FILE\na1.sources.s.batchSize = 1000\n";
    let (rate, whole) = rolled(bench, &peer, "exec", exec)?;
    rows.extend([rate, whole]);
    table::print("An agent beside the real Flume 1.11, the same file", &rows)
}

/// Rate, CPU and memory of a case.
fn compared(case: &Case, ours: &Speed, theirs: &Speed) -> Vec<Row> {
    let [rate, used, resident] = watched::compared(case.what, ours, theirs);
    let ratio = ours.events_per_second / theirs.events_per_second;
    vec![
        rate.at_least(ratio, case.faster, "x"),
        match case.cheaper {
            Some(budget) => used.at_most(ours.cpu_micros / theirs.cpu_micros, budget, "x"),
            None => used,
        },
        resident.at_most(ours.resident_mib, 64.0, "MiB"),
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
        cheaper: None,
    };
    let in_files = "a1.channels.c.type = file\na1.channels.c.checkpointDir = DIR/checkpoint\n\
         a1.channels.c.dataDirs = DIR/data\na1.channels.c.capacity = 1000000\n\
         a1.channels.c.transactionCapacity = 10000\n";
    Ok(vec![
        case("seq, memory, null", seq, 8.0),
        Case {
            properties: through(in_files, seq),
            cheaper: Some(0.1),
            ..case("seq, file, null", seq, 5.0)
        },
        Case {
            cheaper: Some(0.25),
            ..case("exec, memory, null", &exec, 5.0)
        },
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

fn speed(case: &Case, side: Side) -> anyhow::Result<Speed> {
    let agent = Watched::start(&case.properties, side)?;
    let sender = case.port.map(sender).transpose()?;
    let speed = agent.speed(case.what);
    drop((sender, agent));
    speed
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
    Killed::spawn(&mut command)
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
        let agent = Killed::spawn(command.stdin(Stdio::null()).stderr(Stdio::null()))?;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(started.elapsed() < PATIENCE, "the agent does not listen");
            std::hint::spin_loop();
        }
        millis.push(started.elapsed().as_secs_f64() * 1000.0);
        resident.push(watched::resident(agent.pid())?);
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
    let _agent = Killed::spawn(command.stdin(Stdio::null()).stderr(Stdio::null()))?;
    for port in ports {
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(started.elapsed() < PATIENCE, "not all sources listen");
            std::hint::spin_loop();
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}
