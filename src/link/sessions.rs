//! What a server remembers of its clients' streams, so that nothing is taken twice when a connection breaks.
//!
//! A client that connects again says by its hello's origin which stream it goes on with; each batch has a number in
//! it, its origin, which it keeps over all connections. What was accepted is accepted again without being taken;
//! what is still on its way further down is answered when that is settled; only the rest is taken.
//!
//! With a file this is remembered over a restart, too. A line is written to it when the next hop has accepted a
//! batch, and before the client is told. A kill between these two moments repeats that batch, and a power cut
//! what the system had not written yet: the next hop and the file are two places.

use crate::ack::Outcome;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Streams that are remembered at most; the one that was silent for the longest goes first.
const STREAMS: usize = 10_000;
/// Ranges of numbers that are remembered of one stream at most.
const RANGES: usize = 4096;
/// Bytes that the file may grow by until it is written anew.
const GROWTH: u64 = 4 << 20;
/// Bytes of the name of a stream at most.
const NAME: usize = 128;

type Waiter = Box<dyn FnOnce(Outcome) + Send>;

/// Numbers, as ranges: first to last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Numbers(BTreeMap<u64, u64>);

impl Numbers {
    fn has(&self, number: u64) -> bool {
        self.0
            .range(..=number)
            .next_back()
            .is_some_and(|(_, last)| number <= *last)
    }

    fn add(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        if let Some((before, end)) = self.0.range(..=first).next_back().map(|(a, b)| (*a, *b))
            && end.saturating_add(1) >= first
        {
            first = before;
            last = last.max(end);
        }
        while let Some((next, end)) = self.0.range(first..).next().map(|(a, b)| (*a, *b)) {
            if next > last.saturating_add(1) {
                break;
            }
            self.0.remove(&next);
            last = last.max(end);
        }
        self.0.insert(first, last);
        // What is forgotten may be taken twice; it is never taken for accepted.
        while self.0.len() > RANGES {
            self.0.pop_first();
        }
    }

    /// All from 1 up to here.
    fn without_gap(&self) -> u64 {
        self.0
            .first_key_value()
            .filter(|(first, _)| **first <= 1)
            .map_or(0, |(_, last)| *last)
    }

    fn text(&self) -> String {
        let ranges = self.0.iter().map(|(first, last)| format!("{first}-{last}"));
        ranges.collect::<Vec<_>>().join(",")
    }
}

#[derive(Default)]
struct Session {
    accepted: Numbers,
    /// On their way further down, with those who wait for what becomes of them.
    pending: HashMap<u64, Vec<Waiter>>,
    seen: u64,
}

#[derive(Default)]
struct State {
    sessions: HashMap<String, Session>,
    clock: u64,
    file: Option<Journal>,
}

struct Journal {
    path: PathBuf,
    file: File,
    grown: u64,
}

/// See the module. Shared by all connections of a server.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<State>>);

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// Take it, and tell [`Sessions::settled`] what became of it.
    Fresh,
    /// It was accepted before.
    Accepted,
    /// It is on its way already: the waiter is called when that is settled.
    Pending,
}

