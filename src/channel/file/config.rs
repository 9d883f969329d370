//! Settings of a file channel, as the code that opens one gives them.

use crate::wire::Compression;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// When what was put is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Before a put returns.
    #[default]
    Always,
    /// Each so often: a power cut loses what was put since.
    Every(Duration),
    /// When the system likes: a power cut loses what was put in the last half minute or so.
    Never,
}

/// What a process does with the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Put only.
    Put,
    /// Take only.
    Take,
    /// Both.
    Both,
}

/// Settings of a file channel.
#[derive(Clone)]
pub struct Config {
    /// The channel's directory.
    pub directory: PathBuf,
    /// Acceptances and tables; `checkpoint` in the directory by default.
    pub checkpoint_dir: Option<PathBuf>,
    /// Segments, spread over all of these; `data` in the directory by default.
    pub data_dirs: Vec<PathBuf>,
    /// Events that it may hold; 0 without a bound.
    pub capacity: u64,
    /// Events in one frame, and so in a batch that is taken; a larger batch is split. 0 without a bound.
    pub transaction: u64,
    /// Bytes of encoded events that it may hold; 0 without a bound.
    pub max_bytes: u64,
    /// What is older is dropped and counted; nothing without it.
    pub max_age: Option<Duration>,
    /// Bytes of the file system that stay free.
    pub min_free: u64,
    /// Bytes of a segment; a single put that is larger still goes into one.
    pub segment_bytes: u64,
    /// How long a put waits for room.
    pub keep_alive: Duration,
    /// When puts are synced.
    pub sync: Sync,
    /// An acceptance is on the disk when it returns, instead of within 100 ms.
    pub sync_take_always: bool,
    /// How payloads are stored.
    pub compression: Compression,
    /// Make the channel if it is missing.
    pub create: bool,
    /// Called with a sentence about something that a person may want to know.
    pub report: Arc<dyn Fn(&str) + Send + std::marker::Sync>,
}

impl Config {
    /// Everything by default: no bounds, synced always, segments of 64 MiB, nothing reported.
    pub fn new(directory: impl Into<PathBuf>) -> Config {
        Config {
            directory: directory.into(),
            checkpoint_dir: None,
            data_dirs: Vec::new(),
            capacity: 0,
            transaction: 0,
            max_bytes: 0,
            max_age: None,
            min_free: 0,
            segment_bytes: 64 << 20,
            keep_alive: Duration::from_secs(3),
            sync: Sync::Always,
            sync_take_always: false,
            compression: Compression::None,
            create: true,
            report: Arc::new(|_| {}),
        }
    }
}
