//! `taildir`: lines that are added to files (Flume's TaildirSource).
//!
//! `groups` says which files, `scan` finds them, and `standby` those that come and go while nothing can be handed on;
//! `meet` knows where they were left, and `watch` wakes for them. `tracked` is one of them, `reading` reads it, `cut` finds
//! the events in what was read, and `tail` joins them, with `idle` for those to which nothing is added. What was accepted of each file is noted (`noting`) in a position file: `positions` is
//! what it says, `store` how it is written. `identity` tells files from their names.

pub mod cut;
pub mod groups;
pub mod identity;
mod idle;
mod look;
mod meet;
mod noting;
pub mod positions;
pub mod reading;
mod scan;
mod standby;
pub mod store;
mod tail;
#[cfg(test)]
mod tests;
pub mod tracked;
pub mod watch;

use super::lines::LongLines;
use crate::exit::{StageError, StageResult};
use crate::pattern::Pattern;
use crate::stage::{ChannelProcessor, Obstacle, PollableSource, Status};
use crate::value::{Millis, Pair, Size, Word};
use cut::Cut;
use groups::Group;
use identity::Fingerprint;
use reading::Reader;
use std::sync::Arc;
use tail::{Habits, Tail};

/// Make an event of each line that is added to files, and go on after a restart where the last one ended.
///
/// The last element of a path is a Java regular expression for the whole name of a file, the rest a directory as it
/// stands: '/var/log/app/.*\.log'. A file is known by its device, its inode and its beginning, so that one that is
/// renamed is read on and not again, also to a name that does not match or when it was deleted. Its position moves
/// when the next hop has accepted its lines. A last line without its end is held back until the file was idle for
/// --idle-timeout.
#[derive(clap::Args)]
pub struct Taildir {
    /// Paths of files, each a group of its own with the name 1, 2, 3 ...; in a property apart by blanks.
    #[arg(id = "files", value_name = "PATH", num_args = 1..)]
    files: Vec<Word>,
    /// Names of groups, in their order; without it all that have a path.
    #[arg(long, id = "filegroups", value_name = "NAME ...")]
    filegroups: Option<String>,
    /// The path of a group's files.
    #[arg(long = "filegroup", id = "filegroups.*", value_name = "NAME=PATH")]
    members: Vec<Pair>,
    /// A header of all events of a group.
    #[arg(long = "header", id = "headers.*", value_name = "GROUP.KEY=VALUE")]
    headers: Vec<Pair>,
    /// File that says up to where each file was accepted, as Flume's: a source needs its own. "auto" is one that
    /// is named after the paths, in flume/taildir in $XDG_STATE_HOME or ~/.local/state.
    #[arg(
        long,
        id = "positionFile",
        default_value = "~/.flume/taildir_position.json",
        value_name = "FILE"
    )]
    position_file: String,
    /// Milliseconds between two writes of that file.
    #[arg(long, id = "writePosInterval", default_value = "3000", value_name = "TIME")]
    write_pos_interval: Millis,
    /// Begin at the end of files that are there at the start and not in the position file.
    #[arg(long, id = "skipToEnd", default_value = "false")]
    skip_to_end: bool,
    /// End when everything that is there was read and accepted.
    #[arg(long, id = "untilEnd", default_value = "false")]
    until_end: bool,
    /// Milliseconds without anything new after which a file is closed, and a last line without its end is one.
    #[arg(long, id = "idleTimeout", default_value = "120000", value_name = "TIME")]
    idle_timeout: Millis,
    /// Lines in a batch at most.
    #[arg(long, id = "batchSize", default_value = "100", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Encoded bytes in a batch at most; a larger event is a batch of its own.
    #[arg(long, id = "batchBytes", default_value = "256KiB", value_name = "SIZE")]
    batch_bytes: Size,
    /// Batches from one file before the next one has its turn; without it, or with 0, a file is read to the end
    /// that it had when its turn came.
    #[arg(
        long,
        id = "maxBatchCount",
        value_name = "BATCHES",
        allow_negative_numbers = true
    )]
    max_batch_count: Option<i64>,
    /// Set a header to the path of the file.
    #[arg(long, id = "fileHeader", default_value = "false")]
    file_header: bool,
    /// Name of that header.
    #[arg(long, id = "fileHeaderKey", default_value = "file", value_name = "HEADER")]
    file_header_key: String,
    /// Set the header byteoffset to the place of the line's first byte in the file.
    #[arg(long, id = "byteOffsetHeader", default_value = "false")]
    byte_offset_header: bool,
    /// Java regular expression that the first line of an event matches, where events have several lines; it is
    /// searched anywhere in the line.
    #[arg(
        long,
        id = "multilineStart",
        value_name = "PATTERN",
        allow_hyphen_values = true
    )]
    multiline_start: Option<Pattern>,
    /// Milliseconds without anything new after which such an event is complete.
    #[arg(long, id = "multilineTimeout", default_value = "1000", value_name = "TIME")]
    multiline_timeout: Millis,
    #[command(flatten)]
    long: LongLines,
    /// Bytes at the beginning of a file that it is known by, beside its device and inode; 0 for none.
    #[arg(long, id = "fingerprint", default_value = "1KiB", value_name = "SIZE", value_parser = fingerprint)]
    fingerprint: Size,
    /// List a directory only when its time of change is another.
    #[arg(long, id = "cachePatternMatching", default_value = "true")]
    cache_pattern_matching: bool,
    /// Changes wake this source at once. In case that the system does not tell of one, files are looked at after so
    /// many milliseconds; without any change after so many more each time.
    #[arg(
        long,
        id = "backoffSleepIncrement",
        default_value = "1000",
        value_name = "TIME"
    )]
    backoff_sleep_increment: Millis,
    /// The longest time between such looks.
    #[arg(long, id = "maxBackoffSleep", default_value = "5000", value_name = "TIME")]
    max_backoff_sleep: Millis,
    #[arg(skip)]
    tail: Option<Box<Tail>>,
}

