//! Entries to agents: which component of which agent a key belongs to.

use super::entries::{Entry, Written};
use super::report::{Report, hint};
use crate::flow::graph::Place;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The five lists that an agent can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Sources,
    Channels,
    Sinks,
    Groups,
    Filters,
}

impl Kind {
    pub const ALL: [Kind; 5] = [
        Kind::Sources,
        Kind::Channels,
        Kind::Sinks,
        Kind::Groups,
        Kind::Filters,
    ];

    /// As it stands in a key.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Sources => "sources",
            Kind::Channels => "channels",
            Kind::Sinks => "sinks",
            Kind::Groups => "sinkgroups",
            Kind::Filters => "configfilters",
        }
    }

    /// One of them, for messages.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Sources => "source",
            Kind::Channels => "channel",
            Kind::Sinks => "sink",
            Kind::Groups => "group",
            Kind::Filters => "filter",
        }
    }
}

/// The settings of a component by their names behind its own.
pub(super) type Held = BTreeMap<String, Written>;

/// What is written about an agent.
#[derive(Debug, Default)]
pub(super) struct Agent {
    pub name: String,
    lists: HashMap<Kind, Written>,
    parts: BTreeMap<(Kind, String), Held>,
}

/// A component in a list.
pub(super) struct Listed {
    pub name: String,
    pub place: Place,
    pub held: Held,
}

/// Agents in the order in which they come first. What belongs to none is told.
/// `referred` are keys that others refer to: they are for something wherever they stand.
pub(super) fn sort(entries: Vec<Entry>, referred: &HashSet<String>, report: &mut Report) -> Vec<Agent> {
    let mut agents: Vec<Agent> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut strays = Vec::new();
    for entry in entries {
        let Some((name, rest)) = entry.key.split_once('.').filter(|(name, _)| !name.is_empty()) else {
            if referred.contains(&entry.key) {
                continue;
            }
            let what = format!(
                "\"{}\" belongs to no agent; a key is AGENT.KIND.NAME.PROPERTY",
                entry.key
            );
            report.unknown(&entry.written.place, "", what);
            continue;
        };
        let Some(address) = address(rest) else {
            if referred.contains(&entry.key) {
                continue;
            }
            strays.push((name.to_string(), rest.to_string(), entry.written));
            continue;
        };
        let at = *by_name.entry(name.to_string()).or_insert_with(|| {
            agents.push(Agent {
                name: name.to_string(),
                ..Agent::default()
            });
            agents.len() - 1
        });
        agents[at].put(address, entry.written);
    }
    for (name, rest, written) in strays {
        let own = by_name.contains_key(&name);
        report.agent = if own { name.clone() } else { String::new() };
        report.unknown(&written.place, "", stray(&name, &rest));
    }
    report.agent.clear();
    tell_likely_misspelt(&agents, report);
    // What lists nothing is no agent where there is a real one.
    if agents.iter().any(|agent| !agent.lists.is_empty()) {
        agents.retain(|agent| !agent.lists.is_empty());
    }
    agents
}

/// An agent that lists nothing is hardly one if its name is nearly that of one that does.
fn tell_likely_misspelt(agents: &[Agent], report: &mut Report) {
    let (full, bare): (Vec<_>, Vec<_>) = agents.iter().partition(|agent| !agent.lists.is_empty());
    for agent in bare {
        let near = hint(&agent.name, full.iter().map(|agent| &agent.name[..]));
        let first = agent
            .parts
            .values()
            .flat_map(BTreeMap::values)
            .min_by_key(|w| w.place.line);
        if let (false, Some(first)) = (near.is_empty(), first) {
            let what = format!("agent \"{}\" has no list of components{near}", agent.name);
            report.unknown(&first.place, "", what);
        }
    }
}

/// What a key says behind the agent's name.
enum Address<'a> {
    List(Kind),
    Setting(Kind, &'a str, &'a str),
}

