//! Against the vector of the protocol's description, against what we write ourselves, and against garbage.

use super::super::handshake::{Greeting, Match};
use super::super::pack::{Got, Limits, PackReader};
use super::super::protocol::HASH;
use super::*;
use crate::event::{BatchBuilder, Event};
use proptest::prelude::*;

/// `append` of an event with the header a=b and the body x, first on a connection, as Java sends it.
const APPEND: &[u8] = b"\0\0\0\x01\0\0\0\x01\0\0\0\x33\
    \x86\xaa\xda\xe2\xc4\x54\x74\xc0\xfe\x93\xff\xd0\xf2\x35\x0a\x65\0\
    \x86\xaa\xda\xe2\xc4\x54\x74\xc0\xfe\x93\xff\xd0\xf2\x35\x0a\x65\x02\0\
    \0\x0cappend\x02\x02a\x02b\0\x02x";

fn unpacked(bytes: &[u8]) -> (u32, Vec<u8>) {
    let mut reader = PackReader::new(bytes, Limits::default());
    let Got::Pack(pack) = reader.next().unwrap() else {
        panic!("no pack")
    };
    assert!(matches!(reader.next().unwrap(), Got::Eof));
    (pack.serial, pack.payload)
}

fn sent(pack: &RequestPack) -> (u32, Vec<u8>) {
    let bytes = pack.parts().concat();
    assert_eq!(bytes.len(), pack.bytes());
    unpacked(&bytes)
}

fn batch_of(message: Message) -> Batch {
    match message {
        Message::Append(batch) | Message::AppendBatch(batch) => batch,
        other => panic!("{other:?}"),
    }
}

fn events_of(batch: &Batch) -> Vec<Event> {
    batch.events().map(|event| event.unwrap().to_event()).collect()
}

fn batch(events: &[Event]) -> Batch {
    let mut builder = BatchBuilder::new();
    events.iter().for_each(|event| builder.push_event(event));
    builder.finish()
}

#[test]
fn first_request_of_java_is_read() {
    let (serial, payload) = unpacked(APPEND);
    let (handshake, at) = Request::handshake(&payload).unwrap();
    assert_eq!((serial, &handshake), (1, &HandshakeRequest::usual()));
    let batch = batch_of(Request::decode(payload, at).unwrap());
    assert_eq!(events_of(&batch), [Event::new("x").with_header("a", "b")]);
    assert_eq!(&batch.encoded()[..], b"\x02\x02a\x02b\0\x02x");
}

#[test]
fn our_own_first_request_differs_only_in_the_size_of_the_map() {
    let event = Batch::single(&Event::new("x").with_header("a", "b"));
    let (serial, payload) = sent(&RequestPack::append(1, Some(&HandshakeRequest::usual()), &event));
    assert_eq!(serial, 1);
    assert_eq!(payload[..43], APPEND[12..55]);
    assert_eq!(&payload[43..], b"\x01\x08\x02a\x02b\0\x02x");
}

#[test]
fn answers_are_those_of_the_description() {
    let mut bytes = Vec::new();
    let ok = Answer::Status(Status::Ok);
    Answer::put(Some(&ok), 1, Some(&HandshakeResponse::BOTH), &mut bytes);
    assert_eq!(bytes, b"\0\0\0\x01\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0");
    let reply = Reply::decode(&bytes[12..], true).unwrap();
    assert_eq!(reply.handshake.unwrap().matches, Match::Both);
    assert_eq!(reply.answer, Some(ok.clone()));
    bytes.clear();
    Answer::put(Some(&ok), 2, None, &mut bytes);
    assert_eq!(bytes, b"\0\0\0\x02\0\0\0\x01\0\0\0\x03\0\0\0");
    assert_eq!(Reply::decode(&bytes[12..], false).unwrap().answer, Some(ok));
}

#[test]
fn each_kind_of_answer_comes_back() {
    let all = [
        Answer::Status(Status::Ok),
        Answer::Status(Status::Failed),
        Answer::Status(Status::Unknown),
        Answer::Error("no room".into()),
    ];
    for handshake in [None, Some(HandshakeResponse::BOTH)] {
        for answer in all.iter().map(Some).chain([None]) {
            let mut bytes = Vec::new();
            Answer::put(answer, 7, handshake.as_ref(), &mut bytes);
            let (serial, payload) = unpacked(&bytes);
            let reply = Reply::decode(&payload, handshake.is_some()).unwrap();
            assert_eq!((serial, reply.answer.as_ref()), (7, answer));
            assert_eq!(reply.handshake, handshake);
        }
    }
}

#[test]
fn answer_that_cannot_be_is_an_error() {
    let branch = |bytes: &[u8]| Reply::decode(bytes, false).unwrap_err().to_string();
    assert!(branch(&[0, 0, 6]).contains("a status has no branch 3"));
    assert!(branch(&[0, 1, 2]).contains("the kind of an error has no branch 1"));
    assert!(branch(&[0, 9]).contains("no branch 9"));
    assert!(Reply::decode(&[8], true).is_err());
    assert!(Reply::decode(&[0, 0], false).is_err());
}

#[test]
fn ping_and_message_that_is_not_there_are_told_apart() {
    let (_, payload) = sent(&RequestPack::ping(1, None));
    assert!(matches!(Request::decode(payload, 0).unwrap(), Message::Ping));
    let other = Request::decode(b"\0\x0aother".to_vec(), 0).unwrap();
    assert!(matches!(other, Message::Other(name) if name == "other"));
}

