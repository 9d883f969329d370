//! Any bytes as the log of a dead taker: the channel opens, and gives out exactly the frames that no whole record
//! of the log speaks of.
#![no_main]

use flume::channel::file::{FileChannel, Role};
use flume::channel::{Channel, Taken};
use flume::wire::crc32c;
use flume_fuzz::{Segment, config, left_channel, segment_of};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

/// Bytes of a record: segment, from, to, checksum, zeros.
const RECORD: usize = 24;
/// Frames in the segment.
const FRAMES: u32 = 6;

/// A channel with one segment, made once.
static TEMPLATE: LazyLock<(PathBuf, Segment)> = LazyLock::new(|| {
    let directory = left_channel("log", FRAMES);
    let segment = segment_of(&directory);
    (directory, segment)
});

/// The first byte says whether checksums are made right, so that the fuzzer reaches what lies behind them.
fn log_of(bytes: &[u8]) -> Vec<u8> {
    let Some((how, bytes)) = bytes.split_first() else {
        return Vec::new();
    };
    let mut log = bytes.to_vec();
    if how % 2 == 0 {
        for record in log.chunks_exact_mut(RECORD) {
            let crc = crc32c(&record[..16]);
            record[16..20].copy_from_slice(&crc.to_le_bytes());
            record[20..].fill(0);
        }
    }
    log
}

fn waiting(log: &[u8], number: u64) -> Vec<u32> {
    let mut waiting: Vec<u32> = (0..FRAMES).collect();
    for record in log.chunks_exact(RECORD) {
        let u32_at = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().expect("four"));
        let is_whole = u32_at(16) == crc32c(&record[..16]) && u32_at(20) == 0;
        if is_whole && record[..8] == number.to_le_bytes() {
            waiting.retain(|frame| !(u32_at(8)..u32_at(12)).contains(frame));
        }
    }
    waiting
}

fuzz_target!(|bytes: &[u8]| {
    let (directory, segment) = &*TEMPLATE;
    let log = log_of(bytes);
    let checkpoint = directory.join("checkpoint");
    let _ = fs::remove_dir_all(&checkpoint);
    let _ = fs::remove_dir_all(directory.join("data"));
    fs::create_dir_all(directory.join("data")).expect("a directory");
    fs::create_dir_all(checkpoint.join("acc")).expect("a directory");
    fs::write(&segment.name, &segment.bytes).expect("a segment");
    fs::write(checkpoint.join("acc/7-7-0123456789abcdef.acc"), &log).expect("a log");
    let channel = FileChannel::open(config(directory), Role::Take).expect("it opens");
    let mut found = Vec::new();
    while let Taken::Delivery(delivery) = channel.take(Some(Instant::now())).expect("a take") {
        found.push((delivery.batch.origin & 0xf_ffff) as u32);
        delivery.accept();
    }
    assert_eq!(found, waiting(&log, segment.number));
});
