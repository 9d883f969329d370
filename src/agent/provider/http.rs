//! Properties that an HTTP server gives: asked for again only if they have changed.

use super::check_form;
use crate::codec::json::put_base64;
use crate::exit::StageError;
use crate::say;
use crate::tls::{self, ClientTls, HostNames};
use crate::value::Secret;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::{Request, StatusCode, Uri};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// How long a server may take to be reached, to answer, and to send what it has (as in Flume).
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a configuration at most.
const LARGEST: u64 = 16 << 20;

/// Who asks (basic authentication).
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password, read anew for each request.
    pub password: Secret,
}

impl Credentials {
    /// A password as it is given: `file:PATH`, `env:NAME`, `fd:N`, or as Flume has it the password itself, which is
    /// worth a word.
    ///
    /// Errors: a sentence; never with the password in it.
    pub fn new(user: &str, password: &str) -> Result<Credentials, String> {
        let password = match password.parse::<Secret>() {
            Ok(secret) => secret,
            Err(why) if password.starts_with("fd:") => return Err(format!("--conf-password: {why}")),
            Err(_) => {
                say::warn(
                    "agent",
                    "everybody on this host can read a password on a command line: say \
                     --conf-password file:PATH, env:NAME or fd:N",
                );
                Secret::literal(password)
            }
        };
        Ok(Credentials {
            user: user.to_string(),
            password,
        })
    }

    fn header(&self) -> Result<String, String> {
        let password = self.password.read()?;
        let mut header = b"Basic ".to_vec();
        put_base64(format!("{}:{password}", self.user).as_bytes(), &mut header);
        String::from_utf8(header).map_err(|error| error.to_string())
    }
}

/// One address of a configuration.
pub struct Remote {
    uri: Uri,
    /// Without a query, which may hold what nobody shall read.
    shown: String,
    agent: ureq::Agent,
    credentials: Option<Credentials>,
    modified: Option<String>,
    body: Option<Vec<u8>>,
}

impl Remote {
    /// Nothing is asked yet.
    ///
    /// Errors: a sentence about a URI that cannot be.
    pub fn new(uri: &str, credentials: Option<&Credentials>) -> Result<Remote, String> {
        let shown = uri.split(['?', '#']).next().unwrap_or(uri).to_string();
        if shown.contains('@') {
            return Err(
                "a URI has no user and no password in it: give --conf-user and --conf-password".into(),
            );
        }
        check_form(&shown)?;
        let parsed: Uri = uri
            .parse()
            .map_err(|error| format!("{shown} is no URI: {error}"))?;
        if parsed.host().is_none_or(str::is_empty) {
            return Err(format!("{shown} has no host: it is http://HOST/PATH"));
        }
        let config = Config::builder()
            // Whoever begins with TLS is not led to a server without it.
            .https_only(parsed.scheme_str() == Some("https"))
            .http_status_as_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .user_agent(concat!("flume/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_recv_body(Some(PATIENCE))
            .build();
        Ok(Remote {
            agent: ureq::Agent::with_parts(config, Reach::default(), DefaultResolver::default()),
            uri: parsed,
            shown,
            credentials: credentials.cloned(),
            modified: None,
            body: None,
        })
    }

    /// The URI, for messages.
    pub fn uri(&self) -> &str {
        &self.shown
    }

    /// What was given last.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Ask for it, unless it is as before; true if it is different.
    ///
    /// Errors: a sentence that names the URI.
    pub fn fetch(&mut self) -> Result<bool, String> {
        let mut response = self
            .agent
            .run(self.request()?)
            .map_err(|error| format!("{} cannot be fetched: {error}", self.shown))?;
        let status = response.status();
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if self.body.is_some() => return Ok(false),
            _ => return Err(format!("{} {}", self.shown, self.refused(status))),
        }
        let modified = response.headers().get("last-modified");
        self.modified = modified.and_then(|value| Some(value.to_str().ok()?.to_string()));
        let body = response.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.map_err(|error| format!("{} cannot be read: {error}", self.shown))?;
        let is_changed = self.body.as_deref() != Some(&body[..]);
        self.body = Some(body);
        Ok(is_changed)
    }

    fn request(&self) -> Result<Request<()>, String> {
        let is_named = self.shown.ends_with(".properties");
        let kind = if is_named {
            "text/x-java-properties"
        } else {
            "text/plain"
        };
        let mut request = Request::get(&self.uri).header("Content-Type", kind);
        if let Some(modified) = self.modified.as_ref().filter(|_| self.body.is_some()) {
            request = request.header("If-Modified-Since", modified);
        }
        if let Some(credentials) = &self.credentials {
            let header = credentials
                .header()
                .map_err(|why| format!("--conf-password: {why}"))?;
            request = request.header("Authorization", header);
        }
        request
            .body(())
            .map_err(|error| format!("{}: {error}", self.shown))
    }

    fn refused(&self, status: StatusCode) -> String {
        match (status, &self.credentials) {
            (StatusCode::UNAUTHORIZED, None) => {
                "wants to know who asks (status 401): give --conf-user and --conf-password".into()
            }
            (StatusCode::UNAUTHORIZED, Some(credentials)) => {
                format!(
                    "does not let \"{}\" in (status 401): see --conf-user and --conf-password",
                    credentials.user
                )
            }
            (StatusCode::NOT_FOUND, _) => "is not there (status 404)".into(),
            _ => format!("was answered with status {status} instead of 200"),
        }
    }
}

/// Reaches a server, with this program's own TLS: its global settings hold here too, and names are checked.
#[derive(Default)]
struct Reach {
    tls: OnceLock<Result<Arc<tls::Connector>, StageError>>,
}

impl fmt::Debug for Reach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Reach")
    }
}

