//! The command line: words to a flow, a result to an exit status.
//!
//! Only the command that was asked for is built: with all of them a stage would take twice as long to start.

pub mod options;
pub mod parts;
pub mod report;
pub mod run;
pub mod send;
pub mod stage;
pub mod words;

use crate::component::nearest;
use crate::exit::{self, StageError, StageResult};
use crate::say;
use std::ffi::OsString;
use std::process::ExitCode;

/// The four kinds of components, as they are typed.
pub const KINDS: &[&str] = &["source", "intercept", "channel", "sink"];

/// A command that is no component: its word, its sentence, and what it does.
pub struct Tool {
    /// The word.
    pub name: &'static str,
    /// Its clap command, for help and generated pages.
    pub command: fn() -> clap::Command,
    /// Run it.
    pub run: fn(&[String]) -> Ended,
}

/// All of them.
pub const TOOLS: &[Tool] = &[run::TOOL, send::TOOL];

/// How a command ended. One that has printed its own message is `Said`.
pub enum Ended {
    /// As a stage does: the status follows from the result, and its message was said.
    Stage(StageResult),
    /// With an error of the command line: printed as clap prints it.
    Usage(clap::Error),
    /// With this status.
    Status(u8),
}

impl From<StageError> for Ended {
    fn from(error: StageError) -> Self {
        Ended::Stage(Err(error))
    }
}

impl From<clap::Error> for Ended {
    fn from(error: clap::Error) -> Self {
        Ended::Usage(error)
    }
}

/// Run the command that the words (without the program's own name) ask for.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let mut texts = Vec::with_capacity(words.len());
    for word in words {
        match word.into_string() {
            Ok(text) => texts.push(text),
            Err(word) => {
                say::error("flume", format!("the argument {} is not UTF-8", word.display()));
                return ExitCode::from(2);
            }
        }
    }
    match dispatch(&texts) {
        Ended::Stage(result) => exit::code(&result),
        Ended::Status(status) => ExitCode::from(status),
        Ended::Usage(error) => usage(&error),
    }
}

/// Help and version go to standard output with status 0, everything else to standard error with 2.
fn usage(error: &clap::Error) -> ExitCode {
    use std::io::Write;
    if error.use_stderr() {
        let text = error.render();
        match say::is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            true => say::raw(text.ansi().to_string().as_bytes()),
            false => say::raw(text.to_string().as_bytes()),
        }
        return ExitCode::from(2);
    }
    let mut out = std::io::stdout().lock();
    // A reader that has enough of it, such as head, has closed the pipe.
    let _ = write!(out, "{}", error.render()).and_then(|()| out.flush());
    ExitCode::SUCCESS
}

fn dispatch(words: &[String]) -> Ended {
    let Some((first, rest)) = words.split_first() else {
        return unknown(None);
    };
    if KINDS.contains(&first.as_str()) {
        return stage::command(first, rest);
    }
    match TOOLS.iter().find(|tool| tool.name == first) {
        Some(tool) => (tool.run)(rest),
        None => unknown(Some(first)),
    }
}

fn unknown(word: Option<&String>) -> Ended {
    let known = KINDS.iter().copied().chain(TOOLS.iter().map(|tool| tool.name));
    let all = known.clone().collect::<Vec<_>>().join(", ");
    match word {
        None => say::error("flume", format!("a command is missing: there are {all}")),
        Some(word) => {
            let hint = nearest(word, known).map(|near| format!("; did you mean \"{near}\"?"));
            let hint = hint.unwrap_or_else(|| format!("; there are {all}"));
            say::error("flume", format!("\"{word}\" is no command{hint}"));
        }
    }
    Ended::Status(2)
}
