//! `flume ctl`: look at a running agent, and tell it what to do.

use super::{Ended, Tool, print};
use crate::agent::control::{Request, ask, path_of, sockets};
use crate::exit::StageError;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::Value;
use std::path::PathBuf;

/// The command.
pub const TOOL: Tool = Tool {
    name: "ctl",
    command: Ctl::command,
    run,
};

/// Look at a running agent, and start, stop or pause its components.
///
/// A component is named as in the configuration, with its kind in front where that says more: "source r1".
#[derive(Parser)]
#[command(
    name = "ctl",
    bin_name = "flume ctl",
    no_binary_name = true,
    disable_help_subcommand = true
)]
struct Ctl {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    of: Of,
}

/// Which agent, and how it is printed.
#[derive(Args)]
struct Of {
    /// The agent's name; without it the only one of this user that runs.
    #[arg(long, short = 'n', value_name = "NAME", global = true)]
    name: Option<String>,
    /// The agent's socket, if it was started with --control.
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "name")]
    control: Option<PathBuf>,
    /// How it is printed.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"], global = true)]
    output: String,
    /// As --output json.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// The components, how they are joined, and where each stands.
    Graph,
    /// All counters, under Flume's names.
    Counters,
    /// Start a component that was stopped.
    Start(Which),
    /// Stop a component; everything else goes on.
    Stop(Which),
    /// Hold a component up, with its connections and files left open.
    Pause(Which),
    /// Let a paused component go on.
    Resume(Which),
    /// Read the configuration again, as SIGHUP does, and say what changed.
    Reload,
    /// Stop the agent, as SIGTERM does.
    Shutdown,
}

#[derive(Args)]
struct Which {
    /// The component: "r1", or "source r1".
    #[arg(value_name = "COMPONENT", required = true, num_args = 1..=2)]
    component: Vec<String>,
}

impl What {
    fn request(&self) -> Request {
        let component = |which: &Which| which.component.join(" ");
        match self {
            What::Graph => Request::Graph {},
            What::Counters => Request::Counters {},
            What::Start(which) => Request::Start {
                component: component(which),
            },
            What::Stop(which) => Request::Stop {
                component: component(which),
            },
            What::Pause(which) => Request::Pause {
                component: component(which),
            },
            What::Resume(which) => Request::Resume {
                component: component(which),
            },
            What::Reload => Request::Reload {},
            What::Shutdown => Request::Shutdown {},
        }
    }
}

fn run(words: &[String]) -> Ended {
    let own = Ctl::from_arg_matches(&Ctl::command().try_get_matches_from(words)?)?;
    let socket = own.of.socket()?;
    let answer = ask(&socket, &own.what.request()).map_err(StageError::Failed)?;
    if let Some(error) = answer.error.filter(|_| !answer.ok) {
        return Err(StageError::Failed(error).into());
    }
    if own.of.json || own.of.output == "json" {
        return print(&format!("{}\n", answer.result));
    }
    print(&match own.what {
        What::Graph => graph(&answer.result),
        What::Counters => counters(&answer.result),
        What::Reload => changes(&answer.result),
        _ => format!("{}\n", answer.result.as_str().unwrap_or_default()),
    })
}

impl Of {
    fn socket(&self) -> Result<PathBuf, StageError> {
        if let Some(path) = &self.control {
            return Ok(path.clone());
        }
        if let Some(name) = &self.name {
            return Ok(path_of(name));
        }
        let live = sockets();
        let live: Vec<_> = live
            .into_iter()
            .filter(|path| std::os::unix::net::UnixStream::connect(path).is_ok())
            .collect();
        match &live[..] {
            [only] => Ok(only.clone()),
            [] => Err(StageError::Failed(
                "no agent of this user runs; one that was started with --control PATH needs it here, too"
                    .into(),
            )),
            several => {
                let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
                Err(StageError::Usage(format!(
                    "several agents run: say which with --name or --control ({})",
                    names.join(", ")
                )))
            }
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// A line for each component: what it is, where it stands, where its events go.
fn graph(result: &Value) -> String {
    let none = Vec::new();
    let components = result["components"].as_array().unwrap_or(&none);
    let links = result["links"].as_array().unwrap_or(&none);
    let rows: Vec<[String; 4]> = components
        .iter()
        .map(|component| {
            let title = format!("{} {}", text(component, "kind"), text(component, "name"));
            let to: Vec<_> = links
                .iter()
                .filter(|link| link[0] == title.as_str())
                .filter_map(|link| link[1].as_str())
                .collect();
            let state = match component["paused"].as_bool() {
                Some(true) => "paused",
                _ => text(component, "state"),
            };
            let error = component["error"].as_str().map(|error| format!(" ({error})"));
            let arrow = if to.is_empty() {
                String::new()
            } else {
                format!("-> {}", to.join(", "))
            };
            [
                title,
                text(component, "type").to_string(),
                format!("{state}{}", error.unwrap_or_default()),
                arrow,
            ]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let line = format!(
            "{:w0$}  {:w1$}  {:w2$}  {}",
            row[0],
            row[1],
            row[2],
            row[3],
            w0 = widths[0],
            w1 = widths[1],
            w2 = widths[2]
        );
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn counters(result: &Value) -> String {
    let mut text = String::new();
    for (group, values) in result.as_object().into_iter().flatten() {
        let values = values.as_object().into_iter().flatten();
        let values: Vec<_> = values
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        text.push_str(&format!("{group}: {}\n", values.join(" ")));
    }
    text
}

fn changes(result: &Value) -> String {
    let mut text = String::new();
    for word in ["started", "stopped", "restarted", "kept"] {
        let none = Vec::new();
        let names = result[word].as_array().unwrap_or(&none);
        let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
        if !names.is_empty() {
            text.push_str(&format!("{word}: {}\n", names.join(", ")));
        }
    }
    text
}
