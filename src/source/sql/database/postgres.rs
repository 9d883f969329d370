//! PostgreSQL, by its simple query protocol: the server itself writes rows as JSON and values as text.

use super::{Database, Marked, Select, quoted};
use crate::exit::StageError;
use ::postgres::config::Host;
use ::postgres::{Client, Config, NoTls, SimpleQueryMessage};
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// How long a server may take to answer a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// See the module.
pub struct Postgres {
    client: Client,
    /// Where it is, without the password.
    shown: String,
    select: Select,
}

/// The settings in a URL. The error is a sentence, which does not have the URL: there may be a password in it.
pub fn config(url: &str) -> Result<Config, String> {
    let config: Config = url
        .parse()
        .map_err(|error| format!("sql: the URL is not as in postgres://USER@HOST:PORT/DATABASE: {error}"))?;
    match config.get_password() {
        None => Ok(config),
        Some(_) => Err(
            "sql: a password in the URL would be seen by others; --password file:PATH or env:NAME has it"
                .into(),
        ),
    }
}

fn shown(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".into(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("PostgreSQL at {host}:{port}")
}

impl Postgres {
    pub fn open(url: &str, password: Option<&str>, select: Select) -> Result<Postgres, StageError> {
        let mut config = config(url).map_err(StageError::Usage)?;
        config.connect_timeout(CONNECT).application_name("flume");
        if let Some(password) = password {
            config.password(password);
        }
        let shown = shown(&config);
        let client = config.connect(NoTls).map_err(|error| told(&shown, &error))?;
        Ok(Postgres {
            client,
            shown,
            select,
        })
    }
}

/// What the server says, or why it says nothing.
fn told(shown: &str, error: &::postgres::Error) -> StageError {
    match error.as_db_error() {
        Some(said) => StageError::Failed(format!("{shown}: {}", said.message())),
        None => {
            let cause = error
                .source()
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            StageError::Temporary(format!("{shown}: {error}{cause}"))
        }
    }
}

impl Database for Postgres {
    fn rows(&mut self, after: Option<&Value>, most: u32) -> Result<Vec<Marked>, StageError> {
        let column = quoted(&self.select.column);
        let behind = match after {
            None => format!("q.{column} IS NOT NULL"),
            // A text in quotes has the type of what it is compared with.
            Some(value) => format!("q.{column} > '{}'", super::super::text(value).replace('\'', "''")),
        };
        let sql = format!(
            "SELECT (q.{column})::text, row_to_json(q)::text FROM {} AS q WHERE {behind} ORDER BY q.{column} LIMIT {most}",
            self.select.rows
        );
        let messages = self
            .client
            .simple_query(&sql)
            .map_err(|error| told(&self.shown, &error))?;
        let mut rows = Vec::new();
        for message in messages {
            let SimpleQueryMessage::Row(row) = message else {
                continue;
            };
            let (mark, json) = (row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default());
            let columns = serde_json::from_str(json).map_err(|error| {
                StageError::Failed(format!(
                    "{}: a row is no JSON that can be read: {error}",
                    self.shown
                ))
            })?;
            rows.push((Value::from(mark), columns));
        }
        Ok(rows)
    }
}
