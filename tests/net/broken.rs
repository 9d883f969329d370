//! Connections that break and ends that are killed.

use super::{SERVER, all_once, certified, collector, counts, end, lines, wait_until_more};
use crate::pipe::{Pipe, Running};
use crate::shell::{bash, output_of};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Hands connections on to a server, and cuts each of them after some bytes of either direction.
struct Cutter {
    address: String,
    cuts: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Cutter {
    /// Cut after so many bytes from the client, or from the server if those come first; not any more after `most`
    /// connections.
    fn start(to: &str, most: u64, forth: u64, back: u64) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cuts = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (to, counted, ended) = (to.to_string(), cuts.clone(), over.clone());
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (client, server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
                let cuts = (number as u64) < most;
                // Each time a little further, so that frames are cut at every place.
                let further = number as u64 * 37;
                let budget = |bytes: u64| if cuts { bytes + further } else { u64::MAX };
                let (forth, back) = (budget(forth), budget(back));
                let ways = [
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), forth),
                    (server, client, back),
                ];
                for (from, to, budget) in ways {
                    let counted = counted.clone();
                    std::thread::spawn(move || carry(from, to, budget, &counted));
                }
            }
        });
        Cutter { address, cuts, over }
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut budget: u64, cuts: &AtomicU64) {
    let mut block = [0; 4096];
    loop {
        let count = from.read(&mut block).unwrap_or(0);
        if count == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
        let allowed = budget.min(count as u64) as usize;
        if to.write_all(&block[..allowed]).is_err() {
            return;
        }
        budget -= allowed as u64;
        if budget == 0 {
            cuts.fetch_add(1, Ordering::SeqCst);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Send over connections that are cut, and see that everything came once.
fn sent_through_cuts(listen: &str, client: &str, forth: u64, back: u64) {
    let (directory, _) = certified();
    let at = directory.path();
    let collector = collector(at, listen);
    let address = collector.address(0);
    let (scheme, server) = address.split_once(':').unwrap();
    let cutter = Cutter::start(server, 12, forth, back);
    Pipe::new("source stdin --batch-size 20 --batch-timeout 10ms")
        .dir(at)
        .input(lines(0, 20_000))
        .then(&format!(
            "sink stream {scheme}:{} {client} --summary json",
            cutter.address
        ))
        .patience(Duration::from_secs(120))
        .run()
        .expect_status([0, 0])
        .counts(1, "accepted", 20_000);
    let cuts = cutter.cuts.load(Ordering::SeqCst);
    assert!(cuts >= 3, "only {cuts} connections were cut");
    end(collector);
    all_once(at, 0, 20_000);
}

#[test]
fn nothing_comes_twice_though_connections_break_while_batches_are_sent() {
    sent_through_cuts("--listen tcp:127.0.0.1:0", "", 20_000, u64::MAX / 2);
}

#[test]
fn nothing_comes_twice_though_connections_break_while_acceptances_come_back() {
    sent_through_cuts("--listen tcp:127.0.0.1:0", "", u64::MAX / 2, 300);
}

#[test]
fn nothing_comes_twice_though_connections_of_tls_break() {
    sent_through_cuts(SERVER, "--tls-ca ca.pem", 25_000, u64::MAX / 2);
}

/// A client that goes on sending lines to a socket.
fn client(at: &Path, from: u64, to: u64) -> Running {
    Pipe::new("source stdin --batch-size 20")
        .dir(at)
        .input(lines(from, to))
        .then("sink stream unix:./s")
        .patience(Duration::from_secs(120))
        .start()
}

#[test]
fn server_that_is_stopped_and_started_again_takes_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let words = "--listen unix:./s --resume-file sessions";
    let mut server = collector(at, words);
    server.address(0);
    let client = client(at, 0, 400_000);
    for _ in 0..4 {
        server.address(0);
        wait_until_more(at);
        end(server);
        server = collector(at, words);
    }
    client.wait().expect_status([0, 0]);
    server.address(0);
    end(server);
    all_once(at, 0, 400_000);
}

#[test]
fn server_that_is_killed_loses_nothing_and_repeats_at_most_what_was_in_its_hands() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let words = "--listen unix:./s --resume-file sessions";
    let mut server = collector(at, words);
    server.address(0);
    let client = client(at, 0, 400_000);
    let kills = 6;
    for _ in 0..kills {
        server.address(0);
        wait_until_more(at);
        server.kill(0, Signal::KILL);
        server.wait();
        server = collector(at, words);
    }
    client.wait().expect_status([0, 0]);
    server.address(0);
    end(server);
    let counts = counts(at, 0, 400_000);
    let twice: u64 = counts.values().map(|count| count - 1).sum();
    crate::crash::tell(&format!(
        "net: {kills} kills of a server, {twice} events came twice"
    ));
    assert!(twice <= kills * 32 * 20, "{twice} events came twice");
}

#[test]
fn client_that_is_killed_loses_nothing_of_what_its_channel_holds() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let server = collector(at, "--listen unix:./s");
    server.address(0);
    Pipe::new("source stdin --batch-size 20")
        .dir(at)
        .input(lines(0, 100_000))
        .then("channel file outgoing --put")
        .run()
        .expect_status([0, 0]);
    let take = || {
        Pipe::new("run 'channel file outgoing --take --until-empty | sink stream unix:./s'")
            .dir(at)
            .patience(Duration::from_secs(120))
            .start()
    };
    for _ in 0..5 {
        let client = take();
        wait_until_more(at);
        client.kill(0, Signal::KILL);
        client.wait();
    }
    take().wait().expect_status([0]);
    end(server);
    counts(at, 0, 100_000);
}
/// Script in a network of its own: a server and a client, and a link between them that is cut.
const LINK_THAT_IS_CUT: &str = r"
    ip link set lo up
    flume run 'source stream --listen tcp:127.0.0.1:4545 --keep-alive 1s | channel file spool --put' 2> server &
    server=$!
    until grep -q 'listening on' server; do sleep 0.05; done
    { echo first; until [ -e more ]; do sleep 0.05; done; echo second; } \
        | flume source stdin --batch-size 1 2> source \
        | flume sink stream tcp:127.0.0.1:4545 --keep-alive 1s 2> client &
    client=$!
    until flume cat spool 2> /dev/null | grep -q first; do sleep 0.05; done
    ip link set lo down
    # Nobody sends anything, and still the server learns of it.
    until grep -q 'timed out' server; do sleep 0.05; done
    ip link set lo up
    touch more
    wait $client
    kill $server
    wait $server
    flume cat spool
";

#[test]
fn peer_that_vanished_is_noticed_without_traffic() {
    let here = bash("unshare -rn ip link set lo up", Path::new("/"), &[]);
    if !here.status.success() {
        return crate::surroundings::skipped(
            "a link that is cut: unshare -rn and ip (Debian package iproute2)",
        );
    }
    let directory = tempfile::tempdir().unwrap();
    let script = format!("unshare -rn bash -euo pipefail <<'EOF'\n{LINK_THAT_IS_CUT}\nEOF");
    let said = output_of(&script, directory.path(), &[]);
    assert_eq!(said, "first\nsecond\n");
}
