//! A part of a flow between two channels, or between a channel and an end: how its head, its interceptors and
//! its tail are joined.

use super::intercepted::{Chain, Intercepted, intercept, start_chain};
use super::links::{Links, stdin};
use super::{Durability, Fork, worst};
use crate::channel::Channel;
use crate::channel::ends::{PutOutlet, PutSink, TakeInlet};
use crate::channel::once::PutOnce;
use crate::event::Event;
use crate::exit::{StageError, StageResult};
use crate::fd::{self, FdKind};
use crate::link::counted::Counted;
use crate::link::queue::{QueueInlet, queue};
use crate::link::regroup::{Limits, Regroup};
use crate::link::resend::Resend;
use crate::link::{Inlet, Outlet};
use crate::metrics::{Counters, Kind};
use crate::stage::fan_out::{Branch, FanOut};
use crate::stage::pass::Pass;
use crate::stage::{
    self, ChannelProcessor, ChannelSelector, Drain, JOIN_BYTES, Pump, Rejected, Sink, Source,
};
use crate::stop::Stop;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
/// What events come out of.
pub(crate) enum Head {
    Source(String, Source),
    Input,
    /// What stands before it in this process.
    Given(Box<dyn Inlet>),
    Take(String, Arc<dyn Channel>, Arc<Counters>, bool),
}

/// What they go into.
pub(crate) enum Tail {
    Put(String, Arc<dyn Channel>, Arc<Counters>),
    /// One of these channels or several, as a selector says.
    Select(
        Box<dyn ChannelSelector>,
        Vec<(String, Arc<dyn Channel>, Arc<Counters>)>,
    ),
    Sink(String, Box<dyn Sink>),
    /// Several flows.
    Fork(String, Fork),
    /// A sink whose members count for themselves.
    Group(String, Box<dyn Sink>),
    Output,
}
/// One place for what no part of the flow can take.
pub(crate) struct SharedRejected(pub Arc<Mutex<Box<dyn Rejected>>>);

impl Rejected for SharedRejected {
    fn keep(&mut self, event: &Event) -> Result<(), String> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .keep(event)
    }
}
/// A segment whose tail has not come yet.
pub(crate) type Opened = (String, Head, Chain);

/// One part.
pub(crate) struct Segment {
    pub name: String,
    pub head: Head,
    pub chain: Chain,
    pub tail: Tail,
    pub rejected: Option<Box<dyn Rejected>>,
}
impl Segment {
    pub fn new(opened: Opened, tail: Tail) -> Self {
        let (name, head, chain) = opened;
        Segment {
            name,
            head,
            chain,
            tail,
            rejected: None,
        }
    }

    /// Run to the end. What stands behind a channel takes the whole flow with it when it fails; what fails
    /// before one lets the channel be drained.
    pub fn run(self, links: &Links, behind_a_channel: bool) -> StageResult {
        let channel = match &self.tail {
            Tail::Put(_, channel, _) => Some(channel.clone()),
            _ => None,
        };
        let from = match &self.head {
            Head::Take(_, channel, ..) => Some(channel.clone()),
            _ => None,
        };
        let name = self.name.clone();
        let mut result = self.join(links);
        if let Some(channel) = channel {
            channel.finish_put();
        }
        if let (Err(error), true) = (&mut result, links.stop.is_failing()) {
            // What everything goes to is gone: who went there has said so, and this is what follows from it.
            error.follows();
        }
        if let Err(error) = &result {
            if !error.is_quiet() {
                crate::say::error(&name, error.to_string());
            }
            if behind_a_channel {
                links.stop.fail();
                from.inspect(|channel| channel.finish_take());
            }
        }
        result
    }

    /// Join its head, its interceptors and its tail, and run them to the end; whoever calls tells the error.
    pub fn join(self, links: &Links) -> StageResult {
        match self.head {
            Head::Source(..) => self.run_source(links),
            Head::Input if self.is_passing(links) => self.pass(links),
            Head::Input => {
                let inlet = links.input(&self.name)?;
                self.run_inlet(Box::new(inlet), None, links)
            }
            Head::Given(_) => self.run_given(links),
            Head::Take(ref name, ref channel, ref counters, until_empty) => {
                let inlet = TakeInlet::new(channel.clone(), counters.clone(), name, until_empty, &links.stop);
                let inlet = inlet.draining(links.drains.clone());
                let origin = Some((channel.clone(), counters.clone()));
                self.run_inlet(links.valve.inlet(Box::new(inlet), &links.stop), origin, links)
            }
        }
    }

