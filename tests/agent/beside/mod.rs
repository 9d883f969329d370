//! The real Flume 1.11 and this agent run the same file: the same lines with the same headers come out.

mod avro_files;
mod syslog;

use super::*;
use crate::avro::real::{is_there, peer};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Java takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// One of the two.
struct Side {
    running: Running,
    port: u16,
}

impl Side {
    fn new(is_flume: bool, properties: &str) -> Side {
        let port = free_port();
        let pipe = match is_flume {
            true => {
                let launcher = peer("agent");
                let words = format!("exec {} --name a1 --conf-file a.conf", launcher.display());
                // A serializer of the HDFS sink is asked for without Hadoop.
                let java = "-Xmx256m -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote";
                Pipe::foreign(&words).env("FLUME_PEER_JAVA", java)
            }
            false => Pipe::new("agent --name a1 --conf-file a.conf --no-control"),
        };
        let text = written(&properties.replace("PORT", &port.to_string()), &pipe.path(""));
        for out in ["one", "two", "three", "four"] {
            std::fs::create_dir(pipe.path(out)).unwrap();
        }
        // Not UTC, so that what ignores a zone is seen.
        let pipe = pipe.env("TZ", "Europe/Berlin");
        let running = pipe.file("a.conf", text).patience(PATIENCE).start();
        Side { running, port }
    }

