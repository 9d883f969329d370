//! `flume cat`: shows the events of a stream, a recording or a channel.
//!
//! At the end of a pipeline it takes: a batch is accepted when its events are written. In the middle, with
//! `--through`, it shows on standard error and passes the stream on. It never takes from a channel directory.

use super::options::{self, Common};
use super::report::Reporter;
use super::{Ended, Tool};
use crate::ack::{Delivery, Refusal};
use crate::channel::file::{browse, looks_like_channel};
use crate::codec::avro::Container;
use crate::codec::{EventSerializer, json};
use crate::event::{Batch, EventRef, shown};
use crate::exit::{StageError, StageResult};
use crate::fd;
use crate::link::inlet::InletOptions;
use crate::link::recording::{Recorded, Recording};
use crate::link::{Address, Identity, Inlet, Next, StreamInlet, Wait, address};
use crate::metrics::{Count, Counters, Kind};
use crate::pattern::Pattern;
use crate::say;
use crate::stage::pass::Pass;
use crate::stage::{HELD, JOIN_BYTES};
use crate::stop::Stop;
use apache_avro::Codec;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The command.
pub const TOOL: Tool = Tool {
    name: "cat",
    command: whole_command,
    run,
};

/// Bytes of events in a block of an Avro container.
const AVRO_BLOCK: usize = 64 << 10;
/// How often a channel that is followed is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Bytes of output that are written together.
const COALESCE: usize = 64 << 10;

/// Show events: of standard input, of recordings, of a channel's directory (without taking them), or of an
/// address.
#[derive(Parser)]
#[command(name = "cat", bin_name = "flume cat", no_binary_name = true)]
struct Cat {
    /// Recordings, channel directories or addresses (tcp:HOST:PORT, unix:PATH); "-" or none is standard
    /// input.
    #[arg(value_name = "FROM")]
    from: Vec<String>,
    /// How events look: each body and a newline (text), a JSON object a line (json), a hex dump (hex), or
    /// an Avro container (avro).
    #[arg(long, short, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json", "hex", "avro"])]
    output: String,
    /// The same as --output json.
    #[arg(long)]
    json: bool,
    /// Show the headers in front of each body, in text and hex.
    #[arg(long)]
    headers: bool,
    /// Only events that have this header, with this value if one is given.
    #[arg(long, value_name = "NAME[=VALUE]")]
    header: Vec<String>,
    /// Only events whose body matches this Java regular expression anywhere.
    #[arg(long = "match", value_name = "REGEX")]
    matching: Option<Pattern>,
    /// End after so many events; what was cut of a batch is given back.
    #[arg(short = 'n', long = "count", value_name = "EVENTS")]
    count: Option<u64>,
    /// Wait for more when a recording or a channel is at its end.
    #[arg(long, short)]
    follow: bool,
    /// Show on standard error and hand the stream on to standard output.
    #[arg(long, conflicts_with_all = ["from", "follow", "count"])]
    through: bool,
}

fn whole_command() -> clap::Command {
    Common::augment_args(Cat::command())
}

fn run(given: &[String]) -> Ended {
    let matches = whole_command().try_get_matches_from(given)?;
    let own = Cat::from_arg_matches(&matches)?;
    let common = Common::from_arg_matches(&matches)?;
    options::configure(&common)?;
    let stop = options::stop_of(&common)?;
    let view = View::new(&own)?;
    // What cat shows would fight with a progress line on the same terminal.
    let common = Common {
        quiet: common.quiet || !common.progress,
        ..common
    };
    let reporter = Reporter::start("cat", &common, &stop)?;
    let counters = reporter.board().add(Kind::Sink, "cat");
    let result = match own.through {
        true => through(view, &counters, &stop),
        false => show(&own, view, &counters, &stop),
    };
    reporter.finish(crate::exit::status(&result));
    Ok(result?)
}

