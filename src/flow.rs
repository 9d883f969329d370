//! A flow: components in a row and the links between them. Every composition is read into one and started
//! from it: a single stage is a flow of one whose other ends are standard input and output; `run` is a
//! longer one.
//!
//! A flow is cut at its channels into segments. Each segment has a head that events come out of (a source,
//! standard input, a channel), interceptors, and a tail that they go into (a channel, a sink, standard
//! output), and runs in threads of its own with the loops of [`crate::stage`].

mod board;
pub mod fork;
pub mod graph;
pub(crate) mod intercepted;
pub(crate) mod links;
pub(crate) mod segment;

pub use board::Board;
pub use fork::Fork;

use self::links::Links;
use self::segment::{Head, Opened, Segment, SharedRejected, Tail};
use crate::channel::{Channel, Ends};
use crate::exit::{StageError, StageResult};
use crate::link::{Inlet, Window};
use crate::metrics::Kind;
use crate::stage::group::Grouped;
use crate::stage::{Interceptor, Rejected, Sink, Source};
use crate::stop::Stop;
use crate::wire::Compression;
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
    /// Takes them away by several sinks that stand for each other.
    Group(Grouped),
    /// Goes on in several flows.
    Fork(Fork),
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
    /// How many take from standard output, behind a `tee`.
    pub takers: usize,
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
            takers: 1,
            reply_dir: None,
            compression: Compression::None,
            limit: crate::wire::LIMIT,
            rejected: None,
            stop: stop.clone(),
        }
    }
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
                Part::Group(_) if index < last => "a sink group stands last",
                Part::Fork(_) if index < last => "a selector stands last: what follows stands in its --to",
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
        self.run_from(None, options, board)
    }

    /// The same with an inlet in the place of standard input.
    fn run_behind(self, inlet: Box<dyn Inlet>, options: Options, board: &Board) -> StageResult {
        self.run_from(Some(inlet), options, board)
    }

    fn run_from(self, inlet: Option<Box<dyn Inlet>>, options: Options, board: &Board) -> StageResult {
        self.check()?;
        let stop = options.stop.clone();
        let mut segments = self.into_segments(board, &stop);
        if let (Some(inlet), Some(first)) = (inlet, segments.first_mut()) {
            first.head = Head::Given(inlet);
        }
        // Any part of the flow that takes may find something that it can not: a channel, a sink.
        if let Some(rejected) = options.rejected.map(|rejected| Arc::new(Mutex::new(rejected))) {
            for segment in &mut segments {
                segment.rejected = Some(Box::new(SharedRejected(rejected.clone())));
            }
        }
        let shared = Links {
            stdout_is_free: !segments
                .iter()
                .any(|segment| matches!(segment.tail, Tail::Output)),
            durability: options.durability,
            window: options.window,
            reply_timeout: options.reply_timeout,
            takers: options.takers,
            reply_dir: options.reply_dir,
            compression: options.compression,
            limit: options.limit,
            ..Links::inside(&stop, board)
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
        board.let_go();
        worst(results)
    }

    fn into_segments(self, board: &Board, stop: &Stop) -> Vec<Segment> {
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
                Part::Group(grouped) => {
                    let opened = open
                        .take()
                        .unwrap_or_else(|| (name.clone(), Head::Input, Vec::new()));
                    let sink = Box::new(grouped.open(stop).strict());
                    segments.push(Segment::new(opened, Tail::Sink(name, sink)));
                }
                Part::Fork(fork) => {
                    let opened = open
                        .take()
                        .unwrap_or_else(|| (name.clone(), Head::Input, Vec::new()));
                    segments.push(Segment::new(opened, Tail::Fork(name, fork)));
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
        StageError::Told(1 | 2) => 2,
        StageError::Temporary(_) => 3,
        StageError::Told(_) | StageError::Closed => 4,
    });
    errors.into_iter().next().map_or(Ok(()), Err)
}
