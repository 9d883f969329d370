//! Settling a batch that was taken.

use super::Inner;
use super::index::{ACCEPTED, WAITING};
use super::take::{self, Claimed};
use crate::ack::{Refusal, Settle};
use std::sync::Arc;

/// The obligation of a batch that was taken.
pub(super) struct Ticket {
    pub(super) inner: Arc<Inner>,
    pub(super) claimed: Claimed,
}

impl Settle for Ticket {
    fn accept(self: Box<Self>) {
        if self.inner.is_abandoned() {
            return;
        }
        if take::settle(&self.claimed, ACCEPTED) {
            self.inner.accepted(&self.claimed);
        } else {
            (self.inner.core.report)(&format!(
                "frame {} of segment {} in {} was given to another taker while this process was stopped; \
                 it is delivered twice",
                self.claimed.frame,
                self.claimed.number,
                self.inner.core.place.directory.display()
            ));
        }
        self.inner.released();
    }

    fn refuse(self: Box<Self>, _: Refusal) {
        if self.inner.is_abandoned() {
            return;
        }
        if take::settle(&self.claimed, WAITING) {
            self.inner.came_back();
        }
        self.inner.released();
    }
}
