//! Processes on a simulated disk: each is an open channel of its own, all in one thread.

mod acts;

use super::disk::{Crash, Crashed, Plan, Port, PortOf, Simulated, set_visitor};
use super::model::Model;
use super::program::{Ending, Op, Program, Setup};
use super::random::Random;
use crate::ack::Delivery;
use crate::channel::ChannelError;
use crate::channel::file::disk::Disk;
use crate::channel::file::place::Place;
use crate::channel::file::put::lock;
use crate::channel::file::table::Table;
use crate::channel::file::{Config, FileChannel, LEASE, Role, rigged};
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Processes at a time.
pub const SLOTS: usize = 4;

/// How a process attaches.
pub(super) type Attach = fn(&Place, &dyn Disk, Role, Duration) -> Result<Table, ChannelError>;

/// One process.
pub(super) struct Actor {
    channel: Arc<FileChannel>,
    port: Arc<Port>,
    life: u32,
    pub(super) held: Vec<(usize, Delivery)>,
    stopped: bool,
}

/// Everything there is in one run.
pub struct World {
    pub(super) root: PathBuf,
    pub(super) setup: Setup,
    pub(super) disk: Arc<Simulated>,
    pub(super) actors: RefCell<Vec<Option<Actor>>>,
    pub(super) model: RefCell<Model>,
    pub(super) reports: Arc<Mutex<Vec<String>>>,
    clock_ns: Cell<u64>,
    lives: Cell<u32>,
    /// Who is in the middle of an operation: more than one when a visitor has come.
    pub(super) busy: RefCell<Vec<usize>>,
    /// A process died after a sync had failed: what it had not put again by then may be gone.
    pub(super) is_lossy: Cell<bool>,
    /// A tool has the channel for itself.
    pub(super) is_alone: Cell<bool>,
    /// Operations so far.
    operations: Cell<u64>,
}

impl Drop for World {
    fn drop(&mut self) {
        set_visitor(None);
        for slot in 0..SLOTS {
            self.bury(slot);
        }
        rigged::set_clock_ns(None);
        rigged::set_random(None);
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

impl World {
    /// `root` is a real directory for the tables, which is removed in the end.
    pub fn new(root: PathBuf, program: &Program, plan: Plan) -> Rc<World> {
        std::fs::create_dir_all(root.join("channel/checkpoint")).unwrap();
        let seed = Random::new(program.seed).next();
        rigged::set_random(Some(seed));
        let setup = program.setup;
        let world = Rc::new(World {
            disk: Simulated::new(&root, mixed(seed, &plan), plan, setup.disk_bytes),
            root,
            setup,
            actors: RefCell::new((0..SLOTS).map(|_| None).collect()),
            model: RefCell::new(Model::new(setup.sync, setup.sync_take_always, setup.max_age)),
            reports: Arc::default(),
            clock_ns: Cell::new(0),
            lives: Cell::new(0),
            busy: RefCell::default(),
            is_lossy: Cell::new(false),
            is_alone: Cell::new(false),
            operations: Cell::new(0),
        });
        world.pass(Duration::from_secs(100));
        if plan.visit.is_some() {
            let (visited, mut random) = (Rc::downgrade(&world), Random::new(mixed(seed, &plan)));
            set_visitor(Some(Box::new(move || {
                if let Some(world) = visited.upgrade() {
                    world.visit(&mut random);
                }
            })));
        }
        world
    }

    /// Run a program to its end, crash or not; then look whether everything is as it must be.
    pub fn run(&self, program: &Program) -> Result<u64, String> {
        for op in &program.ops {
            self.perform(op);
            self.check()?;
        }
        let steps = self.disk.steps();
        self.disk.calm();
        set_visitor(None);
        for slot in 0..SLOTS {
            match program.ending {
                Ending::Close => self.perform(&Op::Close(slot)),
                Ending::Kill => self.perform(&Op::Kill(slot)),
                Ending::Cut => {}
            }
        }
        if program.ending == Ending::Cut {
            self.perform(&Op::Cut);
        }
        self.check()?;
        self.verify(program.ending == Ending::Cut)?;
        // Once more without any memory: nothing comes again, and no position is used again.
        self.perform(&Op::Cut);
        self.verify(true)?;
        Ok(steps)
    }

    pub fn trace(&self) -> Vec<String> {
        self.disk.trace()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.model.borrow().failure.clone().map_or(Ok(()), Err)
    }

    pub(super) fn fail(&self, what: String) {
        self.model.borrow_mut().fail(what);
    }

    pub(super) fn pass(&self, time: Duration) {
        self.clock_ns.set(self.clock_ns.get() + time.as_nanos() as u64);
        self.disk
            .set_wall_ms(self.disk.wall_ms() + time.as_millis() as u64);
        rigged::set_clock_ns(Some(self.clock_ns.get()));
        for actor in self
            .actors
            .borrow()
            .iter()
            .flatten()
            .filter(|actor| !actor.stopped)
        {
            actor.channel.inner.core.table.renew();
        }
    }

    /// One operation, which a crash may end.
    pub(super) fn perform(&self, op: &Op) {
        let told = format!("{}{op:?}", "  ".repeat(self.busy.borrow().len()));
        self.disk.say(told);
        self.operations.set(self.operations.get() + 1);
        if !matches!(op, Op::Pass(_) | Op::Jump(_)) {
            self.model.borrow_mut().looks_at(self.disk.wall_ms());
        }
        self.busy.borrow_mut().push(op.slot());
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| self.attempt(op)));
        self.busy.borrow_mut().pop();
        if self.busy.borrow().is_empty() {
            self.is_alone.set(false);
        }
        let Err(payload) = outcome else {
            return;
        };
        match payload.downcast_ref::<Crashed>() {
            Some(Crashed(Crash::Cut)) => {
                // Who was in the middle of a call is dead as well.
                if !self.busy.borrow().is_empty() {
                    std::panic::resume_unwind(payload);
                }
                self.after_cut();
            }
            Some(_) => {
                self.model.borrow_mut().secret_claim |= matches!(op, Op::Take(_) | Op::Empty(_));
                self.bury(op.slot());
            }
            None => std::panic::resume_unwind(payload),
        }
    }

