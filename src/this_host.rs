//! The names and the address of this host.

use std::net::{IpAddr, ToSocketAddrs};
use std::process::{Command, Stdio};

/// What this host calls itself.
pub fn own_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The first IPv4 address of a name, or else its first address: Java's order.
pub fn address_of(name: &str) -> Option<IpAddr> {
    let found: Vec<IpAddr> = (name, 0)
        .to_socket_addrs()
        .ok()?
        .map(|address| address.ip())
        .collect();
    found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first())
        .copied()
}

/// The canonical name of an address by the system's own order of look-up (files, then DNS), which `getent`
/// gives without a foreign call; `None` where it knows none.
pub fn canonical_name(address: IpAddr) -> Option<String> {
    let mut getent = Command::new("getent");
    let asked = getent
        .args(["hosts", &address.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let said = asked.output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(said.stdout).ok()?;
    line.split_whitespace().nth(1).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_resolve_has_no_address() {
        assert_eq!(address_of("no.such.host.invalid"), None);
        assert_eq!(address_of("127.0.0.1"), Some("127.0.0.1".parse().unwrap()));
    }
}
