//! Races and circles that a prototype of acknowledged pipes fell into.

use crate::by_hand::{Endpoint, Stream, Taker, connect, next_frame};
use crate::pipe::Pipe;
use flume::wire::{self, Compression, Kind};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

/// Exit status: run me again.
const TEMPORARY: i32 = 75;
/// Often enough that one run in thirty shows.
const ROUNDS: usize = 60;

#[test]
fn last_acceptance_may_meet_a_writer_that_has_left() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::below(directory.path());
    let stream = Stream::answering(&endpoint.hello).batch(&[b"a"]).end();
    let sink = Pipe::new("sink null --summary json").input(stream.bytes).start();
    drop(endpoint.welcome());
    sink.wait().expect_status([0]).counts(0, "accepted", 1);
}

#[test]
fn reply_that_closes_when_everything_was_accepted_is_no_loss() {
    for _ in 0..ROUNDS {
        let (pipe, output) = Pipe::new("source seq --total-events 3 --batch-size 1").output_read();
        let running = pipe.start();
        let mut taker = Taker::of(output);
        taker.connect();
        taker.read_up_to(3);
        taker.accept(3);
        drop(taker);
        running.wait().expect_status([0]).expect_silence();
    }
}

#[test]
fn source_of_an_empty_stream_stays_until_its_taker_came() {
    for source in ["source seq --total-events 0", "source stdin"] {
        let (pipe, output) = Pipe::new(source).output_read();
        let mut running = pipe.start();
        let mut taker = Taker::of(output);
        assert_eq!(taker.next().expect("the end").header.kind, Kind::End);
        assert!(!running.ends_before(0, Instant::now() + Duration::from_millis(200)));
        taker.connect();
        running.wait().expect_status([0]).expect_silence();
    }
}

#[test]
fn empty_and_short_streams_end_well_with_a_late_taker() {
    for count in [0, 1, 5] {
        Pipe::new(&format!("source seq --total-events {count}"))
            .then("intercept static")
            .then_foreign("read -rt 0.3 < <(exec sleep 9); exec flume sink null --summary json")
            .run()
            .expect_status([0, 0, 0])
            .counts(2, "accepted", count);
    }
}

#[test]
fn empty_stream_that_nobody_takes_is_not_waited_for_when_its_pipe_is_closed() {
    let (pipe, output) = Pipe::new("source seq --total-events 0 --reply-timeout 1h").output_read();
    let running = pipe.start();
    let mut taker = Taker::of(output);
    assert_eq!(taker.next().expect("the end").header.kind, Kind::End);
    drop(taker);
    running.wait().expect_status([0]).expect_silence();
}

#[test]
fn refusal_is_told_though_the_pipe_is_closed_first() {
    for _ in 0..ROUNDS {
        let (pipe, output) = Pipe::new("source seq --batch-size 1").output_read();
        let running = pipe.start();
        let mut taker = Taker::of(output);
        taker.connect();
        taker.read_up_to(1);
        taker.refuse(1, "reject", "it is too ugly");
        drop(taker);
        running.wait().expect_status([1]).says(
            0,
            ["ERROR source seq: a batch of 1 events was rejected: it is too ugly"],
        );
    }
}

#[test]
fn refused_for_now_is_sent_again() {
    let (pipe, output) = Pipe::new("source seq --total-events 2 --batch-size 1 --summary json").output_read();
    let running = pipe.start();
    let mut taker = Taker::of(output);
    taker.connect();
    taker.read_up_to(2);
    taker.refuse(1, "retry", "no room");
    taker.accept(2);
    let again = taker.next().expect("the batch again");
    assert_eq!((again.header.kind, again.header.sequence), (Kind::Batch, 3));
    let body = again
        .batch()
        .unwrap()
        .events()
        .next()
        .unwrap()
        .unwrap()
        .body()
        .to_vec();
    assert_eq!(body, b"0");
    taker.accept(3);
    assert_eq!(taker.next().expect("the end").header.kind, Kind::End);
    running.wait().expect_status([0]).counts(0, "accepted", 2);
}

#[test]
fn batches_before_a_cut_frame_are_accepted_to_their_writer() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::below(directory.path());
    let mut stream = Stream::answering(&endpoint.hello)
        .batch(&[b"a"])
        .batch(&[b"b"])
        .batch(&[b"c"]);
    stream.bytes.pop();
    let sink = Pipe::new("sink null").input(stream.bytes).start();
    let mut replies = endpoint.welcome();
    let accepted = std::iter::from_fn(|| next_frame(&mut replies)).last();
    assert_eq!(accepted.expect("an acceptance").header.sequence, 2);
    sink.wait().expect_status([1]).says(0, ["inside a frame"]);
}

