//! `regex_filter`: keeps or drops events by a pattern (Flume's RegexFilteringInterceptor).

use super::filtered;
use crate::event::{Batch, BatchBuilder, EventRef};
use crate::exit::StageError;
use crate::pattern::Pattern;
use crate::stage::Interceptor;

/// Keep the events whose body a pattern matches anywhere, or drop them.
#[derive(clap::Args)]
pub struct RegexFilter {
    /// Java regular expression, searched anywhere in the body.
    #[arg(
        long,
        id = "regex",
        default_value = ".*",
        value_name = "PATTERN",
        allow_hyphen_values = true
    )]
    regex: Pattern,
    /// Drop what matches instead of keeping it.
    #[arg(long, id = "excludeEvents", default_value = "false")]
    exclude_events: bool,
}

impl Interceptor for RegexFilter {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        if self.regex.is_match(event.body()) != self.exclude_events {
            out.push_encoded(event);
        }
        Ok(())
    }

    fn intercept_batch(&mut self, batch: Batch) -> Result<Batch, StageError> {
        filtered(batch, |event| {
            self.regex.is_match(event.body()) != self.exclude_events
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::intercept::tests::{check, check_properties, refused};

    #[test]
    fn matches_anywhere_are_kept_or_dropped() {
        let events = [Event::new("an ERROR"), Event::new("INFO"), Event::new("")];
        check(&["regex_filter", "--regex", "ERR"], &events, &events[..1]);
        check(
            &["regex_filter", "--regex", "ERR", "--exclude-events"],
            &events,
            &events[1..],
        );
    }

    #[test]
    fn the_default_keeps_everything() {
        let events = [Event::new(""), Event::new("\n"), Event::new(&b"\xff"[..])];
        check(&["regex_filter"], &events, &events);
    }

    #[test]
    fn only_true_excludes_in_a_properties_file() {
        let events = [Event::new("a"), Event::new("b")];
        check_properties(
            "regex_filter",
            &[("regex", "a"), ("excludeEvents", "yes")],
            &events,
            &events[..1],
        );
        check_properties(
            "regex_filter",
            &[("regex", "a"), ("excludeEvents", "TRUE")],
            &events,
            &events[1..],
        );
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_refused_by_name() {
        let message = refused(&["regex_filter", "--regex", "(?=a)"]);
        assert!(
            message.contains("--regex") && message.contains("lookaround"),
            "{message}"
        );
    }
}
