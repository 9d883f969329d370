//! The tools on a channel of this process.

use super::*;
use crate::channel::file::tools::check::{Checked, check};
use crate::channel::file::tools::list::{Listed, list};
use crate::channel::file::tools::status::status;
use std::os::unix::fs::FileExt;

fn checked(bench: &Bench) -> Checked {
    check(&bench.directory).unwrap()
}

fn findings(bench: &Bench) -> Vec<String> {
    let found = checked(bench).findings.into_iter();
    found.map(|finding| finding.what).collect()
}

fn listed(bench: &Bench) -> Vec<Listed> {
    let mut all = Vec::new();
    let each = |listed| {
        all.push(listed);
        true
    };
    list(&bench.directory, each, |what| panic!("{what}")).unwrap();
    all
}

/// Change a byte of a segment's file.
fn spoil(path: &Path, at: u64) {
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x55], at).unwrap();
}

/// Three batches in one segment, and nobody there.
fn left(bench: &Bench) {
    put(&bench.open(), &["a", "b", "c"]);
}

#[test]
fn status_and_list_see_what_waits_and_who_has_it_without_attaching() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["a", "b", "c"]);
    take(&channel).accept();
    let held = take(&channel);
    let found = status(&bench.directory).unwrap();
    let me = u64::from(std::process::id());
    assert_eq!((found.events, found.segments), (2, 1));
    assert!(found.oldest_age_ms.is_some_and(|age| age < 60_000));
    let pids = |all: &[Attached]| all.iter().map(|one| one.pid).collect::<Vec<_>>();
    assert_eq!((pids(&found.putters), pids(&found.takers)), (vec![me], vec![me]));
    let states: Vec<_> = listed(&bench)
        .into_iter()
        .map(|one| (one.state, one.pid))
        .collect();
    assert_eq!(states, [("claimed", Some(me)), ("waiting", None)]);
    drop(held);
    drop(channel);
    let found = status(&bench.directory).unwrap();
    assert_eq!((found.putters, found.takers), (vec![], vec![]));
}

#[test]
fn status_is_the_same_with_and_without_tables() {
    let bench = Bench::new();
    left(&bench);
    take(&bench.open()).accept();
    let with = status(&bench.directory).unwrap();
    bench.forget_tables();
    let without = status(&bench.directory).unwrap();
    assert_eq!((with.events, with.bytes), (without.events, without.bytes));
    assert_eq!(without.events, 2);
}

#[test]
fn age_is_unknown_where_a_segment_does_not_say_when_it_was_made() {
    let bench = Bench::new();
    left(&bench);
    let path = &bench.segments()[0];
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&segment::head(1, segment::cap_for(64 << 10), 0, 0), 0)
        .unwrap();
    assert_eq!(status(&bench.directory).unwrap().oldest_age_ms, None);
    assert_eq!(listed(&bench)[0].age_ms, None);
    assert_eq!(findings(&bench), [""; 0]);
}

#[test]
fn clock_that_was_set_back_makes_nothing_old() {
    assert_eq!(segment::age(50, 100, 7), Some(0));
    assert_eq!(segment::age(150, 100, 7), Some(43));
    assert_eq!(segment::age(u64::MAX, u64::MAX, u32::MAX), Some(0));
    assert_eq!(segment::age(50, 0, 7), None);
}

#[test]
fn sound_channel_has_no_findings_while_it_is_used_and_when_it_is_left() {
    let bench = Bench::new();
    let channel = bench.open();
    assert_eq!(findings(&bench), [""; 0]);
    put(&channel, &["a", "b", "c"]);
    take(&channel).accept();
    assert_eq!(findings(&bench), [""; 0]);
    drop(channel);
    assert_eq!(findings(&bench), [""; 0]);
    bench.forget_tables();
    let found = checked(&bench);
    assert_eq!((found.findings, found.batches), (vec![], 3));
}

