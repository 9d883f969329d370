//! What the targets share: checksums made right, so that the fuzzer reaches what lies behind them, and channels.

use flume::channel::Channel;
use flume::channel::file::{Config, FileChannel, Role};
use flume::event::{Batch, Event};
use flume::wire::{HEADER, MAGIC, crc32c};
use std::fs;
use std::path::{Path, PathBuf};

/// The bytes as a chain of frames: at each place where a header would stand its magic and both checksums are
/// put right, with the salt of a segment (0 in a stream). Everything else, lengths too, stays as it is.
pub fn mended(bytes: &[u8], salt: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + HEADER <= bytes.len() {
        let (header, rest) = bytes[at..].split_at_mut(HEADER);
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        header[..4].copy_from_slice(&MAGIC);
        let payload = &rest[..length.min(rest.len())];
        header[40..44].copy_from_slice(&crc32c(payload).to_le_bytes());
        let mut summed = header[..44].to_vec();
        if salt != 0 {
            summed.extend_from_slice(&salt.to_le_bytes());
        }
        header[44..].copy_from_slice(&crc32c(&summed).to_le_bytes());
        at += HEADER + length;
    }
    bytes
}

/// How the targets open a channel.
pub fn config(directory: &Path) -> Config {
    Config {
        segment_bytes: 64 << 10,
        ..Config::new(directory)
    }
}

/// A channel with so many frames in one segment, which its putter has left: its directory, in memory where
/// that is possible.
pub fn left_channel(name: &str, frames: u32) -> PathBuf {
    let shm = Path::new("/dev/shm");
    let base = match shm.is_dir() {
        true => shm.to_path_buf(),
        false => std::env::temp_dir(),
    };
    let directory = base.join(format!("flume-fuzz-{name}-{}", std::process::id()));
    let channel = FileChannel::open(config(&directory), Role::Put).expect("a channel");
    for _ in 0..frames {
        channel.put(&[Batch::single(&Event::new("x"))]).expect("a put");
    }
    directory
}

/// A segment: its name, number and bytes.
pub struct Segment {
    pub name: PathBuf,
    pub number: u64,
    pub bytes: Vec<u8>,
}

/// The segment of such a channel.
pub fn segment_of(directory: &Path) -> Segment {
    let entries = fs::read_dir(directory.join("data")).expect("the data");
    let mut names = entries.flatten().map(|entry| entry.path());
    let is_segment = |name: &PathBuf| name.extension().is_some_and(|end| end == "seg");
    let name = names.find(is_segment).expect("a segment");
    let number = name.file_stem().and_then(|stem| stem.to_str()).expect("a number");
    let number = number.parse().expect("a number");
    let bytes = fs::read(&name).expect("the segment");
    Segment { name, number, bytes }
}
