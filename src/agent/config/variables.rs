//! `${...}` in values: the environment, settings of `-D`, facts of the machine, the date, other properties.
//!
//! Flume resolves references between properties in the order of a hash table, so that they work or do not; here
//! each is resolved before what refers to it. What is not defined stays as it is written, as there.

use super::entries::{Entry, Written};
use super::java_date;
use super::report::Report;
use crate::flow::graph::Place;
use std::collections::{HashMap, HashSet};

/// References within references at most.
const DEEPEST: usize = 32;
/// Bytes of a value at most: references to references could double it each time.
const LONGEST: usize = 1 << 20;
/// Properties whose names are searched in the environment, too, where `-D` says so.
const FALL_BACK: (&str, &str) = (
    "propertiesImplementation",
    "org.apache.flume.node.EnvVarResolverProperties",
);

/// Where values come from that are not in the properties.
pub(super) struct Outside<'a> {
    /// Settings of `-D`.
    pub system: &'a [(String, String)],
    /// The environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Replace all references. Gives the keys that others refer to.
pub(super) fn resolve(entries: &mut [Entry], outside: &Outside<'_>, report: &mut Report) -> HashSet<String> {
    if !entries.iter().any(|entry| entry.written.text.contains("${")) {
        return HashSet::new();
    }
    let by_key: HashMap<&str, usize> = entries
        .iter()
        .zip(0..)
        .map(|(entry, at)| (&entry.key[..], at))
        .collect();
    let mut resolver = Resolver {
        by_key,
        entries,
        outside,
        done: vec![None; entries.len()],
        open: Vec::new(),
        referred: HashSet::new(),
        report,
        subject: 0,
        falls_back: outside
            .system
            .iter()
            .any(|(key, value)| (&key[..], &value[..]) == FALL_BACK),
    };
    let texts: Vec<String> = (0..entries.len()).map(|at| resolver.property(at)).collect();
    let referred = std::mem::take(&mut resolver.referred);
    for (entry, text) in entries.iter_mut().zip(texts) {
        entry.written.text = text;
    }
    referred
}

struct Resolver<'a> {
    entries: &'a [Entry],
    by_key: HashMap<&'a str, usize>,
    outside: &'a Outside<'a>,
    done: Vec<Option<String>>,
    /// What is being resolved, from the outermost in.
    open: Vec<String>,
    referred: HashSet<String>,
    report: &'a mut Report,
    /// The entry that is being resolved.
    subject: usize,
    falls_back: bool,
}