fn address(rest: &str) -> Option<Address<'_>> {
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == rest) {
        return Some(Address::List(kind));
    }
    let (word, rest) = rest.split_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
    let (name, key) = rest.split_once('.')?;
    let is_whole = !name.is_empty() && !key.is_empty();
    is_whole.then_some(Address::Setting(kind, name, key))
}

/// Why a key has no address.
fn stray(agent: &str, rest: &str) -> String {
    let word = rest.split('.').next().unwrap_or(rest);
    let words = Kind::ALL.map(Kind::word);
    if word.is_empty() {
        return format!("\"{agent}.{rest}\" has no kind; there are {}", words.join(", "));
    }
    match words.contains(&word) {
        true => format!("\"{agent}.{rest}\" has no property; it is {agent}.{word}.NAME.PROPERTY"),
        false => {
            let near = hint(word, words);
            let there_are = match near.is_empty() {
                true => format!("; there are {}", words.join(", ")),
                false => near,
            };
            format!("\"{word}\" in {agent}.{rest} is no kind of component{there_are}")
        }
    }
}

impl Agent {
    fn put(&mut self, address: Address<'_>, written: Written) {
        match address {
            Address::List(kind) => {
                self.lists.insert(kind, written);
            }
            Address::Setting(kind, name, key) => {
                let held = self.parts.entry((kind, name.to_string())).or_default();
                held.insert(key.to_string(), written);
            }
        }
    }

    /// Where an agent without any list has its first word.
    pub fn place(&self) -> Place {
        let lists = self.lists.values();
        let all = lists.chain(self.parts.values().flat_map(BTreeMap::values));
        let first = all.min_by_key(|written| written.place.line);
        first.map(|written| written.place.clone()).unwrap_or_default()
    }

    /// The components of a list, in its order, each once. One that is listed and has no property is told and
    /// left out; so is one that has properties and is not listed.
    pub fn take(&mut self, kind: Kind, report: &mut Report) -> Vec<Listed> {
        let list = self.lists.remove(&kind);
        let mut components: Vec<Listed> = Vec::new();
        let mut bare = Vec::new();
        if let Some(list) = &list {
            for name in list.text.split_whitespace() {
                match self.parts.remove(&(kind, name.to_string())) {
                    Some(held) => components.push(Listed {
                        name: name.to_string(),
                        place: list.place.clone(),
                        held,
                    }),
                    None if components.iter().any(|listed| listed.name == name) => {
                        let what = format!("\"{name}\" is listed twice");
                        report.warn(&list.place, &format!("{} {name}", kind.noun()), what);
                    }
                    None => bare.push(name.to_string()),
                }
            }
        }
        let unlisted = self.take_rest(kind);
        if let Some(list) = &list {
            for name in &bare {
                let near = hint(name, unlisted.iter().map(|(name, _)| &name[..]));
                let what = format!("is listed and has no property{near}");
                report.error(&list.place, &format!("{} {name}", kind.noun()), what);
            }
        }
        for (name, held) in unlisted {
            let near = hint(&name, bare.iter().map(String::as_str));
            let what = format!(
                "is not in {}.{}, and is passed over{near}",
                self.name,
                kind.word()
            );
            if let Some(first) = held.values().min_by_key(|written| written.place.line) {
                report.warn(&first.place, &format!("{} {name}", kind.noun()), what);
            }
        }
        components
    }

    /// Every value of its components, which may be replaced: component, property, value.
    pub fn each_value(&mut self, mut look: impl FnMut(&str, &str, &mut Written)) {
        for ((kind, name), held) in &mut self.parts {
            let component = format!("{} {name}", kind.noun());
            for (key, written) in held {
                look(&component, key, written);
            }
        }
    }

    fn take_rest(&mut self, kind: Kind) -> Vec<(String, Held)> {
        let (own, others) = std::mem::take(&mut self.parts)
            .into_iter()
            .partition(|((of, _), _)| *of == kind);
        self.parts = others;
        let own: BTreeMap<(Kind, String), Held> = own;
        own.into_iter().map(|((_, name), held)| (name, held)).collect()
    }
}
