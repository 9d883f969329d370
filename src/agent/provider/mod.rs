//! Where an agent's configuration comes from, and how it is noticed that it has changed.
//!
//! A provider of one's own implements [`Provider`] in a program that uses this library, or is an executable
//! `flume-config-NAME` on the PATH.

pub mod files;

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
}
