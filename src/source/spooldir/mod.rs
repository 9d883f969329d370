//! `spooldir`: files that somebody puts into a directory whole, each read once (Flume's SpoolDirectorySource).
//!
//! A file is done with when the next hop has accepted all of it: then it gets the suffix, or goes, or is marked in the
//! directory of the tracker. Several files may be under way at a time; they are done with in their order, and the tracker
//! has the position in the first of them, so that a restart goes on in its middle.
//!
//! A file must not change once its name is there. One that does, or that cannot be read as the deserializer wants it, is
//! set aside under another suffix, with the reason in the log, and the others go on.

mod content;
mod ending;
pub mod files;
mod reading;
#[cfg(test)]
mod tests;
pub mod tracker;
mod work;

use crate::charset::{Charset, DecodeErrorPolicy};
use crate::codec::Options;
use crate::codec::deserializer::{self, EventDeserializer, Text};
use crate::exit::{StageError, StageResult};
use crate::pattern::Pattern;
use crate::stage::{ChannelProcessor, Obstacle, PollableSource, Status};
use crate::value::{Millis, Pair, Size};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use work::Work;

/// Read the files that are put into a directory, each once.
///
/// Put a file there under a name that begins with a dot, or in another directory of the same file system, and rename it
/// when it is whole. Files in gzip, zstd and bzip2 are decompressed.
#[derive(clap::Args)]
pub struct SpoolDir {
    /// The directory, which has to be there.
    #[arg(id = "spoolDir", value_name = "DIR", required = true)]
    spool_dir: PathBuf,
    /// What is put behind the name of a file that is done with.
    #[arg(long, id = "fileSuffix", default_value = ".COMPLETED", value_name = "SUFFIX")]
    file_suffix: String,
    /// What is put behind the name of a file that changed while it was read, or that could not be read.
    #[arg(
        long,
        id = "quarantineSuffix",
        default_value = ".QUARANTINED",
        value_name = "SUFFIX"
    )]
    quarantine_suffix: String,
    /// What becomes of a file that is done with: it stays (never) or goes (immediate).
    #[arg(
        long,
        id = "deletePolicy",
        default_value = "never",
        value_name = "WHEN",
        ignore_case = true
    )]
    delete_policy: DeletePolicy,
    /// How a file that stays is known to be done with: by its name (rename), or by a file of its name in the directory of
    /// the tracker (tracker_dir), so that nothing is changed in this one.
    #[arg(
        long,
        id = "trackingPolicy",
        default_value = "rename",
        value_name = "HOW",
        ignore_case = true
    )]
    tracking_policy: TrackingPolicy,
    /// Directory for the position, and for marks; below the other one unless it begins with a slash.
    #[arg(long, id = "trackerDir", default_value = ".flumespool", value_name = "DIR")]
    tracker_dir: PathBuf,
    /// Java regular expression that the whole name of a file has to match.
    #[arg(long, id = "includePattern", default_value = "^.*$", value_name = "PATTERN", value_parser = Pattern::whole)]
    include_pattern: Pattern,
    /// Java regular expression that the whole name of a file or a directory may not match.
    #[arg(long, id = "ignorePattern", default_value = "^$", value_name = "PATTERN", value_parser = Pattern::whole)]
    ignore_pattern: Pattern,
    /// Look into directories below, too, but for those that begin with a dot.
    #[arg(long, id = "recursiveDirectorySearch")]
    recursive_directory_search: bool,
    /// Put the path of the file into a header.
    #[arg(long, id = "fileHeader")]
    file_header: bool,
    /// Its name.
    #[arg(long, id = "fileHeaderKey", default_value = "file", value_name = "NAME")]
    file_header_key: String,
    /// Put the name of the file, without directories, into a header.
    #[arg(long, id = "basenameHeader")]
    basename_header: bool,
    /// Name of the header for the name.
    #[arg(
        long,
        id = "basenameHeaderKey",
        default_value = "basename",
        value_name = "NAME"
    )]
    basename_header_key: String,
    /// Which file is next: the oldest, the youngest, or as the directory has them (random).
    #[arg(
        long,
        id = "consumeOrder",
        default_value = "oldest",
        value_name = "ORDER",
        ignore_case = true
    )]
    consume_order: ConsumeOrder,
    /// Milliseconds between looks into a directory in which there was nothing new.
    #[arg(long, id = "pollDelay", default_value = "500", value_name = "TIME")]
    poll_delay: Millis,
    /// Accepted for Flume's sake: who waits for a channel is woken.
    #[arg(long, id = "maxBackoff", default_value = "4000", value_name = "TIME")]
    max_backoff: Millis,
    /// Events in a batch at most.
    #[arg(long, id = "batchSize", default_value = "100", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Encoded bytes in a batch at most; a larger event is a batch of its own, and so is a block of an Avro file.
    #[arg(long, id = "batchBytes", default_value = "256KiB", value_name = "SIZE")]
    batch_bytes: Size,
    /// Character set of the files, by Java's name.
    #[arg(long, id = "inputCharset", default_value = "UTF-8", value_name = "NAME")]
    input_charset: Charset,
    /// What becomes of bytes that are none in the character set: the file is set aside (FAIL), U+FFFD stands for them
    /// (REPLACE), or they are left out (IGNORE).
    #[arg(long, id = "decodeErrorPolicy", default_value = "FAIL", value_name = "WHAT")]
    decode_error_policy: DecodeErrorPolicy,
    /// What a file is: LINE, AVRO (a container), BLOB (one event), or Flume's class name for it.
    #[arg(long, id = "deserializer", default_value = "LINE", value_name = "NAME")]
    deserializer: String,
    /// Settings of the deserializer: maxLineLength and outputCharset for LINE, schemaType (HASH or LITERAL) for AVRO,
    /// maxBlobLength for BLOB.
    #[arg(long, id = "deserializer.*", value_name = "KEY=VALUE")]
    deserializer_set: Vec<Pair>,
    /// Decompress files that begin as gzip, zstd or bzip2 do: all but those for BLOB (auto), all (true) or none (false).
    #[arg(
        long,
        id = "decompress",
        default_value = "auto",
        value_name = "WHICH",
        ignore_case = true
    )]
    decompress: Decompress,
    /// Accepted for Flume's sake; it does nothing there either.
    #[arg(long, id = "bufferMaxLines", value_name = "LINES")]
    buffer_max_lines: Option<u32>,
    /// An older name of deserializer.maxLineLength.
    #[arg(long, id = "bufferMaxLineLength", value_name = "CHARACTERS")]
    buffer_max_line_length: Option<u32>,
    /// End when all files that are there are done with.
    #[arg(long, id = "until-empty")]
    until_empty: bool,
    #[arg(skip)]
    own: Option<MakeDeserializer>,
    #[arg(skip)]
    work: Option<Work>,
}

