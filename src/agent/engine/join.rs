//! A unit joined to its channels: the segments of a flow, run by the loops of every other composition.

use super::make;
use super::slot::Opened;
use super::unit::{Unit, Work};
use crate::exit::{StageError, StageResult};
use crate::flow::graph;
use crate::flow::links::Links;
use crate::flow::segment::{Head, Segment, Tail};
use crate::metrics::Kind;
use crate::stage::group::{GroupSink, Member};
use std::sync::Arc;

/// Channels with their names.
type Channels = Vec<(String, Opened)>;

/// Make the unit's component and run it until it ends, fails or is stopped.
pub(super) fn run(unit: &Arc<Unit>, channels: Channels, links: Links) -> StageResult {
    let mut segment = match &unit.work {
        Work::Source(source) => from_source(unit, source, channels)?,
        Work::Sink(sink) => to_sink(sink, channels)?,
        Work::Group(group, members) => to_group(group, members, channels, &links)?,
    };
    segment.rejected = unit.rejected();
    let began = unit.clone();
    let links = Links {
        began: Some(Arc::new(move || began.began())),
        ..links
    };
    segment.join(&links)
}

fn from_source(unit: &Unit, source: &graph::Source, mut channels: Channels) -> Result<Segment, StageError> {
    let definition = &source.definition;
    let name = definition.name.clone();
    let made = match unit.options().own_sources.get(&name) {
        Some(make) => make(),
        None => make::source(definition)?,
    };
    let head = Head::Source(name.clone(), made);
    let chain = make::interceptors(&source.interceptors)?;
    let tail = match (make::selector(&source.selector)?, channels.len()) {
        (_, 0) => return Err(no_channel()),
        // Everything goes there: nothing needs to be asked.
        (None, 1) => {
            let (into, (channel, counters)) = channels.remove(0);
            Tail::Put(into, channel, counters)
        }
        (selector, _) => {
            let into = channels.into_iter();
            let into = into.map(|(name, (channel, counters))| (name, channel, counters));
            let selector = selector.map_or_else(make::replicating, Ok)?;
            Tail::Select(selector, into.collect())
        }
    };
    Ok(Segment::new((name, head, chain), tail))
}

fn to_group(
    group: &graph::Group,
    members: &[graph::Sink],
    mut channels: Channels,
    links: &Links,
) -> Result<Segment, StageError> {
    let name = group.name.clone();
    let (from, (channel, counters)) = channels.pop().ok_or_else(no_channel)?;
    let head = Head::Take(from, channel, counters, false);
    // They stand between the channel and the group.
    let chain = match members.first() {
        Some(first) => make::interceptors(&first.interceptors)?,
        None => Vec::new(),
    };
    let members = members.iter().map(|sink| {
        let definition = sink.definition.clone();
        Member {
            name: definition.name.clone(),
            counters: links.board.counters(Kind::Sink, &definition.name),
            make: Box::new(move || make::sink(&definition)),
        }
    });
    let processor = make::processor(&group.processor)?;
    let sink = GroupSink::of(members.collect(), processor, &links.stop).map_err(StageError::Usage)?;
    let tail = Tail::Group(name.clone(), Box::new(sink));
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
