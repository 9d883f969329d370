//! `sql`: rows of a table or a query, from where the last run ended. For Flume there is a plug-in of a third party.
//!
//! A column that increases says what is new. Up to where it was accepted is kept in a position file, which moves only on
//! acceptance, so that a run that was killed is followed by one that takes up what was not accepted.

mod checkpoint;
mod database;
#[cfg(test)]
mod tests;

use super::accepted::Accepted;
use super::batches::Batches;
use crate::event::{Batch, BatchBuilder};
use crate::exit::{StageError, StageResult};
use crate::say;
use crate::stage::obstacle::file_may_be_made;
use crate::stage::{ChannelProcessor, Obstacle, PollableSource, Status};
use crate::value::{Millis, Secret};
use checkpoint::Checkpoint;
use database::{Database, Page, Select};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the position file is written while rows come.
const NOTE: Duration = Duration::from_secs(1);

/// Take the rows of a table or a query that are new since the last run.
///
/// New is what has a greater value in a column that increases, such as a serial number. Each row is an event: a JSON
/// object with all its columns, or the value of one column with the others as headers. Rows without a value in that column
/// are not taken.
#[derive(clap::Args)]
pub struct Sql {
    /// The database: sqlite:FILE, or postgres://USER@HOST:PORT/DATABASE, with libpq's words for TLS behind it, as in
    /// ?sslmode=verify-full&sslrootcert=FILE.
    #[arg(long, id = "url", required = true, value_name = "URL")]
    url: String,
    /// The password for it.
    #[arg(long, id = "password", value_name = "SECRET")]
    password: Option<Secret>,
    /// The table or view whose rows are taken.
    #[arg(long, id = "table", value_name = "NAME", conflicts_with = "query")]
    table: Option<String>,
    /// The query whose rows are taken, instead of a table: a SELECT without ORDER BY and LIMIT.
    #[arg(long, id = "query", value_name = "SQL")]
    query: Option<String>,
    /// The column that increases. Rows that come later have a greater value in it.
    #[arg(long, id = "column", required = true, value_name = "NAME")]
    column: String,
    /// Where the first run begins: behind this value of the column.
    #[arg(long, id = "after", value_name = "VALUE", allow_negative_numbers = true)]
    after: Option<String>,
    /// File in which is kept up to where rows were accepted; without it each run takes all.
    #[arg(long, id = "positionFile", value_name = "FILE")]
    position_file: Option<PathBuf>,
    /// The column that becomes the body; the others are headers then.
    #[arg(long, id = "body", value_name = "NAME")]
    body: Option<String>,
    /// How long to wait until new rows are looked for; 0 ends after the last one.
    #[arg(long, id = "poll", default_value = "10s", value_name = "TIME")]
    poll: Millis,
    #[command(flatten)]
    batches: Batches,
    #[arg(skip)]
    run: Option<Running>,
}

struct Running {
    database: Box<dyn Database>,
    checkpoint: Option<Checkpoint>,
    /// Behind which value of the column the next page begins.
    after: Option<Value>,
    /// Rows that were handed on, and up to which all were accepted.
    rows: u64,
    accepted: Accepted,
    /// The last value of each batch that is not accepted, with the number of its last row.
    marks: VecDeque<(u64, Value)>,
    noted: Instant,
}

impl Sql {
    fn select(&self) -> Result<Select, String> {
        let rows = match (&self.table, &self.query) {
            (Some(table), _) => table
                .split('.')
                .map(database::quoted)
                .collect::<Vec<_>>()
                .join("."),
            // The line end closes a comment at the end of it.
            (None, Some(query)) => format!("({}\n)", query.trim().trim_end_matches(';')),
            (None, None) => return Err("either --table or --query says what is taken".into()),
        };
        Ok(Select {
            rows,
            column: self.column.clone(),
        })
    }

