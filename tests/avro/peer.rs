//! A client and a server that share no code with ours, from the specification of Avro alone, and that misbehave in
//! each way that they know: see `tests/peers/avro/peer`.

use super::{collector, ledger, lines_of, port};
use crate::pipe::Pipe;
use crate::surroundings::skipped;
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/avro/peer");

/// The faults of a role, as the peer lists them; none where it cannot run, which is said.
fn faults(role: &str) -> Vec<String> {
    let output = Command::new(PEER).arg("--list").output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        skipped("an independent peer of Avro RPC: python3 is missing");
        return Vec::new();
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let of_role = text.lines().filter_map(|line| line.strip_prefix(role));
    let names = of_role.map(|rest| rest.split_whitespace().next().unwrap().to_string());
    names.collect()
}

/// What a client does with this fault when so many calls have gone well: how many of three calls were answered
/// with OK, and how its connection ended.
fn expected(fault: &str, after: u64) -> (u64, &'static str) {
    match fault {
        "hash" | "lie" | "pieces" | "slow" | "serials" => (3, "by us"),
        "strange" => (after, "by us"),
        "reset" => (after, "reset by us"),
        "silent" => (after, "never"),
        // Nothing but zeros behind its head: requests without anything in them, each answered with an error.
        "frames" if after > 0 => (after, "never"),
        _ => (after, "end"),
    }
}

#[test]
fn fault_of_a_client_ends_its_own_connection_at_most_and_no_event_of_it_is_lost_or_doubled() {
    for words in ["", "--compression-type deflate"] {
        let taker = collector(words).start();
        let mut acknowledged = Vec::new();
        for (fault, after) in faults("client").iter().flat_map(|fault| [(fault, 0), (fault, 2)]) {
            let mut command = Command::new(PEER);
            command.args(["client", "--patience", "1", "--batch", "2", "--fault", fault]);
            command.args([
                "--after",
                &after.to_string(),
                "--port",
                &port(&taker, 0).to_string(),
            ]);
            if !words.is_empty() {
                command.arg("--deflate");
            }
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let said: serde_json::Value = serde_json::from_str(&said)
                .unwrap_or_else(|error| panic!("{fault}: {error}: {said}{output:?}"));
            let accepted = said["answers"]["OK"].as_u64().unwrap_or(0);
            let end = said["end"].as_str().unwrap();
            // Whether an end or a reset arrives is a question of what was still unread.
            let end = if end == "reset" { "end" } else { end };
            assert_eq!(
                (accepted, end),
                expected(fault, after),
                "{fault} after {after}: {said}"
            );
            let of_call = |call: u64| (1..=2).map(move |event| format!("call {call} event {event}"));
            acknowledged.extend((1..=accepted).flat_map(of_call));
        }
        taker.kill(0, Signal::TERM);
        let ended = taker.wait().expect_status([0, 0, 0]);
        acknowledged.sort();
        assert_eq!(lines_of(&ended), acknowledged);
    }
}

/// A server that misbehaves. It ends when this is dropped.
struct Server {
    child: Child,
    port: String,
    _input: ChildStdin,
}

impl Server {
    fn start(fault: &str, after: u64, accepted: &Path) -> Server {
        let mut command = Command::new(PEER);
        command.args([
            "server",
            "--fault",
            fault,
            "--after",
            &after.to_string(),
            "--accepted",
        ]);
        command.arg(accepted).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        Server {
            port: line.trim().strip_prefix("port ").unwrap().to_string(),
            _input: child.stdin.take().unwrap(),
            child,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whatever a server does once: everything is sent, and each line of the ledger is what it has accepted.
fn survive(after: u64) {
    let lines: String = (1..=120).map(|number| format!("{number}\n")).collect();
    for fault in faults("server") {
        let at = tempfile::tempdir().unwrap();
        let accepted = at.path().join("accepted");
        let server = Server::start(&fault, after, &accepted);
        let ended = Pipe::new(&format!(
            "send avro://127.0.0.1:{} --batch-size 10 --unordered --request-timeout 1s --ledger ledger",
            server.port
        ))
        .input(lines.clone())
        .run()
        .expect_status([0]);
        drop(server);
        let mut arrived = ledger(&accepted);
        assert_eq!(ledger(&ended.path("ledger")).len(), 12, "{fault} after {after}");
        // What it never accepted came once; what it accepted without saying so may have come again.
        if ["none", "failed", "error", "slow", "backwards"].contains(&&*fault) {
            assert_eq!(arrived.len(), 120, "{fault} after {after}");
        }
        arrived.dedup();
        assert_eq!(arrived.len(), 120, "{fault} after {after}");
    }
}

#[test]
fn sender_survives_each_fault_of_a_server_at_the_handshake() {
    survive(0);
}

#[test]
fn sender_survives_each_fault_of_a_server_among_its_answers() {
    survive(3);
}
