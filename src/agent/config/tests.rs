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

#[test]
fn every_value_that_does_not_fit_is_told_at_once() {
    let text = "\
a1.sources.r1.max-line-length = many
a1.sources.r1.ack-every-event = maybe
a1.sources.r1.encoding = klingon
a1.sources.r1.prot = 1
a1.channels.c1.capacity = lots
a1.channels.c1.transactionCapacity = -5
a1.channels.c1.keep-alive = 1 year
a1.sinks.k1.maxBytesToLog = -1
";
    check(
        text,
        "",
        &[
            "E1 nothing of agent a1 starts",
            "W8 channel c1: no source puts into it",
            "E11 source r1: max-line-length is \"many\": that is no whole number",
            "W12 source r1: ack-every-event is \"maybe\", which is neither true nor false and counts as false",
            "E13 source r1: encoding is \"klingon\": that is no character set that is known; there are",
            "W14 source r1: prot is no property of netcat; did you mean \"port\"?",
            "W15 channel c1: capacity is \"lots\": that is no whole number from 0 on; it counts as 100",
            "W16 channel c1: transactionCapacity is \"-5\": ",
            "W17 channel c1: keep-alive is \"1 year\": \"year\" is no unit of time",
            "E18 sink k1: maxBytesToLog is \"-1\": ",
        ],
    );
}

#[test]
fn types_that_nobody_knows_cost_their_component_only() {
    check(
        "a1.sources.r1.type = nosuch",
        "c1 k1",
        &[
            "W11 a1.sources.r1.type is in line 4 too",
            "E11 source r1: type is \"nosuch\", which is no source; there are avro, exec",
        ],
    );
    check(
        "a1.sources.r1.type = netcut",
        "c1 k1",
        &[
            "W11",
            "E11 source r1: type is \"netcut\", which is no source; did you mean \"netcat\"?",
        ],
    );
    check(
        "a1.sinks.k1.type = HDFS",
        "r1 c1",
        &[
            "W11",
            "E11 sink k1: type is \"HDFS\", a sink of Flume that is not built yet",
        ],
    );
    check(
        "a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource",
        "c1 k1",
        &[
            "W11",
            "E11 source r1: type is \"org.apache.flume.source.kafka.KafkaSource\", a source of Flume that is not",
        ],
    );
    check(
        "a1.channels.c1.type = org.example.Mine",
        "",
        &[
            "E1 nothing of agent a1 starts",
            "E7 source r1: channels has \"c1\", a channel that is left out itself",
            "E10 sink k1: channel is \"c1\", a channel that is left out itself",
            "W11",
            "E11 channel c1: type is \"org.example.Mine\", which is no channel; there are file, memory",
        ],
    );
    check(
        "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = nosuch",
        "c1 k1",
        &["E12 source r1: interceptors.i1.type is \"nosuch\", which is no interceptor; there are"],
    );
    check(
        "a1.sources.r1.selector.type = multiplex",
        "c1 k1",
        &[
            "E11 source r1: selector.type is \"multiplex\", which is no selector; did you mean \"multiplexing\"?",
        ],
    );
}

#[test]
fn channels_must_be_there() {
    check(
        "a1.sources.r1.channels = c2",
        "c1 k1",
        &[
            "W11",
            "E11 source r1: channels has \"c2\", which is no channel; did you mean \"c1\"?",
        ],
    );
    check(
        "a1.sources.r1.channels = c1 nope c1",
        "r1 c1 k1",
        &[
            "W11",
            "E11 source r1: channels has \"nope\", which is no channel; there are c1",
            "W11 source r1: channels has \"c1\" twice",
        ],
    );
    check(
        "a1.sinks.k1.channel = c1 c1",
        "r1 c1",
        &["W11", "E11 sink k1: channel is \"c1 c1\"; a sink has one"],
    );
    check_all(
        &SOUND.replace("a1.sinks.k1.channel", "a1.sinks.k1.channels"),
        "r1 c1",
        &[
            "E9 sink k1: channel is missing; there are c1",
            "W10 sink k1: channels is no property of logger; did you mean \"channel\"?",
        ],
    );
    check_all(
        &SOUND.replace("a1.sources.r1.channels = c1\n", ""),
        "c1 k1",
        &["E4 source r1: channels is missing; there are c1"],
    );
    check_all(
        "a1.sources = r1\na1.sources.r1.type = seq\na1.sources.r1.channels = c1",
        "",
        &[
            "E1 agent a1 has no channels: nothing of it starts",
            "E3 source r1: channels has \"c1\", which is no channel; there is no channel",
        ],
    );
    check(
        "a1.channels.c2.type = memory",
        "r1 c1 k1",
        &["W11 channel c2: is not in a1.channels, and is passed"],
    );
    check(
        "a1.channels = c1 c2\na1.channels.c2.type = memory",
        "r1 c1 k1",
        &[
            "W11",
            "W12 channel c2: no source puts into it and no sink takes from it: it is left out",
        ],
    );
    check(
        "a1.sinks = k1 k2",
        "r1 c1 k1",
        &["W11", "E11 sink k2: is listed and has no property"],
    );
    check(
        "a1.sinks = k1 kk\na1.sinks.k2.type = null",
        "r1 c1 k1",
        &[
            "W11",
            "E11 sink kk: is listed and has no property; did you mean \"k2\"?",
            "W12 sink k2: is not in a1.sinks, and is passed over; did you mean \"kk\"?",
        ],
    );
}

