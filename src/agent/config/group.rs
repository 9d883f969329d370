//! Sink groups: which sinks stand for each other, and how.

use super::agents::{Held, Listed};
use super::assemble::take_family;
use super::fit::{Known, Site, fit, settings};
use super::report::{Report, hint};
use crate::component::find;
use crate::flow::graph::{Definition, Graph, Group, Place, Settings};
use crate::group;

/// Sinks that a group with this processor needs at least, and has at most.
fn bounds(processor: &str) -> (usize, usize) {
    match processor {
        "default" => (1, 1),
        "load_balance" => (2, usize::MAX),
        _ => (1, usize::MAX),
    }
}

/// Put a group into the graph. One that cannot be made takes its sinks with it, as in Flume: nobody would run
/// them.
pub(super) fn add(listed: Listed, graph: &mut Graph, known: &mut Known, report: &mut Report) {
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
    if members.is_empty() {
        report.error(
            &list.place,
            &component,
            "none of its sinks starts, and it is left out",
        );
        return;
    }
    let of = Members {
        group: &listed.name,
        written: written.len(),
        names: &members,
        place: &list.place,
    };
    let processor = processor(&of, held, known, report);
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

/// The sinks of a group.
struct Members<'a> {
    group: &'a str,
    /// So many are written.
    written: usize,
    /// Those that start.
    names: &'a [String],
    place: &'a Place,
}

fn processor(
    members: &Members<'_>,
    mut held: Held,
    known: &mut Known,
    report: &mut Report,
) -> Option<Definition> {
    let component = format!("group {}", members.group);
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
    let names = members.names.join(", ");
    let all: Vec<&str> = group::ALL.iter().map(|spec| spec.name).collect();
    let all = all.join(", ");
    let Some(of) = held.remove("processor.type") else {
        let what = format!("processor.type is missing: {names} do not run either; there are {all}");
        report.error(members.place, &component, what);
        return None;
    };
    let Some(spec) = find(group::ALL, &of.text) else {
        let near = hint(&of.text, group::ALL.iter().map(|spec| spec.name));
        let near = match near.is_empty() {
            true => format!("; there are {all}"),
            false => near,
        };
        let what = format!(
            "processor.type is \"{}\", which is no sink processor{near}; {names} do not run either",
            of.text
        );
        report.error(&of.place, &component, what);
        return None;
    };
    let (least, most) = bounds(spec.name);
    if !(least..=most).contains(&members.written) {
        let wanted = match most {
            1 => "exactly one sink",
            _ => "at least two sinks",
        };
        let what = format!("{} wants {wanted} and has {}", spec.name, members.written);
        report.error(&of.place, &component, what);
        return None;
    }
    look_at_priorities(&mut held, members.names, &component, report);
    let site = Site {
        component: &component,
        place: &of.place,
        prefix: "",
        also: &["processor.type"],
        is_lenient: false,
    };
    let held = fit(spec, held, &site, known, report)?;
    // Of several one is left: there is nothing to choose.
    let (r#type, settings) = match members.names.len() < least {
        true => ("default".into(), Settings::new()),
        false => (of.text, settings(&held)),
    };
    Some(Definition {
        name: members.group.to_string(),
        r#type,
        settings,
        place: of.place,
    })
}

/// Priorities that are none count as if they were not there; so do those of sinks that are not in the group,
/// which the processor itself would refuse.
fn look_at_priorities(held: &mut Held, members: &[String], component: &str, report: &mut Report) {
    let mut seen: Vec<(i32, String)> = Vec::new();
    held.retain(|key, written| {
        let Some(sink) = key.strip_prefix("processor.priority.") else {
            return true;
        };
        if !members.iter().any(|own| own == sink) {
            let near = hint(sink, members.iter().map(String::as_str));
            let what = format!("{key}: \"{sink}\" is no sink of this group{near}");
            report.warn(&written.place, component, what);
            return false;
        }
        let Ok(priority) = written.text.parse::<i32>() else {
            let what = format!(
                "{key} is \"{}\", which is no number, and counts as if it was missing",
                written.text
            );
            report.warn(&written.place, component, what);
            return false;
        };
        if let Some((_, other)) = seen.iter().find(|(own, _)| *own == priority) {
            let what = format!("{key} is {priority}, and so is that of {other}");
            report.warn(&written.place, component, what);
        }
        seen.push((priority, sink.to_string()));
        true
    });
}

/// A group takes from one channel, that of its first sink.
fn tell_other_channels(
    graph: &Graph,
    members: &[String],
    component: &str,
    place: &Place,
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
