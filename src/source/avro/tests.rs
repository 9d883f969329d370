//! One connection at a time over a Unix socket, with what clients send in bytes.

mod handshakes;

use super::client::expect_avro;
use super::*;
use crate::ack::{Outcome, Refusal};
use crate::component::{Spec, made};
use crate::event::{Batch, BatchBuilder, Event};
use crate::fd::{self, Woken};
use crate::link::queue::queue;
use crate::link::testing::Collect;
use crate::link::{Inlet, Next, Wait, Window};
use crate::metrics::{Count, Counters, Kind};
use crate::rpc::avro::handshake::Greeting;
use crate::rpc::avro::pack::put_pack;
use crate::rpc::avro::{
    Answer, Deflate, Got, HandshakeResponse, Inflated, Limits, Match, PackReader, Reply, RequestPack, Status,
};
use crate::stop::Stop;
use crate::wire::Input;
use rustix::event::PollFlags;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const SPEC: Spec<Avro> = Spec::new::<Avro>("avro", made::<Avro>);

/// A source at a socket in a directory of its own.
struct Bench {
    source: Avro,
    stop: Stop,
    to: Arc<ChannelProcessor>,
    collect: Collect,
    directory: tempfile::TempDir,
}

fn start(words: &[&str], collect: Collect) -> Bench {
    let processor = collect.processor("source avro");
    start_before(words, collect, processor)
}

/// In front of something else than what it collects.
fn start_before(words: &[&str], collect: Collect, (to, stop): (Arc<ChannelProcessor>, Stop)) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut all = vec!["--listen".to_string(), format!("unix:{}", path.display())];
    all.extend(words.iter().map(|word| word.to_string()));
    let mut source = SPEC.from_flags(&all).unwrap();
    source.start(&to).unwrap();
    Bench {
        source,
        stop,
        to,
        collect,
        directory,
    }
}

