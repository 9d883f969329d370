//! An outlet to several branches: a selector says which of them get an event.
//!
//! A batch is accepted when every branch that has to take a part of it has accepted that. A branch that refuses
//! its part for now is sent it again by itself, so nothing comes twice to the others, and the pressure of the
//! slowest reaches the source. What a branch is free to lose goes there once: if it is not taken, it is counted
//! as refused and reported, and holds up nobody.

#[cfg(test)]
mod model;
mod optional;
#[cfg(test)]
mod tests;

use self::optional::Optional;
use super::selector::Part;
use super::{ChannelSelector, Split};
use crate::ack::{Outcome, Promise, Refusal};
use crate::event::Batch;
use crate::link::resend::Resend;
use crate::link::together::Verdict;
use crate::link::{Outlet, SendError, Unsettled, Window};
use crate::metrics::{Count, Counters};
use crate::say;
use crate::stop::Stop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// One way that events can go.
pub struct Branch {
    /// The name of the channel, or of what else stands there.
    pub name: String,
    /// Where they go.
    pub outlet: Arc<dyn Outlet>,
    /// Where those go that it is free to lose, if not there as well: such a one tries once.
    pub once: Option<Arc<dyn Outlet>>,
}

impl Branch {
    /// A branch with this name.
    pub fn new(name: impl Into<String>, outlet: Arc<dyn Outlet>) -> Branch {
        Branch {
            name: name.into(),
            outlet,
            once: None,
        }
    }
}

/// A branch as it is used.
struct Way {
    /// Sends again what is refused for now.
    required: Resend,
    optional: Arc<Optional>,
    /// Optional events go over the outlet of the others.
    is_shared: bool,
    /// It gets nothing, or has got nothing yet, that it has to take.
    is_free: AtomicBool,
}

struct Cutter {
    selector: Box<dyn ChannelSelector>,
    parts: Vec<Part>,
}

/// See the module.
pub struct FanOut {
    name: String,
    cutter: Mutex<Cutter>,
    ways: Vec<Way>,
    counters: Arc<Counters>,
    /// That events go nowhere was said.
    said: AtomicBool,
}

impl FanOut {
    /// To the branches, whose names the selector is bound to. What nobody takes is counted by `counters`, those
    /// of the source. `window` bounds what a branch may have unsettled of what it is free to lose.
    ///
    /// Errors: what the selector says of its settings.
    pub fn to(
        branches: Vec<Branch>,
        mut selector: Box<dyn ChannelSelector>,
        counters: Arc<Counters>,
        window: Window,
        stop: &Stop,
    ) -> Result<FanOut, String> {
        let names: Vec<_> = branches.iter().map(|branch| branch.name.clone()).collect();
        selector.bind(&names)?;
        Ok(FanOut::bound(branches, selector, counters, window, stop))
    }

    /// The same with a selector that was bound to these branches.
    pub fn bound(
        branches: Vec<Branch>,
        selector: Box<dyn ChannelSelector>,
        counters: Arc<Counters>,
        window: Window,
        stop: &Stop,
    ) -> FanOut {
        let free = selector.optional();
        let way = |(at, branch): (usize, Branch)| {
            let is_shared = branch.once.is_none();
            let once = branch.once.unwrap_or_else(|| branch.outlet.clone());
            Way {
                required: Resend::over(branch.outlet, &branch.name, stop),
                optional: Optional::new(branch.name, once, window, counters.clone(), stop),
                is_shared,
                is_free: AtomicBool::new(free.contains(&at)),
            }
        };
        let ways: Vec<_> = branches.into_iter().enumerate().map(way).collect();
        FanOut {
            cutter: Mutex::new(Cutter {
                selector,
                parts: std::iter::repeat_with(Part::default)
                    .take(2 * ways.len())
                    .collect(),
            }),
            ways,
            name: counters.name().to_string(),
            counters,
            said: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cutter> {
        self.cutter
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What each branch gets, those first that have to take it, which have the numbers of the branches.
    fn cut(&self, batch: &Batch) -> Result<Vec<(usize, Batch)>, Refusal> {
        let mut cutter = self.lock();
        let Cutter { selector, parts } = &mut *cutter;
        let mut split = Split::of(batch, parts);
        let selected = selector.select_batch(&mut split);
        let dropped = split.finish();
        let taken = parts.iter_mut().enumerate();
        let taken = taken
            .filter_map(|(at, part)| Some((at, part.take(batch)?)))
            .collect();
        drop(cutter);
        selected
            .map_err(|error| Refusal::reject(format!("the batch holds bytes that are no events: {error}")))?;
        if dropped > 0 {
            self.drop_events(dropped);
        }
        Ok(taken)
    }

    /// Events that the selector has no channel for.
    fn drop_events(&self, count: u32) {
        self.counters.add(Count::Filtered, u64::from(count));
        if !self.said.swap(true, Ordering::Relaxed) {
            say::warn(
                &self.name,
                "the selector has no channel for an event and none by default: such events are dropped and \
                 counted as EventFilteredCount",
            );
        }
    }

    fn each(&self, what: impl Fn(&Resend) -> Result<(), SendError>) -> Result<(), SendError> {
        self.ways.iter().try_for_each(|way| what(&way.required))
    }
}

impl Outlet for FanOut {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let parts = match self.cut(&batch) {
            Ok(parts) => parts,
            Err(refusal) => {
                promise.settle(Outcome::Refused(refusal));
                return Ok(());
            }
        };
        let branches = self.ways.len();
        let required = parts.iter().take_while(|(at, _)| *at < branches).count();
        let (mut whole, mut several) = match required {
            0 | 1 => (Some(promise), None),
            parts => (None, Some(Verdict::of(parts, promise))),
        };
        for (at, part) in parts {
            let Some(way) = self.ways.get(at) else {
                self.ways[at - branches].optional.send(part);
                continue;
            };
            way.is_free.store(false, Ordering::Relaxed);
            let promise = whole.take().or_else(|| several.as_ref().map(Verdict::part));
            let Some(promise) = promise else { continue };
            way.required.send_promised(part, promise)?;
        }
        several.take();
        // No branch has to take any of it.
        if let Some(promise) = whole {
            promise.settle(Outcome::Accepted);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        self.ways.iter().for_each(|way| way.optional.flush());
        self.each(|outlet| outlet.flush())
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.ways.iter().for_each(|way| way.optional.ask_flush());
        self.each(|outlet| outlet.ask_flush())
    }

    fn break_off(&self) {
        self.ways.iter().for_each(|way| way.required.break_off());
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        // All of them are asked before one is waited for.
        let _ = self.ask_flush();
        let mut result = Ok(());
        for way in &self.ways {
            let is_free = way.is_free.load(Ordering::Relaxed);
            if !(is_free && way.is_shared) {
                result = result.and(way.required.finish(deadline));
            }
            if is_free || !way.is_shared {
                way.optional.finish(deadline);
            }
        }
        result
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        let then: Arc<dyn Fn() + Send + Sync> = then.into();
        for way in &self.ways {
            let then = then.clone();
            way.required.on_settled(Box::new(move || then()));
        }
    }

    fn unsettled(&self) -> Unsettled {
        let all = self.ways.iter().map(|way| way.required.unsettled());
        all.fold(Unsettled::default(), |sum, one| Unsettled {
            events: sum.events + one.events,
            bytes: sum.bytes + one.bytes,
            oldest: sum.oldest.max(one.oldest),
        })
    }

    fn why_closed(&self) -> Option<String> {
        self.ways.iter().find_map(|way| way.required.why_closed())
    }
}
