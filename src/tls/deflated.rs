//! Deflate as the outer layer, with TLS inside, as Flume has the two since 1.10.
//!
//! TLS wants a socket. So a pair of threads carries what comes and goes between the compressed socket and a plain
//! pair of sockets, the other end of which TLS is spoken on.

use crate::rpc::avro::{Deflate, Inflated};
use crate::threads;
use crate::wire::Input;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// How well records of TLS are compressed: they do not get smaller.
const LEVEL: u32 = 1;
/// Bytes carried at once.
const PIECE: usize = 16 << 10;
/// A stack for a thread that calls little.
const STACK: usize = 128 << 10;

/// A socket that is read with waiting.
struct Waiting(File);

impl Read for Waiting {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Input for Waiting {}

/// The inner end of a socket on which everything is compressed. Both go when either side is done.
pub fn inside(socket: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(&socket, false)?;
    let (inner, end) = UnixStream::pair()?;
    let (coming, to_inside) = (Waiting(socket.try_clone()?.into()), inner.try_clone()?);
    let going = File::from(socket);
    threads::start("flume-inflate", STACK, move || inflate(coming, to_inside))?;
    threads::start("flume-deflate", STACK, move || deflate(inner, going))?;
    Ok(end.into())
}

/// Until the peer says no more, or sends what is not compressed; then there is nothing more inside, either.
fn inflate(coming: Waiting, mut to: UnixStream) {
    let mut coming = Inflated::new(coming);
    let mut piece = vec![0; PIECE];
    while let Ok(count) = coming.read(&mut piece) {
        if count == 0 || to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Until nothing more comes from inside; then the peer learns it.
fn deflate(mut from: UnixStream, mut to: File) {
    let mut deflate = Deflate::new(LEVEL);
    let (mut piece, mut packed) = (vec![0; PIECE], Vec::new());
    while let Ok(count) = from.read(&mut piece) {
        packed.clear();
        let done = deflate.put(&piece[..count], &mut packed);
        let done = done.and_then(|()| deflate.flush(&mut packed));
        if count == 0 || done.and_then(|()| to.write_all(&packed)).is_err() {
            break;
        }
    }
    // Wakes the other thread, too.
    let _ = rustix::net::shutdown(&to, rustix::net::Shutdown::Both);
}
