//! What is wrong: collected while the properties are read, and told in their order.

use super::Text;
use crate::component::nearest;
use crate::flow::graph::Place;
use std::collections::HashMap;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not run as it is written: a component is left out, or nothing starts.
    Error,
    /// All that is written runs, but something is passed over or hardly meant so.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The agent; empty where it belongs to none.
    pub agent: String,
    /// The component, such as `source r1`; empty where it belongs to none.
    pub component: String,
    /// What: property, what was found, what would be right.
    pub what: String,
}

impl Problem {
    /// Is it an error?
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.text.is_some() {
            write!(out, "{}: ", self.place)?;
        }
        match &self.component[..] {
            "" => out.write_str(&self.what),
            component => write!(out, "{component}: {}", self.what),
        }
    }
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Text of a file as a message may show it: whatever bytes stand there, a terminal is not told what to do.
fn printable(text: &str) -> String {
    let escaped = text.chars().map(|c| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    escaped.collect()
}

/// Collects them.
pub(super) struct Report {
    problems: Vec<Problem>,
    /// The agent that is looked at.
    pub agent: String,
    unknown: Severity,
    /// A text is no properties: nothing of it may start.
    pub is_unreadable: bool,
}

impl Report {
    pub fn new(unknown_is_error: bool) -> Report {
        Report {
            problems: Vec::new(),
            agent: String::new(),
            unknown: match unknown_is_error {
                true => Severity::Error,
                false => Severity::Warning,
            },
            is_unreadable: false,
        }
    }

    fn add(&mut self, severity: Severity, place: &Place, component: &str, what: String) {
        self.problems.push(Problem {
            severity,
            place: place.clone(),
            agent: self.agent.clone(),
            component: printable(component),
            what: printable(&what),
        });
    }

    /// Something does not run.
    pub fn error(&mut self, place: &Place, component: &str, what: impl Into<String>) {
        self.add(Severity::Error, place, component, what.into());
    }

    /// Something is passed over.
    pub fn warn(&mut self, place: &Place, component: &str, what: impl Into<String>) {
        self.add(Severity::Warning, place, component, what.into());
    }

    /// A key that nobody knows.
    pub fn unknown(&mut self, place: &Place, component: &str, what: impl Into<String>) {
        self.add(self.unknown, place, component, what.into());
    }

    pub fn no_such_agent(&mut self, texts: &[Text], name: &str, names: &[String]) {
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if names.is_empty() => "there is none".into(),
            None => format!("there are {}", names.join(", ")),
        };
        self.error(&whole(texts), "", format!("there is no agent \"{name}\"; {hint}"));
    }

    pub fn no_agent(&mut self, texts: &[Text]) {
        let what =
            "there is no agent in it: AGENT.sources, AGENT.channels and AGENT.sinks say what one is made of";
        self.error(&whole(texts), "", what);
    }

    /// In the order in which they were found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// Put problems into the order of the texts and their lines.
pub fn sort(problems: &mut [Problem], texts: &[Text]) {
    let order: HashMap<&str, usize> = texts
        .iter()
        .zip(0..)
        .map(|(text, at)| (&*text.name, at))
        .collect();
    problems.sort_by_key(|problem| {
        let text = problem.place.text.as_deref();
        (text.and_then(|name| order.get(name)).copied(), problem.place.line)
    });
}

/// The place of what is wrong with the whole.
fn whole(texts: &[Text]) -> Place {
    Place {
        text: texts.first().map(|text| text.name.clone()),
        line: 0,
    }
}

/// ` did you mean "x"?` behind a semicolon, if there is something near.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => String::new(),
    }
}
