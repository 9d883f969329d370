//! Processes around one file channel that live: idle ones, those that wait for others, those that are stopped.

use super::spool::{Found, HandTaker, Spool, bodies};
use crate::crash::tell;
use crate::pipe::Pipe;
use crate::surroundings::wait_until_asleep;
use rustix::process::Signal;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a thread sleeps in, if somebody will have to wake it; `None` if it runs or has a timer.
fn sleeps_without_timer(task: &Path) -> Option<String> {
    let line = std::fs::read_to_string(task.join("syscall")).unwrap_or_default();
    let mut words = line.split_whitespace();
    let call: i64 = words.next()?.parse().ok()?;
    let argument = |at: usize| {
        let word = line.split_whitespace().nth(at + 1)?;
        u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()
    };
    let untimed = match call {
        libc::SYS_futex => argument(3)? == 0,
        libc::SYS_ppoll => argument(2)? == 0,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => argument(2)? as u32 as i32 == -1,
        libc::SYS_epoll_pwait => argument(3)? as u32 as i32 == -1,
        // Those have no time to give: they return when something comes.
        libc::SYS_read | libc::SYS_accept4 | libc::SYS_recvfrom | libc::SYS_recvmsg => true,
        _ => false,
    };
    untimed.then(|| format!("call {call}"))
}

fn tasks(pid: u32) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// How often the threads of a process have been given the processor.
fn switches(pid: u32) -> u64 {
    let of = |task: PathBuf| -> u64 {
        let status = std::fs::read_to_string(task.join("status")).unwrap();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        let counts = lines.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap());
        counts.sum()
    };
    tasks(pid).into_iter().map(of).sum()
}

