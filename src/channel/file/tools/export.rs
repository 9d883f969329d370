//! `--export`: the batches that wait as a recording, without taking them.

use crate::channel::file::browse;
use crate::channel::file::place::Place;
use crate::exit::{StageError, StageResult};
use crate::fd::{self, FdKind};
use crate::link::{Identity, random_hex};
use crate::wire::{self, Compression, End, Hello};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Bytes that are written together.
const COALESCE: usize = 256 << 10;

/// Write what waits to a new file, or to standard output for `-`.
pub fn run(to: &str, compression: Compression, directory: &Path, name: &str) -> StageResult {
    if to == "-" {
        let stdout = io::stdout();
        if matches!(fd::kind(&stdout), Ok(FdKind::Terminal)) {
            let why = "standard output is a terminal and --export writes events in binary: redirect it, or name a file";
            return Err(StageError::Usage(why.into()));
        }
        return write(stdout.as_fd(), "standard output", compression, directory, name);
    }
    // First of all: an existing file stays when there is nothing to export.
    Place::find(directory).map_err(super::failure)?;
    let file = File::create_new(to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StageError::Usage(format!(
            "{to} exists: remove it, or name another file for --export"
        )),
        _ => StageError::Usage(format!("{to} cannot be made: {error}")),
    })?;
    let written = write(file.as_fd(), to, compression, directory, name);
    let synced = file
        .sync_all()
        .map_err(|error| StageError::Failed(format!("{to} cannot be synced: {error}")));
    written.and(synced)
}

fn write(
    fd: BorrowedFd<'_>,
    to: &str,
    compression: Compression,
    directory: &Path,
    name: &str,
) -> StageResult {
    let place = Place::find(directory).map_err(super::failure)?;
    let mut recording = Recording {
        fd,
        to,
        bytes: hello(name, place.id).encode(),
        totals: End {
            batches: 0,
            events: 0,
            bytes: 0,
        },
    };
    let mut damaged = 0;
    for found in browse(directory).map_err(super::failure)? {
        match found {
            Ok((_, mut batch)) => {
                batch.sequence = recording.totals.batches + 1;
                recording.totals.events += u64::from(batch.len());
                recording.totals.bytes += batch.bytes() as u64;
                recording.totals.batches += 1;
                let (header, payload) = wire::batch_frame(&batch, compression);
                recording.add(&header.encode(0), &payload)?;
            }
            Err(error) => {
                damaged += 1;
                crate::say::warn(name, error.to_string());
            }
        }
    }
    let end = recording.totals.encode();
    recording.add(&end, &[])?;
    recording.flush()?;
    let End { batches, events, .. } = recording.totals;
    crate::say::info(
        name,
        format!("exported {batches} batches of {events} events to {to}"),
    );
    match damaged {
        0 => Ok(()),
        damaged => Err(StageError::Failed(format!(
            "everything whole was exported; damaged places that were passed over: {damaged}"
        ))),
    }
}

fn hello(name: &str, origin: String) -> Hello {
    let Identity { stage, host, pid } = Identity::of_stage(name);
    Hello {
        version: wire::VERSION,
        stream: random_hex(),
        stage,
        host,
        pid,
        time: crate::say::now(),
        reply: "none".into(),
        token: String::new(),
        origin,
        via: Vec::new(),
        other: Default::default(),
    }
}

struct Recording<'a> {
    fd: BorrowedFd<'a>,
    to: &'a str,
    bytes: Vec<u8>,
    totals: End,
}

impl Recording<'_> {
    fn add(&mut self, header: &[u8], payload: &[u8]) -> StageResult {
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(payload);
        match self.bytes.len() >= COALESCE {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> StageResult {
        let written = fd::write_all(self.fd, &mut [IoSlice::new(&self.bytes)], &[]);
        self.bytes.clear();
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => StageError::Closed,
            _ => StageError::Failed(format!("{} cannot be written: {error}", self.to)),
        })
    }
}
