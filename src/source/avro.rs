//! `avro`: events from Flume's RPC clients, log4j appenders and the avro sinks of other agents (Flume's
//! AvroSource).
//!
//! A thread for each connection reads requests and hands their events on; whoever settles a batch writes its
//! answer. So the next request is read while earlier ones wait, and answers may overtake each other, which the
//! serial numbers of requests are for.

mod answers;
#[cfg(test)]
mod tests;

use super::ipfilter::IpRules;
use super::server::{Binding, Connection, Connections, Server, announce, hang_up};
use crate::ack::Outcome;
use crate::component::words;
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::fd::{self, Woken};
use crate::metrics::Count;
use crate::rpc::avro::protocol::Shape;
use crate::rpc::avro::{
    Answer, Clients, Got, HandshakeResponse, Inflated, Limits, Match, Message, Pack, PackReader, Request,
    Status,
};
use crate::rpc::stranger;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource};
use crate::tls::{Acceptor, ServerSsl, TlsError, deflated};
use crate::value::Millis;
use crate::wire::Input;
use answers::{Answers, Owed, Permit, Permits};
use rustix::event::PollFlags;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client may be silent inside a request.
const STALL: Duration = Duration::from_secs(60);
/// What a zlib stream begins with; TLS begins with 0x16.
const ZLIB: u8 = 0x78;
/// How long the last answers of a TLS connection may take to leave.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Take events from Flume's RPC clients, log4j appenders and avro sinks.
///
/// A call is answered with OK when the next hop has its events, and with FAILED when it has not. The next call is
/// read while earlier ones wait. What is no Avro RPC ends the connection that it came by, and no other.
#[derive(clap::Args, Clone)]
pub struct Avro {
    #[command(flatten)]
    binding: Binding,
    /// Calls of all connections that may wait for their acceptance; 0 sets no limit.
    #[arg(long, id = "threads", default_value = "0", value_name = "COUNT")]
    threads: u32,
    /// Calls of one connection that may wait for their acceptance; the next is read when one is answered.
    #[arg(long, id = "max-in-flight", default_value = "32", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    max_in_flight: u32,
    /// How long a call may wait until its events can be handed on; then it is answered with FAILED, and its client
    /// comes again. It should be less than the request-timeout of clients, who come again without waiting for that.
    #[arg(long, id = "max-wait", default_value = "10s", value_name = "TIME")]
    max_wait: Millis,
    /// How connections are compressed, which their clients must be told, too.
    #[arg(long, id = "compression-type", default_value = "none", value_name = "HOW", ignore_case = true,
          value_parser = words(&["none", "deflate"]))]
    compression_type: String,
    /// Let only those connect whom the rules allow.
    #[arg(long, id = "ipFilter")]
    ip_filter: bool,
    /// Who may connect: allow or deny, ip or name, and a pattern with * and ?, as in
    /// "allow:ip:127.*,allow:name:localhost,deny:ip:*". The first that fits decides; whom none fits may.
    #[arg(long, id = "ipFilterRules", value_name = "RULES")]
    ip_filter_rules: Option<String>,
    #[command(flatten)]
    connections: Connections,
    #[command(flatten)]
    ssl: ServerSsl,
    #[arg(skip)]
    server: Running,
}

/// The server, once it runs. It belongs to the original, not to the copies of the settings.
#[derive(Default)]
struct Running(Option<Server>);

impl Clone for Running {
    fn clone(&self) -> Self {
        Running(None)
    }
}

impl Avro {
    fn rules(&self) -> Result<Option<IpRules>, String> {
        match self.ip_filter {
            true => IpRules::parse(self.ip_filter_rules.as_deref().unwrap_or_default()).map(Some),
            false => Ok(None),
        }
    }
}

