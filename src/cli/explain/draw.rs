//! A graph drawn in characters, and in the language of Graphviz.

use crate::flow::graph::{Definition, Graph, Sink, Source};
use std::collections::BTreeSet;

/// A node of the drawing: `source r1` and its type.
pub(super) struct Node {
    pub title: String,
    pub kind: &'static str,
    pub r#type: String,
}

/// An arrow, and what passes it if not all does.
pub(super) struct Arrow {
    pub from: String,
    pub to: String,
    pub label: String,
}

/// Everything that is drawn: sources, channels, groups, sinks.
pub(super) fn nodes(graph: &Graph) -> Vec<Node> {
    let node = |kind: &'static str, definition: &Definition, interceptors: &[Definition]| Node {
        title: format!("{kind} {}", definition.name),
        kind,
        r#type: with_interceptors(&definition.r#type, interceptors),
    };
    let mut all = Vec::new();
    all.extend(
        graph
            .sources
            .iter()
            .map(|own| node("source", &own.definition, &own.interceptors)),
    );
    all.extend(graph.channels.iter().map(|own| node("channel", own, &[])));
    for group in &graph.groups {
        all.push(Node {
            title: format!("group {}", group.name),
            kind: "group",
            r#type: group.processor.r#type.clone(),
        });
    }
    all.extend(
        graph
            .sinks
            .iter()
            .map(|own| node("sink", &own.definition, &own.interceptors)),
    );
    all
}

fn with_interceptors(r#type: &str, interceptors: &[Definition]) -> String {
    let names: Vec<_> = interceptors.iter().map(|own| short(&own.r#type)).collect();
    match names.is_empty() {
        true => short(r#type).to_string(),
        false => format!("{}, {}", short(r#type), names.join(", ")),
    }
}

/// A class of Java by its last word.
fn short(r#type: &str) -> &str {
    let last = r#type.rsplit('.').next().unwrap_or(r#type);
    last.strip_suffix("$Builder").unwrap_or(last)
}

/// How they are joined.
pub(super) fn arrows(graph: &Graph) -> Vec<Arrow> {
    let mut all = Vec::new();
    for source in &graph.sources {
        for channel in &source.channels {
            all.push(Arrow {
                from: format!("source {}", source.definition.name),
                to: format!("channel {channel}"),
                label: label(source, channel),
            });
        }
    }
    let arrow = |from: String, to: String| Arrow {
        from,
        to,
        label: String::new(),
    };
    let mut grouped = BTreeSet::new();
    for sink in &graph.sinks {
        let from = format!("channel {}", sink.channel);
        match graph.group_of(&sink.definition.name) {
            None => all.push(arrow(from, title(sink))),
            Some(group) => {
                let to = format!("group {}", group.name);
                if grouped.insert(group.name.clone()) {
                    all.push(arrow(from, to.clone()));
                }
                all.push(arrow(to, title(sink)));
            }
        }
    }
    all
}

fn title(sink: &Sink) -> String {
    format!("sink {}", sink.definition.name)
}

/// Which events of a source a channel gets, in the words of its selector.
fn label(source: &Source, channel: &str) -> String {
    let names = |list: &str| list.split_whitespace().any(|name| name == channel);
    let mut words = Vec::new();
    for (key, value) in &source.selector.settings {
        if !names(&value.text) {
            continue;
        }
        match key.strip_prefix("selector.").unwrap_or(key) {
            "default" => words.push("all others".to_string()),
            "optional" => words.push("optional".to_string()),
            key => match (key.strip_prefix("mapping."), key.strip_prefix("optional.")) {
                (Some(value), _) => words.push(value.to_string()),
                (_, Some(value)) => words.push(format!("{value} (optional)")),
                _ => {}
            },
        }
    }
    words.join(", ")
}

/// A tree of characters for each source; a channel that several reach is drawn once.
pub fn text(graph: &Graph) -> String {
    let (nodes, arrows) = (nodes(graph), arrows(graph));
    let mut tree = Tree {
        nodes: &nodes,
        arrows: &arrows,
        drawn: BTreeSet::new(),
        text: String::new(),
    };
    for node in &nodes {
        let is_root = !arrows.iter().any(|arrow| arrow.to == node.title);
        if is_root {
            tree.line(node, "", "", "");
            tree.below(node, "");
        }
    }
    tree.text
}

struct Tree<'a> {
    nodes: &'a [Node],
    arrows: &'a [Arrow],
    drawn: BTreeSet<&'a str>,
    text: String,
}

impl<'a> Tree<'a> {
    fn line(&mut self, node: &Node, indent: &str, branch: &str, label: &str) {
        let label = if label.is_empty() {
            String::new()
        } else {
            format!(" [{label}]")
        };
        let line = format!("{indent}{branch}{} ({}){label}", node.title, node.r#type);
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn below(&mut self, node: &'a Node, indent: &str) {
        if !self.drawn.insert(&node.title) {
            return;
        }
        let arrows: Vec<&'a Arrow> = self
            .arrows
            .iter()
            .filter(|arrow| arrow.from == node.title)
            .collect();
        for (index, arrow) in arrows.iter().enumerate() {
            let Some(next) = self.nodes.iter().find(|node| node.title == arrow.to) else {
                continue;
            };
            let is_last = index + 1 == arrows.len();
            let again = if self.drawn.contains(&*next.title) {
                "see above"
            } else {
                ""
            };
            let label: Vec<_> = [&*arrow.label, again]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect();
            self.line(next, indent, "+-> ", &label.join(", "));
            let deeper = if is_last { "    " } else { "|   " };
            self.below(next, &format!("{indent}{deeper}"));
        }
    }
}

/// For Graphviz: `flume explain --output dot FILE | dot -Tsvg`.
pub fn dot(graph: &Graph) -> String {
    let name = if graph.name.is_empty() {
        "agent"
    } else {
        &graph.name
    };
    let mut text = format!("digraph {} {{\n  rankdir=LR;\n", quoted(name));
    for node in nodes(graph) {
        let shape = match node.kind {
            "channel" => "cylinder",
            "group" => "diamond",
            _ => "box",
        };
        let label = format!("{}\n{}", node.title, node.r#type);
        text.push_str(&format!(
            "  {} [shape={shape}, label={}];\n",
            quoted(&node.title),
            quoted(&label)
        ));
    }
    for arrow in arrows(graph) {
        let label = match arrow.label.is_empty() {
            true => String::new(),
            false => format!(" [label={}]", quoted(&arrow.label)),
        };
        text.push_str(&format!(
            "  {} -> {}{label};\n",
            quoted(&arrow.from),
            quoted(&arrow.to)
        ));
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    )
}
