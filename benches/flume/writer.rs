//! Sources of prepared batches: as fast as they go, or at a steady rate that times the receipts.

use anyhow::bail;
use flume::event::{Batch, BatchBuilder, Event};
use flume::exit::StageError;
use flume::flow::{self, Board, Durability, Flow, Part};
use flume::link::outlet::{OutletOptions, Reply, StreamOutlet};
use flume::link::{Identity, Outlet, Window};
use flume::stage::{ChannelProcessor, PollableSource, Source, Status};
use flume::stop::Stop;
use flume::wire::Compression;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Events of a batch of the steady writer.
pub const PACED_BATCH: u32 = 100;

/// A wish to end that nobody has.
pub fn stop() -> std::io::Result<Stop> {
    Stop::new(Duration::from_secs(30))
}

/// Standard output as a descriptor of our own.
pub fn stdout() -> std::io::Result<OwnedFd> {
    std::io::stdout().as_fd().try_clone_to_owned()
}

/// An access log's line, which the extraction takes five groups of.
const LOG_LINE: &str = "192.0.2.17 - frank [10/Oct/2024:13:55:36 +0000] \"GET /catalogue/items/4711?page=3 \
                        HTTP/1.1\" 200 23260 \"https://www.example.org/start.html\" \"Mozilla/5.0 (X11; Linux)\"";

/// The events of a kind: `plain` has a body of 100 bytes and two headers (140 bytes encoded), `wide` one of
/// 256 bytes and two headers, `body` one of 256 bytes without any, `log` is a line of an access log.
pub fn event(kind: &str) -> anyhow::Result<Event> {
    let with_headers = |body: Vec<u8>| {
        Event::new(body)
            .with_header("host", "web-1")
            .with_header("timestamp", "1700000000000")
    };
    Ok(match kind {
        "plain" => with_headers(vec![b'x'; 100]),
        "wide" => with_headers(vec![b'x'; 256]),
        "body" => Event::new(vec![b'x'; 256]),
        "log" => Event::new(LOG_LINE),
        _ => bail!("\"{kind}\" is no kind of event"),
    })
}

/// A batch of equal events.
pub fn batch(kind: &str, events: u32) -> anyhow::Result<Batch> {
    let event = event(kind)?;
    let mut builder = BatchBuilder::new();
    (0..events).for_each(|_| builder.push_event(&event));
    Ok(builder.finish())
}

fn outlet(window: Window, stop: &Stop) -> anyhow::Result<StreamOutlet> {
    let options = OutletOptions {
        window,
        ..OutletOptions::new(Identity::of_stage("bench writer"), Reply::Unix(None))
    };
    Ok(StreamOutlet::open(stdout()?, options, stop)?)
}

/// A source that has its batch ready.
struct Prepared {
    batch: Batch,
    left: u64,
}

impl PollableSource for Prepared {
    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let Some(left) = self.left.checked_sub(u64::from(self.batch.len())) else {
            return Ok(Status::Finished);
        };
        self.left = left;
        to.submit(self.batch.clone(), || {})?;
        Ok(Status::Ready)
    }
}

/// Send events in batches as fast as they are taken, as the source of a flow that is a stage by itself.
pub fn events(kind: &str, count: u64, batch_events: u32, window: usize) -> anyhow::Result<()> {
    let source = Prepared {
        batch: batch(kind, batch_events)?,
        left: count,
    };
    let flow = Flow {
        parts: vec![(
            "source bench".into(),
            Part::Source(Source::Polled(Box::new(source))),
        )],
    };
    let options = flow::Options {
        durability: Durability::EndToEnd,
        window: Window {
            batches: window,
            ..Window::default()
        },
        reply_timeout: Duration::from_secs(30),
        takers: 1,
        reply_dir: None,
        compression: Compression::None,
        limit: flume::wire::LIMIT,
        rejected: None,
        stop: stop()?,
    };
    Ok(flow.run(options, &Board::default())?)
}

/// Offer `rate` events a second (0: as many as are taken) for so many seconds, and write to the file at
/// `result`: events accepted a second, and the median and 99th percentile of milliseconds from offering a
/// batch to the outlet until its receipt.
pub fn paced(rate: u64, seconds: u64, result: &str) -> anyhow::Result<()> {
    let stop = stop()?;
    let outlet = outlet(Window::default(), &stop)?;
    let batch = batch("plain", PACED_BATCH)?;
    let times = Arc::new(Mutex::new(Vec::new()));
    let started = Instant::now();
    let end = Duration::from_secs(seconds);
    let mut sent = 0u64;
    while started.elapsed() < end {
        if rate > 0 {
            let due = started + Duration::from_secs_f64((sent * u64::from(PACED_BATCH)) as f64 / rate as f64);
            let early = due.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                outlet.flush()?;
                std::thread::sleep(early);
            }
        }
        let (offered, times) = (Instant::now(), times.clone());
        let receipt = outlet.send(batch.clone())?;
        receipt.then(move |_| {
            let mut times = times.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            times.push(offered.elapsed().as_secs_f64() * 1e3);
        });
        sent += 1;
    }
    outlet.finish(None)?;
    let achieved = (sent * u64::from(PACED_BATCH)) as f64 / started.elapsed().as_secs_f64();
    let times = times.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let percentile = |share| crate::measure::percentile(times.iter().copied(), share);
    let line = format!("{achieved:.0} {:.3} {:.3}", percentile(0.5), percentile(0.99));
    Ok(std::fs::write(result, line)?)
}
