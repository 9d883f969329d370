//! The place of a channel: opened once, again as long as that fails, and shared by all who put and take.

use super::make;
use crate::channel::{Channel, Ends, Taken};
use crate::exit::StageError;
use crate::flow::Board;
use crate::flow::graph::Definition;
use crate::metrics::{Counters, Kind};
use crate::say;
use crate::stop::Stop;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How often who waits for a channel that could not be opened looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An open channel and its counters.
pub(super) type Opened = (Arc<dyn Channel>, Arc<Counters>);

/// See the module.
pub(super) struct Slot {
    pub definition: Definition,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    opened: Option<Opened>,
    /// Why it could not be opened.
    error: Option<String>,
    /// When it was opened last.
    since: Option<Instant>,
}

impl Slot {
    pub fn new(definition: Definition) -> Arc<Slot> {
        Arc::new(Slot {
            definition,
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn name(&self) -> &str {
        &self.definition.name
    }

    pub fn get(&self) -> Option<Opened> {
        self.lock().opened.clone()
    }

    /// When it was opened, or now.
    pub fn since(&self) -> Instant {
        self.lock().since.unwrap_or_else(Instant::now)
    }

    pub fn error(&self) -> Option<String> {
        self.lock().error.clone()
    }

    /// Open it; the same error is told once.
    pub fn open(&self, board: &Board) -> bool {
        let name = format!("channel {}", self.name());
        let opened = make::channel(&self.definition).and_then(|settings| settings.open(&name));
        let opened = opened.and_then(|(channel, ends)| match ends {
            Ends::Both => Ok(channel),
            _ => Err(StageError::Usage(
                "in an agent a channel has both its ends".into(),
            )),
        });
        let mut state = self.lock();
        match opened {
            Ok(channel) => {
                let counters = board.counters(Kind::Channel, self.name());
                board.channel(&channel, &counters);
                state.opened = Some((channel, counters));
                state.error = None;
                state.since = Some(Instant::now());
            }
            Err(error) => {
                let error = error.to_string();
                if state.error.as_ref() != Some(&error) {
                    say::error(&name, format!("{error}; trying again"));
                }
                state.error = Some(error);
            }
        }
        state.opened.is_some()
    }

    /// Wait until it is open; `None` if a stop came first.
    pub fn wait(&self, stop: &Stop) -> Option<Opened> {
        loop {
            if let Some(opened) = self.get() {
                return Some(opened);
            }
            if stop.sleep(LOOK_AGAIN) {
                return None;
            }
        }
    }

    /// Nobody here uses it any more.
    pub fn close(&self, board: &Board) {
        let opened = self.lock().opened.take();
        board.forget(Kind::Channel, self.name());
        if let Some((channel, counters)) = opened {
            let left = channel.fill().events;
            if left > 0 && !channel.is_durable() {
                say::error(
                    &format!("channel {}", self.name()),
                    format!(
                        "{left} events are lost: they were not taken before it was closed, and it is in memory"
                    ),
                );
            }
            counters.stopped();
        }
    }

    /// Bring what another channel of this name holds in here, whatever room there is; how many events.
    pub fn adopt(&self, old: &Slot) -> u64 {
        let (Some((new, _)), Some((old, _))) = (self.get(), old.get()) else {
            return 0;
        };
        let mut events = 0;
        while let Ok(Taken::Delivery(delivery)) = old.take(Some(Instant::now())) {
            if let Err(error) = new.adopt(&delivery.batch) {
                say::error(
                    &format!("channel {}", self.name()),
                    format!("{} events cannot be kept: {error}", delivery.batch.len()),
                );
                break;
            }
            events += u64::from(delivery.batch.len());
            delivery.accept();
        }
        events
    }
}
