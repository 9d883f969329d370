//! Which channels get an event: the trait of channel selectors, and how a batch is cut by what they say.

use crate::event::{Batch, BatchBuilder, DecodeError, EventRef};

/// Where an event goes: places in the list that the selector was bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Route<'a> {
    /// All of these have to take it.
    pub required: &'a [usize],
    /// Those of these that can take it now; one that is required, too, is required.
    pub optional: &'a [usize],
}

/// Says which channels get an event (Flume's `ChannelSelector`).
///
/// ```
/// use flume::event::EventRef;
/// use flume::stage::{ChannelSelector, Route};
///
/// /// Large events to the last channel, all others to the first.
/// struct BySize { small: Vec<usize>, large: Vec<usize> }
///
/// impl ChannelSelector for BySize {
///     fn bind(&mut self, channels: &[String]) -> Result<(), String> {
///         self.large = vec![channels.len() - 1];
///         Ok(())
///     }
///
///     fn select(&mut self, event: EventRef<'_>) -> Route<'_> {
///         let required = if event.body().len() > 4096 { &self.large } else { &self.small };
///         Route { required, optional: &[] }
///     }
/// }
/// ```
pub trait ChannelSelector: Send {
    /// The names of the channels that it may choose from, in their order. Called once, before the first event.
    /// The error is a sentence that names the setting and what is wrong with it.
    fn bind(&mut self, channels: &[String]) -> Result<(), String>;

    /// Which of them may get events that they are free to lose. Asked when it is bound.
    fn optional(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Where this event goes. Nowhere, and it is dropped and counted.
    fn select(&mut self, event: EventRef<'_>) -> Route<'_>;

    /// The whole batch at once, for selectors that need not look at each event.
    fn select_batch(&mut self, split: &mut Split<'_>) -> Result<(), DecodeError> {
        let batch = split.batch();
        for event in batch.events() {
            let event = event?;
            let route = self.select(event);
            split.push(event, route);
        }
        Ok(())
    }
}

/// Cuts one batch into the parts that branches get. What goes one way in one piece is not copied.
pub struct Split<'b> {
    batch: &'b Batch,
    /// Of each branch what it has to take, and behind those what it may lose.
    parts: &'b mut [Part],
    branches: usize,
    run: Run,
    /// Events that go nowhere.
    dropped: u32,
}

/// Events one behind the other that go the same way.
#[derive(Default)]
struct Run {
    targets: Vec<usize>,
    start: usize,
    end: usize,
    events: u32,
}

/// What a branch gets of a batch.
#[derive(Default)]
pub(super) enum Part {
    #[default]
    Nothing,
    /// One piece of the batch: its bytes and events.
    Piece(std::ops::Range<usize>, u32),
    Copied(BatchBuilder),
}

impl<'b> Split<'b> {
    /// Two parts, still empty, for each branch.
    pub(super) fn of(batch: &'b Batch, parts: &'b mut [Part]) -> Split<'b> {
        Split {
            batch,
            branches: parts.len() / 2,
            parts,
            run: Run::default(),
            dropped: 0,
        }
    }

    /// The batch.
    pub fn batch(&self) -> &'b Batch {
        self.batch
    }

    /// All of it goes this way.
    pub fn whole(&mut self, route: Route<'_>) {
        self.run.start = 0;
        self.run.end = self.batch.bytes();
        self.run.events = self.batch.len();
        set_targets(&mut self.run.targets, route, self.branches);
    }

    /// The next event of the batch goes this way.
    #[inline]
    pub fn push(&mut self, event: EventRef<'_>, route: Route<'_>) {
        let bytes = event.encoded().len();
        if !self.goes_the_same_way(route) {
            self.end_run();
            set_targets(&mut self.run.targets, route, self.branches);
        }
        self.run.end += bytes;
        self.run.events += 1;
    }

    #[inline]
    fn goes_the_same_way(&self, route: Route<'_>) -> bool {
        let required = route.required.len();
        let targets = &self.run.targets[..];
        targets.len() == required + route.optional.len()
            && targets[..required] == *route.required
            && (targets[required..].iter().zip(route.optional)).all(|(at, own)| *at == own + self.branches)
    }

    /// Give what goes the same way to its branches.
    fn end_run(&mut self) {
        let (start, end, events) = (self.run.start, self.run.end, self.run.events);
        (self.run.start, self.run.events) = (end, 0);
        if events == 0 {
            return;
        }
        if self.run.targets.is_empty() {
            self.dropped += events;
        }
        let slab = self.batch.encoded();
        for at in &self.run.targets {
            self.parts[*at].add(slab, start..end, events);
        }
    }

    /// Nothing more comes: how many events go nowhere.
    pub(super) fn finish(mut self) -> u32 {
        self.end_run();
        self.dropped
    }
}

/// Required branches keep their number, the others stand behind all of them. Each stands there once.
fn set_targets(targets: &mut Vec<usize>, route: Route<'_>, branches: usize) {
    targets.clear();
    for at in route.required {
        if *at < branches && !targets.contains(at) {
            targets.push(*at);
        }
    }
    for at in route.optional {
        let place = at + branches;
        if *at < branches && !targets.contains(at) && !targets.contains(&place) {
            targets.push(place);
        }
    }
}

impl Part {
    fn add(&mut self, slab: &[u8], range: std::ops::Range<usize>, events: u32) {
        *self = match std::mem::take(self) {
            Part::Nothing => Part::Piece(range, events),
            Part::Piece(before, count) if before.end == range.start => {
                Part::Piece(before.start..range.end, count + events)
            }
            Part::Piece(before, count) => {
                let mut copy = BatchBuilder::with_room(slab.len().min(2 * (before.len() + range.len())));
                copy.push_run(&slab[before], count);
                copy.push_run(&slab[range], events);
                Part::Copied(copy)
            }
            Part::Copied(mut copy) => {
                copy.push_run(&slab[range], events);
                Part::Copied(copy)
            }
        };
    }

    /// As a batch with the place of the one that it was cut from.
    pub(super) fn take(&mut self, from: &Batch) -> Option<Batch> {
        match std::mem::take(self) {
            Part::Nothing => None,
            Part::Piece(_, events) if events == from.len() => Some(from.clone()),
            Part::Piece(range, events) => {
                let piece = Batch::from_encoded(from.encoded().slice(range), events);
                Some(from.replaced_by(piece))
            }
            Part::Copied(mut copy) => Some(from.replaced_by(copy.finish())),
        }
    }
}
