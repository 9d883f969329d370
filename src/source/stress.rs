//! `stress`: the same event over and over, to see what the rest can carry (Flume's StressSource).

use crate::event::{BatchBuilder, Event};
use crate::exit::{StageError, StageResult};
use crate::stage::{ChannelProcessor, PollableSource, Status};
use crate::value::Size;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of the time in which nothing was sent counts later, as in Flume.
const STORED: Duration = Duration::from_secs(1);
/// What every body is full of.
const FILLER: u8 = 0x7f;
/// The longest body, which has to go into a frame.
const LONGEST: u64 = 32 << 20;

/// Send the same event over and over, to try what the rest can carry.
#[derive(clap::Args)]
pub struct Stress {
    /// Bytes of a body.
    #[arg(long, id = "size", default_value = "500", value_name = "SIZE", value_parser = size)]
    size: Size,
    /// Events in all; -1 sets no end.
    #[arg(long, id = "maxTotalEvents", default_value = "-1", value_name = "EVENTS", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i64).range(-1..))]
    max_total_events: i64,
    /// Events that are accepted in all; -1 sets no end. What is refused for now comes again and does not count twice.
    #[arg(long, id = "maxSuccessfulEvents", default_value = "-1", value_name = "EVENTS", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i64).range(-1..))]
    max_successful_events: i64,
    /// Events in a batch.
    #[arg(long, id = "batchSize", default_value = "1", value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch_size: u32,
    /// Events a second at most; 0 sets no bound.
    #[arg(long, id = "maxEventsPerSecond", default_value = "0", value_name = "EVENTS")]
    max_events_per_second: u64,
    #[arg(skip)]
    sent: u64,
    /// The batch, encoded once.
    #[arg(skip)]
    event: Vec<u8>,
    #[arg(skip)]
    began: Option<Instant>,
}

fn size(word: &str) -> Result<Size, String> {
    let size: Size = word.parse()?;
    match size.0 <= LONGEST {
        true => Ok(size),
        false => Err(format!("a body has at most {}", Size(LONGEST))),
    }
}

impl Stress {
    /// Events that are still to come.
    fn left(&self) -> u64 {
        let bounds = [self.max_total_events, self.max_successful_events];
        let bounds = bounds.into_iter().filter_map(|bound| u64::try_from(bound).ok());
        bounds.min().unwrap_or(u64::MAX).saturating_sub(self.sent)
    }

    /// How long the next batch has to wait for its time.
    fn early(&mut self) -> Option<Duration> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let rate = self.max_events_per_second;
        let due = Duration::from_secs_f64(self.sent as f64 / rate.max(1) as f64);
        let late = began.elapsed().saturating_sub(due);
        if let Some(beyond) = late.checked_sub(STORED) {
            // What nobody took for long is not made up for at once.
            self.began = Some(began + beyond);
        }
        let early = due.checked_sub(began.elapsed()).filter(|early| !early.is_zero());
        early.filter(|_| rate > 0)
    }
}

impl PollableSource for Stress {
    fn start(&mut self, _to: &Arc<ChannelProcessor>) -> StageResult {
        let mut one = BatchBuilder::new();
        one.push_event(&Event::new(vec![FILLER; self.size.0 as usize]));
        self.event = one.finish().encoded().to_vec();
        Ok(())
    }

    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let count = self.left().min(u64::from(self.batch_size)) as u32;
        if count == 0 {
            return Ok(Status::Finished);
        }
        if let Some(early) = self.early() {
            to.flush()?;
            if !to.stop().sleep(early) {
                return Ok(Status::Ready);
            }
        }
        let mut batch = BatchBuilder::with_room(count as usize * self.event.len());
        for _ in 0..count {
            batch.push_prepared(&self.event);
        }
        self.sent += u64::from(count);
        to.submit(batch.finish(), || {})?;
        Ok(Status::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::Stress;
    use crate::component::{Spec, find, made};
    use crate::link::testing::Collect;
    use crate::source;
    use crate::stage::run_source;
    use std::time::{Duration, Instant};

    fn run(words: &[&str]) -> Vec<crate::event::Event> {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let source = find(source::ALL, "stress").unwrap().from_flags(&words).unwrap();
        let collect = Collect::accepting();
        let (to, _stop) = collect.processor("source stress");
        run_source(source, &to).unwrap();
        collect.events()
    }

    #[test]
    fn bodies_have_the_size_and_the_last_batch_is_cut() {
        let events = run(&["--size", "3", "--max-total-events", "25", "--batch-size", "10"]);
        assert_eq!(events.len(), 25);
        assert!(events.iter().all(|event| event.body() == &b"\x7f\x7f\x7f"[..]));
        let words = [
            "--max-total-events",
            "25",
            "--max-successful-events",
            "7",
            "--batch-size",
            "4",
        ];
        assert_eq!(run(&words).len(), 7);
        assert_eq!(run(&["--max-total-events", "0"]).len(), 0);
    }

    #[test]
    fn time_in_which_nobody_took_anything_is_made_up_for_by_a_second_at_most() {
        let words = ["--max-events-per-second=100"];
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let spec = Spec::new::<Stress>("stress", made::<Stress>);
        let mut source = spec.from_flags(&words).unwrap();
        source.began = Instant::now().checked_sub(Duration::from_secs(60));
        assert_eq!(source.early(), None);
        source.sent = 200;
        let early = source.early().unwrap();
        assert!(
            early > Duration::from_millis(900) && early <= Duration::from_secs(1),
            "{early:?}"
        );
    }

    #[test]
    fn rate_is_bounded() {
        let began = Instant::now();
        let words = [
            "--max-total-events",
            "30",
            "--batch-size",
            "10",
            "--max-events-per-second",
            "100",
        ];
        assert_eq!(run(&words).len(), 30);
        assert!(began.elapsed() >= Duration::from_millis(200));
    }
}
