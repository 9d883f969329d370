//! `avro`: to a Flume agent's Avro source, or to ours on another host.
//!
//! Several calls of `appendBatch` are under way at a time. A batch is accepted when the other side has answered
//! OK to all of it. What was under way when a connection broke is sent again over the next one, in its order and
//! before anything new.

use crate::client::settings::Connections;
use crate::client::{self, Compress, Destination, Kind, Order, Settings};
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::{Connect, Outlet, Window};
use crate::metrics::Counters;
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use crate::tls::{ClientSsl, HostNames};
use crate::value::{Millis, Pair, Seconds, Size};
use std::sync::Arc;
use std::time::Duration;

/// Flume takes its default where less is given: it was probably meant in another unit.
const SHORTEST: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(20);

/// Send events to an Avro source, of Flume or of ours.
///
/// A batch is accepted when the other side has answered that it has all of it. A connection that cannot be made
/// or breaks is made again, with pauses that grow to 5 seconds; what was not accepted is sent again, in its order.
#[derive(clap::Args, Debug)]
pub struct Avro {
    /// Host to send to.
    #[arg(long, id = "hostname", value_name = "HOST")]
    hostname: Option<String>,
    /// Its port.
    #[arg(long, id = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Events in one call at most: what comes in smaller batches and together goes in one call, a larger batch in
    /// several. A channel of Flume's takes no more in one call than its transactionCapacity.
    #[arg(long, id = "batch-size", default_value = "100", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Milliseconds that one attempt to connect may take; below 1000 it is 20000.
    #[arg(long, id = "connect-timeout", default_value = "20000", value_name = "TIME")]
    connect_timeout: Millis,
    /// Milliseconds without an answer after which the connection is given up; below 1000 it is 20000.
    #[arg(long, id = "request-timeout", default_value = "20000", value_name = "TIME")]
    request_timeout: Millis,
    /// Seconds after which the connection is made anew, so that a balancer on the way can choose again; 0 for
    /// never.
    #[arg(
        long,
        id = "reset-connection-interval",
        default_value = "0",
        value_name = "TIME"
    )]
    reset_connection_interval: Seconds,
    /// Make the stream smaller: none or deflate, as the other side is told, too.
    #[arg(long, id = "compression-type", default_value = "none", value_name = "HOW", ignore_case = true,
          value_parser = ["none", "deflate"])]
    compression_type: String,
    /// Level of deflate: 1 is fast, 9 is small.
    #[arg(long, id = "compression-level", default_value = "6", value_name = "LEVEL",
          value_parser = clap::value_parser!(u32).range(1..=9))]
    compression_level: u32,
    /// Threads of Flume's client. Taken and without effect: there is one thread for answers.
    #[arg(long, id = "maxIoWorkers", value_name = "COUNT")]
    max_io_workers: Option<u32>,
    /// Several hosts instead of one: their names, or with their ports 'h1=one:4141 h2=two:4141'.
    #[arg(long, id = "hosts", value_name = "NAME[=HOST:PORT] ...", conflicts_with_all = ["hostname", "port"])]
    hosts: Option<String>,
    /// The host and port of a name.
    #[arg(long = "host", id = "hosts.*", value_name = "NAME=HOST:PORT")]
    members: Vec<Pair>,
    /// Which of them a batch goes to: the first (default), the first until it fails and then the next
    /// (default_failover, which several are by themselves), or one after the other (default_loadbalance).
    #[arg(long, id = "client.type", value_name = "TYPE", ignore_case = true)]
    client_type: Option<Kind>,
    /// Balancing: whether it begins with the next host each time, or with any.
    #[arg(
        long,
        id = "host-selector",
        default_value = "round_robin",
        value_name = "ORDER",
        ignore_case = true
    )]
    host_selector: Order,
    /// Balancing: leave out a host that failed, for 2 s, 4 s, 8 s ... up to --max-backoff.
    #[arg(long, id = "backoff")]
    backoff: bool,
    /// Milliseconds that a host is left out at most.
    #[arg(long, id = "maxBackoff", default_value = "30000", value_name = "TIME")]
    max_backoff: Millis,
    /// Failing over: hosts that are tried before a pause; all of them by default.
    #[arg(long, id = "max-attempts", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: Option<u32>,
    /// Have several calls under way also with a server that works them off in any order, as Flume's does. By
    /// itself there is one with such a server, and as many as --max-unaccepted with ours.
    #[arg(long, id = "unordered")]
    unordered: bool,
    /// Calls that are under way at most. With 1 the order is kept also when the other side answers FAILED.
    #[arg(long, id = "max-unaccepted", default_value = "32", value_name = "CALLS",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_unaccepted: u32,
    /// Their bytes at most; one batch may always be under way.
    #[arg(
        long,
        id = "max-unaccepted-bytes",
        default_value = "4MiB",
        value_name = "SIZE"
    )]
    max_unaccepted_bytes: Size,
    #[command(flatten)]
    ssl: ClientSsl,
    #[arg(skip)]
    counted: Connections,
    /// Known when it has started.
    #[arg(skip)]
    ready: Option<Settings>,
}

