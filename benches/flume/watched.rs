//! An agent whose counters are shown: ours, or the real Flume with the same file.

use crate::measure::{Run, cpu_seconds, memory_kib};
use crate::peer::Peer;
use crate::server::free_port;
use crate::table::Row;
use anyhow::{Context, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long an agent may take until it has counters.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A line of an access log.
pub const LINE: &str = "192.0.2.17 - - [28/Nov/2026:19:00:00 +0000] GET /index.html 200 5120";

/// Who runs.
#[derive(Clone, Copy)]
pub enum Side<'a> {
    /// `flume agent`.
    Ours(&'a Run),
    /// The real Flume.
    Real(&'a Run, &'a Peer),
}

impl<'a> Side<'a> {
    fn bench(self) -> &'a Run {
        match self {
            Side::Ours(bench) | Side::Real(bench, _) => bench,
        }
    }

    /// With this file and these words behind it.
    fn command(self, file: &Path, words: &[String]) -> Command {
        let mut command = match self {
            Side::Ours(bench) => {
                let agent = bench.flume("agent --no-control --quiet --name a1 --conf-file");
                agent.with(&[&file.to_string_lossy()]).command()
            }
            Side::Real(_, peer) => {
                let mut command = Command::new(peer.launcher());
                command.args(["--name", "a1", "--conf-file"]).arg(file);
                command
            }
        };
        command.args(words);
        command
    }
}

/// How fast an agent was.
pub struct Speed {
    pub events_per_second: f64,
    pub cpu_micros: f64,
    pub resident_mib: f64,
}

/// Rows of rate, CPU and memory.
pub fn compared(what: &str, ours: &Speed, theirs: &Speed) -> [Row; 3] {
    let rate = |speed: &Speed| format!("{:.2} M events/s", speed.events_per_second / 1e6);
    let ratio = ours.events_per_second / theirs.events_per_second;
    let cpu = |speed: &Speed| format!("{:.3} us CPU an event", speed.cpu_micros);
    let resident = |speed: &Speed| format!("{:.1} MiB", speed.resident_mib);
    let dearer = ours.cpu_micros / theirs.cpu_micros;
    [
        Row::new(what, rate(ours)).against(rate(theirs), ratio),
        Row::new(format!("{what}: CPU"), cpu(ours)).against_finely(cpu(theirs), dearer),
        Row::new(format!("{what}: resident"), resident(ours))
            .against(resident(theirs), ours.resident_mib / theirs.resident_mib),
    ]
}

/// Properties of an agent with this source, a channel in memory and a null sink.
pub fn through_memory(source: &str) -> String {
    let in_memory = "a1.channels.c.type = memory\na1.channels.c.capacity = 100000\n\
         a1.channels.c.transactionCapacity = 10000\n";
    through(in_memory, source)
}

/// The same with this channel.
pub fn through(channel: &str, source: &str) -> String {
    format!(
        "a1.sources = s\na1.channels = c\na1.sinks = k\n{source}a1.sources.s.channels = c\n{channel}\
         a1.sinks.k.type = null\na1.sinks.k.batchSize = 1000\na1.sinks.k.channel = c\n"
    )
}

/// These properties with files in `DIR/out` instead of the null sink.
pub fn to_files(properties: &str) -> String {
    properties.replace(
        "a1.sinks.k.type = null\na1.sinks.k.batchSize = 1000",
        "a1.sinks.k.type = file_roll\na1.sinks.k.sink.directory = DIR/out\na1.sinks.k.sink.rollInterval = 0\n\
         a1.sinks.k.sink.batchSize = 1000",
    )
}

/// A process that is killed when it goes.
pub struct Killed(Child);

impl Killed {
    /// Start it.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Killed> {
        Ok(Killed(command.spawn()?))
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An agent that runs with its counters shown.
pub struct Watched<'a> {
    agent: Killed,
    shown: u16,
    bench: &'a Run,
    /// What it writes goes with it.
    pub directory: tempfile::TempDir,
}

impl<'a> Watched<'a> {
    /// Start it with these properties; `DIR` in them is a directory of its own, in which `out` is empty.
    pub fn start(properties: &str, side: Side<'a>) -> anyhow::Result<Watched<'a>> {
        Watched::prepared(properties, side, |_| Ok(()))
    }

    /// The same, after this was done to its directory.
    pub fn prepared(
        properties: &str,
        side: Side<'a>,
        prepare: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Watched<'a>> {
        let directory = side.bench().directory()?;
        let file = directory.path().join("a.conf");
        let properties = properties.replace("DIR", &directory.path().to_string_lossy());
        std::fs::write(&file, properties)?;
        std::fs::create_dir(directory.path().join("out"))?;
        prepare(directory.path())?;
        let shown = free_port()?;
        let words = ["type=http".to_string(), format!("port={shown}")]
            .map(|word| format!("-Dflume.monitoring.{word}"));
        let mut command = side.command(&file, &words);
        let agent = Killed::spawn(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        Ok(Watched {
            agent,
            shown,
            bench: side.bench(),
            directory,
        })
    }

    fn pid(&self) -> i32 {
        self.agent.pid()
    }

    /// Wait until so many events have been taken.
    pub fn wait_taken(&self, events: u64, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while taken(self.shown).unwrap_or(0) < events {
            ensure!(
                Instant::now() < deadline,
                "{} of {events} events are taken",
                taken(self.shown).unwrap_or(0)
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What it takes for a while, after it has run for a while.
    pub fn speed(&self, what: &'static str) -> anyhow::Result<Speed> {
        self.wait_taken(1, PATIENCE).context(what)?;
        // Java compiles what is hot.
        std::thread::sleep(Duration::from_secs(self.bench.size(8, 3)));
        let (at, before, cpu) = (Instant::now(), taken(self.shown)?, cpu_seconds(self.pid())?);
        std::thread::sleep(Duration::from_secs(self.bench.size(10, 3)));
        let events = taken(self.shown)? - before;
        self.reached(events, at, cpu)
    }

    /// How fast it takes so many in all, after a quarter of them.
    pub fn speed_of(&self, events: u64) -> anyhow::Result<Speed> {
        self.wait_taken(events / 4, PATIENCE * 3)?;
        let (at, before, cpu) = (Instant::now(), taken(self.shown)?, cpu_seconds(self.pid())?);
        self.wait_taken(events, PATIENCE * 3)?;
        self.reached(events - before, at, cpu)
    }

    fn reached(&self, events: u64, since: Instant, cpu: f64) -> anyhow::Result<Speed> {
        let seconds = since.elapsed().as_secs_f64();
        let used = cpu_seconds(self.pid())? - cpu;
        Ok(Speed {
            events_per_second: events as f64 / seconds,
            cpu_micros: used * 1e6 / events as f64,
            resident_mib: resident(self.pid())?,
        })
    }
}

/// MiB that a process has resident now.
pub fn resident(pid: i32) -> anyhow::Result<f64> {
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
