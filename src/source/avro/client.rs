//! One connection: its requests are read and handed on, and whoever settles a batch answers them.

use super::answers::{self, Answers, Owed};
use super::permits::{Permit, Permits};
use super::service::{Service, Source};
use crate::ack::Outcome;
use crate::event::Batch;
use crate::fd::{self, Woken};
use crate::metrics::Count;
use crate::rpc::avro::protocol::Shape;
use crate::rpc::avro::{
    Answer, Got, HandshakeResponse, Match, Message, Pack, PackError, PackReader, Request, Status,
};
use crate::rpc::stranger;
use crate::say;
use crate::source::idle::Patience;
use crate::stage::ChannelProcessor;
use rustix::event::PollFlags;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

/// How a connection ended well.
pub enum Ended {
    ByClient,
    ByStop,
    /// It was silent for too long.
    Silent(String),
}

/// One connection.
pub struct Client<'a> {
    service: &'a Service,
    to: &'a Arc<ChannelProcessor>,
    peer: Arc<str>,
    answers: Arc<Answers>,
    is_deflated: bool,
    /// Of the client's protocol, once the two have shaken hands.
    shape: Option<Shape>,
    /// Something of it was handed on and may be held back.
    holds: bool,
    /// It was promised that its calls are taken in their order.
    keeps_order: bool,
    /// It was told of a request that asks for nothing that there is: once, since all may be so.
    has_told: bool,
    patience: Patience,
}

impl<'a> Client<'a> {
    pub fn new(
        service: &'a Service,
        to: &'a Arc<ChannelProcessor>,
        peer: &str,
        answers: Arc<Answers>,
        is_deflated: bool,
    ) -> Self {
        Client {
            service,
            to,
            peer: peer.into(),
            answers,
            is_deflated,
            shape: None,
            holds: false,
            keeps_order: false,
            has_told: false,
            patience: service.idle.patience_with_program(),
        }
    }

    /// Until the client goes or the source stops. The error is how the connection broke.
    pub fn run<I: Source>(&mut self, reader: &mut PackReader<I>) -> Result<Ended, String> {
        let mut is_known = false;
        loop {
            let got = reader.next();
            if !is_known && (got.is_err() || I::first(reader).len() >= 4) {
                expect_avro(I::first(reader), self.is_deflated)?;
                is_known = true;
            }
            match got.map_err(|error| self.broken(&error))? {
                Got::Pack(pack) => {
                    self.take(pack)?;
                    self.patience.renew();
                }
                Got::Pending => {
                    self.hand_on_all();
                    if let Some(ended) = self.wait(reader.begun())? {
                        return Ok(ended);
                    }
                }
                Got::Eof => {
                    self.hand_on_all();
                    return Ok(Ended::ByClient);
                }
            }
            if self.to.stop().is_stopping() {
                self.hand_on_all();
                return Ok(Ended::ByStop);
            }
        }
    }

    /// Nonsense from the start is told as what it is.
    fn broken(&self, error: &PackError) -> String {
        match (error, self.shape) {
            (PackError::Limit { .. }, None) => format!("what comes is no Avro RPC: {error}"),
            _ => error.to_string(),
        }
    }

    /// Only what is its own: whoever waits for room holds up everybody who flushes.
    fn hand_on_all(&mut self) {
        if std::mem::take(&mut self.holds) && self.to.flush().is_err() {
            // Nothing more can be handed on: the source ends and says why.
            self.to.stop().stop();
        }
    }

    /// Wait for more, if so many bytes of a request are here. How it ended, if nothing more comes.
    fn wait(&mut self, begun: usize) -> Result<Option<Ended>, String> {
        let stop = self.to.stop();
        loop {
            let deadline = self.patience.deadline(begun);
            let socket = self.answers.socket();
            return match fd::wait(socket.as_fd(), PollFlags::IN, &[stop.bell()], deadline) {
                Err(error) => Err(error.to_string()),
                Ok(_) if stop.is_stopping() => Ok(Some(Ended::ByStop)),
                Ok(Woken::Timeout) if begun > 0 => Err(self.patience.reason(begun)),
                // Until then it was the client that waited.
                Ok(Woken::Timeout) if self.patience.saw(self.answers.settled()) => continue,
                Ok(Woken::Timeout) => Ok(Some(Ended::Silent(self.patience.reason(0)))),
                Ok(_) => Ok(None),
            };
        }
    }

    /// Do what a request asks for.
    fn take(&mut self, pack: Pack) -> Result<(), String> {
        self.answers.wait_for_place(self.service.max_in_flight, self.to)?;
        let serial = pack.serial;
        let (handshake, at) = match self.shape {
            Some(_) => (None, 0),
            None => {
                let (handshake, at) = self.shake(serial, &pack.payload)?;
                (Some(handshake), at)
            }
        };
        let is_first = handshake.is_some();
        let mut owed = Owed {
            serial,
            handshake,
            is_one_way: false,
        };
        let Some(shape) = self.shape else {
            // The client is not known: nothing was called, and it comes again with its protocol.
            self.answers.say(&owed, None);
            return Ok(());
        };
        match Request::decode(pack.payload, at) {
            Ok(Message::Ping) => self.answers.say(&owed, None),
            Ok(Message::Append(event)) => {
                owed.is_one_way = shape.append_is_one_way && !is_first;
                self.hand_on(owed, event, true)?;
            }
            Ok(Message::AppendBatch(batch)) => {
                owed.is_one_way = shape.append_batch_is_one_way && !is_first;
                self.hand_on(owed, batch, false)?;
            }
            Ok(Message::Other(name)) => self.fail(&owed, format!("the protocol has no message \"{name}\"")),
            Err(error) => self.fail(&owed, format!("the request cannot be read: {error}")),
        }
        Ok(())
    }

