//! Path escapes, as the real Flume's `BucketPath` makes them.

use super::{Question, java};
use flume::date::Zone;
use flume::event::{Batch, Event};
use flume::path::{Escaped, Rounding};

const PATHS: &[&str] = &[
    "/a/%{host}/%Y-%m-%d",
    "%a %A %b %B %c %d %e %D %H %I %j %k %l %m %n %M %p %s %S %t %y %Y %z %%",
    "%q%_%5",
    "100% %-x",
    "%{none}",
    "%{a.b-c}",
    "%{a b}",
    "%{}",
    "%%Y",
    "%[",
    "plain",
];

#[test]
fn escapes_are_those_of_flume() {
    let mut cases = Vec::new();
    for path in PATHS {
        for zone in ["UTC", "America/New_York", "GMT+5:30"] {
            for round in [(0, "second"), (7, "second"), (10, "minute"), (6, "hour")] {
                cases.extend(
                    ["1772694489045", "1793512800000", "0", "x"].map(|time| (*path, zone, round, time)),
                );
            }
        }
    }
    let questions: Vec<_> = cases
        .iter()
        .map(|(path, zone, round, time)| {
            let headers = ["timestamp", time, "host", "web1", "a.b-c", "dotted"];
            let value = round.0.to_string();
            Question::of("path", &[&[*path, *zone, &value, round.1], &headers[..]].concat())
        })
        .collect();
    for ((path, zone, round, time), answer) in cases.iter().zip(java(&questions).unwrap_or_default()) {
        let event = Event::new("")
            .with_header("timestamp", *time)
            .with_header("host", "web1")
            .with_header("a.b-c", "dotted");
        let batch = Batch::single(&event);
        let mut text = Escaped::new(path).unwrap().in_zone(zone.parse::<Zone>().unwrap());
        if round.0 > 0 {
            text = text.rounded(Rounding::new(round.0, round.1).unwrap());
        }
        let ours = text.expand(batch.events().next().unwrap().unwrap(), None);
        let what = format!("{path} in {zone}, {round:?}, at {time}");
        match (answer, ours) {
            (Ok(flumes), ours) => assert_eq!(
                String::from_utf8(ours.unwrap().to_vec()).unwrap(),
                flumes,
                "{what}"
            ),
            // Flume demands a time for "%%" and letters that it does not know, too, and rounds none at 0.
            (Err(_), Ok(ours)) => assert!(!text_has_time(path) || *time == "0", "{what}: {ours:?}"),
            (Err(_), Err(_)) => {}
        }
    }
}

fn text_has_time(path: &str) -> bool {
    Escaped::new(path).unwrap().has_time()
}
