//! `tcp:`, `tls:` and `unix:`: frames over a socket, as `source stream` takes them.

use super::{Compress, Destination, Scheme, Settings};
use crate::link::outlet::{OutletOptions, Reply};
use crate::link::{Address, Identity, Outlet, SendError};
use crate::stop::Stop;
use crate::wire::Compression;
use std::sync::Arc;

/// Frames over TCP.
pub const TCP: Scheme = Scheme {
    prefix: "tcp:",
    shape: "tcp:HOST:PORT",
    place: super::tcp_place,
    compression: WAYS,
    cuts: false,
    open,
};

/// Frames over TLS.
pub const TLS: Scheme = Scheme {
    prefix: "tls:",
    shape: "tls:HOST:PORT",
    place: super::tls_place,
    compression: WAYS,
    cuts: false,
    open,
};

/// Frames over a Unix socket.
pub const UNIX: Scheme = Scheme {
    prefix: "unix:",
    shape: "unix:PATH",
    place: |path| format!("unix:{path}").parse::<Address>(),
    compression: WAYS,
    cuts: false,
    open,
};

const WAYS: &[Compress] = &[Compress::None, Compress::Lz4, Compress::Zstd];

fn open(to: &Destination, settings: &Settings, stop: &Stop) -> Result<Arc<dyn Outlet>, SendError> {
    let options = OutletOptions {
        window: settings.window,
        compression: match settings.compression {
            Compress::Lz4 => Compression::Lz4,
            Compress::Zstd => Compression::Zstd,
            Compress::None | Compress::Deflate => Compression::None,
        },
        ..OutletOptions::new(Identity::of_stage(&settings.name), Reply::SelfSocket)
    };
    Ok(settings.remote().open(to.at(), &options, stop)?)
}
