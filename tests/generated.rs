//! What is generated is up to date, the tables are well formed, and the sources keep to the project's rules.

use flume::cli::{KINDS, TOOLS, pages, parts};
use flume::component::{Setting, flag_of};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that implement a kind's trait and define no component: shared parts.
const SHARED: &[&str] = &[];

/// The traits by which a file of a kind defines a component.
fn traits(kind: &str) -> &'static [&'static str] {
    match kind {
        "source" => &["PollableSource", "EventDrivenSource"],
        "intercept" => &["Interceptor"],
        "select" => &["ChannelSelector"],
        "channel" => &["Settings"],
        "group" => &["SinkProcessor"],
        _ => &["Sink"],
    }
}

const TO: &str = "it is no list of names in a stage: each is the rest of a pipeline";

/// Flags that are not their property in kebab case: component, property, flag, and why.
const OTHER_FLAGS: &[(&str, &str, &str, &str)] = &[
    (
        "intercept regex_extractor",
        "serializers.*",
        "serializer",
        "--serializers is the list of their names",
    ),
    ("select replicating", "channels", "to", TO),
    ("select multiplexing", "channels", "to", TO),
    ("select load_balancing", "channels", "to", TO),
    (
        "select multiplexing",
        "selector.mapping.*",
        "case",
        "the word for it in a shell; --mapping is its other name",
    ),
    ("group default", "sinks", "to", TO),
    ("group failover", "sinks", "to", TO),
    ("group load_balance", "sinks", "to", TO),
    (
        "source taildir",
        "filegroups.*",
        "filegroup",
        "--filegroups is the list of their names",
    ),
    (
        "source taildir",
        "headers.*",
        "header",
        "it is one of them, as --filegroup is",
    ),
    (
        "source http",
        "handler.*",
        "handler-set",
        "--handler is the name of one",
    ),
    (
        "sink avro",
        "hosts.*",
        "host",
        "--hosts is the list of their names",
    ),
    (
        "sink file_roll",
        "sink.serializer.*",
        "serializer-set",
        "--serializer is its name",
    ),
    (
        "source spooldir",
        "deserializer.*",
        "deserializer-set",
        "--deserializer is its name",
    ),
];

/// Modules of the crate that a component does not know: its composition.
const ABOVE: &[&str] = &["cli", "flow", "agent"];

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a directory of the repository that have one of these extensions, sorted.
fn files(directory: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![top().join(directory)];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                waiting.push(path);
            } else if extensions.contains(&extension.unwrap_or("")) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn short(path: &Path) -> String {
    path.strip_prefix(top()).unwrap_or(path).display().to_string()
}

/// Fail with everything that was found, not only the first.
#[track_caller]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// Compare a generated file, or with UPDATE=1 write it.
fn compare(path: &Path, wanted: &str, stale: &mut Vec<String>) {
    if fs::read_to_string(path).is_ok_and(|found| found == wanted) {
        return;
    }
    if std::env::var_os("UPDATE").is_some_and(|word| word == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
    } else {
        stale.push(short(path));
    }
}

#[test]
fn generated_files_are_up_to_date() {
    let mut stale = Vec::new();
    let all = pages::all();
    for (path, text) in &all {
        compare(&top().join(path), text, &mut stale);
    }
    let readme = top().join("README.md");
    compare(&readme, &spliced(&read(&readme)), &mut stale);
    let known: BTreeSet<PathBuf> = all.iter().map(|(path, _)| top().join(path)).collect();
    for path in files("man", &["1", "5"])
        .into_iter()
        .filter(|path| !known.contains(path))
    {
        match std::env::var_os("UPDATE").is_some_and(|word| word == "1") {
            true => fs::remove_file(&path).unwrap(),
            false => stale.push(format!("{} (belongs to nothing)", short(&path))),
        }
    }
    none(
        "not up to date, write them with \"UPDATE=1 tests/run generated\"",
        stale,
    );
}

