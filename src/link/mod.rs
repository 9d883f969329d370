//! Links: how two stages are joined. A queue in memory, a pipe, a socket, a file, a channel.
//!
//! Every link has an [`Outlet`], which gives a receipt for each batch, and an [`Inlet`], which gives a
//! delivery for each. A source only knows an outlet, a sink only knows an inlet; none of them can tell
//! which link it is on, and that is why a pipeline, a fused run and an agent cannot behave differently.

mod acks;
pub mod address;
mod banner;
pub mod counted;
pub mod groups;
pub mod inlet;
pub mod outlet;
pub mod queue;
pub mod recording;
pub mod remote;
pub mod sessions;
pub mod spread;
pub mod valve;
pub mod welcome;
pub mod regroup;
mod replies;
pub mod reply;
pub mod resend;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod together;

pub use address::Address;
pub use inlet::StreamInlet;
pub use outlet::StreamOutlet;

use crate::ack::{Delivery, Promise, Receipt, Refusal, promise};
use crate::event::Batch;
use crate::exit::StageError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connects to where an outlet leads; called again when the connection is lost.
pub type Connect = Box<dyn Fn() -> Result<Arc<dyn Outlet>, SendError> + Send + Sync>;

/// Who writes or reads a stream, as its hello says.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The stage in the words of the command line, such as `source exec`.
    pub stage: String,
    /// The name of this host.
    pub host: String,
    /// This process.
    pub pid: u32,
}

impl Identity {
    /// This process as the stage with this name.
    pub fn of_stage(stage: impl Into<String>) -> Self {
        let uname = rustix::system::uname();
        Identity {
            stage: stage.into(),
            host: uname.nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
        }
    }
}

/// Random hexadecimal digits: names of streams and sockets, and tokens.
pub fn random_hex() -> String {
    let mut bytes = [0u8; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    if filled.is_err() {
        // Only before the kernel's pool is ready, early at boot: any name that differs does.
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = time.map_or(0, |since| since.as_nanos() as u64);
        bytes[..8].copy_from_slice(&nanos.to_le_bytes());
        bytes[8..12].copy_from_slice(&std::process::id().to_le_bytes());
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How far unaccepted batches may pile up.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Batches.
    pub batches: usize,
    /// Their bytes. One batch may always be under way, however large.
    pub bytes: usize,
}

impl Default for Window {
    fn default() -> Self {
        Window {
            batches: 32,
            bytes: 4 << 20,
        }
    }
}

/// Why a batch could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The other end is gone; its unaccepted batches have resolved as lost.
    #[error("the next stage has gone")]
    Closed,
    /// Nobody came to take.
    #[error("{0}")]
    NoTaker(String),
    /// The batch can never go over this link.
    #[error("{0}")]
    TooLarge(String),
    /// The system could not write.
    #[error("{0}")]
    Failed(String),
    /// For now.
    #[error("{0}")]
    Temporary(String),
    /// The grace after a stop is over.
    #[error("stopped before there was room")]
    Stopped,
}

impl From<SendError> for StageError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed => StageError::Closed,
            SendError::NoTaker(_) | SendError::TooLarge(_) | SendError::Failed(_) => {
                StageError::Failed(error.to_string())
            }
            SendError::Temporary(_) | SendError::Stopped => StageError::Temporary(error.to_string()),
        }
    }
}

/// The writing end of a link.
pub trait Outlet: Send + Sync {
    /// Send a batch. Blocks while the window is full: that is the backpressure. What is sent may stay in a
    /// buffer until [`Outlet::flush`], the next send, or a full buffer.
    fn send(&self, batch: Batch) -> Result<Receipt, SendError> {
        let (promise, receipt) = promise();
        self.send_promised(batch, promise)?;
        Ok(receipt)
    }

    /// As [`Outlet::send`], with a promise that was made elsewhere. On an error it resolves as lost.
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError>;

    /// Hand on everything that was sent. Call it before waiting for anything.
    fn flush(&self) -> Result<(), SendError>;

    /// Ask the next taker to accept what it has now.
    fn ask_flush(&self) -> Result<(), SendError> {
        self.flush()
    }

    /// What was sent is not all that there should be: call it before [`Outlet::finish`], so that a stream
    /// that ends here does not look as if it had ended well.
    fn break_off(&self) {}

    /// Nothing more will be sent. Waits until everything is settled, at most until `deadline`.
    ///
    /// Success means that every batch was accepted, or refused by word. Not all of them resolved is
    /// [`SendError::Temporary`] after the deadline and [`SendError::Closed`] when the other end is gone.
    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError>;

    /// Have `then` called in the thread that settles, each time that it has settled some and would wait.
    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>);

    /// Events sent and not settled, their bytes, and the age of the oldest.
    fn unsettled(&self) -> Unsettled;

    /// Why nothing goes over it any more, if it knows more than that the other end is gone.
    fn why_closed(&self) -> Option<String> {
        None
    }

    /// Batches with origins up to this one were accepted before, as the other end remembers.
    fn known(&self) -> u64 {
        0
    }
}

/// What is under way on a link.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsettled {
    /// Events.
    pub events: u64,
    /// Bytes of their encoded form.
    pub bytes: u64,
    /// Age of the oldest of them.
    pub oldest: Option<Duration>,
}

/// How long [`Inlet::next`] may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until something comes.
    Forever,
    /// Until then.
    Until(Instant),
}

impl Wait {
    /// As a deadline; `None` waits for ever.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Wait::No => Some(Instant::now()),
            Wait::Forever => None,
            Wait::Until(deadline) => Some(deadline),
        }
    }
}

/// What comes out of an inlet.
pub enum Next {
    /// A batch and the obligation to settle it.
    Delivery(Delivery),
    /// Nothing for as long as the caller wanted to wait.
    Idle,
    /// The writer asks to accept what is here.
    Flush,
    /// The input ended well.
    End,
    /// The input ended in another way; everything before was delivered. The sentence says how.
    Broken(StageError),
    /// This end was told to stop, and what was on its way has been delivered.
    Stopped,
}

/// The reading end of a link.
pub trait Inlet: Send {
    /// The next thing.
    ///
    /// Errors: those after which nothing can be delivered nor accepted any more.
    fn next(&mut self, wait: Wait) -> Result<Next, StageError>;

    /// Send what was accepted and refused so far to who waits for it. Call it before waiting for anything.
    fn flush_settled(&mut self) -> Result<(), StageError>;

    /// A handle that does the same from another thread.
    fn settler(&self) -> Box<dyn Fn() + Send + Sync>;

    /// Something comes by it: a stream has begun.
    fn has_begun(&self) -> bool {
        true
    }

    /// Where its batches come from, for messages.
    fn describe(&self) -> String;

    /// Tell the writer of a batch that can never be taken from here, and why, then stop.
    fn refuse_all(&mut self, deliveries: Vec<Delivery>, refusal: &Refusal) {
        for delivery in deliveries {
            delivery.refuse(refusal.clone());
        }
        // Whoever does not hear it will learn of it by the closing link.
        let _ = self.flush_settled();
    }

    /// Nobody waits for the settling of its batches any more: their writer has gone, or its end of the reply.
    /// Asked only while nothing can be taken.
    fn is_abandoned(&self) -> bool {
        false
    }

    /// Do what must be done at the end: leave a seekable input at the first batch that was not accepted.
    fn close(&mut self) {}
}
