//! The order of system calls: no acceptance of a batch leaves a channel before the sync of the segment that
//! holds it has returned, and before that segment's name is on the disk.

use crate::pipe::Pipe;
use crate::surroundings::skipped;
use std::collections::{HashMap, HashSet};
use std::process::Command;

/// What is traced: all that writes, syncs, sends, and gives names.
const CALLS: &str = "fdatasync,fsync,sync_file_range,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,openat,\
                     rename,renameat,renameat2,link,linkat";

/// A call, or one side of it: another thread's calls may come between its begin and its return.
pub struct Call {
    pub thread: String,
    pub name: String,
    /// Where its descriptor leads.
    pub path: String,
    /// The bytes of all its strings.
    pub bytes: Vec<u8>,
    pub makes: bool,
    pub begins: bool,
    /// What it has returned, if it has.
    pub returns: Option<i64>,
}

/// Bytes of `\x66\x6c`.
fn bytes_of(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits
        .filter_map(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok())
        .collect()
}

/// A line of `strace -f -y -xx`; none for what is no call.
pub fn call_of(line: &str) -> Option<Call> {
    let (thread, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (begins, name, arguments) = match rest.strip_prefix("<... ") {
        Some(resumed) => {
            let (name, arguments) = resumed.split_once(" resumed>")?;
            (false, name, arguments)
        }
        None => {
            let (name, arguments) = rest.split_once('(')?;
            (true, name, arguments)
        }
    };
    let result = arguments.rsplit_once(") = ").map(|(_, result)| result);
    let number = result.and_then(|result| result.split([' ', '<']).next()?.parse().ok());
    let path = arguments.split(['<', '>']).nth(1).unwrap_or_default();
    let strings: Vec<&str> = arguments.split('"').skip(1).step_by(2).collect();
    let gives_names = name.starts_with("rename") || name.starts_with("link");
    let makes = gives_names || name == "openat" && arguments.contains("O_CREAT");
    // Of two names the second is the new one.
    let strings = match makes {
        true => strings.last().copied().unwrap_or_default().to_string(),
        false => strings.concat(),
    };
    Some(Call {
        thread: thread.into(),
        name: name.into(),
        path: String::from_utf8_lossy(&bytes_of(path)).into_owned(),
        bytes: bytes_of(&strings),
        makes,
        begins,
        returns: number,
    })
}

/// Numbers of the lines `line NUMBER` in these bytes.
fn lines_in(bytes: &[u8]) -> Vec<u64> {
    let found = memchr::memmem::find_iter(bytes, b"line ");
    let number = |at: usize| {
        std::str::from_utf8(bytes.get(at + 5..at + 11)?)
            .ok()?
            .parse()
            .ok()
    };
    found.filter_map(number).collect()
}

/// The sequence in each acceptance that is sent here.
fn acceptances_in(bytes: &[u8]) -> Vec<u64> {
    let frames = memchr::memmem::find_iter(bytes, b"FLM1\x04");
    let sequence = |at: usize| {
        bytes
            .get(at + 16..at + 24)?
            .try_into()
            .ok()
            .map(u64::from_le_bytes)
    };
    frames.filter_map(sequence).collect()
}

/// What is known while a trace is read.
#[derive(Default)]
struct Known {
    /// Segments with a name, and those whose name is on the disk.
    made: HashSet<String>,
    named: HashSet<String>,
    /// Line and the segment that it was written to, and lines that are on the disk.
    written: HashMap<u64, String>,
    synced: HashSet<u64>,
    /// Batches that were accepted; each has one line, counted from 1.
    accepted: u64,
    acceptances: u64,
    /// What was begun by each thread, and what its sync will prove.
    begun: HashMap<String, (Call, Vec<u64>, Vec<String>)>,
}

impl Known {
    fn begin(&mut self, call: Call) -> Result<(), String> {
        if call.path.starts_with("socket:") {
            for sequence in acceptances_in(&call.bytes) {
                self.accept(sequence)?;
            }
        }
        let in_it = |(_, segment): &(&u64, &String)| call.path.ends_with(segment.as_str());
        let lines = self.written.iter().filter(in_it).map(|(line, _)| *line).collect();
        let names = self.made.iter().cloned().collect();
        self.begun.insert(call.thread.clone(), (call, lines, names));
        Ok(())
    }

    fn end(&mut self, thread: &str, returned: i64) {
        let Some((call, lines, names)) = self.begun.remove(thread) else {
            return;
        };
        let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_string();
        if returned < 0 {
            return;
        }
        let is_segment = call.path.ends_with(".seg");
        if call.makes {
            let name = file(&String::from_utf8_lossy(&call.bytes));
            if name.ends_with(".seg") {
                self.made.insert(name);
            }
        } else if matches!(call.name.as_str(), "fdatasync" | "fsync") {
            if is_segment {
                self.synced.extend(lines);
            } else if call.path.ends_with("/data") {
                self.named.extend(names);
            }
        } else if is_segment {
            let segment = file(&call.path);
            let numbers = lines_in(&call.bytes).into_iter();
            self.written
                .extend(numbers.map(|number| (number, segment.clone())));
        }
    }

    fn accept(&mut self, sequence: u64) -> Result<(), String> {
        for line in self.accepted..sequence {
            let Some(segment) = self.written.get(&line) else {
                return Err(format!("line {line} is accepted and nobody has written it"));
            };
            if !self.synced.contains(&line) {
                return Err(format!("line {line} is accepted before the sync of {segment}"));
            }
            if !self.named.contains(segment) {
                return Err(format!(
                    "line {line} is accepted before the name {segment} is synced"
                ));
            }
        }
        self.accepted = self.accepted.max(sequence);
        self.acceptances += u64::from(sequence > 0);
        Ok(())
    }
}

/// Read a trace of a channel that takes batches of one line each, `line 000000` first: all that was accepted
/// had been synced. An error names the first line that had not.
fn check(trace: &str) -> Result<Known, String> {
    let mut known = Known::default();
    for (number, line) in (1..).zip(trace.lines()) {
        if let Some(call) = call_of(line) {
            let (thread, returned) = (call.thread.clone(), call.returns);
            if call.begins {
                let told = |why| format!("trace line {number}: {why}");
                known.begin(call).map_err(told)?;
            }
            if let Some(returned) = returned {
                known.end(&thread, returned);
            }
        }
    }
    Ok(known)
}

#[test]
fn no_acceptance_leaves_before_the_sync_of_its_segment_has_returned() {
    const LINES: u64 = 4000;
    let strace = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return skipped("the order of system calls: that needs strace, and the right to trace");
    }
    let text: String = (0..LINES).map(|line| format!("line {line:06}\n")).collect();
    let traced = format!("exec strace -f -y -xx -s 1000000 -o trace -e trace={CALLS}");
    let ended = Pipe::new("source stdin --batch-size 1 --summary json")
        .input(text)
        .then_foreign(&format!(
            "{traced} flume channel file spool --put --max-file-size 64KiB"
        ))
        .run()
        .expect_status([0, 0])
        .counts(0, "accepted", LINES);
    let trace = std::fs::read_to_string(ended.path("trace")).unwrap();
    let known = check(&trace).unwrap();
    assert_eq!(known.accepted, LINES, "the trace shows all acceptances");
    assert!(known.made.len() > 1, "segments: {:?}", known.made);
    assert!(known.acceptances > 10, "acceptances: {}", known.acceptances);
    // The same trace, in which a sync fails or is missing, is no longer a good one.
    let without = |gone: &str| {
        let lines = trace.lines().filter(|line| !line.contains(gone));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    for broken in [
        without("fdatasync("),
        without(" fsync("),
        trace.replace(">) = 0", ">) = -1 EIO"),
    ] {
        assert!(check(&broken).is_err());
    }
}

/// A line as strace writes it.
fn traced(thread: u32, call: &str, path: &str, bytes: &[u8], returned: &str) -> String {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect::<String>()
    };
    let (path, bytes) = (hex(path.as_bytes()), hex(bytes));
    format!("{thread} {call}(7<{path}>, \"{bytes}\"{returned}\n")
}

