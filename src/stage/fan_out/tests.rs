//! The rules one by one, and random batches against a model.

use super::*;
use crate::component::find;
use crate::event::{BatchBuilder, Event};
use crate::link::testing::Collect;
use crate::metrics::Kind;
use crate::select;
use std::time::Duration;

/// A fan-out with its branches, and what it counts.
struct Bench {
    fan: FanOut,
    branches: Vec<Collect>,
    counters: Arc<Counters>,
}

fn selector(kind: &str, settings: &[(&str, &str)]) -> Box<dyn ChannelSelector> {
    let settings = settings
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()));
    let spec = find(select::ALL, kind).unwrap();
    spec.from_properties(&settings.collect()).unwrap()
}

fn bench(branches: Vec<Collect>, selector: Box<dyn ChannelSelector>, window: Window) -> Bench {
    crate::say::be_quiet();
    let stop = Stop::new(Duration::from_secs(5)).unwrap();
    let counters = Arc::new(Counters::new(Kind::Source, "r1"));
    let named = branches.iter().enumerate();
    let named = named.map(|(at, outlet)| Branch::new(format!("c{}", at + 1), Arc::new(outlet.clone())));
    let fan = FanOut::to(named.collect(), selector, counters.clone(), window, &stop).unwrap();
    Bench {
        fan,
        branches,
        counters,
    }
}

fn batch(states: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    for (number, state) in states.iter().enumerate() {
        builder.push_event(&Event::new(format!("{number}{state}")).with_header("state", state));
    }
    builder.finish()
}

fn by_state(settings: &[(&str, &str)]) -> Box<dyn ChannelSelector> {
    let mut all = vec![("selector.header", "state")];
    all.extend(settings);
    selector("multiplexing", &all)
}

#[test]
fn replicating_gives_the_same_batch_to_all_and_waits_for_all() {
    let branches = vec![Collect::accepting(), Collect::holding()];
    let bench = bench(branches, selector("replicating", &[]), Window::default());
    let batch = batch(&["CZ", "US"]);
    let receipt = bench.fan.send(batch.clone()).unwrap();
    assert_eq!(receipt.outcome(), None);
    bench.branches[1].settle_all(Outcome::Accepted);
    assert_eq!(receipt.wait(), Outcome::Accepted);
    for branch in &bench.branches {
        assert_eq!(branch.slabs(), [batch.encoded().as_ptr()]);
    }
}

#[test]
fn optional_channel_that_fails_or_takes_nothing_harms_nobody() {
    let refusing = Collect::answering(Outcome::Refused(Refusal::retry("full")));
    let branches = vec![Collect::accepting(), refusing, Collect::holding()];
    let optional = selector("replicating", &[("selector.optional", "c2 c3")]);
    let window = Window {
        batches: 1,
        ..Window::default()
    };
    let bench = bench(branches, optional, window);
    assert_eq!(bench.fan.send(batch(&["CZ"])).unwrap().wait(), Outcome::Accepted);
    assert_eq!(bench.counters.get(Count::Refused), 1);
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(bench.fan.send(batch(&["CZ"])).unwrap().wait(), Outcome::Accepted);
    }
    // Waited for once, then not any more.
    assert!(start.elapsed() < Duration::from_secs(6));
    assert_eq!(bench.counters.get(Count::Refused), 4 + 3);
    assert_eq!(bench.branches[0].bodies().len(), 4);
    assert_eq!(bench.branches[1].bodies().len(), 4);
    assert_eq!(bench.branches[2].bodies().len(), 1);
    assert_eq!(bench.fan.finish(None), Ok(()));
}

#[test]
fn branch_that_refuses_for_now_is_sent_again_alone() {
    let branches = vec![Collect::accepting(), Collect::holding()];
    let bench = bench(branches, selector("replicating", &[]), Window::default());
    let receipt = bench.fan.send(batch(&["CZ"])).unwrap();
    bench.branches[1].settle_all(Outcome::Refused(Refusal::retry("full")));
    bench.branches[1].wait_for(2);
    assert_eq!(receipt.outcome(), None);
    bench.branches[1].settle_all(Outcome::Accepted);
    assert_eq!(receipt.wait(), Outcome::Accepted);
    assert_eq!(bench.branches[0].bodies(), ["0CZ"]);
    assert_eq!(bench.branches[1].bodies(), ["0CZ", "0CZ"]);
}

