//! The tools that change a channel, killed at random moments: afterwards the channel is sound or can be mended,
//! nothing is gone that should stay, and the tool can be used again.

use crate::crash::{Random, from_environment, seeded, tell};
use crate::pipe::{Ended, Pipe};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// Kills of each tool when nobody asked for more.
const ROUNDS: u64 = 12;

/// One tool and what it may change.
struct Case {
    tool: &'static str,
    /// What is done to a channel of 100 batches of 10 events before.
    before: &'static str,
    /// What must still come when it was killed; and exactly what comes when it was used again after that.
    stays: fn(&u64) -> bool,
    comes: fn(&u64) -> bool,
}

const CASES: [Case; 3] = [
    Case {
        tool: "--repair",
        // A bit in the eleventh frame; without the table everything is found on the disk.
        before: "python3 - d/data/*.seg <<'EOF'\nimport sys\nbytes = bytearray(open(sys.argv[1], 'rb').read())\nat = 0\nfor _ in range(11): at = bytes.index(b'FLM1', at + 1)\nbytes[at + 50] ^= 1\nopen(sys.argv[1], 'wb').write(bytes)\nEOF\nrm -r d/checkpoint/table-*",
        stays: |number| !(100..110).contains(number),
        comes: |number| !(100..110).contains(number),
    },
    Case {
        tool: "--skip 1:50 --yes",
        before: "true",
        stays: |number| *number >= 500,
        comes: |number| *number >= 500,
    },
    Case {
        tool: "--rewind 1:10 --yes",
        before: "flume channel file d --take -q | flume cat -n 300 > /dev/null || true",
        stays: |number| *number >= 300,
        comes: |number| *number >= 100,
    },
];

fn shell(directory: &Path, script: &str) -> Ended {
    Pipe::foreign(script).dir(directory).run()
}

fn channel(case: &Case) -> tempfile::TempDir {
    let at = tempfile::tempdir().unwrap();
    let put = "flume source seq --total-events 1000 --batch-size 10 -q | flume channel file d --put -q";
    shell(at.path(), &format!("{put} || exit 1\n{}", case.before)).expect_status([0]);
    at
}

/// Everything that a taker gets; what comes several times counts once.
fn drained(at: &Path) -> BTreeSet<u64> {
    let ended = shell(at, "flume channel file d --take --until-empty -q | flume cat");
    let ended = ended.expect_status([0]);
    let text = String::from_utf8(ended.stdout().to_vec()).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn missing(found: &BTreeSet<u64>, expected: fn(&u64) -> bool) -> Vec<u64> {
    let all = (0..1000).filter(|number| expected(number) && !found.contains(number));
    all.collect()
}

/// Use the tool and kill it after so long: true if it had not ended by then.
fn killed_after(case: &Case, at: &Path, moment: Duration) -> bool {
    let words = format!("channel file d {}", case.tool);
    let mut running = Pipe::new(&words).dir(at).start();
    running.ends_before(0, Instant::now() + moment);
    running.kill(0, Signal::KILL);
    let status = running.wait().status(0);
    assert!([0, -9].contains(&status), "{}: it ended with {status}", case.tool);
    status == -9
}

fn look_after(case: &Case, at: &Path, again: bool) {
    let tool = match again {
        true => format!("flume channel file d {} && ", case.tool),
        false => String::new(),
    };
    let ended = shell(
        at,
        &format!("{tool}flume channel file d --repair && flume channel file d --check"),
    );
    let ended = ended.expect_status([0]);
    let said = String::from_utf8_lossy(ended.stdout()).into_owned();
    assert!(said.contains("d is sound"), "{}: {said}", case.tool);
    let found = drained(at);
    assert_eq!(missing(&found, case.stays), [0u64; 0], "{}: lost", case.tool);
    if again {
        assert_eq!(
            missing(&found, case.comes),
            [0u64; 0],
            "{}: does not come",
            case.tool
        );
        let more: Vec<_> = found.iter().filter(|number| !(case.comes)(number)).collect();
        assert!(more.is_empty(), "{}: should not come: {more:?}", case.tool);
    }
}

fn try_all(case: &Case, rounds: u64, random: &mut Random) -> u64 {
    let first = channel(case);
    let began = Instant::now();
    shell(first.path(), &format!("flume channel file d {}", case.tool)).expect_status([0]);
    let micros = began.elapsed().as_micros() as u64;
    let mut kills = 0;
    for round in 0..rounds {
        let at = channel(case);
        kills += u64::from(killed_after(
            case,
            at.path(),
            Duration::from_micros(random.below(micros)),
        ));
        look_after(case, at.path(), round % 2 == 0);
    }
    kills
}

#[test]
fn tools_that_are_killed_halfway_leave_a_channel_that_can_be_used() {
    let rounds = from_environment("FLUME_CHAOS_ROUNDS").map_or(ROUNDS, |rounds| rounds.div_ceil(10));
    let (seed, mut random) = seeded("FLUME_CHAOS_SEED");
    for case in &CASES {
        let kills = try_all(case, rounds, &mut random);
        tell(&format!(
            "chaos {}: FLUME_CHAOS_SEED={seed}: {kills} kills in {rounds} runs, nothing lost",
            case.tool
        ));
        assert!(kills > 0, "{}: it was never killed in {rounds} runs", case.tool);
    }
}
