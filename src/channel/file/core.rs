//! What all parts of an open channel share.

use super::Config;
use super::accept::Accepted;
use super::disk::Disk;
use super::place::{Place, unusable};
use super::table::Table;
use crate::channel::ChannelError;
use std::sync::Arc;

/// Called with a sentence about something that a person may want to know.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// Room for some indexes and a log: what the first drained segments need to be drained.
const BALLAST: u64 = 1 << 20;

/// What all parts of an open channel share.
pub struct Core {
    pub config: Config,
    pub place: Place,
    pub disk: Arc<dyn Disk>,
    pub table: Table,
    pub report: Report,
    /// What the logs of acceptances said when we attached: counts for segments without an index. As long as
    /// a segment has none, nobody of this boot can have accepted any of it.
    pub accepted: Accepted,
}

impl Core {
    /// Set aside what rebuilding needs when the disk is full. Without it takers still work wherever there is
    /// an index.
    pub fn keep_ballast(&self) {
        let path = self.place.ballast();
        let made = self.disk.create(&path).and_then(|file| file.reserve(0, BALLAST));
        if let Err(error) = made
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            let _ = self.disk.unlink(&path);
        }
    }

    /// Give the ballast up; false if there was none.
    pub fn drop_ballast(&self) -> bool {
        self.disk.unlink(&self.place.ballast()).is_ok()
    }

    /// Removed segments stay removed when this returns well.
    pub fn sync_data_dirs(&self) -> std::io::Result<()> {
        self.place
            .data
            .iter()
            .try_for_each(|path| self.disk.sync_dir(path))
    }

    /// The directory was not removed under us.
    pub fn check_there(&self) -> Result<(), ChannelError> {
        match self.table.is_there() {
            true => Ok(()),
            false => Err(self.removed()),
        }
    }

    /// What to say when it was.
    pub fn removed(&self) -> ChannelError {
        unusable(format!(
            "{} was removed while this process used it, what is put into it now would be lost; start again to \
             make it anew",
            self.place.directory.display()
        ))
    }

    /// The putter in whose index this stands may still append.
    pub fn is_writer_alive(&self, index: &super::index::Index) -> bool {
        self.table.is_owner_alive(index.owner())
    }
}
