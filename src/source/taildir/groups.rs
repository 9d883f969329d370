//! File groups: a directory, taken as it stands, and a Java regular expression for the names in it.

use crate::pattern::Pattern;
use crate::say;
use crate::value::{Pair, Word};
use std::path::{Path, PathBuf};

/// The files that a pattern matches, and the headers of their events.
#[derive(Debug, Clone)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Where its files are.
    pub directory: PathBuf,
    /// What the whole name of a file matches.
    pub pattern: Pattern,
    /// Headers of its events.
    pub headers: Vec<(String, String)>,
}

impl Group {
    /// The group of a path whose last element is a pattern. The error is the end of a sentence.
    fn new(name: &str, path: &str) -> Result<Group, String> {
        let (directory, pattern) = match path.rsplit_once('/') {
            Some(("", pattern)) => ("/", pattern),
            Some(parts) => parts,
            None => (".", path),
        };
        if path.is_empty() {
            return Err(r"a path is empty: write one such as /var/log/app/.*\.log".into());
        }
        if pattern.is_empty() {
            return Err(format!(
                "\"{path}\" ends with a slash: behind the directory stands a pattern for its files, such as {path}.*"
            ));
        }
        let directory = std::path::absolute(expanded(directory))
            .map_err(|error| format!("\"{directory}\" is no directory: {error}"))?;
        let compiled =
            Pattern::whole(pattern).map_err(|error| format!("\"{path}\": {error}{}", hint(pattern)))?;
        Ok(Group {
            name: name.to_string(),
            directory,
            pattern: compiled,
            headers: Vec::new(),
        })
    }

    /// Does a file with this name belong to it?
    pub fn matches(&mut self, name: &[u8]) -> bool {
        self.pattern.is_match(name)
    }
}

/// People who know shells write a glob.
fn hint(pattern: &str) -> String {
    match pattern.strip_prefix('*') {
        Some(rest) => format!(
            "; it is a regular expression: for *{rest} write .*{}",
            rest.replace('.', r"\.")
        ),
        None => String::new(),
    }
}

/// A path in which `~/` at the beginning is the user's home.
pub fn expanded(path: &str) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => match (path, std::env::var_os("HOME")) {
            ("~", Some(home)) => PathBuf::from(home),
            _ => PathBuf::from(path),
        },
    }
}

/// The groups of a source: those that the list names, in its order, or without a list all that are defined; behind
/// them the paths that stand alone, whose names are 1, 2, 3 ...
///
/// With a source's name, what does nothing is told. Errors: a sentence that begins with the property.
pub fn groups(
    files: &[Word],
    list: Option<&str>,
    members: &[Pair],
    headers: &[Pair],
    source: Option<&str>,
) -> Result<Vec<Group>, String> {
    let named = match list {
        Some(list) => listed(list, members, source)?,
        None => members
            .iter()
            .map(|member| (&member.name[..], &member.value[..]))
            .collect(),
    };
    let mut groups = Vec::new();
    for (name, path) in named {
        groups.push(Group::new(name, path).map_err(|why| format!("filegroups.{name}: {why}"))?);
    }
    for (number, Word(path)) in (1..).zip(files) {
        groups.push(Group::new(&format!("{number}"), path).map_err(|why| format!("files: {why}"))?);
    }
    if groups.is_empty() {
        return Err(r"filegroups: there is no group: give the path of files, such as /var/log/app/.*\.log, or name a group and give it by filegroups.NAME".into());
    }
    for header in headers {
        add_header(header, &mut groups, source)?;
    }
    Ok(groups)
}

/// The members of a list with their paths.
fn listed<'a>(
    list: &'a str,
    members: &'a [Pair],
    source: Option<&str>,
) -> Result<Vec<(&'a str, &'a str)>, String> {
    let mut named: Vec<(&str, &str)> = Vec::new();
    for name in list.split_whitespace() {
        let member = members.iter().rfind(|member| member.name == name);
        let member = member.ok_or_else(|| {
            format!(
                r"filegroups.{name} is missing: it says where the files are, such as /var/log/app/.*\.log"
            )
        })?;
        if !named.iter().any(|(known, _)| *known == name) {
            named.push((name, &member.value));
        }
    }
    for Pair { name, .. } in members {
        if !named.iter().any(|(known, _)| known == name) {
            useless(
                source,
                format!("filegroups.{name} does nothing: the list filegroups has no \"{name}\""),
            );
        }
    }
    Ok(named)
}

