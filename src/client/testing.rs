//! An Avro source in the hand of a unit test: it answers what and when the test says.

use super::{Client, Destination, Settings};
use crate::ack::Receipt;
use crate::event::{Batch, BatchBuilder, Event};
use crate::fd::PolledFd;
use crate::link::Outlet;
use crate::rpc::avro::{
    Answer, Clients, Deflate, Got, HandshakeResponse, Inflated, Limits, Message, PackReader, Request, Status,
};
use crate::stop::Stop;
use crate::wire::Input;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server that listens.
pub struct Fake {
    listener: TcpListener,
    /// Its address.
    pub at: Destination,
}

/// One connection to it.
pub struct Peer {
    socket: TcpStream,
    reader: PackReader<Ear>,
    deflate: Option<Deflate>,
}

/// What a peer hears with.
enum Ear {
    Plain(PolledFd),
    Inflated(Box<Inflated<PolledFd>>),
}

impl Read for Ear {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Ear::Plain(input) => input.read(to),
            Ear::Inflated(input) => input.read(to),
        }
    }
}

impl Input for Ear {}

impl Fake {
    pub fn new() -> Fake {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        Fake {
            listener,
            at: Destination::avro(&format!("127.0.0.1:{port}")).unwrap(),
        }
    }

    /// Settings for a client of this server, and of others.
    pub fn settings(fakes: &[&Fake]) -> Settings {
        crate::say::be_quiet();
        Settings::to(fakes.iter().map(|fake| fake.at.clone()).collect())
    }

    /// The next connection, without a word.
    pub fn accept_silent(&self, deflates: bool) -> Peer {
        let (socket, _) = self.listener.accept().unwrap();
        let mut input = PolledFd::new(socket.try_clone().unwrap().into(), false);
        input.deadline = Some(Instant::now() + PATIENCE);
        let input = match deflates {
            true => Ear::Inflated(Box::new(Inflated::new(input))),
            false => Ear::Plain(input),
        };
        Peer {
            socket,
            reader: PackReader::new(input, Limits::default()),
            deflate: deflates.then(|| Deflate::new(6)),
        }
    }

    /// The next connection, greeted.
    pub fn accept(&self) -> Peer {
        let mut peer = self.accept_silent(false);
        peer.greet();
        peer
    }

    /// Open what the settings say while this server greets, and have both ends.
    pub fn with<T>(&self, open: impl FnOnce() -> T) -> (T, Peer)
    where
        T: Send,
    {
        std::thread::scope(|scope| {
            let peer = scope.spawn(|| self.accept());
            let opened = open();
            (opened, peer.join().unwrap())
        })
    }
}

impl Peer {
    /// The payload of the next pack, and its serial; `None` at the end.
    pub fn pack(&mut self) -> Option<(u32, Vec<u8>)> {
        match self.reader.next().unwrap() {
            Got::Pack(pack) => Some((pack.serial, pack.payload)),
            Got::Eof => None,
            Got::Pending => panic!("nothing came"),
        }
    }

    /// Shake hands, as our source does.
    pub fn greet(&mut self) {
        self.shake(true);
    }

    /// Shake hands, as Flume does: without a promise of order.
    pub fn greet_as_flume(&mut self) {
        self.shake(false);
    }

    fn shake(&mut self, keeps_order: bool) {
        let (serial, payload) = self.pack().unwrap();
        let (request, _) = Request::handshake(&payload).unwrap();
        let (response, _) = Clients::default().greet(&request).unwrap();
        let response = HandshakeResponse {
            keeps_order,
            ..response
        };
        let mut bytes = Vec::new();
        Answer::put(None, serial, Some(&response), &mut bytes);
        self.write(&bytes);
    }

    /// The bodies of the next call, and its serial; `None` at the end of the connection.
    pub fn call(&mut self) -> Option<(u32, Vec<String>)> {
        let (serial, payload) = self.pack()?;
        let batch = match Request::decode(payload, 0).unwrap() {
            Message::AppendBatch(batch) | Message::Append(batch) => batch,
            other => panic!("{other:?}"),
        };
        Some((serial, bodies(&batch)))
    }

    /// Something has come that nobody has read.
    pub fn has_more(&self) -> bool {
        self.reader.begun() > 0 || crate::fd::is_readable(self.socket.as_fd())
    }

    /// Answer a call.
    pub fn answer(&mut self, serial: u32, status: Status) {
        let mut bytes = Vec::new();
        Answer::put(Some(&Answer::Status(status)), serial, None, &mut bytes);
        self.write(&bytes);
    }

    /// Answer the next call with OK.
    pub fn take(&mut self) -> Vec<String> {
        let (serial, bodies) = self.call().unwrap();
        self.answer(serial, Status::Ok);
        bodies
    }

    /// Send bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        let Some(deflate) = &mut self.deflate else {
            return self.socket.write_all(bytes).unwrap();
        };
        let mut packed = Vec::new();
        deflate.put(bytes, &mut packed).unwrap();
        deflate.flush(&mut packed).unwrap();
        self.socket.write_all(&packed).unwrap();
    }
}

fn bodies(batch: &Batch) -> Vec<String> {
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    batch.events().map(|event| text(event.unwrap().body())).collect()
}

/// Events with these bodies.
pub fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    for body in bodies {
        builder.push_event(&Event::new(body.to_string()));
    }
    builder.finish()
}

/// Send a batch now.
pub fn send(outlet: &dyn Outlet, bodies: &[&str]) -> Receipt {
    let receipt = outlet.send(batch(bodies)).unwrap();
    outlet.flush().unwrap();
    receipt
}

/// A stop that nobody wishes.
pub fn stop() -> Stop {
    crate::say::be_quiet();
    Stop::new(Duration::from_secs(5)).unwrap()
}

/// A client that is open, and the server's end of its connection.
pub fn client(fake: &Fake, settings: Settings) -> (Client, Peer) {
    fake.with(move || Client::open(settings).unwrap())
}
