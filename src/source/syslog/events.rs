//! Messages to events: the headers of each way to read them.

use crate::charset::{Charset, DecodeErrorPolicy};
use crate::date::Zone;
use crate::event::{BatchBuilder, Entries, Name, shown};
use crate::metrics::Count;
use crate::say;
use crate::stage::ChannelProcessor;
use crate::syslog::classic::Classic;
use crate::syslog::{Clock, Cut, FACILITY, Keep, Message, SEVERITY, STATUS, Status};
use crate::syslog::{multiport, rfc, structured};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How messages are read.
#[derive(Debug, Clone)]
pub enum Dialect {
    /// As the RFCs have it.
    Rfc,
    /// As syslogtcp and syslogudp do.
    Classic(Classic),
    /// As multiport_syslogtcp does, a text in this character set.
    Multiport(Charset),
}

/// The names of headers, encoded.
#[derive(Clone)]
struct Names {
    facility: Name,
    severity: Name,
    priority: Name,
    version: Name,
    timestamp: Name,
    host: Name,
    app_name: Name,
    proc_id: Name,
    msg_id: Name,
    status: Name,
}

impl Names {
    fn new(dialect: &Dialect) -> Names {
        let [priority, version] = match dialect {
            Dialect::Multiport(_) => ["Priority", "Version"],
            _ => ["priority", "version"],
        };
        let name = |name: &str| Name::new(name.as_bytes());
        Names {
            facility: name(FACILITY),
            severity: name(SEVERITY),
            priority: name(priority),
            version: name(version),
            timestamp: name("timestamp"),
            host: name("host"),
            app_name: name("appname"),
            proc_id: name("procid"),
            msg_id: name("msgid"),
            status: name(STATUS),
        }
    }
}

/// Makes events of messages, those of one connection or socket, and puts them into a batch.
#[derive(Clone)]
pub struct Events {
    dialect: Dialect,
    keep: Keep,
    clock: Clock,
    names: Names,
    /// Facility, severity, priority and version of the last message, and of what they are.
    head: Entries,
    head_of: Option<(Vec<u8>, Option<u8>)>,
    time: Decimal,
    /// Where the messages come from.
    sender: Entries,
    entries: Entries,
    scratch: Vec<u8>,
    marked: u64,
    example: Vec<u8>,
    /// When one was told last, by any of those that read for the same source.
    told: Arc<Mutex<Option<Instant>>>,
}

/// One message that is not as it should be is told in this time at most: all may be so.
const BETWEEN_WORDS: Duration = Duration::from_secs(60);

/// Bytes of an example at most.
const EXAMPLE: usize = 80;

impl Events {
    /// Reads messages so. Stamps without a zone are of `zone`.
    pub fn new(dialect: Dialect, keep: Keep, zone: Zone) -> Events {
        Events {
            names: Names::new(&dialect),
            dialect,
            keep,
            clock: Clock::new(zone),
            head: Entries::default(),
            head_of: None,
            time: Decimal::default(),
            sender: Entries::default(),
            entries: Entries::default(),
            scratch: Vec::new(),
            marked: 0,
            example: Vec::new(),
            told: Arc::default(),
        }
    }

    /// All that follow have these headers, too.
    pub(crate) fn set_sender(&mut self, mut sender: Entries) {
        sender.close();
        self.sender = sender;
    }

    /// What time it is: told once for what came together.
    pub fn wind(&mut self) {
        self.clock.wind();
    }

    /// Count those that were not as they should be since this was called last, and tell of the first.
    pub fn report(&mut self, to: &ChannelProcessor, peer: &str) {
        let marked = std::mem::take(&mut self.marked);
        if marked == 0 {
            return;
        }
        to.counters().add(Count::EventReadFail, marked);
        let example = std::mem::take(&mut self.example);
        let mut told = self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if told.is_none_or(|told| told.elapsed() >= BETWEEN_WORDS) {
            *told = Some(Instant::now());
            let example = shown(&example);
            say::warn(
                to.counters().name(),
                format!(
                    "{peer}: a message is no syslog, too long or cut: such are kept with the header {STATUS} and counted: \
                     {example}"
                ),
            );
        }
    }

