//! In which order the members of a group are tried: round robin or random, with those left out that failed
//! lately.

use std::time::{Duration, Instant};

/// A failure so long after the last pause was over counts as the first again.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// Doublings of the pause at most.
const DOUBLINGS: u32 = 16;

/// Which member is tried first.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum Order {
    /// Each time the next one.
    RoundRobin,
    /// Any.
    Random,
}

/// Hands out orders and remembers who failed.
#[derive(Debug)]
pub struct Selector {
    order: Order,
    /// The longest pause of a member that failed; without one none is left out.
    max_backoff: Option<Duration>,
    members: Vec<Member>,
    next: usize,
    random: u64,
}

#[derive(Debug, Clone, Default)]
struct Member {
    failures: u32,
    left_out_until: Option<Instant>,
}

impl Selector {
    /// A selector for so many members. With `max_backoff` one that fails is left out for 2 s, 4 s, 8 s ... up to
    /// that.
    pub fn new(order: Order, members: usize, max_backoff: Option<Duration>) -> Selector {
        let mut seed = [0; 8];
        // Without it the order is the same in each process, which harms nobody.
        let _ = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
        Selector {
            order,
            max_backoff,
            members: vec![Member::default(); members],
            next: 0,
            random: u64::from_ne_bytes(seed),
        }
    }

    /// The members to try now, one after the other; empty when all are left out.
    pub fn order(&mut self, now: Instant) -> Vec<usize> {
        let left_out = |member: &Member| member.left_out_until.is_some_and(|until| now < until);
        let mut order: Vec<usize> = (0..self.members.len())
            .filter(|index| !left_out(&self.members[*index]))
            .collect();
        match self.order {
            Order::RoundRobin => {
                let first = order.iter().position(|index| *index >= self.next).unwrap_or(0);
                order.rotate_left(first);
                self.next = (self.next + 1) % self.members.len().max(1);
            }
            Order::Random => {
                for left in (1..order.len()).rev() {
                    let other = self.below(left + 1);
                    order.swap(left, other);
                }
            }
        }
        order
    }

    /// The member that comes first, where none is ever left out.
    pub fn first(&mut self) -> usize {
        let members = self.members.len().max(1);
        match self.order {
            Order::RoundRobin => {
                let first = self.next;
                self.next = (first + 1) % members;
                first
            }
            Order::Random => self.below(members),
        }
    }

    /// A member has failed.
    pub fn failed(&mut self, index: usize, now: Instant) {
        let Some(most) = self.max_backoff else { return };
        let member = &mut self.members[index];
        // Several calls may have been under way when it failed: they are one failure.
        if member.left_out_until.is_some_and(|until| now < until) {
            return;
        }
        let is_new = member
            .left_out_until
            .is_none_or(|until| now.saturating_duration_since(until) >= FORGOTTEN);
        member.failures = match is_new {
            true => 1,
            false => (member.failures + 1).min(DOUBLINGS),
        };
        let pause = Duration::from_secs(1 << member.failures).min(most);
        member.left_out_until = Some(now + pause);
    }

    /// SplitMix64.
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn round_robin_starts_one_further_each_time() {
        let mut selector = Selector::new(Order::RoundRobin, 3, None);
        let now = Instant::now();
        let orders: Vec<_> = (0..4).map(|_| selector.order(now)).collect();
        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    }

    #[test]
    fn random_gives_every_order_and_each_member_once() {
        let mut selector = Selector::new(Order::Random, 3, None);
        let now = Instant::now();
        let orders: BTreeSet<_> = (0..1000).map(|_| selector.order(now)).collect();
        assert_eq!(orders.len(), 6);
        for mut order in orders {
            order.sort();
            assert_eq!(order, [0, 1, 2]);
        }
    }

    #[test]
    fn without_back_off_nobody_is_left_out() {
        let mut selector = Selector::new(Order::RoundRobin, 2, None);
        let now = Instant::now();
        selector.failed(0, now);
        assert_eq!(selector.order(now), [0, 1]);
    }

    #[test]
    fn who_failed_is_left_out_twice_as_long_each_time_up_to_the_cap() {
        let mut selector = Selector::new(Order::RoundRobin, 2, Some(10 * SECOND));
        let mut now = Instant::now();
        for pause in [2, 4, 8, 10, 10] {
            selector.failed(1, now);
            // What else was under way there fails, too.
            selector.failed(1, now + SECOND);
            let last = now + pause * SECOND - Duration::from_millis(1);
            assert_eq!(selector.order(last), [0], "after {pause} s");
            now += pause * SECOND;
            assert_eq!(selector.order(now).len(), 2, "after {pause} s");
        }
        // An hour without a failure, and it is as if there had never been one.
        now += FORGOTTEN;
        selector.failed(1, now);
        assert_eq!(selector.order(now + 2 * SECOND).len(), 2);
    }

    #[test]
    fn all_left_out_is_an_empty_order() {
        for order in [Order::RoundRobin, Order::Random] {
            let mut selector = Selector::new(order, 2, Some(30 * SECOND));
            let now = Instant::now();
            selector.failed(0, now);
            selector.failed(1, now);
            assert!(selector.order(now).is_empty());
        }
    }
}
