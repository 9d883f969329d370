//! Channels: what holds events between a source and a sink, and takes responsibility for them.

pub mod file;

use crate::ack::Delivery;
use crate::event::Batch;
use std::time::Instant;

/// Why a channel could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// No place now (Flume's `ChannelFullException`): wait and try again.
    #[error("{0}")]
    Full(String),
    /// Never a place: one event is larger than the whole channel.
    #[error("{0}")]
    TooLarge(String),
    /// The disk or another part of the system fails; it may work again later.
    #[error("{0}")]
    Failed(String),
    /// The channel can not be used here at all: not a channel, another version, in use.
    #[error("{0}")]
    Unusable(String),
}

/// What a take found.
pub enum Taken {
    /// A batch, to be accepted (a commit of Flume's take transaction) or refused (a rollback).
    Delivery(Delivery),
    /// Nothing until the deadline, or somebody called [`Channel::wake`].
    Empty,
    /// Nothing, and nobody will put any more ([`Channel::finish_put`] was called).
    Finished,
}

/// How full a channel is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fill {
    /// Events in it, also those that were taken and not accepted yet.
    pub events: u64,
    /// Bytes of their encoded form.
    pub bytes: u64,
    /// Events that it may hold; 0 without a bound.
    pub capacity: u64,
}

/// A channel. Shared by all who put and take.
pub trait Channel: Send + Sync {
    /// Put batches in one transaction: when this returns, the channel has taken responsibility for all of
    /// them, as far as it promises (memory: until the process ends; file: on the disk). Waits for room as
    /// long as the channel's keep-alive says; on an error none of the batches is in the channel.
    fn put(&self, batches: &[Batch]) -> Result<(), ChannelError>;

    /// Take the oldest batch, waiting for one until `deadline` (for ever without one; not at all with one
    /// that has passed). A batch comes to exactly one taker; refused, it comes again, in its old place.
    fn take(&self, deadline: Option<Instant>) -> Result<Taken, ChannelError>;

    /// Nobody here will put any more: a take that finds nothing says [`Taken::Finished`] from now on.
    fn finish_put(&self);

    /// Let every take that waits come back with [`Taken::Empty`].
    fn wake(&self);

    /// How full it is.
    fn fill(&self) -> Fill;

    /// The name that origins in its batches count in; empty for a channel without positions.
    fn id(&self) -> String {
        String::new()
    }

    /// Make acceptances durable that were only noted so far. Called before a taker ends.
    fn sync_takes(&self) -> Result<(), ChannelError> {
        Ok(())
    }
}
