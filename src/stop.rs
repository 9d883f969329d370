//! The wish that a flow ends: made once, seen by everything that waits.

use crate::fd::Bell;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Listener = Box<dyn Fn() + Send + Sync>;

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
        self.0.bell.ring();
        state.listeners.iter().for_each(|listener| listener());
    }

    /// It was wished.
    pub fn is_stopping(&self) -> bool {
        self.0.bell.is_rung()
    }

    /// When the grace is over, once it runs.
    pub fn deadline(&self) -> Option<Instant> {
        // Asked for each batch: no lock before it was wished. Who wishes notes the time, then rings.
        match self.is_stopping() {
            true => self.lock().since.map(|since| since + self.0.grace),
            false => None,
        }
    }

    /// How long what is under way may take.
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// For those who wait for a descriptor.
    pub fn bell(&self) -> &Bell {
        &self.0.bell
    }

    /// For those who wait for something else: called once, at once if it was wished already.
    pub fn on_stop(&self, listener: impl Fn() + Send + Sync + 'static) {
        let mut state = self.lock();
        match state.since {
            Some(_) => listener(),
            None => state.listeners.push(Box::new(listener)),
        }
    }

    /// Sleep, unless it is wished before; true if it was.
    pub fn sleep(&self, duration: Duration) -> bool {
        let bell = self.bell();
        let deadline = Some(Instant::now() + duration);
        use std::os::fd::AsFd;
        let _ = crate::fd::wait(bell.as_fd(), rustix::event::PollFlags::IN, &[], deadline);
        self.is_stopping()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
