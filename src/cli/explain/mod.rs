//! `flume explain`: what an agent or a pipeline does, in another spelling: as a pipeline, as properties, drawn.

mod draw;
mod svg;
#[cfg(test)]
mod tests;

use super::{Ended, KINDS, Tool, print, text};
use crate::agent::config::{self, Text, Wants, write};
use crate::exit::StageError;
use crate::flow::graph::Graph;
use crate::say;
use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};

/// The command.
pub const TOOL: Tool = Tool {
    name: "explain",
    command: Explain::command,
    run,
};

/// Show what an agent's properties or a pipeline's text do, in another spelling.
///
/// A properties file becomes the pipeline that does the same, a pipeline the properties; either can be drawn.
/// Nothing is started, and secrets are not printed.
#[derive(Parser)]
#[command(name = "explain", bin_name = "flume explain", no_binary_name = true)]
struct Explain {
    /// A properties file, a file with the text of a pipeline, or that text itself; "-" is standard input.
    #[arg(value_name = "FILE|PIPELINE")]
    input: String,
    /// The agent in the properties file, if it has several; the name of the agent that is written.
    #[arg(long, short = 'n', value_name = "NAME")]
    name: Option<String>,
    /// As what; without it a properties file becomes a pipeline, and a pipeline properties.
    #[arg(long, value_name = "SPELLING", value_parser = ["pipeline", "properties", "text", "dot", "svg"])]
    output: Option<String>,
}

fn run(words: &[String]) -> Ended {
    let own = Explain::from_arg_matches(&Explain::command().try_get_matches_from(words)?)?;
    let (name, content) = own.content()?;
    let is_pipeline = is_pipeline(&content);
    let mut graph = match is_pipeline {
        true => text::read_graph(&content).with_context(|| name.clone())?,
        false => own.agent(&name, content)?,
    };
    if let (true, Some(agent)) = (is_pipeline, &own.name) {
        graph.name = agent.clone();
    }
    let default = if is_pipeline { "properties" } else { "pipeline" };
    print(&match own.output.as_deref().unwrap_or(default) {
        "properties" => write::write(&graph),
        "text" => draw::text(&graph),
        "dot" => draw::dot(&graph),
        "svg" => svg::svg(&graph),
        _ => pipeline(&graph),
    })
}

impl Explain {
    /// What is to be explained, and what it is called.
    fn content(&self) -> anyhow::Result<(String, String)> {
        let input = &self.input;
        if input == "-" {
            let content = std::io::read_to_string(std::io::stdin());
            let content = content.map_err(|error| StageError::Usage(error.to_string()));
            return Ok((
                "standard input".into(),
                content.context("standard input cannot be read")?,
            ));
        }
        // A file's name is no pipeline, and what is one is mostly no file's name.
        let is_text = input.contains(['|', ';']) || input.contains(' ') && is_pipeline(input);
        if is_text && !std::path::Path::new(input).exists() {
            return Ok(("the pipeline".into(), input.clone()));
        }
        let bytes = std::fs::read(input).map_err(|error| StageError::Failed(error.to_string()));
        let bytes = bytes.with_context(|| format!("{input} cannot be read"))?;
        Ok((input.clone(), String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn agent(&self, name: &str, content: String) -> anyhow::Result<Graph> {
        let texts = [Text {
            name: name.into(),
            bytes: content.into_bytes(),
        }];
        let wants = Wants {
            name: self.name.as_deref(),
            ..Wants::default()
        };
        let read = config::read(&texts, &wants);
        for problem in &read.problems {
            match problem.is_error() {
                true => say::error("explain", problem.to_string()),
                false => say::warn("explain", problem.to_string()),
            }
        }
        if self.name.is_none() && read.agents.len() > 1 {
            let agents = read.agents.join(", ");
            return Err(
                StageError::Usage(format!("{name} has several agents: say --name of {agents}")).into(),
            );
        }
        let nothing = || StageError::Failed(format!("{name} has nothing that would run")).into();
        read.graph.ok_or_else(nothing)
    }
}

/// Does the text begin as a pipeline does?
fn is_pipeline(content: &str) -> bool {
    let lines = content.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next();
    let word = first
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default();
    let is_named = word.starts_with('@') && !word.contains('=');
    is_named || word == "flume" || KINDS.contains(&word)
}

/// The pipeline as it is typed in a shell: stages of their own where they stand in a row, else in one process.
fn pipeline(graph: &Graph) -> String {
    let text = text::write(graph);
    let is_row = matches!(text::needs_graph(&text), Ok(false));
    match is_row {
        true => row(&text),
        false => format!("flume run -f - <<'END'\n{text}\nEND\n"),
    }
}

/// Each stage on a line of its own.
fn row(text: &str) -> String {
    let stages = super::words::stages(text).unwrap_or_default();
    let lines = stages.iter().map(|stage| {
        let words: Vec<_> = stage.iter().map(|word| crate::component::quoted(word)).collect();
        format!("flume {}", words.join(" "))
    });
    lines.collect::<Vec<_>>().join(" \\\n  | ") + "\n"
}
