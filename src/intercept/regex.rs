//! `regex`: the everyday interceptor. Named groups become headers, events are kept or dropped by match, the
//! text is rewritten.
//!
//! | words | an event that matches | another |
//! |---|---|---|
//! | `PATTERN` | gets its named groups as headers | goes on as it is |
//! | `--keep PATTERN` | the same | is dropped |
//! | `--drop PATTERN` | is dropped | goes on as it is |
//! | `--replace TEXT PATTERN` | has all matches replaced by the text | goes on as it is |
//! | `--keep --replace TEXT PATTERN` | the same | is dropped |
//!
//! Unnamed groups do nothing beside named ones; where none has a name they become the headers `1`, `2` and so
//! on. A group that took no part in the match sets no header. With `--replace`, groups are for the text.

use super::groups::Groups;
use super::{Checked, filtered};
use crate::event::{Batch, BatchBuilder, EventRef};
use crate::exit::StageError;
use crate::pattern::{Pattern, Template};
use crate::stage::{Interceptor, undecodable};

/// Set headers from a pattern's groups, filter events by it, or rewrite what it matches.
#[derive(clap::Args)]
pub struct Regex {
    /// Java regular expression, searched anywhere in the body; named groups, `(?P<day>\d+)`, become headers.
    #[arg(id = "pattern", value_name = "PATTERN")]
    pattern: Pattern,
    /// Drop the events that do not match.
    #[arg(long, id = "keep", default_value = "false")]
    keep: bool,
    /// Drop the events that match.
    #[arg(long, id = "drop", default_value = "false")]
    drop: bool,
    /// Put this in the place of every match; $1 and ${name} are groups.
    #[arg(long, id = "replace", value_name = "TEXT", allow_hyphen_values = true)]
    replace: Option<String>,
    /// Look at the value of this header instead of the body; an event without it does not match.
    #[arg(long, id = "header", value_name = "NAME")]
    header: Option<String>,
    #[arg(skip)]
    groups: Groups,
    #[arg(skip)]
    template: Option<Template>,
    #[arg(skip)]
    rewritten: Vec<u8>,
}

impl Checked for Regex {
    fn check(&mut self) -> Result<(), String> {
        let named: Vec<_> = self
            .pattern
            .names()
            .map(|(group, name)| (group, name.to_string()))
            .collect();
        let (drops, replaces) = (self.drop, self.replace.is_some());
        if drops && self.keep {
            return Err("regex: --keep and --drop together would leave nothing: give one of them".into());
        }
        if drops && replaces {
            return Err(
                "regex: with --drop no event that matches is left for --replace: give one of them".into(),
            );
        }
        if let Some((_, name)) = named.first().filter(|_| drops) {
            return Err(format!(
                "regex: with --drop no event that matches is left to set the header {name}: write the group as \
                 (?:...), or use --keep"
            ));
        }
        if let Some(text) = &self.replace {
            let template = Template::new(text, &self.pattern);
            self.template = Some(template.map_err(|why| format!("regex: --replace: {why}"))?);
            return Ok(());
        }
        let numbered = 1..=self.pattern.group_count();
        self.groups = match named.is_empty() {
            true => Groups::new(numbered.map(|group| (group, group.to_string()))),
            false => Groups::new(named),
        };
        if self.groups.is_empty() && !self.keep && !drops {
            return Err(
                "regex: the pattern has no group, so nothing would be done: name one, as in (?P<day>\\d+), or \
                 use --keep, --drop or --replace"
                    .into(),
            );
        }
        Ok(())
    }
}

impl Interceptor for Regex {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        let text = match &self.header {
            None => Some(event.body()),
            Some(name) => event.header(name.as_bytes()),
        };
        let matched = match (text, &self.template) {
            (None, _) => false,
            (Some(text), Some(template)) => {
                self.rewritten.clear();
                self.pattern.replace_all(text, template, &mut self.rewritten)
            }
            (Some(text), None) => self.pattern.find(text),
        };
        match (matched, text) {
            (false, _) if self.keep => {}
            (true, _) if self.drop => {}
            (true, Some(text)) if self.template.is_none() => {
                self.groups.push(event, &self.pattern, text, out)
            }
            (true, _) => match &self.header {
                None => out.push_with(event, &[], Some(&self.rewritten)),
                Some(name) => out.push_with(event, &[(name.as_bytes(), &self.rewritten)], None),
            },
            (false, _) => out.push_encoded(event),
        }
        Ok(())
    }

    fn intercept_batch(&mut self, batch: Batch) -> Result<Batch, StageError> {
        if self.groups.is_empty() && self.template.is_none() {
            return self.filter(batch);
        }
        let mut out = BatchBuilder::with_room(batch.bytes() + 64 * batch.len() as usize);
        for event in batch.events() {
            self.intercept(event.map_err(undecodable)?, &mut out)?;
        }
        Ok(batch.replaced_by(out.finish()))
    }
}

