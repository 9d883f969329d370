//! Bad input: each kind gets one clear sentence and the right exit status, and loses nothing.

use crate::by_hand::{Endpoint, Stream, bodies_in, hello};
use crate::pipe::{Ended, Pipe};
use flume::event::{Batch, BatchBuilder, Event};
use flume::wire::{FrameHeader, Kind, encode_json};

/// Stages that read a stream, each as the last of its pipeline.
const READERS: &[&str] = &[
    "sink null --summary json",
    "intercept static | sink",
    "channel memory | sink",
];

/// Give bytes to each kind of reader and check how it ends.
fn each_reader(bytes: &[u8], check: impl Fn(Ended)) {
    for reader in READERS {
        let ended = match reader.strip_suffix(" | sink") {
            Some(first) => Pipe::new(first)
                .input(bytes)
                .then("sink null --summary json")
                .run(),
            None => Pipe::new(reader).input(bytes).run(),
        };
        check(ended);
    }
}

/// The reader fails with these words and whoever follows it has got so many events.
fn fails_after(bytes: &[u8], events: u64, words: &[&'static str]) {
    each_reader(bytes, |ended| {
        assert_eq!(ended.status(0), 1, "{}", ended.told());
        let last = usize::from(ended.stderr(0).contains("sink null")) ^ 1;
        ended.says(0, words).counts(last, "accepted", events);
    });
}

#[test]
fn text_is_no_stream() {
    fails_after(
        b"hello\n",
        0,
        &[
            "ERROR",
            "standard input: at byte 0: found \"hello\\n\", expected a frame",
        ],
    );
}

#[test]
fn garbage_between_frames_is_found_where_it_is() {
    let mut stream = Stream::unowed().batch(&[b"a"]).bytes;
    let at = stream.len();
    stream.extend_from_slice(b"\xff\x00garbage");
    each_reader(&stream, |ended| {
        let place = format!("at byte {at}: found ");
        assert!(ended.stderr(0).contains(&place), "{}", ended.told());
        assert_eq!(ended.status(0), 1, "{}", ended.told());
    });
    fails_after(&stream, 1, &["expected a frame"]);
}

#[test]
fn nothing_at_all_is_no_stream() {
    fails_after(b"", 0, &["no stream came"]);
}

#[test]
fn batches_before_a_cut_one_are_taken() {
    let mut stream = Stream::unowed()
        .batch(&[b"a", b"b"])
        .batch(&[b"c"])
        .batch(&[b"d"])
        .bytes;
    stream.pop();
    fails_after(&stream, 3, &["the input ends inside a frame"]);
    // In the middle of a header, too.
    let whole = Stream::unowed().batch(&[b"a", b"b"]).bytes.len();
    fails_after(
        &stream[..whole + 20],
        2,
        &["the input ends inside a frame, after 20 of its 48 bytes"],
    );
}

#[test]
fn flipped_bit_is_found_and_what_came_before_is_taken() {
    let first = Stream::unowed().batch(&[b"a"]);
    let stream = first.clone().batch(&[b"b"]).batch(&[b"c"]).end().bytes;
    for (behind, words) in [
        (20, "the frame's header is damaged"),
        (50, "the frame's payload is damaged"),
    ] {
        let mut damaged = stream.clone();
        damaged[first.bytes.len() + behind] ^= 4;
        fails_after(&damaged, 1, &[words]);
    }
}

#[test]
fn length_of_four_gigabytes_is_refused_before_anything_is_allocated() {
    let mut stream = Stream::unowed().batch(&[b"a"]).bytes;
    let mut header = FrameHeader::new(Kind::Batch, &[]);
    header.length = u32::MAX;
    header.raw_length = u32::MAX;
    header.sequence = 2;
    stream.extend_from_slice(&header.encode(0));
    fails_after(
        &stream,
        1,
        &["a frame of 4294967295 bytes is over the limit of 67108864"],
    );
}

#[test]
fn more_events_than_their_bytes_can_hold_are_refused() {
    let mut stream = Stream::unowed().bytes;
    let payload = b"\0\0";
    let mut header = FrameHeader::new(Kind::Batch, payload);
    header.sequence = 1;
    header.events = 4_000_000_000;
    stream.extend_from_slice(&header.encode(0));
    stream.extend_from_slice(payload);
    fails_after(&stream, 0, &["says that it holds 4000000000 events in 2 bytes"]);
}

#[test]
fn batch_whose_bytes_are_no_events_is_refused() {
    let payload = b"\xff\xff\xff\xff";
    let mut header = FrameHeader::new(Kind::Batch, payload);
    header.sequence = 1;
    header.events = 1;
    let mut stream = Stream::unowed().bytes;
    stream.extend_from_slice(&header.encode(0));
    stream.extend_from_slice(payload);
    Pipe::new("intercept static")
        .input(stream)
        .then("sink null --summary json")
        .run()
        .expect_status([1, 1])
        .says(0, ["a batch holds bytes that are no events"])
        .counts(1, "accepted", 0);
}

#[test]
fn hello_of_another_version_names_both() {
    let stream = encode_json(Kind::Hello, 0, &serde_json::json!({"version": 2}));
    fails_after(
        &stream,
        0,
        &["the stream has version 2, this program speaks version 1"],
    );
}

#[test]
fn stream_without_a_hello_is_refused() {
    let whole = Stream::unowed().batch(&[b"a"]).end().bytes;
    let stream = &whole[Stream::unowed().bytes.len()..];
    fails_after(stream, 0, &["the stream does not begin with a hello"]);
}

#[test]
fn missing_batch_is_a_gap() {
    let first = Stream::unowed().batch(&[b"a"]);
    let second = first.clone().batch(&[b"b"]);
    let third = second.clone().batch(&[b"c"]).end();
    let stream = [&first.bytes[..], &third.bytes[second.bytes.len()..]].concat();
    fails_after(
        &stream,
        1,
        &["batch 3 follows where batch 2 should: data is missing"],
    );
}

#[test]
fn stream_without_an_end_is_delivered_and_told() {
    let stream = Stream::unowed().batch(&[b"a"]).batch(&[b"b"]).bytes;
    fails_after(&stream, 2, &["the stream has no end: the stage before has died"]);
}

#[test]
fn streams_one_after_the_other_are_one_input() {
    let one = Stream::unowed().batch(&[b"a"]).end().bytes;
    let two = Stream::unowed().batch(&[b"b"]).batch(&[b"c"]).end().bytes;
    for reader in [
        "sink null --summary json",
        "run --summary json 'intercept static | sink null'",
    ] {
        Pipe::new(reader)
            .input([&one[..], &two].concat())
            .run()
            .expect_status([0])
            .counts(0, "accepted", 3);
    }
}

#[test]
fn taker_that_never_comes_is_waited_for_only_so_long() {
    for foreign in ["exec sleep 600", "exec cat > /dev/null"] {
        let pipe = Pipe::new("source seq --reply-timeout 200ms").then_foreign(foreign);
        let mut pipe = pipe.start();
        assert_eq!(pipe.wait_stage(0), 1);
        pipe.kill(1, rustix::process::Signal::KILL);
        pipe.wait().says(
            0,
            ["nobody has come for 0.2 s to accept", "--durability best-effort"],
        );
    }
}

#[test]
fn endpoint_that_cannot_be_reached_is_named_with_what_to_do() {
    let stream = Stream::answering(&hello("unix:/no/such/socket", "t"))
        .batch(&[b"a"])
        .end();
    Pipe::new("sink null --summary json")
        .input(stream.bytes)
        .run()
        .expect_status([2])
        .says(
            0,
            [
                "cannot accept batches from source by-hand (host ",
                "at unix:/no/such/socket: No such file or directory",
                "--reply-dir",
                "--durability best-effort",
            ],
        )
        .counts(0, "accepted", 0);
}

#[test]
fn endpoint_on_another_host_is_named_with_what_to_do() {
    let mut elsewhere = hello("unix:@flume-elsewhere", "t");
    elsewhere.host = "elsewhere".into();
    let stream = Stream::answering(&elsewhere).batch(&[b"a"]).end();
    Pipe::new("sink null")
        .input(stream.bytes)
        .run()
        .expect_status([2])
        .says(
            0,
            ["the stream comes from another host, elsewhere", "tcp:HOST:PORT"],
        );
}

#[test]
fn endpoint_matters_only_when_there_is_a_batch_to_accept() {
    let stream = Stream::answering(&hello("unix:/no/such/socket", "t")).end();
    Pipe::new("sink null")
        .input(stream.bytes)
        .run()
        .expect_status([0])
        .expect_silence();
}

#[test]
fn reply_socket_that_disappears_ends_the_taker_for_now() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::below(directory.path());
    let (reader, mut writer) = std::io::pipe().unwrap();
    let sink = Pipe::new("sink null").input_from(reader).start();
    std::io::Write::write_all(&mut writer, &Stream::answering(&endpoint.hello).bytes).unwrap();
    drop(endpoint.welcome());
    let hello = Stream::answering(&endpoint.hello);
    let batch = &hello.clone().batch(&[b"a"]).bytes[hello.bytes.len()..];
    std::io::Write::write_all(&mut writer, batch).unwrap();
    sink.wait().expect_status([75]).says(
        0,
        ["the reply of the stage before has gone; what was not accepted comes again"],
    );
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let event = Event::new(&b"body \xff\xfe"[..]).with_header(b"name \xff", b"value \xc3\x28");
    let mut builder = BatchBuilder::new();
    builder.push_event(&event);
    let mut batch: Batch = builder.finish();
    batch.sequence = 1;
    let mut stream = Stream::unowed();
    let (header, payload) = flume::wire::batch_frame(&batch, flume::wire::Compression::None);
    stream.bytes.extend_from_slice(&header.encode(0));
    stream.bytes.extend_from_slice(&payload);
    stream.bytes.extend_from_slice(
        &flume::wire::End {
            batches: 1,
            ..Default::default()
        }
        .encode(),
    );
    let ended = Pipe::new("intercept static --key a --value b")
        .input(stream.bytes)
        .then("channel memory")
        .output_file("out.flm")
        .run()
        .expect_status([0, 0])
        .expect_silence();
    let recorded = std::fs::read(ended.path("out.flm")).unwrap();
    for kept in [&b"body \xff\xfe"[..], b"name \xff", b"value \xc3\x28"] {
        assert!(memchr::memmem::find(&recorded, kept).is_some(), "{kept:?}");
    }
}

