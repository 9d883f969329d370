//! Chains of agents of the real Flume and of ours, each with a file channel: every event arrives once when nothing
//! fails, and nothing that was acknowledged is lost when any of them is killed at any moment.
//! `FLUME_CHAIN_KILLS` sets the number of kills, `FLUME_CRASH_SEED` repeats a run's choices.

use super::real::{is_there, peer};
use super::{ledger, lines_in};
use crate::crash::{Random, from_environment, seeded, tell};
use crate::pipe::{Pipe, Running};
use rustix::process::Signal;
use std::collections::HashSet;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a chain may take for everything.
const PATIENCE: Duration = Duration::from_secs(240);
/// Kills of a chain that nobody asked more of.
const KILLS: u64 = 4;
/// The longest time between two kills: Java takes seconds to start.
const LONGEST: Duration = Duration::from_millis(2500);

/// Whose agent.
#[derive(Clone, Copy)]
enum Whose {
    /// The real one, of this version.
    Flume(&'static str),
    Ours,
}

/// An agent of a chain, in a directory of its own, which may be killed and started again.
struct Agent {
    whose: Whose,
    directory: tempfile::TempDir,
    port: u16,
    running: Option<Running>,
}

impl Agent {
    /// Not started yet. `next` is the port that it sends to; the last one writes files.
    fn new(whose: Whose, next: Option<u16>) -> Agent {
        let agent = Agent {
            whose,
            directory: tempfile::tempdir().unwrap(),
            port: TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port(),
            running: None,
        };
        std::fs::create_dir(agent.out()).unwrap();
        let text = match whose {
            Whose::Flume(_) => agent.properties(next),
            Whose::Ours => agent.pipeline(next),
        };
        std::fs::write(agent.directory.path().join("flow"), text).unwrap();
        agent
    }

    fn out(&self) -> std::path::PathBuf {
        self.directory.path().join("out")
    }

    fn pipeline(&self, next: Option<u16>) -> String {
        let sink = match next {
            Some(port) => format!("sink avro --hostname 127.0.0.1 --port {port}"),
            None => "sink file_roll --directory out".into(),
        };
        format!(
            "source avro --bind 127.0.0.1 --port {} | channel file spool | {sink}\n",
            self.port
        )
    }

    fn properties(&self, next: Option<u16>) -> String {
        let directory = self.directory.path().display();
        let sink = match next {
            Some(port) => format!("type = avro\na.sinks.k.hostname = 127.0.0.1\na.sinks.k.port = {port}"),
            None => format!(
                "type = file_roll\na.sinks.k.sink.directory = {directory}/out\na.sinks.k.sink.rollInterval = 0"
            ),
        };
        format!(
            "a.sources = s\na.channels = c\na.sinks = k\na.sources.s.channels = c\na.sinks.k.channel = c\n\
             a.sources.s.type = avro\na.sources.s.bind = 127.0.0.1\na.sources.s.port = {}\n\
             a.channels.c.type = file\na.channels.c.checkpointDir = {directory}/checkpoint\n\
             a.channels.c.dataDirs = {directory}/data\na.channels.c.capacity = 200000\n\
             a.channels.c.transactionCapacity = 1000\na.sinks.k.{sink}\n",
            self.port
        )
    }

    fn start(&mut self) {
        let pipe = match self.whose {
            Whose::Ours => Pipe::new("run -f flow"),
            Whose::Flume(version) => {
                let launcher = peer("agent");
                Pipe::foreign(&format!("exec {} --name a --conf-file flow", launcher.display()))
                    .env("FLUME_PEER_VERSION", version)
                    .env("FLUME_PEER_JAVA", "-Xmx256m")
            }
        };
        let running = pipe.dir(self.directory.path()).patience(PATIENCE).start();
        self.running = Some(running);
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let running = self.running.as_mut().unwrap();
            assert!(Instant::now() < deadline, "{}", running.said(0));
            // Ends at once where it cannot start.
            let look = Instant::now() + Duration::from_millis(20);
            assert!(!running.ends_before(0, look), "{}", running.said(0));
        }
    }

    fn end(&mut self, signal: Signal) -> Option<String> {
        let running = self.running.take()?;
        running.kill(0, signal);
        Some(running.wait().told())
    }
}

/// The agents of a chain, the first of them first.
struct Chain(Vec<Agent>);

impl Chain {
    fn start(each: &[Whose]) -> Chain {
        let mut agents: Vec<Agent> = Vec::new();
        for whose in each.iter().rev() {
            agents.push(Agent::new(*whose, agents.last().map(|next| next.port)));
        }
        agents.reverse();
        agents.iter_mut().for_each(Agent::start);
        agents.iter_mut().for_each(Agent::wait_until_it_listens);
        Chain(agents)
    }

