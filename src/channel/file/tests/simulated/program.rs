//! Random programs of putters and takers, and running them with a crash at every step.

use super::clock;
use super::disk::{Crash, Fault, Plan};
use super::random::Random;
use super::world::{SLOTS, World};
use crate::channel::file::Sync;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The numbers of the fixed programs with a clock that jumps.
pub const CLOCKED: std::ops::Range<u64> = 101..105;
/// Those in which tools are used.
pub const TOOLED: std::ops::Range<u64> = 201..206;

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
    /// The clock of the wall is set by so many milliseconds.
    Jump(i64),
    /// `--skip`: below which of the positions that were seen.
    Skip(usize, usize),
    /// `--rewind`: to which of them.
    Rewind(usize, usize),
    /// `--repair`: which segment.
    Mend(usize, usize),
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
            | Op::Skip(slot, _)
            | Op::Rewind(slot, _)
            | Op::Mend(slot, _)
            | Op::Close(slot)
            | Op::Kill(slot) => *slot,
            Op::Pass(_) | Op::Jump(_) | Op::Cut => SLOTS,
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

/// Short programs about tools. A position that nobody has seen stands for the end, or the beginning, of all.
fn tooled() -> impl Iterator<Item = (Vec<Op>, Ending)> {
    let small = |batches: usize| vec![(1, 300); batches];
    let (a, b, taker, all) = (0, 1, SLOTS / 2, usize::MAX);
    let taken = |ops: &[Op]| {
        let begin = [
            Op::Put(a, small(3)),
            Op::Put(b, small(2)),
            Op::Take(taker),
            Op::Take(taker),
            Op::Accept(taker, 0),
            Op::Refuse(taker, 0),
        ];
        begin.into_iter().chain(ops.iter().cloned()).collect::<Vec<_>>()
    };
    let next = Op::Put(a, small(1));
    [
        (taken(&[Op::Skip(taker, 1), next.clone()]), Ending::Close),
        (
            taken(&[Op::Skip(taker, all), next.clone(), Op::Take(taker)]),
            Ending::Cut,
        ),
        (
            taken(&[Op::Rewind(taker, 0), next.clone(), Op::Take(taker)]),
            Ending::Cut,
        ),
        (
            taken(&[Op::Empty(taker), Op::Rewind(taker, all), next.clone()]),
            Ending::Kill,
        ),
        (
            taken(&[Op::Mend(taker, 0), Op::Take(taker), Op::Mend(taker, 1), next]),
            Ending::Cut,
        ),
    ]
    .into_iter()
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
    pub max_age: Option<Duration>,
    pub min_free: u64,
    pub disk_bytes: u64,
}

/// What went wrong in which run.
pub struct Failure {
    pub plan: Plan,
    pub what: String,
}

/// One program.
#[derive(Debug)]
pub struct Program {
    /// Its number.
    pub seed: u64,
    /// It is short, so that everything is tried at each step.
    is_fixed: bool,
    pub setup: Setup,
    pub ops: Vec<Op>,
    pub ending: Ending,
}

impl Program {
    fn random(seed: u64, sync: Sync) -> Program {
        let mut random = Random::new(seed);
        let is_small = random.below(6) == 0;
        let mut setup = Setup {
            sync,
            sync_take_always: random.eighths(2),
            alone: random.eighths(5),
            data_dirs: if random.eighths(1) { 2 } else { 1 },
            capacity: [0, 0, 0, 12][random.index(4)],
            max_age: None,
            min_free: if is_small { 16 << 10 } else { 0 },
            disk_bytes: if is_small { 250 << 10 } else { u64::MAX },
        };
        let length = 8 + random.index(10);
        let mut ops: Vec<_> = (0..length).map(|_| Op::random(&mut random, &setup)).collect();
        let middle = random.index(ops.len());
        ops.splice(middle..middle, emptied(&mut random));
        let ending = [Ending::Close, Ending::Kill, Ending::Cut][random.index(3)];
        clock::set_now_and_then(seed, &mut setup, &mut ops);
        Program {
            seed,
            is_fixed: false,
            setup,
            ops,
            ending,
        }
    }

