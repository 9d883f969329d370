//! Words to components: the tables asked by kind and name, with hints for what is not there.

use super::Ended;
use crate::component::{Spec, find, nearest};
use crate::exit::StageError;
use crate::external;
use crate::flow::Part;
use crate::stage::{Rejected, Source};
use crate::{channel, intercept, sink, source};
use std::path::{Path, PathBuf};

/// The names that a kind has.
pub fn names(kind: &str) -> Vec<&'static str> {
    match kind {
        "source" => source::ALL.iter().map(|spec| spec.name).collect(),
        "intercept" => intercept::ALL.iter().map(|spec| spec.name).collect(),
        "channel" => channel::ALL.iter().map(|spec| spec.name).collect(),
        "sink" => sink::ALL.iter().map(|spec| spec.name).collect(),
        _ => Vec::new(),
    }
}

/// The clap command of a component, without the options of its stage.
pub fn command(kind: &str, name: &str) -> Option<clap::Command> {
    match kind {
        "source" => find(source::ALL, name).map(Spec::command),
        "intercept" => find(intercept::ALL, name).map(Spec::command),
        "channel" => find(channel::ALL, name).map(Spec::command),
        "sink" => find(sink::ALL, name).map(Spec::command),
        _ => None,
    }
}

/// Words of a component in which the flag form of its positional setting is put in its place.
pub fn with_positional(kind: &str, name: &str, words: &[String]) -> Vec<String> {
    let moved = match kind {
        "source" => find(source::ALL, name).map(|spec| spec.with_positional(words)),
        "intercept" => find(intercept::ALL, name).map(|spec| spec.with_positional(words)),
        "channel" => find(channel::ALL, name).map(|spec| spec.with_positional(words)),
        "sink" => find(sink::ALL, name).map(|spec| spec.with_positional(words)),
        _ => None,
    };
    moved.unwrap_or_else(|| words.to_vec())
}

/// Make a component from words that its command has parsed. A channel is opened.
pub fn part(kind: &str, name: &str, matches: &clap::ArgMatches) -> Result<Part, Ended> {
    let missing = || Ended::from(unknown(kind, name));
    Ok(match kind {
        "source" => Part::Source(
            find(source::ALL, name)
                .ok_or_else(missing)?
                .from_matches(matches)?,
        ),
        "intercept" => Part::Intercept(
            find(intercept::ALL, name)
                .ok_or_else(missing)?
                .from_matches(matches)?,
        ),
        "sink" => Part::Sink(find(sink::ALL, name).ok_or_else(missing)?.from_matches(matches)?),
        _ => {
            let settings = find(channel::ALL, name)
                .ok_or_else(missing)?
                .from_matches(matches)?;
            let (channel, ends) = settings.open(&format!("channel {name}"))?;
            Part::Channel(channel, ends)
        }
    })
}

/// The error of a component that is not in its table, with the nearest name.
pub fn unknown(kind: &str, name: &str) -> StageError {
    let names = names(kind);
    let what = match kind {
        "intercept" => "interceptor",
        kind => kind,
    };
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are {}", names.join(", ")),
    };
    StageError::Usage(format!("\"{name}\" is no {what}; {hint}"))
}

/// An executable `flume-KIND-NAME` on the PATH.
pub fn find_external(kind: &str, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    if name.contains('/') {
        return None;
    }
    let file = format!("flume-{kind}-{name}");
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(&file))
        .find(|path| {
            std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// An executable `flume-KIND-NAME` as a component of a flow, if there is one.
pub fn external_part(kind: &str, name: &str, words: &[String]) -> Option<Part> {
    let path = find_external(kind, name)?;
    let stage = format!("{kind} {name}");
    Some(match kind {
        "source" => Part::Source(Source::Polled(external::source(&stage, path, words))),
        "sink" => Part::Sink(external::sink(&stage, path, words)),
        _ => {
            let (sink, source) = external::middle(&stage, path, words);
            Part::Program(sink, Source::Polled(source))
        }
    })
}

/// The file channel that keeps rejected events.
pub fn rejected(directory: &Path) -> Result<Box<dyn Rejected>, StageError> {
    Err(StageError::Usage(format!(
        "{}: there is no file channel yet",
        directory.display()
    )))
}

/// The file channel of `--durability channel`.
pub fn wal(directory: &Path, _bytes: u64) -> Result<std::sync::Arc<dyn channel::Channel>, StageError> {
    Err(StageError::Usage(format!(
        "{}: there is no file channel yet",
        directory.display()
    )))
}
