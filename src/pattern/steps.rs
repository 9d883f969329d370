//! Patterns of log lines that need no going back, as a few steps over the bytes.
//!
//! `^(\S+) \[(\d+)\]: (.*)$` is such a pattern: what a repetition takes (anything but blanks) can never be
//! what follows it (a blank), so it takes all there is or the pattern does not match here. Greedy and lazy
//! are the same then, and one pass over the text finds the groups: half the time of the crate's one-pass
//! engine. Patterns with alternatives, optional groups or repetitions that overlap with what follows are not
//! of this kind, and run on the crate.
//!
//! Only texts of ASCII go this way. A set is a table of bytes and, where it or what is outside of it is a few
//! ranges (no blank, digits, anything but a bracket), also arithmetic on eight bytes at once.

use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// A pattern as steps, tried at the start of a text.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    steps: Vec<Step>,
    /// The pattern begins with `^`: what does not match at the start matches nowhere.
    pub(super) anchored: bool,
}

/// The bytes that may stand in one place.
#[derive(Clone, Debug)]
struct Set {
    has: Box<[bool; 256]>,
    /// The same, if it is few enough ranges.
    ranges: Option<Ranges>,
}

/// A byte in each of eight places.
const EACH: u64 = 0x0101_0101_0101_0101;
/// The bits that tell of each.
const TOP: u64 = 0x80 * EACH;
/// Ranges that are still faster than a look at the table for each byte.
const FEW: usize = 3;

/// Ranges of ASCII, for eight bytes at once. Those that are not used hold nothing.
#[derive(Clone, Copy, Debug)]
struct Ranges {
    /// What brings the first byte of a range to 0x80, and what the byte behind the last.
    bounds: [(u64, u64); FEW],
    /// All bits if the ranges are what is outside.
    outside: u64,
}

impl Ranges {
    fn of(has: &[bool; 256]) -> Option<Ranges> {
        let runs = |inside: bool| -> Vec<(u8, u8)> {
            let mut runs: Vec<(u8, u8)> = Vec::new();
            for byte in (0..0x80u8).filter(|byte| has[usize::from(*byte)] == inside) {
                match runs.last_mut() {
                    Some((_, last)) if *last + 1 == byte => *last = byte,
                    _ => runs.push((byte, byte)),
                }
            }
            runs
        };
        let (inside, outside) = (runs(true), runs(false));
        let (runs, outside) = match outside.len() < inside.len() {
            true => (outside, u64::MAX),
            false => (inside, 0),
        };
        // A range of nothing begins where it ends.
        let mut bounds = [(0, 0); FEW];
        for (at, (first, last)) in runs.iter().enumerate() {
            let bound = |byte: u8| u64::from(0x80 - byte) * EACH;
            *bounds.get_mut(at)? = (bound(*first), bound(*last) - EACH);
        }
        Some(Ranges { bounds, outside })
    }

    /// How many of these bytes of ASCII are in the set before the first that is not. A sum of two bytes stays in
    /// its place: both are at most 0x80, and not both of them that.
    #[inline(always)]
    fn count(&self, bytes: [u8; 8]) -> usize {
        let bytes = u64::from_le_bytes(bytes);
        let mut within = 0;
        for (first, behind) in self.bounds {
            within |= (bytes + first) & !(bytes + behind);
        }
        ((!(within ^ self.outside) & TOP).trailing_zeros() / 8) as usize
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Remember the place in this slot.
    Slot(usize),
    /// One byte of the set.
    One(Set),
    /// As many bytes of the set as there are, in bounds.
    Run {
        set: Set,
        least: usize,
        most: usize,
        greedy: bool,
    },
    /// The text ends here.
    End,
}

impl Set {
    fn of(hir: &Hir) -> Option<Set> {
        let mut table = Box::new([false; 256]);
        let mut add =
            |low: u32, high: u32| (low..=high.min(0x7F)).for_each(|byte| table[byte as usize] = true);
        match hir.kind() {
            HirKind::Literal(literal) if literal.0.len() == 1 => {
                add(literal.0[0].into(), literal.0[0].into())
            }
            HirKind::Class(Class::Unicode(class)) => {
                class
                    .iter()
                    .for_each(|range| add(range.start().into(), range.end().into()));
            }
            HirKind::Class(Class::Bytes(class)) => {
                class
                    .iter()
                    .for_each(|range| add(range.start().into(), range.end().into()));
            }
            _ => return None,
        }
        let ranges = Ranges::of(&table);
        Some(Set { has: table, ranges })
    }

    fn overlaps(&self, other: &Set) -> bool {
        self.has
            .iter()
            .zip(other.has.iter())
            .any(|(one, other)| *one && *other)
    }

    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.has[usize::from(byte)]
    }

    /// How many bytes at the start of a text of ASCII are in the set.
    #[inline]
    fn count(&self, text: &[u8]) -> usize {
        let mut at = 0;
        if let Some(ranges) = &self.ranges {
            while let Some(bytes) = text[at..].first_chunk() {
                let count = ranges.count(*bytes);
                if count < 8 {
                    return at + count;
                }
                // By a number that is known before the count is: the next eight are looked at meanwhile.
                at += 8;
            }
        }
        let rest = &text[at..];
        at + rest
            .iter()
            .position(|byte| !self.has(*byte))
            .unwrap_or(rest.len())
    }
}

