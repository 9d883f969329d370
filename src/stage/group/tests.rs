//! The rules one by one, with sinks whose failures are told beforehand.

use super::*;
use crate::component::find;
use crate::event::Event;
use crate::group;
use crate::link::Outlet;
use crate::link::testing::Collect;
use crate::metrics::{Count, Counters, Kind};
use std::sync::Mutex;

/// What a sink is told to do, and what it has done.
#[derive(Default)]
pub(super) struct Script {
    pub start_fails: bool,
    pub write_fails: Option<SinkError>,
    pub commit_fails: Option<SinkError>,
    pub open: Vec<String>,
    pub committed: Vec<String>,
    pub made: u32,
}

#[derive(Clone, Default)]
pub(super) struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    pub fn lock(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }
}

fn text(batch: &Batch) -> Vec<String> {
    let events = batch.events().map(|event| event.unwrap());
    events
        .map(|event| String::from_utf8_lossy(event.body()).into_owned())
        .collect()
}

impl Sink for Scripted {
    fn start(&mut self) -> StageResult {
        match self.lock().start_fails {
            true => Err(StageError::Failed("it cannot be started".into())),
            false => Ok(()),
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let mut script = self.lock();
        if let Some(error) = &script.write_fails {
            return Err(error.clone());
        }
        script.open.extend(text(batch));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let mut script = self.lock();
        if let Some(error) = &script.commit_fails {
            return Err(error.clone());
        }
        let open = std::mem::take(&mut script.open);
        script.committed.extend(open);
        Ok(())
    }

    fn rollback(&mut self) {
        self.lock().open.clear();
    }
}

pub(super) fn processor(kind: &str, settings: &[(&str, &str)]) -> Box<dyn SinkProcessor> {
    let settings = settings
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()));
    let spec = find(group::ALL, kind).unwrap();
    spec.from_properties(&settings.collect()).unwrap()
}

fn member(name: String, sink: &Scripted) -> Member {
    let sink = sink.clone();
    Member {
        counters: Arc::new(Counters::new(Kind::Sink, name.clone())),
        name,
        make: Box::new(move || {
            sink.lock().made += 1;
            Ok(Box::new(sink.clone()))
        }),
    }
}

fn stop() -> Stop {
    crate::say::be_quiet();
    Stop::new(Duration::from_secs(5)).unwrap()
}

pub(super) fn group_of(sinks: &[Scripted], processor: Box<dyn SinkProcessor>) -> GroupSink {
    let members = sinks.iter().enumerate();
    let members = members.map(|(at, sink)| member(format!("k{}", at + 1), sink));
    let mut group = GroupSink::of(members.collect(), processor, &stop()).unwrap();
    group.start().unwrap();
    group
}

fn batch(body: &str) -> Batch {
    Batch::single(&Event::new(body.to_string()))
}

/// A transaction of these batches.
fn transaction(group: &mut GroupSink, bodies: &[&str]) -> Result<(), SinkError> {
    let written = bodies.iter().try_for_each(|body| group.write(&batch(body)));
    written
        .and_then(|()| group.commit())
        .inspect_err(|_| group.rollback())
}

fn failing(reason: &str) -> Option<SinkError> {
    Some(SinkError::retry(reason))
}

#[test]
fn failover_uses_the_highest_priority_and_the_next_at_once_when_it_fails() {
    let sinks: [Scripted; 3] = Default::default();
    let priorities = [
        ("processor.priority.k1", "5"),
        ("processor.priority.k2", "10"),
        ("processor.priority.k3", "7"),
    ];
    let mut group = group_of(&sinks, processor("failover", &priorities));
    transaction(&mut group, &["a"]).unwrap();
    assert_eq!(group.chosen().name(), Some("k2"));
    sinks[1].lock().commit_fails = failing("full");
    transaction(&mut group, &["b", "c"]).unwrap();
    assert_eq!(group.chosen().name(), Some("k3"));
    assert_eq!(sinks[1].lock().committed, ["a"]);
    assert!(sinks[1].lock().open.is_empty(), "rolled back");
    assert_eq!(sinks[2].lock().committed, ["b", "c"]);
    assert!(sinks[0].lock().committed.is_empty());
    let counters = |at: usize| group.members[at].counters().clone();
    assert_eq!(counters(1).get(Count::EventDrainAttempt), 3);
    assert_eq!(counters(1).get(Count::EventDrainSuccess), 1);
    assert_eq!(counters(1).get(Count::EventWriteFail), 1);
    assert_eq!(counters(2).get(Count::EventDrainSuccess), 2);
    assert_eq!(counters(2).get(Count::BatchComplete), 1);
}

