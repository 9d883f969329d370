//! The channel on a simulated disk, with a crash at every call.
//!
//! Random programs of putters and takers run on a disk in memory, all in one thread: each process is an open
//! channel of its own, and what its threads would do now and then is an operation like any other. A program
//! is run once to count its calls to the disk. Then it is run again for each of these calls with something
//! happening there: the power goes, the process is killed before or after the call has had its effect, the
//! call fails, or another process comes first and does something. In the end everything is taken out and
//! compared with a model, then once more after a power cut, and something is put.
//!
//! # What is compared
//!
//! - An acknowledged put is found until it is accepted, whatever happened (with an interval: if it was put
//!   before the last good sync, and what is left of one putter's puts begins with its first).
//! - A put that was not acknowledged is there as a whole or not at all; one that failed is not there.
//! - What was accepted does not come again: after a kill never, after a power cut if it was logged.
//! - Nobody gets what a living taker holds, and a taker that slept over its lease takes nothing from others.
//! - A taker gets the batches of one putter in their order. No position ever has two contents.
//! - Counts are right, an emptied channel leaves no file of events, nothing sound is called damaged, and the
//!   channel can be used.
//!
//! # What the disk promises
//!
//! As ext4 and xfs do, and nothing beyond. Whoever runs the channel on something weaker is not covered.
//!
//! - A write, a change of the size and a change of a name are seen by all processes at once, and survive a kill.
//! - `sync` of a file makes its content and size durable, not its name. Before that each sector of 512 bytes
//!   may have any of the contents that it has had since the last sync, each for itself, and so may the size.
//!   What was reserved or jumped over is zeros. A sector is written whole or not at all.
//! - `sync_dir` makes the names in a directory durable. Before that each change of a name may be there or not,
//!   each for itself; changes of the same name in their order. A rename is there as a whole or not at all.
//! - After a failed `sync` any version of what was dirty may be on the disk, reads may give the old content or
//!   the new, and the next `sync` succeeds without writing it.
//! - A failed write may have written any part, or all. Any call may fail (EIO), and any that needs room (ENOSPC).
//! - The number of a file is used again when it is gone.
//!
//! The tables and indexes are real mapped files in a memory file system: they outlive a kill and not a power
//! cut. The clock of leases is set by the driver and only goes forward, as that of the system does.
//!
//! # The clock of the wall
//!
//! It says how old a batch is, and jumps in both directions, by seconds and by months. With `--max-age` a batch
//! may be dropped only if it is too old by the clock when somebody looks, and is dropped if the clock was never
//! set back; one that was set back makes things young. Leases do not notice any of it.
//!
//! # Replaying
//!
//! A failure names its program and what happened at which call, and prints all calls. To run it again:
//!
//! ```text
//! FLUME_SIM_SEED=17 FLUME_SIM_PROGRAMS=1 cargo test --lib simulated::nothing_is_lost
//! ```
//!
//! `FLUME_SIM_SEED` is the number of the first program and `FLUME_SIM_PROGRAMS` how many are run; the first
//! few are written down in `program`, all others are drawn from their number. Everything else follows from
//! these, so that the same run always does the same. More programs find more: a night of them is
//! `FLUME_SIM_PROGRAMS=20000`.
//!
//! `plants` is the test of this test: bugs are planted one at a time (see `rigged`), and each has to be found.

mod clock;
mod content;
mod disk;
mod image;
mod model;
mod plants;
mod program;
mod random;
mod tools;
mod verify;
mod world;

use self::disk::{Crash, Plan};
use self::program::{Program, table_directory};
use super::super::Sync;
use std::io::Write;
use std::time::{Duration, Instant};

/// The last program that is run when nobody says how many.
const LAST: u64 = 12;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect(name))
}

/// Straight to standard output: a test that passes shows what it did, too.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn explore(name: &str, sync: Sync, first: u64) {
    explore_numbers(name, sync, first, LAST + 1);
}

fn explore_numbers(name: &str, sync: Sync, first: u64, end: u64) {
    let first = from_environment("FLUME_SIM_SEED").unwrap_or(first);
    let programs = from_environment("FLUME_SIM_PROGRAMS").unwrap_or(end.saturating_sub(first).max(1));
    let (_directory, root) = table_directory();
    let started = Instant::now();
    let mut runs = 0;
    for seed in first..first + programs {
        let explored = Program::numbered(seed, sync).explore(&root, &mut runs);
        explored.unwrap_or_else(|failure| panic!("sync {name}: {}", failure.what));
    }
    tell(&format!(
        "simulated, sync {name}: FLUME_SIM_SEED={first} FLUME_SIM_PROGRAMS={programs}: {runs} runs in {:.1?}",
        started.elapsed()
    ));
}

#[test]
fn nothing_is_lost_at_any_step_when_each_put_is_synced() {
    explore("always", Sync::Always, 1);
}

#[test]
fn only_the_last_interval_is_lost_when_puts_are_synced_now_and_then() {
    explore("every", Sync::Every(Duration::from_millis(50)), 6);
}

#[test]
fn what_is_left_is_whole_when_puts_are_never_synced() {
    explore("never", Sync::Never, 9);
}

#[test]
fn nothing_young_is_dropped_and_nothing_comes_twice_when_the_clock_jumps() {
    let name = "always, with a clock that jumps";
    explore_numbers(name, Sync::Always, program::CLOCKED.start, program::CLOCKED.end);
}

#[test]
fn tools_that_are_killed_halfway_lose_nothing_and_can_be_used_again() {
    let name = "always, with tools";
    explore_numbers(name, Sync::Always, program::TOOLED.start, program::TOOLED.end);
}

#[test]
fn same_program_makes_the_same_calls_again() {
    let (_directory, root) = table_directory();
    let plan = Plan {
        crash: Some((60, Crash::KillAfter)),
        then: Some((90, Crash::Cut)),
        ..Plan::default()
    };
    for seed in 1..20 {
        let program = Program::numbered(seed, Sync::Always);
        let calls = || program.run_traced(&root, plan).1;
        assert_eq!(calls(), calls(), "FLUME_SIM_SEED={seed}");
    }
}
