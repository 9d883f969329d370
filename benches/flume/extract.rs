//! Groups of a regular expression become headers.

use crate::measure::{Cores, Run, median, run};
use crate::table::{self, Row};

/// Five groups of an access log's line. No blanks: words are cut at them.
const PATTERN: &str = r#"^(\S+)\s\S+\s(\S+)\s\[([^\]]+)\]\s"(\S+)\s(\S+)"#;

/// Print the table.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    if !bench.has("intercept", "regex_extractor") {
        return table::say("\nextract: this flume has no intercept regex_extractor");
    }
    let count = bench.size(10_000_000, 1_000_000);
    let programs = [
        bench.child(&format!("events log {count} 1000 32")),
        bench.flume("intercept regex_extractor --quiet").with(&[
            "--regex",
            PATTERN,
            "--serializers",
            "s1=client s2=user s3=time s4=method s5=path",
        ]),
        bench.flume("sink null --quiet"),
    ];
    let (mut rates, mut a_core) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let ended = run(&programs, Cores::Free)?;
        rates.push(count as f64 / ended.seconds / 1e6);
        a_core.push(count as f64 / ended.usages[1].cpu_seconds / 1e6);
    }
    let a_core = median(a_core);
    let shown = format!(
        "{a_core:.2} M events/s a core, {:.2} in a pipeline",
        median(rates)
    );
    let row = Row::new("regex_extractor, 5 groups of a log line", shown).at_least(a_core, 3.5, "M events/s");
    table::print("Extraction", &[row])
}
