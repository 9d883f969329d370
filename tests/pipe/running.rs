//! A pipeline that runs.

use super::{Collected, Directory, Ended};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// One process of it.
struct Process {
    words: String,
    child: Child,
    /// Names the process also when its number is somebody else's by now.
    handle: OwnedFd,
    /// Exit status, or the number of the signal that ended it, negative.
    status: Option<i32>,
    errors: Collected,
}

/// Processes started so far.
#[derive(Default)]
pub struct Started {
    processes: Vec<Process>,
    output: Option<Collected>,
}

impl Started {
    /// Start one more.
    pub fn spawn(&mut self, words: String, mut command: Command) {
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{words}: cannot be started: {error}"));
        let pid = Pid::from_child(&child);
        let errors = child.stderr.take();
        if let Some(output) = child.stdout.take() {
            self.output = Some(Collected::from(output));
        }
        self.processes.push(Process {
            words,
            handle: rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap(),
            child,
            status: None,
            errors: errors.map_or_else(Collected::nothing, Collected::from),
        });
    }
}

/// A pipeline that runs. Dropped, it is killed.
pub struct Running {
    processes: Vec<Process>,
    output: Collected,
    directory: Directory,
    deadline: Instant,
}

impl Running {
    pub(super) fn new(started: Started, directory: Directory, deadline: Instant) -> Running {
        Running {
            processes: started.processes,
            output: started.output.unwrap_or_else(Collected::nothing),
            directory,
            deadline,
        }
    }

    /// Send a signal to one stage, counted from 0.
    pub fn kill(&self, stage: usize, signal: Signal) -> &Running {
        // One that has ended already is past caring.
        let _ = rustix::process::pidfd_send_signal(&self.processes[stage].handle, signal);
        self
    }

    /// Send a signal to all stages, as a terminal does.
    pub fn kill_all(&self, signal: Signal) -> &Running {
        (0..self.processes.len()).for_each(|stage| {
            self.kill(stage, signal);
        });
        self
    }

    /// The process id of a stage.
    pub fn pid(&self, stage: usize) -> u32 {
        self.processes[stage].child.id()
    }

    /// A file in the pipeline's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Wait until a stage has said this on standard error.
    pub fn wait_for(&self, stage: usize, text: &str) -> &Running {
        if !self.processes[stage].errors.wait_for(text, self.deadline) {
            panic!("stage {stage} did not say \"{text}\"\n{}", self.told());
        }
        self
    }

    /// What a stage has said on standard error so far.
    pub fn said(&self, stage: usize) -> String {
        String::from_utf8_lossy(&self.processes[stage].errors.bytes()).into_owned()
    }

    /// Wait until the stage has a handler for SIGINT: before that it would die of it.
    pub fn wait_for_handlers(&self, stage: usize) -> &Running {
        let status = format!("/proc/{}/status", self.pid(stage));
        let deadline = Instant::now() + Duration::from_secs(30);
        let has_one = || {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap_or(0) & 2 != 0)
        };
        while !has_one() {
            assert!(Instant::now() < deadline, "stage {stage} takes no signals");
        }
        self
    }

    /// The address that a stage says it listens on.
    pub fn address(&self, stage: usize) -> String {
        self.wait_for(stage, "listening on ");
        let said = self.said(stage);
        let address = said.split("listening on ").nth(1).unwrap();
        address.split([',', '\n', ' ']).next().unwrap().to_string()
    }

    /// Wait until everything that a stage has sent is accepted, as its counters say.
    pub fn wait_settled(&self, stage: usize) -> &Running {
        self.wait_counters(stage, |said| {
            let last = said.lines().rfind(|line| line.contains(": unaccepted "));
            last.is_some_and(|line| line.contains(": unaccepted 0 events"))
        })
    }

    /// Wait until a counter of a stage, by Flume's name, has come so far.
    pub fn wait_count(&self, stage: usize, counter: &str, least: u64) -> &Running {
        let name = format!(" {counter}=");
        self.wait_counters(stage, |said| {
            let value = said.rsplit_once(&name).map(|(_, rest)| rest);
            let digits = value.and_then(|rest| rest.split(' ').next());
            digits.is_some_and(|digits| digits.parse::<u64>().is_ok_and(|value| value >= least))
        })
    }

    fn wait_counters(&self, stage: usize, done: impl Fn(&str) -> bool) -> &Running {
        while !done(&self.said(stage)) {
            if Instant::now() > self.deadline {
                panic!("stage {stage} has not come so far\n{}", self.told());
            }
            self.kill(stage, Signal::USR1);
            // What it answers is looked at in the next round.
            std::thread::sleep(Duration::from_millis(10));
        }
        self
    }

    /// Wait for the end of one stage: its exit status, or the negative number of the signal that ended it.
    pub fn wait_stage(&mut self, stage: usize) -> i32 {
        let deadline = self.deadline;
        if !self.processes[stage].look(Some(deadline)) {
            let told = self.told();
            panic!("stage {stage} did not end in time\n{told}");
        }
        self.processes[stage].status.unwrap_or(0)
    }

    /// Wait for the end of one stage until then; false if it has not come.
    pub fn ends_before(&mut self, stage: usize, deadline: Instant) -> bool {
        self.processes[stage].look(Some(deadline))
    }

    /// Wait for the end of all.
    pub fn wait(mut self) -> Ended {
        for stage in 0..self.processes.len() {
            self.wait_stage(stage);
        }
        for stage in 0..self.processes.len() {
            if !self.processes[stage].errors.wait_end(self.deadline) {
                let told = self.told();
                panic!("something still holds standard error of stage {stage}\n{told}");
            }
        }
        if !self.output.wait_end(self.deadline) {
            panic!("something still holds standard output\n{}", self.told());
        }
        let stages = self.processes.iter().map(|process| {
            let errors = process.errors.bytes();
            (
                process.words.clone(),
                process.status.unwrap_or(0),
                String::from_utf8_lossy(&errors).into_owned(),
            )
        });
        let stages = stages.collect();
        let directory = std::mem::replace(&mut self.directory, Directory::Given(Path::new("/").into()));
        Ended::new(stages, self.output.bytes(), directory)
    }

    /// What each stage said so far, for a message.
    fn told(&self) -> String {
        let each = self.processes.iter().enumerate().map(|(index, process)| {
            let status = process
                .status
                .map_or("still runs".to_string(), |status| format!("ended with {status}"));
            let errors = process.errors.bytes();
            let errors = String::from_utf8_lossy(&errors);
            format!("--- stage {index} {status}: {}\n{errors}", process.words)
        });
        each.collect()
    }
}

impl Process {
    /// Look whether it has ended, waiting until then: true if it has.
    fn look(&mut self, deadline: Option<Instant>) -> bool {
        if self.status.is_some() {
            return true;
        }
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let left = left.map(|left| Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            });
            let mut fds = [PollFd::new(&self.handle, PollFlags::IN)];
            match rustix::event::poll(&mut fds, left.as_ref()) {
                Ok(0) => return false,
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("poll: {error}"),
            }
        }
        let status = self.child.wait().unwrap();
        let signal = status.signal().map(|signal| -signal);
        self.status = Some(status.code().or(signal).unwrap_or(0));
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for process in self
            .processes
            .iter_mut()
            .filter(|process| process.status.is_none())
        {
            // It has not been waited for, so the group's number is still its own.
            let group = Pid::from_child(&process.child);
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
            let _ = process.child.wait();
        }
    }
}
