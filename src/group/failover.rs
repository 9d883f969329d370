//! `failover`: the sink with the highest priority that works.

use crate::stage::{Load, SinkProcessor};
use crate::value::{Millis, Pair};
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// The penalty of a first failure is twice this.
const UNIT: Duration = Duration::from_secs(1);

/// Give batches to the sink with the highest priority, and to the next one while that has failed.
///
/// A sink that failed is tried again after 2 s, then 4 s, 8 s and so on, up to --maxpenalty, and gets its place
/// back when it works.
#[derive(clap::Args, Debug)]
pub struct Failover {
    /// How much a sink is preferred; those without a priority come behind, in their order.
    #[arg(long = "priority", id = "processor.priority.*", value_name = "SINK=NUMBER")]
    priority: Vec<Pair>,
    /// Milliseconds that a sink which fails again and again is left out at most.
    #[arg(
        long,
        id = "processor.maxpenalty",
        default_value = "30000",
        value_name = "TIME"
    )]
    maxpenalty: Millis,
    #[arg(skip)]
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    priority: i64,
    /// Failures one after the other.
    failures: u32,
    /// Not before: while it counts as failed.
    again: Option<Instant>,
}

impl Failover {
    /// The priority of the sink at this place: one that is not said, or no number, is below all that are.
    fn priority(&self, name: &str, place: usize) -> Result<i64, String> {
        let missing = -1 - place as i64;
        let Some(pair) = self.priority.iter().rfind(|pair| pair.name == name) else {
            return Ok(missing);
        };
        match pair.value.trim().parse::<i32>() {
            Ok(priority) => Ok(i64::from(priority)),
            Err(_) => {
                crate::say::warn(
                    "failover",
                    format!(
                        "processor.priority.{name} = \"{}\" is no whole number: {name} counts as without one",
                        pair.value
                    ),
                );
                Ok(missing)
            }
        }
    }
}

impl SinkProcessor for Failover {
    fn bind(&mut self, sinks: &[String]) -> Result<(), String> {
        if let Some(pair) = self.priority.iter().find(|pair| !sinks.contains(&pair.name)) {
            let known = sinks.join(", ");
            return Err(format!(
                "processor.priority.{}: \"{}\" is no sink of the group; there are {known}",
                pair.name, pair.name
            ));
        }
        let mut members = Vec::new();
        for (place, name) in sinks.iter().enumerate() {
            members.push(Member {
                priority: self.priority(name, place)?,
                failures: 0,
                again: None,
            });
        }
        self.members = members;
        Ok(())
    }

    fn order(&mut self, now: Instant, _loads: &[Load]) -> Vec<usize> {
        let all = 0..self.members.len();
        let failed = |at: &usize| self.members[*at].again;
        // First those whose penalty is over, the earliest first, for they may be the better ones.
        let mut order: Vec<usize> = all
            .clone()
            .filter(|at| failed(at).is_some_and(|again| again <= now))
            .collect();
        order.sort_by_key(|at| failed(at));
        let mut live: Vec<usize> = all.filter(|at| failed(at).is_none()).collect();
        live.sort_by_key(|at| Reverse(self.members[*at].priority));
        order.extend(live);
        order
    }

    fn failed(&mut self, sink: usize, now: Instant) {
        let most = self.maxpenalty.0;
        let Some(member) = self.members.get_mut(sink) else {
            return;
        };
        member.failures = member.failures.saturating_add(1);
        let penalty = UNIT
            .saturating_mul(2u32.saturating_pow(member.failures))
            .min(most);
        member.again = Some(now + penalty);
    }

