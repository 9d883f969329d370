//! Real senders: rsyslogd, syslog-ng and logger, each way that it can send.

use super::*;
use crate::net::certificates::Authority;
use crate::surroundings::skipped;
use std::path::Path;
use std::process::Command;

const SEND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/syslog/send");
/// Messages of a sender.
const COUNT: usize = 1000;

/// The daemon can run; where it cannot, that is said.
fn is_there(daemon: &str) -> bool {
    let output = Command::new(SEND).args(["--prepare", daemon]).output().unwrap();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        skipped(&format!("{daemon} as a sender: {why}"));
    }
    output.status.success()
}

/// What the daemon sends arrives whole, in order and read.
fn check(daemon: &str, source: &str, way: &str, format: &str, more: &str) {
    if !is_there(daemon) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let running = match way {
        "tls" => {
            let authority = Authority::new(directory.path(), "ca");
            let own = authority.sign("server");
            let words = format!(
                "{source} --tls-cert {} --tls-key {}",
                own.cert.display(),
                own.key.display()
            );
            collect(&words)
        }
        _ => collect(source),
    };
    let lines: Vec<String> = (0..COUNT)
        .map(|number| format!("message {number} of all"))
        .collect();
    let file = directory.path().join("lines");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let authority = match way {
        "tls" => directory.path().join("ca.pem").display().to_string(),
        _ => String::new(),
    };
    let number = port(&running, way);
    let words = format!(
        "exec {SEND} {daemon} {} {way} {number} {format} {more} {authority}",
        file.display()
    );
    let sender = Pipe::foreign(&words).dir(directory.path()).start();
    let (found, _) = lines_of(running, COUNT as u64);
    sender.kill(0, Signal::TERM);
    sender.wait();
    compare(&found, &lines, format, source);
}

fn compare(found: &[String], sent: &[String], format: &str, source: &str) {
    assert_eq!(found.len(), sent.len());
    for (found, sent) in found.iter().zip(sent) {
        let told = || format!("{found}, of {sent}");
        let (headers, body) = found.split_once("} ").unwrap_or_else(|| panic!("{}", told()));
        // Facility local3, severity notice.
        assert!(headers.starts_with("{Facility=19, Severity=5, "), "{}", told());
        assert!(headers.to_lowercase().contains("priority=157"), "{}", told());
        assert!(
            headers.contains("timestamp=1") && headers.contains("host="),
            "{}",
            told()
        );
        assert!(!headers.contains("flume.syslog.status"), "{}", told());
        let is_ours = source.starts_with("syslog ");
        assert_eq!(headers.contains("appname=app"), is_ours, "{}", told());
        match (format, is_ours) {
            ("5424", true) => assert_eq!(body.trim_start(), sent, "{}", told()),
            ("3164", _) => assert_eq!(body.replace(":  ", ": "), format!("app: {sent}"), "{}", told()),
            _ => assert!(
                body.starts_with("app - - ") && body.ends_with(sent.as_str()),
                "{}",
                told()
            ),
        }
    }
}

#[test]
fn rsyslogd_over_tcp_with_line_feeds_and_with_lengths() {
    check("rsyslog", "syslog --port 0 --tcp", "tcp", "3164", "");
    check("rsyslog", "syslog --port 0 --tcp", "tcp", "3164", "octet");
    check("rsyslog", "syslog --port 0 --tcp", "tcp", "5424", "octet");
}

#[test]
fn rsyslogd_over_udp_and_tls() {
    check("rsyslog", "syslog --port 0 --udp", "udp", "3164", "");
    check("rsyslog", "syslog --port 0 --tls", "tls", "5424", "octet");
}

#[test]
fn rsyslogd_to_the_sources_of_flume() {
    check("rsyslog", "syslogtcp --port 0", "tcp", "3164", "");
    check("rsyslog", "syslogtcp --port 0", "tcp", "5424", "");
    check("rsyslog", "syslogudp --port 0", "udp", "3164", "");
    check("rsyslog", "multiport_syslogtcp --ports 0", "tcp", "3164", "");
}

#[test]
fn syslog_ng_over_tcp_and_tls() {
    check("syslog-ng", "syslog --port 0 --tcp", "tcp", "3164", "");
    check("syslog-ng", "syslog --port 0 --tcp", "tcp", "5424", "");
    check("syslog-ng", "syslog --port 0 --tls", "tls", "5424", "");
}

#[test]
fn syslog_ng_over_udp_and_to_the_sources_of_flume() {
    check("syslog-ng", "syslog --port 0 --udp", "udp", "3164", "");
    check("syslog-ng", "syslogtcp --port 0", "tcp", "3164", "");
    check("syslog-ng", "multiport_syslogtcp --ports 0", "tcp", "3164", "");
}

/// `logger` with these options says a few things.
fn log(options: &str) {
    let words = format!(
        "for number in 1 2 3; do logger --tag app --id=7 --priority local3.notice {options} \"message $number\"; done"
    );
    let status = Command::new("bash").arg("-c").arg(words).status().unwrap();
    assert!(status.success());
}

fn check_logged(mut lines: Vec<String>, has_host: bool) {
    assert_eq!(lines.len(), 3, "{lines:?}");
    // Each came by a connection of its own.
    lines.sort_by_key(|line| line.rsplit(' ').next().unwrap().to_string());
    for (number, line) in (1..).zip(&lines) {
        assert!(
            line.starts_with("{Facility=19, Severity=5, priority=157"),
            "{line}"
        );
        assert!(line.contains("appname=app, procid=7"), "{line}");
        assert_eq!(line.contains("host="), has_host, "{line}");
        assert!(line.ends_with(&format!("message {number}")), "{line}");
        assert!(line.contains("timestamp=1"), "{line}");
    }
}

fn has_logger() -> bool {
    let found = Command::new("logger").arg("--version").output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        skipped("logger as a sender: the program is missing");
    }
    is_there
}

#[test]
fn logger_over_tcp_and_udp_in_both_forms() {
    if !has_logger() {
        return;
    }
    for way in ["tcp", "udp"] {
        for options in [
            "--rfc5424=notq",
            "--rfc5424",
            "--rfc3164",
            "--rfc5424 --octet-count",
        ] {
            if way == "udp" && options.ends_with("--octet-count") {
                continue;
            }
            let running = collect(&format!("syslog --port 0 --{way}"));
            let number = port(&running, way);
            log(&format!("--server 127.0.0.1 --port {number} --{way} {options}"));
            let (lines, _) = lines_of(running, 3);
            check_logged(lines, true);
        }
    }
}

#[test]
fn logger_to_a_socket_of_this_host() {
    if !has_logger() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path: &Path = &directory.path().join("log");
    let running = collect(&format!("syslog --unix {}", path.display()));
    running.wait_for(0, "listening on unix:");
    log(&format!("--socket {}", path.display()));
    let (lines, _) = lines_of(running, 3);
    check_logged(lines, false);
}
