//! What is only wrong between components: sizes that do not fit together, places that two want.

use super::fit::Known;
use super::report::Report;
use crate::component::{Setting, Spec, find};
use crate::flow::graph::{Definition, Graph, Place, Value};
use crate::value::Size;
use crate::{channel, sink, source};
use std::collections::HashMap;
use std::rc::Rc;

/// Channels that nobody puts into and nobody takes from.
pub(super) fn leave_out_unused(graph: &mut Graph, report: &mut Report) {
    let Graph {
        channels,
        sources,
        sinks,
        ..
    } = graph;
    channels.retain(|channel| {
        let name = &channel.name;
        let is_used = sources.iter().any(|source| source.channels.contains(name))
            || sinks.iter().any(|sink| sink.channel == *name);
        if !is_used {
            let what = "no source puts into it and no sink takes from it: it is left out";
            report.warn(&channel.place, &format!("channel {name}"), what);
        }
        is_used
    });
}

/// Compare components with each other.
pub(super) fn compare(graph: &Graph, known: &mut Known, report: &mut Report) {
    compare_batches(graph, known, report);
    compare_ports(graph, known, report);
}

/// A setting that counts: as it is written, or its default in an agent.
struct Counts {
    text: String,
    place: Place,
}

/// What a component with this line in a table says of a property.
fn counts<Made>(spec: &'static Spec<Made>, of: &Definition, key: &str, known: &mut Known) -> Option<Counts> {
    let settings: Rc<Vec<Setting>> = known.of(spec);
    let setting = settings.iter().find(|setting| setting.property == key)?;
    match of.settings.get(key) {
        Some(Value { text, place }) => Some(Counts {
            text: text.clone(),
            place: place.clone(),
        }),
        None => Some(Counts {
            text: setting.flumes.clone().or_else(|| setting.default.clone())?,
            place: of.place.clone(),
        }),
    }
}

/// Properties that say how many events a component hands on together.
const BATCHES: &[&str] = &["batchSize", "batch-size", "sink.batchSize", "hdfs.batchSize"];

fn batch<Made>(table: &'static [Spec<Made>], of: &Definition, known: &mut Known) -> Option<(u64, Place)> {
    let spec = find(table, &of.r#type)?;
    BATCHES.iter().find_map(|key| {
        let counts = counts(spec, of, key, known)?;
        Some((counts.text.parse().ok()?, counts.place))
    })
}

fn compare_batches(graph: &Graph, known: &mut Known, report: &mut Report) {
    let mut transactions: HashMap<&str, u64> = HashMap::new();
    for channel in &graph.channels {
        let Some(spec) = find(channel::ALL, &channel.r#type) else {
            continue;
        };
        let Some(counts) = counts(spec, channel, "transactionCapacity", known) else {
            continue;
        };
        let transaction = counts.text.parse::<u64>().ok().filter(|most| *most > 0);
        transactions.extend(transaction.map(|most| (&channel.name[..], most)));
    }
    let mut look = |kind: &str, of: &Definition, batch: Option<(u64, Place)>, channel: &str| {
        let Some((batch, place)) = batch else { return };
        if let Some(most) = transactions.get(channel).filter(|most| batch > **most) {
            let what = format!(
                "a batch is {batch} events and a transaction of channel {channel} {most}: batches are split; \
                 Flume does not start this {kind}"
            );
            report.warn(&place, &format!("{kind} {}", of.name), what);
        }
    };
    for source in &graph.sources {
        let batch = batch(source::ALL, &source.definition, known);
        for channel in &source.channels {
            look("source", &source.definition, batch.clone(), channel);
        }
    }
    for sink in &graph.sinks {
        let batch = batch(sink::ALL, &sink.definition, known);
        look("sink", &sink.definition, batch, &sink.channel);
    }
}

/// Two sources that listen on the same port: the second does not get it.
fn compare_ports(graph: &Graph, known: &mut Known, report: &mut Report) {
    let mut taken: HashMap<String, Vec<(String, &str)>> = HashMap::new();
    for source in &graph.sources {
        let of = &source.definition;
        let Some(spec) = find(source::ALL, &of.r#type) else {
            continue;
        };
        let Some(port) = counts(spec, of, "port", known).filter(|port| port.text != "0") else {
            continue;
        };
        let address = ["bind", "host"]
            .iter()
            .find_map(|key| Some(counts(spec, of, key, known)?.text));
        let address = address.unwrap_or_else(|| "0.0.0.0".into());
        let others = taken.entry(port.text.clone()).or_default();
        let is_any = |address: &str| matches!(address, "0.0.0.0" | "::" | "*");
        let clash = others
            .iter()
            .find(|(other, _)| *other == address || is_any(other) || is_any(&address));
        if let Some((_, other)) = clash {
            let what = format!("port is {}, and so is that of source {other}", port.text);
            report.warn(&port.place, &format!("source {}", of.name), what);
        }
        others.push((address, &of.name));
    }
}

/// Two file channels in one directory would be one channel.
pub(super) fn is_alone_in_its_directories(
    channel: &Definition,
    others: &[Definition],
    report: &mut Report,
) -> bool {
    for other in others {
        for (key, one, place) in directories(channel) {
            if directories(other).any(|(_, own, _)| own == one) {
                let what = format!("{key} is {one}, which channel {} has too", other.name);
                report.error(place, &format!("channel {}", channel.name), what);
                return false;
            }
        }
    }
    true
}

fn directories(channel: &Definition) -> impl Iterator<Item = (&'static str, &str, &Place)> {
    let given = ["directory", "checkpointDir", "dataDirs"].into_iter();
    let given = given.filter_map(|key| Some((key, channel.settings.get(key)?)));
    given.flat_map(|(key, value)| {
        let each = value.text.split(',').map(|one| one.trim().trim_end_matches('/'));
        each.map(move |one| (key, one, &value.place))
    })
}

/// Sizes of a channel that contradict each other: what it is told can hold no whole transaction.
pub(super) fn is_transaction_within_capacity(
    of: &Definition,
    known: &mut Known,
    report: &mut Report,
) -> bool {
    let Some(spec) = find(channel::ALL, &of.r#type) else {
        return true;
    };
    let Some(transaction) = counts(spec, of, "transactionCapacity", known) else {
        return true;
    };
    let Some(capacity) = counts(spec, of, "capacity", known) else {
        return true;
    };
    let number = |counts: &Counts| counts.text.parse::<Size>().map(|size| size.0).unwrap_or(0);
    let (most, all) = (number(&transaction), number(&capacity));
    let fits = all == 0 || most <= all;
    if !fits {
        let place = match of.settings.contains_key("transactionCapacity") {
            true => &transaction.place,
            false => &capacity.place,
        };
        let what = format!("transactionCapacity is {most} and capacity {all}; the first may not be larger");
        report.error(place, &format!("channel {}", of.name), what);
    }
    fits
}
