//! Avro RPC beside the real Flume: what is taken from one connection, through a relay with a file channel, and what
//! many idle connections cost.
//!
//! Each of ours that is compared is `flume agent` with the properties that the real Flume gets.

use crate::measure::{Cores, Run, cpu_seconds, median, memory_kib, run};
use crate::peer::Peer;
use crate::server::Server;
use crate::table::{self, Row};
use anyhow::Context;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Events of a call.
const BATCH: u64 = 1000;
/// CPU of who takes, beside Flume's: six times less.
const CHEAPER: f64 = 0.166;
/// Connections that say nothing.
const IDLE: usize = 5000;

/// Print the tables.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let peer = Peer::find();
    let mut rows = Vec::new();
    match &peer {
        Ok(peer) => {
            rows.extend(taken(bench, peer)?);
            for (channel, full) in [
                ("file", (600_000, 12_000_000)),
                ("memory", (3_000_000, 12_000_000)),
            ] {
                rows.extend(relayed(bench, peer, channel, full)?);
            }
        }
        Err(why) => {
            let ours = from_us(bench, &receiver(bench)?)?;
            let row = Row::new("our client to us", format!("{:.2} M events/s", ours / 1e6));
            rows.push(row.missing(&why.to_string()));
        }
    }
    table::print(
        "Avro RPC, 256-byte bodies, batches of 1000, from one connection; reference: the real Flume 1.11 in our place",
        &rows,
    )?;
    table::print("Idle connections of source avro", &[idle(bench)?])?;
    match peer {
        Err(why) if bench.named("avro") => Err(why),
        _ => Ok(()),
    }
}

/// What a receiver came to.
struct Speed {
    events_per_second: f64,
    cpu_micros: f64,
}

fn taken(bench: &Run, peer: &Peer) -> anyhow::Result<Vec<Row>> {
    let directory = bench.directory()?;
    let (mut java, mut own) = (Vec::new(), Vec::new());
    for _ in 0..bench.size(3, 1) {
        let null = format!("{}{}", in_memory(), to("type = null\nbatchSize = 1000"));
        let flume = Server::of_peer(peer, directory.path(), &null)?;
        let theirs = from_java(bench, peer, &flume)?;
        let theirs_from_us = timed(&flume, || from_us(bench, &flume))?;
        drop(flume);
        let ours = Server::of_agent(bench, directory.path(), &null)?;
        java.push((from_java(bench, peer, &ours)?, theirs));
        own.push((timed(&ours, || from_us(bench, &ours))?, theirs_from_us));
    }
    let mut rows = compared("Java's client", &java, (None, Some(CHEAPER)));
    rows.extend(compared("our client", &own, (None, Some(CHEAPER))));
    let rates = own.iter().zip(&java);
    let each: Vec<_> = rates
        .map(|((ours, _), (_, theirs))| (ours.events_per_second / 1e6, theirs.events_per_second / 1e6))
        .collect();
    let ratio = median(each.iter().map(|(ours, theirs)| ours / theirs));
    let shown = |rate: f64| format!("{rate:.2} M events/s");
    rows.push(
        Row::new(
            "each with its own client",
            shown(median(each.iter().map(|(ours, _)| *ours))),
        )
        .against(shown(median(each.iter().map(|(_, theirs)| *theirs))), ratio)
        .at_least(ratio, 5.0, "x"),
    );
    Ok(rows)
}

/// Rates, and CPU an event of the receiver, with what their ratios should be at least and at most.
fn compared(what: &str, pairs: &[(Speed, Speed)], (faster, cheaper): (Option<f64>, Option<f64>)) -> Vec<Row> {
    let middle = |value: fn(&Speed) -> f64| {
        (
            median(pairs.iter().map(|(ours, _)| value(ours))),
            median(pairs.iter().map(|(_, theirs)| value(theirs))),
            median(pairs.iter().map(|(ours, theirs)| value(ours) / value(theirs))),
        )
    };
    let (ours, theirs, ratio) = middle(|speed| speed.events_per_second / 1e6);
    let shown = |rate: f64| format!("{rate:.2} M events/s");
    let rate = Row::new(what, shown(ours)).against(shown(theirs), ratio);
    let rate = match faster {
        Some(budget) => rate.at_least(ratio, budget, "x"),
        None => rate,
    };
    let (ours, theirs, ratio) = middle(|speed| speed.cpu_micros);
    let shown = |cpu: f64| format!("{cpu:.3} us CPU an event");
    let cpu = Row::new(format!("{what}: CPU of who takes"), shown(ours)).against(shown(theirs), ratio);
    let cpu = match cheaper {
        Some(budget) => cpu.at_most(ratio, budget, "x"),
        None => cpu,
    };
    vec![rate, cpu]
}

/// Events of a run, of which a third are whole batches, too.
fn events(bench: &Run, full: u64) -> u64 {
    bench.size(full, full / 8).next_multiple_of(3 * BATCH)
}

