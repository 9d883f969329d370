//! An outlet over several servers, each batch to one of them: in turn, or to the one with the least to do.
//!
//! A server that fails is left out for a while, longer each time, and its batches come back refused for now: who
//! holds them ([`super::resend::Resend`]) sends them again, and then they go to another. As long as one server is
//! connected, nobody waits for a connection to the others: a thread makes it.

use super::together::Verdict;
use super::{Outlet, SendError, Unsettled};
use crate::ack::{Class, Outcome, Promise, Refusal};
use crate::event::Batch;
use crate::say;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a server is left out after its first failure, and at most.
const LEFT_OUT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

type Hook = Arc<dyn Fn() + Send + Sync>;

pub use super::Connect as Open;

/// Which server a batch goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Each time the next one.
    RoundRobin,
    /// The one with the fewest unaccepted batches.
    LeastLoaded,
}

/// One server.
struct Member {
    to: String,
    open: Open,
    under_way: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outlet: Option<Arc<dyn Outlet>>,
    connecting: bool,
    failures: u32,
    left_out_until: Option<Instant>,
}

struct Shared {
    name: String,
    turn: Turn,
    /// Unaccepted batches that one server may have.
    most: usize,
    members: Vec<Member>,
    next: AtomicUsize,
    after: Mutex<Option<Hook>>,
}

/// See the module.
pub struct Spread(Arc<Shared>);

impl Spread {
    /// Over these servers, each with its name for messages. `most` batches may be unaccepted on one of them.
    pub fn over(servers: Vec<(String, Open)>, turn: Turn, most: usize, name: &str) -> Spread {
        let member = |(to, open)| Member {
            to,
            open,
            under_way: AtomicUsize::new(0),
            state: Mutex::default(),
        };
        Spread(Arc::new(Shared {
            name: name.to_string(),
            turn,
            most,
            members: servers.into_iter().map(member).collect(),
            next: AtomicUsize::new(0),
            after: Mutex::default(),
        }))
    }

    fn open_outlets(&self) -> Vec<Arc<dyn Outlet>> {
        let members = self.0.members.iter();
        members
            .filter_map(|member| member.lock().outlet.clone())
            .collect()
    }
}

impl Member {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// May a connection be tried now? Then it is this caller's to try.
    fn claim(&self) -> bool {
        let mut state = self.lock();
        let is_left_out = state.left_out_until.is_some_and(|until| Instant::now() < until);
        let free = state.outlet.is_none() && !state.connecting && !is_left_out;
        state.connecting |= free;
        free
    }
}

impl Shared {
    fn hook(&self) -> Option<Hook> {
        self.after.lock().unwrap_or_else(|p| p.into_inner()).clone()
    }

