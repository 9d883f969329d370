//! The two ends of a channel as the loops see them: an outlet or a sink to put, an inlet to take.

use super::{Channel, ChannelError, Taken};
use crate::ack::{Outcome, Promise};
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::{Inlet, Next, Outlet, SendError, Unsettled, Wait};
use crate::metrics::{Count, Counters};
use crate::say;
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Puts what a drain loop gives it: one transaction for all batches of a commit.
pub struct PutSink {
    channel: Arc<dyn Channel>,
    counters: Arc<Counters>,
    staged: Vec<Batch>,
}

impl PutSink {
    /// Put into this channel.
    pub fn new(channel: Arc<dyn Channel>, counters: Arc<Counters>) -> Self {
        PutSink {
            channel,
            counters,
            staged: Vec::new(),
        }
    }
}

impl Sink for PutSink {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let largest = self.channel.largest_event();
        if batch.bytes() as u64 > largest {
            for (index, event) in batch.events().enumerate() {
                let bytes = event?.encoded().len() as u64;
                if bytes > largest {
                    return Err(SinkError::reject(
                        index as u32,
                        format!("it has {bytes} bytes and the channel can hold {largest} at the most"),
                    ));
                }
            }
        }
        self.staged.push(batch.clone());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let events: u64 = self.staged.iter().map(|batch| u64::from(batch.len())).sum();
        self.counters.add(Count::EventPutAttempt, events);
        match self.channel.put(&self.staged) {
            Ok(()) => {
                self.counters.add(Count::EventPutSuccess, events);
                self.staged.clear();
                Ok(())
            }
            Err(error) => {
                self.counters.add(Count::EventPutError, events);
                Err(put_error(error))
            }
        }
    }

    fn rollback(&mut self) {
        self.staged.clear();
    }
}

fn put_error(error: ChannelError) -> SinkError {
    let reason = error.to_string();
    match error {
        ChannelError::TooLarge(_) => SinkError::reject(0, reason),
        ChannelError::Full(_) | ChannelError::Failed(_) | ChannelError::Unusable(_) => {
            SinkError::retry(reason)
        }
    }
}

/// Puts each batch in a transaction of its own, in the source's thread: for channels in memory.
pub struct PutOutlet {
    channel: Arc<dyn Channel>,
    counters: Arc<Counters>,
    stop: Stop,
    name: String,
}

impl PutOutlet {
    /// Put into this channel.
    pub fn new(channel: Arc<dyn Channel>, counters: Arc<Counters>, name: &str, stop: &Stop) -> Self {
        PutOutlet {
            channel,
            counters,
            stop: stop.clone(),
            name: name.to_string(),
        }
    }
}

impl Outlet for PutOutlet {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let events = u64::from(batch.len());
        self.counters.add(Count::EventPutAttempt, events);
        let mut said = false;
        loop {
            match self.channel.put(std::slice::from_ref(&batch)) {
                Ok(()) => break,
                Err(ChannelError::TooLarge(why)) => return Err(SendError::TooLarge(why)),
                Err(ChannelError::Unusable(why)) => return Err(SendError::Failed(why)),
                Err(error) => {
                    if self
                        .stop
                        .deadline()
                        .is_some_and(|deadline| deadline <= Instant::now())
                    {
                        return Err(SendError::Temporary(error.to_string()));
                    }
                    if !std::mem::replace(&mut said, true) {
                        say::warn(&self.name, format!("{error}; waiting for room"));
                    }
                    // A channel that keeps nobody waiting must not keep a processor busy.
                    std::thread::sleep(PUT_AGAIN);
                }
            }
        }
        self.counters.add(Count::EventPutSuccess, events);
        promise.settle(Outcome::Accepted);
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        Ok(())
    }

    fn finish(&self, _deadline: Option<Instant>) -> Result<(), SendError> {
        Ok(())
    }

    fn on_settled(&self, _then: Box<dyn Fn() + Send + Sync>) {}

    fn unsettled(&self) -> Unsettled {
        Unsettled::default()
    }
}

