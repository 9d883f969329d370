//! Definitions to components: the tables asked for the type, and Flume's properties given to what they have.

use crate::channel::Settings as ChannelSettings;
use crate::component::{self, Spec, in_one_line};
use crate::exit::{StageError, StageResult};
use crate::external;
use crate::flow::graph::Definition;
use crate::flow::intercepted::Chain;
use crate::stage::{ChannelProcessor, ChannelSelector, PollableSource, Sink, SinkProcessor, Source, Status};
use crate::{channel, group, intercept, select, sink, source};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Pause after the first call of a polled source that found nothing, and what each further one adds.
const INCREMENT: &str = "backoffSleepIncrement";
/// The longest such pause.
const LONGEST: &str = "maxBackoffSleep";

fn made<Made: 'static>(
    table: &'static [Spec<Made>],
    kind: &str,
    definition: &Definition,
    properties: &BTreeMap<String, String>,
) -> Result<Made, StageError> {
    let r#type = &definition.r#type;
    let spec = component::find(table, r#type)
        .ok_or_else(|| StageError::Usage(format!("\"{type}\" is no type of {kind}")))?;
    spec.from_properties(properties)
        .map_err(|error| StageError::Usage(in_one_line(&error)))
}

/// The words for an executable of the PATH: each setting as a flag.
fn words(properties: &BTreeMap<String, String>) -> Vec<String> {
    let flags = properties.iter();
    flags.map(|(key, value)| format!("--{key}={value}")).collect()
}

/// An executable `flume-KIND-TYPE`, if the tables have no such type.
fn program<Made: 'static>(
    table: &'static [Spec<Made>],
    kind: &str,
    definition: &Definition,
) -> Option<PathBuf> {
    match component::find(table, &definition.r#type) {
        Some(_) => None,
        None => external::find(kind, &definition.r#type),
    }
}

/// A source, with Flume's back-off of polled sources.
pub fn source(definition: &Definition) -> Result<Source, StageError> {
    let mut properties = definition.properties();
    let back_off = BackOff::taken_from(&mut properties)?;
    let source = match program(source::ALL, "source", definition) {
        Some(path) => Source::Polled(external::source(&definition.name, path, &words(&properties))),
        None => made(source::ALL, "source", definition, &properties)?,
    };
    Ok(match source {
        Source::Polled(inner) if back_off.is_set() => Source::Polled(Box::new(Paced { inner, back_off })),
        source => source,
    })
}

/// Interceptors in their order.
pub fn interceptors(definitions: &[Definition]) -> Result<Chain, StageError> {
    let chain = definitions.iter().map(|definition| {
        let made = made(
            intercept::ALL,
            "interceptor",
            definition,
            &definition.properties(),
        );
        let made = made.map_err(|error| error.within(&definition.name))?;
        Ok((definition.name.clone(), made))
    });
    chain.collect()
}

/// A sink.
pub fn sink(definition: &Definition) -> Result<Box<dyn Sink>, StageError> {
    let properties = definition.properties();
    match program(sink::ALL, "sink", definition) {
        Some(path) => Ok(external::sink(&definition.name, path, &words(&properties))),
        None => made(sink::ALL, "sink", definition, &properties),
    }
}

/// A channel's settings, with Flume's directories where the file channel has none.
pub fn channel(definition: &Definition) -> Result<Box<dyn ChannelSettings>, StageError> {
    let mut properties = definition.properties();
    let is_file = component::find(channel::ALL, &definition.r#type).is_some_and(|spec| spec.name == "file");
    if is_file && !properties.contains_key("directory") {
        for (key, directory) in [("checkpointDir", "checkpoint"), ("dataDirs", "data")] {
            properties
                .entry(key.into())
                .or_insert_with(|| below_home(directory));
        }
    }
    made(channel::ALL, "channel", definition, &properties)
}

/// What says which channels of a source get an event; none for Flume's default without settings, with which all do.
pub fn selector(definition: &Definition) -> Result<Option<Box<dyn ChannelSelector>>, StageError> {
    let spec = component::find(select::ALL, &definition.r#type);
    let is_default = spec.is_some_and(|spec| spec.name == "replicating");
    if definition.r#type.is_empty() || is_default && definition.settings.is_empty() {
        return Ok(None);
    }
    made(
        select::ALL,
        "channel selector",
        definition,
        &definition.properties(),
    )
    .map(Some)
}

/// Flume's default.
pub fn replicating() -> Result<Box<dyn ChannelSelector>, StageError> {
    let definition = Definition {
        r#type: "replicating".into(),
        ..Definition::default()
    };
    made(select::ALL, "channel selector", &definition, &BTreeMap::new())
}

/// What says which sink of a group gets a batch.
pub fn processor(definition: &Definition) -> Result<Box<dyn SinkProcessor>, StageError> {
    made(group::ALL, "sink processor", definition, &definition.properties())
}

/// `~/.flume/file-channel/...`, as in Flume.
fn below_home(directory: &str) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    format!("{home}/.flume/file-channel/{directory}")
}

/// How long a polled source that finds nothing pauses.
#[derive(Debug, Clone, Copy, Default)]
struct BackOff {
    increment: Option<Duration>,
    longest: Option<Duration>,
}

impl BackOff {
    fn taken_from(properties: &mut BTreeMap<String, String>) -> Result<BackOff, StageError> {
        let mut taken = |key: &str| {
            let Some(text) = properties.remove(key) else {
                return Ok(None);
            };
            let millis = text.trim().parse().map(Duration::from_millis);
            millis
                .map(Some)
                .map_err(|_| StageError::Usage(format!("{key}: \"{text}\" is no number of milliseconds")))
        };
        Ok(BackOff {
            increment: taken(INCREMENT)?,
            longest: taken(LONGEST)?,
        })
    }

    fn is_set(&self) -> bool {
        self.increment.is_some() || self.longest.is_some()
    }
}

/// A polled source with a back-off that was set.
struct Paced {
    inner: Box<dyn PollableSource>,
    back_off: BackOff,
}

impl PollableSource for Paced {
    fn check(&self) -> Result<(), String> {
        self.inner.check()
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        self.inner.start(to)
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        self.inner.process(to)
    }

    fn back_off(&self) -> (Duration, Duration) {
        let (increment, longest) = self.inner.back_off();
        (
            self.back_off.increment.unwrap_or(increment),
            self.back_off.longest.unwrap_or(longest),
        )
    }

    fn hand_on_rest(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        self.inner.hand_on_rest(to)
    }

    fn stop(&mut self) -> StageResult {
        self.inner.stop()
    }
}
