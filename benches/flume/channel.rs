//! The file channel, put and take together, against bare appends of the same bytes by as many writers.

use crate::measure::{Program, Run, median, percentile, tool, wait};
use crate::putter::{EVENT_BYTES, take_stamps};
use crate::table::{self, Row};
use anyhow::{Context, ensure};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::Instant;

/// Print the tables.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (events, full) in [(1, 4000), (10, 4000), (100, 3000), (1000, 1000)] {
        for writers in [1, 8] {
            for processes in [true, false] {
                let each = bench.size(full, full / 4) / writers;
                rows.push(synced(bench, events, writers, each, processes)?);
            }
        }
    }
    table::print(
        "File channel, put and take, synced per commit; reference: append and fdatasync by as many writers, each its \
         own file",
        &rows,
    )?;
    table::print(
        "File channel, batches of 100, 5 ms added to each sync; reference: one writer of the channel",
        &[slow_disk(bench, true)?, slow_disk(bench, false)?],
    )?;
    let mut rows = vec![unsynced(bench, 1000, 8000)?, unsynced(bench, 1, 300_000)?];
    rows.push(latency(bench)?);
    table::print(
        "File channel, not synced; reference: write of the same batches",
        &rows,
    )
}

/// Who works together: in which way, and how many threads of it.
type Member = (&'static str, u64);

/// What a crew came to.
struct Score {
    seconds: f64,
    /// Bytes that the device below the directory has written, if it is one that counts.
    bytes_to_disk: Option<f64>,
}

/// Putters and a taker of one channel.
fn users(writers: u64, processes: bool) -> Vec<Member> {
    if !processes {
        return vec![("both", writers)];
    }
    let mut all = vec![("put", 1); writers as usize];
    all.push(("take", writers));
    all
}

fn synced(bench: &Run, events: u64, writers: u64, rounds: u64, processes: bool) -> anyhow::Result<Row> {
    let ours = users(writers, processes);
    let bare: Vec<Member> = match processes {
        true => vec![("bare", 1); writers as usize],
        false => vec![("bare", writers)],
    };
    let all = (writers * rounds) as f64;
    let (mut rates, mut disks) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let bare = crew(bench, &bare, events, rounds, None)?;
        let ours = crew(bench, &ours, events, rounds, None)?;
        rates.push((all / ours.seconds, all / bare.seconds));
        disks.extend(
            ours.bytes_to_disk
                .zip(bare.bytes_to_disk)
                .map(|(ours, bare)| ours / bare),
        );
    }
    let ratio = median(rates.iter().map(|(ours, bare)| ours / bare));
    let kind = if processes { "processes" } else { "threads" };
    let what = format!("batches of {events}, {writers} {kind}");
    let shown = |rate: f64| format!("{rate:.0} commits/s");
    let ours = median(rates.iter().map(|(ours, _)| *ours));
    let bare = shown(median(rates.iter().map(|(_, bare)| *bare)));
    let row = |shown: String| {
        Row::new(what, shown)
            .against(bare, ratio)
            .at_least(ratio, 0.8, "x")
    };
    if disks.is_empty() {
        return Ok(row(format!("{}, no device that counts its bytes", shown(ours))));
    }
    let disk = median(disks);
    Ok(row(format!("{}, disk bytes x {disk:.2}", shown(ours))).at_most(disk, 1.1, "x disk"))
}

/// What eight writers do in the time of one, where each sync takes 5 ms longer: they share it.
fn slow_disk(bench: &Run, processes: bool) -> anyhow::Result<Row> {
    let kind = if processes { "processes" } else { "threads" };
    let what = format!("8 {kind}");
    let inject =
        ["fdatasync:delay_exit=5000", "fsync:delay_exit=5000"].map(|each| format!("--inject={each}"));
    let words = [
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-o",
        "/dev/null",
        "--trace=fdatasync,fsync",
        &inject[0],
        &inject[1],
    ];
    let Some(tracer) = tool("strace", &words) else {
        return Ok(Row::new(what, "").missing("strace, which slows the syncs, is not installed"));
    };
    let rounds = bench.size(400, 100);
    let mut rates = Vec::new();
    for _ in 0..bench.rounds() {
        let [one, eight] = [1, 8].map(|writers| {
            let score = crew(bench, &users(writers, processes), 100, rounds, Some(&tracer))?;
            anyhow::Ok((writers * rounds) as f64 / score.seconds)
        });
        rates.push((eight?, one?));
    }
    let ratio = median(rates.iter().map(|(eight, one)| eight / one));
    let shown = |rate: f64| format!("{rate:.0} commits/s");
    let row = Row::new(what, shown(median(rates.iter().map(|(eight, _)| *eight))));
    Ok(row
        .against(shown(median(rates.iter().map(|(_, one)| *one))), ratio)
        .at_least(ratio, 6.0, "x"))
}

