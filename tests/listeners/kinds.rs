//! The listeners, one like the other: how each is started, who its real clients are, and how its messages begin.

use super::crowd::resident;
use crate::by_hand::{batch_of, hello};
use crate::http;
use crate::net::certificates::Authority;
use crate::pipe::{Ended, Pipe, Running};
use flume::client::{self, Settings};
use flume::properties::Properties;
use flume::wire::{Compression, batch_frame};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Netcat,
    Avro,
    AvroTls,
    Stream,
    StreamTls,
    Syslog,
    Http,
    Monitor,
}

const CERTIFICATE: &str = "--tls-cert server.cert --tls-key server.key";
/// What is watched by the monitor.
const AGENT: &str = "a1.sources = s
a1.channels = c
a1.sinks = k
a1.sources.s.type = seq
a1.sources.s.totalEvents = 10
a1.sources.s.channels = c
a1.channels.c.type = memory
a1.sinks.k.type = null
a1.sinks.k.channel = c
";

impl Kind {
    /// How it is started with these words.
    fn words(self, words: &str) -> String {
        let own = match self {
            Kind::Netcat => "netcat --port 0".into(),
            Kind::Avro => "avro --port 0".into(),
            Kind::AvroTls => format!("avro --port 0 --ssl {CERTIFICATE}"),
            Kind::Stream => "stream tcp:127.0.0.1:0".into(),
            Kind::StreamTls => format!("stream tls:127.0.0.1:0 {CERTIFICATE}"),
            Kind::Syslog => "syslog --tcp --port 0".into(),
            Kind::Http => "http --port 0".into(),
            Kind::Monitor => {
                return format!(
                    "agent --name a1 --conf-file a1.conf --no-control -Dflume.monitoring.type=http \
                     -Dflume.monitoring.port=0 {words}"
                );
            }
        };
        format!("source {own} {words} --summary json")
    }

    pub fn is_tls(self) -> bool {
        matches!(self, Kind::AvroTls | Kind::StreamTls)
    }

    /// The beginning of a message, at least 600 bytes of it, and never a whole one.
    pub fn half(self) -> Vec<u8> {
        let begin: &[u8] = match self {
            // A line is too long with 512 characters.
            Kind::Netcat | Kind::Syslog => b"<13>half",
            // One buffer of a mebibyte.
            Kind::Avro => b"\0\0\0\x01\0\0\0\x01\0\x10\0\0",
            Kind::AvroTls | Kind::StreamTls => b"\x16\x03\x01\x02\x40\x01\0\x02\x3c\x03\x03",
            Kind::Http => b"POST / HTTP/1.1\r\nHost: here\r\nX: ",
            Kind::Monitor => b"GET /metrics HTTP/1.1\r\nX: ",
            Kind::Stream => {
                let mut long = hello("self", "");
                long.stage = "x".repeat(600);
                let mut bytes = long.encode();
                bytes.pop();
                return bytes;
            }
        };
        let mut bytes = begin.to_vec();
        bytes.resize(if self == Kind::Netcat { 500 } else { 600 }, b'x');
        bytes
    }

    /// The beginning of a message that is larger than any may be, as it says or as it turns out.
    pub fn endless(self) -> Vec<u8> {
        match self {
            Kind::Netcat | Kind::Syslog => b"x".to_vec(),
            Kind::Avro | Kind::AvroTls => b"\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff".to_vec(),
            Kind::Stream | Kind::StreamTls => {
                let (mut header, _) = batch_frame(&batch_of(&[b"x"]), Compression::None);
                (header.length, header.raw_length) = (u32::MAX, u32::MAX);
                let mut bytes = hello("self", "").encode();
                bytes.extend_from_slice(&header.encode(0));
                bytes
            }
            Kind::Http => {
                b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n".to_vec()
            }
            Kind::Monitor => b"GET /metrics HTTP/1.1\r\nX: ".to_vec(),
        }
    }
}

/// One that runs, with nothing behind it that would hold it up.
pub struct Listener {
    pub kind: Kind,
    pub running: Running,
    pub port: u16,
}

impl Listener {
    pub fn start(kind: Kind, words: &str) -> Listener {
        Listener::of(kind, Pipe::new(&kind.words(words)))
    }

    /// The same in a shell that has said this before.
    pub fn start_behind(kind: Kind, said: &str, words: &str) -> Listener {
        Listener::of(
            kind,
            Pipe::foreign(&format!("{said}; exec flume {}", kind.words(words))),
        )
    }

