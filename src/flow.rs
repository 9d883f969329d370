//! A flow: components in a row and the links between them. Every composition is read into one and started
//! from it: a single stage is a flow of one whose other ends are standard input and output; `run` is a
//! longer one.
//!
//! A flow is cut at its channels into segments. Each segment has a head that events come out of (a source,
//! standard input, a channel), interceptors, and a tail that they go into (a channel, a sink, standard
//! output), and runs in threads of its own with the loops of [`crate::stage`].

use crate::ack::Delivery;
use crate::channel::ends::{PutOutlet, PutSink, TakeInlet};
use crate::channel::{Channel, Ends};
use crate::event::{Batch, Event};
use crate::exit::{StageError, StageResult};
use crate::fd::{self, FdKind};
use crate::link::counted::Counted;
use crate::link::inlet::InletOptions;
use crate::link::outlet::{OutletOptions, Reply};
use crate::link::queue::queue;
use crate::link::regroup::Regroup;
use crate::link::resend::Resend;
use crate::link::{Identity, Inlet, Next, Outlet, StreamInlet, StreamOutlet, Wait, Window};
use crate::metrics::{Count, Counters, Kind};
use crate::stage::pass::Pass;
use crate::stage::{self, ChannelProcessor, Drain, Interceptor, JOIN_BYTES, Pump, Rejected, Sink, Source};
use crate::stop::Stop;
use crate::wire::Compression;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One component of a flow.
pub enum Part {
    /// Takes events in.
    Source(Source),
    /// Changes them.
    Intercept(Box<dyn Interceptor>),
    /// Holds them.
    Channel(Arc<dyn Channel>, Ends),
    /// Takes them away.
    Sink(Box<dyn Sink>),
    /// A program in the middle: a sink to what stands before it, a source to what follows.
    Program(Box<dyn Sink>, Source),
}

/// Components in a row, with their names in the words of the command line.
pub struct Flow {
    /// The components.
    pub parts: Vec<(String, Part)>,
}

/// When a batch that goes to standard output is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the next taker accepts it.
    EndToEnd,
    /// When the pipe has it.
    BestEffort,
}

/// Settings of a flow's links and of its end.
pub struct Options {
    /// When a batch that goes to standard output is accepted.
    pub durability: Durability,
    /// How far unaccepted batches may pile up.
    pub window: Window,
    /// How long to wait for a taker.
    pub reply_timeout: Duration,
    /// Where the reply socket lives, if not at an abstract name.
    pub reply_dir: Option<PathBuf>,
    /// How payloads on standard output are compressed.
    pub compression: Compression,
    /// Largest payload.
    pub limit: u32,
    /// Opens the place where rejected events go.
    pub rejected: Option<Box<dyn Rejected>>,
    /// The wish to end.
    pub stop: Stop,
}

impl Options {
    /// The defaults, for a flow that ends when `stop` says so.
    pub fn new(stop: &Stop) -> Options {
        Options {
            durability: Durability::EndToEnd,
            window: Window::default(),
            reply_timeout: Duration::from_secs(30),
            reply_dir: None,
            compression: Compression::None,
            limit: crate::wire::LIMIT,
            rejected: None,
            stop: stop.clone(),
        }
    }
}

/// What a flow shows while it runs: counters of its components, and the outlet they wait for.
#[derive(Default, Clone)]
pub struct Board(Arc<Mutex<Shown>>);

#[derive(Default)]
struct Shown {
    counters: Vec<Arc<Counters>>,
    channels: Vec<(Arc<dyn Channel>, Arc<Counters>)>,
    outlet: Option<Arc<dyn Outlet>>,
}

impl Board {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn counters(&self, kind: Kind, name: &str) -> Arc<Counters> {
        let counters = Arc::new(Counters::new(kind, name));
        self.lock().counters.push(counters.clone());
        counters
    }

    /// Counters for a tool that is no component.
    pub fn add(&self, kind: Kind, name: &str) -> Arc<Counters> {
        self.counters(kind, name)
    }

