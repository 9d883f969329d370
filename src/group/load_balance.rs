//! `load_balance`: the sinks of a group in turn, at random, or the one with the least to do.

use crate::stage::turns::{Order, Selector};
use crate::stage::{Load, SinkProcessor};
use crate::value::Millis;
use std::time::Instant;

/// Which sink is tried first.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum First {
    /// Each time the next one.
    RoundRobin,
    /// Any.
    Random,
    /// The one that has spent the least time on its batches lately.
    LeastLoaded,
}

/// Share batches out among the sinks of the group; one that fails hands its batch to the next at once.
#[derive(clap::Args, Debug)]
pub struct LoadBalance {
    /// Which sink is tried first: the next one each time (round_robin), any (random), or the one that has needed
    /// the least time for its batches lately (least_loaded).
    #[arg(
        long,
        id = "processor.selector",
        default_value = "round_robin",
        value_name = "ORDER",
        ignore_case = true
    )]
    selector: First,
    /// Leave out a sink that failed, for 2 s, 4 s, 8 s ... up to --selector-max-time-out.
    #[arg(long, id = "processor.backoff")]
    backoff: bool,
    /// Milliseconds that a sink is left out at most.
    #[arg(
        long,
        id = "processor.selector.maxTimeOut",
        default_value = "30000",
        value_name = "TIME"
    )]
    selector_max_time_out: Millis,
    #[arg(skip)]
    turns: Option<Selector>,
}

impl SinkProcessor for LoadBalance {
    fn bind(&mut self, sinks: &[String]) -> Result<(), String> {
        if sinks.len() < 2 {
            return Err(format!(
                "the processor load_balance has two sinks at the least, and here is {}",
                sinks.len()
            ));
        }
        let order = match self.selector {
            First::Random => Order::Random,
            First::RoundRobin | First::LeastLoaded => Order::RoundRobin,
        };
        let longest = self.backoff.then_some(self.selector_max_time_out.0);
        self.turns = Some(Selector::new(order, sinks.len(), longest));
        Ok(())
    }

    fn order(&mut self, now: Instant, loads: &[Load]) -> Vec<usize> {
        let mut order = match &mut self.turns {
            Some(turns) => turns.order(now),
            None => Vec::new(),
        };
        if self.selector == First::LeastLoaded {
            order.sort_by_key(|at| loads.get(*at).map(|load| (load.unaccepted, load.spent)));
        }
        order
    }

    fn failed(&mut self, sink: usize, now: Instant) {
        if let Some(turns) = &mut self.turns {
            turns.failed(sink, now);
        }
    }
}
