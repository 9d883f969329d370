//! A program under a limit of memory that the kernel enforces.

use crate::measure::Program;
use std::path::{Path, PathBuf};

/// A way to bound a program: a control group of its own where that can be made, which counts all memory with the page
/// cache (that can be given back), else a bound of its writable private memory.
pub struct Limit {
    group: Option<PathBuf>,
    bytes: u64,
}

/// Where control groups are, and how each generation of them calls the bound.
const GROUPS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

impl Limit {
    /// At most so many bytes.
    pub fn new(bytes: u64) -> Limit {
        let mut made = GROUPS
            .into_iter()
            .map(|(root, file)| group(Path::new(root), file, bytes));
        Limit {
            group: made.find_map(|group| group),
            bytes,
        }
    }

    /// How the bound is enforced.
    pub fn describe(&self) -> &'static str {
        match &self.group {
            Some(_) => "a control group's limit",
            None => "ulimit -d",
        }
    }

    /// The program below the limit.
    pub fn bound(&self, program: &Program) -> Program {
        program.after(&match &self.group {
            Some(group) => format!("echo $$ > '{}/cgroup.procs'", group.display()),
            None => format!("ulimit -d {}", self.bytes >> 10),
        })
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // Whoever was in it has ended, and an empty group harms nobody.
        let _ = self.group.as_ref().map(std::fs::remove_dir);
    }
}

fn group(root: &Path, file: &str, bytes: u64) -> Option<PathBuf> {
    let group = root.join(format!("flume-bench-{}", std::process::id()));
    std::fs::create_dir(&group).ok()?;
    if std::fs::write(group.join(file), bytes.to_string()).is_ok() {
        return Some(group);
    }
    // Not a control group, or one without the memory controller.
    let _ = std::fs::remove_dir(&group);
    None
}
