//! `flume send ADDRESS... [FILE...]`: lines, files, a directory or a stream to an address, or to one of several.

mod files;
mod headers;
mod target;

use self::files::{Files, Finished};
use self::headers::Headers;
use self::target::{Out, Target};
use super::options::{self, Common, Writing};
use super::replay::Player;
use super::report::run_watched;
use super::{Ended, Tool, hints};
use crate::client::Book;
use crate::exit::StageError;
use crate::flow::{Flow, Part};
use crate::source::batches::Batches;
use crate::source::lines::{Format, LineEnd, LongLines};
use crate::source::stdin::Stdin;
use crate::stage::Source;
use crate::stop::Stop;
use crate::value::Pair;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;

/// The command.
pub const TOOL: Tool = Tool {
    name: "send",
    command: whole_command,
    run,
};

/// Send lines, files or a stream to an address, such as that of "flume source avro" or of a Flume agent.
///
/// Addresses come first, then files: "flume send avro://collector:4141 app.log", or recordings with "--format
/// stream". An address is avro://HOST:PORT, tcp:HOST:PORT, unix:PATH, or with TLS avros://HOST:PORT
/// or tls:HOST:PORT; --group names servers of a groups file instead. It ends with 0 when everything was accepted there, and
/// with 75 when that is not reached for so long as --retry-for says; standard input that is a file is then left
/// at what was not accepted. With several addresses it goes on with the next one when one fails.
#[derive(Parser)]
#[command(name = "send", bin_name = "flume send", no_binary_name = true)]
#[command(override_usage = "flume send [OPTIONS] ADDRESS... [FILE...]")]
struct Send {
    /// Addresses to send to; then files to send one after the other, without any of them standard input.
    #[arg(value_name = "ADDRESS|FILE")]
    words: Vec<String>,
    #[command(flatten)]
    target: Target,
    /// What the input is: a line an event, a line of JSON an event, raw bytes, a whole file an event, or a stream
    /// of events such as another stage writes or a recording holds.
    #[arg(long, default_value = "line", value_name = "FORMAT",
          value_parser = ["line", "json", "raw", "file", "stream"])]
    format: String,
    /// Send this file, as if it stood behind the addresses.
    #[arg(long, short = 'F', value_name = "FILE")]
    filename: Vec<PathBuf>,
    /// Send the files of this directory, the oldest first, until none is left; whoever puts them there moves them
    /// in when they are complete. Those with a dot in front are left alone.
    #[arg(long, value_name = "DIR", conflicts_with = "filename")]
    dirname: Option<PathBuf>,
    /// What the name of a file of --dirname gets when all of it was accepted.
    #[arg(long, value_name = "SUFFIX", default_value = ".COMPLETED")]
    file_suffix: String,
    /// Move a file of --dirname to this directory instead; it is on the same file system.
    #[arg(
        long,
        value_name = "DIR",
        requires = "dirname",
        conflicts_with = "file_suffix"
    )]
    move_to: Option<PathBuf>,
    /// Set this header on every event, in the place of one that it has.
    #[arg(long, value_name = "NAME=VALUE")]
    header: Vec<Pair>,
    /// Set the headers of this file (Java properties) on every event.
    #[arg(long = "headerFile", alias = "header-file", short = 'R', value_name = "FILE")]
    header_file: Option<PathBuf>,
    /// With --format file: put the name of the file, without its directory, into this header.
    #[arg(long, value_name = "NAME")]
    basename_header: Option<String>,
    /// Append a line of JSON to this file for each batch that was acknowledged: time, run, batch, first, last,
    /// events, bytes. Events are counted from 1 in the order of sending.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// What ends a line: LF alone (a CR belongs to the line), or LF, CR and both, as Java's reader has it.
    #[arg(long, value_name = "END", default_value = "lf")]
    line_end: LineEnd,
    #[command(flatten)]
    long: LongLines,
    #[command(flatten)]
    batches: Batches,
}

fn whole_command() -> clap::Command {
    Common::augment_args(Send::command())
}

fn run(given: &[String]) -> Ended {
    let matches = whole_command()
        .try_get_matches_from(given)
        .map_err(|error| hints::with_tip(error, "send"))?;
    let own = Send::from_arg_matches(&matches)?;
    let common = Common::from_arg_matches(&matches)?;
    run_watched("send", &common, |stop| {
        let options = options::flow_options(&Writing::defaults(), None, stop)?;
        Ok((own.flow(&matches, stop)?, options))
    })
}

/// An argument was given, and is not its default.
fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

impl Send {
    fn flow(mut self, matches: &ArgMatches, stop: &Stop) -> Result<Flow, StageError> {
        let (addresses, files): (Vec<_>, Vec<_>) = self
            .words
            .iter()
            .partition(|word| crate::client::is_destination(word));
        let given_size = is_given(matches, "batchSize").then_some(self.batches.batch_size);
        let to = self.target.to(&addresses, given_size, matches);
        let to = to.map_err(
            |error| match files.iter().find_map(|word| hints::tip("send", word)) {
                Some(tip) if addresses.is_empty() => StageError::Usage(format!("{error}\n  tip: {tip}")),
                _ => error,
            },
        )?;
        let mut files: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
        files.append(&mut self.filename);
        // What is read in batches as they are sent need not be cut again.
        if let (None, Some(size)) = (given_size, self.target.batch_size(&to)) {
            self.batches.batch_size = size;
        }
        let headers = Headers::read(&self.header, self.header_file.as_deref())?;
        let ledger = self.ledger.take();
        let source = self.source(files, stop)?;
        let ledger = ledger.map(|path| Book::open(&path)).transpose();
        let out = Out {
            to,
            ledger: ledger.map_err(StageError::Usage)?,
        };
        let mut parts = Vec::new();
        parts.extend(source.map(|source| ("send".into(), Part::Source(source))));
        parts.extend(headers.map(|headers| ("send".into(), Part::Intercept(Box::new(headers) as _))));
        parts.push(("send".into(), Part::Sink(Box::new(out))));
        Ok(Flow { parts })
    }

