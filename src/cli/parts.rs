//! Words to components: the tables asked by kind and name, with hints for what is not there.

use super::branches;
use super::options::Writing;
use crate::channel::file::{Config, FileChannel, Role as FileRole};
use crate::channel::{Channel, Ends, ends};
use crate::component::{Setting, Spec, nearest};
use crate::event::{Batch, Event};
use crate::exit::{StageError, StageResult};
pub use crate::external::find as find_external;
use crate::external::{self, is_executable, search_path};
use crate::flow::{Flow, Part};
use crate::stage::{ChannelSelector, Interceptor, Rejected, Sink, SinkProcessor, Source};
use crate::{channel, group, intercept, select, sink, source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A line of a table whose kind is not known to the compiler.
pub trait Component {
    /// `source`, `intercept`, `select`, `channel`, `group` or `sink`.
    fn kind(&self) -> &'static str;
    /// Its name.
    fn name(&self) -> &'static str;
    /// Its other names.
    fn aliases(&self) -> &'static [&'static str];
    /// What it does.
    fn sentence(&self) -> String;
    /// Its settings.
    fn settings(&self) -> Vec<Setting>;
    /// Its clap command, without the options of its stage.
    fn command(&self) -> clap::Command;
    /// Words in which the flag form of its positional setting is put in its place.
    fn with_positional(&self, words: &[String]) -> Vec<String>;
    /// Its settings as Flume's properties: those that words which its command has parsed give, and the defaults of the
    /// shell that are not Flume's.
    fn properties(&self, matches: &clap::ArgMatches) -> BTreeMap<String, String>;
    /// Make it from words that its command has parsed. A channel is opened.
    fn part(&self, matches: &clap::ArgMatches) -> anyhow::Result<Part>;
    /// What it does instead of being part of a flow, if the words ask for that.
    fn tool(&self, matches: &clap::ArgMatches) -> anyhow::Result<Option<StageResult>>;
}

/// What the tables make, and how it takes its place in a flow.
pub trait Role: Sized + 'static {
    /// The kind's word.
    const KIND: &'static str;
    /// As a part of a flow; `name` is for messages.
    fn part(spec: &Spec<Self>, matches: &clap::ArgMatches, name: &str) -> anyhow::Result<Part>;
    /// What it does instead, if its settings ask for that.
    fn tool(&self, _name: &str) -> Option<StageResult> {
        None
    }
    /// Its command as a stage.
    fn staged(command: clap::Command) -> clap::Command {
        command
    }
    /// The setting that it has only as a stage.
    fn stage_setting() -> Option<Setting> {
        None
    }
}

impl Role for Source {
    const KIND: &'static str = "source";
    fn part(spec: &Spec<Self>, matches: &clap::ArgMatches, _name: &str) -> anyhow::Result<Part> {
        Ok(Part::Source(spec.from_matches(matches)?))
    }
}

impl Role for Box<dyn Interceptor> {
    const KIND: &'static str = "intercept";
    fn part(spec: &Spec<Self>, matches: &clap::ArgMatches, _name: &str) -> anyhow::Result<Part> {
        Ok(Part::Intercept(spec.from_matches(matches)?))
    }
}

impl Role for Box<dyn ChannelSelector> {
    const KIND: &'static str = "select";
    fn part(spec: &Spec<Self>, matches: &clap::ArgMatches, _name: &str) -> anyhow::Result<Part> {
        branches::fork(spec, matches)
    }
    fn staged(command: clap::Command) -> clap::Command {
        branches::selecting(command)
    }
    fn stage_setting() -> Option<Setting> {
        Some(branches::channels())
    }
}

impl Role for Box<dyn channel::Settings> {
    const KIND: &'static str = "channel";
    fn part(spec: &Spec<Self>, matches: &clap::ArgMatches, name: &str) -> anyhow::Result<Part> {
        let (channel, ends) = spec.from_matches(matches)?.open(name)?;
        Ok(Part::Channel(channel, ends))
    }
    fn tool(&self, name: &str) -> Option<StageResult> {
        channel::Settings::tool(&**self, name)
    }
}

