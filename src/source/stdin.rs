//! `stdin`: lines, JSON events, raw blocks, netstrings or Avro containers from standard input; `flume send` has it read
//! files, too.

use super::batches::Batches;
use super::lines::{Cutting, Format, LineEnd, LongLines, Place};
use super::reading::{Read, Reading};
use crate::codec::deserializer::SchemaType;
use crate::exit::{StageError, StageResult};
use crate::fd::{self, FdKind};
use crate::say;
use crate::stage::{ChannelProcessor, PollableSource, Status};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// Make an event of each line of standard input.
///
/// A line ends with LF; its bytes are kept as they are, also those that are no UTF-8. A line that should be
/// JSON and is none is kept as it is, with the reason in the header flume.json.error; blank lines between
/// events in JSON are nothing. Netstrings and Avro containers end where the first broken one is: what came before is
/// handed on.
#[derive(clap::Args)]
pub struct Stdin {
    /// What an event is: a line, a line of JSON such as {"headers":{"k":"v"},"body":"text"}, the bytes
    /// of one read, a netstring such as 5:hello,, a record of an Avro container (avro), or the event that such a record
    /// is (avro_event, as the serializer of this name writes it).
    #[arg(long, id = "format", default_value = "line", value_name = "FORMAT")]
    format: Format,
    /// Which header has the schema of a record of an Avro container: flume.avro.schema.hash, its fingerprint (HASH), or
    /// flume.avro.schema.literal, all of it (LITERAL).
    #[arg(
        long,
        id = "schemaType",
        default_value = "HASH",
        value_name = "WHICH",
        ignore_case = true
    )]
    schema_type: SchemaType,
    #[command(flatten)]
    long: LongLines,
    #[command(flatten)]
    batches: Batches,
    #[arg(skip)]
    end: LineEnd,
    /// Files to read one after the other in the place of standard input.
    #[arg(skip)]
    files: Option<VecDeque<PathBuf>>,
    #[arg(skip)]
    input: Option<Input>,
}

struct Input {
    fd: OwnedFd,
    kind: FdKind,
    reading: Reading,
    /// Where a seekable standard input stood at the start: who reads on after us finds the first line that
    /// nobody has accepted.
    start: Option<u64>,
    name: String,
    ended: bool,
}

impl Stdin {
    /// Read these files, or standard input, by other settings than the command line's.
    pub fn reading(format: Format, long: LongLines, batches: Batches, files: Option<Vec<PathBuf>>) -> Self {
        Stdin {
            format,
            schema_type: SchemaType::default(),
            long,
            batches,
            end: LineEnd::default(),
            files: files.map(VecDeque::from),
            input: None,
        }
    }

    /// What ends a line.
    pub fn with_line_end(mut self, end: LineEnd) -> Self {
        self.end = end;
        self
    }

    fn reader(&self, input: &str, to: &ChannelProcessor) -> Reading {
        let cutting = Cutting {
            format: self.format,
            end: self.end,
            long: self.long.clone(),
            schema_type: self.schema_type,
        };
        Reading::new(&self.batches, &cutting, input, to)
    }

    fn open_standard_input(&mut self, to: &ChannelProcessor) -> StageResult {
        let failed =
            |error: std::io::Error| StageError::Failed(format!("standard input cannot be used: {error}"));
        let fd = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
        let kind = fd::kind(&fd).map_err(failed)?;
        let mut start = None;
        match kind {
            FdKind::File => start = rustix::fs::seek(&fd, rustix::fs::SeekFrom::Current(0)).ok(),
            FdKind::Pipe => fd::widen_pipe(&fd),
            FdKind::Terminal => say::info(
                to.counters().name(),
                "reading from the terminal: each line is an event, Ctrl-D on an empty line ends",
            ),
            FdKind::Other => {
                return Err(StageError::Usage(
                    "standard input is a directory or the like: it has no lines to read".into(),
                ));
            }
            FdKind::Socket | FdKind::Device => {}
        }
        let reading = self.reader("standard input", to);
        self.input = Some(Input {
            fd,
            kind,
            reading,
            start,
            name: "standard input".into(),
            ended: false,
        });
        Ok(())
    }

    /// Open the next file; false after the last one.
    fn open_next_file(&mut self, to: &ChannelProcessor) -> Result<bool, StageError> {
        self.input = None;
        let Some(path) = self.files.as_mut().and_then(VecDeque::pop_front) else {
            return Ok(false);
        };
        let name = path.display().to_string();
        let failed = |error: std::io::Error| StageError::Failed(format!("{name} cannot be read: {error}"));
        let fd: OwnedFd = File::open(&path).map_err(failed)?.into();
        let kind = fd::kind(&fd).map_err(failed)?;
        self.input = Some(Input {
            fd,
            kind,
            reading: self.reader(&name, to),
            start: None,
            name,
            ended: false,
        });
        Ok(true)
    }
}

