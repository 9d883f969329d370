//! A graph as text of `flume run`: only what differs from the defaults of the shell.

use super::{OF_SOURCES, secret_word};
use crate::cli::branches;
use crate::cli::parts;
use crate::component::{Setting, flag_of, quoted, unquoted};
use crate::flow::graph::{Definition, Graph, Group, Sink, Source};
use crate::value::flume_bool;

/// What stands for a secret that is known only itself: it is never printed.
const SECRET: &str = "file:SECRET";

/// Write a graph as text. One that is a single row of stages with the names that these get by themselves has no names
/// in it.
pub fn write(graph: &Graph) -> String {
    match row(graph) {
        Some(row) => row,
        None => named(graph),
    }
}

/// Source, channel and sink in a row.
fn row(graph: &Graph) -> Option<String> {
    let ([source], [channel], [sink], []) = (
        &graph.sources[..],
        &graph.channels[..],
        &graph.sinks[..],
        &graph.groups[..],
    ) else {
        return None;
    };
    let is_row = source.channels == [channel.name.clone()]
        && sink.channel == channel.name
        && is_plain(source)
        && source.definition.name == "r1"
        && channel.name == "c1"
        && sink.definition.name == "k1";
    if !is_row {
        return None;
    }
    let mut stages = vec![stage("source", &source.definition)];
    stages.extend(interceptors(&source.interceptors));
    stages.push(stage("channel", channel));
    stages.extend(interceptors(&sink.interceptors));
    stages.push(stage("sink", &sink.definition));
    Some(stages.join(" | "))
}

fn named(graph: &Graph) -> String {
    let channels = graph.channels.iter();
    let channels = channels.map(|channel| with_name(&channel.name, stage("channel", channel)));
    let sources = graph.sources.iter().map(from_source);
    let sinks = graph
        .sinks
        .iter()
        .filter_map(|sink| match graph.group_of(&sink.definition.name) {
            None => Some(to_sink(sink)),
            // It stands where its first sink does.
            Some(group) if group.sinks.first() == Some(&sink.definition.name) => Some(to_group(graph, group)),
            Some(_) => None,
        });
    let all: Vec<_> = channels.chain(sources).chain(sinks).collect();
    all.join(";\n")
}

fn reference(name: &str) -> String {
    match quoted(name) {
        plain if plain == name => format!("@{name}"),
        _ => quoted(&format!("@{name}")),
    }
}

fn with_name(name: &str, stage: String) -> String {
    format!("{} {stage}", reference(name))
}

