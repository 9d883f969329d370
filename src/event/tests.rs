//! Events and batches as they are written and read.

use super::build::{entry_size, put_block, varint_size};
use super::*;
use proptest::prelude::*;

fn events(batch: &Batch) -> Vec<Event> {
    batch.events().map(|event| event.unwrap().to_event()).collect()
}

/// The same event in the form of other writers: unsized blocks of one entry each.
fn foreign(event: &Event) -> Vec<u8> {
    in_blocks(event, false)
}

/// The same event with a block for each header, with or without its size.
fn in_blocks(event: &Event, sized: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in event.headers() {
        match sized {
            true => put_block(&mut bytes, 1, entry_size(key, value)),
            false => put_long(&mut bytes, 1),
        }
        put_bytes(&mut bytes, key);
        put_bytes(&mut bytes, value);
    }
    bytes.push(0);
    put_bytes(&mut bytes, event.body());
    bytes
}

fn any_event() -> impl Strategy<Value = Event> {
    let name = proptest::collection::vec(any::<u8>(), 0..9);
    let value = proptest::collection::vec(any::<u8>(), 0..80);
    let headers = proptest::collection::vec((name, value), 0..5);
    (headers, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(headers, body)| {
        headers.iter().fold(Event::new(body), |event, (key, value)| {
            event.with_header(key, value)
        })
    })
}

