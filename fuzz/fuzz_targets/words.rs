//! Any bytes where a header or a body is read as Java reads words: texts by date patterns and character sets, times and
//! names in paths. No path leaves its directory.
#![no_main]

use flume::charset::{Charset, DecodeErrorPolicy};
use flume::date::{DatePattern, Zone};
use flume::event::{Batch, Event};
use flume::path::EscapedPath;
use libfuzzer_sys::fuzz_target;

const PATTERNS: &[&str] = &[
    "yyyy-MM-dd HH:mm:ss,SSS Z",
    "EEE, d MMM yy h:mm a z",
    "yyyyMMddHHmmss",
    "D kk K 'x' s",
];

fuzz_target!(|bytes: &[u8]| {
    let [which, text @ ..] = bytes else { return };
    let which = usize::from(*which);
    let pattern = PATTERNS[which % PATTERNS.len()];
    for reader in [
        DatePattern::joda_reader(pattern),
        DatePattern::simple_reader(pattern),
    ] {
        let _ = reader.expect("a pattern that can be").read(text, &Zone::utc());
    }
    let names: Vec<_> = Charset::names().collect();
    let charset: Charset = names[which % names.len()].parse().expect("a name of the table");
    for policy in [
        DecodeErrorPolicy::Fail,
        DecodeErrorPolicy::Replace,
        DecodeErrorPolicy::Ignore,
    ] {
        if let Ok(decoded) = charset.decode(text, policy) {
            let _ = charset.encode(&decoded);
        }
    }
    let _ = (charset.count(text), charset.find_lf(text));
    let mut path = EscapedPath::new("/logs/%{h}/x%{h}-%Y/%t").expect("a path that can be");
    let event = Event::new("")
        .with_header("h", text)
        .with_header("timestamp", text);
    let batch = Batch::single(&event);
    for event in batch.events().flatten() {
        for now in [None, Some(0)] {
            if let Ok(below) = path.below(event, now) {
                let is_safe = |part: &[u8]| !part.is_empty() && !part.starts_with(b".") && part.len() <= 200;
                assert!(
                    below.len() <= 2048
                        && !below.contains(&0)
                        && below.split(|byte| *byte == b'/').all(is_safe)
                );
            }
        }
    }
});
