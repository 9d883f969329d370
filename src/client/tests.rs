//! Clients and streams against servers that the test holds in its hand.

use super::testing::{Fake, PATIENCE, batch, client, send, stop};
use super::{Client, ClientError, Kind, Order, stream};
use crate::ack::Outcome;
use crate::event::Event;
use crate::link::inlet::InletOptions;
use crate::link::welcome::Gate;
use crate::link::{Identity, Inlet, Next, StreamInlet, Wait};
use crate::rpc::avro::Status;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

#[test]
fn default_client_appends_and_is_dead_after_a_failure() {
    let fake = Fake::new();
    let (client, mut peer) = client(&fake, Fake::settings(&[&fake]));
    let error = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            assert_eq!(peer.take(), ["one"]);
            assert_eq!(peer.take(), ["two", "three"]);
            let (serial, _) = peer.call().unwrap();
            peer.answer(serial, Status::Failed);
            assert!(peer.call().is_none());
        });
        client.append(&Event::new("one")).unwrap();
        client.append_batch(&batch(&["two", "three"])).unwrap();
        assert!(client.is_active());
        let error = client.append(&Event::new("four")).unwrap_err();
        server.join().unwrap();
        error
    });
    assert!(
        matches!(&error, ClientError::Delivery(why) if why.contains("FAILED")),
        "{error}"
    );
    assert!(!client.is_active());
    assert_eq!(client.append(&Event::new("five")), Err(ClientError::Inactive));
    let (again, mut peer) = fake.with(|| client.again().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(peer.take(), ["four"]));
        again.append(&Event::new("four")).unwrap();
    });
    again.close();
    assert!(!again.is_active());
    assert!(peer.call().is_none());
}

#[test]
fn client_that_reaches_nobody_is_not_made() {
    let gone = Fake::new();
    let settings = Fake::settings(&[&gone]);
    drop(gone);
    assert!(matches!(Client::open(settings), Err(ClientError::Connect(_))));
    assert!(matches!(
        Client::open(super::Settings::to(Vec::new())),
        Err(ClientError::Settings(_))
    ));
}

#[test]
fn default_client_notices_that_its_connection_has_ended() {
    let fake = Fake::new();
    let (client, peer) = client(&fake, Fake::settings(&[&fake]));
    drop(peer);
    let deadline = Instant::now() + PATIENCE;
    while client.is_active() {
        assert!(Instant::now() < deadline, "it still believes to be connected");
        std::thread::yield_now();
    }
}

#[test]
fn failing_over_goes_to_the_next_host_and_stays_there() {
    let fakes = [Fake::new(), Fake::new()];
    let (client, mut first) = client(&fakes[0], Fake::settings(&[&fakes[0], &fakes[1]]));
    std::thread::scope(|scope| {
        let servers = scope.spawn(|| {
            assert_eq!(first.take(), ["a"]);
            let (serial, _) = first.call().unwrap();
            first.answer(serial, Status::Failed);
            let mut second = fakes[1].accept();
            [second.take(), second.take()].concat()
        });
        for body in ["a", "b", "c"] {
            client.append(&Event::new(body)).unwrap();
        }
        assert_eq!(servers.join().unwrap(), ["b", "c"]);
    });
    assert!(client.is_active());
}

#[test]
fn failing_over_gives_up_after_so_many_attempts() {
    let fakes = [Fake::new(), Fake::new()];
    let mut settings = Fake::settings(&[&fakes[0], &fakes[1]]);
    settings.max_attempts = Some(1);
    let (client, mut first) = client(&fakes[0], settings);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (serial, _) = first.call().unwrap();
            first.answer(serial, Status::Failed);
        });
        assert!(matches!(
            client.append(&Event::new("a")),
            Err(ClientError::Delivery(_))
        ));
        // The next call goes to the next host.
        scope.spawn(|| assert_eq!(fakes[1].accept().take(), ["b"]));
        client.append(&Event::new("b")).unwrap();
    });
}

#[test]
fn balancing_takes_turns_and_passes_over_who_can_not_be_reached() {
    let (one, gone, three) = (Fake::new(), Fake::new(), Fake::new());
    let mut settings = Fake::settings(&[&one, &gone, &three]);
    (settings.kind, settings.order) = (Kind::DefaultLoadbalance, Order::RoundRobin);
    settings.max_backoff = Some(Duration::from_secs(30));
    drop(gone);
    let client = Client::open(settings).unwrap();
    std::thread::scope(|scope| {
        let bodies = |fake: &Fake, count| {
            let mut peer = fake.accept();
            (0..count).flat_map(|_| peer.take()).collect::<Vec<_>>().concat()
        };
        let (one, three) = (
            scope.spawn(move || bodies(&one, 2)),
            scope.spawn(move || bodies(&three, 2)),
        );
        for body in ["a", "b", "c", "d"] {
            client.append(&Event::new(body)).unwrap();
        }
        let (one, three) = (one.join().unwrap(), three.join().unwrap());
        assert_eq!((one.len(), three.len()), (2, 2), "{one} {three}");
        assert_eq!(&one[..1], "a");
    });
}

