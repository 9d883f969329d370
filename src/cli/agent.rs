//! `flume agent --name a1 --conf-file flume.conf`: an Apache Flume properties file, unchanged.

use super::configuration::{Configuration, with_two_dashes};
use super::flume_ng::{is_of_java, logger_level, tell_ignored};
use super::options::Common;
use super::{Ended, Tool};
use crate::agent::control::{self, Control};
use crate::agent::engine::Options;
use crate::agent::host::{Host, Settings};
use crate::agent::monitor::{self, Monitor};
use crate::exit::StageError;
use crate::stop::Stop;
use crate::value::Seconds;
use crate::{say, tls};
use anyhow::Context;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

/// The command.
pub const TOOL: Tool = Tool {
    name: "agent",
    command: whole_command,
    run,
};

/// Run the agent that an Apache Flume properties file describes, unchanged.
///
/// All that is wrong with the file is told at the start, with file and line. What Flume would start starts, and
/// what it would pass over in silence is a warning. A component that fails is started again while the others
/// go on. SIGTERM and Ctrl-C stop the sources, deliver what channels in memory hold, and end; SIGHUP reads
/// the file again; SIGUSR1 prints all counters.
#[derive(Parser)]
#[command(name = "agent", bin_name = "flume agent", no_binary_name = true)]
struct Agent {
    /// The agent in the file that is to run.
    #[arg(long, short = 'n', value_name = "NAME")]
    name: String,
    #[command(flatten)]
    configuration: Configuration,
    /// A setting for the whole agent, as Java's system properties: flume.monitoring.type, javax.net.ssl.keyStore ...
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    define: Vec<String>,
    /// Start nothing when something is wrong, also a property that no component knows.
    #[arg(long)]
    strict: bool,
    /// How long a component may take to start or to stop before it is left.
    #[arg(long, value_name = "TIME", default_value = "30")]
    lifecycle_timeout: Seconds,
    /// Report a sink that has something to take and delivers nothing for so long.
    #[arg(long, value_name = "TIME", default_value = "60")]
    stalled_after: Seconds,
    /// Where flume ctl reaches it; without this, a socket of this user's for its name.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Let flume ctl not reach it.
    #[arg(long, conflicts_with = "control")]
    no_control: bool,
    /// Keep events that can never be delivered in this file channel, with the reason, and go on.
    #[arg(long, value_name = "DIR")]
    rejected: Option<PathBuf>,
}

fn whole_command() -> clap::Command {
    // The time that a stop may take is --lifecycle-timeout.
    let common = Common::augment_args(clap::Command::new("common"));
    let shared = common.get_arguments().filter(|arg| {
        let id = arg.get_id().as_str();
        matches!(id, "log_level" | "log_format" | "quiet")
    });
    shared.fold(Agent::command(), |command, arg| command.arg(arg.clone()))
}

fn run(given: &[String]) -> Ended {
    // What only a Java machine could follow is taken as Flume's launcher takes it.
    let (ignored, given): (Vec<_>, Vec<_>) = given.iter().cloned().partition(|word| is_of_java(word));
    let matches = whole_command().try_get_matches_from(with_two_dashes(&given))?;
    let agent = Agent::from_arg_matches(&matches)?;
    let quiet = matches.get_flag("quiet");
    let word = |id: &str| matches.get_one::<String>(id).cloned().unwrap_or_default();
    let is_given = matches.value_source("log_level") == Some(ValueSource::CommandLine);
    let level = match logger_level(&agent.define) {
        _ if quiet => "error".into(),
        Some(level) if !is_given => level.into(),
        _ => word("log_level"),
    };
    say::configure(&level, word("log_format") == "json").map_err(StageError::Usage)?;
    tell_ignored("agent", &ignored);
    agent.run()
}