    /// Servers in the order in which they are tried: those that have no room stand last.
    fn order(&self) -> Vec<usize> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.members.len();
        let mut order: Vec<_> = (0..self.members.len()).collect();
        order.rotate_left(first);
        let load = |index: &usize| self.members[*index].under_way.load(Ordering::Relaxed);
        match self.turn {
            Turn::RoundRobin => order.sort_by_key(|index| load(index) >= self.most),
            Turn::LeastLoaded => order.sort_by_key(load),
        }
        order
    }

    /// A connected server, the best that there is.
    fn choose(self: &Arc<Self>) -> Result<(usize, Arc<dyn Outlet>), String> {
        let order = self.order();
        let connected = order
            .iter()
            .find_map(|index| Some((*index, self.members[*index].lock().outlet.clone()?)));
        if let Some(found) = connected {
            for index in order {
                self.connect_aside(index);
            }
            return Ok(found);
        }
        let mut said = Vec::new();
        for index in order {
            if self.members[index].claim() {
                match self.connect(index) {
                    Ok(outlet) => return Ok((index, outlet)),
                    Err(why) => said.push(why),
                }
            }
        }
        Err(match said.is_empty() {
            true => "no server could be reached lately".into(),
            false => said.join("; "),
        })
    }

    /// Connect in a thread, if a connection is missing and its time has come.
    fn connect_aside(self: &Arc<Self>, index: usize) {
        if !self.members[index].claim() {
            return;
        }
        let shared = self.clone();
        let thread = std::thread::Builder::new().name("flume-connect".into());
        let spawned = thread.spawn(move || shared.connect(index).map(drop));
        if spawned.is_err() {
            self.members[index].lock().connecting = false;
        }
    }

    fn connect(self: &Arc<Self>, index: usize) -> Result<Arc<dyn Outlet>, String> {
        let member = &self.members[index];
        let opened = (member.open)();
        let mut state = member.lock();
        state.connecting = false;
        match opened {
            Ok(outlet) => {
                let again = state.failures > 0;
                state.outlet = Some(outlet.clone());
                drop(state);
                if let Some(then) = self.hook() {
                    outlet.on_settled(Box::new(move || then()));
                }
                if again {
                    say::info(&self.name, format!("{}: connected again", member.to));
                }
                Ok(outlet)
            }
            Err(error) => {
                let why = error.to_string();
                if Self::fail(&mut state) {
                    say::warn(&self.name, format!("{why}; others take its share"));
                }
                Err(why)
            }
        }
    }

    /// Leave a server out for a while: true if it had worked until now.
    fn fail(state: &mut State) -> bool {
        let pause = LEFT_OUT.0 * 2u32.saturating_pow(state.failures.min(16));
        state.left_out_until = Some(Instant::now() + pause.min(LEFT_OUT.1));
        state.failures += 1;
        state.failures == 1
    }

    fn settled(&self, index: usize, outlet: &Arc<dyn Outlet>, outcome: Outcome, promise: Promise) {
        let member = &self.members[index];
        member.under_way.fetch_sub(1, Ordering::Relaxed);
        let refusal = match outcome {
            Outcome::Accepted => {
                let mut state = member.lock();
                state.failures = 0;
                state.left_out_until = None;
                drop(state);
                return promise.settle(Outcome::Accepted);
            }
            Outcome::Refused(refusal) if refusal.class == Class::Reject => {
                return promise.settle(Outcome::Refused(refusal));
            }
            Outcome::Refused(refusal) => refusal,
            Outcome::Lost => {
                self.lost(index, outlet);
                Refusal::retry(format!("{}: the connection is lost", member.to))
            }
        };
        promise.settle(Outcome::Refused(refusal));
        // The outlet that would have told may be gone.
        if let Some(then) = self.hook() {
            then();
        }
    }

    fn lost(&self, index: usize, outlet: &Arc<dyn Outlet>) {
        let member = &self.members[index];
        let mut state = member.lock();
        let is_own = state.outlet.as_ref().is_some_and(|own| Arc::ptr_eq(own, outlet));
        let old = if is_own { state.outlet.take() } else { None };
        let is_news = is_own && Self::fail(&mut state);
        drop(state);
        // Not under the lock: closing it settles what is under way, which comes here.
        drop(old);
        if is_news {
            say::warn(
                &self.name,
                format!("{}: the connection is lost; others take its share", member.to),
            );
        }
    }
}

impl Outlet for Spread {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let (index, outlet) = match self.0.choose() {
            Ok(chosen) => chosen,
            Err(why) => {
                promise.settle(Outcome::Refused(Refusal::retry(why)));
                return Ok(());
            }
        };
        let (shared, own) = (self.0.clone(), outlet.clone());
        self.0.members[index].under_way.fetch_add(1, Ordering::Relaxed);
        let told = Promise::hook(move |outcome| shared.settled(index, &own, outcome, promise));
        match outlet.send_promised(batch, told) {
            // The batch has come back by its promise.
            Err(SendError::Closed) => Ok(()),
            other => other,
        }
    }

    fn flush(&self) -> Result<(), SendError> {
        each(self.open_outlets(), |outlet| outlet.flush())
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        each(self.open_outlets(), |outlet| outlet.ask_flush())
    }

    fn break_off(&self) {
        self.open_outlets().iter().for_each(|outlet| outlet.break_off());
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        each(self.open_outlets(), |outlet| outlet.finish(deadline))
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
        sum(self.open_outlets())
    }
}

