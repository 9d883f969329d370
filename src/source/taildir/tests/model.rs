//! Random writers, rotations, truncations, stops and kills, against a model of what must come: each line once while
//! nobody is killed, and at least once otherwise.

use super::*;
use crate::stage::{ChannelProcessor, PollableSource, Status};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What is done next.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// So many lines to the log.
    Append(u8),
    /// A line without its end, which the next line of the log completes.
    Half,
    /// So many lines to a file that was the log once, if its writer still has it.
    AppendOld(u8, u8),
    /// The log gets another name.
    Rotate,
    /// The log is deleted.
    Delete,
    /// The log is cut off, after it was read.
    Truncate,
    /// The source takes what is there.
    Read,
    /// So many steps of the source.
    Step(u8),
    /// An orderly stop, or a start.
    StopOrStart,
    /// A kill.
    Kill,
}

fn act(is_wild: bool) -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..20u8).prop_map(Act::Append),
        2 => Just(Act::Half),
        2 => (0..4u8, 1..5u8).prop_map(|(which, lines)| Act::AppendOld(which, lines)),
        3 => Just(Act::Rotate),
        1 => Just(Act::Delete),
        1 => Just(Act::Truncate),
        4 => Just(Act::Read),
        3 => (1..4u8).prop_map(Act::Step),
        3 => Just(Act::StopOrStart),
        if is_wild { 3 } else { 0 } => Just(Act::Kill),
    ]
}

/// A file as its writer has it.
struct Written {
    file: File,
    generation: u32,
    lines: u32,
    is_half: bool,
    is_deleted: bool,
}

struct World {
    case: Case,
    collect: Collect,
    source: Option<(Taildir, Arc<ChannelProcessor>)>,
    log: Option<Written>,
    old: Vec<Written>,
    generation: u32,
    /// The source has seen the log under its name.
    is_met: bool,
    /// Old files keep a name that matches.
    matches_old: bool,
    expected: BTreeSet<String>,
}

impl World {
    fn new(matches_old: bool, batch: u8) -> World {
        let pattern = if matches_old { r"log.*" } else { "log" };
        let words = [
            "--until-end",
            "--max-line-length=40",
            &format!("--batch-size={batch}"),
        ];
        World {
            case: Case::new(pattern, &words),
            collect: Collect::accepting(),
            source: None,
            log: None,
            old: Vec::new(),
            generation: 0,
            is_met: false,
            matches_old,
            expected: BTreeSet::new(),
        }
    }

    fn write(written: &mut Written, lines: u32, expected: &mut BTreeSet<String>) {
        let mut text = String::new();
        if std::mem::take(&mut written.is_half) {
            text.push('\n');
        }
        for _ in 0..lines {
            let line = format!("{}-{}", written.generation, written.lines);
            text.push_str(&line);
            text.push('\n');
            expected.insert(line);
            written.lines += 1;
        }
        written.file.write_all(text.as_bytes()).unwrap();
    }

    fn log(&mut self) -> &mut Written {
        let path = self.case.path("log");
        if self.log.is_none() {
            self.generation += 1;
            self.is_met = false;
        }
        let generation = self.generation;
        self.log.get_or_insert_with(|| Written {
            file: File::options().create(true).append(true).open(path).unwrap(),
            generation,
            lines: 0,
            is_half: false,
            is_deleted: false,
        })
    }

    fn append(&mut self, lines: u32) {
        let mut expected = std::mem::take(&mut self.expected);
        World::write(self.log(), lines, &mut expected);
        self.expected = expected;
    }

    fn half(&mut self) {
        self.append(0);
        let written = self.log();
        let line = format!("{}-{}", written.generation, written.lines);
        written.file.write_all(line.as_bytes()).unwrap();
        written.lines += 1;
        written.is_half = true;
        self.expected.insert(line);
    }

    /// The log is the log no more, and its last line is whole.
    fn retire(&mut self) -> Option<Written> {
        self.log.as_ref()?;
        if !self.is_met && !self.matches_old {
            // Nobody could know of it.
            self.read();
            if !self.is_met {
                return None;
            }
        }
        self.append(0);
        self.log.take()
    }

    fn rotate(&mut self) {
        let Some(written) = self.retire() else { return };
        self.case.rename("log", &format!("log.{}", written.generation));
        self.old.push(written);
    }

    fn delete(&mut self) {
        // Who is not there cannot hold it.
        self.read();
        if self.source.is_none() {
            return;
        }
        let Some(mut written) = self.retire() else { return };
        std::fs::remove_file(self.case.path("log")).unwrap();
        written.is_deleted = true;
        self.old.push(written);
    }

