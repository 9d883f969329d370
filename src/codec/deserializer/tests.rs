use super::*;
use crate::event::{Batch, Event};
use proptest::prelude::*;

fn made(name: &str, given: &[(&str, &str)], charset: &str, policy: &str) -> Box<dyn EventDeserializer> {
    let given = given
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()));
    let text = Text {
        charset: charset.parse().unwrap(),
        policy: policy.parse().unwrap(),
    };
    find(name).unwrap().make(&mut Options::new(given), text).unwrap()
}

/// All events of a file, which comes in pieces of so many bytes, `most` in a batch; and each position.
fn read(
    mut by: Box<dyn EventDeserializer>,
    file: &[u8],
    piece: usize,
    most: u32,
) -> Result<(Vec<Event>, Vec<usize>), DeserializeError> {
    let headers = Headers::default();
    let (mut batch, mut events, mut positions) = (BatchBuilder::new(), Vec::new(), Vec::new());
    let mut end = piece.min(file.len());
    let mut at = loop {
        match by.begin(&file[..end], end == file.len())? {
            Some(at) => break at,
            None => end = (end + piece).min(file.len()),
        }
    };
    loop {
        let used = by.take(
            &file[at..end],
            end == file.len(),
            &mut Events::new(&mut batch, &headers, most, 1 << 20),
        )?;
        at += used;
        let taken = batch.finish();
        if used > 0 || !taken.is_empty() {
            positions.push(at);
        }
        events.extend(taken.events().map(|event| event.unwrap().to_event()));
        match (used, end == file.len()) {
            (0, true) => break,
            (0, false) => end = (end + piece).min(file.len()),
            _ => {}
        }
    }
    assert_eq!(at, file.len(), "something is left");
    Ok((events, positions))
}

fn lines(given: &[(&str, &str)], charset: &str, policy: &str, file: &[u8], piece: usize) -> Vec<String> {
    let (events, _) = read(made("LINE", given, charset, policy), file, piece, 3).unwrap();
    events
        .iter()
        .map(|event| crate::event::shown(event.body()).into_owned())
        .collect()
}

#[test]
fn lines_are_cut_at_lf_alone_and_the_last_needs_none() {
    for piece in [1, 2, 3, 100] {
        assert_eq!(
            lines(&[], "UTF-8", "FAIL", b"one\ntwo\r\n\nthree", piece),
            ["one", "two\\r", "", "three"]
        );
        assert_eq!(lines(&[], "UTF-8", "FAIL", b"one\n", piece), ["one"]);
    }
}

#[test]
fn long_line_is_several_events_cut_between_characters() {
    let most = [("maxLineLength", "3")];
    for piece in [1, 2, 5, 100] {
        let cut = |charset: &str, text: &str| {
            let charset: Charset = charset.parse().unwrap();
            lines(&most, charset.name(), "FAIL", &charset.encode(text), piece)
        };
        assert_eq!(
            cut("UTF-8", "abc\nabcd\nabcdefg"),
            ["abc", "abc", "d", "abc", "def", "g"]
        );
        let text = "\u{e4}\u{20ac}\u{e4}\u{1F600}x\u{1F600}\n";
        assert_eq!(
            cut("UTF-8", text),
            ["\u{e4}\u{20ac}\u{e4}", "\u{1F600}x", "\u{1F600}"]
        );
        for wide in ["UTF-16LE", "UTF-16BE", "UTF-32LE"] {
            assert_eq!(
                cut(wide, text),
                ["\u{e4}\u{20ac}\u{e4}", "\u{1F600}x", "\u{1F600}"],
                "{wide}"
            );
        }
    }
}

#[test]
fn text_is_decoded_by_its_character_set_and_encoded_in_another() {
    assert_eq!(
        lines(&[], "ISO-8859-1", "FAIL", b"\xfc\n\xe4", 1),
        ["\u{fc}", "\u{e4}"]
    );
    assert_eq!(
        lines(
            &[("outputCharset", "ISO-8859-1")],
            "UTF-8",
            "FAIL",
            "\u{fc}".as_bytes(),
            1
        ),
        ["\\xfc"]
    );
    let little: Charset = "UTF-16LE".parse().unwrap();
    let file = little.encode("\u{FEFF}a\u{0A0A}\nb").into_owned();
    assert_eq!(lines(&[], "UTF-16", "FAIL", &file, 1), ["a\u{0A0A}", "b"]);
}

