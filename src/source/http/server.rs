//! Connections, on hyper: who is let in, and how long. What they ask for is answered in `requests`.
//!
//! The runtime has threads of its own; it is there from the start of the source to its stop.

mod accepting;
mod requests;

use super::handler::Handler;
use super::queue::Queue;
use crate::exit::StageError;
use crate::link::address::Listener;
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use crate::tls::{Acceptor, HANDSHAKE};
use accepting::{Accepting, Stream};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::{timeout, timeout_at};

/// Bytes of the head of a request.
const HEAD: usize = 64 << 10;
/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Threads of the runtime at most.
const THREADS: usize = 4;

/// What a server keeps to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: u32,
    /// Bytes of one body.
    pub body: u64,
    /// Bytes of all bodies that have not been answered.
    pub buffered: u64,
    /// How long a client may say nothing.
    pub idle: Duration,
    /// How long the events of a request may wait to be handed on.
    pub wait: Duration,
}

/// What all connections share.
pub struct Service {
    pub handler: Arc<dyn Handler>,
    pub limits: Limits,
    pub acceptor: Option<Acceptor>,
    pub queue: Arc<Queue>,
    pub to: Arc<ChannelProcessor>,
    buffered: AtomicU64,
    open: AtomicU64,
}

/// A server that runs until its processor's stop.
pub struct Server {
    accepts: JoinHandle<()>,
    hands_on: JoinHandle<()>,
    queue: Arc<Queue>,
}

impl Server {
    /// Serve who comes to this listener.
    pub fn start(
        listener: Listener,
        handler: Arc<dyn Handler>,
        limits: Limits,
        acceptor: Option<Acceptor>,
        to: &Arc<ChannelProcessor>,
    ) -> Result<Server, StageError> {
        let failed = |error: io::Error| StageError::Failed(format!("cannot serve: {error}"));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.min(THREADS))
            .thread_name("flume-http")
            .enable_all()
            .build()
            .map_err(failed)?;
        let queue = Arc::new(Queue::default());
        let service = Arc::new(Service {
            handler,
            limits,
            acceptor,
            queue: queue.clone(),
            to: to.clone(),
            buffered: AtomicU64::new(0),
            open: AtomicU64::new(0),
        });
        let (tell, stopped) = watch::channel(false);
        to.stop().on_stop(move || {
            let _ = tell.send(true);
        });
        let hands_on = queue.start(to).map_err(failed)?;
        let stop = to.stop().clone();
        let accepts = std::thread::Builder::new()
            .name("flume-http-in".into())
            .spawn(move || {
                runtime.block_on(service.accept_all(listener, stopped));
                let left = stop
                    .deadline()
                    .map(|at| at.saturating_duration_since(std::time::Instant::now()));
                runtime.shutdown_timeout(left.unwrap_or_default());
            })
            .map_err(failed)?;
        Ok(Server {
            accepts,
            hands_on,
            queue,
        })
    }

    /// After a stop: wait until every request is answered, but not beyond the grace.
    pub fn join(self) {
        let _ = self.accepts.join();
        self.queue.close();
        let _ = self.hands_on.join();
    }
}

impl Service {
    async fn accept_all(self: Arc<Self>, listener: Listener, mut stopped: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(self.limits.connections as usize));
        let accepting = match Accepting::new(&listener) {
            Ok(accepting) => accepting,
            Err(error) => return self.warn(&format!("no connection can be accepted: {error}")),
        };
        let (mut said, mut connections) = (false, tokio::task::JoinSet::new());
        loop {
            while connections.try_join_next().is_some() {}
            if places.available_permits() == 0 && !std::mem::replace(&mut said, true) {
                let most = self.limits.connections;
                self.warn(&format!(
                    "{most} connections are open (--max-connections): more wait until one ends"
                ));
            }
            let place = tokio::select! {
                () = wished(&mut stopped) => break,
                place = places.clone().acquire_owned() => place,
            };
            let accepted = tokio::select! {
                () = wished(&mut stopped) => break,
                accepted = accepting.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (service, stopped) = (self.clone(), stopped.clone());
                    connections.spawn(async move {
                        let open = Open::new(&service);
                        service.connection(stream, &peer, stopped).await;
                        drop((open, place));
                    });
                }
                Err(error) => {
                    self.warn(&format!("a connection cannot be accepted: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Who comes now is told so by the system.
        drop((accepting, listener));
        let all = async { while connections.join_next().await.is_some() {} };
        match self.to.stop().deadline() {
            Some(deadline) => drop(timeout_at(deadline.into(), all).await),
            None => all.await,
        }
    }

    fn warn(&self, what: &str) {
        say::warn(self.to.counters().name(), what);
    }

    async fn connection(
        self: &Arc<Self>,
        stream: Box<dyn Stream>,
        peer: &str,
        stopped: watch::Receiver<bool>,
    ) {
        let Some(acceptor) = &self.acceptor else {
            return self.speak(stream, peer, stopped).await;
        };
        let shake = tokio_rustls::TlsAcceptor::from(acceptor.config()).accept(stream);
        let time = HANDSHAKE.min(self.limits.idle);
        match timeout(time, shake).await {
            Ok(Ok(stream)) => self.speak(stream, peer, stopped).await,
            Ok(Err(error)) => self.broke(peer, &format!("no TLS could be agreed on: {error}")),
            Err(_) => self.broke(peer, &format!("no TLS handshake for {} s", time.as_secs_f64())),
        }
    }

    fn broke(&self, peer: &str, why: &str) {
        self.to.counters().add(Count::EventReadFail, 1);
        self.warn(&format!("{peer}: {why}; the connection is closed"));
    }

    async fn speak(
        self: &Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: &str,
        mut stopped: watch::Receiver<bool>,
    ) {
        let name: Arc<str> = peer.into();
        let answer = |request| {
            let (service, peer) = (self.clone(), name.clone());
            async move { Ok::<_, std::convert::Infallible>(service.answer(request, &peer).await) }
        };
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer));
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = wished(&mut stopped) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // Who says nothing any more, or goes in the middle of a request, is none of anybody's business.
        match ended {
            Err(error) if error.is_parse() => self.broke(peer, &format!("what comes is not HTTP: {error}")),
            Err(_) | Ok(()) => {}
        }
    }
}

/// When a stop is wished.
async fn wished(stopped: &mut watch::Receiver<bool>) {
    // Whoever tells lives as long as the stop itself.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// A connection that counts as long as it is here.
struct Open<'a>(&'a Service);

impl Open<'_> {
    fn new(service: &Service) -> Open<'_> {
        let now = service.open.fetch_add(1, Ordering::AcqRel) + 1;
        service.to.counters().set(Count::OpenConnection, now);
        Open(service)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let now = self.0.open.fetch_sub(1, Ordering::AcqRel) - 1;
        self.0.to.counters().set(Count::OpenConnection, now);
    }
}
