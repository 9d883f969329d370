//! A batch that is larger than a transaction, put by somebody who was told another capacity: it is handed out
//! in parts, and its frame is settled when all of them are. One part that is refused brings the whole again.
//! The parts have no origin: with the same one, who remembers origins would take them for one batch.

use super::put::lock;
use crate::ack::{Delivery, Refusal, Settle};
use crate::channel::split;
use crate::event::Batch;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Parts that wait for the next takes.
#[derive(Default)]
pub struct Parts {
    waiting: Mutex<VecDeque<Delivery>>,
}

struct Whole {
    left: usize,
    refusal: Option<Refusal>,
    ticket: Option<Box<dyn Settle>>,
}

struct Part(Arc<Mutex<Whole>>);

impl Parts {
    /// The next part of a batch that was begun.
    pub fn next(&self) -> Option<Delivery> {
        lock(&self.waiting).pop_front()
    }

    /// The first part of at most `most` events; the others wait.
    pub fn first(&self, batch: Batch, most: u64, ticket: impl Settle + 'static) -> Delivery {
        let parts = parts_of(&batch, most);
        if parts.len() < 2 {
            return Delivery::new(batch, ticket);
        }
        let whole = Arc::new(Mutex::new(Whole {
            left: parts.len(),
            refusal: None,
            ticket: Some(Box::new(ticket)),
        }));
        let mut deliveries = parts
            .into_iter()
            .map(|part| Delivery::new(part, Part(whole.clone())));
        let first = deliveries.next();
        lock(&self.waiting).extend(deliveries);
        first.unwrap_or_else(|| Delivery::unowed(Batch::default()))
    }
}

/// A batch in parts of at most `most` events, 0 without a bound. One that cannot be walked stays whole: what
/// is behind a bad event in it must not be lost.
pub fn parts_of(batch: &Batch, most: u64) -> Vec<Batch> {
    if most == 0 || u64::from(batch.len()) <= most {
        return vec![batch.clone()];
    }
    let parts = split(batch, most);
    let events: u64 = parts.iter().map(|part| u64::from(part.len())).sum();
    match events == u64::from(batch.len()) {
        true => parts,
        false => vec![batch.clone()],
    }
}

impl Part {
    fn settle(self, refusal: Option<Refusal>) {
        let mut whole = lock(&self.0);
        whole.left -= 1;
        if let Some(refusal) = refusal {
            whole.refusal.get_or_insert(refusal);
        }
        if whole.left > 0 {
            return;
        }
        let (ticket, refusal) = (whole.ticket.take(), whole.refusal.take());
        drop(whole);
        match (ticket, refusal) {
            (Some(ticket), Some(refusal)) => ticket.refuse(refusal),
            (Some(ticket), None) => ticket.accept(),
            (None, _) => {}
        }
    }
}

impl Settle for Part {
    fn accept(self: Box<Self>) {
        self.settle(None);
    }

    fn refuse(self: Box<Self>, refusal: Refusal) {
        self.settle(Some(refusal));
    }
}
