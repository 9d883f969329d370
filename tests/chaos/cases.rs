//! Named cases of a file channel that real processes share.

use crate::by_hand::{Reader, Taker, next_frame};
use crate::pipe::{Ended, Pipe, Running};
use flume::wire::{self, FrameReader, Kind};
use rustix::process::Signal;
use std::fs::File;
use std::io::{PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Remove files below a directory, as somebody at a shell would.
fn remove(directory: &Path, pattern: &str) {
    Pipe::foreign(&format!("rm -rf {pattern}"))
        .dir(directory)
        .run()
        .expect_status([0]);
}

/// What processes share in memory; after a boot nobody looks at it.
const TABLES: &str = "spool/checkpoint/table-*";
const SEGMENTS: &str = "spool/data/*";

fn segments_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory.join("spool/data")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .collect()
}

/// Put so many batches of one event.
fn put(directory: &Path, batches: u64) {
    Pipe::new(&format!("source seq --batch-size 1 --total-events {batches}"))
        .dir(directory)
        .then("channel file spool --put")
        .run()
        .expect_status([0, 0]);
}

/// Positions of all batches that are taken until the channel is empty.
fn take(directory: &Path) -> Vec<u64> {
    Pipe::new("channel file spool --take --until-empty")
        .dir(directory)
        .output_to(File::create(directory.join("taken")).unwrap())
        .run()
        .expect_status([0]);
    let file = File::open(directory.join("taken")).unwrap();
    let mut frames = FrameReader::new(Reader(file), wire::LIMIT);
    let mut origins = Vec::new();
    while let Some(frame) = next_frame(&mut frames) {
        if frame.header.kind == Kind::Batch {
            origins.push(frame.batch().unwrap().origin);
        }
    }
    origins
}

/// Take until nothing is left.
fn drain(directory: &Path) -> Ended {
    Pipe::new("channel file spool --take --until-empty")
        .dir(directory)
        .then("sink null --summary json")
        .run()
        .expect_status([0, 0])
}

/// A taker that has read so many batches and accepts none of them.
fn hold(directory: &Path, batches: u64) -> (Running, Taker) {
    let (pipe, output) = Pipe::new("channel file spool --take")
        .dir(directory)
        .output_read();
    let running = pipe.start();
    let mut taker = Taker::of(output);
    taker.connect();
    taker.read_up_to(batches);
    (running, taker)
}

/// A putter that has put these lines and waits for more, as long as the writer lives.
fn put_and_stay(directory: &Path, lines: &str) -> (Running, PipeWriter) {
    let (input, mut writer) = std::io::pipe().unwrap();
    let running = Pipe::new("source stdin --batch-size 1 --batch-timeout 1ms --summary json")
        .dir(directory)
        .input_from(input)
        .then("channel file spool --put")
        .start();
    writer.write_all(lines.as_bytes()).unwrap();
    wait_until(|| {
        let paths = std::fs::read_dir(directory.join("spool/data"))
            .into_iter()
            .flatten();
        let mut written = paths.map(|path| std::fs::read(path.unwrap().path()).unwrap_or_default());
        let last = lines.trim_end().rsplit('\n').next().unwrap();
        written.any(|bytes| memchr::memmem::find(&bytes, last.as_bytes()).is_some())
    });
    running.wait_settled(0);
    (running, writer)
}

#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "what was waited for does not come");
        // There is no event for it.
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn positions_go_on_after_a_drain_whatever_is_removed_by_hand() {
    for removed in [vec![], vec![TABLES], vec![SEGMENTS], vec![SEGMENTS, TABLES]] {
        let directory = tempfile::tempdir().unwrap();
        let mut last = 0;
        for round in 0..3 {
            put(directory.path(), 5);
            let positions = take(directory.path());
            assert_eq!(positions.len(), 5, "{removed:?}, round {round}");
            for position in positions {
                assert!(
                    position > last,
                    "{removed:?}, round {round}: {position} after {last}"
                );
                last = position;
            }
            removed
                .iter()
                .for_each(|pattern| remove(directory.path(), pattern));
        }
    }
}

#[test]
fn what_a_putter_had_acknowledged_that_never_comes_back_is_taken_and_its_segment_goes() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), 2);
    let (putter, writer) = put_and_stay(directory.path(), "one\ntwo\nthree\n");
    putter.kill(1, Signal::KILL);
    let ended = putter.wait().expect_status([75, -9]);
    assert_eq!(ended.summary(0, "accepted"), 3);
    drop(writer);
    drain(directory.path()).counts(1, "accepted", 5);
    // Whoever comes next has nothing of it to look at.
    drain(directory.path()).counts(1, "accepted", 0);
    assert_eq!(segments_in(directory.path()), Vec::<PathBuf>::new());
}