#[test]
fn rejection_of_one_branch_is_told() {
    let rejection = Outcome::Refused(Refusal::reject("too large"));
    let branches = vec![Collect::accepting(), Collect::answering(rejection.clone())];
    let bench = bench(branches, selector("replicating", &[]), Window::default());
    assert_eq!(bench.fan.send(batch(&["CZ"])).unwrap().wait(), rejection);
}

#[test]
fn multiplexing_cuts_a_batch_by_a_header_and_keeps_the_order() {
    let branches = vec![Collect::accepting(), Collect::accepting(), Collect::accepting()];
    let cases = [
        ("selector.mapping.CZ", "c1"),
        ("selector.mapping.US", "c2 c3"),
        ("selector.mapping.a.b", "c3"),
        ("selector.default", "c2"),
    ];
    let bench = bench(branches, by_state(&cases), Window::default());
    let receipt = bench
        .fan
        .send(batch(&["CZ", "US", "CZ", "cz", "", " ", "US", "a.b", "CZ "]));
    assert_eq!(receipt.unwrap().wait(), Outcome::Accepted);
    assert_eq!(bench.branches[0].bodies(), ["0CZ", "2CZ"]);
    assert_eq!(
        bench.branches[1].bodies(),
        ["1US", "3cz", "4", "5 ", "6US", "8CZ "]
    );
    assert_eq!(bench.branches[2].bodies(), ["1US", "6US", "7a.b"]);
    assert_eq!(bench.counters.get(Count::Filtered), 0);
}

#[test]
fn batch_that_goes_one_way_in_one_piece_is_not_copied() {
    let branches = vec![Collect::accepting(), Collect::accepting()];
    let cases = [("selector.mapping.CZ", "c1"), ("selector.default", "c2")];
    let bench = bench(branches, by_state(&cases), Window::default());
    let whole = batch(&["CZ", "CZ"]);
    bench.fan.send(whole.clone()).unwrap();
    assert_eq!(bench.branches[0].slabs(), [whole.encoded().as_ptr()]);
    let pieces = batch(&["CZ", "CZ", "US"]);
    bench.fan.send(pieces.clone()).unwrap();
    let inside = pieces.encoded().as_ptr_range();
    assert!(inside.contains(&bench.branches[0].slabs()[1]));
    assert!(inside.contains(&bench.branches[1].slabs()[0]));
}

#[test]
fn event_without_a_channel_is_accepted_dropped_and_counted() {
    let bench = bench(
        vec![Collect::accepting()],
        by_state(&[("selector.mapping.CZ", "c1")]),
        Window::default(),
    );
    let receipt = bench.fan.send(batch(&["US", "CZ", "US"])).unwrap();
    assert_eq!(receipt.wait(), Outcome::Accepted);
    let receipt = bench.fan.send(batch(&["US"])).unwrap();
    assert_eq!(receipt.wait(), Outcome::Accepted);
    assert_eq!(bench.branches[0].bodies(), ["1CZ"]);
    assert_eq!(bench.counters.get(Count::Filtered), 3);
}

#[test]
fn bytes_that_are_no_events_are_refused_and_reach_nobody() {
    let bench = bench(
        vec![Collect::accepting()],
        by_state(&[("selector.default", "c1")]),
        Window::default(),
    );
    let bad = Batch::from_encoded(bytes::Bytes::from_static(b"\x05\x05"), 1);
    let outcome = bench.fan.send(bad).unwrap().wait();
    assert!(matches!(outcome, Outcome::Refused(refusal) if refusal.class == crate::ack::Class::Reject));
    assert!(bench.branches[0].bodies().is_empty());
    bench.fan.send(batch(&["CZ"])).unwrap();
    assert_eq!(bench.branches[0].bodies(), ["0CZ"]);
}

#[test]
fn lost_branch_is_a_lost_batch_and_what_only_it_may_lose_is_counted() {
    let branches = vec![Collect::answering(Outcome::Lost), Collect::accepting()];
    let bench = bench(branches, selector("replicating", &[]), Window::default());
    assert_eq!(bench.fan.send(batch(&["CZ"])).unwrap().wait(), Outcome::Lost);
    let branches = vec![Collect::answering(Outcome::Lost), Collect::accepting()];
    let optional = selector("replicating", &[("selector.optional", "c1")]);
    let bench = self::bench(branches, optional, Window::default());
    assert_eq!(bench.fan.send(batch(&["CZ"])).unwrap().wait(), Outcome::Accepted);
    assert_eq!(bench.counters.get(Count::Refused), 1);
}