impl Agent {
    fn run(self) -> Ended {
        let system = self.system();
        for (key, value) in &system {
            tls::globals::define(key, value);
        }
        let provider = self.configuration.provider(&self.name)?;
        let stop = Stop::new(self.lifecycle_timeout.0).context("the agent cannot start")?;
        let rejected = self.rejected.as_deref().map(super::parts::rejected).transpose()?;
        let options = Options {
            lifecycle_timeout: self.lifecycle_timeout.0,
            stalled_after: self.stalled_after.0,
            rejected: rejected.map(|rejected| Arc::new(Mutex::new(rejected))),
            ..Options::default()
        };
        let settings = Settings {
            name: self.name.clone(),
            system,
            strict: self.strict,
        };
        // Before anything starts: a signal that comes meanwhile is not lost.
        let started = Arc::new(OnceLock::new());
        listen(&stop, &started)?;
        let host = Host::start(settings, provider, options, &stop)?;
        let _ = started.set(Arc::downgrade(&host));
        let control = self.control(&host);
        let monitor = self.monitor(&host);
        say::info("agent", format!("{} runs", self.name));
        host.stop().wait();
        let well = host.engine().stop();
        drop((control, monitor));
        match well {
            true => Ok(()),
            false => Err(StageError::Temporary(
                "not everything was stopped in order: see what was told above".into(),
            )
            .into()),
        }
    }

    /// What `-Dflume.monitoring.type` asks for; as in Flume the agent runs without as well.
    fn monitor(&self, host: &Arc<Host>) -> Option<Monitor> {
        let unseen = |why: String| say::warn("agent", format!("it runs unwatched: {why}"));
        let warn = &mut |what| say::warn("agent", what);
        let system: BTreeMap<_, _> = self.system().into_iter().collect();
        let config = monitor::Config::from_system_properties(&system, warn)
            .map_err(unseen)
            .ok()??;
        let started = monitor::start(config, host.engine().board());
        let monitor = started.map_err(|error| unseen(error.to_string())).ok()?;
        if let Some(address) = monitor.address() {
            say::info("agent", format!("counters are shown at http://{address}/metrics"));
        }
        Some(monitor)
    }

    /// The socket for `flume ctl`; the agent runs without as well.
    fn control(&self, host: &Arc<Host>) -> Option<Control> {
        if self.no_control {
            return None;
        }
        let own = || control::path_of(&self.name);
        let path = self.control.clone().unwrap_or_else(own);
        let served = control::serve(&path, host);
        served
            .inspect_err(|why| say::warn("agent", format!("flume ctl does not reach it: {why}")))
            .ok()
    }

    fn system(&self) -> Vec<(String, String)> {
        let pairs = self.define.iter().map(|word| match word.split_once('=') {
            Some((key, value)) => (key.trim().to_string(), value.to_string()),
            // As Java has it: a word alone is a property without a value.
            None => (word.trim().to_string(), String::new()),
        });
        pairs.collect()
    }
}

/// A second signal ends at once; see `report`.
const SECOND_SIGNAL: Duration = Duration::from_millis(100);

/// The agent, once it has started.
type Started = Arc<OnceLock<Weak<Host>>>;

/// How long a start that was told to stop may take to come so far that it can be stopped in order. One that reads its
/// configuration from a server that does not answer does not come so far.
const START_TO_STOP: Duration = Duration::from_secs(1);

/// Have signals reach the agent, in a thread of their own, also while it starts.
fn listen(stop: &Stop, started: &Started) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1]).context("cannot listen to signals")?;
    let (stop, started) = (stop.clone(), started.clone());
    let listening = move || {
        let mut first = None;
        for signal in signals.forever() {
            let host = started.get().and_then(Weak::upgrade);
            match (signal, host) {
                (SIGUSR1, Some(host)) => {
                    say::raw(super::report::counters_text("agent", host.engine().board()).as_bytes());
                }
                (SIGHUP, Some(host)) => {
                    // Beside: a reload that takes long must not keep a SIGTERM waiting.
                    std::thread::spawn(move || drop(host.reload()));
                }
                (SIGUSR1 | SIGHUP, None) => {}
                (signal, _) => {
                    let since = first.get_or_insert_with(Instant::now).elapsed();
                    if !stop.is_stopping() {
                        say::info("agent", "stopping; a second signal ends at once");
                    }
                    stop.stop();
                    if since > SECOND_SIGNAL {
                        std::process::exit(128 + signal);
                    }
                    end_start(signal, &started);
                }
            }
        }
    };
    let thread = std::thread::Builder::new()
        .name("flume-signals".into())
        .stack_size(256 << 10);
    thread.spawn(listening).context("no thread can be started")?;
    Ok(())
}

/// End the process if it does not come out of its start.
fn end_start(signal: i32, started: &Started) {
    let started = started.clone();
    std::thread::spawn(move || {
        std::thread::sleep(START_TO_STOP);
        if started.get().is_none() {
            std::process::exit(128 + signal);
        }
    });
}
