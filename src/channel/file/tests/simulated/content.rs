//! The content of one simulated file: what reads see, what is on the disk, and every version that a sector
//! and the size have had since the last good sync.

use super::random::Random;
use std::collections::BTreeMap;

pub const SECTOR: u64 = 512;

/// Bytes of a sector.
type Sector = [u8; SECTOR as usize];

/// Bytes, zeros behind them, and a size.
#[derive(Clone, Default)]
struct Bytes {
    bytes: Vec<u8>,
    size: u64,
}

impl Bytes {
    fn sector(&self, number: u64) -> Sector {
        let mut sector = [0; SECTOR as usize];
        let start = ((number * SECTOR) as usize).min(self.bytes.len());
        let part = &self.bytes[start..self.bytes.len().min(start + SECTOR as usize)];
        sector[..part.len()].copy_from_slice(part);
        sector
    }

    fn set_sector(&mut self, number: u64, sector: &Sector) {
        let start = (number * SECTOR) as usize;
        self.extend_to(start + SECTOR as usize);
        self.bytes[start..start + SECTOR as usize].copy_from_slice(sector);
    }

    fn extend_to(&mut self, length: usize) {
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
    }

    fn cut(&mut self, size: u64) {
        self.size = size;
        self.bytes.truncate(size as usize);
    }
}

/// How much of what was not synced a power cut leaves: so many of eight in their newest version.
#[derive(Clone, Copy)]
pub struct Luck(pub u64);

/// A file.
#[derive(Clone, Default)]
pub struct Content {
    now: Bytes,
    durable: Bytes,
    /// Versions of sectors since the last sync, the oldest first.
    dirty: BTreeMap<u64, Vec<Sector>>,
    sizes: Vec<u64>,
}

impl Content {
    pub fn size(&self) -> u64 {
        self.now.size
    }

    pub fn read(&self, to: &mut Vec<u8>, most: usize, at: u64) {
        let end = self.now.size.min(at + most as u64);
        let length = to.len() + end.saturating_sub(at) as usize;
        let have = self.now.bytes.len().min(end as usize);
        to.extend_from_slice(&self.now.bytes[(at as usize).min(have)..have]);
        to.resize(length, 0);
    }

    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = at + bytes.len() as u64;
        self.now.extend_to(end as usize);
        self.now.bytes[at as usize..end as usize].copy_from_slice(bytes);
        self.set_size(self.now.size.max(end));
        self.touch(at, end);
    }

    pub fn reserve(&mut self, end: u64) {
        self.set_size(self.now.size.max(end));
    }

    pub fn truncate(&mut self, size: u64) {
        let end = self.now.bytes.len() as u64;
        self.set_size(size);
        if size < end {
            self.now.bytes.truncate(size as usize);
            self.touch(size, end);
        }
    }

    fn set_size(&mut self, size: u64) {
        if self.now.size != size {
            self.now.size = size;
            self.sizes.push(size);
        }
    }

    fn touch(&mut self, from: u64, to: u64) {
        for number in from / SECTOR..to.div_ceil(SECTOR) {
            let version = self.now.sector(number);
            self.dirty.entry(number).or_default().push(version);
        }
    }

    pub fn sync(&mut self) {
        for (number, versions) in std::mem::take(&mut self.dirty) {
            if let Some(newest) = versions.last() {
                self.durable.set_sector(number, newest);
            }
        }
        self.durable.size = self.sizes.drain(..).next_back().unwrap_or(self.durable.size);
    }

    /// The pages count as clean from now on, whatever of them has reached the disk.
    pub fn fail_sync(&mut self, random: &mut Random) {
        let luck = Luck(random.below(9));
        self.settle(luck, random);
        if random.eighths(4) {
            // The pages were dropped: what is read comes from the disk.
            let size = self.now.size;
            self.now.bytes.clone_from(&self.durable.bytes);
            self.now.bytes.truncate(size as usize);
        }
    }

    /// Each sector and the size have one of their versions.
    fn settle(&mut self, luck: Luck, random: &mut Random) {
        for (number, versions) in std::mem::take(&mut self.dirty) {
            if let Some(version) = pick(&versions, luck, random) {
                self.durable.set_sector(number, version);
            }
        }
        let sizes = std::mem::take(&mut self.sizes);
        if let Some(size) = pick(&sizes, luck, random) {
            self.durable.size = *size;
        }
    }

    pub fn cut_power(&mut self, luck: Luck, random: &mut Random) {
        self.settle(luck, random);
        let size = self.durable.size;
        self.durable.cut(size);
        self.now = self.durable.clone();
    }
}

/// The newest version, or an older one, or none of them.
fn pick<'a, T>(versions: &'a [T], luck: Luck, random: &mut Random) -> Option<&'a T> {
    if random.eighths(luck.0) {
        return versions.last();
    }
    versions.get(random.index(versions.len() + 1).wrapping_sub(1))
}