#[test]
fn lines_that_are_no_text_stay_as_they_are() {
    let ended = Pipe::new("source stdin")
        .input(&b"\xff\xfe\nnul \0 inside\n"[..])
        .output_file("out.flm")
        .run()
        .expect_status([0]);
    assert_eq!(
        bodies_in(&ended.path("out.flm")),
        [&b"\xff\xfe"[..], b"nul \0 inside"]
    );
}

#[test]
fn event_larger_than_a_capacity_is_rejected_with_its_place() {
    let long = "x".repeat(5000);
    Pipe::new("source stdin --batch-size 1")
        .input(format!("short\n{long}\nlast\n"))
        .then("channel memory --byte-capacity 2000")
        .then("sink null --summary json")
        .run()
        .expect_status([1, 1, 0])
        .says(0, ["was rejected", "event 1 of batch 2"])
        .says(
            1,
            [
                "event 1 of batch 2 from standard input (source stdin) is rejected",
                "--rejected DIR would keep it and go on",
            ],
        )
        .counts(2, "accepted", 1);
}

#[test]
fn line_of_a_gigabyte_is_cut_in_bounded_memory() {
    Pipe::foreign("head -c 1G /dev/zero")
        .then_foreign("ulimit -v 1000000; exec flume source stdin --summary json")
        .then_foreign("ulimit -v 1000000; exec flume sink null --summary json")
        .run()
        .expect_status([0, 0, 0])
        .says(
            1,
            ["line 1 is longer than 1.0 MiB (--max-line-length): split into several events"],
        )
        .counts(1, "accepted", 1024)
        .counts(2, "accepted", 1024);
}

