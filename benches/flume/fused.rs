//! `flume run` of a source, a memory channel and a sink in one process.

use crate::measure::{Cores, Run, median, run};
use crate::table::{self, Row};

/// Print the table.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (batch, full) in [(1000, 400_000_000), (10, 40_000_000), (1, 10_000_000)] {
        let count = bench.size(full, full / 10);
        let pipeline =
            format!("source seq --batch-size {batch} --total-events {count} | channel memory | sink null");
        let programs = [bench.fused(&pipeline)];
        let mut rates = Vec::new();
        let mut cpus = Vec::new();
        for _ in 0..bench.rounds() {
            let ended = run(&programs, Cores::Free)?;
            rates.push(count as f64 / ended.seconds / 1e6);
            cpus.push(ended.usages[0].cpu_seconds * 1e9 / count as f64);
        }
        let rate = median(rates);
        let shown = format!("{rate:.1} M events/s, {:.0} ns CPU an event", median(cpus));
        let row = Row::new(format!("batches of {batch}"), shown);
        rows.push(match batch {
            1000 => row.at_least(rate, 80.0, "M events/s"),
            _ => row,
        });
    }
    table::print("Fused: run 'source seq | channel memory | sink null'", &rows)
}
