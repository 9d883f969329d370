//! `flume version`: the program's version and the stream format's.

use super::{Ended, Tool};
use crate::wire;
use clap::{CommandFactory, FromArgMatches, Parser};

/// The command.
pub const TOOL: Tool = Tool {
    name: "version",
    command: Version::command,
    run,
};

/// Print the versions of the program and of the stream format that it speaks.
#[derive(Parser)]
#[command(name = "version", bin_name = "flume version", no_binary_name = true)]
struct Version {
    /// How it is printed.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,
    /// As --output json.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

fn run(words: &[String]) -> Ended {
    let own = Version::from_arg_matches(&Version::command().try_get_matches_from(words)?)?;
    super::print(&text(own.json || own.output == "json"))
}

fn text(json: bool) -> String {
    let (version, format) = (env!("CARGO_PKG_VERSION"), wire::VERSION);
    match json {
        true => {
            let object = serde_json::json!({"name": "flume", "version": version, "stream_format": format});
            format!("{object}\n")
        }
        false => format!("flume {version} (stream format {format})\n"),
    }
}
