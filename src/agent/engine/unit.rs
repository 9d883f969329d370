//! One component that runs by itself: a source, a sink or a sink group, supervised.
//!
//! Its thread waits for its channels, makes the component, runs it in the loop of its kind, and when that fails
//! does it all again after a pause, for as long as somebody wants it to run (Flume's LifecycleSupervisor).

use super::slot::Slot;
use super::{Options, join};
use crate::exit::{StageError, StageResult};
use crate::flow::Board;
use crate::flow::graph;
use crate::flow::links::Links;
use crate::link::valve::Valve;
use crate::say;
use crate::stop::Stop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What a unit is made of.
#[derive(Debug, Clone)]
pub(super) enum Work {
    Source(graph::Source),
    Sink(graph::Sink),
    /// With its members.
    Group(graph::Group, Vec<graph::Sink>),
}

impl Work {
    pub fn kind(&self) -> &'static str {
        match self {
            Work::Source(_) => "source",
            Work::Sink(_) => "sink",
            Work::Group(..) => "group",
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Work::Source(source) => &source.definition.name,
            Work::Sink(sink) => &sink.definition.name,
            Work::Group(group, _) => &group.name,
        }
    }

    pub fn says_the_same(&self, other: &Work) -> bool {
        match (self, other) {
            (Work::Source(one), Work::Source(other)) => one.says_the_same(other),
            (Work::Sink(one), Work::Sink(other)) => one.says_the_same(other),
            (Work::Group(one, members), Work::Group(other, others)) => {
                one.says_the_same(other)
                    && members.len() == others.len()
                    && members
                        .iter()
                        .zip(others)
                        .all(|(one, other)| one.says_the_same(other))
            }
            _ => false,
        }
    }
}

/// Where a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its channel is not open yet.
    Waiting,
    /// It is being made and started.
    Starting,
    /// It runs.
    Running,
    /// It has failed, and is started again after a pause.
    Retrying,
    /// It was told to stop, and is on its way.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It has come to its end by itself.
    Finished,
    /// It did not start or stop in time and was left.
    Failed,
}

