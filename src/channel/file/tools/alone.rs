//! What the tools that change something share: the channel for themselves, and a person's consent.

use crate::channel::ChannelError;
use crate::channel::file::disk::RealDisk;
use crate::channel::file::place::Place;
use crate::channel::file::{Config, FileChannel};
use crate::exit::StageError;
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::Arc;

/// Open the channel of a directory with nobody else attached, now and until it is closed. `Full` if it is in
/// use.
pub fn open(directory: &Path, name: &str) -> Result<Arc<FileChannel>, ChannelError> {
    let place = Place::find(directory)?;
    let said = name.to_string();
    let config = Config {
        checkpoint_dir: Some(place.checkpoint),
        data_dirs: place.data,
        create: false,
        report: Arc::new(move |sentence| crate::say::warn(&said, sentence)),
        ..Config::new(directory)
    };
    FileChannel::open_alone(config, Arc::new(RealDisk))
}

/// Ask on a terminal whether to go on; elsewhere only `--yes` says so.
pub fn confirm(yes: bool, flag: &str, question: &str) -> Result<(), StageError> {
    if yes {
        return Ok(());
    }
    if !rustix::termios::isatty(io::stdin()) {
        return Err(StageError::Usage(format!(
            "{question} Standard input is no terminal to ask on: confirm {flag} with --yes"
        )));
    }
    crate::say::raw(format!("{question} Go on? [y/N] ").as_bytes());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| StageError::Failed(format!("standard input: {error}")))?;
    match matches!(answer.trim(), "y" | "Y" | "yes") {
        true => Ok(()),
        false => Err(StageError::Failed("nothing was changed".into())),
    }
}
