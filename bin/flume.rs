//! The program: words in, exit status out.

use flume::cli::{self, flume_ng};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words: Vec<_> = std::env::args_os().collect();
    let called = words.first().and_then(|word| Path::new(word).file_name());
    // By a link of that name it is the launcher of Apache Flume.
    match called.is_some_and(|name| name == flume_ng::LINK) {
        true => words[0] = flume_ng::LINK.into(),
        false => drop(words.drain(..words.len().min(1))),
    }
    cli::main(words)
}
