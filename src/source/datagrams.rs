//! Sources that take datagrams, over UDP or a Unix socket: one thread reads them, and what the system had to drop is
//! counted.
//!
//! Nobody waits for a receiver of datagrams. While nothing can be handed on they stay in the socket's buffer, which is
//! therefore large; what does not fit there is lost, and that is said.

use super::handing::{Handing, Most, Together};
use super::server::announce_at;
use crate::event::BatchBuilder;
use crate::exit::StageError;
use crate::fd::{self, Woken};
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use crate::value::Size;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketAddrAny, sockopt};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of the largest datagram that is taken whole: no datagram of UDP is larger.
const LARGEST: usize = 64 << 10;
/// Events and encoded bytes in a batch at most.
const BATCH: Most = Most {
    events: 1000,
    bytes: 256 << 10,
};
/// Datagrams after which a receiver that never waits looks for a stop and for losses.
const BETWEEN_LOOKS: u32 = 4096;
/// Losses are told once in this time at most.
const BETWEEN_WORDS: Duration = Duration::from_secs(10);
/// How long what has come before a stop is still read.
const LAST: Duration = Duration::from_millis(500);
/// Where the number of dropped datagrams stands in what SO_MEMINFO gives (SK_MEMINFO_DROPS).
const DROPS: usize = 8;

/// Settings of a socket for datagrams.
#[derive(clap::Args, Debug, Clone)]
pub struct Buffer {
    /// Buffer of the socket, which the system may make smaller (net.core.rmem_max).
    #[arg(long, id = "receive-buffer", default_value = "16MiB", value_name = "SIZE")]
    pub receive_buffer: Size,
}

/// A socket that datagrams come to.
#[derive(Debug)]
pub struct DatagramSocket {
    fd: OwnedFd,
    /// How it is called in messages.
    name: String,
    /// Its file, which is removed at the end.
    path: Option<PathBuf>,
}

impl Drop for DatagramSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl DatagramSocket {
    /// One at a UDP port.
    pub fn udp(host: &str, port: u16) -> Result<DatagramSocket, StageError> {
        let name = match host.contains(':') {
            true => format!("udp:[{host}]:{port}"),
            false => format!("udp:{host}:{port}"),
        };
        let socket = UdpSocket::bind((host, port)).map_err(|error| cannot_listen(&name, error))?;
        let at = socket.local_addr().map_err(|error| cannot_listen(&name, error))?;
        Ok(DatagramSocket {
            fd: socket.into(),
            name: format!("udp:{at}"),
            path: None,
        })
    }

    /// One at a path, which every user may write to. A socket that nobody reads any more is replaced.
    pub fn unix(path: &Path) -> Result<DatagramSocket, StageError> {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        let name = format!("unix:{}", path.display());
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
        let is_read = || {
            let probe = UnixDatagram::unbound().and_then(|probe| probe.connect(path));
            !probe.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if is_socket && !is_read() {
            let _ = std::fs::remove_file(path);
        }
        let socket = UnixDatagram::bind(path).map_err(|error| cannot_listen(&name, error))?;
        let everybody = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(path, everybody).map_err(|error| cannot_listen(&name, error))?;
        Ok(DatagramSocket {
            fd: socket.into(),
            name,
            path: Some(path.to_path_buf()),
        })
    }

    /// The port that it has.
    pub fn port(&self) -> Option<u16> {
        let address = rustix::net::getsockname(&self.fd).ok()?;
        SocketAddr::try_from(address).ok().map(|address| address.port())
    }

    /// Have the system keep so many bytes, as far as it allows it.
    fn enlarge(&self, wanted: Size, name: &str) {
        let bytes = usize::try_from(wanted.0).unwrap_or(usize::MAX).min(1 << 30);
        // Only the one who administers the network may have more than others.
        if sockopt::set_socket_recv_buffer_size_force(&self.fd, bytes).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&self.fd, bytes);
        }
        let got = self.buffer_size();
        if got < wanted.0 {
            say::info(
                name,
                format!(
                    "{}: the system gives a buffer of {} of {wanted} (--receive-buffer); sysctl net.core.rmem_max={bytes} allows it",
                    self.name,
                    Size(got)
                ),
            );
        }
    }

    /// Bytes of the buffer. The system shows the double, which counts what it needs itself.
    fn buffer_size(&self) -> u64 {
        sockopt::socket_recv_buffer_size(&self.fd).map_or(0, |bytes| bytes as u64 / 2)
    }

    /// Datagrams that came when the buffer was full, since it was opened; the number begins anew after 2^32.
    #[allow(unsafe_code)]
    fn dropped(&self) -> u32 {
        let mut all = [0u32; DROPS + 1];
        let mut length = size_of_val(&all) as libc::socklen_t;
        // SAFETY: the pointers are to memory that lives through the call, with its right length; no crate asks for
        // this option.
        let failed = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                all.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        match failed {
            0 => all[DROPS],
            _ => 0,
        }
    }
}

fn cannot_listen(name: &str, error: io::Error) -> StageError {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "it is in use by another listener".into(),
        _ => error.to_string(),
    };
    StageError::Failed(format!("cannot listen on {name}: {why}"))
}

/// Makes events of datagrams.
pub trait Taker: Send {
    /// More may come now, all at once.
    fn begin(&mut self) {}

    /// A datagram, and who has sent it if [`Taker::wants_sender`]. `is_cut`: it was larger than can be taken.
    fn take(&mut self, datagram: &[u8], sender: Option<SocketAddr>, is_cut: bool, to: &mut BatchBuilder);

