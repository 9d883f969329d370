//! The agent: a graph of components in one process, each started, supervised and stopped by itself.
//!
//! [`engine`] runs a [`crate::flow::graph::Graph`]. Its components run in the loops of [`crate::stage`], joined
//! as in every other composition; what is added here is that they have names, that one that fails is started
//! again while the others go on, and that the graph may change while it runs.

pub mod engine;
