//! One promise for what goes several ways: it is settled when all of them are.

use crate::ack::{Outcome, Promise, Refusal};
use std::sync::{Arc, Mutex};

/// What was said of one batch so far.
pub(crate) struct Verdict {
    open: usize,
    refusal: Option<Refusal>,
    is_lost: bool,
    promise: Option<Promise>,
}

impl Verdict {
    /// Accepted when all of so many parts are; refused if one is, and lost if nothing is known of one.
    pub fn of(parts: usize, promise: Promise) -> Arc<Mutex<Verdict>> {
        Arc::new(Mutex::new(Verdict {
            open: parts,
            refusal: None,
            is_lost: false,
            promise: Some(promise),
        }))
    }

    /// The promise of a part.
    pub fn part(verdict: &Arc<Mutex<Verdict>>) -> Promise {
        let heard = verdict.clone();
        Promise::hook(move |outcome| Verdict::hear(&heard, outcome))
    }

    fn hear(verdict: &Mutex<Verdict>, outcome: Outcome) {
        let mut own = verdict.lock().unwrap_or_else(|p| p.into_inner());
        own.open -= 1;
        match outcome {
            Outcome::Accepted => {}
            Outcome::Refused(refusal) => own.refusal = Some(refusal),
            Outcome::Lost => own.is_lost = true,
        }
        if own.open > 0 {
            return;
        }
        let Some(promise) = own.promise.take() else { return };
        let outcome = match own.refusal.take() {
            Some(refusal) => Outcome::Refused(refusal),
            None if own.is_lost => Outcome::Lost,
            None => Outcome::Accepted,
        };
        drop(own);
        promise.settle(outcome);
    }
}
