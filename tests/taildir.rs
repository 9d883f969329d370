//! `source taildir` as a program: killed while files rotate, with files it may not read, on a full disk.

use crate::by_hand::bodies_in;
use crate::crash::{Random, from_environment, seeded, tell};
use crate::pipe::Pipe;
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Kills in a test that nobody asked more of.
const ROUNDS: u64 = 20;
/// The longest that a pipeline lives.
const LONGEST_MS: u64 = 120;
/// Lines that are written at once at most, and to one file.
const BURST: u64 = 200;
const FILE: u64 = 3000;

/// Writes numbered lines to a log, without a pause, and rotates it.
struct Writer {
    shared: Arc<(Mutex<Log>, AtomicBool)>,
    thread: std::thread::JoinHandle<()>,
}

struct Log {
    directory: PathBuf,
    file: File,
    lines: u64,
    in_file: u64,
    rotations: u64,
}

impl Log {
    fn open(directory: &Path) -> File {
        let path = directory.join("app.log");
        File::options().create(true).append(true).open(path).unwrap()
    }

    fn write(&mut self, random: &mut Random) {
        let count = 1 + random.below(BURST);
        let mut text = String::new();
        for _ in 0..count {
            text.push_str(&format!("{:09}\n", self.lines));
            self.lines += 1;
        }
        // In two parts, so that lines are seen half.
        let (one, other) = text.split_at(random.below(text.len() as u64) as usize);
        self.file.write_all(one.as_bytes()).unwrap();
        self.file.write_all(other.as_bytes()).unwrap();
        self.in_file += count;
        if self.in_file >= FILE {
            self.rotations += 1;
            self.in_file = 0;
            let old = self.directory.join(format!("app.log.{}", self.rotations));
            fs::rename(self.directory.join("app.log"), old).unwrap();
            self.file = Log::open(&self.directory);
        }
    }
}

