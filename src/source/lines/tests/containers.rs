//! Avro containers that come in pieces, one behind the other, whole and broken.

use super::*;
use crate::codec::avro::{Container, MARKER, SCHEMA};
use crate::codec::{EventSerializer, Options};
use apache_avro::Codec;

fn avro(format: Format, schema_type: SchemaType) -> Cutting {
    Cutting {
        schema_type,
        ..cutting(format, LineEnd::Lf, 100, LongLine::Split)
    }
}

fn container(codec: Codec, events: &[Event]) -> Vec<u8> {
    let mut container = Container::new(codec, 20).unwrap();
    let mut out = Vec::new();
    container.begin(&mut out);
    for event in events {
        container.write_batch(&Batch::single(event), &mut out).unwrap();
    }
    container.end(&mut out).unwrap();
    out
}

fn numbered(range: std::ops::Range<u32>) -> Vec<Event> {
    let event = |number: u32| Event::new(format!("body {number}")).with_header("n", number.to_string());
    range.map(event).collect()
}

/// What is cut, each batch with the position behind it; the cutter, and why it broke off.
fn cut_all(cutting: &Cutting, input: &[u8], chunk: usize) -> (Vec<(Event, u64)>, Cutter, String) {
    let (mut cutter, mut filling, _) = cutter(cutting);
    let mut all = Vec::new();
    let mut take = |cutter: &Cutter, filling: &mut Filling| {
        let position = cutter.position();
        all.extend(
            events(filling.finish())
                .into_iter()
                .map(|event| (event, position)),
        );
    };
    for part in input.chunks(chunk) {
        cutter.room().extend_from_slice(part);
        while cutter.cut(&mut filling) {
            take(&cutter, &mut filling);
        }
    }
    cutter.cut_last(&mut filling);
    take(&cutter, &mut filling);
    let broken = cutter.broken().unwrap_or_default().to_string();
    (all, cutter, broken)
}

#[test]
fn events_of_several_containers_come_back_whatever_the_chunks_and_codecs() {
    let all = numbered(0..25);
    let input = [
        container(Codec::Null, &all[..10]),
        container(Codec::Snappy, &[]),
        container(Codec::Deflate(Default::default()), &all[10..11]),
        container(Codec::Zstandard(Default::default()), &all[11..]),
    ]
    .concat();
    for chunk in [1, 7, 64, 100_000] {
        let (found, cutter, broken) = cut_all(&avro(Format::AvroEvent, SchemaType::Hash), &input, chunk);
        let found: Vec<Event> = found.into_iter().map(|(event, _)| event).collect();
        assert_eq!((found, broken.as_str()), (all.clone(), ""));
        let end = cutter.place(cutter.position());
        assert_eq!((end.bytes, end.again), (input.len() as u64, input.len() as u64));
    }
}

#[test]
fn record_is_a_body_with_its_schema_in_a_header_as_the_deserializer_has_it() {
    let input = container(Codec::Null, &numbered(0..5)).repeat(2);
    for (kind, header) in [
        (SchemaType::Hash, "flume.avro.schema.hash"),
        (SchemaType::Literal, "flume.avro.schema.literal"),
    ] {
        let (found, _, broken) = cut_all(&avro(Format::Avro, kind), &input, 50);
        assert_eq!((found.len(), broken.as_str()), (10, ""));
        let (event, _) = &found[7];
        assert_eq!(&event.body()[..], Batch::single(&numbered(2..3)[0]).encoded());
        assert_eq!(event.headers().count(), 1);
        match kind {
            SchemaType::Hash => assert_eq!(event.header(header).unwrap().len(), 16),
            SchemaType::Literal => assert_eq!(event.header(header), Some(SCHEMA.as_bytes())),
        }
    }
}

#[test]
fn batches_may_part_a_block_and_reading_begins_again_at_a_container() {
    let one = container(Codec::Null, &numbered(0..1));
    let mut big = Container::new(Codec::Null, 1 << 20).unwrap();
    let mut input = one.clone();
    big.begin(&mut input);
    for event in numbered(1..11) {
        big.write_batch(&Batch::single(&event), &mut input).unwrap();
    }
    big.end(&mut input).unwrap();
    let (found, cutter, _) = cut_all(&avro(Format::AvroEvent, SchemaType::Hash), &input, 100_000);
    // Three events in a batch: the records of the second container are in four of them.
    assert_eq!((found.len(), found[2].1, found[10].1), (11, 3, 11));
    let second = one.len() as u64;
    for (records, bytes, again) in [
        (0, 0, 0),
        (1, second, second),
        (9, second, second),
        (11, input.len() as u64, input.len() as u64),
    ] {
        assert_eq!(cutter.place(records), Place { bytes, again }, "{records}");
    }
}

