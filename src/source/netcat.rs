//! `netcat`: lines of text over TCP or a Unix socket, each answered with `OK` (Flume's NetcatSource).

use super::server::{Binding, Connection, Connections, Server, announce, hang_up};
use crate::ack::{Outcome, Receipt};
use crate::charset::{Charset, DecodeErrorPolicy};
use crate::event::BatchBuilder;
use crate::exit::{StageError, StageResult};
use crate::fd::{self, Woken};
use crate::link::Address;
use crate::metrics::Count;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource};
use rustix::event::PollFlags;
use rustix::net::SendFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes read at once.
const READ: usize = 64 << 10;
/// Lines that are in the buffer already go together, up to so many and so many bytes.
const BATCH: (u32, usize) = (1000, 256 << 10);
/// How long a client may take to read its answers before its connection is given up.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Take lines of text from TCP or Unix sockets.
///
/// Only LF ends a line. Each line is answered with OK when the next hop has it, or with FAILED and the
/// reason, which comes also when --ack-every-event is false; a line that is too long is answered so and
/// ends the connection. A last line without LF is not taken.
#[derive(clap::Args, Clone)]
pub struct Netcat {
    #[command(flatten)]
    binding: Binding,
    /// Characters of a line at most, with its LF.
    #[arg(long, id = "max-line-length", default_value = "512", value_name = "CHARACTERS",
          value_parser = clap::value_parser!(u32).range(1..=8 << 20))]
    max_line_length: u32,
    /// Answer OK to each line.
    #[arg(long, id = "ack-every-event", default_value = "true")]
    ack_every_event: bool,
    /// Character set of the lines and the answers, by Java's name: UTF-8, ISO-8859-1, UTF-16 ... Bodies are
    /// UTF-8. What is not valid in UTF-8 or US-ASCII is kept as it is; U+FFFD stands for it in others.
    #[arg(long, id = "encoding", default_value = "utf-8", value_name = "NAME")]
    encoding: Charset,
    #[command(flatten)]
    connections: Connections,
    #[arg(skip)]
    server: Running,
}

/// The server, once it runs. It belongs to the original, not to the copies of the settings.
#[derive(Default)]
struct Running(Option<Server>);

impl Clone for Running {
    fn clone(&self) -> Self {
        Running(None)
    }
}

impl Netcat {
    fn address(&self) -> Result<Address, StageError> {
        match self.binding.address(6666)? {
            address if address.is_tls() => Err(StageError::Usage(format!(
                "no TLS is spoken here, as {address} says: listen on a tcp: or unix: address"
            ))),
            address => Ok(address),
        }
    }
}

impl EventDrivenSource for Netcat {
    fn check(&self) -> Result<(), String> {
        self.address()
            .map(drop)
            .map_err(|error| format!("netcat: {error}"))
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let address = self.address()?;
        let listener = address
            .listen()
            .map_err(|error| StageError::Failed(format!("cannot listen on {address}: {error}")))?;
        announce(&listener, to.counters().name(), "--bind 0.0.0.0");
        let settings = self.clone();
        let serve = move |connection: Connection, to: &Arc<ChannelProcessor>| {
            let peer = connection.peer.clone();
            if let Err(end) = Client::new(connection, &settings).serve(to) {
                say::warn(to.counters().name(), format!("{peer}: {end}"));
            }
        };
        self.server.0 = Some(Server::start(listener, &self.connections, to, serve)?);
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        if let Some(server) = self.server.0.take() {
            server.join();
        }
        Ok(())
    }
}

/// One connection.
struct Client<'a> {
    socket: Arc<OwnedFd>,
    peer: String,
    settings: &'a Netcat,
    /// Of the lines, and of the answers: the byte order is known when the first bytes have come.
    encoding: Charset,
    is_begun: bool,
    buffer: Vec<u8>,
    scanned: usize,
}

