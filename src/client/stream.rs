//! A client for a whole stream: many batches are under way, held until they are accepted, and sent again.

use super::balanced::Balanced;
use super::{Destination, Kind, Settings};
use crate::ack::{Class, Outcome, Promise};
use crate::event::Batch;
use crate::link::resend::Resend;
use crate::link::{Connect, Outlet, SendError, Unsettled};
use crate::say;
use crate::stop::Stop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An outlet to the hosts of these settings. It gives up after so long without any success, or never.
pub fn stream(settings: &Settings, give_up: Option<Duration>, stop: &Stop) -> Arc<dyn Outlet> {
    let connect = connecting(settings, stop);
    let resend = match settings.kind {
        Kind::DefaultLoadbalance => Resend::connecting(connect, give_up, &settings.name, stop),
        // A server of frames that still knows the stream takes nothing twice.
        _ => Resend::numbering(connect, give_up, &settings.name, stop),
    };
    Arc::new(resend)
}

/// What connects to the hosts of these settings, for somebody who sees to failures himself.
pub fn connecting(settings: &Settings, stop: &Stop) -> Connect {
    match settings.kind {
        Kind::DefaultLoadbalance => {
            let balanced: Arc<dyn Outlet> = Arc::new(Balanced::new(settings, stop));
            Box::new(move || Ok(balanced.clone()))
        }
        Kind::Default | Kind::DefaultFailover => {
            let rotation = Rotation {
                settings: settings.clone(),
                next: AtomicUsize::new(0),
                stop: stop.clone(),
            };
            Box::new(move || rotation.connect())
        }
    }
}

/// The hosts in their order, beginning behind the one that was used last.
struct Rotation {
    settings: Settings,
    next: AtomicUsize,
    stop: Stop,
}

impl Rotation {
    fn connect(&self) -> Result<Arc<dyn Outlet>, SendError> {
        let hosts = self.settings.used_hosts();
        let attempts = self
            .settings
            .max_attempts
            .map_or(hosts.len(), |most| most as usize);
        let first = self.next.load(Ordering::SeqCst);
        let mut said = Vec::new();
        for at in (0..attempts.min(hosts.len())).map(|step| (first + step) % hosts.len()) {
            self.next.store((at + 1) % hosts.len(), Ordering::SeqCst);
            match hosts[at].open(&self.settings, &self.stop) {
                Ok(outlet) if hosts.len() == 1 => return Ok(outlet),
                Ok(outlet) => {
                    say::info(&self.settings.name, format!("sending to {}", hosts[at]));
                    return Ok(Arc::new(Leaving::over(outlet, &hosts[at], &self.settings.name)));
                }
                Err(error) => said.push(error.to_string()),
            }
        }
        Err(SendError::Temporary(said.join("; ")))
    }
}

/// An outlet that is lost at the first refusal for now, so that who connects again comes to the next host.
struct Leaving {
    inner: Arc<dyn Outlet>,
    shared: Arc<Left>,
}

struct Left {
    to: Destination,
    name: String,
    left: AtomicBool,
    why: Mutex<Option<String>>,
}

impl Leaving {
    fn over(inner: Arc<dyn Outlet>, to: &Destination, name: &str) -> Leaving {
        Leaving {
            inner,
            shared: Arc::new(Left {
                to: to.clone(),
                name: name.to_string(),
                left: AtomicBool::new(false),
                why: Mutex::default(),
            }),
        }
    }
}

impl Left {
    fn leave(&self, why: &str) {
        if !self.left.swap(true, Ordering::SeqCst) {
            say::warn(&self.name, format!("{}: not accepted: {why}", self.to));
            *self.why.lock().unwrap_or_else(|p| p.into_inner()) = Some(why.to_string());
        }
    }
}

impl Outlet for Leaving {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        if self.shared.left.load(Ordering::SeqCst) {
            return Err(SendError::Closed);
        }
        let shared = self.shared.clone();
        let told = Promise::hook(move |outcome| match outcome {
            Outcome::Refused(refusal) if refusal.class == Class::Retry => {
                shared.leave(&refusal.reason);
                promise.settle(Outcome::Lost);
            }
            outcome => promise.settle(outcome),
        });
        self.inner.send_promised(batch, told)
    }

    fn flush(&self) -> Result<(), SendError> {
        self.inner.flush()
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.inner.ask_flush()
    }

    fn break_off(&self) {
        self.inner.break_off();
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        self.inner.finish(deadline)
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        self.inner.on_settled(then);
    }

    fn unsettled(&self) -> Unsettled {
        self.inner.unsettled()
    }

    fn known(&self) -> u64 {
        self.inner.known()
    }

    fn why_closed(&self) -> Option<String> {
        let own = self.shared.why.lock().unwrap_or_else(|p| p.into_inner()).clone();
        own.or_else(|| self.inner.why_closed())
    }
}
