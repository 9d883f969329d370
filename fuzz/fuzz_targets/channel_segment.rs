//! Any bytes as what a dead putter left in its segment: the channel is looked through and drained, and ends
//! up empty or says what is damaged.
#![no_main]

use flume::channel::file::{Config, FileChannel, Role, browse};
use flume::channel::{Channel, Taken};
use flume::event::{Batch, Event};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

/// Bytes in front of a segment's first frame.
const HEAD: usize = 4096;

/// A channel with one segment, made once: its directory, and the segment's name, number and head.
struct Template {
    directory: PathBuf,
    name: PathBuf,
    number: u64,
    head: Vec<u8>,
}

fn config(directory: &Path) -> Config {
    Config {
        segment_bytes: 64 << 10,
        ..Config::new(directory)
    }
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let shm = Path::new("/dev/shm");
    let base = if shm.is_dir() {
        shm.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let directory = base.join(format!("flume-fuzz-{}", std::process::id()));
    let channel = FileChannel::open(config(&directory), Role::Put).expect("a channel");
    channel.put(&[Batch::single(&Event::new("x"))]).expect("a put");
    drop(channel);
    let segments = fs::read_dir(directory.join("data")).expect("the data");
    let name = segments
        .flatten()
        .map(|entry| entry.path())
        .next()
        .expect("a segment");
    let number = name.file_stem().and_then(|stem| stem.to_str()).expect("a number");
    let number = number.parse().expect("a number");
    let head = fs::read(&name).expect("the segment")[..HEAD].to_vec();
    Template {
        directory,
        name,
        number,
        head,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let template = &*TEMPLATE;
    let frames = flume_fuzz::mended(bytes, template.number);
    // Without its table the channel has to find everything in the segment again.
    let _ = fs::remove_dir_all(template.directory.join("checkpoint"));
    let _ = fs::remove_dir_all(template.directory.join("data"));
    fs::create_dir_all(template.directory.join("data")).expect("a directory");
    fs::write(&template.name, [&template.head[..], &frames].concat()).expect("a segment");
    if let Ok(batches) = browse(&template.directory) {
        for (_, batch) in batches.flatten() {
            let _ = batch.check();
        }
    }
    let Ok(channel) = FileChannel::open(config(&template.directory), Role::Take) else {
        return;
    };
    while let Ok(Taken::Delivery(delivery)) = channel.take(Some(Instant::now())) {
        let _ = delivery.batch.check();
        delivery.accept();
    }
});
