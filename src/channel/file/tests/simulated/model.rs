//! What must be in the channel, what may be, and what must never come again.

mod dropped;

use crate::channel::file::Sync;
use crate::event::{Batch, BatchBuilder, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is known of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the channel or not: nobody was told yet, or a crash came.
    Maybe,
    /// In the channel, for everybody to take.
    Waiting,
    /// A taker has it.
    Held(u32),
    /// In the channel, in the hand of a dead taker.
    Orphaned,
    /// Accepted by a taker: gone, unless the power goes.
    Accepted(u32),
    /// Accepted, and perhaps that was lost with the power.
    Loose,
    /// Accepted for good, or never there.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Somebody is putting it.
    UnderWay,
    /// It was acknowledged, or was seen and has to be there as a whole.
    There,
    /// A crash came: it is there as a whole, or not at all.
    Unknown,
    /// The put failed.
    Refused,
    /// Its write failed: it is not there, but nothing of that is synced.
    Unwritten,
}

struct Put {
    life: u32,
    first: usize,
    count: usize,
    fate: Fate,
    acknowledged: bool,
    /// Its write failed and no cut has come since.
    unwritten: bool,
    /// Parts of it may be gone: nobody synced it, or the sync failed.
    may_tear: bool,
    /// A power cut cannot take it.
    synced: bool,
    /// When it began, by the clock of the wall.
    at_ms: u64,
}

struct Stored {
    put: usize,
    events: u32,
    bytes: u32,
    place: Place,
    /// Somebody has looked when it was too old: it may have been dropped.
    may_be_dropped: bool,
}

/// Acceptances of those that nobody was told of: what was dropped for its age.
const NOBODY: u32 = u32::MAX;

/// The ledger of one run.
pub struct Model {
    sync: Sync,
    sync_take_always: bool,
    max_age_ms: Option<u64>,
    /// The clock of the wall was set back: things may seem younger than they are.
    was_set_back: bool,
    puts: Vec<Put>,
    batches: Vec<Stored>,
    /// Which batch came with which position.
    origins: BTreeMap<u64, usize>,
    /// Takers that slept over their lease.
    overslept: Vec<u32>,
    /// Batches that stand at two places since a sync failed.
    stored_twice: BTreeSet<usize>,
    /// A taker was killed in a take: it may have claimed what is thought to wait.
    pub secret_claim: bool,
    /// A tool has put what stood before others behind them.
    is_moved: bool,
    /// What could be dropped before a skip, and what stood at two places before a repair.
    before_skip: Vec<bool>,
    before_mend: BTreeSet<usize>,
    pub failure: Option<String>,
}

/// The batch with this number: its bodies begin with the number.
fn content(number: usize, events: u32, bytes: u32) -> Batch {
    let mut builder = BatchBuilder::new();
    for event in 0..events {
        let mut body = format!("{number} {event}.").into_bytes();
        body.resize(body.len().max(bytes as usize), b'.');
        builder.push_event(&Event::new(body));
    }
    builder.finish()
}

fn bodies(batch: &Batch) -> Vec<Vec<u8>> {
    let events = batch.events().map_while(Result::ok);
    events.map(|event| event.body().to_vec()).collect()
}

impl Model {
    pub fn new(sync: Sync, sync_take_always: bool, max_age: Option<Duration>) -> Model {
        Model {
            sync,
            sync_take_always,
            max_age_ms: max_age.map(|age| age.as_millis() as u64),
            was_set_back: false,
            puts: Vec::new(),
            batches: Vec::new(),
            origins: BTreeMap::new(),
            overslept: Vec::new(),
            stored_twice: BTreeSet::new(),
            secret_claim: false,
            is_moved: false,
            before_skip: Vec::new(),
            before_mend: BTreeSet::new(),
            failure: None,
        }
    }

