//! Options that stages share: how they report, how they write a stream, how they take one.

use crate::exit::StageError;
use crate::flow::{Durability, Options};
use crate::link::Window;
use crate::stop::Stop;
use crate::value::{Seconds, Size};
use crate::wire::Compression;
use std::path::PathBuf;

// What every stage has.
// No doc comment: clap would put it in the place of the sentence of the command that has these options.
#[allow(missing_docs)]
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Reporting and stopping")]
pub struct Common {
    /// After a stop: how long to wait for what is unaccepted.
    #[arg(long, default_value = "30", value_name = "TIME")]
    pub grace: Seconds,
    /// Print the totals at the end to standard error, whatever the end.
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub summary: Option<String>,
    /// Show progress on standard error, also when it is no terminal or a stage before shows its own.
    #[arg(long)]
    pub progress: bool,
    /// Say only errors, and show no progress.
    #[arg(long, short)]
    pub quiet: bool,
    /// How much to say: error, warn, info or debug, also for one component: "file_roll=debug,warn".
    #[arg(
        long,
        env = "FLUME_LOG",
        default_value = "info",
        value_name = "LEVELS",
        hide_env = true
    )]
    pub log_level: String,
    /// How messages look.
    #[arg(long, default_value = "text", value_name = "FORMAT", value_parser = ["text", "json"])]
    pub log_format: String,
}

// What every stage has that writes a stream.
// No doc comment: clap would put it in the place of the sentence of the command that has these options.
#[allow(missing_docs)]
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "The stream that goes out")]
pub struct Writing {
    /// When a batch is done: accepted by the next taker (end-to-end), by a file channel in front of the
    /// stream (channel, with --wal), or written to the pipe (best-effort).
    #[arg(long, default_value = "end-to-end", value_name = "MODE",
          value_parser = ["end-to-end", "channel", "best-effort"])]
    pub durability: String,
    /// Directory of the file channel for --durability channel.
    #[arg(long, value_name = "DIR")]
    pub wal: Option<PathBuf>,
    /// Bytes that the file channel of --durability channel may hold.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub max_wal_size: Size,
    /// Unaccepted batches at most.
    #[arg(long, default_value = "32", value_name = "BATCHES", value_parser = clap::value_parser!(u32).range(1..))]
    pub window: u32,
    /// Their bytes at most.
    #[arg(long, default_value = "4MiB", value_name = "SIZE")]
    pub window_bytes: Size,
    /// How long to wait for the stage that takes.
    #[arg(long, default_value = "30", value_name = "TIME")]
    pub reply_timeout: Seconds,
    /// How many stages take from the stream, behind a tee: a batch is done when all of them have accepted it.
    #[arg(long, default_value = "1", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub takers: u32,
    /// Put the socket for acceptances into this directory, for takers in another network namespace.
    #[arg(long, value_name = "DIR")]
    pub reply_dir: Option<PathBuf>,
    /// Compress payloads.
    #[arg(long, default_value = "none", value_name = "HOW", value_parser = ["none", "lz4", "zstd"])]
    pub compress_stream: String,
}

// What every stage has that takes batches.
// No doc comment: clap would put it in the place of the sentence of the command that has these options.
#[allow(missing_docs)]
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "What can not be taken")]
pub struct Taking {
    /// Keep events that can never be stored in this file channel, with the reason, and go on.
    #[arg(long, value_name = "DIR")]
    pub rejected: Option<PathBuf>,
}

impl Writing {
    /// As if nothing was given: for a stage that writes no stream.
    pub fn defaults() -> Writing {
        Writing {
            durability: "end-to-end".into(),
            wal: None,
            max_wal_size: Size(1 << 30),
            window: 32,
            window_bytes: Size(4 << 20),
            reply_timeout: Seconds(std::time::Duration::from_secs(30)),
            takers: 1,
            reply_dir: None,
            compress_stream: "none".into(),
        }
    }
}

/// Set up messages as the options say.
pub fn configure(common: &Common) -> Result<(), StageError> {
    let levels = if common.quiet { "error" } else { &common.log_level };
    crate::say::configure(levels, common.log_format == "json").map_err(StageError::Usage)
}

/// A stop with the grace of the options.
pub fn stop_of(common: &Common) -> Result<Stop, StageError> {
    Stop::new(common.grace.0).map_err(|error| StageError::Failed(format!("cannot start: {error}")))
}

/// The flow's options.
pub fn flow_options(writing: &Writing, taking: Option<&Taking>, stop: &Stop) -> Result<Options, StageError> {
    let durability = match writing.durability.as_str() {
        "best-effort" => Durability::BestEffort,
        "channel" if writing.wal.is_none() => {
            return Err(StageError::Usage("--durability channel needs --wal DIR".into()));
        }
        _ => Durability::EndToEnd,
    };
    let rejected = taking.and_then(|taking| taking.rejected.as_deref());
    Ok(Options {
        durability,
        window: Window {
            batches: writing.window as usize,
            bytes: writing.window_bytes.0 as usize,
        },
        reply_timeout: writing.reply_timeout.0,
        takers: writing.takers as usize,
        reply_dir: writing.reply_dir.clone(),
        compression: compression(&writing.compress_stream),
        limit: crate::wire::LIMIT,
        rejected: rejected.map(super::parts::rejected).transpose()?,
        stop: stop.clone(),
    })
}

/// A compression by its word.
pub fn compression(word: &str) -> Compression {
    match word {
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => Compression::None,
    }
}
