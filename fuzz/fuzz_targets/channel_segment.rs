//! Any bytes as what a dead putter left in its segment: the channel is looked through and drained, and ends
//! up empty or says what is damaged.
#![no_main]

use flume::channel::file::{FileChannel, Role, browse};
use flume::channel::{Channel, Taken};
use flume_fuzz::{Segment, config, left_channel, segment_of};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

/// Bytes in front of a segment's first frame.
const HEAD: usize = 4096;

/// A channel with one segment, made once.
static TEMPLATE: LazyLock<(PathBuf, Segment)> = LazyLock::new(|| {
    let directory = left_channel("segment", 1);
    let segment = segment_of(&directory);
    (directory, segment)
});

fuzz_target!(|bytes: &[u8]| {
    let (directory, segment) = &*TEMPLATE;
    let frames = flume_fuzz::mended(bytes, segment.number);
    // Without its table the channel has to find everything in the segment again.
    let _ = fs::remove_dir_all(directory.join("checkpoint"));
    let _ = fs::remove_dir_all(directory.join("data"));
    fs::create_dir_all(directory.join("data")).expect("a directory");
    fs::write(&segment.name, [&segment.bytes[..HEAD], &frames].concat()).expect("a segment");
    if let Ok(batches) = browse(directory) {
        for (_, batch) in batches.flatten() {
            let _ = batch.check();
        }
    }
    let Ok(channel) = FileChannel::open(config(directory), Role::Take) else {
        return;
    };
    while let Ok(Taken::Delivery(delivery)) = channel.take(Some(Instant::now())) {
        let _ = delivery.batch.check();
        delivery.accept();
    }
});
