//! `/etc/flume/flume.opts`: options of the agent that hold where the command line does not give them. It is a file of
//! properties whose keys are the options' names, short or long.

use crate::exit::StageError;
use crate::properties::Properties;
use std::path::Path;

/// Where it is.
pub(super) const FILE: &str = "/etc/flume/flume.opts";

/// Short name, long name, whether a value follows.
const OPTIONS: &[(&str, &str, bool)] = &[
    ("n", "name", true),
    ("f", "conf-file", true),
    ("u", "conf-uri", true),
    ("a", "auth-provider", true),
    ("prov", "conf-provider", true),
    ("user", "conf-user", true),
    ("pwd", "conf-password", true),
    ("i", "poll-interval", true),
    ("b", "backup-directory", true),
    ("", "no-reload-conf", false),
    ("z", "zkConnString", true),
    ("p", "zkBasePath", true),
];

/// Add what the file says to the words of `flume agent`. A file that is not there says nothing.
pub(super) fn add_defaults(file: &Path, words: &mut Vec<String>) -> Result<(), StageError> {
    if !file.exists() {
        return Ok(());
    }
    let given = Properties::read(file).map_err(StageError::Usage)?;
    for entry in given.entries() {
        let key = entry.key.trim().trim_start_matches('-');
        let found = OPTIONS
            .iter()
            .find(|(short, long, _)| key == *long || !short.is_empty() && key == *short);
        let Some((short, long, has_value)) = found else {
            return Err(StageError::Usage(format!(
                "{}:{}: \"{key}\" is no option of flume-ng agent",
                file.display(),
                entry.line
            )));
        };
        // Of a repeated key the last counts.
        if given.line(&entry.key) != Some(entry.line) || is_given(words, short, long) {
            continue;
        }
        let value = entry.value.trim();
        if *has_value {
            words.push(format!("--{long}={value}"));
        } else if ["true", "yes", "1"]
            .iter()
            .any(|yes| value.eq_ignore_ascii_case(yes))
        {
            words.push(format!("--{long}"));
        }
    }
    Ok(())
}

fn is_given(words: &[String], short: &str, long: &str) -> bool {
    words.iter().any(|word| match word.strip_prefix("--") {
        Some(rest) => rest.split('=').next() == Some(long),
        None => short.len() == 1 && word.strip_prefix('-').is_some_and(|rest| rest.starts_with(short)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, words: &[&str]) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let added = add_defaults(file.path(), &mut words);
        added.map(|()| words).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_command_line_does_not_give_is_of_the_file() {
        let text = "name = a1\nf = /etc/a.conf\nno-reload-conf = true\nuser=me\n";
        let expected = [
            "--name=a1",
            "--conf-file=/etc/a.conf",
            "--no-reload-conf",
            "--conf-user=me",
        ];
        assert_eq!(with(text, &[]).unwrap(), expected);
        let given = ["-na2", "--conf-file", "b", "--no-reload-conf", "--conf-user=x"];
        assert_eq!(with(text, &given).unwrap(), given);
        assert_eq!(
            with("no-reload-conf = no\ni=1\ni=2", &[]).unwrap(),
            ["--poll-interval=2"]
        );
    }

    #[test]
    fn option_that_is_none_is_told_with_its_line() {
        assert!(with("n = a1\nnam = a1", &[]).unwrap_err().contains(":2: \"nam\""));
        assert!(add_defaults(Path::new("/nowhere/flume.opts"), &mut Vec::new()).is_ok());
    }
}
