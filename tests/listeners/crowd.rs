//! Thousands of connections, and what they cost.

use crate::pipe::Running;
use std::sync::{Mutex, MutexGuard};

/// One crowd at a time: all tests together have the descriptors of one process.
static ONE: Mutex<()> = Mutex::new(());

/// Bytes of a stage's process that are in memory.
pub fn resident(running: &Running, stage: usize) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid(stage))).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() << 10
}

/// The right to have so many connections, or as many as the system lets this process have.
pub struct Crowd {
    pub size: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Crowd {
    pub fn of(wanted: usize) -> Crowd {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let alone = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
        let room = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Crowd {
            size: wanted.min(room.saturating_sub(2000) as usize),
            _alone: alone,
        }
    }
}
