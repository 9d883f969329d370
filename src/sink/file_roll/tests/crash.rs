//! Crashes: a sink that is dropped without a stop has crashed.

use super::super::state::{data_name, state_name};
use super::*;
use crate::codec::Tail;
use crate::wire::crc32c;
use proptest::prelude::*;

/// Commits two events, writes a large one, crashes, starts another sink. The file must hold the two.
fn check_crash(flags: &[&str], bodies: &[&str], expected: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), flags);
    written(&mut sink, bodies);
    let large = "x".repeat(3 << 20);
    sink.write(&batch(&[&large, "y"])).unwrap();
    let data = directory.path().join(data_name(&in_progress(directory.path())));
    drop(sink);
    assert!(fs::metadata(&data).unwrap().len() > 1 << 20, "nothing to cut");
    started(directory.path(), flags).stop().unwrap();
    let names = names(directory.path());
    assert_eq!(names.len(), 1, "{names:?}");
    let found = fs::read(directory.path().join(&names[0])).unwrap();
    if flags.contains(&"--serializer=avro_event") {
        let records = apache_avro::Reader::new(&found[..]).unwrap();
        assert_eq!(records.map(Result::unwrap).count(), bodies.len());
    } else {
        assert_eq!(found, expected);
    }
}

#[test]
fn file_of_a_crash_is_cut_back_to_the_last_commit_and_completed() {
    check_crash(&[], &["one", "two"], b"one\ntwo\n");
    check_crash(&[], &["one", "t\nwo"], b"one\nt\nwo\n");
    let bare = "--serializer-set=appendNewline=false";
    check_crash(&[bare], &["one", "two"], b"onetwo");
    check_crash(
        &["--serializer=header_and_text"],
        &["one", "two"],
        b"{} one\n{} two\n",
    );
    let interval = "--serializer-set=syncIntervalBytes=1000";
    check_crash(&["--serializer=avro_event", interval], &["one", "two"], b"");
}

#[test]
fn crash_before_the_first_commit_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &[]);
    sink.write(&batch(&[&"x".repeat(2 << 20)])).unwrap();
    drop(sink);
    assert_eq!(names(directory.path()).len(), 2);
    complete_leftovers(directory.path(), &[]);
    assert_eq!(names(directory.path()), Vec::<String>::new());
}

/// What a crash of the system may leave: a length that is older than the last commit.
fn age_state(directory: &Path, tail: &str, length: u64) {
    let boot = "00000000-0000-0000-0000-000000000000";
    let text = format!("flume-file-roll-1 boot={boot} tail={tail} length={length}");
    let crc = crc32c(text.as_bytes());
    let record = format!("{:<127}\n", format!("{text} crc={crc:08x}"));
    fs::write(directory.join(state_name(&in_progress(directory))), record).unwrap();
}

#[test]
fn after_a_crash_of_the_system_whole_lines_behind_the_noted_length_are_kept() {
    let cases = [
        ("lines", 4, &b"one\ntwo\nthr"[..], "one\ntwo\n"),
        ("lines", 0, b"one\ntwo\n\0\0\0", "one\ntwo\n"),
        ("lines", 8, b"one\ntwo\nthr", "one\ntwo\n"),
        ("exact", 4, b"one\ntwo\nthr", "one\n"),
    ];
    for (tail, noted, found, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let mut sink = started(directory.path(), &[]);
        written(&mut sink, &["x"]);
        drop(sink);
        let data = directory.path().join(data_name(&in_progress(directory.path())));
        fs::write(data, found).unwrap();
        age_state(directory.path(), tail, noted);
        complete_leftovers(directory.path(), &[]);
        assert_eq!(contents(directory.path()), [expected], "{tail} {noted}");
    }
}

#[test]
fn after_a_crash_of_the_system_whole_avro_blocks_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--serializer=avro_event"];
    let mut sink = started(directory.path(), &flags);
    written(&mut sink, &["one"]);
    written(&mut sink, &["two"]);
    drop(sink);
    let data = directory.path().join(data_name(&in_progress(directory.path())));
    let mut bytes = fs::read(&data).unwrap();
    bytes.extend_from_slice(&[2, 200, 1, 0, 7]);
    fs::write(&data, bytes).unwrap();
    age_state(directory.path(), "avro", 0);
    complete_leftovers(directory.path(), &flags);
    let file = fs::read(directory.path().join(&names(directory.path())[0])).unwrap();
    assert_eq!(apache_avro::Reader::new(&file[..]).unwrap().count(), 2);
}

#[test]
fn event_with_a_newline_inside_is_noted_before_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &[]);
    let tail = |sink: &FileRoll| sink.files.noted_tail();
    written(&mut sink, &["one"]);
    assert_eq!(tail(&sink), Tail::Lines);
    written(&mut sink, &["t\nwo"]);
    assert_eq!(tail(&sink), Tail::Exact);
}

#[test]
fn damaged_state_leaves_the_data_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &[]);
    written(&mut sink, &["one"]);
    drop(sink);
    let name = in_progress(directory.path());
    fs::write(directory.path().join(state_name(&name)), "garbage").unwrap();
    started(directory.path(), &[]).stop().unwrap();
    let data = fs::read(directory.path().join(data_name(&name))).unwrap();
    assert_eq!(data, b"one\n");
}

/// Start sinks until none finds a file of a dead one. A program that another test starts at the same time has
/// our locks, too, between its fork and its exec: then a dead sink looks alive for a moment.
fn complete_leftovers(directory: &Path, flags: &[&str]) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while names(directory).iter().any(|name| name.starts_with('.')) {
        assert!(std::time::Instant::now() < deadline, "{:?}", names(directory));
        started(directory, flags).stop().unwrap();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<String>),
    Commit,
    Rollback,
    Roll,
    Crash,
    Stop,
}

fn any_step() -> impl Strategy<Value = Step> {
    let bodies = proptest::collection::vec("[a-z\n]{0,5}", 0..6);
    prop_oneof![
        4 => bodies.prop_map(Step::Write),
        3 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        1 => Just(Step::Roll),
        1 => Just(Step::Crash),
        1 => Just(Step::Stop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Against a list of committed lines: nothing else, nothing twice, in order.
    #[test]
    fn complete_files_hold_what_was_committed(
        steps in proptest::collection::vec(any_step(), 1..30),
        count in 0u64..4,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let flag = format!("--roll-count={count}");
        // An interval that is over at once: a tick rolls.
        let flags = [&flag[..], "--roll-interval=1us"];
        let mut sink = started(directory.path(), &flags);
        let (mut open, mut committed) = (String::new(), String::new());
        for step in steps {
            match step {
                Step::Write(bodies) => {
                    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
                    sink.write(&batch(&bodies)).unwrap();
                    bodies.iter().for_each(|body| { open.push_str(body); open.push('\n'); });
                }
                Step::Commit => {
                    sink.commit().unwrap();
                    committed.push_str(&std::mem::take(&mut open));
                }
                Step::Rollback => {
                    sink.rollback();
                    open.clear();
                }
                // A tick comes between transactions.
                Step::Roll if open.is_empty() => sink.tick().unwrap(),
                Step::Roll => {}
                Step::Crash | Step::Stop => {
                    if matches!(step, Step::Stop) {
                        sink.stop().unwrap();
                    }
                    drop(sink);
                    open.clear();
                    sink = started(directory.path(), &flags);
                }
            }
        }
        sink.stop().unwrap();
        complete_leftovers(directory.path(), &flags);
        prop_assert_eq!(contents(directory.path()).concat(), committed);
    }
}
