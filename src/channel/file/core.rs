//! What all parts of an open channel share.

use super::Config;
use super::accept::Accepted;
use super::disk::Disk;
use super::place::Place;
use super::table::Table;
use std::sync::Arc;

/// Called with a sentence about something that a person may want to know.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

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
    /// Removed segments stay removed when this returns well.
    pub fn sync_data_dirs(&self) -> std::io::Result<()> {
        self.place
            .data
            .iter()
            .try_for_each(|path| self.disk.sync_dir(path))
    }

    /// The putter in whose index this stands may still append.
    pub fn is_writer_alive(&self, index: &super::index::Index) -> bool {
        self.table.is_owner_alive(index.owner())
    }
}