impl Role for Box<dyn SinkProcessor> {
    const KIND: &'static str = "group";
    fn part(spec: &Spec<Self>, matches: &clap::ArgMatches, _name: &str) -> anyhow::Result<Part> {
        branches::group(spec, matches)
    }
    fn staged(command: clap::Command) -> clap::Command {
        branches::grouping(command)
    }
    fn stage_setting() -> Option<Setting> {
        Some(branches::sinks())
    }
}

impl Role for Box<dyn Sink> {
    const KIND: &'static str = "sink";
    fn part(spec: &Spec<Self>, matches: &clap::ArgMatches, _name: &str) -> anyhow::Result<Part> {
        Ok(Part::Sink(spec.from_matches(matches)?))
    }
}

impl<Made: Role> Component for Spec<Made> {
    fn kind(&self) -> &'static str {
        Made::KIND
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }
    fn sentence(&self) -> String {
        Spec::sentence(self)
    }
    fn settings(&self) -> Vec<Setting> {
        let own = Made::stage_setting().into_iter();
        own.chain(Spec::settings(self)).collect()
    }
    fn command(&self) -> clap::Command {
        Made::staged(Spec::command(self))
    }
    fn with_positional(&self, words: &[String]) -> Vec<String> {
        Spec::with_positional(self, words)
    }
    fn properties(&self, matches: &clap::ArgMatches) -> BTreeMap<String, String> {
        Spec::properties(self, matches)
    }
    fn part(&self, matches: &clap::ArgMatches) -> anyhow::Result<Part> {
        Made::part(self, matches, &format!("{} {}", Made::KIND, self.name))
    }
    fn tool(&self, matches: &clap::ArgMatches) -> anyhow::Result<Option<StageResult>> {
        let made = self.from_matches(matches)?;
        Ok(made.tool(&format!("{} {}", Made::KIND, self.name)))
    }
}

/// The components of a kind, in the order of their table.
pub fn table(kind: &str) -> Vec<&'static dyn Component> {
    fn all<Made: Role>(table: &'static [Spec<Made>]) -> Vec<&'static dyn Component> {
        table.iter().map(|spec| spec as &dyn Component).collect()
    }
    match kind {
        "source" => all(source::ALL),
        "intercept" => all(intercept::ALL),
        "select" => all(select::ALL),
        "channel" => all(channel::ALL),
        "group" => all(group::ALL),
        "sink" => all(sink::ALL),
        _ => Vec::new(),
    }
}

/// The component of a kind that has this name or other name, in any case.
pub fn find(kind: &str, name: &str) -> Option<&'static dyn Component> {
    table(kind).into_iter().find(|component| {
        let own = component.name();
        let mut names = std::iter::once(&own).chain(component.aliases());
        names.any(|own| own.eq_ignore_ascii_case(name))
    })
}

/// The names that a kind has.
pub fn names(kind: &str) -> Vec<&'static str> {
    table(kind).iter().map(|component| component.name()).collect()
}

/// The clap command of a component, without the options of its stage.
pub fn command(kind: &str, name: &str) -> Option<clap::Command> {
    find(kind, name).map(|component| component.command())
}

/// Words of a component in which the flag form of its positional setting is put in its place.
pub fn with_positional(kind: &str, name: &str, words: &[String]) -> Vec<String> {
    let moved = find(kind, name).map(|component| component.with_positional(words));
    moved.unwrap_or_else(|| words.to_vec())
}

/// Make a component from words that its command has parsed. A channel is opened.
pub fn part(kind: &str, name: &str, matches: &clap::ArgMatches) -> anyhow::Result<Part> {
    let component = find(kind, name).ok_or_else(|| unknown(kind, name))?;
    component.part(matches)
}