    /// The handshake of a request, and where it ends.
    fn shake(&mut self, serial: u32, payload: &[u8]) -> Result<(HandshakeResponse<'static>, usize), String> {
        let (request, at) = Request::handshake(payload)
            .map_err(|error| format!("a request begins with no handshake: {error}"))?;
        match self.service.clients.greet(&request) {
            Ok((response, shape)) => {
                self.shape = shape;
                self.keeps_order = response.keeps_order;
                Ok((response, at))
            }
            Err(error) => {
                let owed = Owed {
                    serial,
                    handshake: Some(HandshakeResponse::telling(Match::Client)),
                    is_one_way: false,
                };
                self.answers.say(&owed, Some(&Answer::Error(error.to_string())));
                Err(error.to_string())
            }
        }
    }

    /// Answer a request that asks for nothing that there is; the connection stays.
    fn fail(&mut self, owed: &Owed, why: String) {
        self.to.counters().add(Count::EventReadFail, 1);
        if !std::mem::replace(&mut self.has_told, true) {
            let name = self.to.counters().name();
            say::warn(
                name,
                format!("{}: {why}; more of this client is only counted", self.peer),
            );
        }
        self.answers.say(owed, Some(&Answer::Error(why)));
    }

    /// Hand on the events of a call; it is answered when they are settled.
    fn hand_on(&mut self, owed: Owed, batch: Batch, is_single: bool) -> Result<(), String> {
        self.answers.begin();
        let failed = Answer::Status(Status::Failed);
        let deadline = Instant::now() + self.service.max_wait;
        let permits = self
            .permit(&self.service.permits, deadline)
            .and_then(|permit| Some((permit, self.permit(&self.service.entrance, deadline)?)));
        let Some((permit, entrance)) = permits else {
            self.give_up();
            self.answers.settle(&owed, &failed);
            return match self.keeps_order {
                true => Err("its calls have an order, and what follows one that failed is not taken".into()),
                false => Ok(()),
            };
        };
        let events = u64::from(batch.len());
        let sent = match is_single {
            true => self.to.process_append(batch),
            false => self.to.process(batch),
        };
        drop(entrance);
        self.holds = true;
        let receipt = match sent {
            Ok(receipt) => receipt,
            Err(error) => {
                self.answers.settle(&owed, &failed);
                // The processor can hand on nothing more: the source ends and says why.
                self.to.stop().stop();
                return Err(error.to_string());
            }
        };
        let (answers, to, peer) = (self.answers.clone(), self.to.clone(), self.peer.clone());
        receipt.then(move |outcome| {
            let status = note(&outcome, events, is_single, &to, &peer);
            answers.settle(&owed, &Answer::Status(status));
            drop(permit);
        });
        Ok(())
    }

    fn permit(&mut self, permits: &Arc<Permits>, deadline: Instant) -> Option<Permit> {
        if let Some(permit) = permits.take_now() {
            return Some(permit);
        }
        self.hand_on_all();
        permits.take_by(deadline, self.to)
    }

    fn give_up(&self) {
        self.to.counters().add(Count::ChannelWriteFail, 1);
        let time = self.service.max_wait.as_secs_f64();
        let why = match self.to.stop().is_stopping() {
            true => answers::GOING.to_string(),
            false => format!(
                "nothing could be handed on for {time} s (--max-wait): a call is answered with FAILED"
            ),
        };
        say::warn(self.to.counters().name(), format!("{}: {why}", self.peer));
    }
}

/// Who speaks something else is told apart by its first bytes.
pub fn expect_avro(first: &[u8], is_deflated: bool) -> Result<(), String> {
    let found = stranger(first);
    match (is_deflated, found) {
        (false, None) => Ok(()),
        (true, Some(found)) if found.starts_with("zlib") => Ok(()),
        (false, Some(found)) if found.starts_with("zlib") => Err(
            "what comes is compressed, and compression-type is none here: both sides must say the same".into(),
        ),
        (_, Some(found)) => Err(format!("what comes is {found} and not Avro RPC")),
        (true, None) => Err(
            "what comes is not compressed, and compression-type is deflate here: both sides must say the same"
                .into(),
        ),
    }
}

/// Count what became of events, and tell if they were not taken.
fn note(outcome: &Outcome, events: u64, is_single: bool, to: &ChannelProcessor, peer: &str) -> Status {
    if *outcome == Outcome::Accepted {
        to.counters().add(Count::EventAccepted, events);
        let count = match is_single {
            true => Count::AppendAccepted,
            false => Count::AppendBatchAccepted,
        };
        to.counters().add(count, 1);
        return Status::Ok;
    }
    to.counters().add(Count::Refused, events);
    let why = answers::reason(outcome);
    say::warn(
        to.counters().name(),
        format!("{peer}: {events} events were not taken: {why}"),
    );
    if *outcome == Outcome::Lost {
        to.stop().stop();
    }
    Status::Failed
}
