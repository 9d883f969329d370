//! Extraction: five groups of a 60-byte log line become headers, in one core and one process.
//!
//! `cargo bench --bench extract` prints, for patterns of three shapes, nanoseconds for the search alone (ours
//! and the `regex` crate's `captures_read` on the same pattern), and events/s through the interceptor's
//! `intercept_batch`, which also builds the batch with the headers. Best of several rounds.

use flume::component::find;
use flume::event::{BatchBuilder, Event};
use flume::intercept;
use flume::pattern::Pattern;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

const LINE: &str = "2026-11-25 07:51:43 host42 sshd[1234]: INFO accepted key ok!";
const EVENTS: usize = 1_000;
const ROUNDS: usize = 15;
const BATCHES: usize = 60;

const PATTERNS: &[(&str, &str)] = &[
    ("anchored", r"^(\S+ \S+) (\S+) (\w+)\[(\d+)\]: (\w+)"),
    (
        "anchored, dot to the end",
        r"^(\S+ \S+) (\S+) (\w+)\[(\d+)\]: (.*)$",
    ),
    ("not anchored", r"(\S+ \S+) (\S+) (\w+)\[(\d+)\]: (\w+)"),
    ("not at the start", r"(\d+):(\d+) (\S+) (\w+)\[(\d+)\]"),
    ("lazy dots", r"^(.*?) (.*?) (.*?) (.*?): (.*)"),
];

/// Nanoseconds for one of `count` that `work` does at once; the best of all rounds.
fn best_ns(count: usize, mut work: impl FnMut()) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64 / count as f64
    });
    rounds.fold(f64::MAX, f64::min)
}

fn search_ns(source: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let mut pattern: Pattern = source.parse()?;
    let all = EVENTS * BATCHES;
    Ok(best_ns(all, || {
        for _ in 0..all {
            assert!(pattern.find(black_box(LINE.as_bytes())));
            black_box(pattern.group(5));
        }
    }))
}

fn captures_read_ns(source: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let regex = regex::bytes::Regex::new(source)?;
    let mut locations = regex.capture_locations();
    let all = EVENTS * BATCHES;
    Ok(best_ns(all, || {
        for _ in 0..all {
            assert!(
                regex
                    .captures_read(&mut locations, black_box(LINE.as_bytes()))
                    .is_some()
            );
            black_box(locations.get(5));
        }
    }))
}

fn event_ns(words: &[&str], headers: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let flags: Vec<String> = words[1..].iter().map(|word| word.to_string()).collect();
    let spec = find(intercept::ALL, words[0]).ok_or("no such interceptor")?;
    let mut interceptor = spec.from_flags(&flags)?;
    interceptor.start()?;
    let mut builder = BatchBuilder::new();
    (0..EVENTS).for_each(|_| builder.push_event(&Event::new(LINE)));
    let batch = builder.finish();
    let out = interceptor.intercept_batch(batch.clone())?;
    let first = out.events().next().ok_or("no event came out")??;
    assert_eq!(first.headers().count(), headers);
    let mut failed = Ok(());
    let ns = best_ns(EVENTS * BATCHES, || {
        for _ in 0..BATCHES {
            match interceptor.intercept_batch(black_box(batch.clone())) {
                Ok(out) => drop(black_box(out)),
                Err(error) => failed = Err(error),
            }
        }
    });
    failed?;
    Ok(ns)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:28} {:>10} {:>14} {:>12} {:>14}",
        "pattern", "search ns", "captures_read", "event ns", "events/s"
    )?;
    for (name, source) in PATTERNS {
        let (search, read) = (search_ns(source)?, captures_read_ns(source)?);
        let event = event_ns(&["regex", source], 5)?;
        writeln!(
            out,
            "{name:28} {search:>10.0} {read:>14.0} {event:>12.0} {:>14.0}",
            1e9 / event
        )?;
    }
    let others: &[(&[&str], usize)] = &[
        (
            &[
                "regex_extractor",
                "--regex",
                PATTERNS[0].1,
                "--serializers",
                "t=t h=h p=p i=i l=l",
            ],
            5,
        ),
        (&["regex_filter", "--regex", r"INFO|WARN"], 0),
        (&["regex", r"(\d+):", "--replace", "$1."], 0),
        (
            &[
                "search_replace",
                "--search-pattern",
                r"(\d+):",
                "--replace-string",
                "$1.",
            ],
            0,
        ),
        (&["timestamp"], 1),
        (&["static"], 1),
        (&["uuid"], 1),
    ];
    for (words, headers) in others {
        let event = event_ns(words, *headers)?;
        writeln!(
            out,
            "{:28} {:>10} {:>14} {event:>12.0} {:>14.0}",
            words[0],
            "",
            "",
            1e9 / event
        )?;
    }
    Ok(out.flush()?)
}
