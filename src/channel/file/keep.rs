//! What a process does now and then while it has a channel open: it syncs, logs acceptances, renews its lease.

use super::clerk::Desk;
use super::put::lock;
use super::rigged::{Bug, planted};
use super::{Inner, LOG_EVERY, Sync, place};
use crate::channel::ChannelError;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

impl Inner {
    pub(super) fn start(this: &Arc<Inner>, lease: Duration) -> Result<(), ChannelError> {
        let told = |error: std::io::Error| ChannelError::Failed(format!("cannot start a thread: {error}"));
        let period = match this.core.config.sync {
            Sync::Every(period) => period.min(LOG_EVERY),
            _ => LOG_EVERY,
        };
        let (one, other) = (Arc::downgrade(this), Arc::downgrade(this));
        let work = move || on(&other, Inner::keep);
        let look = move || desk(&one, Inner::has_to_keep);
        this.keeper
            .start("channel log", period, look, work)
            .map_err(told)?;
        let (one, other) = (Arc::downgrade(this), Arc::downgrade(this));
        let work = move || on(&other, |inner| inner.core.table.renew());
        let look = move || desk(&one, |inner| inner.outstanding.load(Ordering::SeqCst) > 0);
        // Not the same thread: a slow disk must not make us look dead.
        this.lessee
            .start("channel lease", lease / 5, look, work)
            .map_err(told)
    }

    pub(super) fn has_to_keep(&self) -> bool {
        let syncs = matches!(self.core.config.sync, Sync::Every(_));
        self.removed.load(Ordering::SeqCst)
            || !lock(&self.touched).is_empty()
            || self.has_to_say()
            || syncs && self.putter.has_unsynced()
    }

    /// What is done each 100 ms while there is something to do.
    pub(super) fn keep(&self) {
        self.say_expired(false);
        if matches!(self.core.config.sync, Sync::Every(_)) && !planted(Bug::IntervalNotSynced) {
            self.putter.sync(&self.core);
            self.put_again(false);
        }
        match self.log_takes() {
            Ok(()) => self.log_failed.store(false, Ordering::SeqCst),
            Err(error) if !self.log_failed.swap(true, Ordering::SeqCst) => {
                (self.core.report)(&format!("{error}; acceptances are noted when it works again"));
            }
            Err(_) => {}
        }
    }

    pub(super) fn log_takes(&self) -> Result<(), ChannelError> {
        let told = |error| place::failed("note acceptances in", &self.core.place.acceptances(), &error);
        let touched = std::mem::take(&mut *lock(&self.touched));
        if !touched.is_empty()
            && let Err(error) = self.log.note(&self.core, &touched)
        {
            lock(&self.touched).extend(touched);
            return Err(told(error));
        }
        if self.removed.swap(false, Ordering::SeqCst) && !planted(Bug::RemovalNotSynced) {
            let synced = self.core.sync_data_dirs();
            synced
                .inspect_err(|_| self.removed.store(true, Ordering::SeqCst))
                .map_err(told)?;
        }
        Ok(())
    }
}

fn desk(inner: &Weak<Inner>, is_busy: impl Fn(&Inner) -> bool) -> Desk {
    match inner.upgrade() {
        None => Desk::Closed,
        Some(inner) if is_busy(&inner) => Desk::Busy,
        Some(_) => Desk::Idle,
    }
}

fn on(inner: &Weak<Inner>, work: impl Fn(&Inner)) {
    if let Some(inner) = inner.upgrade() {
        work(&inner);
    }
}
