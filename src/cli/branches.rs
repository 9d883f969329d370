//! Selectors and sink processors as stages: what stands in a properties file as the name of a channel or a sink is
//! the rest of a pipeline here, in the words of `flume run`.

use super::{run, words};
use crate::component::{Setting, Spec, quoted};
use crate::exit::StageError;
use crate::flow::{Flow, Fork, Part};
use crate::metrics::{Counters, Kind};
use crate::stage::group::{Grouped, Member};
use crate::stage::{ChannelSelector, SinkProcessor};
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::sync::Arc;

/// Flume's property for the channels of a source, and for the sinks of a group.
pub(super) const CHANNELS: &str = "channels";
pub(super) const SINKS: &str = "sinks";
/// What says where events go that a selector has a case for, by Flume's properties.
const ROUTES: &[&str] = &[
    CHANNELS,
    "selector.mapping.*",
    "selector.default",
    "selector.optional",
    "selector.optional.*",
];

const TO: &str = "The rest of a pipeline that events may go to, in the words of flume run; once for each.";
const TO_SINK: &str = "A sink of the group, in the words of flume run; once for each. They are called k1, k2 ... \
                       unless @NAME stands in front.";

/// The command of a selector as a stage.
pub fn selecting(command: Command) -> Command {
    let is_route = |arg: &Arg| ROUTES.contains(&arg.get_id().as_str());
    command
        .mut_args(
            move |arg| match (is_route(&arg), arg.get_id().as_str().ends_with('*')) {
                (true, true) => arg.action(ArgAction::Append).value_name("VALUE=PIPELINE"),
                (true, false) => arg.action(ArgAction::Append).value_name("PIPELINE"),
                (false, _) => arg,
            },
        )
        .arg(to(CHANNELS, "PIPELINE", TO))
}

/// The command of a sink processor as a stage.
pub fn grouping(command: Command) -> Command {
    command.arg(to(SINKS, "SINK", TO_SINK).required(true))
}

fn to(property: &'static str, value: &'static str, sentence: &str) -> Arg {
    Arg::new(property)
        .long("to")
        .action(ArgAction::Append)
        .value_name(value)
        .help(format!("{sentence} [property: {property}]"))
}

/// The setting that selectors have as stages.
pub fn channels() -> Setting {
    setting(CHANNELS, "PIPELINE", TO, false)
}

/// The setting that sink processors have as stages.
pub fn sinks() -> Setting {
    setting(SINKS, "SINK", TO_SINK, true)
}

fn setting(property: &str, value: &str, sentence: &str, required: bool) -> Setting {
    Setting {
        property: property.into(),
        aliases: Vec::new(),
        flag: Some("to".into()),
        value: Some(value.into()),
        may_stand_alone: false,
        required,
        default: None,
        flumes: None,
        words: Vec::new(),
        is_secret: false,
        is_list: false,
        sentence: sentence.into(),
    }
}

/// One word that says where events go.
pub(super) struct Route {
    /// Its place among the words.
    index: usize,
    /// Flume's property.
    pub property: String,
    /// The flag, for messages.
    pub flag: String,
    /// The rest of a pipeline.
    pub text: String,
}

/// All of them in their order.
pub(super) fn routes(command: &Command, matches: &ArgMatches) -> Vec<Route> {
    let mut all = Vec::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let (true, Some(raw), Some(indices)) =
            (ROUTES.contains(&id), matches.get_raw(id), matches.indices_of(id))
        else {
            continue;
        };
        for (index, word) in indices.zip(raw) {
            let word = word.to_string_lossy();
            let (property, text) = match id.strip_suffix('*') {
                None => (id.to_string(), &*word),
                Some(family) => {
                    let (value, text) = word.split_once('=').unwrap_or(("", &word));
                    (format!("{family}{value}"), text)
                }
            };
            all.push(Route {
                index,
                property,
                flag: format!("--{}", arg.get_long().unwrap_or(id)),
                text: text.to_string(),
            });
        }
    }
    all.sort_by_key(|route| route.index);
    all
}

/// A selector with the flows that it chooses from.
pub fn fork(spec: &Spec<Box<dyn ChannelSelector>>, matches: &ArgMatches) -> anyhow::Result<Part> {
    let command = selecting(spec.command());
    let mut properties = spec.properties(matches);
    properties.retain(|property, _| !is_route(property));
    let mut branches: Vec<(String, Flow)> = Vec::new();
    for route in routes(&command, matches) {
        let name = branch(&route.text, &mut branches)
            .with_context(|| format!("{} \"{}\"", route.flag, route.text))?;
        if route.property != CHANNELS {
            let list: &mut String = properties.entry(route.property).or_default();
            *list = format!("{list} {name}").trim_start().to_string();
        }
    }
    let selector = spec.from_properties(&properties)?;
    Ok(Part::Fork(Fork::to(selector, branches)?))
}

