//! The segments that one process knows of, and how much is in them.

use super::core::Core;
use super::index::{Amount, Index};
use super::place::failed;
use super::recover::{self, Opened};
use super::segment;
use super::shm;
use crate::channel::ChannelError;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// One segment.
pub struct Known {
    /// Its data directory.
    pub dir: usize,
    /// Its file and index, once somebody needed them.
    pub opened: Option<Arc<Opened>>,
    /// What is in it, if that is known without an index.
    totals: Option<Amount>,
    /// Its index, where only counting needs it.
    counted: Option<Index>,
    /// Below this no frame waits, unless [`super::table::Table::rewinds`] has changed.
    pub cursor: u32,
}

/// All of them, in the order of their numbers, which is the order of taking.
pub struct Registry {
    pub known: BTreeMap<u64, Known>,
    seen: Option<u64>,
    /// As of when cursors are right.
    pub rewinds: u64,
    /// When all claims were last looked at, by the clock of leases.
    pub swept: u64,
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            known: BTreeMap::new(),
            seen: None,
            rewinds: 0,
            swept: shm::now_ns(),
        }
    }
}

impl Registry {
    /// Look for new segments, if there are any.
    pub fn refresh(&mut self, core: &Core) -> Result<(), ChannelError> {
        let now = core.table.segments_changed().load(Ordering::SeqCst);
        if self.seen == Some(now) {
            return Ok(());
        }
        let listed: BTreeMap<u64, usize> = core.place.segments(&*core.disk)?.into_iter().collect();
        self.known.retain(|number, _| listed.contains_key(number));
        for (number, dir) in listed {
            let known = self.known.entry(number).or_insert(Known {
                dir,
                opened: None,
                totals: None,
                counted: None,
                cursor: 0,
            });
            // Somebody may have made its index meanwhile, and count in it.
            known.totals = None;
        }
        self.seen = Some(now);
        Ok(())
    }

    /// The segment with its index; `None`, and forgotten, if it is gone.
    pub fn open(&mut self, core: &Core, number: u64) -> Result<Option<Arc<Opened>>, ChannelError> {
        let Some(known) = self.known.get_mut(&number) else {
            return Ok(None);
        };
        if let Some(opened) = &known.opened {
            return Ok(Some(opened.clone()));
        }
        match recover::open(core, known.dir, number)? {
            Some(opened) => {
                let opened = Arc::new(opened);
                known.opened = Some(opened.clone());
                known.counted = None;
                Ok(Some(opened))
            }
            None => {
                self.known.remove(&number);
                Ok(None)
            }
        }
    }

    /// Put away a segment if nothing can come from it any more. False if it is still there.
    pub fn dispose(&mut self, core: &Core, number: u64, index: &Index) -> bool {
        if !index.is_drained() {
            return false;
        }
        let known = self.known.remove(&number);
        known.is_none_or(|known| recover::dispose(core, known.dir, number, index))
    }

    /// What is in the channel and not accepted; `exactly` by every claim word, which is slow.
    pub fn count(&mut self, core: &Core, exactly: bool) -> Result<Amount, ChannelError> {
        self.refresh(core)?;
        let mut sum = Amount::default();
        let numbers: Vec<u64> = self.known.keys().copied().collect();
        for number in numbers {
            sum.add(self.count_one(core, number, exactly)?);
        }
        Ok(sum)
    }

    /// How long the oldest frame that is not accepted has been there, if that is known. It is looked for in the first
    /// segment in which there is one and in those that are open: others are behind.
    pub fn oldest(&mut self, core: &Core) -> Result<Option<Duration>, ChannelError> {
        self.refresh(core)?;
        let numbers: Vec<u64> = self.known.keys().copied().collect();
        let mut oldest = None;
        for number in numbers {
            let is_open = |known: &Known| known.opened.is_some();
            let looks = oldest.is_none() || self.known.get(&number).is_some_and(is_open);
            if looks && self.count_one(core, number, false)?.events > 0 {
                let opened = self.open(core, number)?;
                oldest = oldest.max(opened.and_then(|opened| age_in(core, number, &opened)));
            }
        }
        Ok(oldest)
    }

    fn count_one(&mut self, core: &Core, number: u64, exactly: bool) -> Result<Amount, ChannelError> {
        let by = |index: &Index| match exactly {
            true => index.waiting_exactly(),
            false => index.waiting(),
        };
        let Some(known) = self.known.get_mut(&number) else {
            return Ok(Amount::default());
        };
        if let Some(opened) = &known.opened {
            return Ok(by(&opened.index));
        }
        if let Some(amount) = known.totals {
            return Ok(amount);
        }
        if known.counted.is_none() {
            known.counted = Index::open(&core.table.index_path(number), number).ok();
        }
        if let Some(index) = &known.counted {
            return Ok(by(index));
        }
        if !core.accepted.contains_key(&number)
            && let Some(amount) = totals(core, known.dir, number)?
        {
            known.totals = Some(amount);
            return Ok(amount);
        }
        let opened = self.open(core, number)?;
        Ok(opened.map_or(Amount::default(), |opened| by(&opened.index)))
    }
}

/// How long the first frame of a segment that is not accepted has been there.
fn age_in(core: &Core, number: u64, opened: &Opened) -> Option<Duration> {
    let first = opened.index.first();
    if first >= opened.index.committed() {
        return None;
    }
    let entry = opened.index.entry(first);
    let header = segment::header_of(&*opened.file, number, entry).ok()?;
    let age = segment::age(core.disk.clock_ms(), opened.created(number), header.since);
    age.map(Duration::from_millis)
}

/// What the head of a sealed segment says.
fn totals(core: &Core, dir: usize, number: u64) -> Result<Option<Amount>, ChannelError> {
    let path = core.place.segment(dir, number);
    let read = core
        .disk
        .open_to_read(&path)
        .and_then(|file| segment::read_head(&*file, number));
    match read {
        Ok(head) => Ok(head.totals.map(|totals| totals.amount)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(Amount::default())),
        Err(error) => Err(failed("read", &path, &error)),
    }
}
