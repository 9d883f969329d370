//! Where `flume agent` has its configuration from: Flume's options, and the provider that they ask for.

use crate::agent::provider::backup::Backup;
use crate::agent::provider::files::Files;
use crate::agent::provider::http::Credentials;
use crate::agent::provider::program::Program;
use crate::agent::provider::uris::Uris;
use crate::agent::provider::{Once, Provider, check_form};
use crate::exit::StageError;
use crate::say;
use crate::value::Seconds;
use std::path::PathBuf;
use std::time::Duration;

/// How often files are looked at, and programs asked.
const POLL: Duration = Duration::from_secs(30);

// No doc comment: clap would put it in the place of the sentence of the command that has these options.
#[derive(clap::Args)]
#[command(next_help_heading = "Configuration")]
#[allow(missing_docs)]
pub struct Configuration {
    /// The properties file; of several, later ones win.
    #[arg(long = "conf-file", short = 'f', value_name = "FILE")]
    conf_file: Vec<PathBuf>,
    /// Where the properties are, instead of a file: file:///PATH, http://HOST/PATH or https://HOST/PATH; of
    /// several, later ones win. A server is asked whether they have changed, and its name is checked.
    #[arg(long = "conf-uri", short = 'u', value_name = "URI")]
    conf_uri: Vec<String>,
    /// User for an HTTP server (also -user).
    #[arg(long, value_name = "NAME", requires = "conf_password")]
    conf_user: Option<String>,
    /// That user's password: file:PATH, env:NAME, fd:N or, for all to see, itself (also -pwd).
    #[arg(long, value_name = "SECRET", requires = "conf_user")]
    conf_password: Option<String>,
    /// A Java class of Flume's that signs requests: there is none here.
    #[arg(long, short = 'a', value_name = "CLASS", hide = true)]
    auth_provider: Option<String>,
    /// Run flume-config-NAME, an executable on the PATH, with the agent's name and ARG: what it prints are the
    /// properties (also -prov).
    #[arg(long, value_name = "NAME[:ARG]")]
    conf_provider: Option<String>,
    /// ZooKeeper's members, HOST:PORT,HOST:PORT...: the properties are the data of the node PATH/AGENT.
    #[arg(
        long = "zkConnString",
        alias = "zk-conn-string",
        short = 'z',
        value_name = "HOSTS"
    )]
    zk_conn_string: Option<String>,
    /// The node above those of the agents.
    #[arg(
        long = "zkBasePath",
        alias = "zk-base-path",
        short = 'p',
        value_name = "PATH",
        default_value = "/flume"
    )]
    zk_base_path: String,
    /// Read the configuration once, and do not look whether it changes.
    #[arg(long)]
    no_reload_conf: bool,
    /// How often to look whether the configuration has changed: 30 s without it, 300 s with an HTTP server.
    /// ZooKeeper tells by itself.
    #[arg(long, short = 'i', value_name = "TIME")]
    poll_interval: Option<Seconds>,
    /// Keep what ran last in DIR/.AGENT.properties, and start with it when the configuration cannot be read.
    #[arg(long, short = 'b', value_name = "DIR")]
    backup_directory: Option<PathBuf>,
}

impl Configuration {
    /// What reads it for this agent.
    pub fn provider(&self, agent: &str) -> Result<Box<dyn Provider>, StageError> {
        let provider = self.plain(agent).map_err(StageError::Usage)?;
        let provider: Box<dyn Provider> = match self.no_reload_conf {
            true => Box::new(Once(provider)),
            false => provider,
        };
        Ok(match &self.backup_directory {
            Some(directory) => {
                let backup = Backup::new(provider, directory.clone(), agent);
                Box::new(backup.map_err(StageError::Usage)?)
            }
            None => provider,
        })
    }

