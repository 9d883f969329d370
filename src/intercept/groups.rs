//! Groups of a match as headers, without allocating for each event.

use crate::event::{BatchBuilder, Entries, EventRef, Name};
use crate::pattern::Pattern;
use std::ops::Range;

/// The headers that groups become: distinct names, each with the groups that may give it a value.
#[derive(Debug, Default)]
pub(super) struct Groups {
    headers: Vec<(usize, Vec<u8>)>,
    /// The same names, encoded.
    names: Vec<Name>,
    /// The headers of one event: working memory.
    entries: Entries,
    /// A group that took no part sets an empty value instead of none.
    empty_for_absent: bool,
}

impl Groups {
    /// Headers of these groups. A name that comes again: the last wins.
    pub(super) fn new(named: impl IntoIterator<Item = (usize, String)>) -> Self {
        let mut groups: Vec<(usize, Vec<u8>)> = Vec::new();
        for (group, name) in named {
            let name = name.into_bytes();
            match groups.iter_mut().find(|(_, own)| *own == name) {
                Some((own, _)) => *own = group,
                None => groups.push((group, name)),
            }
        }
        Groups {
            names: groups.iter().map(|(_, name)| Name::new(name)).collect(),
            headers: groups,
            entries: Entries::default(),
            empty_for_absent: false,
        }
    }

    /// The same, setting an empty value for a group that took no part.
    pub(super) fn with_empty_for_absent(mut self) -> Self {
        self.empty_for_absent = true;
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Where the value of a header lies that this group gives it; `None` if it gets none.
    #[inline(always)]
    fn value(&self, group: usize, pattern: &Pattern) -> Option<Range<usize>> {
        pattern.group(group).or(self.empty_for_absent.then_some(0..0))
    }

    /// The headers that the pattern's last match, in `text`, sets.
    pub(super) fn found<'a>(&'a self, pattern: &'a Pattern, text: &'a [u8]) -> Vec<(&'a [u8], &'a [u8])> {
        let found = self.headers.iter().filter_map(|(group, name)| {
            let value = text.get(self.value(*group, pattern)?)?;
            Some((name.as_slice(), value))
        });
        found.collect()
    }

    /// Push the event with the headers that the pattern's last match, in `text`, sets.
    #[inline]
    pub(super) fn push(
        &mut self,
        event: EventRef<'_>,
        pattern: &Pattern,
        text: &[u8],
        out: &mut BatchBuilder,
    ) {
        let is_set = |key: &[u8]| self.headers.iter().any(|(_, name)| name == key);
        if event.headers().any(|(key, _)| is_set(key)) {
            return out.push_with(event, &self.found(pattern, text), None);
        }
        self.entries.clear();
        for (index, name) in self.names.iter().enumerate() {
            if let Some(range) = self.value(self.headers[index].0, pattern)
                && range.end <= text.len()
            {
                self.entries.add(name, &text[range.start..], range.len());
            }
        }
        self.entries.close();
        out.push_entries(event, &self.entries);
    }
}
