//! Positions are noted: from time to time, and at the end.

use super::positions::Record;
use super::tail::{Tail, has_name};
use super::tracked::Tracked;
use crate::exit::{StageError, StageResult};
use crate::say;
use std::time::{Duration, Instant};

/// Files that have come or gone are noted sooner than what was accepted: by their names nobody could know them again.
const SOON: Duration = Duration::from_millis(100);

impl Tail {
    fn records_now(&self) -> Vec<Record> {
        let record = |file: &Tracked| Record {
            size: file.seen.0,
            born: file.born,
            fingerprint: file.fingerprint(),
            left: !file.is_here,
            ..Record::new(file.identity, &file.path, file.accepted())
        };
        let mut records: Vec<Record> = self.files.values().map(record).collect();
        records.extend(self.records.iter().cloned());
        records.sort_by(|one, other| (&one.path, one.inode).cmp(&(&other.path, other.inode)));
        records
    }

    /// When positions are to be noted.
    pub fn note_at(&self) -> Option<Instant> {
        let pause = match self.has_moved {
            true => self.habits.write.min(SOON),
            false => self.habits.write,
        };
        self.has_news.then(|| self.noted + pause)
    }

    pub fn note_if_due(&mut self, name: &str) {
        if self.note_at().is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.noted = Instant::now();
        self.has_moved = false;
        let is_settled = self.files.values().all(Tracked::is_settled);
        match self.store.note(&self.records_now()) {
            Ok(()) => {
                self.has_news = !is_settled;
                if std::mem::take(&mut self.note_failed) {
                    say::info(name, format!("{} is written again", self.store.path().display()));
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.note_failed, true) {
                    say::warn(
                        name,
                        format!(
                            "the position file {} cannot be written: {error}; it is tried again, and until then a restart \
                             repeats what was accepted since",
                            self.store.path().display()
                        ),
                    );
                }
            }
        }
    }

    /// Note what was accepted, for the next start.
    pub fn stop(&mut self) -> StageResult {
        // What was deleted and is accepted needs no entry.
        let is_over = |file: &Tracked| !file.is_here && file.unread() == 0 && file.is_settled();
        self.files
            .retain(|_, file| !is_over(file) || file.file.as_ref().is_some_and(has_name));
        self.store.note(&self.records_now()).map_err(|error| {
            StageError::Failed(format!(
                "the position file {} cannot be written: {error}; the next start repeats what was accepted since it was",
                self.store.path().display()
            ))
        })
    }
}
