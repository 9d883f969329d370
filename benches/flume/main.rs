//! Benchmarks that print ratios against a reference of the same run: `cargo bench --bench flume -- [FILTER...]
//! [--quick]`. A table a subject; benches/README.md says what each figure means.
//!
//! Whole pipelines run as processes, as a shell would start them. Reference programs and prepared writers are
//! this executable again, with `--child NAME ARGUMENTS` ([`child`]). A budget that is not met is printed, and
//! is no failure: machines differ, and noise is no reason to fail. A program that fails is one.

#![deny(unsafe_code)]

mod agent;
mod avro;
mod backlog;
mod beside;
mod channel;
mod child;
mod extract;
mod files;
mod fused;
mod hop;
mod limit;
mod lines;
mod measure;
mod memory;
mod net;
mod overload;
mod peer;
mod putter;
mod rolled;
mod server;
mod start;
mod syslog;
mod table;
mod watched;
mod ways;
mod writer;

use measure::Run;
use std::io::Write;
use std::process::ExitCode;

/// What is measured: a word to choose it by, and the function that prints its table.
type Subject = (&'static str, fn(&Run) -> anyhow::Result<()>);

const SUBJECTS: &[Subject] = &[
    ("hop", hop::measure),
    ("fused", fused::measure),
    ("lines", lines::measure),
    ("channel", channel::measure),
    ("flume", beside::measure),
    ("agent", agent::measure),
    ("ways", ways::measure),
    ("avro", avro::measure),
    ("files", files::measure),
    ("net", net::measure),
    ("syslog", syslog::measure),
    ("backlog", backlog::measure),
    ("extract", extract::measure),
    ("start", start::measure),
    ("memory", memory::measure),
    ("overload", overload::measure),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((first, rest)) if first == "--child" => child::run(rest),
        _ => measure_all(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is gone, the exit status still says it.
            let _ = writeln!(std::io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(words: &[String]) -> anyhow::Result<()> {
    // Cargo adds --bench.
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let known = |filter: &&&String| SUBJECTS.iter().any(|(name, _)| name.contains(filter.as_str()));
    if let Some(unknown) = filters.iter().find(|filter| !known(filter)) {
        let names: Vec<_> = SUBJECTS.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("\"{unknown}\" is no subject; there are {}", names.join(", "));
    }
    let filters = filters.into_iter().cloned().collect();
    let run = Run::new(words.iter().any(|word| word == "--quick"), filters)?;
    table::say(&run.describe())?;
    for (name, measure) in SUBJECTS {
        if run.wants(name) {
            measure(&run)?;
        }
    }
    Ok(())
}
