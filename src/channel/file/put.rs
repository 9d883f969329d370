//! Putting: room, one write and one sync for all who come together, then the answer.
//!
//! The first who comes leads: it takes the puts that wait, writes and syncs them as one group, and answers
//! all. Those who come meanwhile wait, and the first of them leads next. Left alone this convoys: the group
//! that was just answered comes back one call too late, groups of one and of all others alternate, and two
//! syncs are paid where one would do. So a leader waits for as many as came last time, a small part of what
//! a sync takes, and stops to do so when it was for nothing.

use super::Sync;
use super::core::Core;
use super::index::Amount;
use super::lane::{Group, Lane, Room, Segment, room_of_new};
use super::parts::parts_of;
use super::registry::Registry;
use super::segment::{self, Ready};
use crate::channel::ChannelError;
use crate::event::Batch;
use crate::wire;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that one group may have, unless a single put is larger.
const GROUP_BYTES: u64 = 8 << 20;
/// So many bytes are written while others are synced; fewer wait, so that more come together.
const EARLY_BYTES: u64 = 128 << 10;
/// Bytes of the first segment where drained ones are used again.
const FIRST_BYTES: u64 = 4 << 20;
/// Bytes that one put may have: offsets in a segment have 32 bits.
const PUT_BYTES: u64 = 1 << 30;
/// How often somebody looks again for room that no bell tells of.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A leader waits at most this part of the last sync for others.
const PART_OF_SYNC: u32 = 4;
/// Groups for which nobody waits after a wait for nothing.
const PATIENCE: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Waits,
    Leads,
    Done,
}

/// Where one queues up.
#[derive(Clone, Copy)]
enum Place {
    First,
    Last,
}

/// One call of put.
struct Job {
    frames: Vec<Ready>,
    room: Room,
    turn: Mutex<Turn>,
    ready: Condvar,
    failure: Mutex<Option<ChannelError>>,
}

impl Job {
    fn of(frames: Vec<Ready>) -> Arc<Job> {
        Arc::new(Job {
            room: Room {
                bytes: frames.iter().map(Ready::size).sum(),
                frames: frames.len(),
            },
            frames,
            turn: Mutex::new(Turn::Waits),
            ready: Condvar::new(),
            failure: Mutex::new(None),
        })
    }

    fn set(&self, turn: Turn) {
        *lock(&self.turn) = turn;
        self.ready.notify_one();
    }

    fn wait(&self) -> Turn {
        let mut turn = lock(&self.turn);
        while *turn == Turn::Waits {
            turn = self.ready.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        *turn
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Arc<Job>>,
    is_led: bool,
    /// How many a leader may expect.
    expected: usize,
    /// What the last sync took.
    sync: Duration,
    /// Groups that still do without waiting.
    hasty: u32,
}

/// The putting side of a process.
#[derive(Default)]
pub struct Putter {
    queue: Mutex<Queue>,
    /// Held while a group is written.
    lane: Mutex<Option<Lane>>,
    /// Held while a group is synced and published; taken before the next one may lead.
    turn: Mutex<()>,
    /// What is admitted and not published yet.
    reserved: Mutex<Amount>,
    /// Bytes of the next segment that is made anew.
    next_bytes: AtomicU64,
    /// Segments whose sync failed, with frames that are to be put again.
    failed: Mutex<Vec<Arc<Segment>>>,
}

/// What a panic elsewhere leaves is whole: nothing is left half done under these locks.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Putter {
    /// Put batches as one transaction, waiting for room as long as the keep-alive says. `make_room` is called
    /// when there is none, and says whether it made some.
    pub fn put(
        &self,
        core: &Core,
        registry: &Mutex<Registry>,
        batches: &[Batch],
        make_room: impl Fn() -> Result<bool, ChannelError>,
    ) -> Result<(), ChannelError> {
        let amount = amount_of(batches);
        if amount.events == 0 {
            return Ok(());
        }
        let frames = prepare(core, batches, amount)?;
        let job = Job::of(frames);
        let deadline = Instant::now() + core.config.keep_alive;
        loop {
            let seen = core.table.space_bell().look();
            match self.attempt(core, registry, &job, amount, seen) {
                Err(ChannelError::Full(_)) if make_room()? => {}
                Err(ChannelError::Full(why)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(ChannelError::Full(why));
                    }
                    // Who has taken all there is may hold it until more comes.
                    core.table.put_bell().ring();
                    core.table.space_bell().sleep(seen, Some(left.min(LOOK_AGAIN)));
                }
                other => return other,
            }
        }
    }

