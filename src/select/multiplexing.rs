//! `multiplexing`: channels by the value of a header.

use super::{places, some_places};
use crate::event::EventRef;
use crate::stage::{ChannelSelector, Route};
use crate::value::Pair;
use std::collections::HashMap;

/// Give each event to the channels that are told for the value of one of its headers.
///
/// An event without the header, with an empty one, or with a value that is not told goes to --default; if there is
/// none, it is dropped and counted.
#[derive(clap::Args, Debug)]
pub struct Multiplexing {
    /// The header that is looked at.
    #[arg(
        long,
        id = "selector.header",
        default_value = "flume.selector.header",
        value_name = "NAME"
    )]
    header: String,
    /// Where events with this value go.
    #[arg(
        long = "case",
        visible_alias = "mapping",
        id = "selector.mapping.*",
        value_name = "VALUE=CHANNELS"
    )]
    mapping: Vec<Pair>,
    /// Where all others go.
    #[arg(long, id = "selector.default", value_name = "CHANNELS")]
    default: Option<String>,
    /// Where events with this value go as well, if they can be taken there at once.
    #[arg(long, id = "selector.optional.*", value_name = "VALUE=CHANNELS")]
    optional: Vec<Pair>,
    #[arg(skip)]
    ways: HashMap<Vec<u8>, Way>,
    #[arg(skip)]
    others: Way,
}

/// Where a value goes.
#[derive(Debug, Default, Clone)]
struct Way {
    required: Vec<usize>,
    optional: Vec<usize>,
}

impl Way {
    fn route(&self) -> Route<'_> {
        Route {
            required: &self.required,
            optional: &self.optional,
        }
    }
}

impl ChannelSelector for Multiplexing {
    fn bind(&mut self, channels: &[String]) -> Result<(), String> {
        if let Some(list) = &self.default {
            self.others.required = some_places("selector.default", list, channels)?;
        }
        for pair in &self.mapping {
            let setting = format!("selector.mapping.{}", pair.name);
            let required = some_places(&setting, &pair.value, channels)?;
            let optional = Vec::new();
            self.ways
                .insert(pair.name.clone().into_bytes(), Way { required, optional });
        }
        for pair in &self.optional {
            let setting = format!("selector.optional.{}", pair.name);
            let mut optional = places(&setting, &pair.value, channels)?;
            let value = pair.name.clone().into_bytes();
            let way = self.ways.entry(value).or_insert_with(|| self.others.clone());
            optional.retain(|at| !way.required.contains(at));
            way.optional = optional;
        }
        Ok(())
    }

    fn optional(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self
            .ways
            .values()
            .flat_map(|way| way.optional.iter().copied())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn select(&mut self, event: EventRef<'_>) -> Route<'_> {
        let value = event.header(self.header.as_bytes()).unwrap_or_default();
        let is_blank = value.trim_ascii().is_empty();
        let way = if is_blank { None } else { self.ways.get(value) };
        way.unwrap_or(&self.others).route()
    }
}

#[cfg(test)]
mod tests {
    use crate::select::testing::{bound, route};

    fn to(settings: &[(&str, &str)], value: &str) -> (Vec<usize>, Vec<usize>) {
        let mut all = vec![("selector.header", "h")];
        all.extend(settings);
        route(bound("multiplexing", &all).unwrap(), &[("h", value)])
    }

    #[test]
    fn value_is_compared_as_it_is_and_anything_else_goes_to_the_default() {
        let settings = [("selector.mapping.CZ", "c1 c2"), ("selector.default", "c3")];
        assert_eq!(to(&settings, "CZ").0, [0, 1]);
        for other in ["cz", " CZ", "", "  ", "x"] {
            assert_eq!(to(&settings, other).0, [2], "\"{other}\"");
        }
        let header = [("selector.mapping.CZ", "c1")];
        let selector = bound("multiplexing", &header).unwrap();
        assert_eq!(route(selector, &[("flume.selector.header", "CZ")]).0, [0]);
    }

    #[test]
    fn optional_channel_that_is_required_too_is_required() {
        let settings = [
            ("selector.mapping.CZ", "c1"),
            ("selector.optional.CZ", "c1 c2"),
            ("selector.optional.XX", "c2 c3"),
            ("selector.default", "c3"),
        ];
        assert_eq!(to(&settings, "CZ"), (vec![0], vec![1]));
        // A value without a mapping is compared with the default, and goes there.
        assert_eq!(to(&settings, "XX"), (vec![2], vec![1]));
        assert_eq!(to(&settings, "YY"), (vec![2], vec![]));
    }

    #[test]
    fn value_only_for_optional_channels_has_no_required_one_without_a_default() {
        assert_eq!(to(&[("selector.optional.XX", "c2")], "XX"), (vec![], vec![1]));
        assert_eq!(to(&[("selector.mapping.CZ", "c1")], "XX"), (vec![], vec![]));
    }

    #[test]
    fn mapping_to_nothing_or_to_an_unknown_channel_is_told() {
        let why = bound("multiplexing", &[("selector.mapping.CZ", " ")])
            .err()
            .unwrap();
        assert!(why.contains("selector.mapping.CZ is empty"), "{why}");
        let why = bound("multiplexing", &[("selector.mapping.a.b", "c9")])
            .err()
            .unwrap();
        assert!(why.contains("selector.mapping.a.b: \"c9\""), "{why}");
        let why = bound("multiplexing", &[("selector.default", "d")]).err().unwrap();
        assert!(why.contains("selector.default"), "{why}");
    }
}
