//! The position file: a JSON object with the column and the last value of it that was accepted.

use crate::exit::{StageError, StageResult};
use crate::kept::Kept;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The file, which one source has at a time.
pub struct Checkpoint {
    kept: Kept,
    column: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    column: String,
    last: Value,
}

impl Checkpoint {
    /// Open it, with the value that it has; none yet if it is new. What cannot be understood ends the start: it must not
    /// be a silent beginning from the first row.
    pub fn open(path: &Path, column: &str) -> Result<(Checkpoint, Option<Value>), StageError> {
        let (kept, bytes) = Kept::open(path)?;
        let own = Checkpoint {
            kept,
            column: column.to_string(),
        };
        let Some(bytes) = bytes else {
            return Ok((own, None));
        };
        let shown = path.display();
        let content: Content = serde_json::from_slice(&bytes).map_err(|error| {
            StageError::Failed(format!(
                "the position file {shown} is none of source sql ({error}); mend it, or remove it to take all rows"
            ))
        })?;
        match content.column == column {
            true => Ok((own, Some(content.last))),
            false => Err(StageError::Usage(format!(
                "the position file {shown} is of the column \"{}\", and --column is \"{column}\"",
                content.column
            ))),
        }
    }

    /// Everything up to this value was accepted.
    pub fn note(&mut self, last: &Value) -> StageResult {
        let content = Content {
            column: self.column.clone(),
            last: last.clone(),
        };
        let text = serde_json::to_string(&content).map_err(|error| StageError::Failed(error.to_string()))?;
        self.kept.replace(format!("{text}\n").as_bytes())
    }
}
