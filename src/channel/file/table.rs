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

use super::Role;
use super::attached::Onlooker;
use super::disk::Disk;
use super::index::Amount;
use super::mount::{leads_to, stamp};
use super::numbers::{BLOCK, Used, make_mark, names_in, next_number};
use super::place::{Place, failed, random, unusable};
use super::rigged::{Bug, planted};
use super::shm::{self, Bell, Map};
use crate::channel::ChannelError;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

/// How a slot is taken of the control file of a table in a directory.
type Take<'a> = &'a dyn Fn(&File, &Path) -> io::Result<Result<usize, ChannelError>>;

/// The directory of the table that processes of this boot use.
pub fn directory(place: &Place) -> io::Result<PathBuf> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let found = std::fs::metadata(&place.directory)?;
    let name = format!("table-{}-{:x}-{:x}", boot.trim(), found.dev(), found.ino());
    Ok(place.checkpoint.join(name))
}

impl Table {
    /// Attach: make the table if there is none or one of another mount, and take a slot.
    pub fn attach(
        place: &Place,
        disk: &dyn Disk,
        role: Role,
        lease: Duration,
    ) -> Result<Table, ChannelError> {
        Table::join(place, disk, role, lease, |mine, _| {
            if let Some(slot) = take_slot(mine)? {
                return Ok(Ok(slot));
            }
            let directory = place.directory.display();
            Ok(Err(match shm::is_locked(mine, ALONE, 1)? {
                true => ChannelError::Full(format!(
                    "{directory} is being looked after by another process (--repair, --skip or --rewind); try \
                     again when that has ended"
                )),
                false => ChannelError::Failed(format!(
                    "{directory} is in use by {SLOTS} processes, more have no place"
                )),
            }))
        })
    }

    /// Attach with nobody else there, and nobody coming until this is dropped. `Full` if it is in use.
    pub fn attach_alone(
        place: &Place,
        disk: &dyn Disk,
        role: Role,
        lease: Duration,
    ) -> Result<Table, ChannelError> {
        let table = Table::join(place, disk, role, lease, |mine, directory| {
            Ok(match shm::try_lock(mine, 0, ALONE + 1)? {
                true => Ok(0),
                false => Err(in_use(place, directory)),
            })
        })?;
        // All slots are ours: the dead must not seem alive by our locks.
        for slot in 1..SLOTS {
            for field in [IN_REGISTRATION, IN_DEADLINE, IN_EVENTS, IN_BYTES, IN_SPARES] {
                table.in_slot(slot, field).store(0, Ordering::SeqCst);
            }
        }
        Ok(table)
    }

    fn join(
        place: &Place,
        disk: &dyn Disk,
        role: Role,
        lease: Duration,
        take: impl Fn(&File, &Path) -> io::Result<Result<usize, ChannelError>>,
    ) -> Result<Table, ChannelError> {
        let told = |error: io::Error| failed("attach to the table in", &place.checkpoint, &error);
        let directory = directory(place).map_err(told)?;
        clear_others(place, &directory)?;
        let deadline = Instant::now() + lease;
        loop {
            std::fs::create_dir_all(&directory).map_err(told)?;
            if let Some(table) = Table::try_join(place, disk, &directory, role, lease, &take)? {
                return Ok(table);
            }
            if Instant::now() >= deadline {
                return Err(ChannelError::Failed(format!(
                    "another process has begun to open {} and does not go on; is it stopped? Continue or end it",
                    place.directory.display()
                )));
            }
            std::thread::sleep(KNOCK);
        }
    }

    /// `None`: somebody else is just making, judging or replacing the table.
    fn try_join(
        place: &Place,
        disk: &dyn Disk,
        directory: &Path,
        role: Role,
        lease: Duration,
        take: Take<'_>,
    ) -> Result<Option<Table>, ChannelError> {
        let told = |error: io::Error| failed("attach to the table in", &place.checkpoint, &error);
        let path = directory.join("control");
        if !path.exists() && !create(place, disk, &path)? {
            return Ok(None);
        }
        let open = || File::options().read(true).write(true).open(&path);
        let opened = open().and_then(|mine| Ok((mine, open()?, open()?)));
        let (mine, probe, door) = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(told)?,
        };
        let map = whole_map(&mine).map_err(told)?;
        let somebody = || shm::is_locked(&probe, 0, SLOTS as i64).map_err(told);
        let alone = !somebody()?;
        if alone {
            // Before the door is closed: nobody waits for the disk of another.
            let used = Used::look(place);
            if !shm::try_lock(&door, DOOR, 1).map_err(told)? || somebody()? {
                return Ok(None);
            }
            if !leads_to(&path, &mine).map_err(told)?
                || !look_after(place, map.as_ref(), &mine, directory, &used)?
            {
                return Ok(None);
            }
        }
        let map = map.ok_or_else(|| {
            unusable(format!(
                "{} is not the table of a channel; remove it while no process uses the channel",
                path.display()
            ))
        })?;
        let slot = take(&mine, directory).map_err(told)??;
        let is_judged = || Ok(!alone && shm::is_locked(&probe, DOOR, 1)?);
        let is_this = || Ok(leads_to(&path, &mine)? && leads_to(&path, &probe)?);
        if is_judged().map_err(told)? || !is_this().map_err(told)? {
            return Ok(None);
        }
        let mut table = Table {
            map,
            directory: directory.to_path_buf(),
            mine,
            probe,
            slot,
            registration: 0,
            lease,
            was_alone: alone,
        };
        // Before the door opens: who comes then finds us registered.
        table.register(role);
        Ok(Some(table))
    }

    /// The deadline stands before the registration, and both before the first claim.
    fn register(&mut self, role: Role) {
        self.renew();
        self.set_reserved(Amount::default());
        self.want_spares(0);
        let pid = u64::from(std::process::id());
        self.in_slot(self.slot, IN_PID).store(pid, Ordering::SeqCst);
        self.in_slot(self.slot, IN_ROLE)
            .store(role as u64, Ordering::SeqCst);
        self.registration = self.draw_id();
        self.in_slot(self.slot, IN_REGISTRATION)
            .store(self.registration, Ordering::SeqCst);
    }

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