    /// What events come from, unless it is a stream on standard input.
    fn source(self, files: Vec<PathBuf>, stop: &Stop) -> Result<Option<Source>, StageError> {
        let format = match self.format.as_str() {
            "json" => Some(Format::Json),
            "raw" => Some(Format::Raw),
            "line" => Some(Format::Line),
            _ => None,
        };
        let wrong = |what: &str| Err(StageError::Usage(what.into()));
        if self.basename_header.is_some() && self.format != "file" {
            return wrong("--basename-header is for --format file: other events are parts of files");
        }
        if self.dirname.is_some() && (!files.is_empty() || self.format == "stream") {
            return wrong("--dirname stands alone: without files, and for other formats than a stream");
        }
        if let Some(directory) = self.dirname {
            let finished = match self.move_to {
                Some(to) => Finished::MovedTo(to),
                None => Finished::Renamed(self.file_suffix),
            };
            let source = Files::of_directory(directory, finished, format, self.long, self.batches)
                .with_line_end(self.line_end);
            return Ok(Some(Source::Polled(Box::new(
                source.named_in(self.basename_header),
            ))));
        }
        Ok(match (self.format.as_str(), format) {
            (_, Some(format)) => {
                let files = (!files.is_empty()).then_some(files);
                let source =
                    Stdin::reading(format, self.long, self.batches, files).with_line_end(self.line_end);
                Some(Source::Polled(Box::new(source)))
            }
            ("file", _) => {
                let files = match files.is_empty() {
                    true => vec![PathBuf::from("/dev/stdin")],
                    false => files,
                };
                let source = Files::given(files, self.long, self.batches);
                Some(Source::Polled(Box::new(source.named_in(self.basename_header))))
            }
            _ if files.is_empty() => None,
            _ => Some(Source::Polled(Box::new(Player::whole(&files, stop)?))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(words: &[&str]) -> Result<Flow, String> {
        crate::say::be_quiet();
        let stop = Stop::new(std::time::Duration::ZERO).unwrap();
        let matches = whole_command()
            .try_get_matches_from(words)
            .map_err(|error| error.to_string())?;
        let send = Send::from_arg_matches(&matches).unwrap();
        send.flow(&matches, &stop).map_err(|error| error.to_string())
    }

    fn check(words: &[&str], expected: Result<usize, &str>) {
        match (flow(words), expected) {
            (Ok(flow), Ok(parts)) => assert_eq!(flow.parts.len(), parts, "{words:?}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{words:?}: {found}"),
            (found, expected) => panic!("{:?}, not {expected:?}", found.map(|flow| flow.parts.len())),
        }
    }

    #[test]
    fn words_become_a_source_and_a_sink() {
        check(&["tcp:host:1", "a.log", "b.log"], Ok(2));
        check(&["unix:/run/x", "--format", "stream"], Ok(1));
        check(&["avro://host:1", "--header", "a=b"], Ok(3));
        check(&["avro://a:1", "avro://b:1", "--host-selector", "random"], Ok(2));
        check(&["--host", "h", "--port", "4141", "-F", "a.log"], Ok(2));
        check(&["-H", "h", "-p", "4141", "--dirname", "d"], Ok(2));
        check(&["--group", "logs", "a.log"], Ok(2));
        check(&["tcp:host:1", "--format", "xml"], Err("xml"));
        check(
            &["tcp:host:1", "a.flm", "--format", "stream"],
            Err("a.flm cannot be opened"),
        );
    }

    #[test]
    fn what_does_not_fit_together_is_said() {
        check(&["host:1"], Err("an address is missing"));
        check(&[], Err("avro://HOST:PORT"));
        check(&["gopher://host:1"], Err("no protocol here"));
        check(&["-H", "h"], Err("--port"));
        check(&["avro://h:1", "-H", "h", "-p", "1"], Err("addresses"));
        check(&["avro://h:1", "--group", "logs"], Err("addresses"));
        check(&["--group", "logs", "--backoff"], Err("--backoff"));
        check(
            &["--group", "logs", "--compression", "deflate"],
            Err("lz4 or zstd"),
        );
        check(&["avro://h:1", "--dirname", "d", "file"], Err("--dirname"));
        check(&["avro://h:1", "--basename-header", "n"], Err("--format file"));
        check(&["avro://h:1", "--compression", "lz4"], Err("none, deflate"));
        check(
            &["avro://h:1", "--host-selector", "random"],
            Err("at least two hosts"),
        );
        check(&["avro://h:1", "--rpcProps", "none"], Err("addresses"));
        check(&["--rpcProps", "/nowhere/x"], Err("/nowhere/x cannot be read"));
        check(
            &["avro://h:1", "-R", "/nowhere/x"],
            Err("/nowhere/x cannot be read"),
        );
    }
}
