//! Pipelines as one expression: stages of ours and foreign programs, joined by real pipes.
//!
//! ```ignore
//! Pipe::new("source seq --total-events 10")
//!     .then("intercept static --key a --value b")
//!     .then_foreign("cat")
//!     .then("sink null --summary json")
//!     .run()
//!     .expect_status([0, 0, 0, 0]);
//! ```
//!
//! Each pipeline has a directory of its own, in which it runs. None outlives its patience: then all of it is
//! killed, and the test fails with what each stage said.

mod collected;
mod ended;
mod running;

pub use collected::Collected;
pub use ended::Ended;
pub use running::Running;

use std::ffi::OsString;
use std::fs::File;
use std::io::{PipeReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program under test.
pub const FLUME: &str = env!("CARGO_BIN_EXE_flume");
/// How long a pipeline may take unless it was told more: far more than any needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pipeline that has not started.
pub struct Pipe {
    stages: Vec<Stage>,
    input: Input,
    output: Option<Stdio>,
    directory: Directory,
    environment: Vec<(OsString, OsString)>,
    patience: Duration,
}

struct Stage {
    /// As it is typed.
    words: String,
    command: Command,
    /// Where standard error goes, if not to us.
    errors: Option<Stdio>,
}

enum Input {
    /// The first stage's words are all it needs.
    Nothing,
    /// Bytes in a pipe, then its end.
    Bytes(Vec<u8>),
    /// Whatever the test opened.
    From(Stdio),
}

enum Directory {
    Own(TempDir),
    Given(PathBuf),
}

impl Directory {
    fn path(&self) -> &Path {
        match self {
            Directory::Own(directory) => directory.path(),
            Directory::Given(path) => path,
        }
    }
}

impl Pipe {
    fn empty() -> Pipe {
        Pipe {
            stages: Vec::new(),
            input: Input::Nothing,
            output: None,
            directory: Directory::Own(tempfile::tempdir().unwrap()),
            environment: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// A pipeline that begins with this stage of ours, in the words of the shell.
    pub fn new(words: &str) -> Pipe {
        Pipe::empty().then(words)
    }

    /// A pipeline that begins with a foreign program, in the words of the shell.
    pub fn foreign(words: &str) -> Pipe {
        Pipe::empty().then_foreign(words)
    }

    /// A stage of ours.
    pub fn then(self, words: &str) -> Pipe {
        let stages = flume::cli::words::stages(words).unwrap();
        assert_eq!(stages.len(), 1, "one stage at a time: {words}");
        let mut command = Command::new(FLUME);
        command.args(&stages[0]);
        self.stage(format!("flume {words}"), command)
    }

    /// A program of somebody else, in the words of the shell. `flume` is on its PATH.
    pub fn then_foreign(self, words: &str) -> Pipe {
        let mut command = Command::new("bash");
        command.arg("-c").arg(words);
        self.stage(words.to_string(), command)
    }

    fn stage(mut self, words: String, command: Command) -> Pipe {
        self.stages.push(Stage {
            words,
            command,
            errors: None,
        });
        self
    }

    /// What the first stage reads: these bytes through a pipe.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Pipe {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// What the first stage reads: a file, or the end of a pipe that the test holds.
    pub fn input_from(mut self, from: impl Into<OwnedFd>) -> Pipe {
        self.input = Input::From(from.into().into());
        self
    }

    /// Where the last stage writes.
    pub fn output_to(mut self, to: impl Into<OwnedFd>) -> Pipe {
        self.output = Some(to.into().into());
        self
    }

    /// The last stage writes to this file in the pipeline's directory.
    pub fn output_file(self, name: &str) -> Pipe {
        let file = File::create(self.path(name)).unwrap();
        self.output_to(file)
    }

    /// The last stage writes to a pipe that the test reads by itself.
    pub fn output_read(self) -> (Pipe, PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        (self.output_to(writer), reader)
    }

    /// Where standard error of the newest stage goes.
    pub fn errors_to(mut self, to: impl Into<OwnedFd>) -> Pipe {
        self.stages.last_mut().unwrap().errors = Some(to.into().into());
        self
    }

    /// A variable in the environment of all stages.
    pub fn env(mut self, name: &str, value: &str) -> Pipe {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Run in this directory instead of one of its own.
    pub fn dir(mut self, directory: &Path) -> Pipe {
        self.directory = Directory::Given(directory.to_path_buf());
        self
    }

    /// How long all of it may take.
    pub fn patience(mut self, patience: Duration) -> Pipe {
        self.patience = patience;
        self
    }

    /// A file in the pipeline's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Put a file into the pipeline's directory.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Pipe {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    /// Start all stages.
    pub fn start(self) -> Running {
        let (mut next_input, feeding) = match self.input {
            Input::Nothing => (Stdio::null(), None),
            Input::From(from) => (from, None),
            Input::Bytes(bytes) => {
                let (reader, writer) = std::io::pipe().unwrap();
                (reader.into(), Some((writer, bytes)))
            }
        };
        let path = path_with_flume();
        let mut output = self.output;
        let mut started = running::Started::default();
        let count = self.stages.len();
        for (index, mut stage) in self.stages.into_iter().enumerate() {
            stage.command.stdin(next_input).env("PATH", &path);
            stage.command.current_dir(self.directory.path());
            stage.command.envs(self.environment.iter().cloned());
            next_input = Stdio::null();
            if index + 1 < count {
                let (reader, writer) = std::io::pipe().unwrap();
                stage.command.stdout(writer);
                next_input = reader.into();
            } else {
                stage.command.stdout(output.take().unwrap_or_else(Stdio::piped));
            }
            stage
                .command
                .stderr(stage.errors.unwrap_or_else(Stdio::piped))
                .process_group(0);
            started.spawn(stage.words, stage.command);
        }
        if let Some((mut writer, bytes)) = feeding {
            // A stage that ends early closes the pipe: that is its business.
            std::thread::spawn(move || writer.write_all(&bytes));
        }
        Running::new(started, self.directory, Instant::now() + self.patience)
    }

    /// Start all stages and wait for their end.
    pub fn run(self) -> Ended {
        self.start().wait()
    }
}

fn path_with_flume() -> OsString {
    let own = Path::new(FLUME).parent().unwrap().to_path_buf();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&rest))).unwrap()
}
