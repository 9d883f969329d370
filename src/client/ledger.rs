//! A ledger: a file with one line for each batch that was acknowledged, written after it was.
//!
//! A line is a JSON object with the members of [`Entry`]. Lines stand in the order of the acknowledgements. Events
//! are counted from 1 in the order in which they were sent in this run; what is in the ledger was accepted, and
//! what is not may have been accepted, too.

use crate::ack::{Outcome, Promise};
use crate::event::Batch;
use crate::link::{Outlet, SendError, Unsettled};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// When it was acknowledged, in UTC.
    pub time: String,
    /// Random, the same in all lines of one run.
    pub run: String,
    /// The batch: 1, 2, 3 ... in the order of sending.
    pub batch: u64,
    /// The number of its first event.
    pub first: u64,
    /// The number of its last one.
    pub last: u64,
    /// Events.
    pub events: u64,
    /// Their bytes as they are encoded.
    pub bytes: u64,
}

/// An outlet that keeps a ledger of what goes to another one.
pub struct Ledger {
    inner: Arc<dyn Outlet>,
    book: Arc<Book>,
    batches: AtomicU64,
    events: AtomicU64,
}

/// The file of a ledger.
pub struct Book {
    path: PathBuf,
    run: String,
    file: Mutex<File>,
    failed: Mutex<Option<String>>,
}

impl Ledger {
    /// Keep this book of what `inner` accepts.
    pub fn over(inner: Arc<dyn Outlet>, book: Book) -> Ledger {
        Ledger {
            inner,
            book: Arc::new(book),
            batches: AtomicU64::new(0),
            events: AtomicU64::new(0),
        }
    }
}

impl Book {
    /// Append to this file; lines that are there stay. The error is a sentence.
    pub fn open(path: &Path) -> Result<Book, String> {
        let file = File::options().create(true).append(true).open(path);
        let file =
            file.map_err(|error| format!("the ledger {} cannot be opened: {error}", path.display()))?;
        Ok(Book {
            path: path.to_path_buf(),
            run: crate::link::random_hex()[..16].to_string(),
            file: Mutex::new(file),
            failed: Mutex::default(),
        })
    }

    fn write(&self, batch: u64, first: u64, events: u64, bytes: u64) {
        let entry = Entry {
            time: crate::say::now(),
            run: self.run.clone(),
            batch,
            first,
            last: first + events - 1,
            events,
            bytes,
        };
        let mut line = serde_json::to_vec(&entry).unwrap_or_default();
        line.push(b'\n');
        // One write: a line is there whole, or after a kill not at all.
        let written = self
            .file
            .lock()
            .unwrap_or_else(|p| p.into_inner())
            .write_all(&line);
        if let Err(error) = written {
            let why = format!("the ledger {} cannot be written: {error}", self.path.display());
            let mut failed = self.failed.lock().unwrap_or_else(|p| p.into_inner());
            failed.get_or_insert(why);
        }
    }

    fn check(&self) -> Result<(), SendError> {
        match &*self.failed.lock().unwrap_or_else(|p| p.into_inner()) {
            Some(why) => Err(SendError::Failed(why.clone())),
            None => Ok(()),
        }
    }
}

impl Outlet for Ledger {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        self.book.check()?;
        let (events, bytes) = (u64::from(batch.len()), batch.bytes() as u64);
        let number = self.batches.fetch_add(1, Ordering::SeqCst) + 1;
        let first = self.events.fetch_add(events, Ordering::SeqCst) + 1;
        let book = self.book.clone();
        let noting = Promise::hook(move |outcome| {
            if outcome == Outcome::Accepted && events > 0 {
                book.write(number, first, events, bytes);
            }
            promise.settle(outcome);
        });
        self.inner.send_promised(batch, noting)
    }

    fn flush(&self) -> Result<(), SendError> {
        self.inner.flush()
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.inner.ask_flush()
    }

    fn break_off(&self) {
        self.inner.break_off();
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        self.inner.finish(deadline)?;
        self.book.check()
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        self.inner.on_settled(then);
    }

    fn unsettled(&self) -> Unsettled {
        self.inner.unsettled()
    }

    fn why_closed(&self) -> Option<String> {
        self.inner.why_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::link::testing::Collect;

    fn batch(events: u32) -> Batch {
        let mut builder = crate::event::BatchBuilder::new();
        (0..events).for_each(|_| builder.push_event(&Event::new("x")));
        builder.finish()
    }

    fn entries(path: &Path) -> Vec<(u64, u64, u64)> {
        let text = std::fs::read_to_string(path).unwrap();
        let entries = text
            .lines()
            .map(|line| serde_json::from_str::<Entry>(line).unwrap());
        entries
            .map(|entry| (entry.batch, entry.first, entry.last))
            .collect()
    }

    #[test]
    fn line_is_written_when_its_batch_was_accepted_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let collect = Collect::holding();
        let ledger = Ledger::over(Arc::new(collect.clone()), Book::open(&path).unwrap());
        let receipts = [3, 2, 4].map(|events| ledger.send(batch(events)).unwrap());
        assert!(entries(&path).is_empty());
        collect.settle_newest(Outcome::Lost);
        collect.settle_newest(Outcome::Accepted);
        assert_eq!(entries(&path), [(2, 4, 5)]);
        collect.settle_newest(Outcome::Accepted);
        assert_eq!(entries(&path), [(2, 4, 5), (1, 1, 3)]);
        let outcomes = receipts.map(|receipt| receipt.wait());
        assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted, Outcome::Lost]);
    }

    #[test]
    fn ledger_that_can_not_be_written_ends_the_sending() {
        let book = Book::open(Path::new("/dev/full")).unwrap();
        let ledger = Ledger::over(Arc::new(Collect::accepting()), book);
        // It was accepted, whatever becomes of the line.
        assert_eq!(ledger.send(batch(1)).unwrap().wait(), Outcome::Accepted);
        let Err(SendError::Failed(why)) = ledger.send(batch(1)) else {
            panic!("it was sent");
        };
        assert!(why.contains("the ledger /dev/full cannot be written"), "{why}");
        assert!(ledger.finish(None).is_err());
        assert!(Book::open(Path::new("/nowhere/ledger")).is_err());
    }
}