    fn attempt(&self, op: &Op) {
        let slot = op.slot();
        match op {
            Op::Put(_, sizes) => self.put(slot, sizes),
            Op::Take(_) => self.take(slot),
            Op::Accept(_, which) => self.accept(slot, *which),
            Op::Refuse(_, which) => self.refuse(slot, *which),
            Op::Keep(_) => self.keep(slot),
            Op::Empty(_) => self.empty(slot),
            Op::Drained(_) => self.ask_drained(slot),
            Op::Stop(_) => self.stop(slot),
            Op::Close(_) => self.close(slot),
            Op::Kill(_) => self.bury(slot),
            Op::Pass(time) => self.pass(*time),
            Op::Jump(by) => self.jump(*by),
            Op::Skip(_, which) => self.skip(slot, *which),
            Op::Rewind(_, which) => self.rewind(slot, *which),
            Op::Mend(_, which) => self.mend(slot, *which),
            Op::Cut => {
                self.disk.cut_power();
                self.after_cut();
            }
        }
    }

    /// Another process does something in the middle of a call.
    fn visit(&self, random: &mut Random) {
        for _ in 0..3 + random.below(4) {
            let op = Op::random(random, &self.setup);
            // Not the process that is in the middle of a call.
            let is_busy = self.busy.borrow().contains(&op.slot());
            if !is_busy && !matches!(op, Op::Cut) {
                self.perform(&op);
            }
        }
    }

    fn config(&self, port: &Arc<Port>) -> Config {
        let directory = self.root.join("channel");
        let (reports, port, disk) = (self.reports.clone(), port.clone(), self.disk.clone());
        let data = |number: usize| directory.join(format!("disk{number}"));
        Config {
            sync: self.setup.sync,
            sync_take_always: self.setup.sync_take_always,
            capacity: self.setup.capacity,
            max_age: self.setup.max_age,
            min_free: self.setup.min_free,
            segment_bytes: 64 << 10,
            keep_alive: Duration::ZERO,
            data_dirs: match self.setup.data_dirs {
                1 => Vec::new(),
                many => (0..many).map(data).collect(),
            },
            report: Arc::new(move |text| {
                if !port.is_dead() {
                    disk.say(format!("     said: {text}"));
                    lock(&reports).push(text.into());
                }
            }),
            ..Config::new(directory)
        }
    }

    pub(super) fn open(&self, slot: usize, role: Role) -> bool {
        match self.is_alone.get() {
            true => self.open_by(slot, role, Table::attach),
            false => self.open_by(slot, role, attach_patiently),
        }
    }

