//! A sink that is only a link to another place, driven by transactions: what was written is under way together,
//! and committed when the other side has accepted all of it.

use crate::ack::{Class, Outcome, Receipt};
use crate::event::Batch;
use crate::exit::StageResult;
use crate::link::{Connect, Outlet, SendError};
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often somebody who waits looks whether the grace is over.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long an end may take when everything is accepted.
const TO_END: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Linked {
    sink: Box<dyn Sink>,
    connect: Connect,
    outlet: Option<Arc<dyn Outlet>>,
    under_way: Vec<Receipt>,
    stop: Stop,
}

impl Linked {
    /// The sink itself if it is none that is a link.
    pub fn if_linked(mut sink: Box<dyn Sink>, stop: &Stop) -> Box<dyn Sink> {
        let connect = sink.connect(stop).or_else(|| {
            let outlet = sink.outlet(stop)?;
            let connect: Connect = Box::new(move || Ok(outlet.clone()));
            Some(connect)
        });
        match connect {
            None => sink,
            Some(connect) => Box::new(Linked {
                sink,
                connect,
                outlet: None,
                under_way: Vec::new(),
                stop: stop.clone(),
            }),
        }
    }

    fn outlet(&mut self) -> Result<Arc<dyn Outlet>, SendError> {
        if let Some(outlet) = &self.outlet {
            return Ok(outlet.clone());
        }
        let outlet = (self.connect)()?;
        self.outlet = Some(outlet.clone());
        Ok(outlet)
    }

    fn send(&mut self, batch: &Batch) -> Result<Receipt, SendError> {
        let mut batch = batch.clone();
        // Which positions the other side has seen before is not asked: they mean nothing on this link.
        batch.origin = 0;
        self.outlet()?.send(batch)
    }

    /// Wait for the oldest that is under way.
    fn wait(&self, receipt: &Receipt) -> Outcome {
        loop {
            if let Some(outcome) = receipt.wait_for(Some(LOOK_AGAIN)) {
                return outcome;
            }
            let deadline = self.stop.deadline();
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Outcome::Lost;
            }
        }
    }

    fn lost(&self) -> SinkError {
        let why = self.outlet.as_ref().and_then(|outlet| outlet.why_closed());
        SinkError::retry(why.unwrap_or_else(|| "the connection is lost".into()))
    }
}

fn cannot_send(error: SendError) -> SinkError {
    match error {
        SendError::TooLarge(why) => SinkError::reject_batch(why),
        error => SinkError::retry(error.to_string()),
    }
}

impl Sink for Linked {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let mut sent = self.send(batch);
        if self.under_way.is_empty() && sent.as_ref().is_err_and(|error| *error == SendError::Closed) {
            // It was closed while nothing was sent.
            self.outlet = None;
            sent = self.send(batch);
        }
        let receipt = sent.map_err(cannot_send)?;
        self.under_way.push(receipt);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        if let Some(outlet) = &self.outlet {
            outlet.ask_flush().map_err(cannot_send)?;
        }
        let last = self.under_way.len().saturating_sub(1);
        for (at, receipt) in self.under_way.iter().enumerate() {
            match self.wait(receipt) {
                Outcome::Accepted => {}
                Outcome::Refused(refusal) if refusal.class == Class::Reject && at == last => {
                    return Err(SinkError::reject_batch(refusal.reason));
                }
                Outcome::Refused(refusal) => return Err(SinkError::retry(refusal.reason)),
                Outcome::Lost => return Err(self.lost()),
            }
        }
        self.under_way.clear();
        Ok(())
    }

    fn rollback(&mut self) {
        let unsettled = self.under_way.iter().any(|receipt| receipt.outcome().is_none());
        let lost = self
            .outlet
            .as_ref()
            .is_some_and(|outlet| outlet.why_closed().is_some())
            || self
                .under_way
                .iter()
                .any(|receipt| receipt.outcome() == Some(Outcome::Lost));
        // What is still under way must not be accepted when it has gone another way.
        if unsettled || lost {
            self.outlet = None;
        }
        self.under_way.clear();
    }

    fn deadline(&self) -> Option<Instant> {
        self.sink.deadline()
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        self.sink.tick()
    }

    fn stop(&mut self) -> StageResult {
        if let Some(outlet) = self.outlet.take() {
            let _ = outlet.finish(Some(Instant::now() + TO_END));
        }
        self.sink.stop()
    }
}
