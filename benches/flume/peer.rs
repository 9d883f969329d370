//! The real Apache Flume as a program that is measured: tests/peers/flume starts it.

use crate::measure::{cpu_seconds, wait};
use anyhow::{Context, bail, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long it may say nothing; replaying a full channel without its checkpoint takes it half a minute.
const SILENCE: Duration = Duration::from_secs(180);

/// The launcher, once it has found all that it needs.
pub struct Peer {
    launcher: PathBuf,
}

/// How far it was at a time.
#[derive(Clone, Copy)]
pub struct Mark {
    pub at: Instant,
    /// Events that its null sink has taken.
    pub taken: u64,
    /// CPU seconds that it has used.
    pub cpu_seconds: f64,
}

/// What its null sink takes between two marks.
pub const MARK_EVENTS: u64 = 1000;

impl Peer {
    /// Look whether it can be started.
    pub fn find() -> anyhow::Result<Peer> {
        let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/flume/agent");
        let prepared = Command::new(&launcher)
            .arg("--prepare")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{}", launcher.display()))?;
        let said = String::from_utf8_lossy(&prepared.stderr);
        ensure!(
            prepared.status.success(),
            "the real Flume cannot be started: {}",
            said.lines().last().unwrap_or("it does not say why")
        );
        Ok(Peer { launcher })
    }

    /// What starts it.
    pub fn launcher(&self) -> &Path {
        &self.launcher
    }

    /// Start an agent: properties of its source `s` and sink `k` (none without), and a file channel below `directory`.
    pub fn start(&self, directory: &Path, source: &[&str], sink: &[&str]) -> anyhow::Result<Agent> {
        self.start_with(directory, &configuration(directory, source, sink))
    }

    /// Start an agent `a1` with all these properties.
    pub fn start_with(&self, directory: &Path, properties: &str) -> anyhow::Result<Agent> {
        let file = directory.join("agent.conf");
        std::fs::write(&file, properties)?;
        let started = Instant::now();
        let mut child = Command::new(&self.launcher)
            .args(["--name", "a1", "--conf-file"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = BufReader::new(child.stderr.take().context("no standard error")?);
        let (tell, lines) = channel();
        // Ends with the agent, or when nobody listens any more.
        std::thread::spawn(move || {
            log.lines()
                .map_while(Result::ok)
                .try_for_each(|line| tell.send((Instant::now(), line)))
        });
        Ok(Agent {
            child,
            lines,
            started,
        })
    }

    /// Have the client of Flume's SDK send so many events of 256 bytes to this port, in the same batch over and
    /// over: the seconds that it says it took.
    pub fn client(&self, port: u16, events: u64, batch: u64) -> anyhow::Result<f64> {
        let output = Command::new(self.launcher.with_file_name("client"))
            .args([
                "--hosts",
                &format!("127.0.0.1:{port}"),
                "--size",
                "256",
                "--headers",
                "0",
                "--again",
                "true",
            ])
            .args(["--events", &events.to_string(), "--batch", &batch.to_string()])
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "Flume's client failed: {}",
            said.lines().last().unwrap_or("it does not say why")
        );
        let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        ensure!(told["acknowledged"] == events, "Flume's client says {told}");
        told["seconds"].as_f64().context("Flume's client says no time")
    }
}

fn configuration(directory: &Path, source: &[&str], sink: &[&str]) -> String {
    let directory = directory.display();
    let mut lines = vec![
        "a1.channels = c".to_string(),
        "a1.channels.c.type = file".into(),
        format!("a1.channels.c.checkpointDir = {directory}/checkpoint"),
        format!("a1.channels.c.dataDirs = {directory}/data"),
        "a1.channels.c.capacity = 1100000".into(),
        "a1.channels.c.transactionCapacity = 10000".into(),
    ];
    if !source.is_empty() {
        lines.extend(["a1.sources = s".into(), "a1.sources.s.channels = c".into()]);
        lines.extend(source.iter().map(|line| format!("a1.sources.s.{line}")));
    }
    if !sink.is_empty() {
        lines.extend(["a1.sinks = k".into(), "a1.sinks.k.channel = c".into()]);
        lines.push(format!(
            "a1.sinks.k.type = null\na1.sinks.k.logEveryNEvents = {MARK_EVENTS}"
        ));
        lines.extend(sink.iter().map(|line| format!("a1.sinks.k.{line}")));
    }
    lines.join("\n") + "\n"
}

/// An agent that runs; it is killed when it is dropped.
pub struct Agent {
    child: Child,
    lines: Receiver<(Instant, String)>,
    /// When it was started.
    pub started: Instant,
}

impl Agent {
    /// Its process.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The next time that its null sink says how far it is.
    pub fn mark(&mut self) -> anyhow::Result<Mark> {
        let mut last = String::new();
        loop {
            let (at, line) = match self.lines.recv_timeout(SILENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the real Flume says nothing any more after \"{last}\"")
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the real Flume has ended after \"{last}\""),
            };
            let taken = line
                .split_once("successful processed ")
                .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            if let Some(taken) = taken {
                let cpu_seconds = cpu_seconds(self.child.id() as i32)?;
                return Ok(Mark {
                    at,
                    taken,
                    cpu_seconds,
                });
            }
            last = line;
        }
    }

    /// The first mark at which so many events are taken, or which is so late.
    pub fn mark_when(&mut self, reached: impl Fn(&Mark) -> bool) -> anyhow::Result<Mark> {
        loop {
            let mark = self.mark()?;
            if reached(&mark) {
                return Ok(mark);
            }
        }
    }

    /// Stop in order: the log's value of this counter of its channel at the end.
    pub fn stop(&mut self, counter: &str) -> anyhow::Result<u64> {
        let pid = self.child.id() as i32;
        let pid = rustix::process::Pid::from_raw(pid).context("a process has no id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let wanted = format!("name: c. {counter} == ");
        let mut value = None;
        while let Ok((_, line)) = self.lines.recv_timeout(SILENCE) {
            value = line
                .split_once(&wanted)
                .and_then(|(_, value)| value.parse().ok())
                .or(value);
        }
        wait(self.child.id() as i32)?;
        value.with_context(|| format!("the real Flume does not say its {counter}"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // After a stop it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
