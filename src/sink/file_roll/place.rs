//! Where an event goes: a directory and the beginning of a name, which may both have escapes.

use super::NAME;
use super::names::{Manager, Names};
use crate::date::Zone;
use crate::event::EventRef;
use crate::path::{Escaped, EscapedPath, ExpandError, Rounding};
use crate::say;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Between the directory and the prefix in a key; neither has it.
const BORDER: u8 = 0;

/// Settings of directories and names.
#[derive(clap::Args)]
pub struct Place {
    /// Directory for the files; it is created with its parents. It may have escapes, as in
    /// ./out/%{host}/%Y-%m-%d: a header, or the time of the header "timestamp"; without that, the time now.
    #[arg(long, id = "sink.directory", value_name = "DIR", value_parser = EscapedPath::new)]
    directory: EscapedPath,
    /// How files are named: DEFAULT (milliseconds of the start, number) or ROLLTIME (local time, number).
    #[arg(long, id = "sink.pathManager", default_value = "DEFAULT", value_name = "NAME")]
    path_manager: String,
    /// What names begin with. It may have escapes, too.
    #[arg(
        long,
        id = "sink.pathManager.prefix",
        default_value = "",
        value_name = "TEXT",
        hide_default_value = true
    )]
    path_manager_prefix: String,
    /// What names end with, without the dot.
    #[arg(
        long,
        id = "sink.pathManager.extension",
        default_value = "",
        value_name = "TEXT",
        hide_default_value = true
    )]
    path_manager_extension: String,
    /// Cut the times of escapes down to a multiple of the round value.
    #[arg(long, id = "sink.round")]
    round: bool,
    /// A multiple of how many units.
    #[arg(long, id = "sink.roundValue", default_value = "1", value_name = "COUNT")]
    round_value: u32,
    /// Unit to round to: second, minute or hour.
    #[arg(long, id = "sink.roundUnit", default_value = "second", value_name = "UNIT")]
    round_unit: String,
    /// Zone of the times of escapes, by Java's id, as Europe/Berlin or GMT+2; that of this machine without it.
    #[arg(long, id = "sink.timeZone", value_name = "ZONE")]
    time_zone: Option<Zone>,
    /// Take the time now for escapes, and not that of the event.
    #[arg(long, id = "sink.useLocalTimeStamp")]
    use_local_time_stamp: bool,
    #[arg(skip)]
    names: Option<Named>,
    #[arg(skip)]
    key: Vec<u8>,
    #[arg(skip)]
    has_warned: bool,
}

/// What names are made of.
struct Named {
    prefix: Escaped,
    names: Names,
}

impl Place {
    /// Read what is in the settings. An error is the property and a sentence.
    pub fn prepare(&mut self) -> Result<(), (&'static str, String)> {
        let of_names = |why| ("sink.pathManager", why);
        let manager = Manager::from_word(&self.path_manager).map_err(of_names)?;
        let mut prefix =
            Escaped::new(&self.path_manager_prefix).map_err(|why| ("sink.pathManager.prefix", why))?;
        let names =
            Names::new(manager, &self.path_manager_prefix, &self.path_manager_extension).map_err(of_names)?;
        let rounding = Rounding::new(self.round_value, &self.round_unit);
        let rounding = rounding.map_err(|why| ("sink.roundValue", why))?;
        if self.round {
            self.directory = self.directory.clone().rounded(rounding);
            prefix = prefix.rounded(rounding);
        }
        if let Some(zone) = &self.time_zone {
            self.directory = self.directory.clone().in_zone(zone.clone());
            prefix = prefix.in_zone(zone.clone());
        }
        self.names = Some(Named { prefix, names });
        Ok(())
    }

    /// The directory that all files are in or below.
    pub fn base(&self) -> &Path {
        self.directory.base()
    }

    /// All events go to one directory under one name.
    pub fn is_constant(&self) -> bool {
        let named = self.names.as_ref();
        self.directory.is_constant() && named.is_none_or(|named| named.prefix.is_constant())
    }

    /// Which files an event goes to.
    pub fn key(&mut self, event: EventRef<'_>) -> &[u8] {
        let now = self.use_local_time_stamp.then(now);
        if let Err(error) = self.try_key(event, now) {
            if !std::mem::replace(&mut self.has_warned, true) {
                say::warn(
                    NAME,
                    format!("{error}: it goes where the time now says, and so do others like it"),
                );
            }
            // With a time there is nothing that can fail.
            let _ = self.try_key(event, Some(self::now()));
        }
        &self.key
    }

    fn try_key(&mut self, event: EventRef<'_>, now: Option<i64>) -> Result<(), ExpandError> {
        self.key.clear();
        self.key.extend_from_slice(self.directory.below(event, now)?);
        self.key.push(BORDER);
        if let Some(named) = &mut self.names {
            self.key.extend(named.prefix.expand_component(event, now)?);
        }
        Ok(())
    }

    #[cfg(test)]
    pub fn take_names_of(&mut self, other: &Place) {
        let (named, other) = (self.names.as_mut().unwrap(), other.names.as_ref().unwrap());
        named.names = other.names.clone();
    }

    /// The directory of a key, and how its files are named.
    pub fn of(&self, key: &[u8]) -> Option<(PathBuf, Names)> {
        let named = self.names.as_ref()?;
        let border = key.iter().position(|byte| *byte == BORDER).unwrap_or(key.len());
        let directory = match &key[..border] {
            b"" => self.base().to_path_buf(),
            below => self.base().join(OsStr::from_bytes(below)),
        };
        let names = match key.get(border + 1..) {
            Some(prefix) => named.names.with_prefix(&String::from_utf8_lossy(prefix)),
            None => named.names.clone(),
        };
        Some((directory, names))
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
