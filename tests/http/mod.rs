//! Events that are posted: by curl, beside the real Flume, and by clients that mean no good.

mod beside;
mod limits;
mod traps;

use crate::net::certificates::Authority;
use crate::pipe::{FLUME, Pipe, Running};
use crate::shell::bash;
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A source with these words, and a file channel behind it.
fn collect(words: &str) -> Running {
    Pipe::new(&format!("run 'source http {words} | channel file spool --put'"))
        .patience(Duration::from_secs(120))
        .start()
}

/// The port that the source says it listens on.
fn port(running: &Running) -> u16 {
    let address = running.address(0);
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The bodies in its channel, after a stop.
fn stopped(running: Running) -> Vec<String> {
    running.kill(0, Signal::TERM);
    let ended = running.wait().expect_status([0]);
    let output = bash(&format!("{FLUME} cat spool"), &ended.path(""), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_string).collect()
}

/// A connection.
pub struct Client {
    input: BufReader<TcpStream>,
}

/// A status, and what stands behind the head.
pub type Heard = (u16, String);

impl Client {
    pub fn new(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        Client {
            input: BufReader::new(stream),
        }
    }

    fn send(&mut self, method: &str, target: &str, content_type: &str, body: &[u8]) -> std::io::Result<()> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: here\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut all = head.into_bytes();
        all.extend_from_slice(body);
        self.input.get_mut().write_all(&all)
    }

    /// `None` if the connection ends before.
    fn hear(&mut self) -> Option<Heard> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.input.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length = length.map_or(0, |rest| rest.split_whitespace().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).ok()?;
        let status = head.split_whitespace().nth(1)?.parse().ok()?;
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }

    pub fn post(&mut self, content_type: &str, body: &[u8]) -> Option<Heard> {
        self.send("POST", "/", content_type, body).ok()?;
        self.hear()
    }
}

const JSON: &str = "application/json";

fn has_curl() -> bool {
    let has = Command::new("curl").arg("--version").output().is_ok();
    if !has {
        skipped("posts by curl: curl is missing");
    }
    has
}

#[test]
fn curl_posts_in_every_form() {
    if !has_curl() {
        return;
    }
    let running = collect("--port 0");
    let script = format!(
        "set -eu -o pipefail
         post() {{ curl --silent --show-error --fail --data-binary @- http://127.0.0.1:{0}/ \"$@\"; }}
         echo '[{{\"body\":\"an array\"}}]' | post
         echo '{{\"body\":\"a line\"}}' | post -H 'Content-Type: application/x-ndjson'
         flume source seq --total-events 3 --durability best-effort | post -H 'Content-Type: application/x-flume-stream'
         echo '[{{\"body\":\"in pieces\"}}]' | post -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue'",
        port(&running)
    );
    let output = bash(&script, &running.path(""), &[]);
    assert!(output.status.success(), "{}", crate::shell::told(&output));
    assert_eq!(
        stopped(running),
        ["an array", "a line", "0", "1", "2", "in pieces"]
    );
}

#[test]
fn curl_posts_over_tls_and_blobs_with_parameters() {
    if !has_curl() {
        return;
    }
    let words = "--ssl --tls-cert server.cert --tls-key server.key --handler blob \
                 --handler-set mandatoryParameters=file";
    let pipe = Pipe::new(&format!("source http --port 0 {words}")).then("cat --json");
    let authority = Authority::new(&pipe.path(""), "ca");
    authority.sign("server");
    let running = pipe.start();
    let script = format!(
        "curl --silent --cacert ca.pem --data-binary 'all of it' 'https://localhost:{0}/x?file=a+b&n=1' --fail-with-body
         curl --silent --cacert ca.pem --data-binary 'x' 'https://localhost:{0}/x?n=1' --write-out '%{{http_code}}'",
        port(&running)
    );
    let output = bash(&script, &running.path(""), &[]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("\"file\" is missing") && told.ends_with("400"),
        "{told}"
    );
    // Plain HTTP is told so, and costs its own connection only.
    let mut plain = Client::new(port(&running));
    assert_eq!(plain.post(JSON, b"[]"), None);
    running.kill(0, Signal::TERM);
    let ended = running
        .wait()
        .expect_status([0, 0])
        .says(0, ["no TLS could be agreed on"]);
    assert_eq!(
        ended.text(),
        "{\"headers\":{\"file\":\"a b\",\"n\":\"1\"},\"body\":\"all of it\"}\n"
    );
}

/// Post numbered events until the server is gone: those that were answered with 200.
fn poster(port: u16, first: u64, over: &AtomicBool) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    let mut client = Client::new(port);
    for batch in 0.. {
        let numbers: Vec<u64> = (0..100).map(|n| first + batch * 100 + n).collect();
        let events: Vec<String> = numbers.iter().map(|n| format!("{{\"body\":\"{n}\"}}")).collect();
        match client.post(JSON, format!("[{}]", events.join(",")).as_bytes()) {
            Some((200, _)) => acknowledged.extend(numbers),
            Some(heard) => panic!("{heard:?}"),
            None => break,
        }
        if over.load(Ordering::SeqCst) {
            break;
        }
    }
    acknowledged
}

#[test]
fn what_was_answered_with_200_is_there_after_a_kill() {
    let rounds = std::env::var("FLUME_CRASH_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (mut known, mut twice) = (BTreeSet::new(), 0);
    for round in 0..rounds / 10 + 1 {
        let running = Pipe::new("run 'source http --port 0 | channel file spool --put'")
            .dir(directory.path())
            .start();
        let port = port(&running);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let posters: Vec<_> = (0..3)
                .map(|own| {
                    let (first, over) = ((round * 3 + own) * 1_000_000_000, &over);
                    scope.spawn(move || poster(port, first, over))
                })
                .collect();
            // Somewhere in the middle of it: there is no event that a kill should wait for.
            std::thread::sleep(Duration::from_millis(20 + 13 * (round % 7)));
            running.kill(0, Signal::KILL);
            over.store(true, Ordering::SeqCst);
            for poster in posters {
                known.extend(poster.join().unwrap());
            }
        });
        running.wait();
    }
    assert!(!known.is_empty());
    let output = bash(&format!("{FLUME} cat spool"), directory.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        twice += u64::from(!found.insert(line.parse::<u64>().unwrap()));
    }
    let lost = known.difference(&found).count();
    let _ = writeln!(
        std::io::stderr(),
        "{} acknowledged, {} found, {twice} twice",
        known.len(),
        found.len()
    );
    assert_eq!((lost, twice), (0, 0));
}

#[test]
fn stop_in_the_middle_of_posts_loses_nothing_that_was_acknowledged() {
    let running = collect("--port 0");
    let port = port(&running);
    let over = AtomicBool::new(false);
    let mut known = Vec::new();
    std::thread::scope(|scope| {
        let over = &over;
        let posters: Vec<_> = (0..3)
            .map(|own| scope.spawn(move || poster(port, own * 1_000_000_000, over)))
            .collect();
        running.wait_count(0, "EventAcceptedCount", 1000);
        running.kill(0, Signal::TERM);
        for poster in posters {
            known.extend(poster.join().unwrap());
        }
    });
    let ended = running.wait().expect_status([0]);
    let output = bash(&format!("{FLUME} cat spool"), &ended.path(""), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    found.sort();
    known.sort();
    let missing = known.iter().filter(|number| found.binary_search(number).is_err());
    assert_eq!(missing.count(), 0);
    found.dedup();
    assert_eq!(found.len(), text.lines().count(), "something came twice");
}
