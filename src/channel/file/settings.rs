//! `file`: what the file channel can be told.

use super::needless::Needless;
use super::place::check_owner;
use super::tools::{Tool, Tools};
use super::{Config, FileChannel, Role, Sync, looks_like_channel};
use crate::channel::Ends;
use crate::channel::ends::opened;
use crate::channel::{Channel, Settings};
use crate::exit::{StageError, StageResult};
use crate::value::{Millis, Seconds, Size};
use crate::wire::Compression;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Hold events in a directory: they survive the process and the machine. Several processes may put and
/// take at the same time.
#[derive(clap::Args, Debug, Clone)]
#[command(after_help = EXAMPLES)]
pub struct File {
    /// The directory: DIR/data holds the events, DIR/checkpoint what was taken.
    #[arg(id = "directory", value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Only put: take the events of standard input and end; somebody else takes them out.
    #[arg(long, id = "put", num_args = 0, help_heading = ENDS, conflicts_with = "take")]
    put: bool,
    /// Only take: what somebody else puts goes to standard output.
    #[arg(long, id = "take", num_args = 0, help_heading = ENDS)]
    take: bool,
    /// With --take: end when nothing is left.
    #[arg(long, id = "until-empty", num_args = 0, help_heading = ENDS, requires = "take")]
    until_empty: bool,
    /// When a put is on the disk: before it is accepted (always), each so often (a power cut loses what was
    /// put since), or when the system likes (never).
    #[arg(
        long,
        id = "sync",
        help_heading = DURABILITY,
        default_value = "always",
        value_name = "always|TIME|never"
    )]
    sync: SyncWord,
    /// Acceptances are on the disk at once, instead of within 100 ms: after a power cut nothing comes twice.
    #[arg(long, id = "sync-take-always", num_args = 0, help_heading = DURABILITY)]
    sync_take_always: bool,
    /// False: sync each fsyncInterval instead of at each put.
    #[arg(long, id = "fsyncPerTransaction", help_heading = DURABILITY, default_value = "true")]
    fsync_per_transaction: bool,
    /// Seconds between syncs when fsyncPerTransaction is false.
    #[arg(
        long,
        id = "fsyncInterval",
        help_heading = DURABILITY,
        default_value = "5",
        value_name = "TIME"
    )]
    fsync_interval: Seconds,
    /// Events that it may hold; 0 without a bound.
    #[arg(
        long,
        id = "capacity",
        help_heading = BOUNDS,
        default_value = "1000000",
        value_name = "EVENTS"
    )]
    capacity: u64,
    /// Bytes of events that it may hold; 0 without a bound.
    #[arg(
        long,
        id = "max-bytes",
        help_heading = BOUNDS,
        default_value = "0",
        value_name = "SIZE"
    )]
    max_bytes: Size,
    /// Bytes of the file system that it leaves free; 1 MiB at the least.
    #[arg(
        long,
        id = "minimumRequiredSpace",
        visible_alias = "min-free",
        help_heading = BOUNDS,
        default_value = "524288000",
        value_name = "SIZE"
    )]
    minimum_required_space: Size,
    /// Seconds that a put waits for room.
    #[arg(
        long,
        id = "keep-alive",
        help_heading = BOUNDS,
        default_value = "3",
        value_name = "TIME"
    )]
    keep_alive: Seconds,
    /// Events in one transaction: a larger batch is stored and given out in parts; 0 without a bound.
    #[arg(
        long,
        id = "transactionCapacity",
        help_heading = BOUNDS,
        default_value = "10000",
        value_name = "EVENTS"
    )]
    transaction_capacity: u64,
    /// With --drop-expired: drop what is older when it is met, and when a put finds no room. It is counted and
    /// reported.
    #[arg(long, id = "max-age", help_heading = BOUNDS, value_name = "TIME")]
    max_age: Option<Seconds>,
    /// Yes, what is older than --max-age is lost.
    #[arg(long, id = "drop-expired", num_args = 0, help_heading = BOUNDS)]
    drop_expired: bool,
    /// How events are stored.
    #[arg(long, id = "compress", help_heading = FILES, default_value = "none", value_name = "HOW",
          value_parser = ["none", "lz4", "zstd"])]
    compress: String,
    /// Bytes of one file.
    #[arg(
        long,
        id = "maxFileSize",
        visible_alias = "segment-bytes",
        help_heading = FILES,
        default_value = "1623195647",
        value_name = "SIZE"
    )]
    max_file_size: Size,
    /// Directory for what was taken, if not DIR/checkpoint.
    #[arg(long, id = "checkpointDir", help_heading = FILES, value_name = "DIR")]
    checkpoint_dir: Option<PathBuf>,
    /// Directories for events, if not DIR/data: a list with commas, over which files are spread.
    #[arg(
        long,
        id = "dataDirs",
        help_heading = FILES,
        value_name = "DIRS",
        value_delimiter = ','
    )]
    data_dirs: Vec<PathBuf>,
    #[command(flatten)]
    tools: Tools,
    #[command(flatten)]
    needless: Needless,
}

const ENDS: &str = "Ends";
const DURABILITY: &str = "Durability";
const BOUNDS: &str = "Bounds";
const FILES: &str = "Files";

/// What `--help` ends with.
const EXAMPLES: &str = "\
Examples:
  flume source stdin < app.log | flume channel file ./spool --put
  flume channel file ./spool --take --until-empty | flume sink file_roll --directory ./out
  flume channel file ./spool --status --json
  flume channel file ./spool --check || flume channel file ./spool --repair";

