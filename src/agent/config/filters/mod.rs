//! Config filters: `${NAME['KEY']}` in a value, replaced by what the filter NAME of the agent has under KEY. What
//! comes out of one is a secret: no message shows it.

mod external;
mod hadoop;
mod java_object;
mod jceks;

use super::agents::{Agent, Held, Kind, Listed};
use super::entries::Written;
use super::report::{Report, hint};
use super::selector::is_type;
use std::collections::HashMap;

/// Type, Java class behind the package, and properties.
const ALL: &[(&str, &str, &[&str])] = &[
    ("env", "configfilter.EnvironmentVariableConfigFilter", &[]),
    (
        "external",
        "configfilter.ExternalProcessConfigFilter",
        &["command", "charset"],
    ),
    (
        "hadoop",
        "configfilter.HadoopCredentialStoreConfigFilter",
        &[
            "credential.provider.path",
            "credstore.java-keystore-provider.password-file",
        ],
    ),
];

/// Where a value comes from.
enum Store {
    Environment,
    Program(external::Program),
    Stores(hadoop::Stores),
    /// One that is wrong itself, or that may not be asked: nobody knows what its values are.
    Closed,
}

/// A filter and what was asked of it.
struct Filter {
    name: String,
    store: Store,
    known: HashMap<String, Result<String, String>>,
}

/// Replace what filters have in all values of an agent. Commands are only run if that is allowed.
pub(super) fn apply(agent: &mut Agent, runs_commands: bool, report: &mut Report) {
    let listed = agent.take(Kind::Filters, report);
    let mut filters: Vec<Filter> = listed
        .into_iter()
        .map(|listed| Filter {
            name: listed.name.clone(),
            store: open(listed, runs_commands, report).unwrap_or(Store::Closed),
            known: HashMap::new(),
        })
        .collect();
    agent.each_value(|component, key, written| {
        if written.text.contains("${") {
            replace(component, key, written, &mut filters, report);
        }
    });
}

fn open(listed: Listed, runs_commands: bool, report: &mut Report) -> Option<Store> {
    let component = format!("filter {}", listed.name);
    let mut held = listed.held;
    let Some(of) = held.remove("type") else {
        report.error(
            &listed.place,
            &component,
            format!("type is missing; {}", there_are()),
        );
        return None;
    };
    let Some((name, _, properties)) = ALL.iter().find(|(name, class, _)| is_type(&of.text, name, class))
    else {
        let near = hint(&of.text, ALL.iter().map(|(name, _, _)| *name));
        let near = match near.is_empty() {
            true => format!("; {}", there_are()),
            false => near,
        };
        let what = format!("type is \"{}\", which is no config filter{near}", of.text);
        report.error(&of.place, &component, what);
        return None;
    };
    for (key, written) in &held {
        if !properties.contains(&&key[..]) {
            let near = hint(key, properties.iter().copied());
            report.unknown(
                &written.place,
                &component,
                format!("{key} is no property of {name}{near}"),
            );
        }
    }
    let made = match *name {
        "env" => Ok(Store::Environment),
        "hadoop" => stores(&held),
        _ => program(&held, runs_commands),
    };
    made.map_err(|what| report.error(&of.place, &component, what))
        .ok()
}

fn program(held: &Held, runs_commands: bool) -> Result<Store, String> {
    let text = |key| held.get(key).map(|written: &Written| &written.text[..]);
    let command = text("command").ok_or("command is missing: what is run with a key behind it")?;
    let program = external::Program::new(command, text("charset"))?;
    Ok(match runs_commands {
        true => Store::Program(program),
        false => Store::Closed,
    })
}

fn stores(held: &Held) -> Result<Store, String> {
    let text = |key| held.get(key).map(|written: &Written| &written.text[..]);
    let addresses = text("credential.provider.path")
        .ok_or("credential.provider.path is missing: where the store is, as jceks://file/PATH")?;
    let password_file = text("credstore.java-keystore-provider.password-file");
    hadoop::Stores::new(addresses, password_file).map(Store::Stores)
}

