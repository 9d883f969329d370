//! Kills a random stage of a pipeline at a random moment, again and again, and keeps a ledger: what the
//! source knows to be accepted, and what is found at the other end. An acknowledged event that is not found
//! is a lost one. What comes twice is counted and printed: the promise is at least once.
//!
//! `FLUME_CRASH_ROUNDS` sets the number of kills, `FLUME_CRASH_SEED` repeats a run's choices.

use crate::by_hand::bodies_in;
use crate::pipe::Pipe;
use rustix::process::Signal;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Kills in a test that nobody asked more of.
const ROUNDS: u64 = 20;
/// Bytes of a line with its end.
pub const LINE: u64 = 10;
/// Lines that a round finds before it: more than it can send before it is killed.
const SUPPLY: u64 = 400_000;
/// The longest that a pipeline lives.
const LONGEST: Duration = Duration::from_millis(60);

/// Random numbers that a seed repeats (SplitMix64).
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below this one.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Numbered lines in a file, and how far the source knows them to be accepted.
pub struct Ledger {
    path: PathBuf,
    first: u64,
    lines: u64,
    /// Lines that are accepted, from the first on.
    pub acknowledged: u64,
}

impl Ledger {
    /// Lines numbered from `first`, in the file `lines` there.
    pub fn new(directory: &Path, first: u64) -> Ledger {
        Ledger {
            path: directory.join("lines"),
            first,
            lines: 0,
            acknowledged: 0,
        }
    }

    /// See that so many lines wait to be sent.
    pub fn supply(&mut self, ahead: u64) {
        let mut text = Vec::new();
        while self.lines < self.acknowledged + ahead {
            writeln!(text, "{:09}", self.first + self.lines).unwrap();
            self.lines += 1;
        }
        let file = File::options().create(true).append(true).open(&self.path);
        file.unwrap().write_all(&text).unwrap();
    }

    /// The file as a shell would open it for a restart: at the first line that was not acknowledged.
    pub fn open(&self) -> File {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.acknowledged * LINE)).unwrap();
        file
    }

    /// The source has ended by itself and left the file where acceptances reach.
    pub fn note(&mut self, mut file: File) {
        let at = file.stream_position().unwrap();
        assert_eq!(at % LINE, 0, "the input is not left at the start of a line");
        assert!(at / LINE >= self.acknowledged, "acknowledgements were taken back");
        self.acknowledged = at / LINE;
    }

    /// Numbers of acknowledged lines that are not among these, and how many of these came before already.
    /// Lines of other ledgers may be among them.
    pub fn compare<'a>(&self, found: impl Iterator<Item = &'a Vec<u8>>) -> (Vec<u64>, u64) {
        let mut times = vec![0u32; self.lines as usize];
        for body in found {
            let number: u64 = std::str::from_utf8(body).unwrap().trim().parse().unwrap();
            if (self.first..self.first + self.lines).contains(&number) {
                times[(number - self.first) as usize] += 1;
            }
        }
        let acknowledged = &times[..self.acknowledged as usize];
        let missing = (self.first..).zip(acknowledged).filter(|(_, times)| **times == 0);
        let lost = missing.map(|(number, _)| number).collect();
        let duplicated = times.iter().map(|times| u64::from(times.saturating_sub(1))).sum();
        (lost, duplicated)
    }
}

/// The number in this variable.
pub fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect(name))
}

/// The seed in this variable or a new one, and its random numbers.
pub fn seeded(variable: &str) -> (u64, Random) {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = from_environment(variable).unwrap_or(clock.unwrap().subsec_nanos().into());
    (seed, Random(seed))
}

