//! Channel selectors: what says which channels get an event. The table below is the list of all of them.
//!
//! To add one: write a file here, its `mod` line and its line in the table. In the file stand, in this order, the
//! settings (each field is a flag, its `id` Flume's property, its doc comment the sentence),
//! `impl ChannelSelector` and the tests.

pub mod load_balancing;
pub mod multiplexing;
pub mod replicating;

use crate::component::{Spec, nearest};
use crate::stage::ChannelSelector;
use clap::{Args, FromArgMatches};

/// All channel selectors.
pub const ALL: &[Spec<Box<dyn ChannelSelector>>] = &[
    row::<replicating::Replicating>("replicating")
        .also(&["org.apache.flume.channel.ReplicatingChannelSelector"]),
    row::<multiplexing::Multiplexing>("multiplexing")
        .also(&["org.apache.flume.channel.MultiplexingChannelSelector"]),
    row::<load_balancing::LoadBalancing>("load_balancing")
        .also(&["org.apache.flume.channel.LoadBalancingChannelSelector"]),
];

/// The line of a channel selector.
pub const fn row<T: Args + FromArgMatches + ChannelSelector + 'static>(
    name: &'static str,
) -> Spec<Box<dyn ChannelSelector>> {
    Spec::new::<T>(name, |matches| Ok(Box::new(T::from_arg_matches(matches)?)))
}

/// The places of the channels in a list of a setting, each once; blanks between them.
fn places(setting: &str, list: &str, channels: &[String]) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for name in list.split_whitespace() {
        let Some(at) = channels.iter().position(|channel| channel == name) else {
            let hint = match nearest(name, channels.iter().map(String::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", channels.join(", ")),
            };
            return Err(format!(
                "{setting}: \"{name}\" is no channel of the source; {hint}"
            ));
        };
        if !found.contains(&at) {
            found.push(at);
        }
    }
    Ok(found)
}

/// The same where at least one has to be there.
fn some_places(setting: &str, list: &str, channels: &[String]) -> Result<Vec<usize>, String> {
    match places(setting, list, channels)? {
        none if none.is_empty() => Err(format!("{setting} is empty: the names of channels belong there")),
        places => Ok(places),
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::event::{Batch, Event};

    /// A selector with these properties, bound to three channels.
    pub fn bound(kind: &str, settings: &[(&str, &str)]) -> Result<Box<dyn ChannelSelector>, String> {
        let settings = settings
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        let spec = crate::component::find(ALL, kind).unwrap();
        let mut selector = spec.from_properties(&settings.collect()).unwrap();
        selector.bind(&["c1", "c2", "c3"].map(String::from))?;
        Ok(selector)
    }

    /// Where an event with these headers goes.
    pub fn route(
        mut selector: Box<dyn ChannelSelector>,
        headers: &[(&str, &str)],
    ) -> (Vec<usize>, Vec<usize>) {
        let mut event = Event::new("x");
        for (name, value) in headers {
            event.set_header(name, value);
        }
        let batch = Batch::single(&event);
        let route = selector.select(batch.events().next().unwrap().unwrap());
        (route.required.to_vec(), route.optional.to_vec())
    }
}