    fn worked(&mut self, sink: usize, _now: Instant) {
        if let Some(member) = self.members.get_mut(sink) {
            member.failures = 0;
            member.again = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::find;
    use crate::group::ALL;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failover(settings: &[(&str, &str)], sinks: usize) -> Box<dyn SinkProcessor> {
        crate::say::be_quiet();
        let settings = settings
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        let spec = find(ALL, "org.apache.flume.sink.FailoverSinkProcessor").unwrap();
        let mut processor = spec.from_properties(&settings.collect()).unwrap();
        let names: Vec<_> = (1..=sinks).map(|number| format!("k{number}")).collect();
        processor.bind(&names).unwrap();
        processor
    }

    #[test]
    fn higher_priority_is_preferred_and_none_is_lowest() {
        let settings = [
            ("processor.priority.k2", "-1000"),
            ("processor.priority.k3", "5"),
            ("processor.priority.k4", "many"),
        ];
        let mut processor = failover(&settings, 4);
        // k1 and k4 are -1 and -4.
        assert_eq!(processor.order(Instant::now(), &[]), [2, 0, 3, 1]);
    }

    #[test]
    fn same_priority_is_the_order_of_the_list() {
        let settings = [("processor.priority.k1", "1"), ("processor.priority.k2", "1")];
        assert_eq!(failover(&settings, 2).order(Instant::now(), &[]), [0, 1]);
    }

    #[test]
    fn penalty_doubles_from_two_seconds_up_to_the_cap_and_never_overflows() {
        let mut processor = failover(&[], 1);
        let mut now = Instant::now();
        for failures in 1..100 {
            processor.failed(0, now);
            let penalty = [2, 4, 8, 16].get(failures - 1).copied().unwrap_or(30);
            let before = now + penalty * SECOND - Duration::from_millis(1);
            assert!(processor.order(before, &[]).is_empty(), "after {failures}");
            now += penalty * SECOND;
            assert_eq!(processor.order(now, &[]), [0], "after {failures}");
        }
    }

    #[test]
    fn recovered_sink_has_its_place_back_and_its_first_penalty_again() {
        let mut processor = failover(&[], 2);
        let mut now = Instant::now();
        processor.failed(0, now);
        now += 2 * SECOND;
        processor.failed(0, now);
        assert_eq!(processor.order(now + 3 * SECOND, &[]), [1]);
        now += 4 * SECOND;
        assert_eq!(processor.order(now, &[]), [0, 1]);
        processor.worked(0, now);
        processor.failed(0, now);
        assert_eq!(processor.order(now + 2 * SECOND, &[]), [0, 1]);
    }

    #[test]
    fn failed_sinks_whose_time_has_come_are_tried_first_the_earliest_before_the_others() {
        let mut processor = failover(&[("processor.priority.k1", "9")], 3);
        let now = Instant::now();
        processor.failed(2, now);
        processor.failed(1, now + SECOND);
        assert_eq!(processor.order(now + 5 * SECOND, &[]), [2, 1, 0]);
    }

    proptest! {
        /// Against a model that knows only when each sink failed how often in a row.
        #[test]
        fn order_is_the_models(steps in proptest::collection::vec((0usize..3, 0u8..3, 0u64..5000), 0..60)) {
            let mut processor = failover(&[("processor.maxpenalty", "10000")], 3);
            let mut now = Instant::now();
            let mut failed: [Option<(u32, Instant)>; 3] = [None; 3];
            for (sink, what, pause) in steps {
                now += Duration::from_millis(pause);
                match what {
                    0 => {
                        processor.worked(sink, now);
                        failed[sink] = None;
                    }
                    1 => {
                        processor.failed(sink, now);
                        failed[sink] = Some((failed[sink].map_or(1, |(count, _)| count + 1), now));
                    }
                    _ => {}
                }
                let until = |sink: &usize| failed[*sink].map(|(count, at)| {
                    at + Duration::from_millis((1000 * 2u64.pow(count.min(20))).min(10_000))
                });
                let mut expected: Vec<usize> = (0..3).filter(|sink| until(sink).is_some_and(|at| at <= now)).collect();
                expected.sort_by_key(|sink| until(sink));
                expected.extend((0..3).filter(|sink| failed[*sink].is_none()));
                prop_assert_eq!(processor.order(now, &[]), expected);
            }
        }
    }
}
