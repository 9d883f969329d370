//! Random programs of putters and takers, and running them with a crash at every step.

use super::disk::{Crash, Fault, Plan};
use super::random::Random;
use super::world::{SLOTS, World};
use crate::channel::file::Sync;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What one process does. The first half of the slots rather puts, the other rather takes.
#[derive(Debug, Clone)]
pub enum Op {
    /// Put batches: events and bytes of an event of each.
    Put(usize, Vec<(u32, u32)>),
    Take(usize),
    /// Accept one of those that it holds.
    Accept(usize, usize),
    Refuse(usize, usize),
    /// What its threads do each 100 ms.
    Keep(usize),
    /// Take and accept what there is.
    Empty(usize),
    /// Ask whether everything is drained.
    Drained(usize),
    /// Sleep over its lease (SIGSTOP); it wakes with its next operation.
    Stop(usize),
    Close(usize),
    Kill(usize),
    /// Time passes.
    Pass(Duration),
    /// The power goes.
    Cut,
}

impl Op {
    /// Whose it is.
    pub fn slot(&self) -> usize {
        match self {
            Op::Put(slot, _)
            | Op::Take(slot)
            | Op::Accept(slot, _)
            | Op::Refuse(slot, _)
            | Op::Keep(slot)
            | Op::Empty(slot)
            | Op::Drained(slot)
            | Op::Stop(slot)
            | Op::Close(slot)
            | Op::Kill(slot) => *slot,
            Op::Pass(_) | Op::Cut => SLOTS,
        }
    }

    pub fn random(random: &mut Random, setup: &Setup) -> Op {
        let putter = random.index(SLOTS / 2);
        let taker = SLOTS / 2 + random.index(SLOTS / 2);
        let any = random.index(SLOTS);
        match random.below(40) {
            0..12 => Op::Put(if setup.alone { putter } else { any }, sizes(random)),
            12..21 => Op::Take(taker),
            21..27 => Op::Accept(taker, random.index(4)),
            27..29 => Op::Refuse(taker, random.index(4)),
            29..32 => Op::Keep(any),
            32 => Op::Drained(taker),
            33 => Op::Stop(taker),
            34..36 => Op::Close(any),
            36 => Op::Kill(any),
            37..39 => Op::Pass(Duration::from_millis(random.below(60))),
            _ => Op::Cut,
        }
    }
}

/// The channel is emptied in the middle of a program, and perhaps the power goes.
fn emptied(random: &mut Random) -> Vec<Op> {
    let taker = SLOTS / 2 + random.index(SLOTS / 2);
    let others = (0..SLOTS).filter(|slot| *slot != taker).map(Op::Close);
    let mut ops: Vec<_> = others.chain([Op::Empty(taker), Op::Keep(taker)]).collect();
    match random.below(4) {
        0 => ops.clear(),
        1 => ops.push(Op::Cut),
        2 => ops.extend([Op::Close(taker), Op::Cut]),
        _ => {}
    }
    ops
}

fn sizes(random: &mut Random) -> Vec<(u32, u32)> {
    let batches = [1, 1, 2, 3, 5][random.index(5)];
    let size = |random: &mut Random| match random.below(8) {
        0 => (1, 20_000 + random.below(20_000) as u32),
        1 | 2 => (1 + random.below(3) as u32, 600),
        _ => (1 + random.below(2) as u32, 30 + random.below(200) as u32),
    };
    (0..batches).map(|_| size(random)).collect()
}

/// How a run ends before all is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Close,
    Kill,
    Cut,
}

/// Settings of the channel and the disk.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub sync: Sync,
    pub sync_take_always: bool,
    /// Putters only put, takers only take.
    pub alone: bool,
    pub data_dirs: usize,
    pub capacity: u64,
    pub min_free: u64,
    pub disk_bytes: u64,
}

