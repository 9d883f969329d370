//! How each stage ends: at the end of its input, at a closed pipe, by a signal; alone, in a row, and with a
//! foreign program in between.

use crate::by_hand::bodies_in;
use crate::pipe::Pipe;
use rustix::process::Signal;
use std::io::Write;

/// Stages that read a stream and write one. A component more is a line more.
const MIDDLE: &[&str] = &[
    "intercept static --key a --value b",
    "intercept regex '(?P<last>[0-9])$'",
    "intercept batch --size 10",
    "channel memory",
];
/// One more, which keeps what it has when it is stopped, and is only once in a directory.
const DURABLE: &str = "channel file spool";
/// Stages that end a pipeline.
const SINKS: &[&str] = &["sink null", "sink logger", "sink file_roll --directory out"];
/// Programs that know nothing of us.
const FOREIGN: &[&str] = &["cat", "tee copy.flm", "dd bs=4k status=none", "pv -q"];

/// Ended by our exit status 75: run me again.
const TEMPORARY: i32 = 75;

pub fn lines(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|number| format!("line {number}\n").into_bytes())
        .collect()
}

fn is_installed(program: &str) -> bool {
    let found = std::process::Command::new("which").arg(program).output();
    found.is_ok_and(|found| found.status.success())
}

#[test]
fn at_the_end_of_input_everything_was_accepted() {
    for sink in SINKS {
        for middle in MIDDLE.iter().copied().chain([DURABLE]) {
            Pipe::new("source seq --total-events 2500 --batch-size 100 --summary json")
                .then(&format!("{middle} --summary json"))
                .then(&format!("{sink} --summary json"))
                .run()
                .expect_status([0, 0, 0])
                .counts(0, "accepted", 2500)
                .counts(1, "sent", 2500)
                .counts(2, "accepted", 2500);
        }
    }
}

#[test]
fn lines_become_events_also_the_last_one_without_its_end() {
    let ended = Pipe::new("source stdin")
        .input("one\ntwo\n\nthree")
        .output_file("out.flm")
        .run()
        .expect_status([0])
        .expect_silence();
    let bodies = bodies_in(&ended.path("out.flm"));
    assert_eq!(bodies, [&b"one"[..], b"two", b"", b"three"]);
}

#[test]
fn stages_of_a_row_of_every_kind_end_well_together() {
    let mut pipe = Pipe::new("source stdin --batch-size 7").input(lines(1000));
    for middle in MIDDLE.iter().chain(MIDDLE) {
        pipe = pipe.then(middle);
    }
    let ended = pipe.then("sink null --summary json").run();
    let all_well = vec![0; 2 * MIDDLE.len() + 2];
    ended
        .expect_status(all_well)
        .counts(2 * MIDDLE.len() + 1, "accepted", 1000);
}

#[test]
fn foreign_program_in_between_changes_nothing() {
    for foreign in FOREIGN {
        let program = foreign.split(' ').next().unwrap();
        if !is_installed(program) && program == "pv" {
            // tests/run installs it where it can; the other programs are everywhere.
            continue;
        }
        Pipe::new("source seq --total-events 2500 --batch-size 10")
            .then_foreign(foreign)
            .then("intercept static")
            .then_foreign(foreign)
            .then("sink null --summary json")
            .run()
            .expect_status([0; 5])
            .counts(4, "accepted", 2500);
    }
}

#[test]
fn reader_that_has_enough_ends_its_writers_quietly() {
    Pipe::new("source seq")
        .then_foreign("head -c 1000 > /dev/null")
        .run()
        .expect_status([TEMPORARY, 0])
        .expect_silence();
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        Pipe::new("source seq")
            .then(middle)
            .then_foreign("head -c 1000 > /dev/null")
            .run()
            .expect_status([TEMPORARY, TEMPORARY, 0])
            .expect_silence();
    }
}

#[test]
fn terminated_source_drains_its_pipeline() {
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        let pipe = Pipe::new("source seq --summary json")
            .then(middle)
            .then("sink null --summary json --log-every-n-events 1000")
            .start();
        pipe.wait_for(2, "events so far").kill(0, Signal::TERM);
        let ended = pipe.wait().expect_status([0, 0, 0]);
        assert_eq!(
            ended.summary(0, "accepted"),
            ended.summary(2, "accepted"),
            "{}",
            ended.told()
        );
    }
}

