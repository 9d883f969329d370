//! `--list`: the batches that wait, a line each.

use super::{Out, Position, shown_age};
use crate::channel::ChannelError;
use crate::channel::file::index::Claim;
use crate::channel::file::viewer::{Viewer, Waiting, WaitingFrame};
use serde::Serialize;
use std::path::Path;

/// A batch that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Where it stands, as `--skip` and `--rewind` take it.
    pub position: String,
    /// The same as streams have it.
    pub origin: u64,
    /// Events.
    pub events: u32,
    /// Bytes of their encoded form.
    pub bytes: u32,
    /// Milliseconds since it was put, if that is known.
    pub age_ms: Option<u64>,
    /// `waiting` or `claimed`.
    pub state: &'static str,
    /// The process that has it.
    pub pid: Option<u64>,
}

/// All batches of a directory that are not accepted, oldest first; `false` from `each` ends it. Damaged places
/// are told to `damaged`.
pub fn list(
    directory: &Path,
    mut each: impl FnMut(Listed) -> bool,
    mut damaged: impl FnMut(&str),
) -> Result<(), ChannelError> {
    let viewer = Viewer::new(directory)?;
    for (number, dir) in viewer.place.segments(&viewer.disk)? {
        let Some(waiting) = viewer.look(dir, number)? else {
            continue;
        };
        waiting.damage.iter().for_each(|what| damaged(what));
        for found in &waiting.frames {
            if !each(listed(&viewer, number, &waiting, *found)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn listed(viewer: &Viewer, number: u64, waiting: &Waiting, found: WaitingFrame) -> Listed {
    let position = Position {
        number,
        frame: found.frame,
    };
    let pid = match (found.claim, &viewer.onlooker) {
        (Claim::Claimed { slot, id }, Some(onlooker)) => onlooker.claimant(slot, id),
        _ => None,
    };
    Listed {
        position: position.to_string(),
        origin: position.origin(),
        events: found.entry.events,
        bytes: found.entry.raw,
        age_ms: viewer.age(number, &*waiting.file, waiting.created, found.entry),
        state: if pid.is_some() { "claimed" } else { "waiting" },
        pid,
    }
}

impl Listed {
    fn text(&self) -> String {
        let age = self.age_ms.map_or("age unknown".to_string(), shown_age);
        let state = match self.pid {
            Some(pid) => format!("claimed by process {pid}"),
            None => "waiting".to_string(),
        };
        format!(
            "{:<12} {:>8} events {:>10} bytes {age:>11} {state}",
            self.position, self.events, self.bytes
        )
    }
}

/// Print them; damage goes to standard error.
pub fn run(directory: &Path, name: &str, out: &mut Out) -> Result<(), ChannelError> {
    let mut damaged = 0;
    let each = |listed: Listed| {
        match out.is_json {
            true => out.json(&listed),
            false => out.line(listed.text()),
        }
        !out.is_over()
    };
    list(directory, each, |what| {
        damaged += 1;
        crate::say::warn(name, what);
    })?;
    match damaged {
        0 => Ok(()),
        damaged => Err(ChannelError::Failed(format!(
            "everything whole was listed; damaged places that were passed over: {damaged}"
        ))),
    }
}
