//! What happens to files: rotation, deletion, truncation, other names.

use super::*;

#[test]
fn renamed_file_is_read_on_and_not_again_whether_its_new_name_matches_or_not() {
    for pattern in [r"app\.log", r"app\.log.*"] {
        let case = Case::new(pattern, &[]);
        let mut old = case.add("app.log", "1\n2\n");
        let running = case.start();
        assert_eq!(running.bodies(2), ["1", "2"]);
        case.rename("app.log", "app.log.1");
        old.write_all(b"3\n").unwrap();
        assert_eq!(running.bodies(3)[2], "3", "{pattern}");
        case.add("app.log", "4\n");
        assert_eq!(running.bodies(4)[3], "4");
        old.write_all(b"5\n").unwrap();
        assert_eq!(running.bodies(5)[4], "5");
        running.stop();
        assert_eq!(case.all(), [""; 0], "{pattern}");
    }
}

#[test]
fn file_that_was_renamed_while_nobody_looked_is_read_to_its_end() {
    for pattern in [r"app\.log", r"app\.log.*"] {
        let case = Case::new(pattern, &[]);
        case.add("app.log", "1\n2\n");
        assert_eq!(case.all(), ["1", "2"]);
        case.add("app.log", "3\n");
        case.rename("app.log", "app.log.1");
        case.add("app.log", "4\n");
        assert_eq!(case.all(), ["3", "4"], "{pattern}");
        assert_eq!(case.all(), [""; 0], "{pattern}");
    }
}

#[test]
fn rest_of_a_renamed_file_outlives_a_stop_before_it_was_accepted() {
    let case = Case::new("a", &["--batch-size=1"]);
    case.add("a", "1\n2\n3\n");
    let running = case.start_with(Collect::holding());
    running.collect.wait_for(3);
    case.rename("a", "b");
    case.add("a", "4\n");
    running.collect.wait_for(4);
    wait_until(|| case.position_text().matches("inode").count() == 1);
    running.stop();
    let mut all = case.all();
    all.sort();
    assert_eq!(all, ["1", "2", "3", "4"]);
}

#[test]
fn deleted_file_is_read_to_its_end_and_then_let_go() {
    let case = Case::new("a", &["--idle-timeout=100"]);
    let mut old = case.add("a", "1\n");
    let running = case.start();
    running.bodies(1);
    std::fs::remove_file(case.path("a")).unwrap();
    old.write_all(b"2\n").unwrap();
    assert_eq!(running.bodies(2)[1], "2");
    drop(old);
    wait_until(|| open_files(case.directory.path()) == 2);
    running.stop();
}

#[test]
fn deleted_file_is_read_to_its_end_at_a_stop() {
    let case = Case::new("a", &[]);
    let mut old = case.add("a", "1\n");
    let running = case.start();
    running.bodies(1);
    std::fs::remove_file(case.path("a")).unwrap();
    old.write_all(b"2\nhalf").unwrap();
    assert_eq!(running.stop(), ["1", "2", "half"]);
}

#[test]
fn file_that_is_idle_is_closed_and_read_on_when_it_grows() {
    let case = Case::new("a", &["--idle-timeout=20"]);
    case.add("a", "1\n");
    let running = case.start();
    running.bodies(1);
    wait_until(|| open_files(&case.path("")) == 0);
    case.add("a", "2\n");
    assert_eq!(running.bodies(2)[1], "2");
    // Closed, and renamed, and written to all the same.
    wait_until(|| open_files(&case.path("")) == 0);
    case.rename("a", "b");
    let mut old = case.add("b", "3\n");
    assert_eq!(running.bodies(3)[2], "3");
    old.write_all(b"4\n").unwrap();
    assert_eq!(running.bodies(4)[3], "4");
    running.stop();
}

#[test]
fn file_that_was_cut_off_is_read_from_its_start() {
    let case = Case::new("a", &[]);
    let file = case.add("a", "1\n2\n3\n");
    let running = case.start();
    running.bodies(3);
    file.set_len(0).unwrap();
    case.add("a", "4\n");
    assert_eq!(running.bodies(4)[3], "4");
    running.stop();
    assert_eq!(case.all(), [""; 0]);
}

#[test]
fn file_that_was_cut_off_and_has_grown_beyond_its_position_is_read_from_its_start() {
    let case = Case::new("a", &[]);
    case.add("a", "1\n2\n");
    assert_eq!(case.all(), ["1", "2"]);
    std::fs::write(case.path("a"), "3\n4\n5\n").unwrap();
    assert_eq!(case.all(), ["3", "4", "5"]);
}