    fn run_given(mut self, links: &Links) -> StageResult {
        match std::mem::replace(&mut self.head, Head::Input) {
            Head::Given(inlet) => self.run_inlet(inlet, None, links),
            _ => Ok(()),
        }
    }

    /// Only interceptors between two pipes: responsibility is passed on. A file as standard output is a
    /// taker, and who cuts batches anew keeps accounts of its own.
    fn is_passing(&self, links: &Links) -> bool {
        let regroups = self
            .chain
            .iter()
            .any(|(_, interceptor)| interceptor.regroups().is_some());
        let to_pipe = matches!(fd::kind(std::io::stdout()), Ok(FdKind::Pipe | FdKind::Socket));
        let any = links.durability == Durability::BestEffort;
        matches!(self.tail, Tail::Output) && !regroups && (to_pipe || any)
    }

    fn pass(mut self, links: &Links) -> StageResult {
        let counters = links.board.counters(Kind::Interceptor, &self.name);
        if matches!(fd::kind(std::io::stdin()), Ok(FdKind::Terminal)) {
            return Err(StageError::Usage(format!(
                "standard input is a terminal and {} reads a stream of events: put it behind another stage",
                self.name
            )));
        }
        start_chain(&mut self.chain)?;
        let stdout = std::io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(stage::cannot_open)?;
        let pass = Pass {
            name: &self.name,
            counters: &counters,
            stop: &links.stop,
            limit: links.limit,
        };
        let mut chain = self.chain;
        pass.run(stdin()?, stdout, &mut |batch| intercept(&mut chain, batch))
    }

    fn run_source(self, links: &Links) -> StageResult {
        let Head::Source(name, source) = self.head else {
            return Ok(());
        };
        let stop = &links.stop;
        let counters = links.board.counters(Kind::Source, &name);
        let source_counters = counters.clone();
        let regroup = regroups(&self.chain);
        let chain: Vec<_> = self
            .chain
            .into_iter()
            .map(|(_, interceptor)| interceptor)
            .collect();
        let start = |outlet: Arc<dyn Outlet>| {
            let outlet = links.valve.outlet(regrouped(outlet, regroup, stop), stop);
            let to = ChannelProcessor::new(chain, outlet, counters, stop).telling(links.began.clone());
            stage::run_source(source, &Arc::new(to))
        };
        match self.tail {
            Tail::Output => {
                let outlet = links.output(&name, String::new())?;
                start(Arc::new(Resend::over(outlet, &name, stop)))
            }
            Tail::Put(into, channel, counters) if !channel.is_durable() => {
                let names = [&*into, &*name];
                start(Arc::new(PutOutlet::new(
                    channel,
                    counters,
                    names,
                    self.rejected,
                    stop,
                )))
            }
            Tail::Put(into, channel, counters) => {
                let sink = PutSink::new(channel, counters.clone());
                beside(into, Box::new(sink), counters, self.rejected, links, start)
            }
            Tail::Select(selector, into) => {
                let from = (&*name, source_counters);
                select(selector, into, from, self.rejected, links, start)
            }
            Tail::Fork(into, fork) => {
                let counters = links.board.counters(Kind::Sink, &into);
                fork_to(fork, counters, self.rejected, links, start)
            }
            Tail::Sink(into, mut sink) | Tail::Group(into, mut sink) => {
                let counters = links.board.counters(Kind::Sink, &into);
                sink.start().map_err(|error| error.within(&into))?;
                sink.count_in(&counters);
                match sink.outlet(stop) {
                    Some(outlet) => {
                        links.board.watch(outlet.clone());
                        let sourced = start(Arc::new(Counted::over(outlet, counters.clone())));
                        counters.stopped();
                        worst(vec![sourced, sink.stop()])
                    }
                    None => beside(into, sink, counters, self.rejected, links, start),
                }
            }
        }
    }

