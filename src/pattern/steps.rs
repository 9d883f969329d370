//! Patterns of log lines that need no going back, as a few steps over the bytes.
//!
//! `^(\S+) \[(\d+)\]: (.*)$` is such a pattern: what a repetition takes (anything but blanks) can never be
//! what follows it (a blank), so it takes all there is or the pattern does not match here. Greedy and lazy
//! are the same then, and one pass over the text finds the groups: half the time of the crate's one-pass
//! engine. Patterns with alternatives, optional groups or repetitions that overlap with what follows are not
//! of this kind, and run on the crate.
//!
//! A set is a table of bytes, so only texts of ASCII go this way.

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
struct Set(Box<[bool; 256]>);

#[derive(Clone, Debug)]
enum Step {
    /// Remember the place in this slot.
    Slot(usize),
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
        Some(Set(table))
    }

    fn overlaps(&self, other: &Set) -> bool {
        self.0
            .iter()
            .zip(other.0.iter())
            .any(|(one, other)| *one && *other)
    }

    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
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
        self.steps.push(Step::Run {
            set,
            least,
            most,
            greedy,
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
                Step::Run { set: next, .. } if set.overlaps(next) => return false,
                Step::Run { least: 0, .. } => {}
                Step::Run { .. } => return true,
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
                Step::Run { set, least, most, .. } => {
                    let rest = &text[at..];
                    let rest = &rest[..rest.len().min(*most)];
                    let count = rest.iter().position(|byte| !set.has(*byte)).unwrap_or(rest.len());
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