    /// Show what is unsettled on this outlet.
    pub fn watch(&self, outlet: Arc<dyn Outlet>) {
        self.lock().outlet = Some(outlet);
    }

    /// All counters so far. How full a channel is, is looked at now.
    pub fn all(&self) -> Vec<Arc<Counters>> {
        let shown = self.lock();
        for (channel, counters) in &shown.channels {
            let fill = channel.fill();
            counters.set(Count::ChannelSize, fill.events);
            counters.set(Count::ChannelCapacity, fill.capacity);
        }
        shown.counters.clone()
    }

    /// What is under way and unaccepted.
    pub fn unsettled(&self) -> crate::link::Unsettled {
        let outlet = self.lock().outlet.clone();
        outlet.map(|outlet| outlet.unsettled()).unwrap_or_default()
    }
}

enum Head {
    Source(String, Source),
    Input,
    Take(String, Arc<dyn Channel>, Arc<Counters>, bool),
}

enum Tail {
    Put(String, Arc<dyn Channel>, Arc<Counters>),
    Sink(String, Box<dyn Sink>),
    Output,
}

/// One place for what no part of the flow can take.
struct SharedRejected(Arc<Mutex<Box<dyn Rejected>>>);

impl Rejected for SharedRejected {
    fn keep(&mut self, event: &Event) -> Result<(), String> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .keep(event)
    }
}

/// Interceptors with their names.
type Chain = Vec<(String, Box<dyn Interceptor>)>;

/// A segment whose tail has not come yet.
type Opened = (String, Head, Chain);

struct Segment {
    name: String,
    head: Head,
    chain: Chain,
    tail: Tail,
    rejected: Option<Box<dyn Rejected>>,
}

impl Flow {
    /// Is the order of the components one that can be started?
    pub fn check(&self) -> StageResult {
        let last = self.parts.len().saturating_sub(1);
        if self.parts.is_empty() {
            return Err(StageError::Usage("there is no component to run".into()));
        }
        for (index, (name, part)) in self.parts.iter().enumerate() {
            let wrong = match part {
                Part::Source(_) if index > 0 => "a source stands first",
                Part::Sink(_) if index < last => "a sink stands last",
                Part::Channel(_, Ends::Put) if index < last => "a channel with --put stands last",
                Part::Channel(_, Ends::Take { .. }) if index > 0 => "a channel with --take stands first",
                _ => continue,
            };
            let number = index + 1;
            return Err(StageError::Usage(format!(
                "{name} is component {number} of {}: {wrong}",
                last + 1
            )));
        }
        Ok(())
    }

