//! What happens when more is offered than a path can carry: a curve.

use crate::measure::{Cores, Run, run_watched};
use crate::table::{self, Row};
use anyhow::Context;

const LOADS: [f64; 6] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0];

/// What one offered load came to.
struct Point {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    peak_mib: f64,
}

/// Print the table.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for load in LOADS {
        // Measured again each time: a disk does not stay as it was.
        let capacity = point(bench, 0)?;
        let offered = capacity.rate * load;
        let point = point(bench, offered as u64)?;
        let what = format!("{load} of it offered, {:.0} k events/s", offered / 1e3);
        rows.push(shown(what, &point, &capacity, load));
    }
    table::print(
        "Overload: writer | channel file --sync always | sink null, batches of 100; reference: as much as is taken",
        &rows,
    )
}

fn point(bench: &Run, rate: u64) -> anyhow::Result<Point> {
    let directory = bench.directory()?;
    let result = directory.path().join("result");
    let seconds = bench.size(5, 2);
    let channel = format!(
        "channel file {} --sync always --quiet",
        directory.path().join("channel").display()
    );
    let programs = [
        bench.child(&format!("paced {rate} {seconds} {}", result.display())),
        bench.flume(&channel),
        bench.flume("sink null --quiet"),
    ];
    let ended = run_watched(&programs, Cores::Free)?;
    let text = std::fs::read_to_string(&result)?;
    let numbers: Vec<f64> = text.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [rate, p50_ms, p99_ms] = numbers.try_into().ok().context("a result has three numbers")?;
    let peak_mib = ended.usages[1].peak_kib as f64 / 1024.0;
    Ok(Point {
        rate,
        p50_ms,
        p99_ms,
        peak_mib,
    })
}

fn shown(what: String, point: &Point, capacity: &Point, load: f64) -> Row {
    let text = |point: &Point| {
        let Point {
            rate,
            p50_ms,
            p99_ms,
            peak_mib,
        } = point;
        format!(
            "{:.0} k events/s, receipt p50 {p50_ms:.2} p99 {p99_ms:.2} ms, channel {peak_mib:.1} MiB",
            rate / 1e3
        )
    };
    let (ratio, most_mib) = (point.rate / capacity.rate, 1.5 * capacity.peak_mib.max(8.0));
    let row = Row::new(what, text(point)).against(text(capacity), ratio);
    match load >= 1.5 {
        true => row
            .at_least(ratio, 0.9, "x")
            .at_most(point.peak_mib, most_mib.round(), "MiB"),
        false => row,
    }
}
