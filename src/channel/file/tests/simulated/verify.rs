//! What has to hold when a program is over.

use super::world::{SLOTS, World};
use crate::channel::Channel;
use crate::channel::file::put::lock;
use crate::channel::file::{Role, Sync};
use std::time::Duration;

impl World {
    /// Take everything, compare, and put something. `after_cut`: nothing was left but the disk.
    pub fn verify(&self, after_cut: bool) -> Result<(), String> {
        let slot = SLOTS - 1;
        self.disk.say("verify".into());
        self.pass(Duration::from_secs(1));
        self.open(slot, Role::Both);
        self.check()?;
        let Some((channel, _)) = self.channel(slot) else {
            return Err("the channel cannot be opened".into());
        };
        self.ask_drained(slot);
        let (said, (least, _)) = (channel.fill().events, self.model.borrow().bounds());
        let dropped = channel.expired();
        let taken = self.drain(slot)? + channel.expired() - dropped;
        self.model.borrow_mut().drained();
        self.check()?;
        let is_right = match (self.setup.sync, after_cut) {
            // Totals may have reached the disk before the events.
            (Sync::Never, _) if self.disk.cuts() > 0 => true,
            (Sync::Every(_), _) if self.is_lossy.get() => true,
            (_, true) => said == taken,
            // What the dead have left is not counted before somebody looks at it.
            (_, false) => said >= least && said <= taken,
        };
        if !is_right {
            return Err(format!("it held {taken} events and said {said}"));
        }
        self.put(0, &[(1, 20), (2, 30)]);
        self.close(0);
        if self.drain(slot)? != 3 {
            return Err("what was put in the end does not come".into());
        }
        self.model.borrow_mut().drained();
        let fill = channel.fill().events;
        drop(channel);
        self.keep(slot);
        self.close(slot);
        self.check()?;
        match fill {
            0 => self.look_at_leftovers(),
            _ => Err(format!("it is empty and says that it holds {fill} events")),
        }
    }

    /// Take until nothing comes, accept, and count the events.
    fn drain(&self, slot: usize) -> Result<u64, String> {
        let mut events = 0;
        loop {
            self.take(slot);
            self.check()?;
            let held = self.actors.borrow()[slot]
                .as_ref()
                .map_or(0, |actor| actor.held.len());
            let last = self.actors.borrow()[slot]
                .as_ref()
                .and_then(|actor| actor.held.last().map(|(_, delivery)| delivery.batch.len()));
            match last {
                None => return Ok(events),
                Some(last) => events += u64::from(last),
            }
            for _ in 0..held {
                self.accept(slot, 0);
            }
            self.check()?;
        }
    }

    /// An empty channel leaves no segments; nothing was called damaged that is not.
    fn look_at_leftovers(&self) -> Result<(), String> {
        let directory = self.root.join("channel");
        let dirs = ["data", "disk0", "disk1"].map(|name| directory.join(name));
        let names = dirs.iter().flat_map(|path| self.disk.names(path));
        let left: Vec<_> = names.filter(|name| name.ends_with(".seg")).collect();
        if !left.is_empty() {
            return Err(format!("an empty channel leaves {left:?}"));
        }
        let is_lossy = matches!(self.setup.sync, Sync::Every(_)) && self.is_lossy.get();
        if self.setup.sync == Sync::Never || is_lossy {
            // What was lost with the power is told as damage: nobody ever synced it.
            return Ok(());
        }
        let words = ["damaged", "quarantine", " is lost", " are lost"];
        let has_mended = self.model.borrow().has_mended();
        let is_wrong = |text: &&String| {
            if has_mended && text.starts_with("moved ") {
                return false;
            }
            // What a crash tore was never acknowledged.
            !text.contains("never finished") && words.iter().any(|word| text.contains(word))
        };
        match lock(&self.reports).iter().find(is_wrong) {
            Some(text) => Err(format!("it was said: {text}")),
            None => Ok(()),
        }
    }
}
