//! Texts to entries: keys with their values and places, each key once.

use super::Text;
use super::report::Report;
use crate::flow::graph::Place;
use crate::properties::Properties;
use std::collections::HashMap;
use std::collections::hash_map;

/// A key and what it says.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub written: Written,
}

/// A value and what must be known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    pub text: String,
    pub place: Place,
    /// It came from a place for secrets: never shown.
    pub is_secret: bool,
    /// It is known only where the agent starts: nobody can say whether it is right.
    pub is_unknown: bool,
}

/// All texts as one list of entries, in the order in which their keys came first. Of a repeated key the last
/// counts; that is worth a word within one text, between texts it is what several are for.
pub(super) fn load(texts: &[Text], report: &mut Report) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for text in texts {
        let (properties, wrong) = Properties::parse_all(&text.bytes);
        let place = |line| Place {
            text: Some(text.name.clone()),
            line,
        };
        for error in wrong {
            report.is_unreadable = true;
            report.error(&place(error.line), "", error.what);
        }
        for entry in properties.entries() {
            let (key, value) = (entry.key.trim(), entry.value.trim());
            let place = place(entry.line);
            if value.is_empty() {
                report.warn(&place, "", without_value(key));
                // It is the last word all the same: what stood before does not count.
                if let Some(at) = by_key.remove(key) {
                    entries[at].written.text.clear();
                }
                continue;
            }
            let written = Written {
                text: value.to_string(),
                place,
                ..Written::default()
            };
            match by_key.entry(key.to_string()) {
                hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(entries.len());
                    let key = key.to_string();
                    entries.push(Entry { key, written });
                }
                hash_map::Entry::Occupied(at) => {
                    let earlier = &mut entries[*at.get()].written;
                    if earlier.place.text == written.place.text {
                        let what = format!("{key} is in line {} too: this one counts", earlier.place.line);
                        report.warn(&written.place, "", what);
                    }
                    *earlier = written;
                }
            }
        }
    }
    entries.retain(|entry| !entry.written.text.is_empty());
    entries
}

fn without_value(key: &str) -> String {
    match key.contains('.') {
        true => format!("{key} has no value and is passed over; an empty one cannot be given"),
        false => format!("\"{key}\" is passed over; a line is AGENT.KIND.NAME.PROPERTY = VALUE"),
    }
}
