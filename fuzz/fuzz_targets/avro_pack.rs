//! Any bytes as a connection of Avro RPC, plain and compressed: packs that are read come back the same when they
//! are written again, and what is taken from a request is events.
#![no_main]

use flume::rpc::avro::pack::put_pack;
use flume::rpc::avro::{Got, Inflated, Limits, Message, Pack, PackReader, Reply, Request};
use flume::wire::Input;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    buffers: 1 << 10,
};

fn packs(input: impl Input) -> Vec<Pack> {
    let mut reader = PackReader::new(input, LIMITS);
    let mut found = Vec::new();
    while let Ok(Got::Pack(pack)) = reader.next() {
        found.push(pack);
    }
    found
}

fuzz_target!(|bytes: &[u8]| {
    let _ = packs(Inflated::new(bytes));
    let found = packs(bytes);
    let mut again = Vec::new();
    for pack in &found {
        put_pack(&mut again, pack.serial, |to| to.extend_from_slice(&pack.payload));
    }
    assert_eq!(packs(&again[..]), found);
    for pack in found {
        let _ = Reply::decode(&pack.payload, false);
        let _ = Reply::decode(&pack.payload, true);
        let at = Request::handshake(&pack.payload).map_or(0, |(_, at)| at);
        for start in [0, at] {
            if let Ok(Message::Append(batch) | Message::AppendBatch(batch)) =
                Request::decode(pack.payload.clone(), start)
            {
                batch.check().expect("what was taken from a request");
            }
        }
    }
});
