//! `remove_header`: takes headers away by name (Flume's RemoveHeaderInterceptor).

use super::Checked;
use crate::event::{BatchBuilder, EventRef};
use crate::exit::{StageError, StageResult};
use crate::pattern::Pattern;
use crate::say;
use crate::stage::Interceptor;

/// Remove headers by name, by a list of names, or by a pattern that the name matches.
#[derive(clap::Args)]
pub struct RemoveHeader {
    /// The exact name of a header.
    #[arg(long, id = "withName", value_name = "NAME")]
    with_name: Option<String>,
    /// Names of headers.
    #[arg(long, id = "fromList", value_name = "NAME,NAME ...")]
    from_list: Option<String>,
    /// Java regular expression between the names of the list.
    #[arg(
        long,
        id = "fromListSeparator",
        default_value = r"\s*,\s*",
        value_name = "PATTERN",
        allow_hyphen_values = true
    )]
    from_list_separator: Pattern,
    /// Java regular expression for the whole name of a header.
    #[arg(long, id = "matching", value_name = "PATTERN", value_parser = Pattern::whole,
          allow_hyphen_values = true)]
    matching: Option<Pattern>,
    #[arg(skip)]
    names: Vec<Vec<u8>>,
}

impl Checked for RemoveHeader {
    fn check(&mut self) -> Result<(), String> {
        let listed = self
            .from_list
            .as_deref()
            .map(|list| self.from_list_separator.split(list));
        let names = self
            .with_name
            .as_deref()
            .into_iter()
            .chain(listed.unwrap_or_default());
        self.names = names.map(|name| name.as_bytes().to_vec()).collect();
        Ok(())
    }
}

impl Interceptor for RemoveHeader {
    fn start(&mut self) -> StageResult {
        if self.names.is_empty() && self.matching.is_none() {
            say::warn(
                "intercept remove_header",
                "nothing is removed: none of withName, fromList and matching is set",
            );
        }
        Ok(())
    }

    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        out.push_without(event, |name| {
            self.names.iter().any(|own| own == name)
                || self
                    .matching
                    .as_mut()
                    .is_some_and(|pattern| pattern.is_match(name))
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::intercept::tests::{check, check_properties, refused};

    fn event(names: &[&str]) -> Event {
        names
            .iter()
            .fold(Event::new("b"), |event, name| event.with_header(name, "v"))
    }

    #[test]
    fn names_are_exact_and_lists_are_split() {
        let all = event(&["a", "ab", "b", "c"]);
        check(
            &["remove_header", "--with-name", "a"],
            std::slice::from_ref(&all),
            &[event(&["ab", "b", "c"])],
        );
        check(
            &["remove_header", "--from-list", "a , c,,"],
            std::slice::from_ref(&all),
            &[event(&["ab", "b"])],
        );
        let words = [
            "remove_header",
            "--from-list",
            "a;b",
            "--from-list-separator",
            ";",
            "--with-name=c",
        ];
        check(&words, std::slice::from_ref(&all), &[event(&["ab"])]);
        check(
            &["remove_header"],
            std::slice::from_ref(&all),
            std::slice::from_ref(&all),
        );
    }

    #[test]
    fn a_pattern_must_match_the_whole_name() {
        let all = event(&["a", "ab", "xab"]);
        check(
            &["remove_header", "--matching", "a|ab"],
            std::slice::from_ref(&all),
            &[event(&["xab"])],
        );
        check_properties(
            "remove_header",
            &[("matching", ".b")],
            &[all],
            &[event(&["a", "xab"])],
        );
    }

    #[test]
    fn every_copy_of_a_repeated_header_goes() {
        let batch = {
            let mut builder = crate::event::BatchBuilder::new();
            let headers: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"k", b"2"), (b"a", b"3")];
            builder.push(headers.into_iter(), b"body");
            builder.finish()
        };
        let mut remove = crate::intercept::tests::made(&["remove_header", "--with-name=a"]);
        let left = remove.intercept_batch(batch).unwrap();
        let headers: Vec<_> = left.events().flat_map(|event| event.unwrap().headers()).collect();
        assert_eq!(headers, [(&b"k"[..], &b"2"[..])]);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_refused_by_name() {
        let message = refused(&["remove_header", "--matching", "a*+"]);
        assert!(
            message.contains("--matching") && message.contains("possessive"),
            "{message}"
        );
    }
}
