//! Taking: claim the oldest waiting frame, read it, and settle it.

use super::core::Core;
use super::expire::is_too_old;
use super::index::{ACCEPTED, Amount, Claim, Index, WAITING};
use super::place::failed;
use super::recover::{self, Opened};
use super::registry::Registry;
use super::rigged::{Bug, planted};
use super::segment;
use super::shm::now_ns;
use crate::channel::ChannelError;
use crate::event::Batch;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often claims of others are looked at while there are any.
pub const SWEEP: Duration = Duration::from_millis(20);

/// A frame that is ours.
pub struct Claimed {
    pub number: u64,
    pub opened: Arc<Opened>,
    pub frame: u32,
    /// The claim word, exactly.
    pub word: u64,
    /// What the frame holds.
    pub amount: Amount,
}

/// What there is to take.
pub enum Looked {
    Claimed(Claimed),
    /// Nothing waits. `foreign`: other processes hold claims, which may come back when they die.
    Nothing {
        foreign: bool,
    },
}

/// Claim the next frame.
pub fn claim_next(core: &Core, registry: &mut Registry) -> Result<Looked, ChannelError> {
    registry.refresh(core)?;
    let rewinds = core.table.rewinds().load(Ordering::SeqCst);
    if rewinds != registry.rewinds {
        registry.rewinds = rewinds;
        registry.known.values_mut().for_each(|known| known.cursor = 0);
    }
    if now_ns().saturating_sub(registry.swept) < SWEEP.as_nanos() as u64
        && let Some(claimed) = next_in_order(core, registry)?
    {
        return Ok(Looked::Claimed(claimed));
    }
    sweep(core, registry)
}

/// The number behind `at`, if there is one.
fn number_from(registry: &Registry, at: u64) -> Option<u64> {
    registry.known.range(at..).next().map(|(number, _)| *number)
}

fn next_in_order(core: &Core, registry: &mut Registry) -> Result<Option<Claimed>, ChannelError> {
    let mut at = 0;
    while let Some(number) = number_from(registry, at) {
        at = number + 1;
        let Some(opened) = registry.open(core, number)? else {
            continue;
        };
        let Some(known) = registry.known.get_mut(&number) else {
            continue;
        };
        let committed = opened.index.committed();
        if known.cursor == 0 {
            known.cursor = opened.index.first();
        }
        while known.cursor < committed {
            let frame = known.cursor;
            known.cursor += 1;
            if let Some(word) = claim(core, &opened.index, frame, WAITING) {
                return Ok(Some(claimed(number, opened, frame, word)));
            }
        }
    }
    Ok(None)
}

/// Claim a frame whose word is `old`.
fn claim(core: &Core, index: &Index, frame: u32, old: u64) -> Option<u64> {
    let word = index.claim(frame);
    if word.load(Ordering::SeqCst) != old {
        return None;
    }
    // The lease stands before the claim.
    if !core.table.is_fresh() {
        core.table.renew();
    }
    let new = Claim::word(core.table.me().0, core.table.draw_id());
    word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
        .then_some(new)
}

fn claimed(number: u64, opened: Arc<Opened>, frame: u32, word: u64) -> Claimed {
    let entry = opened.index.entry(frame);
    Claimed {
        number,
        opened,
        frame,
        word,
        amount: Amount {
            events: entry.events.into(),
            bytes: entry.raw.into(),
        },
    }
}

/// Look at every frame that is not accepted, in order: take over what the dead hold, find what dead putters
/// left, put away what is drained.
fn sweep(core: &Core, registry: &mut Registry) -> Result<Looked, ChannelError> {
    let mut foreign = false;
    let mut at = 0;
    while let Some(number) = number_from(registry, at) {
        at = number + 1;
        let Some(opened) = registry.open(core, number)? else {
            continue;
        };
        look_after_writer(core, registry, number, &opened)?;
        match sweep_one(core, &opened.index, &mut foreign) {
            Some((frame, old, word)) => {
                // Who died may have held more, which comes before anything later: sweep on after a take-over.
                if old == WAITING {
                    registry.swept = now_ns();
                } else {
                    // Who held it may only have been stopped, and then sleeps without a timer: its own claims
                    // were no reason to look. Now there is one of ours that may come back.
                    core.table.put_bell().ring();
                }
                return Ok(Looked::Claimed(claimed(number, opened, frame, word)));
            }
            None => {
                registry.dispose(core, number, &opened.index);
            }
        }
    }
    registry.swept = now_ns();
    Ok(Looked::Nothing { foreign })
}

