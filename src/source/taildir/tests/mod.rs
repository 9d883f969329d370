//! The source in one process, with real files in a directory per test.

mod lines;
mod model;
mod moves;
mod positions;

use super::Taildir;
use crate::ack::Outcome;
use crate::component::{Spec, made};
use crate::exit::StageResult;
use crate::link::testing::Collect;
use crate::metrics::{Count, Counters};
use crate::stage::{Source, run_source};
use crate::stop::Stop;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

const SPEC: Spec<Taildir> = Spec::new::<Taildir>("taildir", made::<Taildir>).positional("files");

/// A directory, and how the source is called in it.
struct Case {
    directory: tempfile::TempDir,
    words: Vec<String>,
}

/// The source, running in a thread.
struct Running {
    collect: Collect,
    counters: Arc<Counters>,
    stop: Stop,
    thread: JoinHandle<StageResult>,
}

impl Case {
    /// Files that match `pattern` in the directory, with a position file beside that is written often.
    fn new(pattern: &str, words: &[&str]) -> Case {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let mut all = vec![
            logs.join(pattern).display().to_string(),
            format!("--position-file={}", directory.path().join("positions").display()),
            "--write-pos-interval=1".to_string(),
        ];
        all.extend(words.iter().map(|word| word.to_string()));
        Case {
            directory,
            words: all,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("logs").join(name)
    }

    fn positions(&self) -> PathBuf {
        self.directory.path().join("positions")
    }

    fn position_text(&self) -> String {
        std::fs::read_to_string(self.positions()).unwrap_or_default()
    }

    /// Add to a file.
    fn add(&self, name: &str, text: &str) -> File {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn start(&self) -> Running {
        self.start_with(Collect::accepting())
    }

    fn start_with(&self, collect: Collect) -> Running {
        let source = SPEC.from_flags(&self.words).unwrap();
        let (to, stop) = collect.processor("source taildir");
        let counters = to.counters().clone();
        let thread = std::thread::spawn(move || run_source(Source::Polled(Box::new(source)), &to));
        Running {
            collect,
            counters,
            stop,
            thread,
        }
    }

    /// Everything that is there, with `--until-end`.
    fn all(&self) -> Vec<String> {
        let collect = Collect::accepting();
        let mut words = self.words.clone();
        words.push("--until-end".into());
        let source = SPEC.from_flags(&words).unwrap();
        let (to, _stop) = collect.processor("source taildir");
        assert_eq!(run_source(Source::Polled(Box::new(source)), &to), Ok(()));
        collect.bodies()
    }

    /// The error of a start.
    fn error(&self) -> String {
        let running = self.start();
        running.stop.on_stop(|| {});
        running.thread.join().unwrap().unwrap_err().to_string()
    }
}

impl Running {
    /// Wait for so many events in all, and give their bodies.
    fn bodies(&self, count: u32) -> Vec<String> {
        self.collect.wait_for(count);
        self.collect.bodies()
    }

    fn stop(self) -> Vec<String> {
        self.stop.stop();
        assert_eq!(self.thread.join().unwrap(), Ok(()));
        self.collect.bodies()
    }
}

fn numbers(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("{number}\n")).collect()
}

fn listed(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn open_files(path: &Path) -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = all.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.starts_with(path)).count()
}

/// Wait for something that nobody tells of.
fn wait_until(mut what: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !what() {
        assert!(std::time::Instant::now() < deadline, "it did not come");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