/// All of them can be opened: a wrong name is found before anything was taken.
fn check_files<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> StageResult {
    for path in files {
        let meta = std::fs::metadata(path).and_then(|meta| match meta.is_file() {
            true => File::open(path).map(|_| meta),
            false => Ok(meta),
        });
        match meta {
            Ok(meta) if meta.is_dir() => {
                return Err(StageError::Usage(format!("{} is a directory", path.display())));
            }
            Ok(_) => {}
            Err(error) => {
                return Err(StageError::Usage(format!(
                    "{} cannot be read: {error}",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

impl PollableSource for Stdin {
    fn check(&self) -> Result<(), String> {
        match self.schema_type {
            SchemaType::Literal if self.format != Format::Avro => {
                Err("the property schemaType is for --format avro: nothing else has a schema".into())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        match &self.files {
            Some(files) => {
                check_files(files)?;
                self.open_next_file(to).map(drop)
            }
            None => self.open_standard_input(to),
        }
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let Some(input) = &mut self.input else {
            return Ok(Status::Finished);
        };
        match input
            .reading
            .step(input.fd.as_fd(), input.kind == FdKind::File, to)?
        {
            Read::Some | Read::Nothing => Ok(Status::Ready),
            Read::End => {
                input.reading.finish(to)?;
                input.ended = true;
                if self.files.is_some() && self.open_next_file(to)? {
                    return Ok(Status::Ready);
                }
                Ok(Status::Finished)
            }
        }
    }

    fn hand_on_rest(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        match &mut self.input {
            // What was read from a pipe can not be given back.
            Some(input) if input.start.is_none() && input.kind != FdKind::File => input.reading.finish(to),
            _ => Ok(()),
        }
    }

    fn stop(&mut self) -> StageResult {
        let Some(input) = &self.input else {
            return Ok(());
        };
        let Place { bytes, again } = input.reading.accepted();
        if let Some(start) = input.start {
            // Best effort, for who shares the descriptor.
            let _ = rustix::fs::seek(&input.fd, rustix::fs::SeekFrom::Start(start + again));
        }
        let more = self.files.as_ref().map_or(0, VecDeque::len);
        if input.kind != FdKind::File || input.ended && more == 0 {
            return Ok(());
        }
        // Nobody may take a file for sent that was not: "flume send ... && rm app.log".
        let and_more = match more {
            0 => String::new(),
            more => format!(", and {more} files after it were not read"),
        };
        Err(StageError::Temporary(format!(
            "stopped before the end of {}: its first {bytes} bytes were accepted{and_more}",
            input.name
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::LongLine;
    use super::*;
    use crate::link::testing::Collect;
    use crate::stage::{Source, run_source};
    use crate::value::{Millis, Size};

    fn stdin(files: Vec<PathBuf>) -> Stdin {
        let batches = Batches {
            batch_size: 2,
            batch_bytes: Size(1000),
            batch_timeout: Millis(std::time::Duration::from_secs(60)),
        };
        let long = LongLines {
            max_line_length: Size(100),
            long_lines: LongLine::Split,
        };
        Stdin::reading(Format::Line, long, batches, Some(files))
    }

    fn read(files: Vec<PathBuf>) -> (Collect, StageResult) {
        let collect = Collect::accepting();
        let (to, _stop) = collect.processor("send");
        let result = run_source(Source::Polled(Box::new(stdin(files))), &to);
        (collect, result)
    }

    #[test]
    fn files_are_read_one_after_the_other_and_lines_do_not_join_over_their_ends() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for (name, text) in [("a", "1\n2\n3"), ("b", ""), ("c", "4\n")] {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            files.push(path);
        }
        let (collect, result) = read(files);
        assert_eq!(result, Ok(()));
        assert_eq!(collect.bodies(), ["1", "2", "3", "4"]);
    }

    #[test]
    fn stop_before_the_end_of_a_file_says_how_far_it_came() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "1\n2\n3\n").unwrap();
        let mut source = stdin(vec![path.clone(), path]);
        let (to, stop) = Collect::accepting().processor("send");
        source.start(&to).unwrap();
        source.process(&to).unwrap();
        stop.stop();
        source.hand_on_rest(&to).unwrap();
        let error = source.stop().unwrap_err();
        assert_eq!(error.status(), 75);
        let text = error.to_string();
        assert!(
            text.contains("first 4 bytes") && text.contains("1 files after"),
            "{text}"
        );
    }

    #[test]
    fn file_that_can_not_be_read_is_found_before_anything_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let good = directory.path().join("a");
        std::fs::write(&good, "1\n").unwrap();
        for bad in [directory.path().join("none"), directory.path().to_path_buf()] {
            let (collect, result) = read(vec![good.clone(), bad.clone()]);
            let error = result.unwrap_err();
            assert_eq!(error.status(), 2);
            assert!(error.to_string().contains(&bad.display().to_string()), "{error}");
            assert!(collect.bodies().is_empty());
        }
    }
}
