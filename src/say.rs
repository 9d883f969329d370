//! Words for people, on standard error: `LEVEL component: sentence`.
//!
//! The writer ignores its failures and never holds up the data: what a full pipe or a stopped terminal
//! does not take is dropped. `eprintln!` would panic on a closed standard error and block on a full one.

use crate::fd;
use rustix::event::PollFlags;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be, and goes on.
    Warn,
    /// Worth knowing.
    Info,
    /// For who looks for a fault.
    Debug,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        }
    }

    fn from_word(word: &str) -> Option<Level> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| level.word().eq_ignore_ascii_case(word))
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static JSON: AtomicBool = AtomicBool::new(false);
static BY_COMPONENT: OnceLock<Vec<(String, Level)>> = OnceLock::new();
/// What must be cleared before a line and drawn again after it: the progress line.
static CURTAIN: Mutex<Option<Curtain>> = Mutex::new(None);

/// Calls what it is given, with room made for a line.
pub type Curtain = Box<dyn Fn(&mut dyn FnMut()) + Send>;

/// Set what is said, from `[component=]level[,...]`. An error names the bad word.
pub fn configure(levels: &str, json: bool) -> Result<(), String> {
    let mut by_component = Vec::new();
    for word in levels.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let (component, level) = match word.split_once('=') {
            Some((component, level)) => (Some(component), level),
            None => (None, word),
        };
        let parsed = Level::from_word(level)
            .ok_or_else(|| format!("\"{level}\" is no log level; there are error, warn, info and debug"))?;
        match component {
            Some(component) => by_component.push((component.to_string(), parsed)),
            None => LEVEL.store(parsed as u8, Ordering::Relaxed),
        }
    }
    set_json(json);
    let _ = BY_COMPONENT.set(by_component);
    Ok(())
}

/// Have messages written as JSON, or as text.
pub fn set_json(json: bool) {
    JSON.store(json, Ordering::Relaxed);
}

/// Are messages written as JSON?
pub fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Say only errors.
pub fn be_quiet() {
    LEVEL.store(Level::Error as u8, Ordering::Relaxed);
}

/// Have `curtain` wrapped around every line, so that a progress line can make room for it.
pub fn set_curtain(curtain: Option<Curtain>) {
    *CURTAIN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = curtain;
}

/// Something failed.
pub fn error(component: &str, sentence: impl AsRef<str>) {
    say(Level::Error, component, sentence.as_ref());
}

/// Something is not as it should be.
pub fn warn(component: &str, sentence: impl AsRef<str>) {
    say(Level::Warn, component, sentence.as_ref());
}

/// Worth knowing.
pub fn info(component: &str, sentence: impl AsRef<str>) {
    say(Level::Info, component, sentence.as_ref());
}

/// For who looks for a fault.
pub fn debug(component: &str, sentence: impl AsRef<str>) {
    say(Level::Debug, component, sentence.as_ref());
}

/// Whether messages of a component at this level are said.
pub fn is_said(level: Level, component: &str) -> bool {
    let own = BY_COMPONENT.get().and_then(|all| {
        let fits = |name: &str| component == name || component.ends_with(&format!(" {name}"));
        all.iter()
            .find(|(name, _)| fits(name))
            .map(|(_, level)| *level as u8)
    });
    level as u8 <= own.unwrap_or_else(|| LEVEL.load(Ordering::Relaxed))
}

fn say(level: Level, component: &str, sentence: &str) {
    if is_said(level, component) {
        raw(line(level, component, sentence).as_bytes());
    }
}

/// A message as it is written, newline included.
pub fn line(level: Level, component: &str, sentence: &str) -> String {
    let terminal = is_terminal();
    if is_json() {
        let line = serde_json::json!({
            "time": now(),
            "level": level.word().to_lowercase(),
            "component": component,
            "message": sentence,
        });
        format!("{line}\n")
    } else if terminal {
        format!("{} {component}: {sentence}\n", level.word())
    } else {
        format!("{} {} {component}: {sentence}\n", now(), level.word())
    }
}

/// Put bytes on standard error as they are, under the same rules.
pub fn raw(bytes: &[u8]) {
    let _ = behind_the_curtain(bytes);
}

/// Put lines on standard error that must not be dropped, waiting as long as it takes: for a component whose
/// output they are. Messages of others go between the lines.
///
/// Errors: what the system says; `TimedOut` at a deadline that `until` gives, which is asked again and again.
pub fn deliver(lines: &[u8], until: impl Fn() -> Option<Instant>) -> io::Result<()> {
    const LOOK: Duration = Duration::from_millis(100);
    let mut rest = lines;
    while !rest.is_empty() {
        // Up to so many bytes a pipe takes all or nothing, so that no message gets into a line.
        let most = &rest[..rest.len().min(rustix::pipe::PIPE_BUF)];
        let end = memchr::memrchr(b'\n', most).map_or(most.len(), |at| at + 1);
        let count = behind_the_curtain(&rest[..end])?;
        rest = &rest[count..];
        if count < end {
            // Nothing is held while we wait.
            let look = Instant::now() + LOOK;
            let woken = fd::wait(io::stderr().as_fd(), PollFlags::OUT, &[], Some(look))?;
            let is_over = until().is_some_and(|deadline| deadline <= Instant::now());
            if is_over && woken != fd::Woken::Ready {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
    Ok(())
}

fn behind_the_curtain(bytes: &[u8]) -> io::Result<usize> {
    let curtain = CURTAIN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut written = Ok(0);
    match curtain.as_ref() {
        Some(curtain) => curtain(&mut || written = write_what_goes(bytes)),
        None => written = write_what_goes(bytes),
    }
    written
}

/// Bytes that went without waiting.
fn write_what_goes(bytes: &[u8]) -> io::Result<usize> {
    let stderr = io::stderr();
    let mut rest = bytes;
    while !rest.is_empty() {
        let ready = fd::wait(stderr.as_fd(), PollFlags::OUT, &[], Some(Instant::now()))?;
        if ready != fd::Woken::Ready {
            break;
        }
        match fd::write_now(stderr.as_fd(), &[IoSlice::new(rest)]) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(bytes.len() - rest.len())
}

/// Standard error is a terminal.
pub fn is_terminal() -> bool {
    static TERMINAL: OnceLock<bool> = OnceLock::new();
    *TERMINAL.get_or_init(|| rustix::termios::isatty(io::stderr()))
}

/// The time as RFC 3339 in UTC, to the millisecond.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
