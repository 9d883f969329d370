//! A listener with a thread for each connection, for sources that are servers.

use crate::exit::StageError;
use crate::fd::{self, Woken};
use crate::link::Address;
use crate::link::address::{Listener, watch_peer};
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use crate::threads;
use crate::value::Seconds;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long to wait after a connection could not be accepted: the table of descriptors may be full.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How often that is told.
const BETWEEN_WORDS: Duration = Duration::from_secs(10);

/// Descriptors of a connection at most: with TLS and compression there are pairs of sockets behind it.
const DESCRIPTORS: u64 = 6;
/// Descriptors that a process has beside its connections.
const OTHER_DESCRIPTORS: u64 = 64;

/// How long a client that still writes may take to notice that its connection ends. Shorter than a next stage that
/// is interrupted at the same time waits for the end of the stream, or that would be cut.
const FAREWELL: Duration = Duration::from_millis(400);

/// Bytes that are read at once of a connection that is given up.
const UNREAD: usize = 64 << 10;

/// Where a server listens, as Flume has it, or at an address of another kind.
#[derive(clap::Args, Debug, Clone)]
pub struct Binding {
    /// Address to listen on.
    #[arg(long, id = "bind", value_name = "HOST")]
    bind: Option<String>,
    /// Port to listen on; 0 lets the system choose one, which the first message names.
    #[arg(long, id = "port", value_name = "PORT")]
    port: Option<u16>,
    /// Listen here instead: tcp:HOST:PORT or unix:PATH.
    #[arg(long, id = "listen", value_name = "ADDRESS", conflicts_with_all = ["bind", "port"])]
    listen: Option<Address>,
}

impl Binding {
    /// The address; `port` is one that an example may name.
    pub fn address(&self, port: u16) -> Result<Address, StageError> {
        self.address_from(self.bind.as_deref(), port)
    }

    /// The same for a source that listens on `host` if nothing else is said.
    pub fn address_or(&self, host: &str, port: u16) -> Result<Address, StageError> {
        self.address_from(Some(self.bind.as_deref().unwrap_or(host)), port)
    }

    /// The property that says where.
    pub fn property(&self) -> &'static str {
        match self.listen {
            Some(_) => "listen",
            None => "port",
        }
    }

    fn address_from(&self, bind: Option<&str>, port: u16) -> Result<Address, StageError> {
        if let Some(address) = &self.listen {
            return Ok(address.clone());
        }
        match (bind, self.port) {
            (Some(host), Some(port)) => Ok(Address::Tcp(host.to_string(), port)),
            (bind, given) => {
                let port = format!("the port to listen on, such as {port}, or 0 for any");
                let missing = match (bind, given) {
                    (Some(_), _) => format!("the property port is missing: {port}"),
                    (None, Some(_)) => "the property bind is missing: the address to listen on".into(),
                    (None, None) => format!(
                        "the property bind is missing: the address to listen on; and the property port is: {port}"
                    ),
                };
                Err(StageError::Usage(missing))
            }
        }
    }
}

/// The address of a source that has a setting for TLS.
pub fn told_by_ssl(address: Address) -> Result<Address, StageError> {
    match address.is_tls() {
        true => Err(StageError::Usage(format!(
            "TLS is turned on by --ssl and not by the address {address}: say tcp: there"
        ))),
        false => Ok(address),
    }
}

/// Settings of connections.
#[derive(clap::Args, Debug, Clone)]
pub struct Connections {
    /// Connections at a time; who comes then waits until one ends.
    #[arg(long, id = "max-connections", default_value = "1024", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_connections: u32,
    /// How long an idle client over TCP is not asked whether it is still there; one whose machine has gone, so that
    /// nobody answers, is given up after twice that time.
    #[arg(long, id = "keep-alive", default_value = "30s", value_name = "TIME")]
    pub keep_alive: Seconds,
}

/// A connection and who is at its other end.
pub struct Connection {
    /// The socket.
    pub socket: OwnedFd,
    /// The peer, for messages.
    pub peer: String,
}

type Serve = dyn Fn(Connection, &Arc<ChannelProcessor>) + Send + Sync;

