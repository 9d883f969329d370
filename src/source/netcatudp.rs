//! `netcatudp`: lines of text in datagrams (Flume's NetcatUdpSource).

use super::datagrams::{Buffer, DatagramSocket, Receiver, Taker};
use super::ipfilter::as_java;
use super::ports::in_the_way_of_datagrams;
use crate::event::BatchBuilder;
use crate::exit::{StageError, StageResult};
use crate::metrics::Count;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use memchr::memchr;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Take lines of text in datagrams over UDP.
///
/// A datagram is an event, and its bytes are the body as they came. A line feed ends it, and what follows is another
/// event. What the system has to drop while nothing can be handed on is counted.
#[derive(clap::Args)]
pub struct NetcatUdp {
    /// Address to listen on.
    #[arg(long, id = "bind", default_value = "0.0.0.0", value_name = "HOST")]
    bind: String,
    /// Port to listen on; 0 lets the system choose one, which the first message names.
    #[arg(long, id = "port", value_name = "PORT")]
    port: Option<u16>,
    /// Header for the sender, as /ADDRESS:PORT.
    #[arg(long, id = "remoteAddress", value_name = "NAME")]
    remote_address: Option<String>,
    #[command(flatten)]
    buffer: Buffer,
    #[arg(skip)]
    receiver: Option<Receiver>,
}

impl NetcatUdp {
    fn port(&self) -> Result<u16, String> {
        self.port.ok_or_else(|| {
            "the property port is missing: the port to listen on, such as 6666, or 0 for any".into()
        })
    }
}

impl EventDrivenSource for NetcatUdp {
    fn check(&self) -> Result<(), String> {
        self.port().map(drop)
    }

    fn look(&self) -> Vec<Obstacle> {
        let port = self.port.unwrap_or_default();
        in_the_way_of_datagrams("port", &self.bind, port)
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let port = self.port().map_err(StageError::Usage)?;
        let socket = DatagramSocket::udp(&self.bind, port)?;
        let lines = Lines {
            header: self.remote_address.clone(),
            sender: None,
            text: String::new(),
            cut: 0,
        };
        self.receiver = Some(Receiver::start(
            socket,
            &self.buffer,
            lines,
            "--bind 0.0.0.0",
            to,
        )?);
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        if let Some(receiver) = self.receiver.take() {
            receiver.join();
        }
        Ok(())
    }
}

/// Makes events of datagrams.
struct Lines {
    header: Option<String>,
    /// The last sender, and how it is written.
    sender: Option<SocketAddr>,
    text: String,
    /// Datagrams that were larger than can be taken.
    cut: u64,
}

impl Taker for Lines {
    fn take(&mut self, datagram: &[u8], sender: Option<SocketAddr>, is_cut: bool, to: &mut BatchBuilder) {
        self.cut += u64::from(is_cut);
        if let Some(sender) = sender.filter(|sender| self.sender != Some(*sender)) {
            self.sender = Some(sender);
            self.text = shown(sender);
        }
        let mut rest = datagram;
        while let Some(end) = memchr(b'\n', rest) {
            self.push(&rest[..end], to);
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() || datagram.is_empty() {
            self.push(rest, to);
        }
    }

    fn wants_sender(&self) -> bool {
        self.header.is_some()
    }

    fn report(&mut self, to: &ChannelProcessor) {
        let cut = std::mem::take(&mut self.cut);
        if cut > 0 {
            to.counters().add(Count::EventReadFail, cut);
            say::warn(
                to.counters().name(),
                format!("{cut} datagrams were larger than 64 KiB and are cut"),
            );
        }
    }
}

impl Lines {
    fn push(&self, body: &[u8], to: &mut BatchBuilder) {
        match &self.header {
            Some(name) => to.push([(name.as_bytes(), self.text.as_bytes())].into_iter(), body),
            None => to.push_body(body),
        }
    }
}

/// As Java writes it.
fn shown(sender: SocketAddr) -> String {
    let ip = sender.ip().to_canonical();
    match ip {
        IpAddr::V4(_) => format!("/{}:{}", as_java(ip), sender.port()),
        IpAddr::V6(_) => format!("/[{}]:{}", as_java(ip), sender.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::link::testing::Collect;
    use std::net::UdpSocket;

    fn take(header: Option<&str>, datagrams: &[&[u8]]) -> (Vec<Event>, SocketAddr) {
        let socket = DatagramSocket::udp("127.0.0.1", 0).unwrap();
        let port = socket.port().unwrap();
        let lines = Lines {
            header: header.map(str::to_string),
            sender: None,
            text: String::new(),
            cut: 0,
        };
        let collect = Collect::accepting();
        let (to, stop) = collect.processor("source netcatudp");
        let buffer = Buffer {
            receive_buffer: "1MiB".parse().unwrap(),
        };
        let receiver = Receiver::start(socket, &buffer, lines, "", &to).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in datagrams {
            client.send_to(datagram, ("127.0.0.1", port)).unwrap();
        }
        stop.stop();
        receiver.join();
        (collect.events(), client.local_addr().unwrap())
    }

    #[test]
    fn datagrams_are_events_and_a_line_feed_ends_one() {
        let long = vec![b'x'; 5000];
        let (events, _) = take(None, &[b"one", b"two\n", b"a\nb\r\n\xff", b"", b"\n", &long]);
        let bodies: Vec<&[u8]> = events.iter().map(|event| &event.body()[..]).collect();
        assert_eq!(
            bodies,
            [&b"one"[..], b"two", b"a", b"b\r", b"\xff", b"", b"", &long]
        );
        assert!(events.iter().all(|event| event.headers().next().is_none()));
    }

    #[test]
    fn sender_is_a_header_only_where_that_is_asked_for() {
        let (events, client) = take(Some("from"), &[b"one"]);
        let expected = format!("/{client}");
        assert_eq!(events[0].header("from"), Some(expected.as_bytes()));
        assert_eq!(shown("[::1]:7".parse().unwrap()), "/[0:0:0:0:0:0:0:1]:7");
    }
}
