//! From exec to the first frame.

use crate::measure::{Program, Run, median, tool, wait};
use crate::table::{self, Row};
use anyhow::Context;
use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

const STARTS: usize = 50;

/// Print the table.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let echo = tool("echo", &["x"]).context("there is no /bin/echo")?;
    let stages = [
        ("source seq", bench.flume("source seq --quiet --total-events 1")),
        (
            "run 'source seq'",
            bench.fused("source seq --total-events 1 | intercept static"),
        ),
    ];
    let mut rows = Vec::new();
    for (what, stage) in stages {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            theirs.push(until_first_byte(&echo)?);
            ours.push(until_first_byte(&stage)?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        rows.push(
            Row::new(what, format!("{ours:.2} ms"))
                .against(format!("{theirs:.2} ms"), ours / theirs)
                .at_most(ours, 3.0, "ms"),
        );
    }
    table::print(
        "Start: from exec to the first byte out, median of 50; reference: /bin/echo",
        &rows,
    )
}

/// Milliseconds. The reading end is closed then, and how the program ends is its own affair.
fn until_first_byte(program: &Program) -> anyhow::Result<f64> {
    let mut command = program.command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let mut first = [0; 1];
    let mut out = child.stdout.take().context("no standard output")?;
    out.read_exact(&mut first)?;
    let millis = started.elapsed().as_secs_f64() * 1e3;
    drop(out);
    wait(child.id() as i32)?;
    Ok(millis)
}
