//! How an agent is watched, from its system properties `flume.monitoring.*`.

use super::Form;
use crate::component::nearest;
use crate::value::Seconds;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// Flume's port.
const PORT: u16 = 41_414;
/// What stands in front of each key.
const PREFIX: &str = "flume.monitoring.";

/// How an agent is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Config {
    /// By whoever asks over HTTP.
    Http(Http),
    /// By Ganglia, which is told.
    Ganglia(Ganglia),
}

/// An HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// What `/metrics` gives to whom asks for nothing else.
    pub form: Form,
    /// Where it listens.
    pub bind: String,
    /// The port; 0 for any.
    pub port: u16,
    /// The agent is not ready while its oldest unaccepted event is older; `None` for always ready.
    pub ready_limit: Option<Duration>,
    /// The agent is not alive while its oldest unaccepted event is older; `None` for always alive.
    pub live_limit: Option<Duration>,
}

/// Whom Ganglia's packets go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ganglia {
    /// `host:port` of each gmond.
    pub hosts: Vec<String>,
    /// How often.
    pub poll: Duration,
    /// In the form of Ganglia 3.0 and not 3.1.
    pub is_3_0: bool,
}

/// Keys by type.
const HTTP: &[&str] = &["bind", "port", "readyLimit", "liveLimit"];
const GANGLIA: &[&str] = &["hosts", "pollFrequency", "isGanglia3"];

impl Config {
    /// From an agent's system properties; nothing if it is not to be watched. `warn` is told what has no effect.
    ///
    /// Errors: a sentence that names the property; as in Flume the agent runs without.
    pub fn from_system_properties(
        system: &BTreeMap<String, String>,
        warn: &mut dyn FnMut(String),
    ) -> Result<Option<Config>, String> {
        let given = Given(system);
        let Some(kind) = given.get("type") else {
            return Ok(None);
        };
        let (config, keys) = match kind.to_ascii_lowercase().as_str() {
            "http" | "org.apache.flume.instrumentation.http.httpmetricsserver" => {
                (Config::Http(given.http(Form::Json)?), HTTP)
            }
            "prometheus" | "org.apache.flume.instrumentation.http.prometheushttpmetricsserver" => {
                (Config::Http(given.http(Form::Prometheus)?), HTTP)
            }
            "ganglia" | "org.apache.flume.instrumentation.gangliaserver" => {
                (Config::Ganglia(given.ganglia()?), GANGLIA)
            }
            _ => {
                return Err(format!(
                    "{PREFIX}type is \"{kind}\"; there are http, prometheus and ganglia, and classes of one's own are \
                     not loaded"
                ));
            }
        };
        given.warn_of_unknown(keys, warn);
        Ok(Some(config))
    }
}

struct Given<'a>(&'a BTreeMap<String, String>);

