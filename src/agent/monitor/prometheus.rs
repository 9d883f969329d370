//! Counters as Prometheus' text, under the names that Flume's trunk gives them.

use crate::flow::Board;
use crate::metrics::{Count, Kind};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// A family: its lines by its name; counters have their names with `_total`.
#[derive(Default)]
struct Families(BTreeMap<String, (bool, String)>);

impl Families {
    fn add(&mut self, name: &str, is_gauge: bool, labels: &str, value: &str) {
        let name = format!("Flume_{name}{}", if is_gauge { "" } else { "_total" });
        let (_, lines) = self
            .0
            .entry(name.clone())
            .or_insert_with(|| (is_gauge, String::new()));
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        let _ = writeln!(lines, "{name}{labels} {value}");
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, (is_gauge, lines)) in &self.0 {
            let kind = if *is_gauge { "gauge" } else { "counter" };
            let _ = write!(text, "# TYPE {name} {kind}\n{lines}");
        }
        text
    }
}

/// All of a board. What counts in one second and what has been there for so many are seconds.
pub fn text(board: &Board) -> String {
    let mut families = Families::default();
    let seconds = |age: Duration| age.as_secs_f64().to_string();
    for (counters, channel) in board.components() {
        let kind = counters.kind().flume();
        let labels = format!("component=\"{}\",type=\"{kind}\"", escaped(counters.name()));
        let is_file = channel.as_ref().is_some_and(|channel| channel.is_durable());
        for (count, name, value) in counters.values() {
            let is_others = matches!(count, Count::EventPutError | Count::EventTakeError) && !is_file;
            if !is_others {
                families.add(name, count.is_gauge(), &labels, &value.to_string());
            }
        }
        if is_file {
            // As a number, which Flume's is not.
            families.add("Open", true, &labels, "1");
            families.add("Closed", true, &labels, "0");
            families.add("Unhealthy", true, &labels, "0");
        }
        if counters.kind() == Kind::Channel {
            let age = channel.and_then(|channel| channel.oldest()).unwrap_or_default();
            families.add("OldestEventAgeSeconds", true, &labels, &seconds(age));
        }
    }
    let age = super::health::oldest(board).unwrap_or_default();
    families.add("OldestUnacceptedAgeSeconds", true, "", &seconds(age));
    families.text()
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
