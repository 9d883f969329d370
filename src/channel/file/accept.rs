//! Logs of acceptances: what survives the loss of the tables.
//!
//! One file for each life of a taker, written by that taker alone, so that nobody waits for anybody. A
//! record says that frames `from..to` of a segment are accepted. It says what the *table* says of a segment
//! that was touched, not what its writer did: so the acceptances of a killed taker get logged by whoever
//! goes on. The union of all logs counts; records are only ever added, so their order does not matter and a
//! record that is torn is passed over.

use super::core::Core;
use super::disk::{Disk, DiskFile};
use super::index::Index;
use super::place::{failed, random};
use super::rigged::{Bug, planted};
use crate::channel::ChannelError;
use crate::wire;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Bytes of a record: number, from, to, checksum, zeros.
const RECORD: usize = 24;
/// Set aside in steps, so that acceptances can be noted on a full disk.
const STEP: u64 = 64 << 10;
/// A log that is longer is written anew, with what still counts.
const LONGEST: u64 = 1 << 20;
/// Logs of the dead that are left alone; more are joined into one.
const MOST_DEAD: usize = 8;

/// Accepted frames, by segment.
pub type Accepted = BTreeMap<u64, Vec<(u32, u32)>>;

fn record(number: u64, from: u32, to: u32) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..12].copy_from_slice(&from.to_le_bytes());
    bytes[12..16].copy_from_slice(&to.to_le_bytes());
    let crc = wire::crc32c(&bytes[..16]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn records(accepted: &Accepted) -> Vec<u8> {
    let all = accepted
        .iter()
        .flat_map(|(number, ranges)| ranges.iter().map(|range| (*number, *range)));
    all.flat_map(|(number, (from, to))| record(number, from, to))
        .collect()
}

fn parse(bytes: &[u8], into: &mut Accepted) {
    for chunk in bytes.chunks_exact(RECORD) {
        let u32_at = |at: usize| u32::from_le_bytes([chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3]]);
        let number = u64::from(u32_at(0)) | u64::from(u32_at(4)) << 32;
        let (from, to) = (u32_at(8), u32_at(12));
        if from < to && record(number, from, to) == chunk {
            into.entry(number).or_default().push((from, to));
        }
    }
}

/// What all logs say.
pub fn read_all(directory: &Path, disk: &dyn Disk) -> Result<Accepted, ChannelError> {
    // A log that goes while we read was joined into a newer one, which may not have been listed yet.
    for _ in 0..100 {
        let names = disk
            .names(directory)
            .map_err(|error| failed("list", directory, &error))?;
        let mut all = Accepted::new();
        let mut complete = true;
        for name in names {
            complete &= read_log(&directory.join(name), disk, &mut all)?;
        }
        if complete {
            return Ok(all);
        }
    }
    Err(ChannelError::Failed(format!(
        "the logs in {} do not hold still; is something removing them?",
        directory.display()
    )))
}

/// False if it is gone.
fn read_log(path: &Path, disk: &dyn Disk, into: &mut Accepted) -> Result<bool, ChannelError> {
    let mut bytes = Vec::new();
    let is_there = read_bytes(path, disk, &mut bytes)?;
    parse(&bytes, into);
    Ok(is_there)
}

fn read_bytes(path: &Path, disk: &dyn Disk, bytes: &mut Vec<u8>) -> Result<bool, ChannelError> {
    let read = disk.open_to_read(path).and_then(|file| {
        let length = file.length()?;
        file.read_at(bytes, length as usize, 0)
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("read", path, &error)),
        Ok(()) => Ok(true),
    }
}

/// Records of a log that cannot be read though later ones can: not the torn end of the last write. `None` if
/// it is gone.
pub fn damaged_records(path: &Path, disk: &dyn Disk) -> Result<Option<usize>, ChannelError> {
    let mut bytes = Vec::new();
    if !read_bytes(path, disk, &mut bytes)? {
        return Ok(None);
    }
    let is_whole = |chunk: &[u8]| {
        let mut one = Accepted::new();
        parse(chunk, &mut one);
        !one.is_empty()
    };
    let chunks: Vec<_> = bytes.chunks_exact(RECORD).collect();
    let last = chunks.iter().rposition(|chunk| is_whole(chunk)).unwrap_or(0);
    let damaged = chunks[..last.min(chunks.len())]
        .iter()
        .filter(|chunk| !is_whole(chunk) && chunk.iter().any(|byte| *byte != 0));
    Ok(Some(damaged.count()))
}

