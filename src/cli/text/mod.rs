//! The language of `flume run` and the graph that it says: pipelines apart by `;`, and `@NAME` in front of a stage
//! names it. A stage that is only `@NAME` is the channel with this name, so pipelines meet there and part there.
//!
//! ```text
//! source avro | @c1 channel memory; source netcat | @c1; @c1 | sink logger; @c1 | sink null
//! ```

mod write;
#[cfg(test)]
pub(crate) mod tests;

pub use write::write;

use super::parts::{self, Component};
use super::{branches, run, words};
use crate::component::PLACE;
use crate::exit::StageError;
use crate::external;
use crate::flow::graph::{Definition, Graph, Group, Place, Settings, Sink, Source, Value};
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};
use words::Stage;

/// Settings that each source has beside its own: how a polled one pauses.
const OF_SOURCES: &[(&str, &str)] = &[
    ("backoff-sleep-increment", "backoffSleepIncrement"),
    ("max-backoff-sleep", "maxBackoffSleep"),
];

/// The text needs a graph: one row of stages, as a flow runs it, does not say it.
pub fn needs_graph(text: &str) -> Result<bool, StageError> {
    let pipelines = words::pipelines(text).map_err(StageError::Usage)?;
    let is_named = |stage: &Stage| stage.words.first().is_some_and(|word| word.starts_with('@'));
    Ok(pipelines.len() > 1 || pipelines.iter().flatten().any(is_named))
}

/// Read a text into the graph that it says, whose settings are Flume's properties: those that are given, and the
/// defaults of the shell that are not Flume's.
pub fn read_graph(text: &str) -> anyhow::Result<Graph> {
    let pipelines = words::pipelines(text).map_err(StageError::Usage)?;
    let mut reader = Reader {
        graph: Graph {
            name: "a1".into(),
            ..Graph::default()
        },
        said: said(text),
    };
    let count = pipelines.len();
    for (index, pipeline) in pipelines.iter().enumerate() {
        let read = reader.pipeline(pipeline).map(drop);
        match count {
            1 => read?,
            _ => read.with_context(|| format!("pipeline {} of {count}", index + 1))?,
        }
    }
    reader.finish()
}

/// Every name that is said anywhere, also inside words: none of them is given to something else.
fn said(text: &str) -> BTreeSet<String> {
    let behind = text.split('@').skip(1);
    let is_part = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    behind
        .map(|rest| rest.chars().take_while(|c| is_part(*c)).collect())
        .collect()
}

fn wrong(what: impl Into<String>) -> anyhow::Error {
    StageError::Usage(what.into()).into()
}

/// What a pipeline has come to.
enum Open {
    Source(Box<Source>),
    Channel(String),
    /// Nothing can follow.
    Ended,
}

struct Reader {
    graph: Graph,
    said: BTreeSet<String>,
}

/// A stage as it was written: the name in front, and its words.
struct Named<'s> {
    name: Option<String>,
    words: &'s [String],
    line: u32,
}

impl<'s> Named<'s> {
    fn of(stage: &'s Stage) -> anyhow::Result<Named<'s>> {
        let (name, words) = match stage.words.split_first() {
            Some((first, rest)) if first.starts_with('@') => (Some(first[1..].to_string()), rest),
            _ => (None, &stage.words[..]),
        };
        if name.as_ref().is_some_and(String::is_empty) {
            return Err(wrong("\"@\" stands alone: a name belongs behind it"));
        }
        Ok(Named {
            name,
            words,
            line: stage.line,
        })
    }

    fn kind(&self) -> &str {
        match self.words {
            [first, kind, ..] if first == "flume" => kind,
            [kind, ..] => kind,
            [] => "",
        }
    }

    fn place(&self) -> Place {
        Place {
            text: Some("pipeline".into()),
            line: self.line,
        }
    }
}

impl Reader {
    /// Read the stages of one pipeline: the channel that it begins with, if it does.
    fn pipeline(&mut self, stages: &[Stage]) -> anyhow::Result<Option<String>> {
        let mut begun: Option<Open> = None;
        let mut first_channel = None;
        let mut interceptors = Vec::new();
        for (index, stage) in stages.iter().enumerate() {
            let named = Named::of(stage)?;
            let shown = stage.words.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
            let next = self
                .stage(&named, begun.take(), &mut interceptors)
                .with_context(|| format!("stage {} of {}, {shown}", index + 1, stages.len()))?;
            if let (0, Open::Channel(name)) = (index, &next) {
                first_channel = Some(name.clone());
            }
            begun = Some(next);
        }
        match begun {
            Some(Open::Source(source)) => Err(wrong(format!(
                "source {} goes nowhere: a channel or a selector belongs behind it",
                source.definition.name
            ))),
            Some(Open::Channel(name)) if !interceptors.is_empty() => Err(wrong(format!(
                "a sink is missing behind the interceptors of channel {name}"
            ))),
            _ => Ok(first_channel),
        }
    }

