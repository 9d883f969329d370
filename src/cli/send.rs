//! `flume send ADDRESS [FILE...]`: lines, files or a stream to an address: the stdin source and the stream
//! sink, fused.

use super::options::{self, Common, Writing};
use super::replay::Player;
use super::report::run_watched;
use super::{Ended, Tool, hints};
use crate::exit::StageError;
use crate::flow::{Flow, Part};
use crate::link::Address;
use crate::sink::stream::{Sending, Stream};
use crate::source::batches::Batches;
use crate::source::lines::{Format, LongLines};
use crate::source::stdin::Stdin;
use crate::stage::Source;
use crate::stop::Stop;
use crate::value::Seconds;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;

/// The command.
pub const TOOL: Tool = Tool {
    name: "send",
    command: whole_command,
    run,
};

/// Send lines, files or a stream to an address, such as that of "flume source stream".
///
/// The address comes first, then files: "flume send tcp:collector:4545 app.log", or recordings with "--format
/// stream". It ends with 0 when everything was accepted there, and with 75 when the address cannot be reached for
/// so long as --retry-for says; standard input that is a file is then left at what was not accepted.
#[derive(Parser)]
#[command(name = "send", bin_name = "flume send", no_binary_name = true)]
struct Send {
    /// Address to send to: tcp:HOST:PORT or unix:PATH.
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// Files to send one after the other; without any, standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the input is: a line an event, a line of JSON an event, raw bytes, or a stream of events such as
    /// another stage writes or a recording holds.
    #[arg(long, default_value = "line", value_name = "FORMAT", value_parser = ["line", "json", "raw", "stream"])]
    format: String,
    /// Give up after so long without reaching the address.
    #[arg(long, default_value = "60", value_name = "TIME")]
    retry_for: Seconds,
    #[command(flatten)]
    long: LongLines,
    #[command(flatten)]
    batches: Batches,
    #[command(flatten)]
    sending: Sending,
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
        Ok((own.flow(stop)?, options))
    })
}

impl Send {
    fn flow(self, stop: &Stop) -> Result<Flow, StageError> {
        let sink = Stream {
            address: self.address,
            sending: self.sending,
            retry_for: Some(self.retry_for.0),
            stage: Some("send".into()),
        };
        let mut parts = Vec::new();
        let format = match self.format.as_str() {
            "json" => Some(Format::Json),
            "raw" => Some(Format::Raw),
            "stream" => None,
            _ => Some(Format::Line),
        };
        match format {
            Some(format) => {
                let files = (!self.files.is_empty()).then_some(self.files);
                let source = Stdin::reading(format, self.long, self.batches, files);
                parts.push(("send".into(), Part::Source(Source::Polled(Box::new(source)))));
            }
            None if self.files.is_empty() => {}
            None => {
                let player = Player::whole(&self.files, stop)?;
                parts.push(("send".into(), Part::Source(Source::Polled(Box::new(player)))));
            }
        }
        parts.push(("send".into(), Part::Sink(Box::new(sink))));
        Ok(Flow { parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], expected: Result<usize, &str>) {
        let stop = Stop::new(std::time::Duration::ZERO).unwrap();
        let parsed = Send::try_parse_from(words).map_err(|error| error.to_string());
        let parts = parsed.and_then(|send| send.flow(&stop).map_err(|error| error.to_string()));
        match (parts, expected) {
            (Ok(flow), Ok(parts)) => assert_eq!(flow.parts.len(), parts),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => panic!("{:?}, not {expected:?}", found.map(|flow| flow.parts.len())),
        }
    }

    #[test]
    fn words_become_a_source_and_a_sink() {
        check(&["tcp:host:1", "a.log", "b.log"], Ok(2));
        check(&["unix:/run/x", "--format", "stream"], Ok(1));
        check(&["host:1"], Err("tcp:HOST:PORT"));
        check(&[], Err("ADDRESS"));
        check(
            &["tcp:host:1", "a.flm", "--format", "stream"],
            Err("a.flm cannot be opened"),
        );
        check(&["tcp:host:1", "--format", "xml"], Err("xml"));
    }
}
