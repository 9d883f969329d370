//! The control socket of a running agent: a request is a line of JSON, and so is its answer.
//!
//! ```text
//! {"command":"pause","component":"source r1"}
//! {"ok":true,"result":"source r1 is paused"}
//! ```
//!
//! Only processes of the agent's user, and root, are heard. The socket is a file in a directory of that user.

mod place;
mod serve;

pub use place::path_of;
pub(crate) use place::sockets;
pub use serve::{Control, serve};

use super::engine::Component;
use super::host::Host;
use super::monitor::groups;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Components and how they are joined.
    Graph {},
    /// All counters, under Flume's names.
    Counters {},
    /// Start a component that was stopped, or let one go on.
    Start {
        /// Its name, which may have its kind in front.
        component: String,
    },
    /// Stop a component.
    Stop {
        /// Its name, which may have its kind in front.
        component: String,
    },
    /// Hold a component up, with its connections left open.
    Pause {
        /// Its name, which may have its kind in front.
        component: String,
    },
    /// Let a paused component go on.
    Resume {
        /// Its name, which may have its kind in front.
        component: String,
    },
    /// Read the configuration again.
    Reload {},
    /// Stop the agent, as SIGTERM does.
    Shutdown {},
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    /// It was done.
    pub ok: bool,
    /// What was asked for, or a sentence.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Answer {
    fn of(result: Result<Value, String>) -> Answer {
        match result {
            Ok(result) => Answer {
                ok: true,
                result,
                error: None,
            },
            Err(error) => Answer {
                ok: false,
                result: Value::Null,
                error: Some(error),
            },
        }
    }
}

/// Do what is asked for.
pub fn answer(request: &Request, host: &Arc<Host>) -> Answer {
    let engine = host.engine();
    let said = |result: Result<(), String>, component: &str, word: &str| {
        result.map(|()| json!(format!("{component} is {word}")))
    };
    Answer::of(match request {
        Request::Graph {} => Ok(graph(host)),
        Request::Counters {} => Ok(groups::json(engine.board())),
        Request::Start { component } => said(engine.start_component(component), component, "started"),
        Request::Stop { component } => said(engine.stop_component(component), component, "stopped"),
        Request::Pause { component } => said(engine.pause_component(component, true), component, "paused"),
        Request::Resume { component } => said(
            engine.pause_component(component, false),
            component,
            "no longer paused",
        ),
        Request::Reload {} => host.reload().map(|changes| json!(changes)),
        // It stops when that is told: see `serve`.
        Request::Shutdown {} => Ok(json!(format!("{} is stopping", host.name()))),
    })
}

/// `{"agent":"a1","components":[{...}],"links":[["source r1","channel c1"],...]}`
fn graph(host: &Host) -> Value {
    let graph = host.graph();
    let mut links = Vec::new();
    for source in &graph.sources {
        let from = format!("source {}", source.definition.name);
        links.extend(
            source
                .channels
                .iter()
                .map(|to| [from.clone(), format!("channel {to}")]),
        );
    }
    let mut joined = Vec::new();
    for sink in &graph.sinks {
        let name = &sink.definition.name;
        let group = graph.group_of(name).map(|group| &group.name);
        let to = match group {
            Some(group) => format!("group {group}"),
            None => format!("sink {name}"),
        };
        let link = [format!("channel {}", sink.channel), to.clone()];
        if !joined.contains(&link) {
            joined.push(link);
        }
        if group.is_some() {
            joined.push([to, format!("sink {name}")]);
        }
    }
    links.extend(joined);
    let components: Vec<Component> = host.engine().components();
    json!({"agent": graph.name, "components": components, "links": links})
}

/// Ask the agent behind a socket.
///
/// Errors: a sentence; nobody listens there, or what comes back is no answer.
pub fn ask(path: &Path, request: &Request) -> Result<Answer, String> {
    let shown = path.display();
    let broken = |error: std::io::Error| format!("the agent behind {shown} does not answer: {error}");
    let mut stream =
        UnixStream::connect(path).map_err(|error| format!("no agent listens at {shown}: {error}"))?;
    let line = serde_json::to_string(request).map_err(|error| error.to_string())?;
    stream.write_all(format!("{line}\n").as_bytes()).map_err(broken)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(broken)?;
    serde_json::from_str(&answer).map_err(|error| match answer.is_empty() {
        true => format!("the agent behind {shown} has closed the connection: is it yours?"),
        false => format!("the agent behind {shown} gives no answer that is understood: {error}"),
    })
}
