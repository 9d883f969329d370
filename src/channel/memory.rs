//! `memory`: a queue in memory (Flume's MemoryChannel). It is lost with its process.

#[cfg(test)]
mod tests;

use super::{Channel, ChannelError, Ends, Fill, Look, Taken};
use crate::ack::{Delivery, Refusal, Settle};
use crate::event::Batch;
use crate::exit::StageError;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

/// Bytes of a body that one place of `byteCapacity` holds (Flume's `byteCapacitySlotSize`).
const SLOT: u64 = 100;

/// Hold events in memory: fast, and lost with the process.
#[derive(clap::Args, Debug, Clone)]
pub struct Settings {
    /// Events that it holds.
    #[arg(long, id = "capacity", default_value = "100", value_name = "EVENTS")]
    capacity: u64,
    /// Events in one transaction; a larger batch is split.
    #[arg(
        long,
        id = "transactionCapacity",
        default_value = "100",
        value_name = "EVENTS"
    )]
    transaction_capacity: u64,
    /// Seconds that a put waits for a place.
    #[arg(long, id = "keep-alive", default_value = "3", value_name = "TIME")]
    keep_alive: crate::value::Seconds,
    /// Bytes of bodies that it holds; 0 without a bound. Without it: 80 % of 1 GiB.
    #[arg(long, id = "byteCapacity", default_value = "819MiB", value_name = "SIZE")]
    byte_capacity: crate::value::Size,
    /// Percentage of the former that is set aside for headers.
    #[arg(long, id = "byteCapacityBufferPercentage", default_value = "20", value_name = "PERCENT",
          value_parser = clap::value_parser!(u64).range(0..=100))]
    byte_capacity_buffer_percentage: u64,
}

/// See the module.
pub struct Memory {
    state: Mutex<State>,
    changed: Condvar,
    settings: Settings,
    slots: u64,
    me: Weak<Memory>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    /// In the channel: waiting, or taken and not settled.
    events: u64,
    bytes: u64,
    slots: u64,
    next: u64,
    taken: usize,
    /// When what was taken was put, in the order of taking; what was settled is removed.
    given: VecDeque<(u64, Instant)>,
    takers: usize,
    putters: usize,
    finished: bool,
    abandoned: bool,
    wakes: u64,
}

struct Entry {
    number: u64,
    batch: Batch,
    slots: u64,
    since: Instant,
}

impl State {
    /// Nothing can come before something that was taken is settled.
    fn is_pressed(&self) -> bool {
        self.taken > 0 && (self.finished || self.putters > 0)
    }

    /// Replace the bounds of the batches that wait by their true numbers of places.
    fn count_slots(&mut self) {
        for entry in &mut self.waiting {
            let slots = slots_of(&entry.batch);
            self.slots -= entry.slots - slots;
            entry.slots = slots;
        }
    }
}

impl super::Settings for Settings {
    fn open(&self, _name: &str) -> Result<(Arc<dyn Channel>, Ends), StageError> {
        Ok((self.channel(), Ends::Both))
    }
}

impl Settings {
    /// One that holds so many events, whatever their bytes.
    pub(super) fn small(capacity: u64, keep_alive: crate::value::Seconds) -> Settings {
        Settings {
            capacity,
            transaction_capacity: capacity,
            keep_alive,
            byte_capacity: crate::value::Size(0),
            byte_capacity_buffer_percentage: 0,
        }
    }

    /// The channel that they describe.
    pub(super) fn channel(&self) -> Arc<dyn Channel> {
        let usable = self.byte_capacity.0 / 100 * (100 - self.byte_capacity_buffer_percentage);
        let slots = match usable / SLOT {
            0 => u64::MAX,
            slots => slots,
        };
        Arc::new_cyclic(|me| Memory {
            state: Mutex::default(),
            changed: Condvar::new(),
            settings: self.clone(),
            slots,
            me: me.clone(),
        })
    }
}

/// No fewer places than a batch takes, without looking at its events.
fn slots_bound(batch: &Batch) -> u64 {
    u64::from(batch.len()) + batch.bytes() as u64 / SLOT
}

