//! The two ends of a channel as the loops see them: an outlet or a sink to put, an inlet to take.

use super::{Channel, ChannelError, Look, Taken};
use crate::ack::{Outcome, Promise, Refusal};
use crate::event::Batch;
use crate::exit::StageError;
use crate::link::{Inlet, Next, Outlet, SendError, Unsettled, Wait};
use crate::metrics::{Count, Counters};
use crate::say;
use crate::stage::{Misfit, Rejected, Sink, SinkError};
use crate::stop::Stop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Puts what a drain loop gives it: one transaction for all batches of a commit.
pub struct PutSink {
    channel: Arc<dyn Channel>,
    counters: Arc<Counters>,
    staged: Vec<Batch>,
    /// In the channel already, of a commit that came only so far: it will be written again.
    put: Vec<Batch>,
}

impl PutSink {
    /// Put into this channel.
    pub fn new(channel: Arc<dyn Channel>, counters: Arc<Counters>) -> Self {
        PutSink {
            channel,
            counters,
            staged: Vec::new(),
            put: Vec::new(),
        }
    }
}

impl PutSink {
    /// In one transaction where that is a sync, and else in one for each batch: a large one would wait for
    /// an empty channel.
    fn put_staged(&mut self) -> Result<(), ChannelError> {
        let together = match self.channel.is_durable() {
            true => self.staged.len().max(1),
            false => 1,
        };
        let mut done = 0;
        for batches in self.staged.chunks(together) {
            if let Err(error) = put_in_parts(&*self.channel, batches) {
                self.put.extend(self.staged.drain(..done));
                return Err(error);
            }
            done += batches.len();
        }
        Ok(())
    }
}

impl Sink for PutSink {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        check_events(&*self.channel, batch)?;
        let slab = |batch: &Batch| batch.encoded().as_ptr_range();
        if !self.put.iter().any(|put| slab(put) == slab(batch)) {
            self.staged.push(batch.clone());
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let events: u64 = self.staged.iter().map(|batch| u64::from(batch.len())).sum();
        self.counters.add(Count::EventPutAttempt, events);
        match self.put_staged() {
            Ok(()) => {
                self.counters.add(Count::EventPutSuccess, events);
                self.staged.clear();
                self.put.clear();
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
        ChannelError::Full(_) | ChannelError::Failed(_) => SinkError::retry(reason),
        ChannelError::Unusable(_) => SinkError::over(reason),
    }
}

/// Every event fits into the channel by itself, or the first that never does is named.
pub(super) fn check_events(channel: &dyn Channel, batch: &Batch) -> Result<(), SinkError> {
    let largest = channel.largest_event();
    if batch.bytes() as u64 <= largest {
        return Ok(());
    }
    for (index, event) in batch.events().enumerate() {
        let bytes = event?.encoded().len() as u64;
        if bytes > largest {
            return Err(SinkError::reject(
                index as u32,
                format!("it has {bytes} bytes and the channel can hold {largest} at the most"),
            ));
        }
    }
    Ok(())
}

/// Put batches in one transaction; those that never fit into one, though each event does, in several. On an
/// error some of those may be in the channel: they come twice when all are put again.
pub(super) fn put_in_parts(channel: &dyn Channel, batches: &[Batch]) -> Result<(), ChannelError> {
    match channel.put(batches) {
        Err(ChannelError::TooLarge(why)) => match batches {
            [] => Err(ChannelError::TooLarge(why)),
            [batch] => {
                let [first, second] = halves(batch).ok_or(ChannelError::TooLarge(why))?;
                put_in_parts(channel, &[first])?;
                put_in_parts(channel, &[second])
            }
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                put_in_parts(channel, first)?;
                put_in_parts(channel, second)
            }
        },
        result => result,
    }
}

/// A batch of several events in two.
fn halves(batch: &Batch) -> Option<[Batch; 2]> {
    super::split(batch, u64::from(batch.len()).div_ceil(2))
        .try_into()
        .ok()
}

/// Puts each batch in a transaction of its own, in the source's thread: for channels in memory.
pub struct PutOutlet {
    channel: Arc<dyn Channel>,
    counters: Arc<Counters>,
    stop: Stop,
    name: String,
    /// Who puts, for messages.
    from: String,
    sent: AtomicU64,
    rejected: Option<Mutex<Box<dyn Rejected>>>,
}

impl PutOutlet {
    /// Put into this channel what `from` sends; keep aside what it can never hold.
    pub fn new(
        channel: Arc<dyn Channel>,
        counters: Arc<Counters>,
        [name, from]: [&str; 2],
        rejected: Option<Box<dyn Rejected>>,
        stop: &Stop,
    ) -> Self {
        PutOutlet {
            channel,
            counters,
            stop: stop.clone(),
            name: name.to_string(),
            from: from.to_string(),
            sent: AtomicU64::new(0),
            rejected: rejected.map(Mutex::new),
        }
    }