#[test]
fn bytes_that_are_no_text_are_an_error_with_their_place_or_replaced_or_left_out() {
    let error = read(made("LINE", &[], "UTF-8", "FAIL"), b"one\nt\xffo\n", 100, 9).unwrap_err();
    assert_eq!(
        error,
        DeserializeError::Malformed(Malformed {
            at: 5,
            charset: Charset::UTF_8
        })
    );
    assert_eq!(
        lines(&[], "UTF-8", "REPLACE", b"one\nt\xffo\nx", 1),
        ["one", "t\u{fffd}o", "x"]
    );
    assert_eq!(
        lines(&[], "UTF-8", "IGNORE", b"one\nt\xffo\nx", 1),
        ["one", "to", "x"]
    );
}

fn container(codec: apache_avro::Codec, events: u64, interval: usize) -> Vec<u8> {
    let mut container = super::super::avro::Container::new(codec, interval).unwrap();
    let mut out = Vec::new();
    use crate::codec::EventSerializer;
    container.begin(&mut out);
    for number in 0..events {
        let batch = Batch::single(&Event::new(format!("body {number}")).with_header("k", "v"));
        container.write_batch(&batch, &mut out).unwrap();
    }
    container.end(&mut out).unwrap();
    out
}

#[test]
fn records_of_a_container_are_events_and_positions_are_sync_markers() {
    for codec in [apache_avro::Codec::Null, apache_avro::Codec::Snappy] {
        let file = container(codec, 10, 40);
        for piece in [1, 7, 10_000] {
            let (events, positions) = read(made("AVRO", &[], "UTF-8", "FAIL"), &file, piece, 1).unwrap();
            assert_eq!(events.len(), 10);
            let marker = &file[file.len() - 16..];
            let (last, others) = positions.split_last().unwrap();
            assert_eq!(*last, file.len());
            assert!(others.len() >= 3 && others.iter().all(|at| &file[*at..at + 16] == marker));
            // The body is the record, as an event is one.
            let record = Batch::single(&Event::new("body 3").with_header("k", "v"));
            assert_eq!(&events[3].body()[..], record.encoded());
            assert_eq!(events[3].header("flume.avro.schema.hash").unwrap().len(), 16);
        }
    }
    let literal = made("AVRO", &[("schemaType", "literal")], "UTF-8", "FAIL");
    let (events, _) = read(literal, &container(apache_avro::Codec::Null, 1, 40), 10_000, 9).unwrap();
    assert_eq!(
        events[0].header("flume.avro.schema.literal").unwrap(),
        super::super::avro::SCHEMA.as_bytes()
    );
}

