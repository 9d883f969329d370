//! The embedded agent: a program's own events into a channel and on to Avro sources, with Flume's keys
//! (`EmbeddedAgent`).
//!
//! ```no_run
//! use flume::agent::embedded::EmbeddedAgent;
//! use flume::event::Event;
//!
//! let mut agent = EmbeddedAgent::new("app")?;
//! agent.configure([
//!     ("channel.type", "memory"),
//!     ("sinks", "one two"),
//!     ("one.type", "avro"),
//!     ("one.hostname", "collector1"),
//!     ("one.port", "4141"),
//!     ("two.type", "avro"),
//!     ("two.hostname", "collector2"),
//!     ("two.port", "4141"),
//!     ("processor.type", "failover"),
//! ])?;
//! agent.start()?;
//! agent.put(&Event::new("it happened"))?;
//! agent.stop()?;
//! # Ok::<(), flume::agent::embedded::EmbeddedError>(())
//! ```
//!
//! A put returns when the channel has committed the events: with a file channel they outlive this process.

use super::config::{self, Text, Wants};
use super::engine::{Engine, Options};
use crate::event::{BatchBuilder, Event};
use crate::exit::StageResult;
use crate::flow::graph::Graph;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource, Source};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What an embedded agent does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddedError {
    /// The configuration is wrong: the key and why.
    #[error("{0}")]
    Configuration(String),
    /// It is not the time for this call (Java: `IllegalStateException`).
    #[error("{0}")]
    State(&'static str),
    /// The events are not in the channel (Java: `EventDeliveryException`).
    #[error("the events were not taken: {0}")]
    Delivery(String),
    /// Something does not start or stop.
    #[error("{0}")]
    Lifecycle(String),
}

use EmbeddedError::{Configuration, Delivery, Lifecycle, State};

/// Words that no sink can be called.
const RESERVED: &[&str] = &["source", "channel", "processor"];
/// Types of each part, in any case.
const SOURCES: &[&str] = &["embedded", "org.apache.flume.agent.embedded.EmbeddedSource"];
const CHANNELS: &[&str] = &["memory", "file"];
const SINKS: &[&str] = &["avro"];
const PROCESSORS: &[&str] = &["default", "failover", "load_balance"];

/// See the module.
pub struct EmbeddedAgent {
    name: String,
    timeout: Duration,
    graph: Option<Graph>,
    running: Option<Running>,
}

struct Running {
    engine: Engine,
    gate: Arc<Gate>,
    /// Events of one transaction.
    most: usize,
}

/// Where puts find the way into the channel while there is one.
#[derive(Default)]
struct Gate {
    way: Mutex<Option<Arc<ChannelProcessor>>>,
    opened: Condvar,
}

/// The source that the engine runs.
struct Hand(Arc<Gate>);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<ChannelProcessor>>> {
        self.way.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait_open(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut way = self.lock();
        while way.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.opened.wait_timeout(way, left);
            way = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        true
    }
}

impl EventDrivenSource for Hand {
    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        *self.0.lock() = Some(to.clone());
        self.0.opened.notify_all();
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        *self.0.lock() = None;
        Ok(())
    }
}

impl EmbeddedAgent {
    /// An agent that is to be configured. Blanks in the name are left out of those of its components.
    ///
    /// Errors: the name is empty.
    pub fn new(name: &str) -> Result<EmbeddedAgent, EmbeddedError> {
        let name: String = name.split_whitespace().collect();
        // It is part of a key.
        match name.is_empty() || name.contains('.') {
            true => Err(Configuration(format!(
                "\"{name}\" is no name of an agent: it has no dots, and is not empty"
            ))),
            false => Ok(EmbeddedAgent {
                name,
                timeout: Options::default().lifecycle_timeout,
                graph: None,
                running: None,
            }),
        }
    }

    /// How long the channel may take to open, and everything to stop: 30 s otherwise.
    pub fn with_timeout(mut self, timeout: Duration) -> EmbeddedAgent {
        self.timeout = timeout;
        self
    }

    /// Take keys and values: `source.*`, `channel.*`, `sinks`, `SINK.*`, `processor.*`. May be called again while it is
    /// stopped.
    ///
    /// Errors: the key and what is wrong with it.
    pub fn configure<Key: Into<String>, Value: Into<String>>(
        &mut self,
        properties: impl IntoIterator<Item = (Key, Value)>,
    ) -> Result<(), EmbeddedError> {
        if self.running.is_some() {
            return Err(State("it cannot be configured while it is started"));
        }
        let given = properties.into_iter();
        let given: BTreeMap<String, String> = given.map(|(key, value)| (key.into(), value.into())).collect();
        check(&given)?;
        self.graph = Some(graph(&self.name, &given)?);
        Ok(())
    }