#[test]
fn events_stay_where_they_are_in_the_request() {
    let given = batch(&vec![Event::new(vec![7; 300]).with_header("k", "v"); 20]);
    let (_, payload) = sent(&RequestPack::append_batch(3, None, &given));
    let place = payload.as_ptr_range();
    let found = batch_of(Request::decode(payload, 0).unwrap());
    assert_eq!((found.encoded(), found.len()), (given.encoded(), 20));
    assert!(place.contains(&found.encoded().as_ptr()));
}

#[test]
fn what_follows_a_call_is_left_alone() {
    let (_, mut payload) = sent(&RequestPack::append_batch(3, None, &batch(&[Event::new("x")])));
    payload.extend_from_slice(b"more");
    assert_eq!(batch_of(Request::decode(payload, 0).unwrap()).len(), 1);
}

#[test]
fn count_that_cannot_be_is_refused_before_anything_is_looked_at() {
    let with_count = |count: i64| {
        let mut payload = b"\0\x16appendBatch".to_vec();
        put_long(&mut payload, count);
        payload.extend_from_slice(&[0; 10]);
        Request::decode(payload, 0)
    };
    for count in [6, i64::from(u32::MAX) + 1, i64::MAX, i64::MIN, -7] {
        assert!(
            matches!(with_count(count), Err(CallError::Count(found)) if found == count),
            "{count}"
        );
    }
    assert_eq!(batch_of(with_count(4).unwrap()).len(), 4);
}

#[test]
fn client_that_is_not_known_shows_its_text_and_is() {
    let mut greeting = Greeting::new();
    let event = batch(&[Event::new("x")]);
    let (_, payload) = sent(&RequestPack::append_batch(1, greeting.request().as_ref(), &event));
    assert_eq!(Request::handshake(&payload).unwrap().0.client_protocol, None);
    let mut answer = Vec::new();
    let none = HandshakeResponse {
        matches: Match::None,
        server_protocol: None,
        server_hash: Some(HASH),
        keeps_order: false,
    };
    Answer::put(None, 1, Some(&none), &mut answer);
    let (_, answer) = unpacked(&answer);
    let reply = Reply::decode(&answer, true).unwrap();
    assert_eq!(reply.answer, None);
    assert_eq!(greeting.heard(&reply.handshake.unwrap()), Ok(false));
    let (_, payload) = sent(&RequestPack::append_batch(1, greeting.request().as_ref(), &event));
    let (handshake, at) = Request::handshake(&payload).unwrap();
    assert!(handshake.client_protocol.is_some());
    assert_eq!(
        batch_of(Request::decode(payload.clone(), at).unwrap()).encoded(),
        event.encoded()
    );
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let text = || proptest::collection::vec(any::<u8>(), 0..9);
    let headers = proptest::collection::vec((text(), text()), 0..4);
    let event = (headers, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(headers, body)| {
        let with = |event: Event, (key, value): &(Vec<u8>, Vec<u8>)| event.with_header(key, value);
        headers.iter().fold(Event::new(body), with)
    });
    proptest::collection::vec(event, 0..12)
}

proptest! {
    #[test]
    fn batch_comes_out_of_the_request_that_it_went_into(events in any_events(), serial: u32) {
        let given = batch(&events);
        let (found, payload) = sent(&RequestPack::append_batch(serial, None, &given));
        let found_batch = batch_of(Request::decode(payload, 0).unwrap());
        prop_assert_eq!((found, found_batch.len()), (serial, given.len()));
        prop_assert_eq!(found_batch.check(), Ok(()));
        prop_assert_eq!(events_of(&found_batch), events);
    }

    #[test]
    fn array_of_several_blocks_is_joined(
        blocks in proptest::collection::vec((any_events(), any::<bool>()), 0..4),
    ) {
        let mut payload = b"\0\x16appendBatch".to_vec();
        for (events, is_sized) in blocks.iter().filter(|(events, _)| !events.is_empty()) {
            let block = batch(events);
            put_long(&mut payload, if *is_sized { -i64::from(block.len()) } else { block.len().into() });
            if *is_sized {
                put_long(&mut payload, block.bytes() as i64);
            }
            payload.extend_from_slice(block.encoded());
        }
        payload.push(0);
        let found = batch_of(Request::decode(payload, 0).unwrap());
        prop_assert_eq!(found.check(), Ok(()));
        let expected: Vec<Event> = blocks.into_iter().flat_map(|(events, _)| events).collect();
        prop_assert_eq!(events_of(&found), expected);
    }

    #[test]
    fn what_is_taken_from_garbage_is_events(
        events in any_events(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let (_, mut payload) = sent(&RequestPack::append_batch(1, None, &batch(&events)));
        for (at, value) in flips {
            let at = at.index(payload.len());
            payload[at] = value;
        }
        if let Ok(Message::Append(batch) | Message::AppendBatch(batch)) = Request::decode(payload, 0) {
            prop_assert_eq!(batch.check(), Ok(()));
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, at: prop::sample::Index) {
        let _ = Request::handshake(&bytes);
        let _ = Reply::decode(&bytes, true);
        let _ = Reply::decode(&bytes, false);
        let at = at.index(bytes.len() + 1);
        let _ = Request::decode(bytes, at);
    }
}