#[test]
fn content_that_is_replaced_by_one_of_the_same_size_is_noticed() {
    let case = Case::new("a", &[]);
    case.add("a", "1\n2\n");
    let running = case.start();
    running.bodies(2);
    std::fs::write(case.path("a"), "3\n4\n").unwrap();
    let all = running.bodies(4);
    assert_eq!(all[2..], ["3", "4"]);
    running.stop();
}

#[test]
fn hole_that_a_writer_leaves_in_front_of_its_lines_is_stepped_over() {
    let case = Case::new("a", &[]);
    // Not opened for appending: it writes on at its own offset.
    let mut file = File::create(case.path("a")).unwrap();
    file.write_all(numbers(0..5000).as_bytes()).unwrap();
    let running = case.start();
    running.bodies(5000);
    file.set_len(0).unwrap();
    file.write_all(b"after\n").unwrap();
    assert_eq!(running.bodies(5001)[5000], "after");
    running.stop();
    assert_eq!(case.all(), [""; 0]);
}

/// The next start takes the file of this name for the one that it has noted there, by its inode.
fn give_inode_of_noted(case: &Case, name: &str, old: u64) {
    let new = inode(case, name);
    for file in ["positions", "positions.more"] {
        let path = case.directory.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let named = |inode: u64| format!("\"inode\":{inode},");
        assert!(text.contains(&named(old)), "{text}");
        std::fs::write(&path, text.replace(&named(old), &named(new))).unwrap();
    }
}

fn inode(case: &Case, name: &str) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(case.path(name)).unwrap())
}

#[test]
fn new_file_with_the_inode_of_a_deleted_one_is_read_from_its_start() {
    // Whether it gets the old name or another one that matches.
    for new in ["a", "ab"] {
        for fingerprint in ["0", "1KiB"] {
            let case = Case::new("a.*", &[&format!("--fingerprint={fingerprint}")]);
            case.add("a", "1\n2\n");
            assert_eq!(case.all(), ["1", "2"]);
            let old = inode(&case, "a");
            std::fs::remove_file(case.path("a")).unwrap();
            case.add(new, "other\nlines\n");
            give_inode_of_noted(&case, new, old);
            assert_eq!(
                case.all(),
                ["other", "lines"],
                "{new}, fingerprint of {fingerprint}"
            );
        }
    }
}

#[test]
fn other_file_with_the_inode_of_a_deleted_one_is_not_taken_for_its_rest() {
    let case = Case::new("a", &[]);
    case.add("a", "1\n2\n");
    assert_eq!(case.all(), ["1", "2"]);
    let old = inode(&case, "a");
    std::fs::remove_file(case.path("a")).unwrap();
    case.add("a.gz", "packed bytes\n");
    give_inode_of_noted(&case, "a.gz", old);
    assert_eq!(case.all(), [""; 0]);
}

#[test]
fn system_wakes_the_source_for_everything_that_happens() {
    let case = Case::new("a.*", &["--backoff-sleep-increment=1h", "--max-backoff-sleep=1h"]);
    let running = case.start();
    let mut file = case.add("a1", "1\n");
    running.bodies(1);
    file.write_all(b"2\n").unwrap();
    running.bodies(2);
    case.rename("a1", "b");
    running.bodies(2);
    file.write_all(b"3\n").unwrap();
    running.bodies(3);
    case.add("outside", "4\n");
    case.rename("outside", "a2");
    running.bodies(4);
    std::fs::remove_file(case.path("b")).unwrap();
    file.write_all(b"5\n").unwrap();
    running.bodies(5);
    case.add("a3", "6\n");
    assert_eq!(running.bodies(6), listed(1..7));
    running.stop();
}

#[test]
fn no_more_files_are_open_than_may_be() {
    use crate::stage::{PollableSource, Status};
    let case = Case::new(r"\d+", &["--until-end"]);
    let (to, _stop) = Collect::accepting().processor("source taildir");
    let mut source = SPEC.from_flags(&case.words).unwrap();
    source.start(&to).unwrap();
    source.tail.as_mut().unwrap().most_open = 3;
    for round in 0..3 {
        for file in 0..20 {
            case.add(&file.to_string(), &numbers(round..round + 1));
        }
        while source.process(&to).unwrap() != Status::Finished {
            assert!(open_files(&case.path("")) <= 4);
        }
    }
    source.stop().unwrap();
    assert_eq!(to.counters().get(Count::EventAccepted), 60);
}

#[test]
fn file_with_two_names_is_read_once() {
    let case = Case::new("a.*", &[]);
    case.add("a1", "1\n");
    std::fs::hard_link(case.path("a1"), case.path("a2")).unwrap();
    std::os::unix::fs::symlink(case.path("a1"), case.path("a3")).unwrap();
    let running = case.start();
    running.bodies(1);
    case.add("a2", "2\n");
    assert_eq!(running.bodies(2), ["1", "2"]);
    std::fs::remove_file(case.path("a1")).unwrap();
    case.add("a2", "3\n");
    assert_eq!(running.bodies(3), ["1", "2", "3"]);
    running.stop();
    assert_eq!(case.all(), [""; 0]);
}