    fn stage(
        &mut self,
        named: &Named<'_>,
        open: Option<Open>,
        interceptors: &mut Vec<Definition>,
    ) -> anyhow::Result<Open> {
        if let (Some(name), true) = (&named.name, named.words.is_empty()) {
            return self.channel(name.clone(), open, interceptors);
        }
        match (named.kind(), open) {
            (_, Some(Open::Ended)) => Err(wrong("nothing can stand behind the last stage")),
            ("source", None) => {
                let name = self.name(named, "r", |graph, name| {
                    graph.sources.iter().any(|source| source.definition.name == name)
                })?;
                let definition = self.definition(named, name)?;
                Ok(Open::Source(Box::new(Source {
                    definition,
                    ..Source::default()
                })))
            }
            ("source", Some(_)) => Err(wrong("a source stands first")),
            ("channel", open) => {
                let name = self.name(named, "c", |graph, name| graph.channel(name).is_some())?;
                let definition = self.definition(named, name.clone())?;
                let ends = ["put", "take", "until-empty"];
                if let Some(end) = ends.iter().find(|end| definition.settings.contains_key(**end)) {
                    return Err(wrong(format!(
                        "--{end}: of a channel in a graph both ends are used"
                    )));
                }
                self.graph.channels.push(definition);
                self.channel(name, open, interceptors)
            }
            ("intercept", Some(open)) => {
                let name = named.name.clone();
                let name = name.unwrap_or_else(|| format!("i{}", interceptors.len() + 1));
                if interceptors.iter().any(|other| other.name == name) {
                    return Err(wrong(format!("@{name} is said twice")));
                }
                interceptors.push(self.definition(named, name)?);
                Ok(open)
            }
            ("select", Some(Open::Source(source))) => self.select(named, *source, interceptors),
            ("select", _) => Err(wrong("in a graph a selector stands behind a source")),
            ("sink", Some(Open::Channel(channel))) => {
                let sink = self.sink(named, channel, std::mem::take(interceptors))?;
                self.graph.sinks.push(sink);
                Ok(Open::Ended)
            }
            ("group", Some(Open::Channel(channel))) => self.group(named, channel, interceptors),
            (kind @ ("sink" | "group" | "intercept"), None) => Err(wrong(format!(
                "{kind} cannot stand first: in front of it stands a source or @NAME of a channel"
            ))),
            (kind @ ("sink" | "group"), Some(Open::Source(_))) => Err(wrong(format!(
                "in a graph a channel stands between a source and a {kind}: add \"| channel memory\""
            ))),
            // What is no kind at all is told as in any pipeline.
            _ => run::read_part(named.words).and_then(|_| Err(wrong("it cannot stand there"))),
        }
    }

    /// The name of a stage: the one said, or the next one that is free.
    fn name(
        &self,
        named: &Named<'_>,
        letter: &str,
        is_taken: impl Fn(&Graph, &str) -> bool,
    ) -> anyhow::Result<String> {
        let Some(name) = &named.name else {
            let mut free = (1..).map(|number| format!("{letter}{number}"));
            let found = free.find(|name| !self.said.contains(name) && !is_taken(&self.graph, name));
            return found.ok_or_else(|| wrong("no name is left"));
        };
        match is_taken(&self.graph, name) {
            true => Err(wrong(format!("@{name} is said twice"))),
            false => Ok(name.clone()),
        }
    }