impl Regex {
    /// `--keep` or `--drop` without a header to set.
    fn filter(&mut self, batch: Batch) -> Result<Batch, StageError> {
        let keeps = self.keep;
        filtered(batch, |event| {
            let text = match &self.header {
                None => Some(event.body()),
                Some(name) => event.header(name.as_bytes()),
            };
            text.is_some_and(|text| self.pattern.is_match(text)) == keeps
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::intercept::tests::{check, check_properties, refused};

    const LINE: &str = "2026-11-25 07:51:43 install jq";

    fn line() -> Event {
        Event::new(LINE)
    }

    #[test]
    fn named_groups_become_headers() {
        let expected = line()
            .with_header("day", "2026-11-25 07:51:43")
            .with_header("action", "install");
        check(
            &["regex", r"^(?P<day>\S+ \S+) (?P<action>\w+) (\w+)"],
            &[line(), Event::new("other")],
            &[expected, Event::new("other")],
        );
    }

    #[test]
    fn unnamed_groups_are_numbers_where_none_is_named() {
        let expected = line().with_header("1", "install").with_header("2", "jq");
        check(&["regex", r"(\w+) (\w+)$"], &[line()], &[expected]);
    }

    #[test]
    fn a_group_that_took_no_part_sets_nothing() {
        let input = Event::new("b").with_header("a", "old");
        let expected = input.clone().with_header("b", "b");
        check(&["regex", "(?<a>a)|(?<b>b)"], &[input], &[expected]);
    }

    #[test]
    fn a_header_that_is_there_gets_the_new_value_in_its_place() {
        let input = Event::new("x").with_header("a", "old").with_header("z", "z");
        let expected = Event::new("x").with_header("a", "x").with_header("z", "z");
        check(&["regex", "(?<a>x)"], &[input], &[expected]);
    }

    #[test]
    fn keep_and_drop_filter_by_match() {
        let events = [Event::new("a 1"), Event::new("b"), Event::new("a 2")];
        check(
            &["regex", "--keep", "^a"],
            &events,
            &[Event::new("a 1"), Event::new("a 2")],
        );
        check(&["regex", "--drop", "^a"], &events, &[Event::new("b")]);
        check(&["regex", "--keep", "nothing"], &events, &[]);
        let numbered = [
            Event::new("a 1").with_header("n", "1"),
            Event::new("a 2").with_header("n", "2"),
        ];
        check(&["regex", "--keep", r"(?<n>\d)"], &events, &numbered);
    }

    #[test]
    fn replace_rewrites_every_match_in_the_body() {
        let with = |body: &str| Event::new(body.to_string()).with_header("k", "v");
        let words = ["regex", r"(?<user>\w+)@\w+", "--replace", "${user}@..."];
        check(
            &words,
            &[with("a@b to c@d"), with("none")],
            &[with("a@... to c@..."), with("none")],
        );
        check(&[&words[..], &["--keep"]].concat(), &[with("none")], &[]);
        check(&["regex", r"\s+$", "--replace", ""], &[with("a  ")], &[with("a")]);
    }

    #[test]
    fn header_takes_the_place_of_the_body() {
        let input = [Event::new("a").with_header("h", "b7"), Event::new("b7")];
        let [with, without] = input.clone();
        check(
            &["regex", r"b(?<n>\d)", "--header=h"],
            &input,
            &[with.clone().with_header("n", "7"), without.clone()],
        );
        check(
            &["regex", "b", "--header=h", "--keep"],
            &input,
            std::slice::from_ref(&with),
        );
        check(
            &["regex", "b", "--header=h", "--drop"],
            &input,
            std::slice::from_ref(&without),
        );
        check(
            &["regex", "b", "--header=h", "--replace=c"],
            &input,
            &[Event::new("a").with_header("h", "c7"), without],
        );
    }

    #[test]
    fn combinations_without_sense_are_refused() {
        let cases: &[(&[&str], &str)] = &[
            (
                &["regex", "a", "--keep", "--drop"],
                "together would leave nothing",
            ),
            (&["regex", "a", "--drop", "--replace=b"], "left for --replace"),
            (&["regex", "(?<a>a)", "--drop"], "set the header a"),
            (&["regex", "a"], "has no group"),
            (&["regex", "(a)", "--replace", "$2"], "$2 is no group"),
            (&["regex", "a++"], "possessive"),
            (&["regex"], "PATTERN"),
        ];
        for (words, what) in cases {
            let message = refused(words);
            assert!(message.contains(what), "{words:?}: {message}");
        }
    }

    #[test]
    fn the_same_by_properties() {
        let given = [("pattern", r"(?<n>\d)"), ("keep", "true")];
        check_properties(
            "regex",
            &given,
            &[Event::new("7"), Event::new("x")],
            &[Event::new("7").with_header("n", "7")],
        );
    }
}
