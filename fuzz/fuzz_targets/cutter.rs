//! Any bytes on standard input, in pieces of any length: lines, JSON, netstrings and Avro containers. What is cut is events,
//! comes to an end, and is the same in any pieces; a place only grows and lies in the input.
#![no_main]

use flume::event::Event;
use flume::metrics::{Counters, Kind};
use flume::source::batches::{Batches, Filling};
use flume::source::lines::{Cutter, Cutting, Format, LineEnd, LongLine, LongLines};
use flume::value::{Millis, Size};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const FORMATS: [Format; 5] = [
    Format::Line,
    Format::Json,
    Format::Netstring,
    Format::Avro,
    Format::AvroEvent,
];

fn cut(cutting: &Cutting, input: &[u8], piece: usize, size: u32) -> (Vec<Event>, Option<String>) {
    let batches = Batches {
        batch_size: size,
        batch_bytes: Size(1 << 20),
        batch_timeout: Millis(std::time::Duration::ZERO),
    };
    let counters = Arc::new(Counters::new(Kind::Source, "source fuzz"));
    let mut cutter = Cutter::new(cutting, "it", &counters);
    let (mut filling, mut all, mut reached) = (Filling::new(&batches), Vec::new(), 0);
    let mut take = |cutter: &mut Cutter, filling: &mut Filling| {
        let batch = filling.finish();
        batch.check().expect("what was cut is events");
        all.extend(
            batch
                .events()
                .map(|event| event.expect("it was checked").to_event()),
        );
        let place = cutter.place(cutter.position());
        assert!(place.again <= place.bytes && place.bytes <= input.len() as u64);
        assert!(place.bytes >= reached, "it goes back");
        reached = place.bytes;
        cutter.forget(cutter.position());
    };
    for part in input.chunks(piece) {
        cutter.room().extend_from_slice(part);
        while cutter.cut(&mut filling) {
            take(&mut cutter, &mut filling);
        }
    }
    cutter.cut_last(&mut filling);
    take(&mut cutter, &mut filling);
    let broken = cutter.broken().map(str::to_string);
    (all, broken)
}

fuzz_target!(|bytes: &[u8]| {
    let [which, piece, most, input @ ..] = bytes else {
        return;
    };
    flume::say::be_quiet();
    let cutting = Cutting {
        format: FORMATS[usize::from(*which) % FORMATS.len()],
        end: [LineEnd::Lf, LineEnd::Any][usize::from(*which) / 5 % 2],
        long: LongLines {
            max_line_length: Size(u64::from(*most) + 1),
            long_lines: [LongLine::Split, LongLine::Truncate, LongLine::Reject][usize::from(*which) / 10 % 3],
        },
        schema_type: Default::default(),
    };
    let whole = cut(&cutting, input, input.len().max(1), 1000);
    let parts = cut(&cutting, input, usize::from(*piece) + 1, 3);
    assert!(whole == parts, "pieces make a difference");
});
