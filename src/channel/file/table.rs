//! The control file of a running channel: counters, bells, and a slot for each process.
//!
//! It lives in a directory named after the boot and the channel's inode, so that no word of it outlives the
//! memory of those who wrote it. Losing it loses no event: indexes are rebuilt and numbers go on behind the
//! durable mark.
//!
//! Who attaches while nobody else is there looks whether the table was made on the mount that is there now,
//! and starts a new one if not. Nobody comes meanwhile: the one who looks holds the door, a byte behind those
//! of the slots. Whoever comes locks a slot first and looks at the door second; who looks after the table locks
//! the door first and looks at the slots second. So one of them sees the other, and who sees the other lets go
//! and tries again. Where somebody lives the table is right, whatever mount it is seen through.

mod attach;

use super::disk::Disk;
use super::index::Amount;
use super::numbers::{BLOCK, make_mark, names_in};
use super::place::{Place, random};
use super::rigged::{Bug, planted};
use super::shm::{self, Bell, Map};
use std::fs::File;
use std::io::{self};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"FLMTAB1\0");
/// Processes that may use one channel at a time.
pub const SLOTS: usize = 256;
pub(super) const HEAD: usize = 4096;
pub(super) const SLOT: usize = 64;
pub(super) const SIZE: usize = HEAD + SLOTS * SLOT;
/// The byte that is locked with all others by whoever uses the channel alone.
const ALONE: i64 = SLOTS as i64;
/// The byte that is locked by who looks whether the table is of this mount.
const DOOR: i64 = SLOTS as i64 + 1;
/// How the name begins of a table that was replaced.
const GONE: &str = "table-gone-";
/// How often is tried to come in.
const KNOCK: Duration = Duration::from_millis(1);

pub(super) const AT_MAGIC: usize = 0;
const AT_IDS: usize = 8;
const AT_NUMBERS: usize = 16;
const AT_DURABLE: usize = 24;
const AT_SEGMENTS: usize = 32;
const AT_REWINDS: usize = 40;
const AT_STAMP: usize = 48;
const AT_PUT_BELL: usize = 128;
const AT_SPACE_BELL: usize = 192;

pub(super) const IN_REGISTRATION: usize = 0;
pub(super) const IN_DEADLINE: usize = 8;
pub(super) const IN_PID: usize = 16;
const IN_EVENTS: usize = 24;
const IN_BYTES: usize = 32;
const IN_SPARES: usize = 48;
pub(super) const IN_ROLE: usize = 40;

/// Our slot in the table of a channel; free again when this is dropped, or the process ends.
pub struct Table {
    map: Map,
    directory: PathBuf,
    /// Holds the lock on our byte.
    mine: File,
    /// Through which we look at the locks of others.
    probe: File,
    slot: usize,
    registration: u64,
    lease: Duration,
    /// Nobody else was there when we came.
    was_alone: bool,
}

/// The directory of the table that processes of this boot use.
pub fn directory(place: &Place) -> io::Result<PathBuf> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let found = std::fs::metadata(&place.directory)?;
    let name = format!("table-{}-{:x}-{:x}", boot.trim(), found.dev(), found.ino());
    Ok(place.checkpoint.join(name))
}

impl Table {
    fn in_slot(&self, slot: usize, field: usize) -> &AtomicU64 {
        self.map.word(HEAD + slot % SLOTS * SLOT + field)
    }

    /// Nobody else was there when we came: what was found was left by the dead.
    pub fn was_alone(&self) -> bool {
        self.was_alone
    }

    /// It was not removed under us. What cannot be asked for counts as there.
    pub fn is_there(&self) -> bool {
        self.mine.metadata().map_or(true, |found| found.nlink() > 0)
    }

    /// The numbers of all segments that have an index.
    pub fn indexes(&self) -> Vec<u64> {
        let names = names_in(&self.directory).into_iter();
        let number = |name: String| name.strip_suffix(".idx")?.parse().ok();
        names.filter_map(number).collect()
    }

    /// Our slot and registration.
    pub fn me(&self) -> (usize, u64) {
        (self.slot, self.registration)
    }

    /// An id that nobody else ever gets.
    #[inline]
    pub fn draw_id(&self) -> u64 {
        self.map.word(AT_IDS).fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Rings when something was put or came back.
    pub fn put_bell(&self) -> Bell<'_> {
        Bell(self.map.half(AT_PUT_BELL))
    }

