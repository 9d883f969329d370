//! What those leave who have ended, died or gone for ever, and what is found by who comes later.

use super::spool::{Spool, batches_in, bodies};
use crate::pipe::{Pipe, Running};
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::fs::File;
use std::path::{Path, PathBuf};

#[test]
fn positions_go_on_after_everything_was_drained_and_nothing_removed() {
    let spool = Spool::new();
    spool.put(&["a", "b"]);
    let before = spool.drain();
    spool.put(&["c"]);
    let after = spool.drain();
    assert_eq!(bodies(before.clone()), ["a", "b"]);
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!(after[0].1, "c");
    assert!(before.iter().all(|(position, _)| *position < after[0].0));
}

#[test]
fn positions_go_on_whatever_is_removed_by_hand() {
    for (segments, tables) in [(true, false), (false, true), (true, true)] {
        let spool = Spool::new();
        let mut last = 0;
        for round in 0..3 {
            spool.put(&["a", "b"]);
            // A segment that is not drained is removed as well, in one round.
            if round != 1 || !segments {
                assert_eq!(bodies(spool.drain()), ["a", "b"]);
            }
            if segments {
                let all = spool.files("data", ".seg").into_iter();
                all.for_each(|segment| std::fs::remove_file(segment).unwrap());
            }
            if tables {
                spool.remove_tables();
            }
            spool.put(&["c"]);
            let found = spool.drain();
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].0 > last, "position {} came after {last}", found[0].0);
            last = found[0].0;
        }
    }
}

/// Half a frame behind what a putter has synced.
fn tear(segment: &Path) {
    let bytes = std::fs::read(segment).unwrap();
    // Segments have zeros behind what was written, where room was set aside.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let begin = bytes[4096..end].to_vec();
    let half = &begin[..begin.len().min(60)];
    let file = File::options().write(true).open(segment).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, half, end as u64).unwrap();
}

#[test]
fn putter_gone_for_ever_leaves_what_was_accepted_and_blocks_nobody() {
    for (torn, rebooted) in [(false, false), (true, false), (true, true)] {
        let spool = Spool::new();
        let mut putter = spool.putter("");
        putter.put("a");
        putter.put("b");
        putter.kill();
        if torn {
            tear(&spool.files("data", ".seg")[0]);
        }
        if rebooted {
            spool.remove_tables();
        }
        spool.put(&["c"]);
        assert_eq!(
            bodies(spool.drain()),
            ["a", "b", "c"],
            "torn {torn}, rebooted {rebooted}"
        );
        assert_eq!(spool.files("data", ".seg"), Vec::<PathBuf>::new());
    }
}

#[test]
fn everything_is_found_after_the_last_process_was_killed_and_a_month_later() {
    for a_month_later in [false, true] {
        let spool = Spool::new();
        let mut first = spool.putter("");
        let mut second = spool.putter("");
        first.put("a");
        second.put("b");
        let mut taker = spool.taker();
        taker.next();
        first.kill();
        second.kill();
        taker.running.kill(0, Signal::KILL);
        taker.running.wait_stage(0);
        if a_month_later {
            spool.remove_tables();
        }
        let mut found = bodies(spool.drain());
        found.sort();
        assert_eq!(found, ["a", "b"]);
        spool.put(&["c"]);
        assert_eq!(bodies(spool.drain()), ["c"]);
    }
}

#[test]
fn until_empty_is_not_kept_by_a_living_taker_and_takes_over_from_a_dead_one() {
    let spool = Spool::new();
    spool.put(&["a", "b", "c"]);
    let mut holder = spool.taker();
    let (_, held) = holder.next();
    // Its window is full; one more stands in front of it.
    crate::surroundings::wait_until_asleep(holder.running.pid(0));
    assert_eq!(bodies(spool.drain()), ["c"], "what is held is not waited for");
    assert_eq!(bodies(spool.drain()), Vec::<String>::new());
    holder.running.kill(0, Signal::KILL);
    holder.running.wait_stage(0);
    let found = spool.drain();
    assert_eq!(found[0], held);
    assert_eq!(bodies(found), ["a", "b"]);
    assert_eq!(bodies(spool.drain()), Vec::<String>::new());
}

#[test]
fn any_mix_of_takers_gets_each_batch_once() {
    let spool = Spool::new();
    let lines: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let putters = lines.chunks(250).map(|lines| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Pipe::new("source stdin --batch-size 1")
            .dir(spool.root.path())
            .input(text)
            .then("channel file spool --put")
            .start()
    });
    let putters: Vec<Running> = putters.collect();
    for putter in putters {
        putter.wait().expect_status([0, 0]);
    }
    let takers = (0..3).map(|taker| {
        Pipe::new("channel file spool --take --until-empty")
            .dir(spool.root.path())
            .output_file(&format!("taker.{taker}.flm"))
            .start()
    });
    let takers: Vec<Running> = takers.collect();
    for taker in takers {
        taker.wait().expect_status([0]);
    }
    let mut all = Vec::new();
    for taker in 0..3 {
        let found = batches_in(&spool.path(&format!("taker.{taker}.flm")));
        let numbers = |half: bool| {
            let all = found.iter().map(|(_, body)| body.parse::<u32>().unwrap());
            all.filter(move |number| (*number < 250) == half)
        };
        assert!(
            numbers(true).is_sorted() && numbers(false).is_sorted(),
            "{found:?}"
        );
        all.extend(bodies(found));
    }
    all.sort_by_key(|body| body.parse::<u32>().unwrap());
    assert_eq!(all, lines);
}

#[test]
fn file_system_that_does_not_keep_locks_is_refused_by_its_name() {
    let works = "command -v bindfs && mkdir below mounted && bindfs below mounted";
    let ended = Pipe::foreign(works).run();
    if ended.status(0) != 0 {
        return skipped("a file channel on FUSE: that needs bindfs and /dev/fuse");
    }
    let mounted = ended.path("mounted");
    let refused = ["--put", "--take", ""].map(|end| {
        Pipe::new("source seq --total-events 1")
            .then(&format!("channel file {}/spool {end}", mounted.display()))
            .then("sink null")
            .run()
    });
    let left = std::fs::read_dir(&mounted).unwrap().count();
    Pipe::foreign(&format!("umount {}", mounted.display()))
        .run()
        .expect_status([0]);
    for ended in refused {
        assert_eq!(ended.status(1), 2, "{}", ended.told());
        assert!(
            ended
                .stderr(1)
                .contains("is on FUSE, which does not keep the locks"),
            "{}",
            ended.told()
        );
    }
    assert_eq!(left, 0, "something was made there");
}