/// The README with its generated parts put between their markers.
fn spliced(readme: &str) -> String {
    let mut text = readme.to_string();
    for (name, part) in pages::in_readme() {
        let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let from = text
            .find(&open)
            .unwrap_or_else(|| panic!("README.md has no {open}"))
            + open.len();
        let to = text
            .find(&close)
            .unwrap_or_else(|| panic!("README.md has no {close}"));
        text.replace_range(from..to, &part);
    }
    text
}

fn settings() -> Vec<(String, Setting)> {
    let all = KINDS.iter().flat_map(|kind| parts::table(kind));
    all.flat_map(|component| {
        let name = format!("{} {}", component.kind(), component.name());
        component
            .settings()
            .into_iter()
            .map(move |setting| (name.clone(), setting))
    })
    .collect()
}

#[test]
fn names_are_words_and_stand_once() {
    let mut bad = Vec::new();
    for kind in KINDS {
        let mut seen = BTreeSet::new();
        for component in parts::table(kind) {
            let name = component.name();
            let is_word = name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !is_word || name.is_empty() {
                bad.push(format!("{kind} {name}: a name is lower case, digits and _"));
            }
            for name in std::iter::once(&name).chain(component.aliases()) {
                if !seen.insert(name.to_lowercase()) {
                    bad.push(format!("{kind} {name} stands twice"));
                }
            }
        }
    }
    let tools: BTreeSet<_> = TOOLS
        .iter()
        .map(|tool| tool.name)
        .chain(KINDS.iter().copied())
        .collect();
    assert_eq!(
        tools.len(),
        TOOLS.len() + KINDS.len(),
        "two commands have one name"
    );
    none("names", bad);
}

#[test]
fn each_flag_is_its_property_in_kebab_case() {
    let mut bad = Vec::new();
    let mut used = Vec::new();
    let mut seen = BTreeSet::new();
    for (component, setting) in settings() {
        let property = &setting.property;
        let flag = setting.flag.clone().unwrap_or_else(|| flag_of(property));
        let other = OTHER_FLAGS
            .iter()
            .find(|(c, p, ..)| *c == component && p == property);
        let wanted = other.map_or(flag_of(property), |(_, _, flag, _)| flag.to_string());
        used.extend(other);
        if flag != wanted {
            bad.push(format!(
                "{component}: {property} is --{flag}, --{wanted} would be right"
            ));
        }
        if !seen.insert((component.clone(), flag.clone())) {
            bad.push(format!("{component}: --{flag} stands twice"));
        }
    }
    // An exception that its component has outgrown must go.
    let is_there = |name: &str| seen.iter().any(|(component, _)| component == name);
    let unused = OTHER_FLAGS
        .iter()
        .filter(|other| is_there(other.0) && !used.contains(other));
    bad.extend(unused.map(|other| format!("{other:?} is no exception any more")));
    none("flags", bad);
}

#[test]
fn each_value_is_named_and_each_setting_has_a_sentence() {
    let mut bad = Vec::new();
    for (component, setting) in settings() {
        let Setting {
            property,
            value,
            sentence,
            ..
        } = setting;
        let is_named = value.is_none_or(|value| !value.contains(&property) && !value.is_empty());
        let begins = sentence
            .chars()
            .next()
            .is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
        if !is_named {
            bad.push(format!(
                "{component}: the value of {property} has no name: value_name = \"...\""
            ));
        }
        if !begins || sentence.len() < 8 {
            bad.push(format!("{component}: {property} has no sentence: \"{sentence}\""));
        }
    }
    for component in KINDS.iter().flat_map(|kind| parts::table(kind)) {
        if component.sentence().len() < 8 || component.sentence().starts_with("What every") {
            bad.push(format!("{} {}: no sentence", component.kind(), component.name()));
        }
    }
    for tool in TOOLS {
        let sentence = flume::cli::help::sentence(tool);
        if sentence.len() < 8 || sentence.starts_with("What ") {
            bad.push(format!("{}: no sentence of its own: \"{sentence}\"", tool.name));
        }
    }
    none("sentences", bad);
}

