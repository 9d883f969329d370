//! `--repair`: mends what `--check` finds, with the channel for itself, and says what it did.
//!
//! What is good and not accepted in a damaged segment is put again, as any batch is, and only when that is on
//! the disk does the segment go to the quarantine: a crash in between brings batches twice and loses none.

use super::check::{self, Finding, Mend};
use super::{Out, alone, failure};
use crate::channel::ChannelError;
use crate::channel::file::index::{ACCEPTED, Amount};
use crate::channel::file::place::{Place, failed};
use crate::channel::file::put::lock;
use crate::channel::file::{FileChannel, Inner, recover, segment};
use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Bytes that are put again together.
const TOGETHER: usize = 1 << 20;

/// Mend what can be mended. Exit 0 when the directory is sound afterwards.
pub fn run(directory: &Path, name: &str, out: &mut Out) -> StageResult {
    let place = Place::find(directory).map_err(failure)?;
    let missing: Vec<_> = place
        .directories()
        .into_iter()
        .filter(|path| !path.is_dir())
        .collect();
    let channel = alone::open(directory, name).map_err(failure)?;
    for path in missing {
        say(out, &path, "made it: it was missing");
    }
    let found = check::look_over(directory, true).map_err(failure)?;
    let mut mended = BTreeSet::new();
    for finding in &found.findings {
        mend(&channel, finding, &mut mended, out).map_err(failure)?;
    }
    drop(channel);
    let left = check::check(directory).map_err(failure)?;
    check::print(directory, &left, out);
    match left.findings.len() {
        0 => Ok(()),
        count => Err(StageError::Failed(format!(
            "{} is still not sound, findings: {count}",
            directory.display()
        ))),
    }
}

fn say(out: &mut Out, path: &Path, what: &str) {
    let path = path.display();
    match out.is_json {
        true => out.json(&serde_json::json!({"done": what, "file": path.to_string()})),
        false => out.line(format!("repaired: {path}: {what}")),
    }
    out.flush();
}

fn mend(
    channel: &FileChannel,
    finding: &Finding,
    mended: &mut BTreeSet<u64>,
    out: &mut Out,
) -> Result<(), ChannelError> {
    let core = &channel.inner.core;
    let path = &finding.path;
    let told = |what: &str, error: io::Error| failed(what, path, &error);
    match finding.mend {
        Mend::Segment { number, dir } => {
            // Each bad place of a segment is a finding, and all go together.
            if mended.insert(number) {
                let saved = mend_segment(&channel.inner, number, dir)?;
                say(out, path, &saved);
            }
        }
        Mend::Remove => match core.disk.unlink(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told("remove", error)),
            _ => say(out, path, &format!("removed it: it {}", finding.what)),
        },
        Mend::Mark => {
            let segments = core.place.segments(&*core.disk)?;
            let last = segments.last().map_or(0, |(number, _)| *number);
            let mark = core.table.mark_above(&core.place, &*core.disk, last);
            let mark = mark.map_err(|error| told("write the mark of numbers in", error))?;
            say(out, path, &format!("wrote the mark {mark}"));
        }
        Mend::Log => {
            channel.inner.log.take_over(core, path)?;
            let aside = core.place.checkpoint.join("quarantine");
            say(
                out,
                path,
                &format!(
                    "noted anew what can be read of it, and moved it to {}",
                    aside.display()
                ),
            );
        }
        Mend::Directory | Mend::ByHand => {}
    }
    Ok(())
}

/// Put the good frames of a segment again and move it to the quarantine; what was done, in words.
pub fn mend_segment(inner: &Inner, number: u64, dir: usize) -> Result<String, ChannelError> {
    let core = &inner.core;
    let path = core.place.segment(dir, number);
    let mut registry = lock(&inner.registry);
    registry.refresh(core)?;
    let Some(opened) = registry.open(core, number)? else {
        return Ok("it is gone".into());
    };
    drop(registry);
    if !opened.index.is_sealed() {
        recover::salvage(core, number, &opened).map_err(|error| failed("salvage", &path, &error))?;
    }
    let index = &opened.index;
    index.set_damaged();
    let (mut saved, mut lost) = (Saved::default(), 0);
    for frame in index.first()..index.committed() {
        if index.is_accepted(frame) {
            continue;
        }
        match segment::read_frame(&*opened.file, number, frame, index.entry(frame)) {
            Ok((_, batch)) => saved.add(inner, batch)?,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => lost += 1,
            Err(error) => return Err(failed("read", &path, &error)),
        }
    }
    saved.put(inner)?;
    // From here on the good frames are safe in another segment.
    for frame in index.first()..index.committed() {
        if !index.is_accepted(frame) {
            index.claim(frame).store(ACCEPTED, Ordering::SeqCst);
            index.add_out(index.entry(frame).amount());
        }
    }
    lock(&inner.touched).insert(number, index.clone());
    inner.log_takes()?;
    lock(&inner.registry).dispose(core, number, index);
    let lost = match lost {
        0 => String::new(),
        lost => format!(", batches that cannot be read: {lost}"),
    };
    Ok(format!(
        "moved it to {}; batches saved: {} of {} events, they wait behind the others now{lost}",
        core.place.quarantine(dir).display(),
        saved.batches,
        saved.amount.events
    ))
}

#[derive(Default)]
struct Saved {
    waiting: Vec<Batch>,
    bytes: usize,
    batches: u64,
    amount: Amount,
}

impl Saved {
    fn add(&mut self, inner: &Inner, batch: Batch) -> Result<(), ChannelError> {
        self.batches += 1;
        self.amount.events += u64::from(batch.len());
        self.bytes += batch.bytes();
        self.waiting.push(batch);
        match self.bytes >= TOGETHER {
            true => self.put(inner),
            false => Ok(()),
        }
    }

    fn put(&mut self, inner: &Inner) -> Result<(), ChannelError> {
        self.bytes = 0;
        let batches = std::mem::take(&mut self.waiting);
        inner
            .putter
            .put(&inner.core, &inner.registry, &batches, || Ok(false))
    }
}