fn unsynced(bench: &Run, events: u64, full: u64) -> anyhow::Result<Row> {
    let rounds = bench.size(full, full / 4);
    let mib = (rounds * events * EVENT_BYTES) as f64 / f64::from(1 << 20);
    let mut rates = Vec::new();
    for _ in 0..bench.rounds() {
        let bare = crew(bench, &[("bare-unsynced", 1)], events, rounds, None)?;
        let ours = crew(bench, &[("both-unsynced", 1)], events, rounds, None)?;
        rates.push((mib / ours.seconds, mib / bare.seconds));
    }
    let ours = median(rates.iter().map(|(ours, _)| *ours));
    let batches = ours / mib * rounds as f64;
    let row = Row::new(
        format!("batches of {events}, one thread each"),
        format!("{ours:.0} MiB/s, {:.0} k batches/s", batches / 1e3),
    );
    let row = row.against(
        format!("{:.0} MiB/s", median(rates.iter().map(|(_, bare)| *bare))),
        median(rates.iter().map(|(ours, bare)| ours / bare)),
    );
    Ok(match events {
        1000 => row.at_least(ours, 2560.0, "MiB/s"),
        _ => row,
    })
}

fn latency(bench: &Run) -> anyhow::Result<Row> {
    let directory = bench.directory()?;
    let at = directory.path().join("channel");
    let rounds = bench.size(20_000, 4_000);
    let stamper = bench.child(&format!("stamp {} {rounds}", at.display()));
    let child = stamper.command().spawn()?;
    let times = take_stamps(&at, rounds);
    wait(child.id() as i32)?;
    let times = times?;
    let percentile = |share| percentile(times.iter().copied(), share);
    let p50 = percentile(0.5);
    let shown = format!("p50 {p50:.0} us, p99 {:.0} us", percentile(0.99));
    Ok(Row::new("put to take in another process", shown).at_most(p50, 30.0, "us p50"))
}

/// Start all, under another program where one is given, let them go at once, and wait until the last is done.
fn crew(
    bench: &Run,
    members: &[Member],
    events: u64,
    rounds: u64,
    starter: Option<&Program>,
) -> anyhow::Result<Score> {
    let directory = bench.directory()?;
    let at = directory.path().display();
    let mut started = Vec::new();
    for (how, threads) in members {
        let program = bench.child(&format!("put {how} {at} {threads} {events} {rounds}"));
        let program = starter.map_or(program.clone(), |starter| program.under(starter.clone()));
        let mut command = program.command();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        started.push(Started::new(child)?);
    }
    started.iter_mut().try_for_each(|child| {
        let line = child.line()?;
        ensure!(line == "ready", "a writer says \"{line}\"");
        Ok(())
    })?;
    let before = written_below(directory.path())?;
    let begun = Instant::now();
    for child in &mut started {
        child.go()?;
    }
    for child in &mut started {
        let line = child.line()?;
        ensure!(line == "done", "a writer says \"{line}\"");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = written_below(directory.path())?;
    for child in started {
        let (status, _) = wait(child.child.id() as i32)?;
        ensure!(status == 0, "a writer ended with wait status {status:#x}");
    }
    Ok(Score {
        seconds,
        bytes_to_disk: after.zip(before).map(|(after, before)| (after - before) as f64),
    })
}

/// Bytes written so far by the device that this directory is on, with all that waits to be written; none where
/// the file system has no device of its own. What a process dirties (`write_bytes` of /proc/PID/io) is no
/// measure: it counts all of a large folio of the page cache when a part of it is written again.
fn written_below(directory: &Path) -> anyhow::Result<Option<u64>> {
    let opened = std::fs::File::open(directory)?;
    rustix::fs::syncfs(&opened)?;
    let device = rustix::fs::fstat(&opened)?.st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(counted) = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")) else {
        return Ok(None);
    };
    // The seventh value is sectors of 512 bytes.
    let sectors = counted
        .split_whitespace()
        .nth(6)
        .context("a device without counters")?;
    Ok(Some(sectors.parse::<u64>()? * 512))
}

struct Started {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Started {
    fn new(mut child: Child) -> anyhow::Result<Started> {
        let out = child.stdout.take().context("no standard output")?;
        Ok(Started {
            child,
            out: BufReader::new(out),
        })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        Ok(line.trim_end().to_string())
    }

    fn go(&mut self) -> anyhow::Result<()> {
        let mut input = self.child.stdin.take().context("no standard input")?;
        Ok(input.write_all(b"go\n")?)
    }
}