impl Avro {
    fn destinations(&self) -> Result<Vec<Destination>, String> {
        let Some(list) = &self.hosts else {
            let (Some(host), Some(port)) = (&self.hostname, self.port) else {
                return Err("hostname and port are needed, or hosts".into());
            };
            let host = match host.contains(':') && !host.starts_with('[') {
                true => format!("[{host}]"),
                false => host.clone(),
            };
            return Ok(vec![self.at(&format!("{host}:{port}"))?]);
        };
        let place = |word: &str| {
            let (name, own) = match word.split_once('=') {
                Some((name, place)) => (name, Some(place.to_string())),
                None => (word, None),
            };
            let member = self.members.iter().rfind(|pair| pair.name == name);
            let place = member.map(|pair| pair.value.clone()).or(own);
            let place = place.ok_or_else(|| format!("hosts.{name} is missing: its HOST:PORT"))?;
            self.at(place.trim())
                .map_err(|what| format!("hosts.{name}: {what}"))
        };
        list.split_whitespace().map(place).collect()
    }

    /// A host and a port, reached as `ssl` says.
    fn at(&self, place: &str) -> Result<Destination, String> {
        match self.ssl.is_on() {
            true => format!("avros://{place}").parse(),
            false => Destination::avro(place),
        }
    }

    /// The settings, once started, with where connections are counted.
    fn counting(&mut self) -> Option<Settings> {
        let mut settings = self.ready.take()?;
        settings.counted = self.counted.clone();
        Some(settings)
    }

    fn settings(&self) -> Result<Settings, String> {
        let mut settings = Settings::to(self.destinations()?);
        settings.name = "sink avro".into();
        settings.kind = self.client_type.unwrap_or(settings.kind);
        settings.batch_size = self.batch_size;
        settings.connect_timeout = timeout("connect-timeout", self.connect_timeout);
        settings.request_timeout = timeout("request-timeout", self.request_timeout);
        settings.max_attempts = self.max_attempts;
        settings.order = self.host_selector;
        settings.max_backoff = self.backoff.then_some(self.max_backoff.0);
        settings.compression = match self.compression_type.eq_ignore_ascii_case("deflate") {
            true => Compress::Deflate,
            false => Compress::None,
        };
        settings.compression_level = self.compression_level;
        settings.unordered = self.unordered;
        let interval = self.reset_connection_interval.0;
        settings.reset_after = (!interval.is_zero()).then_some(interval);
        settings.window = Window {
            batches: self.max_unaccepted as usize,
            bytes: self.max_unaccepted_bytes.0 as usize,
        };
        settings.check()?;
        Ok(settings)
    }
}

fn timeout(property: &str, given: Millis) -> Duration {
    if given.0 >= SHORTEST {
        return given.0;
    }
    let warning = format!(
        "{property} = {:?} is below one second: {TIMEOUT:?} is taken instead",
        given.0
    );
    crate::say::warn("sink avro", warning);
    TIMEOUT
}

impl Sink for Avro {
    fn start(&mut self) -> StageResult {
        let mut settings = self.settings().map_err(StageError::Usage)?;
        // Flume does not look whether the certificate bears the name of the host.
        let connector = self.ssl.connector(HostNames::Ignored, "sink avro")?;
        settings.remote.connector = connector.map(Arc::new);
        self.ready = Some(settings);
        Ok(())
    }

    fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
        Err(SinkError::retry("batches go to the outlet of this sink"))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn count_in(&mut self, counters: &Arc<Counters>) {
        self.counted = Connections(Some(counters.clone()));
    }