    fn arrived(&self) -> Vec<String> {
        lines_in(&self.0.last().unwrap().out())
    }

    /// Wait until so many different events have arrived; all that have.
    fn wait_for(&mut self, events: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let arrived = self.arrived();
            if arrived.iter().collect::<HashSet<_>>().len() >= events {
                return arrived;
            }
            if Instant::now() > deadline {
                let told: Vec<_> = self
                    .0
                    .iter_mut()
                    .filter_map(|agent| agent.end(Signal::TERM))
                    .collect();
                panic!(
                    "{} of {events} events arrived\n{}",
                    arrived.len(),
                    told.join("\n")
                );
            }
            // There is no event for a file that grows.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(mut self) {
        for agent in &mut self.0 {
            agent.end(Signal::TERM);
        }
    }
}

/// Who sends into the first of a chain: a command, in a directory where it writes its ledger.
fn client(whose: Whose, port: u16, events: u64, directory: &Path) -> Pipe {
    let pipe = match whose {
        Whose::Flume(version) => Pipe::foreign(&format!(
            "exec {} --hosts 127.0.0.1:{port} --events {events} --batch 20 --retry 100 --ledger ledger",
            peer("client").display()
        ))
        .env("FLUME_PEER_VERSION", version),
        Whose::Ours => Pipe::new(&format!("send avro://127.0.0.1:{port} --batch-size 20 lines")),
    };
    let pipe = pipe.dir(directory).patience(PATIENCE);
    pipe.file("lines", numbered(events))
}

fn numbered(events: u64) -> String {
    (0..events).map(|number| format!("event {number}\n")).collect()
}

fn check(sender: Whose, each: &[Whose], events: u64, kills: u64) {
    if !is_there() {
        return;
    }
    let mut chain = Chain::start(each);
    let directory = tempfile::tempdir().unwrap();
    let mut client = client(sender, chain.0[0].port, events, directory.path()).start();
    let (seed, mut random) = seeded("FLUME_CRASH_SEED");
    let mut killed = 0;
    while killed < kills && !client.ends_before(0, Instant::now() + random_time(&mut random)) {
        let agent = &mut chain.0[random.below(each.len() as u64) as usize];
        agent.end(Signal::KILL);
        agent.start();
        killed += 1;
    }
    client.wait().expect_status([0]);
    let acknowledged = match sender {
        Whose::Flume(_) => ledger(&directory.path().join("ledger")),
        Whose::Ours => numbered(events).lines().map(String::from).collect(),
    };
    assert_eq!(acknowledged.len() as u64, events);
    let arrived = chain.wait_for(acknowledged.len());
    let different: HashSet<&String> = arrived.iter().collect();
    let lost = acknowledged
        .iter()
        .filter(|event| !different.contains(event))
        .count();
    tell(&format!(
        "chain: {killed} kills, {} acknowledged, {lost} lost, {} duplicated",
        acknowledged.len(),
        arrived.len() - different.len()
    ));
    assert_eq!(lost, 0, "FLUME_CRASH_SEED={seed}");
    if kills == 0 {
        assert_eq!(arrived.len(), acknowledged.len(), "each event once");
    }
    chain.stop();
}

fn random_time(random: &mut Random) -> Duration {
    Duration::from_millis(random.below(LONGEST.as_millis() as u64))
}

const OLD: Whose = Whose::Flume("1.9.0");
const NEW: Whose = Whose::Flume("1.11.0");

#[test]
fn flume_to_us_to_flume_delivers_each_event_once() {
    check(NEW, &[OLD, Whose::Ours, NEW], 20_000, 0);
}

#[test]
fn us_to_flume_to_us_delivers_each_event_once() {
    check(Whose::Ours, &[Whose::Ours, NEW, Whose::Ours], 20_000, 0);
}

#[test]
fn flume_to_us_to_flume_loses_nothing_acknowledged_when_any_is_killed() {
    let kills = from_environment("FLUME_CHAIN_KILLS").unwrap_or(KILLS);
    check(OLD, &[NEW, Whose::Ours, OLD], 60_000, kills);
}

#[test]
fn us_to_flume_to_us_loses_nothing_acknowledged_when_any_is_killed() {
    let kills = from_environment("FLUME_CHAIN_KILLS").unwrap_or(KILLS);
    check(OLD, &[Whose::Ours, OLD, Whose::Ours], 60_000, kills);
}
