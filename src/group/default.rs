//! `default`: one sink, which gets everything.

use crate::stage::{Load, SinkProcessor};
use std::time::Instant;

/// Give every batch to the one sink.
#[derive(clap::Args, Debug)]
pub struct Default {}

impl SinkProcessor for Default {
    fn bind(&mut self, sinks: &[String]) -> Result<(), String> {
        match sinks.len() {
            1 => Ok(()),
            count => Err(format!(
                "the processor default has one sink, and here are {count}: failover and load_balance have several"
            )),
        }
    }

    fn order(&mut self, _now: Instant, _loads: &[Load]) -> Vec<usize> {
        vec![0]
    }

    fn failed(&mut self, _sink: usize, _now: Instant) {}
}
