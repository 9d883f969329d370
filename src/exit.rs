//! The exit statuses, once: what a script, cron or a supervisor can tell from them.
//! [`TABLE`] is what `flume help exit-status`, the manual and the README print.
//!
//! A closed pipe downstream is no error message, but it is 75 while batches are unaccepted.

/// The statuses and what they mean.
pub const TABLE: &[(&str, &str)] = &[
    ("0", "Everything was accepted."),
    (
        "1",
        "Failed. Also when the input had no end, because the stage before has died: what came was delivered.",
    ),
    (
        "2",
        "Wrong usage or configuration, found before anything was taken.",
    ),
    (
        "75",
        "Temporary: run it again. What was not accepted comes again; nothing that was acknowledged is lost.",
    ),
    (
        "128+N",
        "Ended at once by a second signal, number N. What was not accepted comes again.",
    ),
];

/// Why a stage ended other than well. The message is for standard error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// Wrong usage or configuration, found before anything was taken.
    #[error("{0}")]
    Usage(String),
    /// Failed, and running it again will not help by itself.
    #[error("{0}")]
    Failed(String),
    /// Temporary.
    #[error("{0}")]
    Temporary(String),
    /// The pipe downstream was closed while something was unaccepted: known to whoever closed it.
    #[error("the next stage has closed the pipe")]
    Closed,
    /// Told when it happened: only its status is left.
    #[error("status {0}")]
    Told(u8),
}

impl StageError {
    /// The process's exit status.
    pub fn status(&self) -> u8 {
        match self {
            StageError::Failed(_) => 1,
            StageError::Usage(_) => 2,
            StageError::Temporary(_) | StageError::Closed => 75,
            StageError::Told(status) => *status,
        }
    }

    /// It follows from a failure that was told already: temporary trouble is not told twice.
    pub fn follows(&mut self) {
        if matches!(self, StageError::Temporary(_)) {
            *self = StageError::Closed;
        }
    }

    /// Nobody needs to be told.
    pub fn is_quiet(&self) -> bool {
        matches!(self, StageError::Closed | StageError::Told(_))
    }

    /// The same error with where it happened in front.
    pub fn within(self, what: &str) -> Self {
        match self {
            StageError::Usage(why) => StageError::Usage(format!("{what}: {why}")),
            StageError::Failed(why) => StageError::Failed(format!("{what}: {why}")),
            StageError::Temporary(why) => StageError::Temporary(format!("{what}: {why}")),
            quiet @ (StageError::Closed | StageError::Told(_)) => quiet,
        }
    }
}

/// How a stage or a command ended.
pub type StageResult = Result<(), StageError>;

/// The status of a result.
pub fn status(result: &StageResult) -> u8 {
    result.as_ref().err().map_or(0, StageError::status)
}
