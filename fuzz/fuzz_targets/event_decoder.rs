//! Any bytes as a batch: what decodes comes back the same when it is encoded again.
#![no_main]

use flume::event::{Batch, BatchBuilder, EventRef};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((count, slab)) = bytes.split_first() else {
        return;
    };
    let batch = Batch::from_encoded(slab.to_vec().into(), u32::from(*count));
    let _ = batch.check();
    for event in batch.bodies().map_while(Result::ok) {
        let _ = event.headers().count();
    }
    let Ok((event, length)) = EventRef::decode(slab) else {
        return;
    };
    assert!(length <= slab.len());
    let owned = event.to_event();
    let mut again = BatchBuilder::new();
    again.push_event(&owned);
    let again = again.finish();
    let decoded = again
        .events()
        .next()
        .expect("one event")
        .expect("our own encoding");
    assert_eq!(decoded.to_event(), owned);
});
