//! A serializer of your own for the files of file_roll: bodies between quotes, separated by commas, under a head line.
//!
//! Under the name `flume-sink-csv` on the PATH it is a component like ours, with all settings of file_roll:
//! `flume source stdin < app.log | flume sink csv --directory ./out`.

use clap::FromArgMatches;
use flume::codec::{EventSerializer, SerializeError, Tail};
use flume::component::Spec;
use flume::event::EventRef;
use flume::sink::file_roll::FileRoll;
use flume::stage::Sink;
use std::process::ExitCode;

/// The host of an event and its body, a line each. Each file gets one of these.
struct Csv;

impl EventSerializer for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"host,body\n");
    }

    fn write(&mut self, event: EventRef<'_>, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        quote(event.header(b"host").unwrap_or_default(), out);
        out.push(b',');
        quote(event.body(), out);
        out.push(b'\n');
        Ok(())
    }

    /// A body may have a newline inside: after a crash the file is cut where the sink has noted, not at the last one.
    fn tail(&self) -> Tail {
        Tail::Exact
    }
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        out.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
    }
    out.push(b'"');
}

fn main() -> ExitCode {
    flume::cli::own::main(&Spec::<Box<dyn Sink>>::new::<FileRoll>("csv", |matches| {
        let files = FileRoll::from_arg_matches(matches)?;
        Ok(Box::new(files.with_serializer(|| Box::new(Csv))))
    }))
}