/// Wait until all threads of a process sleep without a timer, then look that they go on doing so.
fn expect_idle(pid: u32, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while tasks(pid).iter().any(|task| sleeps_without_timer(task).is_none()) {
        if Instant::now() > deadline {
            let calls = tasks(pid).into_iter().map(|task| {
                let name = std::fs::read_to_string(task.join("comm")).unwrap();
                format!(
                    "{}: {}",
                    name.trim(),
                    std::fs::read_to_string(task.join("syscall")).unwrap()
                )
            });
            panic!(
                "{what}: a thread runs or has a timer: {:#?}",
                calls.collect::<Vec<_>>()
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let before = switches(pid);
    // There is no event for "nothing happens".
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(switches(pid), before, "{what}: something woke it");
}

#[test]
fn idle_channel_uses_no_processor_and_has_no_timer() {
    let spool = Spool::new();
    let mut putter = spool.putter("");
    let mut taker = spool.taker();
    putter.put("a");
    let (sequence, _) = taker.next();
    taker.taker.accept(sequence);
    expect_idle(putter.running.pid(0), "the putter");
    expect_idle(taker.running.pid(0), "the taker");
    // Idle is not dead.
    putter.put("b");
    assert_eq!(taker.next().1.1, "b");
    // The same for a process that does both, once it has noted what it took.
    let (input, mut writer) = std::io::pipe().unwrap();
    let both = Pipe::new("source stdin --batch-timeout 1ms")
        .dir(spool.root.path())
        .input_from(input)
        .then("channel file both")
        .then("sink null --log-every-n-events 1")
        .start();
    writer.write_all(b"a\n").unwrap();
    both.wait_for(2, "1 events so far");
    expect_idle(both.pid(1), "both in one");
}

#[test]
fn what_a_killed_taker_held_is_given_to_another_at_once() {
    let spool = Spool::new();
    let mut times = Vec::new();
    let mut holder = spool.taker();
    spool.put(&["a"]);
    let (_, mut held) = holder.next();
    for _ in 0..11 {
        let mut waiting = spool.taker();
        wait_until_asleep(waiting.running.pid(0));
        let killed = Instant::now();
        holder.running.kill(0, Signal::KILL);
        let (_, again) = waiting.next();
        times.push(killed.elapsed());
        assert_eq!(again, held);
        holder = waiting;
        held = again;
    }
    times.sort();
    tell(&format!(
        "redelivery after the death of a taker: median {:?}, longest {:?} of {}",
        times[times.len() / 2],
        times[times.len() - 1],
        times.len()
    ));
    assert!(times[times.len() - 1] < Duration::from_secs(2), "{times:?}");
}

#[test]
fn put_reaches_a_taker_in_another_process_soon() {
    let spool = Spool::new();
    let mut putter = spool.putter("--sync never");
    let mut taker = spool.taker();
    let mut times = Vec::new();
    for round in 0..21 {
        let began = Instant::now();
        putter.send(&round.to_string());
        let (sequence, (_, body)) = taker.next();
        times.push(began.elapsed());
        putter.wait();
        assert_eq!(body, round.to_string());
        taker.taker.accept(sequence);
    }
    times.sort();
    tell(&format!(
        "from the writer of a putter to the taker of another process: median {:?}",
        times[times.len() / 2]
    ));
    assert!(times[times.len() / 2] < Duration::from_secs(2), "{times:?}");
}

/// A batch that was given to `other` since `stopped` was stopped for longer than its lease.
struct TakenOver {
    stopped: HandTaker,
    other: HandTaker,
    /// For the first to accept it by.
    sequence: u64,
    held: Found,
}

fn taken_over(spool: &Spool) -> TakenOver {
    spool.put(&["a"]);
    let mut stopped = spool.taker();
    let (sequence, held) = stopped.next();
    // So that it waits for more, and its own claim does not make it look again.
    wait_until_asleep(stopped.running.pid(0));
    stopped.running.kill(0, Signal::STOP);
    let mut other = spool.taker();
    let (_, given) = other.next();
    assert_eq!(given, held);
    stopped.running.kill(0, Signal::CONT);
    TakenOver {
        stopped,
        other,
        sequence,
        held,
    }
}

#[test]
fn stopped_taker_that_wakes_up_cannot_accept_what_was_given_to_another() {
    let spool = Spool::new();
    let mut both = taken_over(&spool);
    both.stopped.taker.accept(both.sequence);
    let said = "was given to another taker while this process was stopped";
    both.stopped.running.wait_for(0, said);
    // It is still the other's: who dies now gives it back.
    both.stopped.running.kill(0, Signal::KILL);
    both.stopped.running.wait_stage(0);
    both.other.running.kill(0, Signal::KILL);
    both.other.running.wait_stage(0);
    assert_eq!(spool.drain(), [both.held]);
}

#[test]
fn what_was_taken_over_comes_back_to_the_one_that_was_stopped() {
    let spool = Spool::new();
    let mut both = taken_over(&spool);
    both.stopped.taker.accept(both.sequence);
    let said = "was given to another taker while this process was stopped";
    both.stopped.running.wait_for(0, said);
    both.other.running.kill(0, Signal::KILL);
    // Nobody puts and nobody comes: it has to look by itself.
    let (sequence, last) = both.stopped.next();
    assert_eq!(last, both.held);
    both.stopped.taker.accept(sequence);
}

#[test]
fn putter_whose_directory_was_removed_gives_back_what_it_has_and_ends_to_be_started_again() {
    let spool = Spool::new();
    let mut putter = spool.putter("");
    putter.put("a");
    std::fs::remove_dir_all(spool.path("spool")).unwrap();
    putter.send("b");
    assert_eq!(putter.refused().0, "retry");
    let ended = putter.running.wait().expect_status([75]);
    assert!(
        ended.stderr(0).contains("start again to make it anew"),
        "{}",
        ended.told()
    );
    spool.put(&["b"]);
    assert_eq!(bodies(spool.drain()), ["b"]);
}

#[test]
fn stopped_putter_keeps_nobody_from_putting_and_taking() {
    let spool = Spool::new();
    let mut stopped = spool.putter("");
    stopped.put("a");
    stopped.running.kill(0, Signal::STOP);
    spool.put(&["b"]);
    let mut found = bodies(spool.drain());
    found.sort();
    assert_eq!(found, ["a", "b"]);
    stopped.running.kill(0, Signal::CONT);
    stopped.put("c");
    assert_eq!(bodies(spool.drain()), ["c"]);
}
