//! Tools that look after a channel: each one file, each a flag of `flume channel file DIR`.
//!
//! Those that only look (`status`, `check`, `list`, `export`) do not attach and work while others put and
//! take. Those that change something (`repair`, `skip`, `rewind`) must be alone.

mod alone;
pub(super) mod check;
mod export;
pub(super) mod list;
pub(super) mod repair;
pub(super) mod rewind;
pub(super) mod skip;
pub(super) mod status;

use super::segment;
use crate::channel::ChannelError;
use crate::exit::{StageError, StageResult};
use crate::wire::Compression;
use std::io::{self, Write};
use std::path::Path;

/// Which tool was asked for.
#[derive(clap::Args, Debug, Clone)]
pub struct Tools {
    /// Show how much waits and how old it is, who puts and takes, segments and free space. Works while others
    /// use the channel.
    #[arg(long, id = "status", num_args = 0, help_heading = "Tools")]
    status: bool,
    /// Read everything, change nothing, and print what is not sound, a line each: 0 sound, 1 findings, 2
    /// cannot tell. Works while others use the channel.
    #[arg(long, id = "check", num_args = 0, help_heading = "Tools")]
    check: bool,
    /// Print the batches that wait, a line each: position, events, bytes, age, and who has it. Works while
    /// others use the channel.
    #[arg(long, id = "list", num_args = 0, help_heading = "Tools")]
    list: bool,
    /// Mend what --check finds, and say what was done: save the good batches of damaged segments, move these
    /// to the quarantine, remove what dead processes left. Only while nobody uses the channel.
    #[arg(long, id = "repair", num_args = 0, help_heading = "Tools")]
    repair: bool,
    /// Count everything that waits below this position (SEGMENT:FRAME, see --list) as accepted. Only while
    /// nobody uses the channel.
    #[arg(long, id = "skip", help_heading = "Tools", value_name = "POSITION")]
    skip: Option<Position>,
    /// Let what was accepted at or behind this position wait again, as far as it is still on the disk. Only
    /// while nobody uses the channel.
    #[arg(long, id = "rewind", help_heading = "Tools", value_name = "POSITION")]
    rewind: Option<Position>,
    /// Go on with --skip or --rewind without asking.
    #[arg(long, id = "yes", num_args = 0, help_heading = "Tools")]
    yes: bool,
    /// Write the batches that wait to a new file (or - for standard output) as a recording, which flume cat
    /// and flume replay read. Nothing is taken; works while others use the channel.
    #[arg(long, id = "export", help_heading = "Tools", value_name = "FILE|-")]
    export: Option<String>,
    /// How --status, --check and the other tools print.
    #[arg(long, id = "output", help_heading = "Tools", default_value = "text", value_name = "FORMAT",
          value_parser = ["text", "json"])]
    output: String,
    /// The same as --output json.
    #[arg(long, id = "json", num_args = 0, help_heading = "Tools")]
    json: bool,
}

/// The position of a batch: segment and frame. `SEGMENT:FRAME` as `--list` prints it, or the number that
/// streams call its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    number: u64,
    frame: u32,
}

impl Position {
    fn origin(self) -> u64 {
        segment::position(self.number, self.frame)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.number, self.frame)
    }
}

impl std::str::FromStr for Position {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let bad = || format!("\"{word}\" is no position; write SEGMENT:FRAME as --list prints it");
        match word.split_once(':') {
            Some((number, frame)) => {
                let (number, frame) = number
                    .parse::<u64>()
                    .ok()
                    .zip(frame.parse().ok())
                    .ok_or_else(bad)?;
                let fits = number <= u64::MAX >> 20 && frame < 1 << 20;
                fits.then_some(Position { number, frame }).ok_or_else(bad)
            }
            None => {
                let origin: u64 = word.parse().map_err(|_| bad())?;
                Ok(Position {
                    number: origin >> 20,
                    frame: (origin & 0xf_ffff) as u32,
                })
            }
        }
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each is its flag
pub enum Tool {
    Status,
    Check,
    List,
    Repair,
    Skip(Position),
    Rewind(Position),
    Export(String),
}

impl Tool {
    /// Its flag, for messages.
    pub fn flag(&self) -> &'static str {
        match self {
            Tool::Status => "--status",
            Tool::Check => "--check",
            Tool::List => "--list",
            Tool::Repair => "--repair",
            Tool::Skip(_) => "--skip",
            Tool::Rewind(_) => "--rewind",
            Tool::Export(_) => "--export",
        }
    }
}