#[test]
fn interrupt_of_all_from_the_terminal_loses_nothing() {
    for middle in MIDDLE {
        let pipe = Pipe::new("source seq --summary json")
            .then(middle)
            .then("sink null --summary json --log-every-n-events 1000")
            .start();
        pipe.wait_for(2, "events so far").kill_all(Signal::INT);
        let ended = pipe.wait().expect_status([0, 0, 0]);
        assert_eq!(
            ended.summary(0, "accepted"),
            ended.summary(2, "accepted"),
            "{}",
            ended.told()
        );
    }
}

#[test]
fn terminated_sink_sends_its_source_away_for_now() {
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        let pipe = Pipe::new("source seq")
            .then(middle)
            .then("sink null --log-every-n-events 1000")
            .start();
        pipe.wait_for(2, "events so far").kill(2, Signal::TERM);
        pipe.wait().expect_status([TEMPORARY, TEMPORARY, 0]);
    }
}

#[test]
fn killed_source_is_told_by_the_missing_end_after_all_was_delivered() {
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        // A channel has taken what came, and ends its own stream well.
        let last = i32::from(middle.starts_with("intercept"));
        let (reader, writer) = std::io::pipe().unwrap();
        let pipe = Pipe::new("source stdin --batch-timeout 1ms")
            .input_from(reader)
            .then(middle)
            .then("sink null --summary json --log-every-n-events 10")
            .start();
        std::io::Write::write_all(&mut &writer, &lines(10)).unwrap();
        pipe.wait_for(2, "10 events so far")
            .wait_settled(0)
            .kill(0, Signal::KILL);
        pipe.wait()
            .expect_status([-9, 1, last])
            .says(1, ["the stream has no end: the stage before has died"])
            .counts(2, "accepted", 10);
    }
}

#[test]
fn killed_sink_ends_the_stages_before_it_for_now() {
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        let pipe = Pipe::new("source seq")
            .then(middle)
            .then("sink null --log-every-n-events 1000")
            .start();
        pipe.wait_for(2, "events so far").kill(2, Signal::KILL);
        pipe.wait().expect_status([TEMPORARY, TEMPORARY, -9]);
    }
}

#[test]
fn killed_sink_of_an_idle_pipeline_ends_it_for_now() {
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        let (reader, writer) = std::io::pipe().unwrap();
        let pipe = Pipe::new("source stdin --batch-timeout 1ms")
            .input_from(reader)
            .then(middle)
            .then("sink null --log-every-n-events 10")
            .start();
        std::io::Write::write_all(&mut &writer, &lines(10)).unwrap();
        pipe.wait_for(2, "10 events so far").kill(2, Signal::KILL);
        let ended = pipe.wait().expect_status([TEMPORARY, TEMPORARY, -9]);
        assert_eq!((ended.stderr(0), ended.stderr(1)), ("", ""));
    }
}

#[test]
fn killed_middle_is_told_to_both_sides() {
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        let pipe = Pipe::new("source seq")
            .then(middle)
            .then("sink null --log-every-n-events 1000")
            .start();
        pipe.wait_for(2, "events so far").kill(1, Signal::KILL);
        let ended = pipe.wait();
        // The reply may be gone before the stream: it is the missing end that counts.
        let ended = ended.expect_status([TEMPORARY, -9, 1]);
        let said = ended.stderr(2);
        let how = [
            "the stream has no end: the stage before has died",
            "ends inside a frame",
        ];
        assert!(
            said.contains("ERROR sink null") && how.iter().any(|how| said.contains(how)),
            "{said}"
        );
    }
}

#[test]
fn second_signal_ends_at_once() {
    let (pipe, _reader) = Pipe::new("source seq --reply-timeout 1h --grace 1h").output_read();
    let mut pipe = pipe.start();
    crate::surroundings::wait_until_asleep(pipe.pid(0));
    pipe.kill(0, Signal::TERM);
    assert!(!pipe.ends_before(
        0,
        std::time::Instant::now() + std::time::Duration::from_millis(300)
    ));
    pipe.kill(0, Signal::TERM);
    assert_eq!(pipe.wait_stage(0), 128 + 15);
}

