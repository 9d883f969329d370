//! `avro://`: Flume's own RPC, as its Avro source takes it.

mod answers;
mod calls;
mod outlet;
#[cfg(test)]
mod tests;

pub use outlet::AvroOutlet;

use super::{Compress, Destination, Scheme, Settings};
use crate::link::{Outlet, SendError};
use crate::metrics::Count;
use crate::stop::Stop;
use crate::tls::{Fate, deflated};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Flume's Avro RPC over TCP.
pub const AVRO: Scheme = Scheme {
    prefix: "avro://",
    shape: "avro://HOST:PORT",
    place: super::tcp_place,
    compression: &[Compress::None, Compress::Deflate],
    cuts: true,
    open,
};

/// The same over TLS.
pub const AVROS: Scheme = Scheme {
    prefix: "avros://",
    shape: "avros://HOST:PORT",
    place: super::tls_place,
    ..AVRO
};

fn open(to: &Destination, settings: &Settings, stop: &Stop) -> Result<Arc<dyn Outlet>, SendError> {
    let has_both = to.at().is_tls() && settings.compression == Compress::Deflate;
    let outlet = match has_both {
        false => connect(to, settings, stop),
        true => connect_either_way(to, settings, stop),
    };
    match outlet {
        Ok(outlet) => Ok(Arc::new(outlet)),
        Err(why) => {
            settings.counted.add(Count::ConnectionFailed);
            let why = format!("a connection to {to} cannot be made: {why}");
            Err(SendError::Temporary(why))
        }
    }
}

fn connect(to: &Destination, settings: &Settings, stop: &Stop) -> Result<AvroOutlet, String> {
    let connection = settings.remote().connect(to.at())?;
    greeted(connection, to, settings, stop)
}

/// With TLS and deflate: Flume up to 1.9 and ours encrypt what is compressed, from 1.10 on Flume compresses what is
/// encrypted. Nothing tells before one has tried, so what worked last is tried first.
fn connect_either_way(to: &Destination, settings: &Settings, stop: &Stop) -> Result<AvroOutlet, String> {
    let is_outside = settings.deflates_outside.load(Ordering::SeqCst);
    let one_way = |is_outside: bool| match is_outside {
        false => connect(to, settings, stop),
        true => {
            let plain = Settings {
                compression: Compress::None,
                ..settings.clone()
            };
            let connection = settings.remote().connect_inside(to.at(), deflated::inside)?;
            greeted(connection, to, &plain, stop)
        }
    };
    one_way(is_outside).or_else(|why| {
        let outlet = one_way(!is_outside).map_err(|_| why)?;
        settings.deflates_outside.store(!is_outside, Ordering::SeqCst);
        Ok(outlet)
    })
}

fn greeted(
    (socket, fate): (OwnedFd, Option<Fate>),
    to: &Destination,
    settings: &Settings,
    stop: &Stop,
) -> Result<AvroOutlet, String> {
    match AvroOutlet::open(socket, to, settings, stop) {
        Ok(outlet) => Ok(outlet.through(fate)),
        // What TLS knows of it explains more than that the connection was closed.
        Err(why) => Err(fate
            .and_then(|fate| fate.why())
            .map_or(why, |known| known.to_string())),
    }
}
