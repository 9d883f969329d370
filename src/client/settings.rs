//! What a client is told: hosts, how they are chosen from, sizes and times. From Flume's client properties, or
//! set one by one.

use super::{Destination, Order};
use crate::component::{Spec, made, nearest};
use crate::link::Window;
use crate::link::remote::Remote;
use crate::metrics::{Count, Counters};
use crate::properties::Properties;
use crate::tls::{self, ClientTls, Connector, HostNames};
use crate::value::flume_bool;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Which host a batch goes to.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// The first one.
    Default,
    /// The first one until it fails, then the next.
    DefaultFailover,
    /// One after the other, or any.
    DefaultLoadbalance,
}

/// How a stream is made smaller on its way.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Not at all.
    None,
    /// As zlib: for Avro.
    Deflate,
    /// Fast: for frames.
    Lz4,
    /// Small: for frames.
    Zstd,
}

/// Everything that a client is told. [`Settings::to`] and [`Settings::from_properties`] make one.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who sends, as messages and the other side call it.
    pub name: String,
    /// Where to.
    pub hosts: Vec<Destination>,
    /// Which of them a batch goes to.
    pub kind: Kind,
    /// Events in one call at most; a longer batch goes in several.
    pub batch_size: u32,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub request_timeout: Duration,
    /// Fail-over: hosts that are tried for a batch; `None` for as many as there are.
    pub max_attempts: Option<u32>,
    /// Load balancing: which host is tried first.
    pub order: Order,
    /// Load balancing: the longest time that a host is left out after failures; `None` to leave none out.
    pub max_backoff: Option<Duration>,
    /// How the stream is made smaller.
    pub compression: Compress,
    /// For deflate: 1 is fast, 9 is small.
    pub compression_level: u32,
    /// Avro with TLS and deflate: deflate was the outer layer of the last connection that was made.
    pub deflates_outside: Arc<AtomicBool>,
    /// What may be under way without an answer: calls, and bytes of events.
    pub window: Window,
    /// Avro: have several calls under way also where the server does not promise to take them in their order, as
    /// Flume does not.
    pub unordered: bool,
    /// Avro: the age at which a connection is replaced, so that a balancer in between can choose again.
    pub reset_after: Option<Duration>,
    /// Where connections are counted.
    pub counted: Connections,
    /// How connections are made: TLS, token, and by which name a server of frames knows the stream.
    pub remote: Remote,
}

/// Counts connections, for whom it matters.
#[derive(Clone, Default)]
pub struct Connections(pub Option<Arc<Counters>>);

impl Connections {
    /// One more of these.
    pub fn add(&self, count: Count) {
        if let Some(counters) = &self.0 {
            counters.add(count, 1);
        }
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(if self.0.is_some() {
            "counted"
        } else {
            "not counted"
        })
    }
}

/// Flume's shortest time-out: what is shorter is a mistake in the unit.
const SHORTEST: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(20);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

const KEYS: &[&str] = &[
    "client.type",
    "hosts",
    "batch-size",
    "connect-timeout",
    "request-timeout",
    "max-attempts",
    "host-selector",
    "backoff",
    "maxBackoff",
    "compression-type",
    "compression-level",
    "ssl",
];
/// Settings of TLS, which are kept as they are.
const TLS: &[&str] = &[
    "trust-all-certs",
    "truststore",
    "truststore-password",
    "truststore-type",
    "exclude-protocols",
    "include-protocols",
    "exclude-cipher-suites",
    "include-cipher-suites",
    // Ours, which Flume does not have.
    "tls-ca",
    "tls-cert",
    "tls-key",
    "tls-name",
];
/// What Flume has and what makes no difference to a client that speaks Avro, or to ours.
const WITHOUT_EFFECT: &[&str] = &["maxIoWorkers", "maxConnections", "protocol", "kerberos"];

impl Settings {
    /// Flume's defaults, to these hosts: one of them, or failing over in their order.
    pub fn to(hosts: Vec<Destination>) -> Settings {
        Settings {
            name: "client".into(),
            kind: match hosts.len() {
                0 | 1 => Kind::Default,
                _ => Kind::DefaultFailover,
            },
            hosts,
            batch_size: 100,
            connect_timeout: TIMEOUT,
            request_timeout: TIMEOUT,
            max_attempts: None,
            order: Order::RoundRobin,
            max_backoff: None,
            compression: Compress::None,
            compression_level: 6,
            deflates_outside: Arc::default(),
            window: Window::default(),
            unordered: false,
            reset_after: None,
            counted: Connections::default(),
            remote: Remote::new(TIMEOUT),
        }
    }