    /// It has a use for the senders.
    fn wants_sender(&self) -> bool {
        false
    }

    /// A batch goes now: tell what is to tell of it.
    fn report(&mut self, _to: &ChannelProcessor) {}
}

/// A thread that reads a socket until its processor's stop.
pub struct Receiver(JoinHandle<()>);

impl Receiver {
    /// Begin.
    pub fn start(
        socket: DatagramSocket,
        buffer: &Buffer,
        taker: impl Taker + 'static,
        how_to_open: &str,
        to: &Arc<ChannelProcessor>,
    ) -> Result<Receiver, StageError> {
        let name = to.counters().name();
        socket.enlarge(buffer.receive_buffer, name);
        let at = socket.name.clone();
        let host = rustix::net::getsockname(&socket.fd).ok();
        let host = host.and_then(|address| SocketAddr::try_from(address).ok());
        let host = host.map(|address| address.ip().to_string());
        announce_at(&at, host.as_deref(), name, how_to_open);
        let shared = to.clone();
        let run = move || {
            let mut reading = Loop {
                handing: Handing::new(&shared, BATCH, &Arc::new(Together::default()), &at),
                dropped: 0,
                untold: 0,
                told: None,
                bytes: vec![0; LARGEST],
                socket,
                taker,
                to: &shared,
            };
            reading.run();
        };
        let thread = std::thread::Builder::new()
            .name("flume-datagrams".into())
            .spawn(run);
        let thread =
            thread.map_err(|error| StageError::Failed(format!("no thread can be started: {error}")))?;
        Ok(Receiver(thread))
    }

    /// After a stop: wait until it has handed on what came before.
    pub fn join(self) {
        let _ = self.0.join();
    }
}

struct Loop<'a, T> {
    socket: DatagramSocket,
    taker: T,
    to: &'a Arc<ChannelProcessor>,
    handing: Handing<'a>,
    bytes: Vec<u8>,
    dropped: u32,
    /// Dropped and not told yet, and when it was told last.
    untold: u64,
    told: Option<Instant>,
}

impl<T: Taker> Loop<'_, T> {
    fn run(&mut self) {
        let mut end = None;
        let mut since_look = 0;
        self.taker.begin();
        loop {
            let is_over = match self.receive() {
                Ok(()) => {
                    since_look += 1;
                    self.handing.is_full() && !self.hand_on()
                }
                Err(Errno::INTR) => false,
                Err(Errno::AGAIN) => {
                    since_look = 0;
                    end.is_some() || !self.hand_on() || !self.wait()
                }
                Err(error) => {
                    let name = self.to.counters().name();
                    say::warn(name, format!("{} cannot be read: {error}", self.socket.name));
                    self.to.stop().sleep(Duration::from_secs(1));
                    false
                }
            };
            if since_look >= BETWEEN_LOOKS {
                since_look = 0;
                self.taker.begin();
                self.look_for_losses();
            }
            if end.is_none() && self.to.stop().is_stopping() {
                end = Some(Instant::now() + LAST);
            }
            if is_over || end.is_some_and(|end| Instant::now() >= end) {
                break;
            }
        }
        self.hand_on();
        self.look_for_losses();
        self.tell_losses();
    }

    fn receive(&mut self) -> Result<(), Errno> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (length, sender) = match self.taker.wants_sender() {
            true => {
                let (_, length, sender) = rustix::net::recvfrom(&self.socket.fd, &mut self.bytes[..], flags)?;
                (length, sender.and_then(address))
            }
            false => {
                let (_, length) = rustix::net::recv(&self.socket.fd, &mut self.bytes[..], flags)?;
                (length, None)
            }
        };
        let is_cut = length > self.bytes.len();
        let datagram = &self.bytes[..length.min(self.bytes.len())];
        self.taker.take(datagram, sender, is_cut, &mut self.handing.batch);
        Ok(())
    }

    /// False if nothing more can be handed on.
    fn hand_on(&mut self) -> bool {
        self.taker.report(self.to);
        self.handing.hand_on().is_ok()
    }

    /// False at a stop.
    fn wait(&mut self) -> bool {
        self.look_for_losses();
        let until = (self.untold > 0).then(|| Instant::now() + BETWEEN_WORDS);
        let bell = self.to.stop().bell();
        let woken = fd::wait(self.socket.fd.as_fd(), PollFlags::IN, &[bell], until);
        self.taker.begin();
        // What has come before the stop is read first.
        !matches!(woken, Ok(Woken::Bell) | Err(_))
    }

    fn look_for_losses(&mut self) {
        let dropped = self.socket.dropped();
        let more = u64::from(dropped.wrapping_sub(self.dropped));
        self.dropped = dropped;
        self.to.counters().add(Count::EventReadFail, more);
        self.untold += more;
        if self.told.is_none_or(|told| told.elapsed() >= BETWEEN_WORDS) {
            self.tell_losses();
        }
    }

    fn tell_losses(&mut self) {
        let lost = std::mem::take(&mut self.untold);
        if lost == 0 {
            return;
        }
        self.told = Some(Instant::now());
        say::warn(
            self.to.counters().name(),
            format!(
                "{}: {lost} datagrams were lost, since they came when the socket's buffer of {} (--receive-buffer) was full",
                self.socket.name,
                Size(self.socket.buffer_size())
            ),
        );
    }
}

fn address(any: SocketAddrAny) -> Option<SocketAddr> {
    SocketAddr::try_from(any).ok()
}
