//! Sockets that clients come to, in the runtime.

use crate::link::address::{KEEP_ALIVE, Listener, watch_peer};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The listener in the runtime.
pub(super) enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener, String),
}

impl Accepting {
    pub(super) fn new(listener: &Listener) -> io::Result<Accepting> {
        Ok(match listener {
            Listener::Tcp(own) | Listener::Tls(own) => {
                let own = own.try_clone()?;
                own.set_nonblocking(true)?;
                Accepting::Tcp(TcpListener::from_std(own)?)
            }
            Listener::Unix(own, path) => {
                let own = own.try_clone()?;
                own.set_nonblocking(true)?;
                Accepting::Unix(UnixListener::from_std(own)?, format!("unix:{}", path.display()))
            }
        })
    }

    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, String)> {
        match self {
            Accepting::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                watch_peer(&stream, KEEP_ALIVE);
                Ok((Box::new(stream), peer.to_string()))
            }
            Accepting::Unix(listener, peer) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), peer.clone()))
            }
        }
    }
}
