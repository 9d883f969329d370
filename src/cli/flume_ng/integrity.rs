//! `flume-ng tool fcintegritytool`: the check and the repair of a file channel, with Flume's six totals.

use super::java::Launcher;
use crate::channel::ChannelError;
use crate::channel::file::{self, Checked, check};
use crate::cli::{Ended, print, stage};
use crate::exit::StageError;
use clap::{Arg, ArgMatches, Command};
use std::fmt::Write;
use std::path::{Path, PathBuf};

pub(super) fn command() -> Command {
    Command::new("fcintegritytool")
        .about("Check a file channel that nobody uses, and mend it")
        .long_about(
            "Check a file channel that nobody uses, and mend it.\n\nIt is \"flume channel file DIR --check\", and where \
             that finds something \"--repair\". Flume's own logs are another format, which is said.",
        )
        .arg(
            Arg::new("dataDirs")
                .long("dataDirs")
                .short('l')
                .value_name("DIRS")
                .value_delimiter(',')
                .required(true)
                .help("Directories of channels, or of their data: a list with commas"),
        )
        .arg(
            Arg::new("eventValidator")
                .long("eventValidator")
                .short('e')
                .value_name("CLASS")
                .help("A Java class that looks at events: there is none here"),
        )
}

/// What is printed at the end.
#[derive(Debug, Default)]
struct Totals {
    events: u64,
    corrupt: u64,
}

pub(super) fn run(launcher: &Launcher) -> Ended {
    let words = launcher.rest.iter().map(|word| match word.as_str() {
        "-dataDirs" => "--dataDirs".to_string(),
        "-eventValidator" => "--eventValidator".to_string(),
        word => word.to_string(),
    });
    let matches = command()
        .bin_name("flume-ng tool fcintegritytool")
        .no_binary_name(true)
        .try_get_matches_from(words)?;
    refuse_validator(&matches)?;
    let given = matches.get_many::<String>("dataDirs").unwrap_or_default();
    let given: Vec<_> = given
        .map(|word| word.trim())
        .filter(|word| !word.is_empty())
        .collect();
    let mut channels: Vec<PathBuf> = Vec::new();
    for directory in given {
        let channel = channel_of(Path::new(directory)).map_err(StageError::Usage)?;
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    let mut totals = Totals::default();
    for channel in channels {
        let words = |tool: &str| ["file".into(), channel.display().to_string(), tool.to_string()];
        if launcher.is_dry() {
            launcher.print("channel", &words("--check"))?;
            continue;
        }
        let found = check(&channel).map_err(told)?;
        totals.corrupt += found.findings.len() as u64;
        mend(&found, &words)?;
        totals.events += file::status(&channel).map_err(told)?.events;
    }
    match launcher.is_dry() {
        true => Ok(()),
        false => print(&totals.text()),
    }
}

/// What was found is printed by the tools themselves.
fn mend(found: &Checked, words: &dyn Fn(&str) -> [String; 3]) -> Ended {
    match found.findings.is_empty() {
        true => stage::command("channel", &words("--check")),
        false => stage::command("channel", &words("--repair")),
    }
}

fn refuse_validator(matches: &ArgMatches) -> Result<(), StageError> {
    match matches.get_one::<String>("eventValidator") {
        None => Ok(()),
        Some(class) => Err(StageError::Usage(format!(
            "--eventValidator {class} cannot be loaded: there is no Java here, and nothing was changed. To look at events \
             and drop some, run \"flume channel file DIR --take | flume intercept ... | flume channel file NEW --put\""
        ))),
    }
}

fn told(error: ChannelError) -> StageError {
    match error {
        ChannelError::Unusable(why) => StageError::Usage(why),
        error => StageError::Failed(error.to_string()),
    }
}

/// The channel in this directory, or the one whose data it holds.
fn channel_of(directory: &Path) -> Result<PathBuf, String> {
    let shown = directory.display();
    if !directory.is_dir() {
        return Err(format!("{shown} is no directory"));
    }
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    if file::looks_like_channel(&absolute) {
        return Ok(absolute);
    }
    let above = absolute.parent().filter(|above| file::looks_like_channel(above));
    if let Some(above) = above {
        return Ok(above.to_path_buf());
    }
    match has_logs_of_flume(directory) {
        true => Err(format!(
            "{shown} holds logs of Apache Flume's own file channel, which are another format: nothing of it was read or \
             changed. Flume's own tool can check them; to take what is in them along, let Flume's agent run without its \
             sources until the channel is empty"
        )),
        false => Err(format!(
            "{shown} is no file channel, nor the data directory inside one; where dataDirs and checkpointDir are apart, \
             name the channel's directory"
        )),
    }
}

/// `log-7` and `log-7.meta`.
fn has_logs_of_flume(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_log = |name: &str| {
        let number = name
            .strip_prefix("log-")
            .map(|rest| rest.trim_end_matches(".meta"));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
    };
    entries
        .into_iter()
        .any(|entry| entry.file_name().to_str().is_some_and(is_log))
}

impl Totals {
    /// Flume's words. Nothing is taken for an event here that is not whole, and no class throws.
    fn text(&self) -> String {
        let all = self.events + self.corrupt;
        let mut out = String::from("---------- Summary --------------------\n");
        let lines = [
            ("Number of Events in the Channel", all),
            ("Number of Put Events Processed", self.events),
            ("Number of Valid Put Events", self.events),
            ("Number of Invalid Put Events", 0),
            ("Number of Put Events that threw Exception during validation", 0),
            ("Number of Corrupt Events", self.corrupt),
        ];
        for (what, count) in lines {
            let _ = writeln!(out, "{what} = {count}");
        }
        out + "---------------------------------------\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_that_holds_no_channel_of_ours_is_named() {
        let at = tempfile::tempdir().unwrap();
        let why = || channel_of(at.path()).unwrap_err();
        assert!(why().contains("is no file channel"), "{}", why());
        std::fs::write(at.path().join("log-12"), "").unwrap();
        assert!(why().contains("another format"), "{}", why());
        assert!(
            channel_of(Path::new("/nowhere/x"))
                .unwrap_err()
                .contains("no directory")
        );
    }
}
