//! The components of an agent to its graph, in Flume's order: channels, sources, sinks, groups. What cannot be
//! made is left out, and then what cannot do without it.

use super::across;
use super::agents::{Agent, Held, Kind, Listed};
use super::entries::Written;
use super::fit::{Known, Site, fit, settings};
use super::known;
use super::report::{Report, hint};
use super::{OF_EVERY_SOURCE, filters, group, selector};
use crate::component::{Spec, find};
use crate::flow::graph::{Definition, Graph, Place, Sink, Source};
use crate::{channel, external, intercept, sink, source};

/// The graph of an agent, if something of it starts.
pub(super) fn assemble(
    mut agent: Agent,
    runs_commands: bool,
    known: &mut Known,
    report: &mut Report,
) -> Option<Graph> {
    report.agent = agent.name.clone();
    let place = agent.place();
    filters::apply(&mut agent, runs_commands, report);
    let channels = agent.take(Kind::Channels, report);
    let sources = agent.take(Kind::Sources, report);
    let sinks = agent.take(Kind::Sinks, report);
    let groups = agent.take(Kind::Groups, report);
    let mut maker = Maker {
        known,
        report,
        graph: Graph {
            name: agent.name.clone(),
            ..Graph::default()
        },
        lost: Vec::new(),
    };
    let has_channels = !channels.is_empty();
    if !has_channels {
        let what = format!("agent {} has no channels: nothing of it starts", agent.name);
        maker.report.error(&place, "", what);
    }
    for listed in channels {
        maker.channel(listed);
    }
    for listed in sources {
        maker.source(listed);
    }
    for listed in sinks {
        maker.sink(listed);
    }
    for listed in groups {
        group::add(listed, &mut maker.graph, maker.known, maker.report);
    }
    let Maker { mut graph, .. } = maker;
    across::leave_out_unused(&mut graph, report);
    across::compare(&graph, known, report);
    let starts = !(graph.channels.is_empty() || graph.sources.is_empty() && graph.sinks.is_empty());
    if !starts && has_channels {
        let what = format!("nothing of agent {} starts", agent.name);
        report.error(&place, "", what);
    }
    report.agent.clear();
    starts.then_some(graph)
}

struct Maker<'a> {
    known: &'a mut Known,
    report: &'a mut Report,
    graph: Graph,
    /// Channels that were left out, for which those that need them are not told that there are none.
    lost: Vec<String>,
}

/// What a type is.
enum Type<Made: 'static> {
    /// A line in a table.
    Ours(&'static Spec<Made>),
    /// An executable on the PATH: what its settings are, it knows itself.
    Program,
}

