//! The registry of the protocols that a client speaks: an address begins with the name of one.
//!
//! A protocol more is a file beside this one and a line in [`SCHEMES`].

use super::{Settings, avro, frames};
use crate::component::nearest;
use crate::link::{Address, Outlet, SendError};
use crate::stop::Stop;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// All of them.
pub const SCHEMES: &[Scheme] = &[avro::AVRO, avro::AVROS, frames::TCP, frames::TLS, frames::UNIX];

/// Opens a connection to a place.
pub type Open = fn(&Destination, &Settings, &Stop) -> Result<Arc<dyn Outlet>, SendError>;

/// One protocol.
pub struct Scheme {
    /// What an address begins with, such as `avro://`.
    pub prefix: &'static str,
    /// How such an address looks.
    pub shape: &'static str,
    /// What follows the prefix, as a place to connect to.
    pub place: fn(&str) -> Result<Address, String>,
    /// Which ways it has to make fewer bytes of events.
    pub compression: &'static [super::Compress],
    /// A batch of more events than a call may have goes in several calls.
    pub cuts: bool,
    /// Connect.
    pub open: Open,
}

/// An address, and the protocol that is spoken there.
#[derive(Clone)]
pub struct Destination {
    scheme: &'static Scheme,
    at: Address,
}

impl Destination {
    /// A host and a port in Flume's spelling, where Avro is spoken.
    pub fn avro(host_and_port: &str) -> Result<Destination, String> {
        format!("{}{host_and_port}", avro::AVRO.prefix).parse()
    }

    /// Its protocol.
    pub fn scheme(&self) -> &'static Scheme {
        self.scheme
    }

    /// The place to connect to.
    pub fn at(&self) -> &Address {
        &self.at
    }

    /// Connect.
    pub fn open(&self, settings: &Settings, stop: &Stop) -> Result<Arc<dyn Outlet>, SendError> {
        (self.scheme.open)(self, settings, stop)
    }
}

/// The shapes that addresses have, for messages: "avro://HOST:PORT, tcp:HOST:PORT or unix:PATH".
pub fn shapes() -> String {
    let shapes: Vec<_> = SCHEMES.iter().map(|scheme| scheme.shape).collect();
    match shapes.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => shapes.concat(),
    }
}

/// Does this word look like an address rather than a file? Also one whose protocol is not known here.
pub fn is_destination(word: &str) -> bool {
    word.contains("://") || SCHEMES.iter().any(|scheme| word.starts_with(scheme.prefix))
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = SCHEMES
            .iter()
            .find_map(|scheme| Some((scheme, word.strip_prefix(scheme.prefix)?)));
        if let Some((scheme, rest)) = found {
            let at =
                (scheme.place)(rest).map_err(|what| format!("\"{word}\" is not {}: {what}", scheme.shape))?;
            return Ok(Destination { scheme, at });
        }
        let shapes = shapes();
        let Some((name, _)) = word.split_once(':') else {
            return Err(format!("\"{word}\" has no scheme; an address is {shapes}"));
        };
        let names = SCHEMES
            .iter()
            .map(|scheme| scheme.prefix.trim_end_matches(['/', ':']));
        match nearest(name, names) {
            Some(near) => Err(format!(
                "\"{name}:\" is no protocol here; did you mean \"{near}\"? An address is {shapes}"
            )),
            None => Err(format!("\"{name}:\" is no protocol here; an address is {shapes}")),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.to_string();
        let place = at.split_once(':').map_or(&*at, |(_, place)| place);
        write!(out, "{}{place}", self.scheme.prefix)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Self) -> bool {
        self.scheme.prefix == other.scheme.prefix && self.at == other.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Result<Address, &str>) {
        match (word.parse::<Destination>(), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(*found.at(), expected);
                assert_eq!(found.to_string(), word);
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{word}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn addresses_name_their_protocol() {
        check("avro://host:4141", Ok(Address::Tcp("host".into(), 4141)));
        check("avro://[::1]:4141", Ok(Address::Tcp("::1".into(), 4141)));
        check("avros://host:4141", Ok(Address::Tls("host".into(), 4141)));
        check("tcp:host:1", Ok(Address::Tcp("host".into(), 1)));
        check("tls:host:1", Ok(Address::Tls("host".into(), 1)));
        check("unix:/run/x", Ok(Address::Unix("/run/x".into())));
        check("avro://host", Err("avro://HOST:PORT"));
        check("avro://host:0", Err("port 0"));
        check("tcp:host:0", Err("port 0"));
        check("host", Err("no scheme"));
        check("avor://host:1", Err("did you mean \"avro\"?"));
        check(
            "gopher://host:1",
            Err("avros://HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT or unix:PATH"),
        );
    }

    #[test]
    fn prefixes_are_distinct() {
        for (index, scheme) in SCHEMES.iter().enumerate() {
            assert!(scheme.shape.starts_with(scheme.prefix));
            for other in &SCHEMES[index + 1..] {
                assert!(!other.prefix.starts_with(scheme.prefix) && !scheme.prefix.starts_with(other.prefix));
            }
        }
    }

    #[test]
    fn files_are_no_addresses() {
        assert!(is_destination("avro://h:1") && is_destination("unix:x") && is_destination("ftp://x"));
        assert!(!is_destination("app.log") && !is_destination("./a:b"));
    }
}
