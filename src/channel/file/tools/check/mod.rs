//! `--check`: reads everything and changes nothing.
//!
//! Others may use the channel meanwhile. Only what stands still is judged: published frames, files of the
//! dead, and what nobody touched for a minute. What is found is looked at again before it is said.

mod around;
mod segment;

use super::Out;
use crate::channel::ChannelError;
use crate::channel::file::viewer::Viewer;
use crate::exit::{StageError, StageResult};
use std::path::{Path, PathBuf};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub what: String,
    /// How it is mended.
    pub mend: Mend,
}

/// How a finding is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Save the good frames of this segment, and move it to the quarantine.
    Segment {
        /// Its number.
        number: u64,
        /// Its data directory.
        dir: usize,
    },
    /// Remove the file: nothing counts on it.
    Remove,
    /// Write a mark above all numbers in use.
    Mark,
    /// Write what the log says into another, and move it to the quarantine.
    Log,
    /// Make the directory.
    Directory,
    /// Only a person can tell.
    ByHand,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// What is not sound.
    pub findings: Vec<Finding>,
    /// What a person may want to know, though nothing is wrong: where and what.
    pub notes: Vec<(PathBuf, String)>,
    /// Segments that were read.
    pub segments: u64,
    /// Whole batches in them.
    pub batches: u64,
}

impl Checked {
    fn find(&mut self, path: &Path, mend: Mend, what: impl Into<String>) {
        self.findings.push(Finding {
            path: path.to_path_buf(),
            what: what.into(),
            mend,
        });
    }

    fn note(&mut self, path: &Path, what: impl Into<String>) {
        self.notes.push((path.to_path_buf(), what.into()));
    }
}

/// Check the channel of a directory. An error: it cannot be told whether it is sound.
pub fn check(directory: &Path) -> Result<Checked, ChannelError> {
    look_over(directory, false)
}

/// The same; `alone`: we are attached, and nobody else can be.
pub fn look_over(directory: &Path, alone: bool) -> Result<Checked, ChannelError> {
    let mut viewer = Viewer::new(directory)?;
    if alone {
        viewer.onlooker = None;
    }
    let mut checked = Checked::default();
    around::check_directories(&viewer, alone, &mut checked);
    let segments = around::segments(&viewer, &mut checked)?;
    for (number, dir) in &segments {
        segment::check(&viewer, *number, *dir, &mut checked)?;
    }
    around::check_numbers(&viewer, &segments, &mut checked)?;
    around::check_logs(&viewer, &mut checked)?;
    around::check_leftovers(&viewer, &mut checked);
    Ok(checked)
}

/// Check, and print what was found.
pub fn run(directory: &Path, out: &mut Out) -> StageResult {
    let cannot_tell = |error: ChannelError| StageError::Usage(format!("cannot tell: {error}"));
    let checked = check(directory).map_err(cannot_tell)?;
    print(directory, &checked, out);
    match checked.findings.len() {
        0 => Ok(()),
        count => Err(StageError::Failed(format!(
            "{} is not sound, findings: {count}; --repair mends what can be mended while nobody uses the channel",
            directory.display()
        ))),
    }
}

/// Print findings, notes, and at the end the whole.
pub fn print(directory: &Path, checked: &Checked, out: &mut Out) {
    for finding in &checked.findings {
        let path = finding.path.display();
        match out.is_json {
            true => out.json(&serde_json::json!({"finding": finding.what, "file": path.to_string()})),
            false => out.line(format!("{path}: {}", finding.what)),
        }
    }
    for (path, what) in &checked.notes {
        let path = path.display();
        match out.is_json {
            true => out.json(&serde_json::json!({"note": what, "file": path.to_string()})),
            false => out.line(format!("note: {path}: {what}")),
        }
    }
    let sound = checked.findings.is_empty();
    let (segments, batches) = (checked.segments, checked.batches);
    match out.is_json {
        true => out.json(&serde_json::json!({
            "sound": sound, "findings": checked.findings.len(), "segments": segments, "batches": batches,
        })),
        false if sound => out.line(format!(
            "{} is sound: segments {segments}, batches {batches}",
            directory.display()
        )),
        false => {}
    }
}
