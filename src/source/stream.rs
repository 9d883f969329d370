//! `stream`: frames from many clients over TCP or Unix sockets; each gets its own acknowledgements.

use super::intake::{Intake, Taken};
use super::server::{Connection, Connections, Server, announce, hang_up};
use crate::exit::{StageError, StageResult};
use crate::link::inlet::InletOptions;
use crate::link::{Address, Identity, StreamInlet};
use crate::metrics::Count;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Take streams of events from clients, such as `flume send` and `flume sink stream`.
///
/// A recording in a file is played by `flume replay FILE`.
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

fn serve(connection: Connection, to: &Arc<ChannelProcessor>) {
    let Connection { socket, peer } = connection;
    let name = to.counters().name();
    let broke = |error: &dyn std::fmt::Display| say::warn(name, format!("{error}; the connection is closed"));
    let mut intake = match open(&socket, &peer, to) {
        Ok(intake) => intake,
        Err(error) => return broke(&error),
    };
    let result = loop {
        match intake.step(to) {
            Ok(Taken::Some) => {}
            Ok(Taken::End) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = result {
        to.counters().add(Count::EventReadFail, 1);
        broke(&error);
    }
    // A client that said all it had still waits for the acceptances.
    if intake.finish(to) {
        hang_up(&socket);
    }
    // Wakes a teller whose client does not read.
    let _ = rustix::net::shutdown(&socket, rustix::net::Shutdown::Both);
    intake.join();
}

fn open(socket: &OwnedFd, peer: &str, to: &Arc<ChannelProcessor>) -> Result<Intake, StageError> {
    let failed = |error: std::io::Error| StageError::Failed(format!("{peer}: {error}"));
    let options = InletOptions {
        only_self: true,
        ..InletOptions::new(Identity::of_stage(to.counters().name()), peer)
    };
    let inlet = StreamInlet::open(socket.try_clone().map_err(failed)?, options, to.stop())?;
    Intake::start(inlet, peer).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::{Outcome, Refusal};
    use crate::event::{Batch, Event};
    use crate::link::Outlet;
    use crate::link::outlet::{OutletOptions, Reply, StreamOutlet};
    use crate::link::testing::Collect;
    use crate::stop::Stop;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

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
