//! One connection against a server that the test holds in its hand.

use super::AvroOutlet;
use crate::ack::{Outcome, Receipt};
use crate::client::testing::{Fake, PATIENCE, Peer, batch, send, stop};
use crate::client::{Compress, Settings};
use crate::link::{Outlet, SendError, Window};
use crate::rpc::avro::Status;
use std::time::{Duration, Instant};

fn connected(fake: &Fake, settings: &Settings) -> Result<AvroOutlet, String> {
    let socket = fake.at.at().connect(PATIENCE).unwrap();
    AvroOutlet::open(socket, &fake.at, settings, &stop())
}

fn open(settings: impl FnOnce(&mut Settings)) -> (AvroOutlet, Peer) {
    let fake = Fake::new();
    let mut own = Fake::settings(&[&fake]);
    settings(&mut own);
    fake.with(|| connected(&fake, &own).unwrap())
}

fn outcome(receipt: &Receipt) -> Outcome {
    receipt.wait_for(Some(PATIENCE)).expect("it is not settled")
}

fn is_refused(receipt: &Receipt, part: &str) {
    match outcome(receipt) {
        Outcome::Refused(refusal) => assert!(refusal.reason.contains(part), "{refusal}"),
        other => panic!("{other:?}"),
    }
}

fn why(outlet: &AvroOutlet) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match outlet.why_closed() {
            Some(why) => return why,
            None if Instant::now() > deadline => panic!("it is not closed"),
            None => std::thread::yield_now(),
        }
    }
}

#[test]
fn several_calls_are_under_way_and_answers_may_overtake_each_other() {
    let (outlet, mut peer) = open(|_| {});
    let receipts = ["a", "b", "c"].map(|body| send(&outlet, &[body]));
    let calls = [(); 3].map(|()| peer.call().unwrap());
    assert_eq!(calls.clone().map(|(_, bodies)| bodies.concat()), ["a", "b", "c"]);
    peer.answer(calls[2].0, Status::Ok);
    assert_eq!(outcome(&receipts[2]), Outcome::Accepted);
    assert_eq!((receipts[0].outcome(), receipts[1].outcome()), (None, None));
    peer.answer(calls[0].0, Status::Failed);
    is_refused(&receipts[0], "answers FAILED");
    peer.answer(calls[1].0, Status::Ok);
    assert_eq!(outcome(&receipts[1]), Outcome::Accepted);
    assert_eq!(outlet.unsettled().events, 0);
    assert_eq!(outlet.finish(None), Ok(()));
}

#[test]
fn small_batches_that_are_there_together_go_in_one_call() {
    let (outlet, mut peer) = open(|settings| settings.batch_size = 4);
    let receipts = [["a", "b"], ["c", "d"], ["e", "f"]].map(|bodies| outlet.send(batch(&bodies)).unwrap());
    outlet.flush().unwrap();
    assert_eq!(peer.take(), ["a", "b", "c", "d"]);
    assert_eq!(peer.take(), ["e", "f"]);
    for receipt in &receipts {
        assert_eq!(outcome(receipt), Outcome::Accepted);
    }
}

#[test]
fn large_batch_goes_in_several_calls_and_is_settled_by_all_of_them() {
    let (outlet, mut peer) = open(|settings| settings.batch_size = 2);
    for last in [Status::Ok, Status::Failed] {
        let receipt = send(&outlet, &["a", "b", "c", "d", "e"]);
        let calls = [(); 3].map(|()| peer.call().unwrap());
        assert_eq!(
            calls.clone().map(|(_, bodies)| bodies.concat()),
            ["ab", "cd", "e"]
        );
        peer.answer(calls[2].0, Status::Ok);
        peer.answer(calls[1].0, last);
        assert_eq!(receipt.wait_for(Some(Duration::from_millis(20))), None);
        peer.answer(calls[0].0, Status::Ok);
        match last {
            Status::Ok => assert_eq!(outcome(&receipt), Outcome::Accepted),
            _ => is_refused(&receipt, "answers FAILED"),
        }
    }
    assert_eq!(outlet.unsettled().bytes, 0);
}

#[test]
fn window_holds_the_sender_until_there_is_an_answer() {
    let window = Window {
        batches: 2,
        bytes: 1 << 20,
    };
    let (outlet, mut peer) = open(|settings| (settings.window, settings.batch_size) = (window, 1));
    let receipts = ["a", "b"].map(|body| send(&outlet, &[body]));
    std::thread::scope(|scope| {
        let third = scope.spawn(|| send(&outlet, &["c"]));
        assert_eq!([peer.take(), peer.take()].concat(), ["a", "b"]);
        assert_eq!(peer.take(), ["c"]);
        assert_eq!(outcome(&third.join().unwrap()), Outcome::Accepted);
    });
    assert_eq!(
        receipts.each_ref().map(outcome),
        [Outcome::Accepted, Outcome::Accepted]
    );
}

