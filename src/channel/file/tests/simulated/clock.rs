//! The clock of the wall, which jumps.

use super::program::{Ending, Op, Setup};
use super::random::Random;
use super::world::{SLOTS, World};
use std::time::Duration;

/// What is older may be dropped, in programs where that is asked for.
pub const MAX_AGE: Duration = Duration::from_secs(3600);

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// By how much it is set.
const JUMPS: [i64; 8] = [
    10 * SECOND,
    HOUR / 2,
    2 * HOUR,
    60 * DAY,
    -10 * SECOND,
    -HOUR / 2,
    -2 * HOUR,
    -400 * DAY,
];

impl World {
    /// Somebody sets the clock of the wall.
    pub(super) fn jump(&self, by: i64) {
        let wall = self.disk.wall_ms().saturating_add_signed(by);
        self.disk.set_wall_ms(wall);
        if by < 0 {
            self.model.borrow_mut().set_back();
        }
    }
}

/// Have the clock jump in half of the random programs. By numbers of its own: what else a program does stays
/// as it is.
pub fn set_now_and_then(seed: u64, setup: &mut Setup, ops: &mut Vec<Op>) {
    let mut random = Random::new(seed.rotate_left(32) ^ 0xc10c);
    if random.eighths(4) {
        return;
    }
    if random.eighths(5) {
        setup.max_age = Some(MAX_AGE);
    }
    for _ in 0..1 + random.below(5) {
        let at = random.index(ops.len() + 1);
        ops.insert(at, Op::Jump(JUMPS[random.index(JUMPS.len())]));
    }
}

/// Short programs about it: capacity, what is done, how it ends.
pub fn programs() -> impl Iterator<Item = (u64, Vec<Op>, Ending)> {
    let small = |batches: usize| vec![(1, 300); batches];
    let (a, b, taker) = (0, 1, SLOTS / 2);
    let set_back = vec![
        Op::Put(a, small(2)),
        Op::Jump(-2 * HOUR),
        Op::Put(a, small(1)),
        Op::Put(b, small(1)),
        Op::Take(taker),
        Op::Jump(-400 * DAY),
        Op::Take(taker),
        Op::Accept(taker, 0),
    ];
    let old_and_young = vec![
        Op::Put(a, small(1)),
        Op::Jump(2 * HOUR),
        Op::Put(a, small(2)),
        Op::Take(taker),
        Op::Accept(taker, 0),
        Op::Keep(taker),
        Op::Jump(2 * HOUR),
        Op::Put(a, small(1)),
        Op::Drained(taker),
    ];
    let far_forward = vec![
        Op::Put(a, small(1)),
        Op::Jump(60 * DAY),
        Op::Put(a, small(2)),
        Op::Take(taker),
        Op::Jump(-60 * DAY),
        Op::Put(b, small(1)),
        Op::Put(a, small(1)),
    ];
    let room_made = vec![
        Op::Put(a, small(3)),
        Op::Take(taker),
        Op::Jump(2 * HOUR),
        Op::Put(b, small(3)),
        Op::Keep(b),
        Op::Refuse(taker, 0),
        Op::Put(a, small(1)),
    ];
    [
        (0, set_back, Ending::Kill),
        (0, old_and_young, Ending::Cut),
        (0, far_forward, Ending::Close),
        (4, room_made, Ending::Cut),
    ]
    .into_iter()
}