impl Given<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(&format!("{PREFIX}{key}"))?.trim();
        (!value.is_empty()).then_some(value)
    }

    fn read<T: FromStr>(&self, key: &str, what: &str) -> Result<Option<T>, String> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let read = value.parse().ok();
        read.map(Some)
            .ok_or_else(|| format!("{PREFIX}{key} is \"{value}\": {what} belongs there"))
    }

    fn time(&self, key: &str) -> Result<Option<Duration>, String> {
        let read = self.read::<Seconds>(key, "a time such as 60 (seconds), 500ms or 5m")?;
        Ok(read.map(|time| time.0))
    }

    /// 0 is no limit.
    fn limit(&self, key: &str, otherwise: Duration) -> Result<Option<Duration>, String> {
        let limit = self.time(key)?.unwrap_or(otherwise);
        Ok((!limit.is_zero()).then_some(limit))
    }

    fn http(&self, form: Form) -> Result<Http, String> {
        Ok(Http {
            form,
            bind: self.get("bind").unwrap_or("127.0.0.1").to_string(),
            port: self.read("port", "a port from 0 to 65535")?.unwrap_or(PORT),
            ready_limit: self.limit("readyLimit", Duration::from_secs(60))?,
            live_limit: self.limit("liveLimit", Duration::ZERO)?,
        })
    }

    fn ganglia(&self) -> Result<Ganglia, String> {
        let hosts = self.get("hosts").unwrap_or_default();
        let hosts: Vec<_> = hosts
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .collect();
        if hosts.is_empty() {
            return Err(format!(
                "{PREFIX}hosts is missing: where gmond listens, such as \"host:8649\", several with commas"
            ));
        }
        let has_port = |host: &&&str| {
            host.rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        };
        if let Some(wrong) = hosts.iter().find(|host| !has_port(host)) {
            return Err(format!("{PREFIX}hosts has \"{wrong}\": HOST:PORT belongs there"));
        }
        let poll = self.time("pollFrequency")?.unwrap_or(Duration::from_secs(60));
        Ok(Ganglia {
            hosts: hosts.iter().map(|host| host.to_string()).collect(),
            poll: poll.max(Duration::from_millis(10)),
            is_3_0: self
                .get("isGanglia3")
                .is_some_and(|word| word.eq_ignore_ascii_case("true")),
        })
    }

    fn warn_of_unknown(&self, keys: &[&'static str], warn: &mut dyn FnMut(String)) {
        let own = self.0.keys().filter_map(|key| key.strip_prefix(PREFIX));
        for key in own.filter(|key| *key != "type" && !keys.contains(key)) {
            let hint = nearest(key, keys.iter().copied());
            let hint = hint.map_or(String::new(), |near| format!("; did you mean {PREFIX}{near}?"));
            warn(format!("{PREFIX}{key} has no effect with this type{hint}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[(&str, &str)]) -> (Result<Option<Config>, String>, Vec<String>) {
        let system = words
            .iter()
            .map(|(key, value)| (format!("{PREFIX}{key}"), value.to_string()));
        let mut warnings = Vec::new();
        let config = Config::from_system_properties(&system.collect(), &mut |what| warnings.push(what));
        (config, warnings)
    }

    fn http(words: &[(&str, &str)]) -> Http {
        match read(words).0 {
            Ok(Some(Config::Http(http))) => http,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn agent_is_watched_only_if_it_was_told_to() {
        assert_eq!(read(&[]).0, Ok(None));
        assert_eq!(read(&[("port", "1")]).0, Ok(None));
        let default = http(&[("type", "HTTP")]);
        assert_eq!(
            (default.bind.as_str(), default.port, default.form),
            ("127.0.0.1", 41_414, Form::Json)
        );
        assert_eq!(
            (default.ready_limit, default.live_limit),
            (Some(Duration::from_secs(60)), None)
        );
        let own = http(&[
            ("type", "prometheus"),
            ("port", "0"),
            ("readyLimit", "0"),
            ("liveLimit", "5m"),
        ]);
        assert_eq!((own.port, own.form), (0, Form::Prometheus));
        assert_eq!(
            (own.ready_limit, own.live_limit),
            (None, Some(Duration::from_secs(300)))
        );
    }

    #[test]
    fn ganglia_is_told_whom_to_send_to() {
        let (config, _) = read(&[
            ("type", "ganglia"),
            ("hosts", "a:1, b:2"),
            ("pollFrequency", "5"),
            ("isGanglia3", "True"),
        ]);
        let expected = Ganglia {
            hosts: vec!["a:1".into(), "b:2".into()],
            poll: Duration::from_secs(5),
            is_3_0: true,
        };
        assert_eq!(config, Ok(Some(Config::Ganglia(expected))));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_property() {
        for (words, part) in [
            (
                &[("type", "my.Own")][..],
                "there are http, prometheus and ganglia",
            ),
            (
                &[("type", "http"), ("port", "99999")],
                "flume.monitoring.port is \"99999\"",
            ),
            (&[("type", "ganglia")], "flume.monitoring.hosts is missing"),
            (&[("type", "ganglia"), ("hosts", "a")], "HOST:PORT belongs there"),
        ] {
            let error = read(words).0.unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let (_, warnings) = read(&[("type", "http"), ("prot", "1")]);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].contains("did you mean flume.monitoring.port?"),
            "{warnings:?}"
        );
    }
}