#[test]
fn server_that_promises_no_order_gets_one_call_at_a_time_and_joined_batches() {
    let fake = Fake::new();
    let mut settings = Fake::settings(&[&fake]);
    settings.batch_size = 2;
    for unordered in [false, true] {
        settings.unordered = unordered;
        let (outlet, mut peer) = std::thread::scope(|scope| {
            let peer = scope.spawn(|| {
                let mut peer = fake.accept_silent(false);
                peer.greet_as_flume();
                peer
            });
            (connected(&fake, &settings).unwrap(), peer.join().unwrap())
        });
        let first = send(&outlet, &["a"]);
        let second = outlet.send(batch(&["b"])).unwrap();
        std::thread::scope(|scope| {
            let rest = scope.spawn(|| send(&outlet, &["c"]));
            let (serial, bodies) = peer.call().unwrap();
            assert_eq!(bodies, ["a"]);
            if !unordered {
                assert_eq!(second.wait_for(Some(Duration::from_millis(20))), None);
                assert!(!peer.has_more());
            }
            peer.answer(serial, Status::Ok);
            assert_eq!(peer.take(), ["b", "c"]);
            assert_eq!(outcome(&rest.join().unwrap()), Outcome::Accepted);
        });
        assert_eq!(
            [outcome(&first), outcome(&second)],
            [Outcome::Accepted, Outcome::Accepted]
        );
    }
}

#[test]
fn server_that_never_answers_is_given_up_and_nothing_is_accepted() {
    let short = Duration::from_millis(200);
    let (outlet, mut peer) = open(|settings| settings.request_timeout = short);
    let first = send(&outlet, &["a"]);
    assert_eq!(peer.take(), ["a"]);
    assert_eq!(outcome(&first), Outcome::Accepted);
    let since = Instant::now();
    let lost = send(&outlet, &["b"]);
    assert_eq!(outcome(&lost), Outcome::Lost);
    assert!(since.elapsed() >= short);
    assert!(
        why(&outlet).contains("does not answer within 200ms"),
        "{}",
        why(&outlet)
    );
    assert!(matches!(outlet.send(batch(&["c"])), Err(SendError::Closed)));
    let fake = Fake::new();
    let mut settings = Fake::settings(&[&fake]);
    settings.request_timeout = short;
    let error = connected(&fake, &settings).err().unwrap();
    assert!(
        error.contains("does not answer the handshake within 200ms"),
        "{error}"
    );
}

#[test]
fn reset_in_the_middle_of_an_answer_loses_what_is_not_answered() {
    let (outlet, mut peer) = open(|_| {});
    let receipts = ["a", "b"].map(|body| send(&outlet, &[body]));
    assert_eq!(peer.take(), ["a"]);
    let (serial, _) = peer.call().unwrap();
    let half = [&serial.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0]].concat();
    peer.write(&half);
    drop(peer);
    assert_eq!(
        receipts.each_ref().map(outcome),
        [Outcome::Accepted, Outcome::Lost]
    );
    assert!(why(&outlet).contains("ended inside a pack"), "{}", why(&outlet));
    assert_eq!(outlet.finish(None), Err(SendError::Closed));
}

#[test]
fn answer_to_no_call_and_an_answer_of_garbage_end_the_connection() {
    let (outlet, mut peer) = open(|_| {});
    let receipt = send(&outlet, &["a"]);
    let (serial, _) = peer.call().unwrap();
    peer.answer(serial + 7, Status::Ok);
    assert_eq!(outcome(&receipt), Outcome::Lost);
    assert!(why(&outlet).contains("waits for no answer"), "{}", why(&outlet));
    let (outlet, mut peer) = open(|_| {});
    let receipt = send(&outlet, &["a"]);
    let (serial, _) = peer.call().unwrap();
    peer.write(&[&serial.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0, 0, 2, 0, 9]].concat());
    assert_eq!(outcome(&receipt), Outcome::Lost);
    assert!(why(&outlet).contains("cannot be read"), "{}", why(&outlet));
}

