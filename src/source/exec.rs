//! `exec`: the lines that a command prints (Flume's ExecSource).

use super::batches::Batches;
use super::lines::{Cutting, Format, LineEnd, LongLines};
use super::reading::{Read, Reading};
use crate::exit::{StageError, StageResult};
use crate::fd::{self, Woken};
use crate::say;
use crate::stage::{ChannelProcessor, PollableSource, Status};
use crate::value::{Millis, Size};
use rustix::event::PollFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the output of a command is still read after its SIGTERM.
const TERM_PATIENCE: Duration = Duration::from_secs(5);
/// How long after that it may take to end before it gets SIGKILL.
const KILL_PATIENCE: Duration = Duration::from_secs(1);
/// Longest pause between looks whether a command that closed its output has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const EMPTY: &str = "the property command is empty: it is the command line to run";
/// Bytes of a line on the command's standard error that are shown.
const STDERR_LINE: usize = 4 << 10;

/// Run a command and make an event of each line that it prints.
///
/// Lines end with LF, CR or both; their bytes are kept as they are. Without --shell the command is split on
/// white space only: no quotes, pipes or variables. The command runs in a process group of its own, which
/// gets SIGTERM at a stop; what it prints until it ends is still taken. When flume itself is killed the command gets
/// SIGTERM; what that has started goes on until it writes the next time. Nothing tells the command
/// about back-pressure but its full pipe, and what `tail -F` has printed is not printed again after a failure.
#[derive(clap::Args)]
pub struct Exec {
    /// The command line.
    #[arg(id = "command", value_name = "COMMAND", required = true)]
    command: String,
    /// Shell that the command is given to as one argument, such as "/bin/sh -c".
    #[arg(long, id = "shell", value_name = "COMMAND")]
    shell: Option<String>,
    /// Start the command again when it ends.
    #[arg(long, id = "restart", default_value = "false")]
    restart: bool,
    /// Milliseconds to wait before that.
    #[arg(long, id = "restartThrottle", default_value = "10000", value_name = "TIME")]
    restart_throttle: Millis,
    /// Show what the command writes to its standard error; it is read in any case.
    #[arg(long, id = "logStdErr", default_value = "false")]
    log_std_err: bool,
    /// Lines in a batch at most.
    #[arg(long, id = "batchSize", default_value = "20", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Milliseconds after which a batch that is not full is sent.
    #[arg(long, id = "batchTimeout", default_value = "3000", value_name = "TIME")]
    batch_timeout: Millis,
    /// Encoded bytes in a batch at most; a larger event is a batch of its own.
    #[arg(long, id = "batchBytes", default_value = "256KiB", value_name = "SIZE")]
    batch_bytes: Size,
    /// Character set of the output: UTF-8, ISO-8859-1 or US-ASCII. Bodies keep it.
    #[arg(long, id = "charset", default_value = "UTF-8", value_name = "NAME", value_parser = charset)]
    charset: String,
    #[command(flatten)]
    long: LongLines,
    #[arg(skip)]
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Running(Box<Running>),
    /// Ended; to be started again then.
    Waiting(Instant),
    /// Ended for good; the sentence says how, if not well.
    Over(Option<String>),
}

struct Running {
    child: Child,
    output: OwnedFd,
    reading: Reading,
}

/// Flume decodes a line and encodes it again in the same character set, which changes only bytes that are
/// not valid in it. Ours are kept, so that the name matters only to tell what can not be cut into lines.
fn charset(name: &str) -> Result<String, String> {
    let known = [
        "utf-8",
        "utf8",
        "iso-8859-1",
        "iso8859-1",
        "iso8859_1",
        "latin1",
        "us-ascii",
        "ascii",
    ];
    match known.contains(&name.to_ascii_lowercase().as_str()) {
        true => Ok(name.to_string()),
        false => Err(format!(
            "the character set \"{name}\" is not supported; there are UTF-8, ISO-8859-1 and US-ASCII"
        )),
    }
}

