//! One file channel, several real processes that put and take, and everything that may happen to them: kills
//! at any moment, of one or of all. A ledger compares what was acknowledged with what came.
//!
//! Power cuts are in `power`, full disks in `full_disk`, the order of system calls in `calls` and `takes`. What
//! the dead leave is in `left`, what the living do with each other in `lives`, tools that are killed in `tools`.
//!
//! `FLUME_CHAOS_ROUNDS` sets the number of kills, `FLUME_CHAOS_CUTS` that of power cuts, `FLUME_CHAOS_SEED`
//! repeats a run's choices. Where `FLUME_PROMISED` is set, nothing may be left out. What comes twice is
//! counted and printed: a source that was killed has not said where it was, so its lines are sent again.

mod calls;
mod full_disk;
mod left;
mod lives;
mod power;
mod spool;
mod takes;
mod tools;

use crate::crash::{Ledger, Random, from_environment, in_rolled_files, seeded, tell};
use crate::pipe::{Ended, Pipe, Running};
use rustix::process::Signal;
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// Kills in a test that nobody asked more of.
const ROUNDS: u64 = 10;
/// Lines that a putter finds before it.
const SUPPLY: u64 = 200_000;
/// Kills after which the lines are counted and another channel begins: memory and disk have an end.
const LIFE: u64 = 100;
/// The longest time between two kills.
const LONGEST: Duration = Duration::from_millis(60);
/// Lines of one putter are numbered far from those of the other.
const APART: u64 = 400_000_000;

/// A process that puts numbered lines and what it knows to be accepted, and the number of its pipeline's kills.
struct Putter {
    ledger: Ledger,
    file: File,
    running: Option<Running>,
}

impl Putter {
    fn start(directory: &Path, number: u64) -> Putter {
        let own = directory.join(format!("put{number}"));
        std::fs::create_dir(&own).unwrap();
        let ledger = Ledger::new(&own, number * APART);
        let file = File::open("/dev/null").unwrap();
        let mut putter = Putter {
            ledger,
            file,
            running: None,
        };
        putter.restart(directory);
        putter
    }

    fn restart(&mut self, directory: &Path) {
        self.ledger.supply(SUPPLY);
        self.file = self.ledger.open();
        let source = Pipe::new("source stdin --batch-size 50")
            .dir(directory)
            .input_from(self.file.try_clone().unwrap());
        // Small files: many of them begin and are drained.
        self.running = Some(
            source
                .then("channel file spool --put --max-file-size 256KiB")
                .start(),
        );
    }

    /// Wait for its end: how many of it were killed.
    fn end(&mut self) -> u64 {
        let ended = self.running.take().unwrap().wait();
        let kills = kills_in(&ended);
        if ended.status(0) != -9 {
            self.ledger.note(self.file.try_clone().unwrap());
        }
        kills
    }
}

/// How many of two stages were killed; the other has ended as one that lost its neighbour.
fn kills_in(ended: &Ended) -> u64 {
    for stage in [0, 1] {
        // 2: a stage that was just about to say where it is found nobody there, and a stream with its end, as in
        // a recording.
        let nobody = ended.stderr(stage).contains("cannot accept batches from");
        let early = stage == 1 && ended.status(1) == 2 && nobody;
        let expected = early || [0, 1, 75, -9].contains(&ended.status(stage));
        assert!(expected, "that end is a surprise\n{}", ended.told());
    }
    [0, 1].iter().filter(|stage| ended.status(**stage) == -9).count() as u64
}

/// A pipeline that takes into files of its own directory.
fn start_taker(directory: &Path, number: u64, until: &str) -> Running {
    Pipe::new(&format!("channel file spool --take {until}"))
        .dir(directory)
        .then(&format!(
            "sink file_roll --directory take{number}/out --roll-interval 0"
        ))
        .start()
}

/// Files that the takers write at and that hold something by now.
fn in_progress(directory: &Path) -> HashSet<String> {
    let mut names = HashSet::new();
    for number in [0, 1] {
        let Ok(files) = std::fs::read_dir(directory.join(format!("take{number}/out"))) else {
            continue;
        };
        for file in files.map(Result::unwrap) {
            let name = format!("{number} {}", file.file_name().display());
            // One that goes is as good as empty.
            if name.ends_with(".inprogress") && file.metadata().is_ok_and(|found| found.len() > 0) {
                names.insert(name);
            }
        }
    }
    names
}

/// Two processes that put, two that take, and who was killed.
struct Four {
    directory: tempfile::TempDir,
    putters: [Putter; 2],
    takers: [Option<Running>; 2],
    kills: u64,
    /// From the kill of everybody to the first line that came again.
    recoveries: Vec<Duration>,
}

impl Four {
    fn start() -> Four {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        Four {
            putters: [0, 1].map(|number| Putter::start(path, number)),
            takers: [0, 1].map(|number| Some(start_taker(path, number, ""))),
            kills: 0,
            recoveries: Vec::new(),
            directory,
        }
    }

    /// Both stages of pipelines 0 and 1, which put, 2 and 3, which take.
    fn running(&self, pipeline: usize) -> &Running {
        let putters = self.putters.iter().map(|putter| putter.running.as_ref());
        let mut all = putters.chain(self.takers.iter().map(Option::as_ref));
        all.nth(pipeline).flatten().unwrap()
    }

