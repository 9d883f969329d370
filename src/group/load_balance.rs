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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::find;
    use crate::group::ALL;
    use std::time::Duration;

    fn balancing(settings: &[(&str, &str)]) -> Box<dyn SinkProcessor> {
        let settings = settings
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        let spec = find(ALL, "org.apache.flume.sink.LoadBalancingSinkProcessor").unwrap();
        let mut processor = spec.from_properties(&settings.collect()).unwrap();
        processor.bind(&["k1", "k2", "k3"].map(String::from)).unwrap();
        processor
    }

    #[test]
    fn sinks_take_turns_and_those_that_fail_are_tried_again_each_time() {
        let mut processor = balancing(&[]);
        let now = Instant::now();
        processor.failed(1, now);
        let orders: Vec<_> = (0..3).map(|_| processor.order(now, &[])).collect();
        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
    }

    #[test]
    fn with_back_off_who_failed_is_left_out_and_comes_back_by_time_only() {
        for order in ["round_robin", "RANDOM", "least_loaded"] {
            let settings = [
                ("processor.backoff", "true"),
                ("processor.selector", order),
                ("processor.selector.maxTimeOut", "3000"),
            ];
            let mut processor = balancing(&settings);
            let now = Instant::now();
            processor.failed(1, now);
            processor.worked(1, now);
            let left = |processor: &mut Box<dyn SinkProcessor>, at: Instant| {
                let mut left = processor.order(at, &[]);
                left.sort();
                left
            };
            assert_eq!(left(&mut processor, now + Duration::from_millis(1999)), [0, 2]);
            let now = now + Duration::from_secs(2);
            assert_eq!(left(&mut processor, now), [0, 1, 2]);
            // The second time would be 4 s, but 3 is the most.
            processor.failed(1, now);
            assert_eq!(left(&mut processor, now + Duration::from_millis(2999)), [0, 2]);
            assert_eq!(left(&mut processor, now + Duration::from_secs(3)), [0, 1, 2]);
            (0..3).for_each(|at| processor.failed(at, now + Duration::from_secs(4)));
            assert!(left(&mut processor, now + Duration::from_secs(5)).is_empty());
        }
    }

    #[test]
    fn least_loaded_is_the_one_with_the_least_to_do() {
        let mut processor = balancing(&[("processor.selector", "least_loaded")]);
        let load = |unaccepted, seconds| Load {
            unaccepted,
            spent: Duration::from_secs(seconds),
        };
        let loads = [load(2, 0), load(0, 9), load(0, 4)];
        assert_eq!(processor.order(Instant::now(), &loads), [2, 1, 0]);
    }
}
