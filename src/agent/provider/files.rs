//! Files of properties, looked at again now and then (Flume's `FileConfigurationSource`).

use super::Provider;
use crate::agent::config::Text;
use crate::stop::Stop;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What tells one content of a file from another without reading it.
pub(super) type Stamp = Option<(SystemTime, u64, u64)>;

/// See the module.
pub struct Files {
    paths: Vec<PathBuf>,
    poll: Duration,
    seen: Vec<Stamp>,
}

impl Files {
    /// These files, in which later ones win, looked at each `poll`.
    pub fn new(paths: Vec<PathBuf>, poll: Duration) -> Files {
        Files {
            seen: Vec::new(),
            paths,
            poll,
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        self.paths.iter().map(|path| stamp(path)).collect()
    }
}

/// The time to the nanosecond, the length and the inode: a file that is replaced by an older one is noticed, too.
pub(super) fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len(), meta.ino()))
}

impl Provider for Files {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        // Before they are read: a change meanwhile is seen the next time.
        self.seen = self.stamps();
        let texts = self.paths.iter().map(|path| {
            let shown = path.display().to_string();
            let bytes = std::fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
            Ok(Text {
                name: shown.into(),
                bytes,
            })
        });
        texts.collect()
    }

    fn wait_changed(&mut self, stop: &Stop) -> bool {
        while !stop.sleep(self.poll) {
            let now = self.stamps();
            // A file that is away for a moment is about to be replaced.
            if now != self.seen && now.iter().all(Option::is_some) {
                return true;
            }
        }
        false
    }

    fn describe(&self) -> String {
        let shown: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
        shown.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn change_of_a_file_is_seen_and_a_file_that_is_away_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.conf");
        fs::write(&path, "a = 1").unwrap();
        let mut files = Files::new(vec![path.clone()], Duration::from_millis(5));
        assert_eq!(files.load().unwrap()[0].bytes, b"a = 1");
        fs::remove_file(&path).unwrap();
        assert!(files.load().unwrap_err().contains("a.conf"));
        let stop = Stop::new(Duration::ZERO).unwrap();
        let writer = std::thread::spawn(move || fs::write(&path, "a = 2"));
        assert!(files.wait_changed(&stop));
        writer.join().unwrap().unwrap();
        assert_eq!(files.load().unwrap()[0].bytes, b"a = 2");
        stop.stop();
        assert!(!files.wait_changed(&stop));
    }
}