/// The client of Flume's SDK, the same batch over and over: what it says of its rate.
fn from_java(bench: &Run, peer: &Peer, to: &Server) -> anyhow::Result<Speed> {
    let count = events(bench, 6_000_000);
    // Java compiles what is hot.
    peer.client(to.port, count / 3, BATCH)?;
    let before = cpu_seconds(to.pid())?;
    let seconds = peer.client(to.port, count, BATCH)?;
    Ok(Speed {
        events_per_second: count as f64 / seconds,
        cpu_micros: (cpu_seconds(to.pid())? - before) * 1e6 / count as f64,
    })
}

/// Our own sending side, from its start to its end: events a second.
fn from_us(bench: &Run, to: &Server) -> anyhow::Result<f64> {
    send(bench, to, events(bench, 20_000_000))
}

fn send(bench: &Run, to: &Server, count: u64) -> anyhow::Result<f64> {
    let programs = [
        bench.child(&format!("events body {count} {BATCH} 32")),
        bench.flume(&format!(
            "sink avro --quiet --unordered --hostname 127.0.0.1 --port {} --batch-size {BATCH}",
            to.port
        )),
    ];
    Ok(count as f64 / run(&programs, Cores::Free)?.seconds)
}

fn timed(to: &Server, send: impl FnOnce() -> anyhow::Result<f64>) -> anyhow::Result<Speed> {
    let (before, started) = (cpu_seconds(to.pid())?, Instant::now());
    let events_per_second = send()?;
    let count = events_per_second * started.elapsed().as_secs_f64();
    Ok(Speed {
        events_per_second,
        cpu_micros: (cpu_seconds(to.pid())? - before) * 1e6 / count,
    })
}

/// From our client through a relay to our receiver: the channel of the relay is small against what goes through.
/// `full` are events for Flume, and for us.
fn relayed(bench: &Run, peer: &Peer, channel: &str, full: (u64, u64)) -> anyhow::Result<Vec<Row>> {
    let mut pairs = Vec::new();
    for _ in 0..bench.size(3, 1) {
        let behind = receiver(bench)?;
        let sink = to(&format!(
            "type = avro\nhostname = 127.0.0.1\nport = {}\nbatch-size = {BATCH}",
            behind.port
        ));
        let held = |directory: &Path| match channel {
            "file" => in_files(directory),
            _ => in_memory(),
        };
        let directory = bench.directory()?;
        let properties = format!("{}{sink}", held(directory.path()));
        let flume = Server::of_peer(peer, directory.path(), &properties)?;
        let theirs = through(bench, &flume, full.0)?;
        drop(flume);
        let directory = bench.directory()?;
        let properties = format!("{}{sink}", held(directory.path()));
        let ours = Server::of_agent(bench, directory.path(), &properties)?;
        pairs.push((through(bench, &ours, full.1)?, theirs));
    }
    let what = format!("relay: source avro, {channel} channel, sink avro; our client");
    Ok(compared(&what, &pairs, (Some(5.0), Some(CHEAPER))))
}

/// What goes through a relay whose channel is full after the first part of it.
fn through(bench: &Run, relay: &Server, full: u64) -> anyhow::Result<Speed> {
    let count = events(bench, full);
    send(bench, relay, count / 3)?;
    timed(relay, || send(bench, relay, count))
}

fn idle(bench: &Run) -> anyhow::Result<Row> {
    let server = Server::start(bench, |port| {
        format!("source avro --bind 127.0.0.1 --port {port} --max-connections 6000 | sink null")
    })?;
    let alone = memory_kib(server.pid(), "VmRSS").context("it has no memory")?;
    let mut held = Vec::new();
    for _ in 0..IDLE {
        held.push(TcpStream::connect(("127.0.0.1", server.port))?);
    }
    // There is no event for a server that has served all who came.
    std::thread::sleep(Duration::from_secs(2));
    let mib = |kib: u64| kib as f64 / 1024.0;
    let all = mib(memory_kib(server.pid(), "VmRSS").context("it has no memory")?);
    let shown = format!("{all:.1} MiB resident, {:.1} without them", mib(alone));
    Ok(Row::new(format!("{IDLE} connections"), shown).at_most(all, 100.0, "MiB"))
}

/// Properties of an agent's channel in memory.
fn in_memory() -> String {
    "a1.channels.c.type = memory\na1.channels.c.capacity = 100000\na1.channels.c.transactionCapacity = 10000\n"
        .to_string()
}

/// Properties of a file channel below this directory.
fn in_files(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "a1.channels.c.type = file\na1.channels.c.checkpointDir = {directory}/checkpoint\n\
         a1.channels.c.dataDirs = {directory}/data\na1.channels.c.capacity = 100000\n\
         a1.channels.c.transactionCapacity = 10000\n"
    )
}

/// The lines of a sink `k`.
fn to(sink: &str) -> String {
    let lines = sink.lines().map(|line| format!("a1.sinks.k.{line}\n"));
    lines.collect()
}

fn receiver(bench: &Run) -> anyhow::Result<Server> {
    Server::start(bench, |port| {
        format!(
            "source avro --bind 127.0.0.1 --port {port} | channel memory --capacity 100000 --transaction-capacity 10000 \
             | sink null"
        )
    })
}