    fn of(kind: Kind, pipe: Pipe) -> Listener {
        let pipe = pipe.patience(Duration::from_secs(120));
        let pipe = match kind {
            Kind::Monitor => pipe.file("a1.conf", AGENT),
            _ => pipe.then("sink null --summary json"),
        };
        if kind.is_tls() {
            Authority::new(&pipe.path(""), "ca").sign("server");
        }
        let running = pipe.start();
        let mark = match kind {
            Kind::Monitor => "counters are shown at http://",
            _ => "listening on ",
        };
        running.wait_for(0, mark);
        let said = running.said(0);
        let address = said.split(mark).nth(1).unwrap();
        let address = address.split(['/', ',', '\n', ' ']).next().unwrap();
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        Listener { kind, running, port }
    }

    /// A connection on which nothing was said.
    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket
    }

    /// The same behind the handshake, where there is one.
    pub fn ready(&self) -> Ready {
        let socket = self.connect();
        if !self.kind.is_tls() {
            return Ready::Plain(socket);
        }
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_file(self.running.path("ca.pem")).unwrap();
        roots.add(own).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = socket;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).unwrap();
        }
        Ready::Secured(Box::new(StreamOwned::new(connection, socket)))
    }

    /// A client as there are many, which waits until it is answered.
    pub fn client(&self) -> Client {
        let properties = |address: &str| {
            let ca = self.running.path("ca.pem");
            let text = format!(
                "hosts = h\nhosts.h = {address}127.0.0.1:{}\ntls-ca = {}\n",
                self.port,
                ca.display()
            );
            let text = match self.kind.is_tls() {
                true => text,
                false => text.lines().take(2).collect::<Vec<_>>().join("\n"),
            };
            let properties = Properties::parse(text.as_bytes()).unwrap();
            let settings = Settings::from_properties(&properties, &mut |_| {}).unwrap();
            Client::Ours(Box::new(client::Client::open(settings).unwrap()))
        };
        match self.kind {
            Kind::Netcat | Kind::Syslog => Client::Lines(self.kind, self.connect()),
            Kind::Avro => properties("avro://"),
            Kind::AvroTls => properties("avros://"),
            Kind::Stream => properties("tcp:"),
            Kind::StreamTls => properties("tls:"),
            Kind::Http => Client::Posts(http::Client::new(self.port)),
            Kind::Monitor => Client::Looks(self.port),
        }
    }

    /// Bytes of memory that it has.
    pub fn resident(&self) -> u64 {
        resident(&self.running, 0)
    }

    /// A client that comes now is served.
    #[track_caller]
    pub fn serves(&self) {
        let mut client = self.client();
        assert_eq!(client.send(1), 1, "{:?} serves nobody any more", self.kind);
        if let Client::Lines(Kind::Syslog, socket) = &mut client {
            // It is told nothing, but its connection ends when all of it was read.
            socket.shutdown(Shutdown::Write).unwrap();
            assert_eq!(socket.read(&mut [0]).unwrap(), 0);
        }
    }

    /// Stop it, and see that it ends well.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.running.kill(0, Signal::TERM);
        let ended = match self.kind {
            Kind::Monitor => self.running.wait().expect_status([0]),
            _ => self.running.wait().expect_status([0, 0]),
        };
        let said = ended.stderr(0);
        assert!(!said.contains("panicked"), "{said}");
        ended
    }
}

/// A connection on which messages may be written.
pub enum Ready {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Ready {
    pub fn socket(&self) -> &TcpStream {
        match self {
            Ready::Plain(socket) => socket,
            Ready::Secured(stream) => &stream.sock,
        }
    }
}

/// One that wants something.
pub enum Client {
    Lines(Kind, TcpStream),
    Ours(Box<client::Client>),
    Posts(http::Client),
    Looks(u16),
}

impl Client {
    /// Send so many events at once, or ask so often. How many were acknowledged; who acknowledges nothing, all.
    pub fn send(&mut self, count: u32) -> u32 {
        match self {
            Client::Lines(Kind::Syslog, socket) => {
                socket
                    .write_all("<13>- x\n".repeat(count as usize).as_bytes())
                    .unwrap();
                count
            }
            Client::Lines(_, socket) => {
                socket
                    .write_all("a line of text\n".repeat(count as usize).as_bytes())
                    .unwrap();
                let mut answers = vec![0; 3 * count as usize];
                socket.read_exact(&mut answers).unwrap();
                answers.chunks(3).filter(|answer| *answer == b"OK\n").count() as u32
            }
            Client::Ours(client) => {
                let bodies = vec![&b"a line of text"[..]; count as usize];
                client.append_batch(&batch_of(&bodies)).map_or(0, |()| count)
            }
            Client::Posts(client) => {
                let events = vec![r#"{"body":"a line of text"}"#; count as usize].join(",");
                match client.post("application/json", format!("[{events}]").as_bytes()) {
                    Some((200, _)) => count,
                    _ => 0,
                }
            }
            Client::Looks(port) => (0..count).filter(|_| look(*port)).count() as u32,
        }
    }
}

/// Ask the monitor for its counters.
fn look(port: u16) -> bool {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 200")
}
