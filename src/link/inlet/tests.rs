//! Streams that are read, and what their writers hear.

use super::accounts::Accounts;
use super::*;
use crate::ack::{Outcome, Refusal};
use crate::event::Event;
use crate::link::outlet::{OutletOptions, Reply};
use crate::link::{Outlet, StreamOutlet};
use std::io::IoSlice;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

#[test]
fn settler_from_before_the_hello_tells_the_writer() {
    let stop = Stop::new(Duration::from_secs(5)).unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let me = Identity::of_stage("test");
    let mut inlet = StreamInlet::open(far.into(), InletOptions::new(me.clone(), "it"), &stop).unwrap();
    let settler = inlet.settler();
    let outlet = StreamOutlet::open(near.into(), OutletOptions::new(me, Reply::SelfSocket), &stop).unwrap();
    let receipt = outlet.send(Batch::single(&Event::new("x"))).unwrap();
    outlet.flush().unwrap();
    let Ok(Next::Delivery(delivery)) = inlet.next(Wait::Forever) else {
        panic!("no batch came");
    };
    delivery.accept();
    assert_eq!(receipt.outcome(), None);
    settler();
    let outcome = receipt.wait_for(Some(Duration::from_secs(20)));
    assert_eq!(outcome, Some(Outcome::Accepted));
}

#[test]
fn acceptance_does_not_count_over_a_refusal_that_could_not_be_told() {
    let stop = Stop::new(Duration::ZERO).unwrap();
    stop.stop();
    let (near, far) = UnixStream::pair().unwrap();
    let block = [0; 4096];
    while fd::write_now(near.as_fd(), &[IoSlice::new(&block)]).is_ok() {}
    let mut accounts = Accounts {
        socket: Some(Arc::new(near.into())),
        stop: Some(stop),
        ..Default::default()
    };
    accounts.refused.push_back((1, Refusal::retry("no room")));
    accounts.settle(1);
    accounts.tell();
    assert!(accounts.failed);
    // The writer, which was stopped, goes on.
    let mut read = Vec::new();
    while fd::is_readable(far.as_fd()) {
        fd::read_onto(&far, &mut read, 1 << 20).unwrap();
    }
    accounts.settle(2);
    accounts.tell();
    assert!(!fd::is_readable(far.as_fd()));
}

#[test]
fn file_of_two_streams_is_left_at_its_first_batch_that_was_not_taken() {
    let stop = Stop::new(Duration::from_secs(5)).unwrap();
    let me = Identity::of_stage("test");
    let file = tempfile::tempfile().unwrap();
    let at = |file| rustix::fs::seek(file, rustix::fs::SeekFrom::Current(0)).unwrap();
    let mut expected = 0;
    for _ in 0..2 {
        let options = OutletOptions::new(me.clone(), Reply::File);
        let outlet = StreamOutlet::open(file.try_clone().unwrap().into(), options, &stop).unwrap();
        for body in ["x", "y"] {
            outlet.flush().unwrap();
            expected = at(&file);
            outlet.send(Batch::single(&Event::new(body))).unwrap();
        }
        outlet.finish(None).unwrap();
    }
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).unwrap();
    let options = InletOptions::new(me, "it");
    let mut inlet = StreamInlet::open(file.try_clone().unwrap().into(), options, &stop).unwrap();
    let mut deliveries = Vec::new();
    loop {
        match inlet.next(Wait::No) {
            Ok(Next::Delivery(delivery)) => deliveries.push(delivery),
            Ok(Next::Flush) => {}
            _ => break,
        }
    }
    let refused = deliveries.pop();
    assert_eq!(deliveries.len(), 3);
    deliveries.into_iter().for_each(Delivery::accept);
    drop(refused);
    inlet.close();
    assert_eq!(at(&file), expected);
}