    fn run_inlet(
        mut self,
        inlet: Box<dyn Inlet>,
        from: Option<(Arc<dyn Channel>, Arc<Counters>)>,
        links: &Links,
    ) -> StageResult {
        let stop = &links.stop;
        start_chain(&mut self.chain)?;
        let regroup = regroups(&self.chain);
        let mut inlet: Box<dyn Inlet> = match self.chain.is_empty() {
            true => inlet,
            false => Box::new(Intercepted {
                inner: inlet,
                chain: std::mem::take(&mut self.chain),
                counters: links.board.counters(Kind::Interceptor, &self.name),
            }),
        };
        let (name, mut sink, counters) = match self.tail {
            Tail::Output => return relay(&self.name, &mut *inlet, from, regroup, links),
            Tail::Put(name, channel, counters) => {
                let sink: Box<dyn Sink> = Box::new(PutSink::new(channel, counters.clone()));
                (name, sink, counters)
            }
            Tail::Select(..) => {
                return Err(StageError::Usage("only a source selects channels".into()));
            }
            Tail::Fork(name, fork) => {
                let counters = links.board.counters(Kind::Sink, &name);
                return fork_to(fork, counters, self.rejected, links, |outlet| {
                    let outlet = regrouped(outlet, regroup, stop);
                    let own = Arc::new(Counters::new(Kind::Interceptor, &self.name));
                    Pump::to(outlet, own, stop).run(&mut *inlet)
                });
            }
            Tail::Sink(name, sink) => {
                let counters = links.board.counters(Kind::Sink, &name);
                (name, sink, counters)
            }
            Tail::Group(name, sink) => {
                let counters = Arc::new(Counters::new(Kind::Sink, &*name));
                (name, sink, counters)
            }
        };
        // Behind a channel it is the channel that the segment is called after.
        let within = |error: StageError| match name == self.name {
            true => error,
            false => error.within(&name),
        };
        sink.start().map_err(within)?;
        links.began();
        sink.count_in(&counters);
        if let Some(outlet) = sink.outlet(stop) {
            links.board.watch(outlet.clone());
            let outlet: Arc<dyn Outlet> = Arc::new(Counted::over(outlet, counters.clone()));
            let outlet = regrouped(outlet, regroup, stop);
            let pumped = Pump::to(outlet, counters, stop).run(&mut *inlet);
            return worst(vec![pumped, sink.stop()]);
        }
        if regroup.is_some() {
            // Batches that are cut anew need accounts between those of the writer and those of the sink.
            let pumped = Arc::new(Counters::new(Kind::Interceptor, &self.name));
            return beside(name, sink, counters, self.rejected, links, |outlet| {
                Pump::to(regrouped(outlet, regroup, stop), pumped, stop).run(&mut *inlet)
            });
        }
        let drain = Drain {
            name: &name,
            counters,
            stop: stop.clone(),
            rejected: self.rejected,
            join_bytes: JOIN_BYTES,
        };
        drain.run(&mut *inlet, &mut *sink).map_err(within)
    }
}

/// How a chain cuts batches anew, if one of its interceptors does.
fn regroups(chain: &Chain) -> Option<Limits> {
    chain.iter().find_map(|(_, interceptor)| interceptor.regroups())
}

/// An outlet in front of which batches are cut anew, if they are.
fn regrouped(outlet: Arc<dyn Outlet>, limits: Option<Limits>, stop: &Stop) -> Arc<dyn Outlet> {
    match limits {
        Some(limits) => Arc::new(Regroup::over(outlet, limits, stop)),
        None => outlet,
    }
}

/// Hand what comes in on to standard output, with acceptances carried back.
fn relay(
    name: &str,
    inlet: &mut dyn Inlet,
    from: Option<(Arc<dyn Channel>, Arc<Counters>)>,
    regroup: Option<Limits>,
    links: &Links,
) -> StageResult {
    let stop = &links.stop;
    let from_input = from.is_none();
    let (channel, counted) = from.unzip();
    let origin = channel.map(|channel| channel.id()).unwrap_or_default();
    let outlet = links.output(name, origin)?;
    // Who wrote a recording, or writes with best effort, sends nothing again: a refused batch is held here.
    let outlet: Arc<dyn Outlet> = match from_input {
        true => Arc::new(Resend::over(outlet, name, stop)),
        false => outlet,
    };
    let counters = counted.unwrap_or_else(|| links.board.counters(Kind::Interceptor, name));
    Pump::to(regrouped(outlet, regroup, stop), counters, stop).run(inlet)
}

/// Run a drain in a thread of its own beside a source, with a queue between them.
fn beside(
    name: String,
    sink: Box<dyn Sink>,
    counters: Arc<Counters>,
    rejected: Option<Box<dyn Rejected>>,
    links: &Links,
    start: impl FnOnce(Arc<dyn Outlet>) -> StageResult,
) -> StageResult {
    let (outlet, inlet) = queue(links.window, &links.stop);
    let outlet: Arc<dyn Outlet> = Arc::new(outlet);
    links.board.watch(outlet.clone());
    let queued = outlet.clone();
    let outlet: Arc<dyn Outlet> = Arc::new(Resend::over(outlet, &name, &links.stop));
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| drain_beside(&name, inlet, sink, counters, rejected, links));
        let sourced = start(outlet);
        if sourced.is_err() {
            // A source that could not start has finished nothing: the drain must not wait for it.
            let _ = queued.finish(Some(std::time::Instant::now()));
        }
        worst(vec![joined(drained.join()), sourced])
    })
}

