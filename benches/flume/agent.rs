//! An agent with a properties file, beside the real Flume with the same file.

use crate::measure::{Cores, Program, Run, cpu_seconds, median, memory_kib, run, tool};
use crate::peer::Peer;
use crate::server::free_port;
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
    /// CPU of an event at most, in parts of Flume's.
    cheaper: Option<f64>,
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
    let (ours, theirs) = (
        |file: &Path, words: &[String]| our_agent(bench, file, words),
        |file: &Path, words: &[String]| real_agent(&peer, file, words),
    );
    for case in cases()? {
        rows.extend(compared(
            &case,
            &speed(bench, &case, ours)?,
            &speed(bench, &case, theirs)?,
        ));
    }
    let exec = "a1.sources.s.type = exec\na1.sources.s.command = cat FILE\n";
    rows.extend(rolled(bench, "exec", exec, ours, theirs)?);
    table::print("An agent beside the real Flume 1.11, the same file", &rows)
}

fn our_agent(bench: &Run, file: &Path, words: &[String]) -> Command {
    let agent = bench.flume("agent --no-control --quiet --name a1 --conf-file");
    let mut command = agent.with(&[&file.to_string_lossy()]).command();
    command.args(words);
    command
}

fn real_agent(peer: &Peer, file: &Path, words: &[String]) -> Command {
    let mut command = Command::new(peer.launcher());
    command
        .args(["--name", "a1", "--conf-file"])
        .arg(file)
        .args(words);
    command
}

