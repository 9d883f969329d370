//! Streams to a server on another machine: the connection, TLS, the token, and the server's answer to the hello.

use super::address::{KEEP_ALIVE, watch_peer};
use super::outlet::OutletOptions;
use super::{Address, Outlet, SendError, StreamOutlet, random_hex};
use crate::exit::StageError;
use crate::say;
use crate::stop::Stop;
use crate::tls::{self, ClientTls, Connector, Fate, HostNames, TlsError};
use crate::value::{Seconds, Secret};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a server may take to answer a hello.
const WELCOME: Duration = Duration::from_secs(30);

/// How a client is protected, and shows who it is.
#[derive(clap::Args, Debug, Clone)]
pub struct Access {
    /// How long an idle server is not asked whether it is still there; one that does not answer is given up after
    /// twice that time.
    #[arg(long, id = "keep-alive", default_value = "30s", value_name = "TIME")]
    keep_alive: Seconds,
    /// Show the secret in this file to the server.
    #[arg(long, id = "token-file", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// For tls: addresses.
    #[command(flatten)]
    tls: ClientTls,
}

impl Access {
    /// Something is said of TLS.
    pub fn names_tls(&self) -> bool {
        self.tls.is_given()
    }

    /// How to open streams at these addresses, for the stage with this name.
    pub fn remote(
        &self,
        to: &[Address],
        connect_timeout: Duration,
        name: &str,
    ) -> Result<Remote, StageError> {
        let mut remote = Remote::new(connect_timeout);
        remote.keep_alive = self.keep_alive.0;
        if to.iter().any(Address::is_tls) {
            let connector = tls::client(&self.tls, HostNames::Checked, name)?;
            remote.connector = Some(Arc::new(connector));
        } else if self.tls.is_given() {
            return Err(StageError::Usage(
                "without a tls: address there is no TLS: nothing is done with certificates".into(),
            ));
        }
        if let Some(file) = &self.token_file {
            remote.token = Some(token_in(file).map_err(StageError::Usage)?);
            if let Some(open) = to.iter().find(|address| address.is_open_to_others()) {
                say::warn(
                    name,
                    format!("{open} is not encrypted: the token can be read on its way"),
                );
            }
        }
        Ok(remote)
    }
}

/// What a client has to offer, for all of its connections.
#[derive(Clone)]
pub struct Remote {
    /// For `tls:` addresses.
    pub connector: Option<Arc<Connector>>,
    /// What is shown to a server that wants to see it.
    pub token: Option<Secret>,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long an idle server is not asked whether it is still there.
    pub keep_alive: Duration,
    /// The name of the stream over all connections, by which a server knows what it has of it.
    pub session: String,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Remote")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Remote {
    /// A client without TLS and token.
    pub fn new(connect_timeout: Duration) -> Remote {
        Remote {
            connector: None,
            token: None,
            connect_timeout,
            keep_alive: KEEP_ALIVE,
            session: random_hex(),
        }
    }

    /// Open the stream at an address. Every error is one for now, but that the settings have no TLS.
    pub fn open(
        &self,
        at: &Address,
        options: &OutletOptions,
        stop: &Stop,
    ) -> Result<Arc<StreamOutlet>, SendError> {
        let failed =
            |why: String| SendError::Temporary(format!("a connection to {at} cannot be made: {why}"));
        let (socket, fate) = self.connect(at).map_err(failed)?;
        let mut options = options.clone();
        options.origin = self.session.clone();
        options.is_greeted = true;
        options.tunnel = fate.clone();
        if let Some(token) = &self.token {
            options.token = token
                .read()
                .map_err(|why| failed(format!("--token-file: {why}")))?;
        }
        let outlet = StreamOutlet::open(socket, options, stop);
        let outlet = outlet.map_err(|error| failed(error.to_string()))?;
        // The hello, which the welcome answers; why it could not be written shows there.
        let _ = outlet.flush();
        let deadline = Instant::now() + WELCOME;
        let until = || Some(stop.deadline().map_or(deadline, |stopped| stopped.min(deadline)));
        outlet.wait_welcome(&until).map_err(|why| {
            // What TLS knows of it explains more than that the connection was closed.
            let known = fate.as_ref().and_then(Fate::why);
            let known = known.filter(|known| *known != TlsError::Cut);
            failed(known.map_or(why, |known| known.to_string()))
        })?;
        Ok(Arc::new(outlet))
    }

    /// Connect to an address, by TLS if it says so. The error is a sentence.
    pub fn connect(&self, at: &Address) -> Result<(OwnedFd, Option<Fate>), String> {
        self.connect_inside(at, Ok)
    }

    /// The same with TLS spoken at the inner end of what `wrap` makes of the socket.
    pub fn connect_inside(
        &self,
        at: &Address,
        wrap: impl FnOnce(OwnedFd) -> io::Result<OwnedFd>,
    ) -> Result<(OwnedFd, Option<Fate>), String> {
        let failed = |error: io::Error| error.to_string();
        let socket = at.connect(self.connect_timeout).map_err(failed)?;
        watch_peer(&socket, self.keep_alive);
        self.secured(at, wrap(socket).map_err(failed)?)
    }

    /// The same for another server, where the stream is another one.
    pub fn anew(&self) -> Remote {
        Remote {
            session: random_hex(),
            ..self.clone()
        }
    }

    fn secured(&self, at: &Address, socket: OwnedFd) -> Result<(OwnedFd, Option<Fate>), String> {
        let Address::Tls(host, _) = at else {
            return Ok((socket, None));
        };
        let connector = self.connector.as_ref().ok_or("there are no settings of TLS")?;
        let tunnel = connector.connect(socket, host, self.connect_timeout);
        let tunnel = tunnel.map_err(|error| error.to_string())?;
        Ok((tunnel.fd, Some(tunnel.fate)))
    }
}

/// The secret that stands in the file of `--token-file`.
pub fn token_in(path: &Path) -> Result<Secret, String> {
    let secret: Secret = format!("file:{}", path.display()).parse()?;
    let token = secret.read().map_err(|why| format!("--token-file: {why}"))?;
    match token.len() {
        0 => Err(format!("--token-file: {} is empty", path.display())),
        1..=4096 => Ok(secret),
        _ => Err(format!(
            "--token-file: {} has more than 4096 bytes",
            path.display()
        )),
    }
}

/// Two tokens are the same; how long it takes says nothing about where they differ.
pub fn same_token(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let differences = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differences == 0
}
