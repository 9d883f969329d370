//! Sinks: what takes events to where they go.
//!
//! To add one: write a file here, its `mod` line and its line in the table below, and run
//! `UPDATE=1 tests/run generated` once, which draws the manual, the completions and the README from it. In the
//! file stand, in this order, the settings (each field is a flag, its `id` Flume's property, its doc comment the
//! sentence), `impl Sink` and the tests. [`null`] is the smallest, [`file_roll`] one with real work;
//! [`crate::stage::Sink`] says what is called when.

pub mod avro;
pub mod file_roll;
pub mod logger;
pub mod null;
pub mod pipe;
pub mod stream;

use crate::component::Spec;
use crate::stage::Sink;
use clap::{Args, FromArgMatches};

/// All sinks.
pub const ALL: &[Spec<Box<dyn Sink>>] = &[
    row::<avro::Avro>("avro").also(&["org.apache.flume.sink.AvroSink"]),
    row::<file_roll::FileRoll>("file_roll").also(&["org.apache.flume.sink.RollingFileSink"]),
    row::<logger::Logger>("logger").also(&["org.apache.flume.sink.LoggerSink"]),
    row::<null::Null>("null")
        .also(&["org.apache.flume.sink.NullSink"])
        .shell(&[("logEveryNEvents", "0")]),
    row::<pipe::Pipe>("pipe").positional("command"),
    row::<stream::Stream>("stream").positional("address"),
];

/// The line of a sink.
pub const fn row<T: Args + FromArgMatches + Sink + 'static>(name: &'static str) -> Spec<Box<dyn Sink>> {
    Spec::new::<T>(name, |matches| Ok(Box::new(T::from_arg_matches(matches)?)))
}