fn sweep_one(core: &Core, index: &Index, foreign: &mut bool) -> Option<(u32, u64, u64)> {
    for frame in index.first()..index.committed() {
        let old = index.claim(frame).load(Ordering::SeqCst);
        match Claim::of(old) {
            Claim::Accepted => {}
            Claim::Claimed { slot, id } if core.table.is_claim_alive(slot, id) => {
                *foreign |= slot != core.table.me().0;
            }
            Claim::Waiting | Claim::Claimed { .. } => match claim(core, index, frame, old) {
                Some(word) => return Some((frame, old, word)),
                // Somebody else was faster.
                None => *foreign = true,
            },
        }
    }
    None
}

/// A segment whose putter died is salvaged and sealed.
fn look_after_writer(
    core: &Core,
    registry: &Registry,
    number: u64,
    opened: &Opened,
) -> Result<(), ChannelError> {
    if opened.index.is_sealed() || core.is_writer_alive(&opened.index) || planted(Bug::DeadPutterNotSealed) {
        return Ok(());
    }
    recover::salvage(core, number, opened).map_err(|error| {
        let dir = registry.known.get(&number).map_or(0, |known| known.dir);
        failed("salvage", &core.place.segment(dir, number), &error)
    })
}

/// Nothing waits, and nothing is held by the dead.
pub fn is_drained(core: &Core, registry: &mut Registry) -> Result<bool, ChannelError> {
    registry.refresh(core)?;
    let mut at = 0;
    while let Some(number) = number_from(registry, at) {
        at = number + 1;
        let Some(opened) = registry.open(core, number)? else {
            continue;
        };
        look_after_writer(core, registry, number, &opened)?;
        let index = &opened.index;
        let mut frames = index.first()..index.committed();
        let comes = |frame: u32| match Claim::of(index.claim(frame).load(Ordering::SeqCst)) {
            Claim::Waiting => true,
            Claim::Claimed { slot, id } => !core.table.is_claim_alive(slot, id),
            Claim::Accepted => false,
        };
        if frames.any(comes) {
            return Ok(false);
        }
        registry.dispose(core, number, index);
    }
    Ok(true)
}

/// Claim this frame, whose word is `old`.
pub fn claim_frame(core: &Core, number: u64, opened: &Arc<Opened>, frame: u32, old: u64) -> Option<Claimed> {
    let word = claim(core, &opened.index, frame, old)?;
    Some(claimed(number, opened.clone(), frame, word))
}

/// What reading a claimed frame gave.
pub enum Read {
    Batch(Batch),
    /// While this process was stopped others have taken it, and the segment is another one by now.
    Lost,
    /// It is older than it may be.
    Expired,
    /// It cannot be read, now or ever.
    Damaged(String),
}

/// Read a frame that is ours.
pub fn read(core: &Core, claimed: &Claimed) -> Result<Read, ChannelError> {
    let entry = claimed.opened.index.entry(claimed.frame);
    let (file, number, frame) = (&*claimed.opened.file, claimed.number, claimed.frame);
    match segment::read_frame(file, number, frame, entry) {
        Ok((header, _)) if is_expired(core, claimed, header.since) => Ok(Read::Expired),
        Ok((_, batch)) => Ok(Read::Batch(batch)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let word = claimed.opened.index.claim(frame).load(Ordering::SeqCst);
            if word != claimed.word {
                return Ok(Read::Lost);
            }
            let what = format!(
                "frame {frame} of segment {number} in {}, at byte {}, is lost: {error}",
                core.place.directory.display(),
                entry.offset
            );
            Ok(Read::Damaged(what))
        }
        Err(error) => Err(ChannelError::Failed(format!(
            "cannot read segment {number} in {}: {error}",
            core.place.directory.display()
        ))),
    }
}

fn is_expired(core: &Core, claimed: &Claimed, since: u32) -> bool {
    core.config.max_age.is_some() && is_too_old(core, claimed.opened.created(claimed.number), since)
}

/// Change the word of a claim; false if it is not ours any more.
pub fn settle(claimed: &Claimed, new: u64) -> bool {
    let word = claimed.opened.index.claim(claimed.frame);
    if planted(Bug::ClaimNotCompared) {
        word.store(new, Ordering::SeqCst);
        return true;
    }
    let settled = word.compare_exchange(claimed.word, new, Ordering::SeqCst, Ordering::SeqCst);
    if settled.is_ok() && new == ACCEPTED {
        claimed.opened.index.add_out(claimed.amount);
    }
    settled.is_ok()
}