fn show(settings: &Cat, view: View, counters: &Arc<Counters>, stop: &Stop) -> StageResult {
    let mut screen = Screen {
        view,
        out: Vec::new(),
        left: settings.count.unwrap_or(u64::MAX),
        counters: counters.clone(),
    };
    screen.begin()?;
    let standard_input = ["-".to_string()];
    let from = match settings.from.is_empty() {
        true => &standard_input[..],
        false => &settings.from[..],
    };
    let mut result = Ok(());
    for word in from {
        if screen.left > 0 && !stop.is_stopping() {
            result = result.and(screen.show_one(word, settings.follow, stop));
        }
    }
    result.and(screen.end())
}

/// What is shown of which events.
struct View {
    format: Format,
    headers: bool,
    wanted: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    matching: Option<Pattern>,
}

enum Format {
    Text,
    Json,
    Hex,
    Avro(Box<Container>),
}

impl View {
    fn new(settings: &Cat) -> Result<View, StageError> {
        let format = match (settings.json, settings.output.as_str()) {
            (true, _) | (_, "json") => Format::Json,
            (_, "hex") => Format::Hex,
            (_, "avro") => {
                let container = Container::new(Codec::Null, AVRO_BLOCK).map_err(StageError::Failed)?;
                Format::Avro(Box::new(container))
            }
            _ => Format::Text,
        };
        let wanted = settings.header.iter().map(|word| match word.split_once('=') {
            Some((name, value)) => (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec())),
            None => (word.as_bytes().to_vec(), None),
        });
        Ok(View {
            format,
            headers: settings.headers,
            wanted: wanted.collect(),
            matching: settings.matching.clone(),
        })
    }

    fn is_wanted(&mut self, event: &EventRef<'_>) -> bool {
        let fits = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| match (event.header(name), value) {
            (Some(found), Some(value)) => found == value,
            (found, None) => found.is_some(),
            (None, Some(_)) => false,
        };
        self.wanted.iter().all(fits)
            && self
                .matching
                .as_mut()
                .is_none_or(|pattern| pattern.is_match(event.body()))
    }

    fn put(&mut self, event: EventRef<'_>, out: &mut Vec<u8>) -> StageResult {
        match &mut self.format {
            Format::Text => {
                if self.headers {
                    put_headers(event, out);
                }
                out.extend_from_slice(event.body());
                out.push(b'\n');
            }
            Format::Json => {
                json::write_event(event, out);
                out.push(b'\n');
            }
            Format::Hex => {
                if self.headers {
                    put_headers(event, out);
                    out.push(b'\n');
                }
                hex_dump(event.body(), out);
            }
            Format::Avro(container) => return container.write(event, out).map_err(not_avro),
        }
        Ok(())
    }
}

fn not_avro(error: crate::codec::SerializeError) -> StageError {
    StageError::Failed(format!("an event cannot be written as Avro: {error}"))
}

fn put_headers(event: EventRef<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in event.headers().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        out.extend_from_slice(format!("{comma}{}={}", shown(name), shown(value)).as_bytes());
    }
    out.extend_from_slice(b"} ");
}

/// Sixteen bytes a line: offset, hexadecimal, and what can be printed; an empty body is an empty line.
fn hex_dump(body: &[u8], out: &mut Vec<u8>) {
    for (line, bytes) in body.chunks(16).enumerate() {
        out.extend_from_slice(format!("{:08x}", line * 16).as_bytes());
        for byte in bytes {
            out.extend_from_slice(format!(" {byte:02x}").as_bytes());
        }
        out.extend(std::iter::repeat_n(b' ', (16 - bytes.len()) * 3 + 2));
        out.extend(bytes.iter().map(|byte| match byte {
            b' '..=b'~' => *byte,
            _ => b'.',
        }));
        out.push(b'\n');
    }
    if body.is_empty() {
        out.push(b'\n');
    }
}

/// Standard output, what waits for it, and how many events may still come.
struct Screen {
    view: View,
    out: Vec<u8>,
    left: u64,
    counters: Arc<Counters>,
}