impl Tools {
    /// The tool that was asked for, if one was; two at a time are wrong usage.
    pub fn chosen(&self) -> Result<Option<Tool>, StageError> {
        let flags = [
            self.status.then_some(Tool::Status),
            self.check.then_some(Tool::Check),
            self.list.then_some(Tool::List),
            self.repair.then_some(Tool::Repair),
            self.skip.map(Tool::Skip),
            self.rewind.map(Tool::Rewind),
            self.export.clone().map(Tool::Export),
        ];
        let mut chosen = flags.into_iter().flatten();
        match (chosen.next(), chosen.next()) {
            (Some(one), Some(other)) => Err(StageError::Usage(format!(
                "{} and {} are two tools: give one at a time",
                one.flag(),
                other.flag()
            ))),
            (first, _) => Ok(first),
        }
    }

    /// Use a tool on the channel of a directory. `compression` is for what is exported, `name` for messages.
    pub fn run(&self, tool: &Tool, compression: Compression, directory: &Path, name: &str) -> StageResult {
        let mut out = Out::new(self.json || self.output == "json");
        let done = match tool {
            Tool::Status => status::run(directory, &mut out).map_err(failure),
            Tool::Check => check::run(directory, &mut out),
            Tool::List => list::run(directory, name, &mut out).map_err(failure),
            Tool::Repair => repair::run(directory, name, &mut out),
            Tool::Skip(below) => skip::run(self, *below, directory, name, &mut out),
            Tool::Rewind(from) => rewind::run(self, *from, directory, name, &mut out),
            Tool::Export(to) => export::run(to, compression, directory, name),
        };
        let written = out.finish();
        done.and(written)
    }
}

/// The status of a failure: a directory that is no channel of this version is wrong usage, one in use is
/// temporary.
fn failure(error: ChannelError) -> StageError {
    match error {
        ChannelError::Unusable(why) => StageError::Usage(why),
        ChannelError::Full(why) => StageError::Temporary(why),
        ChannelError::TooLarge(why) | ChannelError::Failed(why) => StageError::Failed(why),
    }
}

/// Standard output of a tool. A failure is kept to the end: a tool that changes something does not stop in
/// the middle because nobody reads what it says.
pub struct Out {
    /// Objects are printed, one a line.
    pub is_json: bool,
    lines: Vec<u8>,
    failure: Option<io::Error>,
}

/// Bytes that are written together.
const COALESCE: usize = 64 << 10;

impl Out {
    fn new(is_json: bool) -> Out {
        Out {
            is_json,
            lines: Vec::new(),
            failure: None,
        }
    }

    /// Print a line, or several.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.lines.extend_from_slice(text.as_ref().as_bytes());
        self.lines.push(b'\n');
        if self.lines.len() >= COALESCE {
            self.flush();
        }
    }

    /// Print an object as one line.
    pub fn json(&mut self, object: &impl serde::Serialize) {
        self.line(serde_json::to_string(object).unwrap_or_default());
    }

    /// Let what was printed be seen.
    pub fn flush(&mut self) {
        if self.failure.is_none() {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&self.lines).and_then(|()| stdout.flush());
            self.failure = written.err();
        }
        self.lines.clear();
    }

    /// Nobody reads what is printed.
    pub fn is_over(&self) -> bool {
        self.failure.is_some()
    }

    /// A reader that has enough has closed the pipe: that is no failure.
    fn finish(mut self) -> StageResult {
        self.flush();
        match self.failure {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(StageError::Failed(format!(
                "standard output cannot be written: {error}"
            ))),
            _ => Ok(()),
        }
    }
}

/// An age as people say it: in the largest unit that it has two of, or so.
fn shown_age(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    match units.iter().find(|(scale, _)| ms >= 2 * scale) {
        Some((scale, unit)) => format!("{} {unit}", ms / scale),
        None => format!("{ms} ms"),
    }
}
