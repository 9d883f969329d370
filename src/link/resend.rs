//! An outlet that holds what it sends until it is accepted, and sends it again when it comes back.
//!
//! For sources that have nobody to hand a failure on to: a batch that is refused for now is sent again
//! with back-off. With a way to connect, batches of a broken connection are sent again over a new one, in
//! their order, before anything new.

use super::{Connect, Outlet, SendError, Unsettled};
use crate::ack::{Class, Numbered, Outcome, Promise, Refusal};
use crate::event::Batch;
use crate::stop::Stop;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The first pause before something is sent again, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

type Hook = Arc<dyn Fn() + Send + Sync>;

/// See the module.
pub struct Resend(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    connect: Option<Connect>,
    give_up: Option<Duration>,
    name: String,
    /// Each batch gets its number here as its origin, which it keeps over all connections.
    numbered: bool,
    stop: Stop,
    after: Mutex<Option<Hook>>,
}

struct State {
    outlet: Option<Arc<dyn Outlet>>,
    /// Counts the outlets that there have been.
    connection: u64,
    held: Held,
    /// Sent and not settled.
    under_way: u64,
    events: u64,
    bytes: u64,
    /// Came back, to be sent again.
    returned: BTreeMap<u64, (Batch, Promise)>,
    mending: bool,
    waiting: u32,
    failing_since: Option<Instant>,
    fatal: Option<SendError>,
}

/// What is under way, by its number: 0, 1, 2 ... in the order in which it came.
#[derive(Default)]
struct Held {
    /// The number of the first slot.
    first: u64,
    slots: VecDeque<Slot>,
}

enum Slot {
    /// Sent over the connection with this number.
    Sent(Batch, Promise, u64),
    /// Not sent yet, or come back.
    Away,
    /// Never asked for again.
    Settled,
}

impl Held {
    /// A number for what comes next.
    fn number(&mut self) -> u64 {
        self.slots.push_back(Slot::Away);
        self.first + self.slots.len() as u64 - 1
    }

    /// Put something into its slot; what was there before.
    fn put(&mut self, number: u64, slot: Slot) -> Option<Slot> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let before = self.slots.get_mut(index).map(|at| std::mem::replace(at, slot));
        while matches!(self.slots.front(), Some(Slot::Settled)) {
            self.slots.pop_front();
            self.first += 1;
        }
        before
    }
}

impl Resend {
    /// Hold what goes to `outlet`; a lost outlet is the end.
    pub fn over(outlet: Arc<dyn Outlet>, name: &str, stop: &Stop) -> Resend {
        Self::build(Some(outlet), None, None, name, stop)
    }

    /// Connect when there is something to send, and again whenever the connection is lost; give up after
    /// so long without success, or never.
    pub fn connecting(connect: Connect, give_up: Option<Duration>, name: &str, stop: &Stop) -> Resend {
        Self::build(None, Some(connect), give_up, name, stop)
    }

    /// As [`Resend::connecting`], with origins that are stable: 1, 2, 3 ... A server that remembers them takes
    /// nothing twice.
    pub fn numbering(connect: Connect, give_up: Option<Duration>, name: &str, stop: &Stop) -> Resend {
        let mut resend = Self::build(None, Some(connect), give_up, name, stop);
        if let Some(shared) = Arc::get_mut(&mut resend.0) {
            shared.numbered = true;
        }
        resend
    }

    fn build(
        outlet: Option<Arc<dyn Outlet>>,
        connect: Option<Connect>,
        give_up: Option<Duration>,
        name: &str,
        stop: &Stop,
    ) -> Resend {
        Resend(Arc::new(Shared {
            state: Mutex::new(State {
                outlet,
                connection: 0,
                held: Held::default(),
                under_way: 0,
                events: 0,
                bytes: 0,
                returned: BTreeMap::new(),
                mending: false,
                waiting: 0,
                failing_since: None,
                fatal: None,
            }),
            changed: Condvar::new(),
            connect,
            give_up,
            name: name.to_string(),
            numbered: false,
            stop: stop.clone(),
            after: Mutex::new(None),
        }))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.waiting += 1;
        let waited = self.changed.wait_timeout(state, Duration::from_millis(500));
        let mut state = waited.unwrap_or_else(|p| p.into_inner()).0;
        state.waiting -= 1;
        state
    }

