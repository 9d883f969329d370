//! A file channel between real processes, and ends of it that do only what a test says.

use crate::by_hand::{Endpoint, Reader, Stream, Taker, next_frame};
use crate::pipe::{Pipe, Running};
use flume::wire::{self, FrameReader, Kind};
use rustix::process::Signal;
use std::fs::File;
use std::io::{PipeWriter, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A batch as it comes out: its position in the channel, and its first body.
pub type Found = (u64, String);

/// A directory with a channel, `spool`.
pub struct Spool {
    pub root: TempDir,
}

pub fn batches_in(recording: &Path) -> Vec<Found> {
    let mut frames = FrameReader::new(Reader(File::open(recording).unwrap()), wire::LIMIT);
    let frames = std::iter::from_fn(|| next_frame(&mut frames));
    frames
        .filter(|frame| frame.header.kind == Kind::Batch)
        .map(found)
        .collect()
}

fn found(frame: wire::Frame) -> Found {
    let batch = frame.batch().unwrap();
    let first = batch.events().next().unwrap().unwrap();
    (
        batch.origin,
        String::from_utf8_lossy(first.body()).trim_end().to_string(),
    )
}

pub fn bodies(found: Vec<Found>) -> Vec<String> {
    found.into_iter().map(|(_, body)| body).collect()
}

impl Spool {
    pub fn new() -> Spool {
        Spool {
            root: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Put lines, a batch each.
    pub fn put(&self, lines: &[&str]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Pipe::new("source stdin --batch-size 1")
            .dir(self.root.path())
            .input(text)
            .then("channel file spool --put")
            .run()
            .expect_status([0, 0]);
    }

    /// Take until nothing is left.
    pub fn drain(&self) -> Vec<Found> {
        Pipe::new("channel file spool --take --until-empty")
            .dir(self.root.path())
            .output_file("drained.flm")
            .run()
            .expect_status([0]);
        batches_in(&self.path("drained.flm"))
    }

    /// Files in a directory of the channel whose names end so.
    pub fn files(&self, directory: &str, end: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("spool").join(directory)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let named = paths.filter(|path| path.to_string_lossy().ends_with(end));
        named.collect()
    }

    /// What a reboot does to the tables of the running processes.
    pub fn remove_tables(&self) {
        let all = self.files("checkpoint", "").into_iter();
        let mut tables = 0;
        for path in all.filter(|path| path.to_string_lossy().contains("/table-")) {
            std::fs::remove_dir_all(path).unwrap();
            tables += 1;
        }
        assert!(tables > 0, "the channel has no table");
    }

    /// A taker that does only what the test says.
    pub fn taker(&self) -> HandTaker {
        let (pipe, output) = Pipe::new("channel file spool --take --window 1")
            .dir(self.root.path())
            .output_read();
        let running = pipe.start();
        let mut taker = Taker::of(output);
        taker.connect();
        HandTaker { running, taker }
    }

    /// A putter whose batches the test writes one by one.
    pub fn putter(&self, flags: &str) -> HandPutter {
        let replies = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::below(replies.path());
        let (reader, mut batches) = std::io::pipe().unwrap();
        let running = Pipe::new(&format!("channel file spool --put {flags}"))
            .dir(self.root.path())
            .input_from(reader)
            .start();
        let mut stream = Stream::answering(&endpoint.hello);
        batches.write_all(&std::mem::take(&mut stream.bytes)).unwrap();
        HandPutter {
            running,
            stream,
            batches,
            accepted: endpoint.welcome(),
            _replies: replies,
        }
    }
}

/// A `channel file --take` whose batches go to the test.
pub struct HandTaker {
    pub running: Running,
    pub taker: Taker,
}

impl HandTaker {
    /// The next batch, with the number to accept it by.
    pub fn next(&mut self) -> (u64, Found) {
        loop {
            let frame = self.taker.next().expect("a batch");
            if frame.header.kind == Kind::Batch {
                return (frame.header.sequence, found(frame));
            }
        }
    }
}

/// A `channel file --put` that the test feeds.
pub struct HandPutter {
    pub running: Running,
    stream: Stream,
    batches: PipeWriter,
    accepted: FrameReader<Reader<UnixStream>>,
    _replies: TempDir,
}

impl HandPutter {
    /// Put a batch, and wait until it is accepted.
    pub fn put(&mut self, body: &str) {
        self.send(body);
        self.wait();
    }

    pub fn send(&mut self, body: &str) {
        self.stream = std::mem::take(&mut self.stream).batch(&[body.as_bytes()]);
        let bytes = std::mem::take(&mut self.stream.bytes);
        self.batches.write_all(&bytes).unwrap();
    }

    pub fn wait(&mut self) {
        let answer = next_frame(&mut self.accepted).expect("an acceptance");
        assert_eq!(answer.header.kind, Kind::Accept);
    }

    /// Class and reason of a refusal.
    pub fn refused(&mut self) -> (String, String) {
        let answer = next_frame(&mut self.accepted).expect("a refusal");
        assert_eq!(answer.header.kind, Kind::Refuse);
        let said: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
        let word = |key: &str| said[key].as_str().unwrap().to_string();
        (word("class"), word("reason"))
    }

    /// Kill the process that puts.
    pub fn kill(mut self) {
        self.running.kill(0, Signal::KILL);
        assert_eq!(self.running.wait_stage(0), -9);
    }
}