#[test]
fn event_larger_than_a_capacity_is_kept_aside_where_it_was_asked() {
    let long = "x".repeat(5000);
    let ended = Pipe::new("source stdin --batch-size 1 --summary json")
        .input(format!("short\n{long}\nlast\n"))
        .then("channel memory --byte-capacity 2000 --rejected rejected --summary json")
        .then("sink null --summary json")
        .run()
        .expect_status([0, 0, 0])
        .counts(0, "accepted", 3)
        .counts(1, "rejected", 1)
        .counts(2, "accepted", 2);
    let rejected = Pipe::new("cat rejected")
        .dir(&ended.path("."))
        .run()
        .expect_status([0]);
    assert_eq!(rejected.stdout(), format!("{long}\n").as_bytes());
}

/// Three lines, of which the second is too long for 2000 bytes.
fn one_long_line_of_three() -> String {
    format!("short\n{}\nlast\n", "x".repeat(5000))
}

#[test]
fn event_larger_than_a_capacity_ends_a_pipeline_in_one_process_with_its_place() {
    for (channel, from) in [
        ("memory --byte-capacity 2000", "source stdin"),
        ("file spool --max-bytes 2000", "the stage before"),
    ] {
        let words =
            format!("run --summary json 'source stdin --batch-size 1 | channel {channel} | sink null'");
        let place = format!("event 1 of batch 2 from {from} is rejected: it has ");
        let ended = Pipe::new(&words)
            .input(one_long_line_of_three())
            .run()
            .expect_status([1])
            .counts(0, "accepted", 1)
            .says(0, ["--rejected DIR would keep it and go on"]);
        assert!(ended.stderr(0).contains(&place), "{}", ended.told());
        let errors = ended.stderr(0).matches("ERROR").count();
        assert_eq!(errors, 1, "said once: {}", ended.told());
    }
}

