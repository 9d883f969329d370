//! Help, list, version and completions, as a user meets them.

use crate::shell::{bash, output_of, told};
use std::path::Path;

fn at() -> &'static Path {
    Path::new("/")
}

/// A command that is wrong: status 2, and a message with the hint.
#[track_caller]
fn check_hint(words: &str, hint: &str) {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_flume"))
        .args(words.split_whitespace())
        .timeout(std::time::Duration::from_secs(20))
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicates::str::contains(hint));
}

#[test]
fn what_is_mistyped_is_told_with_the_nearest_word() {
    check_hint("", "flume help");
    check_hint("sorce seq", "did you mean \"source\"?");
    check_hint("seq", "did you mean \"source seq\"?");
    check_hint("source", "seq, spooldir");
    check_hint("source sew", "did you mean \"seq\"?");
    check_hint("sink seq", "it is a source");
    check_hint("source seq --total-event 3", "--total-events");
    check_hint("help memry", "did you mean \"memory\"?");
    check_hint("help stream-fromat", "did you mean \"stream-format\"?");
    check_hint("help a b c", "is too much");
    check_hint("list sinks", "did you mean \"sink\"?");
    check_hint("completions bsh", "bash");
    check_hint("version --output yaml", "json");
}

#[test]
fn help_of_a_thing_is_the_same_by_both_ways() {
    for (one, other) in [
        ("help", "--help"),
        ("help", "-h"),
        ("help source", "source --help"),
        ("help source seq", "source seq --help"),
        ("help seq", "source seq --help"),
        ("help run", "run --help"),
        ("version", "-V"),
        ("version", "--version"),
    ] {
        let (one_said, other_said) = (
            output_of(&format!("flume {one}"), at(), &[]),
            output_of(&format!("flume {other}"), at(), &[]),
        );
        assert_eq!(one_said, other_said, "{one} and {other}");
        assert!(one_said.len() > 20);
    }
}

#[test]
fn overview_names_every_component_and_every_tool() {
    let said = output_of("flume help", at(), &[]);
    let names = flume::cli::KINDS
        .iter()
        .flat_map(|kind| flume::cli::parts::names(kind));
    let tools = flume::cli::TOOLS.iter().map(|tool| tool.name);
    for name in names.chain(tools) {
        assert!(said.contains(name), "{name} is missing in {said}");
    }
}

#[test]
fn list_has_a_line_for_each_component_also_on_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let script = "printf '#!/bin/sh\\necho own \"$@\"\\n' > flume-sink-own; chmod +x flume-sink-own
                  touch flume-sink-no_program
                  flume list sink --json; flume help sink own; flume sink own a b";
    let said = output_of(script, directory.path(), &[directory.path()]);
    let lines: Vec<&str> = said.lines().collect();
    let (rows, own) = lines.split_at(lines.len() - 2);
    assert_eq!(own, ["own --help", "own a b"]);
    let names: Vec<String> = rows
        .iter()
        .map(|row| {
            serde_json::from_str::<serde_json::Value>(row).unwrap()["name"]
                .as_str()
                .unwrap()
                .to_string()
        })
        .collect();
    assert!(
        names.contains(&"null".to_string()) && names.last().unwrap() == "own",
        "{names:?}"
    );
    assert!(!names.contains(&"no_program".to_string()));
}

#[test]
fn version_names_the_stream_format() {
    let said = output_of("flume version; flume version --json", at(), &[]);
    let version = env!("CARGO_PKG_VERSION");
    let json = format!("{{\"name\":\"flume\",\"version\":\"{version}\",\"stream_format\":1}}");
    assert_eq!(said, format!("flume {version} (stream format 1)\n{json}\n"));
}

#[test]
fn reader_that_has_enough_is_no_failure_and_a_full_disk_is_one() {
    for words in [
        "help stream-format",
        "help",
        "list",
        "completions bash",
        "run --help",
    ] {
        // The reader is gone before the first byte, and standard error stays empty.
        let gone = bash(&format!("{{ sleep 0.1; flume {words}; }} | :"), at(), &[]);
        assert!(
            gone.status.success() && gone.stderr.is_empty(),
            "{words}: {}",
            told(&gone)
        );
        let full = bash(&format!("flume {words} > /dev/full"), at(), &[]);
        assert_eq!(full.status.code(), Some(1), "{words}: {}", told(&full));
        assert!(told(&full).contains("No space left"), "{words}: {}", told(&full));
    }
}

#[test]
fn colour_is_for_a_terminal_that_wants_it() {
    let coloured = |script: &str| output_of(script, at(), &[]).contains('\u{1b}');
    assert!(coloured("script -qec 'flume help' /dev/null"));
    assert!(coloured("script -qec 'flume source seq --help' /dev/null"));
    assert!(!coloured("NO_COLOR=1 script -qec 'flume help' /dev/null"));
    assert!(!coloured("flume help; flume source seq --help"));
}

#[test]
fn bash_completes_kinds_names_and_flags() {
    let complete = |words: &str| {
        let script = format!(
            "set +u; source <(flume completions bash); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
             _flume flume \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        output_of(&script, at(), &[]).trim().to_string()
    };
    assert_eq!(complete("flume sou"), "source");
    assert_eq!(complete("flume source se"), "seq");
    assert_eq!(complete("flume source seq --tot"), "--total-events");
    assert_eq!(complete("flume sink null --summary js"), "json");
    assert_eq!(complete("flume help stream-f"), "stream-format");
    assert_eq!(complete("flume list inter"), "intercept");
}

#[test]
fn cat_prints_one_json_object_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let script = "printf 'a\\nb\\n' | flume source stdin | flume cat --json";
    let said = output_of(script, directory.path(), &[]);
    let bodies: Vec<_> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["body"].clone())
        .collect();
    assert_eq!(bodies, ["a", "b"]);
}

#[test]
fn tool_in_a_pipeline_is_told_where_it_belongs() {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_flume"))
        .args(["run", "source seq | cat"])
        .timeout(std::time::Duration::from_secs(20))
        .assert()
        .code(2)
        .stderr(predicates::str::contains("flume run '...' | flume cat"));
    check_hint("source stdin --batch-size 0", "--batch-size");
}
