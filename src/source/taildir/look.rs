//! What is in the way: of a start and of reading what is there, told by `check --deep`; and what was not read when all
//! was to be.

use super::groups::Group;
use super::tail::Tail;
use crate::exit::{StageError, StageResult};
use crate::say;
use crate::stage::Obstacle;
use crate::stage::obstacle::is_readable;
use crate::value::Pair;
use rustix::fs::{Access, access};
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Files that are named one by one.
const NAMED: usize = 3;

/// Directories that cannot be listed, and files in them that cannot be read.
pub(super) fn at_groups(groups: &[Group], members: &[Pair]) -> Vec<Obstacle> {
    let mut found = Vec::new();
    for group in groups {
        let property = match members.iter().any(|member| member.name == group.name) {
            true => format!("filegroups.{}", group.name),
            false => "files".to_string(),
        };
        let shown = group.directory.display();
        match is_readable(&group.directory) {
            Ok(()) => found.extend(unread_files(group).map(|what| Obstacle::lack(&property, what))),
            Err(why) => found.push(Obstacle::fatal(
                &property,
                format!("{property}: the directory {shown}: {why}"),
            )),
        }
    }
    found
}

fn unread_files(group: &Group) -> Option<String> {
    let mut pattern = group.clone();
    let files = fs::read_dir(&group.directory).ok()?.flatten();
    let own = files.filter(|file| pattern.matches(file.file_name().as_bytes()));
    let paths = own.map(|file| file.path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.is_file() && access(path, Access::READ_OK).is_err())
        .collect();
    paths.sort();
    let names: Vec<String> = paths
        .iter()
        .take(NAMED)
        .map(|path| path.display().to_string())
        .collect();
    let more = match paths.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| format!("no permission to read {}{more}: left out", names.join(", ")))
}

impl Tail {
    /// Groups without a file: somebody may have meant another pattern.
    pub fn tell_empty(&self, name: &str) {
        for (number, group) in self.groups.iter().enumerate() {
            if !self.files.values().any(|file| file.group == number) {
                let (directory, pattern) = (group.directory.display(), group.pattern.source());
                say::info(
                    name,
                    format!(
                        "group {}: the name of no file in {directory} matches {pattern}, which is a regular expression for all of it",
                        group.name
                    ),
                );
            }
        }
    }

    /// What is left in files that end in the middle of a line.
    pub fn tell_unended(&self, name: &str) {
        let unended = self
            .files
            .values()
            .filter(|file| file.unread() > 0 && !file.has_failed);
        let all: Vec<_> = unended.map(|file| (&file.path, file.unread())).collect();
        for (path, bytes) in all.iter().take(NAMED) {
            let path = path.display();
            say::info(
                name,
                format!(
                    "{path}: the last line has no end, so that its {bytes} bytes are left for the next run"
                ),
            );
        }
        if let more @ 1.. = all.len().saturating_sub(NAMED) {
            say::info(name, format!("{more} files more have a last line without an end"));
        }
    }

    /// Whether all that was there could be read, once it is over. What was handed on is safe either way.
    pub fn outcome(&self) -> StageResult {
        let directories = self.directories.iter();
        let unlisted = directories.clone().filter(|own| own.has_failed).count();
        let unopened: usize = directories.map(|own| own.unreadable.len()).sum();
        let unread = unopened + self.files.values().filter(|file| file.has_failed).count();
        match (self.is_over, unlisted, unread) {
            (false, ..) | (true, 0, 0) => Ok(()),
            (true, 0, files) => Err(StageError::Failed(format!("{files} files could not be read"))),
            (true, directories, files) => Err(StageError::Failed(format!(
                "{directories} directories could not be listed, and {files} files not be read"
            ))),
        }
    }
}
