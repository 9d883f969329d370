//! Lines over a socket, and what is answered to each.

use super::*;
use crate::ack::{Outcome, Refusal};
use crate::charset::DecodeErrorPolicy;
use crate::component::{Spec, made};
use crate::link::testing::Collect;
use crate::stop::Stop;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

const SPEC: Spec<Netcat> = Spec::new::<Netcat>("netcat", made::<Netcat>);

/// A source at a socket in a directory of its own.
struct Bench {
    source: Netcat,
    stop: Stop,
    collect: Collect,
    directory: tempfile::TempDir,
}

fn start(words: &[&str], collect: Collect) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut all = vec!["--listen".to_string(), format!("unix:{}", path.display())];
    all.extend(words.iter().map(|word| word.to_string()));
    let mut source = SPEC.from_flags(&all).unwrap();
    let (to, stop) = collect.processor("source netcat");
    source.start(&to).unwrap();
    Bench {
        source,
        stop,
        collect,
        directory,
    }
}

impl Bench {
    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.directory.path().join("s")).unwrap()
    }

    /// Say something, hang up, and hear what is answered.
    fn say(&self, text: &[u8]) -> String {
        let mut client = self.connect();
        client.write_all(text).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.stop();
        self.source.stop().unwrap();
    }
}

#[test]
fn each_line_is_answered_and_the_last_one_without_lf_is_dropped() {
    let bench = start(&[], Collect::accepting());
    assert_eq!(bench.say(b"one\ntwo\r\n\nthree"), "OK\nOK\nOK\n");
    assert_eq!(bench.collect.bodies(), ["one", "two\r", ""]);
}

#[test]
fn address_that_is_missing_is_named() {
    let of = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        SPEC.from_flags(&words).unwrap().address()
    };
    assert!(of(&["--port", "1"]).unwrap_err().to_string().contains("bind"));
    assert!(of(&["--bind", "::1"]).unwrap_err().to_string().contains("port"));
    assert_eq!(
        of(&["--bind", "::1", "--port", "1"]),
        Ok(Address::Tcp("::1".into(), 1))
    );
}

#[test]
fn ok_comes_only_after_acceptance() {
    let bench = start(&[], Collect::holding());
    let mut client = bench.connect();
    client.write_all(b"one\n").unwrap();
    bench.collect.wait_for(1);
    client.set_nonblocking(true).unwrap();
    let mut answer = [0; 3];
    assert!(client.read(&mut answer).is_err());
    client.set_nonblocking(false).unwrap();
    bench.collect.settle_all(Outcome::Accepted);
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"OK\n");
}

#[test]
fn refused_line_is_answered_with_the_reason_and_the_connection_goes_on() {
    let refusing = || Collect::answering(Outcome::Refused(Refusal::reject("no\nway")));
    let bench = start(&[], refusing());
    assert_eq!(bench.say(b"one\n"), "FAILED: no way\n");
    let silent = start(&["--ack-every-event=false"], refusing());
    assert_eq!(silent.say(b"one\ntwo\n"), "FAILED: no way\nFAILED: no way\n");
}

#[test]
fn without_acknowledgements_nothing_is_answered() {
    let bench = start(&["--ack-every-event=false"], Collect::accepting());
    assert_eq!(bench.say(b"one\ntwo\n"), "");
    assert_eq!(bench.collect.bodies(), ["one", "two"]);
}

#[test]
fn line_that_is_too_long_is_answered_and_ends_the_connection() {
    let bench = start(&["--max-line-length", "5"], Collect::accepting());
    let failed = "FAILED: Event exceeds the maximum length (5 chars, including newline)\n";
    assert_eq!(bench.say(b"1234\n"), "OK\n");
    assert_eq!(bench.say("\u{e4}\u{f6}\u{fc}\u{df}\n".as_bytes()), "OK\n");
    assert_eq!(bench.say(b"1\n12345\n2\n"), format!("OK\n{failed}"));
    assert_eq!(bench.say(&[b'x'; 300_000]), failed);
    assert_eq!(bench.say(b"12345"), failed);
}

#[test]
fn latin1_becomes_utf8_and_utf8_stays_as_it_is() {
    let bench = start(&["--encoding", "ISO-8859-1"], Collect::accepting());
    bench.say(b"\xfc\n");
    assert_eq!(bench.collect.bodies(), ["\u{fc}"]);
    let bench = start(&[], Collect::accepting());
    bench.say(b"a\xffb\n");
    assert_eq!(bench.collect.events()[0].body(), &b"a\xffb"[..]);
}

#[test]
fn wide_characters_are_lines_and_answered_in_their_byte_order() {
    let bench = start(&["--encoding", "UTF-16"], Collect::accepting());
    let little: Charset = "UTF-16LE".parse().unwrap();
    let mut client = bench.connect();
    // The mark comes in two pieces, and U+0A0A is no line feed.
    let text = little.encode("\u{FEFF}a\u{0A0A}\u{20AC}\nb\n").into_owned();
    client.write_all(&text[..1]).unwrap();
    client.write_all(&text[1..]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(
        little.decode(&answer, DecodeErrorPolicy::Fail).unwrap(),
        "OK\nOK\n"
    );
    assert_eq!(bench.collect.bodies(), ["a\u{0A0A}\u{20AC}", "b"]);
}

#[test]
fn line_of_utf16_is_measured_in_characters() {
    let bench = start(
        &["--encoding", "UTF-16LE", "--max-line-length", "5"],
        Collect::accepting(),
    );
    let little: Charset = "UTF-16LE".parse().unwrap();
    bench.say(&little.encode("1234\n12345\n"));
    assert_eq!(bench.collect.bodies(), ["1234"]);
}

#[test]
fn connection_over_the_bound_waits_until_one_ends() {
    let bench = start(&["--max-connections", "1"], Collect::accepting());
    let mut first = bench.connect();
    first.write_all(b"one\n").unwrap();
    bench.collect.wait_for(1);
    let mut second = bench.connect();
    second.write_all(b"two\n").unwrap();
    first.write_all(b"more\n").unwrap();
    bench.collect.wait_for(2);
    assert_eq!(bench.collect.bodies(), ["one", "more"]);
    drop(first);
    bench.collect.wait_for(3);
}
