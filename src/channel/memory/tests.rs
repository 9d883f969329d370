//! The channel in memory: what fits, what waits, what comes back.

use super::*;
use crate::event::{BatchBuilder, Event};

fn channel(words: &[&str]) -> Arc<dyn Channel> {
    use clap::FromArgMatches;
    let command = <Settings as clap::Args>::augment_args(clap::Command::new("memory").no_binary_name(true));
    let matches = command.try_get_matches_from(words).unwrap();
    Settings::from_arg_matches(&matches).unwrap().channel()
}

fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    bodies.iter().for_each(|body| builder.push_body(body.as_bytes()));
    builder.finish()
}

fn take(channel: &Arc<dyn Channel>) -> Option<Delivery> {
    match channel.take(Some(Instant::now())).unwrap() {
        Taken::Delivery(delivery) => Some(delivery),
        _ => None,
    }
}

fn body(delivery: &Delivery) -> String {
    let bodies: Vec<_> = delivery
        .batch
        .events()
        .map(|event| event.unwrap().body().to_vec())
        .collect();
    String::from_utf8(bodies.concat()).unwrap()
}

#[test]
fn rolled_back_batch_comes_again_before_later_ones() {
    let channel = channel(&[]);
    channel.put(&[batch(&["a"]), batch(&["b"])]).unwrap();
    let first = take(&channel).unwrap();
    let second = take(&channel).unwrap();
    second.refuse(Refusal::retry("later"));
    first.refuse(Refusal::retry("later"));
    assert_eq!(body(&take(&channel).unwrap()), "a");
}

#[test]
fn full_channel_says_what_it_holds_after_its_keep_alive() {
    let channel = channel(&["--capacity=2", "--keep-alive=0"]);
    channel.put(&[batch(&["a", "b"])]).unwrap();
    let error = channel.put(&[batch(&["c"])]).unwrap_err();
    assert!(
        matches!(&error, ChannelError::Full(why) if why.contains("2 of 2 events")),
        "{error}"
    );
    let taken = take(&channel).unwrap();
    assert!(
        channel.put(&[batch(&["c"])]).is_err(),
        "a taken batch still has its place"
    );
    taken.accept();
    channel.put(&[batch(&["c"])]).unwrap();
}

#[test]
fn what_a_commit_without_room_has_put_is_not_put_again() {
    use crate::channel::ends::PutSink;
    use crate::metrics::{Counters, Kind};
    use crate::stage::Sink;
    let channel = channel(&["--capacity=2", "--keep-alive=0"]);
    let counters = Arc::new(Counters::new(Kind::Channel, "memory"));
    let mut sink = PutSink::new(channel.clone(), counters);
    let batches = [batch(&["a", "b"]), batch(&["c"])];
    for _ in 0..3 {
        sink.rollback();
        batches.iter().for_each(|batch| sink.write(batch).unwrap());
        assert!(sink.commit().is_err(), "there is no room for c");
    }
    take(&channel).unwrap().accept();
    sink.rollback();
    batches.iter().for_each(|batch| sink.write(batch).unwrap());
    sink.commit().unwrap();
    let last = take(&channel).unwrap();
    assert_eq!(body(&last), "c");
    last.accept();
    assert!(take(&channel).is_none());
}

#[test]
fn batch_larger_than_a_transaction_is_split() {
    let channel = channel(&["--capacity=10", "--transaction-capacity=2"]);
    channel.put(&[batch(&["a", "b", "c"])]).unwrap();
    assert_eq!(body(&take(&channel).unwrap()), "ab");
}

#[test]
fn bytes_are_counted_in_slots_of_a_hundred() {
    let channel = channel(&[
        "--byte-capacity=1000",
        "--byte-capacity-buffer-percentage=50",
        "--keep-alive=0",
    ]);
    channel.put(&[batch(&[&"x".repeat(401)])]).unwrap();
    assert!(channel.put(&[batch(&["y"])]).is_err());
    let held = take(&channel).unwrap();
    held.accept();
    let error = channel.put(&[batch(&[&"x".repeat(501)])]).unwrap_err();
    assert!(matches!(error, ChannelError::TooLarge(_)), "{error}");
}

#[test]
fn taker_is_woken_by_a_put_by_wake_and_by_the_end() {
    let channel = channel(&[]);
    let taker = channel.clone();
    let thread = std::thread::spawn(move || match taker.take(None) {
        Ok(Taken::Delivery(delivery)) => delivery.accept(),
        _ => panic!("nothing came"),
    });
    channel.put(&[Batch::single(&Event::new("a"))]).unwrap();
    thread.join().unwrap();
    channel.finish_put();
    assert!(matches!(channel.take(None).unwrap(), Taken::Finished));
}

#[test]
fn take_that_comes_after_a_wake_does_not_wait_for_ever() {
    let channel = channel(&[]);
    channel.wake();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(matches!(channel.take(None), Ok(Taken::Empty))));
    assert_eq!(heard.recv_timeout(std::time::Duration::from_secs(20)), Ok(true));
}

#[test]
fn taker_that_begins_after_a_wake_is_not_woken_by_it_and_one_that_began_before_is_once() {
    let channel = channel(&[]);
    let mut before = Look::at(&*channel);
    channel.wake();
    let mut after = Look::at(&*channel);
    assert!(matches!(
        channel.take_unless_pressed(None, &mut before),
        Ok(Taken::Empty)
    ));
    for look in [&mut before, &mut after] {
        let until = Instant::now() + std::time::Duration::from_millis(20);
        assert!(matches!(
            channel.take_unless_pressed(Some(until), look),
            Ok(Taken::Empty)
        ));
        assert!(until <= Instant::now(), "it was woken");
    }
}

#[test]
fn put_that_fails_leaves_nothing_of_it_in_the_channel() {
    let channel = channel(&["--capacity=3", "--transaction-capacity=2", "--keep-alive=0"]);
    channel.put(&[batch(&["a"])]).unwrap();
    assert!(channel.put(&[batch(&["b"]), batch(&["c", "d", "e"])]).is_err());
    assert_eq!(channel.fill().events, 1);
    assert_eq!(body(&take(&channel).unwrap()), "a");
    channel.put(&[batch(&["b", "c"])]).unwrap();
}
