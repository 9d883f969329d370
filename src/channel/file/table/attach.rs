//! Coming to a table: making, judging and replacing it, and taking a slot.

use super::super::Role;
use super::super::attached::Onlooker;
use super::super::disk::Disk;
use super::super::index::Amount;
use super::super::mount::{leads_to, stamp};
use super::super::numbers::{Used, names_in, next_number};
use super::super::place::{Place, failed, random, unusable};
use super::super::shm::{self, Map};
use super::{
    ALONE, AT_DURABLE, AT_MAGIC, AT_NUMBERS, AT_STAMP, DOOR, GONE, IN_BYTES, IN_DEADLINE, IN_EVENTS, IN_PID,
    IN_REGISTRATION, IN_ROLE, IN_SPARES, KNOCK, MAGIC, SIZE, SLOTS, Table, directory,
};
use crate::channel::ChannelError;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How a slot is taken of the control file of a table in a directory.
type Take<'a> = &'a dyn Fn(&File, &Path) -> io::Result<Result<usize, ChannelError>>;

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
