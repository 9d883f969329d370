use super::*;
use crate::event::{BatchBuilder, Event};
use proptest::prelude::*;
use std::io::Read;

fn hello() -> Hello {
    Hello {
        version: VERSION,
        stream: "s".into(),
        stage: "source seq".into(),
        host: "h".into(),
        pid: 1,
        time: String::new(),
        reply: "none".into(),
        token: String::new(),
        origin: String::new(),
        via: vec![],
        other: Default::default(),
    }
}

fn stream(batches: &[Batch], compression: Compression) -> Vec<u8> {
    let mut bytes = hello().encode();
    for (index, batch) in batches.iter().enumerate() {
        let (mut header, payload) = batch_frame(batch, compression);
        header.sequence = index as u64 + 1;
        bytes.extend_from_slice(&header.encode(0));
        bytes.extend_from_slice(&payload);
    }
    let end = End {
        batches: batches.len() as u64,
        ..End::default()
    };
    bytes.extend_from_slice(&end.encode());
    bytes
}

/// Hands out bytes in pieces of the given sizes and would block between them.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl Input for Pieces<'_> {}

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn % 2 == 1 && !self.bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = self.sizes[self.turn % self.sizes.len()].min(to.len());
        self.bytes.read(&mut to[..size])
    }
}

fn read_all(reader: impl Input) -> Result<Vec<Frame>, WireError> {
    let mut frames = FrameReader::new(reader, LIMIT);
    let mut order = Order::default();
    let mut all = Vec::new();
    loop {
        match frames.next()? {
            Got::Frame(frame) => {
                let at = frames.at();
                order
                    .check(&frame.header)
                    .map_err(|fault| WireError::Fault { at, fault })?;
                all.push(frame);
            }
            Got::Pending => {}
            Got::Eof => return Ok(all),
        }
    }
}

fn batch_of(bodies: &[Vec<u8>]) -> Batch {
    let mut builder = BatchBuilder::new();
    bodies.iter().for_each(|body| builder.push_body(body));
    builder.finish()
}

