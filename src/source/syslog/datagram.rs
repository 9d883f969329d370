//! Messages in datagrams.

use super::events::Events;
use super::heads::Heads;
use crate::event::{BatchBuilder, Entries};
use crate::source::datagrams::Taker;
use crate::stage::ChannelProcessor;
use crate::syslog::Cut;
use memchr::memchr;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Senders whose headers are remembered at most.
const SENDERS: usize = 4096;
/// How long they are: the name of an address may become another one.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Makes events of datagrams.
pub struct Messages {
    events: Events,
    heads: Heads,
    /// A line feed ends a message, and what follows it is another one.
    in_lines: bool,
    senders: HashMap<IpAddr, Entries>,
    /// Whose headers the events have now.
    sender: Option<IpAddr>,
    since: Instant,
}

impl Messages {
    /// Read so.
    pub fn new(events: Events, heads: Heads, in_lines: bool) -> Messages {
        Messages {
            events,
            heads,
            in_lines,
            senders: HashMap::new(),
            sender: None,
            since: Instant::now(),
        }
    }

    fn set_sender(&mut self, sender: IpAddr) {
        if self.sender == Some(sender) {
            return;
        }
        if self.senders.len() >= SENDERS {
            self.senders.clear();
        }
        let headers = self.senders.entry(sender).or_insert_with(|| {
            let mut headers = Entries::default();
            self.heads.put_sender(Some(sender), &mut headers);
            headers
        });
        self.events.set_sender(headers.clone());
        self.sender = Some(sender);
    }
}

impl Taker for Messages {
    fn begin(&mut self) {
        self.events.wind();
        if self.since.elapsed() >= REMEMBERED {
            self.senders.clear();
            self.sender = None;
            self.since = Instant::now();
        }
    }

    fn take(&mut self, datagram: &[u8], sender: Option<SocketAddr>, is_cut: bool, to: &mut BatchBuilder) {
        if let Some(sender) = sender {
            self.set_sender(sender.ip());
        }
        let mut rest = datagram;
        while self.in_lines
            && let Some(end) = memchr(b'\n', rest)
        {
            self.events.push(&rest[..end], Cut::Whole, false, to);
            rest = &rest[end + 1..];
        }
        self.events.push(rest, Cut::Whole, is_cut, to);
    }

    fn wants_sender(&self) -> bool {
        self.heads.want_sender()
    }

    fn report(&mut self, to: &ChannelProcessor) {
        self.events.report(to, "a datagram");
    }
}
