//! A flow that goes on in several: a selector says which of them get an event.

use super::segment::SharedRejected;
use super::{Board, Flow, Options, Part, worst};
use crate::channel::Ends;
use crate::exit::{StageError, StageResult};
use crate::link::queue::{QueueInlet, queue};
use crate::link::{Outlet, Window};
use crate::metrics::Counters;
use crate::say;
use crate::stage::fan_out::{Branch, FanOut};
use crate::stage::{ChannelSelector, Rejected};
use crate::stop::Stop;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

/// A selector and the flows that it chooses from, each with its name.
pub struct Fork {
    selector: Box<dyn ChannelSelector>,
    branches: Vec<(String, Flow)>,
    free: Vec<usize>,
}

impl Fork {
    /// To these flows, which begin with what they are sent and end where it is taken.
    ///
    /// Errors: a sentence that says which flow cannot stand there, or what the selector says of its settings.
    pub fn to(
        mut selector: Box<dyn ChannelSelector>,
        branches: Vec<(String, Flow)>,
    ) -> Result<Fork, StageError> {
        if branches.is_empty() {
            return Err(StageError::Usage(
                "it goes nowhere: say with --to where events go".into(),
            ));
        }
        for (name, flow) in &branches {
            takes(flow).map_err(|error| error.within(name))?;
        }
        let names: Vec<_> = branches.iter().map(|(name, _)| name.clone()).collect();
        selector.bind(&names).map_err(StageError::Usage)?;
        Ok(Fork {
            free: selector.optional(),
            selector,
            branches,
        })
    }

    /// Start the flows. What goes to the outlet goes to them.
    pub(super) fn open(
        self,
        rejected: Option<Box<dyn Rejected>>,
        counters: Arc<Counters>,
        window: Window,
        stop: &Stop,
    ) -> Result<(Arc<dyn Outlet>, Running), StageError> {
        let rejected = rejected.map(|rejected| Arc::new(Mutex::new(rejected)));
        let mut running = Running::default();
        let mut branches = Vec::new();
        for (at, (name, flow)) in self.branches.into_iter().enumerate() {
            let is_free = self.free.contains(&at);
            let own = match is_free {
                true => child(stop)?,
                false => stop.clone(),
            };
            let (outlet, inlet) = queue(window, &own);
            let options = Options {
                window,
                rejected: rejected
                    .clone()
                    .map(|shared| -> Box<dyn Rejected> { Box::new(SharedRejected(shared)) }),
                ..Options::new(&own)
            };
            running.start(&name, flow, inlet, options, is_free)?;
            let outlet: Arc<dyn Outlet> = Arc::new(outlet);
            running.queues.push(outlet.clone());
            branches.push(Branch::new(name, outlet));
        }
        let fan_out = FanOut::bound(branches, self.selector, counters, window, stop);
        Ok((Arc::new(fan_out), running))
    }
}

/// Can it stand behind a selector?
fn takes(flow: &Flow) -> StageResult {
    flow.check()?;
    let wrong = match (flow.parts.first(), flow.parts.last()) {
        (Some((name, Part::Source(_) | Part::Channel(_, Ends::Take { .. }))), _) => {
            format!("{name} takes in events of its own; what stands behind a selector gets them from there")
        }
        (_, Some((_, Part::Sink(_) | Part::Group(_) | Part::Fork(_) | Part::Channel(_, Ends::Put)))) => {
            return Ok(());
        }
        (_, Some((name, Part::Channel(..)))) => {
            format!("nobody takes from {name}: add a sink behind it, or --put to a file channel")
        }
        (_, Some((name, _))) => format!("it ends with {name}, which hands events on: a sink is missing"),
        (_, None) => "it is empty".into(),
    };
    Err(StageError::Usage(wrong))
}

/// A stop of its own for what may fail without the others, wished with the one above.
fn child(above: &Stop) -> Result<Stop, StageError> {
    let own =
        Stop::new(above.grace()).map_err(|error| StageError::Failed(format!("cannot start: {error}")))?;
    let (own_stop, above_stop) = (own.clone(), above.clone());
    above.on_stop(move || match above_stop.is_failing() {
        true => own_stop.fail(),
        false => own_stop.stop(),
    });
    Ok(own)
}

/// The flows that run.
#[derive(Default)]
pub(super) struct Running {
    threads: Vec<JoinHandle<StageResult>>,
    queues: Vec<Arc<dyn Outlet>>,
}

impl Running {
    fn start(
        &mut self,
        name: &str,
        flow: Flow,
        inlet: QueueInlet,
        options: Options,
        is_free: bool,
    ) -> StageResult {
        let (name, stop) = (name.to_string(), options.stop.clone());
        let thread = std::thread::Builder::new().name(format!("flume-{name}"));
        let started = thread.spawn(move || {
            let result = flow.run_behind(Box::new(inlet), options, &Board::default());
            match result {
                Ok(()) => Ok(()),
                Err(_) if is_free => {
                    let lost = "it has ended; what goes there from now on is lost and counted";
                    say::warn(&name, lost);
                    Ok(())
                }
                Err(error) => {
                    stop.fail();
                    Err(match error {
                        StageError::Closed => error,
                        error => StageError::Told(error.status()),
                    })
                }
            }
        });
        let started = started.map_err(|error| StageError::Failed(format!("cannot start a thread: {error}")));
        self.threads.push(started?);
        Ok(())
    }

    /// Wait for their ends. They have told their errors.
    pub fn wait(self) -> StageResult {
        // Whoever sent to them may not have got so far as to finish.
        let now = Some(Instant::now());
        self.queues.iter().for_each(|queue| drop(queue.finish(now)));
        let results = self.threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err(StageError::Failed(
                "a component has panicked: this is a bug".into(),
            )),
        });
        worst(results.collect())
    }
}
