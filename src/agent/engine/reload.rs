//! Another graph in the place of the one that runs: only what changed is stopped and started.

use super::slot::Slot;
use super::unit::{Unit, Work};
use super::{Engine, Kind, Running, say, stop_all};
use crate::flow::graph::Graph;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a reload did: names with their kinds, such as `source r1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    /// Was not there before.
    pub started: Vec<String>,
    /// Is there no more.
    pub stopped: Vec<String>,
    /// Says something else, or stands at a channel that does.
    pub restarted: Vec<String>,
    /// Was not touched.
    pub kept: Vec<String>,
}

impl Changes {
    /// Nothing was.
    pub fn is_empty(&self) -> bool {
        self.started.is_empty() && self.stopped.is_empty() && self.restarted.is_empty()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("started", &self.started),
            ("stopped", &self.stopped),
            ("restarted", &self.restarted),
        ];
        for (word, list) in lists {
            if !list.is_empty() {
                write!(out, "{word} {}; ", list.join(", "))?;
            }
        }
        write!(out, "{} as before", self.kept.len())
    }
}

/// What is to run.
struct Wanted {
    slots: BTreeMap<String, Arc<Slot>>,
    sources: Vec<Work>,
    takers: Vec<Work>,
}

impl Engine {
    /// Run this graph instead. Channels that say the same keep their events, sources their clients.
    pub fn reload(&self, graph: Graph) -> Changes {
        let mut running = self.lock();
        let mut changes = Changes::default();
        let wanted = self.wanted(&graph, &running, &mut changes);
        let gone = |old: &BTreeMap<String, Arc<Unit>>, new: &[Work]| -> Vec<Arc<Unit>> {
            let stays = |unit: &Unit| {
                let same = new.iter().any(|work| work.says_the_same(&unit.work));
                let kept = |slot: &Arc<Slot>| {
                    let new = wanted.slots.get(slot.name());
                    new.is_some_and(|new| Arc::ptr_eq(new, slot))
                };
                same && unit.slots.iter().all(kept)
            };
            old.values().filter(|unit| !stays(unit)).cloned().collect()
        };
        let old_sources = gone(&running.sources, &wanted.sources);
        let old_takers = gone(&running.takers, &wanted.takers);
        self.stop_old(&running, &wanted, &old_sources, &old_takers);
        forget(&mut running.sources, &old_sources, self);
        forget(&mut running.takers, &old_takers, self);
        self.change_slots(&mut running, wanted.slots);
        let takers = self.start_new(
            wanted.takers,
            Side::Takers,
            &mut running,
            &old_takers,
            &mut changes,
        );
        let sources = self.start_new(
            wanted.sources,
            Side::Sources,
            &mut running,
            &old_sources,
            &mut changes,
        );
        for old in old_sources.iter().chain(&old_takers) {
            let title = old.title();
            if !changes.restarted.contains(&title) {
                changes.stopped.push(title);
            }
        }
        takers.iter().chain(&sources).for_each(Unit::start);
        running.graph = graph;
        changes
    }

    /// Slots and units of a graph; channels that say the same have the slot that they had.
    fn wanted(&self, graph: &Graph, running: &Running, changes: &mut Changes) -> Wanted {
        let slots = graph.channels.iter().map(|definition| {
            let title = format!("channel {}", definition.name);
            let slot = match running.slots.get(&definition.name) {
                Some(old) if old.definition.says_the_same(definition) => {
                    changes.kept.push(title);
                    old.clone()
                }
                old => {
                    let list = match old {
                        Some(_) => &mut changes.restarted,
                        None => &mut changes.started,
                    };
                    list.push(title);
                    Slot::new(definition.clone())
                }
            };
            (definition.name.clone(), slot)
        });
        let slots = slots.collect();
        for name in running.slots.keys() {
            if graph.channel(name).is_none() {
                changes.stopped.push(format!("channel {name}"));
            }
        }
        let alone = graph.sinks.iter();
        let alone = alone.filter(|sink| graph.group_of(&sink.definition.name).is_none());
        let mut takers: Vec<_> = alone.cloned().map(Work::Sink).collect();
        for group in &graph.groups {
            let members = group.sinks.iter().filter_map(|name| graph.sink(name).cloned());
            takers.push(Work::Group(group.clone(), members.collect()));
        }
        Wanted {
            slots,
            sources: graph.sources.iter().cloned().map(Work::Source).collect(),
            takers,
        }
    }

    /// Sources first. What a channel holds that is there no more is delivered before its sinks stop; one that
    /// changes hands its events on to its successor.
    fn stop_old(&self, running: &Running, wanted: &Wanted, sources: &[Arc<Unit>], takers: &[Arc<Unit>]) {
        let timeout = self.options.lifecycle_timeout;
        stop_all(sources, true, timeout);
        let is_adopted = |slot: &Slot| {
            wanted
                .slots
                .get(slot.name())
                .is_some_and(|new| inherits(slot, new))
        };
        let is_kept = |slot: &Arc<Slot>| {
            let new = wanted.slots.get(slot.name());
            new.is_some_and(|new| Arc::ptr_eq(new, slot))
        };
        let (drained, left): (Vec<_>, Vec<_>) = takers
            .iter()
            .partition(|unit| unit.slots.iter().any(|slot| !is_kept(slot) && !is_adopted(slot)));
        for slot in running.slots.values() {
            if let (false, false, Some((channel, _))) = (is_kept(slot), is_adopted(slot), slot.get()) {
                channel.finish_put();
            }
        }
        stop_all(left, false, timeout);
        stop_all(drained, true, timeout);
    }

    fn change_slots(&self, running: &mut Running, new: BTreeMap<String, Arc<Slot>>) {
        let old = std::mem::replace(&mut running.slots, new);
        for (name, slot) in &running.slots {
            let before = old.get(name);
            if before.is_some_and(|before| Arc::ptr_eq(before, slot)) {
                continue;
            }
            // A channel on a disk must be closed before it is opened again.
            if let Some(before) = before.filter(|before| !inherits(before, slot)) {
                before.close(&self.board);
            }
            if !slot.open(&self.board) {
                self.open_later(slot.clone());
            }
            if let Some(before) = before.filter(|before| inherits(before, slot)) {
                let events = slot.adopt(before);
                if events > 0 {
                    say::info(&format!("channel {name}"), format!("{events} events are kept"));
                }
            }
        }
        for (name, slot) in &old {
            if !running.slots.contains_key(name) {
                slot.close(&self.board);
            }
        }
    }

    /// A channel that could not be opened is tried again until it works.
    fn open_later(&self, slot: Arc<Slot>) {
        let (board, closing, retry) = (self.board.clone(), self.closing.clone(), self.options.retry);
        let weak = Arc::downgrade(&slot);
        drop(slot);
        let thread = std::thread::Builder::new().name("flume-channel".into());
        let opening = move || {
            while !closing.sleep(retry) {
                // Nobody wants it any more, or it is open.
                match weak.upgrade() {
                    Some(slot) if !slot.open(&board) => {}
                    _ => return,
                }
            }
        };
        if let Err(error) = thread.spawn(opening) {
            say::error("agent", format!("no thread can be started: {error}"));
        }
    }

    fn start_new(
        &self,
        works: Vec<Work>,
        side: Side,
        running: &mut Running,
        gone: &[Arc<Unit>],
        changes: &mut Changes,
    ) -> Vec<Arc<Unit>> {
        let mut new = Vec::new();
        for work in works {
            let (slots, name) = (running.slots_of(&work), work.name().to_string());
            let units = match side {
                Side::Sources => &mut running.sources,
                Side::Takers => &mut running.takers,
            };
            let key = format!("{} {name}", work.kind());
            if units.contains_key(&key) {
                changes.kept.push(key);
                continue;
            }
            let unit = Unit::new(work, slots, &self.board, &self.options);
            match gone.iter().any(|old| old.title() == key) {
                true => changes.restarted.push(key.clone()),
                false => changes.started.push(key.clone()),
            }
            units.insert(key, unit.clone());
            new.push(unit);
        }
        new
    }
}

#[derive(Clone, Copy)]
enum Side {
    Sources,
    Takers,
}

impl Running {
    fn slots_of(&self, work: &Work) -> Vec<Arc<Slot>> {
        let names: Vec<&String> = match work {
            Work::Source(source) => source.channels.iter().collect(),
            Work::Sink(sink) => vec![&sink.channel],
            Work::Group(_, members) => members.first().map(|sink| &sink.channel).into_iter().collect(),
        };
        names
            .iter()
            .filter_map(|name| self.slots.get(*name).cloned())
            .collect()
    }
}

/// The events of one go on to the other: both are in memory.
fn inherits(old: &Slot, new: &Slot) -> bool {
    let is_durable = old.get().is_some_and(|(channel, _)| channel.is_durable());
    !is_durable && old.definition.r#type.eq_ignore_ascii_case(&new.definition.r#type)
}

fn forget(units: &mut BTreeMap<String, Arc<Unit>>, gone: &[Arc<Unit>], engine: &Engine) {
    for unit in gone {
        units.remove(&unit.title());
        let names: Vec<&str> = match &unit.work {
            Work::Group(_, members) => members.iter().map(|sink| &*sink.definition.name).collect(),
            work => vec![work.name()],
        };
        let kind = match unit.work {
            Work::Source(_) => Kind::Source,
            _ => Kind::Sink,
        };
        names.iter().for_each(|name| engine.board.forget(kind, name));
    }
}
