//! `batch`: cuts and joins batches anew. Events stay as they are.
//!
//! A batch that waits to be filled is unaccepted, and the source can send nothing more when its window is full
//! of such. It says so, and the batch is closed; a source that is only slow says nothing, so that a batch is
//! always closed after some time, too.

use crate::event::{Batch, BatchBuilder, EventRef};
use crate::exit::StageError;
use crate::link::regroup::Limits;
use crate::stage::Interceptor;
use crate::value::{Millis, Size};
use std::time::Duration;

/// Regroup events into batches of another size.
///
/// A batch is also closed when the stage before can send no more until something is accepted: larger batches
/// than its --window and --window-bytes allow need a larger window there.
#[derive(clap::Args)]
pub struct Regrouping {
    /// Events in a batch at most.
    #[arg(long, id = "size", default_value = "1000", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,
    /// Encoded bytes in a batch at most; a single event may have more.
    #[arg(long, id = "bytes", default_value = "256KiB", value_name = "SIZE", value_parser = bytes)]
    bytes: Size,
    /// Time after which a batch that is not full goes on, in milliseconds where no unit is given.
    #[arg(long, id = "timeout", default_value = "100ms", value_name = "TIME", value_parser = timeout)]
    timeout: Millis,
}

fn bytes(word: &str) -> Result<Size, String> {
    match word.parse()? {
        Size(size @ 1..=0x0400_0000) => Ok(Size(size)),
        _ => Err("a batch has from 1 byte to 64 MiB, the largest frame".into()),
    }
}

fn timeout(word: &str) -> Result<Millis, String> {
    let time: Millis = word.parse()?;
    match time.0 >= Duration::from_millis(1) {
        true => Ok(time),
        false => {
            Err("without a time-out a batch that is never filled would never go on; give at least 1ms".into())
        }
    }
}

impl Interceptor for Regrouping {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        out.push_encoded(event);
        Ok(())
    }

    fn intercept_batch(&mut self, batch: Batch) -> Result<Batch, StageError> {
        Ok(batch)
    }

    fn regroups(&self) -> Option<Limits> {
        Some(Limits {
            events: self.size,
            bytes: self.bytes.0 as usize,
            timeout: Some(self.timeout.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::intercept::tests::{check, made, refused};
    use std::time::Duration;

    #[test]
    fn limits_are_what_the_flags_say() {
        let limits = made(&["batch", "--size=10", "--bytes=1KiB", "--timeout=2s"])
            .regroups()
            .unwrap();
        assert_eq!((limits.events, limits.bytes), (10, 1024));
        assert_eq!(limits.timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn events_stay_as_they_are() {
        let events = [Event::new("a").with_header("b", "c"), Event::new("d")];
        check(&["batch", "--size=1"], &events, &events);
    }

    #[test]
    fn limits_that_would_stop_the_flow_are_refused() {
        for (flag, what) in [
            ("--size=0", "0"),
            ("--bytes=0", "1 byte"),
            ("--timeout=0", "never"),
        ] {
            let message = refused(&["batch", flag]);
            assert!(
                message.contains(what) && message.contains(&flag[..6]),
                "{message}"
            );
        }
    }
}