    /// The first failure counts.
    pub fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    /// A put of batches with these events and bytes of an event; its number and its batches.
    pub fn begin(&mut self, life: u32, sizes: &[(u32, u32)], at_ms: u64) -> (usize, Vec<Batch>) {
        let (put, first) = (self.puts.len(), self.batches.len());
        for (events, bytes) in sizes {
            self.batches.push(Stored {
                put,
                events: *events,
                bytes: *bytes,
                place: Place::Maybe,
                may_be_dropped: false,
            });
        }
        self.puts.push(Put {
            life,
            first,
            count: sizes.len(),
            fate: Fate::UnderWay,
            acknowledged: false,
            unwritten: false,
            may_tear: self.sync == Sync::Never,
            synced: self.sync == Sync::Always,
            at_ms,
        });
        let numbers = first..self.batches.len();
        let made = numbers.zip(sizes);
        let batches = made.map(|(number, (events, bytes))| content(number, *events, *bytes));
        (put, batches.collect())
    }

    fn of(&self, put: usize) -> std::ops::Range<usize> {
        self.puts[put].first..self.puts[put].first + self.puts[put].count
    }

    pub fn acknowledged(&mut self, put: usize) {
        self.puts[put].acknowledged = true;
        self.settle(put);
    }

    /// It is there, so all of it is.
    fn settle(&mut self, put: usize) {
        self.puts[put].fate = Fate::There;
        for number in self.of(put) {
            if self.batches[number].place == Place::Maybe {
                self.batches[number].place = Place::Waiting;
            }
        }
    }

    pub fn refused(&mut self, put: usize, fate: Fate) {
        self.puts[put].fate = fate;
        for number in self.of(put) {
            let place = self.batches[number].place;
            if place != Place::Maybe {
                self.fail(format!("batch {number} was seen ({place:?}) and its put failed"));
            }
            self.batches[number].place = Place::Gone;
        }
    }

