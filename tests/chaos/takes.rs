//! The order of system calls of a taker that notes each acceptance at once: what it was told is on the disk
//! before it listens for more, so that a power cut repeats only what is in hand.

use super::calls::{Call, call_of};
use crate::by_hand::{Reader, next_frame};
use crate::pipe::Pipe;
use crate::surroundings::skipped;
use flume::wire::{FrameReader, Kind, LIMIT};
use std::collections::BTreeSet;

/// What is traced: acceptances that come, and how they are noted.
const CALLS: &str = "recvfrom,recvmsg,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync";
/// Bytes of a record in a log of acceptances: segment, from, to, checksum, zeros.
const RECORD: usize = 24;

/// What is known while a trace is read.
#[derive(Default)]
struct Known {
    /// Positions in the log, in the part of it that is being synced, and on the disk.
    noted: BTreeSet<u64>,
    syncing: BTreeSet<u64>,
    synced: BTreeSet<u64>,
    /// Batches that were accepted.
    accepted: u64,
}

impl Known {
    fn see(&mut self, call: &Call) -> Result<(), String> {
        let is_log = call.path.ends_with(".acc");
        let is_sync = matches!(call.name.as_str(), "fdatasync" | "fsync");
        let is_reply = call.name.starts_with("recv") && call.path.starts_with("socket:");
        if call.begins && is_log && is_sync {
            self.syncing = self.noted.clone();
        } else if call.begins && is_log {
            self.noted.extend(positions_in(&call.bytes));
        } else if call.begins && is_reply && (self.synced.len() as u64) < self.accepted {
            let (accepted, synced) = (self.accepted, self.synced.len());
            return Err(format!("{accepted} were accepted, {synced} are on the disk"));
        }
        // A call that is cut in two says only in its first half on what it is.
        match call.returns {
            Some(0) if is_sync && (is_log || !call.begins) => self.synced.append(&mut self.syncing),
            Some(1..) if call.name.starts_with("recv") => {
                let most = acceptances_in(&call.bytes).into_iter().max();
                self.accepted = self.accepted.max(most.unwrap_or_default());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Positions that records in a log speak of.
fn positions_in(bytes: &[u8]) -> Vec<u64> {
    let records = bytes.chunks_exact(RECORD).map(|record| {
        let number = u64::from_le_bytes(record[..8].try_into().unwrap());
        let from = u32::from_le_bytes(record[8..12].try_into().unwrap());
        let to = u32::from_le_bytes(record[12..16].try_into().unwrap());
        (from..to).map(move |frame| number << 20 | u64::from(frame))
    });
    records.flatten().collect()
}

/// Sequences that these bytes of a reply accept.
fn acceptances_in(bytes: &[u8]) -> Vec<u64> {
    let mut frames = FrameReader::new(Reader(bytes), LIMIT);
    let frames = std::iter::from_fn(|| next_frame(&mut frames));
    let accepts = frames.filter(|frame| frame.header.kind == Kind::Accept);
    accepts.map(|frame| frame.header.sequence).collect()
}

/// Read a trace of a taker: how many batches were accepted, or how many of them were not on the disk when it
/// listened for more.
fn check(trace: &str) -> Result<u64, String> {
    let mut known = Known::default();
    for call in trace.lines().filter_map(call_of) {
        known.see(&call)?;
    }
    Ok(known.accepted)
}

/// The trace of a process that takes 50 batches.
fn trace_of_takes(flags: &str) -> String {
    let put = Pipe::new("source seq --total-events 50 --batch-size 1")
        .then("channel file spool --put")
        .run()
        .expect_status([0, 0]);
    let taken = Pipe::foreign(&format!(
        "exec strace -f -y -xx -s 1000000 -o trace -e trace={CALLS} \
         flume channel file spool --take --until-empty {flags}"
    ))
    .dir(&put.path(""))
    .then("sink null --summary json")
    .run()
    .expect_status([0, 0])
    .counts(1, "accepted", 50);
    std::fs::read_to_string(taken.path("trace")).unwrap()
}

#[test]
fn acceptance_is_on_the_disk_before_another_is_heard_if_that_is_wanted() {
    if Pipe::foreign("strace -o /dev/null true").run().status(0) != 0 {
        return skipped("the order of a taker's system calls: that needs strace, and the right to trace");
    }
    let trace = trace_of_takes("--sync-take-always");
    assert_eq!(check(&trace), Ok(50));
    let lines = trace.lines().filter(|line| !line.contains("fdatasync("));
    let unsynced: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(check(&unsynced).is_err());
    assert!(check(&trace.replace(">) = 0", ">) = -1 EIO")).is_err());
    // Without the flag nobody waits for the log.
    assert!(check(&trace_of_takes("")).is_err());
}
