//! Programs that are components: an executable `flume-source-NAME`, `flume-intercept-NAME`,
//! `flume-channel-NAME` or `flume-sink-NAME` inside a flow.
//!
//! Such a program speaks frames on its standard input and output, as a stage of a shell pipeline does, and
//! is joined to the flow by pipes and the reply of our own stream: it cannot tell the two apart. One in the
//! middle is a sink and a source to the parts around it. It has a process group of its own, so that a Ctrl-C
//! reaches the flow first: that ends the streams in their order, and a program like cat is still there to
//! pass on what is on its way.

use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::inlet::InletOptions;
use crate::link::outlet::{OutletOptions, Reply};
use crate::link::resend::Resend;
use crate::link::{Identity, Outlet, StreamInlet, StreamOutlet};
use crate::source::intake::{Intake, Taken};
use crate::stage::{ChannelProcessor, PollableSource, Sink, SinkError, Status};
use crate::stop::Stop;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a program may take to end after its streams have ended, and then after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest pause between looks whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The kinds of components that an executable can be: those that read or write a stream by themselves.
pub const KINDS: &[&str] = &["source", "intercept", "channel", "sink"];

/// The executable `flume-KIND-NAME` on the PATH that is a component.
pub fn find(kind: &str, name: &str) -> Option<PathBuf> {
    if name.contains('/') || !KINDS.contains(&kind) {
        return None;
    }
    on_the_path(&format!("flume-{kind}-{name}"))
}

/// The executable with this name on the PATH.
pub fn on_the_path(file: &str) -> Option<PathBuf> {
    search_path()
        .map(|directory| directory.join(file))
        .find(|path| is_executable(path))
}

/// The directories of the PATH.
pub fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// A file that may be run.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Which of its ends a program has in the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    input: bool,
    output: bool,
}

/// The program, shared by its two halves.
struct Program {
    name: String,
    path: PathBuf,
    arguments: Vec<OsString>,
    ends: Ends,
    child: Mutex<Option<Child>>,
    /// It was told to end: how it does says nothing.
    terminated: AtomicBool,
}