impl Screen {
    fn begin(&mut self) -> StageResult {
        if let Format::Avro(_) = self.view.format
            && say::is_terminal()
            && matches!(fd::kind(io::stdout()), Ok(fd::FdKind::Terminal))
        {
            return Err(StageError::Usage(
                "an Avro container is binary and standard output is a terminal: redirect it".into(),
            ));
        }
        if let Format::Avro(container) = &mut self.view.format {
            container.begin(&mut self.out);
        }
        Ok(())
    }

    fn end(&mut self) -> StageResult {
        if let Format::Avro(container) = &mut self.view.format {
            container.end(&mut self.out).map_err(not_avro)?;
        }
        self.write_out()
    }

    /// Show a batch; false if it was cut because enough events were shown.
    fn put(&mut self, batch: &Batch) -> Result<bool, StageError> {
        self.counters
            .add(Count::EventDrainAttempt, u64::from(batch.len()));
        self.counters.add(Count::Bytes, batch.bytes() as u64);
        for event in batch.events() {
            if self.left == 0 {
                return Ok(false);
            }
            let event = event.map_err(crate::stage::undecodable)?;
            if !self.view.is_wanted(&event) {
                self.counters.add(Count::Filtered, 1);
                continue;
            }
            self.view.put(event, &mut self.out)?;
            self.left -= 1;
            if self.out.len() >= COALESCE {
                self.write_out()?;
            }
        }
        Ok(true)
    }

