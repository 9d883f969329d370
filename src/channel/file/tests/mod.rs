//! The channel as a whole, in one process; with a disk that fails; with processes that die.

mod attach;
mod failing;
mod one_process;
mod processes;
mod recycling;
mod simulated;
mod speed;
mod tools;

use super::*;
use crate::ack::{Delivery, Refusal};
use crate::event::{BatchBuilder, Event};
use crate::wire::Compression;
use std::path::{Path, PathBuf};

/// A channel's directory that is not there yet, and what is reported about it.
struct Bench {
    _root: tempfile::TempDir,
    directory: PathBuf,
    reports: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Bench {
        let root = tempfile::tempdir().unwrap();
        Bench {
            directory: root.path().join("channel"),
            _root: root,
            reports: Arc::default(),
        }
    }

    fn config(&self) -> Config {
        let reports = self.reports.clone();
        Config {
            sync: Sync::Never,
            keep_alive: Duration::ZERO,
            segment_bytes: 64 << 10,
            report: Arc::new(move |text| lock(&reports).push(text.into())),
            ..Config::new(&self.directory)
        }
    }

    fn open(&self) -> Arc<FileChannel> {
        FileChannel::open(self.config(), Role::Both).unwrap()
    }

    fn reported(&self, what: &str) -> bool {
        lock(&self.reports).iter().any(|text| text.contains(what))
    }

    /// As after a power cut: the tables are gone.
    fn forget_tables(&self) {
        for entry in std::fs::read_dir(self.directory.join("checkpoint")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("table-") {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
    }

    fn segments(&self) -> Vec<PathBuf> {
        segments_in(&self.directory.join("data"))
    }
}

fn segments_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "seg"));
    paths.sort();
    paths
}

/// A batch of events with these bodies.
fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    for body in bodies {
        builder.push_event(&Event::new(body.to_string()));
    }
    builder.finish()
}

/// One event of some kilobytes that begins with a name.
fn large(name: &str) -> Batch {
    batch(&[&format!("{name:.<20000}")])
}

/// The first body up to the first dot.
fn name_of(batch: &Batch) -> String {
    let event = batch.events().next().unwrap().unwrap();
    let text = String::from_utf8(event.body().to_vec()).unwrap();
    text.split('.').next().unwrap().to_string()
}

/// What can be taken right now.
fn try_take(channel: &FileChannel) -> Option<Delivery> {
    match channel.take(Some(Instant::now())).unwrap() {
        Taken::Delivery(delivery) => Some(delivery),
        _ => None,
    }
}

fn take(channel: &FileChannel) -> Delivery {
    let deadline = Instant::now() + Duration::from_secs(20);
    match channel.take(Some(deadline)).unwrap() {
        Taken::Delivery(delivery) => delivery,
        Taken::Empty => panic!("nothing came"),
        Taken::Finished => panic!("finished"),
    }
}

/// Take and accept all; the names.
fn drain(channel: &FileChannel) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(delivery) = try_take(channel) {
        names.push(name_of(&delivery.batch));
        delivery.accept();
    }
    names
}

fn put(channel: &FileChannel, names: &[&str]) {
    for name in names {
        channel.put(&[batch(&[name])]).unwrap();
    }
}