#[test]
fn every_type_of_avro_is_gone_over() {
    use apache_avro::types::Value;
    let schema = r#"{"type":"record","name":"A","fields":[
        {"name":"n","type":"null"},{"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},
        {"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"y","type":"bytes"},{"name":"s","type":"string"},
        {"name":"a","type":{"type":"array","items":"int"}},{"name":"m","type":{"type":"map","values":"string"}},
        {"name":"u","type":["null","A"]},{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},
        {"name":"x","type":{"type":"fixed","name":"F","size":3}},{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let record = |inner: Value| {
        Value::Record(vec![
            ("n".into(), Value::Null),
            ("b".into(), Value::Boolean(true)),
            ("i".into(), Value::Int(-300)),
            ("l".into(), Value::Long(1 << 40)),
            ("f".into(), Value::Float(1.5)),
            ("d".into(), Value::Double(2.5)),
            ("y".into(), Value::Bytes(vec![1, 2])),
            ("s".into(), Value::String("text".into())),
            ("a".into(), Value::Array(vec![Value::Int(1), Value::Int(2)])),
            (
                "m".into(),
                Value::Map([("k".to_string(), Value::String("v".into()))].into()),
            ),
            ("u".into(), inner),
            ("e".into(), Value::Enum(1, "Y".into())),
            ("x".into(), Value::Fixed(3, vec![7, 8, 9])),
            ("t".into(), Value::TimestampMillis(5)),
        ])
    };
    let nested = record(Value::Union(
        1,
        Box::new(record(Value::Union(0, Box::new(Value::Null)))),
    ));
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    for _ in 0..3 {
        writer.append_value(nested.clone()).unwrap();
    }
    let file = writer.into_inner().unwrap();
    let (events, _) = read(made("AVRO", &[], "UTF-8", "FAIL"), &file, 64, 9).unwrap();
    assert_eq!(events.len(), 3);
    for event in events {
        #[expect(deprecated, reason = "what takes its place is another name in each edition")]
        let value = apache_avro::from_avro_datum(&schema, &mut &event.body()[..], None).unwrap();
        assert_eq!(value, nested);
    }
}

#[test]
fn container_that_is_none_or_damaged_is_an_error() {
    let file = container(apache_avro::Codec::Null, 10, 40);
    let error = |file: &[u8]| match read(made("AVRO", &[], "UTF-8", "FAIL"), file, 100_000, 9) {
        Err(error) => error.to_string(),
        Ok(_) => "read".into(),
    };
    assert!(error(b"text, and nothing else").contains("no Avro container"));
    assert!(error(&file[..file.len() - 1]).contains("middle"));
    let mut damaged = file.clone();
    let end = damaged.len() - 5;
    damaged[end] ^= 0x7f;
    assert_ne!(error(&damaged), "read");
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x55;
        // Whatever it says, it comes to an end.
        let _ = error(&damaged);
    }
}

#[test]
fn blob_is_the_whole_file_or_pieces_of_the_most() {
    for piece in [1, 3, 100] {
        let of = |most: &str| {
            let (events, _) = read(
                made("BLOB", &[("maxBlobLength", most)], "UTF-8", "FAIL"),
                b"abcdefg",
                piece,
                9,
            )
            .unwrap();
            events
                .iter()
                .map(|event| String::from_utf8(event.body().to_vec()).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("100000000"), ["abcdefg"]);
        assert_eq!(of("3"), ["abc", "def", "g"]);
    }
}

#[test]
fn settings_that_are_not_there_or_wrong_are_named() {
    let text = Text {
        charset: Charset::UTF_8,
        policy: DecodeErrorPolicy::Fail,
    };
    let error = |name: &str, key: &str, value: &str| {
        let mut options = Options::new([(key.to_string(), value.to_string())]);
        find(name).unwrap().make(&mut options, text).err().unwrap()
    };
    assert!(error("LINE", "maxLineLenght", "1").contains("maxLineLenght"));
    assert!(error("LINE", "maxLineLength", "0").contains("maxLineLength"));
    assert!(error("LINE", "outputCharset", "klingon").contains("klingon"));
    assert!(error("AVRO", "schemaType", "MD5").contains("MD5"));
    assert!(find("JSON").err().unwrap().contains("AVRO"));
    assert_eq!(
        find("org.apache.flume.serialization.LineDeserializer$Builder")
            .unwrap()
            .name,
        "LINE"
    );
}

#[test]
fn headers_of_the_file_stand_on_each_event() {
    let headers = Headers::new(vec![(b"file".to_vec(), b"/a".to_vec())]);
    let mut batch = BatchBuilder::new();
    let mut events = Events::new(&mut batch, &headers, 9, 1000);
    events.push(b"one");
    events.push_with(&[(b"k", b"v")], b"two");
    let batch = batch.finish();
    let found: Vec<_> = batch.events().map(|event| event.unwrap().to_event()).collect();
    let file = |body: &str| Event::new(body.to_string()).with_header("file", "/a");
    assert_eq!(found, [file("one"), file("two").with_header("k", "v")]);
}

proptest! {
    #[test]
    fn lines_are_the_same_in_pieces_of_any_length(
        file in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0xC3u8), Just(0xA4u8), any::<u8>()], 0..60),
        piece in 1usize..20, most in 1usize..9, policy in 0..2usize, which in 0..4usize,
    ) {
        let charset = ["UTF-8", "UTF-16", "GBK", "UTF-32LE"][which];
        let policy = ["REPLACE", "IGNORE"][policy];
        let most = most.to_string();
        let given = [("maxLineLength", most.as_str())];
        let whole = read(made("LINE", &given, charset, policy), &file, 1000, 1000).unwrap().0;
        let pieces = read(made("LINE", &given, charset, policy), &file, piece, 2).unwrap().0;
        let text = |events: &[Event]| events.iter().flat_map(|event| event.body().to_vec()).collect::<Vec<u8>>();
        if charset == "UTF-8" && policy == "IGNORE" {
            prop_assert_eq!(text(&whole), text(&pieces));
        }
    }

    #[test]
    fn any_bytes_are_read_as_a_container_or_refused(file in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
        let mut head = b"Obj\x01\x02\x16avro.schema\x0c\"long\"\x00".to_vec();
        head.extend(&file);
        let _ = read(made("AVRO", &[], "UTF-8", "FAIL"), &head, piece, 3);
        let _ = read(made("AVRO", &[], "UTF-8", "FAIL"), &file, piece, 3);
    }
}