#[test]
fn agent_that_was_asked_for_must_be_there() {
    let wants = |name| Wants {
        name: Some(name),
        ..Wants::default()
    };
    let found = of(SOUND, &wants("a2"));
    assert!(found.graph.is_none());
    assert_eq!(
        found.problems[0].to_string(),
        "f: there is no agent \"a2\"; did you mean \"a1\"?"
    );
    let found = of("# nothing here", &wants("a2"));
    assert_eq!(
        found.problems[0].to_string(),
        "f: there is no agent \"a2\"; there is none"
    );
    let found = of("# nothing here", &Wants::default());
    assert!(
        found.problems[0]
            .to_string()
            .starts_with("f: there is no agent in it")
    );
    // What is wrong with another one is no matter of this one.
    let two = format!("{SOUND}b.channels = c1\n");
    let found = of(&two, &wants("a1"));
    assert_eq!(
        (found.problems.len(), found.agents),
        (0, vec!["a1".to_string(), "b".into()])
    );
    assert!(found.graph.is_some());
    let found = of(&two, &Wants::default());
    assert!(found.has_errors() && found.graph.is_none());
}

#[test]
fn sizes_must_fit_together() {
    check(
        "a1.channels.c1.transactionCapacity = 101",
        "",
        &[
            "E1 nothing",
            "E7",
            "E10",
            "E11 channel c1: transactionCapacity is 101 and capacity 100; the first may not be larger",
        ],
    );
    check(
        "a1.channels.c1.capacity = 99",
        "",
        &["E1", "E7", "E10", "E11 channel c1: transactionCapacity is 100"],
    );
    check(
        "a1.channels.c1.capacity = 0",
        "r1 c1 k1",
        &["W11 channel c1: capacity is 0: it counts as 100"],
    );
    let null = SOUND.replace("logger", "null");
    check_all(
        &format!("{null}a1.sinks.k1.batchSize = 101"),
        "r1 c1 k1",
        &["W11 sink k1: a batch is 101 events and a transaction of channel c1 100: batches are split"],
    );
    check_all(
        &format!("{null}a1.channels.c1.transactionCapacity = 99"),
        "r1 c1 k1",
        &["W9 sink k1: a batch is 100 events and a transaction of channel c1 99"],
    );
}

#[test]
fn two_do_not_share_a_place() {
    let second = "\
a1.sources = r1 r2
a1.sources.r2.type = netcat
a1.sources.r2.bind = 0.0.0.0
a1.sources.r2.port = 4141
a1.sources.r2.channels = c1
";
    check(
        second,
        "r1 r2 c1 k1",
        &["W11", "W14 source r2: port is 4141, and so is that of source r1"],
    );
    check(&second.replace("0.0.0.0", "127.0.0.2"), "r1 r2 c1 k1", &["W11"]);
    let files = "\
a1.channels = c1 c2
a1.channels.c1.type = file
a1.channels.c1.dataDirs = /x/data1, /x/data2
a1.channels.c2.type = file
a1.channels.c2.checkpointDir = /x/cp2
a1.channels.c2.dataDirs = /x/data2/
a1.sources.r1.channels = c1 c2
";
    check(
        files,
        "r1 c1 k1",
        &[
            "W11",
            "W12",
            "E16 channel c2: dataDirs is /x/data2, which channel c1 has too",
            "W17",
            "E17 source r1: channels has \"c2\", a channel that is left out itself",
        ],
    );
}