    /// Start everything and wait for its end.
    pub fn run(self, options: Options, board: &Board) -> StageResult {
        self.check()?;
        let stop = options.stop.clone();
        let mut segments = self.into_segments(board);
        // Any part of the flow that takes may find something that it can not: a channel, a sink.
        if let Some(rejected) = options.rejected.map(|rejected| Arc::new(Mutex::new(rejected))) {
            for segment in &mut segments {
                segment.rejected = Some(Box::new(SharedRejected(rejected.clone())));
            }
        }
        let shared = Links {
            durability: options.durability,
            window: options.window,
            reply_timeout: options.reply_timeout,
            reply_dir: options.reply_dir,
            compression: options.compression,
            limit: options.limit,
            stop: stop.clone(),
            board: board.clone(),
        };
        let last = segments.pop();
        let results = std::thread::scope(|scope| {
            let mut running = Vec::new();
            for (index, segment) in segments.into_iter().enumerate() {
                let shared = &shared;
                running.push(scope.spawn(move || segment.run(shared, index > 0)));
            }
            let first_alone = running.is_empty();
            let mut results: Vec<StageResult> = last
                .map(|segment| segment.run(&shared, !first_alone))
                .into_iter()
                .collect();
            results.extend(running.into_iter().map(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => Err(StageError::Failed(
                    "a component has panicked: this is a bug".into(),
                )),
            }));
            results
        });
        worst(results)
    }

    fn into_segments(self, board: &Board) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut open: Option<Opened> = None;
        for (name, part) in self.parts {
            match part {
                Part::Source(source) => open = Some((name.clone(), Head::Source(name, source), Vec::new())),
                Part::Intercept(interceptor) => {
                    let (_, _, chain) = open.get_or_insert_with(|| (name.clone(), Head::Input, Vec::new()));
                    chain.push((name, interceptor));
                }
                Part::Channel(channel, ends) => {
                    let counters = board.counters(Kind::Channel, &name);
                    board.lock().channels.push((channel.clone(), counters.clone()));
                    if !matches!(ends, Ends::Take { .. }) {
                        let opened = open
                            .take()
                            .unwrap_or_else(|| (name.clone(), Head::Input, Vec::new()));
                        let tail = Tail::Put(name.clone(), channel.clone(), counters.clone());
                        segments.push(Segment::new(opened, tail));
                    }
                    if ends != Ends::Put {
                        let until_empty = matches!(ends, Ends::Take { until_empty: true });
                        let head = Head::Take(name.clone(), channel, counters, until_empty);
                        open = Some((name, head, Vec::new()));
                    }
                }
                Part::Sink(sink) => {
                    let opened = open
                        .take()
                        .unwrap_or_else(|| (name.clone(), Head::Input, Vec::new()));
                    segments.push(Segment::new(opened, Tail::Sink(name, sink)));
                }
                Part::Program(sink, source) => {
                    let opened = open
                        .take()
                        .unwrap_or_else(|| (name.clone(), Head::Input, Vec::new()));
                    segments.push(Segment::new(opened, Tail::Sink(name.clone(), sink)));
                    open = Some((name.clone(), Head::Source(name, source), Vec::new()));
                }
            }
        }
        segments.extend(open.map(|opened| Segment::new(opened, Tail::Output)));
        segments
    }
}

/// The result that says most: a message before none.
fn worst(results: Vec<StageResult>) -> StageResult {
    let mut errors: Vec<StageError> = results.into_iter().filter_map(Result::err).collect();
    errors.sort_by_key(|error| match error {
        StageError::Failed(_) => 0,
        StageError::Usage(_) => 1,
        StageError::Temporary(_) => 2,
        StageError::Closed => 3,
    });
    errors.into_iter().next().map_or(Ok(()), Err)
}

struct Links {
    durability: Durability,
    window: Window,
    reply_timeout: Duration,
    reply_dir: Option<PathBuf>,
    compression: Compression,
    limit: u32,
    stop: Stop,
    board: Board,
}

impl Links {
    /// Standard output as the end of a stream.
    fn output(&self, name: &str, origin: String) -> Result<Arc<dyn Outlet>, StageError> {
        let stdout = std::io::stdout();
        let reply = match (fd::kind(&stdout).map_err(stage::cannot_open)?, self.durability) {
            (FdKind::Terminal, _) => {
                return Err(StageError::Usage(format!(
                    "standard output is a terminal and {name} writes a stream of events in binary: add \"| flume \
                     cat\" to see them, or redirect it to a file to record them"
                )));
            }
            (_, Durability::BestEffort) => Reply::None,
            (FdKind::File, _) => Reply::File,
            (FdKind::Device | FdKind::Other, _) => {
                return Err(StageError::Usage(format!(
                    "standard output is a device, where nobody accepts what {name} writes: \
                     --durability best-effort would allow it"
                )));
            }
            (FdKind::Pipe | FdKind::Socket, _) => Reply::Unix(self.reply_dir.clone()),
        };
        let options = OutletOptions {
            window: self.window,
            reply_timeout: self.reply_timeout,
            compression: self.compression,
            origin,
            limit: self.limit,
            ..OutletOptions::new(Identity::of_stage(name), reply)
        };
        let fd = stdout.as_fd().try_clone_to_owned().map_err(stage::cannot_open)?;
        let outlet = StreamOutlet::open(fd, options, &self.stop).map_err(stage::cannot_open)?;
        outlet.stop_when_gone();
        let outlet: Arc<dyn Outlet> = Arc::new(outlet);
        self.board.watch(outlet.clone());
        Ok(outlet)
    }