/// One random program.
#[derive(Debug)]
pub struct Program {
    pub seed: u64,
    pub setup: Setup,
    pub ops: Vec<Op>,
    pub ending: Ending,
}

impl Program {
    pub fn random(seed: u64, sync: Sync) -> Program {
        let mut random = Random::new(seed);
        let is_small = random.below(6) == 0;
        let setup = Setup {
            sync,
            sync_take_always: random.eighths(2),
            alone: random.eighths(5),
            data_dirs: if random.eighths(1) { 2 } else { 1 },
            capacity: [0, 0, 0, 12][random.index(4)],
            min_free: if is_small { 16 << 10 } else { 0 },
            disk_bytes: if is_small { 250 << 10 } else { u64::MAX },
        };
        let length = 8 + random.index(10);
        let mut ops: Vec<_> = (0..length).map(|_| Op::random(&mut random, &setup)).collect();
        let middle = random.index(ops.len());
        ops.splice(middle..middle, emptied(&mut random));
        let ending = [Ending::Close, Ending::Kill, Ending::Cut][random.index(3)];
        Program {
            seed,
            setup,
            ops,
            ending,
        }
    }

    /// Run it once. The number of steps, or what went wrong.
    pub fn run(&self, root: &Path, plan: Plan) -> Result<u64, String> {
        let world = World::new(root.to_path_buf(), self, plan);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run(self)));
        let outcome = outcome.unwrap_or_else(|payload| Err(panic_text(&*payload)));
        outcome.map_err(|what| self.explain(&what, plan, &world.trace()))
    }

    fn explain(&self, what: &str, plan: Plan, trace: &[String]) -> String {
        let from = trace.len().saturating_sub(400);
        format!(
            "{what}\nFLUME_SIM_SEED={} with {plan:?}\n{:?}, then {:?}\nthe calls:\n{}",
            self.seed,
            self.setup,
            self.ending,
            trace[from..].join("\n")
        )
    }

    /// Run it without a crash, then with something at every step.
    pub fn explore(&self, root: &Path) -> Result<u64, String> {
        let steps = self.run(root, Plan::default())?;
        let mut runs = 1;
        let mut random = Random::new(self.seed ^ 1);
        for step in 1..=steps {
            for plan in plans(step, steps, &mut random) {
                self.run(root, plan)?;
                runs += 1;
            }
        }
        Ok(runs)
    }
}

/// What is tried at a step.
fn plans(step: u64, steps: u64, random: &mut Random) -> Vec<Plan> {
    let later = step + 1 + random.below(steps - step + 1);
    let fault = if random.eighths(4) {
        Fault::Io
    } else {
        Fault::NoSpace
    };
    let kill = if random.eighths(4) {
        Crash::KillBefore
    } else {
        Crash::KillAfter
    };
    let crash = [kill, Crash::Cut][random.index(2)];
    vec![
        Plan {
            crash: Some((step, Crash::Cut)),
            ..Plan::default()
        },
        Plan {
            crash: Some((step, kill)),
            ..Plan::default()
        },
        Plan {
            fault: Some((step, fault)),
            crash: random.eighths(4).then_some((later, crash)),
            ..Plan::default()
        },
        Plan {
            visit: Some(step),
            crash: random.eighths(4).then_some((later, crash)),
            ..Plan::default()
        },
        Plan {
            crash: Some((step, kill)),
            then: Some((step + 1 + random.below(40), Crash::Cut)),
            ..Plan::default()
        },
    ]
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a word"))
}

/// A directory for tables that is a memory file system where there is one.
pub fn table_directory() -> (tempfile::TempDir, PathBuf) {
    let shm = Path::new("/dev/shm");
    let made = match shm.is_dir() {
        true => tempfile::tempdir_in(shm).or_else(|_| tempfile::tempdir()),
        false => tempfile::tempdir(),
    };
    let directory = made.unwrap();
    let root = directory.path().join("run");
    (directory, root)
}
