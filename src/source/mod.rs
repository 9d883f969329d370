//! Sources: what takes events in. The table below is the list of all of them.

pub mod accepted;
pub mod avro;
pub mod batches;
pub mod datagrams;
pub mod exec;
pub mod handing;
#[cfg(feature = "http")]
pub mod http;
pub mod idle;
pub mod intake;
pub mod ipfilter;
pub mod lines;
pub mod multiport_syslogtcp;
pub mod netcat;
pub mod netcatudp;
pub mod ports;
pub mod reading;
pub mod seq;
pub mod server;
pub mod spooldir;
#[cfg(feature = "sql")]
pub mod sql;
pub mod stdin;
pub mod stream;
pub mod stress;
pub mod syslog;
pub mod syslogtcp;
pub mod syslogudp;
pub mod taildir;

use crate::component::{Spec, setting_error};
use crate::stage::{EventDrivenSource, PollableSource, Source};
use clap::{Args, FromArgMatches};

/// All sources.
pub const ALL: &[Spec<Source>] = &[
    event_driven::<avro::Avro>("avro")
        .also(&["org.apache.flume.source.AvroSource"])
        .shell(&[("bind", "127.0.0.1"), ("port", "4141")]),
    polled::<exec::Exec>("exec")
        .also(&["org.apache.flume.source.ExecSource"])
        .positional("command")
        .shell(&[
            ("batchSize", "1000"),
            ("batchTimeout", "100"),
            ("logStdErr", "true"),
        ]),
    #[cfg(feature = "http")]
    event_driven::<http::Http>("http")
        .also(&["org.apache.flume.source.http.HTTPSource"])
        .shell(&[("bind", "127.0.0.1")]),
    event_driven::<multiport_syslogtcp::MultiportSyslogTcp>("multiport_syslogtcp")
        .also(&["org.apache.flume.source.MultiportSyslogTCPSource"])
        .shell(&[("host", "127.0.0.1"), ("batchSize", "1000")]),
    event_driven::<netcat::Netcat>("netcat")
        .also(&["org.apache.flume.source.NetcatSource"])
        .shell(&[("bind", "127.0.0.1")]),
    event_driven::<netcatudp::NetcatUdp>("netcatudp")
        .also(&["org.apache.flume.source.NetcatUdpSource"])
        .shell(&[("bind", "127.0.0.1")]),
    polled::<seq::Seq>("seq")
        .also(&["org.apache.flume.source.SequenceGeneratorSource"])
        .shell(&[("batchSize", "1000")]),
    polled::<spooldir::SpoolDir>("spooldir")
        .also(&["org.apache.flume.source.SpoolDirectorySource"])
        .positional("spoolDir")
        .shell(&[("batchSize", "1000")]),
    #[cfg(feature = "sql")]
    polled::<sql::Sql>("sql").shell(&[("poll", "0")]),
    polled::<stdin::Stdin>("stdin"),
    event_driven::<stream::Stream>("stream").positional("listen"),
    polled::<stress::Stress>("stress")
        .also(&["org.apache.flume.source.StressSource"])
        .shell(&[("batchSize", "1000")]),
    event_driven::<syslog::Syslog>("syslog").shell(&[("bind", "127.0.0.1")]),
    event_driven::<syslogtcp::SyslogTcp>("syslogtcp")
        .also(&["org.apache.flume.source.SyslogTcpSource"])
        .shell(&[("host", "127.0.0.1")]),
    event_driven::<syslogudp::SyslogUdp>("syslogudp")
        .also(&["org.apache.flume.source.SyslogUDPSource"])
        .shell(&[("host", "127.0.0.1")]),
    polled::<taildir::Taildir>("taildir")
        .also(&["org.apache.flume.source.taildir.TaildirSource"])
        .positional("files")
        .shell(&[("batchSize", "1000"), ("positionFile", "auto")]),
];

/// The line of a source that is asked in a loop.
pub const fn polled<T: Args + FromArgMatches + PollableSource + 'static>(name: &'static str) -> Spec<Source> {
    Spec::new::<T>(name, |matches| {
        let made = T::from_arg_matches(matches)?;
        made.check().map_err(setting_error)?;
        Ok(Source::Polled(Box::new(made)))
    })
}

/// The line of a source with threads of its own.
pub const fn event_driven<T: Args + FromArgMatches + EventDrivenSource + 'static>(
    name: &'static str,
) -> Spec<Source> {
    Spec::new::<T>(name, |matches| {
        let made = T::from_arg_matches(matches)?;
        made.check().map_err(setting_error)?;
        Ok(Source::EventDriven(Box::new(made)))
    })
}
