//! `http`: events that are posted (Flume's HTTPSource).
//!
//! [`handler`] makes events of a body, `server` keeps connections within their limits, and `queue` hands on.

pub mod handler;

mod answer;
mod blob;
mod bodies;
mod queue;
mod json;
mod server;
#[cfg(test)]
mod tests;

use super::ports::in_the_way;
use super::server::{Binding, announce, told_by_ssl};
use crate::codec::Options;
use crate::exit::{StageError, StageResult};
use crate::link::Address;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use crate::tls::ServerSsl;
use crate::value::{Millis, Pair, Size};
use handler::Handler;
use server::{Limits, Server};
use std::sync::Arc;

/// Take events that are posted over HTTP.
///
/// A request is answered with 200 when the next hop has all of its events, with 503 and Retry-After when nothing can
/// be handed on, and with 400 and the place of the mistake when it is not as it should be; nothing of it was taken
/// then. Any path is as good as another.
#[derive(clap::Args, Clone)]
pub struct Http {
    #[command(flatten)]
    binding: Binding,
    /// What makes events of a body: json, blob, content, ndjson, stream, or Flume's class name for it. json takes an
    /// array of {"headers":{"k":"v"},"body":"text"}, and what says by its Content-Type that it is
    /// application/x-ndjson or application/x-flume-stream.
    #[arg(long, id = "handler", default_value = "json", value_name = "NAME")]
    handler: String,
    /// Settings of the handler: mandatoryParameters of blob, maxBlobLength of content.
    #[arg(long, id = "handler.*", value_name = "KEY=VALUE")]
    handler_set: Vec<Pair>,
    /// Bytes of one body at most.
    #[arg(long, id = "max-body", default_value = "100MB", value_name = "SIZE")]
    max_body: Size,
    /// Bytes of all bodies that are not answered; a request beyond it is answered with 503.
    #[arg(long, id = "max-buffered", default_value = "256MiB", value_name = "SIZE")]
    max_buffered: Size,
    /// How long the events of a request may wait until they can be handed on; then it is answered with 503, and
    /// nothing of it was taken.
    #[arg(long, id = "max-wait", default_value = "10s", value_name = "TIME")]
    max_wait: Millis,
    /// How long a client may say nothing, between requests and inside one; a body comes with 1 KiB a second at least.
    #[arg(long, id = "idle-timeout", default_value = "60s", value_name = "TIME")]
    idle_timeout: Millis,
    /// Connections at a time; who comes then waits until one ends.
    #[arg(long, id = "max-connections", default_value = "10000", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_connections: u32,
    #[command(flatten)]
    jetty: Jetty,
    #[command(flatten)]
    ssl: ServerSsl,
    #[arg(skip)]
    own_handler: Option<Arc<dyn Handler>>,
    #[arg(skip)]
    server: Running,
}

/// Settings of the server that Flume has inside.
#[derive(clap::Args, Clone)]
struct Jetty {
    /// Accepted for Flume's sake: there is no Jetty here.
    #[arg(long, id = "QueuedThreadPool.*", value_name = "KEY=VALUE", hide = true)]
    queued_thread_pool: Vec<Pair>,
    /// Accepted for Flume's sake: there is no Jetty here.
    #[arg(long, id = "HttpConfiguration.*", value_name = "KEY=VALUE", hide = true)]
    http_configuration: Vec<Pair>,
    /// Accepted for Flume's sake: there is no Jetty here.
    #[arg(long, id = "SslContextFactory.*", value_name = "KEY=VALUE", hide = true)]
    ssl_context_factory: Vec<Pair>,
    /// Accepted for Flume's sake: there is no Jetty here.
    #[arg(long, id = "ServerConnector.*", value_name = "KEY=VALUE", hide = true)]
    server_connector: Vec<Pair>,
}

/// The server, once it runs. It belongs to the original, not to the copies of the settings.
#[derive(Default)]
struct Running(Option<Server>);

impl Clone for Running {
    fn clone(&self) -> Self {
        Running(None)
    }
}

impl Http {
    /// Make events with a handler of one's own.
    pub fn with_handler(mut self, handler: Arc<dyn Handler>) -> Http {
        self.own_handler = Some(handler);
        self
    }

    fn address(&self) -> Result<Address, StageError> {
        told_by_ssl(self.binding.address_or("0.0.0.0", 5140)?)
    }

    fn make_handler(&self) -> Result<Arc<dyn Handler>, String> {
        match &self.own_handler {
            Some(own) => Ok(own.clone()),
            None => {
                let given = self.handler_set.iter().cloned();
                let mut options = Options::new(given.map(|pair| (pair.name, pair.value)));
                handler::handler(&self.handler, &mut options)
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            body: self.max_body.0,
            buffered: self.max_buffered.0,
            idle: self.idle_timeout.0,
            wait: self.max_wait.0,
        }
    }

    fn tell_what_is_ignored(&self, name: &str) {
        let jetty = &self.jetty;
        for (family, given) in [
            ("QueuedThreadPool", &jetty.queued_thread_pool),
            ("HttpConfiguration", &jetty.http_configuration),
            ("SslContextFactory", &jetty.ssl_context_factory),
            ("ServerConnector", &jetty.server_connector),
        ] {
            if !given.is_empty() {
                say::info(name, format!("{family}.* is passed over: there is no Jetty here"));
            }
        }
    }
}

impl EventDrivenSource for Http {
    fn check(&self) -> Result<(), String> {
        self.address().map_err(|error| error.to_string())?;
        self.make_handler().map(drop)
    }

    fn look(&self) -> Vec<Obstacle> {
        in_the_way(self.binding.property(), self.address())
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let name = to.counters().name();
        let address = self.address()?;
        let handler = self.make_handler().map_err(StageError::Usage)?;
        let acceptor = self.ssl.acceptor(name)?;
        self.tell_what_is_ignored(name);
        super::server::make_room(self.max_connections, name);
        let listener = address
            .listen()
            .map_err(|error| StageError::Failed(format!("cannot listen on {address}: {error}")))?;
        announce(&listener, name, "--bind 0.0.0.0");
        self.server.0 = Some(Server::start(listener, handler, self.limits(), acceptor, to)?);
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        if let Some(server) = self.server.0.take() {
            server.join();
        }
        Ok(())
    }
}
