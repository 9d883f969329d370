//! An outlet over several hosts: each batch goes to the one whose turn it is, or to the next that can be reached.

use super::member::Member;
use super::{ALL_LEFT_OUT, Selector, Settings, selector_of};
use crate::ack::{Class, Outcome, Promise, Refusal};
use crate::event::Batch;
use crate::link::{Outlet, SendError, Unsettled};
use crate::say;
use crate::stop::Stop;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

type Hook = Arc<dyn Fn() + Send + Sync>;

/// See the module. What comes back from a host is refused for now: who holds it sends it again, and then it is
/// another host's turn.
pub(super) struct Balanced(Arc<Shared>);

struct Shared {
    settings: Settings,
    members: Vec<Arc<Member>>,
    selector: Mutex<Selector>,
    stop: Stop,
    after: Mutex<Option<Hook>>,
}

impl Balanced {
    pub fn new(settings: &Settings, stop: &Stop) -> Balanced {
        let hosts = settings.used_hosts().iter();
        Balanced(Arc::new(Shared {
            settings: settings.clone(),
            members: hosts
                .map(|host| Arc::new(Member::new(host.clone(), settings)))
                .collect(),
            selector: Mutex::new(selector_of(settings)),
            stop: stop.clone(),
            after: Mutex::default(),
        }))
    }

    /// Do this with all that are connected; of a broken one the batches come back by their promises.
    fn of_all(&self, what: impl Fn(&dyn Outlet) -> Result<(), SendError>) -> Result<(), SendError> {
        for outlet in self.open_outlets() {
            match what(&*outlet) {
                Ok(()) | Err(SendError::Closed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn open_outlets(&self) -> impl Iterator<Item = Arc<dyn Outlet>> {
        self.0.members.iter().filter_map(|member| member.open_outlet())
    }
}

impl Shared {
    fn lock_selector(&self) -> MutexGuard<'_, Selector> {
        self.selector
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn hook(&self) -> Option<Hook> {
        self.after.lock().unwrap_or_else(|p| p.into_inner()).clone()
    }

    /// The member whose turn it is, connected.
    fn choose(&self) -> Result<(usize, Arc<dyn Outlet>), String> {
        let order = self.lock_selector().order(Instant::now());
        let mut said = Vec::new();
        for at in order {
            match self.members[at].outlet(&self.stop) {
                Ok((outlet, is_new)) => {
                    if is_new && self.members[at].works_again() {
                        say::info(
                            &self.settings.name,
                            format!("{}: connected again", self.members[at].to()),
                        );
                    }
                    if let (true, Some(then)) = (is_new, self.hook()) {
                        outlet.on_settled(Box::new(move || then()));
                    }
                    return Ok((at, outlet));
                }
                Err(error) => {
                    let why = error.to_string();
                    if self.members[at].begins_to_fail() {
                        say::warn(&self.settings.name, format!("{why}; other hosts take its share"));
                    }
                    said.push(why);
                }
            }
            self.lock_selector().failed(at, Instant::now());
        }
        Err(match said.is_empty() {
            true => ALL_LEFT_OUT.into(),
            false => said.join("; "),
        })
    }

    /// What a host made of a batch.
    fn settled(&self, at: usize, outlet: &Arc<dyn Outlet>, outcome: Outcome, promise: Promise) {
        let why = match outcome {
            Outcome::Refused(refusal) if refusal.class == Class::Retry => refusal.reason,
            Outcome::Lost => outlet
                .why_closed()
                .unwrap_or_else(|| "the connection is lost".into()),
            outcome => return promise.settle(outcome),
        };
        self.lock_selector().failed(at, Instant::now());
        self.members[at].failed(outlet);
        promise.settle(Outcome::Refused(Refusal::retry(why)));
        // The outlet that would have told is gone.
        if let Some(then) = self.hook() {
            then();
        }
    }
}

impl Outlet for Balanced {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let (at, outlet) = match self.0.choose() {
            Ok(chosen) => chosen,
            Err(why) => {
                promise.settle(Outcome::Refused(Refusal::retry(why)));
                return Ok(());
            }
        };
        let (shared, own) = (self.0.clone(), outlet.clone());
        let told = Promise::hook(move |outcome| shared.settled(at, &own, outcome, promise));
        match outlet.send_promised(batch, told) {
            // The batch has come back by its promise.
            Err(SendError::Closed) => Ok(()),
            other => other,
        }
    }

    fn flush(&self) -> Result<(), SendError> {
        self.of_all(|outlet| outlet.flush())
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.of_all(|outlet| outlet.ask_flush())
    }

    fn break_off(&self) {
        self.open_outlets().for_each(|outlet| outlet.break_off());
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        let mut result = Ok(());
        for outlet in self.open_outlets() {
            result = result.and(outlet.finish(deadline));
        }
        result
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        let then: Hook = then.into();
        *self.0.after.lock().unwrap_or_else(|p| p.into_inner()) = Some(then.clone());
        for outlet in self.open_outlets() {
            let then = then.clone();
            outlet.on_settled(Box::new(move || then()));
        }
    }

    fn unsettled(&self) -> Unsettled {
        self.open_outlets()
            .map(|outlet| outlet.unsettled())
            .fold(Unsettled::default(), |sum, one| Unsettled {
                events: sum.events + one.events,
                bytes: sum.bytes + one.bytes,
                oldest: sum.oldest.max(one.oldest),
            })
    }
}
