//! Clients: what sends events to another machine, and learns there that they were accepted.
//!
//! A [`Client`] is what Flume's developer guide calls an RPC client: `append` and `append_batch` return when the
//! other side has taken responsibility, or say why not. A failure is the end of a default client, as in Flume;
//! [`Client::again`] makes another. One that fails over or balances its load goes on with other hosts.
//!
//! ```no_run
//! use flume::client::{Client, Settings};
//! use flume::event::Event;
//!
//! let client = Client::open(Settings::to(vec!["avro://collector:4141".parse()?]))?;
//! client.append(&Event::new("a line").with_header("host", "web1"))?;
//! client.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What sends a whole stream does not wait for each batch: [`stream`] gives an outlet that has many under way,
//! holds them until they are accepted, and sends them again over another connection, in their order, when one
//! breaks. `flume send` is that.
//!
//! Which protocols there are is told by the registry in [`scheme`].

mod avro;
mod balanced;
mod frames;
mod ledger;
mod member;
pub mod scheme;
pub mod settings;
mod stream;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use crate::stage::turns::{Order, Selector};
pub use ledger::{Book, Entry, Ledger};
pub use scheme::{Destination, Scheme, is_destination};
pub use settings::{Compress, Kind, Settings};
pub use stream::{connecting, stream};

use crate::event::{Batch, Event};
use crate::link::Address;
use crate::stop::Stop;
use member::Member;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Why events were not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The settings do not fit together.
    #[error("{0}")]
    Settings(String),
    /// Nobody could be reached: nothing was sent.
    #[error("{0}")]
    Connect(String),
    /// It is not known to be accepted: it may have arrived, or parts of it.
    #[error("{0}")]
    Delivery(String),
    /// The other side will never take it.
    #[error("rejected: {0}")]
    Rejected(String),
    /// The client was closed, or has failed before.
    #[error("the client is not active any more: make another")]
    Inactive,
}

/// Sends events and waits until they are accepted. May be used by several threads at a time.
pub struct Client {
    settings: Arc<Settings>,
    members: Vec<Arc<Member>>,
    selector: Mutex<Selector>,
    /// Failing over: the host that is used.
    current: AtomicUsize,
    active: AtomicBool,
    stop: Stop,
}

impl Client {
    /// A client with these settings. It connects at once, unless it balances its load.
    pub fn open(settings: Settings) -> Result<Client, ClientError> {
        settings.check().map_err(ClientError::Settings)?;
        let stop = Stop::new(Duration::ZERO)
            .map_err(|error| ClientError::Connect(format!("no client can be made: {error}")))?;
        let hosts = settings.used_hosts().iter();
        let client = Client {
            members: hosts
                .map(|host| Arc::new(Member::new(host.clone(), &settings)))
                .collect(),
            selector: Mutex::new(selector_of(&settings)),
            settings: Arc::new(settings),
            current: AtomicUsize::new(0),
            active: AtomicBool::new(true),
            stop,
        };
        if client.settings.kind != Kind::DefaultLoadbalance {
            client.reach()?;
        }
        Ok(client)
    }

