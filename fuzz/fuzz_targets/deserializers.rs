//! Any bytes as a file of a spooling directory, in pieces of any length: lines in any character set, an Avro container, a
//! blob. Each comes to an end, and what it has used of the file only grows.
#![no_main]

use flume::charset::{Charset, DecodeErrorPolicy};
use flume::codec::Options;
use flume::codec::deserializer::{ALL, Events, Headers, Text};
use flume::event::BatchBuilder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [which, charset, piece, most, file @ ..] = bytes else {
        return;
    };
    let spec = &ALL[usize::from(*which) % ALL.len()];
    let names: Vec<_> = Charset::names().collect();
    let policies = [
        DecodeErrorPolicy::Fail,
        DecodeErrorPolicy::Replace,
        DecodeErrorPolicy::Ignore,
    ];
    let text = Text {
        charset: names[usize::from(*charset) % names.len()]
            .parse()
            .expect("a name of the table"),
        policy: policies[usize::from(*which) / 4 % 3],
    };
    let setting = match spec.name {
        "LINE" => Some("maxLineLength"),
        "BLOB" => Some("maxBlobLength"),
        _ => None,
    };
    let given = setting.map(|name| (name.to_string(), (u32::from(*most) + 1).to_string()));
    let mut deserializer = spec
        .make(&mut Options::new(given), text)
        .expect("settings that can be");
    let piece = usize::from(*piece) + 1;
    let (headers, mut batch) = (Headers::default(), BatchBuilder::new());
    let mut end = piece.min(file.len());
    let mut at = loop {
        match deserializer.begin(&file[..end], end == file.len()) {
            Ok(Some(at)) => break at,
            Ok(None) if end == file.len() => return,
            Ok(None) => end = (end + piece).min(file.len()),
            Err(_) => return,
        }
    };
    loop {
        let is_all = end == file.len();
        let mut events = Events::new(&mut batch, &headers, 3, 1 << 20);
        let Ok(used) = deserializer.take(&file[at..end], is_all, &mut events) else {
            return;
        };
        at += used;
        assert!(at <= end, "more was used than there is");
        batch.finish().check().expect("what was made is events");
        match used {
            0 if is_all => return,
            0 => end = (end + piece).min(file.len()),
            _ => {}
        }
    }
});
