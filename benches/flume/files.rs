//! Lines of files that are followed or spooled, to nowhere and to files; and events that are posted over HTTP.

use crate::lines::write_lines;
use crate::measure::{Cores, Ended, Program, Run, cpu_seconds, medians, pairs, run, tool};
use crate::server::Server;
use crate::table::{self, Row};
use anyhow::{Context, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

const MIB: f64 = (1 << 20) as f64;
/// Bytes of a body that is posted.
const BODY: usize = 256;
/// Events of a post.
const POSTED: u64 = 100;

/// Print the tables.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let directory = bench.directory()?;
    let input = directory.path().join("lines");
    let bytes = bench.size(1 << 30, 128 << 20);
    write_lines(&input, bytes)?;
    let mut rows = Vec::new();
    for (source, budget) in [("taildir", 900.0), ("spooldir", 0.0)] {
        for to in ["null", "file_roll"] {
            let row = through(bench, &input, bytes, source, to)?;
            rows.push(match to {
                "null" if budget > 0.0 => row.0.at_least(row.1, budget, "MiB/s"),
                _ => row.0,
            });
        }
    }
    let title = format!(
        "{} MiB of 256-byte lines in a file that is followed, or spooled",
        bytes >> 20
    );
    table::print(&title, &rows)?;
    table::print(
        "Posts of 100 events of 256 bytes, from four connections, to a null sink",
        &[posts(bench)?],
    )
}

/// A row, and the rate in it.
fn through(bench: &Run, input: &Path, bytes: u64, source: &str, to: &str) -> anyhow::Result<(Row, f64)> {
    let ours = || with_directory(bench, |at| ours(bench, input, source, to, at));
    let reference = || {
        with_directory(bench, |at| {
            let cat = tool("cat", &[]).context("there is no cat")?.reading(input);
            Ok(match to {
                "null" => vec![cat, bench.child("read")],
                _ => {
                    let of = format!("of={}", at.join("copy").display());
                    let words = [
                        &format!("if={}", input.display()),
                        &of,
                        "bs=1M",
                        "conv=fdatasync",
                        "status=none",
                    ];
                    vec![tool("dd", &words).context("there is no dd")?]
                }
            })
        })
    };
    let pairs = pairs(bench.rounds(), ours, reference)?;
    let mib = bytes as f64 / MIB;
    let (rate, others, ratio) = medians(&pairs, |ended| mib / ended.seconds);
    let (cpu, others_cpu, _) = medians(&pairs, |ended| {
        ended.usages.iter().map(|usage| usage.cpu_seconds).sum::<f64>() / mib * 1024.0
    });
    let name = if to == "null" {
        "cat, reader"
    } else {
        "dd conv=fdatasync"
    };
    let shown = |mib: f64, cpu: f64| format!("{mib:.0} MiB/s, {cpu:.2} CPU-s/GiB");
    let row = Row::new(
        format!("source {source}, channel memory, {to} / {name}"),
        shown(rate, cpu),
    );
    Ok((row.against(shown(others, others_cpu), ratio), rate))
}

/// A pipeline in one process. What is spooled is a link: the file is too large to be copied for each round.
fn ours(bench: &Run, input: &Path, source: &str, to: &str, at: &Path) -> anyhow::Result<Vec<Program>> {
    let shown = at.display();
    let sink = match to {
        "null" => "sink null".to_string(),
        _ => format!("sink file_roll --roll-interval 0 --directory {shown}/out"),
    };
    let source = match source {
        "taildir" => format!(
            "source taildir {} --until-end --position-file {shown}/positions",
            input.display()
        ),
        _ => {
            std::fs::create_dir(at.join("spool"))?;
            std::fs::hard_link(input, at.join("spool/lines"))?;
            format!("source spooldir {shown}/spool --until-empty")
        }
    };
    Ok(vec![bench.fused(&format!("{source} | channel memory | {sink}"))])
}

fn with_directory(
    bench: &Run,
    programs: impl Fn(&Path) -> anyhow::Result<Vec<Program>>,
) -> anyhow::Result<Ended> {
    let directory = bench.directory()?;
    run(&programs(directory.path())?, Cores::Free)
}

fn posts(bench: &Run) -> anyhow::Result<Row> {
    let server = Server::start(bench, |port| format!("source http --port {port} | sink null"))?;
    let each = bench.size(20_000, 2000);
    let post = post();
    let (before, started) = (cpu_seconds(server.pid())?, Instant::now());
    std::thread::scope(|scope| {
        let posters: Vec<_> = (0..4)
            .map(|_| {
                let mut left = each / 4;
                let more = move || {
                    left = left.saturating_sub(1);
                    left > 0
                };
                let (port, post) = (server.port, post.as_bytes());
                scope.spawn(move || poster(port, post, more))
            })
            .collect();
        for poster in posters {
            poster.join().map_err(|_| anyhow::anyhow!("a poster died"))??;
        }
        anyhow::Ok(())
    })?;
    let count = (each / 4 * 4 * POSTED) as f64;
    let (seconds, cpu) = (
        started.elapsed().as_secs_f64(),
        cpu_seconds(server.pid())? - before,
    );
    let shown = format!(
        "{:.2} M events/s, {:.3} us CPU an event",
        count / seconds / 1e6,
        cpu * 1e6 / count
    );
    Ok(Row::new("source http, JSON", shown))
}

/// A post of a hundred events.
pub fn post() -> String {
    let body = format!("{:x<BODY$}", "posted ");
    let events = vec![format!("{{\"headers\":{{\"host\":\"web1\"}},\"body\":\"{body}\"}}"); POSTED as usize];
    let events = format!("[{}]", events.join(","));
    format!(
        "POST / HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{events}",
        events.len()
    )
}

/// Post again and again, each time waiting for the answer, as long as there should be more.
pub fn poster(port: u16, post: &[u8], mut more: impl FnMut() -> bool) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::new();
    let mut block = [0; 4096];
    loop {
        stream.write_all(post)?;
        answer.clear();
        while !is_whole(&answer) {
            let count = stream.read(&mut block)?;
            ensure!(count > 0, "the source has hung up");
            answer.extend_from_slice(&block[..count]);
        }
        ensure!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        if !more() {
            return Ok(());
        }
    }
}

/// An answer without a body: the real Flume's is chunked, and its last chunk may come by itself.
fn is_whole(answer: &[u8]) -> bool {
    let is_chunked = answer
        .windows(7)
        .any(|word| word.eq_ignore_ascii_case(b"chunked"));
    answer.ends_with(if is_chunked { b"\r\n0\r\n\r\n" } else { b"\r\n\r\n" })
}