impl Program {
    fn new(name: &str, path: PathBuf, arguments: &[String], ends: Ends) -> Arc<Program> {
        Arc::new(Program {
            name: name.to_string(),
            path,
            arguments: arguments.iter().map(OsString::from).collect(),
            ends,
            child: Mutex::new(None),
            terminated: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Start it, unless its other half has.
    fn started<T>(&self, take: impl FnOnce(&mut Child) -> Option<T>) -> Result<T, StageError> {
        let failed =
            |why: String| StageError::Failed(format!("{} cannot be started: {why}", self.path.display()));
        let mut child = self.lock();
        if child.is_none() {
            let input = if self.ends.input {
                Stdio::piped()
            } else {
                Stdio::null()
            };
            let output = if self.ends.output {
                Stdio::piped()
            } else {
                Stdio::inherit()
            };
            let spawned = Command::new(&self.path)
                .args(&self.arguments)
                .stdin(input)
                .stdout(output)
                .process_group(0)
                .spawn()
                .map_err(|error| failed(error.to_string()))?;
            *child = Some(spawned);
        }
        child
            .as_mut()
            .and_then(take)
            .ok_or_else(|| failed("its pipes are in use".into()))
    }

    fn terminate(&self) {
        if let Some(child) = self.lock().as_mut() {
            self.terminated.store(true, Ordering::SeqCst);
            signal(child, Signal::TERM);
        }
    }

    /// How it ended, within this time.
    fn status(&self, patience: Duration) -> Result<Option<ExitStatus>, StageError> {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.lock().as_mut().map(Child::try_wait);
            match status.transpose() {
                Ok(Some(None)) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
                Ok(status) => return Ok(status.flatten()),
                Err(error) => {
                    let path = self.path.display();
                    return Err(StageError::Failed(format!(
                        "{path} cannot be waited for: {error}"
                    )));
                }
            }
        }
    }

    fn judge(&self, status: ExitStatus) -> StageResult {
        match status.success() || self.terminated.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(StageError::Failed(format!(
                "{} has failed: {status}",
                self.path.display()
            ))),
        }
    }

    /// Its streams have ended: wait for it. Whoever does not end by itself is ended.
    fn wait(&self) -> StageResult {
        if self.lock().is_none() {
            return Ok(());
        }
        for next in [Signal::TERM, Signal::KILL] {
            if let Some(status) = self.status(PATIENCE)? {
                return self.judge(status);
            }
            if let Some(child) = self.lock().as_mut() {
                signal(child, next);
            }
        }
        Err(StageError::Failed(format!(
            "{} did not end after its streams had ended, and was killed",
            self.path.display()
        )))
    }

    /// An error of its stream, with how the program ended if that explains it.
    fn explained(&self, error: StageError) -> StageError {
        let status = self.status(LOOK_AGAIN * 10).ok().flatten();
        match status.map(|status| self.judge(status)) {
            Some(Err(why)) => StageError::Failed(format!("{error}; {why}")),
            _ => error,
        }
    }
}

/// Not after it was waited for: the number may be another's by then.
fn signal(child: &mut Child, signal: Signal) {
    if let (Ok(None), Some(pid)) = (child.try_wait(), Pid::from_raw(child.id() as i32)) {
        let _ = kill_process_group(pid, signal);
    }
}

impl Drop for Program {
    /// A flow that could not be started leaves no program behind.
    fn drop(&mut self) {
        self.terminate();
        if let Some(child) = self.lock().as_mut() {
            let _ = child.wait();
        }
    }
}

/// The half that events go into.
struct InputHalf {
    program: Arc<Program>,
    outlet: Option<Arc<StreamOutlet>>,
    pipe: Option<std::os::fd::OwnedFd>,
}

impl Sink for InputHalf {
    fn start(&mut self) -> StageResult {
        let pipe = self.program.started(|child| child.stdin.take())?;
        self.pipe = Some(pipe.into());
        Ok(())
    }

    fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
        // Only without an outlet: batches go there.
        let why = format!("the input of {} cannot be written", self.program.path.display());
        Err(SinkError::reject(0, why))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn outlet(&mut self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        let name = &self.program.name;
        let options = OutletOptions::new(Identity::of_stage("run"), Reply::Unix(None));
        let outlet = Arc::new(StreamOutlet::open(self.pipe.take()?, options, stop).ok()?);
        self.outlet = Some(outlet.clone());
        Some(Arc::new(Resend::over(outlet, name, stop)))
    }

    fn stop(&mut self) -> StageResult {
        if let Some(outlet) = self.outlet.take() {
            outlet.close();
        }
        match self.program.ends.output {
            // The other half waits for it.
            true => Ok(()),
            false => self.program.wait(),
        }
    }
}

/// The half that events come out of.
struct OutputHalf {
    program: Arc<Program>,
    intake: Option<Intake>,
}

impl OutputHalf {
    fn take(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let Some(intake) = &mut self.intake else {
            return Ok(Status::Finished);
        };
        let step = intake.step(to);
        match step.map_err(|error| self.program.explained(error))? {
            Taken::Some => Ok(Status::Ready),
            Taken::End => {
                intake.finish(to);
                Ok(Status::Finished)
            }
        }
    }
}

impl PollableSource for OutputHalf {
    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let pipe = self.program.started(|child| child.stdout.take())?;
        let name = format!("the output of {}", self.program.path.display());
        let options = InletOptions::new(Identity::of_stage("run"), &name);
        let inlet = StreamInlet::open(pipe.into(), options, to.stop())?;
        self.intake = Some(Intake::new(inlet, &name));
        Ok(())
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        self.take(to)
    }

    fn hand_on_rest(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        if to.stop().is_stopping() {
            // In the middle its input ends; at the head somebody must tell it.
            if !self.program.ends.input {
                self.program.terminate();
            }
            while self.take(to)? == Status::Ready {}
        }
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        if let Some(intake) = self.intake.take() {
            intake.join();
        }
        self.program.wait()
    }
}

