//! `syslog`: messages of RFC 3164 and RFC 5424 from daemons and programs, over TCP, TLS, UDP and a local socket.

pub mod connection;
pub mod datagram;
pub mod events;
pub mod heads;
#[cfg(test)]
mod tests;

use super::datagrams::{Buffer, DatagramSocket, Receiver};
use super::handing::Together;
use super::idle::Idle;
use super::ports::{in_the_way, in_the_way_of_datagrams};
use super::server::{Connections, Server, announce};
use crate::date::Zone;
use crate::exit::{StageError, StageResult};
use crate::link::Address;
use crate::link::address::Listener;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use crate::syslog::{Framer, Framing};
use crate::tls::{self, ServerTls};
use crate::value::Size;
use connection::Service;
use datagram::Messages;
use events::{Dialect, Events};
use heads::Heads;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Tries to find a port that is free for both TCP and UDP.
const PORT_TRIES: usize = 16;

/// Take syslog messages over TCP, TLS, UDP and a local socket.
///
/// Without --tcp, --udp, --tls and --unix it listens on --port with both TCP and UDP. Messages of RFC 3164 and RFC 5424 are
/// told apart one by one, and so are those with their length in front (RFC 6587) and those that end with a line
/// feed. What is no syslog is kept and marked. A sender over TCP waits while nothing can be handed on; datagrams that
/// the system has to drop then are counted.
#[derive(clap::Args)]
pub struct Syslog {
    /// Address to listen on.
    #[arg(long, id = "bind", default_value = "0.0.0.0", value_name = "HOST")]
    bind: String,
    /// Port to listen on; 0 lets the system choose one, which the first message names.
    #[arg(long, id = "port", value_name = "PORT")]
    port: Option<u16>,
    /// Listen with TCP, on this port if it is another one.
    #[arg(long, id = "tcp", value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tcp: Option<Way>,
    /// Listen with UDP, on this port if it is another one.
    #[arg(long, id = "udp", value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    udp: Option<Way>,
    /// Listen with TLS (RFC 5425), on this port if it is another one.
    #[arg(long, id = "tls", value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls: Option<Way>,
    /// Take the datagrams of this host's programs at this path, as at /dev/log.
    #[arg(long, id = "unix", value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Bytes of a message at most; a longer one comes in pieces, which are marked.
    #[arg(long, id = "eventSize", default_value = "64KiB", value_name = "SIZE")]
    event_size: Size,
    #[command(flatten)]
    heads: Heads,
    /// Time zone of stamps that name none, such as Europe/Berlin or UTC; without it that of this host.
    #[arg(long, id = "time-zone", value_name = "NAME")]
    time_zone: Option<Zone>,
    /// Events in a batch at most.
    #[arg(long, id = "batchSize", default_value = "1000", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    connections: Connections,
    #[command(flatten)]
    idle: Idle,
    #[command(flatten)]
    certificates: ServerTls,
    #[arg(skip)]
    together: Arc<Together>,
    #[arg(skip)]
    running: Running,
}

/// The servers and receivers, once they run.
#[derive(Default)]
pub struct Running {
    /// Of connections.
    pub servers: Vec<Server>,
    /// Of datagrams.
    pub receivers: Vec<Receiver>,
}

impl Running {
    /// After a stop: wait for all of them.
    pub fn join(&mut self) {
        self.servers.drain(..).for_each(Server::join);
        self.receivers.drain(..).for_each(Receiver::join);
    }
}

/// Is a way to send messages open, and on which port?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is not.
    Closed,
    /// On the port of all.
    Open,
    /// On its own.
    At(u16),
}

impl FromStr for Way {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.trim() {
            "true" => Ok(Way::Open),
            "false" => Ok(Way::Closed),
            port => match port.parse() {
                Ok(port) => Ok(Way::At(port)),
                Err(_) => Err(format!(
                    "\"{word}\" is no port; there are numbers up to 65535, true and false"
                )),
            },
        }
    }
}

/// The ports of the ways that are open.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ports {
    tcp: Option<u16>,
    udp: Option<u16>,
    tls: Option<u16>,
}

impl Syslog {
    fn ports(&self) -> Result<Ports, String> {
        let port_of = |way: Option<Way>, name: &str| match way {
            None | Some(Way::Closed) => Ok(None),
            Some(Way::At(port)) => Ok(Some(port)),
            Some(Way::Open) => match self.port {
                Some(port) => Ok(Some(port)),
                None => Err(format!(
                    "the property port is missing: the port for {name}, such as 5140"
                )),
            },
        };
        let is_open = |way: &Option<Way>| way.is_some_and(|way| way != Way::Closed);
        let says_how = [&self.tcp, &self.udp, &self.tls].into_iter().any(is_open) || self.unix.is_some();
        let both = |way: Option<Way>| if says_how { way } else { way.or(Some(Way::Open)) };
        let ports = Ports {
            tcp: port_of(both(self.tcp), "TCP")?,
            udp: port_of(both(self.udp), "UDP")?,
            tls: port_of(self.tls, "TLS")?,
        };
        if ports == Ports::default() && self.unix.is_none() {
            return Err("every way is closed: there is nothing to listen on".into());
        }
        if ports.tls.is_some_and(|port| port != 0 && Some(port) == ports.tcp) {
            return Err(
                "plain TCP and TLS cannot have the same port: say --tls=6514 or leave --tcp out".into(),
            );
        }
        Ok(ports)
    }