/// All that it takes in goes to its one channel.
fn is_plain(source: &Source) -> bool {
    let selector = &source.selector;
    let is_default = selector.r#type.is_empty()
        || parts::find("select", &selector.r#type).is_some_and(|found| found.name() == "replicating");
    is_default && selector.settings.is_empty() && source.channels.len() == 1
}

fn from_source(source: &Source) -> String {
    let mut stages = vec![with_name(
        &source.definition.name,
        stage("source", &source.definition),
    )];
    stages.extend(interceptors(&source.interceptors));
    stages.push(match is_plain(source) {
        true => reference(&source.channels[0]),
        false => select(source),
    });
    stages.join(" | ")
}

fn to_sink(sink: &Sink) -> String {
    let mut stages = vec![reference(&sink.channel)];
    stages.extend(interceptors(&sink.interceptors));
    stages.push(with_name(&sink.definition.name, stage("sink", &sink.definition)));
    stages.join(" | ")
}

fn to_group(graph: &Graph, group: &Group) -> String {
    let members: Vec<_> = group.sinks.iter().filter_map(|name| graph.sink(name)).collect();
    let mut stages = Vec::new();
    if let Some(first) = members.first() {
        stages.push(reference(&first.channel));
        stages.extend(interceptors(&first.interceptors));
    }
    let mut words = head("group", &group.processor);
    for member in members {
        let definition = &member.definition;
        words.push("--to".into());
        words.push(quoted(&with_name(&definition.name, stage("sink", definition))));
    }
    words.extend(settings("group", &group.processor));
    stages.push(with_name(&group.name, words.join(" ")));
    stages.join(" | ")
}

/// Their names only where they are not the ones that they get by their place.
fn interceptors(all: &[Definition]) -> impl Iterator<Item = String> {
    all.iter().enumerate().map(|(at, definition)| {
        let stage = stage("intercept", definition);
        match definition.name == format!("i{}", at + 1) {
            true => stage,
            false => with_name(&definition.name, stage),
        }
    })
}

fn select(source: &Source) -> String {
    let selector = &source.selector;
    let mut words = head("select", selector);
    words.extend(settings("select", selector));
    for channel in &source.channels {
        words.extend(["--to".into(), reference(channel)]);
    }
    for (property, value) in &selector.settings {
        for channel in value.text.split_whitespace() {
            words.extend(branches::route(property, channel, reference));
        }
    }
    words.join(" ")
}

fn head(kind: &str, definition: &Definition) -> Vec<String> {
    let found = parts::find(kind, &definition.r#type);
    let name = found.map_or_else(
        || quoted(&definition.r#type),
        |component| component.name().to_string(),
    );
    let name = match name.is_empty() {
        true => "replicating".into(),
        false => name,
    };
    vec![kind.to_string(), name]
}

/// A stage without its name.
fn stage(kind: &str, definition: &Definition) -> String {
    let mut words = head(kind, definition);
    words.extend(settings(kind, definition));
    words.join(" ")
}

fn settings(kind: &str, definition: &Definition) -> Vec<String> {
    let given = definition.properties();
    let Some(component) = parts::find(kind, &definition.r#type) else {
        let flags = given.iter().map(|(key, value)| format!("--{key}={value}"));
        return flags.map(|flag| valued(&flag)).collect();
    };
    let known = component.settings();
    let mut words = Vec::new();
    for setting in &known {
        let property = &setting.property;
        if branches::is_route(property) || property == branches::SINKS {
            continue;
        }
        let Some(family) = property.strip_suffix('*') else {
            let value = given.get(property).or(setting.flumes.as_ref());
            let value = value.filter(|value| Some(*value) != setting.default.as_ref());
            words.extend(value.into_iter().flat_map(|value| one(setting, value)));
            continue;
        };
        for (key, value) in &given {
            let is_own = known.iter().any(|other| other.property == *key);
            if let (Some(name), false) = (key.strip_prefix(family), is_own) {
                let flag = setting.flag.clone().unwrap_or_else(|| flag_of(property));
                words.extend([format!("--{flag}"), valued(&format!("{name}={value}"))]);
            }
        }
    }
    if kind == "source" {
        for (flag, property) in OF_SOURCES {
            words.extend(
                given
                    .get(*property)
                    .map(|value| format!("--{flag}={}", valued(value))),
            );
        }
    }
    words
}

/// A setting as words.
fn one(setting: &Setting, value: &str) -> Vec<String> {
    let own = match (setting.is_secret, secret_word(value)) {
        (false, _) => value,
        (true, Some(place)) => place,
        (true, None) => SECRET,
    };
    let flag = setting.flag.clone().unwrap_or_else(|| flag_of(&setting.property));
    match setting.value.as_deref() {
        None => match flume_bool(own) {
            true => vec![format!("--{flag}")],
            false => Vec::new(),
        },
        Some("true|false") => vec![format!("--{flag}={}", flume_bool(own))],
        _ if setting.is_list => list(&flag, &unquoted(own).collect::<Vec<_>>()),
        _ if setting.may_stand_alone || own.is_empty() || own.starts_with('-') => {
            vec![format!("--{flag}={}", quoted_behind(own))]
        }
        _ if setting.flag.is_none() => vec![valued(own)],
        _ => vec![format!("--{flag}"), valued(own)],
    }
}

/// Words that stand without a flag, or with theirs where one alone looks like a flag.
fn list(flag: &str, words: &[String]) -> Vec<String> {
    match words {
        [word] if word.is_empty() || word.starts_with('-') => {
            vec![format!("--{flag}={}", quoted_behind(word))]
        }
        words => words.iter().map(|word| valued(word)).collect(),
    }
}

/// A value behind a `=`.
fn quoted_behind(value: &str) -> String {
    match value {
        "" => String::new(),
        value => valued(value),
    }
}

/// A value as a word. What looks like a name in it is none: the reader gives no name that is said anywhere.
fn valued(value: &str) -> String {
    quoted(value).replace('@', "@''")
}