impl Exec {
    fn words(&self) -> Vec<&str> {
        match &self.shell {
            None => self.command.split_whitespace().collect(),
            Some(shell) => shell
                .split_whitespace()
                .chain(std::iter::once(self.command.as_str()))
                .collect(),
        }
    }

    fn spawn(&self, to: &ChannelProcessor) -> Result<Box<Running>, StageError> {
        let name = to.counters().name();
        let words = self.words();
        let Some((program, arguments)) = words.split_first() else {
            return Err(StageError::Usage(EMPTY.into()));
        };
        let failed =
            |error: std::io::Error| StageError::Failed(format!("\"{program}\" cannot be started: {error}"));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        end_with_us(&mut command);
        let mut child = command.spawn().map_err(failed)?;
        let stderr = child.stderr.take();
        let output = child.stdout.take().ok_or_else(|| {
            StageError::Failed(format!("\"{program}\" cannot be started: it has no output"))
        })?;
        say::debug(name, format!("started \"{}\", pid {}", self.command, child.id()));
        let running = Box::new(Running {
            child,
            output: output.into(),
            reading: self.reading(program, to),
        });
        if let Some(stderr) = stderr {
            let (name, shown) = (name.to_string(), self.log_std_err);
            std::thread::Builder::new()
                .name("flume-stderr".into())
                .spawn(move || drain_stderr(stderr, shown, &name))
                .map_err(failed)?;
        }
        Ok(running)
    }

    fn reading(&self, program: &str, to: &ChannelProcessor) -> Reading {
        let batches = Batches {
            batch_size: self.batch_size,
            batch_bytes: self.batch_bytes,
            batch_timeout: self.batch_timeout,
        };
        let cutting = Cutting {
            format: Format::Line,
            end: LineEnd::Any,
            long: self.long.clone(),
            schema_type: Default::default(),
        };
        Reading::new(&batches, &cutting, &format!("the output of \"{program}\""), to)
    }

    /// The command has closed its output: see how it ends, and what follows.
    fn ended(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let State::Running(mut running) = std::mem::take(&mut self.state) else {
            return Ok(());
        };
        running.reading.finish(to)?;
        to.flush()?;
        let status = running.wait(&|pause| {
            to.stop().sleep(pause);
            to.stop().is_stopping()
        });
        let Some(status) = status else {
            // A stop came first.
            self.state = State::Running(running);
            return Ok(());
        };
        let how = how_it_ended(&self.command, status);
        if self.restart {
            let pause = self.restart_throttle.0;
            say::info(
                to.counters().name(),
                format!("{how}; it is started again in {} ms", pause.as_millis()),
            );
            self.state = State::Waiting(Instant::now() + pause);
            return Ok(());
        }
        // One that failed is told at the end, as the error of the source.
        self.state = State::Over(match status.success() {
            true => {
                say::info(to.counters().name(), how);
                None
            }
            false => Some(how),
        });
        Ok(())
    }
}

impl Running {
    /// How the command ended; `None` if `pause` says not to wait any longer.
    fn wait(&mut self, pause: &dyn Fn(Duration) -> bool) -> Option<ExitStatus> {
        let mut next = Duration::from_millis(1);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if pause(next) => return None,
                Ok(None) => next = (next * 2).min(LOOK_AGAIN),
                Err(_) => return None,
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        // Not after it was waited for: the number may be another's by then.
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), Pid::from_raw(self.child.id() as i32)) {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Hand on what the command prints until it ends, at most until the deadline.
    fn read_rest(&mut self, deadline: Instant, to: &Arc<ChannelProcessor>) -> StageResult {
        while readable(self.output.as_fd(), deadline) {
            // The descriptor is ready: this does not wait.
            if self.reading.step(self.output.as_fd(), true, to)? == Read::End {
                break;
            }
        }
        self.reading.finish(to)
    }
}

