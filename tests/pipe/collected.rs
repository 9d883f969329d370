//! What a process says, collected while it runs.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

/// Bytes from a pipe, read by a thread of their own so that nobody waits for us.
#[derive(Clone, Default)]
pub struct Collected(Arc<(Mutex<State>, Condvar)>);

impl Collected {
    /// Collect until the end.
    pub fn from(mut reader: impl Read + Send + 'static) -> Collected {
        let collected = Collected::default();
        let ours = collected.clone();
        std::thread::spawn(move || {
            let mut block = [0; 64 << 10];
            while let Ok(count) = reader.read(&mut block)
                && count > 0
            {
                ours.lock().bytes.extend_from_slice(&block[..count]);
                ours.0.1.notify_all();
            }
            ours.lock().ended = true;
            ours.0.1.notify_all();
        });
        collected
    }

    /// Nothing comes.
    pub fn nothing() -> Collected {
        let collected = Collected::default();
        collected.lock().ended = true;
        collected
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    fn wait(&self, deadline: Instant, done: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
        true
    }

    /// Wait for a text; false if the time is over or the end has come without it.
    pub fn wait_for(&self, text: &str, deadline: Instant) -> bool {
        let has = |state: &State| memchr::memmem::find(&state.bytes, text.as_bytes()).is_some();
        self.wait(deadline, |state| state.ended || has(state)) && has(&self.lock())
    }

    /// Wait for the end.
    pub fn wait_end(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.ended)
    }

    /// What has come so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }
}