#[test]
fn trace_in_another_order_is_refused() {
    let (segment, directory, socket) = ("/s/data/1.seg", "/s/data", "socket:[1]");
    let make = "1 openat(AT_FDCWD</s>, \"\\x31\\x2e\\x73\\x65\\x67\", O_RDWR|O_CREAT, 0640) = 7\n";
    let name = &traced(1, "fsync", directory, b"", ") = 0");
    let write = &traced(1, "pwritev", segment, b"line 000000", ") = 11");
    let sync = &traced(1, "fdatasync", segment, b"", ") = 0");
    let failed = &traced(1, "fdatasync", segment, b"", ") = -1 EIO (Input/output error)");
    let begun = &traced(3, "fdatasync", segment, b"", " <unfinished ...>");
    let returned = "3 <... fdatasync resumed>) = 0\n";
    let frame = flume::wire::accept_frame(1);
    let accept = &traced(2, "pwritev2", socket, &frame, ") = 48");
    let told = |calls: &[&str]| check(&calls.concat()).map(|known| known.accepted);
    assert_eq!(told(&[make, name, write, sync, accept]), Ok(1));
    assert_eq!(told(&[make, name, write, begun, returned, accept]), Ok(1));
    let unsynced = "line 0 is accepted before the sync of 1.seg";
    for (calls, why) in [
        (vec![make, name, write, accept, sync], unsynced),
        (vec![make, name, sync, write, accept], unsynced),
        (vec![make, name, write, failed, accept], unsynced),
        (vec![make, name, write, begun, accept, returned], unsynced),
        (vec![make, name, begun, write, returned, accept], unsynced),
        (
            vec![make, write, sync, accept, name],
            "line 0 is accepted before the name 1.seg is synced",
        ),
        (
            vec![name, make, write, sync, accept],
            "line 0 is accepted before the name 1.seg is synced",
        ),
        (
            vec![make, name, sync, accept],
            "line 0 is accepted and nobody has written it",
        ),
    ] {
        let found = told(&calls).unwrap_err();
        assert!(found.ends_with(why), "{found}");
    }
}