fn compared(case: &Case, ours: &Speed, theirs: &Speed) -> Vec<Row> {
    let rate = |speed: &Speed| format!("{:.2} M events/s", speed.events_per_second / 1e6);
    let ratio = ours.events_per_second / theirs.events_per_second;
    let cpu = |speed: &Speed| format!("{:.3} us CPU an event", speed.cpu_micros);
    let resident = |speed: &Speed| format!("{:.1} MiB", speed.resident_mib);
    let dearer = ours.cpu_micros / theirs.cpu_micros;
    let used = Row::new(format!("{}: CPU", case.what), cpu(ours)).against_finely(cpu(theirs), dearer);
    vec![
        Row::new(case.what, rate(ours))
            .against(rate(theirs), ratio)
            .at_least(ratio, case.faster, "x"),
        match case.cheaper {
            Some(budget) => used.at_most(dearer, budget, "x"),
            None => used,
        },
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

/// Properties of an agent with this source, a channel in memory and a null sink.
fn through_memory(source: &str) -> String {
    let in_memory = "a1.channels.c.type = memory\na1.channels.c.capacity = 100000\n\
         a1.channels.c.transactionCapacity = 10000\n";
    through(in_memory, source)
}

/// The same with this channel.
fn through(channel: &str, source: &str) -> String {
    format!(
        "a1.sources = s\na1.channels = c\na1.sinks = k\n{source}a1.sources.s.channels = c\n{channel}\
         a1.sinks.k.type = null\na1.sinks.k.batchSize = 1000\na1.sinks.k.channel = c\n"
    )
}

/// A process that is killed when it goes.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An agent that runs with its counters shown.
struct Watched {
    agent: Killed,
    shown: u16,
    // What it writes goes with it.
    directory: tempfile::TempDir,
}

impl Watched {
    /// Start it with these properties; `DIR` in them is a directory of its own.
    fn start(
        bench: &Run,
        properties: &str,
        command: impl Fn(&Path, &[String]) -> Command,
    ) -> anyhow::Result<Watched> {
        let directory = bench.directory()?;
        let file = directory.path().join("a.conf");
        std::fs::write(
            &file,
            properties.replace("DIR", &directory.path().to_string_lossy()),
        )?;
        let shown = free_port()?;
        let words = ["type=http".to_string(), format!("port={shown}")]
            .map(|word| format!("-Dflume.monitoring.{word}"));
        let agent = command(&file, &words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Ok(Watched {
            agent: Killed(agent?),
            shown,
            directory,
        })
    }

    fn pid(&self) -> i32 {
        self.agent.0.id() as i32
    }

    /// Wait until so many events have been taken.
    fn wait_taken(&self, events: u64, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while taken(self.shown).unwrap_or(0) < events {
            ensure!(Instant::now() < deadline, "{events} events are not taken");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn speed(bench: &Run, case: &Case, command: impl Fn(&Path, &[String]) -> Command) -> anyhow::Result<Speed> {
    let agent = Watched::start(bench, &case.properties, command)?;
    let sender = case.port.map(sender).transpose()?;
    agent.wait_taken(1, PATIENCE).context(case.what)?;
    // Java compiles what is hot.
    std::thread::sleep(Duration::from_secs(bench.size(8, 3)));
    let (at, before, cpu) = (Instant::now(), taken(agent.shown)?, cpu_seconds(agent.pid())?);
    std::thread::sleep(Duration::from_secs(bench.size(10, 3)));
    let events = (taken(agent.shown)? - before) as f64;
    let seconds = at.elapsed().as_secs_f64();
    let used = cpu_seconds(agent.pid())? - cpu;
    let resident_mib = resident(agent.pid())?;
    drop((sender, agent));
    Ok(Speed {
        events_per_second: events / seconds,
        cpu_micros: used * 1e6 / events,
        resident_mib,
    })
}

/// A file of lines through this source and memory to files, from the first event taken to the last; dd writes the same.
fn rolled(
    bench: &Run,
    what: &str,
    source: &str,
    ours: impl Fn(&Path, &[String]) -> Command,
    theirs: impl Fn(&Path, &[String]) -> Command,
) -> anyhow::Result<Vec<Row>> {
    let directory = bench.directory()?;
    let (input, copy) = (directory.path().join("lines"), directory.path().join("copy"));
    let mib = bench.size(1024, 128);
    std::fs::write(&input, format!("{LINE:x<255}\n").repeat(4096 * mib as usize))?;
    let source = source.replace("FILE", &input.to_string_lossy());
    let source = format!("{source}a1.sources.s.batchSize = 1000\n");
    let properties = through_memory(&source).replace(
        "a1.sinks.k.type = null\na1.sinks.k.batchSize = 1000",
        "a1.sinks.k.type = file_roll\na1.sinks.k.sink.directory = DIR/out\na1.sinks.k.sink.rollInterval = 0\n\
         a1.sinks.k.sink.batchSize = 1000",
    );
    let mut rounds = Vec::new();
    for _ in 0..bench.size(3, 1) {
        let theirs = rolled_by(bench, &properties, mib, &theirs)?;
        let words = [
            format!("if={}", input.display()),
            format!("of={}", copy.display()),
            "bs=1M".into(),
            "conv=fdatasync".into(),
            "status=none".into(),
        ];
        let dd = tool("dd", &words.each_ref().map(String::as_str)).context("there is no dd")?;
        let dd = mib as f64 / run(&[dd], Cores::Free)?.seconds;
        rounds.push((rolled_by(bench, &properties, mib, &ours)?, theirs, dd));
    }
    let of = |value: &dyn Fn(&(f64, f64, f64)) -> f64| median(rounds.iter().map(value));
    let (ours, theirs, dd) = (of(&|round| round.0), of(&|round| round.1), of(&|round| round.2));
    let (times, share) = (of(&|round| round.0 / round.1), of(&|round| round.0 / round.2));
    let shown = |rate: f64| format!("{rate:.0} MiB/s");
    let what = format!("{what}, memory, file_roll");
    Ok(vec![
        Row::new(&what, shown(ours)).against(shown(theirs), times),
        Row::new(format!("{what} / dd conv=fdatasync, or Flume"), shown(ours))
            .against(shown(dd), share)
            .at_least(ours, (theirs * 3.0).min(dd * 0.7).round(), "MiB/s"),
    ])
}

fn rolled_by(
    bench: &Run,
    properties: &str,
    mib: u64,
    command: impl Fn(&Path, &[String]) -> Command,
) -> anyhow::Result<f64> {
    let agent = Watched::start(bench, properties, |file, words| {
        let _ = std::fs::create_dir(file.with_file_name("out"));
        command(file, words)
    })?;
    agent.wait_taken(1, PATIENCE)?;
    let started = Instant::now();
    agent.wait_taken(mib * 4096, PATIENCE * 3)?;
    // What was taken from the channel is in the file when its transaction is committed, which may be a moment later.
    let out = agent.directory.path().join("out");
    let deadline = Instant::now() + PATIENCE;
    while written(&out)? < mib << 20 {
        ensure!(
            Instant::now() < deadline,
            "{} bytes of {mib} MiB were written",
            written(&out)?
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(mib as f64 / seconds)
}

/// Bytes in the files of a directory.
fn written(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
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
