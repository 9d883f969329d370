//! Streams into a channel processor: each delivery is settled as its receipt resolves, and the writer told.

use crate::ack::{Delivery, Outcome, Refusal};
use crate::exit::{StageError, StageResult};
use crate::link::sessions::{Begun, Sessions};
use crate::link::{Inlet, Next, StreamInlet, Wait};
use crate::metrics::Count;
use crate::say;
use crate::source::idle::Patience;
use crate::stage::ChannelProcessor;
use crate::threads;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a writer may take to read its last acceptances before it is given up.
const TELL_PATIENCE: Duration = Duration::from_secs(10);

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A batch, or nothing yet.
    Some,
    /// The stream has ended, or a stop was wished.
    End,
}

/// Takes one stream in.
pub struct Intake {
    inlet: StreamInlet,
    account: Arc<Account>,
    teller: Option<JoinHandle<()>>,
    peer: String,
    sessions: Option<Sessions>,
    patience: Option<Patience>,
    /// Bytes of whole frames that had come when it was last waited.
    read: u64,
}

impl Intake {
    /// Take in what comes by this inlet; `peer` names the writer.
    pub fn new(inlet: StreamInlet, peer: &str) -> Intake {
        Intake {
            inlet,
            account: Arc::default(),
            teller: None,
            peer: peer.to_string(),
            sessions: None,
            patience: None,
            read: 0,
        }
    }

    /// From the first batch on there is somebody to be told of it.
    fn begin_to_tell(&mut self) -> Result<(), StageError> {
        if self.teller.is_some() {
            return Ok(());
        }
        let (settler, told) = (self.inlet.settler(), self.account.clone());
        let started = threads::start("flume-teller", 128 << 10, move || told.tell_all(&*settler));
        let failed = |error| StageError::Temporary(format!("{}: {error}", self.peer));
        self.teller = Some(started.map_err(failed)?);
        Ok(())
    }

    /// With no more patience than this with a writer that says nothing.
    pub fn with_patience(mut self, patience: Patience) -> Intake {
        self.patience = Some(patience);
        self
    }

    /// Take nothing twice of what is remembered here.
    pub fn remembering(mut self, sessions: &Sessions) -> Intake {
        self.sessions = Some(sessions.clone());
        self
    }

    /// What is read.
    pub fn input(&self) -> &OwnedFd {
        self.inlet.input()
    }

    /// The stream that a batch belongs to, and its number there, if it can come again over another connection.
    fn identity(&self, delivery: &Delivery) -> Option<Identified> {
        let sessions = self.sessions.clone()?;
        let hello = self.inlet.hello().filter(|hello| hello.wants_welcome())?;
        let number = Some(delivery.batch.origin).filter(|number| *number > 0)?;
        let stream = hello.origin.clone();
        Some(Identified {
            sessions,
            stream,
            number,
        })
    }

    /// Take what comes next, waiting for it. The error is about this stream.
    pub fn step(&mut self, to: &Arc<ChannelProcessor>) -> Result<Taken, StageError> {
        let next = match self.inlet.next(Wait::No)? {
            Next::Idle => {
                hand_on_all(to);
                match self.wait(to)? {
                    Some(next) => next,
                    None => return Ok(Taken::End),
                }
            }
            next => next,
        };
        match next {
            Next::Delivery(delivery) => {
                self.begin_to_tell()?;
                self.account.change(|owed| owed.batches += 1);
                let identified = self.identity(&delivery);
                take(delivery, identified, &self.account, to, &self.peer)?;
            }
            Next::Flush => or_stop(to, to.ask_flush()),
            Next::Idle => {}
            Next::End | Next::Stopped => return Ok(Taken::End),
            Next::Broken(error) => return Err(error),
        }
        Ok(Taken::Some)
    }