#[test]
fn failure_in_the_middle_of_a_transaction_moves_all_of_it() {
    let sinks: [Scripted; 2] = Default::default();
    let mut group = group_of(&sinks, processor("failover", &[]));
    group.write(&batch("a")).unwrap();
    sinks[0].lock().write_fails = failing("gone");
    group.write(&batch("b")).unwrap();
    group.commit().unwrap();
    assert!(sinks[0].lock().committed.is_empty());
    assert_eq!(sinks[1].lock().committed, ["a", "b"]);
}

#[test]
fn all_failed_is_a_failure_for_now_that_tells_every_reason() {
    let sinks: [Scripted; 2] = Default::default();
    sinks[0].lock().write_fails = failing("no route");
    sinks[1].lock().commit_fails = failing("full");
    let mut group = group_of(&sinks, processor("failover", &[]));
    let error = transaction(&mut group, &["a"]).unwrap_err();
    assert_eq!((error.class, error.is_over), (Class::Retry, false));
    assert_eq!(error.reason, "k1: no route; k2: full");
    // All are left out now, and the reasons are the same.
    let error = transaction(&mut group, &["a"]).unwrap_err();
    assert_eq!(error.reason, "k1: no route; k2: full");
    assert_eq!(group.members[0].counters().get(Count::EventWriteFail), 1);
}

#[test]
fn rejected_event_goes_to_another_sink_and_is_told_when_none_takes_it() {
    let sinks: [Scripted; 2] = Default::default();
    sinks[0].lock().write_fails = Some(SinkError::reject(3, "too large"));
    let mut group = group_of(&sinks, processor("failover", &[]));
    transaction(&mut group, &["a"]).unwrap();
    assert_eq!(sinks[1].lock().committed, ["a"]);
    sinks[1].lock().commit_fails = failing("full");
    let error = transaction(&mut group, &["b"]).unwrap_err();
    assert_eq!(error, SinkError::reject(3, "too large"));
    // The first has not failed: it is asked again at once.
    sinks[0].lock().write_fails = None;
    transaction(&mut group, &["c"]).unwrap();
    assert_eq!(sinks[0].lock().committed, ["c"]);
}

#[test]
fn rejection_of_an_earlier_batch_is_no_rejection_of_the_last() {
    /// Takes all but one event.
    struct Picky(&'static str, bool);
    impl Sink for Picky {
        fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
            match text(batch)[0] == self.0 {
                true if self.1 => Err(SinkError::retry("not now")),
                true => Err(SinkError::reject(0, "never")),
                false => Ok(()),
            }
        }
        fn commit(&mut self) -> Result<(), SinkError> {
            Ok(())
        }
    }
    let member = |name: &str, event: &'static str, for_now: bool| Member {
        name: name.into(),
        counters: Arc::new(Counters::new(Kind::Sink, name)),
        make: Box::new(move || Ok(Box::new(Picky(event, for_now)))),
    };
    let members = vec![member("k1", "b", true), member("k2", "a", false)];
    let mut group = GroupSink::of(members, processor("failover", &[]), &stop()).unwrap();
    let error = transaction(&mut group, &["a", "b"]).unwrap_err();
    assert_eq!(error.class, Class::Retry, "{error}");
}

#[test]
fn sink_that_cannot_be_started_is_tried_again_when_its_penalty_is_over() {
    let sinks: [Scripted; 2] = Default::default();
    sinks[0].lock().start_fails = true;
    let mut group = group_of(&sinks, processor("failover", &[("processor.maxpenalty", "0")]));
    sinks[0].lock().start_fails = false;
    transaction(&mut group, &["a"]).unwrap();
    assert_eq!(sinks[0].lock().committed, ["a"]);
    assert_eq!(sinks[0].lock().made, 2);
}

