//! Any bytes as a handshake, of a client and of a server: one that is understood says the same when it is written
//! again, and each side goes on or says why not.
#![no_main]

use flume::rpc::avro::handshake::Greeting;
use flume::rpc::avro::protocol::shape;
use flume::rpc::avro::{Answer, Clients, Match, Reply, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = shape(text);
    }
    if let Ok((request, at)) = Request::handshake(bytes) {
        assert!(at <= bytes.len());
        let mut again = Vec::new();
        request.put(&mut again);
        assert_eq!(Request::handshake(&again).expect("our own encoding").0, request);
        let clients = Clients::default();
        if let Ok((response, shape)) = clients.greet(&request) {
            assert_eq!(shape.is_none(), response.matches == Match::None);
            let mut bytes = Vec::new();
            Answer::put(None, 1, Some(&response), &mut bytes);
            let reply = Reply::decode(&bytes[12..], true).expect("our own encoding");
            assert_eq!(reply.handshake, Some(response));
        }
    }
    if let Ok(reply) = Reply::decode(bytes, true) {
        let handshake = reply.handshake.expect("it was asked for");
        let mut bytes = Vec::new();
        Answer::put(reply.answer.as_ref(), 1, Some(&handshake), &mut bytes);
        let again = Reply::decode(&bytes[12..], true).expect("our own encoding");
        assert_eq!(again.handshake.as_ref(), Some(&handshake));
        let _ = Greeting::new().heard(&handshake);
    }
});
