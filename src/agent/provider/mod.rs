//! Where an agent's configuration comes from, and how it is noticed that it has changed.
//!
//! A provider of one's own implements [`Provider`] in a program that uses this library, or is an executable
//! `flume-config-NAME` on the PATH.

pub mod backup;
pub mod files;
pub mod http;
pub mod program;
pub mod uris;
#[cfg(feature = "zookeeper")]
pub mod zookeeper;

use super::config::Text;
use crate::stop::Stop;

/// Gives the texts of a configuration.
pub trait Provider: Send {
    /// The texts as they are now, in the order in which later ones win.
    ///
    /// Errors: a sentence that names what could not be read.
    fn load(&mut self) -> Result<Vec<Text>, String>;

    /// Wait until they may be different; false when the stop came first, or when they never will be.
    fn wait_changed(&mut self, stop: &Stop) -> bool;

    /// What is read, for messages.
    fn describe(&self) -> String;

    /// What was loaded last is sound, and runs now.
    fn taken(&mut self) {}

    /// `${...}` in its texts stays as it is, but for references to filters.
    fn keeps_variables(&self) -> bool {
        false
    }
}

impl<P: Provider + ?Sized> Provider for Box<P> {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        (**self).load()
    }

    fn wait_changed(&mut self, stop: &Stop) -> bool {
        (**self).wait_changed(stop)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn taken(&mut self) {
        (**self).taken();
    }

    fn keeps_variables(&self) -> bool {
        (**self).keeps_variables()
    }
}

/// A provider that is read once (`--no-reload-conf`).
pub struct Once<P>(pub P);

impl<P: Provider> Provider for Once<P> {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        self.0.load()
    }

    fn wait_changed(&mut self, _stop: &Stop) -> bool {
        false
    }

    fn describe(&self) -> String {
        self.0.describe()
    }

    fn taken(&mut self) {
        self.0.taken();
    }

    fn keeps_variables(&self) -> bool {
        self.0.keeps_variables()
    }
}

/// Names of other forms than properties, which Flume refuses too. Only what stands behind the last dot counts.
///
/// Errors: a sentence.
pub fn check_form(name: &str) -> Result<(), String> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let form = file.rsplit_once('.').map(|(_, form)| form.to_ascii_lowercase());
    match form.as_deref() {
        Some("json" | "yaml" | "yml" | "xml") => Err(format!(
            "{name} is no file of properties by its name: a configuration is KEY = VALUE lines, whatever \
             its name otherwise ends with"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check_form;

    #[test]
    fn only_the_last_ending_of_the_file_says_its_form() {
        for name in ["a.json", "/etc/flume/agent.v1.yaml", "http://h/x.XML", "a.yml"] {
            assert!(check_form(name).unwrap_err().contains(name), "{name}");
        }
        // Flume takes everything behind the first dot of the path.
        for name in [
            "a.json.conf",
            "/etc/conf.xml/flume",
            "./flume.conf",
            "http://h.xml/a",
            "json",
        ] {
            assert_eq!(check_form(name), Ok(()), "{name}");
        }
    }
}
