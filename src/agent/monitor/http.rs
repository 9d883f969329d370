//! A small HTTP server: requests without a body, one for each connection, with a bound on everything. Who comes when
//! all places are taken gets that of the client whose request has been awaited for longest: silent ones, however many
//! there are, keep nobody out.

use super::config::Http;
use super::page;
use crate::exit::StageError;
use crate::fd::{self, Woken};
use crate::flow::Board;
use crate::link::Address;
use crate::link::address::Listener;
use crate::say;
use crate::source::server::{hang_up, send_by};
use crate::stop::Stop;
use crate::threads;
use rustix::event::PollFlags;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Bytes of a request.
const LONGEST: usize = 8 << 10;
/// Headers of a request.
const HEADERS: usize = 64;
/// Requests at a time.
const AT_ONCE: usize = 256;
/// How long a request may take, and how long its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait when none can be accepted, or until a place is free.
const PAUSE: Duration = Duration::from_millis(20);

/// How counters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As Flume's JSON.
    Json,
    /// As Prometheus' text.
    Prometheus,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// What the client would like to have.
    pub accept: String,
}

/// What is answered.
pub struct Reply {
    status: u16,
    content: &'static str,
    body: String,
}

impl Reply {
    pub fn new(status: u16, content: &'static str, body: impl Into<String>) -> Reply {
        let body = body.into();
        Reply {
            status,
            content,
            body,
        }
    }

    fn head(&self) -> String {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            408 => "Request Timeout",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\n",
            self.status,
            self.content,
            self.body.len()
        )
    }
}

/// A server that listens.
pub struct Server {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    config: Http,
    board: Board,
    places: Mutex<Places>,
    changed: Condvar,
}

/// Who is connected.
#[derive(Default)]
struct Places {
    open: usize,
    /// Numbers the connections.
    last: u64,
    /// Those whose request has not come yet.
    silent: BTreeMap<u64, Arc<OwnedFd>>,
}

impl Shared {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Take a place, if need be that of who has said nothing for longest.
    fn enter(self: &Arc<Self>, socket: &Arc<OwnedFd>, stop: &Stop) -> Place {
        let mut places = self.places();
        while places.open >= AT_ONCE && !stop.is_stopping() {
            if let Some((_, silent)) = places.silent.pop_first() {
                let _ = rustix::net::shutdown(silent, rustix::net::Shutdown::Both);
            }
            let waited = self.changed.wait_timeout(places, PAUSE);
            places = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        places.open += 1;
        places.last += 1;
        let number = places.last;
        places.silent.insert(number, socket.clone());
        Place {
            shared: self.clone(),
            number,
        }
    }
}

/// Counts a connection as long as it lives.
struct Place {
    shared: Arc<Shared>,
    number: u64,
}

impl Place {
    /// Its request has come.
    fn has_spoken(&self) {
        self.shared.places().silent.remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.shared.places();
        places.silent.remove(&self.number);
        places.open -= 1;
        drop(places);
        self.shared.changed.notify_one();
    }
}

impl Server {
    pub fn bind(config: Http, board: Board) -> Result<Server, StageError> {
        let address = Address::Tcp(config.bind.clone(), config.port);
        let listener = address
            .listen()
            .map_err(|error| StageError::Failed(format!("counters cannot be shown at {address}: {error}")))?;
        // A client that has gone again between poll and accept must not hold the thread up.
        let _ = rustix::io::ioctl_fionbio(&listener, true);
        let shared = Shared {
            config,
            board,
            places: Mutex::default(),
            changed: Condvar::new(),
        };
        Ok(Server {
            listener,
            shared: Arc::new(shared),
        })
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> Option<String> {
        let local = self.listener.local()?.to_string();
        local.strip_prefix("tcp:").map(str::to_string)
    }

    /// Until the stop.
    pub fn run(self, stop: &Stop) {
        while !stop.is_stopping() {
            match fd::wait(self.listener.as_fd(), PollFlags::IN, &[stop.bell()], None) {
                Ok(Woken::Ready) => {}
                Ok(_) => continue,
                Err(_) => return,
            }
            match self.listener.accept() {
                Ok((socket, _)) => self.serve(socket, stop),
                // The table of descriptors may be full.
                Err(_) => {
                    stop.sleep(PAUSE);
                }
            }
        }
    }

    fn serve(&self, socket: OwnedFd, stop: &Stop) {
        let socket = Arc::new(socket);
        let place = self.shared.enter(&socket, stop);
        let answering = move || {
            // Who goes away in the middle need not be told anything.
            if answer(&socket, &place).is_ok() {
                hang_up(&socket);
            }
        };
        if threads::start("flume-watcher", 256 << 10, answering).is_err() {
            say::debug("agent", "no thread can be started for somebody who watches");
        }
    }
}

fn answer(socket: &OwnedFd, place: &Place) -> io::Result<()> {
    let request = read(socket)?;
    place.has_spoken();
    let shared = &place.shared;
    let (reply, has_body) = match &request {
        Ok(request) => (
            page::reply(request, &shared.config, &shared.board),
            request.method != "HEAD",
        ),
        Err(status) => (
            Reply::new(*status, "text/plain", "this is no request that is understood\n"),
            true,
        ),
    };
    let mut text = reply.head();
    if has_body {
        text.push_str(&reply.body);
    }
    send_by(socket, text.as_bytes(), Instant::now() + PATIENCE)
}

/// The head of a request, or the status that says what is wrong with it.
fn read(socket: &OwnedFd) -> io::Result<Result<Request, u16>> {
    let deadline = Some(Instant::now() + PATIENCE);
    let mut bytes = Vec::new();
    loop {
        match fd::wait(socket.as_fd(), PollFlags::IN, &[], deadline)? {
            Woken::Ready => {}
            _ => return Ok(Err(408)),
        }
        let room = LONGEST + 1 - bytes.len();
        if fd::read_onto(socket, &mut bytes, room)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match parse(&bytes) {
            Some(parsed) => return Ok(parsed),
            None if bytes.len() > LONGEST => return Ok(Err(431)),
            None => {}
        }
    }
}

/// `None` as long as more is to come.
fn parse(bytes: &[u8]) -> Option<Result<Request, u16>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Partial) => None,
        Err(httparse::Error::TooManyHeaders) => Some(Err(431)),
        Err(_) => Some(Err(400)),
        Ok(httparse::Status::Complete(_)) => {
            let accept = parsed
                .headers
                .iter()
                .filter(|header| header.name.eq_ignore_ascii_case("accept"));
            let accept: Vec<_> = accept
                .map(|header| String::from_utf8_lossy(header.value))
                .collect();
            Some(Ok(Request {
                method: parsed.method.unwrap_or_default().to_string(),
                target: parsed.path.unwrap_or_default().to_string(),
                accept: accept.join(","),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_when_they_are_whole() {
        let text = b"GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\naccept: a\r\nAccept: b\r\n\r\n";
        for end in 0..text.len() {
            assert!(parse(&text[..end]).is_none(), "{end}");
        }
        let expected = Request {
            method: "GET".into(),
            target: "/metrics?x=1".into(),
            accept: "a,b".into(),
        };
        assert_eq!(parse(text), Some(Ok(expected)));
        assert_eq!(parse(b"\x16\x03\x01\x02\0"), Some(Err(400)));
        assert_eq!(
            parse(format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65)).as_bytes()),
            Some(Err(431))
        );
    }
}
