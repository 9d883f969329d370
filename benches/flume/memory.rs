//! Resident memory of stages, idle and after very many events.

use crate::measure::{Cores, Program, Run, memory_kib, run_watched, start, wait};
use crate::table::{self, Row};
use std::time::Duration;

/// Budgets in MiB: idle, and loaded with its window of 4.
const IDLE_MIB: f64 = 8.0;
const LOADED_MIB: f64 = 16.0 + 4.0;

/// Print the table.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let mut rows = idle(bench)?;
    let count = bench.size(100_000_000, 5_000_000);
    let source = format!("source seq --quiet --batch-size 1000 --total-events {count}");
    let null = bench.flume("sink null --quiet");
    let seq = || ("source seq", bench.flume(&source));
    let pipelines: [Vec<(&str, Program)>; 3] = [
        vec![seq(), ("sink null", null.clone())],
        vec![
            seq(),
            (
                "intercept static",
                bench.flume("intercept static --quiet --key host --value web-1"),
            ),
            ("sink null", null.clone()),
        ],
        vec![(
            "run seq, memory, null",
            bench.fused(&format!(
                "source seq --batch-size 1000 --total-events {count} | channel memory | sink null"
            )),
        )],
    ];
    for pipeline in pipelines {
        let (names, programs): (Vec<_>, Vec<_>) = pipeline.into_iter().unzip();
        let ended = run_watched(&programs, Cores::Free)?;
        for (name, usage) in names.iter().zip(&ended.usages) {
            let mib = usage.peak_kib as f64 / 1024.0;
            let what = format!("{name} of {}, {} M events", names.len(), count / 1_000_000);
            rows.push(Row::new(what, format!("{mib:.1} MiB peak")).at_most(mib, LOADED_MIB, "MiB"));
        }
    }
    table::print("Resident memory", &rows)
}

fn idle(bench: &Run) -> anyhow::Result<Vec<Row>> {
    let fifo = bench.directory()?.keep().join("never");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
    )?;
    // Opened for both, so that neither open waits and nothing ever comes.
    let held = std::fs::File::options().read(true).write(true).open(&fifo)?;
    let programs = [
        bench.flume("source stdin --quiet").reading(&fifo),
        bench.flume("sink null --quiet"),
    ];
    let pids = start(&programs, Cores::Free)?;
    std::thread::sleep(Duration::from_secs(1));
    let rows = ["source stdin, idle", "sink null, idle"]
        .into_iter()
        .zip(&pids)
        .map(|(what, pid)| {
            let mib = memory_kib(*pid, "VmRSS").unwrap_or(0) as f64 / 1024.0;
            let private = memory_kib(*pid, "RssAnon").unwrap_or(0) as f64 / 1024.0;
            Row::new(what, format!("{mib:.1} MiB, of it {private:.1} its own")).at_most(mib, IDLE_MIB, "MiB")
        });
    let rows = rows.collect();
    drop(held);
    for pid in pids {
        wait(pid)?;
    }
    Ok(rows)
}
