//! Whatever the chunks that the bytes come in.

mod containers;

use super::*;
use crate::event::{Batch, Event};
use crate::metrics::Kind;
use crate::source::batches::Batches;
use crate::value::Millis;
use proptest::prelude::*;

fn cutting(format: Format, end: LineEnd, most: u64, long_lines: LongLine) -> Cutting {
    Cutting {
        format,
        end,
        long: LongLines {
            max_line_length: Size(most),
            long_lines,
        },
        schema_type: Default::default(),
    }
}

fn batches(size: u32) -> Batches {
    Batches {
        batch_size: size,
        batch_bytes: Size(256 << 10),
        batch_timeout: Millis(std::time::Duration::from_secs(60)),
    }
}

fn cutter(cutting: &Cutting) -> (Cutter, Filling, Arc<Counters>) {
    crate::say::be_quiet();
    let counters = Arc::new(Counters::new(Kind::Source, "source test"));
    let cutter = Cutter::new(cutting, "it", &counters);
    (cutter, Filling::new(&batches(3)), counters)
}

fn events(batch: Batch) -> Vec<Event> {
    batch.events().map(|event| event.unwrap().to_event()).collect()
}

/// What is cut from `input` when it comes in chunks of `chunk` bytes, up to where all was whole before
/// the end, and how many lines were rejected.
fn cut(cutting: &Cutting, input: &[u8], chunk: usize) -> (Vec<Event>, u64, u64) {
    let (mut cutter, mut filling, counters) = cutter(cutting);
    let mut all = Vec::new();
    for part in input.chunks(chunk) {
        cutter.room().extend_from_slice(part);
        while cutter.cut(&mut filling) {
            all.extend(events(filling.finish()));
        }
    }
    let before_the_end = cutter.position();
    cutter.cut_last(&mut filling);
    all.extend(events(filling.finish()));
    assert_eq!(cutter.position(), input.len() as u64);
    (all, before_the_end, counters.get(Count::Rejected))
}

fn bodies(cutting: &Cutting, input: &[u8], chunk: usize) -> Vec<String> {
    let text = |event: Event| String::from_utf8_lossy(event.body()).into_owned();
    cut(cutting, input, chunk).0.into_iter().map(text).collect()
}

fn check(cutting: &Cutting, input: &str, expected: &[&str]) {
    for chunk in 1..=input.len() {
        assert_eq!(bodies(cutting, input.as_bytes(), chunk), expected, "{chunk}");
    }
}

#[test]
fn netstrings_are_cut_whatever_the_chunks() {
    let input = b"5:hello,0:,3:a\nb,12:longer than ,1:x,";
    for chunk in 1..input.len() {
        for (long, expected) in [
            (
                LongLine::Split,
                &["hello", "", "a\nb", "longer", " than ", "x"][..],
            ),
            (LongLine::Truncate, &["hello", "", "a\nb", "longer", "x"]),
            (LongLine::Reject, &["hello", "", "a\nb", "x"]),
        ] {
            let cutting = cutting(Format::Netstring, LineEnd::Lf, 6, long);
            let (found, position, _) = cut(&cutting, input, chunk);
            let found: Vec<_> = found
                .iter()
                .map(|event| std::str::from_utf8(event.body()).unwrap())
                .collect();
            assert_eq!(found, expected, "{chunk} {long:?}");
            assert_eq!(position, input.len() as u64);
        }
    }
}

#[test]
fn netstring_that_is_none_breaks_the_input_at_its_place() {
    for (input, expected) in [
        (&b"1:a,x:b,"[..], "netstring 2, at byte 4: a length and a colon"),
        (b":a,", "netstring 1, at byte 0: a length"),
        (b"1:ab", "netstring 1, at byte 3: no comma"),
        (b"9999999999999:", "a length and a colon"),
        (b"1:a,3:ab", "netstring 2, at byte 6: the input ends"),
        (b"1:a,30", "netstring 2, at byte 4: the input ends"),
    ] {
        let cutting = cutting(Format::Netstring, LineEnd::Lf, 6, LongLine::Split);
        let (mut cutter, mut filling, _) = cutter(&cutting);
        cutter.room().extend_from_slice(input);
        while cutter.cut(&mut filling) {}
        cutter.cut_last(&mut filling);
        let broken = cutter.broken().unwrap();
        assert!(broken.contains(expected), "{broken}");
    }
}

