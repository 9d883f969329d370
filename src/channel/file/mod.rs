//! The file channel: a directory of segments that any number of processes put into and take from.
//!
//! # The crash protocol
//!
//! What is written in which order, and why a kill or a power cut at any point between is safe. Nobody
//! serves the others: each step is done by whoever needs it, and any survivor goes on where another died.
//!
//! | what | in this order | why it is safe |
//! |---|---|---|
//! | marker | the directory, sync of those above it, hidden file, sync, link, sync of the directory (by whoever finds a marker, too); only then anything else | a directory without a marker is empty or somebody else's; one with a marker has a durable name |
//! | attach (`table`) | a slot's lock, then a look at the door; alone: the door's lock, then a look at the slots, then a table of another mount is renamed away and made anew | one of the two sees the other and lets go; where somebody lives the table is right, where nobody does it can be rebuilt |
//! | number (`table`) | the name `hi/<n + 1024>`, sync of `hi`, then the numbers below it are used | names cannot tear; a lower name that comes late changes nothing; no position repeats in any life |
//! | new segment (`lane`) | index (written, then linked), segment (`O_EXCL`, room, head), sync, sync of the directory, bump of the list | who sees the segment of a living putter finds its index; a segment without one is of an earlier life and belongs to nobody |
//! | put (`put`) | one write, fdatasync, a look whether the file still has a name, entries, `committed`, bell, answer | before `committed` nothing is visible; after the sync everything can be found again |
//! | failed sync or write | cut off at `committed`, sync that, totals, seal, refuse all who waited and who were written behind, go on in a new segment | the kernel may drop what it could not write and call the next sync good: what it says of this file counts no more |
//! | failed interval sync (`again`) | what was published since the last good one is claimed, put into another segment from memory, accepted where it was | nobody takes what may be gone; until the acceptance it is in memory, after it in a segment that is synced in its turn |
//! | dead putter (`recover`) | its lock is free: any taker scans behind `committed`, syncs, stores entries, moves `committed` one by one, seals | the file does not change any more, so all salvagers store the same; it may have died before its sync, and what is given out must not become half a put by a power cut |
//! | claim (`take`) | lease renewed, id drawn, swap of the claim word from waiting | one word; no intent has to be undone |
//! | take-over | the word's slot is free, registered anew or over its lease: swap of exactly that word | ids never repeat, so a holder that wakes up late cannot accept what was given to another |
//! | accept (`accept`) | swap of exactly the word; every 100 ms the log says what the *table* says | a killed taker's acceptances stand in the table and are logged by others; a power cut repeats at most the last 100 ms |
//! | delete | sealed and all accepted: segment first, index second | the other way round a late taker would make the index anew, all waiting |
//! | index without a segment (`recover`) | its putter is dead, and then there is still no segment: removed at the next attach | the dead make no segment; the other way round one that was made in between would lose its index |
//! | recycle (`spare`) | instead of the deletion: a rename; then private name, sync of the directory, new head, sync, new name, sync of the directory | no power cut brings an earlier name back over another content; stale frames fail the salt of the new number |
//! | skip (`tools`) | alone; claim words to accepted, the log says so and is synced, then drained segments go | each frame is either skipped or still waits; a second run skips the rest |
//! | rewind (`tools`) | alone; one log with all that still counts, sync, sync of the directory; the other logs go, sync; the indexes go | logs only add up: what must stay accepted stands in the new log before an old one goes; what waits is never lost |
//! | repair (`tools`) | alone; good frames are put into a new segment, synced; the old ones accepted and logged; the segment to the quarantine | a crash in between brings frames twice, and loses none |
//! | index lost (`recover`) | scan that one segment, mark what the logs say, link; then look whether its name still leads to it | the first link wins; only segments that are about to be read are scanned |
//!
//! All of it is tried on a simulated disk that forgets, tears, fails and is cut off at every call; what is
//! asked of a file system is written down there (`tests/simulated`).
//!
//! Nobody appends to a segment that it did not make itself, so that no tail is ever cut under a reader, and
//! a lock is a sign of life and never a critical section: a stopped holder wedges nobody.
//!
//! Layers, each knowing only those before it: `rigged` (for tests), `shm` and `disk`, `index` and `segment`,
//! `place`, `mount`, `numbers` and `table`, `accept`, `spare` and `recover`, `registry` and `lane`, `put` and
//! `take`, this with `config`, `keep` and `ticket`.

