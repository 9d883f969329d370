//! Graphs that run.

use super::*;
use crate::flow::graph::{Definition, Group, Sink, Source, Value};
use crate::metrics::Count;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

const SHORT: Duration = Duration::from_millis(20);

fn options() -> Options {
    Options {
        retry: SHORT,
        lifecycle_timeout: Duration::from_secs(20),
        ..Options::default()
    }
}

fn definition(name: &str, r#type: &str, settings: &[(&str, &str)]) -> Definition {
    let value = |text: &&str| Value {
        text: text.to_string(),
        ..Value::default()
    };
    Definition {
        name: name.into(),
        r#type: r#type.into(),
        settings: settings
            .iter()
            .map(|(key, text)| (key.to_string(), value(text)))
            .collect(),
        ..Definition::default()
    }
}

fn source(name: &str, r#type: &str, settings: &[(&str, &str)], channels: &[&str]) -> Source {
    Source {
        definition: definition(name, r#type, settings),
        selector: definition("selector", "replicating", &[]),
        channels: channels.iter().map(ToString::to_string).collect(),
        ..Source::default()
    }
}

fn sink(name: &str, r#type: &str, settings: &[(&str, &str)], channel: &str) -> Sink {
    Sink {
        definition: definition(name, r#type, settings),
        channel: channel.into(),
        ..Sink::default()
    }
}

fn graph(sources: Vec<Source>, channels: Vec<Definition>, sinks: Vec<Sink>) -> Graph {
    Graph {
        name: "a1".into(),
        sources,
        channels,
        sinks,
        groups: Vec::new(),
    }
}

fn memory(name: &str, capacity: &str) -> Definition {
    definition(
        name,
        "memory",
        &[("capacity", capacity), ("transactionCapacity", "100")],
    )
}

fn counted(engine: &Engine, kind: Kind, name: &str, count: Count) -> u64 {
    let all = engine.board().all();
    let found = all
        .iter()
        .find(|counters| counters.kind() == kind && counters.name() == name);
    found.map_or(0, |counters| counters.get(count))
}

/// Until it is so; a test that waits for ever is killed by who runs it.
fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn state(engine: &Engine, name: &str) -> State {
    let all = engine.components();
    all.iter()
        .find(|component| component.name == name)
        .map_or(State::Stopped, |found| found.state)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Lines in all files of a directory.
fn lines_in(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        lines.extend(text.lines().map(String::from));
    }
    lines
}

#[test]
fn graph_runs_until_its_sources_end_and_all_is_delivered() {
    let graph = graph(
        vec![source(
            "r1",
            "seq",
            &[("totalEvents", "1000"), ("batchSize", "10")],
            &["c1"],
        )],
        vec![memory("c1", "100")],
        vec![sink("k1", "null", &[], "c1")],
    );
    let engine = Engine::start(graph, options()).unwrap();
    engine.wait_finished();
    assert_eq!(counted(&engine, Kind::Sink, "k1", Count::EventDrainSuccess), 1000);
    assert_eq!(counted(&engine, Kind::Source, "r1", Count::EventAccepted), 1000);
    assert_eq!(
        counted(&engine, Kind::Channel, "c1", Count::EventTakeSuccess),
        1000
    );
    assert_eq!([state(&engine, "r1"), state(&engine, "k1")], [State::Finished; 2]);
    assert!(engine.stop());
}

#[test]
fn source_whose_port_is_taken_is_started_again_until_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let netcat = [("bind", "127.0.0.1"), ("port", &*port)];
    let graph = graph(
        vec![source("r1", "netcat", &netcat, &["c1"])],
        vec![memory("c1", "100")],
        vec![sink("k1", "null", &[], "c1")],
    );
    let engine = Engine::start(graph, options()).unwrap();
    until(|| state(&engine, "r1") == State::Retrying && state(&engine, "k1") == State::Running);
    let components = engine.components();
    let error = components[0].error.clone().unwrap();
    assert!(error.contains(&port), "{error}");
    drop(taken);
    until(|| state(&engine, "r1") == State::Running);
    assert!(engine.stop());
}

#[test]
fn stop_delivers_what_a_channel_in_memory_holds() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().display().to_string();
    let graph = graph(
        vec![source("r1", "seq", &[("totalEvents", "50")], &["c1"])],
        vec![memory("c1", "100")],
        vec![sink("k1", "file_roll", &[("sink.directory", &out)], "c1")],
    );
    let engine = Engine::start(graph, options()).unwrap();
    engine.pause_component("k1", true).unwrap();
    until(|| state(&engine, "r1") == State::Finished);
    assert!(engine.stop());
    assert_eq!(lines_in(dir.path()).len(), 50);
}