/// See the module.
pub(super) struct Unit {
    pub work: Work,
    pub slots: Vec<Arc<Slot>>,
    pub valve: Valve,
    /// What a channel in memory holds is taken out before it stops.
    pub drains: Arc<AtomicBool>,
    board: Board,
    options: Arc<Options>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

pub(super) struct Inner {
    pub state: State,
    pub since: Instant,
    pub error: Option<String>,
    pub restarts: u64,
    is_wanted: bool,
    /// Its thread is there.
    is_alive: bool,
    stop: Option<Stop>,
    /// The message that was told last, and when.
    said: Option<(String, Instant)>,
}

/// The same failure is told again after so long.
const SAY_AGAIN: Duration = Duration::from_secs(60);

impl Unit {
    pub fn new(work: Work, slots: Vec<Arc<Slot>>, board: &Board, options: &Arc<Options>) -> Arc<Unit> {
        Arc::new(Unit {
            work,
            slots,
            valve: Valve::default(),
            drains: Arc::new(AtomicBool::new(true)),
            board: board.clone(),
            options: options.clone(),
            inner: Mutex::new(Inner {
                state: State::Stopped,
                since: Instant::now(),
                error: None,
                restarts: 0,
                is_wanted: false,
                is_alive: false,
                stop: None,
                said: None,
            }),
            changed: Condvar::new(),
        })
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// How messages call it: `source r1`.
    pub fn title(&self) -> String {
        format!("{} {}", self.work.kind(), self.work.name())
    }

    /// Begin to run it, unless it does.
    pub fn start(self: &Arc<Unit>) {
        let mut inner = self.lock();
        inner.is_wanted = true;
        self.drains.store(true, Ordering::SeqCst);
        if std::mem::replace(&mut inner.is_alive, true) {
            return;
        }
        inner.set(State::Waiting);
        drop(inner);
        let unit = self.clone();
        let thread = std::thread::Builder::new().name(format!("flume-{}", self.work.name()));
        if let Err(error) = thread.spawn(move || unit.run()) {
            say::error(&self.title(), format!("no thread can be started: {error}"));
            let mut inner = self.lock();
            inner.is_alive = false;
            inner.set(State::Failed);
        }
    }

    /// Ask it to stop; with `drains` after what is in a channel in memory.
    pub fn ask_stop(&self, drains: bool) {
        self.drains.store(drains, Ordering::SeqCst);
        let mut inner = self.lock();
        inner.is_wanted = false;
        if !inner.is_alive {
            inner.set(State::Stopped);
            return;
        }
        inner.set(State::Stopping);
        let stop = inner.stop.clone();
        drop(inner);
        // Whoever waits at the valve must see the stop.
        if let Some(stop) = stop {
            stop.stop();
        }
    }

    /// Wait for its thread to end; false if it does not in time, and is left.
    pub fn wait_stopped(&self, deadline: Instant) -> bool {
        let mut inner = self.lock();
        while inner.is_alive {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                inner.set(State::Failed);
                inner.error = Some("it did not stop in time".into());
                drop(inner);
                let timeout = self.options.lifecycle_timeout.as_secs_f64();
                say::error(
                    &self.title(),
                    format!("it does not stop within {timeout} s and is left (--lifecycle-timeout)"),
                );
                return false;
            }
            let waited = self.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        true
    }

    /// Wait until it has come to its end or was stopped.
    pub fn wait_over(&self) {
        let mut inner = self.lock();
        while inner.is_alive {
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    fn run(self: Arc<Unit>) {
        let mut result = Ok(());
        while let Some(stop) = self.next_life() {
            result = self.live(&stop);
            self.done(&result, &stop);
            if result.is_ok() || stop.is_stopping() && !self.lock().is_wanted {
                break;
            }
            self.set(State::Retrying);
            let pause = self.pause();
            pause.sleep(self.options.retry);
        }
        let mut inner = self.lock();
        inner.is_alive = false;
        inner.stop = None;
        match (inner.is_wanted, &result) {
            (true, Ok(())) => inner.set(State::Finished),
            _ => inner.set(State::Stopped),
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// A stop for the next life, if one is wanted, or has to be for what would be lost otherwise.
    fn next_life(&self) -> Option<Stop> {
        let stop = self.pause();
        let is_wanted = self.lock().is_wanted;
        (is_wanted || self.has_rest()).then_some(stop)
    }

    /// It takes from a channel that ends with this process and holds something.
    fn has_rest(&self) -> bool {
        let is_taker = !matches!(self.work, Work::Source(_));
        let holds = |slot: &Arc<Slot>| {
            slot.get()
                .is_some_and(|(channel, _)| !channel.is_durable() && channel.fill().events > 0)
        };
        is_taker && self.drains.load(Ordering::SeqCst) && self.slots.iter().any(holds)
    }

    /// A stop that whoever asks for one reaches.
    fn pause(&self) -> Stop {
        let stop = loop {
            match Stop::new(self.options.lifecycle_timeout) {
                Ok(stop) => break stop,
                // No descriptor is left: somebody closes one.
                Err(_) => std::thread::sleep(self.options.retry),
            }
        };
        let mut inner = self.lock();
        inner.stop = Some(stop.clone());
        if !inner.is_wanted {
            stop.stop();
        }
        stop
    }

    fn live(self: &Arc<Unit>, stop: &Stop) -> StageResult {
        self.set(State::Waiting);
        let mut channels = Vec::new();
        for slot in &self.slots {
            match slot.wait(stop) {
                Some(opened) => channels.push((slot.name().to_string(), opened)),
                None => return Ok(()),
            }
        }
        self.set(State::Starting);
        let links = Links {
            drains: self.drains.clone(),
            valve: self.valve.clone(),
            ..Links::inside(stop, &self.board)
        };
        join::run(self, channels, links)
    }

    /// It has started.
    pub fn began(&self) {
        self.set(State::Running);
        self.lock().error = None;
    }

    fn done(&self, result: &StageResult, stop: &Stop) {
        let mut inner = self.lock();
        match result {
            Ok(()) if stop.is_stopping() => {}
            Ok(()) => {
                drop(inner);
                // A sink ends when its channel does, which is told there.
                if let Work::Source(_) = self.work {
                    say::info(&self.title(), "it has come to its end");
                }
            }
            Err(error) => {
                inner.restarts += 1;
                let error = match error {
                    StageError::Closed => "what it goes to has gone".to_string(),
                    error => error.to_string(),
                };
                inner.error = Some(error.clone());
                let told = inner.said.as_ref();
                let is_new = told.is_none_or(|(said, when)| *said != error || when.elapsed() >= SAY_AGAIN);
                if is_new {
                    inner.said = Some((error.clone(), Instant::now()));
                    let wanted = inner.is_wanted;
                    drop(inner);
                    let again = match wanted {
                        true => format!(
                            "; it is started again each {} s",
                            self.options.retry.as_secs_f64()
                        ),
                        false => String::new(),
                    };
                    say::error(&self.title(), format!("{error}{again}"));
                }
            }
        }
    }

    fn set(&self, state: State) {
        let mut inner = self.lock();
        // What was told to stop, or was left, stays so until its thread is gone.
        if inner.is_wanted {
            inner.set(state);
        }
    }
}

impl Inner {
    pub fn set(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.since = Instant::now();
        }
    }
}