impl Resolver<'_> {
    fn property(&mut self, at: usize) -> String {
        if let Some(done) = &self.done[at] {
            return done.clone();
        }
        let entries = self.entries;
        let outer = std::mem::replace(&mut self.subject, at);
        self.open.push(entries[at].key.clone());
        let text = self.expand(&entries[at].written.text);
        self.open.pop();
        self.subject = outer;
        self.done[at] = Some(text.clone());
        text
    }

    fn written(&self) -> &Written {
        &self.entries[self.subject].written
    }

    fn warn(&mut self, what: String) {
        let place: Place = self.written().place.clone();
        let key = &self.entries[self.subject].key;
        self.report.warn(&place, "", format!("{key}: {what}"));
    }

    /// A text without its references.
    fn expand(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                // Written twice, it stands for itself.
                out.push_str(&rest[..at - 1]);
                let end = closing(&rest[at + 2..]).map_or(rest.len(), |end| at + 2 + end + 1);
                out.push_str(&rest[at..end]);
                rest = &rest[end..];
                continue;
            }
            out.push_str(&rest[..at]);
            let Some(end) = closing(&rest[at + 2..]) else {
                rest = &rest[at..];
                break;
            };
            let reference = &rest[at + 2..at + 2 + end];
            match self.reference(reference) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[at..at + 2 + end + 1]),
            }
            rest = &rest[at + 2 + end + 1..];
            if out.len() > LONGEST {
                self.warn(format!(
                    "its references make it longer than {LONGEST} bytes: it is cut"
                ));
                out.truncate(out.floor_char_boundary(LONGEST));
                return out;
            }
        }
        out.push_str(rest);
        out
    }

    /// What a reference stands for; `None` if it stays as it is, which is told.
    fn reference(&mut self, reference: &str) -> Option<String> {
        if self.open.len() >= DEEPEST {
            self.warn(format!(
                "references go deeper than {DEEPEST}: ${{{reference}}} stays as it is"
            ));
            return None;
        }
        let (name, fallback) = split_fallback(reference);
        let name = match name.contains("${") {
            true => self.expand(name),
            false => name.to_string(),
        };
        if self.open.contains(&name) {
            let ring = self.open.join(" -> ");
            self.warn(format!(
                "it refers to itself, {ring} -> {name}: it stays as it is"
            ));
            return None;
        }
        if let Some(value) = self.look_up(&name) {
            return Some(value);
        }
        match fallback {
            Some(fallback) => Some(self.expand(fallback)),
            None => {
                // What a filter replaces is none of ours.
                if super::filters::is_reference(reference) {
                    return None;
                }
                self.tell_undefined(&name, reference);
                None
            }
        }
    }

    fn look_up(&mut self, name: &str) -> Option<String> {
        if let Some(at) = self.by_key.get(name).copied() {
            self.referred.insert(name.to_string());
            return Some(self.property(at));
        }
        let value = match name.split_once(':') {
            Some(("env", variable)) => (self.outside.environment)(variable),
            Some(("sys", key)) => self.system(key),
            Some(("java", fact)) => java_fact(fact),
            Some(("date", pattern)) => java_date::now(pattern).ok(),
            Some(_) => None,
            None if self.falls_back => (self.outside.environment)(name),
            None => None,
        }?;
        if !value.contains("${") {
            return Some(value);
        }
        self.open.push(name.to_string());
        let expanded = self.expand(&value);
        self.open.pop();
        Some(expanded)
    }

    /// A setting of `-D`, or one that every Java has.
    fn system(&self, key: &str) -> Option<String> {
        let given = self.outside.system.iter().rev().find(|(own, _)| own == key);
        let environment = |name| (self.outside.environment)(name);
        let uname = || rustix::system::uname();
        match (given, key) {
            (Some((_, value)), _) => Some(value.clone()),
            (None, "user.home") => environment("HOME"),
            (None, "user.name") => environment("USER").or_else(|| environment("LOGNAME")),
            (None, "user.dir") => Some(std::env::current_dir().ok()?.to_str()?.to_string()),
            (None, "java.io.tmpdir") => Some("/tmp".into()),
            (None, "os.name") => Some(uname().sysname().to_string_lossy().into_owned()),
            (None, "os.version") => Some(uname().release().to_string_lossy().into_owned()),
            (None, "os.arch") => Some(architecture().into()),
            (None, "file.separator") => Some("/".into()),
            (None, "path.separator") => Some(":".into()),
            _ => None,
        }
    }

    fn tell_undefined(&mut self, name: &str, reference: &str) {
        let why = match name.split_once(':') {
            Some(("env", variable)) => format!("the environment has no {variable}"),
            Some(("sys", key)) => format!("there is no -D{key}=..."),
            Some(("date", pattern)) => match java_date::now(pattern) {
                Err(why) => why,
                Ok(_) => return,
            },
            Some(("java", _)) => "there are version, runtime, vm, os, hardware, locale".into(),
            Some((prefix, _)) if !prefix.contains('.') => {
                format!(
                    "there is no look-up \"{prefix}\"; there are env, sys, java, date and other properties"
                )
            }
            _ => format!("there is no property \"{name}\""),
        };
        self.warn(format!("${{{reference}}} stays as it is: {why}"));
    }
}

/// The place of the brace that closes what begins here.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// A name and what stands behind `:-`, outside of what is nested in it.
fn split_fallback(reference: &str) -> (&str, Option<&str>) {
    let mut open = 0;
    let bytes = reference.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => open += 1,
            b'}' if open > 0 => open -= 1,
            b':' if open == 0 && bytes.get(at + 1) == Some(&b'-') => {
                return (&reference[..at], Some(&reference[at + 2..]));
            }
            _ => {}
        }
    }
    (reference, None)
}

/// What Java calls this kind of machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

