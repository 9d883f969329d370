//! The databases: a page of rows in the order of the column that increases.

mod postgres;
mod sqlite;

use crate::exit::StageError;
use crate::stop::Stop;
use serde_json::{Map, Value};

/// Rows that have the same value in the column at most: a page ends between two values.
const SAME: u32 = 1 << 20;

/// What is asked for.
pub struct Select {
    /// A table, or a query in parentheses.
    pub rows: String,
    /// The column that increases.
    pub column: String,
}

/// Rows with all their columns, and the value of the last one in the column that increases.
pub struct Page {
    pub rows: Vec<Map<String, Value>>,
    pub last: Value,
}

/// A row with its value in the column that increases.
pub type Marked = (Value, Map<String, Value>);

/// A database with its query. A query ends with an error when it is wished that the source ends.
pub trait Database: Send {
    /// The rows behind this value, `most` of them, in order, each with its value in the column.
    fn rows(&mut self, after: Option<&Value>, most: u32) -> Result<Vec<Marked>, StageError>;

    /// About `most` rows behind this value: all that have the same value as one of them are among them, since the next
    /// page begins behind it.
    fn page(&mut self, after: Option<&Value>, most: u32) -> Result<Page, StageError> {
        let mut most = most;
        loop {
            let mut rows = self.rows(after, most + 1)?;
            if rows.len() > most as usize {
                // There may be more of the last one's value.
                let last = rows.last().map(|(mark, _)| mark.clone());
                rows.retain(|(mark, _)| Some(mark) != last.as_ref());
                if rows.is_empty() && most < SAME {
                    most *= 2;
                    continue;
                }
                if rows.is_empty() {
                    return Err(StageError::Failed(format!(
                        "more than {SAME} rows have the value {} in the column that increases: it has to tell rows apart",
                        last.unwrap_or_default()
                    )));
                }
            }
            let last = rows.last().map(|(mark, _)| mark.clone()).unwrap_or_default();
            let rows = rows.into_iter().map(|(_, row)| row).collect();
            return Ok(Page { rows, last });
        }
    }
}

/// Is it a URL of a database that is known? The error is a sentence.
pub fn check(url: &str) -> Result<(), String> {
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    match url.starts_with("postgres://") || url.starts_with("postgresql://") {
        true => postgres::check(url),
        // Behind the scheme may be a password.
        false => Err(format!(
            "a URL that begins with \"{}\" is of no database that is known; there are sqlite:FILE and \
             postgres://USER@HOST:PORT/DATABASE",
            scheme(url)
        )),
    }
}

fn scheme(url: &str) -> &str {
    let end = url.find(|c: char| !c.is_ascii_alphanumeric());
    &url[..end.unwrap_or(url.len()).min(20)]
}

/// Connect; `None` if the source was to end before that was done.
pub fn open(
    url: &str,
    password: Option<&str>,
    select: Select,
    stop: &Stop,
) -> Result<Option<Box<dyn Database>>, StageError> {
    match url.strip_prefix("sqlite:") {
        Some(file) => Ok(Some(Box::new(sqlite::Sqlite::open(file, select, stop)?))),
        None => {
            let opened = postgres::Postgres::open(url, password, select, stop)?;
            Ok(opened.map(|database| Box::new(database) as Box<dyn Database>))
        }
    }
}

/// A name in quotes, as SQL has it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A number where it looks like one.
pub fn typed(word: &str) -> Value {
    match (word.parse::<i64>(), word.parse::<f64>()) {
        (Ok(whole), _) => whole.into(),
        (_, Ok(number)) => number.into(),
        _ => word.into(),
    }
}
