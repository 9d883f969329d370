//! What one sees of a running stage: progress, the summary at the end, counters on SIGUSR1; and how the
//! signals reach it.

use super::options::{self, Common};
use super::{Ended, Told};
use crate::exit::{self, StageError};
use crate::fd::{self, FdKind};
use crate::flow::{Board, Flow, Options};
use crate::metrics::{Count, Counters, Kind};
use crate::say;
use crate::stop::Stop;
use crate::value::Size;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A second signal ends at once. One that comes sooner is the first again: timeout(1) sends each signal to the
/// process and then to its group.
const SECOND_SIGNAL: Duration = Duration::from_millis(100);

/// Watches one stage or flow.
pub struct Reporter {
    stage: String,
    summary: Option<String>,
    board: Board,
    /// It has several sources and sinks, whose figures are added up.
    is_graph: bool,
    started: Instant,
    progress: Option<Progress>,
}

/// What a stage has done so far. Events unless the name says otherwise.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Totals {
    stage: String,
    received: u64,
    sent: u64,
    accepted: u64,
    refused: u64,
    rejected: u64,
    filtered: u64,
    expired: u64,
    bytes: u64,
    seconds: f64,
    exit: u8,
}

impl Reporter {
    /// Begin to watch, and let signals reach `stop`.
    pub fn start(stage: &str, common: &Common, stop: &Stop) -> Result<Reporter, StageError> {
        Self::watching(Board::default(), false, stage, common, stop)
    }

    /// The same for a graph that shows itself on this board.
    pub fn over(board: Board, stage: &str, common: &Common, stop: &Stop) -> Result<Reporter, StageError> {
        Self::watching(board, true, stage, common, stop)
    }

    fn watching(
        board: Board,
        is_graph: bool,
        stage: &str,
        common: &Common,
        stop: &Stop,
    ) -> Result<Reporter, StageError> {
        let started = Instant::now();
        listen(stage, &board, stop)?;
        let shown = !common.quiet && (common.progress || say::is_terminal() && leads(stage));
        let progress = shown.then(|| Progress::start(stage, &board, started));
        Ok(Reporter {
            stage: stage.to_string(),
            summary: common.summary.clone(),
            board,
            is_graph,
            started,
            progress,
        })
    }

    /// Where the parts of the flow show themselves.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The summary, if it was asked for.
    pub fn finish(mut self, status: u8) {
        if let Some(progress) = self.progress.take() {
            progress.stop();
        }
        let mut totals = totals(&self.stage, &self.board, self.started);
        totals.exit = status;
        if self.is_graph {
            totals.add_up(&self.board.all());
        }
        match self.summary.as_deref() {
            Some("json") => {
                let line = serde_json::to_string(&totals).unwrap_or_default();
                say::raw(format!("{line}\n").as_bytes());
            }
            Some(_) => say::raw(totals.text().as_bytes()),
            None => {}
        }
    }
}

/// Make a flow, run it and report on it, whatever the end. What is wrong with the making is told here; a flow
/// tells its own errors.
pub fn run_watched(
    stage: &str,
    common: &Common,
    make: impl FnOnce(&Stop) -> anyhow::Result<(Flow, Options)>,
) -> Ended {
    options::configure(common)?;
    let stop = options::stop_of(common)?;
    let reporter = Reporter::start(stage, common, &stop)?;
    let made = make(&stop).and_then(|(flow, options)| {
        flow.check()?;
        Ok((flow, options))
    });
    let status = match made {
        Ok((flow, options)) => exit::status(&flow.run(options, reporter.board())),
        Err(error) => super::tell(stage, &error),
    };
    reporter.finish(status);
    match status {
        0 => Ok(()),
        status => Err(Told(status).into()),
    }
}

/// Several stages on one terminal would draw over each other: without being told, only the one at the head of
/// the pipeline does, which is a source or reads no pipe.
fn leads(stage: &str) -> bool {
    let piped = matches!(fd::kind(std::io::stdin()), Ok(FdKind::Pipe | FdKind::Socket));
    stage.starts_with("source ") || !piped
}

fn listen(stage: &str, board: &Board, stop: &Stop) -> Result<(), StageError> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1]);
    let mut signals =
        signals.map_err(|error| StageError::Failed(format!("cannot listen to signals: {error}")))?;
    let (stage, board, stop) = (stage.to_string(), board.clone(), stop.clone());
    let thread = std::thread::Builder::new()
        .name("flume-signals".into())
        .stack_size(128 << 10);
    thread
        .spawn(move || {
            let mut first = None;
            for signal in &mut signals {
                if signal == SIGUSR1 {
                    say::raw(counters_text(&stage, &board).as_bytes());
                    continue;
                }
                let since = first.get_or_insert_with(Instant::now).elapsed();
                // With thousands of threads to wake this takes its time.
                stop.stop();
                // What was accepted is safe, the rest comes again.
                if since > SECOND_SIGNAL {
                    std::process::exit(128 + signal);
                }
            }
        })
        .map_err(|error| StageError::Failed(format!("cannot start a thread: {error}")))?;
    Ok(())
}