#[test]
fn event_larger_than_a_capacity_is_kept_aside_in_one_process() {
    for channel in ["memory --byte-capacity 2000", "file spool --max-bytes 2000"] {
        let words = format!(
            "run --summary json --rejected rejected 'source stdin | channel {channel} | sink file_roll --directory out'"
        );
        let ended = Pipe::new(&words)
            .input(one_long_line_of_three())
            .run()
            .expect_status([0])
            .says(
                0,
                ["event 2 of batch 1 from ", " is rejected and kept aside: it has "],
            )
            .counts(0, "rejected", 1)
            .counts(0, "received", 3)
            .counts(0, "accepted", 2);
        let rejected = Pipe::new("cat rejected").dir(&ended.path(".")).run();
        assert_eq!(rejected.stdout(), format!("{}\n", "x".repeat(5000)).as_bytes());
        let taken = Pipe::foreign("cat out/*").dir(&ended.path(".")).run();
        assert_eq!(taken.stdout(), b"short\nlast\n");
    }
}

#[test]
fn batch_larger_than_a_capacity_is_put_in_parts_that_fit() {
    for channel in [
        "memory --byte-capacity 2000",
        "memory --capacity 7",
        "file spool --capacity 7",
    ] {
        let source = "source seq --total-events 400 --batch-size 100";
        Pipe::new(source)
            .then(&format!("channel {channel}"))
            .then("sink null --summary json")
            .run()
            .expect_status([0, 0, 0])
            .counts(2, "accepted", 400);
        Pipe::new(&format!(
            "run --summary json '{source} | channel {channel} | sink null'"
        ))
        .run()
        .expect_status([0])
        .counts(0, "accepted", 400);
    }
}