impl Maker<'_> {
    fn channel(&mut self, mut listed: Listed) {
        let component = format!("channel {}", listed.name);
        let held = std::mem::take(&mut listed.held);
        let made = self.component(channel::ALL, "channel", &component, held, &listed);
        let sound = made.filter(|made| {
            across::is_transaction_within_capacity(made, self.known, self.report)
                && across::is_alone_in_its_directories(made, &self.graph.channels, self.report)
        });
        match sound {
            Some(definition) => self.graph.channels.push(definition),
            None => self.lost.push(listed.name),
        }
    }

    /// A component that has no parts.
    fn component<Made>(
        &mut self,
        table: &'static [Spec<Made>],
        kind: &'static str,
        component: &str,
        mut held: Held,
        listed: &Listed,
    ) -> Option<Definition> {
        let Some(of) = held.remove("type") else {
            let what = format!("type is missing; {}", there_are(table));
            self.report
                .error(first_place(&held, &listed.place), component, what);
            return None;
        };
        // The name of a class of Flume that could set the component otherwise: nobody has one.
        held.remove("config");
        let also: &[&str] = match kind {
            "source" => &[OF_EVERY_SOURCE, &["channels", "selector.type", "interceptors"]].concat(),
            "sink" => &["channel"],
            _ => &[],
        };
        let site = Site {
            component,
            place: &of.place,
            prefix: "",
            also,
            is_lenient: kind == "channel" && is_memory(&of.text),
        };
        Some(Definition {
            name: listed.name.clone(),
            settings: self.settings_of(table, kind, &of, held, &site)?,
            r#type: of.text.clone(),
            place: of.place.clone(),
        })
    }

    /// Settings that fit a type.
    fn settings_of<Made>(
        &mut self,
        table: &'static [Spec<Made>],
        kind: &'static str,
        of: &Written,
        mut held: Held,
        site: &Site<'_>,
    ) -> Option<crate::flow::graph::Settings> {
        match find_type(table, kind, of, site, self.report)? {
            Type::Program => Some(settings(&held)),
            Type::Ours(spec) => {
                if site.is_lenient {
                    leave_out_none(&mut held, site, self.report);
                }
                if (kind, spec.name) == ("channel", "file") {
                    add_directories(&mut held, site.place);
                }
                let agents = take_agents(kind, &mut held, site, self.report);
                let mut held = fit(spec, held, site, self.known, self.report)?;
                held.extend(agents);
                Some(settings(&held))
            }
        }
    }

    fn source(&mut self, mut listed: Listed) {
        let component = format!("source {}", listed.name);
        let mut held = std::mem::take(&mut listed.held);
        let channels = held.remove("channels");
        let chosen = take_family(&mut held, "selector.");
        let interceptors = self.interceptors(&mut held, &component);
        let place = held.get("type").map_or(&listed.place, |of| &of.place).clone();
        let definition = self.component(source::ALL, "source", &component, held, &listed);
        let channels = self.channels(channels.as_ref(), &place, &component);
        let selector = selector::read(
            &listed.name,
            chosen,
            &channels,
            &component,
            self.known,
            self.report,
        );
        if let (Some(definition), Some(interceptors), Some(selector), false) =
            (definition, interceptors, selector, channels.is_empty())
        {
            self.graph.sources.push(Source {
                definition,
                interceptors,
                selector,
                channels,
            });
        }
    }

    /// The channels of a source that there are.
    fn channels(&mut self, list: Option<&Written>, place: &Place, component: &str) -> Vec<String> {
        let mut channels: Vec<String> = Vec::new();
        let Some(list) = list else {
            let what = format!("channels is missing; {}", self.there_are_channels());
            self.report.error(place, component, what);
            return channels;
        };
        for name in list.text.split_whitespace() {
            if channels.iter().any(|own| own == name) {
                let what = format!("channels has \"{name}\" twice");
                self.report.warn(&list.place, component, what);
            } else if self.graph.channel(name).is_some() {
                channels.push(name.to_string());
            } else {
                let what = format!("channels has \"{name}\", {}", self.why_no_channel(name));
                self.report.error(&list.place, component, what);
            }
        }
        channels
    }

    fn there_are_channels(&self) -> String {
        let names: Vec<&str> = self.graph.channels.iter().map(|own| &own.name[..]).collect();
        match names.is_empty() {
            true => "there is no channel".into(),
            false => format!("there are {}", names.join(", ")),
        }
    }

    fn why_no_channel(&self, name: &str) -> String {
        match self.lost.iter().any(|lost| lost == name) {
            true => "a channel that is left out itself".into(),
            false => {
                let names = self.graph.channels.iter().map(|own| &own.name[..]);
                let near = hint(name, names);
                match near.is_empty() {
                    true => format!("which is no channel; {}", self.there_are_channels()),
                    false => format!("which is no channel{near}"),
                }
            }
        }
    }

    fn sink(&mut self, mut listed: Listed) {
        let component = format!("sink {}", listed.name);
        let mut held = std::mem::take(&mut listed.held);
        let channel = held.remove("channel");
        let interceptors = self.interceptors(&mut held, &component);
        let place = held.get("type").map_or(&listed.place, |of| &of.place).clone();
        let definition = self.component(sink::ALL, "sink", &component, held, &listed);
        let channel = match channel {
            None => {
                let what = format!("channel is missing; {}", self.there_are_channels());
                self.report.error(&place, &component, what);
                None
            }
            Some(channel) if self.graph.channel(&channel.text).is_none() => {
                let what = match channel.text.contains(char::is_whitespace) {
                    true => format!("channel is \"{}\"; a sink has one", channel.text),
                    false => format!(
                        "channel is \"{}\", {}",
                        channel.text,
                        self.why_no_channel(&channel.text)
                    ),
                };
                self.report.error(&channel.place, &component, what);
                None
            }
            Some(channel) => Some(channel.text),
        };
        if let (Some(definition), Some(interceptors), Some(channel)) = (definition, interceptors, channel) {
            self.graph.sinks.push(Sink {
                definition,
                interceptors,
                channel,
            });
        }
    }

    /// The chain that a component has; `None` if one of it cannot be made.
    fn interceptors(&mut self, held: &mut Held, component: &str) -> Option<Vec<Definition>> {
        let list = held.remove("interceptors");
        let mut family = take_family(held, "interceptors.");
        let mut chain = Some(Vec::new());
        for name in list.iter().flat_map(|list| list.text.split_whitespace()) {
            let dotted = format!("interceptors.{name}.");
            let own = take_family(&mut family, &dotted);
            let own = own.into_iter().map(|(key, written)| {
                let key = key.strip_prefix(&dotted).unwrap_or(&key).to_string();
                (key, written)
            });
            let place = list.as_ref().map(|list| &list.place);
            let made = self.interceptor(name, own.collect(), place, component);
            match (made, &mut chain) {
                (Some(made), Some(chain)) => chain.push(made),
                _ => chain = None,
            }
        }
        if let Some((key, written)) = family.iter().next() {
            let name = key.split('.').nth(1).unwrap_or(key);
            let names = list
                .as_ref()
                .map_or(Vec::new(), |list| list.text.split_whitespace().collect());
            let what = format!(
                "interceptor {name} is not in interceptors, and is passed over{}",
                hint(name, names)
            );
            self.report.warn(&written.place, component, what);
        }
        chain
    }

    fn interceptor(
        &mut self,
        name: &str,
        mut held: Held,
        listed: Option<&Place>,
        component: &str,
    ) -> Option<Definition> {
        let prefix = format!("interceptors.{name}.");
        let Some(of) = held.remove("type") else {
            let fallback = Place::default();
            let place = first_place(&held, listed.unwrap_or(&fallback)).clone();
            let what = format!("{prefix}type is missing; {}", there_are(intercept::ALL));
            self.report.error(&place, component, what);
            return None;
        };
        let site = Site {
            component,
            place: &of.place,
            prefix: &prefix,
            also: &[],
            is_lenient: false,
        };
        Some(Definition {
            name: name.to_string(),
            settings: self.settings_of(intercept::ALL, "intercept", &of, held, &site)?,
            r#type: of.text.clone(),
            place: of.place.clone(),
        })
    }
}