/// Do it with all; that one of them has gone is known to whoever holds its batches.
fn each(
    outlets: Vec<Arc<dyn Outlet>>,
    work: impl Fn(&Arc<dyn Outlet>) -> Result<(), SendError>,
) -> Result<(), SendError> {
    for outlet in &outlets {
        match work(outlet) {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn sum(outlets: Vec<Arc<dyn Outlet>>) -> Unsettled {
    outlets
        .iter()
        .map(|outlet| outlet.unsettled())
        .fold(Unsettled::default(), |sum, one| Unsettled {
            events: sum.events + one.events,
            bytes: sum.bytes + one.bytes,
            oldest: sum.oldest.max(one.oldest),
        })
}

/// An outlet to several servers, each of which gets every batch: it is accepted when all have accepted it.
pub struct FanOut(Vec<Arc<dyn Outlet>>);

impl FanOut {
    /// To these, which hold what they are sent until it is accepted.
    pub fn to(outlets: Vec<Arc<dyn Outlet>>) -> FanOut {
        FanOut(outlets)
    }
}

impl Outlet for FanOut {
    fn send_promised(&self, batch: Batch, promise: Promise) -> Result<(), SendError> {
        let verdict = Verdict::of(self.0.len(), promise);
        for outlet in &self.0 {
            outlet.send_promised(batch.clone(), Verdict::part(&verdict))?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), SendError> {
        self.0.iter().try_for_each(|outlet| outlet.flush())
    }

    fn ask_flush(&self) -> Result<(), SendError> {
        self.0.iter().try_for_each(|outlet| outlet.ask_flush())
    }

    fn break_off(&self) {
        self.0.iter().for_each(|outlet| outlet.break_off());
    }

    fn finish(&self, deadline: Option<Instant>) -> Result<(), SendError> {
        let mut result = Ok(());
        for outlet in &self.0 {
            result = result.and(outlet.finish(deadline));
        }
        result
    }

    fn on_settled(&self, then: Box<dyn Fn() + Send + Sync>) {
        let then: Hook = then.into();
        for outlet in &self.0 {
            let then = then.clone();
            outlet.on_settled(Box::new(move || then()));
        }
    }

    fn unsettled(&self) -> Unsettled {
        sum(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::link::testing::Collect;

    fn batch() -> Batch {
        Batch::single(&Event::new("x"))
    }

    fn spread(servers: &[&Collect], turn: Turn) -> Spread {
        let servers = servers.iter().enumerate().map(|(index, server)| {
            let outlet: Arc<dyn Outlet> = Arc::new((*server).clone());
            let open: Open = Box::new(move || Ok(outlet.clone()));
            (index.to_string(), open)
        });
        let spread = Spread::over(servers.collect(), turn, 1000, "test");
        // All of them, before the first batch: threads connect when they like.
        (0..spread.0.members.len()).for_each(|index| {
            spread.0.connect(index).unwrap();
        });
        spread
    }

    #[test]
    fn batches_go_round() {
        let servers = [Collect::accepting(), Collect::accepting(), Collect::accepting()];
        let spread = spread(&servers.each_ref(), Turn::RoundRobin);
        for _ in 0..9 {
            assert_eq!(spread.send(batch()).unwrap().wait(), Outcome::Accepted);
        }
        for server in &servers {
            assert_eq!(server.events().len(), 3);
        }
    }

    #[test]
    fn who_has_least_to_do_gets_the_next_batch() {
        let (slow, fast) = (Collect::holding(), Collect::accepting());
        let spread = spread(&[&slow, &fast], Turn::LeastLoaded);
        for _ in 0..10 {
            spread.send(batch()).unwrap();
        }
        assert_eq!(slow.events().len(), 1);
        assert_eq!(fast.events().len(), 9);
    }

    #[test]
    fn full_server_is_passed_over() {
        let (slow, fast) = (Collect::holding(), Collect::accepting());
        let mut spread = spread(&[&slow, &fast], Turn::RoundRobin);
        Arc::get_mut(&mut spread.0).unwrap().most = 2;
        for _ in 0..10 {
            spread.send(batch()).unwrap();
        }
        assert_eq!((slow.events().len(), fast.events().len()), (2, 8));
    }

    #[test]
    fn server_that_is_lost_is_left_out_and_its_batches_come_back() {
        crate::say::be_quiet();
        let (dying, other) = (Collect::answering(Outcome::Lost), Collect::accepting());
        let spread = spread(&[&dying, &other], Turn::RoundRobin);
        let outcome = spread.send(batch()).unwrap().wait();
        assert!(matches!(outcome, Outcome::Refused(refusal) if refusal.class == Class::Retry));
        for _ in 0..5 {
            assert_eq!(spread.send(batch()).unwrap().wait(), Outcome::Accepted);
        }
        assert_eq!(dying.events().len(), 1);
    }

    #[test]
    fn batch_is_accepted_when_all_have_it() {
        let (one, other) = (Collect::accepting(), Collect::holding());
        let fan = FanOut::to(vec![Arc::new(one.clone()), Arc::new(other.clone())]);
        let receipt = fan.send(batch()).unwrap();
        assert_eq!(receipt.outcome(), None);
        other.settle_all(Outcome::Accepted);
        assert_eq!(receipt.wait(), Outcome::Accepted);
        let receipt = fan.send(batch()).unwrap();
        other.settle_all(Outcome::Refused(Refusal::reject("no")));
        assert_eq!(receipt.wait(), Outcome::Refused(Refusal::reject("no")));
    }
}