/// The pause before a put that failed is tried again.
const PUT_AGAIN: Duration = Duration::from_millis(10);

/// Takes from a channel.
pub struct TakeInlet {
    channel: Arc<dyn Channel>,
    counters: Arc<Counters>,
    stop: Stop,
    until_empty: bool,
    name: String,
    opened: Instant,
}

/// How long a take that is to end when the channel is empty waits before it looks again whether a batch of
/// a process that died has come back.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl TakeInlet {
    /// Take until nobody will put any more, or, `until_empty`, until nothing is left.
    pub fn new(
        channel: Arc<dyn Channel>,
        counters: Arc<Counters>,
        name: &str,
        until_empty: bool,
        stop: &Stop,
    ) -> Self {
        let waker = Arc::downgrade(&channel);
        stop.on_stop(move || {
            if let Some(channel) = waker.upgrade() {
                channel.wake();
            }
        });
        TakeInlet {
            channel,
            counters,
            stop: stop.clone(),
            until_empty,
            name: name.to_string(),
            opened: Instant::now(),
        }
    }

    fn is_over(&self) -> bool {
        let grace_over = self
            .stop
            .deadline()
            .is_some_and(|deadline| deadline <= Instant::now());
        grace_over || self.stop.is_stopping() && self.channel.is_durable()
    }

    fn take(&self, deadline: Option<Instant>) -> Result<Taken, StageError> {
        // After a stop somebody must look at the clock: the grace ends without anybody's call.
        let deadline = match self.stop.deadline() {
            Some(grace) => Some(deadline.map_or(grace, |deadline| deadline.min(grace))),
            None => deadline,
        };
        self.channel
            .take(deadline)
            .map_err(|error| StageError::Temporary(error.to_string()))
    }
}

impl Inlet for TakeInlet {
    fn next(&mut self, wait: Wait) -> Result<Next, StageError> {
        let deadline = match wait {
            // Any time that has passed: this is asked before each batch, and a clock is dearer than one.
            Wait::No => Some(self.opened),
            other => other.deadline(),
        };
        loop {
            if self.is_over() {
                return Ok(Next::Stopped);
            }
            let until = match self.until_empty {
                true => Some(deadline.map_or(Instant::now(), |deadline| deadline.min(Instant::now()))),
                false => deadline,
            };
            match self.take(until)? {
                Taken::Delivery(delivery) => {
                    let events = u64::from(delivery.batch.len());
                    self.counters.add(Count::EventTakeAttempt, events);
                    self.counters.add(Count::EventTakeSuccess, events);
                    return Ok(Next::Delivery(delivery));
                }
                Taken::Finished => return Ok(Next::End),
                Taken::Empty if wait == Wait::No => return Ok(Next::Idle),
                Taken::Empty if self.until_empty => {
                    if self.channel.is_drained() {
                        return Ok(Next::End);
                    }
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Ok(Next::Idle);
                    }
                    self.stop.sleep(LOOK_AGAIN);
                }
                Taken::Empty if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Ok(Next::Idle);
                }
                Taken::Empty => {}
            }
        }
    }

    fn flush_settled(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    fn settler(&self) -> Box<dyn Fn() + Send + Sync> {
        Box::new(|| {})
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn close(&mut self) {
        if let Err(error) = self.channel.sync_takes() {
            say::warn(
                &self.name,
                format!("the last acceptances are not on the disk: {error}"),
            );
        }
    }
}

/// Check a result of opening: wrong use ends the start with 2, a channel in use with 75.
pub fn opened<T>(result: Result<T, ChannelError>) -> Result<T, StageError> {
    result.map_err(|error| match error {
        ChannelError::Unusable(why) => StageError::Usage(why),
        ChannelError::Full(why) => StageError::Temporary(why),
        other => StageError::Failed(other.to_string()),
    })
}

/// What a stage that only opened a channel has to say at its end.
pub fn closed(channel: &dyn Channel) -> StageResult {
    channel
        .sync_takes()
        .map_err(|error| StageError::Failed(format!("the channel cannot be closed: {error}")))
}
