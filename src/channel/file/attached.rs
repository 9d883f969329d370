//! Who uses a channel, seen without attaching to it.

use super::Role;
use super::shm::{self, Map};
use super::table::{AT_MAGIC, HEAD, IN_DEADLINE, IN_PID, IN_REGISTRATION, IN_ROLE, MAGIC, SIZE, SLOT, SLOTS};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

/// A look at the control file of a table.
pub struct Onlooker {
    map: Map,
    file: File,
}

impl Onlooker {
    /// Look at the table in this directory. `NotFound` when no process of this boot has used the channel.
    pub fn at(directory: &Path) -> io::Result<Onlooker> {
        let file = File::open(directory.join("control"))?;
        let map = Map::view(&file, SIZE)?;
        if map.word(AT_MAGIC).load(Ordering::Acquire) != MAGIC {
            let why = "it is not the table of a channel";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Onlooker { map, file })
    }

    fn get(&self, slot: usize, field: usize) -> u64 {
        self.map
            .word(HEAD + slot % SLOTS * SLOT + field)
            .load(Ordering::SeqCst)
    }

    fn is_held(&self, slot: usize) -> bool {
        shm::is_locked(&self.file, (slot % SLOTS) as i64, 1).unwrap_or(true)
    }

    /// The processes that are attached: their ids, and what they do.
    pub fn all(&self) -> Vec<(u64, Role)> {
        // Most slots were never used, and asking for a lock is a system call.
        let used = (0..SLOTS).filter(|slot| self.get(*slot, IN_REGISTRATION) != 0);
        used.filter(|slot| self.is_held(*slot))
            .map(|slot| (self.get(slot, IN_PID), role_of(self.get(slot, IN_ROLE))))
            .collect()
    }

    /// The process that holds this claim, if it may still accept it.
    pub fn claimant(&self, slot: usize, id: u64) -> Option<u64> {
        let is_alive = self.get(slot, IN_REGISTRATION) <= id
            && self.get(slot, IN_DEADLINE) > shm::now_ns()
            && self.is_held(slot);
        is_alive.then(|| self.get(slot, IN_PID))
    }

    /// Whoever registered so still runs, perhaps stopped.
    pub fn is_owner_alive(&self, (slot, registration): (usize, u64)) -> bool {
        registration != 0 && self.get(slot, IN_REGISTRATION) == registration && self.is_held(slot)
    }
}

fn role_of(word: u64) -> Role {
    match word {
        0 => Role::Put,
        1 => Role::Take,
        _ => Role::Both,
    }
}
