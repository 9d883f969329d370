//! Random batches over branches that refuse now and then, against a model.

use super::*;
use crate::ack::Outcome;
use crate::event::{BatchBuilder, Event, EventRef};
use crate::metrics::Kind;
use crate::stage::Route;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// Goes where the event's body says: a digit for a branch, a letter for one that may lose it.
#[derive(Default)]
struct ByBody(Vec<usize>, Vec<usize>);

/// The branches that a body names.
fn ways(body: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let to = &body[..body.iter().position(|byte| *byte == b' ').unwrap()];
    let of = |first: u8| {
        to.iter()
            .filter_map(move |byte| byte.checked_sub(first))
            .map(usize::from)
    };
    let required: Vec<_> = of(b'0').filter(|at| *at < 10).collect();
    (required, of(b'a').collect())
}

impl ChannelSelector for ByBody {
    fn bind(&mut self, _channels: &[String]) -> Result<(), String> {
        Ok(())
    }

    fn optional(&self) -> Vec<usize> {
        vec![0, 1, 2]
    }

    fn select(&mut self, event: EventRef<'_>) -> Route<'_> {
        (self.0, self.1) = ways(event.body());
        Route {
            required: &self.0,
            optional: &self.1,
        }
    }
}

/// Refuses for now as often as it was told, and keeps what it accepts.
#[derive(Default)]
struct Flaky(Mutex<(VecDeque<bool>, Vec<Vec<u8>>)>);

impl Outlet for Flaky {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let mut own = self.0.lock().unwrap();
        if own.0.pop_front() == Some(true) {
            drop(own);
            promise.settle(Outcome::Refused(Refusal::retry("not now")));
            return Ok(());
        }
        let bodies = batch.events().map(|event| event.unwrap().body().to_vec());
        own.1.extend(bodies);
        drop(own);
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

fn event() -> impl Strategy<Value = String> {
    let ways = proptest::sample::subsequence(vec!['0', '1', '2', 'a', 'b', 'c'], 0..=6);
    ways.prop_map(|ways| ways.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What branches have to take comes there once and in order; what they may lose comes there in order or is
    /// counted; and all else is counted as dropped.
    #[test]
    fn every_event_is_where_it_belongs_or_counted(
        batches in proptest::collection::vec(proptest::collection::vec(event(), 1..12), 1..6),
        refusals in proptest::collection::vec((0usize..3, 0usize..4), 0..2),
    ) {
        crate::say::be_quiet();
        let stop = Stop::new(Duration::from_secs(5)).unwrap();
        let branches: [Arc<Flaky>; 3] = Default::default();
        for (branch, at) in refusals {
            let script = &mut branches[branch].0.lock().unwrap().0;
            script.extend((0..=at).map(|turn| turn == at));
        }
        let counters = Arc::new(Counters::new(Kind::Source, "r1"));
        let named = branches.iter().enumerate();
        let named = named.map(|(at, flaky)| Branch::new(format!("c{at}"), flaky.clone()));
        let selector = Box::<ByBody>::default();
        let fan = FanOut::to(named.collect(), selector, counters.clone(), Window::default(), &stop).unwrap();
        let mut number = 0;
        let mut all = Vec::new();
        for batch in &batches {
            let mut builder = BatchBuilder::new();
            for ways in batch {
                let body = format!("{ways} {number:05}").into_bytes();
                number += 1;
                builder.push_event(&Event::new(body.clone()));
                all.push(body);
            }
            prop_assert_eq!(fan.send(builder.finish()).unwrap().wait(), Outcome::Accepted);
        }
        prop_assert_eq!(fan.finish(None), Ok(()));
        let mut lost = 0;
        for (at, branch) in branches.iter().enumerate() {
            let got = &branch.0.lock().unwrap().1;
            let must = |body: &&Vec<u8>| ways(body).0.contains(&at);
            let may = |body: &&Vec<u8>| !must(body) && ways(body).1.contains(&at);
            let required: Vec<_> = got.iter().filter(must).collect();
            prop_assert_eq!(required, all.iter().filter(must).collect::<Vec<_>>());
            let optional: Vec<_> = got.iter().filter(may).collect();
            prop_assert!(optional.is_sorted_by_key(|body| &body[body.len() - 5..]));
            prop_assert_eq!(got.iter().filter(must).count() + optional.len(), got.len());
            lost += all.iter().filter(may).count() - optional.len();
        }
        prop_assert_eq!(counters.get(Count::Refused), lost as u64);
        let nowhere = all.iter().filter(|body| ways(body) == (vec![], vec![])).count();
        prop_assert_eq!(counters.get(Count::Filtered), nowhere as u64);
    }
}
