//! `netcat`: lines of text over TCP or a Unix socket, each answered with `OK` (Flume's NetcatSource).

mod answers;
mod client;
#[cfg(test)]
mod tests;

use super::idle::Idle;
use super::ports::in_the_way;
use super::server::{Binding, Connection, Connections, Server, announce};
use crate::charset::Charset;
use crate::exit::{StageError, StageResult};
use crate::link::Address;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use client::Client;
use std::sync::Arc;

/// Take lines of text from TCP or Unix sockets.
///
/// Only LF ends a line. Each line is answered with OK when the next hop has it, or with FAILED and the
/// reason, which comes also when --ack-every-event is false; a line that is too long is answered so and
/// ends the connection. A last line without LF is not taken.
#[derive(clap::Args, Clone)]
pub struct Netcat {
    #[command(flatten)]
    binding: Binding,
    /// Characters of a line at most, with its LF.
    #[arg(long, id = "max-line-length", default_value = "512", value_name = "CHARACTERS",
          value_parser = clap::value_parser!(u32).range(1..=8 << 20))]
    max_line_length: u32,
    /// Answer OK to each line.
    #[arg(long, id = "ack-every-event", default_value = "true")]
    ack_every_event: bool,
    /// Character set of the lines and the answers, by Java's name: UTF-8, ISO-8859-1, UTF-16 ... Bodies are
    /// UTF-8. What is not valid in UTF-8 or US-ASCII is kept as it is; U+FFFD stands for it in others.
    #[arg(long, id = "encoding", default_value = "utf-8", value_name = "NAME")]
    encoding: Charset,
    #[command(flatten)]
    connections: Connections,
    #[command(flatten)]
    idle: Idle,
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

impl Netcat {
    fn address(&self) -> Result<Address, StageError> {
        match self.binding.address(6666)? {
            address if address.is_tls() => Err(StageError::Usage(format!(
                "no TLS is spoken here, as {address} says: listen on a tcp: or unix: address"
            ))),
            address => Ok(address),
        }
    }
}

impl EventDrivenSource for Netcat {
    fn check(&self) -> Result<(), String> {
        self.address().map(drop).map_err(|error| error.to_string())
    }

    fn look(&self) -> Vec<Obstacle> {
        in_the_way(self.binding.property(), self.address())
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let address = self.address()?;
        let listener = address
            .listen()
            .map_err(|error| StageError::Failed(format!("cannot listen on {address}: {error}")))?;
        announce(&listener, to.counters().name(), "--bind 0.0.0.0");
        let settings = self.clone();
        let serve = move |connection: Connection, to: &Arc<ChannelProcessor>| {
            let peer = connection.peer.clone();
            if let Err(end) = Client::new(connection, &settings).serve(to) {
                say::warn(to.counters().name(), format!("{peer}: {end}"));
            }
        };
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
