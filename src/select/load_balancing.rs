//! `load_balancing`: each event to one of the channels.

use crate::event::EventRef;
use crate::stage::turns::{Order, Selector};
use crate::stage::{ChannelSelector, Route};

/// Share events out among the channels, each to one of them.
#[derive(clap::Args, Debug)]
pub struct LoadBalancing {
    /// Which channel an event goes to: the next one each time (round_robin), or any (random).
    #[arg(
        long,
        id = "selector.policy",
        default_value = "round_robin",
        value_name = "ORDER",
        ignore_case = true
    )]
    policy: Order,
    #[arg(skip)]
    turns: Option<Selector>,
    #[arg(skip)]
    places: Vec<usize>,
}

impl ChannelSelector for LoadBalancing {
    fn bind(&mut self, channels: &[String]) -> Result<(), String> {
        self.places = (0..channels.len()).collect();
        self.turns = Some(Selector::new(self.policy, channels.len(), None));
        Ok(())
    }

    fn select(&mut self, _event: EventRef<'_>) -> Route<'_> {
        let at = self.turns.as_mut().map_or(0, Selector::first);
        Route {
            required: self.places.get(at..at + 1).unwrap_or_default(),
            optional: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{Batch, Event};
    use crate::select::testing::bound;

    fn chosen(policy: &str, events: usize) -> Vec<usize> {
        let mut selector = bound("load_balancing", &[("selector.policy", policy)]).unwrap();
        let batch = Batch::single(&Event::new("x"));
        let event = batch.events().next().unwrap().unwrap();
        let one = |_| match selector.select(event).required {
            [one] => *one,
            other => panic!("one channel, not {other:?}"),
        };
        (0..events).map(one).collect()
    }

    #[test]
    fn each_event_goes_to_one_channel_in_turn_or_to_any() {
        assert_eq!(chosen("ROUND_ROBIN", 7), [0, 1, 2, 0, 1, 2, 0]);
        let mut random = chosen("Random", 300);
        random.sort();
        random.dedup();
        assert_eq!(random, [0, 1, 2]);
    }
}
