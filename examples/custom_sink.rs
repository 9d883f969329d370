//! A sink of your own: bodies as lines of a file.
//!
//! Under the name `flume-sink-lines` on the PATH it is a component like ours:
//! `flume source stdin < app.log | flume sink lines --file out.log`.

use flume::event::Batch;
use flume::exit::{StageError, StageResult};
use flume::sink;
use flume::stage::{Sink, SinkError};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Append the body of each event to a file, as a line.
#[derive(clap::Args)]
struct Lines {
    /// The file.
    #[arg(long, id = "file", value_name = "FILE")]
    file: PathBuf,
    /// Write the value of this header and a blank in front of the body.
    #[arg(long, id = "header", value_name = "NAME")]
    header: Option<String>,
    #[arg(skip)]
    open: Option<File>,
    /// Bytes of the file that are committed.
    #[arg(skip)]
    committed: u64,
}

impl Sink for Lines {
    /// What is wrong here ends the start: nothing was taken yet.
    fn start(&mut self) -> StageResult {
        let failed =
            |error| StageError::Failed(format!("{} cannot be written: {error}", self.file.display()));
        let file = File::options()
            .append(true)
            .create(true)
            .open(&self.file)
            .map_err(failed)?;
        self.committed = file.metadata().map_err(failed)?.len();
        self.open = Some(file);
        Ok(())
    }

    /// Write a batch. Nobody is told that it is safe before the commit.
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let mut lines = Vec::with_capacity(batch.bytes());
        for event in batch.events() {
            let event = event?;
            if let Some(name) = &self.header {
                lines.extend_from_slice(event.header(name.as_bytes()).unwrap_or(b"-"));
                lines.push(b' ');
            }
            lines.extend_from_slice(event.body());
            lines.push(b'\n');
        }
        self.file()?.write_all(&lines).map_err(|error| self.retry(error))
    }

    /// Everything that was written is safe when this returns: then the batches are accepted.
    fn commit(&mut self) -> Result<(), SinkError> {
        let file = self.file()?;
        let length = file
            .sync_data()
            .and_then(|()| file.metadata())
            .map(|meta| meta.len());
        self.committed = length.map_err(|error| self.retry(error))?;
        Ok(())
    }

    /// A write or a commit has failed. The batches come again: take back what is there of them.
    fn rollback(&mut self) {
        if let Some(file) = &self.open {
            // If that fails too, some lines stand twice: at least once is what is promised.
            let _ = file.set_len(self.committed);
        }
    }
}

impl Lines {
    fn file(&self) -> Result<&File, SinkError> {
        self.open
            .as_ref()
            .ok_or_else(|| SinkError::retry("the file is not open"))
    }

    /// A full disk may have room later: the batch is kept and tried again.
    fn retry(&self, error: io::Error) -> SinkError {
        SinkError::retry(format!("{}: {error}", self.file.display()))
    }
}

fn main() -> ExitCode {
    flume::cli::own::main(&sink::row::<Lines>("lines"))
}
