//! `replicating`: every event to all channels.

use super::places;
use crate::event::{DecodeError, EventRef};
use crate::stage::{ChannelSelector, Route, Split};

/// Give every event to all channels. It is accepted when all have it that are not optional.
#[derive(clap::Args, Debug)]
pub struct Replicating {
    /// Channels that may fail: what one of them does not take at once is lost there, counted and reported.
    #[arg(long, id = "selector.optional", value_name = "CHANNELS")]
    optional: Option<String>,
    #[arg(skip)]
    all: (Vec<usize>, Vec<usize>),
}

impl ChannelSelector for Replicating {
    fn bind(&mut self, channels: &[String]) -> Result<(), String> {
        let list = self.optional.as_deref().unwrap_or_default();
        let optional = places("selector.optional", list, channels)?;
        let required = (0..channels.len()).filter(|at| !optional.contains(at)).collect();
        self.all = (required, optional);
        Ok(())
    }

    fn optional(&self) -> Vec<usize> {
        self.all.1.clone()
    }

    fn select(&mut self, _event: EventRef<'_>) -> Route<'_> {
        Route {
            required: &self.all.0,
            optional: &self.all.1,
        }
    }

    fn select_batch(&mut self, split: &mut Split<'_>) -> Result<(), DecodeError> {
        split.whole(Route {
            required: &self.all.0,
            optional: &self.all.1,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::component::find;
    use crate::select::{ALL, testing};

    #[test]
    fn all_channels_are_required_but_those_that_are_not() {
        let bound = testing::bound("replicating", &[("selector.optional", "c3  c1")]).unwrap();
        let (required, optional) = testing::route(bound, &[]);
        assert_eq!((required, optional), (vec![1], vec![2, 0]));
        let bound = testing::bound("org.apache.flume.channel.ReplicatingChannelSelector", &[]).unwrap();
        assert_eq!(testing::route(bound, &[]).0, [0, 1, 2]);
        assert!(find(ALL, "REPLICATING").is_some());
    }

    #[test]
    fn unknown_optional_channel_is_told_with_the_nearest() {
        let why = testing::bound("replicating", &[("selector.optional", "c1 c22")])
            .err()
            .unwrap();
        assert!(why.contains("selector.optional: \"c22\""), "{why}");
        assert!(why.contains("did you mean \"c2\""), "{why}");
    }
}
