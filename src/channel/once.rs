//! Puts each batch into a channel once: for what a channel is free to lose.

use super::Channel;
use super::ends::{check_events, put_in_parts};
use crate::ack::{Promise, Refusal};
use crate::event::Batch;
use crate::link::queue::{QueueOutlet, queue};
use crate::link::{Inlet, Next, Outlet, SendError, Unsettled, Wait, Window};
use crate::metrics::{Count, Counters};
use crate::stop::Stop;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

/// An outlet whose batches are put by a thread of its own, each in one try; what the channel does not take then
/// comes back refused.
pub struct PutOnce {
    queue: QueueOutlet,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl PutOnce {
    /// Into this channel. `window` bounds what waits for the thread.
    pub fn new(
        channel: Arc<dyn Channel>,
        counters: Arc<Counters>,
        window: Window,
        stop: &Stop,
    ) -> std::io::Result<PutOnce> {
        let (outlet, mut inlet) = queue(window, stop);
        let thread = std::thread::Builder::new().name("flume-optional".into());
        let thread = thread.spawn(move || {
            loop {
                match inlet.next(Wait::Forever) {
                    Ok(Next::Delivery(delivery)) => match put(&*channel, &counters, &delivery.batch) {
                        Ok(()) => delivery.accept(),
                        Err(why) => delivery.refuse(Refusal::retry(why)),
                    },
                    Ok(Next::Idle | Next::Flush) => {}
                    Ok(Next::End | Next::Stopped | Next::Broken(_)) | Err(_) => return,
                }
            }
        })?;
        Ok(PutOnce {
            queue: outlet,
            thread: Mutex::new(Some(thread)),
        })
    }
}

fn put(channel: &dyn Channel, counters: &Counters, batch: &Batch) -> Result<(), String> {
    let events = u64::from(batch.len());
    counters.add(Count::EventPutAttempt, events);
    let fits = check_events(channel, batch).map_err(|error| error.to_string());
    let put = fits
        .and_then(|()| put_in_parts(channel, std::slice::from_ref(batch)).map_err(|error| error.to_string()));
    counters.add(
        match put {
            Ok(()) => Count::EventPutSuccess,
            Err(_) => Count::EventPutError,
        },
        events,
    );
    put
}

impl Outlet for PutOnce {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        self.queue.send_promised(batch, promise)
    }

    fn flush(&self) -> Result<(), SendError> {
        self.queue.flush()
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        let finished = self.queue.finish(deadline);
        let thread = self.thread.lock().unwrap_or_else(|p| p.into_inner()).take();
        if let (Ok(()), Some(thread)) = (&finished, thread) {
            // It has put everything: its channel is let go when it has ended.
            let _ = thread.join();
        }
        finished
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        self.queue.on_settled(then);
    }

    fn unsettled(&self) -> Unsettled {
        self.queue.unsettled()
    }
}
