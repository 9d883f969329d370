//! Addresses as words: `tcp:HOST:PORT`, `tls:HOST:PORT` and `unix:PATH` carry frames.

use std::fmt;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Bytes that the path of a Unix socket may have (`sun_path` less its closing zero).
const UNIX_PATH_LIMIT: usize = 107;

/// Connections that the system keeps until they are accepted (Flume's number).
const BACKLOG: i32 = 1024;

/// Where a stream of frames comes from or goes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `tcp:HOST:PORT`; an IPv6 address stands in brackets.
    Tcp(String, u16),
    /// `tls:HOST:PORT`: the same, and TLS from the first byte.
    Tls(String, u16),
    /// `unix:PATH`
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let shape = "an address is tcp:HOST:PORT, tls:HOST:PORT or unix:PATH";
        let Some((scheme, rest)) = word.split_once(':') else {
            return Err(format!("\"{word}\" has no scheme; {shape}"));
        };
        match scheme {
            "unix" if rest.is_empty() => Err(format!("\"{word}\" has no path; {shape}")),
            "unix" if rest.len() > UNIX_PATH_LIMIT => Err(format!(
                "the path of a Unix socket has {UNIX_PATH_LIMIT} bytes at most, this one has {}",
                rest.len()
            )),
            "unix" => Ok(Address::Unix(rest.into())),
            "tcp" | "tls" => {
                let (host, port) =
                    host_port(rest).ok_or_else(|| format!("\"{word}\" has no port; {shape}"))?;
                let port = port
                    .parse()
                    .map_err(|_| format!("\"{port}\" is no port; a port is a number from 0 to 65535"))?;
                Ok(match scheme {
                    "tls" => Address::Tls(host.to_string(), port),
                    _ => Address::Tcp(host.to_string(), port),
                })
            }
            other => Err(format!("\"{other}:\" is not a way to carry frames here; {shape}")),
        }
    }
}

/// Addresses, separated by blanks or commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses(pub Vec<Address>);

impl FromStr for Addresses {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let words = words.split([' ', ',']).filter(|word| !word.is_empty());
        let all: Result<Vec<Address>, String> = words.map(str::parse).collect();
        match all? {
            all if all.is_empty() => "".parse::<Address>().map(|one| Addresses(vec![one])),
            all => Ok(Addresses(all)),
        }
    }
}

fn host_port(rest: &str) -> Option<(&str, &str)> {
    let (host, port) = rest.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    (!host.is_empty()).then_some((host, port))
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) => write!(out, "tcp:{}:{port}", bracketed(host)),
            Address::Tls(host, port) => write!(out, "tls:{}:{port}", bracketed(host)),
            Address::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// An IPv6 address in its brackets.
fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_string(),
    }
}

/// Does this word look like an address rather than a file?
pub fn is_address(word: &str) -> bool {
    word.starts_with("tcp:") || word.starts_with("unix:") || word.starts_with("tls:")
}

impl Address {
    /// The host, where the address has one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Address::Tcp(host, _) | Address::Tls(host, _) => Some(host),
            Address::Unix(_) => None,
        }
    }

    /// The port, where the address has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Tcp(_, port) | Address::Tls(_, port) => Some(*port),
            Address::Unix(_) => None,
        }
    }

    /// TLS is spoken there.
    pub fn is_tls(&self) -> bool {
        matches!(self, Address::Tls(..))
    }

    /// What is said there can be read on the way: neither encrypted nor on this host.
    pub fn is_open_to_others(&self) -> bool {
        let is_local = |host: &str| {
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        };
        matches!(self, Address::Tcp(host, _) if !is_local(host))
    }

    /// Connect, waiting `timeout` for each address that the host has. The TLS of `tls:` is the caller's.
    pub fn connect(&self, timeout: Duration) -> io::Result<OwnedFd> {
        match self {
            Address::Unix(path) => Ok(UnixStream::connect(path)?.into()),
            Address::Tcp(host, port) | Address::Tls(host, port) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, timeout) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            watch_peer(&stream, KEEP_ALIVE);
                            return Ok(stream.into());
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// Listen. An error says who or what is in the way.
    pub fn listen(&self) -> io::Result<Listener> {
        match self {
            Address::Tcp(host, port) => listen_to(host, *port).map(Listener::Tcp),
            Address::Tls(host, port) => listen_to(host, *port).map(Listener::Tls),
            Address::Unix(path) => {
                remove_dead_socket(path);
                UnixListener::bind(path).map(|listener| Listener::Unix(listener, path.clone()))
            }
        }
        .map_err(|error| self.explain(error))
    }

    fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() != io::ErrorKind::AddrInUse {
            return error;
        }
        let why = match self {
            Address::Unix(path) if !is_socket(path) => {
                "a file is there that is no socket: remove it or listen at another path"
            }
            Address::Tcp(..) | Address::Tls(..) | Address::Unix(_) => "it is in use by another listener",
        };
        io::Error::new(error.kind(), why)
    }
}

