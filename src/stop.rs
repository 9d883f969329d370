//! The wish that a flow ends: made once, seen by everything that waits.

use crate::fd::{self, Bell, Woken};
use rustix::event::PollFlags;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

type Listener = Arc<dyn Fn() + Send + Sync>;

/// Shared by all parts of one flow. The first wish stops the intake; what is under way has until the
/// grace is over.
#[derive(Clone)]
pub struct Stop(Arc<Inner>);

struct Inner {
    bell: Bell,
    grace: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    failing: bool,
    listeners: Vec<Listener>,
}

impl Stop {
    /// Nobody wishes it yet.
    pub fn new(grace: Duration) -> io::Result<Stop> {
        Ok(Stop(Arc::new(Inner {
            bell: Bell::new()?,
            grace,
            state: Mutex::default(),
        })))
    }

    /// Stop taking in, deliver what is there, end.
    pub fn stop(&self) {
        let mut state = self.lock();
        if state.since.is_some() {
            return;
        }
        state.since = Some(Instant::now());
        self.tell(state);
    }

    /// What everything goes to is gone: stop without a grace.
    pub fn fail(&self) {
        let mut state = self.lock();
        state.failing = true;
        state.since.get_or_insert_with(Instant::now);
        // Also those that were told of a stop before: the grace is over for them now.
        self.tell(state);
    }

    /// Listeners lock what their waiters hold while they ask for the deadline: call them without the lock.
    fn tell(&self, state: MutexGuard<'_, State>) {
        self.0.bell.ring();
        let listeners = state.listeners.clone();
        drop(state);
        listeners.iter().for_each(|listener| listener());
    }

    /// Nothing that is taken in could go anywhere.
    pub fn is_failing(&self) -> bool {
        self.lock().failing
    }

    /// It was wished.
    pub fn is_stopping(&self) -> bool {
        self.0.bell.is_rung()
    }

    /// When the grace is over, once it runs.
    pub fn deadline(&self) -> Option<Instant> {
        // Asked for each batch: no lock before it was wished. Who wishes notes the time, then rings.
        if !self.is_stopping() {
            return None;
        }
        let state = self.lock();
        let grace = if state.failing {
            Duration::ZERO
        } else {
            self.0.grace
        };
        state.since.map(|since| since + grace)
    }

    /// How long what is under way may take.
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// For those who wait for a descriptor.
    pub fn bell(&self) -> &Bell {
        &self.0.bell
    }

    /// For those who wait for something else: called at each wish, at once if one was made already.
    pub fn on_stop(&self, listener: impl Fn() + Send + Sync + 'static) {
        let listener: Listener = Arc::new(listener);
        let mut state = self.lock();
        state.listeners.push(listener.clone());
        let was_wished = state.since.is_some();
        drop(state);
        if was_wished {
            listener();
        }
    }

    /// Wait until it is wished.
    pub fn wait(&self) {
        while !self.is_stopping() {
            let _ = fd::wait(self.bell().as_fd(), PollFlags::IN, &[], None);
        }
    }

    /// Sleep, unless it is wished before; true if it was.
    pub fn sleep(&self, duration: Duration) -> bool {
        let bell = self.bell();
        let deadline = Some(Instant::now() + duration);
        let _ = fd::wait(bell.as_fd(), PollFlags::IN, &[], deadline);
        self.is_stopping()
    }

    /// Write everything, waiting as long as it takes: until one of the bells rings, or, once a stop was
    /// wished, until its grace is over.
    ///
    /// Errors: `Interrupted` after a bell, `TimedOut` after the grace; what the system says otherwise.
    pub fn write_all(
        &self,
        to: BorrowedFd<'_>,
        mut parts: &mut [IoSlice<'_>],
        bells: &[&Bell],
    ) -> io::Result<()> {
        while parts.iter().any(|part| !part.is_empty()) {
            match fd::write_now(to, parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut parts, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_writable(to, bells)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn wait_writable(&self, to: BorrowedFd<'_>, bells: &[&Bell]) -> io::Result<()> {
        let mut all = bells.to_vec();
        // Once it has rung it rings for ever: from then on the clock decides.
        let deadline = self.deadline();
        if deadline.is_none() {
            all.push(self.bell());
        }
        match fd::wait(to, PollFlags::OUT, &all, deadline)? {
            Woken::Bell if bells.iter().any(|bell| bell.is_rung()) => Err(io::ErrorKind::Interrupted.into()),
            Woken::Timeout => Err(io::ErrorKind::TimedOut.into()),
            Woken::Bell | Woken::Ready | Woken::HungUp => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listener_may_ask_what_it_listens_to() {
        let stop = Stop::new(Duration::ZERO).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        let own = stop.clone();
        stop.on_stop(move || told.send(own.deadline().is_some()).unwrap());
        let stopper = stop.clone();
        std::thread::spawn(move || stopper.stop());
        assert_eq!(heard.recv_timeout(Duration::from_secs(20)), Ok(true));
    }
}