#[test]
fn grace_is_the_longest_that_a_stop_takes() {
    for middle in MIDDLE {
        // The last stage is stopped: the pipes are full, and nothing is ever accepted.
        let pipe = Pipe::new("source seq --batch-size 1000 --grace 300ms")
            .then(&format!("{middle} --grace 300ms"))
            .then("sink null --log-every-n-events 1000")
            .start();
        pipe.wait_for(2, "events so far").kill(2, Signal::STOP);
        let mut pipe = pipe;
        crate::surroundings::wait_until_asleep(pipe.pid(0));
        pipe.kill(0, Signal::TERM).kill(1, Signal::TERM);
        assert_eq!(pipe.wait_stage(0), TEMPORARY, "{middle}");
        assert_eq!(pipe.wait_stage(1), TEMPORARY, "{middle}");
    }
}

#[test]
fn fused_run_ends_as_its_pipeline_does() {
    Pipe::new(
        "run --summary json 'source stdin | intercept static | channel memory | intercept static | sink null'",
    )
    .input(lines(3000))
    .run()
    .expect_status([0])
    .counts(0, "accepted", 3000);
    let pipe =
        Pipe::new("run --summary json 'source seq | channel memory | sink null --log-every-n-events 1000'")
            .start();
    pipe.wait_for(0, "events so far").kill(0, Signal::TERM);
    let ended = pipe.wait().expect_status([0]);
    assert_eq!(
        ended.summary(0, "received"),
        ended.summary(0, "accepted"),
        "{}",
        ended.told()
    );
}

#[test]
fn fused_run_may_stand_anywhere_in_a_pipeline() {
    Pipe::new("run 'source seq --total-events 500 | channel memory'")
        .then("run 'intercept static | channel memory | intercept static'")
        .then("run --summary json 'intercept static | sink null'")
        .run()
        .expect_status([0, 0, 0])
        .counts(2, "accepted", 500);
}

#[test]
fn file_as_standard_output_is_a_taker_of_its_own() {
    for middle in MIDDLE.iter().copied().chain([DURABLE]) {
        let ended = Pipe::new("source seq --total-events 300 --batch-size 7 --summary json")
            .then(&format!("{middle} --summary json"))
            .output_file("out.flm")
            .run()
            .expect_status([0, 0])
            .counts(0, "accepted", 300);
        let bodies = bodies_in(&ended.path("out.flm"));
        assert_eq!(bodies.len(), 300, "{middle}");
        assert_eq!(bodies[299], b"299");
    }
}

#[test]
fn fused_run_reads_its_words_from_a_file() {
    Pipe::new("run -f pipeline --summary json")
        .file(
            "pipeline",
            "# numbers\nsource seq --total-events 30 |\n  sink null # and gone\n",
        )
        .run()
        .expect_status([0])
        .counts(0, "accepted", 30);
}

#[test]
fn cat_prints_bodies_and_is_a_taker() {
    let ended = Pipe::new("source seq --total-events 3 --summary json")
        .then("cat")
        .run()
        .expect_status([0, 0])
        .counts(0, "accepted", 3);
    assert_eq!(ended.stdout(), b"0\n1\n2\n");
    let ended = Pipe::new("source seq").then("cat -n 3").run();
    assert_eq!(ended.stdout(), b"0\n1\n2\n", "{}", ended.told());
    assert_eq!(
        (ended.status(0), ended.status(1)),
        (TEMPORARY, 0),
        "{}",
        ended.told()
    );
}

#[test]
fn environment_says_how_much_is_said() {
    Pipe::new("source seq --total-events 10")
        .then("sink null --log-every-n-events 1")
        .env("FLUME_LOG", "error")
        .run()
        .expect_status([0, 0])
        .expect_silence();
}

