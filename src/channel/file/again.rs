//! Putting again what a failed sync may have lost, where puts are synced at intervals.
//!
//! After a failed sync nobody knows what is on the disk, and what is read may be what is not there. So the putter
//! remembers its frames until they are synced, and puts those that nobody has taken yet into another segment:
//! they are claimed first, so that nobody takes what may be gone, and accepted where they were when they are
//! published elsewhere. What somebody has in hand is left to him, and put again, behind the others, if it comes back; at the end of this
//! process it is put again in any case, since it comes twice rather than never. If this process dies meanwhile its
//! claims go with it, and what is still there is found where it was.

use super::Inner;
use super::index::{ACCEPTED, Claim, WAITING};
use super::lane::Segment;
use super::put::lock;
use super::rigged::{Bug, planted};
use super::segment::Ready;
use super::take::{self, Claimed};
use crate::channel::ChannelError;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Frames that are put again at once.
const TOGETHER: usize = 1024;

/// A frame that is to be put again, and our claim to the place where it was.
type Found = (u32, Option<Claimed>, Ready);

impl Inner {
    /// Put again what waits for that. `last`: nobody will do it later.
    pub fn put_again(&self, last: bool) {
        for segment in self.putter.take_failed() {
            if planted(Bug::LostNotPutAgain) {
                continue;
            }
            match self.put_segment_again(&segment, last) {
                Ok(()) => self.again_failed.store(false, Ordering::SeqCst),
                Err(error) if !self.again_failed.swap(true, Ordering::SeqCst) => (self.core.report)(
                    &format!("{error}; until it works what was put before may be lost by a power cut"),
                ),
                Err(_) => {}
            }
            self.putter.note_failed(&segment);
        }
    }

    fn put_segment_again(&self, segment: &Arc<Segment>, last: bool) -> Result<(), ChannelError> {
        let opened = {
            let mut registry = lock(&self.registry);
            registry.refresh(&self.core)?;
            registry.open(&self.core, segment.number())?
        };
        let kept = segment.take_kept();
        // One that is gone was taken whole.
        let Some(opened) = opened else { return Ok(()) };
        let mut ours: Vec<Found> = Vec::new();
        for (frame, ready) in kept {
            let word = opened.index.claim(frame).load(Ordering::SeqCst);
            let claimed = match Claim::of(word) {
                Claim::Accepted => continue,
                Claim::Claimed { .. } => None,
                Claim::Waiting => take::claim_frame(&self.core, segment.number(), &opened, frame, WAITING),
            };
            match claimed.is_some() || last {
                true => ours.push((frame, claimed, ready)),
                false => segment.give_kept(vec![(frame, ready)]),
            }
        }
        let mut outcome = Ok(());
        for some in ours.chunks(TOGETHER) {
            let frames = some.iter().map(|(_, _, ready)| ready.clone()).collect();
            outcome = outcome.and_then(|()| self.putter.put_again(&self.core, frames));
            self.settle_again(segment, some, outcome.is_ok());
        }
        outcome
    }

    /// They are elsewhere now, or have to wait where they are.
    fn settle_again(&self, segment: &Segment, some: &[Found], is_done: bool) {
        let new = if is_done { ACCEPTED } else { WAITING };
        for (frame, claimed, ready) in some {
            let is_settled = claimed.as_ref().is_some_and(|claimed| take::settle(claimed, new));
            match claimed {
                Some(claimed) if is_done && is_settled => self.accepted(claimed),
                _ if !is_done => segment.give_kept(vec![(*frame, ready.clone())]),
                _ => {}
            }
        }
        if !is_done {
            self.came_back();
        }
    }
}
