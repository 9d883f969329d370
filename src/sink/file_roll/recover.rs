//! At a start: files that a dead sink left in progress are cut back and completed.

use super::NAME;
use super::open::{open_directory, rename_new};
use super::state::{Adopted, Record, StateFile, data_name, name_of_state, unlink};
use crate::codec::{Tail, avro};
use crate::say;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Complete what dead sinks have left in the directory; in `all` directories below it, too, but links are not
/// followed. One that resists is said and left.
pub fn complete_leftovers(path: &Path, all: bool) -> io::Result<()> {
    let directory = open_directory(path)?;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let file = entry.file_name();
        if all && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let below = entry.path();
            if let Err(error) = complete_leftovers(&below, all) {
                say::warn(
                    NAME,
                    format!(
                        "{} cannot be searched for files in progress: {error}",
                        below.display()
                    ),
                );
            }
        }
        let Some(name) = file.to_str().and_then(name_of_state) else {
            continue;
        };
        let shown = path.join(name);
        match complete(&directory, name) {
            Ok(Some(sentence)) => say::info(NAME, format!("{} {sentence}", shown.display())),
            Ok(None) => {}
            Err(error) => {
                let data = path.join(data_name(name));
                let why = format!("{} of a sink that died stays as it is: {error}", data.display());
                say::warn(NAME, why);
            }
        }
    }
    Ok(())
}

/// Complete one; what was done, as the end of a sentence, if it matters.
fn complete(directory: &OwnedFd, name: &str) -> io::Result<Option<String>> {
    let Adopted::Ours(state, record) = StateFile::adopt(directory, name)? else {
        return Ok(None);
    };
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut data = match rustix::fs::openat(directory, data_name(name), flags, Mode::empty()) {
        // Completed or removed already, but for the state.
        Err(Errno::NOENT) => return state.remove(directory, name).map(|()| None),
        other => File::from(other?),
    };
    let size = data.metadata()?.len();
    let noted = record.as_ref().map_or(0, |record| record.length);
    let length = match record {
        Some(record) => whole_length(&mut data, size, &record)?,
        // The state is made safe before the first byte is written.
        None if size == 0 => 0,
        None => {
            let why = "its state file is damaged, so that nobody knows where its last event ends";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
    };
    if noted > size {
        let missing = noted - size;
        let why = format!("{missing} bytes of accepted events are missing at the end of {name}");
        say::error(NAME, why);
    }
    if length == 0 {
        unlink(directory, &data_name(name))?;
        state.remove(directory, name)?;
        return Ok(None);
    }
    if length < size {
        data.set_len(length)?;
    }
    data.sync_all()?;
    let final_name = rename_new(directory, &data_name(name), name)?;
    rustix::fs::fsync(directory)?;
    state.remove(directory, name)?;
    let cut = match size - length {
        0 => String::new(),
        cut => format!(", without the {cut} bytes behind its last whole event"),
    };
    let other = match final_name == name {
        true => String::new(),
        false => format!(" as {final_name}"),
    };
    Ok(Some(format!(
        "was left in progress by a sink that died: completed{other}{cut}"
    )))
}

/// Bytes up to the end of the last whole event.
fn whole_length(data: &mut File, size: u64, record: &Record) -> io::Result<u64> {
    let committed = record.length.min(size);
    // Only after the system itself went down may the noted length be older than what is committed.
    if record.is_of_this_boot() {
        return Ok(committed);
    }
    match record.tail {
        Tail::Exact => Ok(committed),
        Tail::Lines => last_line_end(data, committed, size),
        Tail::AvroBlocks => Ok(avro::whole_length(data)?.max(committed)),
    }
}

/// Behind the last newline, but not before `least`.
fn last_line_end(data: &File, least: u64, size: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut end = size;
    while end > least {
        let start = end.saturating_sub(buffer.len() as u64).max(least);
        let part = &mut buffer[..(end - start) as usize];
        data.read_exact_at(part, start)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(least)
}
