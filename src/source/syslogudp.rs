//! `syslogudp`: a message in each datagram, read as Flume's SyslogUDPSource does.

use super::datagrams::{Buffer, DatagramSocket, Receiver};
use super::ports::in_the_way_of_datagrams;
use super::syslog::Running;
use super::syslog::datagram::Messages;
use super::syslog::events::{Dialect, Events};
use super::syslog::heads::{Format, Heads};
use crate::date::Zone;
use crate::exit::{StageError, StageResult};
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use crate::syslog::classic::Classic;
use std::sync::Arc;

/// Take syslog messages in datagrams over UDP, as Flume's source of this name.
///
/// A datagram may have up to 64 KiB. What follows a line feed in it is another message. What the system has to drop
/// while nothing can be handed on is counted.
#[derive(clap::Args)]
pub struct SyslogUdp {
    /// Address to listen on.
    #[arg(long, id = "host", default_value = "0.0.0.0", value_name = "HOST")]
    host: String,
    /// Port to listen on; 0 lets the system choose one, which the first message names.
    #[arg(long, id = "port", value_name = "PORT")]
    port: Option<u16>,
    #[command(flatten)]
    heads: Heads,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    buffer: Buffer,
    #[arg(skip)]
    running: Running,
}

impl SyslogUdp {
    fn port(&self) -> Result<u16, String> {
        self.port.ok_or_else(|| {
            "the property port is missing: the port to listen on, such as 5140, or 0 for any".into()
        })
    }

    fn events(&self) -> Result<Events, String> {
        let classic = Classic {
            in_datagrams: true,
            custom: self.format.custom()?,
        };
        Ok(Events::new(
            Dialect::Classic(classic),
            self.heads.keep_fields,
            Zone::local(),
        ))
    }
}

impl EventDrivenSource for SyslogUdp {
    fn check(&self) -> Result<(), String> {
        self.port().map(drop).and_then(|()| self.events().map(drop))
    }

    fn look(&self) -> Vec<Obstacle> {
        let port = self.port.unwrap_or_default();
        in_the_way_of_datagrams("port", &self.host, port)
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let port = self.port().map_err(StageError::Usage)?;
        let events = self.events().map_err(StageError::Usage)?;
        let socket = DatagramSocket::udp(&self.host, port)?;
        let messages = Messages::new(events, self.heads.clone(), true);
        let receiver = Receiver::start(socket, &self.buffer, messages, "--host 0.0.0.0", to)?;
        self.running.receivers.push(receiver);
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        self.running.join();
        Ok(())
    }
}
