//! Any bytes as a stream of syslog messages, in pieces of any size: the same messages come out whatever the pieces, and
//! all parsers read each of them without leaving it.
#![no_main]

use flume::date::Zone;
use flume::pattern::Pattern;
use flume::syslog::classic::{Classic, Custom};
use flume::syslog::framing::Frame;
use flume::syslog::{Clock, Framer, Framing, Message, multiport, rfc, structured};
use libfuzzer_sys::fuzz_target;

/// 2026-11-28
const NOW_MS: i64 = 1_795_900_000_000;

/// The messages, when the bytes come in pieces of this size.
fn messages(framing: Framing, limit: usize, input: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut framer = Framer::new(framing, limit);
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    let mut put = |frame: Frame, buffer: &mut Vec<u8>| {
        assert!(frame.text.end <= frame.used && frame.used <= buffer.len() && frame.used > 0);
        found.push(buffer[frame.text].to_vec());
        buffer.drain(..frame.used);
    };
    for piece in input.chunks(piece) {
        buffer.extend_from_slice(piece);
        while let Some(frame) = framer.next(&buffer) {
            assert!(frame.text.len() <= limit);
            put(frame, &mut buffer);
        }
    }
    if let Some(frame) = framer.last(&buffer) {
        put(frame, &mut buffer);
    }
    assert!(buffer.is_empty());
    found
}

fn check(text: &[u8], message: &Message<'_>) {
    let all = text.as_ptr_range();
    let parts = [
        message.version,
        message.stamp,
        message.host,
        message.app_name,
        message.proc_id,
        message.msg_id,
    ];
    let parts = parts
        .into_iter()
        .flatten()
        .chain([message.body])
        .filter(|part| !part.is_empty());
    for part in parts {
        let part = part.as_ptr_range();
        assert!(all.start <= part.start && part.end <= all.end);
    }
    if let Some(data) = message.structured {
        assert_eq!(structured::end(data), Some(data.len()));
        let mut value = Vec::new();
        structured::params(data).for_each(|param| param.put_value(&mut value));
        assert!(value.len() <= data.len());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((head, input)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let (piece, limit) = (usize::from(head[0]) + 1, usize::from(head[1]) + 1);
    let mut clock = Clock::new(Zone::utc());
    clock.set(NOW_MS);
    let custom = Custom {
        regex: Pattern::whole(r"<(\d+)>(\d)?#([^#]*)#(\w+)#(.*)").expect("a pattern"),
        replace: None,
        date: None,
    };
    for framing in [Framing::Lines, Framing::Either] {
        let all = messages(framing, limit, input, piece);
        assert_eq!(all, messages(framing, limit, input, input.len().max(1)));
        for text in &all {
            check(text, &rfc::parse(text, &mut clock));
            check(text, &multiport::parse(text, &mut clock));
            for in_datagrams in [false, true] {
                let custom = in_datagrams.then(|| Box::new(custom.clone()));
                let mut classic = Classic { in_datagrams, custom };
                check(text, &classic.parse(text, &mut clock));
            }
        }
    }
});