impl EventDrivenSource for Avro {
    fn check(&self) -> Result<(), String> {
        let address = self.binding.address(4141);
        address.map_err(|error| format!("avro: {error}"))?;
        self.rules().map(drop).map_err(|error| format!("avro: {error}"))
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let address = self.binding.address(4141)?;
        let service = Service {
            max_in_flight: self.max_in_flight,
            is_deflated: self.compression_type.eq_ignore_ascii_case("deflate"),
            rules: self.rules().map_err(StageError::Usage)?,
            acceptor: self.ssl.acceptor(to.counters().name())?,
            clients: Clients::default(),
            max_wait: self.max_wait.0,
            permits: Permits::new(self.threads),
            entrance: Permits::new(1),
        };
        let listener = address
            .listen()
            .map_err(|error| StageError::Failed(format!("cannot listen on {address}: {error}")))?;
        announce(&listener, to.counters().name(), "--bind 0.0.0.0");
        let serve = move |connection: Connection, to: &Arc<ChannelProcessor>| service.serve(connection, to);
        self.server.0 = Some(Server::start(listener, &self.connections, to, serve)?);
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        if let Some(server) = self.server.0.take() {
            server.join();
        }
        Ok(())
    }
}

/// What all connections share.
struct Service {
    max_in_flight: u32,
    is_deflated: bool,
    rules: Option<IpRules>,
    acceptor: Option<Acceptor>,
    clients: Clients,
    max_wait: Duration,
    /// `threads`
    permits: Arc<Permits>,
    /// One at a time waits for room behind the source: the others wait here, where they can give up. Else each client
    /// that lost its patience would leave one more copy of its events behind.
    entrance: Arc<Permits>,
}

impl Service {
    fn serve(&self, connection: Connection, to: &Arc<ChannelProcessor>) {
        let Connection { socket, peer } = connection;
        let name = to.counters().name();
        if !self.may_connect(&peer) {
            return say::info(name, format!("{peer}: ipFilterRules do not allow it to connect"));
        }
        let broke = |why: &dyn std::fmt::Display| {
            to.counters().add(Count::EventReadFail, 1);
            say::warn(name, format!("{peer}: {why}; the connection is closed"));
        };
        let Some(acceptor) = &self.acceptor else {
            return self.speak(socket, self.is_deflated, &peer, to, &broke);
        };
        let (socket, is_deflated) = match self.is_deflated && begins_compressed(&socket, to) {
            false => (Ok(socket), self.is_deflated),
            true => (deflated::inside(socket), false),
        };
        let tunnel = socket
            .map_err(|error| TlsError::Failed(error.to_string()))
            .and_then(|socket| acceptor.accept_until(socket, to.stop()));
        match tunnel {
            Err(why) => broke(&why),
            Ok(tunnel) => {
                self.speak(tunnel.fd, is_deflated, &peer, to, &broke);
                tunnel.fate.wait_flushed(LAST_BYTES);
                if let Some(why @ (TlsError::Refused(_) | TlsError::Failed(_))) = tunnel.fate.why() {
                    broke(&why);
                }
            }
        }
    }

    /// Avro over what is plain by now.
    fn speak(
        &self,
        socket: OwnedFd,
        is_deflated: bool,
        peer: &str,
        to: &Arc<ChannelProcessor>,
        broke: &dyn Fn(&dyn std::fmt::Display),
    ) {
        let socket = Arc::new(socket);
        let input = Socket(socket.clone());
        let mut client = Client {
            service: self,
            to,
            peer: peer.into(),
            answers: Answers::new(socket.clone(), is_deflated),
            is_deflated,
            shape: None,
            holds: false,
            keeps_order: false,
            has_told: false,
        };
        let limits = Limits::default();
        let ended = match is_deflated {
            false => client.run(&mut PackReader::new(input, limits)),
            true => client.run(&mut PackReader::new(Inflated::new(input), limits)),
        };
        match ended {
            // What is still owed is answered as it is settled; then the last who holds the socket closes it.
            Ok(Ended::ByClient) => return,
            Ok(Ended::ByStop) => {
                client.answers.finish(to);
            }
            Err(why) => broke(&why),
        }
        if client.answers.is_idle() {
            hang_up(&socket);
        }
    }

