//! `flume check FILE...`: properties files of agents, and what is wrong with them. Nothing is started.

use super::{Ended, Told, Tool};
use crate::agent::config::{self, Problem, Read, Severity, Text, Wants};
use crate::exit::StageError;
use crate::flow::graph::Graph;
use crate::say;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;

/// The command.
pub const TOOL: Tool = Tool {
    name: "check",
    command: Check::command,
    run,
};

/// What differs from Apache Flume, for the manual.
const LONG: &str = "\
Check properties files of agents, and print everything that is wrong with them, each with its file and line. \
Nothing is started and nothing changed. The status is 0 if all that is written would run, also if there are \
warnings; 1 if something would not; 2 if that cannot be told, because a file cannot be read.

What would start is what Apache Flume 1.11 starts: a component that is wrong is left out, then what cannot do \
without it, and nothing starts without a channel. It differs in this:

A type that is not known costs its component; Flume ends the process.

A sink that is left out drops out of its group, and of a load_balance group of which one sink is left that one \
runs alone; Flume starts nothing of the agent.

A batch that is larger than the transaction of its channel is split, with a warning; Flume leaves the source or \
the sink out.

A property that nobody knows, a key without a value, a repeated key, a component that is not listed, a Boolean that \
is neither true nor false: all of it is told; Flume says nothing to most.

Two file channels that share a directory: the second is left out; in Flume it fails while it runs.

References to other properties are replaced in the order in which they depend on each other; in Flume in none.

The selector load_balancing can be used; in Flume its name is known and does not work.

What a config filter gives is not shown in any message. Its commands are run with --deep only.

Interceptors can be set for sinks, too.";

/// Check properties files of agents, and print everything that is wrong with them.
#[derive(Parser)]
#[command(name = "check", bin_name = "flume check", no_binary_name = true, long_about = LONG)]
struct Check {
    /// Properties files, each checked by itself; "-" is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only this agent; by itself every one that a file has.
    #[arg(long, short, value_name = "NAME")]
    name: Option<String>,
    /// The files are one configuration, as several --conf-file of an agent: later ones win.
    #[arg(long)]
    together: bool,
    /// Look also at ports that are in use, directories that cannot be read or written, position files that are broken
    /// and key stores that do not open, and run the commands of config filters.
    #[arg(long)]
    deep: bool,
    /// Warnings count as errors do.
    #[arg(long)]
    strict: bool,
    /// A setting that ${sys:KEY} refers to.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    define: Vec<String>,
    /// How it is printed: lines of text, or a JSON object a line, the last about all.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,
    /// As --output json.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// What was found in all files.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    /// Of each agent what would start.
    graphs: Vec<Graph>,
    unreadable: usize,
}

fn run(words: &[String]) -> Ended {
    let own = Check::from_arg_matches(&Check::command().try_get_matches_from(words)?)?;
    let mut found = Found::default();
    let mut texts = Vec::new();
    for file in &own.files {
        match read(file) {
            Ok(text) => texts.push(text),
            Err(error) => {
                found.unreadable += 1;
                say::error("check", format!("{} cannot be read: {error}", file.display()));
            }
        }
    }
    match own.together {
        true if found.unreadable == 0 => found.look_at(&texts, &own),
        true => {}
        false => texts
            .iter()
            .for_each(|text| found.look_at(std::slice::from_ref(text), &own)),
    }
    let errors = found.count(Severity::Error);
    let warnings = found.count(Severity::Warning);
    let sound = errors == 0 && !(own.strict && warnings > 0) && found.unreadable == 0;
    super::print(&match own.json || own.output == "json" {
        true => found.json(sound, errors, warnings),
        false => found.text(),
    })?;
    match (found.unreadable, sound) {
        (0, true) => Ok(()),
        (0, false) => {
            let what = format!("not sound: errors {errors}, warnings {warnings}");
            Err(StageError::Failed(what).into())
        }
        _ => Err(Told(2).into()),
    }
}

