//! The properties of an agent, in Apache Flume's own form: read into a [`Graph`], with everything that is wrong
//! with them.
//!
//! ```text
//!     texts -> entries, with their places -> agents -> components -> graph
//!                       \-> problems <-/---------/--------/
//! ```
//!
//! What starts when something is wrong is what Flume starts, in its order: a component that is wrong is left
//! out, and then what cannot do without it. Two things differ, on purpose: a type that nobody knows costs its
//! component and not the process, and a bad member of a sink group costs itself and not the agent. Nothing of
//! it is silent, and all of it is found in one pass.

mod across;
mod agents;
mod assemble;
mod deep;
mod entries;
mod filters;
mod fit;
mod group;
mod java_date;
mod known;
mod report;
mod selector;
#[cfg(test)]
mod tests;
pub mod write;
mod variables;

pub use deep::look;
pub use report::{Problem, Severity, sort};

use crate::flow::graph::Graph;
use report::Report;
use std::sync::Arc;

/// Properties that every source may have, whatever it is: how long the agent pauses when a polled source has
/// nothing. They are the agent's and not the component's.
pub const OF_EVERY_SOURCE: &[&str] = &["backoffSleepIncrement", "maxBackoffSleep"];

/// Bytes of properties and what they are called.
#[derive(Debug, Clone)]
pub struct Text {
    /// The file or the address that they come from, for messages.
    pub name: Arc<str>,
    /// The properties.
    pub bytes: Vec<u8>,
}

/// What the reader is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wants<'a> {
    /// The agent; without it every agent that there is.
    pub name: Option<&'a str>,
    /// A key that nobody knows is an error, as on the command line, and not passed over as by Flume.
    pub unknown_is_error: bool,
    /// Settings of `-D`, which `${sys:...}` refers to.
    pub system: &'a [(String, String)],
    /// `${...}` stays as it is, but for references to filters: so it is in what ZooKeeper holds.
    pub keeps_variables: bool,
    /// Commands of config filters are run for the values that they print. Without it those values are not known,
    /// and nothing is said of them: whoever only looks at a file may not want to run what stands in it.
    pub runs_commands: bool,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// What is to start: of the agent that was asked for, or of the only one. `None` if there is nothing.
    pub graph: Option<Graph>,
    /// The same, of all agents that were looked at.
    pub graphs: Vec<Graph>,
    /// Everything that is wrong, in the order of the texts and their lines.
    pub problems: Vec<Problem>,
    /// The names of the agents that there are.
    pub agents: Vec<String>,
}

impl Read {
    /// Something does not run as it is written.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }
}

/// Read texts one after the other into one map, in which a later one wins, and an agent out of it.
pub fn read(texts: &[Text], wants: &Wants) -> Read {
    let mut report = Report::new(wants.unknown_is_error);
    let mut entries = entries::load(texts, &mut report);
    let outside = variables::Outside {
        system: wants.system,
        environment: &|name| std::env::var(name).ok(),
    };
    let referred = match wants.keeps_variables {
        true => Default::default(),
        false => variables::resolve(&mut entries, &outside, &mut report),
    };
    let agents = agents::sort(entries, &referred, &mut report);
    let names: Vec<String> = agents.iter().map(|agent| agent.name.clone()).collect();
    if let Some(name) = wants.name.filter(|name| !names.iter().any(|own| own == name)) {
        report.no_such_agent(texts, name, &names);
    } else if names.is_empty() {
        report.no_agent(texts);
    }
    let is_wanted = |name: &str| wants.name.is_none_or(|wanted| wanted == name);
    let mut known = fit::Known::default();
    let mut graphs: Vec<Option<Graph>> = agents
        .into_iter()
        .filter(|agent| is_wanted(&agent.name))
        .map(|agent| assemble::assemble(agent, wants.runs_commands, &mut known, &mut report))
        .collect();
    if report.is_unreadable {
        graphs.clear();
    }
    let mut problems = report.into_problems();
    sort(&mut problems, texts);
    Read {
        graph: match &graphs[..] {
            [only] => only.clone(),
            _ => None,
        },
        graphs: graphs.into_iter().flatten().collect(),
        problems,
        agents: names,
    }
}
