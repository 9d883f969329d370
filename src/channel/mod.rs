//! Channels: what holds events between a source and a sink, and takes responsibility for them.

pub mod ends;
pub mod file;
pub mod memory;
pub mod once;
pub mod pseudotxn;
pub mod transaction;

use crate::ack::Delivery;
use crate::component::Spec;
use crate::event::{Batch, BatchBuilder};
use crate::exit::{StageError, StageResult};
use clap::{Args, FromArgMatches};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All channels.
pub const ALL: &[Spec<Box<dyn Settings>>] = &[
    row::<file::settings::File>("file")
        .also(&["org.apache.flume.channel.file.FileChannel"])
        .positional("directory")
        .shell(&[
            ("capacity", "0"),
            ("transactionCapacity", "0"),
            ("maxFileSize", "64MiB"),
            ("minimumRequiredSpace", "1MiB"),
        ]),
    row::<memory::Settings>("memory")
        .also(&["org.apache.flume.channel.MemoryChannel"])
        .shell(&[("capacity", "100000"), ("transactionCapacity", "100000")]),
    row::<pseudotxn::Settings>("pseudotxn").also(&["org.apache.flume.channel.PseudoTxnMemoryChannel"]),
];

/// The line of a channel.
pub const fn row<T: Args + FromArgMatches + Settings + 'static>(
    name: &'static str,
) -> Spec<Box<dyn Settings>> {
    Spec::new::<T>(name, |matches| Ok(Box::new(T::from_arg_matches(matches)?)))
}

/// Which ends of a channel a stage uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Puts and takes.
    Both,
    /// Only puts: somebody else takes.
    Put,
    /// Only takes; ends when nothing is left, if so told.
    Take {
        /// End when nothing is left.
        until_empty: bool,
    },
}

/// Settings of a channel, from which it is opened.
pub trait Settings: Send {
    /// Open it, and say which of its ends this stage uses. `name` is for messages.
    fn open(&self, name: &str) -> Result<(Arc<dyn Channel>, Ends), StageError>;

    /// What it does instead when it was told to look after itself rather than to hold events: prints, and
    /// ends. Opening one with such settings is wrong usage.
    fn tool(&self, _name: &str) -> Option<StageResult> {
        None
    }
}

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

/// What a taker has seen of a channel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// It was told that nothing comes before what it took is settled.
    pub pressed: bool,
    /// How often the channel had woken its takers.
    pub wakes: u64,
}

impl Look {
    /// As a taker that begins now.
    pub fn at(channel: &dyn Channel) -> Look {
        Look {
            pressed: false,
            wakes: channel.wakes(),
        }
    }

    /// As [`Channel::take`] has it: never pressed; one that would wait for ever is woken by what woke others before.
    pub(crate) fn plain(deadline: Option<Instant>, wakes: u64) -> Look {
        Look {
            pressed: true,
            wakes: deadline.map_or(0, |_| wakes),
        }
    }

    /// Was it woken since it looked last?
    pub(crate) fn is_woken(&mut self, wakes: u64) -> bool {
        std::mem::replace(&mut self.wakes, wakes) != wakes
    }
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

    /// As [`Channel::take`], but not waiting while nothing can come before what was taken is settled, since
    /// there is no room or nobody will put any more: then `look` is pressed, and nothing was found. It waits
    /// if that was so before. What woke others before `look` was made does not wake this one.
    fn take_unless_pressed(
        &self,
        deadline: Option<Instant>,
        _look: &mut Look,
    ) -> Result<Taken, ChannelError> {
        self.take(deadline)
    }

    /// How often [`Channel::wake`] was called.
    fn wakes(&self) -> u64 {
        0
    }

    /// Nobody here will put any more: a take that finds nothing says [`Taken::Finished`] from now on.
    fn finish_put(&self);

    /// Nobody takes any more, and nobody will: a put that waits for room need not wait. For a channel that
    /// ends with its process.
    fn finish_take(&self) {}

    /// Let every take that waits come back with [`Taken::Empty`], also one that is on its way: a [`Channel::take`] that
    /// would wait for ever from now on, and [`Channel::take_unless_pressed`] once for each look.
    fn wake(&self);

    /// How full it is.
    fn fill(&self) -> Fill;

    /// How long the oldest event that is not accepted has been in it; `None` for an empty channel, and where nobody
    /// knows. Cheap enough to be asked for each second.
    fn oldest(&self) -> Option<Duration> {
        None
    }

    /// Events that it dropped since it was opened, because they were older than it was told to keep them.
    fn expired(&self) -> u64 {
        0
    }

    /// The name that origins in its batches count in; empty for a channel without positions.
    fn id(&self) -> String {
        String::new()
    }

    /// Bytes of the largest event that it can ever hold.
    fn largest_event(&self) -> u64 {
        u64::MAX
    }

    /// What it holds survives its process: a stop need not wait until it is empty.
    fn is_durable(&self) -> bool {
        false
    }

    /// Nothing waits, and nothing that was given out by a process that has died can come back.
    fn is_drained(&self) -> bool {
        self.fill().events == 0
    }

    /// Put what another channel held in whose place this one has come, whatever room there is.
    fn adopt(&self, batch: &Batch) -> Result<(), ChannelError> {
        self.put(std::slice::from_ref(batch))
    }

    /// Make acceptances durable that were only noted so far. Called before a taker ends.
    fn sync_takes(&self) -> Result<(), ChannelError> {
        Ok(())
    }
}

/// Cut a batch into parts of at most `most` events. A batch that fits is handed back as it is.
pub fn split(batch: &Batch, most: u64) -> Vec<Batch> {
    if u64::from(batch.len()) <= most {
        return vec![batch.clone()];
    }
    let mut parts = Vec::new();
    let mut part = BatchBuilder::new();
    for event in batch.events().map_while(Result::ok) {
        if u64::from(part.len()) == most {
            parts.push(part.finish());
        }
        part.push_encoded(event);
    }
    parts.push(part.finish());
    parts
}
