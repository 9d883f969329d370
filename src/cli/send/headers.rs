//! Headers that every event gets.

use crate::event::{BatchBuilder, EventRef};
use crate::exit::StageError;
use crate::properties::Properties;
use crate::stage::Interceptor;
use crate::value::Pair;
use std::path::Path;

/// Sets the same headers on every event; one that is there gets the new value.
pub(super) struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// From a file, and from flags, which beat it; `None` without any.
    pub fn read(flags: &[Pair], file: Option<&Path>) -> Result<Option<Headers>, StageError> {
        let given = file
            .map(Properties::read)
            .transpose()
            .map_err(StageError::Usage)?;
        let given = given.unwrap_or_default();
        let of_file = given.entries().iter().map(|entry| (&entry.key, &entry.value));
        let of_flags = flags.iter().map(|pair| (&pair.name, &pair.value));
        let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (name, value) in of_file.chain(of_flags) {
            let (name, value) = (name.as_bytes().to_vec(), value.as_bytes().to_vec());
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => all.push((name, value)),
            }
        }
        Ok((!all.is_empty()).then_some(Headers(all)))
    }
}

impl Interceptor for Headers {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        let set: Vec<(&[u8], &[u8])> = self
            .0
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        out.push_with(event, &set, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Batch, Event};

    #[test]
    fn flags_beat_the_file_and_both_beat_the_event() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("headers");
        std::fs::write(&path, "a = 1\nb = two words \nb=3\n# c=4\n").unwrap();
        let flags = ["a=flag".parse().unwrap(), "d=".parse().unwrap()];
        let mut headers = Headers::read(&flags, Some(&path)).unwrap().unwrap();
        let event = Event::new("x").with_header("b", "own").with_header("e", "own");
        let batch = headers.intercept_batch(Batch::single(&event)).unwrap();
        let found = batch.events().next().unwrap().unwrap().to_event();
        let found: Vec<_> = found
            .headers()
            .map(|(name, value)| [name, value].map(crate::event::shown))
            .collect();
        let expected = [["b", "3"], ["e", "own"], ["a", "flag"], ["d", ""]];
        assert_eq!(found, expected);
        assert!(Headers::read(&[], None).unwrap().is_none());
    }
}
