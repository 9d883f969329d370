//! Where `flume send` sends to: from addresses, from Flume's client properties, from flags.

use super::is_given;
use crate::client::scheme::shapes;
use crate::client::{self, Book, Compress, Destination, Kind, Ledger, Order, Settings};
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::remote::Access;
use crate::link::{Outlet, Window};
use crate::properties::Properties;
use crate::sink::stream::{Packing, Sending, Stream, UnderWay};
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use crate::value::{Seconds, Size};
use clap::ArgMatches;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

// Where to send, and how.
// No doc comment: clap would put it in the place of the sentence of the command that has these options.
#[derive(clap::Args)]
pub(super) struct Target {
    /// Take hosts and settings from Flume's client properties (client.type, hosts, hosts.NAME, batch-size ...),
    /// instead of addresses. A flag beats the file.
    #[arg(long = "rpcProps", alias = "rpc-props", short = 'P', value_name = "FILE")]
    rpc_props: Option<PathBuf>,
    /// Host of an Avro source, instead of an address.
    #[arg(long, short = 'H', value_name = "HOST", requires = "port")]
    host: Option<String>,
    /// Its port.
    #[arg(long, short = 'p', value_name = "PORT", requires = "host",
          value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Send to the servers of this group instead, as its mode says.
    #[arg(long, value_name = "NAME", conflicts_with_all = [
        "rpc_props", "host", "client_type", "host_selector", "backoff", "max_attempts", "request_timeout", "unordered"])]
    group: Option<String>,
    /// File that describes groups; without it flume/groups in the configuration of the user or in /etc.
    #[arg(long, value_name = "FILE", requires = "group")]
    groups_file: Option<PathBuf>,
    /// Which address a batch goes to: the first (default), the first until it fails and then the next
    /// (default_failover, which several addresses are by themselves), or one after the other
    /// (default_loadbalance).
    #[arg(long, value_name = "TYPE")]
    client_type: Option<Kind>,
    /// Balance the load over the addresses, beginning with the next one or with any.
    #[arg(long, value_name = "ORDER", ignore_case = true)]
    host_selector: Option<Order>,
    /// When balancing, leave out an address that failed: for 2 s, 4 s, 8 s ... up to --max-backoff.
    #[arg(long)]
    backoff: bool,
    /// The longest time that an address is left out.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    max_backoff: Seconds,
    /// Addresses that are tried before a pause; all of them by default.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: Option<u32>,
    /// Give up after so long without success.
    #[arg(long, default_value = "60", value_name = "TIME")]
    pub retry_for: Seconds,
    /// How long one attempt to connect may take.
    #[arg(long, default_value = "20s", value_name = "TIME")]
    connect_timeout: Seconds,
    /// How long an Avro source may go without answering.
    #[arg(long, default_value = "20s", value_name = "TIME")]
    request_timeout: Seconds,
    /// For avro://: have several calls under way also with a server that works them off in any order, as Flume's
    /// does. By itself there is one with such a server.
    #[arg(long)]
    unordered: bool,
    /// Batches (for avro://: calls) that are sent and not accepted at most.
    #[arg(long, default_value = "32", value_name = "BATCHES",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_unaccepted: u32,
    /// Their bytes at most; one batch may always be under way.
    #[arg(long, default_value = "4MiB", value_name = "SIZE")]
    max_unaccepted_bytes: Size,
    /// Make the stream smaller on its way: deflate for avro://, lz4 or zstd for frames.
    #[arg(
        long,
        visible_alias = "compression-type",
        default_value = "none",
        value_name = "HOW"
    )]
    compression: Compress,
    /// Who may read it, and who takes it.
    #[command(flatten)]
    access: Access,
    /// Level of deflate: 1 is fast, 9 is small.
    #[arg(long, default_value = "6", value_name = "LEVEL", value_parser = clap::value_parser!(u32).range(1..=9))]
    compression_level: u32,
}

impl Target {
    /// Where it goes. `batch_size` was asked for by a flag.
    pub fn to(
        &self,
        addresses: &[&String],
        batch_size: Option<u32>,
        matches: &ArgMatches,
    ) -> Result<To, StageError> {
        match &self.group {
            None => {
                let settings = self.settings(addresses, batch_size, matches)?;
                Ok(To::Hosts(Box::new(settings), self.retry_for.0))
            }
            Some(_) if !addresses.is_empty() => Err(StageError::Usage(MANY.into())),
            Some(group) => {
                let retry_for = Some(self.retry_for.0);
                let stream = Stream::to_group(
                    group,
                    self.groups_file.clone(),
                    self.sending()?,
                    retry_for,
                    "send",
                );
                Ok(To::Group(Box::new(stream)))
            }
        }
    }

    /// How frames are sent to a group.
    fn sending(&self) -> Result<Sending, StageError> {
        let compression = match self.compression {
            Compress::None => Packing::None,
            Compress::Lz4 => Packing::Lz4,
            Compress::Zstd => Packing::Zstd,
            Compress::Deflate => {
                return Err(StageError::Usage(
                    "--compression deflate is for avro://, and the servers of a group take frames: lz4 or zstd".into(),
                ));
            }
        };
        Ok(Sending {
            connect_timeout: self.connect_timeout,
            under_way: UnderWay {
                max_unaccepted: self.max_unaccepted,
                max_unaccepted_bytes: self.max_unaccepted_bytes,
                compression,
            },
            access: self.access.clone(),
        })
    }

