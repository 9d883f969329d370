//! Processes that put, take, stop and die. A child is this test binary again, told by its environment what
//! to do; it says what it did in lines on standard error.

use super::super::disk::DiskFile;
use super::*;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, Command, Stdio};

const TOLD: &str = "FLUME_CHANNEL_CHILD";
/// Short, so that a stopped process is over it soon.
const SHORT_LEASE: Duration = Duration::from_millis(300);

/// A child and the lines that it says.
struct Actor {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Actor {
    fn start(bench: &Bench, act: &str, name: &str) -> Actor {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "channel::file::tests::processes::child", "--nocapture"])
            .env(TOLD, format!("{act}|{name}|{}", bench.directory.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Actor { child, lines }
    }

    /// The next line; `None` when it has ended.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.lines.read_line(&mut line).unwrap();
        (count > 0 && line.ends_with('\n')).then(|| line.trim_end().to_string())
    }

    fn expect(&mut self, said: &str) {
        assert_eq!(self.line().as_deref(), Some(said));
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Kill it; what it had still said.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.line()).collect()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(line: &str) {
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

/// Does what the environment says; nothing in an ordinary run.
#[test]
fn child() {
    let Ok(told) = std::env::var(TOLD) else {
        return;
    };
    let parts: Vec<&str> = told.split('|').collect();
    let (act, name) = (parts[0], parts[1]);
    let config = Config {
        // Segments are made of drained ones only where each put is synced.
        sync: match act {
            "put synced" => Sync::Always,
            _ => Sync::Never,
        },
        segment_bytes: 256 << 10,
        report: Arc::new(|text| say(&format!("report {text}"))),
        ..Config::new(parts[2])
    };
    match act {
        "put" | "put synced" => put_for_ever(config, name),
        "take" => take_for_ever(config, name),
        "hold" => hold(config),
        "die in sync" => die_in_sync(config),
        _ => panic!("{act}"),
    }
}

fn open_short(config: Config, role: Role, disk: Arc<dyn Disk>) -> Arc<FileChannel> {
    FileChannel::open_on(config, role, disk, SHORT_LEASE).unwrap()
}

/// Puts batches "name n", each said before and after.
fn put_for_ever(config: Config, name: &str) {
    let channel = open_short(config, Role::Put, Arc::new(RealDisk));
    for n in 0.. {
        channel.put(&[batch(&[&format!("{name} {n}.")])]).unwrap();
        say(&format!("{name} {n}"));
        // A pace at which the test ends: more than it can read says nothing new.
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Takes and accepts, said in between: what was said may come again, what was accepted may not.
fn take_for_ever(config: Config, name: &str) {
    let channel = open_short(config, Role::Take, Arc::new(RealDisk));
    loop {
        if let Taken::Delivery(delivery) = channel.take(None).unwrap() {
            say(&format!(
                "{} {} {name}",
                name_of(&delivery.batch),
                delivery.batch.origin
            ));
            delivery.accept();
        }
    }
}

/// Takes one batch, and accepts it at the end of its input.
fn hold(config: Config) {
    let channel = open_short(config, Role::Take, Arc::new(RealDisk));
    let delivery = take(&channel);
    say(&format!("holds {}", name_of(&delivery.batch)));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    delivery.accept();
    say("accepted");
}

/// A disk on which the second group of a segment is written, synced, and then the process dies.
struct Deadly;

struct DeadlyFile(Arc<dyn DiskFile>, AtomicU64);

impl DiskFile for DeadlyFile {
    fn write_at(&self, parts: &mut [std::io::IoSlice<'_>], at: u64) -> std::io::Result<()> {
        self.0.write_at(parts, at)
    }
    fn read_at(&self, to: &mut Vec<u8>, most: usize, at: u64) -> std::io::Result<()> {
        self.0.read_at(to, most, at)
    }
    fn sync(&self) -> std::io::Result<()> {
        self.0.sync()?;
        // The head, the first group, the second.
        if self.1.fetch_add(1, Ordering::SeqCst) == 2 {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
        }
        Ok(())
    }
    fn reserve(&self, at: u64, length: u64) -> std::io::Result<()> {
        self.0.reserve(at, length)
    }
    fn truncate(&self, length: u64) -> std::io::Result<()> {
        self.0.truncate(length)
    }
    fn length(&self) -> std::io::Result<u64> {
        self.0.length()
    }
    fn identity(&self) -> std::io::Result<(u64, bool)> {
        self.0.identity()
    }
}

impl Disk for Deadly {
    fn create(&self, path: &Path) -> std::io::Result<Arc<dyn DiskFile>> {
        let file = RealDisk.create(path)?;
        match path.extension().is_some_and(|ext| ext == "seg") {
            true => Ok(Arc::new(DeadlyFile(file, AtomicU64::new(0)))),
            false => Ok(file),
        }
    }
    fn open_to_read(&self, path: &Path) -> std::io::Result<Arc<dyn DiskFile>> {
        RealDisk.open_to_read(path)
    }
    fn open_to_write(&self, path: &Path) -> std::io::Result<Arc<dyn DiskFile>> {
        RealDisk.open_to_write(path)
    }
    fn make_dir(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.make_dir(path)
    }
    fn names(&self, path: &Path) -> std::io::Result<Vec<String>> {
        RealDisk.names(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.sync_dir(path)
    }
    fn link(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealDisk.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.unlink(path)
    }
    fn free(&self, path: &Path) -> std::io::Result<u64> {
        RealDisk.free(path)
    }
}

fn die_in_sync(mut config: Config) {
    config.sync = Sync::Always;
    let channel = open_short(config, Role::Put, Arc::new(Deadly));
    channel.put(&[batch(&["first"])]).unwrap();
    say("first");
    channel.put(&[batch(&["second"]), batch(&["third"])]).unwrap();
    say("second");
}

#[test]
fn what_a_dead_putter_had_synced_is_found_and_its_torn_rest_is_not() {
    for torn in [false, true] {
        let bench = Bench::new();
        let channel = bench.open();
        let mut actor = Actor::start(&bench, "die in sync", "");
        actor.expect("first");
        assert_eq!(actor.line(), None);
        actor.child.wait().unwrap();
        if torn {
            let path = &bench.segments()[0];
            let bytes = std::fs::read(path).unwrap();
            let third = memchr::memmem::find(&bytes, b"third").unwrap();
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_len(third as u64).unwrap();
        }
        put(&channel, &["mine"]);
        let expected: &[&str] = match torn {
            false => &["first", "second", "third", "mine"],
            true => &["first", "mine"],
        };
        let mut names = drain(&channel);
        names.extend(drain(&channel));
        names.sort_by_key(|name| expected.iter().position(|expected| expected == name));
        assert_eq!(names, expected);
        assert!(channel.is_drained().unwrap());
        assert_eq!(bench.segments().len(), 1, "the dead putter's segment is deleted");
    }
}

#[test]
fn what_a_dead_taker_held_goes_to_one_that_waits() {
    // It takes about 20 ms. That is not for the machine to spoil: the best of some rounds counts.
    let times = (0..5).map(|_| time_to_another_taker());
    let best = times.min().unwrap();
    assert!(best < Duration::from_millis(50), "{best:?}");
}

/// From the death of a taker until what it held is given to one that waits.
fn time_to_another_taker() -> Duration {
    let bench = Bench::new();
    let channel = bench.open();
    let mut actor = Actor::start(&bench, "hold", "");
    put(&channel, &["a"]);
    actor.expect("holds a");
    assert!(try_take(&channel).is_none());
    assert!(channel.is_drained().unwrap(), "a living taker has it");
    let (taken, elapsed) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| (take(&channel), Instant::now()));
        actor.kill();
        let killed = Instant::now();
        let (delivery, when) = waiting.join().unwrap();
        (name_of(&delivery.batch), when.saturating_duration_since(killed))
    });
    assert_eq!(taken, "a");
    elapsed
}

#[test]
fn claim_of_a_dead_taker_keeps_the_channel_from_being_drained() {
    let bench = Bench::new();
    let channel = bench.open();
    let mut actor = Actor::start(&bench, "hold", "");
    put(&channel, &["a", "b"]);
    actor.expect("holds a");
    actor.kill();
    assert!(!channel.is_drained().unwrap());
    assert_eq!(drain(&channel).len(), 2);
    assert!(channel.is_drained().unwrap());
}

#[test]
fn stopped_taker_that_wakes_up_cannot_accept_what_was_given_to_another() {
    let bench = Bench::new();
    let channel = bench.open();
    let mut actor = Actor::start(&bench, "hold", "");
    put(&channel, &["a"]);
    actor.expect("holds a");
    actor.signal(rustix::process::Signal::STOP);
    let delivery = take(&channel);
    assert_eq!(name_of(&delivery.batch), "a");
    // The child reads the end of its input, accepts, and is told that it is too late.
    drop(actor.child.stdin.take());
    actor.signal(rustix::process::Signal::CONT);
    let said = actor.line().unwrap();
    assert!(
        said.starts_with("report ") && said.contains("another taker"),
        "{said}"
    );
    actor.expect("accepted");
    assert_eq!(channel.fill().events, 1);
    delivery.accept();
    assert_eq!(channel.fill().events, 0);
}

/// Runs putters and takers, kills one after the other, and compares what was acknowledged with what came.
#[test]
fn putters_and_takers_that_are_killed_lose_nothing_and_accept_nothing_twice() {
    kill_again_and_again("put");
}

#[test]
fn the_same_where_drained_segments_are_written_over() {
    kill_again_and_again("put synced");
}

fn kill_again_and_again(put: &str) {
    let bench = Bench::new();
    drop(bench.open());
    let mut acknowledged = Vec::new();
    let mut delivered = Vec::new();
    // More of them on demand: FLUME_KILL_ROUNDS=1000.
    let rounds = std::env::var("FLUME_KILL_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let putters: Vec<_> = (0..2)
            .map(|n| Actor::start(&bench, put, &format!("{round}-{n}")))
            .collect();
        let takers: Vec<_> = (0..2)
            .map(|n| Actor::start(&bench, "take", &format!("t{round}-{n}")))
            .collect();
        let mut putters: Vec<_> = putters;
        for putter in &mut putters {
            // Dies somewhere in the middle of its work.
            acknowledged.extend((0..40 + round % 12 * 5).map(|_| putter.line().unwrap()));
        }
        let (mut one, mut two) = (takers.into_iter(), putters.into_iter());
        while let (Some(taker), Some(putter)) = (one.next(), two.next()) {
            delivered.extend(taker.kill());
            acknowledged.extend(putter.kill());
        }
    }
    let channel = bench.open();
    let mut last = Vec::new();
    while let Some(delivery) = try_take(&channel) {
        last.push(format!(
            "{} {} end",
            name_of(&delivery.batch),
            delivery.batch.origin
        ));
        delivery.accept();
    }
    delivered.extend(last);
    check_ledger(&acknowledged, &delivered, rounds * 2);
    assert!(channel.is_drained().unwrap());
}

fn check_ledger(acknowledged: &[String], delivered: &[String], takers_killed: usize) {
    let mut by_name: HashMap<String, Vec<&String>> = HashMap::new();
    let mut by_origin: HashMap<&str, String> = HashMap::new();
    for line in delivered {
        let parts: Vec<&str> = line.split(' ').collect();
        assert_eq!(parts.len(), 4, "{line}");
        let name = format!("{} {}", parts[0], parts[1]);
        by_name.entry(name.clone()).or_default().push(line);
        let before = by_origin.insert(parts[2], name.clone());
        assert!(
            before.is_none_or(|before| before == name),
            "position {} twice",
            parts[2]
        );
    }
    for name in acknowledged {
        assert!(by_name.contains_key(name), "{name} was acknowledged and is lost");
    }
    // Said by a taker that died between its word and its acceptance, and then by another: at most what
    // was in hand at a kill.
    let twice = by_name.values().filter(|lines| lines.len() > 1).count();
    assert!(
        twice <= takers_killed,
        "{twice} delivered twice by {takers_killed} killed takers"
    );
}