/// How long an idle peer is not asked for a sign of life, where nobody says otherwise.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Have the system ask an idle peer after this time whether it is still there, and give it up after twice that
/// time: one that lost its power says nothing. One that does not confirm what it was sent is given up as soon;
/// without a limit that takes 15 minutes. On a Unix socket, whose peer cannot vanish, this does nothing.
pub fn watch_peer(socket: impl AsFd, idle: Duration) {
    use rustix::net::sockopt;
    let socket = socket.as_fd();
    let second = Duration::from_secs(1);
    // Where one of these is not known, the peer's end is only noticed later.
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, idle.max(second));
    let _ = sockopt::set_tcp_keepintvl(socket, (idle / 3).max(second));
    let _ = sockopt::set_tcp_keepcnt(socket, 3);
    let milliseconds = (idle.max(second) * 2).as_millis();
    let _ = sockopt::set_tcp_user_timeout(socket, milliseconds.try_into().unwrap_or(u32::MAX));
}

/// Listen on TCP, with more than the 128 of the standard library in line: whoever finds it full waits a second.
fn listen_to(host: &str, port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((host, port))?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// A socket file that nobody listens on is what a killed listener left; one that somebody does is theirs.
fn remove_dead_socket(path: &Path) {
    if is_socket(path)
        && UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
    {
        let _ = std::fs::remove_file(path);
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// Accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// On a TCP port.
    Tcp(TcpListener),
    /// On a TCP port where TLS is spoken.
    Tls(TcpListener),
    /// At a path, which is removed at the end.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// The next connection and the peer's name.
    pub fn accept(&self) -> io::Result<(OwnedFd, String)> {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener) => {
                let (stream, peer) = listener.accept()?;
                stream.set_nodelay(true)?;
                watch_peer(&stream, KEEP_ALIVE);
                Ok((stream.into(), peer.to_string()))
            }
            Listener::Unix(listener, path) => {
                let (stream, _) = listener.accept()?;
                Ok((stream.into(), format!("unix:{}", path.display())))
            }
        }
    }

    /// Where it listens, with the port that the system gave.
    pub fn local(&self) -> Option<Address> {
        match self {
            Listener::Tcp(listener) => {
                let at = listener.local_addr().ok()?;
                Some(Address::Tcp(at.ip().to_string(), at.port()))
            }
            Listener::Tls(listener) => {
                let at = listener.local_addr().ok()?;
                Some(Address::Tls(at.ip().to_string(), at.port()))
            }
            Listener::Unix(_, path) => Some(Address::Unix(path.clone())),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Result<Address, &str>) {
        match (word.parse::<Address>(), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found, expected);
                assert_eq!(found.to_string(), word);
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{word}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn addresses_are_words() {
        check("tcp:localhost:4545", Ok(Address::Tcp("localhost".into(), 4545)));
        check("tcp:[::1]:1", Ok(Address::Tcp("::1".into(), 1)));
        check("tls:[::1]:1", Ok(Address::Tls("::1".into(), 1)));
        check("unix:/run/x", Ok(Address::Unix("/run/x".into())));
        check("localhost", Err("no scheme"));
        check("tcp:localhost", Err("no port"));
        check("tcp:host:seventy", Err("is no port"));
        check("ftp:host:1", Err("not a way to carry frames"));
        check(&format!("unix:/{}", "x".repeat(107)), Err("107 bytes at most"));
    }

    #[test]
    fn what_is_in_the_way_of_a_listener_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        let why = Address::Unix(file.clone()).listen().unwrap_err().to_string();
        assert!(why.contains("a file is there that is no socket"), "{why}");
        assert_eq!(std::fs::read(&file).unwrap(), b"kept");
        let unix = Address::Unix(directory.path().join("socket"));
        for address in [unix, Address::Tcp("127.0.0.1".into(), 0)] {
            let first = address.listen().unwrap();
            let why = first.local().unwrap().listen().unwrap_err().to_string();
            assert!(why.contains("in use by another listener"), "{why}");
        }
    }
}