    /// Wait for the end of a pipeline that was hurt, and start it again.
    fn again(&mut self, pipeline: usize) {
        let path = self.directory.path().to_path_buf();
        if pipeline < 2 {
            self.kills += self.putters[pipeline].end();
            self.putters[pipeline].restart(&path);
        } else {
            let taker = pipeline - 2;
            self.kills += kills_in(&self.takers[taker].take().unwrap().wait());
            self.takers[taker] = Some(start_taker(&path, taker as u64, ""));
        }
    }

    /// Kill one process of the eight.
    fn kill_one(&mut self, random: &mut Random) {
        let (pipeline, stage) = (random.below(4) as usize, random.below(2) as usize);
        self.running(pipeline).kill(stage, Signal::KILL);
        self.again(pipeline);
    }

    /// Stop one process of the eight for a while, as Ctrl-Z or a debugger does.
    fn stop_one(&self, random: &mut Random) {
        let running = self.running(random.below(4) as usize);
        let stage = random.below(2) as usize;
        running.kill(stage, Signal::STOP);
        std::thread::sleep(Duration::from_micros(random.below(LONGEST.as_micros() as u64)));
        running.kill(stage, Signal::CONT);
    }

    /// Kill all, and see how long it takes until lines come again.
    fn kill_all(&mut self) {
        for pipeline in 0..4 {
            self.running(pipeline).kill_all(Signal::KILL);
        }
        let killed = Instant::now();
        let before = in_progress(self.directory.path());
        (0..4).for_each(|pipeline| self.again(pipeline));
        while in_progress(self.directory.path()).is_subset(&before) {
            assert!(killed.elapsed() < Duration::from_secs(30), "nothing comes again");
            // There is no event for a file that begins.
            std::thread::sleep(Duration::from_millis(1));
        }
        self.recoveries.push(killed.elapsed());
    }

    /// End everybody, drain the channel, and return all lines that were taken.
    fn drain(&mut self) -> Vec<Vec<u8>> {
        for putter in &mut self.putters {
            putter.running.as_ref().unwrap().kill(0, Signal::TERM);
            assert_eq!(putter.end(), 0);
        }
        for taker in self.takers.iter_mut().map(|taker| taker.take().unwrap()) {
            taker.kill_all(Signal::KILL);
            taker.wait();
        }
        let path = self.directory.path();
        for number in [0, 1] {
            // The second finds nothing, but completes what the last sink there left.
            start_taker(path, number, "--until-empty")
                .wait()
                .expect_status([0, 0]);
        }
        [0, 1]
            .iter()
            .flat_map(|number| in_rolled_files(&path.join(format!("take{number}"))))
            .collect()
    }
}

/// What came out of it.
#[derive(Default)]
struct Outcome {
    kills: u64,
    acknowledged: u64,
    lost: Vec<u64>,
    duplicated: u64,
    recoveries: Vec<Duration>,
}

impl Outcome {
    /// One channel, until so many more were killed.
    fn live(&mut self, kills: u64, random: &mut Random) {
        let mut four = Four::start();
        while four.kills < kills {
            // Nothing is waited for: any moment is the right one.
            std::thread::sleep(Duration::from_micros(random.below(LONGEST.as_micros() as u64)));
            match random.below(8) {
                0 => four.kill_all(),
                1 => four.stop_one(random),
                _ => four.kill_one(random),
            }
        }
        four.kill_all();
        let found = four.drain();
        for ledger in four.putters.iter().map(|putter| &putter.ledger) {
            let (lost, duplicated) = ledger.compare(found.iter());
            self.lost.extend(lost);
            self.duplicated += duplicated;
            self.acknowledged += ledger.acknowledged;
        }
        self.kills += four.kills;
        self.recoveries.extend(four.recoveries);
    }
}

#[test]
fn acknowledged_lines_survive_kills_of_those_who_put_and_take() {
    let rounds = from_environment("FLUME_CHAOS_ROUNDS").unwrap_or(ROUNDS);
    let (seed, mut random) = seeded("FLUME_CHAOS_SEED");
    tell(&format!(
        "chaos: FLUME_CHAOS_SEED={seed} FLUME_CHAOS_ROUNDS={rounds}"
    ));
    let mut outcome = Outcome::default();
    while outcome.kills < rounds {
        let left = rounds - outcome.kills;
        outcome.live(left.min(LIFE), &mut random);
    }
    outcome.recoveries.sort();
    tell(&format!(
        "chaos: {} kills, {} acknowledged, {} lost, {} duplicated, lines again {:.0?} after the kill of all, at most {:.0?}",
        outcome.kills,
        outcome.acknowledged,
        outcome.lost.len(),
        outcome.duplicated,
        outcome.recoveries[outcome.recoveries.len() / 2],
        outcome.recoveries.last().unwrap(),
    ));
    assert!(outcome.acknowledged > 0, "nobody came to anything");
    assert!(
        outcome.lost.is_empty(),
        "acknowledged and lost: {:?}... FLUME_CHAOS_SEED={seed}",
        &outcome.lost[..outcome.lost.len().min(10)]
    );
}

/// A test of the test: what is missing is seen.
#[test]
fn ledger_names_what_was_acknowledged_and_did_not_come() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(directory.path(), 500);
    ledger.supply(10);
    let mut file = ledger.open();
    let mut read = [0; 40];
    file.read_exact(&mut read).unwrap();
    ledger.note(file);
    assert_eq!(ledger.acknowledged, 4);
    let found = [500, 502, 502, 502, 505, 7].map(|number| format!("{number:09}\n").into_bytes());
    assert_eq!(ledger.compare(found.iter()), (vec![501, 503], 2));
}
