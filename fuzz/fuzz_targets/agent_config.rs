//! Any bytes as the properties of an agent: nothing panics, each problem has a line that is there, and what starts
//! is joined to what is there. A zero byte begins the next of several texts.
#![no_main]

use flume::agent::config::{Text, Wants, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let texts: Vec<Text> = bytes
        .split(|byte| *byte == 0)
        .zip(0..8)
        .map(|(part, number)| Text {
            name: format!("text {number}").into(),
            bytes: part.to_vec(),
        })
        .collect();
    let found = read(&texts, &Wants::default());
    for problem in &found.problems {
        assert!(!problem.what.is_empty());
        if let Some(name) = &problem.place.text {
            let text = texts.iter().find(|text| text.name == *name).expect("a text");
            let ends = text.bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r'));
            assert!(problem.place.line as usize <= ends.count() + 1, "{problem}");
        }
    }
    for graph in &found.graphs {
        for source in &graph.sources {
            assert!(!source.channels.is_empty());
            assert!(source.channels.iter().all(|name| graph.channel(name).is_some()));
        }
        assert!(
            graph
                .sinks
                .iter()
                .all(|sink| graph.channel(&sink.channel).is_some())
        );
        for group in &graph.groups {
            assert!(!group.sinks.is_empty());
            assert!(group.sinks.iter().all(|name| graph.sink(name).is_some()));
        }
    }
});
