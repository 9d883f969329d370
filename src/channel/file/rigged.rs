//! What a test can rig: planted bugs, the clock of leases, random names. In any other build nothing of it
//! exists: each function is a constant that compiles to nothing.
//!
//! A planted bug leaves out one sync, turns one order around or skips one check of the crash protocol. The
//! test of the simulation switches on one at a time and demands that the simulation finds it.

/// A bug that can be planted, named by what is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A put is answered without a sync.
    PutNotSynced,
    /// A put is published before its sync.
    PublishedBeforeSync,
    /// A sync that failed counts as a good one.
    FailedSyncIgnored,
    /// After a failed sync the next put goes into the same segment.
    SegmentUsedAfterFailedSync,
    /// What was refused stays in the file behind what is published.
    RefusedNotCutOff,
    /// A frame whose write failed stays where a scan finds it.
    FailedWriteNotBlanked,
    /// The name of a new segment is not synced.
    SegmentNameNotSynced,
    /// A segment gets its name before its index.
    SegmentBeforeIndex,
    /// The content of the marker is not synced.
    MarkerNotSynced,
    /// The names of marker and directories are not synced.
    DirectoriesNotSynced,
    /// The mark of the numbers is not synced.
    NumbersNotSynced,
    /// Lower marks go before the higher one is synced.
    LowerMarksFirst,
    /// Only segments that are there say which numbers were used.
    NumbersOfTheDrainedReused,
    /// A scan shows the first frames of a put whose last one is missing.
    HalfPutShown,
    /// A scan believes a frame whose checksum is wrong.
    ScanWithoutChecksum,
    /// Acceptances are logged without a sync.
    LogNotSynced,
    /// Logs are not read when a channel is opened.
    LogsNotRead,
    /// Logs of the dead go though the segments they speak of may come back.
    LogsCollectedEarly,
    /// The removal of segments is not synced when acceptances are.
    RemovalNotSynced,
    /// The new name of a segment that was written over is not synced.
    RecycledNameNotSynced,
    /// The index is deleted before its segment.
    IndexDeletedFirst,
    /// A claim is settled without a look at whose it is.
    ClaimNotCompared,
    /// Claims of living takers are taken over.
    LivingTakenOver,
    /// Claims of dead takers are not taken over.
    DeadNotTakenOver,
    /// The segment of a living putter counts as that of a dead one.
    LivingPutterSealed,
    /// What a dead putter left is not looked at.
    DeadPutterNotSealed,
    /// The first frame that is looked at moves over claimed ones.
    FirstPassesClaimed,
    /// Nobody is told that a refused frame waits again.
    RefusedNotAnnounced,
    /// A drained segment is written over before its earlier name is gone for good.
    SpareNotSynced,
    /// Interval syncs do not happen.
    IntervalNotSynced,
    /// What a failed interval sync may have lost is not put again.
    LostNotPutAgain,
    /// By a clock that was set back things are as old as they are young.
    SetBackMakesOld,
    /// A frame is as old as its segment.
    FrameAsOldAsItsSegment,
    /// A segment is written on though the time of its frames does not fit any more.
    OldSegmentWrittenOn,
    // What follows was in the channel until the simulation found it.
    /// The directories above a new channel are not synced before its marker.
    AboveNotSynced,
    /// What a dead putter left is given out without a sync.
    SalvagedNotSynced,
    /// With an interval, what is published counts as synced.
    PublishedCountsAsSynced,
    /// After a failed write the next put overwrites what is there of it.
    FailedWriteOverwritten,
    /// What was refused is cut off, but that is not synced.
    CutNotSynced,
    /// A segment that cannot be removed counts as removed.
    FailedRemovalForgotten,
}

pub use switches::*;

#[cfg(not(test))]
mod switches {
    use super::Bug;

    #[inline(always)]
    pub const fn planted(_: Bug) -> bool {
        false
    }

    #[inline(always)]
    pub const fn clock_ns() -> Option<u64> {
        None
    }

    #[inline(always)]
    pub const fn random() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod switches {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
        static CLOCK_NS: Cell<Option<u64>> = const { Cell::new(None) };
        static RANDOM: Cell<Option<u64>> = const { Cell::new(None) };
    }

    pub fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// What the clock of leases says in this thread, if it is not the real one.
    pub fn clock_ns() -> Option<u64> {
        CLOCK_NS.get()
    }

    /// The next of this thread's random numbers, if they are not real ones.
    pub fn random() -> Option<u64> {
        let next = RANDOM.get()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
        RANDOM.set(Some(next));
        Some((next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub fn set_clock_ns(now: Option<u64>) {
        CLOCK_NS.set(now);
    }

    pub fn set_random(seed: Option<u64>) {
        RANDOM.set(seed);
    }
}
