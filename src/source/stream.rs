//! `stream`: frames from many clients over TCP or Unix sockets; each gets its own acknowledgements.

use super::server::{Connection, Connections, Server, announce, hang_up};
use crate::ack::{Delivery, Outcome, Refusal};
use crate::exit::{StageError, StageResult};
use crate::link::inlet::InletOptions;
use crate::link::{Address, Identity, Inlet, Next, StreamInlet, Wait};
use crate::metrics::Count;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a client may take to read its last acceptances before its connection is given up.
const TELL_PATIENCE: Duration = Duration::from_secs(10);

/// Take streams of events from clients, such as `flume send` and `flume sink stream`.
///
/// A batch is accepted over the client's own connection when the next hop has it. What is no stream ends
/// the connection that it came by, and no other; of a client that dies the whole batches are delivered.
#[derive(clap::Args)]
pub struct Stream {
    /// Address to listen on: tcp:HOST:PORT or unix:PATH; --listen ADDRESS says the same.
    #[arg(id = "listen", value_name = "ADDRESS", default_value = "tcp:127.0.0.1:4545")]
    listen: Address,
    #[command(flatten)]
    connections: Connections,
    #[arg(skip)]
    server: Option<Server>,
}

impl EventDrivenSource for Stream {
    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let listener = self
            .listen
            .listen()
            .map_err(|error| StageError::Failed(format!("cannot listen on {}: {error}", self.listen)))?;
        announce(&listener, to.counters().name(), "--listen tcp:0.0.0.0:PORT");
        self.server = Some(Server::start(listener, &self.connections, to, serve)?);
        Ok(())
    }

    fn stop(&mut self) -> StageResult {
        if let Some(server) = self.server.take() {
            server.join();
        }
        Ok(())
    }
}

/// What a client is owed.
#[derive(Default)]
struct Account {
    owed: Mutex<Owed>,
    changed: Condvar,
}

#[derive(Default)]
struct Owed {
    batches: u64,
    /// Something was settled and the client was not told yet.
    news: bool,
    /// Nothing more will be owed; and the client was told everything.
    over: bool,
    told: bool,
}

