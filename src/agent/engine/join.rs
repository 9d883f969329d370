//! A unit joined to its channels: the segments of a flow, run by the loops of every other composition.

use super::make;
use super::slot::Opened;
use super::unit::{Unit, Work};
use crate::exit::{StageError, StageResult};
use crate::flow::graph;
use crate::flow::links::Links;
use crate::flow::segment::{Head, Segment, Tail};
use std::sync::Arc;

/// Channels with their names.
type Channels = Vec<(String, Opened)>;

/// Make the unit's component and run it until it ends, fails or is stopped.
pub(super) fn run(unit: &Arc<Unit>, channels: Channels, links: Links) -> StageResult {
    let mut segment = match &unit.work {
        Work::Source(source) => from_source(source, channels)?,
        Work::Sink(sink) => to_sink(sink, channels)?,
        Work::Group(..) => return Err(StageError::Usage("groups are to come".into())),
    };
    segment.rejected = unit.rejected();
    let began = unit.clone();
    let links = Links {
        began: Some(Arc::new(move || began.began())),
        ..links
    };
    segment.join(&links)
}

fn from_source(source: &graph::Source, mut channels: Channels) -> Result<Segment, StageError> {
    let definition = &source.definition;
    let name = definition.name.clone();
    let head = Head::Source(name.clone(), make::source(definition)?);
    let chain = make::interceptors(&source.interceptors)?;
    let (into, (channel, counters)) = channels.pop().ok_or_else(no_channel)?;
    let tail = Tail::Put(into, channel, counters);
    Ok(Segment::new((name, head, chain), tail))
}

fn to_sink(sink: &graph::Sink, mut channels: Channels) -> Result<Segment, StageError> {
    let name = sink.definition.name.clone();
    let (from, (channel, counters)) = channels.pop().ok_or_else(no_channel)?;
    let head = Head::Take(from, channel, counters, false);
    let chain = make::interceptors(&sink.interceptors)?;
    let tail = Tail::Sink(name.clone(), make::sink(&sink.definition)?);
    Ok(Segment::new((name, head, chain), tail))
}

fn no_channel() -> StageError {
    StageError::Usage("it has no channel".into())
}
