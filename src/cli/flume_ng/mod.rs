//! `flume-ng`: the commands of Apache Flume's launcher, with all of its options, on top of ours. Called by a link of
//! that name, or as `flume flume-ng ...`.

mod integrity;
mod java;
mod opts;

use super::configuration::with_two_dashes;
use super::{Ended, Tool, agent, print, send, version};
use crate::component::nearest;
use crate::exit::StageError;
use crate::say;
use clap::{Arg, ArgAction, Command};
use java::Launcher;
pub(super) use java::{is_of_java, logger_level, tell_ignored};
use std::path::Path;

/// The command.
pub const TOOL: Tool = Tool {
    name: "flume-ng",
    command: whole_command,
    run,
};

/// The name of a link to the program by which it is this command.
pub const LINK: &str = "flume-ng";

/// What is typed, for help and generated pages. What a word means is said in [`java`], which knows Java's options.
fn whole_command() -> Command {
    let about = "Run the commands of Apache Flume's launcher, such as scripts and units have them";
    Command::new("flume-ng")
        .bin_name("flume flume-ng")
        .about(about)
        .long_about(format!(
            "{about}.\n\nA link to flume with this name is this command. Options for Java's machine mean nothing \
             here; they are taken, and named in one line."
        ))
        .override_usage("flume-ng COMMAND [OPTIONS]")
        .disable_help_subcommand(true)
        .subcommand(global(
            Command::new("agent")
                .about("Run an agent: flume agent, whose options it has")
                .visible_alias("node"),
        ))
        .subcommand(global(avro_client()))
        .subcommand(
            Command::new("tool")
                .about("Tools for maintenance")
                .disable_help_subcommand(true)
                .subcommand(global(integrity::command())),
        )
        .subcommand(Command::new("version").about("Print the version"))
        .subcommand(Command::new("help").about("Print help"))
}

/// The options of the launcher.
fn global(command: Command) -> Command {
    let taken = |id: &'static str, long: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id)
            .long(long)
            .value_name(value)
            .help(help)
            .help_heading("Launcher")
    };
    command
        .arg(
            taken(
                "conf",
                "conf",
                "DIR",
                "Directory of flume-env.sh, which is not run: what it sets is told",
            )
            .short('c'),
        )
        .arg(taken("classpath", "classpath", "PATH", "Ignored: there is no Java here").short('C'))
        .arg(taken(
            "plugins-path",
            "plugins-path",
            "DIRS",
            "Ignored: there is no Java here",
        ))
        .arg(
            taken("dryrun", "dryrun", "", "Print what would run, and do not run it")
                .short('d')
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("define")
                .short('D')
                .value_name("KEY=VALUE")
                .help("A setting, as Java's system properties")
                .help_heading("Launcher")
                .action(ArgAction::Append),
        )
}

fn avro_client() -> Command {
    let option = |long: &'static str, value: &'static str, help: &'static str| {
        Arg::new(long).long(long).value_name(value).help(help)
    };
    Command::new("avro-client")
        .about("Send lines to an Avro source: flume send, whose options it has")
        .arg(
            option(
                "rpcProps",
                "FILE",
                "Flume's client properties, instead of host and port",
            )
            .short('P'),
        )
        .arg(option("host", "HOST", "Host of the Avro source").short('H'))
        .arg(option("port", "PORT", "Its port").short('p'))
        .arg(option("filename", "FILE", "File of lines; without it standard input").short('F'))
        .arg(option(
            "dirname",
            "DIR",
            "Send the files of this directory, which get the suffix .COMPLETED",
        ))
        .arg(option("headerFile", "FILE", "Properties that are headers of every event").short('R'))
}

fn run(words: &[String]) -> Ended {
    let Some((first, rest)) = words.split_first() else {
        help()?;
        return Err(StageError::Usage("a command is missing: see above".into()).into());
    };
    match first.as_str() {
        "agent" | "node" => run_agent(first, rest),
        "avro-client" => run_client(rest),
        "tool" => run_tool(rest),
        "version" | "--version" => (version::TOOL.run)(&[]),
        "help" | "--help" | "-h" => help(),
        other => Err(unknown(other).into()),
    }
}

