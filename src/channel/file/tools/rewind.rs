//! `--rewind`: what was accepted at or behind a position waits again, as far as it is still on the disk.
//!
//! The logs of acceptances only ever add up, so they are written anew: first one log with all that still
//! counts, synced; then the others go; then the indexes, which are made again from what is left. Killed in
//! between, some of it waits again and the rest does not: nothing that waits is lost, and a second run
//! finishes the work.

use super::{Out, Position, Tools, alone, failure};
use crate::channel::ChannelError;
use crate::channel::file::accept::Accepted;
use crate::channel::file::index::{Amount, Index};
use crate::channel::file::place::failed;
use crate::channel::file::put::lock;
use crate::channel::file::{FileChannel, recover};
use crate::exit::StageResult;
use std::path::Path;

/// What a rewind did.
#[derive(Default)]
pub struct Rewound {
    batches: u64,
    amount: Amount,
    /// Numbers of segments from the position's on that are not there.
    gone: Vec<(u64, u64)>,
}

/// Ask, rewind, and say what comes again and what cannot.
pub fn run(tools: &Tools, from: Position, directory: &Path, name: &str, out: &mut Out) -> StageResult {
    let question = format!(
        "What was accepted at or behind {from} in {} and is still there will be delivered again.",
        directory.display()
    );
    alone::confirm(tools.yes, "--rewind", &question)?;
    let channel = alone::open(directory, name).map_err(failure)?;
    let rewound = rewind(&channel, from).map_err(failure)?;
    drop(channel);
    if out.is_json {
        out.json(&serde_json::json!({
            "rewound_batches": rewound.batches, "rewound_events": rewound.amount.events,
            "rewound_bytes": rewound.amount.bytes, "missing_segments": rewound.gone,
        }));
        return Ok(());
    }
    out.line(format!(
        "{} batches of {} events from {from} on wait again",
        rewound.batches, rewound.amount.events
    ));
    for (first, last) in rewound.gone {
        let which = match first == last {
            true => format!("segment {first} is"),
            false => format!("segments {first} to {last} are"),
        };
        out.line(
            format!("{which} not there any more: what stood in them cannot come again").replace(
                "is not there any more: what stood in them",
                "is not there any more: what stood in it",
            ),
        );
    }
    Ok(())
}

pub fn rewind(channel: &FileChannel, from: Position) -> Result<Rewound, ChannelError> {
    let inner = &channel.inner;
    let core = &inner.core;
    let mut rewound = Rewound::default();
    let mut keep = Accepted::new();
    let mut registry = lock(&inner.registry);
    registry.refresh(core)?;
    let numbers: Vec<u64> = registry.known.keys().copied().collect();
    let mut affected = Vec::new();
    for number in &numbers {
        let Some(opened) = registry.open(core, *number)? else {
            continue;
        };
        if !opened.index.is_sealed() {
            let dir = registry.known.get(number).map_or(0, |known| known.dir);
            recover::salvage(core, *number, &opened)
                .map_err(|error| failed("salvage", &core.place.segment(dir, *number), &error))?;
        }
        let first = match number.cmp(&from.number) {
            std::cmp::Ordering::Less => u32::MAX,
            std::cmp::Ordering::Equal => from.frame,
            std::cmp::Ordering::Greater => 0,
        };
        if rewound.count(&opened.index, first) {
            affected.push(*number);
        }
        keep.insert(*number, ranges_below(&opened.index, first));
    }
    drop(registry);
    rewound.gone = gaps(&numbers, from.number);
    lock(&inner.touched).clear();
    inner.log.replace_all(core, &keep)?;
    for number in affected {
        let path = core.table.index_path(number);
        std::fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))?;
    }
    Ok(rewound)
}

impl Rewound {
    /// Count what comes again of a segment; true if something does.
    fn count(&mut self, index: &Index, first: u32) -> bool {
        let before = self.batches;
        for frame in first.min(index.committed())..index.committed() {
            let entry = index.entry(frame);
            if index.is_accepted(frame) && entry.length > 0 {
                self.batches += 1;
                self.amount.add(entry.amount());
            }
        }
        self.batches > before
    }
}

/// Runs of accepted frames below `end`.
fn ranges_below(index: &Index, end: u32) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for frame in (0..index.committed().min(end)).filter(|frame| index.is_accepted(*frame)) {
        match ranges.last_mut() {
            Some((_, last)) if *last == frame => *last += 1,
            _ => ranges.push((frame, frame + 1)),
        }
    }
    ranges
}

/// Runs of numbers from `from` up to the last that are not among these. Some of them were never used.
fn gaps(numbers: &[u64], from: u64) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    // The first segment of all has number 1.
    let first = from.max(1);
    let mut next = first;
    for number in numbers.iter().filter(|number| **number >= from) {
        if *number > next {
            gaps.push((next, number - 1));
        }
        next = number + 1;
    }
    if next == first && from > 0 {
        gaps.push((first, first));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_missing_are_told_as_runs() {
        assert_eq!(gaps(&[3, 4, 8, 9], 2), [(2, 2), (5, 7)]);
        assert_eq!(gaps(&[3, 4], 3), []);
        assert_eq!(gaps(&[3], 7), [(7, 7)]);
        assert_eq!(gaps(&[1], 0), []);
    }
}
