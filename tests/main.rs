//! All tests that need the program: one binary, so that it links once. Each file states facts about one
//! side of it; `pipe` is the language that they are written in.

mod agent;
mod avro;
mod bad_input;
mod bad_usage;
mod by_hand;
mod channel_tools;
mod chaos;
mod client;
mod containers;
mod crash;
mod ends;
mod examples;
mod fan_out;
mod generated;
mod http;
mod launcher;
mod listeners;
mod monitor;
mod net;
mod over_pipes;
mod pages;
mod pipe;
mod provided;
mod races;
mod readme;
mod regrouped;
mod shell;
mod spooldir;
mod sql;
mod stdin;
mod surroundings;
mod syslog;
mod taildir;
mod words;

/// A file that nobody names here would be forgotten without a word.
#[test]
fn no_test_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or(&name);
        let folder_of_one = std::path::Path::new(folder).join(&name).join("mod.rs").exists();
        if module != "main" && (module != name || folder_of_one) {
            let line = format!("mod {module};");
            assert!(
                include_str!("main.rs").contains(&line),
                "tests/main.rs has no line \"{line}\""
            );
        }
    }
}
