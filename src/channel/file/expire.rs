//! Dropping what is older than it may be, where that was asked for: counted, and said.
//!
//! A taker drops what it meets. A putter that finds no room drops what it can, since perhaps nobody takes.
//! A frame that is dropped is accepted like any other, so that it never comes again.

use super::core::Core;
use super::index::{ACCEPTED, Claim};
use super::put::lock;
use super::registry::Registry;
use super::rigged::{Bug, planted};
use super::segment;
use super::take::{self, Claimed};
use super::{Config, Inner};
use crate::channel::ChannelError;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What was dropped is said once in so long.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Frames that a putter drops before it looks again whether there is room.
const AT_ONCE: usize = 1024;

/// What this process has dropped.
#[derive(Default)]
pub struct Expired {
    events: AtomicU64,
    batches: AtomicU64,
    said: Mutex<(u64, Option<Instant>)>,
}

/// What was put at this time is too old. What was put nobody knows when is not.
pub fn is_too_old(core: &Core, created: u64, since: u32) -> bool {
    let since = match planted(Bug::FrameAsOldAsItsSegment) {
        false => since,
        true => 0,
    };
    let age = segment::age(core.disk.clock_ms(), created, since);
    let most = core.config.max_age.map(|most| most.as_millis());
    most.zip(age).is_some_and(|(most, age)| u128::from(age) > most)
}

impl Inner {
    /// Drop a frame that is ours.
    pub fn expire(&self, claimed: &Claimed) {
        if take::settle(claimed, ACCEPTED) {
            self.expired
                .events
                .fetch_add(claimed.amount.events, Ordering::SeqCst);
            self.expired.batches.fetch_add(1, Ordering::SeqCst);
            self.accepted(claimed);
        }
    }

    /// Drop some of what is too old, for a put that finds no room; false if there is none.
    pub fn expire_some(&self) -> Result<bool, ChannelError> {
        if self.core.config.max_age.is_none() {
            return Ok(false);
        }
        let all = claim_old(&self.core, &mut lock(&self.registry))?;
        all.iter().for_each(|claimed| self.expire(claimed));
        Ok(!all.is_empty())
    }

    /// Events that this process has dropped.
    pub fn expired(&self) -> u64 {
        self.expired.events.load(Ordering::SeqCst)
    }

    /// Something was dropped and not said.
    pub fn has_to_say(&self) -> bool {
        lock(&self.expired.said).0 < self.expired()
    }

    /// Say what was dropped, if that is new; not more often than now and then unless this is the `last` word.
    pub fn say_expired(&self, last: bool) {
        let mut said = lock(&self.expired.said);
        let events = self.expired();
        let is_early = said.1.is_some_and(|at| at.elapsed() < SAY_EVERY);
        if said.0 == events || is_early && !last {
            return;
        }
        *said = (events, Some(Instant::now()));
        let batches = self.expired.batches.load(Ordering::SeqCst);
        let Config {
            directory, max_age, ..
        } = &self.core.config;
        (self.core.report)(&format!(
            "{}: dropped {events} events in {batches} batches so far: they were older than {} s",
            directory.display(),
            max_age.unwrap_or_default().as_secs_f64()
        ));
    }
}

/// Claim waiting frames that are too old. Those of one segment were put in their order: the first that is
/// young ends it.
fn claim_old(core: &Core, registry: &mut Registry) -> Result<Vec<Claimed>, ChannelError> {
    registry.refresh(core)?;
    let mut all = Vec::new();
    let numbers: Vec<u64> = registry.known.keys().copied().collect();
    for number in numbers {
        let Some(opened) = registry.open(core, number)? else {
            continue;
        };
        let created = opened.created(number);
        if !is_too_old(core, created, 0) {
            continue;
        }
        let index = &opened.index;
        for frame in index.first()..index.committed() {
            if all.len() >= AT_ONCE {
                return Ok(all);
            }
            let old = index.claim(frame).load(Ordering::SeqCst);
            if Claim::of(old) != Claim::Waiting {
                continue;
            }
            let header = segment::header_of(&*opened.file, number, index.entry(frame));
            // One that cannot be read is for a taker to report.
            if !header.is_ok_and(|header| is_too_old(core, created, header.since)) {
                break;
            }
            all.extend(take::claim_frame(core, number, &opened, frame, old));
        }
    }
    Ok(all)
}