#[test]
fn what_a_writer_left_that_died_before_its_taker_came_is_taken() {
    for passing in ["", "intercept static"] {
        let (pipe, output) = Pipe::new("source seq --batch-size 10").output_read();
        let source = pipe.start();
        // It has filled its window or the pipe.
        crate::surroundings::wait_until_asleep(source.pid(0));
        source.kill(0, Signal::KILL);
        source.wait().expect_status([-9]);
        let (pipe, statuses) = match passing {
            "" => (Pipe::new("sink null --summary json"), vec![1]),
            stage => (Pipe::new(stage).then("sink null --summary json"), vec![1, 1]),
        };
        let last = statuses.len() - 1;
        let ended = pipe
            .input_from(output)
            .run()
            .expect_status(statuses)
            .says(last, ["the stream has no end: the stage before has died"]);
        assert!(ended.summary(last, "accepted") >= 320, "{}", ended.told());
    }
}

#[test]
fn writer_that_dies_while_its_taker_connects_is_lost_and_not_unreachable() {
    let directory = tempfile::tempdir().unwrap();
    for turned_away in [true, false] {
        let place = tempfile::tempdir_in(directory.path()).unwrap();
        let endpoint = Endpoint::below(place.path());
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stream = Stream::answering(&endpoint.hello).batch(&[b"a"]);
        writer.write_all(&stream.bytes).unwrap();
        let sink = Pipe::new("sink null --summary json").input_from(reader).start();
        endpoint.wait();
        if turned_away {
            drop(endpoint.accept());
        }
        // With the connection in its queue, or after it: the taker meets a reset or an end.
        drop(endpoint);
        drop(writer);
        sink.wait()
            .expect_status([1])
            .says(0, ["the stream has no end: the stage before has died"])
            .counts(0, "accepted", 1);
    }
}

#[test]
fn writer_that_lives_and_cannot_be_reached_is_wrong_usage() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let unreachable = crate::by_hand::hello("unix:@flume-of-another-namespace", "t");
    let stream = Stream::answering(&unreachable).batch(&[b"a"]);
    writer.write_all(&stream.bytes).unwrap();
    Pipe::new("sink null --summary json")
        .input_from(reader)
        .run()
        .expect_status([2])
        .says(0, ["Connection refused", "--reply-dir"])
        .counts(0, "accepted", 0);
}

#[test]
fn second_taker_on_the_same_pipe_takes_nothing_without_a_hello() {
    for batch_size in [1, 1000] {
        let (pipe, output) = Pipe::new(&format!("source seq --batch-size {batch_size}")).output_read();
        let source = pipe.start();
        let first = Pipe::new("sink null --log-every-n-events 1000")
            .input_from(output.try_clone().unwrap())
            .start();
        first.wait_for(0, "events so far").kill(0, Signal::KILL);
        first.wait().expect_status([-9]);
        Pipe::new("sink null --summary json")
            .input_from(output)
            .run()
            .expect_status([1])
            .counts(0, "accepted", 0);
        source.wait().expect_status([TEMPORARY]);
    }
}

#[test]
fn reader_of_a_growing_copy_takes_nobodys_place() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let pipe = Pipe::new("source stdin --batch-timeout 1ms")
        .input_from(reader)
        .then_foreign("exec tee copy.flm")
        .then_foreign("read -r < go; exec flume sink null --summary json --log-every-n-events 1");
    rustix::fs::mkfifoat(rustix::fs::CWD, pipe.path("go"), 0o600.into()).unwrap();
    let running = pipe.start();
    writer.write_all(b"one\n").unwrap();
    let copy = running.path("copy.flm");
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::fs::metadata(&copy).map_or(0, |copy| copy.len()) < 300 {
        assert!(Instant::now() < deadline, "the copy does not grow");
        std::thread::yield_now();
    }
    // Before the taker of the pipeline has come at all.
    Pipe::new("sink null --summary json")
        .input_from(std::fs::File::open(&copy).unwrap())
        .run()
        .expect_status([1])
        .says(0, ["the stream has no end"])
        .counts(0, "accepted", 1);
    std::fs::write(running.path("go"), "\n").unwrap();
    running.wait_for(2, "1 events so far");
    writer.write_all(b"two\n").unwrap();
    drop(writer);
    running.wait().expect_status([0, 0, 0]).counts(2, "accepted", 2);
}