    pub(super) fn open_by(&self, slot: usize, role: Role, attach: Attach) -> bool {
        if self.actors.borrow()[slot].is_some() {
            self.wake(slot);
            return true;
        }
        let life = self.lives.get() + 1;
        self.lives.set(life);
        let port = Port::new(&self.disk, life);
        let opened = FileChannel::open_still(
            self.config(&port),
            role,
            Arc::new(PortOf(port.clone())),
            LEASE,
            attach,
        );
        match opened {
            Ok(channel) => {
                self.actors.borrow_mut()[slot] = Some(Actor {
                    channel,
                    port,
                    life,
                    held: Vec::new(),
                    stopped: false,
                });
                true
            }
            Err(error) => {
                if !self.is_disk_bad() && !self.is_alone.get() {
                    self.fail(format!("cannot be opened: {error}"));
                }
                false
            }
        }
    }

    /// Some call has failed, or may for want of room.
    pub(super) fn is_disk_bad(&self) -> bool {
        self.disk.faults() > 0 || self.setup.disk_bytes < u64::MAX
    }

    fn wake(&self, slot: usize) {
        let mut actors = self.actors.borrow_mut();
        if let Some(actor) = actors[slot].as_mut().filter(|actor| actor.stopped) {
            actor.stopped = false;
            actor.channel.inner.core.table.renew();
            self.model.borrow_mut().woke(actor.life);
        }
    }

    /// The channel of a slot, opened if it is not, and its life.
    pub(super) fn channel(&self, slot: usize) -> Option<(Arc<FileChannel>, u32)> {
        let role = match slot < SLOTS / 2 {
            true if self.setup.alone => Role::Put,
            false if self.setup.alone => Role::Take,
            _ => Role::Both,
        };
        if !self.open(slot, role) {
            return None;
        }
        let actors = self.actors.borrow();
        actors[slot]
            .as_ref()
            .map(|actor| (actor.channel.clone(), actor.life))
    }

    pub(super) fn close(&self, slot: usize) {
        self.wake(slot);
        let Some(actor) = self.actors.borrow_mut()[slot].take() else {
            return;
        };
        for (number, delivery) in actor.held {
            self.model.borrow_mut().refuses(actor.life, number);
            drop(delivery);
        }
        let before = lock(&self.reports).len();
        let life = actor.life;
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| drop(actor.channel)));
        if self.disk.failed_syncs() > 0 {
            self.model.borrow_mut().leaves_lost_pages(life);
        }
        if let Err(payload) = outcome {
            self.died(life);
            std::panic::resume_unwind(payload);
        }
        if lock(&self.reports).len() == before {
            self.model.borrow_mut().kept(life);
        }
    }

    /// As SIGKILL would.
    fn bury(&self, slot: usize) {
        let Some(actor) = self.actors.borrow_mut().get_mut(slot).and_then(Option::take) else {
            return;
        };
        actor.channel.inner.abandoned.store(true, Ordering::SeqCst);
        actor.port.kill();
        self.died(actor.life);
        drop(actor);
    }

    fn died(&self, life: u32) {
        let mut model = self.model.borrow_mut();
        if self.disk.failed_syncs() > 0 {
            self.is_lossy.set(true);
            model.lost_pages(life);
        }
        model.killed(life);
    }

    /// Nothing is left but the disk.
    fn after_cut(&self) {
        for slot in 0..SLOTS {
            self.bury(slot);
        }
        let checkpoint = self.root.join("channel/checkpoint");
        for entry in std::fs::read_dir(checkpoint).unwrap() {
            std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        self.model.borrow_mut().power_cut();
    }
}

fn mixed(seed: u64, plan: &Plan) -> u64 {
    let at = [
        plan.crash.map_or(0, |(step, crash)| step * 4 + crash as u64 + 1),
        plan.fault.map_or(0, |(step, fault)| step * 4 + fault as u64 + 1),
        plan.visit.unwrap_or(0),
    ];
    at.iter().fold(seed, |mixed, part| {
        Random::new(mixed ^ part.wrapping_mul(0x2545_f491_4f6c_dd1d)).next()
    })
}

/// Locks of who was killed are gone, but a process that another test is just starting has a copy of their file until
/// its exec.
fn attach_patiently(
    place: &Place,
    disk: &dyn Disk,
    role: Role,
    lease: Duration,
) -> Result<Table, ChannelError> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Table::attach(place, disk, role, lease) {
            Err(ChannelError::Full(_)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1))
            }
            other => return other,
        }
    }
}