    /// A message, or a piece of one. `is_cut`: its connection broke before it was over.
    #[inline]
    pub fn push(&mut self, text: &[u8], cut: Cut, is_cut: bool, to: &mut BatchBuilder) {
        if text.is_empty() {
            return;
        }
        let text = match self.dialect {
            Dialect::Rfc if cut == Cut::Whole => rfc::trimmed(text),
            _ => text,
        };
        let mut message = self.read(text, cut);
        if (cut != Cut::Whole || is_cut) && message.status.is_none() {
            message.status = Some(Status::Incomplete);
        }
        self.put(&message, text, to);
    }

    #[inline]
    fn read<'m>(&mut self, text: &'m [u8], cut: Cut) -> Message<'m> {
        match &mut self.dialect {
            // Else whoever sends a long message could choose what its rest seems to be.
            _ if cut == Cut::Rest => Message {
                body: text,
                ..Message::default()
            },
            Dialect::Rfc => rfc::parse(text, &mut self.clock),
            Dialect::Classic(classic) => classic.parse(text, &mut self.clock),
            Dialect::Multiport(charset) if charset.decode(text, DecodeErrorPolicy::Fail).is_err() => {
                Message::invalid(text)
            }
            Dialect::Multiport(_) => multiport::parse(text, &mut self.clock),
        }
    }

    #[inline]
    fn put(&mut self, message: &Message<'_>, text: &[u8], to: &mut BatchBuilder) {
        self.set_head(message);
        let names = &self.names;
        self.entries.clear();
        self.entries.add_all(&self.head);
        if let Some(time) = message.timestamp_ms {
            let (digits, length) = self.time.of(time);
            self.entries.add(&names.timestamp, digits, length);
        }
        if let Some(host) = message.host {
            match self.dialect {
                Dialect::Multiport(charset) if !host.is_ascii() => {
                    // Headers are UTF-8, whatever the body is.
                    let host = charset.decode(host, DecodeErrorPolicy::Replace);
                    let host = host.unwrap_or_default();
                    self.entries.put(b"host", host.as_bytes());
                }
                _ => self.entries.add(&names.host, host, host.len()),
            }
        }
        if matches!(self.dialect, Dialect::Rfc) {
            self.put_program(message);
        }
        if let Some(status) = message.status {
            self.marked += 1;
            if self.example.is_empty() {
                self.example.extend(text.iter().take(EXAMPLE));
            }
            let word = status.word().as_bytes();
            self.entries.add(&self.names.status, word, word.len());
        }
        self.entries.add_all(&self.sender);
        self.entries.close();
        let body = self.body(message, text);
        match body {
            Body::Is(body) => to.push_made(&self.entries, body),
            Body::Scratch => to.push_made(&self.entries, &self.scratch),
        }
    }

    /// What only messages in our own reading have.
    fn put_program(&mut self, message: &Message<'_>) {
        let names = &self.names;
        for (name, value) in [
            (&names.app_name, message.app_name),
            (&names.proc_id, message.proc_id),
            (&names.msg_id, message.msg_id),
        ] {
            if let Some(value) = value {
                self.entries.add(name, value, value.len());
            }
        }
        for param in message.structured.into_iter().flat_map(structured::params) {
            self.scratch.clear();
            param.put_value(&mut self.scratch);
            let dot: &[u8] = if param.name.is_empty() { b"" } else { b"." };
            let name = [b"sd.", param.id, dot, param.name].concat();
            self.entries.put(&name, &self.scratch);
        }
    }

    /// Those headers that almost all messages share with the one before.
    #[inline]
    fn set_head(&mut self, message: &Message<'_>) {
        let version = message.version.and_then(|version| version.first().copied());
        let is_same = |(text, of): &(Vec<u8>, Option<u8>)| *text == message.priority_text && *of == version;
        let is_short = message.version.is_none_or(|version| version.len() == 1) && message.priority.is_some();
        if is_short && !message.priority_text.is_empty() && self.head_of.as_ref().is_some_and(is_same) {
            return;
        }
        self.head_of = (is_short && !message.priority_text.is_empty())
            .then(|| (message.priority_text.to_vec(), version));
        self.head.clear();
        let names = &self.names;
        let is_named = message.priority.is_some() || !matches!(self.dialect, Dialect::Multiport(_));
        if is_named {
            let number = message.priority.unwrap_or(0);
            for (name, part) in [(&names.facility, number / 8), (&names.severity, number % 8)] {
                let part = part.to_string();
                self.head.add(name, part.as_bytes(), part.len());
            }
        }
        if !message.priority_text.is_empty() {
            let text = message.priority_text;
            self.head.add(&names.priority, text, text.len());
        }
        if let Some(version) = message.version {
            self.head.add(&names.version, version, version.len());
        }
        self.head.close();
    }

    #[inline]
    fn body<'m>(&mut self, message: &Message<'m>, text: &'m [u8]) -> Body<'m> {
        if !message.has_head {
            return Body::Is(message.body);
        }
        // Flume takes an empty text for a message that could not be read.
        let is_whole = match self.dialect {
            Dialect::Rfc => false,
            Dialect::Classic(_) => message.body.is_empty() && !self.keep.is_some(),
            Dialect::Multiport(_) => message.body.is_empty(),
        };
        if self.keep.all || is_whole {
            return Body::Is(text);
        }
        if !self.keep.is_some() {
            return Body::Is(message.body);
        }
        self.scratch.clear();
        self.keep.put(message, &mut self.scratch);
        self.scratch.extend_from_slice(message.body);
        Body::Scratch
    }
}

