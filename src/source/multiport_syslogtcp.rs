//! `multiport_syslogtcp`: messages in lines over TCP on many ports, read as Flume's MultiportSyslogTCPSource does.

use super::handing::Together;
use super::idle::Idle;
use super::ports::in_the_way;
use super::server::Connections;
use super::syslog::connection::Service;
use super::syslog::events::{Dialect, Events};
use super::syslog::heads::Heads;
use super::syslog::{Running, listen, serve};
use crate::charset::Charset;
use crate::date::Zone;
use crate::exit::{StageError, StageResult};
use crate::link::Address;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use crate::syslog::{Framer, Framing};
use crate::tls::{Acceptor, ServerSsl};
use crate::value::Pair;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

/// Take syslog messages in lines over TCP on several ports, as Flume's source of this name.
///
/// Its headers are Priority and Version with capitals, a stamp without a zone is UTC, and each port has its character set.
#[derive(clap::Args)]
pub struct MultiportSyslogTcp {
    /// Ports to listen on, with blanks between them; 0 lets the system choose one.
    #[arg(long, id = "ports", value_name = "PORTS")]
    ports: Option<Ports>,
    /// Address to listen on.
    #[arg(long, id = "host", default_value = "0.0.0.0", value_name = "HOST")]
    host: String,
    /// Bytes of a line at most; one that is as long is cut, and what follows is read as another one.
    #[arg(long, id = "eventSize", default_value = "2500", value_name = "BYTES",
          value_parser = clap::value_parser!(u32).range(1..=64 << 20))]
    event_size: u32,
    #[command(flatten)]
    heads: Heads,
    /// Header for the port that a message came to.
    #[arg(long, id = "portHeader", value_name = "NAME")]
    port_header: Option<String>,
    /// Character set of the messages, by Java's name. What is no text in it is kept and marked.
    #[arg(long, id = "charset.default", default_value = "UTF-8", value_name = "NAME", value_parser = charset)]
    charset_default: Charset,
    /// The same for one port.
    #[arg(long, id = "charset.port.*", value_name = "PORT=NAME")]
    charset_port: Vec<Pair>,
    /// Events in a batch at most.
    #[arg(long, id = "batchSize", default_value = "100", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Flume's buffer for reading; here it grows as it has to.
    #[arg(long, id = "readBufferBytes", default_value = "1024", value_name = "BYTES")]
    read_buffer_bytes: u32,
    /// Flume's threads for reading; here each connection has one.
    #[arg(long, id = "numProcessors", value_name = "COUNT")]
    num_processors: Option<u32>,
    #[command(flatten)]
    connections: Connections,
    #[command(flatten)]
    idle: Idle,
    #[command(flatten)]
    ssl: ServerSsl,
    #[arg(skip)]
    together: Arc<Together>,
    #[arg(skip)]
    running: Running,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ports(Vec<u16>);

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |word: &str| {
            word.parse().map_err(|_| {
                format!("\"{word}\" is no port; ports are numbers from 0 to 65535 with blanks between them")
            })
        };
        let ports: Vec<u16> = text.split_whitespace().map(port).collect::<Result<_, _>>()?;
        let twice = (0..ports.len()).find(|at| ports[*at] != 0 && ports[..*at].contains(&ports[*at]));
        match twice {
            _ if ports.is_empty() => {
                Err("there is no port in it; write ports with blanks between them".into())
            }
            Some(at) => Err(format!("the port {} is there twice", ports[at])),
            None => Ok(Ports(ports)),
        }
    }
}

/// One in which lines can be found and heads be read.
fn charset(name: &str) -> Result<Charset, String> {
    let charset: Charset = name.parse()?;
    match charset.is_ascii_compatible() {
        true => Ok(charset),
        false => Err(format!(
            "lines of {} cannot be told apart by their line feeds",
            charset.name()
        )),
    }
}

impl MultiportSyslogTcp {
    fn ports(&self) -> Result<&Ports, String> {
        self.ports.as_ref().ok_or_else(|| {
            "the property ports is missing: the ports to listen on, such as \"10001 10002\"".into()
        })
    }

    fn charsets(&self) -> Result<BTreeMap<u16, Charset>, String> {
        let one = |pair: &Pair| {
            let port = pair.name.parse();
            let port = port.map_err(|_| format!("charset.port.{}: that is no port", pair.name))?;
            let charset = charset(&pair.value);
            Ok((
                port,
                charset.map_err(|error| format!("charset.port.{port}: {error}"))?,
            ))
        };
        self.charset_port.iter().map(one).collect()
    }

    fn service(&self, port: u16, charset: Charset, acceptor: Option<Acceptor>) -> Service {
        let events = Events::new(Dialect::Multiport(charset), self.heads.keep_fields, Zone::utc());
        Service {
            events,
            framer: Framer::new(Framing::Lines, self.event_size as usize),
            heads: self.heads.clone(),
            fixed: self.port_header.clone().map(|name| (name, port.to_string())),
            batch_size: self.batch_size,
            idle: self.idle,
            together: self.together.clone(),
            acceptor,
        }
    }
}

impl EventDrivenSource for MultiportSyslogTcp {
    fn check(&self) -> Result<(), String> {
        let ports = self.ports()?;
        match self.charsets()?.into_keys().find(|port| !ports.0.contains(port)) {
            Some(port) => Err(format!("charset.port.{port}: the port {port} is not among ports")),
            None => Ok(()),
        }
    }

    fn look(&self) -> Vec<Obstacle> {
        let ports = self.ports.iter().flat_map(|ports| &ports.0);
        in_the_way("ports", ports.map(|port| Address::Tcp(self.host.clone(), *port)))
    }

    /// All ports, or none: Flume would go on with those that are free.
    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let ports = self.ports().map_err(StageError::Usage)?.clone();
        let charsets = self.charsets().map_err(StageError::Usage)?;
        let name = to.counters().name();
        if self.num_processors.is_some() {
            say::info(
                name,
                "numProcessors means nothing here: each connection has a thread",
            );
        }
        let mut listeners = Vec::new();
        for port in ports.0 {
            let listener = listen(&Address::Tcp(self.host.clone(), port))?;
            listeners.push((port, listener, self.ssl.acceptor(name)?));
        }
        for (port, listener, acceptor) in listeners {
            let charset = charsets.get(&port).copied().unwrap_or(self.charset_default);
            let chosen = listener
                .local()
                .and_then(|address| address.port())
                .unwrap_or(port);
            let service = self.service(chosen, charset, acceptor);
            let server = serve(listener, service, &self.connections, "--host 0.0.0.0", to)?;
            self.running.servers.push(server);
        }
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        self.running.join();
        Ok(())
    }
}
