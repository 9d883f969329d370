//! Sink groups: which sinks stand for each other, and how.

use super::agents::{Held, Listed};
use super::assemble::take_family;
use super::fit::settings;
use super::report::{Report, hint};
use super::selector::is_type;
use crate::flow::graph::{Definition, Graph, Group};

/// Name, Java class behind the package, the sinks that it needs at least and has at most, and the properties
/// behind `processor.`.
struct Processor {
    name: &'static str,
    class: &'static str,
    least: usize,
    most: usize,
    properties: &'static [&'static str],
}

const ALL: &[Processor] = &[
    Processor {
        name: "default",
        class: "sink.DefaultSinkProcessor",
        least: 1,
        most: 1,
        properties: &[],
    },
    Processor {
        name: "failover",
        class: "sink.FailoverSinkProcessor",
        least: 1,
        most: usize::MAX,
        properties: &["maxpenalty", "priority."],
    },
    Processor {
        name: "load_balance",
        class: "sink.LoadBalancingSinkProcessor",
        least: 2,
        most: usize::MAX,
        properties: &["selector", "backoff", "selector.maxTimeOut"],
    },
];

/// Put a group into the graph. One that cannot be made takes its sinks with it, as in Flume: nobody would run
/// them.
pub(super) fn add(listed: Listed, graph: &mut Graph, report: &mut Report) {
    let component = format!("group {}", listed.name);
    let mut held = listed.held;
    let Some(list) = held.remove("sinks") else {
        let what = "sinks is missing: a group without sinks is left out";
        report.error(&listed.place, &component, what);
        return;
    };
    let written: Vec<&str> = list.text.split_whitespace().collect();
    let mut members: Vec<String> = Vec::new();
    for name in &written {
        let other = graph.group_of(name).map(|other| other.name.clone());
        let what = match (graph.sink(name), other) {
            (_, Some(other)) => format!("sinks has \"{name}\", which is in group {other}: it stays there"),
            (None, None) => {
                let near = hint(name, graph.sinks.iter().map(|sink| &sink.definition.name[..]));
                format!("sinks has \"{name}\", which is no sink that starts{near}: the others do without it")
            }
            (Some(_), None) if members.iter().any(|own| own == name) => {
                report.warn(&list.place, &component, format!("sinks has \"{name}\" twice"));
                continue;
            }
            (Some(_), None) => {
                members.push(name.to_string());
                continue;
            }
        };
        report.error(&list.place, &component, what);
    }
    let processor = match members.is_empty() {
        true => {
            report.error(
                &list.place,
                &component,
                "none of its sinks starts, and it is left out",
            );
            return;
        }
        false => processor(&listed.name, held, written.len(), &members, &list.place, report),
    };
    match processor {
        Some(processor) => {
            tell_other_channels(graph, &members, &component, &list.place, report);
            graph.groups.push(Group {
                name: listed.name,
                sinks: members,
                processor,
            });
        }
        None => graph
            .sinks
            .retain(|sink| !members.contains(&sink.definition.name)),
    }
}

fn processor(
    name: &str,
    mut held: Held,
    written: usize,
    members: &[String],
    list: &crate::flow::graph::Place,
    report: &mut Report,
) -> Option<Definition> {
    let component = format!("group {name}");
    let own = take_family(&mut held, "processor.");
    for (key, written) in held {
        let near = hint(&key, ["sinks", "processor.type"]);
        report.unknown(
            &written.place,
            &component,
            format!("{key} is no property of a group{near}"),
        );
    }
    let mut held = own;
    let Some(of) = held.remove("processor.type") else {
        let what = format!(
            "processor.type is missing: {} do not run either; there are default, failover, load_balance",
            members.join(", ")
        );
        report.error(list, &component, what);
        return None;
    };
    let Some(found) = ALL.iter().find(|own| is_type(&of.text, own.name, own.class)) else {
        let near = hint(&of.text, ALL.iter().map(|own| own.name));
        let near = match near.is_empty() {
            true => "; there are default, failover, load_balance".into(),
            false => near,
        };
        let what = format!(
            "processor.type is \"{}\", which is no sink processor{near}; {} do not run either",
            of.text,
            members.join(", ")
        );
        report.error(&of.place, &component, what);
        return None;
    };
    if !(found.least..=found.most).contains(&written) {
        let wanted = match found.most {
            1 => "exactly one sink",
            _ => "at least two sinks",
        };
        let what = format!("{} wants {wanted} and has {written}", found.name);
        report.error(&of.place, &component, what);
        return None;
    }
    leave_out_unknown(found, &mut held, &component, report);
    tell_priorities(found.name, &held, members, &component, report);
    // Of several one is left: there is nothing to choose.
    let is_alone = members.len() < found.least;
    Some(Definition {
        name: name.to_string(),
        r#type: match is_alone {
            true => "default".into(),
            false => of.text,
        },
        settings: match is_alone {
            true => Default::default(),
            false => settings(&held),
        },
        place: of.place,
    })
}

fn leave_out_unknown(of: &Processor, held: &mut Held, component: &str, report: &mut Report) {
    let is_known = |key: &str| {
        let own = key.strip_prefix("processor.").unwrap_or(key);
        let mut properties = of.properties.iter();
        properties.any(|known| own == *known || known.ends_with('.') && own.starts_with(known))
    };
    let unknown: Vec<String> = held.keys().filter(|key| !is_known(key)).cloned().collect();
    for key in unknown {
        let Some(written) = held.remove(&key) else {
            continue;
        };
        let names: Vec<String> = of
            .properties
            .iter()
            .map(|known| format!("processor.{known}"))
            .collect();
        let near = hint(&key, names.iter().map(String::as_str));
        let what = format!("{key} is no property of {}{near}", of.name);
        report.unknown(&written.place, component, what);
    }
}

fn tell_priorities(name: &str, held: &Held, members: &[String], component: &str, report: &mut Report) {
    let mut seen: Vec<(i64, &str)> = Vec::new();
    for (key, written) in held.iter().filter(|_| name == "failover") {
        let Some(sink) = key.strip_prefix("processor.priority.") else {
            continue;
        };
        if !members.iter().any(|own| own == sink) {
            let near = hint(sink, members.iter().map(String::as_str));
            let what = format!("{key}: \"{sink}\" is no sink of this group{near}");
            report.warn(&written.place, component, what);
            continue;
        }
        match written.text.parse::<i64>() {
            Err(_) => {
                let what = format!(
                    "{key} is \"{}\", which is no number, and counts as if it was missing",
                    written.text
                );
                report.warn(&written.place, component, what);
            }
            Ok(priority) => {
                if let Some((_, other)) = seen.iter().find(|(own, _)| *own == priority) {
                    let what = format!("{key} is {priority}, and so is that of {other}");
                    report.warn(&written.place, component, what);
                }
                seen.push((priority, sink));
            }
        }
    }
}

/// A group takes from one channel, that of its first sink.
fn tell_other_channels(
    graph: &Graph,
    members: &[String],
    component: &str,
    place: &crate::flow::graph::Place,
    report: &mut Report,
) {
    let mut of_members = members.iter().filter_map(|name| graph.sink(name));
    let Some(first) = of_members.next() else { return };
    for other in of_members.filter(|sink| sink.channel != first.channel) {
        let what = format!(
            "{} takes from {} and {} from {}: the group takes from {}",
            first.definition.name, first.channel, other.definition.name, other.channel, first.channel
        );
        report.error(place, component, what);
    }
}