    /// A taker got this batch. `is_reported`: a sync has failed, and what that can lose was said.
    pub fn delivered(&mut self, life: u32, batch: &Batch, is_reported: bool) -> usize {
        let found = bodies(batch);
        let text = String::from_utf8_lossy(found.first().map_or(&[], |body| body)).into_owned();
        let number: usize = text
            .split(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(usize::MAX);
        let Some(stored) = self.batches.get(number) else {
            self.fail(format!("a batch came that nobody put: {text:.40}"));
            return usize::MAX;
        };
        let (place, put) = (stored.place, stored.put);
        if bodies(&content(number, stored.events, stored.bytes)) != found {
            self.fail(format!(
                "batch {number} came with other events than it was put with"
            ));
        }
        if let Some(other) = self.origins.insert(batch.origin, number)
            && other != number
        {
            let origin = batch.origin;
            self.fail(format!(
                "batch {number} has position {origin}, as batch {other} had"
            ));
        }
        let is_right = match place {
            Place::Maybe | Place::Waiting | Place::Orphaned | Place::Loose => true,
            Place::Held(holder) => holder != life && self.overslept.contains(&holder),
            Place::Accepted(_) | Place::Gone => false,
        };
        if !is_right && !self.stored_twice.contains(&number) {
            let fate = self.puts[put].fate;
            self.fail(format!(
                "batch {number} ({place:?}, its put {fate:?}) was given to life {life}"
            ));
        }
        self.seen(put, is_reported);
        number
    }

    pub fn holds(&mut self, life: u32, number: usize) {
        if let Some(stored) = self.batches.get_mut(number) {
            stored.place = Place::Held(life);
        }
    }

    /// Something of a put was seen: all of it is there; with an interval, also what was put before it.
    fn seen(&mut self, put: usize, is_reported: bool) {
        // Of what nobody synced, a part may be left, which is told as damage.
        let is_torn = self.puts[put].may_tear && self.puts[put].acknowledged;
        if self.puts[put].fate != Fate::Unknown || is_torn {
            return;
        }
        self.settle(put);
        if matches!(self.sync, Sync::Every(_)) && !is_reported {
            for earlier in 0..put {
                let other = &self.puts[earlier];
                if other.life == self.puts[put].life && other.acknowledged && other.fate == Fate::Unknown {
                    self.settle(earlier);
                }
            }
        }
    }

    /// Nothing of the same putter that was put earlier still waits.
    pub fn check_order(&mut self, number: usize) {
        let Some(life) = self.batches.get(number).map(|stored| self.puts[stored.put].life) else {
            return;
        };
        let is_earlier = |other: &usize| {
            let stored = &self.batches[*other];
            let waits = stored.place == Place::Waiting && !stored.may_be_dropped;
            waits && self.puts[stored.put].life == life
        };
        if !self.secret_claim
            && !self.is_moved
            && let Some(earlier) = (0..number).find(is_earlier)
        {
            self.fail(format!(
                "batch {number} came, though batch {earlier} was put before it and waits"
            ));
        }
    }

    /// The taker that has it accepts it; from now on it must not come.
    pub fn accepts(&mut self, life: u32, number: usize) {
        if self.has(life, number) {
            self.batches[number].place = Place::Accepted(life);
        }
    }

    /// That has returned.
    pub fn accepted(&mut self, life: u32, number: usize) {
        if self.sync_take_always && self.place(number) == Some(Place::Accepted(life)) {
            self.batches[number].place = Place::Gone;
        }
    }

    /// It was not: somebody else has it since before.
    pub fn too_late(&mut self, life: u32, number: usize) {
        if self.place(number) == Some(Place::Accepted(life)) {
            self.batches[number].place = Place::Waiting;
        }
    }

    pub fn refuses(&mut self, life: u32, number: usize) {
        if self.has(life, number) {
            let put = &self.puts[self.batches[number].put];
            let is_unsure = put.may_tear && put.fate == Fate::Unknown;
            self.batches[number].place = if is_unsure { Place::Maybe } else { Place::Waiting };
        }
    }

    fn has(&self, life: u32, number: usize) -> bool {
        self.place(number) == Some(Place::Held(life))
    }

    fn place(&self, number: usize) -> Option<Place> {
        self.batches.get(number).map(|stored| stored.place)
    }

    /// What this process put and accepted is on the disk, as far as that is done at intervals.
    pub fn kept(&mut self, life: u32) {
        for stored in &mut self.batches {
            if stored.place == Place::Accepted(life) {
                stored.place = Place::Gone;
            }
        }
        if self.sync != Sync::Never {
            let own = self.puts.iter_mut().filter(|put| put.life == life);
            own.for_each(|put| put.synced |= put.acknowledged);
        }
    }

    /// Dies after a sync failed: what was acknowledged in the interval may be gone, and not be put again yet.
    pub fn lost_pages(&mut self, life: u32) {
        if !matches!(self.sync, Sync::Every(_)) {
            return;
        }
        // Dead in the middle of it, at both places.
        self.leaves_lost_pages(life);
        let own = self.puts.iter_mut().filter(|put| put.life == life);
        for put in own.filter(|put| put.acknowledged && !put.synced) {
            put.may_tear = true;
            put.fate = Fate::Unknown;
        }
        for stored in &mut self.batches {
            let is_there = matches!(stored.place, Place::Waiting | Place::Orphaned);
            if is_there && self.puts[stored.put].fate == Fate::Unknown {
                stored.place = Place::Maybe;
            }
        }
    }

    /// Ends after a sync failed: what others have in hand of it is put again, and may come twice.
    pub fn leaves_lost_pages(&mut self, life: u32) {
        if !matches!(self.sync, Sync::Every(_)) {
            return;
        }
        for (number, stored) in self.batches.iter().enumerate() {
            let put = &self.puts[stored.put];
            if put.life == life && put.acknowledged && !put.synced {
                self.stored_twice.insert(number);
            }
        }
    }

    /// A taker could not read what it had taken: what others slept over may wait again.
    pub fn came_back(&mut self) {
        for stored in &mut self.batches {
            if matches!(stored.place, Place::Held(holder) if self.overslept.contains(&holder)) {
                stored.place = Place::Maybe;
            }
        }
    }

    pub fn overslept(&mut self, life: u32) {
        self.overslept.push(life);
    }

    pub fn woke(&mut self, life: u32) {
        self.overslept.retain(|other| *other != life);
    }

    pub fn killed(&mut self, life: u32) {
        for put in self.puts.iter_mut().filter(|put| put.life == life) {
            if put.fate == Fate::UnderWay {
                put.fate = Fate::Unknown;
            }
        }
        for stored in &mut self.batches {
            if stored.place == Place::Held(life) {
                let put = &self.puts[stored.put];
                let is_unsure = put.may_tear && put.fate == Fate::Unknown;
                stored.place = if is_unsure { Place::Maybe } else { Place::Orphaned };
            }
        }
    }

    pub fn power_cut(&mut self) {
        for put in &mut self.puts {
            put.unwritten = put.fate == Fate::Unwritten;
            let is_sure = put.fate == Fate::There && put.synced;
            if !is_sure && put.fate != Fate::Refused {
                put.fate = Fate::Unknown;
            }
        }
        for stored in &mut self.batches {
            if self.puts[stored.put].fate == Fate::Unknown && self.puts[stored.put].unwritten {
                stored.place = Place::Maybe;
            }
            let is_sure = self.puts[stored.put].fate == Fate::There;
            stored.place = match stored.place {
                Place::Waiting | Place::Held(_) | Place::Orphaned if is_sure => Place::Waiting,
                Place::Waiting | Place::Held(_) | Place::Orphaned | Place::Maybe => Place::Maybe,
                Place::Accepted(_) | Place::Loose => Place::Loose,
                Place::Gone => Place::Gone,
            };
        }
        self.overslept.clear();
        self.secret_claim = false;
    }

    /// Events that are in the channel at least, and at most.
    pub fn bounds(&self) -> (u64, u64) {
        let events = |is_in: fn(&Stored) -> bool| {
            let of = self.batches.iter().filter(|stored| is_in(stored));
            of.map(|stored| u64::from(stored.events)).sum()
        };
        let least = |stored: &Stored| {
            let is_there = matches!(stored.place, Place::Waiting | Place::Held(_) | Place::Orphaned);
            is_there && !stored.may_be_dropped
        };
        let most = |stored: &Stored| !matches!(stored.place, Place::Accepted(_) | Place::Gone);
        (events(least), events(most))
    }

    /// It is said that nothing waits and nothing is held by the dead.
    pub fn said_drained(&mut self) {
        let waits = |stored: &Stored| {
            matches!(stored.place, Place::Waiting | Place::Orphaned) && !stored.may_be_dropped
        };
        if let Some(number) = self.batches.iter().position(waits) {
            let place = self.batches[number].place;
            self.fail(format!("it is called drained, and batch {number} is {place:?}"));
        }
    }

    /// Everything was taken and accepted: what has not come is not there.
    pub fn drained(&mut self) {
        self.secret_claim = false;
        for number in 0..self.batches.len() {
            let (place, put) = (self.batches[number].place, self.batches[number].put);
            let is_there = matches!(place, Place::Waiting | Place::Held(_) | Place::Orphaned);
            if (is_there || matches!(place, Place::Maybe | Place::Loose))
                && self.batches[number].may_be_dropped
            {
                self.batches[number].place = Place::Accepted(NOBODY);
                continue;
            }
            match place {
                Place::Waiting | Place::Held(_) | Place::Orphaned => {
                    let fate = self.puts[put].fate;
                    self.fail(format!(
                        "batch {number} of put {put} is lost ({place:?}, its put {fate:?})"
                    ));
                }
                Place::Maybe | Place::Loose => self.batches[number].place = Place::Gone,
                Place::Accepted(_) | Place::Gone => {}
            }
        }
    }
}
