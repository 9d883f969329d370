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
