//! Health is the age of the oldest event that nobody has accepted yet: in a channel, or on its way.

use crate::flow::Board;
use crate::metrics::{Count, Kind};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the oldest unaccepted event has been here; `None` where there is none.
pub fn oldest(board: &Board) -> Option<Duration> {
    let channels = board.components();
    let in_channels = channels
        .iter()
        .filter_map(|(_, channel)| channel.as_ref()?.oldest());
    in_channels.max().max(board.unsettled().oldest)
}

/// Whether the oldest is no older than this, and all of it in JSON.
pub fn check(board: &Board, limit: Option<Duration>) -> (bool, String) {
    let oldest = oldest(board);
    let is_well = limit.is_none_or(|limit| oldest.is_none_or(|oldest| oldest <= limit));
    let seconds = |age: Option<Duration>| age.map_or(Value::Null, |age| json!(age.as_secs_f64()));
    let channels = board
        .components()
        .into_iter()
        .filter(|(it, _)| it.kind() == Kind::Channel);
    let channels: Vec<_> = channels
        .map(|(counters, channel)| {
            json!({
                "name": counters.name(),
                "events": counters.get(Count::ChannelSize),
                "capacity": counters.get(Count::ChannelCapacity),
                "oldest_seconds": seconds(channel.and_then(|channel| channel.oldest())),
            })
        })
        .collect();
    let all = json!({
        "status": if is_well { "ok" } else { "late" },
        "oldest_seconds": seconds(oldest),
        "limit_seconds": seconds(limit),
        "channels": channels,
    });
    (is_well, all.to_string())
}