#[test]
fn stop_right_after_the_start_delivers_too() {
    for _ in 0..30 {
        let graph = graph(
            vec![source("r1", "seq", &[("totalEvents", "9")], &["c1"])],
            vec![memory("c1", "100")],
            vec![sink("k1", "null", &[], "c1")],
        );
        let engine = Engine::start(graph, options()).unwrap();
        assert!(engine.stop(), "events are lost");
    }
}

#[test]
fn component_that_does_not_stop_in_time_is_left_and_the_others_stop() {
    let graph = graph(
        vec![source("r1", "seq", &[("totalEvents", "5")], &["c1"])],
        vec![memory("c1", "100")],
        // Nobody listens there: it cannot deliver, and what it holds is waited for.
        vec![sink(
            "k1",
            "avro",
            &[("hostname", "127.0.0.1"), ("port", &free_port().to_string())],
            "c1",
        )],
    );
    let options = Options {
        lifecycle_timeout: Duration::from_millis(200),
        ..options()
    };
    let engine = Engine::start(graph, options).unwrap();
    until(|| state(&engine, "r1") == State::Finished);
    let start = Instant::now();
    assert!(!engine.stop(), "events are left");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn paused_sink_takes_nothing_until_it_goes_on() {
    let graph = graph(
        vec![source("r1", "seq", &[("totalEvents", "5")], &["c1"])],
        vec![memory("c1", "100")],
        vec![sink("k1", "null", &[], "c1")],
    );
    let engine = Engine::start(graph, options()).unwrap();
    until(|| state(&engine, "r1") == State::Finished && state(&engine, "k1") == State::Running);
    until(|| counted(&engine, Kind::Channel, "c1", Count::ChannelSize) == 0);
    engine.pause_component("sink k1", true).unwrap();
    let again = graph_of(&engine, "9");
    engine.reload(again);
    until(|| state(&engine, "r1") == State::Finished);
    assert_eq!(counted(&engine, Kind::Channel, "c1", Count::ChannelSize), 9);
    engine.pause_component("k1", false).unwrap();
    until(|| counted(&engine, Kind::Channel, "c1", Count::ChannelSize) == 0);
    assert!(
        engine
            .pause_component("k2", true)
            .unwrap_err()
            .contains("sink k1")
    );
    assert!(engine.stop());
}

/// What runs, with another number of events.
fn graph_of(engine: &Engine, total: &str) -> Graph {
    let mut graph = engine.graph();
    graph.sources[0].definition = definition("r1", "seq", &[("totalEvents", total)]);
    graph
}

#[test]
fn reload_restarts_what_changed_and_keeps_clients_and_events_of_what_did_not() {
    let port = free_port().to_string();
    let netcat = [("bind", "127.0.0.1"), ("port", &*port)];
    let before = graph(
        vec![
            source("r1", "netcat", &netcat, &["c1"]),
            source("r2", "seq", &[("totalEvents", "7")], &["c2"]),
        ],
        vec![memory("c1", "100"), memory("c2", "100")],
        vec![sink("k1", "null", &[], "c1")],
    );
    let engine = Engine::start(before.clone(), options()).unwrap();
    until(|| state(&engine, "r1") == State::Running && state(&engine, "r2") == State::Finished);
    let mut client = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    let mut answers = BufReader::new(client.try_clone().unwrap()).lines();
    client.write_all(b"one\n").unwrap();
    assert_eq!(answers.next().unwrap().unwrap(), "OK");

    let mut after = before;
    // Smaller than what it holds.
    after.channels[1] = definition("c2", "memory", &[("capacity", "5"), ("transactionCapacity", "5")]);
    after.sources.remove(1);
    after.sinks.push(sink("k3", "null", &[], "c1"));
    let changes = engine.reload(after.clone());
    assert_eq!(changes.kept, ["channel c1", "sink k1", "source r1"]);
    assert_eq!(changes.restarted, ["channel c2"]);
    assert_eq!(changes.started, ["sink k3"]);
    assert_eq!(changes.stopped, ["source r2"]);
    assert_eq!(counted(&engine, Kind::Channel, "c2", Count::ChannelSize), 7);
    client.write_all(b"two\n").unwrap();
    assert_eq!(answers.next().unwrap().unwrap(), "OK");
    assert_eq!(counted(&engine, Kind::Source, "r1", Count::EventReceived), 2);

    after.sinks.push(sink("k2", "null", &[], "c2"));
    engine.reload(after.clone());
    until(|| counted(&engine, Kind::Sink, "k2", Count::EventDrainSuccess) == 7);
    assert!(engine.reload(after).is_empty());
    assert!(engine.stop());
}

#[test]
fn channel_that_cannot_be_opened_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("spool");
    std::fs::write(&in_the_way, "a file").unwrap();
    let shown = in_the_way.display().to_string();
    let graph = graph(
        vec![source("r1", "seq", &[("totalEvents", "3")], &["c1"])],
        vec![definition(
            "c1",
            "file",
            &[("directory", &shown), ("minimumRequiredSpace", "0")],
        )],
        vec![sink("k1", "null", &[], "c1")],
    );
    let engine = Engine::start(graph, options()).unwrap();
    assert_eq!(state(&engine, "c1"), State::Retrying);
    until(|| state(&engine, "r1") == State::Waiting);
    std::fs::remove_file(&in_the_way).unwrap();
    engine.wait_finished();
    assert_eq!(counted(&engine, Kind::Sink, "k1", Count::EventDrainSuccess), 3);
    assert!(engine.stop());
}

