//! A deserializer of your own for the files of a spooling directory: an event for each paragraph, which a blank line ends.
//!
//! Under the name `flume-source-paragraphs` on the PATH it is a component like ours, with all settings of spooldir:
//! `flume source paragraphs ./inbox --until-empty | flume sink logger`.

use clap::FromArgMatches;
use flume::codec::deserializer::{DeserializeError, EventDeserializer, Events};
use flume::component::Spec;
use flume::source::spooldir::SpoolDir;
use flume::stage::Source;
use std::process::ExitCode;

const BORDER: &[u8] = b"\n\n";

/// Each file gets one of these. It keeps nothing: where it stands is said by what it has used.
struct Paragraphs;

impl EventDeserializer for Paragraphs {
    fn take(&mut self, input: &[u8], is_all: bool, out: &mut Events<'_>) -> Result<usize, DeserializeError> {
        let mut used = 0;
        while !out.is_full() && used < input.len() {
            let rest = &input[used..];
            let border = rest.windows(BORDER.len()).position(|bytes| bytes == BORDER);
            let (paragraph, length) = match border {
                Some(at) => (&rest[..at], at + BORDER.len()),
                None if is_all => (rest, rest.len()),
                // It may go on in what is not read yet.
                None => break,
            };
            let paragraph = paragraph.trim_ascii();
            if !paragraph.is_empty() {
                out.push(paragraph);
            }
            used += length;
        }
        Ok(used)
    }
}

fn main() -> ExitCode {
    let spec = Spec::<Source>::new::<SpoolDir>("paragraphs", |matches| {
        let files = SpoolDir::from_arg_matches(matches)?;
        let files = files.with_deserializer(|| Box::new(Paragraphs));
        Ok(Source::Polled(Box::new(files)))
    });
    flume::cli::own::main(&spec.positional("spoolDir"))
}