mod accept;
mod again;
mod attached;
mod browse;
mod clerk;
mod config;
mod core;
mod disk;
mod expire;
mod index;
mod keep;
mod lane;
mod mount;
mod needless;
mod numbers;
mod parts;
mod place;
mod put;
mod recover;
mod registry;
mod rigged;
mod segment;
pub mod settings;
mod shm;
mod spare;
mod table;
mod take;
mod ticket;
pub mod tools;
mod viewer;
#[cfg(test)]
mod tests;

pub use browse::browse;
pub use config::{Config, Role, Sync};
pub use place::looks_like_channel;
pub use tools::check::{Checked, Finding, Mend, check};
pub use tools::status::{Attached, Status, status};

use self::clerk::Clerk;
use self::core::Core;
use self::disk::{Disk, RealDisk};
use self::index::{ACCEPTED, Index, WAITING};
use self::place::Place;
use self::put::{Putter, lock};
use self::registry::Registry;
use self::rigged::{Bug, planted};
use self::table::Table;
use self::take::{Claimed, Looked, Read};
use self::ticket::Ticket;
use super::{Channel, ChannelError, Fill, Look, Taken};
use crate::event::Batch;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Bytes that a segment has at least and at most; a larger one would have offsets of more than 32 bits.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 64 << 10..=2 << 30;
/// How long the claims of a process that was stopped stay its own.
const LEASE: Duration = Duration::from_secs(5);
/// How often acceptances are logged and synced.
const LOG_EVERY: Duration = Duration::from_millis(100);

/// A file channel.
pub struct FileChannel {
    /// Here and not within: parts hold on to what is within.
    parts: parts::Parts,
    inner: Arc<Inner>,
}

struct Inner {
    core: Core,
    role: Role,
    registry: Mutex<Registry>,
    putter: Putter,
    log: accept::AcceptLog,
    expired: expire::Expired,
    /// Segments of which something was accepted since the last log.
    touched: Mutex<BTreeMap<u64, Arc<Index>>>,
    /// Segments were removed and their directory not synced since.
    removed: AtomicBool,
    /// The log failed, and that was said.
    log_failed: AtomicBool,
    /// What a failed sync may have lost could not be put again, and that was said.
    again_failed: AtomicBool,
    /// Claims that we hold.
    outstanding: AtomicU64,
    wakes: AtomicU64,
    finished: AtomicBool,
    keeper: Clerk,
    lessee: Clerk,
    /// As if the process had been killed.
    #[cfg(test)]
    abandoned: AtomicBool,
}

impl FileChannel {
    /// Open, and make it if it is missing and may be made.
    pub fn open(config: Config, role: Role) -> Result<Arc<FileChannel>, ChannelError> {
        FileChannel::open_on(config, role, Arc::new(RealDisk), LEASE)
    }

    fn open_on(
        config: Config,
        role: Role,
        disk: Arc<dyn Disk>,
        lease: Duration,
    ) -> Result<Arc<FileChannel>, ChannelError> {
        let channel = FileChannel::open_still(config, role, disk, lease, Table::attach)?;
        Inner::start(&channel.inner, lease)?;
        Ok(channel)
    }

    /// Open with nobody else attached, and nobody coming until it is closed; `Full` if it is in use.
    fn open_alone(config: Config, disk: Arc<dyn Disk>) -> Result<Arc<FileChannel>, ChannelError> {
        let channel = FileChannel::open_still(config, Role::Both, disk, LEASE, Table::attach_alone)?;
        Inner::start(&channel.inner, LEASE)?;
        Ok(channel)
    }

    /// Open without the threads that log, sync and renew the lease now and then.
    fn open_still(
        mut config: Config,
        role: Role,
        disk: Arc<dyn Disk>,
        lease: Duration,
        attach: impl Fn(&Place, &dyn Disk, Role, Duration) -> Result<Table, ChannelError>,
    ) -> Result<Arc<FileChannel>, ChannelError> {
        config.segment_bytes = config
            .segment_bytes
            .clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end());
        let place = Place::open(&config, &*disk)?;
        let table = attach(&place, &*disk, role, lease)?;
        let accepted = match planted(Bug::LogsNotRead) {
            false => accept::read_all(&place.acceptances(), &*disk)?,
            true => accept::Accepted::new(),
        };
        let core = Core {
            report: config.report.clone(),
            config,
            place,
            disk,
            table,
            accepted,
        };
        let inner = Arc::new(Inner {
            core,
            role,
            registry: Mutex::default(),
            putter: Putter::default(),
            log: accept::AcceptLog::default(),
            expired: expire::Expired::default(),
            touched: Mutex::default(),
            removed: AtomicBool::new(false),
            log_failed: AtomicBool::new(false),
            again_failed: AtomicBool::new(false),
            outstanding: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            keeper: Clerk::default(),
            lessee: Clerk::default(),
            #[cfg(test)]
            abandoned: AtomicBool::new(false),
        });
        if role != Role::Put {
            inner.log.collect(&inner.core).or_else(on_full_disk)?;
            inner.core.keep_ballast();
        }
        recover::remove_leftovers(&inner.core);
        if role != Role::Take && inner.core.config.sync == Sync::Always {
            inner.core.table.want_spares(spare::WANTED);
        }
        spare::clear(&inner.core);
        let parts = parts::Parts::default();
        Ok(Arc::new(FileChannel { parts, inner }))
    }

    /// Nothing waits and nothing is held by a process that died; what living takers hold does not count.
    pub fn is_drained(&self) -> Result<bool, ChannelError> {
        take::is_drained(&self.inner.core, &mut lock(&self.inner.registry))
    }
}

