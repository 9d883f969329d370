//! Transactions of single events over a channel, for library users (Flume's `Transaction`).
//!
//! Begin, put or take, then commit or roll back. What was put is in the channel when the commit returns, and
//! nobody sees it before. What was taken is gone from the channel when the commit returns; after a rollback
//! it comes again, in its old place, before everything later.
//!
//! A channel hands out batches. Of a batch that was taken only in part the rest stays with the
//! [`Transactional`] and comes first in its next transaction; the channel is told when the last event of
//! the batch is committed. If the process dies before, the whole batch comes again: at least once, as ever.
//!
//! ```
//! use flume::channel::transaction::Transactional;
//! use flume::event::Event;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let memory = flume::component::find(flume::channel::ALL, "memory").ok_or("no such channel")?;
//! let (channel, _) = memory.from_flags(&[])?.open("memory")?;
//! let channel = Transactional::over(channel);
//!
//! let mut transaction = channel.transaction();
//! transaction.begin()?;
//! transaction.put(&Event::new("hello"))?;
//! transaction.commit()?;
//! transaction.close()?;
//!
//! let mut transaction = channel.transaction();
//! transaction.begin()?;
//! let event = transaction.take()?.ok_or("nothing is there")?;
//! assert_eq!(&event.body()[..], b"hello");
//! transaction.commit()?;
//! # Ok(())
//! # }
//! ```

use super::{Channel, ChannelError, Taken};
use crate::ack::{Delivery, Refusal};
use crate::event::{BatchBuilder, Event};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// A channel with transactions of single events. Clones share the batches that were taken in part.
#[derive(Clone)]
pub struct Transactional {
    channel: Arc<dyn Channel>,
    /// Batches of which some events were committed and some not taken, in the order of the channel.
    begun: Arc<Mutex<Vec<Begun>>>,
}

/// A batch that is taken event by event.
struct Begun {
    delivery: Delivery,
    /// Its events that are not taken yet, the next one last.
    left: Vec<Event>,
    /// Of its events, how many were committed by earlier transactions.
    committed: usize,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not begun.
    New,
    /// Events can be put and taken.
    Open,
    /// Committed or rolled back.
    Completed,
    /// Over.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            State::New => "new",
            State::Open => "open",
            State::Completed => "completed",
            State::Closed => "closed",
        })
    }
}

/// Why a transaction could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// It was called in the wrong order.
    #[error("{call} was called on a transaction that is {state}")]
    State {
        /// What was called.
        call: &'static str,
        /// Where the transaction stood.
        state: State,
    },
    /// The channel could not. The transaction is still open: roll it back, or commit again later.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

impl Transactional {
    /// Transactions over this channel.
    pub fn over(channel: Arc<dyn Channel>) -> Self {
        Transactional {
            channel,
            begun: Arc::default(),
        }
    }

    /// A new transaction.
    pub fn transaction(&self) -> Transaction {
        Transaction {
            over: self.clone(),
            state: State::New,
            puts: BatchBuilder::new(),
            taken: Vec::new(),
            now: None,
        }
    }