    fn outlet(&mut self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        Some(client::stream(&self.counting()?, None, stop))
    }

    fn connect(&mut self, stop: &Stop) -> Option<Connect> {
        Some(client::connecting(&self.counting()?, stop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{Spec, made};
    use std::collections::BTreeMap;

    const SPEC: Spec<Avro> = Spec::new::<Avro>("avro", made::<Avro>);

    fn by_properties(text: &str) -> Result<Settings, String> {
        crate::say::be_quiet();
        let pairs = text.lines().map(|line| line.split_once(" = ").unwrap());
        let given: BTreeMap<_, _> = pairs
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        SPEC.from_properties(&given)
            .map_err(|error| error.to_string())?
            .settings()
    }

    fn by_flags(words: &[&str]) -> Result<Settings, String> {
        let words: Vec<_> = words.iter().map(|word| word.to_string()).collect();
        SPEC.from_flags(&words)
            .map_err(|error| error.to_string())?
            .settings()
    }

    #[test]
    fn properties_and_defaults_are_flumes() {
        let settings = by_properties("hostname = one\nport = 4141").unwrap();
        assert_eq!(format!("{:?}", settings.hosts), "[avro://one:4141]");
        assert_eq!((settings.kind, settings.batch_size), (Kind::Default, 100));
        assert_eq!(
            (settings.connect_timeout, settings.request_timeout),
            (TIMEOUT, TIMEOUT)
        );
        assert_eq!(
            (settings.compression, settings.compression_level),
            (Compress::None, 6)
        );
        assert_eq!((settings.reset_after, settings.max_backoff), (None, None));
        let settings = by_properties(
            "hostname = ::1\nport = 4141\nbatch-size = 7\nconnect-timeout = 999\nrequest-timeout = 1500\n\
             reset-connection-interval = 30\ncompression-type = DEFLATE\ncompression-level = 1\nmaxIoWorkers = 4",
        )
        .unwrap();
        assert_eq!(format!("{:?}", settings.hosts), "[avro://[::1]:4141]");
        assert_eq!(settings.batch_size, 7);
        assert_eq!(settings.connect_timeout, TIMEOUT);
        assert_eq!(settings.request_timeout, Duration::from_millis(1500));
        assert_eq!(settings.reset_after, Some(Duration::from_secs(30)));
        assert_eq!(
            (settings.compression, settings.compression_level),
            (Compress::Deflate, 1)
        );
    }

    #[test]
    fn several_hosts_are_named_as_for_flumes_clients() {
        let settings = by_properties(
            "hosts = h1 h2\nhosts.h1 = one:1\nhosts.h2 = two:2\nclient.type = default_loadbalance\n\
             host-selector = RANDOM\nbackoff = true\nmaxBackoff = 5000",
        )
        .unwrap();
        assert_eq!(format!("{:?}", settings.hosts), "[avro://one:1, avro://two:2]");
        assert_eq!(
            (settings.kind, settings.order),
            (Kind::DefaultLoadbalance, Order::Random)
        );
        assert_eq!(settings.max_backoff, Some(Duration::from_secs(5)));
        let settings = by_flags(&["--hosts", "a=one:1 b", "--host", "b=two:2"]).unwrap();
        assert_eq!(format!("{:?}", settings.hosts), "[avro://one:1, avro://two:2]");
        assert_eq!(settings.kind, Kind::DefaultFailover);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let fails = |found: Result<Settings, String>, part: &str| {
            let error = found.unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        fails(by_flags(&[]), "hostname and port are needed");
        fails(by_flags(&["--hostname", "h"]), "hostname and port are needed");
        fails(by_flags(&["--hosts", "a"]), "hosts.a is missing");
        fails(
            by_flags(&["--hosts", "a=x"]),
            "hosts.a: \"avro://x\" is not avro://HOST:PORT",
        );
        fails(
            by_flags(&["--hosts", "a=x:1", "--client-type", "default_loadbalance"]),
            "at least two",
        );
        fails(by_flags(&["--hosts", "a=x:1", "--hostname", "h"]), "--hostname");
        fails(
            by_properties("hostname = h\nport = 1\ncompression-level = 10"),
            "compression-level",
        );
    }
}
