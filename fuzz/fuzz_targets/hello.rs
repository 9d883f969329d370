//! Any bytes as a hello: one that is understood says the same when it is written again.
#![no_main]

use flume::wire::{FrameHeader, FrameReader, Got, Hello, Kind, LIMIT};
use libfuzzer_sys::fuzz_target;

fn hello_of(bytes: &[u8]) -> Option<Hello> {
    let mut frames = FrameReader::new(bytes, LIMIT);
    match frames.next() {
        Ok(Got::Frame(frame)) => Hello::from_frame(&frame).ok(),
        _ => None,
    }
}

fuzz_target!(|payload: &[u8]| {
    let header = FrameHeader::new(Kind::Hello, payload).encode(0);
    if let Some(hello) = hello_of(&[&header[..], payload].concat()) {
        assert_eq!(hello_of(&hello.encode()), Some(hello));
    }
});
