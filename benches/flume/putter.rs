//! Those who write to a disk side by side: a file channel's putters and takers, and bare writers.
//!
//! Each says `ready` on standard output when it has opened what it needs, waits for a line on standard
//! input, works, and says `done`.

use anyhow::{Context, bail};
use flume::channel::file::{Config, FileChannel, Role, Sync};
use flume::channel::{Channel, Taken};
use flume::event::{Batch, BatchBuilder};
use std::io::{BufRead, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of an event as it is encoded.
pub const EVENT_BYTES: u64 = 256;
/// Bytes in front of a batch in a stream or a segment.
const FRAME_HEADER: u64 = flume::wire::HEADER as u64;

/// How much is written.
pub struct Work {
    directory: PathBuf,
    writers: u64,
    events: u64,
    rounds: u64,
}

impl Work {
    /// `writers` threads write `rounds` batches of `events` each.
    pub fn new(directory: &str, writers: u64, events: u64, rounds: u64) -> Work {
        Work {
            directory: directory.into(),
            writers,
            events,
            rounds,
        }
    }
}

/// Work as one of these: `bare` and `bare-unsynced` append to a file a thread, `both` and `both-unsynced` put
/// into a channel and take from it, `put` only puts and `take` only takes.
pub fn run(how: &str, work: &Work) -> anyhow::Result<()> {
    let sync = match how.ends_with("unsynced") {
        true => Sync::Never,
        false => Sync::Always,
    };
    let role = match how {
        "bare" | "bare-unsynced" => return bare(work, sync == Sync::Always),
        "both" | "both-unsynced" => Role::Both,
        "put" => Role::Put,
        "take" => Role::Take,
        _ => bail!("\"{how}\" is no way to put"),
    };
    let channel = open(&work.directory, role, sync)?;
    ready()?;
    let batch = batch(work.events as usize, EVENT_BYTES as usize);
    let all = work.writers * work.rounds;
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        if role != Role::Put {
            threads.push(scope.spawn(|| take(&channel, all)));
        }
        for _ in 0..if role == Role::Take { 0 } else { work.writers } {
            threads.push(scope.spawn(|| put(&channel, &batch, work.rounds)));
        }
        join(threads)
    })?;
    say("done")
}

fn open(directory: &std::path::Path, role: Role, sync: Sync) -> anyhow::Result<Arc<FileChannel>> {
    let mut config = Config::new(directory);
    config.sync = sync;
    Ok(FileChannel::open(config, role)?)
}

fn join(threads: Vec<std::thread::ScopedJoinHandle<'_, anyhow::Result<()>>>) -> anyhow::Result<()> {
    threads
        .into_iter()
        .try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread died")))
}

fn put(channel: &FileChannel, batch: &Batch, rounds: u64) -> anyhow::Result<()> {
    for _ in 0..rounds {
        channel.put(std::slice::from_ref(batch))?;
    }
    Ok(())
}

fn take(channel: &FileChannel, count: u64) -> anyhow::Result<()> {
    let mut left = count;
    while left > 0 {
        if let Taken::Delivery(delivery) = channel.take(None)? {
            delivery.accept();
            left -= 1;
        }
    }
    Ok(())
}

fn bare(work: &Work, sync: bool) -> anyhow::Result<()> {
    let bytes = work.events * EVENT_BYTES + FRAME_HEADER;
    let data = vec![7u8; bytes as usize];
    let mut files = Vec::new();
    for writer in 0..work.writers {
        let name = format!("{}-{writer}", std::process::id());
        files.push(std::fs::File::create(work.directory.join(name))?);
    }
    ready()?;
    std::thread::scope(|scope| {
        let write = |file: &std::fs::File| -> anyhow::Result<()> {
            for round in 0..work.rounds {
                file.write_all_at(&data, round * bytes)?;
                if sync {
                    file.sync_data()?;
                }
            }
            Ok(())
        };
        join(
            files
                .iter()
                .map(|file| scope.spawn(move || write(file)))
                .collect(),
        )
    })?;
    say("done")
}

/// Fill a channel with batches of events of so many bytes each, and leave them there.
pub fn fill(directory: &str, batches: u64, events: usize, bytes: usize) -> anyhow::Result<()> {
    let channel = open(std::path::Path::new(directory), Role::Put, Sync::Never)?;
    put(&channel, &batch(events, bytes), batches)
}

fn batch(events: usize, bytes: usize) -> Batch {
    // In front of a body of such a length stand its length, in two bytes, and an empty map, in one.
    let body = vec![b'x'; bytes - 3];
    let mut builder = BatchBuilder::new();
    (0..events).for_each(|_| builder.push_body(&body));
    builder.finish()
}

fn ready() -> anyhow::Result<()> {
    say("ready")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(())
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Nanoseconds of the clock that all processes of this machine share.
pub fn now_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Put the time into a channel, now and then, so that the taker has gone to sleep in between.
pub fn stamp(directory: &str, rounds: u64) -> anyhow::Result<()> {
    let channel = open(std::path::Path::new(directory), Role::Put, Sync::Never)?;
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_micros(200));
        let mut builder = BatchBuilder::new();
        builder.push_body(&now_nanos().to_le_bytes());
        channel.put(&[builder.finish()])?;
    }
    Ok(())
}

/// Take such times: microseconds that each was on its way.
pub fn take_stamps(directory: &std::path::Path, rounds: u64) -> anyhow::Result<Vec<f64>> {
    let channel = open(directory, Role::Take, Sync::Never)?;
    let mut times = Vec::new();
    while (times.len() as u64) < rounds {
        let Taken::Delivery(delivery) = channel.take(None)? else {
            continue;
        };
        let now = now_nanos();
        let first = delivery.batch.events().next().context("an empty batch")??;
        let put = u64::from_le_bytes(first.body().try_into()?);
        times.push(now.saturating_sub(put) as f64 / 1e3);
        delivery.accept();
    }
    Ok(times)
}