    /// Put all of it, in as many transactions as it needs, waiting for room until the grace is over.
    fn put(&self, batch: Batch) -> Result<(), SendError> {
        let mut said = false;
        // No list for what is one part, as almost everything.
        let (mut part, mut rest) = (batch, Vec::new());
        loop {
            match self.channel.put(std::slice::from_ref(&part)) {
                Ok(()) => match rest.pop() {
                    Some(next) => part = next,
                    None => return Ok(()),
                },
                Err(ChannelError::TooLarge(why)) => {
                    let [first, second] = halves(&part).ok_or(SendError::TooLarge(why))?;
                    rest.push(second);
                    part = first;
                }
                Err(ChannelError::Unusable(why)) => return Err(SendError::Failed(why)),
                Err(error) => {
                    let deadline = self.stop.deadline();
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
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
    }

    /// See to the events of a batch that never fit. The error is a refusal of the whole batch and what the
    /// flow ends with.
    fn set_aside(&self, batch: &mut Batch) -> Result<(), (Refusal, SendError)> {
        while let Err(error) = check_events(&*self.channel, batch) {
            let misfit = Misfit {
                stage: &self.name,
                from: &self.from,
                error: &error,
            };
            let Some(rejected) = &self.rejected else {
                self.counters.add(Count::Refused, u64::from(batch.len()));
                let why = format!("{}: {}", self.name, misfit.end(batch));
                return Err((Refusal::reject(misfit.reason(batch)), SendError::TooLarge(why)));
            };
            let mut rejected = rejected.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let kept = misfit.keep(&mut **rejected, batch);
            let kept = kept.map_err(|why| (Refusal::retry(&*why), SendError::Temporary(why)))?;
            self.counters.add(Count::Rejected, kept);
        }
        Ok(())
    }
}

impl Outlet for PutOutlet {
    fn send_promised(&self, mut batch: Batch, promise: Promise) -> Result<(), SendError> {
        batch.sequence = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        if let Err((refusal, error)) = self.set_aside(&mut batch) {
            promise.settle(Outcome::Refused(refusal));
            return Err(error);
        }
        let events = u64::from(batch.len());
        self.counters.add(Count::EventPutAttempt, events);
        self.put(batch)?;
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
    /// What it has seen of the channel: also that nothing more comes before what was taken is settled.
    look: Look,
    /// After a stop, what is in a channel that ends with this process is taken out first.
    drains: Arc<AtomicBool>,
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
        // Before it listens to the stop: what wakes it after this is not missed.
        let look = Look::at(&*channel);
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
            look,
            drains: Arc::new(AtomicBool::new(true)),
        }
    }

    /// While this says false, a stop ends it at once: somebody else takes what is left.
    pub fn draining(mut self, drains: Arc<AtomicBool>) -> Self {
        self.drains = drains;
        self
    }

    fn is_over(&self) -> bool {
        let grace_over = self
            .stop
            .deadline()
            .is_some_and(|deadline| deadline <= Instant::now());
        grace_over
            || self.stop.is_stopping() && (self.channel.is_durable() || !self.drains.load(Ordering::Relaxed))
    }

    fn take(&mut self, deadline: Option<Instant>) -> Result<Taken, StageError> {
        // After a stop somebody must look at the clock: the grace ends without anybody's call.
        let deadline = match self.stop.deadline() {
            Some(grace) => Some(deadline.map_or(grace, |deadline| deadline.min(grace))),
            None => deadline,
        };
        self.channel
            .take_unless_pressed(deadline, &mut self.look)
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
            let pressed = self.look.pressed;
            let taken = self.take(until)?;
            if matches!(taken, Taken::Empty) {
                // An attempt that finds nothing is one, as in Flume.
                self.counters.add(Count::EventTakeAttempt, 1);
            }
            match taken {
                Taken::Delivery(delivery) => {
                    self.look.pressed = false;
                    let events = u64::from(delivery.batch.len());
                    self.counters.add(Count::EventTakeAttempt, events);
                    self.counters.add(Count::EventTakeSuccess, events);
                    return Ok(Next::Delivery(delivery));
                }
                Taken::Finished => return Ok(Next::End),
                Taken::Empty if self.look.pressed != pressed => return Ok(Next::Flush),
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