/// How many connections are open.
#[derive(Default)]
struct Open {
    count: Mutex<u32>,
    changed: Condvar,
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, u32> {
        self.count.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait<'a>(&self, count: MutexGuard<'a, u32>, time: Duration) -> MutexGuard<'a, u32> {
        let waited = self.changed.wait_timeout(count, time);
        waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }
}

/// Counts a connection as long as it lives, also when its thread panics.
struct Counted(Arc<Open>, Arc<ChannelProcessor>);

impl Counted {
    fn new(open: &Arc<Open>, to: &Arc<ChannelProcessor>) -> Self {
        let mut count = open.lock();
        *count += 1;
        to.counters().set(Count::OpenConnection, u64::from(*count));
        drop(count);
        Counted(open.clone(), to.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut count = self.0.lock();
        *count -= 1;
        self.1.counters().set(Count::OpenConnection, u64::from(*count));
        drop(count);
        self.0.changed.notify_all();
    }
}

/// A server that runs until its processor's stop.
pub struct Server {
    thread: JoinHandle<()>,
    open: Arc<Open>,
    to: Arc<ChannelProcessor>,
}

impl Server {
    /// Accept connections and have `serve` called for each in a thread of its own. It returns when the peer
    /// has gone or the processor's stop is wished.
    pub fn start(
        listener: Listener,
        connections: &Connections,
        to: &Arc<ChannelProcessor>,
        serve: impl Fn(Connection, &Arc<ChannelProcessor>) + Send + Sync + 'static,
    ) -> Result<Server, StageError> {
        Server::start_until(listener, connections, to, serve, false)
    }

    /// The same, and at a stop also for those who wait to be accepted: who expects no answer may have sent something
    /// already, and gone.
    pub fn start_for_all(
        listener: Listener,
        connections: &Connections,
        to: &Arc<ChannelProcessor>,
        serve: impl Fn(Connection, &Arc<ChannelProcessor>) + Send + Sync + 'static,
    ) -> Result<Server, StageError> {
        Server::start_until(listener, connections, to, serve, true)
    }

    fn start_until(
        listener: Listener,
        connections: &Connections,
        to: &Arc<ChannelProcessor>,
        serve: impl Fn(Connection, &Arc<ChannelProcessor>) + Send + Sync + 'static,
        takes_last: bool,
    ) -> Result<Server, StageError> {
        let failed = |error: io::Error| StageError::Failed(format!("cannot listen: {error}"));
        // A client that has gone again between poll and accept must not hold the thread up.
        rustix::io::ioctl_fionbio(&listener, true).map_err(|error| failed(error.into()))?;
        let open = Arc::new(Open::default());
        make_room(connections.max_connections, to.counters().name());
        let door = Door {
            listener,
            connections: connections.clone(),
            open: open.clone(),
            to: to.clone(),
            serve: Arc::new(serve),
            told: Cell::new(None),
        };
        let thread = std::thread::Builder::new()
            .name("flume-accept".into())
            .spawn(move || {
                door.accept_all();
                if takes_last {
                    door.accept_waiting();
                }
            })
            .map_err(failed)?;
        Ok(Server {
            thread,
            open,
            to: to.clone(),
        })
    }

    /// After a stop: wait until the listener is closed and every connection has ended, but not beyond the
    /// grace.
    pub fn join(self) {
        let _ = self.thread.join();
        let deadline = self.to.stop().deadline();
        let mut count = self.open.lock();
        while *count > 0 && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            count = self.open.wait(count, Duration::from_millis(100));
        }
    }
}

/// Have the system let this process hold so many connections open, as far as it allows it.
pub(super) fn make_room(connections: u32, name: &str) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let needed = u64::from(connections) + OTHER_DESCRIPTORS;
    let wanted = u64::from(connections) * DESCRIPTORS + OTHER_DESCRIPTORS;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    let raised = setrlimit(Resource::Nofile, limit);
    if raised.is_err() || limit.current < Some(needed) {
        say::warn(
            name,
            format!(
                "{connections} connections (--max-connections) are more than the system lets this process have (ulimit -n)"
            ),
        );
    }
}

/// Where connections come in.
struct Door {
    listener: Listener,
    connections: Connections,
    open: Arc<Open>,
    to: Arc<ChannelProcessor>,
    serve: Arc<Serve>,
    /// When it was last told that the system has no more of something.
    told: Cell<Option<Instant>>,
}

