//! What a client of lines is answered.

use crate::ack::{Outcome, Receipt};
use crate::charset::Charset;
use crate::event::BatchBuilder;
use crate::metrics::Count;
use crate::say;
use crate::source::server::send_by;
use crate::stage::ChannelProcessor;
use rustix::net::SendFlags;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client may take to read its answers before its connection is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answers of one connection.
pub struct Answers {
    pub socket: Arc<OwnedFd>,
    pub peer: String,
    /// The byte order is known when the first bytes have come.
    pub encoding: Charset,
    /// Each line is answered, and not only those that nobody has taken.
    pub acknowledges: bool,
}

impl Answers {
    /// Hand on lines, and answer them when they are settled.
    pub fn hand_on(&self, batch: &mut BatchBuilder, to: &Arc<ChannelProcessor>) -> Result<(), String> {
        let events = u64::from(batch.len());
        let sent = to.process(batch.finish());
        let receipt = match sent {
            Ok(receipt) => receipt,
            Err(error) => {
                let _ = self.say(&"FAILED: the next stage has gone\n".repeat(events as usize));
                // The processor can hand on nothing more: the source ends and says why.
                to.stop().stop();
                return Err(error.to_string());
            }
        };
        if !self.acknowledges {
            return self.say_only_failures(receipt, events, to);
        }
        to.flush().map_err(|error| error.to_string())?;
        match wait(&receipt, to) {
            Outcome::Accepted => {
                to.counters().add(Count::EventAccepted, events);
                self.say(&"OK\n".repeat(events as usize))
            }
            outcome => {
                let why = failure(&outcome, events, &self.peer, to);
                self.say(&format!("FAILED: {why}\n").repeat(events as usize))
            }
        }
    }

    fn say_only_failures(
        &self,
        receipt: Receipt,
        events: u64,
        to: &Arc<ChannelProcessor>,
    ) -> Result<(), String> {
        let (socket, peer, shared) = (self.socket.clone(), self.peer.clone(), to.clone());
        let encoding = self.encoding;
        receipt.then(move |outcome| {
            if outcome == Outcome::Accepted {
                return shared.counters().add(Count::EventAccepted, events);
            }
            let why = failure(&outcome, events, &peer, &shared);
            let answer = format!("FAILED: {why}\n").repeat(events as usize);
            // The thread that settles is not held up by a client that does not read.
            let _ = rustix::net::send(
                &*socket,
                &encoding.encode(&answer),
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            );
        });
        to.flush().map_err(|error| error.to_string())
    }

    /// Send an answer, as long as the client reads.
    pub fn say(&self, text: &str) -> Result<(), String> {
        let encoded = self.encoding.encode(text);
        let deadline = Instant::now() + PATIENCE;
        send_by(&self.socket, &encoded, deadline).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => "the client does not read its answers".into(),
            _ => format!("the connection broke: {error}"),
        })
    }
}

/// Wait until somebody has taken responsibility, but not beyond the grace of a stop.
fn wait(receipt: &Receipt, to: &ChannelProcessor) -> Outcome {
    loop {
        if let Some(outcome) = receipt.wait_for(Some(Duration::from_millis(500))) {
            return outcome;
        }
        if to
            .stop()
            .deadline()
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            return Outcome::Lost;
        }
    }
}

/// Count and tell events that nobody has taken; the reason for the client, on one line.
fn failure(outcome: &Outcome, events: u64, peer: &str, to: &ChannelProcessor) -> String {
    to.counters().add(Count::Refused, events);
    let why = match outcome {
        Outcome::Refused(refusal) => refusal.reason.replace(['\n', '\r'], " "),
        _ => "the next stage has gone".into(),
    };
    if matches!(outcome, Outcome::Lost) {
        to.stop().stop();
    }
    say::warn(
        to.counters().name(),
        format!("{peer}: {events} events were not taken: {why}"),
    );
    why
}
