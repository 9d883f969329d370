//! The last configuration that was sound, kept in a directory for a start at which the real one is not there.
//!
//! It is kept as it was written, with its references and not with what they stand for: no secret that a filter or
//! the environment gives gets into the file.

use super::Provider;
use crate::agent::config::Text;
use crate::properties::{Entry, Properties, line};
use crate::say;
use crate::stop::Stop;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// See the module.
pub struct Backup<P> {
    inner: P,
    directory: PathBuf,
    path: PathBuf,
    /// What was given out, to be kept when it is taken.
    given: Option<String>,
    /// The real one was there once.
    was_there: bool,
}

impl<P: Provider> Backup<P> {
    /// What `inner` gives is kept in `DIRECTORY/.AGENT.properties`.
    ///
    /// Errors: a sentence; nothing can be kept there.
    pub fn new(inner: P, directory: PathBuf, agent: &str) -> Result<Backup<P>, String> {
        if agent.contains('/') {
            return Err(format!(
                "\"{agent}\" cannot be part of a file's name in --backup-directory"
            ));
        }
        if !directory.is_dir() {
            return Err(format!(
                "--backup-directory: {} is no directory",
                directory.display()
            ));
        }
        Ok(Backup {
            inner,
            path: directory.join(format!(".{agent}.properties")),
            directory,
            given: None,
            was_there: false,
        })
    }

    /// Never half of it, and for nobody else's eyes.
    fn keep(&self, text: &str) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let _ = fs::remove_file(&name);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&name)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&name, &self.path)?;
        fs::File::open(&self.directory)?.sync_all()
    }
}

/// All texts as one, in which each key is once; none if one of them cannot be read.
fn merged(texts: &[Text]) -> Option<String> {
    let mut all: Vec<Entry> = Vec::new();
    for text in texts {
        for entry in Properties::parse(&text.bytes).ok()?.entries() {
            match all.iter_mut().find(|known| known.key == entry.key) {
                Some(known) => known.value.clone_from(&entry.value),
                None => all.push(entry.clone()),
            }
        }
    }
    let names: Vec<_> = texts
        .iter()
        .map(|text| text.name.replace(['\n', '\r'], " "))
        .collect();
    let mut out = format!("# kept by flume agent from {}\n", names.join(", "));
    for Entry { key, value, .. } in all {
        out.push_str(&line(&key, &value));
    }
    Some(out)
}

impl<P: Provider> Provider for Backup<P> {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        match self.inner.load() {
            Ok(texts) => {
                self.was_there = true;
                self.given = merged(&texts);
                Ok(texts)
            }
            Err(why) if self.was_there => Err(why),
            Err(why) => {
                let shown = self.path.display().to_string();
                let bytes = fs::read(&self.path)
                    .map_err(|error| format!("{why}; and there is no backup: {shown}: {error}"))?;
                say::warn("agent", format!("{why}; what {shown} has kept is taken instead"));
                Ok(vec![Text {
                    name: shown.into(),
                    bytes,
                }])
            }
        }
    }

    fn wait_changed(&mut self, stop: &Stop) -> bool {
        self.inner.wait_changed(stop)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn taken(&mut self) {
        self.inner.taken();
        if let Some(Err(error)) = self.given.take().map(|text| self.keep(&text)) {
            let shown = self.path.display();
            say::warn(
                "agent",
                format!("the configuration cannot be kept in {shown}: {error}"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::provider::files::Files;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn what_was_taken_is_there_when_the_real_one_is_not() {
        say::be_quiet();
        let at = tempfile::tempdir().unwrap();
        let real = at.path().join("a.conf");
        let new = || {
            let files = Files::new(vec![real.clone()], Duration::from_millis(5));
            Backup::new(files, at.path().to_path_buf(), "a1").unwrap()
        };
        assert!(new().load().unwrap_err().contains("there is no backup"));
        fs::write(&real, "a = 1\nb = ${f['KEY']} \\\\ x\na = 2").unwrap();
        let mut backup = new();
        backup.load().unwrap();
        let kept = at.path().join(".a1.properties");
        assert!(!kept.exists());
        backup.taken();
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&real).unwrap();
        // What runs goes on; only a start needs it.
        assert!(backup.load().is_err());
        let texts = new().load().unwrap();
        let found = Properties::parse(&texts[0].bytes).unwrap();
        assert_eq!(
            (found.get("a"), found.get("b")),
            (Some("2"), Some("${f['KEY']} \\ x"))
        );
    }

    #[test]
    fn directory_that_is_none_is_told_before_anything_starts() {
        let files = || Files::new(Vec::new(), Duration::from_millis(5));
        let why = |directory: &str, agent| Backup::new(files(), directory.into(), agent).err().unwrap();
        assert!(why("/nowhere/x", "a1").contains("/nowhere/x is no directory"));
        assert!(why("/tmp", "a/1").contains("a/1"));
    }
}