    /// What is known of the row: its body and headers.
    fn push(&self, row: &Map<String, Value>, to: &mut BatchBuilder) -> StageResult {
        let Some(name) = &self.body else {
            to.push_body(Value::Object(row.clone()).to_string().as_bytes());
            return Ok(());
        };
        let body = row.get(name).ok_or_else(|| {
            let names: Vec<_> = row.keys().map(String::as_str).collect();
            StageError::Usage(format!(
                "the rows have no column \"{name}\" (--body); they have {}",
                names.join(", ")
            ))
        })?;
        let others = row.iter().filter(|(key, value)| *key != name && !value.is_null());
        let headers: Vec<(&[u8], String)> =
            others.map(|(key, value)| (key.as_bytes(), text(value))).collect();
        let pairs = headers.iter().map(|(key, value)| (*key, value.as_bytes()));
        to.push(pairs, text(body).as_bytes());
        Ok(())
    }

    fn batch(&self, page: &Page) -> Result<Batch, StageError> {
        let mut batch = BatchBuilder::new();
        page.rows.iter().try_for_each(|row| self.push(row, &mut batch))?;
        Ok(batch.finish())
    }
}

/// A value as it stands in a header or a body.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Running {
    /// Keep up to where everything was accepted.
    fn note(&mut self) -> StageResult {
        let reached = self.accepted.position();
        let mut last = None;
        while self.marks.front().is_some_and(|(row, _)| *row <= reached) {
            last = self.marks.pop_front();
        }
        self.noted = Instant::now();
        match (&mut self.checkpoint, last) {
            (Some(checkpoint), Some((_, mark))) => checkpoint.note(&mark),
            _ => Ok(()),
        }
    }
}

impl PollableSource for Sql {
    fn check(&self) -> Result<(), String> {
        self.select()?;
        database::check(&self.url)
    }

    fn look(&self) -> Vec<Obstacle> {
        let place = self.position_file.iter();
        let why = place.filter_map(|path| Some((path, file_may_be_made(path).err()?)));
        why.map(|(path, why)| format!("positionFile is {}: {why}", path.display()))
            .map(|what| Obstacle::fatal("positionFile", what))
            .collect()
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let select = self.select().map_err(StageError::Usage)?;
        let (checkpoint, kept) = match &self.position_file {
            Some(path) => Checkpoint::open(path, &self.column).map(|(own, kept)| (Some(own), kept))?,
            None => {
                say::info(
                    to.counters().name(),
                    "each run takes all rows: --position-file keeps up to where they were accepted",
                );
                (None, None)
            }
        };
        let password = self.password.as_ref().map(Secret::read).transpose();
        let password = password.map_err(|why| StageError::Usage(format!("password: {why}")))?;
        let opened = database::open(&self.url, password.as_deref(), select, to.stop())?;
        let Some(database) = opened else {
            return Ok(());
        };
        self.run = Some(Running {
            database,
            checkpoint,
            after: kept.or_else(|| self.after.as_deref().map(database::typed)),
            rows: 0,
            accepted: Accepted::default(),
            marks: VecDeque::new(),
            noted: Instant::now(),
        });
        Ok(())
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let Some(run) = &mut self.run else {
            return Ok(Status::Finished);
        };
        let page = match run.database.page(run.after.as_ref(), self.batches.batch_size) {
            // It was interrupted for that, or cannot matter any more.
            Err(_) if to.stop().is_stopping() => return Ok(Status::Ready),
            page => page?,
        };
        if page.rows.is_empty() {
            to.flush()?;
            run.note()?;
            return Ok(match self.poll.0.is_zero() {
                true => Status::Finished,
                false => Status::BackOff,
            });
        }
        let batch = self.batch(&page)?;
        let Some(run) = &mut self.run else {
            return Ok(Status::Finished);
        };
        let (from, accepted) = (run.rows, run.accepted.clone());
        run.rows += page.rows.len() as u64;
        let rows = run.rows;
        run.marks.push_back((rows, page.last.clone()));
        run.after = Some(page.last);
        to.submit(batch, move || accepted.add(from, rows))?;
        if run.noted.elapsed() >= NOTE {
            run.note()?;
        }
        Ok(Status::Ready)
    }

    fn back_off(&self) -> (Duration, Duration) {
        (self.poll.0, self.poll.0)
    }

    fn stop(&mut self) -> StageResult {
        match &mut self.run {
            Some(run) => run.note(),
            None => Ok(()),
        }
    }
}
