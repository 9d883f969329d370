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

fn open(to: &Destination, settings: &Settings, stop: &Stop) -> Result<Arc<dyn Outlet>, SendError> {
    let socket = to
        .at()
        .connect(settings.connect_timeout)
        .map_err(|error| error.to_string());
    let outlet = socket.and_then(|socket| AvroOutlet::open(socket, to, settings, stop));
    match outlet {
        Ok(outlet) => Ok(Arc::new(outlet)),
        Err(why) => {
            settings.counted.add(Count::ConnectionFailed);
            let why = format!("a connection to {to} cannot be made: {why}");
            Err(SendError::Temporary(why))
        }
    }
}