/// What a thread that drains came to.
fn joined(result: std::thread::Result<StageResult>) -> StageResult {
    result.unwrap_or_else(|_| Err(StageError::Failed("the sink has panicked: this is a bug".into())))
}

/// Drain a queue whose writer is a source: when that fails, the source has nowhere to go.
fn drain_beside(
    name: &str,
    mut inlet: QueueInlet,
    mut sink: Box<dyn Sink>,
    counters: Arc<Counters>,
    rejected: Option<Box<dyn Rejected>>,
    links: &Links,
) -> StageResult {
    let drain = Drain {
        name,
        counters,
        stop: links.stop.clone(),
        rejected,
        join_bytes: JOIN_BYTES,
    };
    let result = drain.run(&mut inlet, &mut *sink);
    if result.is_err() {
        links.stop.fail();
    }
    result.map_err(|error| error.within(name))
}

/// Hand on to several flows, which count for themselves what they do.
fn fork_to(
    fork: Fork,
    counters: Arc<Counters>,
    rejected: Option<Box<dyn Rejected>>,
    links: &Links,
    start: impl FnOnce(Arc<dyn Outlet>) -> StageResult,
) -> StageResult {
    let (outlet, running) = fork.open(rejected, counters.clone(), links.window, &links.stop)?;
    links.board.watch(outlet.clone());
    let started = start(Arc::new(Counted::over(outlet, counters.clone())));
    let ended = running.wait();
    counters.stopped();
    worst(vec![started, ended])
}

/// Put into the channels that a selector says, each for itself: one that is slow holds up the source, one that
/// fails is tried again alone.
fn select(
    mut selector: Box<dyn ChannelSelector>,
    into: Vec<(String, Arc<dyn Channel>, Arc<Counters>)>,
    (name, counters): (&str, Arc<Counters>),
    rejected: Option<Box<dyn Rejected>>,
    links: &Links,
    start: impl FnOnce(Arc<dyn Outlet>) -> StageResult,
) -> StageResult {
    let stop = &links.stop;
    let shared = rejected.map(|rejected| Arc::new(Mutex::new(rejected)));
    let rejected = || -> Option<Box<dyn Rejected>> {
        let shared = shared.clone()?;
        Some(Box::new(SharedRejected(shared)))
    };
    let names: Vec<_> = into.iter().map(|(name, ..)| name.clone()).collect();
    selector.bind(&names).map_err(StageError::Usage)?;
    let optional = selector.optional();
    // What a channel is free to lose is put there by a thread of its own, once.
    let mut once: Vec<Option<Arc<dyn Outlet>>> = Vec::new();
    for (at, (_, channel, counters)) in into.iter().enumerate() {
        let own = optional.contains(&at).then(|| {
            PutOnce::new(channel.clone(), counters.clone(), links.window, stop).map_err(stage::cannot_open)
        });
        once.push(match own {
            Some(own) => Some(Arc::new(own?)),
            None => None,
        });
    }
    std::thread::scope(|scope| {
        let (mut branches, mut drains, mut queues) = (Vec::new(), Vec::new(), Vec::new());
        for ((into, channel, counted), once) in into.into_iter().zip(once) {
            if !channel.is_durable() {
                let names = [&*into, name];
                let outlet = PutOutlet::new(channel, counted, names, rejected(), stop);
                branches.push(Branch {
                    once,
                    ..Branch::new(into, Arc::new(outlet))
                });
                continue;
            }
            let (outlet, inlet) = queue(links.window, stop);
            let outlet: Arc<dyn Outlet> = Arc::new(outlet);
            links.board.watch(outlet.clone());
            queues.push(outlet.clone());
            branches.push(Branch {
                once,
                ..Branch::new(into.clone(), outlet)
            });
            let sink = PutSink::new(channel, counted.clone());
            let aside = rejected();
            drains
                .push(scope.spawn(move || drain_beside(&into, inlet, Box::new(sink), counted, aside, links)));
        }
        let fan_out = FanOut::bound(branches, selector, counters, links.window, stop);
        let sourced = start(Arc::new(fan_out));
        if sourced.is_err() {
            let now = std::time::Instant::now();
            queues.iter().for_each(|queue| drop(queue.finish(Some(now))));
        }
        let mut results = vec![sourced];
        results.extend(drains.into_iter().map(|drain| joined(drain.join())));
        worst(results)
    })
}
