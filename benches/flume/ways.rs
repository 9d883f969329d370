//! The ways in, beside the real Flume with the same file: messages of syslog, posts, and files that are followed or
//! spooled.

use crate::files::{post, poster};
use crate::measure::Run;
use crate::peer::Peer;
use crate::rolled::{rolled, taken};
use crate::server::{free_port, wait_listening};
use crate::syslog;
use crate::table::{self, Row};
use crate::watched::{Side, Speed, Watched, compared, through_memory, to_files};
use std::sync::atomic::{AtomicBool, Ordering};

const TITLE: &str = "Sources beside the real Flume 1.11, the same file";

/// Print the table. Without the real Flume that is a failure for who asked for this subject.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let peer = match Peer::find() {
        Ok(peer) => peer,
        Err(why) if bench.named("ways") => return Err(why),
        Err(why) => {
            let row = Row::new("sources beside the real Flume", "-").missing(&format!("{why:#}"));
            return table::print(TITLE, &[row]);
        }
    };
    let mut rows = Vec::new();
    let real = Side::Real(bench, &peer);
    let (ours, theirs) = (messages(bench, Side::Ours(bench))?, messages(bench, real)?);
    rows.extend(compared("syslogtcp, memory, file_roll", &ours, &theirs));
    let (ours, theirs) = (posts(Side::Ours(bench))?, posts(real)?);
    rows.extend(compared("http, posts of 100, memory, null", &ours, &theirs));
    // Not in capitals: DIR in it stands for a path.
    let taildir = "a1.sources.s.type = taildir\na1.sources.s.filegroups = f\na1.sources.s.filegroups.f = FILE\n\
                   a1.sources.s.positionFile = DIR/positions.json\na1.sources.s.batchSize = 1000\n";
    let spooldir =
        "a1.sources.s.type = spooldir\na1.sources.s.spoolDir = DIR/spool\na1.sources.s.batchSize = 1000\n";
    for (what, source) in [("taildir", taildir), ("spooldir", spooldir)] {
        rows.push(taken(bench, &peer, what, source)?);
        let (rate, copied) = rolled(bench, &peer, what, source)?;
        rows.extend([rate, copied]);
    }
    table::print(TITLE, &rows)
}

/// Messages over one connection to files: after a quarter of them, until all are taken.
fn messages(bench: &Run, side: Side) -> anyhow::Result<Speed> {
    let port = free_port()?;
    let properties = to_files(&through_memory(&format!(
        "a1.sources.s.type = syslogtcp\na1.sources.s.host = 127.0.0.1\na1.sources.s.port = {port}\n"
    )));
    let agent = Watched::start(&properties, side)?;
    wait_listening(port)?;
    let bytes = bench.size(512, 64) << 20;
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| syslog::send(port, bytes));
        let speed = agent.speed_of(bytes / syslog::MESSAGE as u64);
        sender.join().map_err(|_| anyhow::anyhow!("the sender died"))??;
        speed
    })
}

/// Posts from four connections for a while.
fn posts(side: Side) -> anyhow::Result<Speed> {
    let port = free_port()?;
    let properties = through_memory(&format!(
        "a1.sources.s.type = http\na1.sources.s.bind = 127.0.0.1\na1.sources.s.port = {port}\n"
    ));
    let agent = Watched::start(&properties, side)?;
    wait_listening(port)?;
    let (post, over) = (post(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let posters: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| poster(port, post.as_bytes(), || !over.load(Ordering::Relaxed))))
            .collect();
        let speed = agent.speed("http");
        over.store(true, Ordering::Relaxed);
        for poster in posters {
            poster.join().map_err(|_| anyhow::anyhow!("a poster died"))??;
        }
        speed
    })
}
