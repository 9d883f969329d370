//! Logical groups: servers and clients that know each other by the name of a group instead of by hosts.
//!
//! A file says which servers a group has and how clients share them out:
//!
//! ```text
//! logs.mode = round-robin
//! logs.servers = one two
//! logs.servers.one = tls:one.example:4545
//! logs.servers.two = tls:two.example:4545
//! ```
//!
//! A server in the group listens on the first of its addresses that belongs to this host and is free.

use super::Address;
use super::address::Listener;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Which of several servers a batch goes to.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The first one; when it fails, the next.
    Failover,
    /// Each time the next one.
    RoundRobin,
    /// The one with the fewest unaccepted batches.
    LeastLoaded,
    /// All of them.
    FanOut,
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = clap::ValueEnum::to_possible_value(self);
        out.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// A group as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// How clients share its servers out.
    pub mode: Mode,
    /// Its servers, in the order of the file.
    pub servers: Vec<Address>,
}

impl Group {
    /// Look a group up in this file, or in the one that is there: `$XDG_CONFIG_HOME/flume/groups`, then
    /// `/etc/flume/groups`. The error is a sentence.
    pub fn find(name: &str, file: Option<&Path>) -> Result<Group, String> {
        let file = match file {
            Some(file) => file.to_path_buf(),
            None => usual_file()?,
        };
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("the groups file {} cannot be read: {error}", file.display()))?;
        parse(&text, name).map_err(|why| format!("{}: {why}", file.display()))
    }

    /// Listen where a server of this group may on this host: where that is.
    pub fn listen(&self) -> Result<(Address, Listener), String> {
        let mut said = Vec::new();
        for address in &self.servers {
            match address.listen() {
                Ok(listener) => return Ok((address.clone(), listener)),
                Err(error) => said.push(format!("{address}: {error}")),
            }
        }
        Err(format!(
            "none of the group's addresses can be listened on here: {}",
            said.join("; ")
        ))
    }
}

fn usual_file() -> Result<PathBuf, String> {
    let own = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    let places = [own, Some("/etc".into())];
    let files = places
        .into_iter()
        .flatten()
        .map(|place| place.join("flume/groups"));
    let files: Vec<_> = files.collect();
    match files.iter().find(|file| file.exists()) {
        Some(file) => Ok(file.clone()),
        None => {
            let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            Err(format!(
                "there is no groups file ({}); --groups-file names one",
                names.join(", ")
            ))
        }
    }
}

fn parse(text: &str, group: &str) -> Result<Group, String> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| format!("line {}: \"{line}\" is not NAME = VALUE", index + 1))?;
        values.insert(key.trim(), value.trim());
    }
    let value = |key: String| values.get(key.as_str()).copied();
    let Some(servers) = value(format!("{group}.servers")) else {
        let groups = values.keys().filter_map(|key| key.strip_suffix(".servers"));
        let groups: Vec<_> = groups.collect();
        return Err(format!(
            "there is no group \"{group}\"; there are: {}",
            groups.join(", ")
        ));
    };
    let mode = value(format!("{group}.mode")).unwrap_or("failover");
    let mode = <Mode as clap::ValueEnum>::from_str(mode, true).map_err(|_| {
        format!("{group}.mode is \"{mode}\"; there are failover, round-robin, least-loaded and fan-out")
    })?;
    let servers: Result<Vec<_>, String> = servers
        .split([' ', ',', '\t'])
        .filter(|name| !name.is_empty())
        .map(|name| {
            let key = format!("{group}.servers.{name}");
            let address = value(key.clone()).ok_or_else(|| format!("{key} is missing"))?;
            address.parse().map_err(|why| format!("{key}: {why}"))
        })
        .collect();
    match servers? {
        servers if servers.is_empty() => Err(format!("{group}.servers names no server")),
        servers => Ok(Group { mode, servers }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\nlogs.mode = least-loaded\nlogs.servers = a b\nlogs.servers.a = tcp:a:1\n\
                        logs.servers.b = unix:/b\nplain.servers = x\nplain.servers.x=tls:x:2\n";

    fn check(text: &str, group: &str, expected: Result<(Mode, usize), &str>) {
        match (parse(text, group), expected) {
            (Ok(found), Ok(expected)) => assert_eq!((found.mode, found.servers.len()), expected),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn file_says_who_is_in_a_group() {
        check(FILE, "logs", Ok((Mode::LeastLoaded, 2)));
        check(FILE, "plain", Ok((Mode::Failover, 1)));
        check(
            FILE,
            "other",
            Err("there is no group \"other\"; there are: logs, plain"),
        );
        check("g.servers = a", "g", Err("g.servers.a is missing"));
        check(
            "g.servers = a\ng.servers.a = a:1",
            "g",
            Err("g.servers.a: \"a:\" is not a way"),
        );
        check("g.servers =", "g", Err("names no server"));
        check(
            "g.servers = a\ng.servers.a = tcp:a:1\ng.mode = any",
            "g",
            Err("g.mode is \"any\""),
        );
        check("nonsense", "g", Err("line 1"));
    }

    #[test]
    fn server_listens_where_it_can() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let group = Group {
            mode: Mode::Failover,
            // The first address is reserved for examples: no host has it.
            servers: vec![
                Address::Tcp("192.0.2.1".into(), 4545),
                Address::Unix(path.clone()),
            ],
        };
        let (address, listener) = group.listen().unwrap();
        assert_eq!(address, Address::Unix(path));
        let why = group.listen().err().unwrap();
        assert!(
            why.contains("192.0.2.1") && why.contains("in use by another listener"),
            "{why}"
        );
        drop(listener);
    }
}
