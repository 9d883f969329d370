//! A graph as the properties that it could have been read from.

use crate::component::{self, Spec};
use crate::flow::graph::{Definition, Graph, Source};
use crate::properties::line;
use crate::{channel, intercept, sink, source};

/// Write a graph as properties. What those cannot say, an empty value or one with blanks around it, is told in a
/// comment in its place.
pub fn write(graph: &Graph) -> String {
    let agent = match graph.name.is_empty() {
        true => "a1",
        false => &graph.name,
    };
    let mut out = Writer {
        agent,
        text: String::new(),
    };
    let sources = graph.sources.iter().map(|source| &source.definition);
    let sinks = graph.sinks.iter().map(|sink| &sink.definition);
    out.names("sources", sources.map(|source| &*source.name));
    out.names("channels", graph.channels.iter().map(|channel| &*channel.name));
    out.names("sinks", sinks.map(|sink| &*sink.name));
    if !graph.groups.is_empty() {
        out.names("sinkgroups", graph.groups.iter().map(|group| &*group.name));
    }
    graph.sources.iter().for_each(|source| out.source(source));
    for channel in &graph.channels {
        out.text.push('\n');
        out.component("channels", channel);
    }
    for sink in &graph.sinks {
        out.text.push('\n');
        out.component("sinks", &sink.definition);
        let name = format!("sinks.{}", sink.definition.name);
        out.interceptors(&name, &sink.interceptors);
        out.line(&format!("{name}.channel"), &sink.channel);
    }
    for group in &graph.groups {
        let name = format!("sinkgroups.{}", group.name);
        out.text.push('\n');
        out.line(&format!("{name}.sinks"), &group.sinks.join(" "));
        out.line(&format!("{name}.processor.type"), &group.processor.r#type);
        out.settings(&name, &group.processor);
    }
    out.text
}

struct Writer<'a> {
    agent: &'a str,
    text: String,
}

impl Writer<'_> {
    fn names<'n>(&mut self, kind: &str, names: impl Iterator<Item = &'n str>) {
        let names: Vec<_> = names.collect();
        self.line(kind, &names.join(" "));
    }

    fn source(&mut self, source: &Source) {
        self.text.push('\n');
        self.component("sources", &source.definition);
        let name = format!("sources.{}", source.definition.name);
        self.interceptors(&name, &source.interceptors);
        let selector = &source.selector;
        let is_default = matches!(&*selector.r#type, "" | "replicating") && selector.settings.is_empty();
        if !is_default {
            self.line(&format!("{name}.selector.type"), &selector.r#type);
            self.settings(&name, selector);
        }
        self.line(&format!("{name}.channels"), &source.channels.join(" "));
    }

    fn component(&mut self, kind: &str, definition: &Definition) {
        let name = format!("{kind}.{}", definition.name);
        self.line(&format!("{name}.type"), &definition.r#type);
        self.settings(&name, definition);
    }

    fn interceptors(&mut self, of: &str, interceptors: &[Definition]) {
        if interceptors.is_empty() {
            return;
        }
        let names: Vec<_> = interceptors
            .iter()
            .map(|interceptor| &*interceptor.name)
            .collect();
        self.line(&format!("{of}.interceptors"), &names.join(" "));
        for interceptor in interceptors {
            self.component(&format!("{of}.interceptors"), interceptor);
        }
    }

    fn settings(&mut self, of: &str, definition: &Definition) {
        let secrets = secrets(of, &definition.r#type);
        for (key, value) in &definition.settings {
            match secrets.contains(key) {
                true => {
                    let agent = self.agent;
                    let told = format!("# {agent}.{of}.{key} is a secret, which is not printed\n");
                    self.text.push_str(&told);
                }
                false => self.line(&format!("{of}.{key}"), &value.text),
            }
        }
    }

    fn line(&mut self, key: &str, value: &str) {
        let key = format!("{}.{key}", self.agent);
        if value.is_empty() && key.matches('.').count() > 1 {
            self.text.push_str(&format!(
                "# {key} is empty, which no properties file of Flume can say\n"
            ));
            return;
        }
        if value.trim() != value {
            self.text
                .push_str(&format!("# {key} has blanks around it, which Flume takes away\n"));
        }
        self.text.push_str(&line(&key, &escaped(value)));
    }
}

/// Settings of a component that are secrets.
fn secrets(of: &str, r#type: &str) -> Vec<String> {
    fn of_type<Made: 'static>(table: &'static [Spec<Made>], r#type: &str) -> Vec<String> {
        let settings = component::find(table, r#type).map(Spec::settings);
        let settings = settings.into_iter().flatten();
        let secret = settings.filter(|setting| setting.is_secret);
        secret.map(|setting| setting.property).collect()
    }
    match of.split('.').next() {
        _ if of.contains(".interceptors.") => of_type(intercept::ALL, r#type),
        Some("sources") => of_type(source::ALL, r#type),
        Some("channels") => of_type(channel::ALL, r#type),
        Some("sinks") => of_type(sink::ALL, r#type),
        _ => Vec::new(),
    }
}

/// Nothing in it is to be replaced.
fn escaped(value: &str) -> String {
    value.replace("${", "$${")
}
