//! Power cuts: a channel on a file system in an image on a loop device. All processes are stopped, the image is
//! copied as the disk would be at that moment, and the copy is mounted, drained, and used on.
//!
//! What the source was told is what left the channel before the stop: the channel is killed in its sleep, then
//! the source reads the acceptances that were on their way, and ends. What was taken is recorded off the disk.

use crate::by_hand::{Reader, next_frame};
use crate::crash::{Ledger, from_environment, seeded, tell};
use crate::pipe::{Pipe, Running};
use crate::surroundings::skipped;
use flume::wire::{self, FrameReader, Kind};
use rustix::process::Signal;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Cuts in a test that nobody asked more of.
const CUTS: u64 = 2;
/// Bytes of the disk.
const DISK: u64 = 64 << 20;
/// Lines that wait to be put at each cut: more than are put before it.
const SUPPLY: u64 = 300_000;
/// The longest time that the disk is written to before a cut.
const LONGEST: Duration = Duration::from_millis(400);

/// A file system in a file, mounted as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    /// Mount; an error is the reason why that is not possible here.
    fn new(image: &Path, at: &Path) -> Result<Mounted, String> {
        std::fs::create_dir_all(at).unwrap();
        // The system writes by itself as late as it can: what nobody synced is not on the disk.
        call("mount", &["-o", "loop,commit=300", path(image), path(at)])?;
        Ok(Mounted(at.to_path_buf()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = call("umount", &[path(&self.0)]) {
            // It is let go when its last user has gone.
            let _ = call("umount", &["-l", path(&self.0)]);
            assert!(std::thread::panicking(), "{error}");
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Run a program; an error is what it said.
fn call(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let told = format!("{program} {}: {said}", arguments.join(" "));
    output.status.success().then_some(()).ok_or(told)
}

/// Wait until no thread of a process runs or is in the middle of a write: what it began is over.
fn wait_until_stopped(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let state = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().unwrap().trim().chars().next()
    };
    let stopped = || {
        let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.all(|task| matches!(state(task), Some('T' | 'Z') | None))
    };
    while !stopped() {
        assert!(Instant::now() < deadline, "process {pid} does not stop");
        // There is no event for a stop that others have asked for.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What happens before a cut.
struct How {
    /// When puts are synced.
    sync: &'static str,
    /// Somebody takes while another puts.
    takes: bool,
    after: Duration,
}

/// The disk, what was put on it, and what came from it.
struct Machine {
    directory: tempfile::TempDir,
    ledger: Ledger,
    found: Vec<Vec<u8>>,
    /// Bodies of the batch at each position.
    contents: HashMap<u64, Vec<Vec<u8>>>,
    /// From the mount after a cut to the last line.
    drains: Vec<Duration>,
}

impl Machine {
    /// One with an empty disk; none where that is not possible.
    fn new() -> Option<Machine> {
        let directory = tempfile::tempdir().unwrap();
        let machine = Machine {
            ledger: Ledger::new(directory.path(), 0),
            found: Vec::new(),
            contents: HashMap::new(),
            drains: Vec::new(),
            directory,
        };
        if let Err(reason) = machine.make_disk() {
            skipped(&format!(
                "power cuts need root, e2fsprogs and a loop device: {reason}"
            ));
            return None;
        }
        Some(machine)
    }

    fn path(&self, name: impl std::fmt::Display) -> PathBuf {
        self.directory.path().join(name.to_string())
    }

    /// A disk without anything on it; an error is the reason why there can be none here.
    fn make_disk(&self) -> Result<(), String> {
        let image = self.path("disk0");
        File::create(&image).unwrap().set_len(DISK).unwrap();
        call("mkfs.ext4", &["-q", "-F", path(&image)])?;
        Mounted::new(&image, &self.path("disk")).map(drop)
    }

    fn taker(&self, until: &str, recording: &str) -> Running {
        Pipe::new(&format!("channel file disk/spool --take {until}"))
            .dir(self.directory.path())
            .output_to(File::create(self.path(recording)).unwrap())
            .start()
    }

    /// Put and take on the disk of this number, and cut its power: disk `cut + 1` is what is left of it.
    fn run_until_cut(&mut self, cut: u64, how: &How) {
        let disk = Mounted::new(&self.path(format!("disk{cut}")), &self.path("disk")).unwrap();
        self.ledger.supply(SUPPLY);
        let file = self.ledger.open();
        let putter = Pipe::new("source stdin --batch-size 20")
            .dir(self.directory.path())
            .input_from(file.try_clone().unwrap())
            .then(&format!(
                "channel file disk/spool --put --max-file-size 256KiB --sync {}",
                how.sync
            ))
            .start();
        let taker = how.takes.then(|| self.taker("", "taken"));
        // Nothing is waited for: any moment is the right one.
        std::thread::sleep(how.after);
        let all = taker
            .iter()
            .map(|taker| (taker, 0))
            .chain([(&putter, 0), (&putter, 1)]);
        for (pipe, stage) in all.clone() {
            pipe.kill(stage, Signal::STOP);
        }
        all.for_each(|(pipe, stage)| wait_until_stopped(pipe.pid(stage)));
        let (image, copy) = (
            self.path(format!("disk{cut}")),
            self.path(format!("disk{}", cut + 1)),
        );
        call("cp", &["--sparse=always", path(&image), path(&copy)]).unwrap();
        putter.kill(1, Signal::KILL).kill(0, Signal::CONT);
        if let Some(taker) = taker {
            taker.kill(0, Signal::KILL);
            taker.wait().expect_status([-9]);
            self.read("taken");
        }
        // 0: it had no more lines.
        let ended = putter.wait();
        assert!([0, 1, 75].contains(&ended.status(0)), "{}", ended.told());
        self.ledger.note(file);
        drop(disk);
        std::fs::remove_file(image).unwrap();
    }

    /// Drain what a cut has left.
    fn drain(&mut self, disk: u64) {
        let began = Instant::now();
        let _disk = Mounted::new(&self.path(format!("disk{disk}")), &self.path("disk")).unwrap();
        if self.path("disk/spool").exists() {
            self.taker("--until-empty", "drained").wait().expect_status([0]);
            self.drains.push(began.elapsed());
            self.read("drained");
        }
    }

    /// Note what is in a recording. No position may have two contents.
    fn read(&mut self, recording: &str) {
        let file = File::open(self.path(recording)).unwrap();
        let mut frames = FrameReader::new(Reader(file), wire::LIMIT);
        while let Some(frame) = next_frame(&mut frames) {
            if frame.header.kind == Kind::Batch {
                let batch = frame.batch().unwrap();
                let bodies = batch.events().map(|event| event.unwrap().body().to_vec());
                let bodies: Vec<_> = bodies.collect();
                let known = self
                    .contents
                    .entry(batch.origin)
                    .or_insert_with(|| bodies.clone());
                assert!(*known == bodies, "position {} is there twice", batch.origin);
                self.found.extend(bodies);
            }
        }
    }
}

#[test]
fn acknowledged_lines_survive_power_cuts() {
    let cuts = from_environment("FLUME_CHAOS_CUTS").unwrap_or(CUTS);
    let (seed, mut random) = seeded("FLUME_CHAOS_SEED");
    let Some(mut machine) = Machine::new() else {
        return;
    };
    for cut in 0..cuts {
        let how = How {
            sync: "always",
            takes: random.below(2) == 0,
            after: Duration::from_micros(random.below(LONGEST.as_micros() as u64)),
        };
        machine.run_until_cut(cut, &how);
        machine.drain(cut + 1);
    }
    let (lost, duplicated) = machine.ledger.compare(machine.found.iter());
    tell(&format!(
        "power: FLUME_CHAOS_SEED={seed} {cuts} cuts, {} acknowledged, {} lost, {duplicated} duplicated, {} positions, drained in {:?} at most",
        machine.ledger.acknowledged,
        lost.len(),
        machine.contents.len(),
        machine.drains.iter().max().unwrap_or(&Duration::ZERO),
    ));
    assert!(
        lost.is_empty(),
        "acknowledged and lost: {:?}... FLUME_CHAOS_SEED={seed}",
        &lost[..lost.len().min(10)]
    );
}

/// A test of the test: what nobody syncs has to be missed.
#[test]
fn power_cuts_find_what_is_lost_without_syncs() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let how = How {
        sync: "never",
        takes: false,
        after: LONGEST,
    };
    // On a busy machine nothing may have come so far.
    let mut cut = 0;
    while machine.ledger.acknowledged == 0 {
        assert!(cut < 20, "nothing is ever acknowledged");
        machine.run_until_cut(cut, &how);
        cut += 1;
        machine.drain(cut);
    }
    let (lost, _) = machine.ledger.compare(machine.found.iter());
    assert!(
        !lost.is_empty(),
        "all {} lines survived",
        machine.ledger.acknowledged
    );
}
