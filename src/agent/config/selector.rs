//! The selector of a source: which of its channels get an event.

use super::agents::Held;
use super::fit::{Known, Site, fit, settings};
use super::report::{Report, hint};
use crate::component::find;
use crate::flow::graph::{Definition, Place};
use crate::select;

/// The selector that a source has: `replicating` if nobody says another. `None` if it cannot be made.
pub(super) fn read(
    source: &str,
    mut held: Held,
    channels: &[String],
    component: &str,
    known: &mut Known,
    report: &mut Report,
) -> Option<Definition> {
    let of = held.remove("selector.type");
    let word = of.as_ref().map_or("replicating", |of| &of.text[..]);
    let place = of.as_ref().map(|of| of.place.clone()).unwrap_or_default();
    let Some(spec) = find(select::ALL, word) else {
        let names: Vec<&str> = select::ALL.iter().map(|spec| spec.name).collect();
        let near = hint(word, names.iter().copied());
        let near = match near.is_empty() {
            true => format!("; there are {}", names.join(", ")),
            false => near,
        };
        let what = format!("selector.type is \"{word}\", which is no selector{near}");
        report.error(&place, component, what);
        return None;
    };
    let site = Site {
        component,
        place: &place,
        prefix: "",
        also: &["selector.type"],
        is_lenient: false,
    };
    let held = fit(spec, held, &site, known, report)?;
    let settings = settings(&held);
    // A source without channels is told so.
    let sound = channels.is_empty() || are_channels_own(spec.name, &held, channels, component, report);
    sound.then(|| Definition {
        name: source.to_string(),
        r#type: word.to_string(),
        settings,
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

/// A selector can only choose among the channels of its source.
fn are_channels_own(
    name: &str,
    held: &Held,
    channels: &[String],
    component: &str,
    report: &mut Report,
) -> bool {
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