enum Body<'m> {
    Is(&'m [u8]),
    Scratch,
}

/// A number in digits, and the last one: of two times in the same second only three digits differ.
#[derive(Debug, Clone)]
struct Decimal {
    value: i64,
    /// The first `length` bytes.
    digits: [u8; 32],
    length: usize,
}

impl Default for Decimal {
    fn default() -> Self {
        let mut digits = [0; 32];
        digits[0] = b'0';
        Decimal {
            value: 0,
            digits,
            length: 1,
        }
    }
}

impl Decimal {
    #[inline]
    fn of(&mut self, value: i64) -> (&[u8], usize) {
        if value != self.value {
            let is_near = value >= 1000 && self.value >= 1000 && value / 1000 == self.value / 1000;
            match is_near {
                true => {
                    let mut rest = value % 1000;
                    for digit in self.digits[self.length - 3..self.length].iter_mut().rev() {
                        *digit = b'0' + (rest % 10) as u8;
                        rest /= 10;
                    }
                }
                false => {
                    let text = value.to_string();
                    self.length = text.len();
                    self.digits[..text.len()].copy_from_slice(text.as_bytes());
                }
            }
            self.value = value;
        }
        (&self.digits, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(dialect: Dialect, keep: &str, texts: &[&[u8]]) -> Vec<String> {
        let mut events = Events::new(dialect, keep.parse().unwrap(), Zone::utc());
        let mut batch = BatchBuilder::new();
        for text in texts {
            events.push(text, Cut::Whole, false, &mut batch);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let batch = batch.finish();
        batch.check().unwrap();
        let shown = batch.events().map(|event| {
            let event = event.unwrap();
            let headers = event
                .headers()
                .map(|(name, value)| format!("{}={}", text(name), text(value)));
            format!(
                "{}: {}",
                headers.collect::<Vec<_>>().join(" "),
                text(event.body())
            )
        });
        shown.collect()
    }

    fn classic() -> Dialect {
        Dialect::Classic(Classic {
            in_datagrams: false,
            custom: None,
        })
    }

    const NEW: &[u8] = b"<34>1 2003-10-11T22:14:15Z host app 7 ID [a@1 b=\"c\\\"\"][d] text";

    #[test]
    fn each_reading_has_its_headers() {
        assert_eq!(
            events(Dialect::Rfc, "none", &[NEW, b"<34>text\r", b"text"]),
            [
                "Facility=4 Severity=2 priority=34 version=1 timestamp=1065910455000 host=host appname=app procid=7 \
                 msgid=ID sd.a@1.b=c\" sd.d=: text",
                "Facility=4 Severity=2 priority=34: text",
                "Facility=0 Severity=0 flume.syslog.status=Invalid: text"
            ]
        );
        assert_eq!(
            events(classic(), "none", &[NEW, b"<34>text\r", b"text", b"<34>- h "]),
            [
                "Facility=4 Severity=2 priority=34 version=1 timestamp=1065910455000 host=host: \
                 app 7 ID [a@1 b=\"c\\\"\"][d] text",
                "Facility=4 Severity=2: <34>text\r",
                "Facility=0 Severity=0 flume.syslog.status=Invalid: text",
                "Facility=4 Severity=2 priority=34 host=h: <34>- h "
            ]
        );
        assert_eq!(
            events(
                Dialect::Multiport(Charset::UTF_8),
                "none",
                &[NEW, b"text", b"<34>2003-10-11T22:14:15Z h "]
            ),
            [
                "Priority=34 Version=1 timestamp=1065910455000 host=host: app 7 ID [a@1 b=\"c\\\"\"][d] text",
                "flume.syslog.status=Invalid: text",
                "Priority=34 timestamp=1065910455000 host=h: <34>2003-10-11T22:14:15Z h "
            ]
            .map(|line| line.replace("Priority=34", "Facility=4 Severity=2 Priority=34"))
        );
    }

    #[test]
    fn fields_that_are_kept_stand_in_front_of_the_body() {
        let body = |dialect: Dialect, keep: &str, text: &[u8]| {
            let line = events(dialect, keep, &[text]).remove(0);
            line.split_once(": ").unwrap().1.to_string()
        };
        for dialect in [classic(), Dialect::Multiport(Charset::UTF_8)] {
            assert_eq!(body(dialect.clone(), "all", NEW), String::from_utf8_lossy(NEW));
            assert_eq!(
                body(dialect, "priority version timestamp hostname", NEW),
                String::from_utf8_lossy(NEW)
            );
        }
        assert_eq!(body(Dialect::Rfc, "hostname", NEW), "host text");
        assert_eq!(body(Dialect::Rfc, "all", b"<13>x\n"), "<13>x");
        assert_eq!(body(classic(), "hostname", b"<34>- - "), "- ");
        assert_eq!(body(classic(), "hostname", b"<34>text"), "<34>text");
    }

    #[test]
    fn what_is_no_text_in_the_character_set_is_invalid() {
        let text = b"<34>2003-10-11T22:14:15Z h\xe4 \xfc";
        let first = |charset: &str| {
            let line = events(Dialect::Multiport(charset.parse().unwrap()), "none", &[text]).remove(0);
            line.split_once(": ").unwrap().0.to_string()
        };
        assert_eq!(first("utf-8"), "flume.syslog.status=Invalid");
        assert_eq!(first("US-ASCII"), "flume.syslog.status=Invalid");
        assert!(first("latin1").ends_with("host=h\u{e4}"));
    }

    #[test]
    fn piece_of_a_long_message_is_incomplete_and_seems_to_be_nothing_else() {
        let mut events = Events::new(Dialect::Rfc, Keep::default(), Zone::utc());
        let mut batch = BatchBuilder::new();
        events.push(b"<13>one", Cut::Front, false, &mut batch);
        events.push(b"<14>two", Cut::Rest, false, &mut batch);
        events.push(b"<14>three", Cut::Whole, true, &mut batch);
        assert_eq!(events.marked, 3);
        let batch = batch.finish();
        let all: Vec<_> = batch.events().map(|event| event.unwrap().to_event()).collect();
        for event in &all {
            assert_eq!(event.header(STATUS), Some(&b"Incomplete"[..]));
        }
        assert_eq!(all[0].header("priority"), Some(&b"13"[..]));
        assert_eq!(all[1].header("priority"), None);
        assert_eq!(all[1].body(), "<14>two");
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_they_are(values in proptest::collection::vec(-3000i64..6000, 0..40)) {
            let mut decimal = Decimal::default();
            for value in values {
                let (digits, length) = decimal.of(value);
                prop_assert_eq!(std::str::from_utf8(&digits[..length]).unwrap(), value.to_string());
            }
        }
    }
}
