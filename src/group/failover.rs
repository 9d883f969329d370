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