#[test]
fn lines_end_with_lf_and_the_last_one_need_not() {
    let lf = cutting(Format::Line, LineEnd::Lf, 100, LongLine::Split);
    check(&lf, "one\n\ntwo\r\nthree", &["one", "", "two\r", "three"]);
    check(&lf, "one\n", &["one"]);
    let any = cutting(Format::Line, LineEnd::Any, 100, LongLine::Split);
    check(
        &any,
        "one\rtwo\r\n\r\nthree\n\rfour",
        &["one", "two", "", "three", "", "four"],
    );
}

#[test]
fn long_line_is_split_cut_off_or_not_taken() {
    let input = "1234\n12345\n1234567890123\nab\n12345678";
    let with = |long| cutting(Format::Line, LineEnd::Lf, 4, long);
    check(
        &with(LongLine::Split),
        input,
        &[
            "1234", "1234", "5", "1234", "5678", "9012", "3", "ab", "1234", "5678",
        ],
    );
    check(
        &with(LongLine::Truncate),
        input,
        &["1234", "1234", "1234", "ab", "1234"],
    );
    check(&with(LongLine::Reject), input, &["1234", "ab"]);
    assert_eq!(cut(&with(LongLine::Reject), input.as_bytes(), 3).2, 3);
}

#[test]
fn split_does_not_cut_a_character_in_two() {
    let split = cutting(Format::Line, LineEnd::Lf, 4, LongLine::Split);
    check(&split, "abc\u{fc}d\n", &["abc", "\u{fc}d"]);
}

#[test]
fn input_can_be_read_again_from_the_start_of_a_line_that_is_not_over() {
    for long in [LongLine::Truncate, LongLine::Reject] {
        let cutting = cutting(Format::Line, LineEnd::Lf, 4, long);
        assert_eq!(cut(&cutting, b"ab\n123456789", 2).1, 3);
    }
}

#[test]
fn line_that_is_no_json_is_kept_with_the_reason() {
    let json = cutting(Format::Json, LineEnd::Lf, 100, LongLine::Split);
    let input = b"{\"headers\":{\"a\":\"b\"},\"body\":\"x\"}\n\n{\"body\":\n";
    let events = cut(&json, input, 7).0;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].header("a"), Some(&b"b"[..]));
    assert_eq!(events[1].body(), "{\"body\":");
    assert!(events[1].header(JSON_ERROR).is_some());
}

#[test]
fn raw_blocks_are_what_came_but_never_longer_than_the_bound() {
    let raw = cutting(Format::Raw, LineEnd::Lf, 4, LongLine::Split);
    assert_eq!(bodies(&raw, b"ab\n123456\n", 6), ["ab\n1", "23", "456\n"]);
}

#[test]
fn line_of_64_mib_needs_no_buffer_of_that_size() {
    for long in [LongLine::Split, LongLine::Truncate, LongLine::Reject] {
        let (mut cutter, mut filling, _) = cutter(&cutting(Format::Line, LineEnd::Lf, 1 << 20, long));
        for _ in 0..256 {
            cutter.room().extend_from_slice(&[b'x'; 256 << 10]);
            while cutter.cut(&mut filling) {
                filling.finish();
            }
        }
        assert!(cutter.buffer.capacity() <= 4 << 20);
    }
}

proptest! {
    #[test]
    fn lines_are_what_split_gives(input: Vec<u8>, chunk in 1usize..40) {
        let lines = cutting(Format::Line, LineEnd::Lf, 1000, LongLine::Split);
        let mut expected: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        if expected.last().is_some_and(|last| last.is_empty()) {
            expected.pop();
        }
        let found = cut(&lines, &input, chunk).0;
        let found: Vec<&[u8]> = found.iter().map(|event| &event.body()[..]).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn split_loses_no_byte(input: Vec<u8>, most in 1u64..9, chunk in 1usize..40) {
        let lines = cutting(Format::Line, LineEnd::Lf, most, LongLine::Split);
        let found = cut(&lines, &input, chunk).0;
        let all: Vec<u8> = found.iter().flat_map(|event| event.body().to_vec()).collect();
        let expected: Vec<u8> = input.iter().copied().filter(|byte| *byte != b'\n').collect();
        prop_assert_eq!(all, expected);
        prop_assert!(found.iter().all(|event| event.body().len() as u64 <= most));
    }
}