    /// Short programs that each have a subject, before the random ones.
    fn fixed(sync: Sync) -> Vec<Program> {
        let setup = Setup {
            sync,
            sync_take_always: false,
            alone: true,
            data_dirs: 1,
            capacity: 0,
            max_age: None,
            min_free: 0,
            disk_bytes: u64::MAX,
        };
        let small = |batches: usize| vec![(1, 300); batches];
        let (a, b, taker, other) = (0, 1, SLOTS / 2, SLOTS / 2 + 1);
        let drained = vec![
            Op::Put(a, small(2)),
            Op::Close(a),
            Op::Take(taker),
            Op::Take(taker),
            Op::Accept(taker, 0),
            Op::Keep(taker),
            Op::Accept(taker, 0),
            Op::Take(other),
            Op::Keep(taker),
            Op::Take(taker),
        ];
        let emptied_and_cut = vec![
            Op::Put(a, small(1)),
            Op::Close(a),
            Op::Empty(taker),
            Op::Keep(taker),
            Op::Close(taker),
            Op::Cut,
            Op::Put(b, small(2)),
        ];
        let putter_fails = vec![
            Op::Put(a, small(1)),
            Op::Put(a, small(3)),
            Op::Put(a, small(1)),
            Op::Kill(a),
            Op::Empty(taker),
        ];
        let takers_fail = vec![
            Op::Put(a, small(3)),
            Op::Take(taker),
            Op::Take(taker),
            Op::Take(other),
            Op::Stop(taker),
            Op::Take(other),
            Op::Accept(taker, 0),
            Op::Refuse(other, 1),
            Op::Take(other),
            Op::Kill(other),
            Op::Drained(taker),
        ];
        let collected = vec![
            Op::Put(a, small(2)),
            Op::Close(a),
            Op::Take(taker),
            Op::Take(taker),
            Op::Accept(taker, 0),
            Op::Keep(taker),
            Op::Accept(taker, 0),
            Op::Kill(taker),
            Op::Take(other),
            Op::Cut,
        ];
        let kept = vec![
            Op::Put(a, small(1)),
            Op::Put(b, small(3)),
            Op::Keep(a),
            Op::Take(taker),
            Op::Put(a, small(2)),
            Op::Put(a, small(1)),
            Op::Keep(a),
            Op::Put(a, small(1)),
        ];
        let salvaged = vec![
            Op::Put(a, small(1)),
            Op::Put(a, small(6)),
            Op::Take(taker),
            Op::Take(taker),
            Op::Cut,
        ];
        let pair = || vec![(2, 40)];
        let refused = vec![
            Op::Put(a, small(1)),
            Op::Put(a, pair()),
            Op::Put(b, small(2)),
            Op::Put(b, pair()),
            Op::Put(a, small(1)),
            Op::Put(b, pair()),
            Op::Put(a, pair()),
        ];
        let large = || vec![(1, 40_000)];
        let recycled = vec![
            Op::Put(a, large()),
            Op::Put(a, large()),
            Op::Empty(taker),
            Op::Put(a, large()),
            Op::Put(a, small(2)),
            Op::Take(taker),
        ];
        let synced_now_and_then = [a, b, a, b, a, b]
            .into_iter()
            .flat_map(|putter| [Op::Put(putter, small(2)), Op::Keep(putter)])
            .chain([Op::Empty(taker)])
            .collect();
        let all = [
            (drained, Ending::Kill),
            (emptied_and_cut, Ending::Close),
            (putter_fails, Ending::Kill),
            (takers_fail, Ending::Cut),
            (collected, Ending::Close),
            (kept, Ending::Cut),
            (salvaged, Ending::Close),
            (refused, Ending::Cut),
            (recycled, Ending::Cut),
            (synced_now_and_then, Ending::Close),
        ];
        let program = |(seed, (ops, ending))| Program {
            seed,
            is_fixed: true,
            setup,
            ops,
            ending,
        };
        let clocked = clock::programs().map(|(capacity, ops, ending)| {
            let setup = Setup {
                capacity,
                max_age: Some(clock::MAX_AGE),
                ..setup
            };
            (setup, ops, ending)
        });
        let clocked = CLOCKED.zip(clocked).map(|(seed, (setup, ops, ending))| Program {
            setup,
            ..program((seed, (ops, ending)))
        });
        let tooled = TOOLED.zip(tooled()).map(program);
        (1..).zip(all).map(program).chain(clocked).chain(tooled).collect()
    }

    /// The program with this number: first the fixed ones.
    pub fn numbered(seed: u64, sync: Sync) -> Program {
        let fixed = Program::fixed(sync)
            .into_iter()
            .find(|program| program.seed == seed);
        fixed.unwrap_or_else(|| Program::random(seed, sync))
    }

    /// Run it once. The number of steps, or what went wrong.
    pub fn run(&self, root: &Path, plan: Plan) -> Result<u64, String> {
        let (outcome, trace) = self.run_traced(root, plan);
        outcome.map_err(|what| self.explain(&what, plan, &trace))
    }

    /// Run it once, and give also all calls, a line each.
    pub fn run_traced(&self, root: &Path, plan: Plan) -> (Result<u64, String>, Vec<String>) {
        let world = World::new(root.to_path_buf(), self, plan);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run(self)));
        let outcome = outcome.unwrap_or_else(|payload| Err(panic_text(&*payload)));
        (outcome, world.trace())
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

    /// Run it without a crash, then with something at every step. Counts the runs.
    pub fn explore(&self, root: &Path, runs: &mut u64) -> Result<(), Failure> {
        let mut run = |plan| {
            *runs += 1;
            self.run(root, plan).map_err(|what| Failure { plan, what })
        };
        let steps = run(Plan::default())?;
        let mut random = Random::new(self.seed ^ 1);
        for step in 1..=steps {
            for plan in plans(self, step, steps, &mut random) {
                run(plan)?;
            }
        }
        Ok(())
    }
}

/// What is tried at a step: a power cut, and one of the others in turn, or all of them.
fn plans(program: &Program, step: u64, steps: u64, random: &mut Random) -> Vec<Plan> {
    let later = step + 1 + random.below(steps - step + 1);
    let reach = [5, 40][random.index(2)];
    let near = step + 1 + random.below(reach);
    let fault = if random.eighths(4) {
        Fault::Io
    } else {
        Fault::NoSpace
    };
    let mut kill = || match random.eighths(4) {
        true => Crash::KillBefore,
        false => Crash::KillAfter,
    };
    let (kills, crash) = ([kill(), kill()], [kill(), Crash::Cut]);
    let crash = [None, Some((later, crash[random.index(2)]))][random.index(2)];
    let at = |crash| Plan {
        crash: Some((step, crash)),
        ..Plan::default()
    };
    let failing = |crash| Plan {
        fault: Some((step, fault)),
        crash,
        ..Plan::default()
    };
    let others = [
        at(kills[0]),
        failing(crash),
        Plan {
            visit: Some(step),
            crash,
            ..Plan::default()
        },
        Plan {
            then: Some((near, Crash::Cut)),
            ..at(kills[1])
        },
        failing(None),
        failing(Some((near, Crash::Cut))),
    ];
    let cut = std::iter::once(at(Crash::Cut));
    match program.is_fixed {
        true => cut.chain(others).collect(),
        false => cut
            .chain([others[((step + program.seed) % 6) as usize]])
            .collect(),
    }
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