impl Bench {
    fn connect(&self) -> UnixStream {
        let socket = UnixStream::connect(self.directory.path().join("s")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    fn caller(&self) -> Caller {
        Caller::over(self.connect())
    }

    fn count(&self, count: Count) -> u64 {
        self.to.counters().get(count)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.stop();
        self.source.stop().unwrap();
    }
}

impl Input for UnixStream {}

/// A client by hand.
struct Caller {
    socket: UnixStream,
    reader: PackReader<UnixStream>,
    greeting: Greeting,
    serial: u32,
}

impl Caller {
    fn over(socket: UnixStream) -> Caller {
        let reader = PackReader::new(socket.try_clone().unwrap(), Limits::default());
        Caller {
            socket,
            reader,
            greeting: Greeting::new(),
            serial: 0,
        }
    }

    /// Send a call, and say its serial.
    fn send(&mut self, batch: &Batch) -> u32 {
        self.serial += 1;
        let pack = RequestPack::append_batch(self.serial, self.greeting.request().as_ref(), batch);
        self.socket.write_all(&pack.parts().concat()).unwrap();
        self.serial
    }

    /// The next answer, by its serial; nothing at the end of the connection.
    fn answer(&mut self) -> Option<(u32, Option<Answer>)> {
        match self.reader.next().unwrap() {
            Got::Pack(pack) => {
                let greets = self.greeting.request().is_some();
                let reply = Reply::decode(&pack.payload, greets).unwrap();
                if let Some(handshake) = &reply.handshake {
                    self.greeting.heard(handshake).unwrap();
                }
                Some((pack.serial, reply.answer))
            }
            Got::Eof => None,
            Got::Pending => panic!("no answer came"),
        }
    }

    fn call(&mut self, batch: &Batch) -> Answer {
        let serial = self.send(batch);
        let (answered, answer) = self.answer().expect("an answer");
        assert_eq!(answered, serial);
        answer.expect("more than a handshake")
    }
}

fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    for body in bodies {
        builder.push_event(&Event::new(body.to_string()).with_header("k", "v"));
    }
    builder.finish()
}

const OK: Answer = Answer::Status(Status::Ok);
const FAILED: Answer = Answer::Status(Status::Failed);

fn error(answer: Answer) -> String {
    match answer {
        Answer::Error(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ok_comes_only_after_acceptance() {
    let bench = start(&[], Collect::holding());
    let mut caller = bench.caller();
    caller.send(&batch(&["one"]));
    bench.collect.wait_for(1);
    caller.socket.set_nonblocking(true).unwrap();
    assert!(matches!(caller.reader.next().unwrap(), Got::Pending));
    caller.socket.set_nonblocking(false).unwrap();
    bench.collect.settle_all(Outcome::Accepted);
    assert_eq!(caller.answer(), Some((1, Some(OK))));
}

#[test]
fn next_calls_are_taken_while_earlier_ones_wait_up_to_the_bound() {
    let bench = start(&["--max-in-flight", "3"], Collect::holding());
    let mut caller = bench.caller();
    caller.send(&batch(&["1"]));
    bench.collect.wait_for(1);
    bench.collect.settle_all(Outcome::Accepted);
    assert_eq!(caller.answer(), Some((1, Some(OK))));
    for body in ["2", "3", "4", "5"] {
        caller.send(&batch(&[body]));
    }
    bench.collect.wait_for(4);
    // The fourth of them waits, and comes when one is settled.
    assert_eq!(bench.collect.bodies(), ["1", "2", "3", "4"]);
    bench.collect.settle_all(Outcome::Accepted);
    bench.collect.wait_for(5);
    bench.collect.settle_all(Outcome::Accepted);
    for serial in 2..=5 {
        assert_eq!(caller.answer(), Some((serial, Some(OK))));
    }
}

#[test]
fn threads_bound_the_calls_of_all_connections() {
    let bench = start(&["--threads", "1"], Collect::holding());
    let (mut one, mut two) = (bench.caller(), bench.caller());
    one.send(&batch(&["1"]));
    bench.collect.wait_for(1);
    two.send(&batch(&["2"]));
    bench.collect.settle_all(Outcome::Accepted);
    assert_eq!(one.answer(), Some((1, Some(OK))));
    bench.collect.wait_for(2);
    bench.collect.settle_all(Outcome::Accepted);
    assert_eq!(two.answer(), Some((1, Some(OK))));
}

#[test]
fn call_that_finds_no_room_is_answered_with_failed_and_leaves_nothing_behind() {
    let stop = Stop::new(Duration::from_secs(5)).unwrap();
    let window = Window {
        batches: 1,
        ..Window::default()
    };
    let (outlet, mut inlet) = queue(window, &stop);
    let counters = Arc::new(Counters::new(Kind::Source, "source avro"));
    let to = Arc::new(ChannelProcessor::new(
        Vec::new(),
        Arc::new(outlet),
        counters,
        &stop,
    ));
    let bench = start_before(&["--max-wait", "100ms"], Collect::default(), (to, stop));
    // The first fills the room, the second waits for it, and the others can only wait for the second.
    let mut first = bench.caller();
    first.send(&batch(&["1"]));
    let Next::Delivery(one) = inlet.next(Wait::Forever).unwrap() else {
        panic!()
    };
    let mut second = bench.caller();
    second.send(&batch(&["2"]));
    let mut others = [bench.caller(), bench.caller()];
    others[1].greeting = Greeting::asking_order();
    while bench.count(Count::AppendBatchReceived) < 2 {
        std::thread::yield_now();
    }
    for other in &mut others {
        assert_eq!(other.call(&batch(&["other"])), FAILED);
    }
    // What follows on a connection with an order must not pass what failed.
    assert_eq!(others[1].answer(), None);
    one.accept();
    let Next::Delivery(two) = inlet.next(Wait::Forever).unwrap() else {
        panic!()
    };
    assert_eq!(two.batch.encoded(), batch(&["2"]).encoded());
    two.accept();
    assert_eq!(first.answer(), Some((1, Some(OK))));
    assert_eq!(second.answer(), Some((1, Some(OK))));
    // Who comes again is served.
    let serial = others[0].send(&batch(&["3"]));
    let Next::Delivery(three) = inlet.next(Wait::Forever).unwrap() else {
        panic!()
    };
    assert_eq!(three.batch.encoded(), batch(&["3"]).encoded());
    three.accept();
    assert_eq!(others[0].answer(), Some((serial, Some(OK))));
    assert_eq!(bench.count(Count::ChannelWriteFail), 2);
}

#[test]
fn refused_call_is_answered_with_failed_and_the_connection_goes_on() {
    let bench = start(&[], Collect::answering(Outcome::Refused(Refusal::retry("full"))));
    let mut caller = bench.caller();
    for _ in 0..2 {
        assert_eq!(caller.call(&batch(&["one", "two"])), FAILED);
    }
    assert_eq!(bench.count(Count::Refused), 4);
}

#[test]
fn call_without_events_is_answered_with_ok() {
    let bench = start(&[], Collect::holding());
    assert_eq!(bench.caller().call(&Batch::default()), OK);
}

#[test]
fn request_that_cannot_be_read_is_answered_with_an_error_and_the_connection_goes_on() {
    let bench = start(&[], Collect::accepting());
    let mut caller = bench.caller();
    assert_eq!(caller.call(&batch(&["one"])), OK);
    for (bytes, expected) in [
        (&b"\0\x0aother"[..], "no message \"other\""),
        (b"\0\x16appendBatch\x7f", "the size of a block"),
        (b"\0\x16appendBatch\x02\x02", "the request cannot be read"),
        (b"\0", "the request cannot be read"),
        (b"\0\x0cappend\0\x02", "a body"),
    ] {
        let mut pack = Vec::new();
        put_pack(&mut pack, 5, |to| to.extend_from_slice(bytes));
        caller.socket.write_all(&pack).unwrap();
        let why = error(caller.answer().unwrap().1.unwrap());
        assert!(why.contains(expected), "{why}");
    }
    assert_eq!(caller.call(&batch(&["two"])), OK);
    assert_eq!(bench.collect.bodies(), ["one", "two"]);
    assert_eq!(bench.count(Count::EventReadFail), 5);
}

#[test]
fn deflated_calls_are_answered_deflated_at_each_level() {
    let bench = start(&["--compression-type", "DEFLATE"], Collect::accepting());
    for level in 0..=9 {
        let mut socket = bench.connect();
        let mut answers = PackReader::new(Inflated::new(socket.try_clone().unwrap()), Limits::default());
        let mut deflate = Deflate::new(level);
        let mut greeting = Greeting::new();
        for serial in 1..=3 {
            let events = batch(&vec!["a body of some length"; 2000]);
            let pack = RequestPack::append_batch(serial, greeting.request().as_ref(), &events);
            let mut bytes = Vec::new();
            pack.parts()
                .iter()
                .for_each(|part| deflate.put(part, &mut bytes).unwrap());
            deflate.flush(&mut bytes).unwrap();
            socket.write_all(&bytes).unwrap();
            let Got::Pack(pack) = answers.next().unwrap() else {
                panic!("no answer")
            };
            let reply = Reply::decode(&pack.payload, serial == 1).unwrap();
            if let Some(handshake) = reply.handshake {
                greeting.heard(&handshake).unwrap();
            }
            assert_eq!((pack.serial, reply.answer), (serial, Some(OK)), "{level}");
        }
    }
    assert_eq!(bench.count(Count::EventAccepted), 10 * 3 * 2000);
}

/// What closes a connection closes no other.
fn check_closed(words: &[&str], bytes: &[u8], hangs_up: bool) {
    let bench = start(words, Collect::accepting());
    let mut good = (!words.contains(&"deflate")).then(|| bench.caller());
    if let Some(good) = &mut good {
        assert_eq!(good.call(&batch(&["one"])), OK);
    }
    let mut bad = bench.connect();
    bad.write_all(bytes).unwrap();
    if hangs_up {
        bad.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let _ = bad.read_to_end(&mut Vec::new());
    if let Some(good) = &mut good {
        assert_eq!(good.call(&batch(&["two"])), OK);
        assert_eq!(bench.collect.bodies(), ["one", "two"]);
    }
    assert_eq!(bench.count(Count::EventReadFail), 1, "{words:?} {bytes:?}");
}

#[test]
fn what_is_no_avro_ends_its_own_connection_only() {
    check_closed(&[], b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", false);
    check_closed(&[], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", false);
    check_closed(&[], b"\x78\x9c\x63\x60\x60", false);
    check_closed(&[], &[0xff; 100], false);
    // A length of 4 GiB, and a payload that begins with no handshake.
    check_closed(&[], b"\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff", false);
    check_closed(&[], b"\0\0\0\x01\0\0\0\x01\0\0\0\x02ab", false);
    // Half a pack.
    check_closed(&[], b"\0\0\0\x01\0\0\0\x01\0\0\0\x33\x86\xaa", true);
    check_closed(&[], b"\0\0\0", true);
    check_closed(
        &["--compression-type", "deflate"],
        b"\0\0\0\x01\0\0\0\x01\0\0\0\x33",
        false,
    );
    check_closed(
        &["--compression-type", "deflate"],
        b"\x78\x9c\xff\xff\xff\xff",
        false,
    );
}

#[test]
fn address_that_says_tls_would_be_plain_and_is_refused() {
    let words = ["--listen".to_string(), "tls:127.0.0.1:0".to_string()];
    let why = SPEC.from_flags(&words).unwrap().check().unwrap_err();
    assert!(why.contains("TLS is turned on by --ssl"), "{why}");
}

#[test]
fn client_that_waits_for_its_answer_is_not_idle() {
    let bench = start(&["--idle-timeout", "200ms"], Collect::holding());
    let mut caller = bench.caller();
    caller.send(&batch(&["one"]));
    bench.collect.wait_for(1);
    std::thread::sleep(Duration::from_millis(500));
    let since = Instant::now();
    bench.collect.settle_all(Outcome::Accepted);
    assert_eq!(caller.answer(), Some((1, Some(OK))));
    // Then it is, for as long.
    assert_eq!(caller.answer(), None);
    assert!(since.elapsed() >= Duration::from_millis(200));
}

#[test]
fn who_speaks_otherwise_is_named() {
    let said = |is_deflated, first: &[u8]| expect_avro(first, is_deflated).err().unwrap_or_default();
    assert!(said(false, b"POST /").contains("what comes is HTTP and not Avro RPC"));
    assert!(said(false, b"\x16\x03\x01").contains("TLS"));
    assert!(said(false, b"\x78\x9c\x63").contains("compressed, and compression-type is none"));
    assert!(said(true, b"\x16\x03\x01").contains("TLS"));
    assert!(said(true, &[0, 0, 0, 1]).contains("not compressed, and compression-type is deflate"));
    assert_eq!(said(false, &[0, 0, 0, 1]) + &said(true, b"\x78\x01\x02"), "");
}

#[test]
fn whole_calls_of_a_client_that_dies_are_delivered() {
    let bench = start(&[], Collect::accepting());
    let mut caller = bench.caller();
    caller.send(&batch(&["one"]));
    drop(caller);
    bench.collect.wait_for(1);
    assert_eq!(bench.collect.bodies(), ["one"]);
}

#[test]
fn calls_that_wait_are_answered_after_a_stop() {
    let bench = start(&[], Collect::holding());
    let mut caller = bench.caller();
    caller.send(&batch(&["one"]));
    bench.collect.wait_for(1);
    bench.stop.stop();
    bench.collect.settle_all(Outcome::Accepted);
    assert_eq!(caller.answer(), Some((1, Some(OK))));
    assert_eq!(caller.answer(), None);
}

#[test]
fn client_that_does_not_read_its_answers_is_held_up_and_gets_them_later() {
    let bench = start(&[], Collect::accepting());
    let mut caller = bench.caller();
    let event = batch(&["x"]);
    assert_eq!(caller.call(&event), OK);
    let mut last = 1;
    let mut rest = Vec::new();
    // Until nothing goes for a while: the source takes no more calls whose answers it could not send.
    loop {
        if rest.is_empty() {
            last += 1;
            rest = RequestPack::append_batch(last, None, &event).parts().concat();
        }
        match rustix::net::send(&caller.socket, &rest, rustix::net::SendFlags::DONTWAIT) {
            Ok(count) => drop(rest.drain(..count)),
            Err(_) => {
                let deadline = Some(Instant::now() + Duration::from_millis(500));
                if fd::wait(caller.socket.as_fd(), PollFlags::OUT, &[], deadline).unwrap() == Woken::Timeout {
                    break;
                }
            }
        }
    }
    let mut socket = caller.socket.try_clone().unwrap();
    let thread = std::thread::spawn(move || socket.write_all(&rest).unwrap());
    for serial in 2..=last {
        assert_eq!(caller.answer(), Some((serial, Some(OK))));
    }
    thread.join().unwrap();
    assert_eq!(bench.count(Count::EventAccepted), u64::from(last));
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let check = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        SPEC.from_flags(&words).unwrap().check()
    };
    assert!(check(&["--port", "1"]).unwrap_err().contains("bind"));
    assert!(check(&["--bind", "h"]).unwrap_err().contains("port"));
    let at = ["--bind", "h", "--port", "1"];
    assert_eq!(check(&at), Ok(()));
    let with = |more: &[&str]| check(&[&at, more].concat());
    assert!(with(&["--ip-filter"]).unwrap_err().contains("ipFilterRules"));
    assert!(
        with(&["--ip-filter", "--ip-filter-rules", "x"])
            .unwrap_err()
            .contains("\"x\" is no rule")
    );
    assert_eq!(with(&["--ip-filter-rules", "x"]), Ok(()));
}
