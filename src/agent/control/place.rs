//! Where the control sockets of a user are.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The directory of this user's sockets: below `$XDG_RUNTIME_DIR`, or a private one below /tmp.
fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
        Some(runtime) => PathBuf::from(runtime).join("flume"),
        None => PathBuf::from(format!("/tmp/flume-{}", rustix::process::geteuid().as_raw())),
    }
}

/// The socket of an agent.
pub fn path_of(agent: &str) -> PathBuf {
    // A name may have what a file's has not.
    let name: String = agent.chars().map(|c| if c == '/' { '_' } else { c }).collect();
    directory().join(format!("agent-{name}.sock"))
}

/// All sockets of this user's agents, also of some that are gone.
pub(crate) fn sockets() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory());
    let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let is_agents = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.starts_with("agent-") && name.ends_with(".sock")
    };
    let mut found: Vec<_> = paths.filter(is_agents).collect();
    found.sort();
    found
}

/// The directory for a socket, made if it is missing, and nobody else's.
///
/// Errors: a sentence.
pub(super) fn prepare(socket: &Path) -> Result<(), String> {
    let Some(parent) = socket.parent().filter(|parent| *parent == directory()) else {
        // A place that was asked for is who asked for it's business.
        return Ok(());
    };
    let shown = parent.display();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(|error| format!("{shown} cannot be made: {error}"))?;
    let meta = std::fs::symlink_metadata(parent).map_err(|error| format!("{shown}: {error}"))?;
    let is_ours = meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw();
    match is_ours && meta.mode() & 0o022 == 0 {
        true => Ok(()),
        false => Err(format!(
            "{shown} belongs to somebody else, or others may write there"
        )),
    }
}
