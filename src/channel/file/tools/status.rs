//! `--status`: how much waits, how old it is, and who puts and takes. Seen without attaching.

use super::Out;
use crate::channel::ChannelError;
use crate::channel::file::Role;
use crate::channel::file::disk::Disk;
use crate::channel::file::place::failed;
use crate::channel::file::viewer::{Seen, Viewer};
use crate::value::Size;
use serde::Serialize;
use std::path::Path;

/// How much is in a channel, and who uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Events that are not accepted.
    pub events: u64,
    /// Bytes of their encoded form.
    pub bytes: u64,
    /// Milliseconds since the oldest of them was put; 0 when there are none, `None` if it is not known.
    pub oldest_age_ms: Option<u64>,
    /// Processes that put.
    pub putters: Vec<Attached>,
    /// Processes that take.
    pub takers: Vec<Attached>,
    /// Segments.
    pub segments: u64,
    /// Bytes that are free where they are; of several places the least.
    pub free_bytes: u64,
    /// Damaged segments that were moved aside.
    pub quarantined: u64,
    /// The name that origins count in.
    pub id: String,
}

/// A process that uses a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// Its id, in the name space of processes that it lives in.
    pub pid: u64,
}

/// How much is in the channel of a directory, and who uses it.
pub fn status(directory: &Path) -> Result<Status, ChannelError> {
    let viewer = Viewer::new(directory)?;
    let segments = viewer.place.segments(&viewer.disk)?;
    let mut status = Status {
        oldest_age_ms: Some(0),
        segments: segments.len() as u64,
        free_bytes: free(&viewer)?,
        quarantined: (0..viewer.place.data.len())
            .map(|dir| viewer.place.quarantine(dir))
            .map(|path| viewer.disk.names(&path).map_or(0, |names| names.len() as u64))
            .sum(),
        id: viewer.place.id.clone(),
        ..Status::default()
    };
    for (pid, role) in viewer.onlooker.iter().flat_map(|onlooker| onlooker.all()) {
        let attached = Attached { pid };
        status.putters.extend((role != Role::Take).then_some(attached));
        status.takers.extend((role != Role::Put).then_some(attached));
    }
    for (number, dir) in segments {
        status.add(viewer.seen(dir, number)?);
    }
    Ok(status)
}

fn free(viewer: &Viewer) -> Result<u64, ChannelError> {
    let mut least = u64::MAX;
    for path in &viewer.place.data {
        let free = viewer.disk.free(path);
        least = least.min(free.map_err(|error| failed("ask for the free space of", path, &error))?);
    }
    Ok(least)
}

impl Status {
    fn add(&mut self, seen: Seen) {
        if seen.amount.events > 0 {
            self.events += seen.amount.events;
            self.bytes += seen.amount.bytes;
            // Of one unknown age nobody can say that it is not the oldest.
            self.oldest_age_ms = self
                .oldest_age_ms
                .zip(seen.age)
                .map(|(one, other)| one.max(other));
        }
    }

    fn text(&self) -> String {
        let pids = |all: &[Attached]| match all {
            [] => "none".to_string(),
            all => {
                let all: Vec<_> = all.iter().map(|attached| attached.pid.to_string()).collect();
                format!("process {}", all.join(", "))
            }
        };
        let oldest = match self.oldest_age_ms {
            _ if self.events == 0 => "nothing waits".to_string(),
            None => "unknown".to_string(),
            Some(age) => super::shown_age(age),
        };
        format!(
            "events       {}\nbytes        {}\noldest       {oldest}\nputters      {}\ntakers       {}\n\
             segments     {}\nfree         {}\nquarantined  {}",
            self.events,
            Size(self.bytes),
            pids(&self.putters),
            pids(&self.takers),
            self.segments,
            Size(self.free_bytes),
            self.quarantined,
        )
    }
}

/// Show it.
pub fn run(directory: &Path, out: &mut Out) -> Result<(), ChannelError> {
    let status = status(directory)?;
    match out.is_json {
        true => out.json(&status),
        false => out.line(status.text()),
    }
    Ok(())
}
