//! What would be in the way of a start, or of reading files that are there: told by `check --deep`.

use super::groups::Group;
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
