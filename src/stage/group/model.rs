//! Random failures of sinks, against a model.

use super::tests::{Script, Scripted, group_of, processor};
use super::*;
use crate::event::Event;
use proptest::prelude::*;

/// What a sink does in a transaction.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Works,
    CannotWrite,
    CannotCommit,
    IsOver,
}

impl Mood {
    fn put_on(self, script: &mut Script) {
        let error = || Some(SinkError::retry("not now"));
        script.write_fails = if self == Mood::CannotWrite { error() } else { None };
        script.commit_fails = match self {
            Mood::CannotCommit => error(),
            Mood::IsOver => Some(SinkError::over("over")),
            _ => None,
        };
    }
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        3 => Just(Mood::Works),
        1 => Just(Mood::CannotWrite),
        1 => Just(Mood::CannotCommit),
        1 => Just(Mood::IsOver),
    ]
}

proptest! {
    /// Each transaction is committed by one sink, the first of the order that works, or by none and comes again.
    #[test]
    fn transactions_are_committed_once_by_the_first_that_works(
        moods in proptest::collection::vec((mood(), mood(), mood()), 1..40),
        balanced in any::<bool>(),
    ) {
        let sinks: [Scripted; 3] = Default::default();
        let processor = match balanced {
            true => processor("load_balance", &[]),
            false => processor("failover", &[("processor.maxpenalty", "0")]),
        };
        let mut group = group_of(&sinks, processor);
        let mut expected: [Vec<String>; 3] = Default::default();
        // Failed sinks of a failover, in the order in which they are tried.
        let mut failed: Vec<usize> = Vec::new();
        for (number, moods) in moods.into_iter().enumerate() {
            let moods = [moods.0, moods.1, moods.2];
            for (sink, mood) in sinks.iter().zip(moods) {
                mood.put_on(&mut sink.lock());
            }
            let order: Vec<usize> = match balanced {
                true => (0..3).map(|step| (number + step) % 3).collect(),
                false => {
                    let live = (0..3).filter(|at| !failed.contains(at));
                    failed.iter().copied().chain(live).collect()
                }
            };
            let worked = order.iter().position(|at| moods[*at] == Mood::Works);
            let tried = &order[..worked.unwrap_or(3)];
            failed.retain(|at| !tried.contains(at) && worked.is_none_or(|worked| order[worked] != *at));
            failed.extend(tried);
            let body = number.to_string();
            let batch = Batch::single(&Event::new(body.clone()));
            let done = group.write(&batch).and_then(|()| group.commit());
            prop_assert_eq!(done.is_ok(), worked.is_some());
            match worked {
                Some(place) => expected[order[place]].push(body),
                None => group.rollback(),
            }
            for sink in &sinks {
                prop_assert!(sink.lock().open.is_empty());
            }
        }
        for (sink, expected) in sinks.iter().zip(&expected) {
            prop_assert_eq!(&sink.lock().committed, expected);
        }
    }
}