#[test]
fn doc_comment_of_each_setting_ends_with_a_full_stop() {
    let mut bad = Vec::new();
    for path in files("src", &["rs"]) {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.starts_with("#[arg("))
        {
            let above = lines[..index]
                .iter()
                .rfind(|line| !line.starts_with("#["))
                .unwrap_or(&"");
            let hidden = line.contains("skip");
            let is_sentence = above.starts_with("///") && above.ends_with('.');
            if !hidden && !is_sentence {
                bad.push(format!("{}:{}: {above}", short(&path), index + 1));
            }
        }
    }
    none("settings whose doc comment is no sentence", bad);
}

#[test]
fn each_component_is_in_its_table() {
    let mut bad = Vec::new();
    let mut found = 0;
    for kind in KINDS {
        let home = top().join("src").join(kind);
        let table = read(&home.join("mod.rs"));
        for path in files(&format!("src/{kind}"), &["rs"]) {
            let inside = path.strip_prefix(&home).unwrap();
            let module = inside
                .iter()
                .next()
                .unwrap()
                .to_str()
                .unwrap()
                .trim_end_matches(".rs");
            let code = without_tests(&path);
            let defines = code.lines().any(|line| {
                let implemented = line
                    .strip_prefix("impl ")
                    .and_then(|rest| rest.split_once(" for "));
                implemented.is_some_and(|(name, _)| traits(kind).contains(&name.rsplit("::").next().unwrap()))
            });
            if module == "mod" || !defines || SHARED.contains(&short(&path).as_str()) {
                continue;
            }
            found += 1;
            if !table.contains(&format!("<{module}::")) {
                bad.push(format!("{} has no row in src/{kind}/mod.rs", short(&path)));
            }
        }
    }
    none("components", bad);
    assert!(found >= 5, "only {found} components were found");
}

/// The code of a file without its unit tests.
fn without_tests(path: &Path) -> String {
    let text = read(path);
    text.split("#[cfg(test)]\nmod ").next().unwrap_or("").to_string()
}

#[test]
fn each_test_file_is_run() {
    let mut bad = Vec::new();
    for path in files("tests", &["rs"]) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let directory = path.parent().unwrap();
        let (name, above) = match stem {
            "main" => continue,
            "mod" => (
                directory.file_name().unwrap().to_str().unwrap(),
                directory.parent().unwrap(),
            ),
            stem => (stem, directory),
        };
        let root = [
            above.join("main.rs"),
            above.join("mod.rs"),
            above.with_extension("rs"),
        ]
        .into_iter()
        .find(|file| file.exists());
        let listed = root.is_some_and(|root| {
            read(&root)
                .lines()
                .any(|line| line.trim_start_matches("pub ") == format!("mod {name};"))
        });
        if !listed {
            bad.push(format!("{} is in no mod line", short(&path)));
        }
    }
    none("tests that nobody runs", bad);
}

#[test]
fn texts_are_ascii() {
    let directories = [
        "src",
        "bin",
        "tests",
        "examples",
        "benches",
        "docs",
        "man",
        "completions",
    ];
    let mut all: Vec<PathBuf> = directories
        .iter()
        .flat_map(|directory| files(directory, &["rs", "py", "md", "1", "5", "bash", "sh", "", "toml"]))
        .collect();
    all.extend(["README.md", "CHANGELOG.md", "Cargo.toml"].map(|file| top().join(file)));
    let mut bad = Vec::new();
    for path in all {
        let bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii()) {
            let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            bad.push(format!("{}:{line}", short(&path)));
        }
    }
    none("not ASCII", bad);
}

/// The path stands there, and is not the beginning of another one.
fn uses(code: &str, path: &str) -> bool {
    let mut behind = code.match_indices(path).map(|(at, _)| &code[at + path.len()..]);
    behind.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn components_know_neither_each_other_nor_their_composition() {
    let mut bad = Vec::new();
    for kind in KINDS {
        for path in files(&format!("src/{kind}"), &["rs"]) {
            let code = without_tests(&path);
            for other in KINDS.iter().chain(ABOVE).filter(|other| *other != kind) {
                if uses(&code, &format!("crate::{other}")) || uses(&code, &format!("super::super::{other}")) {
                    bad.push(format!("{} uses crate::{other}", short(&path)));
                }
            }
        }
    }
    none("layers", bad);
}
