//! Runs a graph: starts its components in order, keeps them running, changes them, stops them in order.
//!
//! Start: channels, then sinks, then sources. Stop: sources, then what the channels in memory hold is taken
//! out, sinks, channels. A component that fails is started again while the others go on; one that does not
//! start or stop in time is left, and said to be.

mod join;
mod make;
mod reload;
mod slot;
mod unit;
mod watch;
#[cfg(test)]
mod tests;

pub use reload::Changes;
pub use unit::State;

use self::slot::Slot;
use self::unit::{Unit, Work};
use crate::exit::StageError;
use crate::flow::Board;
use crate::flow::graph::Graph;
use crate::flow::segment::SharedRejected;
use crate::metrics::Kind;
use crate::say;
use crate::stage::{Rejected, Source};
use crate::stop::Stop;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What holds for all components.
pub struct Options {
    /// How long a component may take to start, and to stop.
    pub lifecycle_timeout: Duration,
    /// The pause before a component that failed is started again (Flume: 3 s).
    pub retry: Duration,
    /// A component that has something to do and gets nothing done for so long is reported.
    pub stalled_after: Duration,
    /// Where events go that can never be taken.
    pub rejected: Option<SharedRejects>,
    /// Sources of the program that runs the engine, by name: in the place of what the graph says there.
    pub own_sources: BTreeMap<String, OwnSource>,
}

/// Makes a source; asked again when it has failed.
pub type OwnSource = Arc<dyn Fn() -> Source + Send + Sync>;

/// One place for what no component can take.
pub type SharedRejects = Arc<Mutex<Box<dyn Rejected>>>;

impl Default for Options {
    fn default() -> Self {
        Options {
            lifecycle_timeout: Duration::from_secs(30),
            retry: Duration::from_secs(3),
            stalled_after: Duration::from_secs(60),
            rejected: None,
            own_sources: BTreeMap::new(),
        }
    }
}

/// A graph that runs.
pub struct Engine {
    board: Board,
    options: Arc<Options>,
    running: Arc<Mutex<Running>>,
    /// Wished when the engine stops: for its own threads.
    closing: Stop,
}

/// What runs now.
#[derive(Default)]
struct Running {
    graph: Graph,
    slots: BTreeMap<String, Arc<Slot>>,
    sources: BTreeMap<String, Arc<Unit>>,
    /// Sinks outside groups, and groups.
    takers: BTreeMap<String, Arc<Unit>>,
}

