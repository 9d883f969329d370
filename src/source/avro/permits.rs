//! How many may do something at a time.

use super::answers::LOOK;
use crate::stage::ChannelProcessor;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

/// How many may do something at a time: `threads`, and one at the entrance of the next stage.
pub struct Permits {
    most: u32,
    state: Mutex<Taken>,
    changed: Condvar,
}

#[derive(Default)]
struct Taken {
    count: u32,
    /// Threads that wait: without any, giving back costs no system call.
    waiting: u32,
}

/// One of them; it is given back when this goes.
pub struct Permit(Option<Arc<Permits>>);

impl Permits {
    /// So many; 0 for no bound.
    pub fn new(most: u32) -> Arc<Permits> {
        Arc::new(Permits {
            most,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// One, if there is one now.
    pub fn take_now(self: &Arc<Self>) -> Option<Permit> {
        if self.most == 0 {
            return Some(Permit(None));
        }
        let mut state = self.lock();
        (state.count < self.most).then(|| {
            state.count += 1;
            Permit(Some(self.clone()))
        })
    }

    /// Wait for one until then, or until the end of a stop's grace.
    pub fn take_by(self: &Arc<Self>, deadline: Instant, to: &ChannelProcessor) -> Option<Permit> {
        let mut state = self.lock();
        while state.count >= self.most {
            let now = Instant::now();
            if now >= deadline || to.stop().deadline().is_some_and(|deadline| deadline <= now) {
                return None;
            }
            state.waiting += 1;
            let waited = self.changed.wait_timeout(state, LOOK.min(deadline - now));
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
            state.waiting -= 1;
        }
        state.count += 1;
        Some(Permit(Some(self.clone())))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(permits) = &self.0 else { return };
        let mut state = permits.lock();
        state.count -= 1;
        let somebody_waits = state.waiting > 0;
        drop(state);
        if somebody_waits {
            permits.changed.notify_one();
        }
    }
}
