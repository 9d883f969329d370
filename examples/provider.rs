//! An agent with a provider of our own: its configuration is all files *.conf of a directory, in the order of their
//! names, and it is followed when one is added, changed or removed.
//!
//!     provider AGENT DIRECTORY

use flume::agent::config::Text;
use flume::agent::engine::Options;
use flume::agent::host::{Host, Settings};
use flume::agent::provider::Provider;
use flume::stop::Stop;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

struct Directory {
    path: PathBuf,
    seen: BTreeMap<PathBuf, Vec<u8>>,
}

impl Directory {
    fn read(&self) -> std::io::Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "conf") {
                found.insert(path.clone(), std::fs::read(path)?);
            }
        }
        Ok(found)
    }
}

impl Provider for Directory {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        let found = self.read();
        self.seen = found.map_err(|error| format!("{}: {error}", self.path.display()))?;
        let texts = self.seen.iter().map(|(path, bytes)| Text {
            name: path.display().to_string().into(),
            bytes: bytes.clone(),
        });
        Ok(texts.collect())
    }

    fn wait_changed(&mut self, stop: &Stop) -> bool {
        while !stop.sleep(Duration::from_secs(1)) {
            // One that cannot be read is looked at again: what runs goes on.
            if self.read().is_ok_and(|found| found != self.seen) {
                return true;
            }
        }
        false
    }

    fn describe(&self) -> String {
        format!("{}/*.conf", self.path.display())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(name), Some(path)) = (words.next(), words.next()) else {
        return Err("usage: provider AGENT DIRECTORY".into());
    };
    let settings = Settings {
        name,
        system: Vec::new(),
        strict: true,
    };
    let provider = Directory {
        path: path.into(),
        seen: BTreeMap::new(),
    };
    let options = Options::default();
    let stop = Stop::new(options.lifecycle_timeout)?;
    let host = Host::start(settings, Box::new(provider), options, &stop)?;
    // Until its sources have come to their ends; a service would wait for a signal.
    host.engine().wait_finished();
    stop.stop();
    match host.engine().stop() {
        true => Ok(()),
        false => Err("not everything was stopped in order".into()),
    }
}