impl Drop for Running {
    /// No command outlives its source: SIGTERM, then SIGKILL.
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + KILL_PATIENCE;
        let status = self.wait(&|pause| {
            std::thread::sleep(pause);
            Instant::now() >= deadline
        });
        if status.is_none() {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Have the command get SIGTERM when this thread ends, also by a SIGKILL of the process. At a stop the source,
/// which has the thread, waits for the command first.
#[allow(unsafe_code)]
fn end_with_us(command: &mut Command) {
    let parent = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // Killed before the system was asked: nothing would come any more.
        match rustix::process::getppid() {
            Some(now) if now == parent => Ok(()),
            _ => Err(rustix::io::Errno::CHILD.into()),
        }
    };
    // SAFETY: between fork and exec only what is safe in a signal handler may run: these are two system calls, and
    // nothing is allocated or locked.
    unsafe { command.pre_exec(ask) };
}

fn readable(fd: BorrowedFd<'_>, deadline: Instant) -> bool {
    matches!(fd::wait(fd, PollFlags::IN, &[], Some(deadline)), Ok(Woken::Ready))
}

fn how_it_ended(command: &str, status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("\"{command}\" has ended with exit status {code}"),
        (None, Some(signal)) => format!("\"{command}\" was ended by signal {signal}"),
        (None, None) => format!("\"{command}\" has ended"),
    }
}

/// Read what the command says to its end, so that it never waits for us.
fn drain_stderr(mut stderr: ChildStderr, shown: bool, name: &str) {
    let mut chunk = [0; STDERR_LINE];
    let mut line: Vec<u8> = Vec::new();
    let show = |line: &[u8]| {
        if shown && !line.is_empty() {
            say::warn(
                name,
                format!("the command says: {}", String::from_utf8_lossy(line)),
            );
        }
    };
    while let Ok(count @ 1..) = stderr.read(&mut chunk) {
        for part in chunk[..count].split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if line.ends_with(b"\n") || line.len() >= STDERR_LINE {
                show(line.trim_ascii_end());
                line.clear();
            }
        }
    }
    show(line.trim_ascii_end());
}

impl PollableSource for Exec {
    fn check(&self) -> Result<(), String> {
        match self.words().is_empty() {
            true => Err(EMPTY.to_string()),
            false => Ok(()),
        }
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        self.state = State::Running(self.spawn(to)?);
        Ok(())
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        match &mut self.state {
            State::Idle | State::Over(_) => return Ok(Status::Finished),
            State::Running(running) => {
                if running.reading.step(running.output.as_fd(), false, to)? == Read::End {
                    self.ended(to)?;
                }
            }
            State::Waiting(until) => {
                to.flush()?;
                let until = *until;
                if to.stop().sleep(until.saturating_duration_since(Instant::now())) {
                    return Ok(Status::Finished);
                }
                self.state = match self.spawn(to) {
                    Ok(running) => State::Running(running),
                    Err(error) => {
                        say::warn(to.counters().name(), error.to_string());
                        State::Waiting(Instant::now() + self.restart_throttle.0)
                    }
                };
            }
        }
        Ok(Status::Ready)
    }

