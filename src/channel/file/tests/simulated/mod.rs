//! The channel on a simulated disk.

mod content;
mod disk;
mod image;
mod model;
mod plants;
mod program;
mod random;
mod world;

use self::program::{Program, table_directory};
use super::super::Sync;
use std::io::Write;
use std::time::{Duration, Instant};

/// Programs that are run when nobody says how many.
const PROGRAMS: u64 = 8;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect(name))
}

/// Straight to standard output: a test that passes shows what it did, too.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn explore(name: &str, sync: Sync) {
    let first = from_environment("FLUME_SIM_SEED").unwrap_or(1);
    let programs = from_environment("FLUME_SIM_PROGRAMS").unwrap_or(PROGRAMS);
    let (_directory, root) = table_directory();
    let started = Instant::now();
    let mut runs = 0;
    for seed in first..first + programs {
        match Program::random(seed, sync).explore(&root) {
            Ok(more) => runs += more,
            Err(what) => panic!("sync {name}: {what}"),
        }
    }
    tell(&format!(
        "simulated, sync {name}: FLUME_SIM_SEED={first} FLUME_SIM_PROGRAMS={programs}: {runs} runs in {:.1?}",
        started.elapsed()
    ));
}

#[test]
fn nothing_is_lost_at_any_step_when_each_put_is_synced() {
    explore("always", Sync::Always);
}

#[test]
fn only_the_last_interval_is_lost_when_puts_are_synced_now_and_then() {
    explore("every", Sync::Every(Duration::from_millis(50)));
}

#[test]
fn what_is_left_is_whole_when_puts_are_never_synced() {
    explore("never", Sync::Never);
}