#[test]
fn surplus_taker_reads_on_and_does_not_kill_the_tee() {
    let ended = Pipe::new("source seq --total-events 100000 --batch-size 100")
        .then_foreign("exec tee >(flume sink null --summary json > /dev/null 2> side; echo $? > status)")
        .then_foreign(
            "flume sink null --summary json; status=$?
             until [ -s status ]; do read -rt 0.05 < <(exec sleep 9); done; exit $status",
        )
        .run();
    let side = std::fs::read_to_string(ended.path("side")).unwrap();
    let side_status = std::fs::read_to_string(ended.path("status")).unwrap();
    assert_eq!(
        (ended.status(0), ended.status(1)),
        (0, 0),
        "{}\n{side}",
        ended.told()
    );
    let statuses = (ended.status(2), side_status.trim());
    assert!(
        matches!(statuses, (0, "2") | (2, "0")),
        "{statuses:?} {}\n{side}",
        ended.told()
    );
    let surplus = if ended.status(2) == 2 {
        ended.stderr(2)
    } else {
        &side
    };
    assert!(
        surplus.contains("has a taker already: tell the source --takers N"),
        "{surplus}"
    );
    let taker = if ended.status(2) == 0 {
        ended.stderr(2)
    } else {
        &side
    };
    assert!(taker.contains("\"accepted\":100000"), "{taker}");
}

#[test]
fn no_acceptance_is_dropped_though_the_reply_is_full() {
    const BATCHES: u64 = 30_000;
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::below(directory.path());
    let (reader, mut writer) = std::io::pipe().unwrap();
    let sink = Pipe::new("sink null --summary json").input_from(reader).start();
    writer
        .write_all(&Stream::answering(&endpoint.hello).bytes)
        .unwrap();
    let mut replies = endpoint.welcome();
    let (told, blocked) = std::sync::mpsc::channel();
    let writing = std::thread::spawn(move || {
        for sequence in 1..=BATCHES {
            let mut batch = crate::by_hand::batch_of(&[b"x"]);
            batch.sequence = sequence;
            let (header, payload) = wire::batch_frame(&batch, Compression::None);
            writer
                .write_all(&[&header.encode(0)[..], &payload].concat())
                .unwrap();
            let _ = told.send(());
        }
        let end = wire::End {
            batches: BATCHES,
            ..Default::default()
        };
        writer.write_all(&end.encode()).unwrap();
    });
    // Nobody reads acceptances until the taker stands still in its send and the pipe is full, or all is sent.
    while blocked.recv_timeout(Duration::from_millis(300)).is_ok() {}
    let accepted = std::iter::from_fn(|| next_frame(&mut replies)).last();
    assert_eq!(accepted.expect("an acceptance").header.sequence, BATCHES);
    writing.join().unwrap();
    sink.wait().expect_status([0]).counts(0, "accepted", BATCHES);
}

#[test]
fn stages_that_are_stopped_and_go_on_wait_in_no_circle() {
    for window in ["100", "100000"] {
        let pipe = Pipe::new(&format!(
            "source seq --total-events 300000 --batch-size 1 --window {window} --window-bytes 1GiB"
        ))
        .then("intercept static")
        .then("sink null --summary json --log-every-n-events 10000")
        .patience(Duration::from_secs(120))
        .start();
        pipe.wait_for(2, "events so far");
        for stage in [0, 2, 1] {
            pipe.kill(stage, Signal::STOP);
            crate::surroundings::wait_until_asleep(pipe.pid((stage + 1) % 3));
            pipe.kill(stage, Signal::CONT);
        }
        pipe.wait()
            .expect_status([0, 0, 0])
            .counts(2, "accepted", 300_000);
    }
}

#[test]
fn death_of_the_taker_reaches_the_source_though_somebody_holds_the_pipe() {
    let (pipe, held) = Pipe::new("source seq").output_read();
    let mut source = pipe.start();
    let sink = Pipe::new("sink null --log-every-n-events 1000")
        .input_from(held.try_clone().unwrap())
        .start();
    sink.wait_for(0, "events so far");
    let killed = Instant::now();
    sink.kill(0, Signal::KILL);
    assert_eq!(source.wait_stage(0), TEMPORARY);
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    drop(held);
}