    /// The outlet, connected. Pauses between tries until the grace or the patience is over.
    fn outlet(&self) -> Result<Arc<dyn Outlet>, SendError> {
        let mut pause = BACK_OFF.0;
        let since = Instant::now();
        loop {
            if let Some(outlet) = self.lock().outlet.clone() {
                return Ok(outlet);
            }
            let connect = self.connect.as_ref().ok_or(SendError::Closed)?;
            match connect() {
                Ok(outlet) => {
                    if pause > BACK_OFF.0 {
                        crate::say::info(&self.name, "connected again");
                    }
                    self.adopt(&outlet);
                    return Ok(outlet);
                }
                // Another try would not help.
                Err(error) if !matches!(error, SendError::Temporary(_)) => return Err(error),
                Err(error) => {
                    if self
                        .give_up
                        .is_some_and(|patience| since.elapsed() + pause >= patience)
                    {
                        return Err(self.unaccepted(&error.to_string()));
                    }
                    if pause == BACK_OFF.0 {
                        crate::say::warn(&self.name, format!("{error}; trying again until it works"));
                    }
                    let over = self
                        .stop
                        .deadline()
                        .is_some_and(|deadline| deadline <= Instant::now());
                    if over {
                        return Err(self.unaccepted(&error.to_string()));
                    }
                    self.pause(&mut pause);
                }
            }
        }
    }

    /// Given up; everything that is still under way was not accepted.
    fn unaccepted(&self, why: &str) -> SendError {
        let events = self.lock().events;
        SendError::Temporary(format!("{why}; events that were not accepted: {events}"))
    }

    fn adopt(&self, outlet: &Arc<dyn Outlet>) {
        let mut state = self.lock();
        state.outlet = Some(outlet.clone());
        state.connection += 1;
        drop(state);
        // The hook of an outlet that is replaced goes with it.
        if let Some(then) = self.hook() {
            outlet.on_settled(Box::new(move || then()));
        }
    }

    fn hook(&self) -> Option<Hook> {
        self.after.lock().unwrap_or_else(|p| p.into_inner()).clone()
    }

    /// Something was settled that no outlet will tell of: one tells once of all that came together.
    fn tell(&self) {
        if let Some(then) = self.hook() {
            then();
        }
    }

    fn pause(&self, pause: &mut Duration) {
        if self.stop.is_stopping() {
            std::thread::sleep((*pause).min(Duration::from_millis(200)));
        } else {
            self.stop.sleep(*pause);
        }
        *pause = (*pause * 2).min(BACK_OFF.1);
    }

    fn send_as(self: &Arc<Self>, number: u64, batch: Batch, promise: Promise) -> Result<(), SendError> {
        if let Err(error) = self.outlet() {
            self.lock().held.put(number, Slot::Settled);
            self.forget(&batch);
            drop(promise);
            self.tell();
            return Err(error);
        }
        self.send_held(self.lock(), number, batch, promise)
    }

    /// Send over the outlet that there is.
    fn send_held(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        number: u64,
        mut batch: Batch,
        promise: Promise,
    ) -> Result<(), SendError> {
        let connection = state.connection;
        let Some(outlet) = state.outlet.clone() else {
            // Lost since somebody looked: as if it had been lost after the sending.
            drop(state);
            self.returned(number, batch, promise, Some(connection));
            return Ok(());
        };
        if self.numbered {
            batch.origin = number + 1;
            if batch.origin <= outlet.known() {
                // It was accepted over a connection that broke before the word of it came.
                state.held.put(number, Slot::Settled);
                drop(state);
                promise.settle(Outcome::Accepted);
                self.forget(&batch);
                self.tell();
                return Ok(());
            }
        }
        state
            .held
            .put(number, Slot::Sent(batch.clone(), promise, connection));
        drop(state);
        match outlet.send_promised(batch, Promise::numbered(self.clone(), number)) {
            // The batch has come back by its promise, and goes over the next connection.
            Err(SendError::Closed) if self.connect.is_some() => Ok(()),
            other => other,
        }
    }

