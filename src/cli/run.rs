//! `flume run 'source ... | channel ... | sink ...'`: the text of a pipeline, fused into one process.

use super::options::{self, Common, Taking, Writing};
use super::report::{Reporter, run_watched};
use super::{Ended, KINDS, TOOLS, Tool, parts, text, words};
use crate::agent::engine::{self, Engine};
use crate::component::nearest;
use crate::exit::StageError;
use crate::flow::Flow;
use crate::flow::graph::Graph;
use anyhow::Context;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The command.
pub const TOOL: Tool = Tool {
    name: "run",
    command: whole_command,
    run,
};

/// Run a whole pipeline in one process, without framing between its stages.
///
/// Several pipelines stand apart by ";". Then "@NAME" in front of a stage names it, and a stage that is only @NAME is
/// the channel with this name: pipelines meet there and part there, as the components of an agent do. What fails is
/// started again while the others go on; all of it ends when each source has come to its end and every event is
/// delivered.
#[derive(Parser)]
#[command(name = "run", bin_name = "flume run", no_binary_name = true)]
struct Run {
    /// The pipeline, in the words of the shell: 'source ... | channel ... | sink ...'; of several,
    /// 'source ... | @c1 channel ...; source ... | @c1; @c1 | sink ...'.
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// Read the pipeline from a file instead, "-" is standard input; there, # begins a comment and a line end is a
    /// blank.
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "pipeline")]
    file: Option<PathBuf>,
}

fn whole_command() -> clap::Command {
    let command = Run::command();
    Common::augment_args(Taking::augment_args(Writing::augment_args(command)))
}

fn run(given: &[String]) -> Ended {
    let matches = whole_command().try_get_matches_from(given)?;
    let own = Run::from_arg_matches(&matches)?;
    let common = Common::from_arg_matches(&matches)?;
    let writing = Writing::from_arg_matches(&matches)?;
    let taking = Taking::from_arg_matches(&matches)?;
    options::configure(&common)?;
    let text = own.text()?;
    if text::needs_graph(&text)? {
        return run_graph(text::read_graph(&text)?, &common, &taking);
    }
    run_watched("run", &common, |stop| {
        let options = options::flow_options(&writing, Some(&taking), stop)?;
        let mut flow = read_flow(&text)?;
        parts::add_wal(&mut flow, &writing)?;
        Ok((flow, options))
    })
}

/// Run a graph until all its sources have come to their end and everything is delivered, or until a signal.
fn run_graph(graph: Graph, common: &Common, taking: &Taking) -> Ended {
    let stop = options::stop_of(common)?;
    let rejected = taking.rejected.as_deref().map(parts::rejected).transpose()?;
    let engine = Engine::start(
        graph,
        engine::Options {
            lifecycle_timeout: common.grace.0,
            rejected: rejected.map(|rejected| Arc::new(Mutex::new(rejected))),
            ..engine::Options::default()
        },
    )?;
    let reporter = Reporter::over(engine.board().clone(), "run", common, &stop)?;
    let well = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| {
            stop.wait();
            engine.stop()
        });
        engine.wait_finished();
        stop.stop();
        stopping.join().unwrap_or(false)
    });
    reporter.finish(if well { 0 } else { 75 });
    match well {
        true => Ok(()),
        false => {
            Err(StageError::Temporary("not everything was delivered: see what was told above".into()).into())
        }
    }
}

impl Run {
    fn text(&self) -> anyhow::Result<String> {
        match (&self.pipeline, &self.file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(file)) if file.as_os_str() == "-" => std::io::read_to_string(std::io::stdin())
                .map_err(|error| StageError::Usage(error.to_string()))
                .context("standard input cannot be read"),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| StageError::Usage(error.to_string()))
                .with_context(|| format!("{} cannot be read", file.display())),
            (None, None) => Err(StageError::Usage(
                "a pipeline is missing: flume run 'source seq | channel memory | sink null', or -f FILE"
                    .into(),
            )
            .into()),
        }
    }
}

/// Read the text of a pipeline into a flow.
pub fn read_flow(text: &str) -> anyhow::Result<Flow> {
    let stages = words::stages(text).map_err(StageError::Usage)?;
    let count = stages.len();
    let mut flow = Flow { parts: Vec::new() };
    for (index, stage) in stages.iter().enumerate() {
        let name = stage.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
        let within = format!("stage {} of {count}, {name}", index + 1);
        flow.parts.push(read_part(stage).context(within)?);
    }
    Ok(flow)
}

/// The words of a stage: its kind, its name and its settings.
pub(super) fn component_words(words: &[String]) -> anyhow::Result<(&str, &str, &[String])> {
    // A line copied from the shell has the program's name in front of each stage.
    let words = match words.split_first() {
        Some((first, rest)) if first == "flume" => rest,
        _ => words,
    };
    let Some((kind, rest)) = words.split_first() else {
        return Err(StageError::Usage("it is empty".into()).into());
    };
    if !KINDS.contains(&kind.as_str()) {
        let tool = TOOLS.iter().any(|tool| tool.name == kind);
        let hint = match nearest(kind, KINDS.iter().copied()) {
            _ if tool => format!("; it is a tool of its own: flume run '...' | flume {kind}"),
            Some(near) => format!("; did you mean \"{near}\"?"),
            None => format!("; there are {}", KINDS.join(", ")),
        };
        return Err(StageError::Usage(format!("\"{kind}\" is no kind of component{hint}")).into());
    }
    let Some((name, rest)) = rest.split_first() else {
        let names = parts::names(kind).join(", ");
        return Err(StageError::Usage(format!("{kind} has no name; there are {names}")).into());
    };
    Ok((kind, name, rest))
}

/// Make a component of the words of a stage.
pub(super) fn read_part(words: &[String]) -> anyhow::Result<(String, crate::flow::Part)> {
    let (kind, name, rest) = component_words(words)?;
    let Some(command) = parts::command(kind, name) else {
        let external = parts::external_part(kind, name, rest);
        let part = external.ok_or_else(|| parts::unknown(kind, name))?;
        return Ok((format!("{kind} {name}"), part));
    };
    let moved = parts::with_positional(kind, name, rest);
    let bin = format!("{kind} {name}");
    let matches = command
        .bin_name(&bin)
        .no_binary_name(true)
        .try_get_matches_from(moved)?;
    let part = parts::part(kind, name, &matches)?;
    Ok((bin, part))
}
