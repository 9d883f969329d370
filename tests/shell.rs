//! Scripts for bash, as a reader of our pages would type them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Seconds after which a script has hung.
const TIME_OUT: &str = "120";

/// Run a script in a directory. The PATH begins with `before` and the directory of `flume`.
pub fn bash(script: &str, directory: &Path, before: &[&Path]) -> Output {
    let flume = Path::new(env!("CARGO_BIN_EXE_flume"));
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let rest: Vec<PathBuf> = std::env::split_paths(&rest).collect();
    let own = before
        .iter()
        .copied()
        .chain(flume.parent())
        .map(Path::to_path_buf);
    let path = std::env::join_paths(own.chain(rest)).unwrap();
    Command::new("timeout")
        .args(["-k", "5", TIME_OUT, "bash", "-euo", "pipefail", "-c", script])
        .current_dir(directory)
        .env("PATH", path)
        .env_remove("FLUME_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("timeout and bash are there")
}

/// Both texts of a script that did not do what it should.
pub fn told(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!(
        "{}\n--- standard output\n{out}\n--- standard error\n{err}",
        output.status
    )
}

/// The standard output of a script that must end with status 0.
#[track_caller]
pub fn output_of(script: &str, directory: &Path, before: &[&Path]) -> String {
    let output = bash(script, directory, before);
    assert!(output.status.success(), "{script}\n{}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}
