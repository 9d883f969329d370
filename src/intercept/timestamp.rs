//! `timestamp`: when an event came, in milliseconds (Flume's TimestampInterceptor).

use super::{push_header, with_header};
use crate::event::{Batch, BatchBuilder, EventRef};
use crate::exit::StageError;
use crate::stage::Interceptor;

/// Set a header to the time now, in milliseconds since 1970.
#[derive(clap::Args)]
pub struct Timestamp {
    /// Name of the header.
    #[arg(long, id = "headerName", default_value = "timestamp", value_name = "NAME")]
    header_name: String,
    /// Keep the value of an event that has the header already.
    #[arg(long, id = "preserveExisting", default_value = "false")]
    preserve_existing: bool,
}

fn now() -> String {
    jiff::Timestamp::now().as_millisecond().to_string()
}

impl Interceptor for Timestamp {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        push_header(
            event,
            &self.header_name,
            now().as_bytes(),
            self.preserve_existing,
            out,
        );
        Ok(())
    }

    /// The clock is read once for a batch, whose events pass at one moment.
    fn intercept_batch(&mut self, batch: Batch) -> Result<Batch, StageError> {
        with_header(batch, &self.header_name, &now(), self.preserve_existing)
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::intercept::tests::intercepted;

    fn millis(event: &Event, header: &str) -> i64 {
        String::from_utf8_lossy(event.header(header).unwrap())
            .parse()
            .unwrap()
    }

    #[test]
    fn the_header_is_the_time_now_in_milliseconds() {
        let before = jiff::Timestamp::now().as_millisecond();
        let events = intercepted(&["timestamp"], &[Event::new("a").with_header("timestamp", "1")]);
        let found = millis(&events[0], "timestamp");
        assert!((before..=jiff::Timestamp::now().as_millisecond()).contains(&found));
    }

    #[test]
    fn an_existing_value_stays_when_told() {
        let words = ["timestamp", "--header-name", "t", "--preserve-existing"];
        let events = intercepted(&words, &[Event::new("a").with_header("t", "1"), Event::new("b")]);
        assert_eq!(events[0].header("t"), Some(&b"1"[..]));
        assert!(millis(&events[1], "t") > 1_000_000_000_000);
    }
}