#[test]
fn what_was_acknowledged_is_there_after_the_last_process_and_its_tables_have_gone() {
    for forget in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), 3);
        let (holder, taker) = hold(directory.path(), 3);
        let (putter, _writer) = put_and_stay(directory.path(), "one\ntwo\n");
        // Stopped first, so that none sees the end of another.
        putter.kill_all(Signal::STOP).kill_all(Signal::KILL);
        holder.kill_all(Signal::KILL);
        putter.wait().expect_status([-9, -9]);
        holder.wait().expect_status([-9]);
        drop(taker);
        if forget {
            remove(directory.path(), TABLES);
        }
        assert_eq!(take(directory.path()).len(), 5, "tables removed: {forget}");
        put(directory.path(), 1);
        assert_eq!(take(directory.path()).len(), 1, "tables removed: {forget}");
    }
}

#[test]
fn until_empty_is_not_kept_by_a_living_taker_and_takes_what_a_dead_one_held() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), 3);
    let (holder, _taker) = hold(directory.path(), 3);
    drain(directory.path()).counts(1, "accepted", 0);
    assert!(
        !segments_in(directory.path()).is_empty(),
        "the living taker's batches are there"
    );
    holder.kill(0, Signal::KILL);
    holder.wait().expect_status([-9]);
    drain(directory.path()).counts(1, "accepted", 3);
}

/// Each thread of a process that does not wait, or waits with a limit of time.
fn threads_with_timers(pid: u32) -> Vec<String> {
    let mut with = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let path = task.unwrap().path();
        let call = std::fs::read_to_string(path.join("syscall")).unwrap_or_default();
        let words: Vec<&str> = call.split_whitespace().collect();
        let number = words.first().and_then(|word| word.parse::<i64>().ok());
        let argument = |index: usize| words.get(index + 1).copied().unwrap_or_default();
        // The low half is the number; the rest of the register is whatever was there.
        let is_minus_one = |index: usize| argument(index).ends_with("ffffffff");
        let is_untimed = match number {
            Some(libc::SYS_futex) => argument(3) == "0x0",
            Some(libc::SYS_ppoll) => argument(2) == "0x0",
            Some(libc::SYS_poll) => is_minus_one(2),
            Some(libc::SYS_epoll_wait | libc::SYS_epoll_pwait) => is_minus_one(3),
            Some(libc::SYS_read | libc::SYS_recvfrom | libc::SYS_accept4) => true,
            _ => false,
        };
        if !is_untimed {
            let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
            with.push(format!("{}: {}", name.trim(), call.trim()));
        }
    }
    with
}

/// What a process and its threads have used so far: ticks of time, and how often they went to sleep.
fn used(pid: u32) -> Vec<String> {
    let mut used = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let path = task.unwrap().path();
        let stat = std::fs::read_to_string(path.join("stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        used.push(format!(
            "{} utime {} stime {}",
            path.display(),
            fields[11],
            fields[12]
        ));
        let status = std::fs::read_to_string(path.join("status")).unwrap();
        let switches = status.lines().filter(|line| line.starts_with("voluntary_ctxt"));
        used.extend(switches.map(str::to_string));
    }
    used
}

#[test]
fn idle_channel_has_no_timer_and_uses_no_time() {
    let directory = tempfile::tempdir().unwrap();
    let (input, mut writer) = std::io::pipe().unwrap();
    let (to_put, putter) = std::io::pipe().unwrap();
    let source = |input| {
        Pipe::new("source stdin --batch-timeout 1ms")
            .dir(directory.path())
            .input_from(input)
    };
    let both = source(input).then("channel file both").then("sink null").start();
    let putting = source(to_put).then("channel file spool --put").start();
    let taking = Pipe::new("channel file spool --take")
        .dir(directory.path())
        .then("sink null");
    let taking = taking.start();
    // It has had something to do, and has noted what it did.
    writer.write_all(b"one\n").unwrap();
    (&putter).write_all(b"one\n").unwrap();
    for (pipe, stage) in [(&both, 1), (&putting, 1), (&taking, 0)] {
        let pid = pipe.pid(stage);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let with = threads_with_timers(pid);
            let before = used(pid);
            // Time that passes is what this is about.
            std::thread::sleep(Duration::from_secs(1));
            let after = used(pid);
            if with.is_empty() && before == after {
                break;
            }
            assert!(Instant::now() < deadline, "{with:#?}\n{before:#?}\n{after:#?}");
        }
    }
}