    /// Rings when something was accepted, for those who wait for room.
    pub fn space_bell(&self) -> Bell<'_> {
        Bell(self.map.half(AT_SPACE_BELL))
    }

    /// Changes when the list of segments and indexes does.
    pub fn segments_changed(&self) -> &AtomicU64 {
        self.map.word(AT_SEGMENTS)
    }

    /// Changes when a frame waits again behind the place where takers look.
    pub fn rewinds(&self) -> &AtomicU64 {
        self.map.word(AT_REWINDS)
    }

    /// The index file of a segment.
    pub fn index_path(&self, number: u64) -> PathBuf {
        index_path(&self.directory, number)
    }

    /// A name in the table's directory that nobody uses.
    pub fn private_path(&self) -> PathBuf {
        self.directory.join(format!(".{:016x}", random()))
    }

    /// We live for another lease.
    pub fn renew(&self) {
        let deadline = shm::now_ns() + self.lease.as_nanos() as u64;
        self.in_slot(self.slot, IN_DEADLINE)
            .store(deadline, Ordering::SeqCst);
    }

    /// More than half of our lease is left.
    #[inline]
    pub fn is_fresh(&self) -> bool {
        let deadline = self.in_slot(self.slot, IN_DEADLINE).load(Ordering::Relaxed);
        deadline > shm::now_ns() + self.lease.as_nanos() as u64 / 2
    }

    /// Whoever claimed this under this id may still accept it.
    pub fn is_claim_alive(&self, slot: usize, id: u64) -> bool {
        if slot == self.slot {
            return id > self.registration;
        }
        if planted(Bug::LivingTakenOver) || planted(Bug::DeadNotTakenOver) {
            return planted(Bug::DeadNotTakenOver);
        }
        let registration = self.in_slot(slot, IN_REGISTRATION).load(Ordering::SeqCst);
        let deadline = self.in_slot(slot, IN_DEADLINE).load(Ordering::SeqCst);
        registration <= id && deadline > shm::now_ns() && self.is_held(slot)
    }

    /// Whoever registered so still runs, perhaps stopped.
    pub fn is_owner_alive(&self, (slot, registration): (usize, u64)) -> bool {
        if (slot, registration) == self.me() {
            return true;
        }
        if planted(Bug::LivingPutterSealed) {
            return false;
        }
        let found = self.in_slot(slot, IN_REGISTRATION).load(Ordering::SeqCst);
        registration != 0 && found == registration && self.is_held(slot)
    }

    fn is_held(&self, slot: usize) -> bool {
        // A lock that cannot be asked for counts as held: nobody is taken from who may live.
        slot == self.slot || shm::is_locked(&self.probe, (slot % SLOTS) as i64, 1).unwrap_or(true)
    }

    /// What we are about to put, for others who look whether there is room.
    pub fn set_reserved(&self, amount: Amount) {
        self.in_slot(self.slot, IN_EVENTS)
            .store(amount.events, Ordering::SeqCst);
        self.in_slot(self.slot, IN_BYTES)
            .store(amount.bytes, Ordering::SeqCst);
    }

    /// What all living processes are about to put.
    pub fn reserved(&self) -> Amount {
        let mut sum = Amount::default();
        for slot in 0..SLOTS {
            let events = self.in_slot(slot, IN_EVENTS).load(Ordering::SeqCst);
            let bytes = self.in_slot(slot, IN_BYTES).load(Ordering::SeqCst);
            if (events, bytes) != (0, 0) && self.is_held(slot) {
                sum.add(Amount { events, bytes });
            }
        }
        sum
    }

    /// How many drained segments we would like to find.
    pub fn want_spares(&self, count: u64) {
        self.in_slot(self.slot, IN_SPARES).store(count, Ordering::SeqCst);
    }

    /// How many drained segments all living putters would like to find.
    pub fn spares_wanted(&self) -> u64 {
        let wanted = |slot: &usize| self.in_slot(*slot, IN_SPARES).load(Ordering::SeqCst);
        let asking = (0..SLOTS).filter(|slot| wanted(slot) > 0 && self.is_held(*slot));
        asking.map(|slot| wanted(&slot)).sum()
    }

    /// Make a durable mark above every number that is or was in use; the mark.
    pub fn mark_above(&self, place: &Place, disk: &dyn Disk, last: u64) -> io::Result<u64> {
        let numbers = self.map.word(AT_NUMBERS);
        numbers.fetch_max(last + 1, Ordering::SeqCst);
        let mark = numbers.load(Ordering::SeqCst) + BLOCK;
        make_mark(place, disk, mark)?;
        self.map.word(AT_DURABLE).store(mark, Ordering::SeqCst);
        Ok(mark)
    }

    /// A segment number that was never used and, once this returns, never will be again: it lies below a
    /// mark that is durable. The mark is a name, since names cannot tear; a process that slept over a
    /// higher mark adds a lower name, which changes nothing.
    pub fn draw_number(&self, place: &Place, disk: &dyn Disk) -> io::Result<u64> {
        let number = self.map.word(AT_NUMBERS).fetch_add(1, Ordering::SeqCst);
        let durable = self.map.word(AT_DURABLE);
        if number >= durable.load(Ordering::SeqCst) {
            let mark = number + BLOCK;
            make_mark(place, disk, mark)?;
            durable.fetch_max(mark, Ordering::SeqCst);
        }
        Ok(number)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        shm::unlock(&self.mine, self.slot as i64);
    }
}

pub fn index_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.idx"))
}