#[test]
fn stream_sends_again_in_order_what_a_broken_connection_had() {
    let fake = Fake::new();
    let mut settings = Fake::settings(&[&fake]);
    settings.batch_size = 1;
    let outlet = stream(&settings, Some(PATIENCE), &stop());
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut peer = fake.accept();
            assert_eq!(peer.take(), ["a"]);
            assert_eq!(peer.call().unwrap().1, ["b"]);
            assert_eq!(peer.call().unwrap().1, ["c"]);
            drop(peer);
            let mut peer = fake.accept();
            [peer.take(), peer.take(), peer.take()].concat()
        });
        let mut receipts = vec![send(&*outlet, &["a"])];
        assert_eq!(receipts[0].wait_for(Some(PATIENCE)), Some(Outcome::Accepted));
        receipts.extend(["b", "c", "d"].map(|body| send(&*outlet, &[body])));
        assert_eq!(server.join().unwrap(), ["b", "c", "d"]);
        for receipt in &receipts {
            assert_eq!(receipt.wait_for(Some(PATIENCE)), Some(Outcome::Accepted));
        }
    });
    assert_eq!(outlet.finish(Some(Instant::now() + PATIENCE)), Ok(()));
}

#[test]
fn stream_leaves_a_host_that_does_not_take_for_the_next_one() {
    let fakes = [Fake::new(), Fake::new()];
    let settings = Fake::settings(&[&fakes[0], &fakes[1]]);
    let outlet = stream(&settings, Some(PATIENCE), &stop());
    std::thread::scope(|scope| {
        let servers = scope.spawn(|| {
            let mut first = fakes[0].accept();
            let (serial, _) = first.call().unwrap();
            first.answer(serial, Status::Failed);
            let mut second = fakes[1].accept();
            second.take()
        });
        let receipt = send(&*outlet, &["a"]);
        assert_eq!(receipt.wait_for(Some(PATIENCE)), Some(Outcome::Accepted));
        assert_eq!(servers.join().unwrap(), ["a"]);
    });
}

#[test]
fn balanced_stream_gives_what_a_host_lost_to_another() {
    let fakes = [Fake::new(), Fake::new()];
    let mut settings = Fake::settings(&[&fakes[0], &fakes[1]]);
    settings.kind = Kind::DefaultLoadbalance;
    settings.max_backoff = Some(Duration::from_secs(30));
    let outlet = stream(&settings, Some(PATIENCE), &stop());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| drop(fakes[0].accept().call().unwrap()));
        let second = scope.spawn(|| {
            let mut peer = fakes[1].accept();
            [peer.take(), peer.take()].concat()
        });
        let receipts = ["a", "b"].map(|body| send(&*outlet, &[body]));
        for receipt in &receipts {
            assert_eq!(receipt.wait_for(Some(PATIENCE)), Some(Outcome::Accepted));
        }
        first.join().unwrap();
        let mut taken = second.join().unwrap();
        taken.sort();
        assert_eq!(taken, ["a", "b"]);
    });
}

#[test]
fn client_speaks_frames_too_and_ends_its_stream_well() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix:{}", path.display());
    let settings = super::Settings::to(vec![address.parse().unwrap()]);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (socket, _) = listener.accept().unwrap();
            let options = InletOptions {
                gate: Some(Gate(std::sync::Arc::new(|_| Ok(0)))),
                ..InletOptions::new(Identity::of_stage("test"), "client")
            };
            let mut inlet = StreamInlet::open(socket.into(), options, &stop()).unwrap();
            let Ok(Next::Delivery(delivery)) = inlet.next(Wait::Forever) else {
                panic!("no batch came");
            };
            delivery.accept();
            inlet.flush_settled().unwrap();
            let mut all = std::iter::repeat_with(|| inlet.next(Wait::Forever));
            let end = all.find(|next| !matches!(next, Ok(Next::Flush)));
            matches!(end, Some(Ok(Next::End)))
        });
        let client = Client::open(settings).unwrap();
        client.append(&Event::new("x")).unwrap();
        client.close();
        assert!(server.join().unwrap(), "the stream had no end");
    });
}
