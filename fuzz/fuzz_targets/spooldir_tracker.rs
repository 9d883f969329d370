//! Any bytes as the position of a spooling directory, and as a mark.
#![no_main]

use flume::source::spooldir::files::Identity;
use flume::source::spooldir::tracker;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tracker::decode(bytes);
    if let Some(identity) = Identity::decode(bytes) {
        assert_eq!(Identity::decode(&identity.encode()), Some(identity));
    }
});
