//! Why nobody could listen: told by `check --deep`. Listening says whether a port is free, and nobody is let in.

use crate::link::Address;
use crate::stage::Obstacle;
use crate::stage::obstacle::is_writable;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

/// At these addresses.
pub fn in_the_way(property: &str, addresses: impl IntoIterator<Item = Address>) -> Vec<Obstacle> {
    let all = addresses.into_iter().filter_map(|address| why_not(&address));
    all.map(|why| Obstacle::fatal(property, why)).collect()
}

fn why_not(address: &Address) -> Option<String> {
    match address {
        Address::Tcp(host, port) | Address::Tls(host, port) => {
            let error = TcpListener::bind((&host[..], *port)).err()?;
            Some(format!("nobody can listen on {host}, port {port}: {error}"))
        }
        Address::Unix(path) => {
            let above = path.parent().filter(|above| !above.as_os_str().is_empty());
            let why = is_writable(above.unwrap_or(Path::new("."))).err()?;
            Some(format!("nobody can listen at {}: {why}", path.display()))
        }
    }
}

/// The same for a UDP port.
pub fn in_the_way_of_datagrams(property: &str, host: &str, port: u16) -> Vec<Obstacle> {
    let error = UdpSocket::bind((host, port)).err();
    let why = error.map(|error| format!("nobody can listen on {host}, port {port} of UDP: {error}"));
    why.map(|why| Obstacle::fatal(property, why))
        .into_iter()
        .collect()
}
