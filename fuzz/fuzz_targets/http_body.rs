//! Any bytes as the body of a post, for every handler: events come out that can be read, or a sentence, and what is read as
//! JSON comes out the same when it is written and read again.
#![no_main]

use flume::codec::Options;
use flume::codec::json;
use flume::source::http::handler::{self, Post};
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 6] = [
    "application/json",
    "application/json; charset=utf-16",
    "application/json; charset=UTF-32",
    "application/x-ndjson",
    "application/x-flume-stream",
    "a/b;charset",
];

fuzz_target!(|input: &[u8]| {
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let content_type = Some(TYPES[usize::from(*first) % TYPES.len()]);
    let query = std::str::from_utf8(body).ok();
    for spec in handler::ALL {
        let handler = handler::handler(spec.name, &mut Options::default()).expect("it is in the table");
        let post = Post {
            path: "/",
            query,
            content_type,
            body,
        };
        let Ok(batch) = handler.events(&post) else {
            continue;
        };
        batch.check().expect("events can be read");
        let mut lines = Vec::new();
        for event in batch.events() {
            json::write_event(event.expect("it was checked"), &mut lines);
            lines.push(b'\n');
        }
        let lines_are = Some("application/x-ndjson");
        let post = Post {
            path: "/",
            query: None,
            content_type: lines_are,
            body: &lines,
        };
        let lines = handler::handler("ndjson", &mut Options::default()).expect("it is in the table");
        assert_eq!(lines.events(&post).map(|again| again.len()), Ok(batch.len()));
    }
});
