//! `--skip`: everything that waits below a position counts as accepted.

use super::{Out, Position, Tools, alone, failure, list};
use crate::channel::ChannelError;
use crate::channel::file::index::{ACCEPTED, Amount};
use crate::channel::file::place::failed;
use crate::channel::file::put::lock;
use crate::channel::file::{FileChannel, recover};
use crate::exit::StageResult;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Ask, skip, and say what was skipped.
pub fn run(tools: &Tools, below: Position, directory: &Path, name: &str, out: &mut Out) -> StageResult {
    let (mut batches, mut events) = (0u64, 0u64);
    let count = |listed: list::Listed| {
        if listed.origin < below.origin() {
            batches += 1;
            events += u64::from(listed.events);
        }
        true
    };
    list::list(directory, count, |_| {}).map_err(failure)?;
    let question = format!(
        "{batches} batches of {events} events that wait below {below} in {} will never be delivered.",
        directory.display()
    );
    alone::confirm(tools.yes, "--skip", &question)?;
    let channel = alone::open(directory, name).map_err(failure)?;
    let (batches, amount) = skip(&channel, below).map_err(failure)?;
    match out.is_json {
        true => out.json(&serde_json::json!({
            "skipped_batches": batches, "skipped_events": amount.events, "skipped_bytes": amount.bytes,
        })),
        false => out.line(format!(
            "skipped {batches} batches of {} events below {below}",
            amount.events
        )),
    }
    Ok(())
}

/// Accept what waits below a position; how much it was. Noted in the log and synced before any segment goes.
pub fn skip(channel: &FileChannel, below: Position) -> Result<(u64, Amount), ChannelError> {
    let inner = &channel.inner;
    let core = &inner.core;
    let (mut batches, mut amount) = (0, Amount::default());
    let mut registry = lock(&inner.registry);
    registry.refresh(core)?;
    let numbers: Vec<u64> = registry
        .known
        .range(..=below.number)
        .map(|(number, _)| *number)
        .collect();
    let mut drained = Vec::new();
    for number in numbers {
        let Some(opened) = registry.open(core, number)? else {
            continue;
        };
        let index = &opened.index;
        if !index.is_sealed() {
            let dir = registry.known.get(&number).map_or(0, |known| known.dir);
            recover::salvage(core, number, &opened)
                .map_err(|error| failed("salvage", &core.place.segment(dir, number), &error))?;
        }
        let end = match number < below.number {
            true => index.committed(),
            false => index.committed().min(below.frame),
        };
        for frame in (index.first()..end).filter(|frame| !index.is_accepted(*frame)) {
            // Nobody else is attached: a claim that stands there is one of the dead.
            index.claim(frame).store(ACCEPTED, Ordering::SeqCst);
            index.add_out(index.entry(frame).amount());
            amount.add(index.entry(frame).amount());
            batches += 1;
        }
        lock(&inner.touched).insert(number, index.clone());
        if index.is_drained() {
            drained.push((number, index.clone()));
        }
    }
    drop(registry);
    inner.log_takes()?;
    for (number, index) in drained {
        lock(&inner.registry).dispose(core, number, &index);
        inner.removed.store(true, Ordering::SeqCst);
    }
    inner.log_takes()?;
    core.table.put_bell().ring();
    Ok((batches, amount))
}