impl<'a> Client<'a> {
    fn new(connection: Connection, settings: &'a Netcat) -> Self {
        Client {
            socket: Arc::new(connection.socket),
            peer: connection.peer,
            settings,
            encoding: settings.encoding,
            is_begun: false,
            buffer: Vec::new(),
            scanned: 0,
        }
    }

    /// Until the client goes or the source stops. The error is how the connection broke.
    fn serve(&mut self, to: &Arc<ChannelProcessor>) -> Result<(), String> {
        loop {
            let woken = fd::wait(self.socket.as_fd(), PollFlags::IN, &[to.stop().bell()], None);
            if woken.map_err(|error| error.to_string())? != Woken::Ready || to.stop().is_stopping() {
                return Ok(());
            }
            match fd::read_onto(&*self.socket, &mut self.buffer, READ) {
                Ok(0) => {
                    self.drop_unended_line(to);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("the connection broke: {error}")),
            }
            let goes_on = self.take_lines(to)?;
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// As Flume does it, but told.
    fn drop_unended_line(&self, to: &ChannelProcessor) {
        if !self.buffer.is_empty() {
            to.counters().add(Count::EventReadFail, 1);
            say::warn(
                to.counters().name(),
                format!(
                    "{}: the last line has no LF and is not taken ({} bytes)",
                    self.peer,
                    self.buffer.len()
                ),
            );
        }
    }

    /// Hand on the whole lines of the buffer; false to end the connection.
    fn take_lines(&mut self, to: &Arc<ChannelProcessor>) -> Result<bool, String> {
        let width = self.encoding.width();
        let mut used = self.begun();
        let mut batch = BatchBuilder::new();
        let mut too_long = false;
        while let Some(length) = self.encoding.find_lf(&self.buffer[self.scanned..]) {
            let end = self.scanned + length;
            let line = &self.buffer[used..end];
            too_long = self.is_too_long(line, 1);
            if too_long {
                break;
            }
            push(&mut batch, line, self.encoding);
            used = end + width;
            self.scanned = used;
            if batch.len() >= BATCH.0 || batch.bytes() >= BATCH.1 {
                self.hand_on(&mut batch, to)?;
            }
        }
        if !batch.is_empty() {
            self.hand_on(&mut batch, to)?;
        }
        self.buffer.drain(..used);
        self.scanned = self.buffer.len() - self.buffer.len() % width;
        // Flume's buffer is full before the LF that would come next.
        if too_long || self.is_too_long(&self.buffer, 0) {
            self.refuse_long_line(to)?;
            return Ok(false);
        }
        Ok(!to.stop().is_stopping())
    }

    /// When the first code unit has come: the byte order. The length of the mark that said so.
    fn begun(&mut self) -> usize {
        if self.is_begun || self.buffer.len() < self.encoding.width() {
            return 0;
        }
        self.is_begun = true;
        let (encoding, mark) = self.encoding.at_start(&self.buffer);
        self.encoding = encoding;
        self.scanned = mark;
        mark
    }

    fn is_too_long(&self, line: &[u8], end: usize) -> bool {
        let most = self.settings.max_line_length as usize - end;
        let reached = |count: usize| match end {
            0 => count >= most,
            _ => count > most,
        };
        reached(line.len()) && reached(self.encoding.count(line))
    }

    fn refuse_long_line(&self, to: &ChannelProcessor) -> Result<(), String> {
        to.counters().add(Count::EventReadFail, 1);
        let most = self.settings.max_line_length;
        say::warn(
            to.counters().name(),
            format!(
                "{}: a line is longer than {most} characters (--max-line-length): the connection is closed",
                self.peer
            ),
        );
        self.answer(&format!(
            "FAILED: Event exceeds the maximum length ({most} chars, including newline)\n"
        ))?;
        hang_up(&self.socket);
        Ok(())
    }

    fn hand_on(&mut self, batch: &mut BatchBuilder, to: &Arc<ChannelProcessor>) -> Result<(), String> {
        let events = u64::from(batch.len());
        let sent = to.process(batch.finish());
        let receipt = match sent {
            Ok(receipt) => receipt,
            Err(error) => {
                let _ = self.answer(&"FAILED: the next stage has gone\n".repeat(events as usize));
                // The processor can hand on nothing more: the source ends and says why.
                to.stop().stop();
                return Err(error.to_string());
            }
        };
        if !self.settings.ack_every_event {
            return self.answer_only_failures(receipt, events, to);
        }
        to.flush().map_err(|error| error.to_string())?;
        match wait(&receipt, to) {
            Outcome::Accepted => {
                to.counters().add(Count::EventAccepted, events);
                self.answer(&"OK\n".repeat(events as usize))
            }
            outcome => {
                let why = failure(&outcome, events, &self.peer, to);
                self.answer(&format!("FAILED: {why}\n").repeat(events as usize))
            }
        }
    }

    fn answer_only_failures(
        &self,
        receipt: Receipt,
        events: u64,
        to: &Arc<ChannelProcessor>,
    ) -> Result<(), String> {
        let (socket, peer, shared) = (self.socket.clone(), self.peer.clone(), to.clone());
        let encoding = self.encoding;
        receipt.then(move |outcome| {
            if outcome == Outcome::Accepted {
                return shared.counters().add(Count::EventAccepted, events);
            }
            let why = failure(&outcome, events, &peer, &shared);
            let answer = format!("FAILED: {why}\n").repeat(events as usize);
            // The thread that settles is not held up by a client that does not read.
            let _ = rustix::net::send(
                &*socket,
                &encoding.encode(&answer),
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            );
        });
        to.flush().map_err(|error| error.to_string())
    }

    /// Send an answer, as long as the client reads.
    fn answer(&self, text: &str) -> Result<(), String> {
        let encoded = self.encoding.encode(text);
        let mut rest = &encoded[..];
        let deadline = Instant::now() + ANSWER_PATIENCE;
        while !rest.is_empty() {
            match rustix::net::send(&*self.socket, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    let woken = fd::wait(self.socket.as_fd(), PollFlags::OUT, &[], Some(deadline));
                    if !matches!(woken, Ok(Woken::Ready)) {
                        return Err("the client does not read its answers".into());
                    }
                }
                Err(error) => return Err(format!("the connection broke: {error}")),
            }
        }
        Ok(())
    }
}

fn push(batch: &mut BatchBuilder, line: &[u8], encoding: Charset) {
    let is_kept = encoding == Charset::UTF_8 || encoding == Charset::US_ASCII;
    if is_kept || (encoding.is_ascii_compatible() && line.is_ascii()) {
        return batch.push_body(line);
    }
    match encoding.decode(line, DecodeErrorPolicy::Replace) {
        Ok(text) => batch.push_body(text.as_bytes()),
        Err(_) => batch.push_body(line),
    }
}

/// Wait until somebody has taken responsibility, but not beyond the grace of a stop.
fn wait(receipt: &Receipt, to: &ChannelProcessor) -> Outcome {
    loop {
        if let Some(outcome) = receipt.wait_for(Some(Duration::from_millis(500))) {
            return outcome;
        }
        if to
            .stop()
            .deadline()
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            return Outcome::Lost;
        }
    }
}

/// Count and tell events that nobody has taken; the reason for the client, on one line.
fn failure(outcome: &Outcome, events: u64, peer: &str, to: &ChannelProcessor) -> String {
    to.counters().add(Count::Refused, events);
    let why = match outcome {
        Outcome::Refused(refusal) => refusal.reason.replace(['\n', '\r'], " "),
        _ => "the next stage has gone".into(),
    };
    if matches!(outcome, Outcome::Lost) {
        to.stop().stop();
    }
    say::warn(
        to.counters().name(),
        format!("{peer}: {events} events were not taken: {why}"),
    );
    why
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::Refusal;
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
}