/// What Flume's `${java:...}` says, of a process without Java.
fn java_fact(fact: &str) -> Option<String> {
    let own = || format!("flume {}", env!("CARGO_PKG_VERSION"));
    let uname = rustix::system::uname();
    Some(match fact {
        "version" | "runtime" | "vm" => own(),
        "os" => format!(
            "{} {}, architecture: {}-64",
            uname.sysname().to_string_lossy(),
            uname.release().to_string_lossy(),
            architecture()
        ),
        "hardware" => {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            format!("processors: {processors}, architecture: {}-64", architecture())
        }
        "locale" => "default locale: en, platform encoding: UTF-8".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &[(&str, &str)] = &[("dir", "/var"), ("a", "1"), ("a", "2")];

    /// The value of the first property, and what was told.
    fn expanded(properties: &[(&str, &str)], more: &[(&str, &str)]) -> (String, Vec<String>) {
        let mut entries: Vec<Entry> = properties
            .iter()
            .map(|(key, value)| Entry {
                key: key.to_string(),
                written: Written {
                    text: value.to_string(),
                    ..Written::default()
                },
            })
            .collect();
        let system: Vec<(String, String)> = SYSTEM
            .iter()
            .chain(more)
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let outside = Outside {
            system: &system,
            environment: &|name| match name {
                "PORT" => Some("4141".into()),
                "NESTED" => Some("<${env:PORT}>".into()),
                "RING" => Some("${env:RING}".into()),
                _ => None,
            },
        };
        let mut report = Report::new(false);
        resolve(&mut entries, &outside, &mut report);
        let told = report.into_problems().iter().map(ToString::to_string).collect();
        (entries.swap_remove(0).written.text, told)
    }

    fn check(value: &str, expected: &str) {
        let others = [
            ("x", value),
            ("base.dir", "${sys:dir}/log"),
            ("port.name", "PORT"),
            ("empty", "$"),
        ];
        assert_eq!(expanded(&others, &[]), (expected.to_string(), vec![]), "{value}");
    }

    fn check_told(value: &str, expected: &str, what: &str) {
        let (found, told) = expanded(&[("x", value), ("y", "${x}"), ("one", "1")], &[]);
        assert_eq!(found, expected, "{value}");
        assert!(told.len() == 1 && told[0].starts_with(what), "{value}: {told:?}");
    }

    #[test]
    fn references_are_replaced() {
        check("a${env:PORT}b${env:PORT}", "a4141b4141");
        check("${sys:dir} ${sys:a}", "/var 2");
        check("${base.dir}/x", "/var/log/x");
        check("${env:NESTED}", "<4141>");
        check("${env:${port.name}}", "4141");
        check("${nothing:-none}${env:PORT:-none}", "none4141");
        check("${nothing:-${base.dir}}", "/var/log");
        check("${nothing:-${env:NOTHING:-x}}-${nothing:-}", "x-");
        check("${java:version}", &format!("flume {}", env!("CARGO_PKG_VERSION")));
        check("${sys:os.name}", "Linux");
        check("${date:yyyy}", &jiff::Zoned::now().strftime("%Y").to_string());
    }

    #[test]
    fn what_is_no_reference_stays() {
        check("$${env:PORT} $$ $5 %{x} {y} ${", "${env:PORT} $$ $5 %{x} {y} ${");
        check("$${a${env:PORT}}", "${a${env:PORT}}");
        check(
            "${f1['KEY']}${f1[\"KEY\"]}${f1[KEY]}",
            "${f1['KEY']}${f1[\"KEY\"]}${f1[KEY]}",
        );
    }

    #[test]
    fn what_is_not_defined_stays_and_is_told() {
        check_told(
            "${env:NONE}",
            "${env:NONE}",
            "x: ${env:NONE} stays as it is: the environment has no NONE",
        );
        check_told(
            "${sys:no}",
            "${sys:no}",
            "x: ${sys:no} stays as it is: there is no -Dno=...",
        );
        check_told(
            "${PORT}",
            "${PORT}",
            "x: ${PORT} stays as it is: there is no property \"PORT\"",
        );
        check_told(
            "${dns:localhost}",
            "${dns:localhost}",
            "x: ${dns:localhost} stays as it is: there is no look-up",
        );
        check_told("${date:'}", "${date:'}", "x: ${date:'} stays as it is: ");
        check_told(
            "${java:x}",
            "${java:x}",
            "x: ${java:x} stays as it is: there are version",
        );
        let fall_back = [(FALL_BACK.0, FALL_BACK.1)];
        assert_eq!(expanded(&[("x", "${PORT}")], &fall_back), ("4141".into(), vec![]));
    }

    #[test]
    fn rings_and_avalanches_end() {
        check_told("${x}", "${x}", "x: it refers to itself, x -> x");
        check_told("${y}", "${x}", "y: it refers to itself, x -> y -> x");
        check_told(
            "${env:RING}",
            "${env:RING}",
            "x: it refers to itself, x -> env:RING -> env:RING",
        );
        let names: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
        let values: Vec<String> = (1..101).map(|n| format!("${{k{n}}}${{k{n}}}")).collect();
        let chain: Vec<_> = names.iter().zip(&values).map(|(k, v)| (&k[..], &v[..])).collect();
        let (found, told) = expanded(&chain, &[]);
        assert!(
            found.len() <= LONGEST + 200 && !told.is_empty(),
            "{}",
            found.len()
        );
    }
}
