//! What a flow shows of itself while it runs.

use crate::channel::Channel;
use crate::link::{Outlet, Unsettled};
use crate::metrics::{Count, Counters, Kind};
use std::sync::{Arc, Mutex, Weak};

/// Counters, and the channel whose they are, if they are an open one's.
pub type Counted = (Arc<Counters>, Option<Arc<dyn Channel>>);

/// What a flow shows while it runs: counters of its components, and the outlet they wait for.
#[derive(Default, Clone)]
pub struct Board(Arc<Mutex<Shown>>);

#[derive(Default)]
pub(crate) struct Shown {
    pub counters: Vec<Arc<Counters>>,
    pub channels: Vec<(Arc<dyn Channel>, Arc<Counters>)>,
    pub outlet: Option<Arc<dyn Outlet>>,
    /// Where components have names of their own: all outlets, as long as somebody else has them.
    pub outlets: Vec<Weak<dyn Outlet>>,
    /// Components have names of their own, and one that starts again takes its place.
    pub is_named: bool,
}

impl Shown {
    fn place(&self, kind: Kind, name: &str) -> Option<usize> {
        if !self.is_named {
            return None;
        }
        let is_it = |counters: &Arc<Counters>| counters.kind() == kind && counters.name() == name;
        self.counters.iter().position(is_it)
    }
}

impl Board {
    /// For components whose names are their own: the counters of one that starts again take the place of the old.
    pub fn named() -> Board {
        let board = Board::default();
        board.lock().is_named = true;
        board
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// New counters, all zero; those of a component with this name that ran before are shown no more.
    pub(crate) fn counters(&self, kind: Kind, name: &str) -> Arc<Counters> {
        let counters = Arc::new(Counters::new(kind, name));
        let mut shown = self.lock();
        match shown.place(kind, name) {
            Some(index) => shown.counters[index] = counters.clone(),
            None => shown.counters.push(counters.clone()),
        }
        counters
    }

    /// A channel and its counters.
    pub(crate) fn channel(&self, channel: &Arc<dyn Channel>, counters: &Arc<Counters>) {
        let mut shown = self.lock();
        shown
            .channels
            .retain(|(_, other)| other.name() != counters.name());
        shown.channels.push((channel.clone(), counters.clone()));
    }

    /// The component is there no more.
    pub(crate) fn forget(&self, kind: Kind, name: &str) {
        let mut shown = self.lock();
        if let Some(index) = shown.place(kind, name) {
            shown.counters.remove(index);
        }
        if kind == Kind::Channel {
            shown.channels.retain(|(_, counters)| counters.name() != name);
        }
    }

    /// Counters for a tool that is no component.
    pub fn add(&self, kind: Kind, name: &str) -> Arc<Counters> {
        self.counters(kind, name)
    }

    /// Show what is unsettled on this outlet.
    pub fn watch(&self, outlet: Arc<dyn Outlet>) {
        let mut shown = self.lock();
        match shown.is_named {
            false => shown.outlet = Some(outlet),
            true => {
                shown.outlets.retain(|other| other.strong_count() > 0);
                shown.outlets.push(Arc::downgrade(&outlet));
            }
        }
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
    pub(crate) fn let_go(&self) {
        self.all();
        let channels = std::mem::take(&mut self.lock().channels);
        channels.iter().for_each(|(_, counters)| counters.stopped());
        // Not under the lock: a channel that closes may wait for its disk.
        drop(channels);
    }

    /// What is under way and unaccepted.
    pub fn unsettled(&self) -> Unsettled {
        let shown = self.lock();
        let others = shown.outlets.iter().filter_map(Weak::upgrade);
        let outlets: Vec<_> = shown.outlet.iter().cloned().chain(others).collect();
        // Not under the lock: an outlet may have one of its own.
        drop(shown);
        outlets
            .iter()
            .map(|outlet| outlet.unsettled())
            .fold(Unsettled::default(), |sum, one| Unsettled {
                events: sum.events + one.events,
                bytes: sum.bytes + one.bytes,
                oldest: sum.oldest.max(one.oldest),
            })
    }

    /// Counters of all components, with the channel where it is one that is open.
    pub fn components(&self) -> Vec<Counted> {
        let all = self.all();
        let channels = self.lock().channels.clone();
        let channel_of = |counters: &Arc<Counters>| {
            let is_it = |(_, own): &&(Arc<dyn Channel>, Arc<Counters>)| Arc::ptr_eq(own, counters);
            channels.iter().find(is_it).map(|(channel, _)| channel.clone())
        };
        all.into_iter()
            .map(|counters| {
                let channel = channel_of(&counters);
                (counters, channel)
            })
            .collect()
    }
}
