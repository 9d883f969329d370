//! A file channel that many events wait in: its first delivery, its status, how it drains, how it recovers.

use crate::limit::Limit;
use crate::measure::{Cores, Program, Run, median, memory_kib, run, until_output, wait};
use crate::peer::{MARK_EVENTS, Peer};
use crate::table::{self, Row};
use anyhow::{Context, ensure};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Bytes of an encoded event that waits.
const EVENT_BYTES: u64 = 256;
/// Bytes of an event of the recovery, in which the real Flume was measured.
const RECOVERED_BYTES: u64 = 500;
/// More than a hello: where so much has come out, so have events.
const DELIVERED_BYTES: usize = 4 << 10;
/// Resident memory while a backlog drains.
const RESIDENT_MIB: u64 = 32;

/// Print the tables.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let count = bench.size(10_000_000, 1_000_000);
    let mut rows = Vec::new();
    for events in if bench.quick { &[1000][..] } else { &[1000, 1] } {
        rows.extend(waiting(bench, count / events, *events)?);
    }
    rows.push(drain(bench)?);
    table::print("A backlog in a file channel, events of 256 bytes", &rows)?;
    table::print(
        "Recovery of 500-byte events: from exec until all are delivered; reference: the real Flume 1.11",
        &recovery(bench)?,
    )
}

/// A channel with a backlog.
struct Backlog {
    _directory: tempfile::TempDir,
    channel: PathBuf,
    events: u64,
}

impl Backlog {
    fn new(bench: &Run, batches: u64, events: u64, bytes: u64) -> anyhow::Result<Backlog> {
        let directory = bench.directory()?;
        let channel = directory.path().join("channel");
        let words = format!("fill {} {batches} {events} {bytes}", channel.display());
        run(&[bench.child(&words)], Cores::Free)?;
        // Written back now, so that it does not happen while something is measured.
        rustix::fs::sync();
        Ok(Backlog {
            _directory: directory,
            channel,
            events: batches * events,
        })
    }

