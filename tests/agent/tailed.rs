//! The real Flume 1.11 and this agent take turns with one position file, and make the same of the same files.

use super::*;
use crate::avro::real::{is_there, peer};
use std::time::{Duration, Instant};

/// Java takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

const PROPERTIES: &str = r"
    sources = r1
    channels = c1
    sinks = k1
    sources.r1.type = taildir
    sources.r1.filegroups = f1 f2
    sources.r1.filegroups.f1 = DIR/logs/a\\d[.]log
    sources.r1.headers.f1.site = here
    sources.r1.filegroups.f2 = DIR/logs/b.*
    sources.r1.headers.f2.site = there
    sources.r1.headers.f2.a.b = c
    sources.r1.positionFile = DIR/state/positions.json
    sources.r1.fileHeader = true
    sources.r1.byteOffsetHeader = true
    sources.r1.idleTimeout = 1000
    sources.r1.channels = c1
    channels.c1.type = memory
    sinks.k1.type = file_roll
    sinks.k1.sink.directory = DIR/OUT
    sinks.k1.sink.rollInterval = 0
    sinks.k1.sink.serializer = header_and_text
    sinks.k1.channel = c1";

/// `{b=2, a=1} body` with its headers in order: Flume has none.
fn in_order(line: &str) -> String {
    let Some((headers, body)) = line.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return line.to_string();
    };
    let mut headers: Vec<_> = headers.split(", ").collect();
    headers.sort();
    format!("{{{}}}{body}", headers.join(", "))
}

/// Lines in all files of a directory, also in those that are being written.
fn all_lines(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let texts = entries.filter(|entry| !entry.path().to_string_lossy().ends_with(".state"));
    let texts = texts.map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default());
    let mut lines: Vec<String> = texts
        .flat_map(|text| text.lines().map(in_order).collect::<Vec<_>>())
        .collect();
    lines.sort();
    lines
}

/// One life of an agent in this directory, until it has delivered so many lines.
fn live(directory: &Path, is_flume: bool, out: &str, lines: usize) -> Vec<String> {
    let pipe = match is_flume {
        true => {
            let launcher = peer("agent");
            let words = format!("exec {} --name a1 --conf-file a.conf", launcher.display());
            Pipe::foreign(&words).env("FLUME_PEER_JAVA", "-Xmx256m")
        }
        false => Pipe::new("agent --name a1 --conf-file a.conf --no-control"),
    };
    let out_directory = directory.join(out);
    std::fs::create_dir(&out_directory).unwrap();
    let text = written(&PROPERTIES.replace("OUT", out), directory);
    let running = pipe
        .dir(directory)
        .file("a.conf", text)
        .patience(PATIENCE)
        .start();
    let deadline = Instant::now() + PATIENCE;
    while all_lines(&out_directory).len() < lines {
        assert!(
            Instant::now() < deadline,
            "not all lines came:\n{}",
            running.said(0)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    running.kill(0, Signal::TERM);
    running.wait();
    all_lines(&out_directory)
}

fn add(directory: &Path, name: &str, text: &str) {
    let path = directory.join("logs").join(name);
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn position_file_goes_to_flume_and_comes_back() {
    if !is_there() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    std::fs::create_dir(directory.join("logs")).unwrap();
    let mut next = 0;
    let mut more = || {
        for name in ["a1.log", "a2.log", "b=\u{e9}", "no"] {
            add(directory, name, &format!("{next}\r\n{}\n", next + 1));
        }
        next += 2;
    };
    let bodies = |lines: Vec<String>| -> Vec<String> {
        let mut bodies: Vec<_> = lines
            .iter()
            .map(|line| line.rsplit(' ').next().unwrap().to_string())
            .collect();
        bodies.dedup();
        bodies.sort();
        bodies.dedup();
        bodies
    };
    for (turn, is_flume) in [true, false, true, false].into_iter().enumerate() {
        more();
        let lines = live(directory, is_flume, &format!("out{turn}"), 6);
        assert_eq!(lines.len(), 6, "turn {turn}: {lines:#?}");
        let expected = [2 * turn, 2 * turn + 1].map(|number| number.to_string());
        assert_eq!(bodies(lines), expected, "turn {turn}");
    }
}

#[test]
fn same_files_become_the_same_events() {
    if !is_there() {
        return;
    }
    let [flume, ours] = [true, false].map(|is_flume| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("logs")).unwrap();
        add(
            directory.path(),
            "a1.log",
            "one\r\n\ntwo \n  three\n\rfour\r\r\nhalf",
        );
        add(directory.path(), "b", "five\n");
        add(directory.path(), "c", "not this\n");
        let lines = live(directory.path(), is_flume, "out", 7);
        let own = directory.path().display().to_string();
        lines
            .into_iter()
            .map(|line| line.replace(&own, "DIR"))
            .collect::<Vec<_>>()
    });
    assert_eq!(ours, flume);
    assert!(ours.iter().any(|line| line.ends_with(" half")), "{ours:#?}");
}
