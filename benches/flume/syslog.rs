//! Syslog into files, beside rsyslogd and syslog-ng in our place, and datagrams without loss.

use crate::measure::{Program, Run, cpu_seconds, median, memory_kib};
use crate::server::{Server, free_port};
use crate::table::{self, Row};
use anyhow::{Context, ensure};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of a message with its line feed.
pub const MESSAGE: usize = 256;
const MIB: f64 = (1 << 20) as f64;
/// Events that the channel in memory holds: it is full as long as the sender is faster than the disk.
const HELD: u32 = 20_000;
/// How long a file does not grow when nothing comes any more.
const STILL: Duration = Duration::from_secs(2);
/// How long a file may take to become whole.
const PATIENCE: Duration = Duration::from_secs(120);
const RECEIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/syslog/receive");
/// Of the faster of the two.
const FASTER: f64 = 1.5;

/// Print the tables.
pub fn measure(bench: &Run) -> anyhow::Result<()> {
    let bytes = bench.size(1 << 30, 128 << 20);
    let mut all: Vec<Vec<Speed>> = vec![Vec::new(); 4];
    for _ in 0..bench.rounds() {
        let ways = [
            ours(bench, &format!("channel memory --capacity {HELD}"), bytes),
            ours(bench, "channel file DIR/spool", bytes),
            theirs(bench, "rsyslog", bytes),
            theirs(bench, "syslog-ng", bytes),
        ];
        for (speeds, found) in all.iter_mut().zip(ways) {
            match found {
                Ok(speed) => speeds.push(speed),
                Err(error) => table::say(&format!("syslog: {error:#}"))?,
            }
        }
    }
    let [memory, file, rsyslog, syslog_ng] = &all[..] else {
        unreachable!("there are four");
    };
    let (name, best) = match of(rsyslog).mib >= of(syslog_ng).mib {
        true => ("rsyslogd", of(rsyslog)),
        false => ("syslog-ng", of(syslog_ng)),
    };
    let mut rows = Vec::new();
    let held = format!("memory of {HELD} events");
    for (what, speeds) in [(held.as_str(), memory), ("file", file)] {
        let ours = of(speeds);
        let row = Row::new(format!("source syslog, channel {what}, file_roll"), ours.shown());
        rows.push(match best.mib > 0.0 {
            true => {
                let ratio = ours.mib / best.mib;
                let row = row.against(format!("{name}: {}", best.shown()), ratio);
                if what != "file" {
                    row.at_least(ratio, FASTER, "x")
                } else {
                    row
                }
            }
            false => row.missing("there is neither rsyslogd nor syslog-ng"),
        });
    }
    for (name, other) in [("rsyslogd", of(rsyslog)), ("syslog-ng", of(syslog_ng))] {
        if other.mib > 0.0 {
            rows.push(Row::new(name, other.shown()));
        }
    }
    table::print(
        &format!(
            "{} MiB of 256-byte messages over one TCP connection to a file",
            bytes >> 20
        ),
        &rows,
    )?;
    let takers = [
        ("source syslog --udp, channel memory, file_roll", Taker::Ours),
        ("rsyslogd", Taker::Daemon("rsyslog")),
        ("syslog-ng", Taker::Daemon("syslog-ng")),
    ];
    let rows = takers.map(|(what, taker)| {
        let row = datagrams(bench, what, taker);
        row.unwrap_or_else(|error| Row::new(what, "-").missing(&format!("{error:#}")))
    });
    table::print("Datagrams of 256 bytes over UDP to a file", &rows)
}

/// What one of them came to.
#[derive(Debug, Clone, Copy, Default)]
struct Speed {
    mib: f64,
    cpu: f64,
    memory_mib: f64,
}

impl Speed {
    fn shown(&self) -> String {
        format!(
            "{:.0} MiB/s, {:.2} CPU-s/GiB, {:.0} MiB",
            self.mib, self.cpu, self.memory_mib
        )
    }
}

fn of(speeds: &[Speed]) -> Speed {
    if speeds.is_empty() {
        return Speed::default();
    }
    Speed {
        mib: median(speeds.iter().map(|speed| speed.mib)),
        cpu: median(speeds.iter().map(|speed| speed.cpu)),
        memory_mib: median(speeds.iter().map(|speed| speed.memory_mib)),
    }
}

fn ours(bench: &Run, channel: &str, bytes: u64) -> anyhow::Result<Speed> {
    let directory = bench.directory()?;
    let at = directory.path().display().to_string();
    let server = Server::start(bench, |port| {
        let channel = channel.replace("DIR", &at);
        format!(
            "source syslog --port {port} --tcp --keep-fields all | {channel} | \
             sink file_roll --roll-interval 0 --directory {at}/out"
        )
    })?;
    timed(&server, &directory.path().join("out"), bytes)
}

fn theirs(bench: &Run, name: &str, bytes: u64) -> anyhow::Result<Speed> {
    let directory = bench.directory()?;
    let port = free_port()?;
    let at = directory.path().display().to_string();
    let program = Program::new(Path::new(RECEIVE), [name, &at, &port.to_string()]);
    let server = Server::of_program(port, &program).with_context(|| format!("{name} does not start"))?;
    timed(&server, directory.path(), bytes)
}

