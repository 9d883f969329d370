//! Any bytes as a stream: read, ordered, expanded, looked through; damage is skipped.
#![no_main]

use flume::wire::{FrameReader, Got, Kind, Order};
use libfuzzer_sys::fuzz_target;

/// Payloads are bounded well below what the fuzzer may use of memory.
const LIMIT: u32 = 1 << 20;

fn read(bytes: &[u8]) {
    let mut frames = FrameReader::new(bytes, LIMIT);
    let mut order = Order::default();
    loop {
        match frames.next() {
            Ok(Got::Frame(frame)) => {
                let _ = order.check(&frame.header);
                if frame.header.kind == Kind::Batch
                    && let Ok(batch) = frame.batch()
                {
                    let _ = batch.check();
                }
            }
            Ok(Got::Pending | Got::Eof) => return,
            Err(_) => match frames.skip_to_next() {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            },
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&flume_fuzz::mended(bytes, 0));
});
