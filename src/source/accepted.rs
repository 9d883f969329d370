//! Up to where an input was accepted: what a source that knows a position may say of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Up to where an input was accepted, without a gap: batches may be accepted in any order, and one that was
/// refused for now comes last. A clone is the same place.
#[derive(Clone, Default)]
pub struct Accepted(Arc<Mutex<Reached>>);

#[derive(Default)]
struct Reached {
    position: u64,
    /// Accepted parts behind a gap: where each begins and ends.
    ahead: BTreeMap<u64, u64>,
}

impl Accepted {
    /// Everything before this was accepted earlier.
    pub fn from(position: u64) -> Self {
        Accepted(Arc::new(Mutex::new(Reached {
            position,
            ahead: BTreeMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Everything before this is accepted.
    pub fn position(&self) -> u64 {
        self.lock().position
    }

    /// A part was accepted.
    pub fn add(&self, from: u64, to: u64) {
        let mut reached = self.lock();
        let reached = &mut *reached;
        if from > reached.position {
            let end = reached.ahead.entry(from).or_insert(to);
            *end = to.max(*end);
            return;
        }
        reached.position = reached.position.max(to);
        while let Some(first) = reached.ahead.first_entry()
            && *first.key() <= reached.position
        {
            reached.position = reached.position.max(first.remove());
        }
    }
}
