//! `pipe`: the stream to the standard input of a command, acceptances from its standard output. The way over ssh,
//! into a container, or through any other program that carries bytes both ways.

use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::outlet::Reply;
use crate::link::resend::Resend;
use crate::link::{Connect, Outlet, SendError, StreamOutlet};
use crate::say;
use crate::sink::stream::UnderWay;
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use crate::value::Seconds;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The stage as the other side sees it.
const NAME: &str = "sink pipe";
/// How long a command may take to end whose streams have ended, and then after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);
/// Characters of a command that are shown.
const SHOWN: usize = 120;
/// Longest pause between looks whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Run a command with the stream on its standard input; a batch is accepted when the command says so on its
/// standard output, such as "ssh HOST flume channel file DIR --put".
///
/// The last stage that the command runs has to be one of flume's that takes and writes no stream of its own.
/// What is printed before its first answer is skipped and reported. A command that ends early is started
/// again, with pauses that grow to 5 seconds, and what was not accepted is sent again, in its order; one
/// that ends with status 1, 2, 126 or 127 would not get further, and ends the stage.
#[derive(clap::Args, Debug, Clone)]
pub struct Pipe {
    /// The command and its arguments, behind "--"; a single word with blanks in it is given to /bin/sh.
    #[arg(id = "command", value_name = "COMMAND", required = true, num_args = 1..)]
    command: Vec<String>,
    /// How long to wait for the command's first answer.
    #[arg(long, id = "reply-timeout", default_value = "30s", value_name = "TIME")]
    reply_timeout: Seconds,
    #[command(flatten)]
    under_way: UnderWay,
    #[arg(skip)]
    running: Arc<Running>,
}

/// The command that runs, shared by the sink and the connections that it makes.
#[derive(Default)]
struct Running(Mutex<State>);

#[derive(Default)]
struct State {
    child: Option<Child>,
    outlet: Option<Arc<StreamOutlet>>,
    /// How the last one ended, if nothing was accepted since: that is not told twice.
    told: Option<ExitStatus>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Running").field(&self.lock().child).finish()
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Close the command's input and wait for its end: how it ended, if one was started. One that does not end by
    /// itself is ended.
    fn end(&self) -> Option<ExitStatus> {
        let mut state = self.lock();
        let (child, outlet) = (state.child.take(), state.outlet.take());
        drop(state);
        outlet.inspect(|outlet| outlet.close());
        let mut child = child?;
        if let Some(status) = ended_within(&mut child, PATIENCE) {
            return Some(status);
        }
        let pid = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        if let Some(status) = ended_within(&mut child, PATIENCE) {
            return Some(status);
        }
        let _ = child.kill();
        child.wait().ok()
    }
}

fn ended_within(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
            _ => return None,
        }
    }
}

impl Pipe {
    /// The program and its arguments.
    fn words(&self) -> Vec<String> {
        match &self.command[..] {
            [line] if line.contains(char::is_whitespace) => {
                vec!["/bin/sh".into(), "-c".into(), line.clone()]
            }
            words => words.to_vec(),
        }
    }

    /// The command as messages show it.
    fn shown(&self) -> String {
        let mut line = self.command.join(" ");
        if line.chars().count() > SHOWN {
            line = line.chars().take(SHOWN).chain(" ...".chars()).collect();
        }
        line
    }

    fn connector(&self, stop: &Stop) -> Connect {
        let (own, stop) = (self.clone(), stop.clone());
        Box::new(move || own.run(&stop))
    }