/// The error of a component that is not in its table, with the nearest name.
pub fn unknown(kind: &str, name: &str) -> StageError {
    let externals = externals(kind);
    let known = names(kind);
    let known = known.iter().copied().chain(externals.keys().map(String::as_str));
    let other = super::KINDS.iter().find(|other| find(other, name).is_some());
    let hint = match (nearest(name, known.clone()), other) {
        (Some(near), _) => format!("did you mean \"{near}\"?"),
        (None, Some(other)) => format!("it is {}", noun(other)),
        (None, None) => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
    };
    let noun = noun(kind).trim_start_matches(['a', 'n']).trim_start();
    StageError::Usage(format!("\"{name}\" is no {noun}; {hint}"))
}

/// A kind with its article: "an interceptor".
pub fn noun(kind: &str) -> &'static str {
    match kind {
        "source" => "a source",
        "intercept" => "an interceptor",
        "select" => "a channel selector",
        "channel" => "a channel",
        "group" => "a sink processor",
        _ => "a sink",
    }
}

/// All of a kind that the PATH has and the table has not: names and paths, sorted. Of several with one name
/// the first is the one that runs.
pub fn externals(kind: &str) -> BTreeMap<String, PathBuf> {
    let prefix = format!("flume-{kind}-");
    let mut found = BTreeMap::new();
    if !external::KINDS.contains(&kind) {
        return found;
    }
    let entries = search_path().filter_map(|directory| std::fs::read_dir(directory).ok());
    for entry in entries.flatten().flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|file| file.strip_prefix(&prefix)) else {
            continue;
        };
        if !name.is_empty() && find(kind, name).is_none() && is_executable(&entry.path()) {
            found.entry(name.to_string()).or_insert(entry.path());
        }
    }
    found
}

/// Events that can never be taken, in a file channel of their own.
struct Kept(Arc<FileChannel>);

impl Rejected for Kept {
    fn keep(&mut self, event: &Event) -> Result<(), String> {
        self.0
            .put(&[Batch::single(event)])
            .map_err(|error| error.to_string())
    }
}

/// An executable `flume-KIND-NAME` as a component of a flow, if there is one.
pub fn external_part(kind: &str, name: &str, words: &[String]) -> Option<Part> {
    let path = find_external(kind, name)?;
    let stage = format!("{kind} {name}");
    Some(match kind {
        "source" => Part::Source(Source::Polled(external::source(&stage, path, words))),
        "sink" => Part::Sink(external::sink(&stage, path, words)),
        _ => {
            let (sink, source) = external::middle(&stage, path, words);
            Part::Program(sink, Source::Polled(source))
        }
    })
}

/// The file channel that keeps rejected events.
pub fn rejected(directory: &Path) -> Result<Box<dyn Rejected>, StageError> {
    let config = Config {
        report: Arc::new(|sentence| crate::say::warn("--rejected", sentence)),
        ..Config::new(directory)
    };
    let channel = ends::opened(FileChannel::open(config, FileRole::Put));
    let channel = channel.map_err(|error| error.within("--rejected"))?;
    Ok(Box::new(Kept(channel)))
}

/// With `--durability channel`: put the file channel between what a flow takes in and its standard output.
pub fn add_wal(flow: &mut Flow, writing: &Writing) -> Result<(), StageError> {
    let (Some(wal), "channel") = (&writing.wal, &writing.durability[..]) else {
        return Ok(());
    };
    // A flow that ends in a channel or a sink writes no stream.
    let ends = |part: &Part| {
        matches!(
            part,
            Part::Channel(..) | Part::Sink(_) | Part::Group(_) | Part::Fork(_)
        )
    };
    if flow.parts.last().is_some_and(|(_, part)| ends(part)) {
        return Ok(());
    }
    let config = Config {
        max_bytes: writing.max_wal_size.0,
        report: Arc::new(|sentence| crate::say::warn("--wal", sentence)),
        ..Config::new(wal)
    };
    let channel = ends::opened(FileChannel::open(config, FileRole::Both));
    let channel = channel.map_err(|error| error.within("--wal"))?;
    flow.parts
        .push(("channel file".into(), Part::Channel(channel, Ends::Both)));
    Ok(())
}