    /// Open the channel and begin to deliver.
    ///
    /// Errors: it is not configured or started already; its channel does not open in time.
    pub fn start(&mut self) -> Result<(), EmbeddedError> {
        if self.running.is_some() {
            return Err(State("it cannot be started while it is started"));
        }
        let Some(graph) = self.graph.clone() else {
            return Err(State("it cannot be started before it is configured"));
        };
        let most = most_together(&graph);
        let gate = Arc::new(Gate::default());
        let hand = gate.clone();
        let source = format!("source-{}", self.name);
        let options = Options {
            lifecycle_timeout: self.timeout,
            own_sources: BTreeMap::from([(
                source,
                Arc::new(move || Source::EventDriven(Box::new(Hand(hand.clone())))) as _,
            )]),
            ..Options::default()
        };
        let engine = Engine::start(graph, options).map_err(|error| Lifecycle(error.to_string()))?;
        if !gate.wait_open(self.timeout) {
            let failed = engine.components().into_iter().find_map(|own| own.error);
            engine.stop();
            let why = failed.unwrap_or_else(|| "its channel does not open in time".into());
            return Err(Lifecycle(format!("it does not start: {why}")));
        }
        self.running = Some(Running { engine, gate, most });
        Ok(())
    }

    /// Put one event; it is in the channel when this returns.
    ///
    /// Errors: it is not started; the channel or an interceptor does not take it.
    pub fn put(&self, event: &Event) -> Result<(), EmbeddedError> {
        self.put_all(std::slice::from_ref(event))
    }

    /// Put several in one transaction: all or none of them. A channel that has no room for them makes it wait.
    ///
    /// Errors: as of [`EmbeddedAgent::put`], and there are more than the channel's transactionCapacity.
    pub fn put_all(&self, events: &[Event]) -> Result<(), EmbeddedError> {
        let Some(running) = &self.running else {
            return Err(State("nothing can be put unless it is started"));
        };
        if events.is_empty() {
            return Ok(());
        }
        if events.len() > running.most {
            return Err(Delivery(format!(
                "channel.transactionCapacity is {}, and these are {}",
                running.most,
                events.len()
            )));
        }
        let mut batch = BatchBuilder::default();
        events.iter().for_each(|event| batch.push_event(event));
        let way = running.gate.lock().clone();
        let way = way.ok_or_else(|| Delivery("its channel is away for now".into()))?;
        way.process_and_wait(batch.finish())
            .map_err(|refusal| Delivery(refusal.to_string()))
    }

    /// Stop: what a channel in memory holds is delivered first, as far as that works in time.
    ///
    /// Errors: it is not started; something is left or does not stop.
    pub fn stop(&mut self) -> Result<(), EmbeddedError> {
        let Some(running) = self.running.take() else {
            return Err(State("it cannot be stopped unless it is started"));
        };
        match running.engine.stop() {
            true => Ok(()),
            false => Err(Lifecycle(
                "not everything was stopped in order, or events are left in its memory".into(),
            )),
        }
    }
}

impl Drop for EmbeddedAgent {
    fn drop(&mut self) {
        // Who has forgotten it still wants the events.
        if let Some(running) = self.running.take() {
            running.engine.stop();
        }
    }
}

/// The channel's transactionCapacity.
fn most_together(graph: &Graph) -> usize {
    let channel = graph.channels.first();
    let given = channel.and_then(|channel| channel.settings.get("transactionCapacity"));
    let given = given.and_then(|value| value.text.parse().ok());
    let is_file = channel.is_some_and(|channel| channel.r#type.eq_ignore_ascii_case("file"));
    given.unwrap_or(if is_file { 10_000 } else { 100 })
}

fn value<'a>(given: &'a BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    let value = given.get(key).map(|value| value.trim());
    value.filter(|value| !value.is_empty())
}

/// Flume's rules.
fn check(given: &BTreeMap<String, String>) -> Result<(), EmbeddedError> {
    check_type(given, "source.type", SOURCES, false)?;
    check_type(given, "channel.type", CHANNELS, true)?;
    check_type(given, "processor.type", PROCESSORS, true)?;
    let sinks: Vec<&str> = value(given, "sinks")
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    if sinks.is_empty() {
        return Err(Configuration(
            "sinks is missing: a list of names with blanks".into(),
        ));
    }
    for sink in &sinks {
        if RESERVED.contains(sink) {
            return Err(Configuration(format!(
                "sinks: no sink can be called \"{sink}\", which keys begin with"
            )));
        }
        check_type(given, &format!("{sink}.type"), SINKS, true)?;
    }
    for key in given.keys() {
        let first = key
            .split_once('.')
            .filter(|(_, rest)| !rest.is_empty())
            .map(|(first, _)| first);
        let is_known = first.is_some_and(|first| RESERVED.contains(&first) || sinks.contains(&first));
        if !is_known && key != "sinks" {
            let there_are = sinks
                .iter()
                .map(|sink| format!("{sink}.*"))
                .collect::<Vec<_>>()
                .join(", ");
            return Err(Configuration(format!(
                "{key} is no key: there are source.*, channel.*, sinks, {there_are} and processor.*"
            )));
        }
    }
    Ok(())
}

