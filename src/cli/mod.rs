//! The command line: words to a flow, a result to an exit status.
//!
//! Only the command that was asked for is built: with all of them a stage would take twice as long to start.

pub mod cat;
pub mod completions;
pub mod help;
pub mod list;
pub mod options;
pub mod own;
pub mod pages;
pub mod parts;
pub mod replay;
pub mod report;
pub mod roff;
pub mod run;
pub mod send;
pub mod stage;
pub mod version;
pub mod words;

use crate::component::nearest;
use crate::exit::{self, StageError, StageResult};
use crate::say;
use clap::builder::StyledStr;
use std::ffi::OsString;
use std::io::Write;
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
pub const TOOLS: &[Tool] = &[
    run::TOOL,
    cat::TOOL,
    replay::TOOL,
    send::TOOL,
    list::TOOL,
    help::TOOL,
    completions::TOOL,
    version::TOOL,
];

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
    dispatch(&texts).code()
}

impl Ended {
    /// The process's exit status. An error of the command line is printed here.
    pub fn code(self) -> ExitCode {
        match self {
            Ended::Stage(result) => exit::code(&result),
            Ended::Status(status) => ExitCode::from(status),
            Ended::Usage(error) => usage(&error),
        }
    }
}

/// Help goes to standard output with status 0, everything else to standard error with 2.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        say::raw(styled(&error.render(), say::is_terminal()).as_bytes());
        return ExitCode::from(2);
    }
    print(&styled(&error.render(), is_terminal())).code()
}

/// Text with colour on a terminal, unless NO_COLOR says otherwise.
pub fn styled(text: &StyledStr, terminal: bool) -> String {
    match terminal && std::env::var_os("NO_COLOR").is_none_or(|word| word.is_empty()) {
        true => text.ansi().to_string(),
        false => text.to_string(),
    }
}

/// Standard output is a terminal.
pub fn is_terminal() -> bool {
    rustix::termios::isatty(std::io::stdout())
}

/// Write to standard output what the user asked for. A reader that has enough of it, such as head, has
/// closed the pipe: that is no failure.
pub fn print(text: &str) -> Ended {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Ok(()) => Ended::Status(0),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ended::Status(0),
        Err(error) => {
            say::error("flume", format!("standard output cannot be written: {error}"));
            Ended::Status(1)
        }
    }
}

fn dispatch(words: &[String]) -> Ended {
    let Some((first, rest)) = words.split_first() else {
        return unknown(None);
    };
    let first = match first.as_str() {
        "--help" | "-h" => "help",
        "--version" | "-V" => "version",
        word => word,
    };
    if KINDS.contains(&first) {
        return stage::command(first, rest);
    }
    match TOOLS.iter().find(|tool| tool.name == first) {
        Some(tool) => (tool.run)(rest),
        None => unknown(Some(first)),
    }
}

fn unknown(word: Option<&str>) -> Ended {
    let known = KINDS.iter().copied().chain(TOOLS.iter().map(|tool| tool.name));
    let all = known.clone().collect::<Vec<_>>().join(", ");
    match word {
        None => say::error(
            "flume",
            format!("a command is missing: there are {all}; \"flume help\" says what they do"),
        ),
        Some(word) => {
            let whole = KINDS.iter().find(|kind| parts::find(kind, word).is_some());
            let hint = match (whole, nearest(word, known)) {
                (Some(kind), _) => format!("did you mean \"{kind} {word}\"?"),
                (None, Some(near)) => format!("did you mean \"{near}\"?"),
                (None, None) => format!("there are {all}"),
            };
            say::error("flume", format!("\"{word}\" is no command; {hint}"));
        }
    }
    Ended::Status(2)
}