/// Send, and wait until the files there have got all of it.
fn timed(server: &Server, at: &Path, bytes: u64) -> anyhow::Result<Speed> {
    let cpu = cpu_seconds(server.pid())?;
    let started = Instant::now();
    send(server.port, bytes)?;
    while written(at) < bytes {
        ensure!(
            started.elapsed() < PATIENCE,
            "only {} of {bytes} bytes arrived",
            written(at)
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let seconds = started.elapsed().as_secs_f64();
    let mib = bytes as f64 / MIB;
    Ok(Speed {
        mib: mib / seconds,
        cpu: (cpu_seconds(server.pid())? - cpu) / mib * 1024.0,
        memory_mib: memory_kib(server.pid(), "VmHWM:").unwrap_or(0) as f64 / 1024.0,
    })
}

/// Messages, ten thousand different ones.
pub fn send(port: u16, bytes: u64) -> anyhow::Result<()> {
    let block: Vec<u8> = (0..10_000).flat_map(message).collect();
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    let mut left = bytes as usize;
    while left > 0 {
        let now = left.min(block.len());
        socket.write_all(&block[..now])?;
        left -= now;
    }
    Ok(())
}

fn message(number: u32) -> Vec<u8> {
    let text = format!(
        "<134>Nov 28 22:14:{:02} host app[42]: {number:06} ",
        number / 1000 % 60
    );
    format!("{text}{:x<width$}\n", "", width = MESSAGE - 1 - text.len()).into_bytes()
}

/// Bytes of the files that hold messages.
fn written(at: &Path) -> u64 {
    let files = std::fs::read_dir(at).into_iter().flatten().flatten();
    let holds = |name: &str| {
        !name.ends_with(".state") && !matches!(name, "conf" | "pid" | "persist" | "control" | "spool")
    };
    let files = files.filter(|file| file.file_name().to_str().is_some_and(holds));
    files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

/// Who takes datagrams.
#[derive(Clone, Copy)]
enum Taker {
    Ours,
    /// rsyslog or syslog-ng.
    Daemon(&'static str),
}

impl Taker {
    fn start(self, bench: &Run, at: &Path) -> anyhow::Result<Server> {
        let at = at.display();
        match self {
            // It listens with TCP, too, so that it is known when it does.
            Taker::Ours => Server::start(bench, |port| {
                format!(
                    "source syslog --port {port} --tcp --udp --keep-fields all | channel memory | \
                     sink file_roll --roll-interval 0 --directory {at}/out"
                )
            }),
            Taker::Daemon(name) => {
                let port = free_port()?;
                let program = Program::new(Path::new(RECEIVE), [name, &at.to_string(), &port.to_string()]);
                Server::of_program(port, &program).with_context(|| format!("{name} does not start"))
            }
        }
    }

    fn files(self, at: &Path) -> PathBuf {
        match self {
            Taker::Ours => at.join("out"),
            Taker::Daemon(_) => at.to_path_buf(),
        }
    }
}

/// The highest of some rates at which none is lost.
fn datagrams(bench: &Run, what: &str, taker: Taker) -> anyhow::Result<Row> {
    let seconds = bench.size(5, 2);
    let (mut best, mut cpu) = (0, 0.0);
    for rate in [
        25_000, 50_000, 100_000, 150_000, 200_000, 300_000, 400_000, 600_000,
    ] {
        let (sent, received, micros) = at_rate(bench, taker, rate, seconds)?;
        let reached = sent / seconds;
        if received < sent {
            let came = received as f64 / sent as f64 * 100.0;
            table::say(&format!("\n{what}: of {reached} datagrams/s {came:.2} % came"))?;
            break;
        }
        (best, cpu) = (reached, micros);
        if reached < rate * 9 / 10 {
            table::say(&format!(
                "\n{what}: the sender cannot do {rate} datagrams/s, only {reached}"
            ))?;
            break;
        }
    }
    Ok(Row::new(
        what,
        format!("{best} datagrams/s without loss, {cpu:.2} us of CPU each"),
    ))
}

/// Datagrams that were sent and that are in a file, and microseconds of CPU for each.
fn at_rate(bench: &Run, taker: Taker, rate: u64, seconds: u64) -> anyhow::Result<(u64, u64, f64)> {
    let directory = bench.directory()?;
    let server = taker.start(bench, directory.path())?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(("127.0.0.1", server.port))?;
    let datagram = message(1);
    let cpu = cpu_seconds(server.pid())?;
    let started = Instant::now();
    let mut sent = 0u64;
    while started.elapsed() < Duration::from_secs(seconds) {
        // A hundred at a time, as many as are due.
        let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
        let now = due.saturating_sub(sent).min(100);
        for _ in 0..now {
            socket.send(&datagram)?;
        }
        sent += now;
        if now < 100 {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
    let lost = dropped(server.port)?;
    let files = taker.files(directory.path());
    // What the system has not dropped comes, unless the receiver drops it.
    let (mut last, mut grown) = (0, Instant::now());
    while last < (sent - lost.min(sent)) * MESSAGE as u64 && grown.elapsed() < STILL {
        let now = written(&files);
        if now > last {
            (last, grown) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let cpu = cpu_seconds(server.pid())? - cpu;
    Ok((sent, last / MESSAGE as u64, cpu * 1e6 / sent as f64))
}

/// Datagrams that the system has dropped at this port.
fn dropped(port: u16) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/udp")?;
    let sign = format!(":{port:04X} ");
    let line = text.lines().find(|line| {
        let local = line.split_whitespace().nth(1).unwrap_or_default();
        format!("{local} ").ends_with(&sign)
    });
    let drops = line.and_then(|line| line.split_whitespace().last());
    drops
        .and_then(|drops| drops.parse().ok())
        .with_context(|| format!("port {port} is not in /proc/net/udp"))
}
