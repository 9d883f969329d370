//! Groups of a match as headers, without allocating for each event.

use crate::event::{BatchBuilder, EventRef};
use crate::pattern::Pattern;

/// Headers that are set from the stack; more go through a vector.
const FEW: usize = 16;

/// The headers that groups become: distinct names, each with the groups that may give it a value.
#[derive(Debug, Default)]
pub(super) struct Groups {
    headers: Vec<(usize, Vec<u8>)>,
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
            headers: groups,
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

    #[inline]
    fn each<'a>(
        &'a self,
        pattern: &'a Pattern,
        text: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.headers.iter().filter_map(move |(group, name)| {
            let value = match pattern.group(*group) {
                Some(range) => text.get(range)?,
                None if self.empty_for_absent => &[],
                None => return None,
            };
            Some((name.as_slice(), value))
        })
    }

    /// The headers that the pattern's last match, in `text`, sets.
    pub(super) fn found<'a>(&'a self, pattern: &'a Pattern, text: &'a [u8]) -> Vec<(&'a [u8], &'a [u8])> {
        self.each(pattern, text).collect()
    }

    /// Push the event with the headers that the pattern's last match, in `text`, sets.
    #[inline]
    pub(super) fn push(&self, event: EventRef<'_>, pattern: &Pattern, text: &[u8], out: &mut BatchBuilder) {
        if self.headers.len() > FEW {
            return out.push_with(event, &self.found(pattern, text), None);
        }
        let mut few = [(&b""[..], &b""[..]); FEW];
        let mut count = 0;
        for header in self.each(pattern, text) {
            few[count] = header;
            count += 1;
        }
        out.push_with(event, &few[..count], None);
    }
}
