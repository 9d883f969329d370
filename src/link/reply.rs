//! The reply: where acceptances travel back on the side of a one-way pipe.
//!
//! The writer of a stream listens on a Unix socket with a random name, abstract on Linux (nothing to clean
//! up, works across mount namespaces), or at a path below `--reply-dir` (for network namespaces). Its hello
//! carries the address and a token. The next stage that takes connects, shows the token in a hello of its
//! own, and is welcomed with `accept 0`. From then on it sends `accept` and `refuse`. A thread of the
//! writer that waits for nothing else reads them, so the taker may block while it writes one, and nobody
//! ever waits in a circle.

use super::Identity;
use crate::wire::{self, Hello, Kind, Refuse};
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a taker waits to be welcomed; the writer's thread answers at once unless it is stopped.
const WELCOME: Duration = Duration::from_secs(30);

/// Where a writer waits for its taker.
pub(super) struct Endpoint {
    pub listener: UnixListener,
    /// As the hello says it.
    pub address: String,
    /// What the taker must show.
    pub token: String,
    /// The socket's file, if it has one.
    pub path: Option<PathBuf>,
}

impl Endpoint {
    /// Listen: at an abstract name, or below `directory`.
    pub fn open(directory: Option<&Path>) -> io::Result<Endpoint> {
        let name = format!("flume-{}", super::random_hex());
        let token = super::random_hex();
        let Some(directory) = directory else {
            let address = SocketAddr::from_abstract_name(name.as_bytes())?;
            return Ok(Endpoint {
                listener: UnixListener::bind_addr(&address)?,
                address: format!("unix:@{name}"),
                token,
                path: None,
            });
        };
        let path = std::path::absolute(directory)?.join(&name);
        let listener = UnixListener::bind(&path).map_err(|error| {
            let place = directory.display();
            io::Error::new(
                error.kind(),
                format!("--reply-dir {place}: no socket can be made there: {error}"),
            )
        })?;
        Ok(Endpoint {
            listener,
            address: format!("unix:{}", path.display()),
            token,
            path: Some(path),
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Why a taker has no reply.
#[derive(Debug, Clone)]
pub(super) enum NoReply {
    /// Another stage takes from this stream already.
    Surplus(String),
    /// No endpoint of another host can be reached.
    Elsewhere(String),
    /// Nobody has answered.
    Silence(Silence),
}

/// An endpoint on this host that gave no answer. Whether its writer is dead, the stream can tell.
#[derive(Debug, Clone)]
pub(super) struct Silence {
    /// The sentence for a writer that lives.
    pub why: String,
    /// Somebody was there when we came.
    pub was_there: bool,
}

/// Connect to the endpoint that a hello names, and wait to be welcomed.
pub(super) fn connect(hello: &Hello, me: &Identity) -> Result<UnixStream, NoReply> {
    if hello.host != me.host {
        let why = format!("the stream comes from another host, {}", hello.host);
        return Err(NoReply::Elsewhere(explain(hello, me, &why)));
    }
    let silence = |why: &str, was_there| {
        let why = explain(hello, me, why);
        NoReply::Silence(Silence { why, was_there })
    };
    let address = hello.reply.strip_prefix("unix:").unwrap_or(&hello.reply);
    let connected = match address.strip_prefix('@') {
        Some(name) => {
            SocketAddr::from_abstract_name(name.as_bytes()).and_then(|at| UnixStream::connect_addr(&at))
        }
        None => UnixStream::connect(address),
    };
    let mut socket = connected.map_err(|error| silence(&error.to_string(), false))?;
    let mine = Hello {
        version: wire::VERSION,
        stream: hello.stream.clone(),
        stage: me.stage.clone(),
        host: me.host.clone(),
        pid: me.pid,
        time: crate::say::now(),
        reply: "none".into(),
        token: hello.token.clone(),
        origin: String::new(),
        via: Vec::new(),
        other: Default::default(),
    };
    let welcomed = socket
        .write_all(&mine.encode())
        .and_then(|()| socket.set_read_timeout(Some(WELCOME)))
        .map_err(|error| error.to_string())
        .and_then(|()| welcome(&mut socket))
        .map_err(|why| silence(&why, true))?;
    let _ = socket.set_read_timeout(None);
    welcomed.map(|()| socket)
}

/// Read the answer to a taker's hello.
fn welcome(socket: &mut UnixStream) -> Result<Result<(), NoReply>, String> {
    let mut frame = [0; wire::HEADER];
    socket
        .read_exact(&mut frame)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it has turned this process away (another user?)".to_string(),
            io::ErrorKind::WouldBlock => "it does not answer".to_string(),
            _ => error.to_string(),
        })?;
    let header =
        wire::FrameHeader::decode(&frame, 0, wire::HELLO_LIMIT).map_err(|fault| fault.to_string())?;
    if header.kind == Kind::Accept {
        return Ok(Ok(()));
    }
    let mut payload = vec![0; header.length as usize];
    socket
        .read_exact(&mut payload)
        .map_err(|error| error.to_string())?;
    let refuse: Refuse = serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
    Ok(Err(NoReply::Surplus(refuse.reason)))
}

fn explain(hello: &Hello, me: &Identity, why: &str) -> String {
    let from = format!("{} (host {}, pid {})", hello.stage, hello.host, hello.pid);
    let advice = match hello.host == me.host {
        true => {
            "a recording is played by \"flume replay FILE\"; across network namespaces use --reply-dir; \
             --durability best-effort at the source needs no acceptance"
        }
        false => {
            "use \"flume sink pipe -- ssh HOST flume ...\", an address (tcp:HOST:PORT), or --durability \
             best-effort at the source"
        }
    };
    format!(
        "cannot accept batches from {from} at {}: {why}; {advice}",
        hello.reply
    )
}