    /// The channel.
    pub fn channel(&self) -> &Arc<dyn Channel> {
        &self.channel
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Begun>> {
        self.begun.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// One transaction. Dropped while it is open it is rolled back.
pub struct Transaction {
    over: Transactional,
    state: State,
    puts: BatchBuilder,
    /// Batches whose last event was taken here.
    taken: Vec<Begun>,
    /// The batch that events are taken from now.
    now: Option<Begun>,
}

impl Begun {
    /// Errors: the batch holds bytes that are no events.
    fn new(delivery: Delivery) -> Result<Begun, ChannelError> {
        let events = delivery
            .batch
            .events()
            .map(|event| event.map(|event| event.to_event()));
        let left: Result<Vec<_>, _> = events.collect();
        let mut left = left.map_err(|error| {
            ChannelError::Failed(format!("a batch holds bytes that are no events: {error}"))
        })?;
        left.reverse();
        Ok(Begun {
            delivery,
            left,
            committed: 0,
        })
    }

    /// As it was when the last transaction was committed.
    fn rewound(self) -> Result<Begun, ChannelError> {
        let committed = self.committed;
        let mut whole = Begun::new(self.delivery)?;
        whole.left.truncate(whole.left.len() - committed);
        whole.committed = committed;
        Ok(whole)
    }
}

impl Transaction {
    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Open it.
    pub fn begin(&mut self) -> Result<(), TransactionError> {
        self.expect("begin", State::New)?;
        self.state = State::Open;
        Ok(())
    }

    /// Put an event. The channel has it, and others see it, after the commit.
    pub fn put(&mut self, event: &Event) -> Result<(), TransactionError> {
        self.expect("put", State::Open)?;
        self.puts.push_event(event);
        Ok(())
    }

    /// Take the oldest event; `None` when nothing is there now.
    pub fn take(&mut self) -> Result<Option<Event>, TransactionError> {
        self.take_until(Some(Instant::now()))
    }

    /// Take the oldest event, waiting for one until `deadline`, for ever without one.
    pub fn take_until(&mut self, deadline: Option<Instant>) -> Result<Option<Event>, TransactionError> {
        self.expect("take", State::Open)?;
        loop {
            if let Some(event) = self.now.as_mut().and_then(|now| now.left.pop()) {
                return Ok(Some(event));
            }
            self.taken.extend(self.now.take());
            self.now = self.next(deadline)?;
            if self.now.is_none() {
                return Ok(None);
            }
        }
    }

    fn next(&self, deadline: Option<Instant>) -> Result<Option<Begun>, TransactionError> {
        {
            let mut begun = self.over.lock();
            if !begun.is_empty() {
                return Ok(Some(begun.remove(0)));
            }
        }
        match self.over.channel.take(deadline)? {
            Taken::Delivery(delivery) => Ok(Some(Begun::new(delivery)?)),
            Taken::Empty | Taken::Finished => Ok(None),
        }
    }

    /// Make it happen: first what was put, then what was taken. When the channel cannot take what was put,
    /// nothing has happened and the transaction is still open.
    pub fn commit(&mut self) -> Result<(), TransactionError> {
        self.expect("commit", State::Open)?;
        if !self.puts.is_empty() {
            let batch = self.puts.finish();
            if let Err(error) = self.over.channel.put(std::slice::from_ref(&batch)) {
                batch
                    .events()
                    .flatten()
                    .for_each(|event| self.puts.push_encoded(event));
                return Err(error.into());
            }
        }
        self.taken.drain(..).for_each(|whole| whole.delivery.accept());
        if let Some(mut now) = self.now.take() {
            match now.left.is_empty() {
                true => now.delivery.accept(),
                false => {
                    now.committed = now.delivery.batch.len() as usize - now.left.len();
                    self.over.lock().insert(0, now);
                }
            }
        }
        self.state = State::Completed;
        Ok(())
    }

    /// As if nothing had been put or taken.
    pub fn rollback(&mut self) -> Result<(), TransactionError> {
        self.expect("rollback", State::Open)?;
        drop(self.puts.finish());
        // The last one first: each goes back in front of those behind it.
        let began = self.taken.drain(..).chain(self.now.take());
        for begun in began.collect::<Vec<_>>().into_iter().rev() {
            match begun.committed {
                0 => begun
                    .delivery
                    .refuse(Refusal::retry("the transaction was rolled back")),
                _ => self.over.lock().insert(0, begun.rewound()?),
            }
        }
        self.state = State::Completed;
        Ok(())
    }

    /// The end of it. An open transaction cannot be closed.
    pub fn close(&mut self) -> Result<(), TransactionError> {
        match self.state {
            State::Open => Err(self.wrong("close")),
            _ => {
                self.state = State::Closed;
                Ok(())
            }
        }
    }

    fn expect(&self, call: &'static str, wanted: State) -> Result<(), TransactionError> {
        match self.state == wanted {
            true => Ok(()),
            false => Err(self.wrong(call)),
        }
    }

    fn wrong(&self, call: &'static str) -> TransactionError {
        TransactionError::State {
            call,
            state: self.state,
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.state == State::Open {
            // A batch that cannot be rewound goes back to the channel as a whole when it is dropped.
            let _ = self.rollback();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component;

    fn memory(words: &[&str]) -> Transactional {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let spec = component::find(super::super::ALL, "memory").unwrap();
        let (channel, _) = spec.from_flags(&words).unwrap().open("memory").unwrap();
        Transactional::over(channel)
    }

    fn begun(channel: &Transactional) -> Transaction {
        let mut transaction = channel.transaction();
        transaction.begin().unwrap();
        transaction
    }

    fn put(channel: &Transactional, bodies: &[&str]) {
        let mut transaction = begun(channel);
        for body in bodies {
            transaction.put(&Event::new(body.to_string())).unwrap();
        }
        transaction.commit().unwrap();
        transaction.close().unwrap();
    }

    fn take(transaction: &mut Transaction, count: usize) -> Vec<String> {
        let next = |_| transaction.take().unwrap();
        let events = (0..count).map_while(next);
        events
            .map(|event| String::from_utf8(event.body().to_vec()).unwrap())
            .collect()
    }

    /// Take so many, commit, and say what they were.
    fn taken(channel: &Transactional, count: usize) -> Vec<String> {
        let mut transaction = begun(channel);
        let bodies = take(&mut transaction, count);
        transaction.commit().unwrap();
        bodies
    }

    #[test]
    fn what_is_put_is_seen_after_the_commit_and_not_after_a_rollback() {
        let channel = memory(&[]);
        let mut transaction = begun(&channel);
        transaction.put(&Event::new("a")).unwrap();
        assert!(taken(&channel, 1).is_empty(), "seen before its commit");
        transaction.commit().unwrap();
        assert_eq!(taken(&channel, 9), ["a"]);
        let mut transaction = begun(&channel);
        transaction.put(&Event::new("b")).unwrap();
        transaction.rollback().unwrap();
        assert!(taken(&channel, 1).is_empty());
    }

    #[test]
    fn rolled_back_take_puts_events_back_at_the_head_in_their_order() {
        let channel = memory(&[]);
        put(&channel, &["a", "b"]);
        put(&channel, &["c"]);
        put(&channel, &["d", "e"]);
        let mut transaction = begun(&channel);
        assert_eq!(take(&mut transaction, 4), ["a", "b", "c", "d"]);
        transaction.rollback().unwrap();
        assert_eq!(taken(&channel, 9), ["a", "b", "c", "d", "e"]);
        assert_eq!(channel.channel().fill().events, 0);
    }

    #[test]
    fn rest_of_a_batch_taken_in_part_comes_first_in_the_next_transaction() {
        let channel = memory(&[]);
        put(&channel, &["a", "b", "c", "d"]);
        put(&channel, &["e"]);
        assert_eq!(taken(&channel, 1), ["a"]);
        let mut transaction = begun(&channel);
        assert_eq!(take(&mut transaction, 2), ["b", "c"]);
        transaction.rollback().unwrap();
        let mut transaction = begun(&channel);
        assert_eq!(take(&mut transaction, 4), ["b", "c", "d", "e"]);
        drop(transaction);
        assert_eq!(taken(&channel.clone(), 9), ["b", "c", "d", "e"]);
        assert_eq!(channel.channel().fill().events, 0);
    }

    #[test]
    fn batch_taken_in_part_comes_again_whole_when_its_taker_is_gone() {
        let channel = memory(&[]);
        put(&channel, &["a", "b"]);
        assert_eq!(taken(&Transactional::over(channel.channel().clone()), 1), ["a"]);
        assert_eq!(taken(&channel, 9), ["a", "b"]);
    }

    #[test]
    fn calls_outside_open_are_errors_that_name_the_state() {
        let channel = memory(&[]);
        let mut transaction = channel.transaction();
        let error = transaction.put(&Event::new("a")).unwrap_err();
        assert_eq!(error.to_string(), "put was called on a transaction that is new");
        assert!(
            transaction.take().is_err() && transaction.commit().is_err() && transaction.rollback().is_err()
        );
        transaction.begin().unwrap();
        assert!(transaction.begin().is_err());
        let error = transaction.close().unwrap_err();
        assert_eq!(
            error.to_string(),
            "close was called on a transaction that is open"
        );
        transaction.commit().unwrap();
        assert!(transaction.take().is_err() && transaction.commit().is_err());
        transaction.close().unwrap();
        assert_eq!(transaction.state(), State::Closed);
        assert!(transaction.begin().is_err());
    }

    #[test]
    fn commit_into_a_full_channel_fails_and_can_be_done_again() {
        let channel = memory(&["--capacity=2", "--keep-alive=0"]);
        put(&channel, &["a", "b"]);
        let mut transaction = begun(&channel);
        transaction.put(&Event::new("c")).unwrap();
        let error = transaction.commit().unwrap_err();
        assert!(
            matches!(error, TransactionError::Channel(ChannelError::Full(_))),
            "{error}"
        );
        assert_eq!(transaction.state(), State::Open);
        assert_eq!(taken(&channel, 2), ["a", "b"]);
        transaction.commit().unwrap();
        assert_eq!(taken(&channel, 2), ["c"]);
    }
}
