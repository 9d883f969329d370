//! Where a start begins: what is in the position file, and what is not.

use super::*;
use crate::ack::Promise;
use crate::event::Batch;
use crate::link::{Outlet, SendError, Unsettled};
use crate::metrics::Kind;
use crate::stage::ChannelProcessor;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

#[test]
fn position_moves_when_a_batch_is_accepted_and_not_before() {
    let case = Case::new("a", &["--batch-size=1"]);
    case.add("a", "1\n2\n3\n");
    let running = case.start_with(Collect::holding());
    running.collect.wait_for(3);
    wait_until(|| case.position_text().contains("\"pos\":0"));
    // The last is accepted first: nothing before it is.
    running.collect.settle_newest(Outcome::Accepted);
    assert!(!case.position_text().contains("\"pos\":6"));
    running.collect.settle_all(Outcome::Accepted);
    wait_until(|| case.position_text().contains("\"pos\":6"));
    running.stop();
}

#[test]
fn what_was_not_accepted_comes_again() {
    let case = Case::new("a", &["--batch-size=1"]);
    case.add("a", "1\n2\n3\n");
    let running = case.start_with(Collect::holding());
    running.collect.wait_for(3);
    running.collect.settle_newest(Outcome::Accepted);
    running.stop();
    assert_eq!(case.all(), ["1", "2", "3"]);
}

#[test]
fn rejected_batch_ends_the_source_and_stays_before_the_position() {
    let case = Case::new("a", &[]);
    case.add("a", "1\n");
    let refused = Outcome::Refused(crate::ack::Refusal::reject("no"));
    let running = case.start_with(Collect::answering(refused));
    let error = running.thread.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("rejected"), "{error}");
    assert_eq!(case.all(), ["1"]);
}

#[test]
fn position_file_of_flume_is_used_by_path_and_inode() {
    let case = Case::new("a.*", &[]);
    for name in ["a1", "a2", "a3"] {
        case.add(name, "1\n2\n3\n");
    }
    let inode = |name: &str| std::fs::metadata(case.path(name)).unwrap().ino();
    let entry = |inode: u64, pos: u64, name: &str| {
        format!(
            r#"{{"inode":{inode},"pos":{pos},"file":"{}"}}"#,
            case.path(name).display()
        )
    };
    // The first as it is, the second shorter than it was, the third another file.
    let entries = [
        entry(inode("a1"), 4, "a1"),
        entry(inode("a2"), 40, "a2"),
        entry(1, 4, "a3"),
    ];
    std::fs::write(case.positions(), format!("[{}]", entries.join(","))).unwrap();
    assert_eq!(case.all(), ["3", "1", "2", "3", "1", "2", "3"]);
    let text = case.position_text();
    for name in ["a1", "a2", "a3"] {
        assert!(text.contains(&entry(inode(name), 6, name)), "{text}");
    }
}

#[test]
fn directory_that_is_not_there_is_told() {
    let case = Case::new("none/a", &[]);
    let why = case.error();
    assert!(
        why.contains("logs/none") && why.contains("cannot be listed"),
        "{why}"
    );
}

#[test]
fn broken_position_file_ends_the_start_and_stays_as_it_is() {
    let case = Case::new("a", &[]);
    case.add("a", "1\n");
    std::fs::write(case.positions(), "[{\"inode\":1,").unwrap();
    let why = case.error();
    assert!(
        why.contains("positions cannot be used") && why.contains("remove it"),
        "{why}"
    );
    assert_eq!(case.position_text(), "[{\"inode\":1,");
}

#[test]
fn two_sources_do_not_share_a_position_file() {
    let case = Case::new("a", &[]);
    case.add("a", "1\n");
    let running = case.start();
    running.bodies(1);
    assert!(case.error().contains("in use by another source"));
    running.stop();
}

#[test]
fn position_file_that_cannot_be_written_is_told_at_the_end_and_repeats() {
    let case = Case::new("a", &[]);
    case.add("a", "1\n");
    let running = case.start();
    running.bodies(1);
    wait_until(|| case.position_text().contains("\"pos\":2"));
    let blocked = case.directory.path().join("positions.more.tmp");
    std::fs::create_dir(&blocked).unwrap();
    case.add("a", "2\n");
    running.bodies(2);
    running.stop.stop();
    let why = running.thread.join().unwrap().unwrap_err().to_string();
    assert!(why.contains("cannot be written"), "{why}");
    std::fs::remove_dir(&blocked).unwrap();
    assert_eq!(case.all(), ["2"]);
}

#[test]
fn counters_are_flumes() {
    let case = Case::new("a", &["--batch-size=2"]);
    case.add("a", "1\n2\n3\n");
    let running = case.start();
    running.bodies(3);
    let counters = running.counters.clone();
    running.stop();
    let counts = [
        Count::EventReceived,
        Count::EventAccepted,
        Count::AppendBatchReceived,
        Count::AppendBatchAccepted,
    ];
    assert_eq!(counts.map(|count| counters.get(count)), [3, 3, 2, 2]);
}

/// Accepts one batch after the other, and takes its time.
struct Slow;

impl Outlet for Slow {
    fn send_promised(&self, _batch: Batch, promise: Promise) -> Result<(), SendError> {
        std::thread::sleep(Duration::from_millis(10));
        promise.settle(Outcome::Accepted);
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        Ok(())
    }

    fn finish(&self, _deadline: Option<Instant>) -> Result<(), SendError> {
        Ok(())
    }

    fn on_settled(&self, _then: Box<dyn Fn() + Send + Sync>) {}

    fn unsettled(&self) -> Unsettled {
        Unsettled::default()
    }
}

#[test]
fn positions_are_noted_while_a_slow_taker_holds_up_a_large_file() {
    crate::say::be_quiet();
    let case = Case::new("a", &["--batch-size=1", "--until-end"]);
    let text = numbers(100..200);
    case.add("a", &text);
    let source = SPEC.from_flags(&case.words).unwrap();
    let stop = Stop::new(Duration::from_secs(5)).unwrap();
    let counters = Arc::new(Counters::new(Kind::Source, "source taildir"));
    let to = Arc::new(ChannelProcessor::new(Vec::new(), Arc::new(Slow), counters, &stop));
    let thread = std::thread::spawn(move || run_source(Source::Polled(Box::new(source)), &to));
    let mut seen = BTreeSet::new();
    while !thread.is_finished() {
        seen.insert(case.position_text());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(thread.join().unwrap(), Ok(()));
    assert!(seen.len() >= 4, "{seen:?}");
}
