//! An executable `flume-config-NAME` on the PATH whose standard output is the configuration.

use super::Provider;
use crate::agent::config::Text;
use crate::external;
use crate::say;
use crate::stop::Stop;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of its messages that are repeated.
const TOLD: usize = 2000;

/// See the module.
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    poll: Duration,
    patience: Duration,
    /// What it said last.
    seen: Option<Vec<u8>>,
    /// That was not given out yet.
    is_fresh: bool,
}

impl Program {
    /// The provider `NAME` or `NAME:ARGUMENT`: run with the agent's name and the argument, and again each `poll`.
    ///
    /// Errors: a sentence; there is no such program.
    pub fn find(word: &str, agent: &str, poll: Duration) -> Result<Program, String> {
        let (name, argument) = match word.split_once(':') {
            Some((name, argument)) => (name, Some(argument.to_string())),
            None => (word, None),
        };
        let file = Some(format!("flume-config-{name}")).filter(|_| !name.contains('/'));
        let path = file.and_then(|file| external::on_the_path(&file));
        let path = path.ok_or_else(|| unknown(name))?;
        let mut arguments = vec![agent.to_string()];
        arguments.extend(argument);
        Ok(Program {
            path,
            arguments,
            poll,
            patience: PATIENCE,
            seen: None,
            is_fresh: false,
        })
    }

    fn run(&self) -> Result<Vec<u8>, String> {
        let shown = self.path.display();
        let child = Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = child.map_err(|error| format!("{shown} cannot be started: {error}"))?;
        let deadline = Instant::now() + self.patience;
        let read = collect(&mut child, deadline);
        if read.is_err() {
            // It and what it has started: none of them is waited for any longer.
            let id = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
        let status = child.wait().map_err(|error| format!("{shown}: {error}"))?;
        let (out, err) = read.map_err(|why| format!("{shown} {why}"))?;
        match status.success() {
            true => Ok(out),
            false => {
                let end = err.len().saturating_sub(TOLD);
                let said = String::from_utf8_lossy(&err[end..]);
                let said = match said.trim() {
                    "" => "it said nothing on standard error".to_string(),
                    said => format!("it said: {said}"),
                };
                Err(format!("{shown} has failed ({status}); {said}"))
            }
        }
    }
}

/// Both of its outputs to their ends.
fn collect(child: &mut Child, deadline: Instant) -> Result<(Vec<u8>, Vec<u8>), String> {
    let reading = |stream: Option<Box<dyn Read + Send>>| -> Result<Receiver<_>, String> {
        let (tell, told) = channel();
        let mut stream = stream.ok_or("has no output")?;
        let read = move || {
            let mut all = Vec::new();
            let read = stream.read_to_end(&mut all);
            // Nobody waits for it any more after a time-out.
            let _ = tell.send(read.map(|_| all));
        };
        std::thread::Builder::new()
            .name("flume-config-out".into())
            .spawn(read)
            .map_err(|error| format!("cannot be read: {error}"))?;
        Ok(told)
    };
    let out = child.stdout.take().map(|stream| Box::new(stream) as _);
    let err = child.stderr.take().map(|stream| Box::new(stream) as _);
    let (out, err) = (reading(out)?, reading(err)?);
    let whole = |told: Receiver<std::io::Result<Vec<u8>>>| {
        let left = deadline.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(Ok(all)) => Ok(all),
            Ok(Err(error)) => Err(format!("cannot be read: {error}")),
            Err(RecvTimeoutError::Timeout) => {
                Err("does not come to its end in time, and was ended".to_string())
            }
            Err(RecvTimeoutError::Disconnected) => Err("cannot be read".to_string()),
        }
    };
    Ok((whole(out)?, whole(err)?))
}

fn unknown(name: &str) -> String {
    let how = "a provider is an executable flume-config-NAME on the PATH that prints properties";
    match name.contains('.') || name.contains('/') {
        true => format!(
            "\"{name}\" cannot be loaded: there is no Java here; {how}, called as --conf-provider NAME"
        ),
        false => format!("there is no executable flume-config-{name} on the PATH; {how}"),
    }
}

impl Provider for Program {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        let fresh = self.seen.take().filter(|_| std::mem::take(&mut self.is_fresh));
        let bytes = match fresh {
            Some(fresh) => fresh,
            None => self.run()?,
        };
        self.seen = Some(bytes.clone());
        Ok(vec![Text {
            name: self.describe().into(),
            bytes,
        }])
    }

    fn wait_changed(&mut self, stop: &Stop) -> bool {
        while !stop.sleep(self.poll) {
            match self.run() {
                Ok(out) if self.seen.as_ref() != Some(&out) => {
                    self.seen = Some(out);
                    self.is_fresh = true;
                    return true;
                }
                Ok(_) => {}
                Err(why) => say::warn("agent", format!("{why}; what runs goes on")),
            }
        }
        false
    }

    fn describe(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn program(directory: &std::path::Path, script: &str) -> Program {
        let path = directory.join("flume-config-x");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Program {
            path,
            arguments: vec!["a1".into(), "more".into()],
            poll: Duration::from_millis(5),
            patience: Duration::from_secs(20),
            seen: None,
            is_fresh: false,
        }
    }

    #[test]
    fn its_output_is_the_configuration_and_is_followed() {
        let at = tempfile::tempdir().unwrap();
        let file = at.path().join("value");
        std::fs::write(&file, "1").unwrap();
        let mut own = program(at.path(), &format!("echo \"$1.$2 = $(cat {})\"", file.display()));
        assert_eq!(own.load().unwrap()[0].bytes, b"a1.more = 1\n");
        let new = at.path().join("new");
        std::fs::write(&new, "2").unwrap();
        let mover = std::thread::spawn(move || std::fs::rename(new, file));
        assert!(own.wait_changed(&Stop::new(Duration::ZERO).unwrap()));
        mover.join().unwrap().unwrap();
        assert_eq!(own.load().unwrap()[0].bytes, b"a1.more = 2\n");
    }

    #[test]
    fn one_that_fails_or_hangs_is_named_with_what_it_said() {
        let at = tempfile::tempdir().unwrap();
        let error = program(at.path(), "echo no such host >&2; exit 3")
            .load()
            .unwrap_err();
        assert!(
            error.contains("flume-config-x has failed") && error.contains("no such host"),
            "{error}"
        );
        let mut hanging = program(at.path(), "sleep 1000 & wait");
        hanging.patience = Duration::from_millis(50);
        let error = hanging.load().unwrap_err();
        assert!(error.contains("does not come to its end"), "{error}");
    }

    #[test]
    fn class_of_java_is_told_to_be_impossible() {
        let why = |word| Program::find(word, "a1", PATIENCE).err().unwrap();
        assert!(why("com.example.Config").contains("no Java here"));
        assert!(why("nobody-has-it:x").contains("flume-config-nobody-has-it on the PATH"));
    }
}