#[test]
fn flipped_byte_is_found_with_and_without_an_index() {
    let bench = Bench::new();
    left(&bench);
    spoil(&bench.segments()[0], 4096 + 49);
    assert!(
        findings(&bench)[0].contains("1 frames from byte 4096"),
        "{:?}",
        findings(&bench)
    );
    bench.forget_tables();
    assert!(
        findings(&bench)[0].contains("1 frames from byte 4096"),
        "{:?}",
        findings(&bench)
    );
}

#[test]
fn torn_tail_is_a_note_and_no_finding() {
    let bench = Bench::new();
    left(&bench);
    bench.forget_tables();
    let path = &bench.segments()[0];
    let end = std::fs::metadata(path).unwrap().len();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(b"FLM1 and no more", end).unwrap();
    let found = checked(&bench);
    assert_eq!(found.findings, []);
    assert!(found.notes[0].1.contains("never finished"), "{:?}", found.notes);
}

#[test]
fn lost_head_lost_mark_wrong_totals_and_leftovers_are_found() {
    let bench = Bench::new();
    left(&bench);
    bench.forget_tables();
    let path = &bench.segments()[0];
    let whole = std::fs::read(path).unwrap();
    spoil(path, 9);
    assert_eq!(findings(&bench), ["its head is damaged"]);
    std::fs::write(path, &whole).unwrap();

    let file = std::fs::File::options().write(true).open(path).unwrap();
    let totals = segment::Totals {
        frames: 3,
        amount: index::Amount { events: 4, bytes: 9 },
    };
    segment::write_totals(&file, 1, totals).unwrap();
    assert!(
        findings(&bench)[0].contains("its totals say 4 events"),
        "{:?}",
        findings(&bench)
    );
    let totals = segment::Totals { frames: 5, ..totals };
    segment::write_totals(&file, 1, totals).unwrap();
    assert!(
        findings(&bench)[0].contains("the last 2 of its 5 frames"),
        "{:?}",
        findings(&bench)
    );
    std::fs::write(path, &whole).unwrap();

    for entry in std::fs::read_dir(bench.directory.join("checkpoint/hi")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(findings(&bench)[0].contains("no mark"), "{:?}", findings(&bench));
    std::fs::write(bench.directory.join("checkpoint/hi/0000000000000001"), "").unwrap();
    assert!(
        findings(&bench)[0].contains("not above"),
        "{:?}",
        findings(&bench)
    );
    std::fs::write(bench.directory.join("checkpoint/hi/0000000000001025"), "").unwrap();

    std::fs::write(bench.directory.join(".flume-channel-0123456789abcdef"), "x").unwrap();
    assert!(
        findings(&bench)[0].contains("left by a process"),
        "{:?}",
        findings(&bench)
    );
    std::fs::write(bench.directory.join("mine"), "x").unwrap();
    let found = checked(&bench);
    assert_eq!((found.findings.len(), found.notes.len()), (1, 1));
}

#[test]
fn damaged_record_among_good_acceptances_is_found() {
    let bench = Bench::new();
    let channel = bench.open();
    put(&channel, &["a", "b", "c", "d"]);
    let (one, two, three) = (take(&channel), take(&channel), take(&channel));
    for delivery in [three, one] {
        delivery.accept();
        channel.inner.log_takes().unwrap();
    }
    drop(two);
    drop(channel);
    let directory = bench.directory.join("checkpoint/acc");
    let log = std::fs::read_dir(directory)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(findings(&bench), [""; 0]);
    spoil(&log, 3);
    assert!(findings(&bench)[0].contains("acceptances that cannot be read: 1"));
}

#[test]
fn batch_larger_than_a_transaction_is_stored_and_given_out_in_parts() {
    let bench = Bench::new();
    let config = Config {
        transaction: 2,
        ..bench.config()
    };
    let channel = FileChannel::open(config, Role::Both).unwrap();
    channel.put(&[batch(&["a", "b", "c", "d", "e"])]).unwrap();
    let positions: Vec<_> = listed(&bench)
        .into_iter()
        .map(|one| (one.position, one.events))
        .collect();
    assert_eq!(
        positions,
        [("1:0".into(), 2), ("1:1".into(), 2), ("1:2".into(), 1)]
    );
    assert_eq!(drain(&channel), ["a", "c", "e"]);
}

#[test]
fn large_batch_of_somebody_else_is_settled_when_all_its_parts_are() {
    let bench = Bench::new();
    bench
        .open()
        .put(&[batch(&["a", "b", "c"]), batch(&["d"])])
        .unwrap();
    let config = Config {
        transaction: 2,
        ..bench.config()
    };
    let channel = FileChannel::open(config, Role::Take).unwrap();
    let (one, two) = (take(&channel), take(&channel));
    assert_eq!(
        (name_of(&one.batch), name_of(&two.batch)),
        ("a".into(), "c".into())
    );
    one.accept();
    assert_eq!(status(&bench.directory).unwrap().events, 4);
    two.refuse(Refusal::retry("not now"));
    assert_eq!(drain(&channel), ["a", "c", "d"]);
    assert_eq!(status(&bench.directory).unwrap().events, 0);
    drop(channel);
    // Parts that nobody took are given back when the channel is closed.
    bench.open().put(&[batch(&["a", "b", "c"])]).unwrap();
    let config = Config {
        transaction: 1,
        ..bench.config()
    };
    let channel = FileChannel::open(config, Role::Take).unwrap();
    take(&channel).accept();
    drop(channel);
    assert_eq!(drain(&bench.open()), ["a"]);
}

/// Let what was put seem to be of long ago: the head of its segment says so.
fn long_ago(bench: &Bench) {
    for path in bench.segments() {
        let number = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let head = segment::head(number, segment::cap_for(64 << 10), 1000, 0);
        file.write_all_at(&head[..512], 0).unwrap();
    }
}

fn forgetful(bench: &Bench) -> Config {
    Config {
        max_age: Some(Duration::from_secs(3600)),
        ..bench.config()
    }
}

#[test]
fn taker_drops_what_is_too_old_counts_it_and_says_so() {
    let bench = Bench::new();
    left(&bench);
    long_ago(&bench);
    let channel = FileChannel::open(forgetful(&bench), Role::Both).unwrap();
    put(&channel, &["young"]);
    assert_eq!(drain(&channel), ["young"]);
    assert_eq!(channel.expired(), 3);
    drop(channel);
    assert!(bench.reported("dropped 3 events in 3 batches so far: they were older than 3600 s"));
    bench.forget_tables();
    assert_eq!(drain(&bench.open()), [""; 0]);
}

#[test]
fn nothing_is_dropped_without_the_word_or_when_its_age_is_unknown() {
    let bench = Bench::new();
    left(&bench);
    long_ago(&bench);
    assert_eq!(status(&bench.directory).unwrap().events, 3);
    let bench = Bench::new();
    left(&bench);
    let file = std::fs::File::options()
        .write(true)
        .open(&bench.segments()[0])
        .unwrap();
    file.write_all_at(&segment::head(1, segment::cap_for(64 << 10), 0, 0), 0)
        .unwrap();
    let channel = FileChannel::open(forgetful(&bench), Role::Both).unwrap();
    assert_eq!(drain(&channel), ["a", "b", "c"]);
}

#[test]
fn put_that_finds_no_room_drops_what_is_too_old() {
    let bench = Bench::new();
    left(&bench);
    let bounded = Config {
        capacity: 3,
        ..forgetful(&bench)
    };
    let channel = FileChannel::open(bounded.clone(), Role::Put).unwrap();
    assert!(matches!(
        channel.put(&[batch(&["d"])]),
        Err(ChannelError::Full(_))
    ));
    drop(channel);
    long_ago(&bench);
    let channel = FileChannel::open(bounded, Role::Put).unwrap();
    channel.put(&[batch(&["d"])]).unwrap();
    assert_eq!(channel.expired(), 3);
    drop(channel);
    bench.forget_tables();
    assert_eq!(drain(&bench.open()), ["d"]);
}