/// Flume's least for the free space.
const LEAST_FREE: u64 = 1 << 20;

/// `always`, `never` or a time.
#[derive(Debug, Clone, Copy)]
struct SyncWord(Sync);

impl FromStr for SyncWord {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "always" => Ok(SyncWord(Sync::Always)),
            "never" => Ok(SyncWord(Sync::Never)),
            time => match time.parse::<Millis>() {
                Ok(time) => Ok(SyncWord(Sync::Every(time.0))),
                Err(_) => Err(format!("\"{word}\" is not always, never or a time such as 100ms")),
            },
        }
    }
}

impl File {
    fn ends(&self) -> Ends {
        match (self.put, self.take) {
            (true, _) => Ends::Put,
            (_, true) => Ends::Take {
                until_empty: self.until_empty,
            },
            _ => Ends::Both,
        }
    }

    fn config(&self, directory: PathBuf, name: &str) -> Config {
        let said = name.to_string();
        let sync = match self.fsync_per_transaction {
            true => self.sync.0,
            false => Sync::Every(self.fsync_interval.0),
        };
        Config {
            checkpoint_dir: self.checkpoint_dir.clone(),
            data_dirs: self.data_dirs.clone(),
            capacity: self.capacity,
            transaction: self.transaction(),
            max_bytes: self.max_bytes.0,
            max_age: self.max_age.map(|age| age.0),
            min_free: self.minimum_required_space.0.max(LEAST_FREE),
            segment_bytes: self.max_file_size.0,
            keep_alive: self.keep_alive.0,
            sync,
            sync_take_always: self.sync_take_always,
            compression: self.compression(),
            create: !self.until_empty,
            report: Arc::new(move |sentence| crate::say::warn(&said, sentence)),
            ..Config::new(directory)
        }
    }
}

impl File {
    fn compression(&self) -> Compression {
        match self.compress.as_str() {
            "lz4" => Compression::Lz4,
            "zstd" => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// Events in one transaction; no more than there is room for.
    fn transaction(&self) -> u64 {
        match (self.transaction_capacity, self.capacity) {
            (0, _) => 0,
            (transaction, 0) => transaction,
            (transaction, capacity) => transaction.min(capacity),
        }
    }

    /// Settings that only together are right or wrong.
    fn check(&self) -> Result<(), String> {
        match (self.max_age, self.drop_expired) {
            (Some(_), false) => {
                return Err(
                    "--max-age drops events that are older: say that this is wanted with --drop-expired"
                        .into(),
                );
            }
            (None, true) => return Err("--drop-expired needs --max-age TIME: older than what?".into()),
            _ => {}
        }
        let mut seen = Vec::new();
        for path in &self.data_dirs {
            if seen.contains(&path) {
                return Err(format!("dataDirs: {} stands there twice", path.display()));
            }
            seen.push(path);
        }
        self.needless.check(self.checkpoint_dir.as_deref())
    }

    fn directory(&self) -> Result<PathBuf, StageError> {
        match (&self.directory, &self.checkpoint_dir) {
            (Some(directory), _) => Ok(directory.clone()),
            // Flume names the two directories and none above them.
            (None, Some(checkpoint)) if !self.data_dirs.is_empty() => Ok(checkpoint.clone()),
            (None, Some(_)) => {
                let word = "dataDirs are missing: give DIR, or checkpointDir and dataDirs";
                Err(StageError::Usage(word.into()))
            }
            (None, None) => {
                let word = "a directory is missing: channel file DIR, such as ./spool";
                Err(StageError::Usage(word.into()))
            }
        }
    }

    fn use_tool(&self, tool: &Tool, name: &str) -> StageResult {
        if self.put || self.take {
            return Err(StageError::Usage(format!(
                "{} is a tool and passes no events: give it without --put and --take",
                tool.flag()
            )));
        }
        let directory = self.directory()?;
        if !directory.exists() {
            let shown = directory.display();
            let why = format!("{shown} does not exist, and a tool makes no channel");
            return Err(StageError::Usage(why));
        }
        self.tools.run(tool, self.compression(), &directory, name)
    }
}

impl Settings for File {
    fn tool(&self, name: &str) -> Option<StageResult> {
        let tool = self.tools.chosen().transpose()?;
        Some(tool.and_then(|tool| self.use_tool(&tool, name)))
    }

    fn open(&self, name: &str) -> Result<(Arc<dyn Channel>, Ends), StageError> {
        if let Some(tool) = self.tools.chosen()? {
            return Err(StageError::Usage(format!(
                "{flag} is a tool and passes no events: flume channel file DIR {flag}",
                flag = tool.flag()
            )));
        }
        self.check().map_err(StageError::Usage)?;
        let directory = self.directory()?;
        let ends = self.ends();
        let role = match ends {
            Ends::Put => Role::Put,
            Ends::Take { .. } => Role::Take,
            Ends::Both => Role::Both,
        };
        opened(check_owner(&directory))?;
        if self.until_empty && !looks_like_channel(&directory) {
            let shown = directory.display();
            let why = match directory.exists() {
                true => format!("{shown} is no file channel, so there is nothing to take from it"),
                false => format!("{shown} does not exist, so there is nothing to take from it"),
            };
            return Err(StageError::Usage(why));
        }
        let channel = opened(FileChannel::open(self.config(directory, name), role))?;
        Ok((channel, ends))
    }
}