#[test]
fn summary_comes_whatever_the_end() {
    let check = |words: &[&str], status: i32| {
        let exit = format!("\"exit\":{status}}}");
        assert_cmd::Command::new(env!("CARGO_BIN_EXE_flume"))
            .args(words)
            .args(["--summary", "json"])
            .timeout(std::time::Duration::from_secs(20))
            .assert()
            .code(status)
            .stderr(predicates::str::contains(exit));
    };
    check(&["run", "source seq --total-events 3 | sink null"], 0);
    check(&["run", "source seq | sink nul"], 2);
    check(&["run", "source seq | sink file_roll --directory /proc/no"], 1);
    check(&["channel", "file", "/proc/no", "--put"], 1);
    check(&["replay", "/no/such/recording"], 2);
}

#[test]
fn run_keeps_what_it_takes_in_a_channel_in_front_of_its_stream() {
    let directory = tempfile::tempdir().unwrap();
    let wal = directory.path().join("wal");
    let words = "run 'source seq --total-events 100' --durability channel --wal";
    Pipe::new(&format!("{words} {}", wal.display()))
        .then("sink null --summary json")
        .run()
        .expect_status([0, 0])
        .counts(1, "accepted", 100);
    assert!(wal.join("flume-channel").exists());
}

#[test]
fn command_of_a_killed_exec_source_ends_with_it() {
    // Nobody ever writes into the fifo: only a signal ends the command.
    let command = "echo one; echo \\$\\$ > pid; read < go; echo > survived";
    Pipe::foreign(&format!(
        "mkfifo go; flume source exec --shell '/bin/bash -c' \"{command}\" > out.flm &
         until test -s pid; do sleep 0.01; done
         kill -KILL $!; wait $!
         tail --pid=$(cat pid) -s 0.01 -f /dev/null
         test ! -e survived"
    ))
    .run()
    .expect_status([0]);
}

#[test]
fn idle_passing_stage_that_is_stopped_does_not_wait_for_its_input() {
    let (input, mut held) = std::io::pipe().unwrap();
    let (pipe, output) = Pipe::new("intercept static").input_from(input).output_read();
    let mut running = pipe.patience(std::time::Duration::from_secs(15)).start();
    held.write_all(&crate::by_hand::Stream::unowed().bytes).unwrap();
    let _reader = crate::by_hand::Taker::of(output);
    crate::surroundings::wait_until_asleep(running.pid(0));
    running.kill(0, Signal::TERM);
    assert_eq!(running.wait_stage(0), 75);
    drop(held);
}

#[test]
fn fused_run_reads_its_words_from_standard_input() {
    Pipe::new("run -f - --summary json")
        .input("source seq --total-events 30 | # numbers\n sink null\n")
        .run()
        .expect_status([0])
        .counts(0, "accepted", 30);
}

#[test]
fn silent_clients_of_the_reply_hold_up_no_acceptance() {
    let (pipe, output) = Pipe::new("source seq --total-events 10 --batch-size 10").output_read();
    let mut running = pipe.start();
    let mut taker = crate::by_hand::Taker::of(output);
    let soon = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let silent: Vec<_> = (0..10).map(|_| crate::by_hand::reach(&taker.hello)).collect();
    taker.connect();
    taker.read_up_to(1);
    taker.accept(1);
    assert!(running.ends_before(0, soon));
    assert_eq!(running.wait_stage(0), 0);
    drop(silent);
}

#[test]
fn recordings_are_sent_to_an_address_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", directory.path().join("socket").display());
    let recording = directory.path().join("a.flm");
    let events = crate::by_hand::Stream::unowed().batch(&[b"one", b"two"]).end();
    std::fs::write(&recording, events.bytes).unwrap();
    let taker = Pipe::new(&format!("source stream {address}"))
        .then("sink null --summary json")
        .start();
    taker.wait_for(0, "listening on");
    let file = recording.display();
    Pipe::new(&format!(
        "send --format stream {address} {file} {file} --summary json"
    ))
    .run()
    .expect_status([0])
    .counts(0, "accepted", 4);
    taker.kill(0, Signal::TERM);
    taker.wait().expect_status([0, 0]).counts(1, "accepted", 4);
}