    /// Wait for what comes next; nothing if the writer was silent for too long.
    fn wait(&mut self, to: &ChannelProcessor) -> Result<Option<Next>, StageError> {
        let Some(patience) = &mut self.patience else {
            return Ok(Some(self.inlet.next(Wait::Forever)?));
        };
        loop {
            let (read, begun) = self.inlet.progress();
            if std::mem::replace(&mut self.read, read) != read {
                patience.renew();
            }
            // A stream begins when its connection does.
            let owed = if self.inlet.has_begun() {
                begun
            } else {
                begun.max(1)
            };
            let deadline = patience.deadline(owed);
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // Until then it was the writer that waited.
                if owed == 0 && patience.saw(self.account.settled_at()) {
                    continue;
                }
                let why = format!("{}: {}", self.peer, patience.reason(begun));
                if owed > 0 {
                    return Err(StageError::Failed(why));
                }
                say::info(to.counters().name(), format!("{why}: the connection is closed"));
                return Ok(None);
            }
            match self.inlet.next(deadline.map_or(Wait::Forever, Wait::Until))? {
                Next::Idle => {}
                next => return Ok(Some(next)),
            }
        }
    }

    /// Wait until everything that came is settled and the writer knows it: false if it does not read.
    pub fn finish(&self, to: &Arc<ChannelProcessor>) -> bool {
        hand_on_all(to);
        if self.teller.is_none() {
            self.inlet.settler()();
            return true;
        }
        self.account.wait(to, None, |owed| owed.batches == 0);
        self.account.change(|owed| owed.over = true);
        self.account
            .wait(to, Some(Instant::now() + TELL_PATIENCE), |owed| owed.told);
        self.account.lock().told
    }

    /// Wait for the thread that tells; whoever does not read must have been hung up on before.
    pub fn join(mut self) {
        self.account.change(|owed| owed.over = true);
        if let Some(teller) = self.teller.take() {
            let _ = teller.join();
        }
    }
}

impl Drop for Intake {
    /// The thread that tells ends also when nobody waits for it.
    fn drop(&mut self) {
        self.account.change(|owed| owed.over = true);
    }
}

/// What a client is owed.
#[derive(Default)]
struct Account {
    owed: Mutex<Owed>,
    changed: Condvar,
}

#[derive(Default)]
struct Owed {
    batches: u64,
    /// When one was settled last.
    settled: Option<Instant>,
    /// Something was settled and the client was not told yet.
    news: bool,
    /// Nothing more will be owed; and the client was told everything.
    over: bool,
    told: bool,
}

