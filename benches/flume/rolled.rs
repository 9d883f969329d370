//! The lines of a file through an agent, from the first event taken to the last; the real Flume and dd do the same.

use crate::lines::write_lines;
use crate::measure::{Cores, Run, median, run, tool};
use crate::peer::Peer;
use crate::table::Row;
use crate::watched::{PATIENCE, Side, Watched, through_memory, to_files};
use anyhow::{Context, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// Lines in a MiB.
const LINES: u64 = 4096;

/// A file of lines through this source, in which `FILE` is its path, and memory to files: beside Flume, and beside dd.
pub fn rolled(bench: &Run, peer: &Peer, what: &str, source: &str) -> anyhow::Result<(Row, Row)> {
    let directory = bench.directory()?;
    let (input, copy) = (directory.path().join("lines"), directory.path().join("copy"));
    let mib = bench.size(1024, 128);
    write_lines(&input, mib << 20)?;
    let properties = to_files(&through_memory(source));
    let mut rounds = Vec::new();
    for _ in 0..bench.size(3, 1) {
        let theirs = rate(Side::Real(bench, peer), &properties, &input, mib)?;
        let dd = mib as f64 / dd(&input, &copy)?;
        rounds.push((rate(Side::Ours(bench), &properties, &input, mib)?, theirs, dd));
    }
    let of = |value: &dyn Fn(&(f64, f64, f64)) -> f64| median(rounds.iter().map(value));
    let (ours, theirs, dd) = (of(&|round| round.0), of(&|round| round.1), of(&|round| round.2));
    let (times, share) = (of(&|round| round.0 / round.1), of(&|round| round.0 / round.2));
    let shown = |rate: f64| format!("{rate:.0} MiB/s");
    let what = format!("{what}, memory, file_roll");
    Ok((
        Row::new(&what, shown(ours)).against(shown(theirs), times),
        Row::new(format!("{what} / dd conv=fdatasync, or Flume"), shown(ours))
            .against(shown(dd), share)
            .at_least(ours, (theirs * 3.0).min(dd * 0.7).round(), "MiB/s"),
    ))
}

/// The same to a null sink, beside Flume.
pub fn taken(bench: &Run, peer: &Peer, what: &str, source: &str) -> anyhow::Result<Row> {
    let directory = bench.directory()?;
    let input = directory.path().join("lines");
    let mib = bench.size(1024, 128);
    write_lines(&input, mib << 20)?;
    let properties = through_memory(source);
    let mut rounds = Vec::new();
    for _ in 0..bench.size(3, 1) {
        let theirs = rate(Side::Real(bench, peer), &properties, &input, mib)?;
        rounds.push((rate(Side::Ours(bench), &properties, &input, mib)?, theirs));
    }
    let of = |value: &dyn Fn(&(f64, f64)) -> f64| median(rounds.iter().map(value));
    let shown = |rate: f64| format!("{rate:.0} MiB/s");
    let row = Row::new(format!("{what}, memory, null"), shown(of(&|round| round.0)));
    Ok(row.against(shown(of(&|round| round.1)), of(&|round| round.0 / round.1)))
}

/// Seconds of a copy by dd that is synced at its end.
fn dd(input: &Path, copy: &Path) -> anyhow::Result<f64> {
    let words = [
        format!("if={}", input.display()),
        format!("of={}", copy.display()),
        "bs=1M".into(),
        "conv=fdatasync".into(),
        "status=none".into(),
    ];
    let dd = tool("dd", &words.each_ref().map(String::as_str)).context("there is no dd")?;
    Ok(run(&[dd], Cores::Free)?.seconds)
}

/// MiB a second. A link to the input stands in `DIR/spool`.
fn rate(side: Side, properties: &str, input: &Path, mib: u64) -> anyhow::Result<f64> {
    let properties = properties.replace("FILE", &input.to_string_lossy());
    let agent = Watched::prepared(&properties, side, |at| {
        std::fs::create_dir(at.join("spool"))?;
        Ok(std::fs::hard_link(input, at.join("spool/lines"))?)
    })?;
    agent
        .wait_taken(1, PATIENCE)
        .with_context(|| format!("with the file\n{properties}"))?;
    let started = Instant::now();
    agent.wait_taken(mib * LINES, PATIENCE * 3)?;
    if properties.contains("file_roll") {
        wait_written(&agent.directory.path().join("out"), mib << 20)?;
    }
    Ok(mib as f64 / started.elapsed().as_secs_f64())
}

/// What was taken from the channel is in the file when its transaction is committed, which may be a moment later.
fn wait_written(out: &Path, bytes: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while written(out)? < bytes {
        ensure!(
            Instant::now() < deadline,
            "{} of {bytes} bytes were written",
            written(out)?
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Bytes in the files of a directory.
fn written(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