    /// In Flume's order: what comes first is used, and the others are ignored.
    fn plain(&self, agent: &str) -> Result<Box<dyn Provider>, String> {
        let given = [
            ("--zkConnString", self.zk_conn_string.is_some()),
            ("--conf-provider", self.conf_provider.is_some()),
            ("--conf-uri", !self.conf_uri.is_empty()),
            ("--conf-file", !self.conf_file.is_empty()),
        ];
        let given: Vec<_> = given.iter().filter(|(_, is_given)| *is_given).collect();
        let Some(((used, _), ignored)) = given.split_first() else {
            return Err(
                "a configuration is missing: give --conf-file FILE, --conf-uri URI, --conf-provider NAME or \
                 --zkConnString HOSTS"
                    .into(),
            );
        };
        if !ignored.is_empty() {
            let ignored: Vec<_> = ignored.iter().map(|(name, _)| *name).collect();
            let ignored = ignored.join(" and ");
            say::warn("agent", format!("{ignored} is ignored, since {used} is given"));
        }
        let poll = self.poll_interval.map(|poll| poll.0);
        Ok(match *used {
            "--zkConnString" => return self.zookeeper(agent),
            "--conf-provider" => {
                let name = self.conf_provider.as_deref().unwrap_or_default();
                Box::new(Program::find(name, agent, poll.unwrap_or(POLL))?)
            }
            "--conf-uri" => Box::new(Uris::new(&self.conf_uri, self.credentials()?.as_ref(), poll)?),
            _ => {
                for path in &self.conf_file {
                    check_form(&path.to_string_lossy())?;
                }
                Box::new(Files::new(self.conf_file.clone(), poll.unwrap_or(POLL)))
            }
        })
    }

    fn credentials(&self) -> Result<Option<Credentials>, String> {
        if let Some(class) = &self.auth_provider {
            return Err(format!(
                "--auth-provider {class} cannot be loaded: there is no Java here; there are --conf-user and \
                 --conf-password, and for anything else --conf-provider NAME, which runs flume-config-NAME"
            ));
        }
        match (&self.conf_user, &self.conf_password) {
            (Some(user), Some(password)) => Credentials::new(user, password).map(Some),
            _ => Ok(None),
        }
    }

    #[cfg(feature = "zookeeper")]
    fn zookeeper(&self, agent: &str) -> Result<Box<dyn Provider>, String> {
        use crate::agent::provider::zookeeper::ZooKeeper;
        let cluster = self.zk_conn_string.as_deref().unwrap_or_default();
        Ok(Box::new(ZooKeeper::new(cluster, &self.zk_base_path, agent)?))
    }

    #[cfg(not(feature = "zookeeper"))]
    fn zookeeper(&self, _agent: &str) -> Result<Box<dyn Provider>, String> {
        let _ = &self.zk_base_path;
        Err("--zkConnString: this program was built without the feature \"zookeeper\"".into())
    }
}

/// Java has options of several letters behind one dash; here they have two.
pub fn with_two_dashes(words: &[String]) -> Vec<String> {
    const SHORT: &[(&str, &str)] = &[
        ("-prov", "--conf-provider"),
        ("-user", "--conf-user"),
        ("-pwd", "--conf-password"),
    ];
    const LONG: &[&str] = &[
        "name",
        "conf-file",
        "conf-uri",
        "conf-user",
        "conf-password",
        "conf-provider",
        "auth-provider",
        "zkConnString",
        "zkBasePath",
        "no-reload-conf",
        "poll-interval",
        "backup-directory",
        "help",
    ];
    let rewritten = words.iter().map(|word| {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        let known = SHORT.iter().find(|(short, _)| *short == name);
        let long = match (known, name.strip_prefix('-')) {
            (Some((_, long)), _) => (*long).to_string(),
            (None, Some(rest)) if LONG.contains(&rest) => format!("-{name}"),
            _ => return word.clone(),
        };
        match value {
            Some(value) => format!("{long}={value}"),
            None => long,
        }
    });
    rewritten.collect()
}
