//! Sinks: what takes events to where they go. To add one: a file here, its `mod` line, its line below.

pub mod file_roll;
pub mod logger;
pub mod null;
pub mod stream;

use crate::component::Spec;
use crate::stage::Sink;
use clap::{Args, FromArgMatches};

/// All sinks.
pub const ALL: &[Spec<Box<dyn Sink>>] = &[
    row::<file_roll::FileRoll>("file_roll").also(&["org.apache.flume.sink.RollingFileSink"]),
    row::<logger::Logger>("logger").also(&["org.apache.flume.sink.LoggerSink"]),
    row::<null::Null>("null")
        .also(&["org.apache.flume.sink.NullSink"])
        .shell(&[("logEveryNEvents", "0")]),
    row::<stream::Stream>("stream").positional("address"),
];

/// The line of a sink.
pub const fn row<T: Args + FromArgMatches + Sink + 'static>(name: &'static str) -> Spec<Box<dyn Sink>> {
    Spec::new::<T>(name, |matches| Ok(Box::new(T::from_arg_matches(matches)?)))
}
