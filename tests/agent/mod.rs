//! `flume agent` as a program.

mod beside;
mod config;
mod control;
mod life;
mod reload;
mod tailed;

use crate::pipe::{Ended, Pipe, Running};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// An agent `a1` with these properties, which may leave `a1.` out; DIR in them is its directory.
fn agent(properties: &str) -> Pipe {
    agent_with("", properties)
}

/// The same with these options.
fn agent_with(options: &str, properties: &str) -> Pipe {
    let pipe = Pipe::new(&format!("agent --name a1 --conf-file a.conf {options}"));
    let text = written(properties, &pipe.path(""));
    std::fs::create_dir(pipe.path("out")).unwrap();
    let run = pipe.path("run").display().to_string();
    pipe.file("a.conf", text).env("XDG_RUNTIME_DIR", &run)
}

/// The lines of a properties file.
pub fn written(properties: &str, directory: &Path) -> String {
    let directory = directory.display().to_string();
    let lines = properties.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.map(|line| format!("a1.{}\n", line.replace("DIR", directory.trim_end_matches('/'))));
    lines.collect()
}

/// Write the properties of an agent that runs anew.
fn rewrite(running: &Running, properties: &str) {
    let next = running.path("a.conf.next");
    std::fs::write(&next, written(properties, &running.path(""))).unwrap();
    std::fs::rename(next, running.path("a.conf")).unwrap();
}

/// Stop it, and see that it ends well.
fn stopped(running: Running) -> Ended {
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0])
}

/// What `flume ctl` prints for the agent.
fn ctl(running: &Running, words: &str) -> Ended {
    let run = running.path("run").display().to_string();
    let ctl = Pipe::new(&format!("ctl {words}")).env("XDG_RUNTIME_DIR", &run);
    ctl.run()
}

/// One counter of one group, such as `SINK.k1`.
fn counter(running: &Running, group: &str, name: &str) -> u64 {
    let ended = ctl(running, "counters --json");
    let all: serde_json::Value = serde_json::from_str(&ended.text()).unwrap_or_default();
    let value = all[group][name].as_str().unwrap_or("0");
    value.parse().unwrap_or(0)
}

/// Wait until a counter has come so far; whoever runs the tests ends what waits for ever.
fn wait_count(running: &Running, group: &str, name: &str, least: u64) {
    while counter(running, group, name) < least {}
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A client of source netcat.
struct Lines {
    socket: TcpStream,
    answers: std::io::Lines<BufReader<TcpStream>>,
}

impl Lines {
    /// Connect, as soon as somebody listens.
    fn to(port: u16) -> Lines {
        let socket = loop {
            if let Ok(socket) = TcpStream::connect(("127.0.0.1", port)) {
                break socket;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let answers = BufReader::new(socket.try_clone().unwrap()).lines();
        Lines { socket, answers }
    }

    /// Send a line; what is answered.
    fn send(&mut self, line: &str) -> Option<String> {
        self.socket.write_all(format!("{line}\n").as_bytes()).ok()?;
        self.answers.next()?.ok()
    }
}

/// Lines in all files of a directory that are shown, sorted.
fn lines_in(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with('.') {
            lines.extend(std::fs::read_to_string(path).unwrap().lines().map(str::to_string));
        }
    }
    lines.sort();
    lines
}
