//! `flume source|intercept|select|channel|group|sink NAME ...`: a flow of one component between standard input and output.

use super::options::{self, Common, Taking, Writing};
use super::parts::{self, Component};
use super::report::run_watched;
use super::{Ended, LAST, help, hints};
use crate::exit::StageError;
use crate::flow::Flow;
use clap::{Args, FromArgMatches};
use std::os::unix::process::CommandExt;

/// The whole command of a stage: the component's settings and the options of its kind.
pub fn whole_command(kind: &str, name: &str) -> Option<clap::Command> {
    parts::command(kind, name).map(|command| with_options(kind, command))
}

/// A component's command with the options that a stage of its kind has.
fn with_options(kind: &str, component: clap::Command) -> clap::Command {
    let bin = format!("flume {kind} {}", component.get_name());
    let mut command = component;
    if !LAST.contains(&kind) {
        command = Writing::augment_args(command);
    }
    if takes(kind) {
        command = Taking::augment_args(command);
    }
    Common::augment_args(command).bin_name(bin)
}

/// It takes batches, and may find one that it cannot.
fn takes(kind: &str) -> bool {
    kind == "channel" || LAST.contains(&kind)
}

/// Run the stage of this kind that the words ask for.
pub fn command(kind: &str, words: &[String]) -> Ended {
    let Some((name, rest)) = words.split_first() else {
        let names = parts::names(kind).join(", ");
        return Err(StageError::Usage(format!(
            "a name is missing: there are {names}; \"flume {kind} --help\" says what they do"
        ))
        .into());
    };
    if matches!(name.as_str(), "--help" | "-h") {
        return help::kind(kind);
    }
    match parts::find(kind, name) {
        Some(component) => start(component, rest),
        None => external(kind, name, rest),
    }
}

/// Run a component as a stage with the settings and options that the words give.
pub fn start(component: &dyn Component, words: &[String]) -> Ended {
    let (kind, name) = (component.kind(), component.name());
    let command = with_options(kind, component.command());
    let words = component.with_positional(words);
    let matches = command
        .no_binary_name(true)
        .try_get_matches_from(words)
        .map_err(|error| hints::with_tip(error, &format!("{kind} {name}")))?;
    let common = Common::from_arg_matches(&matches)?;
    let writing = match LAST.contains(&kind) {
        true => Writing::defaults(),
        false => Writing::from_arg_matches(&matches)?,
    };
    let taking = match takes(kind) {
        true => Some(Taking::from_arg_matches(&matches)?),
        false => None,
    };
    if kind == "channel" {
        options::configure(&common)?;
        if let Some(result) = component.tool(&matches)? {
            return Ok(result?);
        }
    }
    let stage = format!("{kind} {name}");
    run_watched(&stage, &common, |stop| {
        let options = options::flow_options(&writing, taking.as_ref(), stop)?;
        let mut flow = Flow {
            parts: vec![(stage.clone(), component.part(&matches)?)],
        };
        parts::add_wal(&mut flow, &writing)?;
        Ok((flow, options))
    })
}

/// Become the executable `flume-KIND-NAME`, if there is one.
fn external(kind: &str, name: &str, words: &[String]) -> Ended {
    let path = crate::external::find(kind, name).ok_or_else(|| parts::unknown(kind, name))?;
    let error = std::process::Command::new(&path).args(words).exec();
    Err(anyhow::Error::from(error).context(format!("{} cannot be run", path.display())))
}
