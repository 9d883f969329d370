//! PostgreSQL, by its simple query protocol: the server itself writes rows as JSON and values as text.

mod tls;
mod url;

use super::{Database, Marked, Select, quoted};
use crate::exit::StageError;
use crate::stop::Stop;
use crate::tls::TlsError;
use serde_json::Value;
use std::error::Error;
use std::future::Future;
use std::time::Duration;
use tls::Tls;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use url::Url;

/// How long a server may take to answer a connection, with TLS and the password.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take to end a query that nobody wants any more.
const CANCEL: Duration = Duration::from_secs(2);

/// What the driver says of a server without TLS, where there must be some.
const NO_TLS: &str = "server does not support TLS";

/// See the module.
pub struct Postgres {
    /// Of one thread, and it runs only while something is waited for.
    runtime: Runtime,
    client: Client,
    tls: Tls,
    /// Where it is, without the password.
    shown: String,
    select: Select,
    stopping: watch::Receiver<bool>,
}

/// Is it a URL that can be used? The error is a sentence, which does not have the URL: there may be a password in it.
pub fn check(url: &str) -> Result<(), String> {
    Url::parse(url).map(drop)
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

/// Whether it is wished that the source ends, for who waits in a runtime.
fn watched(stop: &Stop) -> watch::Receiver<bool> {
    let (wish, stopping) = watch::channel(false);
    stop.on_stop(move || {
        // Nobody waits any more where it cannot be told.
        let _ = wish.send(true);
    });
    stopping
}

/// What is waited for, unless the source is to end before.
async fn unless<T>(stopping: &mut watch::Receiver<bool>, wanted: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = stopping.wait_for(|wished| *wished) => None,
        found = wanted => Some(found),
    }
}

impl Postgres {
    /// Connect; `None` if the source was to end before that was done.
    pub fn open(
        url: &str,
        password: Option<&str>,
        select: Select,
        stop: &Stop,
    ) -> Result<Option<Postgres>, StageError> {
        let usage = StageError::Usage;
        let url = Url::parse(url).map_err(usage)?;
        let tls = Tls::new(url.tls().map_err(usage)?);
        let mut config = url.config;
        config.application_name("flume");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if let Some(password) = password {
            config.password(password);
        }
        let shown = shown(&config);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            StageError::Failed(format!("the driver of PostgreSQL cannot be started: {error}"))
        })?;
        let mut stopping = watched(stop);
        let connected = runtime.block_on(async {
            let connecting = timeout(CONNECT, config.connect(tls.clone()));
            unless(&mut stopping, connecting).await
        });
        let Some(connected) = connected else {
            return Ok(None);
        };
        let connected = connected.map_err(|_| {
            let within = CONNECT.as_secs();
            StageError::Temporary(format!("{shown}: no connection within {within} s"))
        })?;
        let (client, connection) = connected.map_err(|error| told(&shown, &error))?;
        // It ends with the client; what goes wrong comes with the answer to a query.
        runtime.spawn(connection);
        Ok(Some(Postgres {
            runtime,
            client,
            tls,
            shown,
            select,
            stopping,
        }))
    }

    /// The answer to a query, which is cancelled if the source is to end.
    fn ask(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, StageError> {
        let (client, stopping, tls) = (&self.client, &mut self.stopping, &self.tls);
        let answer = self.runtime.block_on(async {
            let mut query = std::pin::pin!(client.simple_query(sql));
            if let Some(answer) = unless(stopping, query.as_mut()).await {
                return Some(answer);
            }
            // Else the server would go on with it for nobody.
            let _ = timeout(CANCEL, client.cancel_token().cancel_query(tls.clone())).await;
            timeout(CANCEL, query).await.ok()
        });
        match answer {
            Some(answer) => answer.map_err(|error| told(&self.shown, &error)),
            None => Err(StageError::Temporary(format!(
                "{}: the query was given up",
                self.shown
            ))),
        }
    }
}

/// What the server says, or why it says nothing. What no later run can change is no failure for now.
fn told(shown: &str, error: &tokio_postgres::Error) -> StageError {
    if let Some(said) = error.as_db_error() {
        return StageError::Failed(format!("{shown}: {}", said.message()));
    }
    let Some(cause) = error.source() else {
        return StageError::Temporary(format!("{shown}: {error}"));
    };
    let why = format!("{shown}: {error}: {cause}");
    let is_refused = matches!(
        cause.downcast_ref(),
        Some(TlsError::Untrusted(_) | TlsError::Refused(_) | TlsError::NoCertificate)
    );
    match is_refused || cause.to_string().contains(NO_TLS) {
        true => StageError::Failed(why),
        false => StageError::Temporary(why),
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
        let mut rows = Vec::new();
        for message in self.ask(&sql)? {
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