/// All counters, a line for each component.
pub fn counters_text(stage: &str, board: &Board) -> String {
    let mut text = String::new();
    for counters in board.all() {
        let (group, all) = counters.flume();
        let values: Vec<_> = all
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        text.push_str(&format!("{group}: {}\n", values.join(" ")));
    }
    let unsettled = board.unsettled();
    let oldest = unsettled.oldest.unwrap_or_default().as_millis();
    text.push_str(&format!(
        "{stage}: unaccepted {} events, {} bytes, oldest {oldest} ms\n",
        unsettled.events, unsettled.bytes
    ));
    text
}

impl Totals {
    /// What all sources took in, and what all sinks delivered.
    fn add_up(&mut self, all: &[Arc<Counters>]) {
        let of = |kind: Kind| all.iter().filter(move |counters| counters.kind() == kind);
        self.received = of(Kind::Source).map(received).sum();
        let delivered = of(Kind::Sink).map(sent_and_accepted);
        (self.sent, self.accepted) = delivered.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    }
}

fn totals(stage: &str, board: &Board, started: Instant) -> Totals {
    let all = board.all();
    let mut totals = Totals {
        stage: stage.to_string(),
        seconds: (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        ..Totals::default()
    };
    // Threads begin to count in any order: which stands first and last in the flow is told by the kinds.
    let first = [Kind::Source, Kind::Interceptor, Kind::Channel, Kind::Sink];
    let last = [Kind::Sink, Kind::Channel, Kind::Interceptor, Kind::Source];
    let of = |kind: &Kind| all.iter().rfind(|counters| counters.kind() == *kind);
    if let Some(first) = first.iter().find_map(of) {
        totals.received = received(first);
    }
    if let Some(last) = last.iter().find_map(of) {
        (totals.sent, totals.accepted) = sent_and_accepted(last);
    }
    for counters in &all {
        totals.refused += counters.get(Count::Refused);
        totals.rejected += counters.get(Count::Rejected);
        totals.filtered += counters.get(Count::Filtered);
        totals.expired += counters.get(Count::Expired);
        let bytes = counters.get(Count::Bytes).max(counters.get(Count::SentBytes));
        totals.bytes = totals.bytes.max(bytes);
    }
    totals
}

fn received(first: &Arc<Counters>) -> u64 {
    match first.kind() {
        Kind::Source | Kind::Interceptor => first.get(Count::EventReceived),
        Kind::Sink => first
            .get(Count::EventDrainAttempt)
            .max(first.get(Count::EventReceived)),
        Kind::Channel => match first.get(Count::EventPutAttempt) {
            0 => first.get(Count::EventTakeSuccess),
            puts => puts,
        },
    }
}

fn sent_and_accepted(last: &Arc<Counters>) -> (u64, u64) {
    match last.kind() {
        Kind::Source | Kind::Interceptor => (last.get(Count::Sent), last.get(Count::EventAccepted)),
        Kind::Sink => {
            let done = last
                .get(Count::EventDrainSuccess)
                .max(last.get(Count::EventAccepted));
            (done.max(last.get(Count::Sent)), done)
        }
        Kind::Channel => match last.get(Count::EventTakeSuccess) {
            0 => (0, last.get(Count::EventPutSuccess)),
            _ => (last.get(Count::Sent), last.get(Count::EventAccepted)),
        },
    }
}

impl Totals {
    fn text(&self) -> String {
        let rate = self.received as f64 / self.seconds.max(0.001);
        let mut text = format!(
            "{}: received {} events, sent {}, accepted {}",
            self.stage, self.received, self.sent, self.accepted
        );
        for (count, word) in [
            (self.refused, "refused"),
            (self.rejected, "rejected"),
            (self.filtered, "filtered"),
            (self.expired, "expired"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {word} {count}"));
            }
        }
        let bytes = Size(self.bytes);
        text.push_str(&format!(
            "; {bytes} in {} s, {rate:.0} events/s, exit {}\n",
            self.seconds, self.exit
        ));
        text
    }
}

/// The progress line, and the thread that draws it.
struct Progress {
    bar: ProgressBar,
    over: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Progress {
    fn start(stage: &str, board: &Board, started: Instant) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let curtain = bar.clone();
        say::set_curtain(Some(Box::new(move |write| curtain.suspend(write))));
        let (over, told) = std::sync::mpsc::channel();
        let (stage, board, drawn) = (stage.to_string(), board.clone(), bar.clone());
        let thread = std::thread::spawn(move || {
            while told
                .recv_timeout(Duration::from_millis(200))
                .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                drawn.set_message(line(&stage, &board, started));
                drawn.tick();
            }
        });
        Progress { bar, over, thread }
    }

    fn stop(self) {
        let _ = self.over.send(());
        let _ = self.thread.join();
        say::set_curtain(None);
        self.bar.finish_and_clear();
    }
}

fn line(stage: &str, board: &Board, started: Instant) -> String {
    let totals = totals(stage, board, started);
    let rate = totals.received as f64 / totals.seconds.max(0.001);
    let unsettled = board.unsettled();
    let age = unsettled.oldest.map_or(String::new(), |age| {
        format!(", oldest {:.1} s", age.as_secs_f64())
    });
    format!(
        "{stage}: {} events, {rate:.0}/s, {}, {} unaccepted{age}",
        totals.received,
        Size(totals.bytes),
        unsettled.events
    )
}