struct Log {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    at: u64,
    reserved: u64,
}

#[derive(Default)]
struct State {
    log: Option<Log>,
    /// Segments that this log speaks of, and the frame up to which all are accepted and noted.
    noted: BTreeMap<u64, (Weak<Index>, u32)>,
}

/// The log of one taker.
#[derive(Default)]
pub struct AcceptLog {
    state: Mutex<State>,
}

/// Runs of accepted frames from `from` on, as records.
fn runs(number: u64, index: &Index, from: u32, into: &mut Vec<u8>) -> u32 {
    let (committed, mut noted) = (index.committed(), from);
    let mut frame = from;
    while frame < committed {
        let start = frame;
        while frame < committed && index.is_accepted(frame) {
            frame += 1;
        }
        if frame > start {
            into.extend_from_slice(&record(number, start, frame));
            if start == noted {
                noted = frame;
            }
        }
        frame += 1;
    }
    noted
}

impl AcceptLog {
    /// Note and sync what the table says of the segments that were touched.
    pub fn note(&self, core: &Core, touched: &BTreeMap<u64, Arc<Index>>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.log.as_ref().is_some_and(|log| log.at > LONGEST) {
            return renew(core, &mut state, touched);
        }
        let mut bytes = Vec::new();
        let mut noted = Vec::new();
        for (number, index) in touched {
            let from = state.noted.get(number).map_or(0, |(_, noted)| *noted);
            let upto = runs(*number, index, from, &mut bytes);
            noted.push((*number, (Arc::downgrade(index), upto)));
        }
        append(core, &mut state, &bytes)?;
        state.noted.extend(noted);
        Ok(())
    }

    /// Take over what logs of the dead say, if there are many, and remove those of which nothing counts any
    /// more.
    pub fn collect(&self, core: &Core) -> Result<(), ChannelError> {
        let directory = core.place.acceptances();
        let told = |error: io::Error| failed("collect the logs in", &directory, &error);
        let mut dead = core.disk.names(&directory).map_err(told)?;
        dead.retain(|name| is_dead(core, name));
        let segments: BTreeMap<_, _> = core.place.segments(&*core.disk)?.into_iter().collect();
        // A segment that is not listed must not come back by a power cut when its log is gone.
        if !planted(Bug::LogsCollectedEarly) {
            core.sync_data_dirs().map_err(told)?;
        }
        let join = dead.len() > MOST_DEAD;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for name in dead {
            let path = directory.join(name);
            let mut said = Accepted::new();
            read_log(&path, &*core.disk, &mut said)?;
            said.retain(|number, _| segments.contains_key(number));
            if !said.is_empty() && !join {
                continue;
            }
            append(core, &mut state, &records(&said)).map_err(told)?;
            let _ = core.disk.unlink(&path);
        }
        Ok(())
    }

    /// Say anew what a damaged log of the dead says, and move that to a quarantine.
    pub fn take_over(&self, core: &Core, path: &Path) -> Result<(), ChannelError> {
        let told = |error: io::Error| failed("take over the log", path, &error);
        let mut said = Accepted::new();
        read_log(path, &*core.disk, &mut said)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        append(core, &mut state, &records(&said)).map_err(told)?;
        let aside = core.place.checkpoint.join("quarantine");
        let name = path.file_name().unwrap_or_default();
        core.disk
            .make_dir(&aside)
            .and_then(|()| core.disk.rename(path, &aside.join(name)))
            .and_then(|()| core.disk.sync_dir(&aside))
            .and_then(|()| core.disk.sync_dir(&core.place.acceptances()))
            .map_err(told)
    }

    /// Let this be all that the logs say: to be used alone. The new log is on the disk before another goes.
    pub fn replace_all(&self, core: &Core, keep: &Accepted) -> Result<(), ChannelError> {
        let directory = core.place.acceptances();
        let told = |error: io::Error| failed("write anew the logs in", &directory, &error);
        let mut fresh = State::default();
        append(core, &mut fresh, &records(keep)).map_err(told)?;
        let kept = fresh.log.as_ref().map(|log| log.path.clone());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = fresh;
        for name in core.disk.names(&directory).map_err(told)? {
            let path = directory.join(name);
            if kept.as_ref() != Some(&path) {
                core.disk.unlink(&path).map_err(told)?;
            }
        }
        core.disk.sync_dir(&directory).map_err(told)
    }

