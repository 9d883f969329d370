//! The handshake: the first bytes looked at, then messages both ways until both sides are sure, or a sentence why
//! not.

use super::pump::{self, Tunnel};
use super::{TlsError, pump::Raw};
use crate::fd::{self, Bell, Woken};
use rustix::event::PollFlags;
use rustix::net::RecvFlags;
use rustls::Connection;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// First bytes of TLS records that may begin an answer: change of cipher, alert, handshake.
const RECORDS: std::ops::RangeInclusive<u8> = 0x14..=0x16;
/// A fatal alert "unexpected message": what somebody gets who speaks no TLS, so that one of ours knows why.
const ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 10];

/// Shake hands until the deadline, or a bell rings, then let the bytes flow.
pub(super) fn shake(
    mut connection: Connection,
    socket: OwnedFd,
    deadline: Instant,
    bells: &[&Bell],
) -> Result<Tunnel, TlsError> {
    rustix::io::ioctl_fionbio(&socket, true).map_err(io::Error::from)?;
    let wait = |socket: &OwnedFd, flags, deadline| wait(socket, flags, deadline, bells);
    let mut raw = Raw(&socket);
    let mut heard = false;
    while connection.is_handshaking() {
        while connection.wants_write() {
            match connection.write_tls(&mut raw) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&socket, PollFlags::OUT, deadline)?;
                }
                Err(error) => return Err(broken(error)),
            }
        }
        if !connection.is_handshaking() {
            break;
        }
        wait(&socket, PollFlags::IN, deadline)?;
        if !heard {
            look(&socket)?;
            heard = true;
        }
        match connection.read_tls(&mut raw) {
            Ok(0) => return Err(TlsError::Closed),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(broken(error)),
        }
        if let Err(error) = connection.process_new_packets() {
            // The alert that tells the other side why.
            let _ = connection.write_tls(&mut raw);
            close_gently(&socket);
            return Err(error.into());
        }
    }
    Ok(pump::start(connection, socket)?)
}

/// Is it TLS at all? The bytes stay where they are.
fn look(socket: &OwnedFd) -> Result<(), TlsError> {
    let mut first = [0u8; 16];
    let peeked = rustix::net::recv(socket, &mut first[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    let count = match peeked {
        Ok((_, count)) => count,
        Err(error) => return Err(broken(error.into())),
    };
    if count == 0 {
        return Err(TlsError::Closed);
    }
    if RECORDS.contains(&first[0]) {
        return Ok(());
    }
    let _ = rustix::net::send(socket, &ALERT, rustix::net::SendFlags::NOSIGNAL);
    close_gently(socket);
    let shown = String::from_utf8_lossy(&first[..count]);
    Err(TlsError::NotTls(format!("\"{}\"", shown.escape_debug())))
}

/// What was sent must not be taken back by a socket that is closed with unread bytes in it.
fn close_gently(socket: &OwnedFd) {
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
    let mut unread = Vec::new();
    while unread.len() < 1 << 20 && matches!(fd::read_onto(socket, &mut unread, 16 << 10), Ok(1..)) {}
}

fn wait(socket: &OwnedFd, flags: PollFlags, deadline: Instant, bells: &[&Bell]) -> Result<(), TlsError> {
    match fd::wait(socket.as_fd(), flags, bells, Some(deadline)) {
        Ok(Woken::Bell) => Err(TlsError::Failed("stopped during the TLS handshake".into())),
        Ok(Woken::Timeout) => Err(TlsError::TimedOut),
        Ok(_) => Ok(()),
        Err(error) => Err(broken(error)),
    }
}

fn broken(error: io::Error) -> TlsError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => TlsError::Closed,
        _ => TlsError::Failed(error.to_string()),
    }
}
