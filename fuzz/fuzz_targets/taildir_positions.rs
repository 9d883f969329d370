//! Any bytes as a position file of `source taildir`, and behind a zero as the file beside it: what is understood says
//! the same when it is written again, and nothing dies.
#![no_main]

use flume::source::taildir::positions::{add_more, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let Ok(mut records) = read(parts.next().unwrap_or_default()) else {
        return;
    };
    if let Some(more) = parts.next()
        && add_more(&mut records, more).is_err()
    {
        return;
    }
    // Without a device nothing of a file is noted beside, and what was left is noted only there.
    records.retain(|record| record.device.is_some() && record.size >= record.pos);
    // Two records of one file are told apart only by their order.
    let keys: std::collections::BTreeSet<_> = records.iter().map(|record| record.inode).collect();
    if keys.len() < records.len() {
        return;
    }
    let (flumes, more) = write(&records);
    let mut again = read(&flumes).expect("what was written");
    add_more(&mut again, &more).expect("what was written beside");
    for record in &mut records {
        record.is_old = false;
    }
    let key = |record: &flume::source::taildir::positions::Record| record.inode;
    records.sort_by_key(key);
    again.sort_by_key(key);
    assert_eq!(again, records);
});
