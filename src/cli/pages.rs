//! The generated pages: manual, completions, and the tables of the README.
//!
//! They are drawn from one tree of all commands, which nothing else builds: a stage that starts builds its
//! own command only. The pages are committed and a test compares them; none depends on the environment, the
//! date or the version.

use super::parts::Component;
use super::{KINDS, TOOLS, help, parts, roff, stage};
use crate::component::{Setting, flag_of};
use crate::exit;
use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::PathBuf;

/// All files that are generated as a whole: paths below the top of the repository, and contents.
pub fn all() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    let mut tree = tree();
    tree.build();
    manual(&tree, &mut pages);
    let format = roff::page("flume-stream-format", "5", help::STREAM_FORMAT);
    pages.push(("man/flume-stream-format.5".into(), format));
    pages.push(("completions/flume.bash".into(), completions(Shell::Bash)));
    pages.push(("completions/_flume".into(), completions(Shell::Zsh)));
    pages
}

/// What stands in the README between `<!-- NAME -->` and `<!-- /NAME -->`: names and contents.
pub fn in_readme() -> Vec<(&'static str, String)> {
    let apart = |text: String| format!("\n{}\n\n", text.trim_end());
    vec![
        ("exit-status", apart(exit_status())),
        ("reference", apart(reference())),
    ]
}

/// All commands.
fn tree() -> Command {
    let mut root = Command::new("flume")
        .about("Collect, buffer, route and deliver events through pipes with acknowledgements")
        .long_about(
            "Each KIND NAME is a stage of a shell pipeline. An event leaves one stage only when the next has \
             taken responsibility for it.",
        )
        .override_usage("flume KIND NAME [OPTIONS]\n       flume TOOL [ARGUMENTS]")
        .disable_help_subcommand(true)
        .subcommand_required(true);
    for kind in KINDS {
        let mut command = Command::new(*kind)
            .about(help::about(kind).trim_end_matches('.'))
            .override_usage(format!("flume {kind} NAME [OPTIONS]"))
            .disable_help_subcommand(true)
            .subcommand_required(true);
        for name in parts::names(kind) {
            command = command.subcommands(stage::whole_command(kind, name));
        }
        root = root.subcommand(command);
    }
    root.subcommands(TOOLS.iter().map(|tool| (tool.command)()))
        .mut_subcommand("help", |help| completing(help, "topic", help::topics()))
        .mut_subcommand("list", |list| completing(list, "kind", KINDS.to_vec()))
}

/// The command with words that a shell offers for an argument. The command itself gives better hints for a
/// word that is none of them than clap would.
fn completing(command: Command, arg: &'static str, words: Vec<&'static str>) -> Command {
    command.mut_arg(arg, |arg| {
        arg.value_parser(PossibleValuesParser::new(words))
            .hide_possible_values(true)
    })
}

/// What a shell reads to complete our words.
pub fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut tree(), "flume", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The pages of a command and of all below it.
fn manual(command: &Command, pages: &mut Vec<(PathBuf, String)>) {
    let name = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .to_string();
    let page = manual_page(command, &name);
    pages.push((format!("man/{name}.1").into(), page));
    for below in command.get_subcommands() {
        manual(below, pages);
    }
}

fn manual_page(command: &Command, name: &str) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_string();
    let man = Man::new(command.clone().override_usage(usage)).section("1");
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = write_page(&man, command, name, &mut page);
    let page = String::from_utf8_lossy(&page);
    // Each part that clap renders begins with a definition of the apostrophe; one is enough.
    let is_preamble = |line: &&str| line.starts_with(".ie \\n(.g") || line.starts_with(".el .ds Aq");
    let lines = page.lines().filter(|line| !is_preamble(line));
    let body: String = lines.map(|line| line.trim_end().to_string() + "\n").collect();
    format!("{}{body}", roff::title(name, "1"))
}

fn write_page(man: &Man, command: &Command, name: &str, out: &mut Vec<u8>) -> io::Result<()> {
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    if let Some(examples) = command.get_after_help() {
        let text = examples.to_string();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("  "))
            .map(str::trim_start);
        writeln!(out, ".SH EXAMPLES")?;
        writeln!(out, "{}", roff::block(&lines.collect::<Vec<_>>().join("\n")))?;
    }
    if name == "flume" {
        writeln!(out, ".SH EXAMPLES")?;
        writeln!(out, "{}", roff::block(help::BEGIN))?;
    }
    writeln!(out, ".SH \"EXIT STATUS\"")?;
    for (status, meaning) in exit::TABLE {
        writeln!(out, ".TP\n{status}\n{}", roff::inline(meaning))?;
    }
    let above = match name.rsplit_once('-') {
        Some((above, _)) => format!("{above}(1), "),
        None => String::new(),
    };
    writeln!(
        out,
        ".SH \"SEE ALSO\"\n{}",
        roff::inline(&format!("{above}flume-stream-format(5)"))
    )
}

fn exit_status() -> String {
    let rows = exit::TABLE
        .iter()
        .map(|(status, meaning)| format!("| {status} | {meaning} |\n"));
    format!("| status | meaning |\n|---|---|\n{}", rows.collect::<String>())
}

fn reference() -> String {
    let mut text = String::new();
    for kind in KINDS {
        for component in parts::table(kind) {
            text.push_str(&component_table(component));
        }
    }
    text
}

fn component_table(component: &dyn Component) -> String {
    let (kind, name) = (component.kind(), component.name());
    let mut text = format!("#### {kind} {name}\n\n{}\n\n", component.sentence());
    let settings = component.settings();
    if settings.is_empty() {
        return text;
    }
    text.push_str("| setting | property | default | |\n|---|---|---|---|\n");
    settings
        .iter()
        .for_each(|setting| text.push_str(&setting_row(setting)));
    text.push('\n');
    text
}

fn setting_row(setting: &Setting) -> String {
    let flag = match (&setting.flag, &setting.value) {
        (None, Some(value)) => format!("`{value}` or `--{}`", flag_of(&setting.property)),
        (Some(flag), Some(value)) if setting.may_stand_alone => format!("`--{flag}[={value}]`"),
        (Some(flag), Some(value)) => format!("`--{flag} {value}`"),
        (flag, None) => format!("`--{}`", flag.as_deref().unwrap_or_default()),
    };
    let default = match (&setting.default, &setting.flumes) {
        (None, _) if setting.required => "required".to_string(),
        (None, _) => String::new(),
        (Some(default), None) => code(default),
        (Some(default), Some(flumes)) => format!("{}; in an agent {}", code(default), code(flumes)),
    };
    let words = match &setting.words[..] {
        [] => String::new(),
        words => format!(" One of {}.", words.join(", ")),
    };
    let cells = [
        flag,
        code(&setting.property),
        default,
        setting.sentence.clone() + &words,
    ];
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.join(" | "))
}

fn code(word: &str) -> String {
    match word {
        "" => "empty".to_string(),
        word => format!("`{word}`"),
    }
}