/// The settings whose names begin so.
pub(super) fn take_family(held: &mut Held, prefix: &str) -> Held {
    let (family, rest) = std::mem::take(held)
        .into_iter()
        .partition(|(key, _)| key.starts_with(prefix));
    *held = rest;
    family
}

fn first_place<'a>(held: &'a Held, other: &'a Place) -> &'a Place {
    let first = held.values().min_by_key(|written| written.place.line);
    first.map_or(other, |written| &written.place)
}

fn there_are<Made>(table: &'static [Spec<Made>]) -> String {
    let names: Vec<_> = table.iter().map(|spec| spec.name).collect();
    format!("there are {}", names.join(", "))
}

fn is_memory(word: &str) -> bool {
    find(channel::ALL, word).is_some_and(|spec| spec.name == "memory")
}

/// The line of a type, or what else it is; told if it is nothing that can run.
fn find_type<Made>(
    table: &'static [Spec<Made>],
    kind: &'static str,
    of: &Written,
    site: &Site<'_>,
    report: &mut Report,
) -> Option<Type<Made>> {
    let word = &of.text;
    if let Some(spec) = find(table, word) {
        return Some(Type::Ours(spec));
    }
    if external::find(kind, word).is_some() {
        return Some(Type::Program);
    }
    let noun = match kind {
        "intercept" => "interceptor",
        noun => noun,
    };
    let what = match known::is_to_come(kind, word) {
        true => format!(
            "{}type is \"{word}\", a {noun} of Flume that is not built yet",
            site.prefix
        ),
        false => {
            let names = table.iter().map(|spec| spec.name).chain(known::names(kind));
            let near = hint(word, names);
            let near = match near.is_empty() {
                true => format!("; {}", there_are(table)),
                false => near,
            };
            format!("{}type is \"{word}\", which is no {noun}{near}", site.prefix)
        }
    };
    report.error(&of.place, site.component, what);
    None
}

/// What the agent and not the source is told, taken out of the source's settings.
fn take_agents(kind: &str, held: &mut Held, site: &Site<'_>, report: &mut Report) -> Held {
    let mut agents = Held::new();
    for key in OF_EVERY_SOURCE.iter().filter(|_| kind == "source") {
        let Some(written) = held.remove(*key) else {
            continue;
        };
        if written.text.parse::<u64>().is_ok() {
            agents.insert(key.to_string(), written);
        } else {
            let what = format!("{key} is \"{}\": that is no number of milliseconds", written.text);
            report.warn(&written.place, site.component, what);
        }
    }
    agents
}

/// Where Flume's file channel is if nobody says so: below the home directory.
fn add_directories(held: &mut Held, place: &Place) {
    if held.contains_key("directory") {
        return;
    }
    let home = std::env::var("HOME").unwrap_or_else(|_| ".".into());
    for (key, last) in [("checkpointDir", "checkpoint"), ("dataDirs", "data")] {
        held.entry(key.to_string()).or_insert_with(|| Written {
            text: format!("{home}/.flume/file-channel/{last}"),
            place: place.clone(),
            ..Written::default()
        });
    }
}

/// Flume's memory channel has 100 places where it is told to have none.
fn leave_out_none(held: &mut Held, site: &Site<'_>, report: &mut Report) {
    for key in ["capacity", "transactionCapacity"] {
        if held.get(key).is_some_and(|written| written.text == "0")
            && let Some(written) = held.remove(key)
        {
            let what = format!("{key} is 0: it counts as 100");
            report.warn(&written.place, site.component, what);
        }
    }
}
