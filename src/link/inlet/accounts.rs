//! What of a stream is settled, and telling its writer.

use crate::ack::{Class, Refusal, Settle};
use crate::fd;
use crate::stop::Stop;
use crate::wire::{self, Kind, Refuse};
use std::collections::{BTreeSet, VecDeque};
use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};

/// Which batches of a stream are settled, and what the writer was told of it.
#[derive(Default)]
pub(super) struct Accounts {
    /// Everything up to here is settled.
    pub(super) up_to: u64,
    /// Accepted or refused beyond a batch that is not.
    pub(super) beyond: BTreeSet<u64>,
    /// The last cumulative acceptance that was sent.
    pub(super) told: u64,
    pub(super) refused: VecDeque<(u64, Refusal)>,
    pub(super) socket: Option<Arc<OwnedFd>>,
    /// Bounds a wait for a writer that does not read.
    pub(super) stop: Option<Stop>,
    /// The end of the stream was read.
    pub(super) ended: bool,
    pub(super) failed: bool,
}

/// Accounts that the deliveries of one stream share with their inlet.
pub(super) type Shared = Arc<Mutex<Accounts>>;

/// The accounts of all streams of one input: the current one, and before it those that still owe.
#[derive(Clone, Default)]
pub(super) struct AllAccounts(Arc<Mutex<Vec<Shared>>>);

impl AllAccounts {
    pub(super) fn begin(&self, current: &Shared) {
        let mut all = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        all.push(current.clone());
    }

    pub(super) fn tell(&self) {
        let mut all = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let last = all.len().saturating_sub(1);
        let mut index = 0;
        all.retain(|shared| {
            // Each unsettled delivery holds on to its accounts: what only this list knows owes nothing.
            let owes = index == last || Arc::strong_count(shared) > 1;
            index += 1;
            lock(shared).tell();
            owes
        });
    }
}

pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, Accounts> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Accounts {
    pub(super) fn settle(&mut self, sequence: u64) {
        if sequence != self.up_to + 1 {
            self.beyond.insert(sequence);
            return;
        }
        self.up_to = sequence;
        while self.beyond.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
    }

    /// Tell the writer what is new: refusals first, so that the acceptance may count over them. After a
    /// failure never again: an acceptance would count over what was not told.
    pub(super) fn tell(&mut self) {
        if self.failed {
            return;
        }
        let Some(socket) = self.socket.clone() else {
            self.told = self.up_to;
            self.refused.clear();
            return;
        };
        let mut bytes = Vec::new();
        for (sequence, refusal) in self.refused.drain(..) {
            let class = match refusal.class {
                Class::Retry => "retry",
                Class::Reject => "reject",
            };
            let refuse = Refuse {
                class: class.into(),
                reason: refusal.reason,
            };
            bytes.extend_from_slice(&wire::encode_json(Kind::Refuse, sequence, &refuse));
        }
        if self.up_to > self.told {
            self.told = self.up_to;
            bytes.extend_from_slice(&wire::accept_frame(self.up_to));
        }
        let mut parts = [IoSlice::new(&bytes)];
        let told = match &self.stop {
            Some(stop) => stop.write_all(socket.as_fd(), &mut parts, &[]),
            None => fd::write_all(socket.as_fd(), &mut parts, &[]),
        };
        self.failed |= told.is_err();
    }
}

/// Where a batch of a seekable input begins.
pub(super) struct Begin {
    pub(super) shared: Shared,
    pub(super) sequence: u64,
    pub(super) at: u64,
}

impl Begin {
    pub(super) fn is_settled(&self) -> bool {
        self.sequence <= lock(&self.shared).up_to
    }
}

pub(super) struct Ticket {
    pub(super) shared: Shared,
    pub(super) sequence: u64,
}

impl Settle for Ticket {
    fn accept(self: Box<Self>) {
        lock(&self.shared).settle(self.sequence);
    }

    fn refuse(self: Box<Self>, refusal: Refusal) {
        let mut accounts = lock(&self.shared);
        // In a file that nobody answers for, what was not taken stays where it is for the next reader.
        if accounts.socket.is_some() {
            accounts.refused.push_back((self.sequence, refusal));
            accounts.settle(self.sequence);
        }
    }
}