impl Connector<()> for Reach {
    type Out = Wire;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _before: Option<()>,
    ) -> Result<Option<Wire>, ureq::Error> {
        let within = details.timeout.not_zero().map_or(PATIENCE, |left| *left);
        let deadline = Instant::now() + within;
        let socket = reach(details, deadline)?;
        let is_tls = details.needs_tls();
        let stream = match is_tls {
            true => self.secured(socket, details.uri.host().unwrap_or_default(), deadline)?,
            false => socket,
        };
        Ok(Some(Wire {
            stream: UnixStream::from(stream),
            is_tls,
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
        }))
    }
}

/// The first of the host's addresses that answers.
fn reach(details: &ConnectionDetails<'_>, deadline: Instant) -> Result<OwnedFd, ureq::Error> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in &details.addrs {
        let left = deadline.saturating_duration_since(Instant::now());
        match TcpStream::connect_timeout(address, left.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok(stream.into()),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

impl Reach {
    fn secured(&self, socket: OwnedFd, host: &str, deadline: Instant) -> Result<OwnedFd, ureq::Error> {
        let made = self.tls.get_or_init(|| {
            let made = tls::client(&ClientTls::default(), HostNames::Checked, "agent");
            made.map(Arc::new)
        });
        let other = |error: String| ureq::Error::from(io::Error::other(error));
        let connector = made.as_ref().map_err(|error| other(error.to_string()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let left = deadline.saturating_duration_since(Instant::now());
        let tunnel = connector.connect(socket, host, left);
        Ok(tunnel.map_err(|error| other(error.to_string()))?.fd)
    }
}

/// A connection. The kind of socket does not matter for what is called here: a TCP socket will do, too.
#[derive(Debug)]
struct Wire {
    stream: UnixStream,
    is_tls: bool,
    buffers: LazyBuffers,
}

/// What a wait that was too long is called by the system.
fn in_time<T>(result: io::Result<T>, timeout: NextTimeout) -> Result<T, ureq::Error> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    })
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let limit = timeout.not_zero().map(|left| *left);
        self.stream.set_write_timeout(limit)?;
        let written = self.stream.write_all(&self.buffers.output()[..amount]);
        in_time(written, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let limit = timeout.not_zero().map(|left| *left);
        self.stream.set_read_timeout(limit)?;
        let room = self.buffers.input_append_buf();
        let read = loop {
            match self.stream.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let amount = in_time(read, timeout)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // None is used twice.
        false
    }

    fn is_tls(&self) -> bool {
        self.is_tls
    }
}