/// The words that send to one channel what a property says, if it does.
pub(super) fn route(property: &str, channel: &str, reference: fn(&str) -> String) -> Vec<String> {
    let channel = reference(channel);
    let named = |family: &str| {
        let value = property.strip_prefix(family)?;
        Some(match quoted(value) {
            plain if plain == value && !channel.starts_with('\'') => format!("{value}={channel}"),
            _ => quoted(&format!("{value}={}", channel.trim_matches('\''))),
        })
    };
    if let Some(word) = named("selector.mapping.") {
        return vec!["--case".into(), word];
    }
    if let Some(word) = named("selector.optional.") {
        return vec!["--optional".into(), word];
    }
    match property {
        "selector.default" => vec!["--default".into(), channel],
        "selector.optional" => vec!["--optional".into(), channel],
        _ => Vec::new(),
    }
}

/// Says this property where events go?
pub(super) fn is_route(property: &str) -> bool {
    ROUTES.iter().any(|route| match route.strip_suffix('*') {
        Some(family) => property.starts_with(family),
        None => property == *route,
    })
}

/// The name of the branch that a text is, which is added unless it only names one that is there.
fn branch(text: &str, branches: &mut Vec<(String, Flow)>) -> anyhow::Result<String> {
    let (name, rest) = named(text);
    match name {
        Some(name) if rest.is_empty() => match branches.iter().any(|(own, _)| own == name) {
            true => Ok(name.to_string()),
            false => Err(StageError::Usage(format!("@{name} is not said before it is used")).into()),
        },
        name => {
            let name = name.map_or_else(|| format!("c{}", branches.len() + 1), str::to_string);
            if branches.iter().any(|(own, _)| *own == name) {
                return Err(StageError::Usage(format!("@{name} is said twice")).into());
            }
            branches.push((name.clone(), run::read_flow(rest)?));
            Ok(name)
        }
    }
}

/// The name in front of a text, and the text.
fn named(text: &str) -> (Option<&str>, &str) {
    let text = text.trim();
    let Some(behind) = text.strip_prefix('@') else {
        return (None, text);
    };
    let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
    (Some(&behind[..end]), behind[end..].trim_start())
}

/// A sink processor with its sinks.
pub fn group(spec: &Spec<Box<dyn SinkProcessor>>, matches: &ArgMatches) -> anyhow::Result<Part> {
    let texts = matches.get_many::<String>(SINKS).unwrap_or_default();
    let mut members = Vec::new();
    for text in texts {
        let (name, rest) = named(text);
        let name = name.map_or_else(|| format!("k{}", members.len() + 1), str::to_string);
        members.push(member(name, rest).with_context(|| format!("--to \"{text}\""))?);
    }
    let mut properties = spec.properties(matches);
    properties.remove(SINKS);
    let processor = spec.from_properties(&properties)?;
    let grouped = Grouped::bind(members, processor).map_err(StageError::Usage)?;
    Ok(Part::Group(grouped))
}

/// What makes a sink.
type MakeSink = Box<dyn FnMut() -> anyhow::Result<Part> + Send>;

fn member(name: String, text: &str) -> anyhow::Result<Member> {
    let mut make = sink(text)?;
    // What is wrong with its settings is found before anything is taken.
    let mut first = Some(make()?);
    Ok(Member {
        counters: Arc::new(Counters::new(Kind::Sink, name.clone())),
        name,
        make: Box::new(move || match first.take().map_or_else(&mut make, Ok) {
            Ok(Part::Sink(sink)) => Ok(sink),
            Ok(_) => Err(StageError::Usage("it is no sink".into())),
            Err(error) => Err(StageError::Failed(format!("{error:#}"))),
        }),
    })
}

fn sink(text: &str) -> anyhow::Result<MakeSink> {
    let stages = words::stages(text).map_err(StageError::Usage)?;
    let [stage] = &stages[..] else {
        return Err(StageError::Usage(format!(
            "it has {} stages: a member of a group is one sink",
            stages.len()
        ))
        .into());
    };
    if stage.first().map(String::as_str) != Some("sink") {
        return Err(StageError::Usage("a member of a group begins with the word sink".into()).into());
    }
    let stage = stage.clone();
    Ok(Box::new(move || Ok(run::read_part(&stage)?.1)))
}
