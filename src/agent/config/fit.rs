//! The settings of one component against its line in the table: every one that does not fit.

use super::agents::Held;
use super::entries::Written;
use super::report::{Report, hint};
use crate::component::{Setting, Spec};
use crate::flow::graph::{Place, Settings, Value};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::collections::{BTreeMap, HashMap};
use std::error::Error as _;
use std::rc::Rc;

/// Settings of the components that were looked at: they are asked for by each component of a type.
#[derive(Default)]
pub(super) struct Known(HashMap<(usize, &'static str), Rc<Vec<Setting>>>);

impl Known {
    /// The settings of a line in a table.
    pub fn of<Made>(&mut self, spec: &'static Spec<Made>) -> Rc<Vec<Setting>> {
        // Names repeat between the tables.
        let key = (std::ptr::from_ref(spec).addr(), spec.name);
        let settings = self.0.entry(key).or_insert_with(|| Rc::new(spec.all_settings()));
        settings.clone()
    }
}

/// A component and what is to be told of it.
pub(super) struct Site<'a> {
    /// Such as `source r1`.
    pub component: &'a str,
    /// Where its type is written.
    pub place: &'a Place,
    /// What its properties are called in front of their own names: `interceptors.i1.` of an interceptor.
    pub prefix: &'a str,
    /// Properties that it may have beside its own, for hints.
    pub also: &'a [&'a str],
    /// A value that is wrong counts as if it was not there.
    pub is_lenient: bool,
}

impl Site<'_> {
    /// In front of a sentence that names no property: which part of the component is meant.
    fn within(&self) -> String {
        match self.prefix.trim_end_matches('.').split_once('.') {
            Some((_, name)) => format!("interceptor {name}: "),
            None => String::new(),
        }
    }
}

/// What does not fit, as the parser tells it: one thing at a time.
enum Misfit {
    /// The value of a key.
    Value(String, String),
    /// Keys that must be there.
    Missing(Vec<String>),
    /// Anything else.
    Other(String),
}

/// Look at all settings. What is left of them if the component can be made of that; what nobody knows is left
/// out.
pub(super) fn fit<Made: 'static>(
    spec: &'static Spec<Made>,
    mut held: Held,
    site: &Site<'_>,
    known: &mut Known,
    report: &mut Report,
) -> Option<Held> {
    let settings = known.of(spec);
    rename_aliases(&settings, &mut held, site, report);
    let secrets = secrets(&held, &settings);
    leave_out_unknown(spec.name, &settings, &mut held, site, report);
    tell_booleans(&settings, &held, site, report);
    let mut wrong: Vec<String> = Vec::new();
    // Nobody can say whether these fit.
    let (unknown, mut held): (Held, Held) = held.into_iter().partition(|(_, written)| written.is_unknown);
    loop {
        let plain: BTreeMap<String, String> = held
            .iter()
            .map(|(key, written)| (key.clone(), written.text.clone()))
            .collect();
        let Err(error) = spec.from_properties(&plain) else {
            break;
        };
        match misfit(&error, &held, &settings) {
            Misfit::Value(key, why) => {
                let Some(written) = held.remove(&key) else { break };
                tell_value(&key, &written, &hide(&why, &secrets), &settings, site, report);
                wrong.push(key);
            }
            Misfit::Missing(keys) => {
                let is_told = |key: &&String| wrong.contains(key) || unknown.contains_key(*key);
                let missing: Vec<_> = keys.iter().filter(|key| !is_told(key)).collect();
                if missing.is_empty() && wrong.is_empty() {
                    break;
                }
                for key in missing {
                    let sentence = settings.iter().find(|setting| setting.property == *key);
                    let sentence = sentence.map(|setting| &setting.sentence[..]).unwrap_or_default();
                    let what = format!("{}{key} is missing: {sentence}", site.prefix);
                    report.error(site.place, site.component, what);
                }
                return None;
            }
            // What was left out may be all that is wrong here.
            Misfit::Other(_) if !wrong.is_empty() && !site.is_lenient => return None,
            Misfit::Other(_) if !unknown.is_empty() => break,
            Misfit::Other(why) => {
                let place = place_of(&why, &held).unwrap_or(site.place);
                let why = why.strip_prefix(&format!("{}: ", spec.name)).unwrap_or(&why);
                let what = format!("{}{}", site.within(), hide(why, &secrets));
                report.error(place, site.component, what);
                return None;
            }
        }
    }
    held.extend(unknown);
    (wrong.is_empty() || site.is_lenient).then_some(held)
}

