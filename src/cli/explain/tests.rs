//! One spelling and the other.

use super::*;
use crate::cli::text::tests::random_graph;
use crate::flow::graph::{Definition, Sink, Source};
use proptest::prelude::*;

fn read(text: &str) -> config::Read {
    let texts = [Text {
        name: "a.conf".into(),
        bytes: text.as_bytes().to_vec(),
    }];
    config::read(&texts, &Wants::default())
}

/// Names that properties can say: no dots in them.
fn without_dots(mut graph: Graph) -> Graph {
    fn plain(name: &mut String) {
        *name = name.replace('.', "_");
    }
    fn chain(interceptors: &mut [Definition]) {
        interceptors.iter_mut().for_each(|own| plain(&mut own.name));
    }
    graph.channels.iter_mut().for_each(|own| plain(&mut own.name));
    for source in &mut graph.sources {
        plain(&mut source.definition.name);
        plain(&mut source.selector.name);
        chain(&mut source.interceptors);
        source.channels.iter_mut().for_each(plain);
        for (key, value) in &mut source.selector.settings {
            let is_list = ["mapping.", "default", "optional"]
                .iter()
                .any(|word| key.contains(word));
            if is_list {
                plain(&mut value.text);
            }
        }
    }
    for sink in &mut graph.sinks {
        plain(&mut sink.definition.name);
        plain(&mut sink.channel);
        chain(&mut sink.interceptors);
    }
    for group in &mut graph.groups {
        group.sinks.iter_mut().for_each(plain);
    }
    graph
}

fn same(one: &Graph, other: &Graph) -> bool {
    fn all<T>(one: &[T], other: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
    }
    all(&one.sources, &other.sources, Source::says_the_same)
        && all(&one.channels, &other.channels, Definition::says_the_same)
        && all(&one.sinks, &other.sinks, Sink::says_the_same)
        && all(&one.groups, &other.groups, |one, other| one.says_the_same(other))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn properties_that_are_written_are_read_as_the_graph_that_they_are_of(seed in any::<u64>()) {
        let graph = without_dots(random_graph(seed));
        let text = write::write(&graph);
        // What no channel can be made of is left out the first time; then all of it stays.
        let Some(first) = read(&text).graph else { return Ok(()) };
        let again = write::write(&first);
        let second = read(&again);
        prop_assert!(second.graph.is_some(), "{}", again);
        prop_assert!(same(&first, &second.graph.unwrap()), "{}\n----\n{}", text, again);
        if read(&text).problems.is_empty() && !text.contains("# ") {
            prop_assert_eq!(first.sinks.len(), graph.sinks.len(), "{}", text);
        }
    }

    #[test]
    fn agent_that_is_written_as_a_pipeline_says_the_same_as_properties(seed in any::<u64>()) {
        let graph = without_dots(random_graph(seed));
        let Some(agent) = read(&write::write(&graph)).graph else { return Ok(()) };
        let through = text::read_graph(&text::write(&agent));
        prop_assert!(through.is_ok(), "{:#}", through.unwrap_err());
        let properties = write::write(&through.unwrap());
        let again = read(&properties).graph;
        prop_assert!(again.is_some(), "{}", properties);
        let again = again.unwrap();
        let names = |graph: &Graph| -> Vec<String> {
            draw::nodes(graph).iter().map(|node| node.title.clone()).collect()
        };
        prop_assert_eq!(names(&again).len(), names(&agent).len(), "{}", properties);
    }
}

const FANNED: &str = "
    a1.sources = r1
    a1.channels = c1 c2
    a1.sinks = k1 k2 k3
    a1.sinkgroups = g1
    a1.sources.r1.type = seq
    a1.sources.r1.channels = c1 c2
    a1.sources.r1.interceptors = i1
    a1.sources.r1.interceptors.i1.type = org.apache.flume.interceptor.TimestampInterceptor$Builder
    a1.sources.r1.selector.type = multiplexing
    a1.sources.r1.selector.mapping.CZ = c1
    a1.sources.r1.selector.default = c2
    a1.channels.c1.type = memory
    a1.channels.c2.type = memory
    a1.sinks.k1.type = null
    a1.sinks.k1.channel = c1
    a1.sinks.k2.type = null
    a1.sinks.k2.channel = c2
    a1.sinks.k3.type = logger
    a1.sinks.k3.channel = c2
    a1.sinkgroups.g1.sinks = k2 k3
    a1.sinkgroups.g1.processor.type = failover
";

#[test]
fn drawing_in_characters_is_a_tree_with_what_goes_where() {
    let graph = read(FANNED).graph.unwrap();
    let expected = "\
source r1 (seq, TimestampInterceptor)
+-> channel c1 (memory) [CZ]
|   +-> sink k1 (null)
+-> channel c2 (memory) [all others]
    +-> group g1 (failover)
        +-> sink k2 (null)
        +-> sink k3 (logger)
";
    assert_eq!(draw::text(&graph), expected);
}

#[test]
fn channel_that_two_sources_reach_is_drawn_once() {
    let graph = text::read_graph("source seq | @c1 channel memory; source seq | @c1; @c1 | sink null");
    let expected = "\
source r1 (seq)
+-> channel c1 (memory)
    +-> sink k1 (null)
source r2 (seq)
+-> channel c1 (memory) [see above]
";
    assert_eq!(draw::text(&graph.unwrap()), expected);
}

#[test]
fn pictures_have_every_component_and_arrow() {
    let graph = read(FANNED).graph.unwrap();
    let dot = draw::dot(&graph);
    assert!(dot.starts_with("digraph \"a1\" {"), "{dot}");
    assert_eq!(dot.matches(" -> ").count(), 6, "{dot}");
    assert!(
        dot.contains("\"source r1\" -> \"channel c1\" [label=\"CZ\"]"),
        "{dot}"
    );
    let svg = svg::svg(&graph);
    assert_eq!(svg.matches("<rect x=").count(), 7, "{svg}");
    assert_eq!(svg.matches("marker-end").count(), 6, "{svg}");
    assert!(svg.contains(">all others</text>"), "{svg}");
}

#[test]
fn row_is_typed_as_stages_of_a_shell() {
    let graph = text::read_graph("source exec 'tail -F x' | channel file ./spool | sink null").unwrap();
    let expected =
        "flume source exec 'tail -F x' \\\n  | flume channel file ./spool \\\n  | flume sink null\n";
    assert_eq!(pipeline(&graph), expected);
    assert!(pipeline(&read(FANNED).graph.unwrap()).starts_with("flume run -f - <<'END'\n"));
}

#[test]
fn secret_is_not_printed_in_properties() {
    let text = "a1.sources = r1\na1.channels = c1\na1.channels.c1.type = memory\na1.sources.r1.type = avro\n\
                a1.sources.r1.bind = h\na1.sources.r1.port = 1\na1.sources.r1.channels = c1\n\
                a1.sources.r1.ssl = true\na1.sources.r1.keystore = ks\na1.sources.r1.keystore-password = changeit\n";
    let written = write::write(&read(text).graph.unwrap());
    assert!(!written.contains("changeit"), "{written}");
    assert!(
        written.contains("# a1.sources.r1.keystore-password is a secret"),
        "{written}"
    );
}
