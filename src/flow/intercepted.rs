//! Interceptors in a row, in front of whatever takes.

use crate::ack::Delivery;
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::{Inlet, Next, Wait};
use crate::metrics::{Count, Counters};
use crate::stage::Interceptor;
use std::sync::Arc;

/// Interceptors with their names.
pub(crate) type Chain = Vec<(String, Box<dyn Interceptor>)>;
/// Start each of them.
pub(super) fn start_chain(chain: &mut [(String, Box<dyn Interceptor>)]) -> StageResult {
    for (name, interceptor) in chain {
        interceptor.start().map_err(|error| error.within(name))?;
    }
    Ok(())
}

/// A batch through all of them.
pub(super) fn intercept(
    chain: &mut [(String, Box<dyn Interceptor>)],
    mut batch: Batch,
) -> Result<Batch, StageError> {
    for (_, interceptor) in chain {
        if !batch.is_empty() {
            batch = interceptor.intercept_batch(batch)?;
        }
    }
    Ok(batch)
}

/// An inlet whose batches go through interceptors first.
pub(super) struct Intercepted {
    pub inner: Box<dyn Inlet>,
    pub chain: Chain,
    pub counters: Arc<Counters>,
}

impl Intercepted {
    fn changed(&mut self, mut delivery: Delivery) -> Result<Next, StageError> {
        let received = u64::from(delivery.batch.len());
        delivery.batch = intercept(&mut self.chain, std::mem::take(&mut delivery.batch))?;
        let kept = u64::from(delivery.batch.len());
        self.counters.add(Count::EventReceived, received);
        self.counters.add(Count::EventAccepted, kept);
        self.counters.add(Count::Filtered, received.saturating_sub(kept));
        Ok(Next::Delivery(delivery))
    }
}

impl Inlet for Intercepted {
    fn next(&mut self, wait: Wait) -> Result<Next, StageError> {
        match self.inner.next(wait)? {
            Next::Delivery(delivery) => self.changed(delivery),
            next => Ok(next),
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

    fn is_abandoned(&self) -> bool {
        self.inner.is_abandoned()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn close(&mut self) {
        self.inner.close();
    }
}