    /// A batch is settled: it is no longer under way.
    fn forget(&self, batch: &Batch) {
        let mut state = self.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.events = state.events.saturating_sub(u64::from(batch.len()));
        state.bytes = state.bytes.saturating_sub(batch.bytes() as u64);
        state.failing_since = None;
        let somebody_waits = state.waiting > 0;
        drop(state);
        if somebody_waits {
            self.changed.notify_all();
        }
    }

    fn returned(self: &Arc<Self>, number: u64, batch: Batch, promise: Promise, lost: Option<u64>) {
        // Declared before the lock, to be dropped behind it: closing an outlet settles what it still has.
        let gone;
        let mut state = self.lock();
        gone = match lost == Some(state.connection) {
            true => state.outlet.take(),
            false => None,
        };
        if let Some(why) = gone.as_ref().and_then(|outlet| outlet.why_closed()) {
            crate::say::warn(&self.name, format!("{why}; what was not accepted is sent again"));
        }
        if state.fatal.is_some() {
            state.held.put(number, Slot::Settled);
            drop(state);
            drop(promise);
            self.forget(&batch);
            return self.tell();
        }
        state.returned.insert(number, (batch, promise));
        state.failing_since.get_or_insert_with(Instant::now);
        if state.mending {
            return;
        }
        state.mending = true;
        drop(state);
        let shared = self.clone();
        let spawned = std::thread::Builder::new()
            .name("flume-resend".into())
            .spawn(move || shared.mend());
        if spawned.is_err() {
            self.fail(SendError::Temporary(
                "no thread for sending again can be started".into(),
            ));
        }
    }

    /// Once for each time that it begins. Who refuses in the same pipeline says so itself.
    fn say_refused(&self, refusal: &Refusal) {
        let is_news = self.connect.is_some() && self.lock().failing_since.is_none();
        let what = format!("a batch was refused for now: {refusal}");
        match is_news {
            true => crate::say::warn(
                &self.name,
                format!("{what}; it is sent again until it is accepted"),
            ),
            false => crate::say::debug(&self.name, what),
        }
    }

    /// Send what came back, in its order, until nothing is left.
    fn mend(self: Arc<Self>) {
        let mut pause = BACK_OFF.0;
        loop {
            self.pause(&mut pause);
            let mut state = self.lock();
            let again = std::mem::take(&mut state.returned);
            if again.is_empty() {
                state.mending = false;
                drop(state);
                self.changed.notify_all();
                return;
            }
            let failing = state
                .failing_since
                .map_or(Duration::ZERO, |since| since.elapsed());
            drop(state);
            let grace_over = self
                .stop
                .deadline()
                .is_some_and(|deadline| deadline <= Instant::now());
            if grace_over || self.give_up.is_some_and(|patience| failing >= patience) {
                drop(again);
                return self.fail(self.unaccepted("batches keep coming back unaccepted"));
            }
            for (number, (batch, promise)) in again {
                if let Err(error) = self.send_as(number, batch, promise) {
                    return self.fail(error);
                }
            }
            let outlet = self.lock().outlet.clone();
            if let Some(outlet) = outlet {
                let _ = outlet.flush();
            }
        }
    }

    fn fail(&self, error: SendError) {
        let mut state = self.lock();
        state.fatal.get_or_insert(error);
        state.mending = false;
        state.under_way = 0;
        state.events = 0;
        state.bytes = 0;
        let lost = std::mem::take(&mut state.returned);
        drop(state);
        drop(lost);
        self.changed.notify_all();
        self.tell();
    }
}

impl Numbered for Shared {
    fn settled(self: Arc<Self>, number: u64, outcome: Outcome) {
        let back = match &outcome {
            Outcome::Refused(refusal) => refusal.class == Class::Retry,
            Outcome::Lost => self.connect.is_some(),
            Outcome::Accepted => false,
        };
        let slot = if back { Slot::Away } else { Slot::Settled };
        let Some(Slot::Sent(batch, promise, connection)) = self.lock().held.put(number, slot) else {
            return;
        };
        match outcome {
            Outcome::Refused(refusal) if back => {
                self.say_refused(&refusal);
                self.returned(number, batch, promise, None);
            }
            Outcome::Lost if back => self.returned(number, batch, promise, Some(connection)),
            outcome => {
                let is_lost = outcome == Outcome::Lost;
                promise.settle(outcome);
                self.forget(&batch);
                if is_lost {
                    self.tell();
                }
            }
        }
    }
}