#[test]
fn selector_chooses_among_the_channels_of_its_source() {
    check(
        "a1.sources.r1.selector.optional = c9",
        "c1 k1",
        &[
            "E11 source r1: selector.optional has \"c9\", which is no channel of this source; did you mean \"c1\"?",
        ],
    );
    let multiplexing = "\
a1.sources.r1.selector.type = multiplexing
a1.sources.r1.selector.header = state
a1.sources.r1.selector.mapping.CZ = c1 other
a1.sources.r1.selector.mappnig.US = c1
a1.sources.r1.selector.optional.US = c1
";
    check(
        multiplexing,
        "c1 k1",
        &[
            "W12 source r1: selector.default is missing",
            "E13 source r1: selector.mapping.CZ has \"other\", which is no channel of this source; it has c1",
            "W14 source r1: selector.mappnig.US is no property of multiplexing; did you mean \"selector.mapping.*\"?",
        ],
    );
    check(
        "a1.sources.r1.selector.type = load_balancing\na1.sources.r1.selector.policy = first",
        "c1 k1",
        &["E12 source r1: selector.policy is \"first\": there are round_robin, random"],
    );
}

/// Two more sinks and a group, in lines 11 to 17.
const GROUP: &str = "\
a1.sinks.k2.type = null
a1.sinks.k2.channel = c1
a1.sinks = k1 k2 k3
a1.sinks.k3.type = file_roll
a1.sinks.k3.channel = c1
a1.sinkgroups = g1
a1.sinkgroups.g1.sinks = k1 k2
";

#[test]
fn group_without_a_processor_takes_its_sinks_with_it() {
    let directory = "a1.sinks.k3.sink.directory = /tmp\n";
    check(
        &format!("{GROUP}{directory}"),
        "r1 c1 k3",
        &[
            "W13",
            "E17 group g1: processor.type is missing: k1, k2 do not run either",
        ],
    );
    check(
        &format!("{GROUP}{directory}a1.sinkgroups.g1.processor.type = fail_over"),
        "r1 c1 k3",
        &[
            "W13",
            "E19 group g1: processor.type is \"fail_over\", which is no sink processor; did you mean \"failover\"?",
        ],
    );
    check(
        &format!("{GROUP}{directory}a1.sinkgroups.g1.processor.type = default"),
        "r1 c1 k3",
        &["W13", "E19 group g1: default wants exactly one sink and has 2"],
    );
}