fn fingerprint(word: &str) -> Result<Size, String> {
    let size: Size = word.parse()?;
    match size.0 <= Fingerprint::LONGEST {
        true => Ok(size),
        false => Err(format!(
            "a fingerprint has {} at most",
            Size(Fingerprint::LONGEST)
        )),
    }
}

impl Taildir {
    fn groups(&self, source: Option<&str>) -> Result<Vec<Group>, String> {
        let list = self.filegroups.as_deref();
        groups::groups(&self.files, list, &self.members, &self.headers, source)
    }

    fn reader(&self) -> Reader {
        let cut = Cut {
            start: self.multiline_start.clone(),
            most: self.long.max_line_length.0 as usize,
            long: self.long.long_lines,
        };
        let most_batches = self.max_batch_count.and_then(|count| u64::try_from(count).ok());
        Reader::new(
            cut,
            (self.batch_size, self.batch_bytes.0 as usize),
            most_batches.filter(|count| *count > 0).unwrap_or(u64::MAX),
            self.fingerprint.0,
            self.byte_offset_header,
        )
    }

    fn habits(&self) -> Habits {
        Habits {
            idle: self.idle_timeout.0,
            multiline: self.multiline_start.is_some().then_some(self.multiline_timeout.0),
            write: self.write_pos_interval.0,
            look: (self.backoff_sleep_increment.0, self.max_backoff_sleep.0),
            caches: self.cache_pattern_matching,
            skips_to_end: self.skip_to_end,
            file_header: self.file_header.then(|| self.file_header_key.clone()),
            until_end: self.until_end,
        }
    }
}

impl PollableSource for Taildir {
    fn check(&self) -> Result<(), String> {
        self.groups(None).map(drop)
    }

    fn look(&self) -> Vec<Obstacle> {
        let Ok(groups) = self.groups(None) else {
            return Vec::new();
        };
        let mut found = look::at_groups(&groups, &self.members);
        let place = store::place(&self.position_file, &groups);
        let is_noted = store::look(&place).err();
        found.extend(is_noted.map(|why| Obstacle::fatal("positionFile", why)));
        found
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let groups = self
            .groups(Some(to.counters().name()))
            .map_err(StageError::Usage)?;
        let place = store::place(&self.position_file, &groups);
        self.tail = Some(Box::new(Tail::start(
            groups,
            &place,
            self.reader(),
            self.habits(),
            to,
        )?));
        Ok(())
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        match &mut self.tail {
            Some(tail) => tail.step(to),
            None => Ok(Status::Finished),
        }
    }

    fn hand_on_rest(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        match &mut self.tail {
            Some(tail) => tail.read_deleted(to),
            None => Ok(()),
        }
    }

    fn stop(&mut self) -> StageResult {
        match self.tail.take() {
            Some(mut tail) => tail.stop().and(tail.outcome()),
            None => Ok(()),
        }
    }
}
