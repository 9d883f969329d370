//! The selector of a source: which of its channels get an event.

use super::agents::Held;
use super::fit::settings;
use super::report::{Report, hint};
use crate::flow::graph::{Definition, Place};

/// Name, Java class behind the package, and the properties behind `selector.`: a family ends with a dot.
const ALL: &[(&str, &str, &[&str])] = &[
    ("replicating", "channel.ReplicatingChannelSelector", &["optional"]),
    (
        "multiplexing",
        "channel.MultiplexingChannelSelector",
        &["header", "default", "mapping.", "optional."],
    ),
    (
        "load_balancing",
        "channel.LoadBalancingChannelSelector",
        &["policy"],
    ),
];

/// The selector that a source has: `replicating` if nobody says another. `None` if it cannot be made.
pub(super) fn read(
    source: &str,
    mut held: Held,
    channels: &[String],
    component: &str,
    report: &mut Report,
) -> Option<Definition> {
    let of = held.remove("selector.type");
    let word = of.as_ref().map_or("replicating", |of| &of.text[..]);
    let place = of.as_ref().map(|of| of.place.clone()).unwrap_or_default();
    let Some((name, _, properties)) = ALL.iter().find(|(name, class, _)| is_type(word, name, class)) else {
        let names = ALL.iter().map(|(name, _, _)| *name);
        let near = hint(word, names);
        let near = match near.is_empty() {
            true => "; there are replicating, multiplexing, load_balancing".into(),
            false => near,
        };
        let what = format!("selector.type is \"{word}\", which is no selector{near}");
        report.error(&place, component, what);
        return None;
    };
    leave_out_unknown(name, properties, &mut held, component, report);
    let sound = are_channels_own(name, &held, channels, component, report)
        && is_policy(name, &held, component, report);
    sound.then(|| Definition {
        name: source.to_string(),
        r#type: word.to_string(),
        settings: settings(&held),
        place,
    })
}

/// Is this word that type, by its name or its class?
pub(super) fn is_type(word: &str, name: &str, class: &str) -> bool {
    let of_flume = super::known::PACKAGE.len();
    word.eq_ignore_ascii_case(name)
        || word
            .get(..of_flume)
            .is_some_and(|start| start.eq_ignore_ascii_case(super::known::PACKAGE))
            && word[of_flume..].eq_ignore_ascii_case(class)
}

fn leave_out_unknown(name: &str, properties: &[&str], held: &mut Held, component: &str, report: &mut Report) {
    let is_known = |key: &str| {
        let own = key.strip_prefix("selector.").unwrap_or(key);
        properties
            .iter()
            .any(|known| own == *known || known.ends_with('.') && own.starts_with(known))
    };
    let unknown: Vec<String> = held.keys().filter(|key| !is_known(key)).cloned().collect();
    for key in unknown {
        let Some(written) = held.remove(&key) else {
            continue;
        };
        let names: Vec<String> = properties
            .iter()
            .map(|known| format!("selector.{known}"))
            .collect();
        let near = hint(&key, names.iter().map(String::as_str));
        let what = format!("{key} is no property of the selector {name}{near}");
        report.unknown(&written.place, component, what);
    }
}

/// A selector can only choose among the channels of its source.
fn are_channels_own(
    name: &str,
    held: &Held,
    channels: &[String],
    component: &str,
    report: &mut Report,
) -> bool {
    // A source without channels is told so.
    if channels.is_empty() {
        return true;
    }
    let mut sound = true;
    for (key, written) in held {
        let own = key.strip_prefix("selector.").unwrap_or(key);
        let is_list = match name {
            "replicating" => own == "optional",
            "multiplexing" => own == "default" || own.starts_with("mapping.") || own.starts_with("optional."),
            _ => false,
        };
        if !is_list {
            continue;
        }
        for channel in written.text.split_whitespace() {
            if channels.iter().any(|own| own == channel) {
                continue;
            }
            let near = hint(channel, channels.iter().map(String::as_str));
            let near = match near.is_empty() {
                true => format!("; it has {}", channels.join(", ")),
                false => near,
            };
            let what = format!("{key} has \"{channel}\", which is no channel of this source{near}");
            report.error(&written.place, component, what);
            sound = false;
        }
    }
    if name == "multiplexing" && !held.contains_key("selector.default") {
        let fallback = Place::default();
        let place = held
            .values()
            .map(|written| &written.place)
            .min_by_key(|place| place.line);
        let what = "selector.default is missing: an event that no mapping has is dropped";
        report.warn(place.unwrap_or(&fallback), component, what);
    }
    sound
}

fn is_policy(name: &str, held: &Held, component: &str, report: &mut Report) -> bool {
    let Some(written) = held.get("selector.policy").filter(|_| name == "load_balancing") else {
        return true;
    };
    let is_one = ["round_robin", "random"]
        .iter()
        .any(|policy| written.text.eq_ignore_ascii_case(policy));
    if !is_one {
        let what = format!(
            "selector.policy is \"{}\": there are ROUND_ROBIN, RANDOM",
            written.text
        );
        report.error(&written.place, component, what);
    }
    is_one
}