/// Logs that cannot be collected now do no harm.
fn on_full_disk(error: ChannelError) -> Result<(), ChannelError> {
    match error {
        ChannelError::Failed(_) => Ok(()),
        other => Err(other),
    }
}

impl Inner {
    /// Nothing that it still does has an effect: in a test it was killed.
    fn is_abandoned(&self) -> bool {
        #[cfg(test)]
        return self.abandoned.load(Ordering::SeqCst);
        #[cfg(not(test))]
        false
    }

    /// A frame has become accepted.
    fn accepted(&self, claimed: &Claimed) {
        let index = &claimed.opened.index;
        lock(&self.touched).insert(claimed.number, index.clone());
        if self.core.config.sync_take_always {
            self.keep();
        }
        self.core.table.space_bell().ring_for_sleepers();
        if index.is_drained() && lock(&self.registry).dispose(&self.core, claimed.number, index) {
            lock(&self.touched).remove(&claimed.number);
            self.removed.store(true, Ordering::SeqCst);
        }
        self.keeper.nudge();
    }

    /// We hold one claim less.
    fn released(&self) {
        let was = self.outstanding.fetch_sub(1, Ordering::SeqCst);
        if was == 1 && self.finished.load(Ordering::SeqCst) {
            self.core.table.put_bell().ring();
        }
    }

    /// A frame waits again, behind the place where takers look.
    fn came_back(&self) {
        if !planted(Bug::RefusedNotAnnounced) {
            self.core.table.rewinds().fetch_add(1, Ordering::SeqCst);
        }
        self.core.table.put_bell().ring();
    }

    /// Claim what there is. `at_end`: nobody here will put any more, and nothing that we hold can come back.
    ///
    /// Our claims are counted under the lock under which they are made. So what was counted when the scan
    /// began is what there was during all of it.
    fn look(&self) -> Result<(Looked, bool), ChannelError> {
        let mut registry = lock(&self.registry);
        let at_end = self.finished.load(Ordering::SeqCst) && self.outstanding.load(Ordering::SeqCst) == 0;
        let looked = take::claim_next(&self.core, &mut registry)?;
        if matches!(looked, Looked::Claimed(_)) {
            self.outstanding.fetch_add(1, Ordering::SeqCst);
            drop(registry);
            self.lessee.nudge();
        }
        Ok((looked, at_end))
    }

    /// Nothing can come before something that we hold is settled.
    fn is_pressed(&self) -> bool {
        let held = self.outstanding.load(Ordering::SeqCst) > 0;
        held && (self.finished.load(Ordering::SeqCst) || self.core.table.space_bell().is_waited_for())
    }

