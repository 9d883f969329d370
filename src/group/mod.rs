//! Sink processors: what says which sink of a group gets a batch. The table below is the list of all of them.
//!
//! To add one: write a file here, its `mod` line and its line in the table. In the file stand, in this order, the
//! settings (each field is a flag, its `id` Flume's property, its doc comment the sentence), `impl SinkProcessor`
//! and the tests.

pub mod default;
pub mod failover;
pub mod load_balance;

use crate::component::Spec;
use crate::stage::SinkProcessor;
use clap::{Args, FromArgMatches};

/// All sink processors.
pub const ALL: &[Spec<Box<dyn SinkProcessor>>] = &[
    row::<default::Default>("default").also(&["org.apache.flume.sink.DefaultSinkProcessor"]),
    row::<failover::Failover>("failover").also(&["org.apache.flume.sink.FailoverSinkProcessor"]),
    row::<load_balance::LoadBalance>("load_balance")
        .also(&["org.apache.flume.sink.LoadBalancingSinkProcessor"]),
];

/// The line of a sink processor.
pub const fn row<T: Args + FromArgMatches + SinkProcessor + 'static>(
    name: &'static str,
) -> Spec<Box<dyn SinkProcessor>> {
    Spec::new::<T>(name, |matches| Ok(Box::new(T::from_arg_matches(matches)?)))
}