impl Outlet for Resend {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let mut state = self.0.lock();
        // What came back goes first, or the order is lost.
        while state.mending && state.fatal.is_none() {
            state = self.0.wait(state);
        }
        if let Some(fatal) = &state.fatal {
            return Err(fatal.clone());
        }
        let number = state.held.number();
        state.under_way += 1;
        state.events += u64::from(batch.len());
        state.bytes += batch.bytes() as u64;
        if state.outlet.is_some() {
            return self.0.send_held(state, number, batch, promise);
        }
        drop(state);
        self.0.send_as(number, batch, promise)
    }

    fn flush(&self) -> Result<(), SendError> {
        let outlet = self.0.lock().outlet.clone();
        match outlet.map(|outlet| outlet.flush()) {
            Some(Err(SendError::Closed)) if self.0.connect.is_some() => Ok(()),
            Some(other) => other,
            None => Ok(()),
        }
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        let outlet = self.0.lock().outlet.clone();
        match outlet.map(|outlet| outlet.ask_flush()) {
            Some(Err(SendError::Closed)) if self.0.connect.is_some() => Ok(()),
            Some(other) => other,
            None => Ok(()),
        }
    }

    fn break_off(&self) {
        let outlet = self.0.lock().outlet.clone();
        outlet.inspect(|outlet| outlet.break_off());
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        // The end is written last: what comes back until then still finds an open stream. Whoever holds part of a
        // batch need not wait for more.
        let under_way = self.0.lock().under_way;
        let handed_on = match under_way {
            0 => self.flush(),
            _ => self.ask_flush(),
        };
        handed_on.or_else(|error| {
            if error == SendError::Closed {
                Ok(())
            } else {
                Err(error)
            }
        })?;
        let mut state = self.0.lock();
        while (state.under_way > 0 || state.mending) && state.fatal.is_none() {
            // A stop that comes while we wait sets a limit, too.
            let deadline = deadline.or_else(|| self.0.stop.deadline());
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                let events = state.events;
                return Err(SendError::Temporary(format!(
                    "the grace is over; events that were not accepted: {events}"
                )));
            }
            state = self.0.wait(state);
        }
        if let Some(fatal) = &state.fatal {
            return Err(fatal.clone());
        }
        let outlet = state.outlet.clone();
        drop(state);
        match outlet.map(|outlet| outlet.finish(deadline)) {
            // Everything was accepted: how the connection ends does not matter.
            Some(Err(SendError::Closed)) if self.0.connect.is_some() => Ok(()),
            Some(other) => other,
            None => Ok(()),
        }
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        let then: Hook = then.into();
        *self.0.after.lock().unwrap_or_else(|p| p.into_inner()) = Some(then.clone());
        let outlet = self.0.lock().outlet.clone();
        outlet.inspect(|outlet| outlet.on_settled(Box::new(move || then())));
    }

    fn unsettled(&self) -> Unsettled {
        let state = self.0.lock();
        Unsettled {
            events: state.events,
            bytes: state.bytes,
            oldest: state.outlet.as_ref().and_then(|outlet| outlet.unsettled().oldest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::link::outlet::{OutletOptions, Reply};
    use crate::link::{Identity, StreamOutlet};
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn batches_that_are_accepted_together_are_told_once() {
        let stop = Stop::new(Duration::from_secs(5)).unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        let options = OutletOptions::new(Identity::of_stage("test"), Reply::SelfSocket);
        let outlet = Arc::new(StreamOutlet::open(near.into(), options, &stop).unwrap());
        let resend = Resend::over(outlet, "test", &stop);
        let (told, tells) = std::sync::mpsc::channel();
        resend.on_settled(Box::new(move || {
            let _ = told.send(());
        }));
        let batch = || Batch::single(&Event::new("x"));
        let receipts: Vec<_> = (0..20).map(|_| resend.send(batch()).unwrap()).collect();
        resend.flush().unwrap();
        far.write_all(&crate::wire::accept_frame(20)).unwrap();
        tells.recv_timeout(Duration::from_secs(20)).unwrap();
        for receipt in &receipts {
            assert_eq!(receipt.wait(), Outcome::Accepted);
        }
        assert!(tells.try_recv().is_err());
    }
}