impl Account {
    fn lock(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn change(&self, change: impl FnOnce(&mut Owed)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn settled(&self) {
        self.change(|owed| {
            owed.batches -= 1;
            owed.news = true;
        });
    }

    /// Wait until `done`, `deadline` passes, or the time after `stop` does.
    fn wait(&self, to: &ChannelProcessor, deadline: Option<Instant>, done: impl Fn(&Owed) -> bool) {
        let mut owed = self.lock();
        let is_over = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= Instant::now());
        while !done(&owed) && !is_over(deadline) && !is_over(to.stop().deadline()) {
            let waited = self.changed.wait_timeout(owed, Duration::from_millis(200));
            owed = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    /// Tell the client each time that something was settled. In a thread of its own: a client that does not
    /// read must not hold up who settles for all.
    fn tell_all(&self, settler: &dyn Fn()) {
        loop {
            let mut owed = self.lock();
            while !owed.news && !owed.over {
                owed = self
                    .changed
                    .wait(owed)
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
            }
            owed.news = false;
            let over = owed.over;
            drop(owed);
            settler();
            if over {
                return self.change(|owed| owed.told = true);
            }
        }
    }
}

fn serve(connection: Connection, to: &Arc<ChannelProcessor>) {
    let Connection { socket, peer } = connection;
    let name = to.counters().name();
    let broke = |error: &dyn std::fmt::Display| say::warn(name, format!("{error}; the connection is closed"));
    let copy = match socket.try_clone() {
        Ok(copy) => copy,
        Err(error) => return broke(&format!("{peer}: {error}")),
    };
    let options = InletOptions {
        only_self: true,
        ..InletOptions::new(Identity::of_stage(name), &peer)
    };
    let mut inlet = match StreamInlet::open(copy, options, to.stop()) {
        Ok(inlet) => inlet,
        Err(error) => return broke(&error),
    };
    let account = Arc::new(Account::default());
    let (settler, told) = (inlet.settler(), account.clone());
    let teller = std::thread::Builder::new()
        .name("flume-teller".into())
        .stack_size(128 << 10)
        .spawn(move || told.tell_all(&*settler));
    let teller = match teller {
        Ok(teller) => teller,
        Err(error) => return broke(&format!("{peer}: no thread can be started: {error}")),
    };
    if let Err(error) = take_all(&mut inlet, &account, to, &peer) {
        to.counters().add(Count::EventReadFail, 1);
        broke(&error);
    }
    // A client that said all it had still waits for the acceptances.
    let _ = to.flush();
    account.wait(to, None, |owed| owed.batches == 0);
    account.change(|owed| owed.over = true);
    account.wait(to, Some(Instant::now() + TELL_PATIENCE), |owed| owed.told);
    close(&socket, &account);
    let _ = teller.join();
}

fn close(socket: &OwnedFd, account: &Account) {
    if account.lock().told {
        hang_up(socket);
    }
    // Wakes a teller whose client does not read.
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}

/// Hand on what the client sends. The error is about this client.
fn take_all(
    inlet: &mut StreamInlet,
    account: &Arc<Account>,
    to: &Arc<ChannelProcessor>,
    peer: &str,
) -> StageResult {
    loop {
        let next = match inlet.next(Wait::No)? {
            Next::Idle => {
                hand_on_all(to);
                inlet.next(Wait::Forever)?
            }
            next => next,
        };
        match next {
            Next::Delivery(delivery) => {
                account.change(|owed| owed.batches += 1);
                take(delivery, account, to, peer)?;
            }
            Next::Flush => hand_on_all(to),
            Next::Idle => {}
            Next::End | Next::Stopped => return Ok(()),
            Next::Broken(error) => return Err(error),
        }
    }
}

fn hand_on_all(to: &ChannelProcessor) {
    if to.flush().is_err() {
        // Nothing more can be handed on: the source ends and says why.
        to.stop().stop();
    }
}

/// Hand on one batch; it is settled as its receipt resolves.
fn take(
    mut delivery: Delivery,
    account: &Arc<Account>,
    to: &Arc<ChannelProcessor>,
    peer: &str,
) -> StageResult {
    let sequence = delivery.batch.sequence;
    // Whoever reads it later must be able to rely on it: bad bytes stop here.
    if let Err(fault) = delivery.batch.check() {
        let why = format!("{peer}: batch {sequence} holds bytes that are no events: {fault}");
        delivery.refuse(Refusal::reject(why.clone()));
        account.settled();
        return Err(StageError::Failed(why));
    }
    // A position counts in its client's channel, and there are many clients.
    delivery.batch.origin = 0;
    let receipt = match to.process(delivery.batch.clone()) {
        Ok(receipt) => receipt,
        Err(error) => {
            delivery.refuse(Refusal::retry(error.to_string()));
            account.settled();
            to.stop().stop();
            return Err(StageError::Temporary(format!(
                "{peer}: batch {sequence} was not handed on: {error}"
            )));
        }
    };
    let (account, to, peer) = (account.clone(), to.clone(), peer.to_string());
    receipt.then(move |outcome| {
        note(&outcome, &delivery, &to, &peer);
        delivery.settle(outcome);
        account.settled();
    });
    Ok(())
}

fn note(outcome: &Outcome, delivery: &Delivery, to: &ChannelProcessor, peer: &str) {
    let events = u64::from(delivery.batch.len());
    let why = match outcome {
        Outcome::Accepted => {
            to.counters().add(Count::EventAccepted, events);
            return to.counters().add(Count::AppendBatchAccepted, 1);
        }
        Outcome::Refused(refusal) => refusal.reason.as_str(),
        Outcome::Lost => {
            to.stop().stop();
            "the next stage has gone"
        }
    };
    to.counters().add(Count::Refused, events);
    let sequence = delivery.batch.sequence;
    say::warn(
        to.counters().name(),
        format!("{peer}: batch {sequence} of {events} events was not taken: {why}"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Batch, Event};
    use crate::link::Outlet;
    use crate::link::outlet::{OutletOptions, Reply, StreamOutlet};
    use crate::link::testing::Collect;
    use crate::stop::Stop;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    struct Bench {
        source: Stream,
        stop: Stop,
        collect: Collect,
        directory: tempfile::TempDir,
    }

    fn start(collect: Collect) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let (to, stop) = collect.processor("source stream");
        let mut source = Stream {
            listen: Address::Unix(directory.path().join("s")),
            connections: Connections { max_connections: 10 },
            server: None,
        };
        source.start(&to).unwrap();
        Bench {
            source,
            stop,
            collect,
            directory,
        }
    }

    impl Bench {
        fn path(&self) -> PathBuf {
            self.directory.path().join("s")
        }

        fn client(&self) -> StreamOutlet {
            let socket = UnixStream::connect(self.path()).unwrap();
            let options = OutletOptions::new(Identity::of_stage("test"), Reply::SelfSocket);
            // A stop of its own: the client is another process.
            let stop = Stop::new(Duration::from_secs(5)).unwrap();
            StreamOutlet::open(socket.into(), options, &stop).unwrap()
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            self.stop.stop();
            self.source.stop().unwrap();
        }
    }

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(20))
    }

    fn batch(body: &str) -> Batch {
        Batch::single(&Event::new(body.to_string()))
    }

    #[test]
    fn each_client_gets_its_own_acceptances() {
        let bench = start(Collect::accepting());
        let clients: Vec<_> = (0..5).map(|_| bench.client()).collect();
        for (number, client) in clients.iter().enumerate() {
            for _ in 0..=number {
                client.send(batch(&number.to_string())).unwrap();
            }
        }
        for client in &clients {
            assert_eq!(client.finish(soon()), Ok(()));
        }
        assert_eq!(bench.collect.events().len(), 15);
    }

    #[test]
    fn acceptance_comes_while_the_client_says_nothing_more() {
        let bench = start(Collect::holding());
        let client = bench.client();
        let receipt = client.send(batch("one")).unwrap();
        client.flush().unwrap();
        bench.collect.wait_for(1);
        assert_eq!(receipt.outcome(), None);
        bench.collect.settle_all(Outcome::Accepted);
        let outcome = receipt.wait_for(Some(Duration::from_secs(20)));
        assert_eq!(outcome, Some(Outcome::Accepted));
    }

    #[test]
    fn refusal_reaches_the_client_with_its_reason() {
        let bench = start(Collect::answering(Outcome::Refused(Refusal::reject("no"))));
        let client = bench.client();
        let receipt = client.send(batch("one")).unwrap();
        client.flush().unwrap();
        let outcome = receipt.wait_for(Some(Duration::from_secs(20)));
        assert_eq!(outcome, Some(Outcome::Refused(Refusal::reject("no"))));
    }

    #[test]
    fn what_is_no_stream_ends_its_own_connection_only() {
        let bench = start(Collect::accepting());
        let good = bench.client();
        let mut bad = UnixStream::connect(bench.path()).unwrap();
        bad.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!(bad.read_to_end(&mut Vec::new()).unwrap(), 0);
        good.send(batch("one")).unwrap();
        assert_eq!(good.finish(soon()), Ok(()));
    }

    #[test]
    fn batch_that_holds_no_events_is_rejected() {
        let bench = start(Collect::accepting());
        let client = bench.client();
        let whole = client.send(batch("one")).unwrap();
        let receipt = client.send(Batch::from_encoded(vec![0xff; 9].into(), 1)).unwrap();
        client.flush().unwrap();
        let outcome = receipt.wait_for(Some(Duration::from_secs(20)));
        assert!(matches!(outcome, Some(Outcome::Refused(refusal)) if refusal.reason.contains("no events")));
        assert_eq!(whole.wait(), Outcome::Accepted);
        assert_eq!(bench.collect.bodies(), ["one"]);
    }

    #[test]
    fn whole_batches_of_a_client_that_dies_are_delivered() {
        let bench = start(Collect::accepting());
        let client = bench.client();
        client.send(batch("one")).unwrap();
        client.flush().unwrap();
        drop(client);
        bench.collect.wait_for(1);
        assert_eq!(bench.collect.bodies(), ["one"]);
    }

    #[test]
    fn acceptances_go_nowhere_but_over_the_connection() {
        let bench = start(Collect::accepting());
        let socket = UnixStream::connect(bench.path()).unwrap();
        let options = OutletOptions::new(Identity::of_stage("test"), Reply::Unix(None));
        let client = StreamOutlet::open(socket.into(), options, &bench.stop).unwrap();
        let receipt = client.send(batch("one")).unwrap();
        let _ = client.flush();
        assert_eq!(
            receipt.wait_for(Some(Duration::from_secs(20))),
            Some(Outcome::Lost)
        );
        assert!(bench.collect.bodies().is_empty());
    }
}