#[test]
fn sink_that_is_over_is_made_anew() {
    let sinks: [Scripted; 2] = Default::default();
    let mut group = group_of(&sinks, processor("failover", &[("processor.maxpenalty", "0")]));
    sinks[0].lock().commit_fails = Some(SinkError::over("the directory is gone"));
    transaction(&mut group, &["a"]).unwrap();
    assert_eq!(sinks[1].lock().committed, ["a"]);
    sinks[0].lock().commit_fails = None;
    transaction(&mut group, &["b"]).unwrap();
    assert_eq!(sinks[0].lock().committed, ["b"]);
    assert_eq!(sinks[0].lock().made, 2);
}

#[test]
fn load_is_balanced_in_turn() {
    let sinks: [Scripted; 2] = Default::default();
    let mut group = group_of(&sinks, processor("load_balance", &[]));
    for body in ["a", "b", "c", "d"] {
        transaction(&mut group, &[body]).unwrap();
    }
    assert_eq!(sinks[0].lock().committed, ["a", "c"]);
    assert_eq!(sinks[1].lock().committed, ["b", "d"]);
}

#[test]
fn least_loaded_is_who_has_spent_the_least_time() {
    let sinks: [Scripted; 2] = Default::default();
    let chosen = [("processor.selector", "LEAST_LOADED")];
    let mut group = group_of(&sinks, processor("load_balance", &chosen));
    group.members[0].spend(Duration::from_secs(3600));
    for body in ["a", "b", "c"] {
        transaction(&mut group, &[body]).unwrap();
    }
    assert_eq!(sinks[1].lock().committed, ["a", "b", "c"]);
}

/// A sink that is only a link.
struct Link(Collect);

impl Sink for Link {
    fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
        Err(SinkError::retry("batches go to the outlet of this sink"))
    }
    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
    fn outlet(&mut self, _stop: &Stop) -> Option<Arc<dyn Outlet>> {
        Some(Arc::new(self.0.clone()))
    }
}

#[test]
fn links_are_members_and_their_batches_are_under_way_together() {
    let near = Collect::holding();
    let (link, far) = (near.clone(), Scripted::default());
    let first = Member {
        name: "k1".into(),
        counters: Arc::new(Counters::new(Kind::Sink, "k1")),
        make: Box::new(move || Ok(Box::new(Link(link.clone())))),
    };
    let members = vec![first, member("k2".into(), &far)];
    let mut group = GroupSink::of(members, processor("failover", &[]), &stop()).unwrap();
    let other = near.clone();
    let answering = std::thread::spawn(move || {
        other.wait_for(2);
        other.settle_all(crate::ack::Outcome::Accepted);
        other.wait_for(3);
        other.settle_all(crate::ack::Outcome::Refused(crate::ack::Refusal::retry("full")));
    });
    transaction(&mut group, &["a", "b"]).unwrap();
    assert_eq!(near.bodies(), ["a", "b"]);
    transaction(&mut group, &["c"]).unwrap();
    assert_eq!(far.lock().committed, ["c"]);
    answering.join().unwrap();
}

#[test]
fn wrong_numbers_of_sinks_are_told() {
    let sinks: [Scripted; 2] = Default::default();
    let members = |count: usize| {
        sinks[..count]
            .iter()
            .map(|sink| member("k".into(), sink))
            .collect()
    };
    let stop = stop();
    let told = |count, kind| GroupSink::of(members(count), processor(kind, &[]), &stop).err();
    assert!(told(1, "default").is_none());
    assert!(told(2, "default").unwrap().contains("one sink"));
    assert!(told(1, "load_balance").unwrap().contains("two sinks"));
    assert!(told(1, "failover").is_none());
    let unknown = processor("failover", &[("processor.priority.k9", "1")]);
    let why = GroupSink::of(members(1), unknown, &stop).err().unwrap();
    assert!(why.contains("processor.priority.k9"), "{why}");
}
