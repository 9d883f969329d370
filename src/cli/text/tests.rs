//! What texts say, what is wrong with them, and that a graph written as text says the same.

use super::*;
use crate::component::{Setting, Spec, quoted};
use crate::value::flume_bool;
use crate::{channel, group, intercept, select, sink, source};
use proptest::prelude::*;

#[track_caller]
fn graph(text: &str) -> Graph {
    read_graph(text).unwrap_or_else(|error| panic!("{text}: {error:#}"))
}

fn set(definition: &Definition) -> Vec<String> {
    let all = definition.properties();
    all.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

#[test]
fn pipelines_meet_at_a_channel_and_part_there() {
    let graph = graph(
        "source avro --port 1 | @c1 channel memory; source netcat --port 2 | intercept host | @c1;
         @c1 | sink logger; @c1 | intercept timestamp | @null sink null",
    );
    let sources: Vec<_> = graph
        .sources
        .iter()
        .map(|source| (&source.definition.name[..], &source.channels[..]))
        .collect();
    let c1 = ["c1".to_string()];
    assert_eq!(sources, [("r1", &c1[..]), ("r2", &c1[..])]);
    assert_eq!(graph.sources[1].interceptors[0].name, "i1");
    assert_eq!(graph.sources[0].selector.r#type, "replicating");
    let sinks: Vec<_> = graph
        .sinks
        .iter()
        .map(|sink| (&sink.definition.name[..], &sink.channel[..]))
        .collect();
    assert_eq!(sinks, [("k1", "c1"), ("null", "c1")]);
    assert_eq!(graph.sinks[1].interceptors[0].r#type, "timestamp");
    // What is given, and the defaults of the shell that are not Flume's.
    assert_eq!(set(&graph.sources[0].definition), ["bind=127.0.0.1", "port=1"]);
    assert_eq!(
        set(&graph.channels[0]),
        ["capacity=100000", "transactionCapacity=100000"]
    );
    assert_eq!(graph.sinks[0].definition.place.line, 2);
}

#[test]
fn selectors_name_channels_or_begin_pipelines() {
    let graph = graph(
        "@all channel memory; source seq | select multiplexing --header state --to @all \
         --case 'CZ=@cz channel file x | sink null' --case CZ=@all --default @all --optional a.b=@cz",
    );
    let source = &graph.sources[0];
    assert_eq!(source.channels, ["all", "cz"]);
    assert_eq!(
        set(&source.selector),
        [
            "selector.default=all",
            "selector.header=state",
            "selector.mapping.CZ=cz all",
            "selector.optional.a.b=cz"
        ]
    );
    assert_eq!(source.selector.name, "r1");
    assert_eq!(graph.sinks[0].channel, "cz");
}

#[test]
fn groups_have_their_sinks_and_settings() {
    let graph = graph(
        "source seq | channel memory | intercept host | group failover --to '@far sink avro --hostname h --port 1' \
         --to 'sink null' --priority far=10 --maxpenalty 5000",
    );
    let group = &graph.groups[0];
    assert_eq!(
        (&group.name[..], &group.sinks[..]),
        ("g1", &["far".to_string(), "k1".into()][..])
    );
    assert_eq!(
        set(&group.processor),
        ["processor.maxpenalty=5000", "processor.priority.far=10"]
    );
    assert_eq!(graph.sinks[0].interceptors.len(), 1);
    assert!(graph.sinks[1].interceptors.is_empty());
    assert!(graph.sinks.iter().all(|sink| sink.channel == "c1"));
}

#[test]
fn what_a_graph_cannot_say_is_told() {
    for (text, says) in [
        ("source seq | sink null", "a channel stands between"),
        ("source seq", "source r1 goes nowhere"),
        ("source seq | @c9", "@c9 is no channel"),
        ("@c1 | sink null", "@c1 is no channel"),
        ("@c1 channel memory; @c1 channel memory", "@c1 is said twice"),
        ("sink null", "sink cannot stand first"),
        (
            "source seq | channel memory | channel memory",
            "stands behind channel c1",
        ),
        (
            "source seq | channel memory | sink null | sink null",
            "nothing can stand behind",
        ),
        (
            "source seq | channel memory | intercept host",
            "a sink is missing",
        ),
        ("source seq | channel file x --put", "--put"),
        (
            "source seq | select replicating --to 'sink null'",
            "sink cannot stand first",
        ),
        (
            "source seq | channel memory | group failover --to 'channel memory'",
            "begins with the word sink",
        ),
        ("source seq --batch-sise 1 | channel memory", "--batch-size"),
        (
            "sourc seq | @c1; @c1 channel memory",
            "pipeline 1 of 2: stage 1 of 2, sourc seq",
        ),
        ("source sek | channel memory", "did you mean \"seq\""),
        ("@ channel memory", "a name belongs"),
        ("source seq | cat", "flume run '...' | flume cat"),
    ] {
        let error = read_graph(text)
            .err()
            .unwrap_or_else(|| panic!("{text} is a graph"));
        let told = format!("{error:#}");
        assert!(told.contains(says), "{text}: {told}");
    }
}

#[test]
fn only_what_one_row_does_not_say_needs_a_graph() {
    let needs = |text: &str| needs_graph(text).unwrap();
    assert!(!needs("source seq | channel memory | sink null;"));
    assert!(!needs("source seq | select replicating --to '@a sink null'"));
    assert!(needs("source seq | @c1 channel memory | sink null"));
    assert!(needs("source seq | sink null; source seq | sink null"));
}

#[test]
fn text_has_only_what_differs_from_the_shell() {
    let same = |text: &str| assert_eq!(write(&graph(text)), text);
    same("source seq --total-events 5 | intercept host | channel memory | sink logger");
    same(
        "source exec 'tail -F it'\\''s' --batch-size 7 | channel file ./spool | sink file_roll --directory out",
    );
    let text = "@c1 channel memory;\n@a channel file ./a;\n\
                @r1 source netcat --port 5 | select multiplexing --header s --to @c1 --to @a --default @c1 \
                --case CZ=@a --case CZ=@c1;\n\
                @c1 | @g1 group failover --to '@k1 sink null' --to '@k2 sink logger' --priority k1=3;\n\
                @a | intercept timestamp | @k3 sink pipe 'ssh h flume'";
    same(text);
}

#[test]
fn flumes_default_is_written_where_the_shell_has_another() {
    let mut graph = graph("source seq | channel memory | sink null");
    graph.channels[0].settings.clear();
    graph.sinks[0].definition.settings.clear();
    assert_eq!(
        write(&graph),
        "source seq | channel memory --capacity 100 --transaction-capacity 100 | sink null --log-every-n-events 10000"
    );
}

#[test]
fn secret_is_a_place_or_not_printed() {
    let text = "source avro --port 1 --ssl=true --keystore ks --keystore-password env:PW | channel memory | sink null";
    let mut graph = graph(text);
    assert!(
        write(&graph).contains("--keystore-password env:PW"),
        "{}",
        write(&graph)
    );
    let definition = &mut graph.sources[0].definition;
    let spec = crate::component::find(source::ALL, "avro").unwrap();
    assert!(spec.from_properties(&definition.properties()).is_ok());
    let password = definition.settings.get_mut("keystore-password").unwrap();
    password.text = "changeit".into();
    assert!(!write(&graph).contains("changeit"));
}

#[test]
fn value_that_looks_like_a_name_takes_no_name() {
    let text = "source exec 'echo @c1 @r1' | intercept static --value a@i1 | channel memory | sink null";
    let written = write(&graph(&write(&graph("source seq | channel memory | sink null"))));
    assert_eq!(written, "source seq | channel memory | sink null");
    let mut first = graph(text);
    first.sources[0].definition.name = "r1".into();
    first.sources[0].selector.name = "r1".into();
    first.sources[0].interceptors[0].name = "i1".into();
    first.sources[0].channels = vec!["c1".into()];
    first.channels[0].name = "c1".into();
    first.sinks[0].channel = "c1".into();
    let again = graph(&write(&first));
    assert!(
        again.sources[0].says_the_same(&first.sources[0]),
        "{}",
        write(&first)
    );
    assert_eq!(again.channels[0].name, "c1");
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// Are these settings of the component that Flume's properties may have?
fn is_sound(kind: &str, name: &str, properties: &BTreeMap<String, String>) -> bool {
    fn made<Made: 'static>(
        table: &'static [Spec<Made>],
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> bool {
        let spec = crate::component::find(table, name).unwrap();
        spec.from_properties(properties).is_ok()
    }
    match kind {
        "source" => made(source::ALL, name, properties),
        "intercept" => made(intercept::ALL, name, properties),
        "select" => made(select::ALL, name, properties),
        "channel" => made(channel::ALL, name, properties),
        "group" => made(group::ALL, name, properties),
        _ => made(sink::ALL, name, properties),
    }
}

fn value(random: &mut Random, setting: &Setting) -> String {
    let plain = [
        "7",
        "2000",
        "text",
        "-x",
        "it's \"here\"; | # @c1",
        "a=b",
        "127.0.0.1",
        "tcp:h:1",
        "",
    ];
    match (&setting.words[..], setting.value.as_deref(), &setting.default) {
        ([], Some("true|false") | None, _) => random.one_of(&["true", "false"]).into(),
        ([], _, Some(default)) if random.below(4) == 0 => default.clone(),
        // Several words are written in one way.
        ([], ..) if setting.is_list => quoted(random.one_of(&plain)),
        ([], ..) => random.one_of(&plain).into(),
        (words, ..) => random.one_of(words),
    }
}

/// A component with some of its settings.
fn definition(random: &mut Random, kind: &str, name: String) -> Definition {
    loop {
        let component = random.one_of(&parts::table(kind));
        let mut given = BTreeMap::new();
        let own = component.settings().into_iter();
        let own: Vec<_> = own
            .filter(|setting| {
                let property = &setting.property[..];
                let is_end = ["put", "take", "until-empty"].contains(&property);
                let is_family = property.ends_with('*');
                !is_end
                    && !is_family
                    && !setting.is_secret
                    && property != "sinks"
                    && !branches::is_route(property)
            })
            .collect();
        for setting in own.iter().filter(|setting| setting.required) {
            given.insert(setting.property.clone(), value(random, setting));
        }
        for setting in &own {
            if random.below(3) == 0 {
                let before = given.clone();
                given.insert(setting.property.clone(), value(random, setting));
                if is_sound(kind, component.name(), &before) && !is_sound(kind, component.name(), &given) {
                    given = before;
                }
            }
        }
        if is_sound(kind, component.name(), &given) {
            return Definition {
                name,
                r#type: component.name().to_string(),
                settings: valued(given, &Place::default()),
                place: Place::default(),
            };
        }
    }
}

fn chain(random: &mut Random) -> Vec<Definition> {
    let named = ["i1", "i2", "i3", "other", "x.y"];
    let count = random.below(3);
    let mut names = named.to_vec();
    let all = (0..count).map(|_| {
        let name = names.remove(random.below(names.len()));
        definition(random, "intercept", name.into())
    });
    all.collect()
}

fn subset(random: &mut Random, all: &[String]) -> String {
    let mut some: Vec<_> = all.iter().filter(|_| random.below(2) == 0).cloned().collect();
    if some.is_empty() {
        some.push(random.one_of(all));
    }
    some.join(" ")
}

fn selector(random: &mut Random, source: &str, channels: &[String]) -> Definition {
    let mut selector = definition(random, "select", source.to_string());
    let mut routes = BTreeMap::new();
    if selector.r#type == "multiplexing" {
        for value in ["CZ", "a.b", "it's", "two words"] {
            if random.below(2) == 0 {
                routes.insert(format!("selector.mapping.{value}"), subset(random, channels));
            }
        }
        routes.insert("selector.default".into(), subset(random, channels));
        routes.insert("selector.optional.CZ".into(), subset(random, channels));
    } else if selector.r#type == "replicating" && random.below(2) == 0 {
        routes.insert("selector.optional".into(), subset(random, channels));
    }
    selector.settings.extend(valued(routes, &Place::default()));
    selector
}

/// Any graph of the components that there are.
pub(crate) fn random_graph(seed: u64) -> Graph {
    crate::say::be_quiet();
    let mut random = Random(seed);
    let random = &mut random;
    let mut graph = Graph {
        name: "a1".into(),
        ..Graph::default()
    };
    let names = |random: &mut Random, letter: &str, most: usize| -> Vec<String> {
        let count = 1 + random.below(most);
        let odd = random.below(3) == 0;
        (1..=count)
            .map(|number| {
                if odd {
                    format!("{letter}-{number}.x")
                } else {
                    format!("{letter}{number}")
                }
            })
            .collect()
    };
    let channels = names(random, "c", 3);
    for name in &channels {
        graph.channels.push(definition(random, "channel", name.clone()));
    }
    for name in names(random, "r", 2) {
        let into: Vec<String> = subset(random, &channels).split(' ').map(str::to_string).collect();
        let selector = match into.len() == 1 && random.below(2) == 0 {
            true => Definition {
                name: name.clone(),
                r#type: "replicating".into(),
                ..Definition::default()
            },
            false => selector(random, &name, &into),
        };
        let mut own = definition(random, "source", name);
        if random.below(3) == 0 {
            let pause = BTreeMap::from([("maxBackoffSleep".to_string(), "70".to_string())]);
            own.settings.extend(valued(pause, &Place::default()));
        }
        graph.sources.push(Source {
            definition: own,
            interceptors: chain(random),
            selector,
            channels: into,
        });
    }
    for name in names(random, "k", 4) {
        graph.sinks.push(Sink {
            definition: definition(random, "sink", name),
            interceptors: chain(random),
            channel: random.one_of(&channels),
        });
    }
    if random.below(2) == 0 && graph.sinks.len() > 1 {
        let members = graph.sinks.len() - random.below(graph.sinks.len() - 1);
        let channel = graph.sinks[0].channel.clone();
        for (at, sink) in graph.sinks[..members].iter_mut().enumerate() {
            sink.channel = channel.clone();
            if at > 0 {
                sink.interceptors.clear();
            }
        }
        graph.groups.push(Group {
            name: "g1".into(),
            sinks: graph.sinks[..members]
                .iter()
                .map(|sink| sink.definition.name.clone())
                .collect(),
            processor: definition(random, "group", "g1".into()),
        });
    }
    graph
}

/// What the settings come to: Flume's defaults that the shell does not have are said, others are not.
fn plain(kind: &str, definition: &Definition) -> Definition {
    let mut given = definition.properties();
    let component = parts::find(kind, &definition.r#type).unwrap();
    for setting in component.settings() {
        let property = &setting.property;
        if let (Some(flumes), false) = (&setting.flumes, given.contains_key(property)) {
            given.insert(property.clone(), flumes.clone());
        }
        let Some(value) = given.get_mut(property) else {
            continue;
        };
        if matches!(setting.value.as_deref(), Some("true|false") | None) {
            *value = flume_bool(value).to_string();
        }
        let is_default =
            setting.default.as_ref() == Some(value) || setting.value.is_none() && value == "false";
        if setting.flumes.is_none() && is_default {
            given.remove(property);
        }
    }
    Definition {
        settings: valued(given, &Place::default()),
        place: Place::default(),
        ..definition.clone()
    }
}

fn plain_chain(chain: &[Definition]) -> Vec<Definition> {
    chain.iter().map(|one| plain("intercept", one)).collect()
}

fn plain_graph(graph: &Graph) -> Graph {
    let sources = graph.sources.iter().map(|source| Source {
        definition: plain("source", &source.definition),
        interceptors: plain_chain(&source.interceptors),
        selector: plain("select", &source.selector),
        channels: source.channels.clone(),
    });
    let sinks = graph.sinks.iter().map(|sink| Sink {
        definition: plain("sink", &sink.definition),
        interceptors: plain_chain(&sink.interceptors),
        channel: sink.channel.clone(),
    });
    let groups = graph.groups.iter().map(|group| Group {
        processor: plain("group", &group.processor),
        ..group.clone()
    });
    Graph {
        name: graph.name.clone(),
        sources: sources.collect(),
        channels: graph
            .channels
            .iter()
            .map(|channel| plain("channel", channel))
            .collect(),
        sinks: sinks.collect(),
        groups: groups.collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn graph_as_text_says_the_same(seed in any::<u64>()) {
        let graph = random_graph(seed);
        let text = write(&graph);
        let again = read_graph(&text);
        prop_assert!(again.is_ok(), "{text}\n{:#}", again.unwrap_err());
        prop_assert_eq!(plain_graph(&again.unwrap()), plain_graph(&graph), "{}", text);
    }
}
