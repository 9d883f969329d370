//! `source avro` as a program: with the real clients of Flume, and with those that no client should be.

mod appenders;
mod chains;
mod faults;
mod peer;
pub mod real;

use crate::pipe::{Ended, Pipe, Running};
use flume::event::{Batch, BatchBuilder, Event};
use flume::rpc::avro::handshake::Greeting;
use flume::rpc::avro::{Answer, Got, Limits, PackReader, Reply, RequestPack, Status};
use flume::wire::Input;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const OK: Answer = Answer::Status(Status::Ok);
const FAILED: Answer = Answer::Status(Status::Failed);

/// Where the source that a stage runs listens, once it says so.
pub fn port(running: &Running, stage: usize) -> u16 {
    let mark = "listening on tcp:127.0.0.1:";
    running.wait_for(stage, mark);
    let said = running.said(stage);
    let rest = said.split_once(mark).expect("the mark").1;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().expect("a port")
}

/// Lines of all files of a `sink file_roll --directory out`, sorted.
pub fn lines_of(ended: &Ended) -> Vec<String> {
    lines_in(&ended.path("out"))
}

/// Lines of all files in this directory, sorted.
fn lines_in(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
        if !is_hidden {
            lines.extend(std::fs::read_to_string(path).unwrap().lines().map(str::to_string));
        }
    }
    lines.sort();
    lines
}

/// Lines of a file, sorted.
fn ledger(path: &Path) -> Vec<String> {
    let mut lines: Vec<_> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(str::to_string)
        .collect();
    lines.sort();
    lines
}

/// A source with these words more, a channel on the disk, and files.
pub fn collector(words: &str) -> Pipe {
    Pipe::new(&format!("source avro --port 0 --summary json {words}"))
        .then("channel file spool")
        .then("sink file_roll --directory out")
}

/// Reads a socket, which is a type of somebody else.
struct Socket(TcpStream);

impl Read for Socket {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Input for Socket {}

/// A client by hand.
struct Caller {
    socket: TcpStream,
    reader: PackReader<Socket>,
    greeting: Greeting,
    serial: u32,
}

impl Caller {
    fn connect(port: u16) -> Caller {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        Caller {
            reader: PackReader::new(Socket(socket.try_clone().unwrap()), Limits::default()),
            socket,
            greeting: Greeting::new(),
            serial: 0,
        }
    }

    /// The next request, as bytes.
    fn request(&mut self, batch: &Batch) -> Vec<u8> {
        self.serial += 1;
        let greeting = self.greeting.request();
        let pack = match batch.is_empty() {
            true => RequestPack::ping(self.serial, greeting.as_ref()),
            false => RequestPack::append_batch(self.serial, greeting.as_ref(), batch),
        };
        pack.parts().concat()
    }

    /// The next answer; nothing where there is none but the handshake, or the connection has ended.
    fn answer(&mut self) -> Option<Answer> {
        match self.reader.next().ok()? {
            Got::Pack(pack) => {
                let reply = Reply::decode(&pack.payload, self.greeting.request().is_some()).unwrap();
                if let Some(handshake) = &reply.handshake {
                    self.greeting.heard(handshake).unwrap();
                }
                reply.answer
            }
            Got::Eof => None,
            Got::Pending => panic!("no answer came"),
        }
    }

    /// Call with these bodies; without any it is a ping.
    fn call(&mut self, bodies: &[&str]) -> Option<Answer> {
        let request = self.request(&batch(bodies));
        self.socket.write_all(&request).ok()?;
        self.answer()
    }
}

fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    for body in bodies {
        builder.push_event(&Event::new(body.to_string()).with_header("k", "v"));
    }
    builder.finish()
}