    /// Read what was claimed; `None` if it is lost for good, or dropped for its age.
    fn read(this: &Arc<Inner>, claimed: Claimed) -> Result<Option<(Batch, Ticket)>, ChannelError> {
        match take::read(&this.core, &claimed) {
            Ok(Read::Batch(batch)) => {
                let inner = this.clone();
                Ok(Some((batch, Ticket { inner, claimed })))
            }
            Ok(Read::Expired) => {
                this.expire(&claimed);
                this.released();
                Ok(None)
            }
            Ok(Read::Lost) => {
                this.released();
                Ok(None)
            }
            Ok(Read::Damaged(what)) => {
                claimed.opened.index.set_damaged();
                (this.core.report)(&format!("{what}; the segment goes to the quarantine"));
                if take::settle(&claimed, ACCEPTED) {
                    this.accepted(&claimed);
                }
                this.released();
                Ok(None)
            }
            Err(error) => {
                take::settle(&claimed, WAITING);
                this.came_back();
                this.released();
                Err(error)
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.keeper.stop();
        self.lessee.stop();
        if self.is_abandoned() {
            return;
        }
        self.putter.close(&self.core);
        // What could not be synced goes into another segment, which is closed as well.
        self.put_again(true);
        self.putter.close(&self.core);
        self.keep();
        self.say_expired(true);
        if (self.role != Role::Put || self.log.is_open()) && self.core.table.is_there() {
            self.log.close(&self.core);
        }
        self.core.table.want_spares(0);
        spare::clear(&self.core);
    }
}

impl FileChannel {
    fn check_role(&self, forbidden: Role, what: &str) -> Result<(), ChannelError> {
        if self.inner.role != forbidden {
            return Ok(());
        }
        let directory = self.inner.core.place.directory.display();
        Err(place::unusable(format!("{directory} was opened to {what} only")))
    }
}

impl Channel for FileChannel {
    fn put(&self, batches: &[Batch]) -> Result<(), ChannelError> {
        self.check_role(Role::Take, "take")?;
        let inner = &*self.inner;
        let make_room = || inner.expire_some();
        inner
            .putter
            .put(&inner.core, &inner.registry, batches, make_room)?;
        if matches!(inner.core.config.sync, Sync::Every(_)) {
            inner.keeper.nudge();
        }
        Ok(())
    }

    fn take(&self, deadline: Option<Instant>) -> Result<Taken, ChannelError> {
        self.take_unless_pressed(deadline, &mut Look::plain(deadline, self.wakes()))
    }

    fn wakes(&self) -> u64 {
        self.inner.wakes.load(Ordering::SeqCst)
    }

    fn take_unless_pressed(&self, deadline: Option<Instant>, look: &mut Look) -> Result<Taken, ChannelError> {
        self.check_role(Role::Put, "put")?;
        let inner = &self.inner;
        if let Some(part) = self.parts.next() {
            return Ok(Taken::Delivery(part));
        }
        let bell = inner.core.table.put_bell();
        loop {
            let seen = bell.look();
            let looked = inner.look().or_else(|error| {
                inner.core.check_there()?;
                Err(error)
            });
            let foreign = match looked? {
                (Looked::Claimed(claimed), _) => match Inner::read(inner, claimed)? {
                    Some((batch, ticket)) => {
                        let most = inner.core.config.transaction;
                        return Ok(Taken::Delivery(self.parts.first(batch, most, ticket)));
                    }
                    None => continue,
                },
                (Looked::Nothing { .. }, true) => return Ok(Taken::Finished),
                (Looked::Nothing { foreign }, false) => foreign,
            };
            if !look.pressed && inner.is_pressed() {
                look.pressed = true;
                return Ok(Taken::Empty);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if look.is_woken(self.wakes()) || left.is_some_and(|left| left.is_zero()) {
                return Ok(Taken::Empty);
            }
            inner.core.check_there()?;
            let sweep = foreign.then_some(take::SWEEP);
            bell.sleep(seen, left.into_iter().chain(sweep).min());
        }
    }

    fn finish_put(&self) {
        self.inner.say_expired(true);
        self.inner.finished.store(true, Ordering::SeqCst);
        self.inner.core.table.put_bell().ring();
    }

    fn wake(&self) {
        self.inner.wakes.fetch_add(1, Ordering::SeqCst);
        self.inner.core.table.put_bell().ring();
    }

    fn fill(&self) -> Fill {
        let amount = lock(&self.inner.registry).count(&self.inner.core, false);
        let amount = amount.unwrap_or_default();
        Fill {
            events: amount.events,
            bytes: amount.bytes,
            capacity: self.inner.core.config.capacity,
        }
    }

    fn oldest(&self) -> Option<Duration> {
        lock(&self.inner.registry).oldest(&self.inner.core).ok().flatten()
    }

    fn expired(&self) -> u64 {
        self.inner.expired()
    }

    fn id(&self) -> String {
        self.inner.core.place.id.clone()
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn is_drained(&self) -> bool {
        // What cannot be told is not drained: the next take says why.
        FileChannel::is_drained(self).unwrap_or(false)
    }

    fn largest_event(&self) -> u64 {
        let room = match self.inner.core.config.max_bytes {
            0 => u64::MAX,
            bytes => bytes,
        };
        room.min(u64::from(crate::wire::LIMIT))
    }

    fn sync_takes(&self) -> Result<(), ChannelError> {
        self.inner.say_expired(true);
        self.inner.log_takes()
    }
}