    fn write_out(&mut self) -> StageResult {
        let stdout = io::stdout();
        let written = fd::write_all(stdout.as_fd(), &mut [IoSlice::new(&self.out)], &[]);
        self.out.clear();
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => StageError::Closed,
            _ => StageError::Failed(format!("standard output: {error}")),
        })
    }

    fn show_one(&mut self, word: &str, follow: bool, stop: &Stop) -> StageResult {
        let path = Path::new(word);
        let result = if word == "-" {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            let stdin = stdin.map_err(|error| StageError::Failed(format!("standard input: {error}")))?;
            return self.show_stream(stdin, "standard input", stop);
        } else if address::is_address(word) {
            let address: Address = word.parse().map_err(StageError::Usage)?;
            if address.is_tls() {
                return Err(StageError::Usage(format!(
                    "{address}: cat speaks no TLS; it reads tcp: and unix:"
                )));
            }
            let socket = address.connect(Duration::from_secs(10));
            let socket = socket.map_err(|error| StageError::Temporary(format!("{address}: {error}")))?;
            return self.show_stream(socket, word, stop);
        } else if path.is_dir() && looks_like_channel(path) {
            self.show_channel(path, follow, stop)
        } else {
            self.show_recording(path, follow, stop)
        };
        match result {
            // Whoever read enough of a file has closed the pipe: nothing waits for an acceptance.
            Err(StageError::Closed) => Ok(()),
            other => other,
        }
    }

    fn show_recording(&mut self, path: &Path, follow: bool, stop: &Stop) -> StageResult {
        let mut recording = Recording::open(path, follow, stop)?;
        while self.left > 0 && !stop.is_stopping() {
            let recorded = match recording.next(Wait::No)? {
                Recorded::Nothing => {
                    self.write_out()?;
                    recording.next(Wait::Forever)?
                }
                recorded => recorded,
            };
            match recorded {
                Recorded::Batch(batch) => {
                    self.put(&batch)?;
                    self.counters
                        .add(Count::EventDrainSuccess, u64::from(batch.len()));
                }
                Recorded::Nothing => {}
                Recorded::End => break,
            }
        }
        self.write_out()?;
        match recording.damaged() {
            0 => Ok(()),
            damaged => Err(StageError::Failed(format!(
                "{}: everything whole was shown; damaged places that were passed over: {damaged}",
                path.display()
            ))),
        }
    }

    /// Show what waits in a channel, without taking it.
    fn show_channel(&mut self, directory: &Path, follow: bool, stop: &Stop) -> StageResult {
        let failed = |error| StageError::Failed(format!("{}: {error}", directory.display()));
        let mut seen = 0;
        let mut damaged = Ok(());
        loop {
            for found in browse(directory).map_err(failed)? {
                let (header, batch) = match found {
                    Ok(found) => found,
                    Err(error) => {
                        damaged = Err(failed(error));
                        continue;
                    }
                };
                // A channel that is followed is gone through again for what came behind.
                if header.origin <= seen {
                    continue;
                }
                seen = header.origin;
                self.put(&batch)?;
                self.counters
                    .add(Count::EventDrainSuccess, u64::from(batch.len()));
                if self.left == 0 || stop.is_stopping() {
                    return self.write_out();
                }
            }
            self.write_out()?;
            if !follow || stop.sleep(LOOK_AGAIN) {
                return damaged;
            }
        }
    }

    /// Show a stream and accept what was shown.
    fn show_stream(&mut self, input: OwnedFd, name: &str, stop: &Stop) -> StageResult {
        let options = InletOptions::new(Identity::of_stage("cat"), name);
        let mut inlet = StreamInlet::open(input, options, stop)?;
        let mut open: Vec<Delivery> = Vec::new();
        let result = self.take_all(&mut inlet, &mut open);
        drop(open);
        let _ = inlet.flush_settled();
        inlet.close();
        result
    }

    fn take_all(&mut self, inlet: &mut StreamInlet, open: &mut Vec<Delivery>) -> StageResult {
        let mut held = 0;
        loop {
            let wait = if open.is_empty() { Wait::Forever } else { Wait::No };
            if open.is_empty() {
                held = 0;
            }
            match inlet.next(wait)? {
                Next::Delivery(delivery) => {
                    if !self.put(&delivery.batch)? {
                        self.accept(inlet, open)?;
                        delivery.refuse(Refusal::retry("cat has shown enough"));
                        return Ok(());
                    }
                    held += HELD + delivery.batch.bytes();
                    open.push(delivery);
                    if self.left == 0 {
                        return self.accept(inlet, open);
                    }
                    // A file never lets anybody wait: what is held needs a bound of its own.
                    if held >= JOIN_BYTES {
                        self.accept(inlet, open)?;
                    }
                }
                Next::Idle | Next::Flush => self.accept(inlet, open)?,
                Next::End | Next::Stopped => return self.accept(inlet, open),
                Next::Broken(error) => {
                    self.accept(inlet, open)?;
                    return Err(error);
                }
            }
        }
    }

    fn accept(&mut self, inlet: &mut StreamInlet, open: &mut Vec<Delivery>) -> StageResult {
        self.write_out()?;
        for delivery in open.drain(..) {
            self.counters
                .add(Count::EventDrainSuccess, u64::from(delivery.batch.len()));
            delivery.accept();
        }
        inlet.flush_settled()
    }
}

/// Show on standard error and hand the stream on.
fn through(mut view: View, counters: &Arc<Counters>, stop: &Stop) -> StageResult {
    if matches!(fd::kind(io::stdout()), Ok(fd::FdKind::Terminal)) {
        return Err(StageError::Usage(
            "standard output is a terminal and --through writes a stream of events in binary: leave it out at the \
             end of a pipeline"
                .into(),
        ));
    }
    let own = |fd: &dyn Fn() -> io::Result<OwnedFd>| fd().map_err(crate::stage::cannot_open);
    let input = own(&|| io::stdin().as_fd().try_clone_to_owned())?;
    let output = own(&|| io::stdout().as_fd().try_clone_to_owned())?;
    let pass = Pass {
        name: "cat",
        counters,
        stop,
        limit: crate::wire::LIMIT,
    };
    let mut out = Vec::new();
    pass.run(input, output, &mut |batch| {
        for event in batch.events() {
            let event = event.map_err(crate::stage::undecodable)?;
            if view.is_wanted(&event) {
                view.put(event, &mut out)?;
            }
        }
        // What standard error does not take is not waited for: the stream goes on.
        say::raw(&out);
        out.clear();
        Ok(batch)
    })
}
