//! A flood of datagrams, for which nobody waits: what arrives and what the system drops are all that was sent.

use crate::pipe::Pipe;
use rustix::process::Signal;
use std::io::Write;
use std::net::UdpSocket;
use std::time::Instant;

const SENDERS: u64 = 4;
const EACH: u64 = 50_000;

#[test]
fn every_datagram_of_a_flood_is_taken_or_counted_as_lost() {
    // A small buffer, so that some are lost.
    let running = Pipe::new("source netcatudp --port 0 --receive-buffer 64KiB --summary json")
        .then("sink null --summary json")
        .start();
    let address = running.address(0);
    let to = address.trim_start_matches("udp:").to_string();
    let began = Instant::now();
    let senders = (0..SENDERS).map(|_| {
        let to = to.clone();
        std::thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..EACH {
                socket.send_to(&[b'x'; 200], &to).unwrap();
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let seconds = began.elapsed().as_secs_f64();
    running.kill(0, Signal::TERM);
    let ended = running.wait().expect_status([0, 0]);
    let (taken, sent) = (ended.summary(1, "received"), SENDERS * EACH);
    let lost: u64 = lost(ended.stderr(0));
    let _ = writeln!(
        std::io::stderr(),
        "Netcatudp: {sent} datagrams in {seconds:.2} s: {taken} taken, {lost} lost and counted"
    );
    assert!(taken > 0);
    assert_eq!(taken + lost, sent);
}

/// Datagrams that the source says were lost.
fn lost(said: &str) -> u64 {
    let lines = said.lines().filter(|line| line.contains(" datagrams were lost"));
    let counts = lines.map(|line| line.split(" datagrams were lost").next().unwrap());
    counts
        .map(|head| head.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}