#[test]
fn server_that_does_not_know_the_hash_gets_the_text() {
    let fake = Fake::new();
    let settings = Fake::settings(&[&fake]);
    let (outlet, mut peer) = std::thread::scope(|scope| {
        let peer = scope.spawn(|| {
            let mut peer = fake.accept_silent(false);
            let (serial, payload) = peer.pack().unwrap();
            assert_eq!(payload[16], 0, "the text is shown before anybody asks for it");
            // NONE, no text, its own hash, no meta data.
            let answer = [&[4, 0, 2][..], &[7; 16], &[0]].concat();
            let length = answer.len() as u32;
            let head = [serial, 1, length].map(u32::to_be_bytes).concat();
            peer.write(&[head, answer].concat());
            peer.greet();
            peer
        });
        let outlet = connected(&fake, &settings).unwrap();
        (outlet, peer.join().unwrap())
    });
    let receipt = send(&outlet, &["a"]);
    assert_eq!(peer.take(), ["a"]);
    assert_eq!(outcome(&receipt), Outcome::Accepted);
}

#[test]
fn who_speaks_something_else_is_named() {
    for (said, name) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP"),
        ("SSH-2.0-OpenSSH_9\r\n", "it speaks SSH"),
        ("\x15\x03\x03\0\x02\x02\x46", "it speaks TLS"),
    ] {
        let fake = Fake::new();
        let settings = Fake::settings(&[&fake]);
        let error = std::thread::scope(|scope| {
            scope.spawn(|| fake.accept_silent(false).write(said.as_bytes()));
            connected(&fake, &settings).err().unwrap()
        });
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn deflate_is_spoken_both_ways() {
    let fake = Fake::new();
    let mut settings = Fake::settings(&[&fake]);
    (settings.compression, settings.compression_level) = (Compress::Deflate, 9);
    let (outlet, mut peer) = std::thread::scope(|scope| {
        let peer = scope.spawn(|| {
            let mut peer = fake.accept_silent(true);
            peer.greet();
            peer
        });
        (connected(&fake, &settings).unwrap(), peer.join().unwrap())
    });
    for body in ["a", "b"] {
        let receipt = send(&outlet, &[&body.repeat(100_000)]);
        assert_eq!(peer.take()[0].len(), 100_000);
        assert_eq!(outcome(&receipt), Outcome::Accepted);
    }
}

#[test]
fn connection_whose_time_is_over_takes_nothing_new_and_waits_for_its_answers() {
    let (outlet, mut peer) = open(|settings| settings.reset_after = Some(Duration::from_millis(100)));
    let receipt = send(&outlet, &["a"]);
    std::thread::sleep(Duration::from_millis(100));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| outlet.send(batch(&["b"])).err());
        assert_eq!(peer.take(), ["a"]);
        assert_eq!(second.join().unwrap(), Some(SendError::Closed));
    });
    assert_eq!(outcome(&receipt), Outcome::Accepted);
    assert!(outlet.why_closed().is_none());
    drop(outlet);
    assert!(peer.call().is_none());
}

#[test]
fn outlet_that_is_dropped_loses_what_it_has_and_closes() {
    let (outlet, mut peer) = open(|_| {});
    let sent = send(&outlet, &["a"]);
    let kept = outlet.send(batch(&["b"])).unwrap();
    assert!(peer.call().is_some());
    drop(outlet);
    assert_eq!([outcome(&sent), outcome(&kept)], [Outcome::Lost, Outcome::Lost]);
    assert!(peer.call().is_none());
}

#[test]
fn batch_of_bytes_that_are_no_events_is_rejected_when_it_must_be_cut() {
    let (outlet, _peer) = open(|settings| settings.batch_size = 1);
    let bad = crate::event::Batch::from_encoded(bytes::Bytes::from_static(&[0, 9, 9]), 2);
    let receipt = outlet.send(bad).unwrap();
    is_refused(&receipt, "no events");
}

#[test]
fn nobody_listening_is_said_with_the_address() {
    let fake = Fake::new();
    let (at, settings) = (fake.at.clone(), Fake::settings(&[&fake]));
    drop(fake);
    let Err(SendError::Temporary(why)) = at.open(&settings, &stop()) else {
        panic!("it connected");
    };
    assert!(why.contains(&at.to_string()) && why.contains("refused"), "{why}");
}

#[test]
fn connection_that_is_closed_at_once_is_an_error() {
    let fake = Fake::new();
    let settings = Fake::settings(&[&fake]);
    let error = std::thread::scope(|scope| {
        scope.spawn(|| drop(fake.accept_silent(false)));
        connected(&fake, &settings).err().unwrap()
    });
    assert!(!error.is_empty());
}