#[test]
fn multiplexing_source_puts_each_event_where_its_header_says_and_a_group_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let places = ["even", "odd", "spare"].map(|name| dir.path().join(name));
    places
        .iter()
        .for_each(|place| std::fs::create_dir(place).unwrap());
    let shown = places.clone().map(|place| place.display().to_string());
    let spool = dir.path().join("spool").display().to_string();
    let mut numbers = source(
        "r1",
        "seq",
        &[("totalEvents", "100"), ("batchSize", "10")],
        &["c1", "c2"],
    );
    numbers.interceptors = vec![definition(
        "i1",
        "regex_extractor",
        &[
            ("regex", "([0-9])$"),
            ("serializers", "s1"),
            ("serializers.s1.name", "last"),
        ],
    )];
    let mapping = [
        ("selector.header", "last"),
        ("selector.mapping.0", "c1"),
        ("selector.mapping.2", "c1"),
        ("selector.default", "c2"),
    ];
    numbers.selector = definition("selector", "multiplexing", &mapping);
    let file = [("directory", &*spool), ("minimumRequiredSpace", "0")];
    let mut graph = graph(
        vec![numbers],
        vec![memory("c1", "100"), definition("c2", "file", &file)],
        vec![
            sink("k1", "file_roll", &[("sink.directory", &shown[0])], "c1"),
            // It cannot be started: its directory is none.
            sink("k2", "file_roll", &[("sink.directory", "/proc/nowhere")], "c2"),
            sink("k3", "file_roll", &[("sink.directory", &shown[1])], "c2"),
        ],
    );
    let priorities = [("processor.priority.k2", "10"), ("processor.priority.k3", "5")];
    graph.groups.push(Group {
        name: "g1".into(),
        sinks: vec!["k2".into(), "k3".into()],
        processor: definition("g1", "failover", &priorities),
    });
    let engine = Engine::start(graph, options()).unwrap();
    engine.wait_finished();
    assert!(engine.stop());
    assert_eq!(lines_in(&places[0]).len(), 20);
    assert_eq!(lines_in(&places[1]).len(), 80);
}
