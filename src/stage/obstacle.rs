//! What of this machine would be in the way of a component: what `flume check --deep` tells before anything is started.
//! Nothing is changed by looking.

use rustix::fs::{Access, access};
use std::path::Path;

/// Something that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The property that leads to it.
    pub property: String,
    /// A sentence without its end.
    pub what: String,
    /// The component would not start; else it would, and leave out something.
    pub prevents: bool,
}

impl Obstacle {
    /// The component would not start.
    pub fn fatal(property: impl Into<String>, what: impl Into<String>) -> Obstacle {
        Obstacle {
            property: property.into(),
            what: what.into(),
            prevents: true,
        }
    }

    /// It would start without something.
    pub fn lack(property: impl Into<String>, what: impl Into<String>) -> Obstacle {
        Obstacle {
            prevents: false,
            ..Obstacle::fatal(property, what)
        }
    }
}

/// A directory that is there, and may be used so.
fn is_usable(directory: &Path, how: Access, what: &str) -> Result<(), String> {
    let meta = std::fs::metadata(directory).map_err(|error| error.to_string())?;
    if !meta.is_dir() {
        return Err("that is no directory".into());
    }
    access(directory, how | Access::EXEC_OK).map_err(|error| format!("it cannot be {what}: {error}"))
}

/// A directory that is there and can be listed.
pub fn is_readable(directory: &Path) -> Result<(), String> {
    is_usable(directory, Access::READ_OK, "listed")
}

/// A directory that is there and takes files.
pub fn is_writable(directory: &Path) -> Result<(), String> {
    is_usable(directory, Access::WRITE_OK, "written")
}

/// A directory that is there and takes files, or that can be made.
pub fn may_be_made(directory: &Path) -> Result<(), String> {
    let there = directory
        .ancestors()
        .find(|above| above.symlink_metadata().is_ok());
    match there {
        Some(there) => is_writable(there).map_err(|why| format!("{}: {why}", there.display())),
        // A relative path in a directory of which nothing is there.
        None => is_writable(Path::new(".")),
    }
}

/// A file that can be written in place of one that may be there: its directory takes files, or can be made.
pub fn file_may_be_made(file: &Path) -> Result<(), String> {
    if file.is_dir() {
        return Err("that is a directory, and no file".into());
    }
    match file.parent().filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => may_be_made(above),
        None => is_writable(Path::new(".")),
    }
}
