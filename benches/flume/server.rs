//! Programs that listen on a port while others are measured with them.

use crate::measure::{Program, Run, wait};
use crate::peer::{Agent, Peer};
use anyhow::ensure;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long one may take until it listens; Java takes seconds.
const STARTS: Duration = Duration::from_secs(60);

/// Somebody who listens on a port, until this is dropped.
pub struct Server {
    runs: Runs,
    /// Where it listens, on loopback.
    pub port: u16,
}

enum Runs {
    Ours(Child),
    Peer(Agent),
}

impl Server {
    /// Our pipeline, given a port that is free.
    pub fn start(bench: &Run, pipeline: impl FnOnce(u16) -> String) -> anyhow::Result<Server> {
        let port = free_port()?;
        let program: Program = bench.fused(&pipeline(port));
        let mut command = program.command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Server {
            runs: Runs::Ours(child),
            port,
        }
        .when_it_listens()
    }

    /// A foreign program that has been told the port.
    pub fn of_program(port: u16, program: &Program) -> anyhow::Result<Server> {
        let mut command = program.command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Server {
            runs: Runs::Ours(child),
            port,
        }
        .when_it_listens()
    }

    /// The real Flume with an avro source before this channel and sink.
    pub fn of_peer(peer: &Peer, directory: &Path, rest: &str) -> anyhow::Result<Server> {
        let port = free_port()?;
        Server {
            runs: Runs::Peer(peer.start_with(directory, &properties(port, rest))?),
            port,
        }
        .when_it_listens()
    }

    /// Our agent with the same properties.
    pub fn of_agent(bench: &Run, directory: &Path, rest: &str) -> anyhow::Result<Server> {
        let port = free_port()?;
        let file = directory.join("agent.conf");
        std::fs::write(&file, properties(port, rest))?;
        let agent = bench.flume("agent --no-control --quiet --name a1 --conf-file");
        let mut command = agent.with(&[&file.to_string_lossy()]).command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Server {
            runs: Runs::Ours(child),
            port,
        }
        .when_it_listens()
    }

    fn when_it_listens(self) -> anyhow::Result<Server> {
        wait_listening(self.port)?;
        Ok(self)
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        match &self.runs {
            Runs::Ours(child) => child.id() as i32,
            Runs::Peer(agent) => agent.pid(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Runs::Ours(child) = &mut self.runs {
            let _ = child.kill();
            let _ = wait(child.id() as i32);
        }
    }
}

/// Properties of an agent with an avro source before this channel and sink.
fn properties(port: u16, rest: &str) -> String {
    format!(
        "a1.sources = s\na1.channels = c\na1.sinks = k\na1.sources.s.channels = c\na1.sinks.k.channel = c\n\
         a1.sources.s.type = avro\na1.sources.s.bind = 127.0.0.1\na1.sources.s.port = {port}\n{rest}\n"
    )
}

/// One that nobody has now.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Wait until somebody listens there.
pub fn wait_listening(port: u16) -> anyhow::Result<()> {
    let until = Instant::now() + STARTS;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < until, "nobody listens on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