/// Values that must not be shown.
fn secrets(held: &Held, settings: &[Setting]) -> Vec<String> {
    let is_secret = |key: &str, written: &Written| {
        written.is_secret || settings.iter().any(|own| own.is_secret && own.property == key)
    };
    let secret = held.iter().filter(|(key, written)| is_secret(key, written));
    secret.map(|(_, written)| written.text.clone()).collect()
}

fn hide(text: &str, secrets: &[String]) -> String {
    secrets
        .iter()
        .fold(text.to_string(), |text, secret| text.replace(secret, "***"))
}

/// Older names become those that count.
fn rename_aliases(settings: &[Setting], held: &mut Held, site: &Site<'_>, report: &mut Report) {
    for setting in settings {
        for alias in &setting.aliases {
            let Some(written) = held.remove(alias) else {
                continue;
            };
            let property = &setting.property;
            if held.contains_key(property) {
                let what = format!(
                    "{}{alias} is passed over: it is an older name of {property}, which is there",
                    site.prefix
                );
                report.warn(&written.place, site.component, what);
            } else {
                held.insert(property.clone(), written);
            }
        }
    }
}

fn leave_out_unknown(
    name: &str,
    settings: &[Setting],
    held: &mut Held,
    site: &Site<'_>,
    report: &mut Report,
) {
    let is_known = |key: &str| {
        settings.iter().any(|own| {
            let family = own.property.strip_suffix('*');
            own.property == key || family.is_some_and(|family| key.starts_with(family))
        })
    };
    let unknown: Vec<String> = held.keys().filter(|key| !is_known(key)).cloned().collect();
    for key in unknown {
        let Some(written) = held.remove(&key) else {
            continue;
        };
        let names = settings.iter().map(|own| &own.property[..]);
        let near = hint(&key, names.chain(site.also.iter().copied()));
        let what = format!("{}{key} is no property of {name}{near}", site.prefix);
        report.unknown(&written.place, site.component, what);
    }
}

fn is_boolean(setting: &Setting) -> bool {
    setting.value.as_deref() == Some("true|false")
}

fn tell_booleans(settings: &[Setting], held: &Held, site: &Site<'_>, report: &mut Report) {
    for setting in settings.iter().filter(|setting| is_boolean(setting)) {
        let Some(written) = held.get(&setting.property) else {
            continue;
        };
        let is_word = ["true", "false"]
            .iter()
            .any(|word| written.text.eq_ignore_ascii_case(word));
        if !is_word {
            let shown = shown(written, false);
            let what = format!(
                "{}{} is {shown}, which is neither true nor false and counts as false",
                site.prefix, setting.property
            );
            report.warn(&written.place, site.component, what);
        }
    }
}

/// A value as it may be shown.
fn shown(written: &Written, is_secret: bool) -> String {
    match written.is_secret || is_secret {
        true => "something that is not shown".into(),
        false => format!("\"{}\"", written.text),
    }
}

fn tell_value(
    key: &str,
    written: &Written,
    why: &str,
    settings: &[Setting],
    site: &Site<'_>,
    report: &mut Report,
) {
    let setting = settings.iter().find(|setting| setting.property == key);
    let is_secret = setting.is_some_and(|setting| setting.is_secret);
    let shown = shown(written, is_secret);
    // Most reasons begin with the value.
    let what = match why.strip_prefix(&format!("{shown} is ")) {
        Some(rest) => format!("{}{key} is {shown}: that is {rest}", site.prefix),
        None => format!("{}{key} is {shown}: {why}", site.prefix),
    };
    match site.is_lenient {
        true => {
            let default = setting.and_then(|own| own.flumes.as_ref().or(own.default.as_ref()));
            let counts = default.map_or_else(
                || "it is passed over".to_string(),
                |word| format!("it counts as {word}"),
            );
            report.warn(&written.place, site.component, format!("{what}; {counts}"));
        }
        false => report.error(&written.place, site.component, what),
    }
}

