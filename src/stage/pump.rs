//! The loop of a relay: an inlet joined to an outlet, with acceptances carried back.

use super::{RETRY_PAUSE, failing, telling};
use crate::ack::{Class, Delivery, Outcome, Promise};
use crate::exit::{StageError, StageResult};
use crate::link::{Inlet, Next, Outlet, Wait};
use crate::metrics::{Count, Counters};
use crate::stop::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Joins an inlet to an outlet: each batch is handed on, and its delivery settled as its promise is.
pub struct Pump<'a> {
    /// Where batches go.
    pub outlet: Arc<dyn Outlet>,
    /// Counters of who pumps.
    pub counters: Arc<Counters>,
    /// The wish to end.
    pub stop: &'a Stop,
    /// Deliveries that were refused for now, and come again.
    returned: Arc<AtomicU64>,
}

impl Pump<'_> {
    /// Join to this outlet.
    pub fn to(outlet: Arc<dyn Outlet>, counters: Arc<Counters>, stop: &Stop) -> Pump<'_> {
        Pump {
            outlet,
            counters,
            stop,
            returned: Arc::default(),
        }
    }

    /// Until the input ends.
    pub fn run(self, inlet: &mut dyn Inlet) -> StageResult {
        self.outlet.on_settled(inlet.settler());
        let result = self.pump_all(inlet);
        if result.is_err() {
            self.outlet.break_off();
        }
        let finished = self.outlet.finish(self.stop.deadline().or_else(|| {
            // An input that broke is not waited for any longer than a stop would be.
            result.is_err().then(|| Instant::now() + self.stop.grace())
        }));
        let _ = inlet.flush_settled();
        inlet.close();
        self.counters.stopped();
        telling(result, finished.map_err(Into::into))?;
        match self.returned.load(Ordering::SeqCst) {
            0 => Ok(()),
            // Whoever refused has said why.
            _ => Err(StageError::Closed),
        }
    }

    fn pump_all(&self, inlet: &mut dyn Inlet) -> StageResult {
        let mut pause = RETRY_PAUSE.0;
        loop {
            let next = match inlet.next(Wait::No)? {
                Next::Idle => {
                    // What comes to nothing here is to begin nothing behind us.
                    if inlet.has_begun() {
                        self.outlet.flush()?;
                    }
                    inlet.flush_settled()?;
                    inlet.next(Wait::Forever)?
                }
                next => next,
            };
            match next {
                Next::Delivery(delivery) => {
                    if self.returned.swap(0, Ordering::SeqCst) > 0 {
                        self.outlet.flush()?;
                        self.stop.sleep(pause);
                        pause = (pause * 2).min(RETRY_PAUSE.1);
                    }
                    self.hand_on(delivery)?;
                }
                Next::Idle => {}
                Next::Flush => self.outlet.ask_flush()?,
                // An input can also end because the stop reached it first.
                Next::End | Next::Stopped => return failing(self.stop),
                Next::Broken(error) => return Err(error),
            }
        }
    }

    fn hand_on(&self, delivery: Delivery) -> StageResult {
        let batch = delivery.batch.clone();
        let events = u64::from(batch.len());
        self.counters.add(Count::EventReceived, events);
        if batch.is_empty() {
            delivery.accept();
            return Ok(());
        }
        self.counters.add(Count::Sent, events);
        self.counters.add(Count::Batches, 1);
        self.counters.add(Count::SentBytes, batch.bytes() as u64);
        let (counters, returned) = (self.counters.clone(), self.returned.clone());
        let promise = Promise::hook(move |outcome| {
            let count = match &outcome {
                Outcome::Accepted => Count::EventAccepted,
                Outcome::Refused(refusal) if refusal.class == Class::Reject => Count::Rejected,
                _ => {
                    returned.fetch_add(1, Ordering::SeqCst);
                    Count::Refused
                }
            };
            counters.add(count, events);
            delivery.settle(outcome);
        });
        Ok(self.outlet.send_promised(batch, promise)?)
    }
}