#[test]
fn death_of_an_idle_taker_reaches_the_source_though_somebody_holds_the_pipe() {
    let (input, mut lines) = std::io::pipe().unwrap();
    let (pipe, held) = Pipe::new("source stdin --batch-timeout 1ms")
        .input_from(input)
        .output_read();
    let mut source = pipe.start();
    let sink = Pipe::new("sink null --log-every-n-events 1")
        .input_from(held.try_clone().unwrap())
        .start();
    lines.write_all(b"one\n").unwrap();
    sink.wait_for(0, "1 events so far").kill(0, Signal::KILL);
    sink.wait().expect_status([-9]);
    // Nothing is written, nothing is read: only the reply can tell.
    assert_eq!(source.wait_stage(0), TEMPORARY);
    drop(held);
}

#[test]
fn writer_that_waits_for_a_full_pipe_is_woken_by_the_reply() {
    let (pipe, output) =
        Pipe::new("source seq --batch-size 1000 --window-bytes 64MiB --window 1000").output_read();
    let mut running = pipe.start();
    let mut taker = Taker::of(output);
    taker.connect();
    taker.read_up_to(1);
    crate::surroundings::wait_until_asleep(running.pid(0));
    taker.hang_up();
    assert_eq!(running.wait_stage(0), TEMPORARY);
}

#[test]
fn stranger_without_the_token_takes_nobodys_place() {
    let (pipe, output) = Pipe::new("source seq --total-events 1").output_read();
    let running = pipe.start();
    let mut taker = Taker::of(output);
    let mut wrong = taker.hello.clone();
    wrong.token = "guessed".into();
    let mut answer = Vec::new();
    connect(&wrong).read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty(), "a stranger was answered");
    taker.connect();
    taker.read_up_to(1);
    taker.accept(1);
    running.wait().expect_status([0]).expect_silence();
}

#[test]
fn stranger_that_says_nothing_holds_nobody_up() {
    let (pipe, output) = Pipe::new("source seq --total-events 1").output_read();
    let running = pipe.start();
    let mut taker = Taker::of(output);
    let silent = taker.hello.reply.strip_prefix("unix:@").unwrap().to_string();
    let address = SocketAddr::from_abstract_name(silent).unwrap();
    let _silent = UnixStream::connect_addr(&address).unwrap();
    let asked = Instant::now();
    taker.connect();
    taker.read_up_to(1);
    taker.accept(1);
    assert!(asked.elapsed() < Duration::from_secs(10));
    running.wait().expect_status([0]).expect_silence();
}

#[test]
fn refused_batch_of_a_recording_is_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("two.flm");
    let stream = Stream::unowed().batch(&[b"a"]).batch(&[b"b"]).end();
    std::fs::write(&recording, stream.bytes).unwrap();
    let (pipe, output) = Pipe::new("intercept batch --size 1")
        .input_from(std::fs::File::open(&recording).unwrap())
        .output_read();
    let running = pipe.start();
    let mut taker = Taker::of(output);
    taker.connect();
    taker.read_up_to(2);
    taker.refuse(1, "retry", "no room");
    taker.accept(2);
    let again = taker.next().expect("the batch again");
    assert_eq!((again.header.kind, again.header.sequence), (Kind::Batch, 3));
    taker.accept(3);
    assert_eq!(taker.next().expect("the end").header.kind, Kind::End);
    running.wait().expect_status([0]);
}

#[test]
fn stream_without_an_end_is_told_though_another_follows() {
    let torn = Stream::unowed().batch(&[b"a"]).bytes;
    let whole = Stream::unowed().batch(&[b"b"]).end().bytes;
    let both = [torn, whole].concat();
    Pipe::new("sink null --summary json")
        .input(both.clone())
        .run()
        .expect_status([1])
        .says(0, ["has no end"])
        .counts(0, "accepted", 2);
    Pipe::new("intercept static")
        .input(both)
        .then("sink null --summary json")
        .run()
        .expect_status([1, 1])
        .counts(1, "accepted", 2);
}

#[test]
fn loss_of_a_taker_goes_through_a_row_of_passing_stages_without_a_word() {
    let mut pipe = Pipe::new("source seq --batch-size 1");
    for _ in 0..6 {
        pipe = pipe.then("intercept static --key a --value b");
    }
    let ended = pipe.then("channel memory").then("cat -n 2").run();
    let ended = ended.expect_status([75, 75, 75, 75, 75, 75, 75, 75, 0]);
    for stage in 1..7 {
        assert_eq!(ended.stderr(stage), "", "{}", ended.told());
    }
}