impl Writer {
    fn start(directory: &Path, mut random: Random) -> Writer {
        let log = Log {
            directory: directory.to_path_buf(),
            file: Log::open(directory),
            lines: 0,
            in_file: 0,
            rotations: 0,
        };
        let shared = Arc::new((Mutex::new(log), AtomicBool::new(false)));
        let own = shared.clone();
        let thread = std::thread::spawn(move || {
            while !own.1.load(Ordering::SeqCst) {
                own.0.lock().unwrap().write(&mut random);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Writer { shared, thread }
    }

    /// Nothing is written meanwhile.
    fn hold(&self) -> MutexGuard<'_, Log> {
        self.shared.0.lock().unwrap()
    }

    /// Stop writing: how many lines there are.
    fn stop(self) -> u64 {
        self.shared.1.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        self.shared.0.lock().unwrap().lines
    }
}

/// Delete rotated files of which the position file says that all was accepted: nobody can send them again. How many.
fn delete_accepted(directory: &Path) -> u64 {
    let Ok(text) = fs::read_to_string(directory.join("positions")) else {
        return 0;
    };
    let entries: serde_json::Value =
        serde_json::from_str(&text).expect("the position file is whole at any time");
    let mut deleted = 0;
    for entry in entries.as_array().unwrap() {
        let path = Path::new(entry["file"].as_str().unwrap());
        let Ok(metadata) = fs::metadata(path) else {
            continue;
        };
        let is_accepted = entry["pos"] == metadata.len() && entry["inode"] == metadata.ino();
        if is_accepted && path.file_name().is_some_and(|name| name != "app.log") {
            fs::remove_file(path).unwrap();
            deleted += 1;
        }
    }
    deleted
}

#[test]
fn positions_that_were_noted_survive_kills_while_files_rotate() {
    let rounds = from_environment("FLUME_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let (seed, mut random) = seeded("FLUME_CRASH_SEED");
    tell(&format!(
        "crash taildir: FLUME_CRASH_SEED={seed} FLUME_CRASH_ROUNDS={rounds}"
    ));
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let writer = Writer::start(&logs, Random::seeded(seed));
    let source =
        r"source taildir 'logs/app\.log.*' --position-file positions --write-pos-interval 5 --batch-size 50";
    let (mut kills, mut deleted) = (0, 0);
    for _ in 0..rounds {
        let mut running = Pipe::new(source)
            .dir(directory.path())
            .then("intercept static --key a --value b")
            .then("channel file ./spool --put")
            .start();
        let victim = random.below(3) as usize;
        let moment = Duration::from_millis(5 + random.below(LONGEST_MS));
        running.ends_before(victim, Instant::now() + moment);
        running.kill(victim, Signal::KILL);
        let ended = running.wait();
        kills += u64::from(ended.status(victim) == -9);
        let _held = writer.hold();
        deleted += delete_accepted(directory.path());
    }
    let lines = writer.stop();
    Pipe::new(&format!("{source} --until-end"))
        .dir(directory.path())
        .then("channel file ./spool --put")
        .run()
        .expect_status([0, 0]);
    Pipe::new("channel file ./spool --take --until-empty")
        .dir(directory.path())
        .output_file("all.flm")
        .run()
        .expect_status([0]);
    let mut times = vec![0u32; lines as usize];
    for body in bodies_in(&directory.path().join("all.flm")) {
        let number: usize = std::str::from_utf8(&body).unwrap().parse().unwrap();
        times[number] += 1;
    }
    let lost: Vec<usize> = (0..times.len()).filter(|number| times[*number] == 0).collect();
    let duplicated: u32 = times.iter().map(|times| times.saturating_sub(1)).sum();
    tell(&format!(
        "crash taildir: {kills} kills, {lines} lines, {deleted} files deleted as accepted, {} lost, {duplicated} duplicated",
        lost.len()
    ));
    assert!(kills > 0 && deleted > 0, "nothing was shown");
    assert!(
        lost.is_empty(),
        "lost: {:?}... FLUME_CRASH_SEED={seed}",
        &lost[..lost.len().min(10)]
    );
}

#[test]
fn file_that_may_not_be_read_holds_up_no_other_and_keeps_its_position() {
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let can_change = Pipe::foreign(&format!("{user} true")).run().status(0) == 0;
    if !can_change {
        return skipped("a file that may not be read: that needs root and setpriv (util-linux)");
    }
    // The user may reach neither the program where it was built nor the directory of the test.
    let script = format!(
        r#"
        chmod 711 . && cp $(command -v flume) program && mkdir -m 755 logs && mkdir -m 777 state || exit 99
        tail="{user} ./program source taildir logs/.* --position-file state/p"
        echo 1 >logs/a
        $tail --until-end | {user} ./program cat || exit 98
        echo 2 >>logs/a; echo 3 >logs/b; chmod 0 logs/a
        {{ $tail --until-end; echo $? >state/status; }} | {user} ./program cat || exit 97
        [ $(cat state/status) = 1 ] || exit 96
        mkfifo -m 666 pipe
        $tail 2>state/log >pipe & tailing=$!
        {user} ./program cat <pipe >state/out &
        until grep -q 'logs/a cannot be read: Permission denied' state/log; do sleep 0.02; done
        chmod 644 logs/a
        until test -s state/out; do sleep 0.02; done
        kill -TERM $tailing; wait
        cat state/out
        "#
    );
    let ended = Pipe::foreign(&script).run().expect_status([0]);
    assert_eq!(ended.text(), "1\n3\n2\n", "{}", ended.told());
}

/// Statuses from 90 on say what did not work.
const FULL_DISK: &str = r#"
    mkdir state && mount -t tmpfs -o size=64k none state || exit 90
    tail="flume source taildir app.log --position-file state/p --until-end"
    seq 1 100 >app.log
    $tail | flume cat >first || exit 91
    cp state/p before
    head -c 1M /dev/zero >state/filler 2>filler.log
    seq 101 200 >>app.log
    $tail 2>log | flume cat >second
    test ${PIPESTATUS[0]} = 1 || exit 92
    grep -q 'state/p cannot be written: No space left on device' log || exit 93
    cmp state/p before || exit 94
    test "$(ls -A state | grep tmp)" = "" || exit 95
    rm state/filler
    $tail | flume cat >third || exit 96
    cat first second third
"#;

#[test]
fn full_disk_leaves_the_position_file_as_it_was_and_what_came_since_comes_again() {
    let ended = Pipe::foreign("true")
        .file("script", FULL_DISK)
        .then_foreign("exec unshare -rm bash script")
        .run()
        .expect_status([0, 0]);
    let numbers = (1..=100).chain(101..=200).chain(101..=200);
    let expected: String = numbers.map(|number| format!("{number}\n")).collect();
    assert_eq!(ended.text(), expected);
}

#[test]
fn wrong_words_are_told_with_what_would_be_right() {
    for (words, status, expected) in [
        ("source taildir", 2, "filegroups: there is no group"),
        ("source taildir '/var/log/*.log'", 2, r"for *.log write .*\.log"),
        (
            "source taildir ./none/.*",
            2,
            "none cannot be listed: No such file",
        ),
        ("source taildir ./script/.*", 2, "script is no directory"),
        (
            "source taildir .* --position-file script/p",
            1,
            "has no directory, and none can be made",
        ),
        (
            "source taildir .* --position-file script",
            1,
            "script is no array",
        ),
        ("source taildir .* --fingerprint 1MiB", 2, "64.0 KiB at most"),
    ] {
        let ended = Pipe::new(words).file("script", "x").then("sink null").run();
        assert_eq!(ended.status(0), status, "{words}\n{}", ended.told());
        assert!(ended.stderr(0).contains(expected), "{words}\n{}", ended.told());
    }
}

#[test]
fn paths_with_blanks_go_through_a_property_and_back() {
    let text = r#"source taildir 'my logs/a.*' b.log --filegroup 'f=/x y/.*' --position-file p | channel memory | sink null"#;
    let ended = Pipe::new(&format!("explain \"{text}\"")).run().expect_status([0]);
    assert!(
        ended.text().contains(r"files = 'my logs/a.*' b.log"),
        "{}",
        ended.text()
    );
    let ended = Pipe::new("explain x.conf").file("x.conf", ended.text()).run();
    let expected = r"source taildir 'my logs/a.*' b.log";
    assert!(ended.text().contains(expected), "{}", ended.told());
}

/// All is said that keeps lines from coming when everything that is there is to be read.
#[test]
fn what_is_left_at_the_end_is_told() {
    let ended = Pipe::new("source taildir a b?? '[*].log' --position-file p --until-end")
        .file("a", "one\ntwo")
        .then("cat")
        .run()
        .expect_status([0, 0]);
    assert_eq!(ended.text(), "one\n");
    for expected in [
        "/a: the last line has no end, so that its 3 bytes are left for the next run",
        "group 2: the name of no file in ",
        " matches b??, which is a regular expression for all of it",
        "group 3: the name of no file in ",
    ] {
        assert!(ended.stderr(0).contains(expected), "{expected}\n{}", ended.told());
    }
}
