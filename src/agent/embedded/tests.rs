//! The rules of its keys, and events that go through it.

use super::*;

const SOUND: &[(&str, &str)] = &[
    ("channel.type", "memory"),
    ("sinks", "k1 k2"),
    ("k1.type", "avro"),
    ("k1.hostname", "127.0.0.1"),
    ("k1.port", "1"),
    ("k2.type", "AVRO"),
    ("k2.hostname", "127.0.0.1"),
    ("k2.port", "2"),
    ("processor.type", "load_balance"),
];

fn configured(changes: &[(&str, &str)]) -> Result<EmbeddedAgent, String> {
    say::be_quiet();
    let mut all: BTreeMap<&str, &str> = SOUND.iter().copied().collect();
    for (key, value) in changes {
        match *value {
            "" => drop(all.remove(key)),
            value => drop(all.insert(key, value)),
        }
    }
    let mut agent = EmbeddedAgent::new("a 1").unwrap();
    let done = agent.configure(all);
    done.map(|()| agent).map_err(|error| error.to_string())
}

#[track_caller]
fn wrong(changes: &[(&str, &str)], key: &str, why: &str) {
    let error = configured(changes).err().unwrap();
    assert!(error.contains(key) && error.contains(why), "{changes:?}: {error}");
}

#[test]
fn components_have_flumes_names_without_the_blanks_of_the_agents() {
    let changes = [
        ("source.type", "embedded"),
        ("source.interceptors", "i1"),
        ("source.interceptors.i1.type", "static"),
        ("source.interceptors.i1.value", "a\\b"),
        ("channel.capacity", "200"),
        ("processor.backoff", "true"),
    ];
    let graph = configured(&changes).unwrap().graph.clone().unwrap();
    assert_eq!(graph.name, "a1");
    assert_eq!(graph.sources[0].definition.name, "source-a1");
    assert_eq!(graph.sources[0].interceptors[0].settings["value"].text, "a\\b");
    assert_eq!(graph.channels[0].name, "channel-a1");
    assert_eq!(graph.channels[0].settings["capacity"].text, "200");
    assert_eq!(graph.groups[0].name, "sink-group-a1");
    assert_eq!(graph.groups[0].sinks, ["k1", "k2"]);
    assert_eq!(graph.sink("k2").unwrap().channel, "channel-a1");
}

#[test]
fn rules_are_flumes_and_errors_name_the_key() {
    wrong(&[("channel.type", "")], "channel.type", "missing");
    wrong(&[("channel.type", "jdbc")], "channel.type", "memory, file");
    wrong(&[("source.type", "exec")], "source.type", "embedded");
    wrong(&[("sinks", "")], "sinks", "missing");
    wrong(&[("sinks", "k1 channel")], "sinks", "\"channel\"");
    wrong(&[("k2.type", "")], "k2.type", "missing");
    wrong(&[("k2.type", "null")], "k2.type", "avro");
    wrong(&[("processor.type", "")], "processor.type", "missing");
    wrong(&[("processor.type", "mine")], "processor.type", "failover");
    wrong(&[("sink.port", "1")], "sink.port", "no key");
    wrong(&[("channel", "x")], "channel", "no key");
    wrong(&[("k2.port", "many")], "k2.port", "many");
    wrong(&[("k1.batch-size", "few")], "k1.batch-size", "few");
    assert!(EmbeddedAgent::new(" ").is_err());
}

#[test]
fn calls_have_their_time() {
    let state = |error: Result<(), EmbeddedError>| matches!(error, Err(State(_)));
    let mut agent = EmbeddedAgent::new("a").unwrap();
    assert!(state(agent.start()) && state(agent.stop()));
    let mut agent = configured(&[("processor.type", "failover")]).unwrap();
    assert!(state(agent.put(&Event::new("x"))));
    agent = agent.with_timeout(Duration::from_secs(1));
    agent.start().unwrap();
    assert!(state(agent.start()));
    assert!(state(agent.configure([("sinks", "x")])));
    agent.put_all(&[]).unwrap();
    agent.put_all(&[Event::new("1"), Event::new("2")]).unwrap();
    // Nobody listens there: what its memory holds is lost with it, which is said.
    assert!(matches!(agent.stop(), Err(Lifecycle(_))));
    assert!(state(agent.stop()) && state(agent.put(&Event::new("x"))));
}

#[test]
fn put_of_more_than_a_transaction_holds_fails_as_a_whole() {
    let changes = [
        ("channel.capacity", "2"),
        ("channel.transactionCapacity", "2"),
        ("k1.batch-size", "1"),
        ("k2.batch-size", "1"),
    ];
    let mut agent = configured(&changes).unwrap().with_timeout(Duration::from_secs(1));
    agent.start().unwrap();
    let events = vec![Event::new("x"); 3];
    let error = agent.put_all(&events).unwrap_err().to_string();
    assert!(error.contains("transactionCapacity is 2"), "{error}");
    agent.put_all(&events[..2]).unwrap();
    let _ = agent.stop();
}

#[test]
fn file_channel_keeps_what_was_put() {
    let at = tempfile::tempdir().unwrap();
    let (checkpoint, data) = (at.path().join("checkpoint"), at.path().join("data"));
    let changes = [
        ("channel.type", "file"),
        ("channel.checkpointDir", checkpoint.to_str().unwrap()),
        ("channel.dataDirs", data.to_str().unwrap()),
        ("channel.minimumRequiredSpace", "1048576"),
    ];
    for _ in 0..2 {
        let mut agent = configured(&changes).unwrap().with_timeout(Duration::from_secs(5));
        agent.start().unwrap();
        agent.put(&Event::new("x")).unwrap();
        let _ = agent.stop();
    }
    assert!(std::fs::read_dir(&data).unwrap().count() > 0);
}