    fn service(&self, acceptor: Option<tls::Acceptor>) -> Service {
        let limit = usize::try_from(self.event_size.0).unwrap_or(usize::MAX);
        Service {
            events: self.events(),
            framer: Framer::new(Framing::Either, limit),
            heads: self.heads.clone(),
            fixed: None,
            batch_size: self.batch_size,
            idle: self.idle,
            together: self.together.clone(),
            acceptor,
        }
    }

    fn events(&self) -> Events {
        let zone = self.time_zone.clone().unwrap_or_else(Zone::local);
        Events::new(Dialect::Rfc, self.heads.keep_fields, zone)
    }

    /// The listener of TCP and the socket of UDP, on the same port if the system may choose it.
    fn plain(&self, ports: &Ports) -> Result<(Option<Listener>, Option<DatagramSocket>), StageError> {
        let listen = |port: u16| listen(&Address::Tcp(self.bind.clone(), port));
        let (Some(tcp), Some(udp)) = (ports.tcp, ports.udp) else {
            let listener = ports.tcp.map(listen).transpose()?;
            let socket = ports.udp.map(|port| DatagramSocket::udp(&self.bind, port));
            return Ok((listener, socket.transpose()?));
        };
        let mut tries = 0..PORT_TRIES;
        loop {
            let listener = listen(tcp)?;
            let chosen = listener.local().and_then(|address| address.port());
            let port = if tcp == 0 && udp == 0 {
                chosen.unwrap_or(0)
            } else {
                udp
            };
            match DatagramSocket::udp(&self.bind, port) {
                Ok(socket) => return Ok((Some(listener), Some(socket))),
                // Somebody else has it for UDP.
                Err(_) if tcp == 0 && udp == 0 && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Listen there, or say why not.
pub fn listen(address: &Address) -> Result<Listener, StageError> {
    let failed = |error| StageError::Failed(format!("cannot listen on {address}: {error}"));
    address.listen().map_err(failed)
}

/// Serve the connections of a listener.
pub fn serve(
    listener: Listener,
    service: Service,
    connections: &Connections,
    how_to_open: &str,
    to: &Arc<ChannelProcessor>,
) -> Result<Server, StageError> {
    announce(&listener, to.counters().name(), how_to_open);
    Server::start_for_all(listener, connections, to, move |connection, to| {
        service.serve(connection, to)
    })
}

impl EventDrivenSource for Syslog {
    fn check(&self) -> Result<(), String> {
        self.ports()?;
        match self.certificates.is_given() && self.tls.is_none() {
            true => Err("certificates are given, and nothing speaks TLS: say --tls or --tls=6514".into()),
            false => Ok(()),
        }
    }

    fn look(&self) -> Vec<Obstacle> {
        let Ok(ports) = self.ports() else {
            return Vec::new();
        };
        let tcp = |port: u16| Address::Tcp(self.bind.clone(), port);
        let own = |port: Option<u16>, property| match port == self.port {
            true => "port",
            false => property,
        };
        let mut found = in_the_way(own(ports.tcp, "tcp"), ports.tcp.map(tcp));
        found.extend(in_the_way(own(ports.tls, "tls"), ports.tls.map(tcp)));
        if let Some(port) = ports.udp {
            found.extend(in_the_way_of_datagrams(own(ports.udp, "udp"), &self.bind, port));
        }
        let unix = self.unix.clone().map(Address::Unix);
        found.extend(in_the_way("unix", unix));
        found
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let ports = self.ports().map_err(StageError::Usage)?;
        let name = to.counters().name();
        let (tcp, udp) = self.plain(&ports)?;
        let secured = ports.tls.map(|port| -> Result<_, StageError> {
            let acceptor = tls::server(&self.certificates, name)?;
            Ok((listen(&Address::Tls(self.bind.clone(), port))?, acceptor))
        });
        let secured = secured.transpose()?;
        let unix = self.unix.as_deref().map(DatagramSocket::unix).transpose()?;
        let open = "--bind 0.0.0.0";
        if let Some(listener) = tcp {
            let server = serve(listener, self.service(None), &self.connections, open, to)?;
            self.running.servers.push(server);
        }
        if let Some((listener, acceptor)) = secured {
            let server = serve(
                listener,
                self.service(Some(acceptor)),
                &self.connections,
                open,
                to,
            )?;
            self.running.servers.push(server);
        }
        for socket in [udp, unix].into_iter().flatten() {
            let messages = Messages::new(self.events(), self.heads.clone(), false);
            let receiver = Receiver::start(socket, &self.buffer, messages, open, to)?;
            self.running.receivers.push(receiver);
        }
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        self.running.join();
        Ok(())
    }
}