    /// Start the command and open a stream into it. After an end that another start would not change, say so.
    fn run(&self, stop: &Stop) -> Result<Arc<dyn Outlet>, SendError> {
        let shown = self.shown();
        let before = self.running.lock().outlet.clone();
        if let Some(error) = before.as_ref().and_then(|outlet| outlet.given_up()) {
            return Err(error);
        }
        let had_taker = before.is_some_and(|outlet| outlet.had_taker());
        if let Some(status) = self.running.end() {
            let why = format!("\"{shown}\" {}", told(status));
            if status.success() && !had_taker {
                return Err(SendError::Failed(format!(
                    "{why} and has accepted nothing: its last stage has to be one of flume's that takes, such as \
                     \"flume channel file DIR --put\""
                )));
            }
            if matches!(status.code(), Some(1 | 2 | 126 | 127)) {
                return Err(SendError::Failed(format!(
                    "{why}; not all that it was sent is accepted"
                )));
            }
            let before = self.running.lock().told.replace(status);
            match before == Some(status) && !had_taker {
                true => say::debug(NAME, format!("{why} again")),
                false => say::warn(NAME, format!("{why}; it is started again until it works")),
            }
        }
        let failed =
            |error: std::io::Error| SendError::Failed(format!("\"{shown}\" cannot be started: {error}"));
        let (input, output) = self.spawn().map_err(failed)?;
        let mut options = self.under_way.options(NAME, Reply::Stdout(Arc::new(output)));
        options.reply_timeout = self.reply_timeout.0;
        let outlet = Arc::new(StreamOutlet::open(input, options, stop).map_err(failed)?);
        self.running.lock().outlet = Some(outlet.clone());
        Ok(outlet)
    }

    /// Start the command: the ends of its standard input and output.
    fn spawn(&self) -> std::io::Result<(OwnedFd, OwnedFd)> {
        let words = self.words();
        let (input, to_command) = std::io::pipe()?;
        let (from_command, output) = std::io::pipe()?;
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .stdin(Stdio::from(OwnedFd::from(input)))
            .stdout(Stdio::from(OwnedFd::from(output)));
        ignore_interrupts(&mut command);
        self.running.lock().child = Some(command.spawn()?);
        Ok((to_command.into(), from_command.into()))
    }
}

/// A Ctrl-C on the terminal is for flume, which ends the stream in order; the command stays in its process group,
/// so that ssh may ask there for a password.
#[allow(unsafe_code)]
fn ignore_interrupts(command: &mut Command) {
    let ignore = || {
        // SAFETY: a plain system call with valid arguments.
        match unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) } {
            libc::SIG_ERR => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec only what is safe in a signal handler may run: this is one system call, and
    // nothing is allocated or locked.
    unsafe { command.pre_exec(ignore) };
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("has ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "has ended".into(),
    }
}

/// Where the shell would find a program.
fn find(program: &str) -> Option<PathBuf> {
    let is_file = |path: &Path| std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_file(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| is_file(path))
}

impl Sink for Pipe {
    fn start(&mut self) -> StageResult {
        let words = self.words();
        match find(&words[0]) {
            Some(_) => Ok(()),
            None => Err(StageError::Usage(format!(
                "\"{}\" is no program that can be run: it is not on the PATH",
                words[0]
            ))),
        }
    }

    fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
        Err(SinkError::retry("batches go to the outlet of this sink"))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn outlet(&mut self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        Some(Arc::new(Resend::connecting(
            self.connector(stop),
            None,
            NAME,
            stop,
        )))
    }

    fn connect(&mut self, stop: &Stop) -> Option<Connect> {
        Some(self.connector(stop))
    }

    /// Everything is accepted or given up: how the command ends is only worth a word.
    fn stop(&mut self) -> StageResult {
        if let Some(status) = self.running.end()
            && !status.success()
        {
            say::warn(NAME, format!("\"{}\" {}", self.shown(), told(status)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{Spec, made};

    const SPEC: Spec<Pipe> = Spec::new::<Pipe>("pipe", made::<Pipe>).positional("command");

    fn words(given: &[&str]) -> Vec<String> {
        let given: Vec<_> = given.iter().map(ToString::to_string).collect();
        SPEC.from_flags(&given).unwrap().words()
    }

    #[test]
    fn command_is_words_or_a_line_for_the_shell() {
        assert_eq!(
            words(&["--", "ssh", "-p", "22", "host"]),
            ["ssh", "-p", "22", "host"]
        );
        assert_eq!(words(&["--command", "cat | wc"]), ["/bin/sh", "-c", "cat | wc"]);
        assert_eq!(words(&["cat"]), ["cat"]);
        let property = [("command".to_string(), "ssh host flume".to_string())];
        let made = SPEC.from_properties(&property.into_iter().collect()).unwrap();
        assert_eq!(made.words()[2], "ssh host flume");
        assert!(SPEC.from_flags(&[]).is_err());
    }

    #[test]
    fn program_that_is_nowhere_is_found_at_the_start() {
        let mut sink = SPEC.from_flags(&["no-such-program".into()]).unwrap();
        let error = sink.start().unwrap_err();
        assert_eq!(error.status(), 2);
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}