#[test]
fn file_behind_a_link_is_followed_wherever_it_is() {
    let case = Case::new("a", &["--backoff-sleep-increment=1h", "--max-backoff-sleep=1h"]);
    let target = case.directory.path().join("target");
    std::fs::write(&target, "1\n").unwrap();
    std::os::unix::fs::symlink(&target, case.path("a")).unwrap();
    let running = case.start();
    running.bodies(1);
    let mut file = File::options().append(true).open(&target).unwrap();
    file.write_all(b"2\n").unwrap();
    assert_eq!(running.bodies(2)[1], "2");
    running.stop();
}

#[test]
fn what_is_no_file_is_passed_over() {
    let case = Case::new(".*", &[]);
    std::fs::create_dir(case.path("directory")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, case.path("fifo"), rustix::fs::Mode::RUSR).unwrap();
    std::os::unix::fs::symlink("nowhere", case.path("link")).unwrap();
    case.add("a", "1\n");
    assert_eq!(case.all(), ["1"]);
}

#[test]
fn changes_that_the_system_does_not_tell_of_are_found_by_looking() {
    let case = Case::new("a.*", &["--backoff-sleep-increment=10", "--max-backoff-sleep=10"]);
    case.add("a1", "1\n");
    let source = SPEC.from_flags(&case.words).unwrap();
    let collect = Collect::accepting();
    let (to, stop) = collect.processor("source taildir");
    let thread = std::thread::spawn(move || {
        let mut source = source;
        use crate::stage::PollableSource;
        source.start(&to).unwrap();
        source.tail.as_mut().unwrap().watch = super::super::watch::Watch::none();
        while !to.stop().is_stopping() {
            source.process(&to).unwrap();
        }
    });
    collect.wait_for(1);
    case.add("a1", "2\n");
    collect.wait_for(2);
    case.add("a2", "3\n");
    collect.wait_for(3);
    case.rename("a1", "b");
    case.add("b", "4\n");
    collect.wait_for(4);
    stop.stop();
    thread.join().unwrap();
    assert_eq!(collect.bodies(), ["1", "2", "3", "4"]);
}

#[test]
fn directory_that_is_replaced_is_looked_at_again() {
    let case = Case::new("a", &["--backoff-sleep-increment=10", "--max-backoff-sleep=10"]);
    case.add("a", "1\n");
    let running = case.start();
    running.bodies(1);
    std::fs::rename(case.path(""), case.directory.path().join("old")).unwrap();
    std::fs::create_dir(case.path("")).unwrap();
    case.add("a", "2\n");
    assert_eq!(running.bodies(2)[1], "2");
    case.add("a", "3\n");
    assert_eq!(running.bodies(3)[2], "3");
    running.stop();
}

/// The source is held up with what was in `log`, which was rotated since; another one has come, and is kept open.
fn held_up_with_another(case: &Case) -> Running {
    case.add("log", "1\n");
    let running = case.start_with(Collect::blocking());
    running.collect.wait_blocked();
    case.rename("log", "old.1");
    case.add("log", "2\n3\n");
    wait_until(|| open_files(&case.path("log")) > 0);
    running
}

#[test]
fn file_that_comes_and_goes_while_nothing_can_be_handed_on_is_read_in_its_turn() {
    let case = Case::new("log", &[]);
    let running = held_up_with_another(&case);
    case.rename("log", "old.2");
    case.add("log", "4\n");
    running.collect.unblock();
    running.bodies(4);
    assert_eq!(running.stop(), ["1", "2", "3", "4"]);
}

#[test]
fn file_that_came_while_nothing_could_be_handed_on_is_met_under_its_name() {
    let case = Case::new("log", &[]);
    let running = held_up_with_another(&case);
    running.collect.unblock();
    running.bodies(3);
    case.add("log", "4\n");
    running.bodies(4);
    assert_eq!(running.stop(), ["1", "2", "3", "4"]);
}

#[test]
fn what_came_and_went_before_a_stop_is_noted_or_read() {
    let case = Case::new("log", &[]);
    let running = held_up_with_another(&case);
    case.rename("log", "old.2");
    running.stop.stop();
    running.collect.unblock();
    assert_eq!(running.stop(), ["1"]);
    assert_eq!(case.all(), ["2", "3"]);

    let case = Case::new("log", &[]);
    let running = held_up_with_another(&case);
    std::fs::remove_file(case.path("log")).unwrap();
    running.stop.stop();
    running.collect.unblock();
    assert_eq!(running.stop(), ["1", "2", "3"]);
}
