//! Programs that this executable is when it is called with `--child`: the references, and prepared writers.

use crate::{putter, writer};
use anyhow::{Context, bail};
use std::io::{Read, Write};

/// Be the program that the words name.
pub fn run(words: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", bytes, at_once] => write(number(bytes)?, number(at_once)?),
        ["read"] => read(),
        ["pass"] => pass(),
        ["events", kind, count, batch, window] => writer::events(
            kind,
            number(count)?,
            number(batch)? as u32,
            number(window)? as usize,
        ),
        ["paced", rate, seconds, result] => writer::paced(number(rate)?, number(seconds)?, result),
        ["put", how, directory, writers, events, rounds] => {
            let work = putter::Work::new(directory, number(writers)?, number(events)?, number(rounds)?);
            putter::run(how, &work)
        }
        ["fill", directory, batches, events, bytes] => putter::fill(
            directory,
            number(batches)?,
            number(events)? as usize,
            number(bytes)? as usize,
        ),
        ["stamp", directory, rounds] => putter::stamp(directory, number(rounds)?),
        _ => bail!("no such program: {}", words.join(" ")),
    }
}

fn number(word: &str) -> anyhow::Result<u64> {
    word.parse().with_context(|| format!("\"{word}\" is no number"))
}

/// Write so many bytes.
fn write(bytes: u64, at_once: u64) -> anyhow::Result<()> {
    let block = vec![b'x'; at_once as usize];
    let mut out = std::io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let now = left.min(at_once);
        // A block is more than the line buffer of standard output holds, which then passes it on as it is.
        out.write_all(&block[..now as usize])?;
        left -= now;
    }
    Ok(out.flush()?)
}

/// Read to the end.
fn read() -> anyhow::Result<()> {
    let mut block = vec![0; 256 << 10];
    let mut input = std::fs::File::from(stdin()?);
    while input.read(&mut block)? > 0 {}
    Ok(())
}

/// The library's loop of a stage in the middle, with nothing to do.
fn pass() -> anyhow::Result<()> {
    let counters = flume::metrics::Counters::new(flume::metrics::Kind::Interceptor, "pass");
    let stop = writer::stop()?;
    let pass = flume::stage::pass::Pass {
        name: "bench pass",
        counters: &counters,
        stop: &stop,
        limit: flume::wire::LIMIT,
    };
    Ok(pass.run(stdin()?, writer::stdout()?, &mut Ok)?)
}

fn stdin() -> std::io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::AsFd;
    std::io::stdin().as_fd().try_clone_to_owned()
}
