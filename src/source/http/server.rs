//! Connections and requests, on hyper: what is read, within which limits, and what is answered.
//!
//! The runtime has threads of its own; it is there from the start of the source to its stop.

use super::answer::Answer;
use super::handler::{Handler, Post};
use super::queue::Queue;
use crate::ack::{Class, Outcome};
use crate::event::Batch;
use crate::exit::StageError;
use crate::link::address::{KEEP_ALIVE, Listener, watch_peer};
use crate::metrics::Count;
use crate::say;
use crate::source::idle::SLOWEST;
use crate::stage::ChannelProcessor;
use crate::tls::{Acceptor, HANDSHAKE};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, EXPECT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// How long, and for how many bytes, a body is read on that is not taken.
const FAREWELL: Duration = Duration::from_secs(1);
const UNREAD: usize = 16 << 20;
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

    /// Answer one request.
    async fn answer(&self, request: Request<Incoming>, peer: &str) -> Response<Full<Bytes>> {
        let answer = self.take(request).await;
        if answer.status != StatusCode::OK {
            say::info(
                self.to.counters().name(),
                format!("{peer}: answered {}: {}", answer.status.as_u16(), answer.why),
            );
        }
        answer.into()
    }

    async fn take(&self, request: Request<Incoming>) -> Answer {
        match *request.method() {
            Method::POST | Method::GET => {}
            // As Flume answers them.
            Method::TRACE | Method::OPTIONS => {
                return Answer::new(StatusCode::FORBIDDEN, "this method is not allowed: POST events");
            }
            _ => return Answer::new(StatusCode::METHOD_NOT_ALLOWED, "events are posted: use POST"),
        }
        let (head, mut incoming) = request.into_parts();
        let body = match self.body(&mut incoming).await {
            Ok(body) => body,
            Err(answer) => {
                // Who waits to be told to go on hears the answer at once.
                if answer.status != StatusCode::REQUEST_TIMEOUT && !head.headers.contains_key(EXPECT) {
                    drain(&mut incoming).await;
                }
                return self.failed(Count::EventReadFail, answer);
            }
        };
        let content_type = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let post = Post {
            path: head.uri.path(),
            query: head.uri.query(),
            content_type,
            body: &body.bytes,
        };
        let batch = match self.handler.events(&post) {
            Ok(batch) => batch,
            Err(error) => return self.failed(Count::EventReadFail, error.into()),
        };
        let answer = self.hand_on(batch).await;
        // Its bytes count until here.
        drop(body);
        answer
    }

    fn failed(&self, count: Count, answer: Answer) -> Answer {
        self.to.counters().add(count, 1);
        answer
    }

    /// The whole body, if it comes within the limits.
    async fn body(&self, body: &mut Incoming) -> Result<Buffered<'_>, Answer> {
        let too_long = || {
            let most = self.limits.body;
            let why = format!("the body has more than {most} bytes (--max-body)");
            Answer::new(StatusCode::PAYLOAD_TOO_LARGE, &why)
        };
        if body.size_hint().lower() > self.limits.body {
            return Err(too_long());
        }
        let mut buffered = Buffered {
            of: &self.buffered,
            bytes: Vec::new(),
        };
        let began = Instant::now();
        loop {
            // Who sends a byte now and then must not keep its place for ever.
            let grace = Duration::from_secs(buffered.bytes.len() as u64 / SLOWEST);
            let by = (Instant::now() + self.limits.idle).min(began + self.limits.idle + grace);
            let frame = match timeout_at(by, body.frame()).await {
                Ok(None) => return Ok(buffered),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    let why = format!("the body ended before its end: {error}");
                    return Err(Answer::new(StatusCode::BAD_REQUEST, &why));
                }
                Err(_) => {
                    let why = "the body comes too slowly (--idle-timeout)";
                    return Err(Answer::new(StatusCode::REQUEST_TIMEOUT, why));
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            if buffered.bytes.len() as u64 + data.len() as u64 > self.limits.body {
                return Err(too_long());
            }
            if !buffered.add(&data, self.limits.buffered) {
                let why = "too many requests wait for their acceptance (--max-buffered)";
                return Err(Answer::later(why));
            }
        }
    }

    /// Hand on events, and answer when somebody has taken responsibility for them.
    async fn hand_on(&self, batch: Batch) -> Answer {
        let events = u64::from(batch.len());
        if batch.is_empty() {
            return Answer::new(StatusCode::OK, "");
        }
        let mut queued = self.queue.put(batch);
        let deadline = Instant::now() + self.limits.wait;
        let outcome = tokio::select! {
            outcome = &mut queued.outcome => outcome,
            () = sleep_until(deadline) => match queued.give_up() {
                true => {
                    let seconds = self.limits.wait.as_secs_f64();
                    let why = format!("nothing could be handed on for {seconds} s (--max-wait)");
                    return self.failed(Count::ChannelWriteFail, Answer::later(&why));
                }
                false => queued.outcome.await,
            },
        };
        let counters = self.to.counters();
        match outcome {
            Ok(Outcome::Accepted) => {
                counters.add(Count::EventAccepted, events);
                counters.add(Count::AppendBatchAccepted, 1);
                Answer::new(StatusCode::OK, "")
            }
            Ok(Outcome::Refused(refusal)) => {
                counters.add(Count::Refused, events);
                match refusal.class {
                    Class::Retry => Answer::later(&refusal.reason),
                    Class::Reject => Answer::new(StatusCode::UNPROCESSABLE_ENTITY, &refusal.reason),
                }
            }
            Ok(Outcome::Lost) | Err(_) => {
                counters.add(Count::Refused, events);
                self.to.stop().stop();
                Answer::later("the next stage has gone")
            }
        }
    }
}

/// Read on for a moment what nobody wants: a client that still writes would not hear the answer.
async fn drain(body: &mut Incoming) {
    let (by, mut left) = (Instant::now() + FAREWELL, UNREAD);
    while let Ok(Some(Ok(frame))) = timeout_at(by, body.frame()).await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
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

/// A body that counts as long as it is here.
struct Buffered<'a> {
    of: &'a AtomicU64,
    bytes: Vec<u8>,
}

impl Buffered<'_> {
    /// False if all together are too many then.
    fn add(&mut self, data: &[u8], most: u64) -> bool {
        let more = data.len() as u64;
        let all = self.of.fetch_add(more, Ordering::AcqRel) + more;
        self.bytes.extend_from_slice(data);
        all <= most
    }
}

impl Drop for Buffered<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes.len() as u64, Ordering::AcqRel);
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The listener in the runtime.
enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener, String),
}

impl Accepting {
    fn new(listener: &Listener) -> io::Result<Accepting> {
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

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, String)> {
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
