//! Files to which nothing was added for a while: what stands at their end is delivered, they are closed, and those that
//! are over are forgotten.

use super::identity::Identity;
use super::tail::Tail;
use super::tracked::Tracked;
use crate::exit::{StageError, StageResult};
use crate::stage::ChannelProcessor;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Tail {
    /// It may be idle after its time.
    pub fn care_soon(&mut self, file: &Tracked) {
        self.care_by(file.progress + self.habits.idle);
    }

    /// Everything was read: also the last event of several lines in each file.
    pub fn is_complete(&mut self, to: &Arc<ChannelProcessor>) -> Result<bool, StageError> {
        if self.habits.multiline.is_none() {
            return Ok(true);
        }
        let open = self
            .files
            .values()
            .filter(|file| file.unread() > 0 && !file.has_failed);
        let open: Vec<Identity> = open.map(|file| file.identity).collect();
        for identity in open {
            let Some(file) = self.files.get_mut(&identity) else {
                continue;
            };
            if let Err(trouble) = file.take_rest(true, &mut self.reader, to) {
                self.has_trouble(identity, trouble, to)?;
            }
        }
        Ok(self.dirty.is_empty())
    }

    pub fn care_by(&mut self, at: Instant) {
        self.care_at = Some(self.care_at.map_or(at, |care| care.min(at)));
    }

    /// Deliver what is complete since nothing was added, close what is idle, forget what is over.
    pub fn care(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        if self.care_at.is_none_or(|at| at > Instant::now()) {
            return Ok(());
        }
        self.care_at = None;
        let is_watched =
            |file: &Tracked| !file.is_dirty && (file.file.is_some() || file.unread() > 0 || !file.is_here);
        let all = self.files.values().filter(|file| is_watched(file));
        let all: Vec<Identity> = all.map(|file| file.identity).collect();
        for identity in all {
            self.care_for(identity, to)?;
        }
        Ok(())
    }

    fn care_for(&mut self, identity: Identity, to: &Arc<ChannelProcessor>) -> StageResult {
        let Some(file) = self.files.get_mut(&identity) else {
            return Ok(());
        };
        let idle_at = file.progress + self.habits.idle;
        let now = Instant::now();
        let is_idle = now >= idle_at;
        let complete_at = self.habits.multiline.map(|multiline| file.progress + multiline);
        if file.unread() > 0 && (is_idle || complete_at.is_some_and(|at| now >= at)) {
            let was_open = file.file.is_some();
            let taken = file.take_rest(!is_idle, &mut self.reader, to);
            self.open = self.open - usize::from(was_open) + usize::from(file.file.is_some());
            self.has_news = true;
            match taken {
                Ok(true) => {}
                // Nothing whole, or something new.
                Ok(false) if is_idle => {
                    self.mark(identity);
                    return Ok(());
                }
                Ok(false) => {}
                Err(trouble) => return self.has_trouble(identity, trouble, to),
            }
        } else if let Some(at) = complete_at.filter(|at| file.unread() > 0 && *at > now) {
            self.care_by(at);
        }
        match is_idle {
            true => self.close(identity),
            false => self.care_by(idle_at),
        }
        Ok(())
    }

    /// It was idle. What does not match any more is forgotten when all of it was accepted.
    fn close(&mut self, identity: Identity) {
        let Some(file) = self.files.get_mut(&identity) else {
            return;
        };
        if !file.is_here && !file.is_settled() {
            return self.care_by(Instant::now() + Duration::from_secs(1));
        }
        self.open -= usize::from(file.file.take().is_some());
        if let Some(watch) = file.watch.take_if(|_| !file.is_here) {
            self.watch.remove(watch);
        }
        if !file.is_here {
            self.files.remove(&identity);
            self.has_others = true;
            self.has_news = true;
        }
    }

    /// Descriptors are not for ever.
    pub fn close_some(&mut self) {
        if self.open > self.most_open {
            self.close_all_idle();
        }
    }

    pub fn close_all_idle(&mut self) {
        for file in self.files.values_mut() {
            if file.is_here && !file.is_dirty && file.file.take().is_some() {
                self.open -= 1;
            }
        }
    }
}
