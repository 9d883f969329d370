//! The file channel side by side with that of the real Flume: the same source, sink and batches.
//!
//! Both answer for a put only after its sync; here batches that wait together share one, there each commit has its
//! own. The real Flume syncs takes, too: here that is `--sync-take-always`, so both ways are measured.

use crate::measure::{Cores, Run, median, run};
use crate::peer::{Mark, Peer};
use crate::table::{self, Row};
use anyhow::{Context, ensure};
use std::time::Duration;

/// A rate, and the CPU it took.
struct Speed {
    events_per_second: f64,
    cpu_micros: f64,
}

/// How takes are synced: what the row says, and the words of the channel.
const TAKES: [(&str, &str); 2] = [
    ("takes logged each 100 ms", ""),
    ("takes synced too, as Flume's", "--sync-take-always"),
];

/// Print the table. Without the real Flume that is a failure for who asked for this subject.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let peer = Peer::find();
    let mut rows = Vec::new();
    for batch in [1000, 100] {
        match &peer {
            Ok(peer) => rows.extend(beside(bench, peer, batch)?),
            Err(why) => {
                for (takes, words) in TAKES {
                    let shown = shown(&ours(bench, batch, words)?);
                    rows.push(
                        Row::new(format!("batches of {batch}, {takes}"), shown).missing(&why.to_string()),
                    );
                }
            }
        }
    }
    table::print(
        "File channel, seq to null, puts synced before they are accepted; reference: the real Flume 1.11, the same batches",
        &rows,
    )?;
    match peer {
        Err(why) if bench.named("flume") => Err(why),
        _ => Ok(()),
    }
}

/// How long either is measured.
fn seconds(bench: &Run) -> f64 {
    bench.size(10, 4) as f64
}

fn beside(bench: &Run, peer: &Peer, batch: u64) -> anyhow::Result<Vec<Row>> {
    let (mut ours, mut theirs) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..bench.size(3, 1) {
        theirs.push(flume(bench, peer, batch)?);
        for (ours, (_, words)) in ours.iter_mut().zip(TAKES) {
            ours.push(self::ours(bench, batch, words)?);
        }
    }
    let rows = ours.iter().zip(TAKES).map(|(ours, (takes, _))| {
        let what = format!("batches of {batch}, {takes}");
        compared(what, ours, &theirs)
    });
    Ok(rows.flatten().collect())
}

fn compared(what: String, ours: &[Speed], theirs: &[Speed]) -> [Row; 2] {
    let middle = |of: &[Speed], value: fn(&Speed) -> f64| median(of.iter().map(value));
    let ratio = |value: fn(&Speed) -> f64| {
        let pairs = ours.iter().zip(theirs);
        median(pairs.map(|(ours, theirs)| value(ours) / value(theirs)))
    };
    let rate = |of: &[Speed]| format!("{:.0} events/s", middle(of, |speed| speed.events_per_second));
    let cpu = |of: &[Speed]| format!("{:.3} us CPU an event", middle(of, |speed| speed.cpu_micros));
    let (faster, cheaper) = (
        ratio(|speed| speed.events_per_second),
        ratio(|speed| speed.cpu_micros),
    );
    [
        Row::new(&what, rate(ours))
            .against(rate(theirs), faster)
            .at_least(faster, 20.0, "x"),
        Row::new(format!("{what}: CPU"), cpu(ours))
            .against_finely(cpu(theirs), cheaper)
            .at_most(cheaper, 0.02, "x"),
    ]
}

fn shown(speed: &Speed) -> String {
    let Speed {
        events_per_second,
        cpu_micros,
    } = speed;
    format!("{events_per_second:.0} events/s, {cpu_micros:.3} us CPU an event")
}

/// From exec to exit, all taken: a run that is sized by a shorter one before it.
fn ours(bench: &Run, batch: u64, takes: &str) -> anyhow::Result<Speed> {
    let guess = pipeline(bench, batch, batch * 1000, takes)?;
    let events = (guess.events_per_second * seconds(bench)) as u64;
    pipeline(bench, batch, events.next_multiple_of(batch), takes)
}

fn pipeline(bench: &Run, batch: u64, events: u64, takes: &str) -> anyhow::Result<Speed> {
    let directory = bench.directory()?;
    let channel = directory.path().join("channel");
    let program = bench.fused(&format!(
        "source seq --batch-size {batch} --total-events {events} | channel file {} --capacity 1100000 {takes} | sink null",
        channel.display()
    ));
    let ended = run(&[program], Cores::Free)?;
    let left = flume::channel::file::status(&channel)?.events;
    ensure!(left == 0, "{left} events were left in the channel");
    Ok(Speed {
        events_per_second: events as f64 / ended.seconds,
        cpu_micros: ended.usages[0].cpu_seconds * 1e6 / events as f64,
    })
}

/// Between two marks of its sink, after events have flowed for a while: Java has compiled what is hot by then.
fn flume(bench: &Run, peer: &Peer, batch: u64) -> anyhow::Result<Speed> {
    let directory = bench.directory()?;
    let (warm, window) = (
        Duration::from_secs(bench.size(10, 4)),
        Duration::from_secs_f64(seconds(bench)),
    );
    let size = format!("batchSize = {batch}");
    let mut agent = peer.start(directory.path(), &["type = seq", &size], &[&size])?;
    let first = agent.mark()?;
    let from = agent.mark_when(|mark| mark.at >= first.at + warm)?;
    let to = agent.mark_when(|mark| mark.at >= from.at + window)?;
    speed(&from, &to).context("the real Flume's sink takes nothing")
}

fn speed(from: &Mark, to: &Mark) -> Option<Speed> {
    let events = to.taken.checked_sub(from.taken).filter(|events| *events > 0)? as f64;
    Some(Speed {
        events_per_second: events / (to.at - from.at).as_secs_f64(),
        cpu_micros: (to.cpu_seconds - from.cpu_seconds) * 1e6 / events,
    })
}