fn check_type(
    given: &BTreeMap<String, String>,
    key: &str,
    allowed: &[&str],
    is_required: bool,
) -> Result<(), EmbeddedError> {
    match value(given, key) {
        None if is_required => Err(Configuration(format!(
            "{key} is missing: it is {}",
            allowed.join(", ")
        ))),
        Some(found) if !allowed.iter().any(|allowed| found.eq_ignore_ascii_case(allowed)) => {
            Err(Configuration(format!(
                "{key} is {found}: an embedded agent can have {}",
                allowed.join(", ")
            )))
        }
        _ => Ok(()),
    }
}

/// The graph of an agent with Flume's names for what has none; made by the reader of properties files.
fn graph(name: &str, given: &BTreeMap<String, String>) -> Result<Graph, EmbeddedError> {
    let (source, channel, group) = (
        format!("source-{name}"),
        format!("channel-{name}"),
        format!("sink-group-{name}"),
    );
    let sinks = value(given, "sinks").unwrap_or_default();
    // Each line with the key that it stands for.
    let mut lines = vec![
        ("source", format!("{name}.sources = {source}")),
        ("source", format!("{name}.sources.{source}.channels = {channel}")),
        // For the reader; the engine is given the real one.
        ("source", format!("{name}.sources.{source}.type = seq")),
        ("channel", format!("{name}.channels = {channel}")),
        ("sinks", format!("{name}.sinks = {sinks}")),
        ("processor", format!("{name}.sinkgroups = {group}")),
        ("processor", format!("{name}.sinkgroups.{group}.sinks = {sinks}")),
    ];
    let mut joined: Vec<(String, String)> = Vec::new();
    for sink in sinks.split_whitespace() {
        joined.push((
            sink.to_string(),
            format!("{name}.sinks.{sink}.channel = {channel}"),
        ));
    }
    for (key, text) in given {
        let (first, rest) = key.split_once('.').unwrap_or((key, ""));
        let full = match first {
            "sinks" if rest.is_empty() => continue,
            "source" if rest == "type" => continue,
            "source" if !(rest.starts_with("interceptors") || rest.starts_with("selector.")) => {
                say::warn(
                    "embedded agent",
                    format!("{key} means nothing, and is passed over"),
                );
                continue;
            }
            "source" => format!("sources.{source}.{rest}"),
            "channel" => format!("channels.{channel}.{rest}"),
            "processor" => format!("sinkgroups.{group}.processor.{rest}"),
            sink => format!("sinks.{sink}.{rest}"),
        };
        let text = escaped(text);
        joined.push((key.clone(), format!("{name}.{full} = {text}")));
    }
    lines.extend(joined.iter().map(|(key, line)| (&key[..], line.clone())));
    let text = Text {
        name: "embedded agent".into(),
        bytes: lines
            .iter()
            .map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
            .into(),
    };
    let wants = Wants {
        name: Some(name),
        ..Wants::default()
    };
    let read = config::read(&[text], &wants);
    let told = |problem: &config::Problem| {
        let at = usize::try_from(problem.place.line).unwrap_or(0);
        let key = at
            .checked_sub(1)
            .and_then(|at| lines.get(at))
            .map_or("", |(key, _)| key);
        format!("{key}: {}", problem.what)
    };
    // What follows from an error, such as a group without its sink, is told of lines that nobody has given.
    let errors = || {
        read.problems
            .iter()
            .filter(|problem| problem.is_error())
            .map(told)
    };
    let is_given = |what: &String| given.keys().any(|key| what.starts_with(&format!("{key}: ")));
    if let Some(what) = errors().find(is_given).or_else(|| errors().next()) {
        return Err(Configuration(what));
    }
    for problem in &read.problems {
        say::warn("embedded agent", told(problem));
    }
    let mut graph = read
        .graph
        .ok_or_else(|| Configuration("nothing of it can run".into()))?;
    for source in &mut graph.sources {
        source.definition.r#type = "embedded".into();
    }
    Ok(graph)
}

/// A value as it stands in one line of properties.
fn escaped(text: &str) -> String {
    let text = text.trim().replace('\\', "\\\\");
    text.replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests;