fn there_are() -> String {
    let names: Vec<&str> = ALL.iter().map(|(name, _, _)| *name).collect();
    format!("there are {}", names.join(", "))
}

impl Filter {
    /// The value of a key. `None` if nobody can know it; the error is a sentence.
    fn value(&mut self, key: &str) -> Option<Result<String, String>> {
        if let Some(known) = self.known.get(key) {
            return Some(known.clone());
        }
        let value = match &self.store {
            Store::Closed => return None,
            Store::Environment => {
                std::env::var(key).map_err(|_| format!("the environment has no {key}, or it is no UTF-8"))
            }
            Store::Program(program) => program.value(key),
            Store::Stores(stores) => stores.value(key),
        };
        self.known.insert(key.to_string(), value.clone());
        Some(value)
    }
}

/// Replace all references in a value that can be.
fn replace(component: &str, key: &str, written: &mut Written, filters: &mut [Filter], report: &mut Report) {
    let text = std::mem::take(&mut written.text);
    let mut rest = &text[..];
    while let Some(at) = rest.find("${") {
        let Some((name, asked, length)) = reference(&rest[at + 2..]) else {
            written.text.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        };
        let whole = &rest[at..at + 2 + length + 1];
        written.text.push_str(&rest[..at]);
        rest = &rest[at + whole.len()..];
        let Some(filter) = filters.iter_mut().find(|filter| filter.name == name) else {
            let near = hint(name, filters.iter().map(|filter| &filter.name[..]));
            let what = format!("{key}: {whole} stays as it is: there is no config filter \"{name}\"{near}");
            report.warn(&written.place, component, what);
            written.text.push_str(whole);
            continue;
        };
        match filter.value(asked) {
            Some(Ok(value)) => {
                written.text.push_str(&value);
                written.is_secret = true;
            }
            Some(Err(why)) => {
                let what = format!("{key}: {whole} stays as it is: {why}");
                report.error(&written.place, component, what);
                written.text.push_str(whole);
            }
            None => {
                written.is_unknown = true;
                written.text.push_str(whole);
            }
        }
    }
    written.text.push_str(rest);
}

/// `NAME['KEY']` at the start of a text, with either quote or none: name, key, and how long it is up to the brace
/// behind it.
fn reference(text: &str) -> Option<(&str, &str, usize)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let open = text.find('[')?;
    let name = &text[..open];
    let inner = &text[open + 1..];
    let close = inner.find(']')?;
    let quoted = &inner[..close];
    let key = ['\'', '"']
        .iter()
        .find_map(|quote| quoted.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(quoted);
    let fits = !name.is_empty() && !key.is_empty() && key.chars().all(is_name);
    let ends = inner[close + 1..].starts_with('}');
    let is_plain = !name.contains(['$', '{', '}', '.']) && !name.contains(char::is_whitespace);
    (fits && ends && is_plain).then_some((name, key, open + 1 + close + 1))
}

/// Is what stands between the braces a reference to a filter?
pub(super) fn is_reference(between: &str) -> bool {
    reference(&format!("{between}}}")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_a_key_in_either_quotes_or_none() {
        assert_eq!(reference("f1['KEY']} x"), Some(("f1", "KEY", 9)));
        assert_eq!(reference("f1[\"a-b_C9\"]}"), Some(("f1", "a-b_C9", 12)));
        assert_eq!(reference("f[K]}"), Some(("f", "K", 4)));
        for no in [
            "f1['KEY'] }",
            "f1['KEY\"]}",
            "f1['a.b']}",
            "['K']}",
            "f1[]}",
            "f1['K'",
            "env:X}",
            "a.b[c]}",
        ] {
            assert_eq!(reference(no), None, "{no}");
        }
    }
}
