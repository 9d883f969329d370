//! Lines of 256 bytes from a file: to nowhere, to files, through a file channel to files.

use crate::measure::{Cores, Ended, Program, Run, medians, pairs, run, tool};
use crate::table::{self, Row};
use anyhow::{Context, ensure};
use std::io::Write;
use std::path::Path;

const LINE_BYTES: usize = 256;
const MIB: f64 = (1 << 20) as f64;

/// The lines, and how many bytes they are.
struct Lines<'a> {
    bench: &'a Run,
    input: &'a Path,
    bytes: u64,
}

/// Print the tables.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let directory = bench.directory()?;
    let input = directory.path().join("lines");
    let bytes = bench.size(1 << 30, 64 << 20);
    write_lines(&input, bytes)?;
    let lines = Lines {
        bench,
        input: &input,
        bytes,
    };
    let mut rows = to_null(&lines)?;
    if bench.has("sink", "file_roll") {
        rows.extend(to_files(&lines)?);
    } else {
        table::say("\nlines: this flume has no sink file_roll")?;
    }
    table::print(
        &format!("{} MiB of 256-byte lines from a file", bytes >> 20),
        &rows,
    )
}

/// Write a file of numbered lines.
pub fn write_lines(path: &Path, bytes: u64) -> anyhow::Result<()> {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    for number in 0..bytes / LINE_BYTES as u64 {
        let line = format!("{number:012} {:x>width$}\n", "", width = LINE_BYTES - 14);
        file.write_all(line.as_bytes())?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

fn to_null(lines: &Lines) -> anyhow::Result<Vec<Row>> {
    let bench = lines.bench;
    let stdin = || bench.flume("source stdin --quiet");
    let null = || bench.flume("sink null --quiet");
    let cat = tool("cat", &[]).context("there is no cat")?;
    let read = bench.child("read");
    let cat_read = [cat.clone().reading(lines.input), read.clone()];
    let two = [stdin().reading(lines.input), null()];
    let three = [cat.clone().reading(lines.input), stdin(), null()];
    let cats = [cat.clone().reading(lines.input), cat, read];
    let one = [bench.fused("source stdin | sink null").reading(lines.input)];
    Ok(vec![
        row(lines, "source stdin, sink null / cat, reader", &two, &cat_read)?.budget_mib(1536.0),
        row(
            lines,
            "cat, source stdin, sink null / cat, cat, reader",
            &three,
            &cats,
        )?
        .row,
        row(
            lines,
            "run 'source stdin | sink null' / cat, reader",
            &one,
            &cat_read,
        )?
        .row,
    ])
}

/// A row of the table, and what its budget is about.
struct Measured {
    row: Row,
    mib: f64,
    ratio: f64,
}

impl Measured {
    fn budget_mib(self, bound: f64) -> Row {
        self.row.at_least(self.mib, bound, "MiB/s")
    }

    fn budget_ratio(self, bound: f64) -> Row {
        self.row.at_least(self.ratio, bound, "x")
    }
}

fn row(lines: &Lines, what: &str, ours: &[Program], reference: &[Program]) -> anyhow::Result<Measured> {
    measured(
        lines,
        what,
        || run(ours, Cores::Free),
        || run(reference, Cores::Free),
    )
}

fn measured(
    lines: &Lines,
    what: &str,
    ours: impl FnMut() -> anyhow::Result<Ended>,
    reference: impl FnMut() -> anyhow::Result<Ended>,
) -> anyhow::Result<Measured> {
    let pairs = pairs(lines.bench.rounds(), ours, reference)?;
    let mib = lines.bytes as f64 / MIB;
    let (ours, theirs, ratio) = medians(&pairs, |ended| mib / ended.seconds);
    let (our_cpu, their_cpu, _) = medians(&pairs, |ended| {
        let all = ended.usages.iter().map(|usage| usage.cpu_seconds);
        all.sum::<f64>() / mib * 1024.0
    });
    let shown = |mib: f64, cpu: f64| format!("{mib:.0} MiB/s, {cpu:.2} CPU-s/GiB");
    Ok(Measured {
        row: Row::new(what, shown(ours, our_cpu)).against(shown(theirs, their_cpu), ratio),
        mib: ours,
        ratio,
    })
}

fn to_files(lines: &Lines) -> anyhow::Result<Vec<Row>> {
    let bench = lines.bench;
    let stdin = || bench.flume("source stdin --quiet").reading(lines.input);
    let roll = |at: &Path| {
        let words = format!(
            "sink file_roll --quiet --roll-interval 0 --directory {}",
            at.display()
        );
        bench.flume(&words)
    };
    let dd = || with_directory(lines, |at| dd(lines.input, at));
    let two = || with_directory(lines, |at| Ok(vec![stdin(), roll(&at.join("out"))]));
    let one = || {
        with_directory(lines, |at| {
            let out = at.join("out");
            let pipeline = format!(
                "source stdin | sink file_roll --roll-interval 0 --directory {}",
                out.display()
            );
            Ok(vec![bench.fused(&pipeline).reading(lines.input)])
        })
    };
    let three = || {
        with_directory(lines, |at| {
            let channel = format!("channel file {} --quiet", at.join("channel").display());
            Ok(vec![stdin(), bench.flume(&channel), roll(&at.join("out"))])
        })
    };
    let mut rows = vec![
        measured(lines, "source stdin, sink file_roll / dd conv=fdatasync", two, dd)?.budget_ratio(0.8),
        measured(
            lines,
            "run 'source stdin | sink file_roll' / dd conv=fdatasync",
            one,
            dd,
        )?
        .row,
        measured(
            lines,
            "source stdin, channel file, sink file_roll / dd",
            three,
            dd,
        )?
        .budget_mib(300.0),
    ];
    for (name, words) in [
        ("multilog", ["s16777215", "n1000"]),
        ("s6-log", ["n1000", "s16777215"]),
    ] {
        let what = format!("source stdin, sink file_roll / {name}");
        if tool(name, &[]).is_none() {
            rows.push(Row::new(what, "not measured").missing(&format!("{name} is not installed")));
            continue;
        }
        let theirs = || {
            with_directory(lines, |at| {
                let out = at.join("out");
                let [one, other] = words;
                let log = tool(name, &[one, other, &out.to_string_lossy()]).context("it has gone")?;
                Ok(vec![
                    tool("cat", &[]).context("no cat")?.reading(lines.input),
                    log,
                ])
            })
        };
        rows.push(measured(lines, &what, two, theirs)?.row);
    }
    Ok(rows)
}

fn dd(input: &Path, at: &Path) -> anyhow::Result<Vec<Program>> {
    std::fs::create_dir(at.join("out"))?;
    let (from, to) = (
        format!("if={}", input.display()),
        format!("of={}", at.join("out/copy").display()),
    );
    let words = [&from, &to, "bs=1M", "conv=fdatasync", "status=none"];
    Ok(vec![tool("dd", &words).context("there is no dd")?])
}

/// Run what writes into `out` below an empty directory, and look whether everything is there.
fn with_directory(
    lines: &Lines,
    programs: impl Fn(&Path) -> anyhow::Result<Vec<Program>>,
) -> anyhow::Result<Ended> {
    let directory = lines.bench.directory()?;
    let programs = programs(directory.path())?;
    let ended = run(&programs, Cores::Free)?;
    let mut written = 0;
    for entry in std::fs::read_dir(directory.path().join("out"))? {
        written += entry?.metadata()?.len();
    }
    ensure!(
        written >= lines.bytes,
        "{written} of {} bytes were written",
        lines.bytes
    );
    Ok(ended)
}
