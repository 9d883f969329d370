//! A running agent: its configuration, read, checked and read again, and the engine that runs it.

use super::config::{self, Problem, Severity, Text, Wants};
use super::engine::{Changes, Engine, Options};
use super::provider::Provider;
use crate::exit::StageError;
use crate::flow::graph::Graph;
use crate::say;
use crate::stop::Stop;
use std::collections::BTreeSet;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What is to be run, and how it is read.
pub struct Settings {
    /// The agent's name.
    pub name: String,
    /// `-D` settings (Java's system properties).
    pub system: Vec<(String, String)>,
    /// What is not known, and what would be left out, ends the start.
    pub strict: bool,
}

/// See the module.
pub struct Host {
    settings: Settings,
    engine: Engine,
    /// The wish that the agent ends.
    stop: Stop,
    asked: Mutex<Asked>,
    /// Errors of the configuration that runs: it runs all the same.
    known: Mutex<BTreeSet<String>>,
}

/// Who wants the configuration to be read again.
#[derive(Default)]
struct Asked {
    by: Vec<Sender<Result<Changes, String>>>,
    /// Ends the wait for changes.
    nudge: Option<Stop>,
}

impl Host {
    /// Read the configuration and start what it says.
    ///
    /// Errors: the configuration cannot be read at all, or with `strict` something is wrong with it.
    pub fn start(
        settings: Settings,
        mut provider: Box<dyn Provider>,
        options: Options,
        stop: &Stop,
    ) -> Result<Arc<Host>, StageError> {
        let texts = provider.load().map_err(StageError::Failed)?;
        let read = read(&settings, &*provider, &texts);
        tell(&read.problems);
        if settings.strict && read.has_errors() {
            return Err(StageError::Usage(
                "nothing is started, since --strict refuses what was told above".into(),
            ));
        }
        let graph = read.graph.unwrap_or_default();
        let nothing = graph.sources.is_empty() && graph.sinks.is_empty();
        let engine = Engine::start(graph, options)?;
        let host = Host {
            settings,
            engine,
            stop: stop.clone(),
            asked: Mutex::default(),
            known: Mutex::new(errors(&read.problems)),
        };
        if nothing {
            say::error(
                "agent",
                "nothing runs: waiting for a configuration that has something to run",
            );
        }
        if !nothing {
            provider.taken();
        }
        let host = Arc::new(host);
        host.follow(provider)?;
        Ok(host)
    }

    /// What runs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The agent's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The wish that the agent ends.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Read the configuration again and run what it says; one that has errors which the one that runs has not leaves
    /// everything as it is.
    ///
    /// Errors: why nothing was changed, told already.
    pub fn reload(&self) -> Result<Changes, String> {
        let (tell, told) = channel();
        let mut asked = self.asked();
        asked.by.push(tell);
        if let Some(nudge) = &asked.nudge {
            nudge.stop();
        }
        drop(asked);
        told.recv()
            .unwrap_or_else(|_| Err("the agent is stopping".into()))
    }

    /// Look for changes until the agent stops, and follow them.
    fn follow(self: &Arc<Host>, mut provider: Box<dyn Provider>) -> Result<(), StageError> {
        let weak = Arc::downgrade(self);
        self.stop.on_stop(move || {
            let host = weak.upgrade();
            if let Some(nudge) = host.and_then(|host| host.asked().nudge.clone()) {
                nudge.stop();
            }
        });
        let host = self.clone();
        let following = move || {
            let mut follows = true;
            while let Some(nudge) = host.next_nudge() {
                let is_changed = match follows {
                    true => provider.wait_changed(&nudge),
                    false => false,
                };
                if !is_changed && !nudge.is_stopping() {
                    follows = false;
                    nudge.wait();
                }
                let asked = std::mem::take(&mut host.asked().by);
                if host.stop.is_stopping() {
                    return;
                }
                if is_changed || !asked.is_empty() {
                    let result = host.load(&mut *provider);
                    // Who has gone need not know.
                    asked.iter().for_each(|asked| drop(asked.send(result.clone())));
                }
            }
        };
        std::thread::Builder::new()
            .name("flume-config".into())
            .spawn(following)
            .map(drop)
            .map_err(|error| StageError::Failed(format!("no thread can be started: {error}")))
    }

    /// What ends the next wait for changes; none when the agent stops.
    fn next_nudge(&self) -> Option<Stop> {
        let nudge = Stop::new(Duration::ZERO).ok()?;
        let mut asked = self.asked();
        asked.nudge = Some(nudge.clone());
        if !asked.by.is_empty() {
            nudge.stop();
        }
        drop(asked);
        (!self.stop.is_stopping()).then_some(nudge)
    }

    fn load(&self, provider: &mut dyn Provider) -> Result<Changes, String> {
        let result = provider.load().and_then(|texts| self.take(provider, &texts));
        if result.is_ok() {
            provider.taken();
        }
        match &result {
            Ok(changes) if changes.is_empty() => {
                say::info("agent", "the configuration says the same as before");
            }
            Ok(changes) => say::info("agent", format!("the configuration was read again: {changes}")),
            Err(why) => say::error("agent", format!("{why}; what runs goes on")),
        }
        result
    }

    fn take(&self, provider: &dyn Provider, texts: &[Text]) -> Result<Changes, String> {
        let read = read(&self.settings, provider, texts);
        tell(&read.problems);
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let is_new = |problem: &&Problem| problem.is_error() && !known.contains(&sentence(problem));
        if let Some(first) = read.problems.iter().find(is_new) {
            return Err(format!("the new configuration is not taken, because of {first}"));
        }
        let graph = read
            .graph
            .ok_or("the new configuration has nothing to run for this agent and is not taken")?;
        *known = errors(&read.problems);
        Ok(self.engine.reload(graph))
    }

    /// What runs, as it was written.
    pub fn graph(&self) -> Graph {
        self.engine.graph()
    }
}

fn read(settings: &Settings, provider: &dyn Provider, texts: &[Text]) -> config::Read {
    let wants = Wants {
        name: Some(&settings.name),
        unknown_is_error: settings.strict,
        system: &settings.system,
        keeps_variables: provider.keeps_variables(),
        runs_commands: true,
    };
    config::read(texts, &wants)
}

/// What is wrong, wherever it stands.
fn sentence(problem: &Problem) -> String {
    format!("{}: {}", problem.component, problem.what)
}

fn errors(problems: &[Problem]) -> BTreeSet<String> {
    let errors = problems.iter().filter(|problem| problem.is_error());
    errors.map(sentence).collect()
}

fn tell(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Error => say::error("agent", problem.to_string()),
            Severity::Warning => say::warn("agent", problem.to_string()),
        }
    }
}
