//! URIs of properties: files and what HTTP servers give (Flume's `UriConfigurationProvider`).

use super::http::{Credentials, Remote};
use super::{Provider, check_form, files};
use crate::agent::config::Text;
use crate::say;
use crate::stop::Stop;
use crate::value::percent_decoded;
use std::path::PathBuf;
use std::time::Duration;

/// How often a file is looked at.
const POLL_FILES: Duration = Duration::from_secs(30);
/// How often a server is asked.
const POLL_HTTP: Duration = Duration::from_secs(300);

/// See the module.
pub struct Uris {
    items: Vec<Item>,
    poll: Duration,
    /// What was fetched while a change was waited for was not given out yet.
    is_fresh: bool,
}

enum Item {
    File(PathBuf, files::Stamp),
    Http(Box<Remote>),
}

impl Uris {
    /// These URIs, in which later ones win, asked each `poll`: by itself each 30 s, or 300 s if one is HTTP.
    ///
    /// Errors: a sentence about a URI that cannot be.
    pub fn new(
        uris: &[String],
        credentials: Option<&Credentials>,
        poll: Option<Duration>,
    ) -> Result<Uris, String> {
        let items = uris.iter().map(|uri| Item::new(uri, credentials));
        let items: Vec<Item> = items.collect::<Result<_, _>>()?;
        let is_http = items.iter().any(|item| matches!(item, Item::Http(_)));
        let usual = if is_http { POLL_HTTP } else { POLL_FILES };
        Ok(Uris {
            items,
            poll: poll.unwrap_or(usual),
            is_fresh: false,
        })
    }
}

impl Item {
    fn new(uri: &str, credentials: Option<&Credentials>) -> Result<Item, String> {
        let (scheme, rest) = uri.split_once(':').unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                check_form(uri)?;
                // file:///path and file:/path, as Java has both; a host is none but this one.
                let path = rest.strip_prefix("//localhost/").map(|path| format!("/{path}"));
                let path = path.unwrap_or_else(|| rest.strip_prefix("//").unwrap_or(rest).to_string());
                match path.starts_with('/') {
                    true => Ok(Item::File(percent_decoded(&path).into(), None)),
                    false => Err(format!(
                        "{uri} has no absolute path: it is file:///etc/flume.conf"
                    )),
                }
            }
            "http" | "https" => Ok(Item::Http(Box::new(Remote::new(uri, credentials)?))),
            "classpath" => Err(format!(
                "{uri}: there is no class path here; give the file itself, with file:///PATH or --conf-file"
            )),
            _ => Err(format!(
                "{uri} is no URI of a configuration: it is file:///PATH, http://HOST/PATH or https://HOST/PATH"
            )),
        }
    }

    fn name(&self) -> String {
        match self {
            Item::File(path, _) => path.display().to_string(),
            Item::Http(remote) => remote.uri().to_string(),
        }
    }

    /// Look whether it has changed.
    fn poll(&mut self) -> Result<bool, String> {
        match self {
            Item::File(path, seen) => {
                let now = files::stamp(path);
                Ok(now.is_some() && now != *seen)
            }
            Item::Http(remote) => remote.fetch(),
        }
    }

    fn text(&mut self, is_fresh: bool) -> Result<Text, String> {
        let name = self.name();
        let bytes = match self {
            Item::File(path, seen) => {
                *seen = files::stamp(path);
                std::fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?
            }
            Item::Http(remote) => {
                if !(is_fresh && remote.body().is_some()) {
                    remote.fetch()?;
                }
                let body = remote.body().map(<[u8]>::to_vec);
                body.ok_or_else(|| format!("{name} gave nothing"))?
            }
        };
        Ok(Text {
            name: name.into(),
            bytes,
        })
    }
}

impl Provider for Uris {
    fn load(&mut self) -> Result<Vec<Text>, String> {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        self.items.iter_mut().map(|item| item.text(is_fresh)).collect()
    }

    fn wait_changed(&mut self, stop: &Stop) -> bool {
        while !stop.sleep(self.poll) {
            let mut is_changed = false;
            for item in &mut self.items {
                match item.poll() {
                    Ok(changed) => is_changed |= changed,
                    Err(why) => say::warn("agent", format!("{why}; what runs goes on")),
                }
            }
            if is_changed {
                self.is_fresh = true;
                return true;
            }
        }
        false
    }

    fn describe(&self) -> String {
        let names: Vec<_> = self.items.iter().map(Item::name).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, expected: Result<&str, &str>) {
        match (Uris::new(&[uri.into()], None, None), expected) {
            (Ok(uris), Ok(name)) => assert_eq!(uris.describe(), name),
            (Err(found), Err(part)) => assert!(found.contains(part), "{uri}: {found}"),
            (found, expected) => panic!("{uri}: {:?}, not {expected:?}", found.map(|uris| uris.describe())),
        }
    }

    #[test]
    fn uri_is_a_file_or_of_a_server() {
        check("file:///etc/a%20b.conf", Ok("/etc/a b.conf"));
        check("file:/etc/a.conf", Ok("/etc/a.conf"));
        check("FILE://localhost/etc/a%.conf", Ok("/etc/a%.conf"));
        check("http://h:1/a.conf", Ok("http://h:1/a.conf"));
        check("file:a.conf", Err("absolute"));
        check("file:///a.json", Err("a.json"));
        check("https://h/a.yaml", Err("a.yaml"));
        check("classpath:///a.conf", Err("no class path"));
        check("a.conf", Err("file:///PATH"));
        check("ftp://h/a.conf", Err("file:///PATH"));
        check("http://", Err("http://"));
        check("http://me:secret@h/a", Err("--conf-user"));
    }

    #[test]
    fn server_is_asked_less_often_than_a_file_is_looked_at() {
        let poll = |uri: &str, given| Uris::new(&[uri.into()], None, given).unwrap().poll;
        assert_eq!(poll("file:///a", None), POLL_FILES);
        assert_eq!(poll("http://h/a", None), POLL_HTTP);
        let one = Duration::from_secs(1);
        assert_eq!(poll("http://h/a", Some(one)), one);
    }

    #[test]
    fn file_of_a_uri_is_read_and_followed() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("a.conf");
        std::fs::write(&path, "a = 1").unwrap();
        let uri = format!("file://{}", path.display());
        let mut uris = Uris::new(&[uri], None, Some(Duration::from_millis(5))).unwrap();
        assert_eq!(uris.load().unwrap()[0].bytes, b"a = 1");
        let writer = std::thread::spawn(move || std::fs::write(path, "a = 22"));
        assert!(uris.wait_changed(&Stop::new(Duration::ZERO).unwrap()));
        writer.join().unwrap().unwrap();
        assert_eq!(uris.load().unwrap()[0].bytes, b"a = 22");
    }
}
