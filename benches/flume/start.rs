//! From exec to the first frame.

use crate::measure::{Run, median, tool, until_output};
use crate::table::{self, Row};
use anyhow::Context;

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
            theirs.push(until_output(&echo, 1)?);
            ours.push(until_output(&stage, 1)?);
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