/// What a parser's error is about.
fn misfit(error: &clap::Error, held: &Held, settings: &[Setting]) -> Misfit {
    let named = error.get(ContextKind::InvalidArg);
    match (error.kind(), named) {
        (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(names))) => {
            Misfit::Missing(names.iter().map(|name| id_of(name).to_string()).collect())
        }
        (ErrorKind::ValueValidation | ErrorKind::InvalidValue, Some(ContextValue::String(name))) => {
            match key_of(id_of(name), error, held) {
                Some(key) => {
                    let why = reason(error, &key, settings);
                    Misfit::Value(key, why)
                }
                None => Misfit::Other(sentence(error)),
            }
        }
        (ErrorKind::ArgumentConflict, Some(ContextValue::String(name))) => {
            let others = match error.get(ContextKind::PriorArg) {
                Some(ContextValue::String(other)) => id_of(other).to_string(),
                Some(ContextValue::Strings(others)) => {
                    let others: Vec<_> = others.iter().map(|other| id_of(other)).collect();
                    others.join(", ")
                }
                _ => "others".into(),
            };
            Misfit::Other(format!("{} and {others} cannot both be given", id_of(name)))
        }
        _ => Misfit::Other(sentence(error)),
    }
}

/// The property in the parser's `--property <VALUE>`.
fn id_of(shown: &str) -> &str {
    let bare = shown.trim_start_matches('-');
    let end = bare.find(['=', ' ', '<', '[']).unwrap_or(bare.len());
    &bare[..end]
}

/// The key that an argument's value came from: itself, or a member of a family.
fn key_of(id: &str, error: &clap::Error, held: &Held) -> Option<String> {
    if held.contains_key(id) {
        return Some(id.to_string());
    }
    let family = id.strip_suffix('*')?;
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else {
        return None;
    };
    let mut members = held.iter().filter_map(|(key, written)| {
        let member = key.strip_prefix(family)?;
        (format!("{member}={}", written.text) == *value).then(|| key.clone())
    });
    members.next()
}

/// Why a value is wrong.
fn reason(error: &clap::Error, key: &str, settings: &[Setting]) -> String {
    if let Some(ContextValue::Strings(words)) = error.get(ContextKind::ValidValue) {
        return format!("there are {}", words.join(", "));
    }
    let setting = settings.iter().find(|setting| setting.property == key);
    if let Some(source) = error.source() {
        return match source.downcast_ref::<std::num::ParseIntError>() {
            Some(error) => match error.kind() {
                std::num::IntErrorKind::PosOverflow => "that is too large a number".into(),
                _ => "that is no whole number from 0 on".into(),
            },
            None => source.to_string(),
        };
    }
    match setting {
        Some(setting) => format!("that is none; {}", setting.sentence),
        None => sentence(error),
    }
}

/// What the parser says, in one line and without what is not about the error.
fn sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let own = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    own.collect::<Vec<_>>().join("; ")
}

/// The place of the first property that a sentence names.
fn place_of<'a>(sentence: &str, held: &'a Held) -> Option<&'a Place> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let words = sentence.split(|c| !is_part(c));
    let mut words = words.map(|word| word.trim_matches(['-', '.']));
    words
        .find_map(|word| held.get(word))
        .map(|written| &written.place)
}

/// Settings as the graph has them.
pub(super) fn settings(held: &Held) -> Settings {
    let value = |written: &Written| Value {
        text: written.text.clone(),
        place: written.place.clone(),
    };
    held.iter()
        .map(|(key, written)| (key.clone(), value(written)))
        .collect()
}