    fn may_connect(&self, peer: &str) -> bool {
        match (&self.rules, peer.parse::<SocketAddr>()) {
            (Some(rules), Ok(address)) => rules.allows(address.ip()),
            _ => true,
        }
    }
}

/// With TLS and deflate together: Flume's clients since 1.10 compress what TLS has made, those before and ours encrypt
/// what is compressed. The first byte tells; who sends none is left to TLS, which says so.
fn begins_compressed(socket: &OwnedFd, to: &Arc<ChannelProcessor>) -> bool {
    let deadline = Some(Instant::now() + STALL);
    let mut first = [0];
    let came = fd::wait(socket.as_fd(), PollFlags::IN, &[to.stop().bell()], deadline);
    let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
    matches!(came, Ok(Woken::Ready))
        && rustix::net::recv(socket, &mut first, flags).is_ok_and(|(_, count)| count == 1)
        && first[0] == ZLIB
}

/// How a connection ended well.
enum Ended {
    ByClient,
    ByStop,
}

/// Where packs come from, and what its first bytes were as they came.
trait Source: Input {
    fn first(reader: &PackReader<Self>) -> &[u8]
    where
        Self: Sized;
}

/// A socket that is read without waiting.
struct Socket(Arc<OwnedFd>);

impl Read for Socket {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let flags = rustix::net::RecvFlags::DONTWAIT;
        Ok(rustix::net::recv(&*self.0, to, flags)?.1)
    }
}

impl Input for Socket {
    fn read_onto(&mut self, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        fd::recv_onto(&*self.0, to, most)
    }
}

impl Source for Socket {
    fn first(reader: &PackReader<Self>) -> &[u8] {
        reader.first_bytes()
    }
}

impl Source for Inflated<Socket> {
    fn first(reader: &PackReader<Self>) -> &[u8] {
        reader.inner().first_bytes()
    }
}

/// One connection.
struct Client<'a> {
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
}

impl Client<'_> {
    /// Until the client goes or the source stops. The error is how the connection broke.
    fn run<I: Source>(&mut self, reader: &mut PackReader<I>) -> Result<Ended, String> {
        let mut is_known = false;
        loop {
            let got = reader.next();
            if !is_known && (got.is_err() || I::first(reader).len() >= 4) {
                self.expect_avro(I::first(reader))?;
                is_known = true;
            }
            match got.map_err(|error| error.to_string())? {
                Got::Pack(pack) => self.take(pack)?,
                Got::Pending => {
                    self.hand_on_all();
                    if !self.wait(reader.is_inside())? {
                        return Ok(Ended::ByStop);
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

    /// Who speaks something else is told apart by its first bytes.
    fn expect_avro(&self, first: &[u8]) -> Result<(), String> {
        let found = stranger(first);
        match (self.is_deflated, found) {
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

    /// Only what is its own: whoever waits for room holds up everybody who flushes.
    fn hand_on_all(&mut self) {
        if std::mem::take(&mut self.holds) && self.to.flush().is_err() {
            // Nothing more can be handed on: the source ends and says why.
            self.to.stop().stop();
        }
    }

    /// Wait for more: false at a stop.
    fn wait(&self, is_inside: bool) -> Result<bool, String> {
        let stop = self.to.stop();
        let deadline = is_inside.then(|| Instant::now() + STALL);
        let socket = self.answers.socket();
        match fd::wait(socket.as_fd(), PollFlags::IN, &[stop.bell()], deadline) {
            Err(error) => Err(error.to_string()),
            Ok(Woken::Timeout) => Err(format!(
                "half a request came, and then nothing for {} s",
                STALL.as_secs()
            )),
            Ok(_) => Ok(!stop.is_stopping()),
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