type MakeDeserializer = Box<dyn Fn() -> Box<dyn EventDeserializer> + Send>;

/// What becomes of a file that is done with.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum DeletePolicy {
    Never,
    Immediate,
}

/// How a file that stays is known to be done with.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum TrackingPolicy {
    Rename,
    #[value(name = "tracker_dir")]
    TrackerDir,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum ConsumeOrder {
    Oldest,
    Youngest,
    Random,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Decompress {
    Auto,
    True,
    False,
}

impl SpoolDir {
    /// Read with a deserializer of one's own, of which each file gets a new one.
    pub fn with_deserializer(
        mut self,
        make: impl Fn() -> Box<dyn EventDeserializer> + Send + 'static,
    ) -> SpoolDir {
        self.own = Some(Box::new(make));
        self
    }

    fn options(&self) -> Options {
        let given = self.deserializer_set.iter().cloned();
        let mut given: Vec<_> = given.map(|pair| (pair.name, pair.value)).collect();
        let is_line = deserializer::find(&self.deserializer).is_ok_and(|spec| spec.name == "LINE");
        let has = given.iter().any(|(name, _)| name == "maxLineLength");
        if let Some(most) = self.buffer_max_line_length.filter(|_| is_line && !has) {
            given.push(("maxLineLength".into(), most.to_string()));
        }
        Options::new(given)
    }

    /// For one file.
    fn new_deserializer(&self) -> Result<Box<dyn EventDeserializer>, String> {
        if let Some(make) = &self.own {
            return Ok(make());
        }
        let text = Text {
            charset: self.input_charset,
            policy: self.decode_error_policy,
        };
        deserializer::find(&self.deserializer)?.make(&mut self.options(), text)
    }

    fn decompresses(&self) -> bool {
        let is_raw = deserializer::find(&self.deserializer).is_ok_and(|spec| spec.is_raw);
        match self.decompress {
            Decompress::Auto => self.own.is_some() || !is_raw,
            Decompress::True => true,
            Decompress::False => false,
        }
    }
}

impl PollableSource for SpoolDir {
    fn check(&self) -> Result<(), String> {
        for (property, suffix) in [
            ("fileSuffix", &self.file_suffix),
            ("quarantineSuffix", &self.quarantine_suffix),
        ] {
            if suffix.is_empty() || suffix.contains(['/', '\0']) {
                return Err(format!(
                    "{property}: \"{suffix}\" is to stand behind a name: write .COMPLETED or the like"
                ));
            }
        }
        self.new_deserializer().map(drop)
    }

    fn look(&self) -> Vec<Obstacle> {
        work::look(self)
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        self.check().map_err(StageError::Usage)?;
        self.work = Some(Work::begin(self, to.counters())?);
        Ok(())
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let Some(mut work) = self.work.take() else {
            return Ok(Status::Finished);
        };
        let status = work.step(self, to);
        self.work = Some(work);
        status
    }

    fn back_off(&self) -> (Duration, Duration) {
        (self.poll_delay.0, self.poll_delay.0)
    }

    fn stop(&mut self) -> StageResult {
        match self.work.take() {
            Some(mut work) => {
                work.note_progress();
                work.outcome()
            }
            None => Ok(()),
        }
    }
}