    fn attempt(
        &self,
        core: &Core,
        registry: &Mutex<Registry>,
        job: &Arc<Job>,
        amount: Amount,
        seen: u32,
    ) -> Result<(), ChannelError> {
        let bounded = core.config.capacity > 0 || core.config.max_bytes > 0;
        if !bounded {
            return self.commit(core, job, Place::Last);
        }
        self.reserve(core, |reserved| reserved.add(amount));
        let outcome =
            check_room(core, registry, amount, seen).and_then(|()| self.commit(core, job, Place::Last));
        // Published first and given back second: counted twice in between, never not at all.
        self.reserve(core, |reserved| {
            reserved.events -= amount.events;
            reserved.bytes -= amount.bytes;
        });
        outcome
    }

    fn reserve(&self, core: &Core, change: impl FnOnce(&mut Amount)) {
        let mut reserved = lock(&self.reserved);
        change(&mut reserved);
        core.table.set_reserved(*reserved);
    }

    /// Put frames again that were put before, in front of all who wait. They have their room.
    pub fn put_again(&self, core: &Core, frames: Vec<Ready>) -> Result<(), ChannelError> {
        self.commit(core, &Job::of(frames), Place::First)
    }

    /// Queue up; lead if nobody does.
    fn commit(&self, core: &Core, job: &Arc<Job>, place: Place) -> Result<(), ChannelError> {
        let leads = {
            let mut queue = lock(&self.queue);
            *lock(&job.turn) = Turn::Waits;
            match place {
                // Never in front of one that was told to lead: it takes what is first.
                Place::First => queue.jobs.push_front(job.clone()),
                Place::Last => queue.jobs.push_back(job.clone()),
            }
            !std::mem::replace(&mut queue.is_led, true)
        };
        if leads || job.wait() == Turn::Leads {
            self.lead(core);
        }
        match lock(&job.failure).take() {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    /// Write the group at the head of the queue, let the next one lead, sync and answer.
    ///
    /// Two locks make a line of two places. The lane is held while a group is written, the turn while one is
    /// synced, and the next leader comes when the lane is free and the turn is ours. So much data is written
    /// while the group before it is synced; little data waits for its turn first and grows meanwhile.
    fn lead(&self, core: &Core) {
        let mut turn = None;
        if core.config.sync == Sync::Always && self.queued_bytes() < EARLY_BYTES {
            turn = Some(lock(&self.turn));
            self.gather();
        }
        let mut lane = lock(&self.lane);
        self.retire(core, &mut lane, &mut turn);
        let jobs = self.take_group(core, &lane);
        let written = self.write_group(core, &mut lane, &jobs);
        let turn = turn.unwrap_or_else(|| lock(&self.turn));
        drop(lane);
        self.hand_over();
        let started = Instant::now();
        let outcome = written.and_then(|group| group.finish(core));
        let mut queue = lock(&self.queue);
        queue.sync = started.elapsed();
        queue.expected = jobs.len() + queue.jobs.len();
        drop(queue);
        drop(turn);
        for job in &jobs {
            if let Err(failure) = &outcome {
                *lock(&job.failure) = Some(again(failure));
            }
            job.set(Turn::Done);
        }
    }

    fn write_group(
        &self,
        core: &Core,
        lane: &mut Option<Lane>,
        jobs: &[Arc<Job>],
    ) -> Result<Group, ChannelError> {
        let bytes = jobs.iter().map(|job| job.room.bytes).sum();
        let frames = jobs.iter().map(|job| job.room.frames).sum();
        let open = match lane {
            Some(open) => open,
            None => {
                let most = self.next_bytes(core);
                let made = Lane::create(core, most, frames)?;
                if made.most() == most {
                    self.next_bytes.store(most.saturating_mul(2), Ordering::Relaxed);
                }
                lane.insert(made)
            }
        };
        open.reserve(core, bytes)?;
        let puts: Vec<&[Ready]> = jobs.iter().map(|job| &job.frames[..]).collect();
        open.write(core, &puts)
    }

    /// Bytes of the next segment that is made anew. Where drained ones are used again, the first are small,
    /// so that there are some soon; each is twice the one before, so that a backlog is not cut into many.
    fn next_bytes(&self, core: &Core) -> u64 {
        let most = core.config.segment_bytes;
        match core.config.sync {
            Sync::Always => self.next_bytes.load(Ordering::Relaxed).max(FIRST_BYTES).min(most),
            _ => most,
        }
    }

    fn queued_bytes(&self) -> u64 {
        lock(&self.queue).jobs.iter().map(|job| job.room.bytes).sum()
    }

    fn hand_over(&self) {
        let mut queue = lock(&self.queue);
        queue.is_led = !queue.jobs.is_empty();
        if let Some(next) = queue.jobs.front() {
            next.set(Turn::Leads);
        }
    }

    /// Seal a segment that is broken or into which the next put does not go; not before what was written to
    /// it has been published.
    fn retire<'a>(&'a self, core: &Core, lane: &mut Option<Lane>, turn: &mut Option<MutexGuard<'a, ()>>) {
        let first = lock(&self.queue)
            .jobs
            .front()
            .map(|job| job.room)
            .unwrap_or_default();
        let is_over = |lane: &mut Lane| lane.segment().is_broken() || !lane.room(core).holds(first);
        if let Some(old) = lane.take_if(is_over) {
            turn.get_or_insert_with(|| lock(&self.turn));
            old.segment().seal(core);
            self.note_failed(old.segment());
        }
    }

    /// What it has kept is to be put again, if its sync failed.
    pub fn note_failed(&self, segment: &Arc<Segment>) {
        let mut failed = lock(&self.failed);
        if segment.has_kept() && !failed.iter().any(|known| Arc::ptr_eq(known, segment)) {
            failed.push(segment.clone());
        }
    }

    /// Segments whose frames are to be put again; given once.
    pub fn take_failed(&self) -> Vec<Arc<Segment>> {
        std::mem::take(&mut *lock(&self.failed))
    }

    /// Wait a little for those who came last time.
    fn gather(&self) {
        let mut queue = lock(&self.queue);
        let patience = queue.sync / PART_OF_SYNC;
        if queue.hasty > 0 {
            queue.hasty -= 1;
            return;
        }
        let started = Instant::now();
        while queue.jobs.len() < queue.expected {
            if started.elapsed() >= patience {
                queue.hasty = PATIENCE;
                return;
            }
            drop(queue);
            // The ones we wait for need a processor, perhaps this one; a timer would come too late.
            std::thread::yield_now();
            queue = lock(&self.queue);
        }
    }

    /// The puts that go together: the first in any case, others as far as they fit.
    fn take_group(&self, core: &Core, lane: &Option<Lane>) -> Vec<Arc<Job>> {
        let mut queue = lock(&self.queue);
        let mut room = match lane {
            Some(lane) => lane.room(core),
            None => room_of_new(core, self.next_bytes(core)),
        };
        room.bytes = room.bytes.min(GROUP_BYTES);
        let mut group = Vec::new();
        while let Some(job) = queue.jobs.front() {
            if !group.is_empty() && !room.holds(job.room) {
                break;
            }
            room.bytes = room.bytes.saturating_sub(job.room.bytes);
            room.frames = room.frames.saturating_sub(job.room.frames);
            group.extend(queue.jobs.pop_front());
        }
        group
    }

    /// Sync what was published without; for an interval or at the end.
    pub fn sync(&self, core: &Core) {
        let Some(segment) = lock(&self.lane).as_ref().map(|lane| lane.segment().clone()) else {
            return;
        };
        if let Err(error) = segment.sync() {
            (core.report)(&format!(
                "{error}; what was put since the last sync is put again elsewhere"
            ));
        }
        self.note_failed(&segment);
    }

    /// Something was published and not synced.
    pub fn has_unsynced(&self) -> bool {
        let lane = lock(&self.lane);
        let is_unsynced = |lane: &Lane| lane.segment().is_unsynced() || lane.segment().has_kept();
        lane.as_ref().is_some_and(is_unsynced) || !lock(&self.failed).is_empty()
    }

    /// No more puts.
    pub fn close(&self, core: &Core) {
        let lane = lock(&self.lane).take();
        let _turn = lock(&self.turn);
        if let Some(lane) = lane {
            lane.segment().seal(core);
            self.note_failed(lane.segment());
        }
    }
}

fn amount_of(batches: &[Batch]) -> Amount {
    let mut sum = Amount::default();
    for batch in batches {
        sum.add(Amount {
            events: batch.len().into(),
            bytes: batch.bytes() as u64,
        });
    }
    sum
}

/// The frames of a put, compressed and summed by the thread that puts.
fn prepare(core: &Core, batches: &[Batch], amount: Amount) -> Result<Vec<Ready>, ChannelError> {
    let full = batches.iter().filter(|batch| !batch.is_empty());
    let full: Vec<Batch> = full
        .flat_map(|batch| parts_of(batch, core.config.transaction))
        .collect();
    let too_large = |what: String| {
        let place = core.place.directory.display();
        Err(ChannelError::TooLarge(format!(
            "{what} go into {place}, split them"
        )))
    };
    let (capacity, max_bytes) = (core.config.capacity, core.config.max_bytes);
    if capacity > 0 && amount.events > capacity {
        return too_large(format!(
            "{} events at once never fit where {capacity}",
            amount.events
        ));
    }
    if max_bytes > 0 && amount.bytes > max_bytes {
        return too_large(format!(
            "{} bytes at once never fit where {max_bytes}",
            amount.bytes
        ));
    }
    let largest = full.iter().map(Batch::bytes).max().unwrap_or(0);
    if largest > wire::LIMIT as usize {
        return too_large(format!(
            "a batch of {largest} bytes never fits where frames of {}",
            wire::LIMIT
        ));
    }
    let cap = segment::cap_for(core.config.segment_bytes) as usize;
    if full.len() > cap || amount.bytes > PUT_BYTES {
        return too_large(format!(
            "{} batches of {} bytes never fit where puts of {cap} batches and {PUT_BYTES} bytes",
            full.len(),
            amount.bytes
        ));
    }
    let frame = |batch: &Batch| {
        let (header, payload) = wire::batch_frame(batch, core.config.compression);
        Ready { header, payload }
    };
    Ok(full.iter().map(frame).collect())
}

/// What is there and what all are about to put has room. What others are about to put is looked at first:
/// what they publish meanwhile is counted twice, not missed.
fn check_room(
    core: &Core,
    registry: &Mutex<Registry>,
    amount: Amount,
    seen: u32,
) -> Result<(), ChannelError> {
    let (capacity, max_bytes) = (core.config.capacity, core.config.max_bytes);
    let fits =
        |sum: Amount| (capacity == 0 || sum.events <= capacity) && (max_bytes == 0 || sum.bytes <= max_bytes);
    let mut sum = Amount::default();
    for exactly in [false, true] {
        if exactly {
            // From here on whoever accepts wakes us.
            core.table.space_bell().announce(seen);
        }
        sum = core.table.reserved();
        sum.add(lock(registry).count(core, exactly)?);
        if fits(sum) {
            return Ok(());
        }
    }
    let events = sum.events.saturating_sub(amount.events);
    let bytes = sum.bytes.saturating_sub(amount.bytes);
    let bound = |bound: u64| match bound {
        0 => "without a bound".to_string(),
        bound => format!("of {bound}"),
    };
    Err(ChannelError::Full(format!(
        "{} is full: it holds {events} events {} and {bytes} bytes {}, {} events of {} bytes have no place",
        core.place.directory.display(),
        bound(capacity),
        bound(max_bytes),
        amount.events,
        amount.bytes
    )))
}

/// The same error for another one who waits.
fn again(error: &ChannelError) -> ChannelError {
    match error {
        ChannelError::Full(why) => ChannelError::Full(why.clone()),
        ChannelError::TooLarge(why) => ChannelError::TooLarge(why.clone()),
        ChannelError::Failed(why) => ChannelError::Failed(why.clone()),
        ChannelError::Unusable(why) => ChannelError::Unusable(why.clone()),
    }
}