proptest! {
    #[test]
    fn short_way_sees_what_the_long_way_sees(
        given in any_event(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        deep in any::<bool>(),
    ) {
        let mut bytes = Batch::single(&given).encoded().to_vec();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let (mut short, mut long) = (Cursor { bytes: &bytes, at: 0 }, Cursor { bytes: &bytes, at: 0 });
        let found = long.any_event(deep);
        match short.usual_event(deep, |_, _| {}) {
            None => prop_assert_eq!(short.at, 0),
            Some(event) => {
                let found = found.unwrap();
                prop_assert_eq!(short.at, long.at);
                prop_assert_eq!((event.raw, event.map, event.body), (found.raw, found.map, found.body));
            }
        }
    }

    #[test]
    fn step_over_what_java_writes_goes_as_far_as_the_long_way(
        given in any_event(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = foreign(&given);
        if given.headers.len() < 2 {
            let mut cursor = Cursor { bytes: &bytes, at: 0 };
            prop_assert!(cursor.step_over_unsized() && cursor.at == bytes.len());
        }
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let (mut short, mut long) = (Cursor { bytes: &bytes, at: 0 }, Cursor { bytes: &bytes, at: 0 });
        let found = long.any_event(true);
        match short.step_over_unsized() {
            false => prop_assert_eq!(short.at, 0),
            true => {
                prop_assert!(found.is_ok());
                prop_assert_eq!(short.at, long.at);
            }
        }
    }

    #[test]
    fn usual_events_are_read_the_short_way(given in any_event()) {
        let bytes = Batch::single(&given).encoded().to_vec();
        let mut cursor = Cursor { bytes: &bytes, at: 0 };
        let found = cursor.usual_event(true, |_, _| {});
        prop_assert_eq!(found.map(|event| event.to_event()), Some(given));
    }

    #[test]
    fn events_come_back_as_they_were_pushed(given in proptest::collection::vec(any_event(), 0..20)) {
        let mut builder = BatchBuilder::new();
        given.iter().for_each(|event| builder.push_event(event));
        let batch = builder.finish();
        prop_assert_eq!(batch.len() as usize, given.len());
        prop_assert_eq!(events(&batch), given);
    }

    #[test]
    fn both_forms_of_the_header_map_are_read(event in any_event()) {
        let batch = Batch::from_encoded(foreign(&event).into(), 1);
        prop_assert_eq!(events(&batch), vec![event]);
    }

    #[test]
    fn set_headers_are_what_a_map_would_hold(event in any_event(), value: Vec<u8>, unsized_blocks: bool) {
        let first = event.headers().next().map(|(key, _)| key.to_vec()).unwrap_or_default();
        let batch = match unsized_blocks {
            true => Batch::from_encoded(foreign(&event).into(), 1),
            false => Batch::single(&event),
        };
        for name in [&first[..], b"some other name"] {
            let mut builder = BatchBuilder::new();
            let source = batch.events().next().unwrap().unwrap();
            builder.push_with(source, &[(name, &value)], None);
            builder.push_without(source, |key| key == name);
            let mut without = event.clone();
            without.headers.retain(|(key, _)| key != name);
            let expected = vec![event.clone().with_header(name, &value), without];
            prop_assert_eq!(events(&builder.finish()), expected);
        }
    }

    #[test]
    fn entries_are_what_a_map_would_hold(
        event in any_event(),
        values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..70),
        more: u8,
        form in 0..3,
    ) {
        let name = |at: usize| format!("name {at} {}", "n".repeat(usize::from(more)));
        let mut entries = Entries::default();
        let mut expected = event.clone();
        for (at, value) in values.iter().enumerate() {
            let text = [&value[..], b"what follows in the text that the value is a part of"].concat();
            entries.add(&Name::new(name(at).as_bytes()), &text, value.len());
            expected.set_header(name(at), value);
        }
        entries.close();
        let batch = match form {
            0 => Batch::single(&event),
            form => Batch::from_encoded(in_blocks(&event, form == 1).into(), 1),
        };
        let mut builder = BatchBuilder::new();
        builder.push_entries(batch.events().next().unwrap().unwrap(), &entries);
        prop_assert!(builder.bytes() <= batch.bytes() + entries.room());
        builder.push_run(batch.encoded(), 1);
        let out = builder.finish();
        prop_assert_eq!(out.check(), Ok(()));
        prop_assert_eq!(events(&out), vec![expected, event]);
    }

    #[test]
    fn walk_that_looks_for_a_header_sees_what_events_see(
        given in proptest::collection::vec(any_event(), 1..4),
        name in proptest::collection::vec(any::<u8>(), 0..2),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        said in 0u32..5,
    ) {
        let mut builder = BatchBuilder::new();
        given.iter().for_each(|event| builder.push_event(event));
        let mut bytes = builder.finish().encoded().to_vec();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let batch = Batch::from_encoded(bytes.into(), said);
        let mut looking = batch.events();
        for event in batch.events() {
            let found = looking.usual_finding(&name).map(Ok);
            let found = found.or_else(|| looking.rare_finding(&name));
            let plain = |event: EventRef<'_>| (event.encoded().to_vec(), event.header(&name).map(<[u8]>::to_vec));
            let expected = event.map(plain);
            let found = found.unwrap().map(|(event, value)| (event.encoded().to_vec(), value.map(<[u8]>::to_vec)));
            prop_assert_eq!(found, expected);
        }
        prop_assert!(looking.usual_finding(&name).is_none() && looking.rare_finding(&name).is_none());
    }

    #[test]
    fn no_bytes_panic_or_read_past_their_end(bytes: Vec<u8>, count in 0u32..4) {
        let batch = Batch::from_encoded(bytes.into(), count);
        let _ = batch.check();
        batch.bodies().for_each(|event| { let _ = event.map(|e| e.headers().count()); });
    }

    #[test]
    fn a_cut_event_is_an_error(event in any_event()) {
        let whole = Batch::single(&event).encoded().clone();
        for end in 1..whole.len() {
            prop_assert!(Batch::from_encoded(whole.slice(..end), 1).check().is_err());
        }
    }
}

#[test]
fn count_that_differs_from_the_events_is_an_error() {
    let slab = Batch::single(&Event::new("a")).encoded().clone();
    let said = |count| Batch::from_encoded(slab.clone(), count).check();
    assert!(said(1).is_ok());
    assert_eq!(said(0), Err(DecodeError::Count { said: 0, found: 1 }));
    assert_eq!(said(2), Err(DecodeError::Count { said: 2, found: 1 }));
}

#[test]
fn block_size_that_lies_is_found_by_who_looks_at_headers() {
    let mut lying = Batch::single(&Event::new("x").with_header("k", "v"))
        .encoded()
        .to_vec();
    lying[2] = 6; // the name of the header now seems to be three bytes long
    let batch = Batch::from_encoded(lying.into(), 1);
    assert!(batch.check().is_err());
}

#[test]
fn varint_sizes_agree_with_what_is_written() {
    for value in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::MAX, i64::MIN] {
        let mut bytes = Vec::new();
        put_long(&mut bytes, value);
        assert_eq!(bytes.len(), varint_size(value), "{value}");
        assert_eq!(Cursor { bytes: &bytes, at: 0 }.long("it"), Ok(value));
    }
}

#[test]
fn head_of_a_block_is_its_two_numbers() {
    for entries in [1, 2, 0x3F, 0x40, 0x41, 9000] {
        for size in [0, 1, 0x3F, 0x40, 0x41, 0x7F, 0x80, 0x1FFF, 0x2000, 1 << 20] {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            put_block(&mut bytes, entries, size);
            put_long(&mut expected, -(entries as i64));
            put_long(&mut expected, size as i64);
            assert_eq!(bytes, expected, "{entries} {size}");
        }
    }
}

#[test]
fn shown_escapes_what_is_not_text() {
    assert_eq!(shown("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
    assert_eq!(shown(b"a\xffb\n"), "a\\xffb\\n");
}
