//! Avro object containers, one behind the other: an event for each record, or the events that the records are.
//!
//! A block is cut when all of it is there, since only the marker behind it shows that it is whole. Where one is broken
//! nobody knows where the next begins, so the input ends there.

use super::{Cutter, Place, Step};
use crate::codec::avro::{MAGIC, MARKER};
use crate::codec::deserializer::container::{Block, Container, SchemaType};
use crate::codec::deserializer::{Events, Headers};
use crate::event::EventRef;
use crate::say;
use crate::source::batches::Filling;
use std::collections::VecDeque;

/// How far the containers of an input were cut.
pub(super) struct Containers {
    /// The records are events, as `avro_event` writes them.
    are_events: bool,
    schema_type: SchemaType,
    open: Option<Open>,
    /// What is looked at: which container, which block of it (0: its head), and where that begins.
    looked_at: (u64, u64, u64),
    /// The block whose records are cut, and what is left of it.
    block: Vec<u8>,
    at: usize,
    left: u64,
    /// Records of all containers so far.
    records: u64,
    /// Ends of blocks, and beginnings of containers, that are not accepted yet, and the one before.
    marks: VecDeque<Mark>,
    told: bool,
}

struct Open {
    container: Container,
    /// Where it begins.
    at: u64,
    /// What each record has.
    headers: Headers,
}

/// So many records are in front of this place.
struct Mark {
    records: u64,
    place: Place,
}

impl Containers {
    pub(super) fn new(are_events: bool, schema_type: SchemaType) -> Containers {
        Containers {
            are_events,
            schema_type,
            open: None,
            looked_at: (0, 0, 0),
            block: Vec::new(),
            at: 0,
            left: 0,
            records: 0,
            marks: VecDeque::new(),
            told: false,
        }
    }

    /// The last mark that so many records have passed.
    pub(super) fn place(&self, records: u64) -> Place {
        let passed = self.marks.iter().rev().find(|mark| mark.records <= records);
        passed.map_or(Place::default(), |mark| mark.place)
    }

    /// So many records are accepted.
    pub(super) fn forget(&mut self, records: u64) {
        while self.marks.get(1).is_some_and(|mark| mark.records <= records) {
            self.marks.pop_front();
        }
    }

    fn mark(&mut self, bytes: u64, again: u64) {
        self.marks.push_back(Mark {
            records: self.records,
            place: Place { bytes, again },
        });
    }
}

impl Cutter {
    /// A record, or the next block or container.
    pub(super) fn container(&mut self, into: &mut Filling) -> Step {
        if self.broken.is_some() {
            return Step::Empty;
        }
        if self.containers.left > 0 {
            return self.record(into);
        }
        let Some(first) = self.buffer.get(self.used).copied() else {
            return Step::Empty;
        };
        self.look_at(first);
        let found = match self.containers.looked_at {
            (_, 0, _) => self.open_container(),
            _ => self.open_block(),
        };
        found.unwrap_or_else(|why| {
            self.break_off(&why);
            Step::Empty
        })
    }

    /// What begins here with this byte: the next block, or the next container.
    fn look_at(&mut self, first: u8) {
        let (number, block, at) = self.containers.looked_at;
        if self.consumed == at && number > 0 {
            return;
        }
        self.containers.looked_at = match self.containers.open.is_none() || first == MAGIC[0] {
            true => (number + 1, 0, self.consumed),
            false => (number, block + 1, self.consumed),
        };
    }

    fn open_container(&mut self) -> Result<Step, String> {
        let at = self.consumed;
        let Some((container, bytes)) = Container::open(&self.buffer[self.used..], false)? else {
            return Ok(Step::Empty);
        };
        let of_flume = container.holds_events();
        if self.containers.are_events && !of_flume {
            return Err(
                "the records of the Avro container are no events of Flume (a map of strings named headers, then bytes \
                 named body); --format avro makes an event of each record, whatever it is"
                    .into(),
            );
        }
        if of_flume && !self.containers.are_events && !self.containers.told {
            self.containers.told = true;
            let what = "each record is an event of Flume, whose headers and body are in the body now; --format \
                        avro_event takes it as that event";
            say::info(
                self.faults.counters.name(),
                format!("{}: {what}", self.faults.input),
            );
        }
        let header = container.schema_header(self.containers.schema_type);
        self.containers.open = Some(Open {
            container,
            at,
            headers: Headers::new(vec![(header.0.to_vec(), header.1)]),
        });
        self.containers.mark(at, at);
        self.advance(bytes);
        Ok(Step::More)
    }

    fn open_block(&mut self) -> Result<Step, String> {
        let containers = &mut self.containers;
        let Some(open) = &mut containers.open else {
            return Ok(Step::Empty);
        };
        let found = open
            .container
            .block(&self.buffer[self.used..], &mut containers.block)?;
        let Block::Whole { records, bytes } = found else {
            return Ok(Step::Empty);
        };
        (containers.at, containers.left) = (0, records);
        self.advance(bytes + MARKER);
        match records {
            0 => self.end_block().map(|()| Step::More),
            _ => Ok(Step::More),
        }
    }

    fn record(&mut self, into: &mut Filling) -> Step {
        let containers = &mut self.containers;
        let Some(open) = &containers.open else {
            return Step::Empty;
        };
        let rest = &containers.block[containers.at..];
        let length = match containers.are_events {
            true => match EventRef::decode(rest) {
                Ok((event, length)) => {
                    into.events.push_encoded(event);
                    Ok(length)
                }
                Err(error) => Err(format!("a record of the Avro container is no event: {error}")),
            },
            false => open.container.record(rest).inspect(|length| {
                let mut events = Events::new(&mut into.events, &open.headers, u32::MAX, usize::MAX);
                events.push(&rest[..*length]);
            }),
        };
        let ended = length.and_then(|length| self.end_record(length));
        match ended {
            Ok(()) => Step::More,
            Err(why) => {
                self.break_off(&why);
                Step::Empty
            }
        }
    }

    fn end_record(&mut self, length: usize) -> Result<(), String> {
        let containers = &mut self.containers;
        containers.at += length;
        containers.left -= 1;
        containers.records += 1;
        self.position = containers.records;
        match containers.left {
            0 => self.end_block(),
            _ => Ok(()),
        }
    }

    fn end_block(&mut self) -> Result<(), String> {
        let containers = &mut self.containers;
        if containers.at != containers.block.len() {
            return Err("a block of the Avro container has more than its records".into());
        }
        let begin = containers.open.as_ref().map_or(0, |open| open.at);
        containers.mark(self.consumed, begin);
        Ok(())
    }

    /// The input ends here.
    pub(super) fn end_containers(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let Some(first) = self.buffer.get(self.used).copied() else {
            let end = self.consumed;
            return self.containers.mark(end, end);
        };
        self.look_at(first);
        let rest = &self.buffer[self.used..];
        let what = match (self.containers.looked_at, &self.containers.open) {
            ((_, 1.., _), Some(open)) => match open.container.block(rest, &mut Vec::new()) {
                Ok(Block::Cut(what)) => what,
                _ => "a block",
            },
            _ => "the head of a container",
        };
        self.break_off(&format!("the input ends in the middle of {what}"));
    }

    /// Where in the containers something is wrong.
    pub(super) fn place_in_containers(&self) -> String {
        match self.containers.looked_at {
            (number, 0, at) => format!("Avro container {number}, at byte {at}"),
            (number, block, at) => format!("block {block} of Avro container {number}, at byte {at}"),
        }
    }
}
