//! A valve: while it is closed nothing passes, and nothing is lost. For a component that somebody pauses.

use super::{Inlet, Next, Outlet, SendError, Unsettled, Wait};
use crate::ack::{Delivery, Promise, Refusal};
use crate::event::Batch;
use crate::exit::StageError;
use crate::stop::Stop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::Instant;

/// Shared by who turns it and what goes through it.
#[derive(Clone, Default)]
pub struct Valve(Arc<Turned>);

#[derive(Default)]
struct Turned {
    /// Looked at for each batch, without a lock.
    is_closed: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Turned {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Wait until it is open, at most until `deadline`, and at most until a stop.
    fn wait_open(&self, deadline: Option<Instant>, stop: &Stop) {
        let mut lock = self.lock();
        while self.is_closed.load(Ordering::SeqCst) && !stop.is_stopping() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            lock = match left {
                Some(left) if left.is_zero() => return,
                Some(left) => {
                    let waited = self.changed.wait_timeout(lock, left);
                    waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
                }
                None => self
                    .changed
                    .wait(lock)
                    .unwrap_or_else(|poisoned| poisoned.into_inner()),
            };
        }
    }
}

impl Valve {
    /// Nothing passes from now on. What is under way is settled.
    pub fn close(&self) {
        self.turn(true);
    }

    /// Everything passes.
    pub fn open(&self) {
        self.turn(false);
    }

    /// Is it closed?
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::SeqCst)
    }

    fn turn(&self, is_closed: bool) {
        let lock = self.0.lock();
        self.0.is_closed.store(is_closed, Ordering::SeqCst);
        drop(lock);
        self.0.changed.notify_all();
    }

    fn wake_at(&self, stop: &Stop) {
        let turned: Weak<Turned> = Arc::downgrade(&self.0);
        stop.on_stop(move || {
            if let Some(turned) = turned.upgrade() {
                drop(turned.lock());
                turned.changed.notify_all();
            }
        });
    }

    /// An outlet that goes through it: whoever sends waits.
    pub fn outlet(&self, inner: Arc<dyn Outlet>, stop: &Stop) -> Arc<dyn Outlet> {
        self.wake_at(stop);
        Arc::new(ValvedOutlet {
            inner,
            turned: self.0.clone(),
            stop: stop.clone(),
        })
    }

    /// An inlet that goes through it: nothing comes.
    pub fn inlet(&self, inner: Box<dyn Inlet>, stop: &Stop) -> Box<dyn Inlet> {
        self.wake_at(stop);
        Box::new(ValvedInlet {
            inner,
            held: None,
            turned: self.0.clone(),
            stop: stop.clone(),
        })
    }
}

struct ValvedOutlet {
    inner: Arc<dyn Outlet>,
    turned: Arc<Turned>,
    stop: Stop,
}

impl Outlet for ValvedOutlet {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        if self.turned.is_closed.load(Ordering::Relaxed) {
            self.inner.flush()?;
            self.turned.wait_open(None, &self.stop);
        }
        self.inner.send_promised(batch, promise)
    }

    fn flush(&self) -> Result<(), SendError> {
        self.inner.flush()
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.inner.ask_flush()
    }

    fn break_off(&self) {
        self.inner.break_off();
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        self.inner.finish(deadline)
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        self.inner.on_settled(then);
    }

    fn unsettled(&self) -> Unsettled {
        self.inner.unsettled()
    }

    fn why_closed(&self) -> Option<String> {
        self.inner.why_closed()
    }

    fn known(&self) -> u64 {
        self.inner.known()
    }
}

struct ValvedInlet {
    inner: Box<dyn Inlet>,
    /// Came while the valve was being closed.
    held: Option<Delivery>,
    turned: Arc<Turned>,
    stop: Stop,
}

impl Inlet for ValvedInlet {
    fn next(&mut self, wait: Wait) -> Result<Next, StageError> {
        loop {
            if self.turned.is_closed.load(Ordering::Relaxed) && !self.stop.is_stopping() {
                match wait {
                    // Whoever asks so has something open, which it settles now.
                    Wait::No => return Ok(Next::Idle),
                    Wait::Until(deadline) => {
                        self.turned.wait_open(Some(deadline), &self.stop);
                        if deadline <= Instant::now() {
                            return Ok(Next::Idle);
                        }
                    }
                    Wait::Forever => self.turned.wait_open(None, &self.stop),
                }
                continue;
            }
            if let Some(held) = self.held.take() {
                return Ok(Next::Delivery(held));
            }
            match self.inner.next(wait)? {
                // It was waited for when the valve was closed.
                Next::Delivery(delivery) if self.turned.is_closed.load(Ordering::Relaxed) => {
                    self.held = Some(delivery);
                    if self.stop.is_stopping() {
                        continue;
                    }
                }
                next => return Ok(next),
            }
        }
    }

    fn flush_settled(&mut self) -> Result<(), StageError> {
        self.inner.flush_settled()
    }

    fn settler(&self) -> Box<dyn Fn() + Send + Sync> {
        self.inner.settler()
    }

    fn has_begun(&self) -> bool {
        self.inner.has_begun()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn refuse_all(&mut self, deliveries: Vec<Delivery>, refusal: &Refusal) {
        self.inner.refuse_all(deliveries, refusal);
    }

    fn is_abandoned(&self) -> bool {
        self.inner.is_abandoned()
    }

    fn close(&mut self) {
        self.inner.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::link::Window;
    use crate::link::queue::queue;
    use std::time::Duration;

    fn batch() -> Batch {
        Batch::single(&Event::new("x"))
    }

    #[test]
    fn closed_valve_holds_a_sender_until_it_is_opened() {
        let stop = Stop::new(Duration::from_secs(5)).unwrap();
        let (outlet, mut inlet) = queue(Window::default(), &stop);
        let valve = Valve::default();
        let outlet = valve.outlet(Arc::new(outlet), &stop);
        valve.close();
        let (tell, told) = std::sync::mpsc::channel();
        let sender = std::thread::spawn(move || {
            tell.send(()).unwrap();
            outlet.send(batch()).map(drop)
        });
        told.recv().unwrap();
        assert!(matches!(inlet.next(Wait::No).unwrap(), Next::Idle));
        valve.open();
        let Next::Delivery(delivery) = inlet.next(Wait::Forever).unwrap() else {
            panic!("no batch");
        };
        delivery.accept();
        sender.join().unwrap().unwrap();
    }

    #[test]
    fn stop_passes_a_closed_valve() {
        let stop = Stop::new(Duration::ZERO).unwrap();
        let (outlet, inlet) = queue(Window::default(), &stop);
        outlet.send(batch()).unwrap();
        let valve = Valve::default();
        valve.close();
        let mut inlet = valve.inlet(Box::new(inlet), &stop);
        assert!(matches!(inlet.next(Wait::No).unwrap(), Next::Idle));
        stop.stop();
        assert!(matches!(inlet.next(Wait::Forever).unwrap(), Next::Delivery(_)));
    }
}
