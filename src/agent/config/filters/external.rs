//! `external`: a command that is run with a key behind it; the first line that it prints is the value.

use crate::fd::{self, Woken};
use rustix::event::PollFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take: without an end nothing would start, and nobody knew why.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that it may print.
const LONGEST: u64 = 1 << 20;

/// What is run.
pub(super) struct Program {
    words: Vec<String>,
    is_latin1: bool,
}

impl Program {
    /// A command, whose words are cut at blanks and at nothing else, and the character set that it prints in.
    pub fn new(command: &str, charset: Option<&str>) -> Result<Program, String> {
        let name = charset.unwrap_or("UTF-8");
        let is_latin1 = match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "us-ascii" | "ascii" => false,
            "iso-8859-1" | "latin1" => true,
            _ => {
                return Err(format!(
                    "charset is \"{name}\", which is not supported; there are UTF-8, ISO-8859-1 and US-ASCII"
                ));
            }
        };
        Ok(Program {
            words: command.split_whitespace().map(str::to_string).collect(),
            is_latin1,
        })
    }

    /// Its value for a key. The error is a sentence without anything that the command printed.
    pub fn value(&self, key: &str) -> Result<String, String> {
        let [program, arguments @ ..] = &self.words[..] else {
            return Err("the command is empty".into());
        };
        let child = Command::new(program)
            .args(arguments)
            .arg(key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.map_err(|error| format!("{program} cannot be run: {error}"))?;
        let printed = printed(&mut child, Instant::now() + PATIENCE);
        if printed.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| format!("{program}: {error}"))?;
        let bytes = printed.map_err(|why| format!("{program} {why}"))?;
        if !status.success() {
            return Err(format!("{program} ended with {status}"));
        }
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = match self.is_latin1 {
            true => line.iter().map(|byte| char::from(*byte)).collect(),
            false => String::from_utf8_lossy(line).into_owned(),
        };
        match text.is_empty() {
            true => Err(format!("{program} printed nothing")),
            false => Ok(text),
        }
    }
}

/// What it prints until it ends. The error is the end of a sentence.
fn printed(child: &mut Child, deadline: Instant) -> Result<Vec<u8>, String> {
    let too_slow = || format!("did not end within {} s", PATIENCE.as_secs());
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let mut out = child.stdout.take().ok_or("has no output")?;
    let mut bytes = Vec::new();
    loop {
        let woken = fd::wait(out.as_fd(), PollFlags::IN, &[], Some(deadline)).map_err(failed)?;
        if woken != Woken::Ready {
            return Err(too_slow());
        }
        let mut some = [0; 4096];
        match out.read(&mut some).map_err(failed)? {
            0 => break,
            count => bytes.extend_from_slice(&some[..count]),
        }
        if bytes.len() as u64 > LONGEST {
            return Err(format!("prints more than {LONGEST} bytes"));
        }
    }
    // It may have closed its output and go on.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or("has no number")?;
    let ends = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failed(error.into()))?;
    match fd::wait(ends.as_fd(), PollFlags::IN, &[], Some(deadline)).map_err(failed)? {
        Woken::Ready => Ok(bytes),
        _ => Err(too_slow()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(command: &str, key: &str) -> Result<String, String> {
        Program::new(command, None).unwrap().value(key)
    }

    #[test]
    fn first_line_is_the_value() {
        assert_eq!(value("echo a  b", "K").as_deref(), Ok("a b K"));
        assert_eq!(value("printf %s\\nsecond\\n", "first").as_deref(), Ok("first"));
        assert_eq!(
            Program::new("printf \\344", Some("ISO-8859-1"))
                .unwrap()
                .value("x")
                .as_deref(),
            Ok("\u{e4}")
        );
        assert!(Program::new("echo", Some("EBCDIC")).is_err());
    }

    #[test]
    fn failure_is_told_without_what_was_printed() {
        assert!(
            value("false", "K")
                .unwrap_err()
                .contains("ended with exit status: 1")
        );
        assert!(value("true", "K").unwrap_err().contains("printed nothing"));
        let why = value("/no/such/program", "K").unwrap_err();
        assert!(why.contains("/no/such/program cannot be run"), "{why}");
        let why = value("yes", "hunter2").unwrap_err();
        assert!(
            why.contains("prints more than") && !why.contains("hunter2"),
            "{why}"
        );
    }
}