    /// Wait until so many lines are in a directory, also in files that are being written.
    fn wait_lines(&self, directory: &str, least: usize) {
        let deadline = Instant::now() + PATIENCE;
        while all_lines(&self.running.path(directory)) < least {
            assert!(
                Instant::now() < deadline,
                "not all lines came:\n{}",
                self.running.said(0)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Wait until it takes connections.
    fn wait_port(&self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "{}", self.running.said(0));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(self) -> Ended {
        self.running.kill(0, Signal::TERM);
        self.running.wait()
    }
}

/// Lines in all files of a directory.
fn all_lines(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let texts = entries.filter(|entry| !entry.path().to_string_lossy().ends_with(".state"));
    let texts = texts.map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default());
    texts.map(|text| text.lines().count()).sum()
}

/// Both sides with the same file.
fn both(properties: &str) -> Option<[Side; 2]> {
    is_there().then(|| [true, false].map(|is_flume| Side::new(is_flume, properties)))
}

/// `{b=2, a=1} body` with its headers in order: Flume has none.
fn in_order(line: &str) -> String {
    let Some((headers, body)) = line.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return line.to_string();
    };
    let mut headers: Vec<_> = headers.split(", ").collect();
    headers.sort();
    format!("{{{}}}{body}", headers.join(", "))
}

fn sorted(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort();
    lines
}

#[test]
fn intercepted_lines_go_where_the_selector_says() {
    let sides = both(
        r"
        sources = r1
        channels = c1 c2
        sinks = k1 k2
        sources.r1.type = netcat
        sources.r1.bind = 127.0.0.1
        sources.r1.port = PORT
        sources.r1.interceptors = i1 i2 i3 i4 i5
        sources.r1.interceptors.i1.type = regex_extractor
        sources.r1.interceptors.i1.regex = ^(\\w+) (\\d+)
        sources.r1.interceptors.i1.serializers = s1 s2
        sources.r1.interceptors.i1.serializers.s1.name = word
        sources.r1.interceptors.i1.serializers.s2.name = number
        sources.r1.interceptors.i2.type = static
        sources.r1.interceptors.i2.key = site
        sources.r1.interceptors.i2.value = here
        sources.r1.interceptors.i3.type = search_replace
        sources.r1.interceptors.i3.searchPattern = secret(\\d)
        sources.r1.interceptors.i3.replaceString = ***$1
        sources.r1.interceptors.i4.type = regex_filter
        sources.r1.interceptors.i4.regex = ^drop
        sources.r1.interceptors.i4.excludeEvents = true
        sources.r1.interceptors.i5.type = remove_header
        sources.r1.interceptors.i5.withName = number
        sources.r1.selector.type = multiplexing
        sources.r1.selector.header = word
        sources.r1.selector.mapping.alpha = c1
        sources.r1.selector.mapping.beta = c1 c2
        sources.r1.selector.default = c2
        sources.r1.channels = c1 c2
        channels.c1.type = memory
        channels.c1.capacity = 1000
        channels.c2.type = memory
        channels.c2.capacity = 1000
        sinks.k1.type = file_roll
        sinks.k1.sink.directory = DIR/one
        sinks.k1.sink.rollInterval = 0
        sinks.k1.sink.serializer = header_and_text
        sinks.k1.channel = c1
        sinks.k2.type = file_roll
        sinks.k2.sink.directory = DIR/two
        sinks.k2.sink.rollInterval = 0
        sinks.k2.channel = c2",
    );
    let Some(sides) = sides else { return };
    let lines = [
        "alpha 1",
        "beta 2 secret7",
        "gamma 3 secret",
        "drop 4",
        "nothing",
        "alpha 5 {x}",
    ];
    let came = sides.map(|side| {
        side.wait_port();
        let mut client = Lines::to(side.port);
        for line in lines {
            assert_eq!(client.send(line).as_deref(), Some("OK"), "{line}");
        }
        side.wait_lines("one", 3);
        side.wait_lines("two", 3);
        drop(client);
        let ended = side.stop();
        let one = lines_in(&ended.path("one"));
        (
            sorted(one.iter().map(|line| in_order(line))),
            lines_in(&ended.path("two")),
        )
    });
    let [flume, ours] = came;
    assert_eq!(ours, flume);
    assert_eq!(ours.0[0], "{site=here, word=alpha} alpha 1");
    assert_eq!(ours.1, ["beta 2 ***7", "gamma 3 secret", "nothing"]);
}

#[test]
fn group_fails_over_to_the_sink_that_works() {
    let closed = free_port();
    let sides = both(&format!(
        "
        sources = r1
        channels = c1
        sinks = k1 k2
        sinkgroups = g1
        sources.r1.type = seq
        sources.r1.totalEvents = 300
        sources.r1.batchSize = 10
        sources.r1.channels = c1
        channels.c1.type = file
        channels.c1.checkpointDir = DIR/checkpoint
        channels.c1.dataDirs = DIR/data
        sinks.k1.type = avro
        sinks.k1.hostname = 127.0.0.1
        sinks.k1.port = {closed}
        sinks.k1.channel = c1
        sinks.k2.type = file_roll
        sinks.k2.sink.directory = DIR/one
        sinks.k2.sink.rollInterval = 0
        sinks.k2.channel = c1
        sinkgroups.g1.sinks = k1 k2
        sinkgroups.g1.processor.type = failover
        sinkgroups.g1.processor.priority.k1 = 10
        sinkgroups.g1.processor.priority.k2 = 5"
    ));
    let Some(sides) = sides else { return };
    let [flume, ours] = sides.map(|side| {
        side.wait_lines("one", 300);
        lines_in(&side.stop().path("one"))
    });
    assert_eq!(ours.len(), 300);
    assert_eq!(ours, flume);
}

#[test]
fn replicated_events_of_an_avro_client_are_logged_and_written() {
    let sides = both(
        "
        sources = r1
        channels = c1 c2
        sinks = k1 k2
        sources.r1.type = avro
        sources.r1.bind = 127.0.0.1
        sources.r1.port = PORT
        sources.r1.channels = c1 c2
        channels.c1.type = memory
        channels.c2.type = file
        channels.c2.checkpointDir = DIR/checkpoint
        channels.c2.dataDirs = DIR/data
        sinks.k1.type = logger
        sinks.k1.channel = c1
        sinks.k2.type = file_roll
        sinks.k2.sink.directory = DIR/one
        sinks.k2.sink.rollInterval = 0
        sinks.k2.sink.serializer = header_and_text
        sinks.k2.channel = c2",
    );
    let Some(sides) = sides else { return };
    let came = sides.map(|side| {
        side.wait_port();
        let input: String = (0..50)
            .map(|number| format!("a line with the number {number}\n"))
            .collect();
        let send = format!("send avro://127.0.0.1:{} --header from=there", side.port);
        Pipe::new(&send).input(input).run().expect_status([0]);
        side.wait_lines("one", 50);
        let deadline = Instant::now() + PATIENCE;
        while side.running.said(0).matches("Event: {").count() < 50 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let ended = side.stop();
        let logged = ended
            .stderr(0)
            .lines()
            .filter_map(|line| line.split_once("Event: "));
        let logged = sorted(logged.map(|(_, event)| event.trim_end().to_string()));
        (lines_in(&ended.path("one")), logged)
    });
    let [flume, ours] = came;
    assert_eq!(ours.1.len(), 50);
    assert_eq!(ours, flume);
}

#[test]
fn avro_sink_delivers_to_a_source_of_the_same_agent() {
    let sides = both(
        "
        sources = r1 r2
        channels = c1 c2
        sinks = k1 k2
        sources.r1.type = exec
        sources.r1.command = seq 500
        sources.r1.interceptors = i1
        sources.r1.interceptors.i1.type = static
        sources.r1.interceptors.i1.key = from
        sources.r1.interceptors.i1.value = here
        sources.r1.channels = c1
        channels.c1.type = file
        channels.c1.checkpointDir = DIR/checkpoint
        channels.c1.dataDirs = DIR/data
        sinks.k1.type = avro
        sinks.k1.hostname = 127.0.0.1
        sinks.k1.port = PORT
        sinks.k1.channel = c1
        sources.r2.type = avro
        sources.r2.bind = 127.0.0.1
        sources.r2.port = PORT
        sources.r2.interceptors = i1
        sources.r2.interceptors.i1.type = search_replace
        sources.r2.interceptors.i1.searchPattern = ^(.)
        sources.r2.interceptors.i1.replaceString = <$1>
        sources.r2.channels = c2
        channels.c2.type = memory
        channels.c2.capacity = 1000
        sinks.k2.type = file_roll
        sinks.k2.sink.directory = DIR/one
        sinks.k2.sink.rollInterval = 0
        sinks.k2.sink.serializer = header_and_text
        sinks.k2.channel = c2",
    );
    let Some(sides) = sides else { return };
    let [flume, ours] = sides.map(|side| {
        side.wait_lines("one", 500);
        lines_in(&side.stop().path("one"))
    });
    assert_eq!(ours.len(), 500);
    assert!(ours.contains(&"{from=here} <5>00".to_string()));
    assert_eq!(ours, flume);
}