fn fault_of(result: Result<Vec<Frame>, WireError>) -> Fault {
    match result.unwrap_err() {
        WireError::Fault { fault, .. } => fault,
        WireError::Io(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn stream_in_any_pieces_comes_back_whole(
        given in proptest::collection::vec(proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..9), 0..6),
        sizes in proptest::collection::vec(1usize..300, 1..4),
        packed in 0..3,
    ) {
        let compression = [Compression::None, Compression::Lz4, Compression::Zstd][packed as usize];
        let batches: Vec<_> = given.iter().map(|bodies| batch_of(bodies)).collect();
        let bytes = stream(&batches, compression);
        let frames = read_all(Pieces { bytes: &bytes, sizes, turn: 0 }).unwrap();
        prop_assert_eq!(frames.len(), batches.len() + 2);
        for (frame, batch) in frames[1..].iter().zip(&batches) {
            let found = frame.clone().batch().unwrap();
            prop_assert_eq!(found.encoded(), batch.encoded());
            prop_assert!(found.check().is_ok());
        }
    }

    #[test]
    fn large_and_small_frames_behind_each_other_come_back_whole(
        lengths in proptest::collection::vec(prop_oneof![0usize..300, 60_000usize..70_000, 0usize..400_000], 1..7),
        sizes in proptest::collection::vec(prop_oneof![1usize..90, 40_000usize..500_000], 1..4),
        flip in proptest::option::of(any::<prop::sample::Index>()),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let batches: Vec<_> = lengths.iter().map(|length| batch_of(&[vec![b'x'; *length]])).collect();
        let mut bytes = stream(&batches, Compression::None);
        if let Some(at) = flip {
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
        }
        let end = cut.map_or(bytes.len(), |cut| cut.index(bytes.len()));
        let pieces = Pieces { bytes: &bytes[..end], sizes, turn: 0 };
        let mut found = FrameReader::new(pieces, LIMIT);
        loop {
            // A new reader has seen no large frame before.
            let at = found.at();
            let mut expected = FrameReader::salted(&bytes[at as usize..end], LIMIT, 0, at);
            let next = match found.next() {
                Ok(Got::Pending) => continue,
                next => next,
            };
            match (next, expected.next()) {
                (Ok(Got::Frame(found)), Ok(Got::Frame(expected))) => {
                    prop_assert_eq!(found.header, expected.header);
                    prop_assert_eq!(found.payload, expected.payload);
                }
                (Ok(Got::Eof), Ok(Got::Eof)) => break,
                (Err(found), Err(expected)) => {
                    prop_assert_eq!(found.to_string(), expected.to_string());
                    break;
                }
                (found, expected) => prop_assert!(false, "{:?} and {:?}", found.is_ok(), expected.is_ok()),
            }
            prop_assert_eq!(found.at(), expected.at());
        }
    }

    #[test]
    fn flipped_bit_is_found(at: prop::sample::Index, bit in 0u32..8) {
        let mut bytes = stream(&[batch_of(&[b"one".to_vec(), b"two".to_vec()])], Compression::None);
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        prop_assert!(read_all(&bytes[..]).is_err());
    }

    #[test]
    fn cut_anywhere_is_told_from_the_end_between_frames(at: prop::sample::Index) {
        let bytes = stream(&[batch_of(&[b"one".to_vec()])], Compression::None);
        let end = at.index(bytes.len());
        match read_all(&bytes[..end]) {
            Ok(frames) => prop_assert!(frames.len() < 3),
            Err(WireError::Fault { fault: Fault::Cut { .. }, .. }) => {}
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
        let _ = read_all(&bytes[..]);
        let mut reader = FrameReader::new(&bytes[..], LIMIT);
        let _ = reader.next();
        let _ = reader.skip_to_next();
    }
}

#[test]
fn text_is_refused_at_its_first_bytes() {
    let fault = fault_of(read_all(&b"he"[..]));
    assert!(matches!(&fault, Fault::Magic(found) if found == b"he"), "{fault}");
}

#[test]
fn length_of_four_gigabytes_allocates_nothing() {
    let mut header = FrameHeader::new(Kind::Batch, &[]);
    header.length = u32::MAX;
    let fault = fault_of(read_all(&header.encode(0)[..]));
    assert!(
        matches!(
            fault,
            Fault::TooLong {
                length: u32::MAX,
                limit: LIMIT
            }
        ),
        "{fault}"
    );
}

#[test]
fn hello_of_version_two_names_both_versions() {
    let frame = encode_json(
        Kind::Hello,
        0,
        &serde_json::json!({"version": 2, "reply": {"new": "shape"}}),
    );
    let frames = read_all(&frame[..]).unwrap();
    let fault = Hello::from_frame(&frames[0]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the stream has version 2, this program speaks version 1"
    );
}

#[test]
fn members_of_a_hello_that_are_not_known_are_handed_on() {
    let frame = encode_json(
        Kind::Hello,
        0,
        &serde_json::json!({"version": 1, "colour": "blue"}),
    );
    let frames = read_all(&frame[..]).unwrap();
    let hello = Hello::from_frame(&frames[0]).unwrap();
    let again = read_all(&hello.encode()[..]).unwrap();
    assert!(String::from_utf8_lossy(&again[0].payload).contains("\"colour\":\"blue\""));
}

#[test]
fn end_behind_more_batches_than_can_be_is_a_gap() {
    let mut order = Order::default();
    order.check(&FrameHeader::new(Kind::Hello, &[])).unwrap();
    let mut end = FrameHeader::new(Kind::End, &[]);
    end.sequence = u64::MAX;
    assert!(matches!(
        order.check(&end).unwrap_err(),
        Fault::Gap {
            expected: 1,
            found: u64::MAX
        }
    ));
}

#[test]
fn missing_batch_is_a_gap() {
    let whole = stream(
        &[batch_of(&[b"a".to_vec()]), batch_of(&[b"b".to_vec()])],
        Compression::None,
    );
    let hello = hello().encode().len();
    let one = HEADER + 3;
    let bytes = [&whole[..hello], &whole[hello + one..]].concat();
    assert!(matches!(
        fault_of(read_all(&bytes[..])),
        Fault::Gap {
            expected: 1,
            found: 2
        }
    ));
}

#[test]
fn batch_without_a_hello_is_refused() {
    let whole = stream(&[Batch::single(&Event::new("a"))], Compression::None);
    let bytes = &whole[hello().encode().len()..];
    assert!(matches!(fault_of(read_all(bytes)), Fault::NoHello));
}

#[test]
fn reader_of_a_file_goes_on_behind_damage() {
    let batches = [
        batch_of(&[b"a".to_vec()]),
        batch_of(&[b"b".to_vec()]),
        batch_of(&[b"c".to_vec()]),
    ];
    let mut bytes = stream(&batches, Compression::None);
    let second = hello().encode().len() + HEADER + 3;
    bytes[second + 20] ^= 1;
    let mut reader = FrameReader::new(&bytes[..], LIMIT);
    assert!(matches!(reader.next(), Ok(Got::Frame(_))));
    assert!(matches!(reader.next(), Ok(Got::Frame(_))));
    assert!(reader.next().is_err());
    assert_eq!(reader.skip_to_next().unwrap(), Some((HEADER + 3) as u64));
    let Ok(Got::Frame(frame)) = reader.next() else {
        panic!("the third batch follows");
    };
    assert_eq!(frame.header.sequence, 3);
}

#[test]
fn salted_header_is_not_one_of_another_segment() {
    let header = FrameHeader::new(Kind::Batch, b"x");
    let bytes = header.encode(7);
    assert!(FrameHeader::decode(&bytes, 7, LIMIT).is_ok());
    assert!(matches!(
        FrameHeader::decode(&bytes, 8, LIMIT),
        Err(Fault::HeaderCrc { .. })
    ));
}

#[test]
fn numbers_in_a_hello_that_are_not_known_are_handed_on_as_they_are() {
    let payload = format!("{{\"version\":1,\"big\":{},\"small\":0.1}}", "8".repeat(78));
    let header = FrameHeader::new(Kind::Hello, payload.as_bytes()).encode(0);
    let frames = read_all(&[&header[..], payload.as_bytes()].concat()[..]).unwrap();
    let hello = Hello::from_frame(&frames[0]).unwrap();
    let again = read_all(&hello.encode()[..]).unwrap();
    assert_eq!(Hello::from_frame(&again[0]).unwrap(), hello);
}
