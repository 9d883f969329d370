//! Syslog from the sender to a file.

mod killed;
mod limits;
mod loose;
mod pipeline;
mod senders;
mod traps;

use crate::pipe::{Ended, Pipe, Running};
use rustix::process::Signal;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};

/// A source with these words and a sink that writes headers and bodies to `out`.
fn collect(source: &str) -> Running {
    let pipe = Pipe::new(&format!("source {source}"))
        .then("sink file_roll --directory out --serializer header_and_text --roll-interval 0 --summary json");
    std::fs::create_dir(pipe.path("out")).unwrap();
    pipe.start()
}

/// The port that the source says it listens on with this protocol.
fn port(running: &Running, protocol: &str) -> u16 {
    let sign = format!("listening on {protocol}:127.0.0.1:");
    running.wait_for(0, &sign);
    let said = running.said(0);
    let digits = said.split(&sign).nth(1).unwrap();
    digits.split([',', '\n', ' ']).next().unwrap().parse().unwrap()
}

/// Send bytes by TCP and hang up.
fn send_tcp(port: u16, bytes: &[u8]) {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(bytes).unwrap();
}

/// Send a datagram.
fn send_udp(port: u16, bytes: &[u8]) {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(bytes, ("127.0.0.1", port)).unwrap();
}

/// Stop the source when it has so many events; the lines that came out.
fn lines_of(running: Running, events: u64) -> (Vec<String>, Ended) {
    running.wait_count(0, "EventReceivedCount", events);
    running.kill(0, Signal::TERM);
    let ended = running.wait().expect_status([0, 0]);
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(ended.path("out")).unwrap().flatten() {
        if !entry.path().to_string_lossy().ends_with(".state") {
            let text = std::fs::read(entry.path()).unwrap();
            lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_string));
        }
    }
    (lines, ended)
}