    /// The client's settings.
    fn settings(
        &self,
        addresses: &[&String],
        batch_size: Option<u32>,
        matches: &ArgMatches,
    ) -> Result<Settings, StageError> {
        let mut settings = self.hosts(addresses).map_err(StageError::Usage)?;
        settings.name = "send".into();
        settings.window = Window {
            batches: self.max_unaccepted as usize,
            bytes: self.max_unaccepted_bytes.0 as usize,
        };
        settings.unordered = self.unordered;
        settings.batch_size = batch_size.unwrap_or(settings.batch_size);
        settings.max_attempts = self.max_attempts.or(settings.max_attempts);
        if let Some(order) = self.host_selector {
            settings.order = order;
            settings.kind = Kind::DefaultLoadbalance;
        }
        settings.kind = self.client_type.unwrap_or(settings.kind);
        if self.backoff {
            settings.max_backoff = Some(self.max_backoff.0);
        }
        let unless_of_file = |id: &str| self.rpc_props.is_none() || is_given(matches, id);
        if unless_of_file("connect_timeout") {
            settings.connect_timeout = self.connect_timeout.0;
        }
        if unless_of_file("request_timeout") {
            settings.request_timeout = self.request_timeout.0;
        }
        if unless_of_file("compression") {
            settings.compression = self.compression;
        }
        if unless_of_file("compression_level") {
            settings.compression_level = self.compression_level;
        }
        settings.check().map_err(StageError::Usage)?;
        self.secure(&mut settings)?;
        Ok(settings)
    }

    /// TLS and the token, for those hosts that want them.
    fn secure(&self, settings: &mut Settings) -> Result<(), StageError> {
        // What client properties say of TLS holds where no flag says something else.
        let of_file = settings
            .remote
            .connector
            .take()
            .filter(|_| !self.access.names_tls());
        let hosts = settings.used_hosts().iter().map(|host| host.at().clone());
        let hosts: Vec<_> = hosts.filter(|at| of_file.is_none() || !at.is_tls()).collect();
        settings.remote = self.access.remote(&hosts, settings.connect_timeout, "send")?;
        settings.remote.connector = of_file.or(settings.remote.connector.take());
        Ok(())
    }

    /// The batch size that the client's calls have, unless a flag says another.
    pub fn batch_size(&self, to: &To) -> Option<u32> {
        match to {
            To::Hosts(settings, _) => {
                let is_cut = settings.hosts.iter().any(|host| host.scheme().cuts);
                (self.rpc_props.is_some() || is_cut).then_some(settings.batch_size)
            }
            To::Group(_) => None,
        }
    }

    fn hosts(&self, addresses: &[&String]) -> Result<Settings, String> {
        match (&self.rpc_props, &self.host, self.port, addresses.is_empty()) {
            (Some(path), None, None, true) => {
                let given = Properties::read(path)?;
                let warn = &mut |what| crate::say::warn("send", format!("{}: {what}", path.display()));
                Settings::from_properties(&given, warn).map_err(|what| format!("{}: {what}", path.display()))
            }
            (None, Some(host), Some(port), true) => {
                let host = match host.contains(':') && !host.starts_with('[') {
                    true => format!("[{host}]"),
                    false => host.clone(),
                };
                Ok(Settings::to(vec![Destination::avro(&format!("{host}:{port}"))?]))
            }
            (None, None, None, false) => {
                let hosts = addresses.iter().map(|word| word.parse::<Destination>());
                Ok(Settings::to(hosts.collect::<Result<_, _>>()?))
            }
            (None, None, None, true) => Err(format!(
                "an address is missing: it is {}; or there are --rpcProps FILE and --group NAME",
                shapes()
            )),
            _ => Err(MANY.into()),
        }
    }
}

/// What stands there when more than one says where to.
const MANY: &str =
    "hosts are given in one way: as addresses, by --host and --port, by --rpcProps, or as a --group";

/// Where a sending goes.
pub(super) enum To {
    /// To hosts, until there was no success for so long.
    Hosts(Box<Settings>, Duration),
    /// To the servers of a group.
    Group(Box<Stream>),
}

/// The sink that a sending is.
pub(super) struct Out {
    pub to: To,
    pub ledger: Option<Book>,
}

impl Sink for Out {
    fn start(&mut self) -> StageResult {
        match &mut self.to {
            To::Hosts(..) => Ok(()),
            To::Group(stream) => stream.start(),
        }
    }

    fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
        Err(SinkError::retry("batches go to the outlet of this sink"))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn outlet(&mut self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        let outlet = match &mut self.to {
            To::Hosts(settings, give_up) => client::stream(settings, Some(*give_up), stop),
            To::Group(stream) => stream.outlet(stop)?,
        };
        Some(match self.ledger.take() {
            Some(book) => Arc::new(Ledger::over(outlet, book)),
            None => outlet,
        })
    }
}
