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
use super::stage;
use crate::component::Spec;
use std::process::ExitCode;

/// Run the component as a stage between standard input and output, with the settings and options that the
/// arguments of the process give: `--help`, `--summary`, signals and exit statuses are those of ours.
pub fn main<Made: Role>(spec: &Spec<Made>) -> ExitCode {
    let name = format!("{} {}", Made::KIND, spec.name);
    let words = super::texts(std::env::args_os().skip(1));
    super::code(&name, words.and_then(|words| stage::start(spec, &words)))
}