    /// From Flume's client properties (`client.type`, `hosts`, `hosts.NAME` ...). `warn` is told what is allowed
    /// and probably not meant. The error names the property, and its line.
    pub fn from_properties(given: &Properties, warn: &mut dyn FnMut(String)) -> Result<Settings, String> {
        let read = Reader { given };
        let ssl = given.get("ssl").is_some_and(flume_bool);
        let mut settings = Settings::to(read.hosts(ssl)?);
        settings.kind = read.kind()?;
        if let Some(size) = read.number("batch-size", 1..=u32::MAX)? {
            settings.batch_size = size;
        }
        settings.connect_timeout = read.timeout("connect-timeout", warn)?;
        settings.request_timeout = read.timeout("request-timeout", warn)?;
        settings.max_attempts = read.number("max-attempts", 1..=u32::MAX)?;
        settings.order = read.order()?;
        if given.get("backoff").is_some_and(flume_bool) {
            let most = read.number::<u64>("maxBackoff", 1..=u64::MAX)?;
            settings.max_backoff = Some(most.map_or(MAX_BACKOFF, Duration::from_millis));
        }
        (settings.compression, settings.compression_level) = read.compression()?;
        let given_tls = TLS
            .iter()
            .filter_map(|key| Some((key.to_string(), given.get(key)?.to_string())));
        if settings.needs_tls() {
            settings.remote.connector = Some(connector(given_tls.collect())?);
        }
        read.warn_of_unknown(warn);
        if settings.kind == Kind::Default && settings.hosts.len() > 1 {
            let first = &settings.hosts[0];
            warn(format!(
                "client.type is default: of {} hosts only the first is used, {first}",
                settings.hosts.len()
            ));
        }
        settings.check()?;
        Ok(settings)
    }

    /// Do they fit together? The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        match (self.kind, self.hosts.len()) {
            (_, 0) => return Err("there is no host to send to".into()),
            (Kind::DefaultLoadbalance, 1) => {
                return Err("load balancing needs at least two hosts, there is one".into());
            }
            _ => {}
        }
        for host in self.used_hosts() {
            let ways = host.scheme().compression;
            if !ways.contains(&self.compression) {
                let ways: Vec<_> = ways.iter().map(|way| way.word()).collect();
                return Err(format!(
                    "{host} cannot be sent to with compression {}; there are {}",
                    self.compression.word(),
                    ways.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// The hosts that may be sent to.
    pub fn used_hosts(&self) -> &[Destination] {
        match self.kind {
            Kind::Default => &self.hosts[..self.hosts.len().min(1)],
            Kind::DefaultFailover | Kind::DefaultLoadbalance => &self.hosts,
        }
    }
}

/// What speaks TLS as Flume's properties say: without a look at the name of the host, as Flume's clients do.
fn connector(given: BTreeMap<String, String>) -> Result<Arc<Connector>, String> {
    const SPEC: Spec<ClientTls> = Spec::new::<ClientTls>("client", made::<ClientTls>);
    let settings = SPEC.from_properties(&given).map_err(|error| error.to_string())?;
    let connector = tls::client(&settings, HostNames::Ignored, "client");
    connector.map(Arc::new).map_err(|error| error.to_string())
}

impl Settings {
    /// One of the hosts is spoken to by TLS.
    pub fn needs_tls(&self) -> bool {
        self.used_hosts().iter().any(|host| host.at().is_tls())
    }

    /// How a connection is made, with the time that it may take.
    pub(super) fn remote(&self) -> Remote {
        Remote {
            connect_timeout: self.connect_timeout,
            ..self.remote.clone()
        }
    }

    /// The same for one of several hosts, where a stream of frames is another one.
    pub(super) fn for_one_of_several(&self) -> Settings {
        Settings {
            remote: self.remote.anew(),
            ..self.clone()
        }
    }

    /// Batches arrive in the order of their sending. Balanced over several hosts they do not.
    pub(super) fn keeps_order(&self) -> bool {
        !self.unordered && self.kind != Kind::DefaultLoadbalance
    }

    /// How long to wait for a batch of so many events, beyond what a connection itself waits.
    pub(super) fn patience(&self, events: u32) -> Duration {
        let calls = events.div_ceil(self.batch_size.max(1));
        self.request_timeout.saturating_mul(calls) + SHORTEST
    }
}

impl Compress {
    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Compress::None => "none",
            Compress::Deflate => "deflate",
            Compress::Lz4 => "lz4",
            Compress::Zstd => "zstd",
        }
    }
}

struct Reader<'a> {
    given: &'a Properties,
}