#[test]
fn what_is_broken_is_told_with_its_place_and_what_came_before_is_there() {
    let good = container(Codec::Null, &numbered(0..4));
    let blocks = container(Codec::Null, &numbered(4..8));
    let at = good.len();
    let mut other_marker = blocks.clone();
    *other_marker.last_mut().unwrap() ^= 1;
    let mut bad_record = container(Codec::Null, &[Event::new("x")]);
    // The length of the body, which is the last byte but one of the record.
    let end = bad_record.len() - MARKER;
    bad_record[end - 2] = 0x7e;
    let cases: [(&[u8], usize, &str); 7] = [
        (
            b"text",
            4,
            &format!("at byte {at}: no block of the Avro container begins where"),
        ),
        (&blocks[..9], 4, "container 2, at byte"),
        (
            &blocks[..blocks.len() - 1],
            6,
            "the input ends in the middle of a block",
        ),
        (&other_marker, 6, "does not end with its sync marker"),
        (&bad_record, 4, "block 1 of Avro container 2, at byte"),
        (b"Obj\x01\x000123456789abcdef", 4, "has no schema"),
        (
            b"Obj\x01\x02\x16avro.schema\x0c\"long\"\x000123456789abcdef",
            4,
            "no events of Flume",
        ),
    ];
    for (input, expected, why) in cases {
        let input = [&good[..], input].concat();
        for chunk in [1, 3, 10_000] {
            let (found, _, broken) = cut_all(&avro(Format::AvroEvent, SchemaType::Hash), &input, chunk);
            assert_eq!(found.len(), expected, "{broken}");
            assert!(broken.contains(why), "{broken}");
        }
    }
    let (found, _, broken) = cut_all(&avro(Format::AvroEvent, SchemaType::Hash), b"1\n2\n", 9);
    assert!(
        found.is_empty() && broken.starts_with("Avro container 1, at byte 0: "),
        "{broken}"
    );
}

#[test]
fn nothing_at_all_is_no_mistake() {
    let (found, _, broken) = cut_all(&avro(Format::Avro, SchemaType::Hash), b"", 1);
    assert!(found.is_empty() && broken.is_empty());
}

#[test]
fn block_that_claims_more_records_than_it_can_have_is_refused() {
    let mut input = b"Obj\x01\x02\x16avro.schema\x0c\"null\"\x000123456789abcdef".to_vec();
    // Records of no bytes: 2^40 of them in none.
    input.extend_from_slice(b"\x80\x80\x80\x80\x80\x40\x000123456789abcdef");
    let (found, _, broken) = cut_all(&avro(Format::Avro, SchemaType::Hash), &input, 9);
    assert!(
        found.is_empty() && broken.contains("records in 0 bytes"),
        "{broken}"
    );
}

proptest! {
    #[test]
    fn what_the_serializer_writes_is_read_back(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..30),
        files in 1usize..4, chunk in 1usize..300, codec in 0usize..5,
    ) {
        let codec = ["null", "deflate", "snappy", "zstandard", "bzip2"][codec];
        let all: Vec<Event> = bodies
            .iter()
            .enumerate()
            .map(|(at, body)| Event::new(body.clone()).with_header("at", at.to_string()))
            .collect();
        let mut input = Vec::new();
        for part in all.chunks(all.len().div_ceil(files).max(1)) {
            let settings = [("compressionCodec", codec), ("syncIntervalBytes", "64")];
            let settings = settings.map(|(key, value)| (key.to_string(), value.to_string()));
            let mut serializer = crate::codec::serializer("avro_event", &mut Options::new(settings)).unwrap();
            let mut out = Vec::new();
            serializer.begin(&mut out);
            for event in part {
                serializer.write_batch(&Batch::single(event), &mut out).unwrap();
            }
            serializer.end(&mut out).unwrap();
            input.extend(out);
        }
        let (found, _, broken) = cut_all(&avro(Format::AvroEvent, SchemaType::Hash), &input, chunk);
        prop_assert_eq!(broken, "");
        prop_assert_eq!(found.into_iter().map(|(event, _)| event).collect::<Vec<_>>(), all);
    }

    #[test]
    fn any_change_of_a_byte_comes_to_an_end(at in 0usize..2000, to: u8, chunk in 1usize..300, which: bool) {
        let mut input = container(Codec::Null, &numbered(0..20)).repeat(2);
        let at = at % input.len();
        input[at] = to;
        let format = if which { Format::Avro } else { Format::AvroEvent };
        let (found, _, _) = cut_all(&avro(format, SchemaType::Literal), &input, chunk);
        prop_assert!(found.len() <= 40);
    }
}