/// Told at the start, and not each time that somebody looks whether the settings fit.
fn useless(source: Option<&str>, what: String) {
    if let Some(source) = source {
        say::warn(source, what);
    }
}

fn add_header(header: &Pair, groups: &mut [Group], source: Option<&str>) -> Result<(), String> {
    let Pair { name: path, value } = header;
    let (group, key) = path
        .split_once('.')
        .filter(|(_, key)| !key.is_empty())
        .ok_or_else(|| format!("headers.{path}: there is no GROUP.KEY; write headers.GROUP.KEY = VALUE"))?;
    match groups.iter_mut().find(|own| own.name == group) {
        Some(own) => {
            own.headers.retain(|(name, _)| name != key);
            own.headers.push((key.to_string(), value.clone()));
        }
        None => useless(
            source,
            format!("headers.{path} does nothing: there is no group \"{group}\""),
        ),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(text: &str) -> Pair {
        text.parse().unwrap()
    }

    fn made(
        files: &[&str],
        list: Option<&str>,
        members: &[&str],
        headers: &[&str],
    ) -> Result<Vec<Group>, String> {
        crate::say::be_quiet();
        let files: Vec<Word> = files.iter().map(|word| Word(word.to_string())).collect();
        let pairs = |texts: &[&str]| texts.iter().map(|text| pair(text)).collect::<Vec<_>>();
        groups(&files, list, &pairs(members), &pairs(headers), None)
    }

    #[test]
    fn last_element_is_a_pattern_for_whole_names_and_the_rest_a_directory() {
        let mut all = made(
            &[r"/var/l.g/app\d+\.log"],
            Some("b a"),
            &["a=/x/A", "b=rel/.*", "c=/y/C"],
            &[],
        )
        .unwrap();
        let names: Vec<_> = all.iter().map(|group| &group.name[..]).collect();
        assert_eq!(names, ["b", "a", "1"]);
        assert_eq!(all[0].directory, std::env::current_dir().unwrap().join("rel"));
        assert_eq!(all[2].directory, Path::new("/var/l.g"));
        for (name, is_one) in [("app17.log", true), ("app17.log.1", false), ("xapp1.log", false)] {
            assert_eq!(all[2].matches(name.as_bytes()), is_one, "{name}");
        }
        assert_eq!(
            made(&["/rooted"], None, &[], &[]).unwrap()[0].directory,
            Path::new("/")
        );
    }

    #[test]
    fn headers_belong_to_their_group_and_their_names_may_have_dots() {
        let all = made(
            &[],
            Some("a b"),
            &["a=/x/A", "b=/x/B"],
            &["a.k=1", "a.k.l=2", "b.k=3", "z.k=4"],
        )
        .unwrap();
        let headers = |at: usize| {
            all[at]
                .headers
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(headers(0), ["k=1", "k.l=2"]);
        assert_eq!(headers(1), ["k=3"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_property_and_what_would_be_right() {
        let check = |files: &[&str], list, members: &[&str], headers: &[&str], expected: &str| {
            let why = made(files, list, members, headers).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(&[], None, &[], &[], "filegroups: there is no group");
        check(&[], Some(" "), &[], &[], "filegroups: there is no group");
        check(&[], Some("a"), &[], &[], "filegroups.a is missing");
        check(&["/var/log/*.log"], None, &[], &[], r"for *.log write .*\.log");
        check(&[""], None, &[], &[], "a path is empty");
        check(&["/var/log/"], None, &[], &[], "ends with a slash");
        check(&[], Some("a"), &["a=/x/[a"], &[], "filegroups.a: \"/x/[a\"");
        check(&["/x/a"], None, &[], &["k=v"], "headers.GROUP.KEY");
    }
}