/// Places of a batch: its bodies in slots of 100 bytes, an empty one counts as one (Flume's rule); headers
/// cost nothing.
fn slots_of(batch: &Batch) -> u64 {
    let bodies = batch.bodies().map_while(Result::ok);
    bodies
        .map(|event| (event.body().len() as u64).div_ceil(SLOT).max(1))
        .sum()
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, deadline: Option<Instant>) -> MutexGuard<'a, State> {
        match deadline {
            None => self.changed.wait(state).unwrap_or_else(|p| p.into_inner()),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(|p| p.into_inner()).0
            }
        }
    }

    /// Put one batch that is no larger than a transaction; its number.
    fn put_one(&self, batch: Batch) -> Result<u64, ChannelError> {
        // Most puts have room at once and need no clock.
        let mut deadline = None;
        let events = u64::from(batch.len());
        let mut slots = slots_bound(&batch);
        let mut state = self.lock();
        loop {
            if state.slots + slots > self.slots {
                // Near the end of the room it is worth counting.
                slots = slots_of(&batch);
                state.count_slots();
            }
            let bytes_fit = state.slots + slots <= self.slots;
            if bytes_fit && state.events + events <= self.settings.capacity {
                break;
            }
            if state.abandoned {
                return Err(ChannelError::Failed("nobody takes from it any more".into()));
            }
            let now = Instant::now();
            let deadline = *deadline.get_or_insert(now + self.settings.keep_alive.0);
            if deadline <= now {
                return Err(self.full(&state, bytes_fit));
            }
            state.putters += 1;
            if state.takers > 0 {
                // What they hold may be all there is.
                self.changed.notify_all();
            }
            state = self.wait(state, Some(deadline));
            state.putters -= 1;
        }
        let number = self.append(&mut state, batch, slots);
        let somebody_waits = state.takers > 0;
        drop(state);
        if somebody_waits {
            self.changed.notify_all();
        }
        Ok(number)
    }

    /// The newest of all.
    fn append(&self, state: &mut State, batch: Batch, slots: u64) -> u64 {
        state.next += 1;
        let number = state.next;
        state.events += u64::from(batch.len());
        state.slots += slots;
        state.bytes += batch.bytes() as u64;
        let since = Instant::now();
        state.waiting.push_back(Entry {
            number,
            batch,
            slots,
            since,
        });
        number
    }

    /// Take back what a put that failed has put so far, unless somebody has taken it meanwhile.
    fn withdraw(&self, numbers: &[u64]) {
        let mut state = self.lock();
        let (withdrawn, left) = std::mem::take(&mut state.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(|entry| numbers.binary_search(&entry.number).is_ok());
        state.waiting = left;
        for entry in withdrawn {
            state.events -= u64::from(entry.batch.len());
            state.bytes -= entry.batch.bytes() as u64;
            state.slots -= entry.slots;
        }
        drop(state);
        self.changed.notify_all();
    }

    fn full(&self, state: &State, bytes_fit: bool) -> ChannelError {
        let waited = self.settings.keep_alive.0.as_secs_f64();
        ChannelError::Full(match bytes_fit {
            true => format!(
                "it holds {} of {} events and had no room for {waited} s: the sink is slower than the source, \
                 or --capacity is too small",
                state.events, self.settings.capacity
            ),
            false => format!(
                "it holds all the bytes that its byteCapacity allows and had no room for {waited} s: the sink \
                 is slower than the source, or --byte-capacity is too small"
            ),
        })
    }

    fn settled(&self, entry: Entry, back: bool) {
        let mut state = self.lock();
        state.taken -= 1;
        // Mostly one of the first: what was taken first is mostly settled first.
        if let Some(at) = state.given.iter().position(|(number, _)| *number == entry.number) {
            state.given.remove(at);
        }
        if back {
            let at = state.waiting.iter().position(|other| other.number > entry.number);
            let at = at.unwrap_or(state.waiting.len());
            state.waiting.insert(at, entry);
        } else {
            state.events -= u64::from(entry.batch.len());
            state.bytes -= entry.batch.bytes() as u64;
            state.slots -= entry.slots;
        }
        let somebody_waits = state.takers > 0 || state.putters > 0;
        drop(state);
        if somebody_waits {
            self.changed.notify_all();
        }
    }

    /// Events in one transaction at most.
    fn transaction(&self) -> u64 {
        self.settings
            .transaction_capacity
            .min(self.settings.capacity)
            .max(1)
    }

    /// Can the whole channel ever hold this batch?
    fn check_size(&self, batch: &Batch) -> Result<(), ChannelError> {
        if slots_bound(batch) > self.slots && slots_of(batch) > self.slots {
            return Err(ChannelError::TooLarge(format!(
                "a transaction of {} bytes, each body rounded up to {SLOT}, is larger than the byteCapacity of {}",
                batch.bytes(),
                self.settings.byte_capacity
            )));
        }
        Ok(())
    }
}

