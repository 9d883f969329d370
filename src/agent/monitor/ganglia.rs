//! Counters as packets of Ganglia: UDP, XDR, in the form of 3.1 or of 3.0.

use super::config::Ganglia;
use super::groups;
use crate::flow::Board;
use crate::say;
use crate::stop::Stop;
use std::net::{ToSocketAddrs, UdpSocket};

/// Packets of 3.1 that say what a metric is, and how much it is.
const METADATA: u32 = 128;
const VALUE: u32 = 133;
/// Ganglia's word for a metric that may go both ways.
const SLOPE: u32 = 3;
/// Seconds after which a metric that was not told of is old.
const TMAX: u32 = 60;
/// It is never forgotten.
const DMAX: u32 = 0;

/// Tell each gmond again and again, until the stop.
pub fn run(config: &Ganglia, board: &Board, stop: &Stop) {
    let own = rustix::system::uname();
    let own = own.nodename().to_string_lossy().into_owned();
    let mut failed: Vec<Option<String>> = vec![None; config.hosts.len()];
    while !stop.is_stopping() {
        let packets = packets(board, &own, config.is_3_0);
        for (host, failed) in config.hosts.iter().zip(&mut failed) {
            let why = send(host, &packets).err().map(|error| error.to_string());
            match (&why, &*failed) {
                (Some(why), before) if before.as_ref() != Some(why) => {
                    say::warn("agent", format!("Ganglia at {host} cannot be told: {why}"));
                }
                (None, Some(_)) => say::info("agent", format!("Ganglia at {host} is told again")),
                _ => {}
            }
            *failed = why;
        }
        stop.sleep(config.poll);
    }
}

fn send(host: &str, packets: &[Vec<u8>]) -> std::io::Result<()> {
    let missing = || std::io::Error::other("its name has no address");
    let to = host.to_socket_addrs()?.next().ok_or_else(missing)?;
    let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    // Connected, so that it is known where nobody listens.
    socket.connect(to)?;
    packets
        .iter()
        .try_for_each(|packet| socket.send(packet).map(drop))
}

fn packets(board: &Board, own: &str, is_3_0: bool) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (group, attributes) in groups::of(board) {
        for (attribute, value) in attributes {
            let name = format!("flume.{group}.{attribute}");
            let kind = if value.parse::<f32>().is_ok() {
                "float"
            } else {
                "string"
            };
            match is_3_0 {
                true => all.push(packet_3_0(&format!("{own}.{name}"), kind, &value)),
                false => all.extend(packets_3_1(own, &name, kind, &value)),
            }
        }
    }
    all
}

fn packet_3_0(name: &str, kind: &str, value: &str) -> Vec<u8> {
    let packet = Xdr::default()
        .number(0)
        .text(kind)
        .text(name)
        .text(value)
        .text("");
    packet.number(SLOPE).number(TMAX).number(DMAX).0
}

fn packets_3_1(own: &str, name: &str, kind: &str, value: &str) -> [Vec<u8>; 2] {
    let metadata = Xdr::default()
        .number(METADATA)
        .text(own)
        .text(name)
        .number(0)
        .text(kind)
        .text(name)
        .text("");
    let metadata = metadata.number(SLOPE).number(TMAX).number(DMAX);
    let metadata = metadata.number(1).text("GROUP").text("flume");
    let value = Xdr::default()
        .number(VALUE)
        .text(own)
        .text(name)
        .number(0)
        .text("%s")
        .text(value);
    [metadata.0, value.0]
}

/// What XDR is: everything in multiples of four bytes, the high one first.
#[derive(Default)]
struct Xdr(Vec<u8>);

impl Xdr {
    fn number(mut self, number: u32) -> Xdr {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn text(self, text: &str) -> Xdr {
        let mut all = self.number(text.len() as u32);
        all.0.extend_from_slice(text.as_bytes());
        all.0.resize(all.0.len().next_multiple_of(4), 0);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_the_bytes_of_ganglia() {
        let [metadata, value] = packets_3_1("web", "flume.X.a", "float", "12");
        let expected = b"\0\0\0\x80\0\0\0\x03web\0\0\0\0\x09flume.X.a\0\0\0\0\0\0\0\0\0\0\x05float\0\0\0\
            \0\0\0\x09flume.X.a\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x3c\0\0\0\0\0\0\0\x01\0\0\0\x05GROUP\0\0\0\
            \0\0\0\x05flume\0\0\0";
        assert_eq!(metadata, expected);
        let expected =
            b"\0\0\0\x85\0\0\0\x03web\0\0\0\0\x09flume.X.a\0\0\0\0\0\0\0\0\0\0\x02%s\0\0\0\0\0\x0212\0\0";
        assert_eq!(value, expected);
        let old = packet_3_0("web.a", "string", "true");
        let expected = b"\0\0\0\0\0\0\0\x06string\0\0\0\0\0\x05web.a\0\0\0\0\0\0\x04true\0\0\0\0\0\0\0\x03\
            \0\0\0\x3c\0\0\0\0";
        assert_eq!(old, expected);
    }
}
