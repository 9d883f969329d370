//! One host of a client: its connection is made when there is something to send, and made anew after a failure.

use super::{ClientError, Destination, Settings};
use crate::ack::{Class, Outcome};
use crate::event::Batch;
use crate::link::{Outlet, SendError};
use crate::stop::Stop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// See the module.
pub(super) struct Member {
    to: Destination,
    settings: Settings,
    outlet: Mutex<Option<Arc<dyn Outlet>>>,
    /// It cannot be reached, and that was said.
    failing: AtomicBool,
}

impl Member {
    pub fn new(to: Destination, settings: &Settings) -> Member {
        Member {
            to,
            settings: settings.for_one_of_several(),
            outlet: Mutex::default(),
            failing: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<dyn Outlet>>> {
        self.outlet
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The address.
    pub fn to(&self) -> &Destination {
        &self.to
    }

    /// Its connection, and whether it was made just now.
    pub fn outlet(&self, stop: &Stop) -> Result<(Arc<dyn Outlet>, bool), SendError> {
        let mut own = self.lock();
        if let Some(outlet) = &*own {
            return Ok((outlet.clone(), false));
        }
        let outlet = self.to.open(&self.settings, stop)?;
        *own = Some(outlet.clone());
        Ok((outlet, true))
    }

    /// It cannot be reached: true if it could until now.
    pub fn begins_to_fail(&self) -> bool {
        !self.failing.swap(true, Ordering::SeqCst)
    }

    /// It was reached: true if it could not until now.
    pub fn works_again(&self) -> bool {
        self.failing.swap(false, Ordering::SeqCst)
    }

    /// The connection that there is.
    pub fn open_outlet(&self) -> Option<Arc<dyn Outlet>> {
        self.lock().clone()
    }

    /// A connection has failed: the next batch goes over another.
    pub fn failed(&self, outlet: &Arc<dyn Outlet>) {
        let mut own = self.lock();
        // Dropped without the lock: closing it settles what is under way, which may come back here.
        let old = match own.as_ref().is_some_and(|own| Arc::ptr_eq(own, outlet)) {
            true => own.take(),
            false => None,
        };
        drop(own);
        drop(old);
    }

    /// It has a connection, of which no end is known.
    pub fn is_open(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|outlet| outlet.why_closed().is_none())
    }

    /// Close the connection: what is under way over it is lost.
    pub fn close(&self) {
        let old = self.lock().take();
        if let Some(outlet) = old {
            // A stream of frames says that it ends well.
            let _ = outlet.finish(Some(Instant::now()));
        }
    }

    /// Send a batch and wait for what becomes of it.
    pub fn call(&self, batch: &Batch, stop: &Stop) -> Result<(), ClientError> {
        let (outlet, _) = self
            .outlet(stop)
            .map_err(|error| ClientError::Connect(error.to_string()))?;
        let sent = outlet.send(batch.clone());
        let receipt = sent.and_then(|receipt| outlet.flush().map(|()| receipt));
        let outcome = match receipt {
            Ok(receipt) => receipt.wait_for(Some(self.settings.patience(batch.len()))),
            Err(SendError::TooLarge(why)) => return Err(ClientError::Rejected(why)),
            Err(_) => Some(Outcome::Lost),
        };
        let error = match outcome {
            Some(Outcome::Accepted) => return Ok(()),
            Some(Outcome::Refused(refusal)) if refusal.class == Class::Reject => {
                return Err(ClientError::Rejected(format!("{}: {refusal}", self.to)));
            }
            Some(Outcome::Refused(refusal)) => format!("{}: not accepted: {refusal}", self.to),
            Some(Outcome::Lost) => match outlet.why_closed() {
                Some(why) => why,
                None => format!("{}: the connection is lost", self.to),
            },
            None => format!(
                "{}: no answer within {:?}",
                self.to, self.settings.request_timeout
            ),
        };
        self.failed(&outlet);
        Err(ClientError::Delivery(error))
    }
}