/// Make the control file; whoever links it first wins. False if somebody took the directory away meanwhile.
fn create(place: &Place, disk: &dyn Disk, path: &Path) -> Result<bool, ChannelError> {
    let next = next_number(place, disk)?;
    let hidden = path.with_file_name(format!(".control-{:016x}", random()));
    let made = (|| {
        let mut how = File::options();
        let mut file = how.read(true).write(true).create_new(true).open(&hidden)?;
        file.write_all(&[0; SIZE])?;
        let map = Map::of(&file, SIZE)?;
        map.word(AT_NUMBERS).store(next, Ordering::SeqCst);
        map.word(AT_STAMP).store(stamp(place, &file)?, Ordering::SeqCst);
        map.word(AT_MAGIC).store(MAGIC, Ordering::SeqCst);
        std::fs::hard_link(&hidden, path)
    })();
    let _ = std::fs::remove_file(&hidden);
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("make the table", path, &error)),
    }
}

/// A control file in memory; `None` if it is not whole. Its name is not made before its content, but nothing
/// of it is synced: a power cut in the same boot, which is that of a disk alone, leaves one without the other.
fn whole_map(control: &File) -> io::Result<Option<Map>> {
    match Map::of(control, SIZE) {
        Ok(map) if map.word(AT_MAGIC).load(Ordering::Acquire) == MAGIC => Ok(Some(map)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

/// Look after a table that nobody uses: one of another mount, or that is not whole, goes away, and this is
/// false. From one that stays go half-made files; its numbers are made to be above all that were used.
fn look_after(
    place: &Place,
    map: Option<&Map>,
    control: &File,
    directory: &Path,
    used: &Used,
) -> Result<bool, ChannelError> {
    let told = |error: io::Error| failed("look after the table in", directory, &error);
    let now = stamp(place, control).map_err(told)?;
    let Some(map) = map.filter(|map| map.word(AT_STAMP).load(Ordering::SeqCst) == now) else {
        let gone = directory.with_file_name(format!("{GONE}{:016x}", random()));
        std::fs::rename(directory, &gone).map_err(told)?;
        let _ = std::fs::remove_dir_all(&gone);
        return Ok(false);
    };
    for name in names_in(directory).iter().filter(|name| name.starts_with('.')) {
        let _ = std::fs::remove_file(directory.join(name));
    }
    let (numbers, durable) = (map.word(AT_NUMBERS), map.word(AT_DURABLE));
    if used.mark > durable.load(Ordering::SeqCst) {
        // Its maker died before it noted it here, or the table is older than it looks.
        numbers.fetch_max(used.mark, Ordering::SeqCst);
    }
    numbers.fetch_max(used.segment + 1, Ordering::SeqCst);
    Ok(true)
}

fn take_slot(file: &File) -> io::Result<Option<usize>> {
    for slot in 0..SLOTS {
        if shm::try_lock(file, slot as i64, 1)? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

fn in_use(place: &Place, table: &Path) -> ChannelError {
    let all = Onlooker::at(table)
        .map(|onlooker| onlooker.all())
        .unwrap_or_default();
    let pids: Vec<_> = all.iter().map(|(pid, _)| pid.to_string()).collect();
    ChannelError::Full(format!(
        "{} is in use by process {}: this needs it alone; end them, or try again later",
        place.directory.display(),
        pids.join(", ")
    ))
}

/// Remove tables of other boots. One of this boot under another name that somebody holds is the same
/// channel seen through another mount: two tables would give each batch to two takers.
fn clear_others(place: &Place, ours: &Path) -> Result<(), ChannelError> {
    let names = std::fs::read_dir(&place.checkpoint)
        .into_iter()
        .flatten()
        .flatten();
    let others = names.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("table-") && path != ours
    });
    for path in others {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_replaced = name.starts_with(GONE);
        let control = File::options().read(true).write(true).open(path.join("control"));
        if !is_replaced && control.is_ok_and(|file| shm::is_locked(&file, 0, SLOTS as i64).unwrap_or(true)) {
            return Err(unusable(format!(
                "{} is in use by a process that sees it as another directory (another mount or a copy); \
                 use the same path in all processes",
                place.directory.display()
            )));
        }
        let _ = std::fs::remove_dir_all(&path);
    }
    Ok(())
}