    /// Something was noted.
    pub fn is_open(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.log.is_some()
    }

    /// Give back what was set aside; an empty log leaves no file.
    pub fn close(&self, core: &Core) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = state.log.take() {
            let _ = log.file.truncate(log.at);
        }
        drop(state);
        if let Err(error) = self.collect(core) {
            (core.report)(&error.to_string());
        }
    }
}

/// The writer of this log is gone. Its name says slot and registration.
fn is_dead(core: &Core, name: &str) -> bool {
    let mut parts = name.split('-');
    let mut next = |base| u64::from_str_radix(parts.next()?, base).ok();
    match (next(10), next(10)) {
        (Some(slot), Some(registration)) => !core.table.is_owner_alive((slot as usize, registration)),
        _ => false,
    }
}

fn start(core: &Core) -> io::Result<Log> {
    let (slot, registration) = core.table.me();
    let directory = core.place.acceptances();
    let path = directory.join(format!("{slot}-{registration}-{:016x}.acc", random()));
    let file = core.disk.create(&path)?;
    let ready = file
        .reserve(0, STEP)
        .and_then(|()| core.disk.sync_dir(&directory));
    if let Err(error) = ready {
        let _ = core.disk.unlink(&path);
        return Err(error);
    }
    Ok(Log {
        file,
        path,
        at: 0,
        reserved: STEP,
    })
}

fn append(core: &Core, state: &mut State, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let log = match state.log.take() {
        Some(log) => state.log.insert(log),
        None => state.log.insert(start(core)?),
    };
    let end = log.at + bytes.len() as u64;
    if end > log.reserved {
        let more = (end - log.reserved).next_multiple_of(STEP);
        log.file.reserve(log.reserved, more)?;
        log.reserved += more;
    }
    log.file.write_at(&mut [IoSlice::new(bytes)], log.at)?;
    log.at = end;
    if planted(Bug::LogNotSynced) {
        return Ok(());
    }
    log.file.sync().inspect_err(|_| {
        // What of it is on the disk nobody knows, nor whether its length is: the same is written again into
        // another file. What was noted before stands where it is.
        state.log = None;
    })
}

/// Begin another log with what still counts; the old one goes when that is on the disk.
fn renew(core: &Core, state: &mut State, touched: &BTreeMap<u64, Arc<Index>>) -> io::Result<()> {
    let mut live: BTreeMap<u64, Arc<Index>> = touched.clone();
    let noted = state.noted.iter();
    live.extend(noted.filter_map(|(number, (index, _))| Some((*number, index.upgrade()?))));
    live.retain(|_, index| !index.is_drained());
    let mut fresh = State::default();
    let mut bytes = Vec::new();
    for (number, index) in &live {
        let upto = runs(*number, index, 0, &mut bytes);
        fresh.noted.insert(*number, (Arc::downgrade(index), upto));
    }
    let mut earlier = Accepted::new();
    if let Some(old) = &state.log {
        // Taken over from the dead, of segments that nobody here has opened yet.
        read_log(&old.path, &*core.disk, &mut earlier).map_err(io::Error::other)?;
    }
    earlier.retain(|number, _| !state.noted.contains_key(number) && !live.contains_key(number));
    bytes.extend(records(&earlier));
    append(core, &mut fresh, &bytes)?;
    if let Some(old) = std::mem::replace(state, fresh).log {
        let _ = core.disk.unlink(&old.path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_record_is_passed_over_and_the_others_count() {
        let mut bytes = Vec::new();
        for number in 1..4u64 {
            bytes.extend_from_slice(&record(number, 0, 5));
        }
        bytes[RECORD + 9] ^= 1;
        bytes.extend_from_slice(&[0; RECORD + 7]);
        let mut all = Accepted::new();
        parse(&bytes, &mut all);
        let mut numbers: Vec<_> = all.into_iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [(1, vec![(0, 5)]), (3, vec![(0, 5)])]);
    }
}