impl Steps {
    /// The steps of a pattern in the crate's words; `None` if it needs more than steps.
    pub(super) fn of(pattern: &str) -> Option<Steps> {
        let mut steps = Steps {
            steps: Vec::new(),
            anchored: false,
        };
        steps.add(&regex_syntax::parse(pattern).ok()?)?;
        (0..steps.steps.len())
            .all(|at| steps.takes_all_or_fails(at))
            .then_some(steps)
    }

    fn add(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Look(Look::Start) if self.steps.iter().all(|step| matches!(step, Step::Slot(_))) => {
                self.anchored = true;
            }
            HirKind::Look(Look::End) => self.steps.push(Step::End),
            HirKind::Literal(literal) => {
                literal
                    .0
                    .iter()
                    .try_for_each(|byte| self.run(&Hir::literal([*byte]), 1, 1, true))?;
            }
            HirKind::Class(_) => self.run(hir, 1, 1, true)?,
            HirKind::Repetition(Repetition {
                min,
                max,
                greedy,
                sub,
            }) => {
                let most = max.map_or(usize::MAX, |max| max as usize);
                self.run(sub, *min as usize, most, *greedy)?;
            }
            HirKind::Capture(capture) => {
                let slot = 2 * capture.index as usize;
                self.steps.push(Step::Slot(slot));
                self.add(&capture.sub)?;
                self.steps.push(Step::Slot(slot + 1));
            }
            HirKind::Concat(all) => all.iter().try_for_each(|hir| self.add(hir))?,
            HirKind::Look(_) | HirKind::Alternation(_) => return None,
        }
        Some(())
    }

    fn run(&mut self, hir: &Hir, least: usize, most: usize, greedy: bool) -> Option<()> {
        let set = Set::of(hir)?;
        self.steps.push(match (least, most) {
            (1, 1) => Step::One(set),
            _ => Step::Run {
                set,
                least,
                most,
                greedy,
            },
        });
        Some(())
    }

    /// Nothing that may follow the step could be a byte of its own set, so that to take less never helps.
    fn takes_all_or_fails(&self, at: usize) -> bool {
        let Step::Run {
            set,
            least,
            most,
            greedy,
        } = &self.steps[at]
        else {
            return true;
        };
        if least == most {
            return true;
        }
        for step in &self.steps[at + 1..] {
            match step {
                Step::Slot(_) => {}
                Step::End => return true,
                Step::Run { set: next, .. } | Step::One(next) if set.overlaps(next) => return false,
                Step::Run { least: 0, .. } => {}
                Step::Run { .. } | Step::One(_) => return true,
            }
        }
        *greedy
    }

    /// Match at the start of a text of ASCII and fill the slots.
    #[inline]
    pub(super) fn matches(&self, text: &[u8], slots: &mut [Option<NonMaxUsize>]) -> bool {
        let mut at = 0;
        for step in &self.steps {
            match step {
                Step::Slot(slot) => slots[*slot] = NonMaxUsize::new(at),
                Step::One(set) => match text.get(at) {
                    Some(byte) if set.has(*byte) => at += 1,
                    _ => return false,
                },
                Step::Run { set, least, most, .. } => {
                    let rest = &text[at..];
                    let count = set.count(&rest[..rest.len().min(*most)]);
                    if count < *least {
                        return false;
                    }
                    at += count;
                }
                Step::End if at != text.len() => return false,
                Step::End => {}
            }
        }
        slots[0] = NonMaxUsize::new(0);
        slots[1] = NonMaxUsize::new(at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_count_what_the_table_says(
            runs in proptest::collection::vec((0u8..0x80, 0u8..0x80), 0..5),
            outside: bool,
            text in proptest::collection::vec(0u8..0x80, 0..40),
        ) {
            let mut has = Box::new([false; 256]);
            for byte in 0..0x80u8 {
                let within = runs.iter().any(|(first, last)| (*first..=*last).contains(&byte));
                has[usize::from(byte)] = within != outside;
            }
            let set = Set { ranges: Ranges::of(&has), has };
            let expected = text.iter().take_while(|byte| set.has(**byte)).count();
            prop_assert_eq!(set.count(&text), expected);
            for bytes in text.iter().map(|byte| [*byte; 8]) {
                let expected = if set.has(bytes[0]) { 8 } else { 0 };
                prop_assert!(set.ranges.is_none_or(|ranges| ranges.count(bytes) == expected));
            }
        }
    }

    #[test]
    fn everyday_sets_are_few_ranges() {
        for pattern in [
            r"[^ \t\n\x0B\f\r]",
            "[0-9]",
            r"[^\]]",
            "[a-z]",
            r"[^\n\r\x{85}\x{2028}]",
            "[0-9a-fA-F]",
        ] {
            let set = Set::of(&regex_syntax::parse(pattern).unwrap()).unwrap();
            assert!(set.ranges.is_some(), "{pattern}");
        }
    }
}