/// One component as others see it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Component {
    /// `source`, `channel`, `sink` or `group`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its type as it was written.
    pub r#type: String,
    /// Where it stands.
    pub state: State,
    /// Whether somebody has paused it.
    pub paused: bool,
    /// How long it has been so, in seconds.
    pub seconds: f64,
    /// How often it failed.
    pub restarts: u64,
    /// Why it failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Engine {
    /// Start a graph that was checked.
    ///
    /// Errors: only those after which nothing at all can run.
    pub fn start(graph: Graph, options: Options) -> Result<Engine, StageError> {
        let closing = Stop::new(options.lifecycle_timeout)
            .map_err(|error| StageError::Failed(format!("the agent cannot start: {error}")))?;
        let engine = Engine {
            board: Board::named(),
            options: Arc::new(options),
            running: Arc::default(),
            closing,
        };
        engine.reload(graph);
        watch::start(&engine)?;
        Ok(engine)
    }

    /// Counters of all components.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// What runs, as it was written.
    pub fn graph(&self) -> Graph {
        self.lock().graph.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Every component and where it stands.
    pub fn components(&self) -> Vec<Component> {
        self.lock().components()
    }

    /// Wait until all sources have come to their end and all that they took in has been delivered, or until
    /// somebody stops the engine.
    pub fn wait_finished(&self) {
        let (sources, takers) = {
            let running = self.lock();
            let units = |units: &BTreeMap<String, Arc<Unit>>| units.values().cloned().collect::<Vec<_>>();
            (units(&running.sources), units(&running.takers))
        };
        sources.iter().for_each(|source| source.wait_over());
        self.lock().finish_puts();
        takers.iter().for_each(|taker| taker.wait_over());
    }

    /// Stop everything in order; what channels in memory hold is delivered first, as far as that works in time.
    /// True if all of it went well.
    pub fn stop(&self) -> bool {
        let running = self.lock();
        let timeout = self.options.lifecycle_timeout;
        let mut well = stop_all(running.sources.values(), true, timeout);
        running.finish_puts();
        well &= stop_all(running.takers.values(), true, timeout);
        self.closing.stop();
        for slot in running.slots.values() {
            let left = slot
                .get()
                .is_some_and(|(channel, _)| !channel.is_durable() && channel.fill().events > 0);
            well &= !left;
        }
        // For the last figures that somebody may ask for.
        self.board.all();
        running.slots.values().for_each(|slot| slot.close(&self.board));
        well
    }

    /// Start a component that was stopped.
    ///
    /// Errors: a sentence; there is no such component.
    pub fn start_component(&self, name: &str) -> Result<(), String> {
        let unit = self.unit(name)?;
        unit.valve.open();
        unit.start();
        Ok(())
    }

    /// Stop a component; everything else goes on.
    ///
    /// Errors: a sentence; there is no such component, or it does not stop in time.
    pub fn stop_component(&self, name: &str) -> Result<(), String> {
        let unit = self.unit(name)?;
        let well = stop_all([&unit], false, self.options.lifecycle_timeout);
        match well {
            true => Ok(()),
            false => Err(format!("{} does not stop in time", unit.title())),
        }
    }

    /// Hold a component up, with its connections and files left open; or let it go on.
    ///
    /// Errors: a sentence; there is no such component.
    pub fn pause_component(&self, name: &str, paused: bool) -> Result<(), String> {
        let unit = self.unit(name)?;
        match paused {
            true => unit.valve.close(),
            false => unit.valve.open(),
        }
        Ok(())
    }

    /// By its name, which may have its kind in front: `source r1`.
    fn unit(&self, name: &str) -> Result<Arc<Unit>, String> {
        let running = self.lock();
        let units = running.sources.values().chain(running.takers.values());
        let found: Vec<_> = units
            .filter(|unit| unit.work.name() == name || unit.title() == name)
            .collect();
        match found[..] {
            [unit] => Ok(unit.clone()),
            [] if running.slots.contains_key(name) => Err(format!(
                "{name} is a channel, which is open as long as the agent runs"
            )),
            [] => {
                let all: Vec<_> = running.sources.values().chain(running.takers.values()).collect();
                let names: Vec<_> = all.iter().map(|unit| unit.title()).collect();
                Err(format!("there is no \"{name}\"; there are {}", names.join(", ")))
            }
            _ => Err(format!(
                "\"{name}\" is several: say \"source {name}\" or \"sink {name}\""
            )),
        }
    }
}

impl Running {
    /// Nobody will put into any channel any more.
    fn finish_puts(&self) {
        for (channel, _) in self.slots.values().filter_map(|slot| slot.get()) {
            channel.finish_put();
        }
    }

    fn components(&self) -> Vec<Component> {
        let mut all = Vec::new();
        for unit in self.sources.values() {
            all.push(unit.component());
        }
        for slot in self.slots.values() {
            all.push(slot.component());
        }
        for unit in self.takers.values() {
            all.push(unit.component());
        }
        all
    }
}

impl Unit {
    /// Where its rejected events go.
    fn rejected(&self) -> Option<Box<dyn Rejected>> {
        let shared = self.options().rejected.clone()?;
        Some(Box::new(SharedRejected(shared)))
    }

    fn component(&self) -> Component {
        let inner = self.lock();
        let r#type = match &self.work {
            Work::Source(source) => &source.definition.r#type,
            Work::Sink(sink) => &sink.definition.r#type,
            Work::Group(group, _) => &group.processor.r#type,
        };
        Component {
            kind: self.work.kind(),
            name: self.work.name().to_string(),
            r#type: r#type.clone(),
            state: inner.state,
            paused: self.valve.is_closed(),
            seconds: inner.since.elapsed().as_secs_f64(),
            restarts: inner.restarts,
            error: inner.error.clone(),
        }
    }
}

impl Slot {
    fn component(&self) -> Component {
        Component {
            kind: "channel",
            name: self.name().to_string(),
            r#type: self.definition.r#type.clone(),
            state: match self.get() {
                Some(_) => State::Running,
                None => State::Retrying,
            },
            paused: false,
            seconds: self.since().elapsed().as_secs_f64(),
            restarts: 0,
            error: self.error(),
        }
    }
}

/// Stop units side by side; false if some did not in time.
fn stop_all<'a>(units: impl IntoIterator<Item = &'a Arc<Unit>>, drains: bool, timeout: Duration) -> bool {
    let units: Vec<_> = units.into_iter().collect();
    units.iter().for_each(|unit| unit.ask_stop(drains));
    // What they wait for ends with the same time: what comes after it is only their way out.
    let deadline = Instant::now() + timeout + MARGIN;
    let mut well = true;
    for unit in units {
        well &= unit.wait_stopped(deadline);
    }
    well
}

/// What a component may need beyond its time to note what was settled.
const MARGIN: Duration = Duration::from_secs(1);
