//! Counters in Flume's form: a group for each component, all values as text.

use crate::channel::Channel;
use crate::flow::Board;
use crate::metrics::{Count, Counters, Kind};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A group: `SOURCE.r1`, and its attributes.
pub type Group = (String, Vec<(&'static str, String)>);

/// The groups of all components.
pub fn of(board: &Board) -> Vec<Group> {
    let all = board.components();
    all.iter()
        .map(|(counters, channel)| group(counters, channel.as_ref()))
        .collect()
}

/// The same as one object of JSON: `{"SOURCE.r1":{"EventReceivedCount":"5",...},...}`.
pub fn json(board: &Board) -> Value {
    let groups = of(board).into_iter().map(|(name, attributes)| {
        let members = attributes.into_iter();
        let members: Map<_, _> = members
            .map(|(key, value)| (key.into(), Value::String(value)))
            .collect();
        (name, Value::Object(members))
    });
    Value::Object(groups.collect())
}

fn group(counters: &Counters, channel: Option<&Arc<dyn Channel>>) -> Group {
    let kind = counters.kind();
    let is_file = channel.is_some_and(|channel| channel.is_durable());
    let own = counters.values().filter(|(count, ..)| is_flumes(*count, is_file));
    let mut all: Vec<_> = own.map(|(_, name, value)| (name, value.to_string())).collect();
    if kind == Kind::Channel {
        let [size, capacity] = [Count::ChannelSize, Count::ChannelCapacity].map(|count| counters.get(count));
        all.push(("ChannelFillPercentage", double(percentage(size, capacity))));
    }
    if is_file {
        // A channel of ours has no checkpoint, and one that cannot be used is not open.
        all.push(("Open", "true".into()));
        for name in [
            "Closed",
            "Unhealthy",
            "CheckpointWriteErrorCount",
            "CheckpointBackupWriteErrorCount",
        ] {
            all.push((name, "0".into()));
        }
    }
    let [start, stop] = counters.times_ms();
    all.push(("StartTime", start.to_string()));
    all.push(("StopTime", stop.to_string()));
    all.push(("Type", kind.flume().into()));
    (format!("{}.{}", kind.flume(), counters.name()), all)
}

/// Flume has an attribute for it. Errors of puts and takes are counted by its file channel alone.
fn is_flumes(count: Count, is_file: bool) -> bool {
    match count {
        Count::EventPutError | Count::EventTakeError => is_file,
        Count::Expired => false,
        _ => true,
    }
}

/// The largest number where there is no capacity, as in Flume.
pub fn percentage(size: u64, capacity: u64) -> f64 {
    match capacity {
        0 => f64::MAX,
        _ => size as f64 / capacity as f64 * 100.0,
    }
}

/// A number as Java writes a double: with a point always, and with an exponent when it is small or large.
pub fn double(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_java_does() {
        for (value, text) in [
            (0.0, "0.0"),
            (25.0, "25.0"),
            (0.002, "0.002"),
            (33.33333333333333, "33.33333333333333"),
            (2e-4, "2.0E-4"),
            (1.5e-5, "1.5E-5"),
            (f64::MAX, "1.7976931348623157E308"),
            (12_345_678.0, "1.2345678E7"),
            (1e7, "1.0E7"),
        ] {
            assert_eq!(double(value), text);
        }
    }
}