fn read(file: &PathBuf) -> std::io::Result<Text> {
    let (name, bytes) = match file.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)?;
            ("standard input".to_string(), bytes)
        }
        false => (file.display().to_string(), std::fs::read(file)?),
    };
    Ok(Text {
        name: name.into(),
        bytes,
    })
}

impl Found {
    fn look_at(&mut self, texts: &[Text], own: &Check) {
        let system: Vec<(String, String)> = own
            .define
            .iter()
            .map(|word| word.split_once('=').unwrap_or((word, "")))
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let wants = Wants {
            name: own.name.as_deref(),
            unknown_is_error: true,
            system: &system,
            runs_commands: own.deep,
            ..Wants::default()
        };
        let Read {
            mut graphs,
            mut problems,
            ..
        } = config::read(texts, &wants);
        if own.deep {
            problems.extend(graphs.iter().flat_map(config::look));
            config::sort(&mut problems, texts);
        }
        self.problems.append(&mut problems);
        self.graphs.append(&mut graphs);
    }

    fn count(&self, severity: Severity) -> usize {
        let same = |problem: &&Problem| problem.severity == severity;
        self.problems.iter().filter(same).count()
    }

    fn text(&self) -> String {
        let problems = self.problems.iter().map(line);
        problems.chain(self.graphs.iter().map(starts)).collect()
    }

    fn json(&self, sound: bool, errors: usize, warnings: usize) -> String {
        let mut text: String = self.problems.iter().map(json_line).collect();
        let agents: Vec<_> = self
            .graphs
            .iter()
            .map(|graph| {
                let names = names(graph);
                let starts = names.map(|(kind, names)| (kind.to_string(), names.into()));
                let starts: serde_json::Map<String, serde_json::Value> = starts.into_iter().collect();
                serde_json::json!({"name": graph.name, "starts": starts})
            })
            .collect();
        let all = serde_json::json!({
            "sound": sound,
            "errors": errors,
            "warnings": warnings,
            "unreadable": self.unreadable,
            "agents": agents,
        });
        text.push_str(&format!("{all}\n"));
        text
    }
}

/// The components of a graph by their kinds.
fn names(graph: &Graph) -> [(&'static str, Vec<&str>); 4] {
    let sources = graph.sources.iter().map(|own| &own.definition.name[..]);
    let channels = graph.channels.iter().map(|own| &own.name[..]);
    let sinks = graph.sinks.iter().map(|own| &own.definition.name[..]);
    let groups = graph.groups.iter().map(|own| &own.name[..]);
    [
        ("sources", sources.collect()),
        ("channels", channels.collect()),
        ("sinks", sinks.collect()),
        ("sinkgroups", groups.collect()),
    ]
}

/// `agent a1 starts sources r1, channels c1, sinks k1`.
fn starts(graph: &Graph) -> String {
    let kinds = names(graph).into_iter().filter(|(_, names)| !names.is_empty());
    let kinds: Vec<String> = kinds
        .map(|(kind, names)| format!("{kind} {}", names.join(" ")))
        .collect();
    format!("agent {} starts {}\n", graph.name, kinds.join(", "))
}

/// `FILE:LINE: error: source r1: what`.
fn line(problem: &Problem) -> String {
    let place = match problem.place.text.is_some() {
        true => format!("{}: ", problem.place),
        false => String::new(),
    };
    let component = match &problem.component[..] {
        "" => String::new(),
        component => format!("{component}: "),
    };
    format!(
        "{place}{}: {component}{}\n",
        problem.severity.word(),
        problem.what
    )
}

fn json_line(problem: &Problem) -> String {
    let line = serde_json::json!({
        "severity": problem.severity.word(),
        "file": problem.place.text.as_deref(),
        "line": problem.place.line,
        "agent": problem.agent,
        "component": problem.component,
        "message": problem.what,
    });
    format!("{line}\n")
}