impl Account {
    fn lock(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn change(&self, change: impl FnOnce(&mut Owed)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn settled(&self) {
        self.change(|owed| {
            owed.batches -= 1;
            owed.settled = Some(Instant::now());
            owed.news = true;
        });
    }

    /// When the last batch was settled; while one is not, that is now.
    fn settled_at(&self) -> Option<Instant> {
        let owed = self.lock();
        match owed.batches {
            0 => owed.settled,
            _ => Some(Instant::now()),
        }
    }

    /// Wait until `done`, `deadline` passes, or the time after `stop` does.
    fn wait(&self, to: &ChannelProcessor, deadline: Option<Instant>, done: impl Fn(&Owed) -> bool) {
        let mut owed = self.lock();
        let is_over = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= Instant::now());
        while !done(&owed) && !is_over(deadline) && !is_over(to.stop().deadline()) {
            let waited = self.changed.wait_timeout(owed, Duration::from_millis(200));
            owed = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    /// Tell the client each time that something was settled. In a thread of its own: a client that does not
    /// read must not hold up who settles for all.
    fn tell_all(&self, settler: &dyn Fn()) {
        loop {
            let mut owed = self.lock();
            while !owed.news && !owed.over {
                owed = self
                    .changed
                    .wait(owed)
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
            }
            owed.news = false;
            let over = owed.over;
            drop(owed);
            settler();
            if over {
                return self.change(|owed| owed.told = true);
            }
        }
    }
}

fn hand_on_all(to: &ChannelProcessor) {
    or_stop(to, to.flush());
}

/// When nothing more can be handed on the source ends and says why.
fn or_stop(to: &ChannelProcessor, handed_on: StageResult) {
    if handed_on.is_err() {
        to.stop().stop();
    }
}

/// A batch that may come again, by the numbers of its stream.
struct Identified {
    sessions: Sessions,
    stream: String,
    number: u64,
}

impl Identified {
    fn settled(&self, outcome: &Outcome) {
        self.sessions.settled(&self.stream, self.number, outcome);
    }
}

/// Settle a batch that came before: at once, or when the first of its kind is settled. `None` if it did not.
fn settle_repeated(identified: &Identified, delivery: Delivery, account: &Arc<Account>) -> Option<Delivery> {
    let slot = Arc::new(Mutex::new(Some(delivery)));
    let (waiting, owed) = (slot.clone(), account.clone());
    let take = |slot: &Mutex<Option<Delivery>>| slot.lock().unwrap_or_else(|p| p.into_inner()).take();
    let waiter = move |outcome| {
        if let Some(delivery) = take(&waiting) {
            delivery.settle(outcome);
            owed.settled();
        }
    };
    match identified
        .sessions
        .begin(&identified.stream, identified.number, waiter)
    {
        Begun::Fresh => take(&slot),
        Begun::Pending => None,
        Begun::Accepted => {
            if let Some(delivery) = take(&slot) {
                delivery.accept();
            }
            account.settled();
            None
        }
    }
}

/// Hand on one batch; it is settled as its receipt resolves.
fn take(
    mut delivery: Delivery,
    identified: Option<Identified>,
    account: &Arc<Account>,
    to: &Arc<ChannelProcessor>,
    peer: &str,
) -> StageResult {
    let sequence = delivery.batch.sequence;
    // Whoever reads it later must be able to rely on it: bad bytes stop here.
    if let Err(fault) = delivery.batch.check() {
        let why = format!("{peer}: batch {sequence} holds bytes that are no events: {fault}");
        delivery.refuse(Refusal::reject(why.clone()));
        account.settled();
        return Err(StageError::Failed(why));
    }
    if let Some(identified) = &identified {
        match settle_repeated(identified, delivery, account) {
            Some(fresh) => delivery = fresh,
            None => return Ok(()),
        }
    }
    // A position counts in its client's channel, and there are many clients.
    delivery.batch.origin = 0;
    let receipt = match to.process(delivery.batch.clone()) {
        Ok(receipt) => receipt,
        Err(error) => {
            let refusal = Refusal::retry(error.to_string());
            if let Some(identified) = &identified {
                identified.settled(&Outcome::Refused(refusal.clone()));
            }
            delivery.refuse(refusal);
            account.settled();
            to.stop().stop();
            return Err(StageError::Temporary(format!(
                "{peer}: batch {sequence} was not handed on: {error}"
            )));
        }
    };
    let (account, to, peer) = (account.clone(), to.clone(), peer.to_string());
    receipt.then(move |outcome| {
        note(&outcome, &delivery, &to, &peer);
        if let Some(identified) = &identified {
            identified.settled(&outcome);
        }
        delivery.settle(outcome);
        account.settled();
    });
    Ok(())
}

fn note(outcome: &Outcome, delivery: &Delivery, to: &ChannelProcessor, peer: &str) {
    let events = u64::from(delivery.batch.len());
    let why = match outcome {
        Outcome::Accepted => {
            to.counters().add(Count::EventAccepted, events);
            return to.counters().add(Count::AppendBatchAccepted, 1);
        }
        Outcome::Refused(refusal) => refusal.reason.as_str(),
        Outcome::Lost => {
            to.stop().stop();
            "the next stage has gone"
        }
    };
    to.counters().add(Count::Refused, events);
    let sequence = delivery.batch.sequence;
    say::warn(
        to.counters().name(),
        format!("{peer}: batch {sequence} of {events} events was not taken: {why}"),
    );
}
