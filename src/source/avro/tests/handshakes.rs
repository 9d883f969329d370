//! How a connection begins, and what a client that knows the protocol otherwise is told.

use super::*;
use crate::rpc::avro::HandshakeRequest;
use crate::rpc::avro::pack::put_pack;
use crate::rpc::avro::protocol::TEXT;

#[test]
fn client_that_is_not_known_shows_its_protocol_and_calls_again() {
    let bench = start(&[], Collect::accepting());
    let (mut hello, mut caller) = (Vec::new(), bench.caller());
    let call = |request: &HandshakeRequest<'_>, hello: &mut Vec<u8>| {
        hello.clear();
        put_pack(hello, 9, |to| {
            request.put(to);
            to.extend_from_slice(b"\0\x0cappend\0\x02x");
        });
    };
    let mut request = HandshakeRequest {
        client_hash: [7; 16],
        client_protocol: None,
        server_hash: [7; 16],
        asks_order: false,
    };
    call(&request, &mut hello);
    caller.socket.write_all(&hello).unwrap();
    let Got::Pack(none) = caller.reader.next().unwrap() else {
        panic!()
    };
    let reply = Reply::decode(&none.payload, true).unwrap();
    let handshake = reply.handshake.unwrap();
    assert_eq!((handshake.matches, reply.answer), (Match::None, None));
    assert_eq!(handshake.server_protocol.as_deref(), Some(TEXT));
    assert!(bench.collect.bodies().is_empty());
    request.client_protocol = Some(TEXT);
    call(&request, &mut hello);
    caller.socket.write_all(&hello).unwrap();
    let Got::Pack(client) = caller.reader.next().unwrap() else {
        panic!()
    };
    let reply = Reply::decode(&client.payload, true).unwrap();
    assert_eq!(
        (reply.handshake.unwrap().matches, reply.answer),
        (Match::Client, Some(OK))
    );
    assert_eq!(bench.collect.bodies(), ["x"]);
    // From now on there is no handshake on this connection, and the next one knows the hash.
    caller.greeting.heard(&HandshakeResponse::BOTH).unwrap();
    assert_eq!(caller.call(&batch(&["y"])), OK);
    let mut other = bench.connect();
    request.client_protocol = None;
    call(&request, &mut hello);
    other.write_all(&hello).unwrap();
    let Got::Pack(known) = Caller::over(other).reader.next().unwrap() else {
        panic!()
    };
    let reply = Reply::decode(&known.payload, true).unwrap();
    assert_eq!(reply.handshake.unwrap().matches, Match::Client);
}

#[test]
fn client_whose_events_have_another_encoding_is_told_and_let_go() {
    let bench = start(&[], Collect::accepting());
    let mut caller = bench.caller();
    let text = TEXT.replace("\"body\"", "\"text\"");
    let request = HandshakeRequest {
        client_hash: [7; 16],
        client_protocol: Some(&text),
        server_hash: [7; 16],
        asks_order: false,
    };
    let mut hello = Vec::new();
    put_pack(&mut hello, 1, |to| {
        request.put(to);
        to.extend_from_slice(b"\0\x0cappend\0\x02x");
    });
    caller.socket.write_all(&hello).unwrap();
    let why = error(caller.answer().unwrap().1.unwrap());
    assert!(why.contains("does not fit"), "{why}");
    assert_eq!(caller.answer(), None);
    assert!(bench.collect.bodies().is_empty());
}

#[test]
fn one_way_call_is_taken_and_gets_no_answer() {
    let bench = start(&[], Collect::accepting());
    let mut caller = bench.caller();
    let text = TEXT.replace(
        "\"request\":[{\"name\":\"event\",\"type\":\"AvroFlumeEvent\"}],\"response\":\"Status\"",
        "\"request\":[{\"name\":\"event\",\"type\":\"AvroFlumeEvent\"}],\"response\":\"null\",\"one-way\":true",
    );
    assert_ne!(text, TEXT);
    let request = HandshakeRequest {
        client_hash: [8; 16],
        client_protocol: Some(&text),
        server_hash: [8; 16],
        asks_order: false,
    };
    let mut calls = Vec::new();
    put_pack(&mut calls, 1, |to| {
        request.put(to);
        to.extend_from_slice(b"\0\0");
    });
    put_pack(&mut calls, 2, |to| to.extend_from_slice(b"\0\x0cappend\0\x02x"));
    caller.socket.write_all(&calls).unwrap();
    assert_eq!(caller.answer(), Some((1, None)));
    assert_eq!(caller.call(&batch(&["y"])), OK);
    assert_eq!(bench.collect.bodies(), ["x", "y"]);
}

#[test]
fn ping_is_answered_with_the_handshake_or_with_nothing() {
    let bench = start(&[], Collect::accepting());
    let mut caller = bench.caller();
    for serial in [1, 2] {
        let pack = RequestPack::ping(serial, caller.greeting.request().as_ref());
        caller.socket.write_all(&pack.parts().concat()).unwrap();
        assert_eq!(caller.answer(), Some((serial, None)));
    }
    assert_eq!(caller.greeting.request(), None);
}

#[test]
fn first_call_of_java_is_answered_to_the_byte() {
    let bench = start(&[], Collect::accepting());
    let mut client = bench.connect();
    let greeting = HandshakeRequest::usual();
    for (serial, greeting, expected) in [
        (
            1,
            Some(&greeting),
            &b"\0\0\0\x01\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0"[..],
        ),
        (2, None, &b"\0\0\0\x02\0\0\0\x01\0\0\0\x03\0\0\0"[..]),
    ] {
        let event = Batch::single(&Event::new("x").with_header("a", "b"));
        let pack = RequestPack::append(serial, greeting, &event);
        client.write_all(&pack.parts().concat()).unwrap();
        let mut answer = vec![0; expected.len()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, expected);
    }
    assert_eq!(
        bench.collect.events(),
        vec![Event::new("x").with_header("a", "b"); 2]
    );
    let counts = [Count::AppendReceived, Count::AppendAccepted, Count::EventAccepted];
    assert_eq!(counts.map(|count| bench.count(count)), [2, 2, 2]);
    assert_eq!(bench.count(Count::AppendBatchReceived), 0);
}
