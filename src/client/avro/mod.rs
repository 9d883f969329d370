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
use std::sync::Arc;

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
    let outlet = settings.remote().connect(to.at()).and_then(|(socket, fate)| {
        let outlet = AvroOutlet::open(socket, to, settings, stop);
        match outlet {
            Ok(outlet) => Ok(outlet.through(fate)),
            // What TLS knows of it explains more than that the connection was closed.
            Err(why) => Err(fate
                .and_then(|fate| fate.why())
                .map_or(why, |known| known.to_string())),
        }
    });
    match outlet {
        Ok(outlet) => Ok(Arc::new(outlet)),
        Err(why) => {
            settings.counted.add(Count::ConnectionFailed);
            let why = format!("a connection to {to} cannot be made: {why}");
            Err(SendError::Temporary(why))
        }
    }
}