struct Ticket {
    channel: Arc<Memory>,
    entry: Option<Entry>,
}

impl Settle for Ticket {
    fn accept(mut self: Box<Self>) {
        if let Some(entry) = self.entry.take() {
            self.channel.settled(entry, false);
        }
    }

    fn refuse(mut self: Box<Self>, _refusal: Refusal) {
        if let Some(entry) = self.entry.take() {
            self.channel.settled(entry, true);
        }
    }
}

impl Channel for Memory {
    fn put(&self, batches: &[Batch]) -> Result<(), ChannelError> {
        // No list for what is one part, as almost everything.
        if let [batch] = batches
            && (1..=self.transaction()).contains(&batch.len().into())
        {
            self.check_size(batch)?;
            return self.put_one(batch.clone()).map(drop);
        }
        let full = batches.iter().filter(|batch| !batch.is_empty());
        let parts: Vec<Batch> = full
            .flat_map(|batch| super::split(batch, self.transaction()))
            .collect();
        parts.iter().try_for_each(|part| self.check_size(part))?;
        let mut put = Vec::with_capacity(parts.len());
        for part in parts {
            match self.put_one(part) {
                Ok(number) => put.push(number),
                Err(error) => {
                    self.withdraw(&put);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn take(&self, deadline: Option<Instant>) -> Result<Taken, ChannelError> {
        self.take_unless_pressed(deadline, &mut Look::plain(deadline, self.wakes()))
    }

    fn wakes(&self) -> u64 {
        self.lock().wakes
    }

    fn take_unless_pressed(&self, deadline: Option<Instant>, look: &mut Look) -> Result<Taken, ChannelError> {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.waiting.pop_front() {
                state.taken += 1;
                state.given.push_back((entry.number, entry.since));
                drop(state);
                let Some(channel) = self.me.upgrade() else {
                    return Ok(Taken::Finished);
                };
                let batch = entry.batch.clone();
                let ticket = Ticket {
                    channel,
                    entry: Some(entry),
                };
                return Ok(Taken::Delivery(Delivery::new(batch, ticket)));
            }
            if state.finished && state.taken == 0 {
                return Ok(Taken::Finished);
            }
            if !look.pressed && state.is_pressed() {
                look.pressed = true;
                return Ok(Taken::Empty);
            }
            if look.is_woken(state.wakes) || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(Taken::Empty);
            }
            state.takers += 1;
            state = self.wait(state, deadline);
            state.takers -= 1;
        }
    }

    fn oldest(&self) -> Option<Duration> {
        let state = self.lock();
        let waiting = state.waiting.front().map(|entry| entry.since);
        let given = state.given.iter().map(|(_, since)| *since);
        given.chain(waiting).min().map(|since| since.elapsed())
    }

    fn adopt(&self, batch: &Batch) -> Result<(), ChannelError> {
        for part in super::split(batch, self.transaction()) {
            let slots = slots_of(&part);
            self.append(&mut self.lock(), part, slots);
        }
        self.changed.notify_all();
        Ok(())
    }

    fn largest_event(&self) -> u64 {
        self.slots.saturating_mul(SLOT)
    }

    fn finish_take(&self) {
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    fn finish_put(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }

    fn wake(&self) {
        self.lock().wakes += 1;
        self.changed.notify_all();
    }

    fn fill(&self) -> Fill {
        let state = self.lock();
        Fill {
            events: state.events,
            bytes: state.bytes,
            capacity: self.settings.capacity,
        }
    }
}
