//! Streams between machines, over loopback, beside socat in their place.

use crate::measure::{Cores, Program, Run, finish, median, run, start, tool};
use crate::server::{Server, free_port};
use crate::table::{self, Row};
use crate::writer;
use flume::wire;
use std::time::Instant;

/// Events of a batch.
const BATCH: u64 = 1000;
/// Bytes that socat carries at once: with its default of 8 KiB it would be half as fast.
const PIECE: &str = "131072";

/// Print the table.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let count = bench.size(30_000_000, 4_000_000);
    let frame = (wire::HEADER + writer::batch("plain", BATCH as u32)?.bytes()) as u64;
    let bytes = count / BATCH * frame;
    let mib = bytes as f64 / f64::from(1 << 20);
    let socat = tool("socat", &["-u", "-b", PIECE]);
    let mut rates = Vec::new();
    for _ in 0..bench.rounds() {
        let bare = socat
            .as_ref()
            .map(|socat| relayed(bench, socat, bytes))
            .transpose()?;
        rates.push((mib / hop(bench, count)?, bare.map(|seconds| mib / seconds)));
    }
    let ours = median(rates.iter().map(|(ours, _)| *ours));
    let events = ours / mib * count as f64 / 1e6;
    let row = Row::new(
        "writer, sink stream, source stream, null sink",
        format!("{events:.2} M events/s, {ours:.0} MiB/s"),
    );
    let pairs: Vec<_> = rates
        .iter()
        .filter_map(|(ours, bare)| Some((*ours, (*bare)?)))
        .collect();
    let row = if pairs.is_empty() {
        row.missing("socat is not installed")
    } else {
        let ratio = median(pairs.iter().map(|(ours, bare)| ours / bare));
        let bare = median(pairs.iter().map(|(_, bare)| *bare));
        row.against(format!("{bare:.0} MiB/s"), ratio)
            .at_least(ratio, 0.5, "x")
    };
    table::print(
        "A hop over TCP on loopback: 100-byte bodies, 2 headers; reference: the same bytes by socat on both sides",
        &[row],
    )
}

/// Seconds until the sending side knows that all is accepted.
fn hop(bench: &Run, count: u64) -> anyhow::Result<f64> {
    let server = Server::start(bench, |port| {
        format!("source stream --listen tcp:127.0.0.1:{port} | sink null")
    })?;
    let programs = [
        bench.child(&format!("events plain {count} {BATCH} 32")),
        bench.flume(&format!("sink stream --quiet tcp:127.0.0.1:{}", server.port)),
    ];
    Ok(run(&programs, Cores::Free)?.seconds)
}

/// Seconds until a reader behind the receiving socat has read all.
fn relayed(bench: &Run, socat: &Program, bytes: u64) -> anyhow::Result<f64> {
    let port = free_port()?;
    let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr");
    let takers = [socat.clone().with(&[&listen, "-"]), bench.child("read")];
    let connect = format!("TCP:127.0.0.1:{port},retry=500,interval=0.01");
    let senders = [
        bench.child(&format!("write {bytes} {}", 64 << 10)),
        socat.clone().with(&["-", &connect]),
    ];
    let started = Instant::now();
    let pids = start(&takers, Cores::Free)?;
    run(&senders, Cores::Free)?;
    Ok(finish(&takers, &pids, started)?.seconds)
}
