//! `flume completions SHELL`: what makes the shell complete our words.

use super::{Ended, Tool, pages};
use clap::{CommandFactory, FromArgMatches, Parser};
use clap_complete::Shell;

/// The command.
pub const TOOL: Tool = Tool {
    name: "completions",
    command: Completions::command,
    run,
};

/// Print the completions for a shell.
///
/// bash: "source <(flume completions bash)" in ~/.bashrc. zsh: write them to a file _flume in a directory of
/// $fpath. fish: write them to ~/.config/fish/completions/flume.fish.
#[derive(Parser)]
#[command(name = "completions", bin_name = "flume completions", no_binary_name = true)]
struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

fn run(words: &[String]) -> Ended {
    let own = Completions::from_arg_matches(&Completions::command().try_get_matches_from(words)?)?;
    super::print(&pages::completions(match own.shell.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        _ => Shell::Fish,
    }))
}
