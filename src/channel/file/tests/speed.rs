//! Measurements, printed as ratios against the bare disk in the same run. Not run by default:
//! `cargo test --release --lib channel::file::tests::speed -- --ignored --nocapture --test-threads=1`

use super::*;
use std::io::Write;
use std::os::unix::fs::FileExt;

fn say(line: &str) {
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

fn sized(events: usize) -> Batch {
    let body = "x".repeat(250);
    batch(&vec![&body[..]; events])
}

/// Commits a second of appending and syncing, each writer its own file.
fn bare(writers: usize, bytes: usize, rounds: usize) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let data = vec![7; bytes];
    let started = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (path, data) = (directory.path().join(writer.to_string()), &data);
            scope.spawn(move || {
                let file = std::fs::File::create(path).unwrap();
                for round in 0..rounds {
                    file.write_all_at(data, (round * bytes) as u64).unwrap();
                    file.sync_data().unwrap();
                }
            });
        }
    });
    (writers * rounds) as f64 / started.elapsed().as_secs_f64()
}

/// Commits a second of the channel, put and take together.
fn channel(writers: usize, events: usize, rounds: usize, sync: Sync) -> f64 {
    let bench = Bench::new();
    let mut config = bench.config();
    (config.segment_bytes, config.sync) = (64 << 20, sync);
    let channel = FileChannel::open(config, Role::Both).unwrap();
    let one = sized(events);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| {
            for _ in 0..writers * rounds {
                take(&channel).accept();
            }
        });
        for _ in 0..writers {
            scope.spawn(|| (0..rounds).for_each(|_| channel.put(std::slice::from_ref(&one)).unwrap()));
        }
        taker.join().unwrap();
    });
    (writers * rounds) as f64 / started.elapsed().as_secs_f64()
}

#[test]
#[ignore = "a measurement"]
fn synced_puts_against_the_bare_disk() {
    for events in [1, 10, 100, 1000] {
        for writers in [1, 2, 8] {
            let rounds = 2000 / writers;
            let bytes = sized(events).bytes() + 48;
            let mut ratios: Vec<(f64, f64)> = (0..3)
                .map(|_| {
                    (
                        bare(writers, bytes, rounds),
                        channel(writers, events, rounds, Sync::Always),
                    )
                })
                .collect();
            ratios.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
            let (bare, ours) = ratios[1];
            let percent = 100.0 * ours / bare;
            say(&format!(
                "batch {events:4} writers {writers}: bare {bare:7.0}/s channel {ours:7.0}/s = {percent:.0} %"
            ));
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn unsynced_put_and_take() {
    for events in [1, 1000] {
        let rounds = if events == 1 { 300_000 } else { 8000 };
        let rate = channel(1, events, rounds, Sync::Never);
        let bytes = sized(events).bytes() as f64;
        let mib = rate * bytes / f64::from(1 << 20);
        say(&format!(
            "batch {events}: {rate:.0} batches/s, {mib:.0} MiB/s put and taken"
        ));
    }
}

#[test]
#[ignore = "a measurement"]
fn latency_from_put_to_take() {
    let bench = Bench::new();
    let channel = bench.open();
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let (sent, seen) = std::sync::mpsc::channel();
        let taker = &channel;
        scope.spawn(move || {
            for _ in 0..5000 {
                let delivery = take(taker);
                sent.send(Instant::now()).unwrap();
                delivery.accept();
            }
        });
        for _ in 0..5000 {
            // The taker is asleep again when it has been a while.
            std::thread::sleep(Duration::from_micros(100));
            let put_at = Instant::now();
            put(&channel, &["x"]);
            times.push(seen.recv().unwrap().saturating_duration_since(put_at));
        }
    });
    times.sort();
    say(&format!(
        "put to take: p50 {:?}, p99 {:?}",
        times[2500], times[4950]
    ));
}
