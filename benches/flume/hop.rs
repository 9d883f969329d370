//! A pipe hop against a bare pipe of the same bytes, and a stage in the middle against `cat` in its place.

use crate::measure::{Cores, Ended, Program, Run, medians, pairs, run, tool};
use crate::table::{self, Row};
use crate::writer;
use anyhow::Context;
use flume::wire;

/// A bare writer writes at once what our outlet would.
const WRITE_BYTES: u64 = 64 << 10;
/// A window that small batches fill a pipe with.
const LARGE_WINDOW: u64 = 4096;

const NULL: &str = "sink null --quiet";

/// Print both tables.
pub fn measure(run: &Run) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for cores in [Cores::Split, Cores::Same, Cores::Free] {
        rows.extend(hop(run, 1000, 32, cores, 40_000_000)?);
    }
    for (batch, window, full) in [
        (100, 32, 20_000_000),
        (10, LARGE_WINDOW, 20_000_000),
        (10, 32, 5_000_000),
        (1, LARGE_WINDOW, 5_000_000),
        (1, 32, 1_000_000),
    ] {
        rows.extend(hop(run, batch, window, Cores::Split, full)?);
    }
    table::print(
        "A pipe hop: 100-byte bodies, 2 headers, accepted by a null sink; reference: a bare pipe of the same bytes",
        &rows,
    )?;
    let mut rows = Vec::new();
    for cores in [Cores::Same, Cores::Split] {
        rows.extend(middles(run, cores)?);
    }
    table::print(
        "A stage in the middle: 256-byte bodies, batches of 1000; reference: cat in the same place",
        &rows,
    )
}

fn frame_bytes(kind: &str, events: u32) -> anyhow::Result<u64> {
    Ok((wire::HEADER + writer::batch(kind, events)?.bytes()) as u64)
}

fn hop(bench: &Run, events: u64, window: u64, cores: Cores, full: u64) -> anyhow::Result<[Row; 2]> {
    let count = bench.size(full, full / 10);
    let frame = frame_bytes("plain", events as u32)?;
    let stream_bytes = count / events * frame;
    let body_gib = (count * 100) as f64 / f64::from(1 << 30);
    let ours = [
        bench.child(&format!("events plain {count} {events} {window}")),
        bench.flume(NULL),
    ];
    let bare = [
        bench.child(&format!("write {stream_bytes} {}", frame.max(WRITE_BYTES))),
        bench.child("read"),
    ];
    let pairs = pairs(bench.rounds(), || run(&ours, cores), || run(&bare, cores))?;
    let rate = |ended: &Ended| count as f64 / ended.seconds / 1e6;
    let cpu = |ended: &Ended| total_cpu(ended) / body_gib;
    let (our_rate, bare_rate, rate_ratio) = medians(&pairs, rate);
    let (our_cpu, bare_cpu, cpu_ratio) = medians(&pairs, cpu);
    let mib = |rate: f64| rate * 1e6 / events as f64 * frame as f64 / f64::from(1 << 20);
    let shown = |rate: f64| format!("{rate:.2} M events/s, {:.0} MiB/s", mib(rate));
    let what = format!("batches of {events}, window {window}, {}", cores.word());
    let row = Row::new(&what, shown(our_rate)).against(shown(bare_rate), rate_ratio);
    let row = match (events, window) {
        (1000, _) => row
            .at_least(our_rate, 10.0, "M events/s")
            .at_least(rate_ratio, 0.5, "x"),
        (10, LARGE_WINDOW) => row.at_least(our_rate, 5.0, "M events/s"),
        (1, LARGE_WINDOW) => row.at_least(our_rate, 2.0, "M events/s"),
        _ => row,
    };
    let cpu_shown = |cpu: f64| format!("{cpu:.2} CPU-s/GiB of bodies");
    Ok([
        row,
        Row::new(format!("{what}: CPU, both ends"), cpu_shown(our_cpu))
            .against(cpu_shown(bare_cpu), cpu_ratio),
    ])
}

fn total_cpu(ended: &Ended) -> f64 {
    ended.usages.iter().map(|usage| usage.cpu_seconds).sum()
}

fn middles(bench: &Run, cores: Cores) -> anyhow::Result<Vec<Row>> {
    let count = bench.size(10_000_000, 2_000_000);
    let stages = [
        ("passes on unchanged", bench.child("pass"), Some(1.5)),
        (
            "intercept static, header there",
            bench.flume("intercept static --quiet --key host --value x"),
            None,
        ),
        (
            "intercept static, header added",
            bench.flume("intercept static --quiet --key datacenter --value ams-1"),
            Some(2.0),
        ),
    ];
    let cat = tool("cat", &[]).context("there is no cat")?;
    stages
        .into_iter()
        .map(|(what, stage, budget)| middle(bench, count, cores, (what, stage, budget), &cat))
        .collect()
}

fn middle(
    bench: &Run,
    count: u64,
    cores: Cores,
    (what, stage, budget): (&str, Program, Option<f64>),
    cat: &Program,
) -> anyhow::Result<Row> {
    let around = |middle: &Program| {
        [
            bench.child(&format!("events wide {count} 1000 32")),
            middle.clone(),
            bench.flume(NULL),
        ]
    };
    let gib = (count * 256) as f64 / f64::from(1 << 30);
    let (ours, reference) = (around(&stage), around(cat));
    let pairs = pairs(bench.rounds(), || run(&ours, cores), || run(&reference, cores))?;
    let (our_cpu, cat_cpu, ratio) = medians(&pairs, |ended| ended.usages[1].cpu_seconds / gib);
    let (our_rate, cat_rate, _) = medians(&pairs, |ended| count as f64 / ended.seconds / 1e6);
    let shown = |cpu: f64, rate: f64| format!("{cpu:.2} CPU-s/GiB, {rate:.1} M events/s");
    let row = Row::new(format!("{what}, {}", cores.word()), shown(our_cpu, our_rate))
        .against(shown(cat_cpu, cat_rate), ratio);
    Ok(match budget {
        Some(budget) => row.at_most(ratio, budget, "x CPU"),
        None => row,
    })
}