    fn hand_on_rest(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        if let State::Running(running) = &mut self.state {
            let patience = TERM_PATIENCE.min(to.stop().grace() / 2);
            running.signal(Signal::TERM);
            running.read_rest(Instant::now() + patience, to)?;
        }
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        match std::mem::take(&mut self.state) {
            State::Over(Some(how)) => Err(StageError::Failed(how)),
            State::Running(_) | State::Idle | State::Waiting(_) | State::Over(None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{Spec, made};
    use crate::link::testing::Collect;
    use crate::metrics::Count;
    use crate::stage::{Source, run_source};
    use crate::stop::Stop;

    const SPEC: Spec<Exec> = Spec::new::<Exec>("exec", made::<Exec>).positional("command");

    fn exec(words: &[&str]) -> Exec {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        SPEC.from_flags(&words).unwrap()
    }

    fn run(words: &[&str]) -> (Collect, StageResult) {
        let collect = Collect::accepting();
        let (to, _stop) = collect.processor("source exec");
        let result = run_source(Source::Polled(Box::new(exec(words))), &to);
        assert_eq!(
            to.counters().get(Count::EventAccepted),
            collect.events().len() as u64
        );
        (collect, result)
    }

    /// Start in a thread; the stop ends it.
    fn start(words: &[&str]) -> (Collect, Stop, std::thread::JoinHandle<StageResult>) {
        let collect = Collect::accepting();
        let (to, stop) = collect.processor("source exec");
        let source = Source::Polled(Box::new(exec(words)));
        let thread = std::thread::spawn(move || run_source(source, &to));
        (collect, stop, thread)
    }

    #[test]
    fn lines_end_as_java_ends_them() {
        let (collect, result) = run(&["printf a\\nb\\rc\\r\\n\\nd"]);
        assert_eq!(result, Ok(()));
        assert_eq!(collect.bodies(), ["a", "b", "c", "", "d"]);
    }

    #[test]
    fn words_are_split_on_white_space_only_unless_a_shell_is_given() {
        assert_eq!(run(&["echo  'a   b'"]).0.bodies(), ["'a b'"]);
        let (collect, _) = run(&["echo 'a   b' | cat", "--shell", "/bin/sh -c"]);
        assert_eq!(collect.bodies(), ["a   b"]);
    }

    #[test]
    fn command_that_fails_fails_the_source_after_its_output_was_delivered() {
        let (collect, result) = run(&["echo out; exit 3", "--shell", "/bin/sh -c"]);
        assert_eq!(collect.bodies(), ["out"]);
        let error = result.unwrap_err();
        assert_eq!(error.status(), 1);
        assert!(error.to_string().contains("exit status 3"), "{error}");
    }

    #[test]
    fn command_that_is_not_there_is_named() {
        let error = run(&["no-such-program --flag"]).1.unwrap_err().to_string();
        assert!(error.contains("\"no-such-program\""), "{error}");
        assert_eq!(run(&[" "]).1.unwrap_err().status(), 2);
    }

    #[test]
    fn command_that_ends_is_started_again() {
        let (collect, stop, thread) = start(&["echo once", "--restart", "--restart-throttle", "1"]);
        collect.wait_for(3);
        stop.stop();
        assert_eq!(thread.join().unwrap(), Ok(()));
    }

    #[test]
    fn stop_ends_the_whole_process_group_and_takes_its_last_words() {
        let script = "trap 'echo bye; exit' TERM; sleep 1000 & echo $!; wait";
        let (collect, stop, thread) = start(&[script, "--shell", "/bin/sh -c", "--batch-timeout", "1"]);
        collect.wait_for(1);
        stop.stop();
        assert_eq!(thread.join().unwrap(), Ok(()));
        let bodies = collect.bodies();
        assert_eq!(bodies[1..], ["bye"]);
        let sleeper = format!("/proc/{}/stat", bodies[0]);
        // Its files are closed a moment before it is gone.
        let is_alive = || std::fs::read_to_string(&sleeper).is_ok_and(|state| !state.contains(") Z "));
        let deadline = Instant::now() + Duration::from_secs(20);
        while is_alive() {
            assert!(Instant::now() < deadline, "the command's child lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_fills_standard_error_does_not_stop_the_command() {
        let script = "head -c 1000000 /dev/zero >&2; echo done";
        assert_eq!(run(&[script, "--shell", "/bin/sh -c"]).0.bodies(), ["done"]);
    }

    #[test]
    fn character_set_that_has_no_byte_lines_is_refused_by_name() {
        assert!(charset("utf-16").unwrap_err().contains("utf-16"));
        assert!(charset("iso-8859-1").is_ok());
    }
}