/// Kill stages of this pipeline, restart it, and compare. `output` says where the round's events end up.
fn crash(
    name: &str,
    stages: &[&str],
    output: impl Fn(u64) -> Option<String>,
    found: impl Fn(&Path) -> Vec<Vec<u8>>,
) {
    let rounds = from_environment("FLUME_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let (seed, mut random) = seeded("FLUME_CRASH_SEED");
    tell(&format!(
        "crash {name}: FLUME_CRASH_SEED={seed} FLUME_CRASH_ROUNDS={rounds}"
    ));
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(directory.path(), 0);
    let mut kills = 0;
    for round in 0..=rounds {
        ledger.supply(SUPPLY);
        let file = ledger.open();
        let mut pipe = Pipe::new("source stdin --batch-size 50")
            .dir(directory.path())
            .input_from(file.try_clone().unwrap());
        for stage in stages {
            pipe = match stage.strip_prefix("foreign: ") {
                Some(foreign) => pipe.then_foreign(foreign),
                None => pipe.then(stage),
            };
        }
        if let Some(file) = output(round) {
            pipe = pipe.output_file(&file);
        }
        let mut running = pipe.start();
        if round < rounds {
            let moment = Duration::from_micros(random.below(LONGEST.as_micros() as u64));
            let victim = random.below(stages.len() as u64 + 1) as usize;
            // Nothing is waited for: any moment is the right one.
            running.ends_before(victim, Instant::now() + moment);
            running.kill(victim, Signal::KILL);
        }
        let ended = running.wait();
        kills += u64::from((0..=stages.len()).any(|stage| ended.status(stage) == -9));
        if round == rounds {
            let all = (0..=stages.len()).all(|stage| ended.status(stage) == 0);
            assert!(all, "the last run ends well\n{}", ended.told());
        }
        if ended.status(0) != -9 {
            ledger.note(file);
        }
    }
    let (lost, duplicated) = ledger.compare(found(directory.path()).iter());
    tell(&format!(
        "crash {name}: {kills} kills, {} acknowledged, {} lost, {duplicated} duplicated",
        ledger.acknowledged,
        lost.len()
    ));
    assert_eq!(ledger.acknowledged, ledger.lines, "the last run accepts all");
    assert!(
        lost.is_empty(),
        "acknowledged and lost: {:?}... FLUME_CRASH_SEED={seed}",
        &lost[..lost.len().min(10)]
    );
}

/// Straight to standard output: a test that passes shows its ledger, too.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn in_recordings(directory: &Path) -> Vec<Vec<u8>> {
    let all = std::fs::read_dir(directory).unwrap();
    let paths = all.map(|entry| entry.unwrap().path());
    let recordings = paths.filter(|path| path.extension().is_some_and(|extension| extension == "flm"));
    recordings.flat_map(|path| bodies_in(&path)).collect()
}

#[test]
fn acknowledged_events_survive_kills_on_their_way_to_a_recording() {
    crash(
        "recording",
        &[
            "intercept static --key a --value b",
            "foreign: exec cat",
            "intercept static",
        ],
        |round| Some(format!("out.{round}.flm")),
        in_recordings,
    );
}

#[test]
fn acknowledged_events_survive_kills_through_a_file_channel() {
    crash(
        "file channel",
        &[
            "intercept static --key a --value b",
            "channel file spool",
            "intercept static",
        ],
        |round| Some(format!("out.{round}.flm")),
        in_recordings,
    );
}

/// Lines in all files that a sink has made in `out` there.
pub fn in_rolled_files(directory: &Path) -> Vec<Vec<u8>> {
    let all = std::fs::read_dir(directory.join("out")).unwrap();
    let mut lines = Vec::new();
    for path in all.map(|entry| entry.unwrap().path()) {
        // What begins with a dot is no event data.
        if path
            .file_name()
            .is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
        {
            let text = std::fs::read(path).unwrap();
            lines.extend(text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        }
    }
    lines
}

#[test]
fn acknowledged_events_survive_kills_on_their_way_to_rolled_files() {
    crash(
        "file_roll",
        &[
            "intercept static --key a --value b",
            "channel file spool",
            "sink file_roll --directory out",
        ],
        |_| None,
        in_rolled_files,
    );
}