#[test]
fn bad_member_drops_out_of_its_group() {
    let group = GROUP.replace("g1.sinks = k1 k2", "g1.sinks = k3 k1 nope k1");
    let text = format!("{group}a1.sinkgroups.g1.processor.type = load_balance\n");
    check(
        &text,
        "r1 c1 k1 k2 g1",
        &[
            "W13",
            "E14 sink k3: sink.directory is missing: ",
            "E17 group g1: sinks has \"k3\", which is no sink that starts",
            "E17 group g1: sinks has \"nope\", which is no sink that starts: the others do without it",
            "W17 group g1: sinks has \"k1\" twice",
        ],
    );
    let graph = of(&format!("{SOUND}{text}"), &Wants::default()).graph.unwrap();
    // One is left, and nothing to balance.
    assert_eq!(
        (&*graph.groups[0].processor.r#type, &graph.groups[0].sinks[..]),
        ("default", &["k1".to_string()][..])
    );
}

#[test]
fn priorities_are_numbers_of_members() {
    let text = format!(
        "{GROUP}a1.sinks.k3.sink.directory = /tmp
a1.sinkgroups.g1.processor.type = failover
a1.sinkgroups.g1.processor.priority.k1 = 5
a1.sinkgroups.g1.processor.priority.k2 = 5
a1.sinkgroups.g1.processor.priority.k3 = high
a1.sinkgroups.g1.processor.maxpenality = 5
"
    );
    check(
        &text,
        "r1 c1 k1 k2 k3 g1",
        &[
            "W13",
            "W21 group g1: processor.priority.k2 is 5, and so is that of k1",
            "W22 group g1: processor.priority.k3: \"k3\" is no sink of this group; did you mean",
            "W23 group g1: processor.maxpenality is no property of failover; did you mean \"processor.maxpenalty\"?",
        ],
    );
}

#[test]
fn secrets_are_never_shown() {
    let avro = SOUND.replace("netcat", "avro");
    let text = format!(
        "{avro}a1.sources.r1.ssl = true\na1.sources.r1.keystore-password = hunter2\na1.sources.r1.keystore-passwort = x"
    );
    for problem in of(&text, &Wants::default()).problems {
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
}

#[test]
fn bytes_that_are_no_properties_start_nothing() {
    check(
        "a1.sources.r1.port = \\u12\na1.sinks.k1.channel = \\ux\n",
        "",
        &["E11 \"\\u12\" is no character", "E12"],
    );
}

#[test]
fn unknown_is_an_error_where_that_was_asked_for() {
    let text = format!("{SOUND}a1.sources.r1.prot = 1\na1.sorces.r1.x = 1\nnodots = 1");
    let wants = Wants {
        unknown_is_error: true,
        ..Wants::default()
    };
    let found = of(&text, &wants);
    assert!(
        found.problems.len() == 3 && found.problems.iter().all(Problem::is_error),
        "{:?}",
        found.problems
    );
    assert_eq!(found.graph.as_ref().map(names).as_deref(), Some("r1 c1 k1"));
}

#[test]
fn variables_stand_for_what_is_elsewhere() {
    check(
        "net.port = 4242\nport = 1\na1.sources.r1.port = ${net.port}\na1.sinks.k1.maxBytesToLog = ${port}${none:-0}",
        "r1 c1 k1",
        &["W13"],
    );
    let text = format!("{SOUND}a1.sources.r1.port = ${{sys:port}}");
    let system = [("port".to_string(), "4243".to_string())];
    let wants = Wants {
        system: &system,
        ..Wants::default()
    };
    let graph = of(&text, &wants).graph.unwrap();
    assert_eq!(graph.sources[0].definition.settings["port"].text, "4243");
    let wants = Wants {
        keeps_variables: true,
        ..wants
    };
    let told = of(&text, &wants).problems.iter().map(told).collect::<Vec<_>>();
    assert!(
        told[1].starts_with("E11 source r1: port is \"${sys:port}\""),
        "{told:?}"
    );
    check(
        "a1.sources.r1.bind = ${env:FLUME_NO_SUCH}",
        "r1 c1 k1",
        &[
            "W11",
            "W11 a1.sources.r1.bind: ${env:FLUME_NO_SUCH} stays as it is",
        ],
    );
}

/// What came out of a filter is used and not shown.
#[test]
fn filters_replace_what_they_have() {
    let filters = "\
a1.configfilters = f1 f2
a1.configfilters.f1.type = env
a1.configfilters.f2.type = org.apache.flume.configfilter.ExternalProcessConfigFilter
a1.configfilters.f2.command = printf
a1.sinks.k1.maxBytesToLog = ${f2['5']}
a1.sources.r1.bind = ${f1['PATH']}
";
    let text = format!("{SOUND}{filters}");
    let wants = Wants {
        runs_commands: true,
        ..Wants::default()
    };
    let found = of(&text, &wants);
    let graph = found.graph.unwrap();
    let path = std::env::var("PATH").unwrap();
    assert_eq!(graph.sources[0].definition.settings["bind"].text, path);
    assert_eq!(graph.sinks[0].definition.settings["maxBytesToLog"].text, "5");
    // Nobody ran it, so nobody knows.
    check(filters, "r1 c1 k1", &["W16"]);
    let secret = text.replace("${f2['5']}", "${f2['hunter2']}");
    let found = of(&secret, &wants);
    let said = found.problems.iter().map(told).collect::<Vec<_>>();
    assert!(
        said[0].starts_with("E15 sink k1: maxBytesToLog is something that is not shown"),
        "{said:?}"
    );
    assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
}

#[test]
fn filters_that_have_nothing_leave_the_text() {
    check(
        "\
a1.configfilters = f1 f2 f3
a1.configfilters.f1.type = env
a1.configfilters.f2.type = external
a1.configfilters.f3.type = envv
a1.configfilters.f1.command = x
a1.sources.r1.encoding = ${f1[FLUME_NO_SUCH]}
a1.sinks.k1.maxBytesToLog = ${f9['K']}
a1.sources.r1.max-line-length = ${f3['K']}
",
        "",
        &[
            "E1 nothing of agent a1 starts",
            "W8 channel c1: no source puts into it",
            "E13 filter f2: command is missing: what is run with a key behind it",
            "E14 filter f3: type is \"envv\", which is no config filter; did you mean \"env\"?",
            "W15 filter f1: command is no property of env",
            "E16 source r1: encoding: ${f1[FLUME_NO_SUCH]} stays as it is: the environment has no FLUME_NO_SUCH",
            "E16 source r1: encoding is \"${f1[FLUME_NO_SUCH]}\": ",
            "W17 sink k1: maxBytesToLog: ${f9['K']} stays as it is: there is no config filter \"f9\"; did you",
            "E17 sink k1: maxBytesToLog is \"${f9['K']}\": ",
        ],
    );
}

#[test]
fn bytes_that_would_move_a_cursor_are_shown_escaped() {
    let found = of(
        "a1.sources.r\u{1b}[2J = x\na1.\u{7}bell.x = 1\n",
        &Wants::default(),
    );
    assert!(!found.problems.is_empty());
    for problem in &found.problems {
        let told = problem.to_string();
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }
}
