//! The test of the test: bugs are planted one at a time, and the simulation has to find each.

use super::super::super::Sync;
use super::program::{Program, table_directory};
use super::tell;
use crate::channel::file::rigged::{self, Bug};
use std::time::Duration;

/// Programs that are run until one finds the bug.
const PROGRAMS: u64 = 12;

/// The program that finds a planted bug, and what it says.
fn found(bug: Bug, sync: Sync) -> Option<(u64, String)> {
    let (_directory, root) = table_directory();
    rigged::plant(Some(bug));
    let found = (1..=PROGRAMS).find_map(|seed| {
        let outcome = Program::random(seed, sync).explore(&root);
        outcome.err().map(|what| (seed, what))
    });
    rigged::plant(None);
    found
}

fn demand(bugs: &[Bug], sync: Sync) {
    let mut missing = Vec::new();
    for bug in bugs {
        match found(*bug, sync) {
            Some((seed, what)) => {
                let lines: Vec<_> = what.lines().take(2).collect();
                tell(&format!(
                    "planted {bug:?}: found by program {seed}: {}",
                    lines.join("; ")
                ));
            }
            None => missing.push(*bug),
        }
    }
    assert!(
        missing.is_empty(),
        "not found in {PROGRAMS} programs: {missing:?}"
    );
}

#[test]
fn planted_bugs_of_putting_are_found() {
    demand(
        &[
            Bug::PutNotSynced,
            Bug::PublishedBeforeSync,
            Bug::FailedSyncIgnored,
            Bug::SegmentUsedAfterFailedSync,
            Bug::RefusedNotCutOff,
            Bug::FailedWriteNotBlanked,
            Bug::SegmentNameNotSynced,
            Bug::SegmentBeforeIndex,
            Bug::HalfPutShown,
            Bug::ScanWithoutChecksum,
        ],
        Sync::Always,
    );
}

#[test]
fn planted_bugs_of_taking_are_found() {
    demand(
        &[
            Bug::LogNotSynced,
            Bug::LogsNotRead,
            Bug::LogsCollectedEarly,
            Bug::RemovalNotSynced,
            Bug::IndexDeletedFirst,
            Bug::SpareNameNotSynced,
            Bug::RecycledNameNotSynced,
            Bug::ClaimNotCompared,
            Bug::LivingTakenOver,
            Bug::DeadNotTakenOver,
            Bug::LivingPutterSealed,
            Bug::DeadPutterNotSealed,
            Bug::FirstPassesClaimed,
            Bug::RefusedNotAnnounced,
        ],
        Sync::Always,
    );
}

#[test]
fn planted_bugs_of_directories_and_numbers_are_found() {
    demand(
        &[
            Bug::MarkerNotSynced,
            Bug::DirectoriesNotSynced,
            Bug::NumbersNotSynced,
            Bug::LowerMarksFirst,
            Bug::NumbersOfTheDrainedReused,
        ],
        Sync::Always,
    );
}

#[test]
fn planted_bugs_of_intervals_are_found() {
    demand(&[Bug::IntervalNotSynced], Sync::Every(Duration::from_millis(50)));
}
