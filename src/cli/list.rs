//! `flume list`: every component there is, those on the PATH too.

use super::{Ended, KINDS, Tool, parts};
use crate::component::nearest;
use crate::exit::StageError;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;

/// The command.
pub const TOOL: Tool = Tool {
    name: "list",
    command: List::command,
    run,
};

/// List the components, with those on the PATH.
#[derive(Parser)]
#[command(name = "list", bin_name = "flume list", no_binary_name = true)]
struct List {
    /// Only this kind: source, intercept, select, channel, group or sink.
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// How it is printed: aligned text, or a JSON object a line.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,
    /// As --output json.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// A line of the list.
#[derive(serde::Serialize)]
struct Row {
    kind: &'static str,
    name: String,
    aliases: &'static [&'static str],
    sentence: String,
    /// Of an executable on the PATH: where it is.
    path: Option<PathBuf>,
}

fn run(words: &[String]) -> Ended {
    let own = List::from_arg_matches(&List::command().try_get_matches_from(words)?)?;
    if let Some(kind) = own.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        let hint = match nearest(kind, KINDS.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("there are {}", KINDS.join(", ")),
        };
        return Err(StageError::Usage(format!("\"{kind}\" is no kind of component; {hint}")).into());
    }
    let kinds = KINDS
        .iter()
        .filter(|kind| own.kind.as_deref().is_none_or(|wanted| wanted == **kind));
    let rows: Vec<Row> = kinds.flat_map(|kind| rows(kind)).collect();
    match own.json || own.output == "json" {
        true => super::print(&json(&rows)),
        false => super::print(&text(&rows)),
    }
}

fn rows(kind: &'static str) -> Vec<Row> {
    let own = parts::table(kind).into_iter().map(|component| Row {
        kind,
        name: component.name().to_string(),
        aliases: component.aliases(),
        sentence: component.sentence(),
        path: None,
    });
    let external = parts::externals(kind).into_iter().map(|(name, path)| Row {
        kind,
        name,
        aliases: &[],
        sentence: format!("The executable {}.", path.display()),
        path: Some(path),
    });
    own.chain(external).collect()
}

fn json(rows: &[Row]) -> String {
    let lines = rows.iter().filter_map(|row| serde_json::to_string(row).ok());
    lines.map(|line| line + "\n").collect()
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let line = |row: &Row| {
        let also = match row.aliases {
            [] => String::new(),
            aliases => format!(" (also {})", aliases.join(", ")),
        };
        format!("{:9}  {:width$}  {}{also}\n", row.kind, row.name, row.sentence)
    };
    rows.iter().map(line).collect()
}