impl Reader<'_> {
    /// An error about a property that is there.
    fn wrong(&self, key: &str, what: impl Display) -> String {
        match (self.given.line(key), self.given.get(key)) {
            (Some(line), Some(value)) => format!("line {line}: {key} = {value}: {what}"),
            _ => format!("{key}: {what}"),
        }
    }

    fn hosts(&self, ssl: bool) -> Result<Vec<Destination>, String> {
        let Some(names) = self.given.get("hosts") else {
            return Err("hosts is missing: the names of the hosts, such as \"h1 h2\"".into());
        };
        let scheme = match self.given.get("client.type") {
            Some(word) if word.eq_ignore_ascii_case("thrift") => "thrift",
            _ if ssl => "avros",
            _ => "avro",
        };
        let host = |name: &str| {
            let key = format!("hosts.{name}");
            let Some(value) = self.given.get(&key) else {
                return Err(self.wrong("hosts", format!("{key} = HOST:PORT is missing")));
            };
            let word = match super::is_destination(value) {
                true => value.to_string(),
                false => format!("{scheme}://{value}"),
            };
            word.parse().map_err(|what| self.wrong(&key, what))
        };
        names.split_whitespace().map(host).collect()
    }

    fn kind(&self) -> Result<Kind, String> {
        let key = "client.type";
        let Some(word) = self.given.get(key) else {
            return Ok(Kind::Default);
        };
        // Flume's own classes by their names.
        let bare = word.strip_prefix("org.apache.flume.api.").unwrap_or(word);
        match bare.to_ascii_lowercase().as_str() {
            "default" | "thrift" | "nettyavrorpcclient" | "thriftrpcclient" => Ok(Kind::Default),
            "default_failover" | "failoverrpcclient" => Ok(Kind::DefaultFailover),
            "default_loadbalance" | "loadbalancingrpcclient" => Ok(Kind::DefaultLoadbalance),
            _ => Err(self.wrong(
                key,
                "there are default, default_failover and default_loadbalance; classes of one's own are not loaded",
            )),
        }
    }

    fn order(&self) -> Result<Order, String> {
        let key = "host-selector";
        match self.given.get(key).map(str::to_ascii_lowercase).as_deref() {
            None | Some("round_robin") => Ok(Order::RoundRobin),
            Some("random") => Ok(Order::Random),
            Some(_) => Err(self.wrong(
                key,
                "there are ROUND_ROBIN and RANDOM; classes of one's own are not loaded",
            )),
        }
    }

    fn compression(&self) -> Result<(Compress, u32), String> {
        let key = "compression-type";
        let how = match self.given.get(key).map(str::to_ascii_lowercase).as_deref() {
            None | Some("none") => Compress::None,
            Some("deflate") => Compress::Deflate,
            Some(_) => return Err(self.wrong(key, "there are none and deflate")),
        };
        Ok((how, self.number("compression-level", 1..=9)?.unwrap_or(6)))
    }

    fn number<T>(&self, key: &str, bounds: RangeInclusive<T>) -> Result<Option<T>, String>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(value) = self.given.get(key) else {
            return Ok(None);
        };
        let number = value.parse().ok().filter(|number| bounds.contains(number));
        let (low, high) = (bounds.start(), bounds.end());
        let told = || self.wrong(key, format!("it is a number from {low} to {high}"));
        number.map(Some).ok_or_else(told)
    }

    /// Below a second it is Flume's default, with a warning, as in Flume.
    fn timeout(&self, key: &str, warn: &mut dyn FnMut(String)) -> Result<Duration, String> {
        let Some(millis) = self.number::<u64>(key, 0..=u64::MAX)? else {
            return Ok(TIMEOUT);
        };
        let timeout = Duration::from_millis(millis);
        if timeout >= SHORTEST {
            return Ok(timeout);
        }
        let default = TIMEOUT.as_millis();
        warn(self.wrong(
            key,
            format!("it is in milliseconds and at least 1000; {default} is taken instead"),
        ));
        Ok(TIMEOUT)
    }

    fn warn_of_unknown(&self, warn: &mut dyn FnMut(String)) {
        for entry in self.given.entries() {
            let key = entry.key.as_str();
            let all = KEYS.iter().chain(TLS).chain(WITHOUT_EFFECT).copied();
            let is_known = key.starts_with("hosts.")
                || all.clone().any(|known| known == key)
                || ["client-principal", "client-keytab", "server-principal"].contains(&key);
            if !is_known {
                let hint = nearest(key, all).map_or(String::new(), |near| format!("; did you mean {near}?"));
                warn(format!(
                    "line {}: {key} is no property of a client{hint}",
                    entry.line
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Result<Settings, String>, Vec<String>) {
        let given = Properties::parse(text.as_bytes()).unwrap();
        let mut warnings = Vec::new();
        let settings = Settings::from_properties(&given, &mut |what| warnings.push(what));
        (settings, warnings)
    }

    fn fails(text: &str, part: &str) {
        let error = read(text).0.unwrap_err();
        assert!(error.contains(part), "{text:?}: {error}");
    }

    #[test]
    fn defaults_are_those_of_flume() {
        let (settings, warnings) = read("hosts = h1\nhosts.h1 = one:4141");
        let settings = settings.unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(settings.hosts, [Destination::avro("one:4141").unwrap()]);
        assert_eq!((settings.kind, settings.batch_size), (Kind::Default, 100));
        assert_eq!(settings.connect_timeout, Duration::from_secs(20));
        assert_eq!(settings.request_timeout, Duration::from_secs(20));
        assert_eq!(
            (settings.compression, settings.compression_level),
            (Compress::None, 6)
        );
        assert_eq!((settings.max_attempts, settings.max_backoff), (None, None));
    }

    #[test]
    fn all_of_flumes_properties_are_read() {
        let (settings, warnings) = read(
            "client.type = DEFAULT_LOADBALANCE\nhosts = a  b\nhosts.a = one:1\nhosts.b = [::1]:2\n\
             batch-size = 7\nconnect-timeout = 1000\nrequest-timeout = 2000\nmax-attempts = 3\n\
             host-selector = RANDOM\nbackoff = True\nmaxBackoff = 5000\ncompression-type = DEFLATE\n\
             compression-level = 9\nmaxIoWorkers = 4\ntruststore = x.p12\n",
        );
        let settings = settings.unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(format!("{:?}", settings.hosts), "[avro://one:1, avro://[::1]:2]");
        assert_eq!(
            (settings.kind, settings.batch_size),
            (Kind::DefaultLoadbalance, 7)
        );
        assert_eq!(settings.connect_timeout, Duration::from_secs(1));
        assert_eq!(settings.request_timeout, Duration::from_secs(2));
        assert_eq!((settings.max_attempts, settings.order), (Some(3), Order::Random));
        assert_eq!(settings.max_backoff, Some(Duration::from_secs(5)));
        assert_eq!(
            (settings.compression, settings.compression_level),
            (Compress::Deflate, 9)
        );
        assert!(settings.remote.connector.is_none());
    }

    #[test]
    fn hosts_may_be_addresses_of_other_protocols() {
        let (settings, _) =
            read("client.type = default_failover\nhosts = a b\nhosts.a = tcp:one:1\nhosts.b = two:2");
        assert_eq!(
            format!("{:?}", settings.unwrap().hosts),
            "[tcp:one:1, avro://two:2]"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        fails("", "hosts is missing");
        fails("hosts = a", "line 1: hosts = a: hosts.a = HOST:PORT is missing");
        fails(
            "hosts = a\nhosts.a = one",
            "line 2: hosts.a = one: \"avro://one\"",
        );
        fails(
            "hosts = a\nhosts.a = o:1\nbatch-size = 0",
            "line 3: batch-size = 0: it is a number from 1",
        );
        fails(
            "hosts = a\nhosts.a = o:1\nclient.type = my.Own",
            "default_failover",
        );
        fails(
            "hosts = a\nhosts.a = o:1\nhost-selector = my.Own",
            "ROUND_ROBIN and RANDOM",
        );
        fails("hosts = a\nhosts.a = o:1\ncompression-level = 10", "from 1 to 9");
        fails(
            "hosts = a\nhosts.a = o:1\ncompression-type = gzip",
            "none and deflate",
        );
        fails(
            "hosts = a\nhosts.a = o:1\nclient.type = default_loadbalance",
            "at least two hosts",
        );
        fails(
            "hosts = a\nhosts.a = o:1\nssl = true\ntruststore = /nowhere/x.p12",
            "/nowhere/x.p12",
        );
        fails(
            "hosts = a\nhosts.a = o:1\nssl = true\ntls-ca = /nowhere/ca.pem",
            "tls-ca: /nowhere/ca.pem",
        );
        fails(
            "hosts = a\nhosts.a = tcp:o:1\ncompression-type = deflate",
            "none, lz4, zstd",
        );
    }

    #[test]
    fn what_is_probably_not_meant_is_told() {
        let (settings, warnings) = read(
            "hosts = a b\nhosts.a = o:1\nhosts.b = o:2\nconnect-timeout = 20\nbatchsize = 3\n\
             client-principal = x",
        );
        assert_eq!(settings.unwrap().connect_timeout, TIMEOUT);
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].contains("at least 1000"), "{warnings:?}");
        assert!(warnings[1].contains("did you mean batch-size?"), "{warnings:?}");
        assert!(warnings[2].contains("only the first"), "{warnings:?}");
    }
}