impl Sessions {
    /// Remember also in this file.
    pub fn kept_in(path: &Path) -> io::Result<Sessions> {
        let mut state = State::default();
        match std::fs::read_to_string(path) {
            Ok(text) => text.lines().for_each(|line| state.read(line)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        state.file = Some(state.write_anew(path)?);
        Ok(Sessions(Arc::new(Mutex::new(state))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A client goes on with a stream: all of it up to this number was accepted.
    pub fn known(&self, stream: &str) -> u64 {
        let mut state = self.lock();
        let session = state.session(stream);
        session.map_or(0, |session| session.accepted.without_gap())
    }

    /// A batch has come.
    pub fn begin(&self, stream: &str, number: u64, waiter: impl FnOnce(Outcome) + Send + 'static) -> Begun {
        let mut state = self.lock();
        let Some(session) = state.session(stream) else {
            return Begun::Fresh;
        };
        if session.accepted.has(number) {
            return Begun::Accepted;
        }
        match session.pending.get_mut(&number) {
            Some(waiters) => {
                waiters.push(Box::new(waiter));
                Begun::Pending
            }
            None => {
                session.pending.insert(number, Vec::new());
                Begun::Fresh
            }
        }
    }

    /// A batch that was fresh has this outcome. Call it before the client is told.
    pub fn settled(&self, stream: &str, number: u64, outcome: &Outcome) {
        let mut state = self.lock();
        let Some(session) = state.session(stream) else {
            return;
        };
        let waiters = session.pending.remove(&number).unwrap_or_default();
        if *outcome == Outcome::Accepted {
            session.accepted.add(number, number);
            state.note(stream, number);
        }
        drop(state);
        for waiter in waiters {
            waiter(outcome.clone());
        }
    }
}

impl State {
    fn session(&mut self, stream: &str) -> Option<&mut Session> {
        if stream.is_empty() || stream.len() > NAME || stream.contains(char::is_whitespace) {
            return None;
        }
        self.clock += 1;
        if !self.sessions.contains_key(stream) {
            self.forget_one();
            self.sessions.insert(stream.to_string(), Session::default());
        }
        let session = self.sessions.get_mut(stream)?;
        session.seen = self.clock;
        Some(session)
    }

    fn forget_one(&mut self) {
        if self.sessions.len() < STREAMS {
            return;
        }
        let idle = self
            .sessions
            .iter()
            .filter(|(_, session)| session.pending.is_empty());
        let oldest = idle.min_by_key(|(_, session)| session.seen);
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.sessions.remove(&name);
        }
    }

    /// `STREAM FIRST-LAST,FIRST-LAST ...`; a line that is cut or strange is passed over.
    fn read(&mut self, line: &str) {
        let Some((stream, ranges)) = line.split_once(' ') else {
            return;
        };
        let Some(session) = self.session(stream) else {
            return;
        };
        for range in ranges.split(',') {
            let Some((first, last)) = range.split_once('-') else {
                continue;
            };
            if let (Ok(first), Ok(last)) = (first.parse(), last.parse())
                && first <= last
            {
                session.accepted.add(first, last);
            }
        }
    }

    fn note(&mut self, stream: &str, number: u64) {
        let Some(journal) = &mut self.file else { return };
        // The line end stands in front, too: a line that was cut by a full disk spoils no other.
        let line = format!("\n{stream} {number}-{number}\n");
        let mut written = journal.file.write_all(line.as_bytes());
        journal.grown += line.len() as u64;
        if journal.grown > GROWTH {
            let path = journal.path.clone();
            written = self.write_anew(&path).map(|fresh| self.file = Some(fresh));
        }
        if let Err(error) = written {
            crate::say::warn(
                "source stream",
                format!("what was accepted cannot be noted, it may come twice after a restart: {error}"),
            );
        }
    }

    fn write_anew(&self, path: &Path) -> io::Result<Journal> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let mut text = String::new();
        let mut oldest_first: Vec<_> = self.sessions.iter().collect();
        oldest_first.sort_by_key(|(_, session)| session.seen);
        for (stream, session) in oldest_first {
            text.push_str(&format!("{stream} {}\n", session.accepted.text()));
        }
        std::fs::write(&fresh, text)?;
        File::open(&fresh)?.sync_all()?;
        std::fs::rename(&fresh, path)?;
        Ok(Journal {
            path: path.to_path_buf(),
            file: File::options().append(true).open(path)?,
            grown: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::Refusal;
    use std::sync::mpsc;

    fn begin(sessions: &Sessions, number: u64) -> Begun {
        sessions.begin("s", number, |_| ())
    }

    #[test]
    fn ranges_join_and_know_what_is_in_them() {
        let mut numbers = Numbers::default();
        for number in [5, 3, 4, 1, 9] {
            numbers.add(number, number);
        }
        assert_eq!(numbers.text(), "1-1,3-5,9-9");
        assert_eq!(numbers.without_gap(), 1);
        numbers.add(2, 2);
        assert_eq!(
            (numbers.text(), numbers.without_gap()),
            ("1-5,9-9".to_string(), 5)
        );
        assert!(numbers.has(4) && numbers.has(9) && !numbers.has(6) && !numbers.has(0));
        numbers.add(4, 20);
        assert_eq!(numbers.text(), "1-20");
    }

    #[test]
    fn what_is_forgotten_does_not_count_as_accepted() {
        let mut numbers = Numbers::default();
        (0..=RANGES as u64).for_each(|number| numbers.add(number * 2, number * 2));
        assert_eq!(numbers.0.len(), RANGES);
        assert!(!numbers.has(0) && numbers.has(2));
    }

    #[test]
    fn batch_is_taken_once_and_whoever_asks_meanwhile_waits_for_its_outcome() {
        let sessions = Sessions::default();
        assert_eq!(begin(&sessions, 1), Begun::Fresh);
        let (told, heard) = mpsc::channel();
        let waiter = move |outcome| told.send(outcome).unwrap();
        assert_eq!(sessions.begin("s", 1, waiter), Begun::Pending);
        sessions.settled("s", 1, &Outcome::Accepted);
        assert_eq!(heard.recv(), Ok(Outcome::Accepted));
        assert_eq!(begin(&sessions, 1), Begun::Accepted);
        assert_eq!(sessions.known("s"), 1);
        // Refused, it is taken anew.
        assert_eq!(begin(&sessions, 2), Begun::Fresh);
        sessions.settled("s", 2, &Outcome::Refused(Refusal::retry("full")));
        assert_eq!(begin(&sessions, 2), Begun::Fresh);
        assert_eq!(sessions.known("other"), 0);
    }

    #[test]
    fn file_remembers_over_a_restart_also_when_its_end_is_torn() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sessions");
        let sessions = Sessions::kept_in(&path).unwrap();
        for number in [1, 2, 4] {
            assert_eq!(begin(&sessions, number), Begun::Fresh);
            sessions.settled("s", number, &Outcome::Accepted);
        }
        drop(sessions);
        let mut torn = File::options().append(true).open(&path).unwrap();
        torn.write_all(b"\ns 5-").unwrap();
        for _ in 0..2 {
            let again = Sessions::kept_in(&path).unwrap();
            assert_eq!(again.known("s"), 2);
            assert_eq!(begin(&again, 4), Begun::Accepted);
            assert_eq!(begin(&again, 5), Begun::Fresh);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "s 1-2,4-4\n");
    }
}
