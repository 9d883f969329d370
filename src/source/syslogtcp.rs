//! `syslogtcp`: messages in lines over TCP, read as Flume's SyslogTcpSource does.

use super::idle::Idle;
use super::ports::in_the_way;
use super::server::Connections;
use super::syslog::connection::Service;
use super::syslog::events::{Dialect, Events};
use super::syslog::heads::{Format, Heads};
use super::syslog::{Running, listen, serve};
use crate::date::Zone;
use crate::exit::{StageError, StageResult};
use crate::link::Address;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use crate::syslog::classic::Classic;
use crate::syslog::{Framer, Framing};
use crate::tls::ServerSsl;
use std::sync::Arc;

/// Events in a batch at most.
const BATCH: u32 = 1000;

/// Take syslog messages in lines over TCP, as Flume's source of this name.
///
/// The source syslog knows more of what senders do: octet counting, all of RFC 5424, CR LF. This one reads messages as
/// existing agents do; what follows their host is the body.
#[derive(clap::Args)]
pub struct SyslogTcp {
    /// Address to listen on.
    #[arg(long, id = "host", value_name = "HOST")]
    host: Option<String>,
    /// Port to listen on; 0 lets the system choose one, which the first message names.
    #[arg(long, id = "port", value_name = "PORT")]
    port: Option<u16>,
    /// Bytes of a message at most; one that is as long is cut, and what follows is read as another one.
    #[arg(long, id = "eventSize", default_value = "2500", value_name = "BYTES",
          value_parser = clap::value_parser!(u32).range(1..=64 << 20))]
    event_size: u32,
    #[command(flatten)]
    heads: Heads,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connections: Connections,
    #[command(flatten)]
    idle: Idle,
    #[command(flatten)]
    ssl: ServerSsl,
    #[arg(skip)]
    running: Running,
}

impl SyslogTcp {
    fn address(&self) -> Result<Address, String> {
        match (&self.host, self.port) {
            (Some(host), Some(port)) => Ok(Address::Tcp(host.clone(), port)),
            (None, _) => Err(
                "the property host is missing: the address to listen on, 0.0.0.0 for all; real Flume would start and take nothing"
                    .into(),
            ),
            (_, None) => Err("the property port is missing: the port to listen on, such as 5140, or 0 for any".into()),
        }
    }

    pub(super) fn events(&self) -> Result<Events, String> {
        let classic = Classic {
            in_datagrams: false,
            custom: self.format.custom()?,
        };
        Ok(Events::new(
            Dialect::Classic(classic),
            self.heads.keep_fields,
            Zone::local(),
        ))
    }
}

impl EventDrivenSource for SyslogTcp {
    fn check(&self) -> Result<(), String> {
        self.address().map(drop).and_then(|()| self.events().map(drop))
    }

    fn look(&self) -> Vec<Obstacle> {
        in_the_way("port", self.address())
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let address = self.address().map_err(StageError::Usage)?;
        let service = Service {
            events: self.events().map_err(StageError::Usage)?,
            framer: Framer::new(Framing::Lines, self.event_size as usize),
            heads: self.heads.clone(),
            fixed: None,
            batch_size: BATCH,
            idle: self.idle,
            together: Arc::default(),
            acceptor: self.ssl.acceptor(to.counters().name())?,
        };
        let listener = listen(&address)?;
        let server = serve(listener, service, &self.connections, "--host 0.0.0.0", to)?;
        self.running.servers.push(server);
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        self.running.join();
        Ok(())
    }
}
