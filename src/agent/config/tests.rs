//! Rules, one after the other: what is said, and what runs.

use super::*;

/// A sound agent, in 9 lines; what is tested stands behind it.
const SOUND: &str = "\
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = localhost
a1.sources.r1.port = 4141
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
";

fn of(text: &str, wants: &Wants) -> Read {
    let text = Text {
        name: "f".into(),
        bytes: text.into(),
    };
    read(&[text], wants)
}

/// `E12 source r1: what ...` for an error in line 12.
fn told(problem: &Problem) -> String {
    let letter = if problem.is_error() { "E" } else { "W" };
    let component = match &problem.component[..] {
        "" => String::new(),
        component => format!("{component}: "),
    };
    format!("{letter}{} {component}{}", problem.place.line, problem.what)
}

fn names(graph: &Graph) -> String {
    let sources = graph.sources.iter().map(|own| &own.definition.name[..]);
    let channels = graph.channels.iter().map(|own| &own.name[..]);
    let sinks = graph.sinks.iter().map(|own| &own.definition.name[..]);
    let groups = graph.groups.iter().map(|own| &own.name[..]);
    let all: Vec<_> = sources.chain(channels).chain(sinks).chain(groups).collect();
    all.join(" ")
}

/// Each problem begins as expected, and these components run.
fn check_all(text: &str, runs: &str, expected: &[&str]) {
    let found = of(text, &Wants::default());
    let said: Vec<String> = found.problems.iter().map(told).collect();
    let all_begin_so = said.len() == expected.len()
        && said
            .iter()
            .zip(expected)
            .all(|(said, begin)| said.starts_with(begin));
    assert!(all_begin_so, "{text}\nsaid {said:#?}\nexpected {expected:#?}");
    let running = found.graph.as_ref().map(names).unwrap_or_default();
    assert_eq!(running, runs, "{text}");
}

/// What is said of a sound agent with these lines behind it, which begin with line 11.
fn check(more: &str, runs: &str, expected: &[&str]) {
    check_all(&format!("{SOUND}{more}"), runs, expected);
}

#[test]
fn sound_agent_is_read_with_all_that_it_says() {
    check("", "r1 c1 k1", &[]);
    let text = SOUND.replace("netcat", "org.apache.flume.source.NETCATSource")
        + "
        a1.sources.r1.interceptors = i1 i2
        a1.sources.r1.interceptors.i1.type = timestamp
        a1.sources.r1.interceptors.i2.type = org.apache.flume.interceptor.StaticInterceptor$Builder
        a1.sources.r1.interceptors.i2.key = a.b
        a1.sources.r1.selector.type = MULTIPLEXING
        a1.sources.r1.selector.default = c1
        a1.sources.r1.selector.mapping.a.b = c1
        a1.sources.r1.backoffSleepIncrement = 10
        a1.sinkgroups = g1
        a1.sinkgroups.g1.sinks = k1
        a1.sinkgroups.g1.processor.type = failover
        a1.sinkgroups.g1.processor.priority.k1 = 5
        ";
    let found = of(&text, &Wants::default());
    assert_eq!(found.problems, []);
    let graph = found.graph.unwrap();
    let [source] = &graph.sources[..] else { panic!() };
    let keys: Vec<_> = source.definition.settings.keys().collect();
    assert_eq!(keys, ["backoffSleepIncrement", "bind", "port"]);
    let port = &source.definition.settings["port"];
    assert_eq!((&*port.text, port.place.to_string()), ("4141", "f:6".into()));
    assert_eq!(source.channels, ["c1"]);
    assert_eq!(source.interceptors[1].settings["key"].text, "a.b");
    assert_eq!(source.selector.r#type, "MULTIPLEXING");
    assert_eq!(source.selector.settings["selector.mapping.a.b"].text, "c1");
    let group = &graph.groups[0];
    assert_eq!((&*group.sinks[0], &*group.processor.r#type), ("k1", "failover"));
    assert_eq!(group.processor.settings["processor.priority.k1"].text, "5");
}

#[test]
fn keys_that_belong_nowhere_are_told() {
    check("nodots = 1", "r1 c1 k1", &["W11 \"nodots\" belongs to no agent"]);
    check("garbage", "r1 c1 k1", &["W11 \"garbage\" is passed over"]);
    check(
        ".sources.x = 1",
        "r1 c1 k1",
        &["W11 \".sources.x\" belongs to no agent"],
    );
    check(
        "a1.sorces.r1.port = 1\na1. = 2\na1.sources.r1 = 3\na1.sources. = 4\na1.sources.r1. = 5",
        "r1 c1 k1",
        &[
            "W11 \"sorces\" in a1.sorces.r1.port is no kind of component; did you mean \"sources\"?",
            "W12 \"a1.\" has no kind",
            "W13 \"a1.sources.r1\" has no property; it is a1.sources.NAME.PROPERTY",
            "W14 \"a1.sources.\" has no property",
            "W15 \"a1.sources.r1.\" has no property",
        ],
    );
    check(
        "b2.sources.r1.port = 1",
        "r1 c1 k1",
        &["W11 agent \"b2\" has no list of components; did you mean \"a1\"?"],
    );
}

#[test]
fn last_of_a_repeated_key_counts_also_when_it_is_empty() {
    check(
        "a1.sources.r1.port = 1",
        "r1 c1 k1",
        &["W11 a1.sources.r1.port is in line 6 too"],
    );
    check(
        "a1.sources.r1.port =",
        "c1 k1",
        &[
            "E4 source r1: the property port is missing",
            "W11 a1.sources.r1.port has no value",
        ],
    );
    let texts = [SOUND, "a1.sources.r1.port = 1", "a1.sources.r1.prot = 1"];
    let texts = texts.iter().zip(["f", "g", "h"]).map(|(text, name)| Text {
        name: name.into(),
        bytes: (*text).into(),
    });
    let found = read(&texts.collect::<Vec<_>>(), &Wants::default());
    let graph = found.graph.unwrap();
    let place = &graph.sources[0].definition.settings["port"].place;
    assert_eq!(place.to_string(), "g:1");
    let said: Vec<_> = found.problems.iter().map(ToString::to_string).collect();
    let what = "h:1: source r1: prot is no property of netcat; did you mean \"port\"?";
    assert_eq!(said, [what]);
}