    fn input(&self, name: &str) -> Result<StreamInlet, StageError> {
        let options = InletOptions {
            limit: self.limit,
            ..InletOptions::new(Identity::of_stage(name), "standard input")
        };
        StreamInlet::open(stdin()?, options, &self.stop)
    }
}

fn stdin() -> Result<OwnedFd, StageError> {
    std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| StageError::Failed(format!("standard input cannot be used: {error}")))
}

impl Segment {
    fn new(opened: Opened, tail: Tail) -> Self {
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
    fn run(self, links: &Links, behind_a_channel: bool) -> StageResult {
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

    fn join(self, links: &Links) -> StageResult {
        match self.head {
            Head::Source(..) => self.run_source(links),
            Head::Input if self.is_passing(links) => self.pass(links),
            Head::Input => {
                let inlet = links.input(&self.name)?;
                self.run_inlet(Box::new(inlet), None, links)
            }
            Head::Take(ref name, ref channel, ref counters, until_empty) => {
                let inlet = TakeInlet::new(channel.clone(), counters.clone(), name, until_empty, &links.stop);
                let origin = Some((channel.clone(), counters.clone()));
                self.run_inlet(Box::new(inlet), origin, links)
            }
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
        let regroup = self
            .chain
            .iter()
            .find_map(|(_, interceptor)| interceptor.regroups());
        let chain: Vec<_> = self
            .chain
            .into_iter()
            .map(|(_, interceptor)| interceptor)
            .collect();
        let regrouped = |outlet: Arc<dyn Outlet>| -> Arc<dyn Outlet> {
            match regroup {
                Some(limits) => Arc::new(Regroup::over(outlet, limits, stop)),
                None => outlet,
            }
        };
        let start = |outlet: Arc<dyn Outlet>| {
            let to = Arc::new(ChannelProcessor::new(chain, regrouped(outlet), counters, stop));
            stage::run_source(source, &to)
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
            Tail::Sink(into, mut sink) => {
                let counters = links.board.counters(Kind::Sink, &into);
                sink.start().map_err(|error| error.within(&into))?;
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
        let is_recording = from.is_none() && matches!(fd::kind(std::io::stdin()), Ok(FdKind::File));
        let (channel, counted) = from.unzip();
        start_chain(&mut self.chain)?;
        let regroup = self
            .chain
            .iter()
            .find_map(|(_, interceptor)| interceptor.regroups());
        let chained = !self.chain.is_empty();
        let mut inlet: Box<dyn Inlet> = match chained {
            true => Box::new(Intercepted {
                inner: inlet,
                chain: self.chain,
                counters: links.board.counters(Kind::Interceptor, &self.name),
            }),
            false => inlet,
        };
        let (name, mut sink, counters) = match self.tail {
            Tail::Output => {
                let origin = channel.map(|channel| channel.id()).unwrap_or_default();
                let outlet = links.output(&self.name, origin)?;
                // Who wrote a recording sends nothing again: a refused batch must be held here.
                let outlet: Arc<dyn Outlet> = match is_recording {
                    true => Arc::new(Resend::over(outlet, &self.name, stop)),
                    false => outlet,
                };
                let outlet = match regroup {
                    Some(limits) => Arc::new(Regroup::over(outlet, limits, stop)),
                    None => outlet,
                };
                let counters = counted.unwrap_or_else(|| links.board.counters(Kind::Interceptor, &self.name));
                return Pump::to(outlet, counters, stop).run(&mut *inlet);
            }
            Tail::Put(name, channel, counters) => {
                let sink: Box<dyn Sink> = Box::new(PutSink::new(channel, counters.clone()));
                (name, sink, counters)
            }
            Tail::Sink(name, sink) => {
                let counters = links.board.counters(Kind::Sink, &name);
                (name, sink, counters)
            }
        };
        // Behind a channel it is the channel that the segment is called after.
        let within = |error: StageError| match name == self.name {
            true => error,
            false => error.within(&name),
        };
        sink.start().map_err(within)?;
        if let Some(outlet) = sink.outlet(stop) {
            links.board.watch(outlet.clone());
            let outlet: Arc<dyn Outlet> = Arc::new(Counted::over(outlet, counters.clone()));
            let pumped = Pump::to(outlet, counters, stop).run(&mut *inlet);
            return worst(vec![pumped, sink.stop()]);
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

/// Run a drain in a thread of its own beside a source, with a queue between them.
fn beside(
    name: String,
    mut sink: Box<dyn Sink>,
    counters: Arc<Counters>,
    rejected: Option<Box<dyn Rejected>>,
    links: &Links,
    start: impl FnOnce(Arc<dyn Outlet>) -> StageResult,
) -> StageResult {
    let (outlet, mut inlet) = queue(links.window, &links.stop);
    let outlet: Arc<dyn Outlet> = Arc::new(outlet);
    links.board.watch(outlet.clone());
    let queued = outlet.clone();
    let outlet: Arc<dyn Outlet> = Arc::new(Resend::over(outlet, &name, &links.stop));
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| {
            let drain = Drain {
                name: &name,
                counters,
                stop: links.stop.clone(),
                rejected,
                join_bytes: JOIN_BYTES,
            };
            let result = drain.run(&mut inlet, &mut *sink);
            if result.is_err() {
                links.stop.fail();
            }
            drop(inlet);
            result
        });
        let sourced = start(outlet);
        if sourced.is_err() {
            // A source that could not start has finished nothing: the drain must not wait for it.
            let _ = queued.finish(Some(std::time::Instant::now()));
        }
        let drained = drained
            .join()
            .unwrap_or_else(|_| Err(StageError::Failed("the sink has panicked: this is a bug".into())));
        worst(vec![drained.map_err(|error| error.within(&name)), sourced])
    })
}

fn start_chain(chain: &mut [(String, Box<dyn Interceptor>)]) -> StageResult {
    for (name, interceptor) in chain {
        interceptor.start().map_err(|error| error.within(name))?;
    }
    Ok(())
}

fn intercept(chain: &mut [(String, Box<dyn Interceptor>)], mut batch: Batch) -> Result<Batch, StageError> {
    for (_, interceptor) in chain {
        if !batch.is_empty() {
            batch = interceptor.intercept_batch(batch)?;
        }
    }
    Ok(batch)
}

/// An inlet whose batches go through interceptors first.
struct Intercepted {
    inner: Box<dyn Inlet>,
    chain: Chain,
    counters: Arc<Counters>,
}

impl Intercepted {
    fn changed(&mut self, mut delivery: Delivery) -> Result<Next, StageError> {
        let received = u64::from(delivery.batch.len());
        delivery.batch = intercept(&mut self.chain, std::mem::take(&mut delivery.batch))?;
        let kept = u64::from(delivery.batch.len());
        self.counters.add(Count::EventReceived, received);
        self.counters.add(Count::EventAccepted, kept);
        self.counters.add(Count::Filtered, received.saturating_sub(kept));
        Ok(Next::Delivery(delivery))
    }
}

impl Inlet for Intercepted {
    fn next(&mut self, wait: Wait) -> Result<Next, StageError> {
        match self.inner.next(wait)? {
            Next::Delivery(delivery) => self.changed(delivery),
            next => Ok(next),
        }
    }

    fn flush_settled(&mut self) -> Result<(), StageError> {
        self.inner.flush_settled()
    }

    fn settler(&self) -> Box<dyn Fn() + Send + Sync> {
        self.inner.settler()
    }

    fn is_abandoned(&self) -> bool {
        self.inner.is_abandoned()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn close(&mut self) {
        self.inner.close();
    }
}
