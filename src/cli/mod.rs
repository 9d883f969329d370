//! The command line: words to a flow, a result to an exit status.
//!
//! Only the command that was asked for is built: with all of them a stage would take twice as long to start.

pub mod agent;
pub mod branches;
pub mod cat;
pub mod check;
pub mod completions;
pub mod configuration;
pub mod ctl;
pub mod explain;
pub mod flume_ng;
pub mod help;
pub mod hints;
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
pub mod text;
pub mod version;
pub mod words;

use crate::component::{in_one_line, nearest, plainly};
use crate::exit::StageError;
use crate::say;
use anyhow::Context;
use clap::builder::StyledStr;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The kinds of components, as they are typed.
pub const KINDS: &[&str] = &["source", "intercept", "select", "channel", "group", "sink"];
/// Those that take a stream and write none.
const LAST: &[&str] = &["select", "group", "sink"];

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
    agent::TOOL,
    ctl::TOOL,
    explain::TOOL,
    cat::TOOL,
    replay::TOOL,
    send::TOOL,
    check::TOOL,
    list::TOOL,
    help::TOOL,
    completions::TOOL,
    version::TOOL,
    flume_ng::TOOL,
];

/// How a command ends: well, or with an error whose chain says what was wrong. What the error is made of gives
/// the status: a [`StageError`] its own, an error of the command line 2, anything else 1.
pub type Ended = anyhow::Result<()>;

/// A failure that was told when it happened: only its status is left.
#[derive(Debug, thiserror::Error)]
#[error("status {0}")]
pub struct Told(pub u8);

/// Run the command that the words (without the program's own name) ask for.
pub fn main(words: Vec<OsString>) -> ExitCode {
    match texts(words) {
        Ok(texts) => {
            if asks_for_json(&texts) {
                say::set_json(true);
            }
            code(&speaker(&texts), dispatch(&texts))
        }
        Err(error) => code("flume", Err(error)),
    }
}

/// Arguments as text.
pub fn texts(words: impl IntoIterator<Item = OsString>) -> anyhow::Result<Vec<String>> {
    let text = |word: OsString| {
        word.into_string()
            .map_err(|word| StageError::Usage(format!("the argument {} is not UTF-8", word.display())).into())
    };
    words.into_iter().map(text).collect()
}

/// Wherever `--log-format json` stands, it holds also for the error that another word is: clap stops at the first.
fn asks_for_json(words: &[String]) -> bool {
    let flags: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
    flags.iter().any(|word| *word == "--log-format=json")
        || flags
            .windows(2)
            .any(|pair| pair[0] == "--log-format" && pair[1] == "json")
}

/// Who speaks of an error: the component or the tool, else the program.
fn speaker(words: &[String]) -> String {
    match words {
        [kind, name, ..] if parts::find(kind, name).is_some() => format!("{kind} {name}"),
        [word, ..] if KINDS.contains(&word.as_str()) || tool(word).is_some() => word.clone(),
        _ => "flume".into(),
    }
}

/// The exit status of the process; an error that was not told yet is told.
pub fn code(name: &str, ended: Ended) -> ExitCode {
    ExitCode::from(ended.map_or_else(|error| tell(name, &error), |()| 0))
}

/// Tell an error, and give its status.
pub fn tell(name: &str, error: &anyhow::Error) -> u8 {
    if let Some(Told(status)) = error.downcast_ref() {
        return *status;
    }
    if let Some(wrong) = error.downcast_ref::<clap::Error>() {
        return usage(name, error, wrong);
    }
    let known = error.chain().find_map(|cause| cause.downcast_ref::<StageError>());
    if !known.is_some_and(StageError::is_quiet) {
        say::error(name, format!("{error:#}"));
    }
    known.map_or(1, StageError::status)
}

/// Help goes to standard output with status 0, everything else to standard error with 2: as clap shows it, or as
/// a message if these have JSON or if `error` says in which stage of a pipeline it is.
fn usage(name: &str, error: &anyhow::Error, wrong: &clap::Error) -> u8 {
    if !wrong.use_stderr() {
        let printed = print(&styled(&wrong.render(), is_terminal()));
        return printed.map_or_else(|error| tell("flume", &error), |()| 0);
    }
    let place = error.chain().take_while(|cause| !cause.is::<clap::Error>());
    let place: Vec<_> = place.map(|cause| cause.to_string()).collect();
    if place.is_empty() && !say::is_json() {
        let text = styled(&wrong.render(), say::is_terminal());
        say::raw(named(name, &plainly(&text)).as_bytes());
        return 2;
    }
    let mut words = place;
    words.push(in_one_line(wrong));
    say::error(name, words.join(": "));
    2
}

/// An error as clap shows it, with who speaks: in a pipeline there are several.
fn named(name: &str, text: &str) -> String {
    match text.split_once("error:") {
        Some((before, rest))
            if before
                .chars()
                .all(|c| !c.is_alphanumeric() || c.is_ascii_digit() || c == 'm') =>
        {
            let (reset, rest) = rest.split_once(' ').unwrap_or(("", rest));
            format!("{before}error:{reset} {name}: {rest}")
        }
        _ => text.to_string(),
    }
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
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

fn tool(word: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == word)
}

fn dispatch(words: &[String]) -> Ended {
    let Some((first, rest)) = words.split_first() else {
        return Err(unknown(None).into());
    };
    let first = match first.as_str() {
        "--help" | "-h" => "help",
        "--version" | "-V" => "version",
        word => word,
    };
    if KINDS.contains(&first) {
        return stage::command(first, rest);
    }
    match tool(first) {
        Some(tool) => (tool.run)(rest),
        None => Err(unknown(Some(first)).into()),
    }
}

fn unknown(word: Option<&str>) -> StageError {
    let known = KINDS.iter().copied().chain(TOOLS.iter().map(|tool| tool.name));
    let all = known.clone().collect::<Vec<_>>().join(", ");
    let Some(word) = word else {
        return StageError::Usage(format!(
            "a command is missing: there are {all}; \"flume help\" says what they do"
        ));
    };
    let whole = KINDS.iter().find(|kind| parts::find(kind, word).is_some());
    let hint = match (whole, nearest(word, known)) {
        (Some(kind), _) => format!("did you mean \"{kind} {word}\"?"),
        (None, Some(near)) => format!("did you mean \"{near}\"?"),
        (None, None) => format!("there are {all}"),
    };
    StageError::Usage(format!("\"{word}\" is no command; {hint}"))
}
