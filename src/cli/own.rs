//! A component of your own as a program: with `flume-KIND-NAME` as its name and a place on the PATH it is a
//! component like ours.
//!
//! ```no_run
//! # use flume::{event::Batch, stage::{Sink, SinkError}};
//! /// Count events.
//! #[derive(clap::Args)]
//! struct Count {}
//! # impl Sink for Count {
//! #     fn write(&mut self, _: &Batch) -> Result<(), SinkError> { Ok(()) }
//! #     fn commit(&mut self) -> Result<(), SinkError> { Ok(()) }
//! # }
//!
//! fn main() -> std::process::ExitCode {
//!     flume::cli::own::main(&flume::sink::row::<Count>("count"))
//! }
//! ```

use super::parts::Role;
use super::{Ended, stage};
use crate::component::Spec;
use crate::say;
use std::process::ExitCode;

/// Run the component as a stage between standard input and output, with the settings and options that the
/// arguments of the process give: `--help`, `--summary`, signals and exit statuses are those of ours.
pub fn main<Made: Role>(spec: &Spec<Made>) -> ExitCode {
    let words: Result<Vec<String>, _> = std::env::args_os()
        .skip(1)
        .map(|word| word.into_string())
        .collect();
    match words {
        Ok(words) => stage::start(spec, &words).code(),
        Err(word) => {
            say::error(spec.name, format!("the argument {} is not UTF-8", word.display()));
            Ended::Status(2).code()
        }
    }
}
