//! A graph: what is to run, as data. The properties of an agent and the text of a pipeline are both read into
//! one, which is checked, started, compared with the one that runs, and printed in either spelling.
//!
//! ```text
//!     source r1: interceptors, selector ---> channel c1 ---> sink k1
//!                                      \---> channel c2 ---> group g1: sink k2, sink k3
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Components by name and how they are joined. The order is that of their lists where they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// The agent's name.
    pub name: String,
    /// What takes events in.
    pub sources: Vec<Source>,
    /// What holds them.
    pub channels: Vec<Definition>,
    /// What takes them away.
    pub sinks: Vec<Sink>,
    /// Sinks that stand for each other.
    pub groups: Vec<Group>,
}

/// Where something was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// A file or another name of the text; `None` for what nobody wrote, such as a default.
    pub text: Option<Arc<str>>,
    /// The line in it, from 1; 0 if it has none.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.text, self.line) {
            (None, _) => Ok(()),
            (Some(text), 0) => out.write_str(text),
            (Some(text), line) => write!(out, "{text}:{line}"),
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    /// The text, with nothing left to be replaced in it.
    pub text: String,
    /// Where.
    pub place: Place,
}

/// Flume's properties of one component, by their names behind the component's own: `port`, `hdfs.path`,
/// `selector.mapping.CZ`.
pub type Settings = BTreeMap<String, Value>;

/// One component: what it is and how it is set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definition {
    /// Its name in the agent, such as `r1`.
    pub name: String,
    /// Its type, as it was written: a word of ours, an alias of Flume or a Java class.
    pub r#type: String,
    /// Everything else that is its own. No `type`, no `channels`, nothing of its interceptors.
    pub settings: Settings,
    /// Where its type was written.
    pub place: Place,
}

/// A source and what its events go through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Source {
    /// The source itself.
    pub definition: Definition,
    /// In their order.
    pub interceptors: Vec<Definition>,
    /// What says which channels get an event; its settings begin with `selector.`.
    pub selector: Definition,
    /// All channels that it can put into, in the order in which they were written.
    pub channels: Vec<String>,
}

/// A sink and where it takes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sink {
    /// The sink itself.
    pub definition: Definition,
    /// Between the channel and the sink, which Flume does not have.
    pub interceptors: Vec<Definition>,
    /// The channel's name.
    pub channel: String,
}

/// A sink group. Its members take from the channel of the first one of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// Its name, such as `g1`.
    pub name: String,
    /// Names of its sinks.
    pub sinks: Vec<String>,
    /// What says which sink gets a batch; its settings begin with `processor.`, its name is the group's.
    pub processor: Definition,
}

impl Definition {
    /// The settings without their places, as [`crate::component::Spec::from_properties`] takes them.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let plain = self.settings.iter();
        plain
            .map(|(key, value)| (key.clone(), value.text.clone()))
            .collect()
    }

    /// Says the same, wherever that was written.
    pub fn says_the_same(&self, other: &Definition) -> bool {
        self.name == other.name
            && self.r#type.eq_ignore_ascii_case(&other.r#type)
            && self.properties() == other.properties()
    }
}

fn all_say_the_same(one: &[Definition], other: &[Definition]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.says_the_same(other))
}

impl Source {
    /// Says the same, wherever that was written.
    pub fn says_the_same(&self, other: &Source) -> bool {
        self.definition.says_the_same(&other.definition)
            && all_say_the_same(&self.interceptors, &other.interceptors)
            && self.selector.says_the_same(&other.selector)
            && self.channels == other.channels
    }
}

impl Sink {
    /// Says the same, wherever that was written.
    pub fn says_the_same(&self, other: &Sink) -> bool {
        self.definition.says_the_same(&other.definition)
            && all_say_the_same(&self.interceptors, &other.interceptors)
            && self.channel == other.channel
    }
}

impl Group {
    /// Says the same, wherever that was written; its sinks are not looked at.
    pub fn says_the_same(&self, other: &Group) -> bool {
        self.processor.says_the_same(&other.processor) && self.sinks == other.sinks
    }
}

impl Graph {
    /// The group that a sink belongs to.
    pub fn group_of(&self, sink: &str) -> Option<&Group> {
        self.groups
            .iter()
            .find(|group| group.sinks.iter().any(|member| member == sink))
    }

    /// The sink with this name.
    pub fn sink(&self, name: &str) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.definition.name == name)
    }

    /// The channel with this name.
    pub fn channel(&self, name: &str) -> Option<&Definition> {
        self.channels.iter().find(|channel| channel.name == name)
    }
}