    /// Another client with the same settings, in the place of one that has failed.
    pub fn again(&self) -> Result<Client, ClientError> {
        Client::open((*self.settings).clone())
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Events that go in one call at most.
    pub fn batch_size(&self) -> u32 {
        self.settings.batch_size
    }

    /// Send one event, and wait until it is accepted.
    pub fn append(&self, event: &Event) -> Result<(), ClientError> {
        self.append_batch(&Batch::single(event))
    }

    /// Send a batch, and wait until all of it is accepted. One of more events than [`Client::batch_size`] goes in
    /// several calls: the first of them may have been accepted when a later one fails.
    pub fn append_batch(&self, batch: &Batch) -> Result<(), ClientError> {
        if !self.is_active() {
            return Err(ClientError::Inactive);
        }
        if batch.is_empty() {
            return Ok(());
        }
        match self.settings.kind {
            Kind::Default => self.deliver(batch).inspect_err(|_| self.close()),
            Kind::DefaultFailover => self.fail_over(batch),
            Kind::DefaultLoadbalance => self.balance(batch),
        }
    }

    /// It can be used: it was not closed, and a default client has not failed nor lost its connection.
    pub fn is_active(&self) -> bool {
        let broken =
            self.settings.kind == Kind::Default && self.members.iter().any(|member| !member.is_open());
        self.active.load(Ordering::SeqCst) && !broken
    }

    /// Close all connections. What waits for an answer fails.
    pub fn close(&self) {
        self.active.store(false, Ordering::SeqCst);
        // Nothing is waited for any more.
        self.stop.stop();
        self.members.iter().for_each(|member| member.close());
    }

    fn deliver(&self, batch: &Batch) -> Result<(), ClientError> {
        self.members[0].call(batch, &self.stop)
    }

    /// To the host that is used; when it fails, to the next ones.
    fn fail_over(&self, batch: &Batch) -> Result<(), ClientError> {
        let hosts = self.members.len();
        let attempts = self.settings.max_attempts.map_or(hosts, |most| most as usize);
        let mut last = ClientError::Inactive;
        for _ in 0..attempts {
            let at = self.reach()?;
            match self.members[at].call(batch, &self.stop) {
                Ok(()) => return Ok(()),
                Err(error @ ClientError::Rejected(_)) => return Err(error),
                Err(error) => last = error,
            }
            // Another thread may have moved on already.
            let next = (at + 1) % hosts;
            let _ = self
                .current
                .compare_exchange(at, next, Ordering::SeqCst, Ordering::SeqCst);
        }
        Err(last)
    }

    /// A connection to the host that is used, or to the first behind it that can be reached.
    fn reach(&self) -> Result<usize, ClientError> {
        let (first, hosts) = (self.current.load(Ordering::SeqCst), self.members.len());
        let mut said = Vec::new();
        for at in (0..hosts).map(|step| (first + step) % hosts) {
            match self.members[at].outlet(&self.stop) {
                Ok(_) => {
                    self.current.store(at, Ordering::SeqCst);
                    return Ok(at);
                }
                Err(error) => said.push(error.to_string()),
            }
        }
        Err(ClientError::Connect(said.join("; ")))
    }

    fn balance(&self, batch: &Batch) -> Result<(), ClientError> {
        let order = self.lock_selector().order(Instant::now());
        let mut said = Vec::new();
        for at in order {
            match self.members[at].call(batch, &self.stop) {
                Ok(()) => return Ok(()),
                Err(error @ ClientError::Rejected(_)) => return Err(error),
                Err(error) => said.push(error.to_string()),
            }
            self.lock_selector().failed(at, Instant::now());
        }
        Err(ClientError::Delivery(match said.is_empty() {
            true => ALL_LEFT_OUT.into(),
            false => said.join("; "),
        }))
    }

    fn lock_selector(&self) -> std::sync::MutexGuard<'_, Selector> {
        self.selector
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

/// What is said when back-off leaves no host.
const ALL_LEFT_OUT: &str = "all hosts have failed lately and are left out for now";

fn selector_of(settings: &Settings) -> Selector {
    Selector::new(settings.order, settings.used_hosts().len(), settings.max_backoff)
}

/// `HOST:PORT` as a place that is reached by TLS.
fn tls_place(rest: &str) -> Result<Address, String> {
    match tcp_place(rest)? {
        Address::Tcp(host, port) => Ok(Address::Tls(host, port)),
        other => Ok(other),
    }
}

/// `HOST:PORT` as a place.
fn tcp_place(rest: &str) -> Result<Address, String> {
    match format!("tcp:{rest}").parse::<Address>() {
        Ok(Address::Tcp(_, 0)) => Err("nobody can listen on port 0".into()),
        Ok(at) => Ok(at),
        Err(_) => Err("a host and a port from 1 to 65535 belong there".into()),
    }
}
