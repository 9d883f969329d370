//! What a flow shows of itself while it runs.

use crate::channel::Channel;
use crate::link::Outlet;
use crate::metrics::{Count, Counters, Kind};
use std::sync::{Arc, Mutex};
/// What a flow shows while it runs: counters of its components, and the outlet they wait for.
#[derive(Default, Clone)]
pub struct Board(Arc<Mutex<Shown>>);

#[derive(Default)]
pub(super) struct Shown {
    pub counters: Vec<Arc<Counters>>,
    pub channels: Vec<(Arc<dyn Channel>, Arc<Counters>)>,
    pub outlet: Option<Arc<dyn Outlet>>,
}

impl Board {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn counters(&self, kind: Kind, name: &str) -> Arc<Counters> {
        let counters = Arc::new(Counters::new(kind, name));
        self.lock().counters.push(counters.clone());
        counters
    }

    /// Counters for a tool that is no component.
    pub fn add(&self, kind: Kind, name: &str) -> Arc<Counters> {
        self.counters(kind, name)
    }

    /// Show what is unsettled on this outlet.
    pub fn watch(&self, outlet: Arc<dyn Outlet>) {
        self.lock().outlet = Some(outlet);
    }

    /// All counters so far. How full a channel is, is looked at now.
    pub fn all(&self) -> Vec<Arc<Counters>> {
        let shown = self.lock();
        for (channel, counters) in &shown.channels {
            let fill = channel.fill();
            counters.set(Count::ChannelSize, fill.events);
            counters.set(Count::ChannelCapacity, fill.capacity);
            counters.set(Count::Expired, channel.expired());
        }
        shown.counters.clone()
    }

    /// Look at the channels for the last time and let them close: whoever else shows the board, such as the
    /// thread that waits for signals, lives as long as the process.
    pub(super) fn let_go(&self) {
        self.all();
        let channels = std::mem::take(&mut self.lock().channels);
        // Not under the lock: a channel that closes may wait for its disk.
        drop(channels);
    }

    /// What is under way and unaccepted.
    pub fn unsettled(&self) -> crate::link::Unsettled {
        let outlet = self.lock().outlet.clone();
        outlet.map(|outlet| outlet.unsettled()).unwrap_or_default()
    }
}
