//! SQLite: a file, read while others write to it.

use super::{Database, Marked, Select, quoted};
use crate::codec::json::put_base64;
use crate::exit::StageError;
use crate::stop::Stop;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How long a lock of a writer is waited for, and in between it is looked whether the source is to end.
const BUSY: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);
/// Instructions of a query between two looks: far less than a millisecond.
const INSTRUCTIONS: i32 = 10_000;

/// See the module.
pub struct Sqlite {
    connection: Connection,
    file: String,
    select: Select,
    stop: Stop,
}

impl Sqlite {
    pub fn open(file: &str, select: Select, stop: &Stop) -> Result<Sqlite, StageError> {
        let failed = |error| StageError::Failed(format!("the database {file} cannot be opened: {error}"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(file, flags).map_err(failed)?;
        connection.busy_timeout(Duration::ZERO).map_err(failed)?;
        let own = stop.clone();
        connection
            .progress_handler(INSTRUCTIONS, Some(move || own.is_stopping()))
            .map_err(failed)?;
        Ok(Sqlite {
            connection,
            file: file.to_string(),
            select,
            stop: stop.clone(),
        })
    }

    /// The same while a writer has a lock, but not for ever.
    fn ask_patiently(&self, after: Option<&Value>, most: u32) -> rusqlite::Result<Vec<Marked>> {
        let until = Instant::now() + BUSY;
        loop {
            match self.ask(after, most) {
                Err(error) if is_busy(&error) && Instant::now() < until && !self.stop.sleep(LOOK) => {}
                answer => return answer,
            }
        }
    }

    fn ask(&self, after: Option<&Value>, most: u32) -> rusqlite::Result<Vec<Marked>> {
        let column = quoted(&self.select.column);
        // A name in double quotes that is no column would be a text for SQLite, unless the table is named.
        let sql = format!(
            "SELECT q.{column}, q.* FROM {} AS q WHERE q.{column} IS NOT NULL AND (?1 IS NULL OR q.{column} > ?1) \
             ORDER BY q.{column} LIMIT ?2",
            self.select.rows
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let names = statement.column_names().skip(1).map(str::to_string);
        let names: Vec<String> = names.collect();
        let mut found = statement.query((Mark(after), most))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let mut columns = Map::new();
            for (at, name) in names.iter().enumerate() {
                columns.insert(name.clone(), value(row.get_ref(at + 1)?));
            }
            rows.push((value(row.get_ref(0)?), columns));
        }
        Ok(rows)
    }
}

impl Database for Sqlite {
    fn rows(&mut self, after: Option<&Value>, most: u32) -> Result<Vec<Marked>, StageError> {
        self.ask_patiently(after, most).map_err(|error| {
            let why = format!("the database {}: {error}", self.file);
            match is_busy(&error) {
                true => StageError::Temporary(why),
                false => StageError::Failed(why),
            }
        })
    }
}

/// A writer has a lock.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

/// A value of JSON as one of SQLite.
struct Mark<'a>(Option<&'a Value>);

impl ToSql for Mark<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            None | Some(Value::Null) => ValueRef::Null,
            Some(Value::String(text)) => ValueRef::Text(text.as_bytes()),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(whole) => ValueRef::Integer(whole),
                None => ValueRef::Real(number.as_f64().unwrap_or_default()),
            },
            Some(other) => return Ok(ToSqlOutput::from(other.to_string())),
        }))
    }
}

fn value(found: ValueRef<'_>) -> Value {
    match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(whole) => whole.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => {
            let mut text = Vec::new();
            put_base64(bytes, &mut text);
            String::from_utf8_lossy(&text).into()
        }
    }
}
