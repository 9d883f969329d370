//! Threads that do small things now and then, and sleep without a timer when there is nothing to do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::put::lock;

#[derive(Default)]
struct Signs {
    parked: AtomicBool,
    stop: AtomicBool,
}

/// A thread that works while there is something to do.
#[derive(Default)]
pub struct Clerk {
    signs: Arc<Signs>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a clerk finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Desk {
    Busy,
    Idle,
    /// Whom it works for is gone.
    Closed,
}

impl Clerk {
    /// Start. `look` says whether there is something to do; if so `work` is called after each `period`.
    pub fn start(
        &self,
        name: &str,
        period: Duration,
        look: impl Fn() -> Desk + Send + 'static,
        work: impl Fn() + Send + 'static,
    ) -> std::io::Result<()> {
        let signs = self.signs.clone();
        let builder = std::thread::Builder::new().name(name.into());
        let thread = builder.spawn(move || {
            while !signs.stop.load(Ordering::SeqCst) {
                // Said before the last look: whoever brings work after it finds the sign and wakes us.
                signs.parked.store(true, Ordering::SeqCst);
                match look() {
                    Desk::Closed => return,
                    Desk::Idle => {
                        while signs.parked.load(Ordering::SeqCst) && !signs.stop.load(Ordering::SeqCst) {
                            std::thread::park();
                        }
                        signs.parked.store(false, Ordering::SeqCst);
                    }
                    Desk::Busy => signs.parked.store(false, Ordering::SeqCst),
                }
                if !signs.stop.load(Ordering::SeqCst) {
                    std::thread::park_timeout(period);
                    work();
                }
            }
        })?;
        *lock(&self.thread) = Some(thread);
        Ok(())
    }

    /// There is something to do. Cheap when the clerk knows.
    #[inline]
    pub fn nudge(&self) {
        if self.signs.parked.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        self.signs.parked.store(false, Ordering::SeqCst);
        if let Some(thread) = &*lock(&self.thread) {
            thread.thread().unpark();
        }
    }

    /// Stop, and wait for the end unless this *is* the clerk.
    pub fn stop(&self) {
        self.signs.stop.store(true, Ordering::SeqCst);
        self.wake();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}
