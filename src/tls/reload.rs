//! What is made from files, and made again when they change.

use crate::exit::StageError;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often to look at the files at most.
const LOOK: Duration = Duration::from_secs(1);

type Make<T> = Box<dyn Fn() -> Result<T, StageError> + Send + Sync>;
/// What of a file tells that it is another one: device, inode, size and times in nanoseconds.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// See the module.
pub(super) struct Watched<T> {
    make: Make<T>,
    files: Vec<PathBuf>,
    name: String,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Arc<T>,
    stamps: Vec<Stamp>,
    looked: Instant,
}

fn stamp(path: &PathBuf) -> Stamp {
    let meta = std::fs::metadata(path).ok()?;
    let nanos = |seconds: i64, nanos: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos);
    Some((
        meta.dev(),
        meta.ino(),
        meta.size(),
        nanos(meta.mtime(), meta.mtime_nsec()),
        nanos(meta.ctime(), meta.ctime_nsec()),
    ))
}

impl<T> Watched<T> {
    /// Make it; `name` stands in front of messages about later changes.
    pub fn start(
        files: Vec<PathBuf>,
        name: &str,
        make: impl Fn() -> Result<T, StageError> + Send + Sync + 'static,
    ) -> Result<Self, StageError> {
        // Looked at before they are read: what changes meanwhile is read again.
        let stamps = files.iter().map(stamp).collect();
        let current = Arc::new(make()?);
        Ok(Watched {
            make: Box::new(make),
            files,
            name: name.to_string(),
            state: Mutex::new(State {
                current,
                stamps,
                looked: Instant::now(),
            }),
        })
    }

    /// As the files say now. If they say nothing sensible, as they said before.
    pub fn current(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let stamps: Vec<_> = self.files.iter().map(stamp).collect();
            if stamps != state.stamps {
                state.stamps = stamps;
                self.replace(&mut state);
            }
        }
        state.current.clone()
    }

    fn replace(&self, state: &mut State<T>) {
        match (self.make)() {
            Ok(fresh) => {
                state.current = Arc::new(fresh);
                crate::say::info(
                    &self.name,
                    "certificates have changed: new connections use the new ones",
                );
            }
            Err(error) => crate::say::warn(
                &self.name,
                format!("certificates have changed and cannot be used, the old ones stay in use: {error}"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_that_cannot_be_used_leaves_the_old_in_use() {
        crate::say::be_quiet();
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_path_buf();
        std::fs::write(&path, "1").unwrap();
        let from = path.clone();
        let read = move || {
            let text = std::fs::read_to_string(&from).unwrap();
            text.parse::<u32>()
                .map_err(|error| StageError::Failed(error.to_string()))
        };
        let watched = Watched::start(vec![path.clone()], "test", read).unwrap();
        let look = || {
            let before = Instant::now().checked_sub(LOOK);
            watched.state.lock().unwrap().looked = before.expect("the machine runs for longer than a second");
            *watched.current()
        };
        assert_eq!(look(), 1);
        std::fs::write(&path, "x").unwrap();
        assert_eq!(look(), 1);
        std::fs::write(&path, "22").unwrap();
        assert_eq!(look(), 22);
        std::fs::remove_file(&path).unwrap();
    }
}
