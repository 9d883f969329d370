//! Batches that are cut and joined anew, and who waits for whom meanwhile.

use crate::ends::lines;
use crate::pipe::Pipe;
use rustix::process::Signal;

#[test]
fn batch_that_the_writer_cannot_fill_goes_on_without_its_timeout() {
    let batch = "intercept batch --size 1000000 --timeout 1h";
    let source = "source seq --total-events 2000 --batch-size 10";
    for words in [
        vec![source, batch],
        vec![source, "intercept static", batch],
        vec![source, batch, batch],
        vec![
            "source seq --total-events 2000 --batch-size 10 --window 1000000 --window-bytes 1KiB",
            batch,
        ],
        vec![source, "channel memory --capacity 100", batch],
        vec![source, "channel file spool --capacity 100", batch],
    ] {
        let count = words.len();
        let pipe = words[1..]
            .iter()
            .fold(Pipe::new(words[0]), |pipe, stage| pipe.then(stage));
        pipe.then("sink null --summary json")
            .run()
            .expect_status(vec![0; count + 1])
            .counts(count, "accepted", 2000);
        if words[0].contains("--window") {
            // In one process there is none before the batches are cut.
            continue;
        }
        Pipe::new(&format!("run --summary json '{} | sink null'", words.join(" | ")))
            .run()
            .expect_status([0])
            .counts(0, "accepted", 2000);
    }
}

#[test]
fn rest_of_a_batch_is_accepted_at_the_end_also_by_a_file() {
    for timeout in ["1h", "1ms"] {
        Pipe::new("source seq --total-events 305 --batch-size 7 --summary json")
            .then(&format!("intercept batch --size 100 --timeout {timeout}"))
            .output_file("out.flm")
            .run()
            .expect_status([0, 0])
            .counts(0, "accepted", 305);
    }
}

#[test]
fn batch_that_a_client_cannot_fill_goes_on_without_its_timeout() {
    let server = Pipe::new("source stream unix:socket")
        .then("intercept batch --size 1000000 --timeout 1h")
        .then("sink null --summary json")
        .start();
    server.wait_for(0, "listening on");
    Pipe::new("send unix:socket --batch-size 10 --summary json")
        .dir(&server.path("."))
        .input(lines(2000))
        .run()
        .expect_status([0])
        .counts(0, "accepted", 2000);
    server.kill(0, Signal::TERM);
    server.wait().expect_status([0, 0, 0]).counts(2, "accepted", 2000);
}

#[test]
fn batches_are_cut_anew_in_front_of_a_sink_and_of_a_channel() {
    for tail in [
        "sink null",
        "channel memory | sink null",
        "channel file spool | sink null",
    ] {
        Pipe::new("source seq --total-events 95 --batch-size 10")
            .then(&format!("run 'intercept batch --size 7 | {tail}' --summary json"))
            .run()
            .expect_status([0, 0])
            .counts(1, "accepted", 95);
    }
}