    /// Remove what a boot removes: the tables that processes share.
    fn remove_tables(&self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(self.channel.join("checkpoint"))? {
            let path = entry?.path();
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("table-"))
            {
                std::fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }

    fn taker(&self, bench: &Run) -> Program {
        let pipeline = format!(
            "channel file {} --take --until-empty | sink null",
            self.channel.display()
        );
        bench.fused(&pipeline).with(&["--summary", "json"])
    }

    fn status(&self) -> anyhow::Result<u64> {
        Ok(flume::channel::file::status(&self.channel)?.events)
    }
}

fn waiting(bench: &Run, batches: u64, events: u64) -> anyhow::Result<Vec<Row>> {
    let backlog = Backlog::new(bench, batches, events, EVENT_BYTES)?;
    let what = format!("{} M events in batches of {events}", backlog.events / 1_000_000);
    let mut rows = Vec::new();
    for tables in ["tables there", "tables removed"] {
        for cache in ["warm", "cold"] {
            let mut times = Vec::new();
            for _ in 0..bench.rounds() {
                if tables == "tables removed" {
                    backlog.remove_tables()?;
                }
                if cache == "warm" || drop_caches() {
                    times.push(first_delivery(bench, &backlog.channel)?);
                }
            }
            rows.push(delivered(
                format!("{what}, first delivery, {tables}, {cache}"),
                &times,
            ));
        }
    }
    for tables in ["tables there", "tables removed"] {
        if tables == "tables removed" {
            backlog.remove_tables()?;
        }
        let started = Instant::now();
        let found = backlog.status()?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(
            found == backlog.events,
            "the status says {found} of {} events",
            backlog.events
        );
        let row = Row::new(format!("{what}, status, {tables}"), format!("{seconds:.3} s"));
        rows.push(row.at_most(seconds, 1.0, "s"));
    }
    Ok(rows)
}

fn delivered(what: String, times: &[f64]) -> Row {
    if times.is_empty() {
        return Row::new(what, "not measured: only root can drop the page cache");
    }
    let millis = median(times.iter().copied());
    Row::new(what, format!("{millis:.1} ms")).at_most(millis, 100.0, "ms")
}

/// Forget all clean pages, as a boot does; only root may.
fn drop_caches() -> bool {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// Milliseconds from exec until events are on standard output; nothing is accepted.
fn first_delivery(bench: &Run, channel: &Path) -> anyhow::Result<f64> {
    let words = format!("channel file {} --take --quiet", channel.display());
    until_output(&bench.flume(&words), DELIVERED_BYTES)
}

/// What a drain came to.
struct Drained {
    seconds: f64,
    accepted: u64,
    peak_kib: u64,
}

fn drain(bench: &Run) -> anyhow::Result<Row> {
    let gib = bench.size(10, 1);
    let backlog = Backlog::new(bench, (gib << 30) / EVENT_BYTES / 1000, 1000, EVENT_BYTES)?;
    backlog.remove_tables()?;
    let limit = Limit::new(RESIDENT_MIB << 20);
    let drained = drain_all(&limit.bound(&backlog.taker(bench)))?;
    check(&backlog, drained.accepted)?;
    let peak = drained.peak_kib as f64 / 1024.0;
    let mib = (backlog.events * EVENT_BYTES) as f64 / f64::from(1 << 20);
    let shown = format!(
        "{:.0} MiB/s, {peak:.1} MiB peak, nothing lost, below {}",
        mib / drained.seconds,
        limit.describe()
    );
    Ok(Row::new(format!("{gib} GiB drain"), shown).at_most(peak, RESIDENT_MIB as f64, "MiB"))
}

fn check(backlog: &Backlog, accepted: u64) -> anyhow::Result<()> {
    let (put, left) = (backlog.events, backlog.status()?);
    ensure!(
        accepted == put && left == 0,
        "{accepted} of {put} events came, and {left} are left"
    );
    Ok(())
}

/// Run a taker to its end, and look at its memory meanwhile.
fn drain_all(program: &Program) -> anyhow::Result<Drained> {
    let mut command = program.command();
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let mut errors = child.stderr.take().context("no standard error")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let pid = child.id() as i32;
    let mut peak_kib = 0;
    while !reader.is_finished() {
        peak_kib = memory_kib(pid, "VmHWM").unwrap_or(0).max(peak_kib);
        std::thread::sleep(Duration::from_millis(5));
    }
    let (status, _) = wait(pid)?;
    let seconds = started.elapsed().as_secs_f64();
    let text = reader.join().map_err(|_| anyhow::anyhow!("the reader died"))??;
    ensure!(status == 0, "a taker ended with wait status {status:#x}: {text}");
    let summary = text.lines().find(|line| line.starts_with('{'));
    let summary: serde_json::Value = serde_json::from_str(summary.context("a taker gave no summary")?)?;
    Ok(Drained {
        seconds,
        accepted: summary["accepted"]
            .as_u64()
            .context("a summary without accepted")?,
        peak_kib,
    })
}

fn recovery(bench: &Run) -> anyhow::Result<Vec<Row>> {
    let count = bench.size(1_000_000, 100_000);
    let peer = Peer::find();
    let mut rows = Vec::new();
    for kept in [true, false] {
        let backlog = Backlog::new(bench, count / 1000, 1000, RECOVERED_BYTES)?;
        if !kept {
            backlog.remove_tables()?;
        }
        let drained = drain_all(&backlog.taker(bench))?;
        check(&backlog, drained.accepted)?;
        let what = if kept { "tables there" } else { "tables removed" };
        let row = Row::new(
            format!("{count} events, {what}"),
            format!("{:.2} s", drained.seconds),
        );
        rows.push(match &peer {
            Ok(peer) => {
                let (first, all) = peer_recovery(bench, peer, count, kept)?;
                let state = if kept {
                    "stopped in order"
                } else {
                    "checkpoint removed"
                };
                row.against(
                    format!("{all:.2} s, first {first:.2} s, {state}"),
                    drained.seconds / all,
                )
            }
            Err(why) => row.missing(&why.to_string()),
        });
    }
    Ok(rows)
}

/// Seconds from exec until the real Flume's sink has taken its first events, and all.
fn peer_recovery(bench: &Run, peer: &Peer, count: u64, checkpoint: bool) -> anyhow::Result<(f64, f64)> {
    let directory = bench.directory()?;
    let at = directory.path();
    peer_fill(peer, at, count)?;
    if !checkpoint {
        std::fs::remove_dir_all(at.join("checkpoint"))?;
    }
    rustix::fs::sync();
    let mut agent = peer.start(at, &[], &["batchSize = 1000"])?;
    let first = agent.mark()?;
    let all = agent.mark_when(|mark| mark.taken >= count / MARK_EVENTS * MARK_EVENTS)?;
    let since = |at: Instant| (at - agent.started).as_secs_f64();
    Ok((since(first.at), since(all.at)))
}

/// Let the real Flume fill its own channel. It does not say when its source is done, but then its files grow no more.
fn peer_fill(peer: &Peer, at: &Path, count: u64) -> anyhow::Result<()> {
    let (size, most) = (
        format!("size = {RECOVERED_BYTES}"),
        format!("maxTotalEvents = {count}"),
    );
    let kind = "type = org.apache.flume.source.StressSource";
    let mut agent = peer.start(at, &[kind, "batchSize = 1000", &size, &most], &[])?;
    let (mut seen, mut since) = (0, Instant::now());
    while seen < count * RECOVERED_BYTES || since.elapsed() < Duration::from_secs(3) {
        ensure!(
            since.elapsed() < Duration::from_secs(120),
            "the real Flume does not fill its channel"
        );
        std::thread::sleep(Duration::from_millis(200));
        let bytes = allocated(&at.join("data"));
        if bytes != seen {
            (seen, since) = (bytes, Instant::now());
        }
    }
    let put = agent.stop("channel.current.size")?;
    ensure!(
        put == count,
        "the real Flume's channel holds {put} events, not {count}"
    );
    Ok(())
}

/// Bytes of the files in a directory that may not be there yet.
fn allocated(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|found| found.len())
        .sum()
}