/// A program at the head of a flow.
pub fn source(name: &str, path: PathBuf, arguments: &[String]) -> Box<dyn PollableSource> {
    let ends = Ends {
        input: false,
        output: true,
    };
    Box::new(OutputHalf {
        program: Program::new(name, path, arguments, ends),
        intake: None,
    })
}

/// A program at the end of a flow.
pub fn sink(name: &str, path: PathBuf, arguments: &[String]) -> Box<dyn Sink> {
    let ends = Ends {
        input: true,
        output: false,
    };
    Box::new(InputHalf {
        program: Program::new(name, path, arguments, ends),
        outlet: None,
        pipe: None,
    })
}

/// A program in the middle: the half that events go into, and the half that they come out of.
pub fn middle(name: &str, path: PathBuf, arguments: &[String]) -> (Box<dyn Sink>, Box<dyn PollableSource>) {
    let ends = Ends {
        input: true,
        output: true,
    };
    let program = Program::new(name, path, arguments, ends);
    let into = InputHalf {
        program: program.clone(),
        outlet: None,
        pipe: None,
    };
    (
        Box::new(into),
        Box::new(OutputHalf {
            program,
            intake: None,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Board, Durability, Flow, Options, Part};
    use crate::link::Window;
    use crate::metrics::Count;
    use crate::stage::Source;
    use crate::wire::{Compression, LIMIT};

    fn options() -> Options {
        crate::say::be_quiet();
        Options {
            durability: Durability::EndToEnd,
            window: Window::default(),
            reply_timeout: Duration::from_secs(20),
            takers: 1,
            reply_dir: None,
            compression: Compression::None,
            limit: LIMIT,
            rejected: None,
            stop: Stop::new(Duration::from_secs(20)).unwrap(),
        }
    }

    fn seq(events: u64) -> (String, Part) {
        let spec = crate::component::find(crate::source::ALL, "seq").unwrap();
        let source = spec.from_flags(&[format!("--total-events={events}")]).unwrap();
        ("source seq".into(), Part::Source(source))
    }

    fn null() -> (String, Part) {
        let spec = crate::component::find(crate::sink::ALL, "null").unwrap();
        ("sink null".into(), Part::Sink(spec.from_flags(&[]).unwrap()))
    }

    fn program(path: &str) -> (String, Part) {
        let (sink, source) = middle("intercept it", path.into(), &[]);
        ("intercept it".into(), Part::Program(sink, Source::Polled(source)))
    }

    #[test]
    fn acceptances_pass_a_program_in_the_middle() {
        let parts = vec![seq(5000), program("/bin/cat"), program("/bin/cat"), null()];
        let board = Board::default();
        assert_eq!(Flow { parts }.run(options(), &board), Ok(()));
        let all = board.all();
        let source = all
            .iter()
            .find(|counters| counters.name() == "source seq")
            .unwrap();
        assert_eq!(source.get(Count::EventAccepted), 5000);
        let sink = all
            .iter()
            .find(|counters| counters.name() == "sink null")
            .unwrap();
        assert_eq!(sink.get(Count::EventDrainSuccess), 5000);
    }

    #[test]
    fn program_that_fails_is_named_wherever_it_stands() {
        let at_the_end = (
            "sink it".into(),
            Part::Sink(sink("sink it", "/bin/false".into(), &[])),
        );
        for parts in [
            vec![seq(100_000), program("/bin/false"), null()],
            vec![seq(100_000), at_the_end],
        ] {
            let error = Flow { parts }.run(options(), &Board::default()).unwrap_err();
            assert!(error.to_string().contains("/bin/false has failed"), "{error}");
            assert_eq!(error.status(), 1);
        }
    }

    #[test]
    fn program_that_is_not_there_is_named() {
        let parts = vec![seq(1), program("/no/such/program"), null()];
        let error = Flow { parts }.run(options(), &Board::default()).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }
}