    /// A channel, defined or only named: what comes before it puts there.
    fn channel(
        &mut self,
        name: String,
        open: Option<Open>,
        interceptors: &mut Vec<Definition>,
    ) -> anyhow::Result<Open> {
        match open {
            None => {}
            Some(Open::Source(mut source)) => {
                source.channels = vec![name.clone()];
                source.selector = Definition {
                    name: source.definition.name.clone(),
                    r#type: "replicating".into(),
                    ..Definition::default()
                };
                source.interceptors = std::mem::take(interceptors);
                self.graph.sources.push(*source);
            }
            Some(Open::Channel(other)) => {
                return Err(wrong(format!(
                    "channel {name} stands behind channel {other}: in a graph a sink and a source join them"
                )));
            }
            Some(Open::Ended) => return Err(wrong("nothing can stand behind the last stage")),
        }
        Ok(Open::Channel(name))
    }

    fn definition(&self, named: &Named<'_>, name: String) -> anyhow::Result<Definition> {
        let (kind, r#type, rest) = run::component_words(named.words)?;
        let mut settings = BTreeMap::new();
        let mut rest = rest.to_vec();
        if kind == "source" {
            take_pauses(&mut rest, &mut settings);
        }
        settings.extend(match parts::find(kind, r#type) {
            Some(component) => component.properties(&matches_of(component, &rest)?),
            None => flags_of_program(kind, r#type, &rest)?,
        });
        Ok(Definition {
            name,
            r#type: r#type.to_string(),
            settings: valued(settings, &named.place()),
            place: named.place(),
        })
    }

    fn sink(
        &mut self,
        named: &Named<'_>,
        channel: String,
        interceptors: Vec<Definition>,
    ) -> anyhow::Result<Sink> {
        let name = self.name(named, "k", |graph, name| graph.sink(name).is_some())?;
        Ok(Sink {
            definition: self.definition(named, name)?,
            interceptors,
            channel,
        })
    }

    fn select(
        &mut self,
        named: &Named<'_>,
        mut source: Source,
        interceptors: &mut Vec<Definition>,
    ) -> anyhow::Result<Open> {
        let (kind, r#type, rest) = run::component_words(named.words)?;
        let component = parts::find(kind, r#type).ok_or_else(|| parts::unknown(kind, r#type))?;
        let matches = matches_of(component, rest)?;
        let mut settings = component.properties(&matches);
        settings.retain(|property, _| !branches::is_route(property));
        // The source stands in front of what its selector says.
        source.interceptors = std::mem::take(interceptors);
        let place = self.graph.sources.len();
        self.graph.sources.push(source);
        let mut channels: Vec<String> = Vec::new();
        for route in branches::routes(&component.command(), &matches) {
            let channel = self
                .branch(&route.text)
                .with_context(|| format!("{} \"{}\"", route.flag, route.text))?;
            if !channels.contains(&channel) {
                channels.push(channel.clone());
            }
            if route.property != branches::CHANNELS {
                let list: &mut String = settings.entry(route.property).or_default();
                *list = format!("{list} {channel}").trim_start().to_string();
            }
        }
        let source = &mut self.graph.sources[place];
        source.selector = Definition {
            name: source.definition.name.clone(),
            r#type: r#type.to_string(),
            settings: valued(settings, &named.place()),
            place: named.place(),
        };
        source.channels = channels;
        Ok(Open::Ended)
    }

    /// Where a selector sends: the channel that the text begins with.
    fn branch(&mut self, text: &str) -> anyhow::Result<String> {
        let pipelines = words::pipelines(text).map_err(StageError::Usage)?;
        let [pipeline] = &pipelines[..] else {
            return Err(wrong("one pipeline belongs there"));
        };
        let first = self.pipeline(pipeline)?;
        first.ok_or_else(|| wrong("it begins with no channel: in a graph a selector chooses among channels"))
    }

    fn group(
        &mut self,
        named: &Named<'_>,
        channel: String,
        interceptors: &mut Vec<Definition>,
    ) -> anyhow::Result<Open> {
        let (kind, r#type, rest) = run::component_words(named.words)?;
        let component = parts::find(kind, r#type).ok_or_else(|| parts::unknown(kind, r#type))?;
        let matches = matches_of(component, rest)?;
        let mut settings = component.properties(&matches);
        settings.remove(branches::SINKS);
        let name = self.name(named, "g", |graph, name| {
            graph.groups.iter().any(|group| group.name == name)
        })?;
        let mut sinks = Vec::new();
        for text in matches.get_many::<String>(branches::SINKS).unwrap_or_default() {
            let member = self
                .member(text, &channel, std::mem::take(interceptors))
                .with_context(|| format!("--to \"{text}\""))?;
            sinks.push(member);
        }
        self.graph.groups.push(Group {
            processor: Definition {
                name: name.clone(),
                r#type: r#type.to_string(),
                settings: valued(settings, &named.place()),
                place: named.place(),
            },
            name,
            sinks,
        });
        Ok(Open::Ended)
    }

    fn member(&mut self, text: &str, channel: &str, interceptors: Vec<Definition>) -> anyhow::Result<String> {
        let pipelines = words::pipelines(text).map_err(StageError::Usage)?;
        let stages: Vec<&Stage> = pipelines.iter().flatten().collect();
        let [stage] = stages[..] else {
            return Err(wrong("a member of a group is one sink"));
        };
        let named = Named::of(stage)?;
        if named.kind() != "sink" {
            return Err(wrong("a member of a group begins with the word sink"));
        }
        let sink = self.sink(&named, channel.to_string(), interceptors)?;
        let name = sink.definition.name.clone();
        self.graph.sinks.push(sink);
        Ok(name)
    }

    /// Every channel that is named is there.
    fn finish(self) -> anyhow::Result<Graph> {
        let graph = self.graph;
        let put = graph.sources.iter().flat_map(|source| &source.channels);
        let taken = graph.sinks.iter().map(|sink| &sink.channel);
        if let Some(missing) = put.chain(taken).find(|name| graph.channel(name).is_none()) {
            return Err(wrong(format!(
                "@{missing} is no channel: \"@{missing} channel memory\" would make it one"
            )));
        }
        Ok(graph)
    }
}

fn matches_of(component: &dyn Component, words: &[String]) -> Result<clap::ArgMatches, clap::Error> {
    let moved = component.with_positional(words);
    let bin = format!("{} {}", component.kind(), component.name());
    let command = component.command().bin_name(bin).no_binary_name(true);
    command.try_get_matches_from(moved)
}

/// Settings that the component itself does not know.
fn take_pauses(words: &mut Vec<String>, settings: &mut BTreeMap<String, String>) {
    for (flag, property) in OF_SOURCES {
        let (flag, with_value) = (format!("--{flag}"), format!("--{flag}="));
        while let Some(at) = words
            .iter()
            .take_while(|word| *word != "--")
            .position(|word| *word == flag || word.starts_with(&with_value))
        {
            let word = words.remove(at);
            let value = match word.strip_prefix(&with_value) {
                Some(value) => value.to_string(),
                None if at < words.len() => words.remove(at),
                None => String::new(),
            };
            settings.insert(property.to_string(), value);
        }
    }
}

/// The settings of an executable on the PATH: what its flags say.
fn flags_of_program(kind: &str, name: &str, words: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    if external::find(kind, name).is_none() {
        return Err(parts::unknown(kind, name).into());
    }
    let flag = |word: &String| {
        let (key, value) = word.strip_prefix("--")?.split_once('=')?;
        Some((key.to_string(), value.to_string()))
    };
    let all = words.iter().map(|word| {
        flag(word).ok_or_else(|| {
            wrong(format!(
                "\"{word}\": settings of a program are --KEY=VALUE in a graph"
            ))
        })
    });
    all.collect()
}

fn valued(settings: BTreeMap<String, String>, place: &Place) -> Settings {
    let all = settings.into_iter().map(|(key, text)| {
        let place = place.clone();
        (key, Value { text, place })
    });
    all.collect()
}

/// A secret that says where it is, as a word of a text.
fn secret_word(text: &str) -> Option<&str> {
    text.strip_prefix(PLACE)
}
