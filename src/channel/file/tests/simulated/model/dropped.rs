//! What may be gone because it was too old or skipped, and what may come again because it was rewound or repaired.

use super::{Model, Place};
use std::collections::BTreeMap;

/// What the clock of the wall may go forward while somebody does something.
const SLACK_MS: u64 = 60_000;

impl Model {
    /// Somebody looks at the channel at this time: what is too old now may be dropped.
    pub fn looks_at(&mut self, now_ms: u64) {
        let Some(most) = self.max_age_ms else { return };
        for stored in &mut self.batches {
            let at_ms = self.puts[stored.put].at_ms;
            stored.may_be_dropped |= now_ms + SLACK_MS > at_ms + most;
        }
    }

    /// The clock of the wall was set back.
    pub fn set_back(&mut self) {
        self.was_set_back = true;
    }

    /// What comes is not too old, as far as that can be known.
    pub fn check_age(&mut self, number: usize, now_ms: u64) {
        let at_ms = self.batches.get(number).map(|stored| self.puts[stored.put].at_ms);
        if let (Some(at_ms), Some(most)) = (at_ms, self.max_age_ms)
            && !self.was_set_back
            && now_ms > at_ms + most + SLACK_MS
        {
            self.fail(format!(
                "batch {number} came, though it is {} ms old",
                now_ms - at_ms
            ));
        }
    }

    /// One of the positions that were seen, by its place in their order.
    pub fn position(&self, which: usize) -> Option<u64> {
        self.origins.keys().nth(which).copied()
    }

    /// From here on anything that waits may be skipped.
    pub fn begins_to_skip(&mut self) {
        self.before_skip = self.batches.iter().map(|stored| stored.may_be_dropped).collect();
        self.batches
            .iter_mut()
            .for_each(|stored| stored.may_be_dropped = true);
    }

    /// What stands below this position does not come any more; all of it, if no position is given.
    pub fn skipped(&mut self, below: Option<u64>) {
        let positions: BTreeMap<_, _> = self.origins.iter().map(|(at, number)| (*number, *at)).collect();
        for (number, stored) in self.batches.iter_mut().enumerate() {
            let is_below = match (below, positions.get(&number)) {
                (None, _) => true,
                (Some(below), Some(at)) => *at < below,
                // It may stand below, too.
                (Some(_), None) => continue,
            };
            if is_below {
                stored.place = Place::Gone;
            }
            stored.may_be_dropped = self.before_skip.get(number) == Some(&true);
        }
    }

    /// What was accepted at or behind this position may come again.
    pub fn rewinds(&mut self, from: u64) {
        for (_, number) in self.origins.range(from..) {
            let place = &mut self.batches[*number].place;
            if matches!(place, Place::Accepted(_) | Place::Gone) {
                *place = Place::Loose;
            }
        }
    }

    /// From here on anything that waits may stand at two places.
    pub fn begins_to_mend(&mut self) {
        self.before_mend = self.stored_twice.clone();
        let all = 0..self.batches.len();
        let more: Vec<_> = all.filter(|number| !self.is_over(*number)).collect();
        self.stored_twice.extend(more);
        self.is_moved = true;
    }

    fn is_over(&self, number: usize) -> bool {
        matches!(self.batches[number].place, Place::Accepted(_) | Place::Gone)
    }

    /// A segment was called damaged that is not.
    pub fn has_mended(&self) -> bool {
        self.is_moved
    }

    /// Everything stands at one place again, but for what did not before.
    pub fn mended(&mut self) {
        self.stored_twice = std::mem::take(&mut self.before_mend);
    }
}