fn unknown(word: &str) -> StageError {
    let known = ["agent", "avro-client", "tool", "version", "help"];
    let hint = match nearest(word, known) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are {}", known.join(", ")),
    };
    StageError::Usage(format!("\"{word}\" is no command of flume-ng; {hint}"))
}

fn help() -> Ended {
    let mut command = whole_command().bin_name("flume-ng");
    print(&command.render_help().to_string())
}

/// Help about one of the commands, if it is asked for.
fn asks_for_help(words: &[String]) -> bool {
    words
        .iter()
        .any(|word| word == "--help" || word == "-h" || word == "-help")
}

fn help_of(path: &[&str]) -> Ended {
    let mut command = whole_command();
    for name in path {
        command = command.find_subcommand(name).cloned().unwrap_or(command);
    }
    let mut command = command.bin_name(format!("flume-ng {}", path.join(" ")));
    print(&command.render_help().to_string())
}

fn run_agent(command: &str, words: &[String]) -> Ended {
    if asks_for_help(words) {
        return (agent::TOOL.run)(&["--help".into()]);
    }
    if command == "node" {
        say::warn("flume-ng", "node is an old name of agent");
    }
    let launcher = Launcher::parse(words)?;
    let mut own = with_two_dashes(&launcher.rest);
    opts::add_defaults(Path::new(opts::FILE), &mut own)?;
    own.extend(launcher.defined.iter().map(|pair| format!("-D{pair}")));
    launcher.tell();
    launcher.go("agent", agent::TOOL.run, own)
}

fn run_client(words: &[String]) -> Ended {
    if asks_for_help(words) {
        return help_of(&["avro-client"]);
    }
    let launcher = Launcher::parse(words)?;
    let own = client_words(&launcher.rest);
    launcher.tell();
    launcher.go("send", send::TOOL.run, own)
}

/// In the words of `flume send`. Lines end as Java's reader has it, and those of a directory are cut as Flume's spooling
/// reader cuts them.
fn client_words(words: &[String]) -> Vec<String> {
    const LONG: &[&str] = &["rpcProps", "host", "port", "filename", "dirname", "headerFile"];
    let rewritten = words.iter().map(|word| {
        let name = word.split('=').next().unwrap_or(word);
        match name.strip_prefix('-') {
            Some(rest) if LONG.contains(&rest) => format!("-{word}"),
            _ => word.clone(),
        }
    });
    let mut own: Vec<String> = rewritten.collect();
    let has = |name: &str| own.iter().any(|word| word.split('=').next() == Some(name));
    let is_directory = has("--dirname");
    own.extend(["--line-end", "any"].map(String::from));
    if is_directory {
        own.extend(["--max-line-length", "2048"].map(String::from));
    }
    own
}

fn run_tool(words: &[String]) -> Ended {
    let Some((first, rest)) = words.split_first() else {
        return Err(StageError::Usage("a tool is missing: there is fcintegritytool".into()).into());
    };
    match first.to_ascii_lowercase().as_str() {
        "fcintegritytool" if asks_for_help(rest) => help_of(&["tool", "fcintegritytool"]),
        "fcintegritytool" => {
            let launcher = Launcher::parse(rest)?;
            launcher.tell();
            integrity::run(&launcher)
        }
        "--help" | "-h" | "help" => help_of(&["tool"]),
        other => Err(StageError::Usage(format!("\"{other}\" is no tool; there is fcintegritytool")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_avro_client_are_those_of_send() {
        let words = ["-H", "h", "-port", "1", "-filename=x"].map(String::from);
        let expected = ["-H", "h", "--port", "1", "--filename=x", "--line-end", "any"];
        assert_eq!(client_words(&words), expected);
        let words = ["--dirname=d"].map(String::from);
        let expected = ["--dirname=d", "--line-end", "any", "--max-line-length", "2048"];
        assert_eq!(client_words(&words), expected);
    }
}
