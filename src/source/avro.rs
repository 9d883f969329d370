//! `avro`: events from Flume's RPC clients, log4j appenders and the avro sinks of other agents (Flume's
//! AvroSource).
//!
//! A thread for each connection reads requests and hands their events on; whoever settles a batch writes its
//! answer. So the next request is read while earlier ones wait, and answers may overtake each other, which the
//! serial numbers of requests are for.

mod answers;
mod client;
mod permits;
mod service;
#[cfg(test)]
mod tests;

use super::idle::Idle;
use super::ipfilter::IpRules;
use super::ports::in_the_way;
use super::server::{Binding, Connection, Connections, Server, announce, told_by_ssl};
use crate::component::words;
use crate::exit::{StageError, StageResult};
use crate::link::Address;
use crate::rpc::avro::Clients;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use crate::tls::ServerSsl;
use crate::value::Millis;
use permits::Permits;
use service::Service;
use std::sync::Arc;

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
    idle: Idle,
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
    fn address(&self) -> Result<Address, StageError> {
        told_by_ssl(self.binding.address(4141)?)
    }

    fn rules(&self) -> Result<Option<IpRules>, String> {
        match self.ip_filter {
            true => IpRules::parse(self.ip_filter_rules.as_deref().unwrap_or_default()).map(Some),
            false => Ok(None),
        }
    }
}

impl EventDrivenSource for Avro {
    fn check(&self) -> Result<(), String> {
        self.address().map_err(|error| error.to_string())?;
        self.rules().map(drop)
    }

    fn look(&self) -> Vec<Obstacle> {
        in_the_way(self.binding.property(), self.binding.address(4141))
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let address = self.address()?;
        let service = Service {
            max_in_flight: self.max_in_flight,
            is_deflated: self.compression_type.eq_ignore_ascii_case("deflate"),
            rules: self.rules().map_err(StageError::Usage)?,
            acceptor: self.ssl.acceptor(to.counters().name())?,
            clients: Clients::default(),
            max_wait: self.max_wait.0,
            idle: self.idle,
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
