//! What is added to an error of the command line when the word that has no place is a file.

use crate::wire;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::io::Read;

/// The error with a tip, if one fits to what `stage` does.
pub fn with_tip(mut error: clap::Error, stage: &str) -> clap::Error {
    let place = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::ValueValidation => ContextKind::InvalidValue,
        _ => return error,
    };
    if let Some(ContextValue::String(word)) = error.get(place)
        && let Some(tip) = tip(stage, word)
    {
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// The tip for a word that has no place there.
pub fn tip(stage: &str, word: &str) -> Option<String> {
    if !std::fs::metadata(word).is_ok_and(|found| found.is_file()) {
        return None;
    }
    let recording = is_recording(word);
    match (stage, recording) {
        ("send", true) => Some(format!(
            "{word} is a recording, and the address comes first: \"flume send ADDRESS {word} --format stream\""
        )),
        ("send", false) => Some(format!(
            "{word} is a file, and the address comes first: \"flume send ADDRESS {word}\""
        )),
        ("source stdin", false) => Some(format!("a file is read as standard input: \"< {word}\"")),
        (stage, true) if stage.starts_with("source ") => Some(format!(
            "{word} is a recording: \"flume replay {word}\" plays it as a stream"
        )),
        (_, true) => Some(format!(
            "{word} is a recording: it is read as standard input, \"< {word}\", or played by \"flume replay {word}\""
        )),
        _ => None,
    }
}

fn is_recording(path: &str) -> bool {
    let mut magic = [0; wire::MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == wire::MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tips_are_for_files_that_have_another_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("a.flm"), b"FLM1 and more").unwrap();
        std::fs::write(path("a.log"), b"a line").unwrap();
        let check = |stage: &str, name: &str, expected: Option<&str>| {
            let found = tip(stage, &path(name));
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(part)) if found.contains(part) => {}
                _ => panic!("{stage} {name}: {found:?}"),
            }
        };
        check("source stream", "a.flm", Some("\"flume replay "));
        check("source stream", "a.log", None);
        check("source stdin", "a.log", Some("\"< "));
        check("send", "a.flm", Some("--format stream"));
        check("send", "a.log", Some("flume send ADDRESS "));
        check("sink null", "a.flm", Some("\"< "));
        check("sink null", "missing", None);
        check("sink null", ".", None);
    }
}
