//! The agent: a graph of components in one process, each started, supervised and stopped by itself.
//!
//! A [`host`] keeps the two together: [`provider`] says where the configuration is, [`config`] reads an Apache Flume properties file into a [`crate::flow::graph::Graph`], and [`engine`] runs that.
//! Its components run in the loops of [`crate::stage`], joined as in every other composition; what is added
//! here is that they have names, that one that fails is started again while the others go on, and that the
//! graph may change while it runs.

pub mod config;
pub mod provider;
pub mod embedded;
pub mod engine;
pub mod host;
pub mod monitor;
pub mod control;
