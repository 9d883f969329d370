//! What all connections share, and how one of them becomes plain bytes of Avro RPC.

use super::answers::Answers;
use super::client::{Client, Ended};
use super::permits::Permits;
use crate::fd::{self, Woken};
use crate::metrics::Count;
use crate::rpc::avro::{Clients, Inflated, Limits, PackReader};
use crate::say;
use crate::source::idle::Idle;
use crate::source::ipfilter::IpRules;
use crate::source::server::{Connection, hang_up};
use crate::stage::ChannelProcessor;
use crate::tls::{Acceptor, TlsError, deflated};
use crate::wire::Input;
use rustix::event::PollFlags;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a zlib stream begins with; TLS begins with 0x16.
const ZLIB: u8 = 0x78;
/// How long the last answers of a TLS connection may take to leave.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// What all connections share.
pub struct Service {
    pub max_in_flight: u32,
    pub is_deflated: bool,
    pub rules: Option<IpRules>,
    pub acceptor: Option<Acceptor>,
    pub clients: Clients,
    pub max_wait: Duration,
    pub idle: Idle,
    /// `threads`
    pub permits: Arc<Permits>,
    /// One at a time waits for room behind the source: the others wait here, where they can give up. Else each client
    /// that lost its patience would leave one more copy of its events behind.
    pub entrance: Arc<Permits>,
}

impl Service {
    /// Until the client goes or the source stops.
    pub fn serve(&self, connection: Connection, to: &Arc<ChannelProcessor>) {
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
        let (socket, is_deflated) = match self.is_deflated && self.begins_compressed(&socket, to) {
            false => (Ok(socket), self.is_deflated),
            true => (deflated::inside(socket), false),
        };
        let tunnel = socket
            .map_err(|error| TlsError::Failed(error.to_string()))
            .and_then(|socket| acceptor.accept_within(socket, self.idle.handshake(), to.stop()));
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
        let answers = Answers::new(socket.clone(), is_deflated);
        let mut client = Client::new(self, to, peer, answers.clone(), is_deflated);
        let limits = Limits::default();
        let ended = match is_deflated {
            false => client.run(&mut PackReader::new(input, limits)),
            true => client.run(&mut PackReader::new(Inflated::new(input), limits)),
        };
        match ended {
            // What is still owed is answered as it is settled; then the last who holds the socket closes it.
            Ok(Ended::ByClient) => return,
            Ok(Ended::ByStop) => {
                answers.finish(to);
            }
            Ok(Ended::Silent(why)) => say::info(
                to.counters().name(),
                format!("{peer}: {why}: the connection is closed"),
            ),
            Err(why) => broke(&why),
        }
        if answers.is_idle() {
            hang_up(&socket);
        }
    }

    /// With TLS and deflate together: Flume's clients since 1.10 compress what TLS has made, those before and ours encrypt
    /// what is compressed. The first byte tells; who sends none is left to TLS, which says so.
    fn begins_compressed(&self, socket: &OwnedFd, to: &Arc<ChannelProcessor>) -> bool {
        let deadline = Some(Instant::now() + self.idle.handshake());
        let mut first = [0];
        let came = fd::wait(socket.as_fd(), PollFlags::IN, &[to.stop().bell()], deadline);
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        matches!(came, Ok(Woken::Ready))
            && rustix::net::recv(socket, &mut first, flags).is_ok_and(|(_, count)| count == 1)
            && first[0] == ZLIB
    }

    fn may_connect(&self, peer: &str) -> bool {
        match (&self.rules, peer.parse::<SocketAddr>()) {
            (Some(rules), Ok(address)) => rules.allows(address.ip()),
            _ => true,
        }
    }
}

/// Where packs come from, and what its first bytes were as they came.
pub trait Source: Input {
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
