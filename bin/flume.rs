//! The program: words in, exit status out.

use std::process::ExitCode;

fn main() -> ExitCode {
    flume::cli::main(std::env::args_os().skip(1).collect())
}
