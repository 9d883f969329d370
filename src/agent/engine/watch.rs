//! Looks now and then whether components start in time and get anything done.

use super::unit::{State, Unit};
use super::{Engine, Options, Running};
use crate::exit::StageError;
use crate::metrics::Count;
use crate::say;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(500);

/// How far the taker of a channel was, and since when.
struct Seen {
    taken: i128,
    since: Instant,
    said: bool,
}

/// Begin to look, until the engine stops.
pub(super) fn start(engine: &Engine) -> Result<(), StageError> {
    let (running, options, closing) = (
        engine.running.clone(),
        engine.options.clone(),
        engine.closing.clone(),
    );
    let thread = std::thread::Builder::new()
        .name("flume-watch".into())
        .stack_size(256 << 10);
    let watching = move || {
        let mut seen = BTreeMap::new();
        while !closing.sleep(LOOK) {
            look(&running, &options, &mut seen);
        }
    };
    thread
        .spawn(watching)
        .map(drop)
        .map_err(|error| StageError::Failed(format!("no thread can be started: {error}")))
}

fn look(running: &Mutex<Running>, options: &Options, seen: &mut BTreeMap<String, Seen>) {
    // Whoever reloads or stops has it, and knows.
    let Ok(running) = running.try_lock() else { return };
    for unit in running.sources.values().chain(running.takers.values()) {
        is_late(unit, options);
    }
    for unit in running.takers.values() {
        is_stalled(unit, options, seen);
    }
}

fn is_late(unit: &Unit, options: &Options) {
    let mut inner = unit.lock();
    if inner.state == State::Starting && inner.since.elapsed() >= options.lifecycle_timeout {
        inner.set(State::Failed);
        inner.error = Some("it did not start in time".into());
        drop(inner);
        let timeout = options.lifecycle_timeout.as_secs_f64();
        say::error(
            &unit.title(),
            format!("it has not started within {timeout} s (--lifecycle-timeout); the others go on"),
        );
    }
}

/// There is something in its channel, and nothing has left that for long.
fn is_stalled(unit: &Arc<Unit>, options: &Options, seen: &mut BTreeMap<String, Seen>) {
    let Some((channel, counters)) = unit.slots.first().and_then(|slot| slot.get()) else {
        return;
    };
    let fill = channel.fill().events;
    let taken = i128::from(counters.get(Count::EventPutSuccess)) - i128::from(fill);
    let now = Instant::now();
    let entry = seen.entry(unit.title()).or_insert(Seen {
        taken,
        since: now,
        said: false,
    });
    let is_idle = fill == 0 || unit.valve.is_closed();
    if is_idle || entry.taken != taken {
        if entry.said {
            say::info(&unit.title(), "it gets on again");
        }
        *entry = Seen {
            taken,
            since: now,
            said: false,
        };
    } else if !entry.said && entry.since.elapsed() >= options.stalled_after {
        entry.said = true;
        let seconds = entry.since.elapsed().as_secs();
        say::warn(
            &unit.title(),
            format!(
                "it is stalled: {fill} events wait in its channel, and none was delivered for {seconds} s"
            ),
        );
    }
}
