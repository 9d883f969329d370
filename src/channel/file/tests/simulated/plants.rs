//! The test of the test: bugs are planted one at a time, and the simulation has to find each.

use super::program::{CLOCKED, Program, table_directory};
use super::tell;
use crate::channel::file::Sync;
use crate::channel::file::rigged::{self, Bug};
use std::time::Duration;

/// Programs that are run until one finds the bug.
const PROGRAMS: u64 = 16;
const INTERVAL: Sync = Sync::Every(Duration::from_millis(50));

/// Which of these programs finds a planted bug, and after how many runs. Without the bug the same run finds
/// nothing.
fn found(bug: Bug, sync: Sync, numbers: &[u64]) -> Option<(u64, String)> {
    let (_directory, root) = table_directory();
    let mut runs = 0;
    rigged::plant(Some(bug));
    let found = numbers.iter().find_map(|number| {
        let program = Program::numbered(*number, sync);
        let failure = program.explore(&root, &mut runs).err()?;
        Some((program, failure))
    });
    rigged::plant(None);
    let (program, failure) = found?;
    let without = program.run(&root, failure.plan);
    assert!(without.is_ok(), "without {bug:?}: {without:?}");
    Some((runs, failure.what))
}

/// `first` is the program that is tried first.
fn demand(sync: Sync, first: u64, bugs: &[Bug]) {
    demand_of((first..=PROGRAMS).chain(1..first), sync, bugs);
}

fn demand_of(numbers: impl Iterator<Item = u64>, sync: Sync, bugs: &[Bug]) {
    let numbers: Vec<_> = numbers.collect();
    let mut missing = Vec::new();
    for bug in bugs {
        match found(*bug, sync, &numbers) {
            Some((runs, what)) => {
                let lines: Vec<_> = what.lines().take(2).collect();
                tell(&format!("planted {bug:?}: run {runs}: {}", lines.join("; ")));
            }
            None => missing.push(*bug),
        }
    }
    assert!(
        missing.is_empty(),
        "not found in {} programs: {missing:?}",
        numbers.len()
    );
}

#[test]
fn planted_bugs_of_putting_are_found() {
    let bugs = [
        Bug::PutNotSynced,
        Bug::PublishedBeforeSync,
        Bug::FailedSyncIgnored,
        Bug::SegmentUsedAfterFailedSync,
        Bug::RefusedNotCutOff,
        Bug::SegmentNameNotSynced,
    ];
    demand(Sync::Always, 8, &bugs);
    demand(Sync::Always, 9, &[Bug::SpareNotSynced]);
    demand(Sync::Always, 11, &[Bug::HalfPutShown]);
    demand(Sync::Always, 8, &[Bug::ScanWithoutChecksum]);
    let bugs = [
        Bug::FailedWriteNotBlanked,
        Bug::SegmentBeforeIndex,
        Bug::LivingPutterSealed,
        Bug::DeadPutterNotSealed,
    ];
    demand(Sync::Always, 3, &bugs);
}

#[test]
fn planted_bugs_of_taking_are_found() {
    let bugs = [
        Bug::ClaimNotCompared,
        Bug::LivingTakenOver,
        Bug::DeadNotTakenOver,
        Bug::FirstPassesClaimed,
        Bug::RefusedNotAnnounced,
    ];
    demand(Sync::Always, 4, &bugs);
    let bugs = [Bug::LogNotSynced, Bug::LogsNotRead, Bug::IndexDeletedFirst];
    demand(Sync::Always, 1, &bugs);
    demand(Sync::Always, 2, &[Bug::RemovalNotSynced]);
    demand(Sync::Always, 5, &[Bug::LogsCollectedEarly]);
    demand(Sync::Always, 1, &[Bug::RecycledNameNotSynced]);
}

#[test]
fn planted_bugs_of_directories_numbers_and_intervals_are_found() {
    let bugs = [
        Bug::MarkerNotSynced,
        Bug::DirectoriesNotSynced,
        Bug::NumbersNotSynced,
        Bug::LowerMarksFirst,
        Bug::NumbersOfTheDrainedReused,
    ];
    demand(Sync::Always, 2, &bugs);
    demand(INTERVAL, 6, &[Bug::IntervalNotSynced]);
    demand(INTERVAL, 10, &[Bug::LostNotPutAgain]);
}

#[test]
fn planted_bugs_of_ages_are_found() {
    demand_of(CLOCKED, Sync::Always, &[Bug::SetBackMakesOld]);
    demand_of(CLOCKED, Sync::Always, &[Bug::FrameAsOldAsItsSegment]);
    demand_of(CLOCKED, Sync::Always, &[Bug::OldSegmentWrittenOn]);
}

/// These were in the channel until the simulation found them.
#[test]
fn bugs_that_were_there_would_be_found_again() {
    demand(Sync::Always, 2, &[Bug::FailedRemovalForgotten]);
    demand(
        Sync::Always,
        3,
        &[Bug::AboveNotSynced, Bug::FailedWriteOverwritten],
    );
    demand(Sync::Always, 7, &[Bug::SalvagedNotSynced]);
    demand(Sync::Always, 1, &[Bug::CutNotSynced]);
    demand(INTERVAL, 6, &[Bug::PublishedCountsAsSynced]);
}