    fn truncate(&mut self) {
        self.append(0);
        self.read();
        if self.source.is_none() {
            return;
        }
        self.generation += 1;
        let generation = self.generation;
        let written = self.log();
        written.file.set_len(0).unwrap();
        // Other lines than before: that is what tells, when it has grown again.
        (written.generation, written.lines) = (generation, 0);
    }

    fn append_old(&mut self, which: u8, lines: u8) {
        if self.source.is_none() {
            // It may be forgotten by then, since its writer could have let it go.
            return;
        }
        if self.old.is_empty() {
            return;
        }
        let which = usize::from(which) % self.old.len();
        World::write(&mut self.old[which], lines.into(), &mut self.expected);
    }

    fn read(&mut self) {
        while self.step() != Status::Finished {}
    }

    fn step(&mut self) -> Status {
        let Some((source, to)) = &mut self.source else {
            return Status::Finished;
        };
        let status = source.process(to).unwrap();
        // A step begins with a look.
        self.is_met |= self.log.is_some();
        status
    }

    fn start(&mut self) {
        let mut source = SPEC.from_flags(&self.case.words).unwrap();
        let (to, _stop) = self.collect.processor("source taildir");
        source.start(&to).unwrap();
        self.source = Some((source, to));
        self.is_met |= self.log.is_some();
    }

    fn stop(&mut self) {
        let Some((mut source, to)) = self.source.take() else {
            return;
        };
        source.hand_on_rest(&to).unwrap();
        source.stop().unwrap();
        self.old.retain(|old| !old.is_deleted);
    }

    fn kill(&mut self) {
        if self.source.take().is_none() {
            return;
        }
        // What nobody has a name for went with it, and what had another name before it was noted.
        let more = self.case.directory.path().join("positions.more");
        let noted = std::fs::read_to_string(more).unwrap_or_default();
        let is_known = |old: &Written| {
            let metadata = old.file.metadata().unwrap();
            let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
            // A deleted file may have had the same inode, and be noted still.
            let born = super::super::identity::born(&metadata).map(|born| format!("\"born\":{born}"));
            self.matches_old
                || noted.contains(&format!("\"inode\":{inode},"))
                    && born.is_none_or(|born| noted.contains(&born))
        };
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.old)
            .into_iter()
            .partition(|old| !old.is_deleted && is_known(old));
        self.old = kept;
        for gone in gone {
            let prefix = format!("{}-", gone.generation);
            self.expected.retain(|line| !line.starts_with(&prefix));
        }
        // It may have been met, and that not noted.
        self.is_met = false;
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Append(lines) => self.append(lines.into()),
            Act::Half => self.half(),
            Act::AppendOld(which, lines) => self.append_old(which, lines),
            Act::Rotate => self.rotate(),
            Act::Delete => self.delete(),
            Act::Truncate => self.truncate(),
            Act::Read => self.read(),
            Act::Step(steps) => (0..steps).for_each(|_| {
                self.step();
            }),
            Act::StopOrStart if self.source.is_some() => self.stop(),
            Act::StopOrStart => self.start(),
            Act::Kill => self.kill(),
        }
    }

    fn finish(&mut self) -> Vec<String> {
        if self.log.is_some() {
            self.append(0);
        }
        if self.source.is_none() {
            self.start();
        }
        self.read();
        self.stop();
        self.collect.bodies()
    }
}

/// Lines of each generation come in their order.
fn check_order(bodies: &[String]) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    for body in bodies {
        let (generation, number) = body.split_once('-').unwrap();
        let number: u32 = number.parse().unwrap();
        let expected = last.get(generation).map_or(0, |last| last + 1);
        prop_assert_eq!(number, expected, "of generation {}", generation);
        last.insert(generation, number);
    }
    Ok(())
}

fn cases() -> u32 {
    std::env::var("FLUME_TAILDIR_CASES").map_or(150, |count| count.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_line_comes_once_and_in_order_while_nobody_is_killed(
        acts in proptest::collection::vec(act(false), 1..60),
        matches_old: bool,
        batch in 1..6u8,
    ) {
        let mut world = World::new(matches_old, batch);
        acts.into_iter().for_each(|act| world.act(act));
        let bodies = world.finish();
        check_order(&bodies)?;
        let found: BTreeSet<String> = bodies.into_iter().collect();
        prop_assert_eq!(found, world.expected);
    }

    #[test]
    fn each_line_comes_at_least_once_when_it_is_killed(
        acts in proptest::collection::vec(act(true), 1..60),
        matches_old: bool,
        batch in 1..6u8,
    ) {
        let mut world = World::new(matches_old, batch);
        acts.into_iter().for_each(|act| world.act(act));
        let found: BTreeSet<String> = world.finish().into_iter().collect();
        let missing: Vec<_> = world.expected.difference(&found).collect();
        prop_assert!(missing.is_empty(), "missing: {:?}", missing);
    }
}
