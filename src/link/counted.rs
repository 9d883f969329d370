//! An outlet that counts as a sink does: for sinks that are only a link to another place.

use super::{Outlet, SendError, Unsettled};
use crate::ack::{Outcome, Promise};
use crate::event::Batch;
use crate::metrics::{Count, Counters};
use std::sync::Arc;
use std::time::Instant;

/// See the module.
pub struct Counted {
    inner: Arc<dyn Outlet>,
    counters: Arc<Counters>,
}

impl Counted {
    /// Count what goes to `inner` and what is accepted there.
    pub fn over(inner: Arc<dyn Outlet>, counters: Arc<Counters>) -> Self {
        Counted { inner, counters }
    }
}

impl Outlet for Counted {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let events = u64::from(batch.len());
        self.counters.add(Count::EventDrainAttempt, events);
        let counters = self.counters.clone();
        let counting = Promise::hook(move |outcome| {
            if outcome == Outcome::Accepted {
                counters.add(Count::EventDrainSuccess, events);
                counters.add(Count::BatchComplete, 1);
            }
            promise.settle(outcome);
        });
        self.inner.send_promised(batch, counting)
    }

    fn flush(&self) -> Result<(), SendError> {
        self.inner.flush()
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.inner.ask_flush()
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::link::testing::Collect;
    use crate::metrics::Kind;

    #[test]
    fn success_is_counted_when_the_batch_was_accepted() {
        let collect = Collect::holding();
        let counters = Arc::new(Counters::new(Kind::Sink, "it"));
        let counted = Counted::over(Arc::new(collect.clone()), counters.clone());
        let receipt = counted.send(Batch::single(&Event::new("x"))).unwrap();
        let counts = || [Count::EventDrainAttempt, Count::EventDrainSuccess].map(|count| counters.get(count));
        assert_eq!(counts(), [1, 0]);
        collect.settle_all(Outcome::Accepted);
        assert_eq!(receipt.wait(), Outcome::Accepted);
        assert_eq!(counts(), [1, 1]);
    }
}
