//! What processes do with a channel, and what the model is told of it.

use super::super::model::Fate;
use super::World;
use crate::ack::{Delivery, Refusal};
use crate::channel::file::put::lock;
use crate::channel::file::{LEASE, Role, Sync};
use crate::channel::{Channel, ChannelError, Taken};
use std::sync::atomic::Ordering;
use std::time::Instant;

impl World {
    pub(in super::super) fn put(&self, slot: usize, sizes: &[(u32, u32)]) {
        let Some((channel, life)) = self.channel(slot) else {
            return;
        };
        if channel.inner.role == Role::Take {
            return;
        }
        let (_, most) = self.model.borrow().bounds();
        let (put, batches) = self.model.borrow_mut().begin(life, sizes, self.disk.wall_ms());
        let outcome = channel.put(&batches);
        self.disk.say(format!("     put {put}: {outcome:?}"));
        match outcome {
            Ok(()) => self.model.borrow_mut().acknowledged(put),
            Err(error) => {
                let is_unwritten = error.to_string().starts_with("cannot write");
                let fate = if is_unwritten {
                    Fate::Unwritten
                } else {
                    Fate::Refused
                };
                self.model.borrow_mut().refused(put, fate);
                let more: u32 = sizes.iter().map(|(events, _)| events).sum();
                let is_full = self.setup.capacity > 0 && most + u64::from(more) > self.setup.capacity;
                let is_full = is_full || matches!(error, ChannelError::TooLarge(_));
                if !is_full && !self.is_disk_bad() && self.busy.borrow().len() <= 1 {
                    self.fail(format!("put {put} failed: {error}"));
                }
            }
        }
    }

    /// Nobody else did anything since that many operations, or is in the middle of something.
    pub(in super::super) fn is_alone_since(&self, operations: u64) -> bool {
        self.operations.get() == operations && self.busy.borrow().len() <= 1
    }

    pub(in super::super) fn take(&self, slot: usize) {
        let Some((channel, life)) = self.channel(slot) else {
            return;
        };
        if channel.inner.role == Role::Put {
            return;
        }
        let before = self.operations.get();
        let taken = channel.take(Some(Instant::now()));
        match taken {
            Ok(Taken::Delivery(delivery)) => {
                let is_reported = self.is_lossy.get();
                let mut model = self.model.borrow_mut();
                let number = model.delivered(life, &delivery.batch, is_reported);
                // What was in hand at a failed sync and came back stands behind the others.
                let is_moved = matches!(self.setup.sync, Sync::Every(_)) && self.disk.failed_syncs() > 0;
                if self.is_alone_since(before) && !is_moved {
                    model.check_order(number);
                }
                if self.disk.faults() == 0 {
                    model.check_age(number, self.disk.wall_ms());
                }
                model.holds(life, number);
                drop(model);
                self.disk.say(format!("     life {life} got batch {number}"));
                if let Some(actor) = &mut self.actors.borrow_mut()[slot] {
                    // What it has slept over and got again is settled by this one only.
                    actor.held.retain(|(other, _)| *other != number);
                    actor.held.push((number, delivery));
                }
            }
            Ok(_) => {}
            // It may have taken over what it could not read, and given it back.
            Err(_) if self.is_disk_bad() => self.model.borrow_mut().came_back(),
            Err(error) => self.fail(format!("take failed: {error}")),
        }
    }

    /// One that it holds.
    pub(in super::super) fn pick(&self, slot: usize, which: usize) -> Option<(u32, usize, Delivery)> {
        self.wake(slot);
        let mut actors = self.actors.borrow_mut();
        let actor = actors[slot].as_mut()?;
        let which = which.checked_rem(actor.held.len())?;
        let (number, delivery) = actor.held.remove(which);
        Some((actor.life, number, delivery))
    }

    pub(in super::super) fn accept(&self, slot: usize, which: usize) {
        let Some((life, number, delivery)) = self.pick(slot, which) else {
            return;
        };
        let before = lock(&self.reports).len();
        self.model.borrow_mut().accepts(life, number);
        delivery.accept();
        let reports = lock(&self.reports);
        if reports.len() == before {
            self.model.borrow_mut().accepted(life, number);
        } else if reports[before..]
            .iter()
            .any(|text| text.contains("was given to another taker"))
        {
            self.model.borrow_mut().too_late(life, number);
        }
    }

    pub(in super::super) fn refuse(&self, slot: usize, which: usize) {
        if let Some((life, number, delivery)) = self.pick(slot, which) {
            self.model.borrow_mut().refuses(life, number);
            delivery.refuse(Refusal::retry("no"));
        }
    }

    /// What its threads do now and then.
    pub(in super::super) fn keep(&self, slot: usize) {
        self.wake(slot);
        let Some((channel, life)) = self.actors.borrow()[slot]
            .as_ref()
            .map(|actor| (actor.channel.clone(), actor.life))
        else {
            return;
        };
        let before = lock(&self.reports).len();
        channel.inner.keep();
        let is_good = lock(&self.reports).len() == before && !channel.inner.log_failed.load(Ordering::SeqCst);
        if is_good {
            self.model.borrow_mut().kept(life);
        }
    }

    /// Take and accept what there is, with a look after the log now and then.
    pub(in super::super) fn empty(&self, slot: usize) {
        for round in 0..60 {
            self.take(slot);
            let is_empty = self.actors.borrow()[slot]
                .as_ref()
                .is_none_or(|actor| actor.held.is_empty());
            if is_empty {
                return;
            }
            self.accept(slot, 0);
            if round % 3 == 2 {
                self.keep(slot);
            }
        }
    }

    pub(in super::super) fn ask_drained(&self, slot: usize) {
        let Some((channel, _)) = self.channel(slot) else {
            return;
        };
        let before = self.operations.get();
        let is_drained = channel.inner.role != Role::Put && Channel::is_drained(&*channel);
        if is_drained && self.is_alone_since(before) {
            self.model.borrow_mut().said_drained();
        }
    }

    /// It sleeps over its lease; the others do not.
    pub(in super::super) fn stop(&self, slot: usize) {
        self.wake(slot);
        if let Some(actor) = &mut self.actors.borrow_mut()[slot] {
            actor.stopped = true;
            self.model.borrow_mut().overslept(actor.life);
        }
        for _ in 0..12 {
            self.pass(LEASE / 4);
        }
    }
}
