//! The README's blocks work as they stand.

use crate::shell::{bash, told};

/// The ```sh blocks of a text, each with the number of its first line.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        if line.starts_with("```") {
            let start = lines.clone().next().map_or(0, |(index, _)| index + 1);
            let inside: Vec<&str> = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .collect();
            if line == "```sh" {
                blocks.push((start, inside.join("\n")));
            }
        }
    }
    blocks
}

#[test]
fn each_block_of_the_readme_runs_in_an_empty_directory() {
    let blocks = blocks(include_str!("../README.md"));
    assert!(
        blocks.len() >= 8,
        "the README has only {} blocks that can be run",
        blocks.len()
    );
    let mut failed = Vec::new();
    for (line, script) in blocks {
        let directory = tempfile::tempdir().unwrap();
        let output = bash(&script, directory.path(), &[]);
        if !output.status.success() {
            failed.push(format!("README.md:{line}\n{script}\n{}", told(&output)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n==========\n"));
}
