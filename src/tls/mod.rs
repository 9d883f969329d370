//! TLS for whoever has a socket: the handshake, and behind it a plain descriptor.
//!
//! A component flattens [`ServerTls`] or [`ClientTls`] into its settings (or [`ServerSsl`], [`ClientSsl`] where
//! Flume's `ssl` turns it on) and makes an [`Acceptor`] or a [`Connector`] of it once. That gives for each socket a
//! [`Tunnel`]: a Unix stream socket on which plain bytes go both ways, so that everything that works on a
//! socket works on it unchanged: polling, half-closing, handing it to another thread. A thread of its own
//! carries the bytes between the two; when it ends in another way than well, [`Fate`] says why.
//!
//! [`deflated`] gives TLS a socket on which everything is compressed.
//!
//! Certificates are read again when their files change: a new connection uses the new ones, and as long as
//! the new ones do not load, the old ones.

pub mod deflated;
mod error;
pub mod foreign;
pub mod globals;
mod handshake;
mod names;
mod pump;
mod reload;
mod settings;
mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod verify;

pub use error::TlsError;
pub use pump::{Fate, Tunnel};
pub use settings::{ClientSsl, ClientTls, HostNames, ServerSsl, ServerTls};

use crate::exit::StageError;
use crate::fd::Bell;
use crate::stop::Stop;
use reload::Watched;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client may take for its handshake, where nobody says otherwise.
pub const HANDSHAKE: Duration = Duration::from_secs(20);

/// The server side: see the module.
pub struct Acceptor {
    config: Watched<ServerConfig>,
}

/// An acceptor from settings; `name` stands in front of what it has to say while it runs. What is wrong with
/// the settings or the files ends the start.
pub fn server(settings: &ServerTls, name: &str) -> Result<Acceptor, StageError> {
    let own = settings.resolved(name)?;
    let config = Watched::start(own.files(), name, move || own.config())?;
    Ok(Acceptor { config })
}

impl Acceptor {
    /// What is in force now, for who shakes hands by other means.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.current()
    }

    /// Shake hands with a client. Blocks, so it belongs into the thread of the connection.
    pub fn accept(&self, socket: OwnedFd) -> Result<Tunnel, TlsError> {
        self.shake(socket, HANDSHAKE, &[])
    }

    /// The same within this time, and end when a stop is wished: a client that says nothing shall not hold it up.
    pub fn accept_within(&self, socket: OwnedFd, time: Duration, stop: &Stop) -> Result<Tunnel, TlsError> {
        self.shake(socket, time, &[stop.bell()])
    }

    fn shake(&self, socket: OwnedFd, time: Duration, bells: &[&Bell]) -> Result<Tunnel, TlsError> {
        let connection = ServerConnection::new(self.config.current())?;
        handshake::shake(connection.into(), socket, Instant::now() + time, bells)
    }
}

/// The client side: see the module.
pub struct Connector {
    config: Watched<ClientConfig>,
    /// The name that certificates must bear instead of the host's.
    name: Option<ServerName<'static>>,
}

/// A connector from settings; `name` stands in front of what it has to say while it runs.
pub fn client(settings: &ClientTls, names: HostNames, name: &str) -> Result<Connector, StageError> {
    let own = settings.resolved(names, name)?;
    let expected = own.expected_name()?;
    let config = Watched::start(own.files(), name, move || own.config())?;
    Ok(Connector {
        config,
        name: expected,
    })
}

impl Connector {
    /// Shake hands with the server at the other end of the socket, which was reached by the name `host`.
    pub fn connect(&self, socket: OwnedFd, host: &str, within: Duration) -> Result<Tunnel, TlsError> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_string()).map_err(|_| {
                TlsError::Failed(format!("\"{host}\" is no name that a certificate can bear"))
            })?,
        };
        let connection = ClientConnection::new(self.config.current(), name)?;
        handshake::shake(connection.into(), socket, Instant::now() + within, &[])
    }
}

/// The provider of all cryptography.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
