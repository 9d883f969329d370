//! The tools that change something, with a crash at each of their calls, too.
//!
//! Each needs the channel for itself, so that everybody else has gone before.

use super::model::Model;
use super::world::{SLOTS, World};
use crate::channel::ChannelError;
use crate::channel::file::put::lock;
use crate::channel::file::table::Table;
use crate::channel::file::tools::{Position, repair, rewind, skip};
use crate::channel::file::{FileChannel, Role};

impl World {
    /// `--skip` below one of the positions that somebody has seen, or behind all.
    pub(super) fn skip(&self, slot: usize, which: usize) {
        let below = self.model.borrow().position(which);
        let begun = |model: &mut Model| model.begins_to_skip();
        let act = |channel: &FileChannel| skip::skip(channel, position(below.unwrap_or(u64::MAX))).map(drop);
        if self.tool(slot, begun, act) {
            self.model.borrow_mut().skipped(below);
        }
    }

    /// `--rewind` to one of the positions that somebody has seen, or to the first.
    pub(super) fn rewind(&self, slot: usize, which: usize) {
        let from = self.model.borrow().position(which).unwrap_or(0);
        let begun = |model: &mut Model| model.rewinds(from);
        self.tool(slot, begun, |channel| {
            rewind::rewind(channel, position(from)).map(drop)
        });
    }

    /// What `--repair` does with a damaged segment, with one that is sound: all of it must be saved.
    pub(super) fn mend(&self, slot: usize, which: usize) {
        let begun = |model: &mut Model| model.begins_to_mend();
        let act = |channel: &FileChannel| {
            let inner = &channel.inner;
            lock(&inner.registry).refresh(&inner.core)?;
            let all: Vec<_> = lock(&inner.registry)
                .known
                .iter()
                .map(|(number, known)| (*number, known.dir))
                .collect();
            match which.checked_rem(all.len()).map(|index| all[index]) {
                Some((number, dir)) => repair::mend_segment(inner, number, dir).map(drop),
                None => Ok(()),
            }
        };
        if self.tool(slot, begun, act) {
            self.model.borrow_mut().mended();
        }
    }

    /// Use a tool with the channel for itself: true if it came to its end.
    fn tool(
        &self,
        slot: usize,
        begun: impl FnOnce(&mut Model),
        act: impl FnOnce(&FileChannel) -> Result<(), ChannelError>,
    ) -> bool {
        if self.busy.borrow().len() > 1 {
            // Somebody is in the middle of a call, and the tool would be told so.
            return false;
        }
        (0..SLOTS).for_each(|other| self.close(other));
        // Somebody else may come in the middle of that, and then the tool is turned away.
        self.is_alone.set(true);
        if !self.open_by(slot, Role::Both, Table::attach_alone) {
            return false;
        }
        let Some((channel, _)) = self.channel(slot) else {
            return false;
        };
        begun(&mut self.model.borrow_mut());
        let used = act(&channel);
        drop(channel);
        self.disk.say(format!("     tool: {used:?}"));
        if let Err(error) = &used
            && !self.is_disk_bad()
        {
            self.fail(format!("the tool failed: {error}"));
        }
        self.close(slot);
        self.is_alone.set(false);
        used.is_ok()
    }
}

fn position(origin: u64) -> Position {
    origin.to_string().parse().unwrap()
}
