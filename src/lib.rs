//! `flume`: composable pipe stages that collect, buffer, route and deliver events, and keep Flume's promise:
//! an event leaves one hop only when the next hop has taken responsibility for it.
//!
//! # The trip of an event
//!
//! ```text
//!     source ---> intercept ---> channel ---> intercept ---> sink
//!        | batch                  ^ put  | take                | write, commit
//!        v                        |      v                     v
//!     Outlet ====== link ======> Inlet  Outlet == link ====> Inlet
//!        ^                        |      ^                     |
//!        +------- Receipt <-------+      +------ Receipt <-----+   accept | refuse
//! ```
//!
//! A link is a queue in memory, a pipe, a socket, a file or a channel. What travels is a [`event::Batch`], one
//! slab of Avro-encoded events; what travels back is told in [`ack`]. A stage of a shell pipeline, `flume
//! run` and a library user start the same [`flow::Flow`] with the same loops of [`stage`]; an [`agent`] reads an
//! Apache Flume properties file into a [`flow::graph::Graph`] and runs each of its components in them, too.
//!
//! The modules, in the order in which an event meets them: each uses only what stands above it or what it
//! leans on.

#![deny(unsafe_code)]
#![warn(missing_docs)]

// what travels
pub mod event;
pub mod wire;
// what travels back
pub mod ack;
// the way it goes
pub mod link;
pub mod stage;
pub mod source;
pub mod intercept;
pub mod select;
pub mod channel;
pub mod group;
pub mod sink;
// what stages lean on: these know events, bytes and descriptors, never stages
pub mod codec;
pub mod rpc;
pub mod syslog;
pub mod fd;
pub mod slab;
pub mod threads;
pub mod kept;
pub mod tls;
pub mod stop;
pub mod say;
pub mod charset;
pub mod date;
pub mod path;
pub mod this_host;
pub mod value;
pub mod properties;
pub mod pattern;
pub mod metrics;
// what sends to other machines
pub mod client;
// what starts them
pub mod component;
pub mod external;
pub mod flow;
pub mod agent;
pub mod cli;
pub mod exit;