impl Door {
    fn accept_all(&self) {
        let stop = self.to.stop();
        let mut said = false;
        while !stop.is_stopping() {
            if !self.wait_for_place(&mut said) {
                return;
            }
            let woken = fd::wait(self.listener.as_fd(), PollFlags::IN, &[stop.bell()], None);
            if !matches!(woken, Ok(Woken::Ready)) || stop.is_stopping() {
                continue;
            }
            match self.listener.accept() {
                Ok((socket, peer)) => self.begin(Connection { socket, peer }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.pause(format!("a connection cannot be accepted: {error}"));
                }
            }
        }
    }

    /// Those who wait to be accepted when a stop is wished.
    fn accept_waiting(&self) {
        let deadline = Instant::now() + FAREWELL;
        while *self.open.lock() < self.connections.max_connections && Instant::now() < deadline {
            let Ok((socket, peer)) = self.listener.accept() else {
                return;
            };
            self.begin(Connection { socket, peer });
        }
    }

    /// Wait until there is place for one connection more; false at a stop.
    fn wait_for_place(&self, said: &mut bool) -> bool {
        let most = self.connections.max_connections;
        let mut count = self.open.lock();
        while *count >= most {
            if !std::mem::replace(said, true) {
                self.warn(format!(
                    "{most} connections are open (--max-connections): more wait until one ends"
                ));
            }
            if self.to.stop().is_stopping() {
                return false;
            }
            count = self.open.wait(count, Duration::from_millis(200));
        }
        true
    }

    fn begin(&self, connection: Connection) {
        watch_peer(&connection.socket, self.connections.keep_alive.0);
        let counted = Counted::new(&self.open, &self.to);
        let (to, serve) = (self.to.clone(), self.serve.clone());
        let spawned = threads::start("flume-client", 256 << 10, move || {
            serve(connection, &to);
            drop(counted);
        });
        if let Err(error) = spawned {
            self.pause(format!(
                "a connection is closed, for there is no thread for it: {error}"
            ));
        }
    }

    fn warn(&self, what: String) {
        say::warn(self.to.counters().name(), what);
    }

    /// The system has no more of something: tell it now and then, and wait a moment.
    fn pause(&self, why: String) {
        if self.told.get().is_none_or(|told| told.elapsed() >= BETWEEN_WORDS) {
            self.told.set(Some(Instant::now()));
            self.warn(why);
        }
        self.to.stop().sleep(ACCEPT_PAUSE);
    }
}

/// Say where the source listens, and how others than this host would reach it.
pub fn announce(listener: &Listener, name: &str, how_to_open: &str) {
    let Some(address) = listener.local() else { return };
    announce_at(&address, address.host(), name, how_to_open);
}

/// The same for an address that is none of connections.
pub fn announce_at(address: &dyn std::fmt::Display, host: Option<&str>, name: &str, how_to_open: &str) {
    let is_local = |host: &str| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match host.is_some_and(is_local) {
        true => say::info(
            name,
            format!("listening on {address}, for this host only; {how_to_open} opens it to others"),
        ),
        false => say::info(name, format!("listening on {address}")),
    }
}

/// Send all of this, unless the client reads too slowly for that: `TimedOut` then.
pub fn send_by(socket: &OwnedFd, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match fd::wait(socket.as_fd(), PollFlags::OUT, &[], Some(deadline))? {
                Woken::Ready => {}
                _ => return Err(io::ErrorKind::TimedOut.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Close a connection whose client may still be writing: a socket closed with unread bytes in it would take
/// back the answer that is on its way.
pub fn hang_up(socket: &OwnedFd) {
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
    let deadline = Instant::now() + FAREWELL;
    let mut sink = Vec::new();
    while let Ok(Woken::Ready) = fd::wait(socket.as_fd(), PollFlags::IN, &[], Some(deadline)) {
        sink.clear();
        match fd::read_onto(socket, &mut sink, UNREAD) {
            Ok(0) | Err(_) => return,
            Ok(_) if Instant::now() >= deadline => return,
            Ok(_) => {}
        }
    }
}
