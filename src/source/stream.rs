//! `stream`: frames from many clients over TCP, TLS or Unix sockets; each gets its own acknowledgements.

use super::idle::Idle;
use super::intake::{Intake, Taken};
use super::ports::in_the_way;
use super::server::{Connection, Connections, Server, announce, hang_up};
use crate::ack::Refusal;
use crate::exit::{StageError, StageResult};
use crate::link::address::Listener;
use crate::link::groups::Group;
use crate::link::inlet::InletOptions;
use crate::link::remote::{same_token, token_in};
use crate::link::sessions::Sessions;
use crate::link::welcome::Gate;
use crate::link::{Address, Identity, StreamInlet};
use crate::metrics::Count;
use crate::say;
use crate::stage::{ChannelProcessor, EventDrivenSource, Obstacle};
use crate::tls::{self, Acceptor, ServerTls};
use crate::wire::Hello;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long the last bytes to a client may take that has TLS.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Take streams of events from clients, such as `flume send` and `flume sink stream`.
///
/// A recording in a file is played by `flume replay FILE`.
/// A batch is accepted over the client's own connection when the next hop has it. What is no stream ends
/// the connection that it came by, and no other; of a client that dies the whole batches are delivered. A
/// client that connects again goes on where it was, and nothing is taken twice.
#[derive(clap::Args)]
pub struct Stream {
    /// Address to listen on: tcp:HOST:PORT, tls:HOST:PORT or unix:PATH; --listen ADDRESS says the same.
    #[arg(id = "listen", value_name = "ADDRESS", default_value = "tcp:127.0.0.1:4545")]
    listen: Address,
    /// Listen instead as a server of this group: on the first of its addresses that this host has and that is free.
    #[arg(long, id = "group", value_name = "NAME", conflicts_with = "listen")]
    group: Option<String>,
    /// File that describes groups; without it flume/groups in the configuration of the user or in /etc.
    #[arg(long, id = "groups-file", value_name = "FILE")]
    groups_file: Option<PathBuf>,
    #[command(flatten)]
    connections: Connections,
    #[command(flatten)]
    idle: Idle,
    /// Take only clients that show the secret in this file.
    #[arg(long, id = "token-file", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Remember in this file what was taken, so that nothing is taken twice after a restart.
    #[arg(long, id = "resume-file", value_name = "FILE")]
    resume_file: Option<PathBuf>,
    #[command(flatten)]
    tls: ServerTls,
    #[arg(skip)]
    server: Option<Server>,
}

impl EventDrivenSource for Stream {
    fn check(&self) -> Result<(), String> {
        match self.tls.is_given() && !self.listen.is_tls() && self.group.is_none() {
            true => Err(format!(
                "{} speaks no TLS: with certificates listen on a tls: address",
                self.listen
            )),
            false => Ok(()),
        }
    }

    fn look(&self) -> Vec<Obstacle> {
        let own = Some(self.listen.clone()).filter(|_| self.group.is_none());
        in_the_way("listen", own)
    }

    fn start(&mut self, to: &Arc<ChannelProcessor>) -> StageResult {
        let name = to.counters().name();
        let (at, listener) = self.listener()?;
        let host = Arc::new(self.host(&at, name)?);
        let how_to_open = match at.is_tls() {
            true => "--listen tls:0.0.0.0:PORT",
            false => "--listen tcp:0.0.0.0:PORT",
        };
        announce(&listener, name, how_to_open);
        let serve = move |connection, to: &Arc<ChannelProcessor>| host.serve(connection, to);
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

impl Stream {
    fn listener(&self) -> Result<(Address, Listener), StageError> {
        if let Some(name) = &self.group {
            let group = Group::find(name, self.groups_file.as_deref()).map_err(StageError::Usage)?;
            return group
                .listen()
                .map_err(|why| StageError::Failed(format!("group {name}: {why}")));
        }
        let listener = self.listen.listen();
        let listener = listener
            .map_err(|error| StageError::Failed(format!("cannot listen on {}: {error}", self.listen)))?;
        Ok((self.listen.clone(), listener))
    }

    /// What all connections share.
    fn host(&self, at: &Address, name: &str) -> Result<Host, StageError> {
        let acceptor = match at.is_tls() {
            true => Some(tls::server(&self.tls, name)?),
            false => None,
        };
        if let Some(file) = &self.token_file {
            token_in(file).map_err(StageError::Usage)?;
            if at.is_open_to_others() {
                say::warn(
                    name,
                    format!("{at} is not encrypted: the token can be read on its way"),
                );
            }
        }
        let sessions = match &self.resume_file {
            None => Sessions::default(),
            Some(file) => Sessions::kept_in(file)
                .map_err(|error| StageError::Failed(format!("--resume-file {}: {error}", file.display())))?,
        };
        Ok(Host {
            acceptor,
            idle: self.idle,
            token_file: self.token_file.clone(),
            sessions,
        })
    }
}

/// What all connections share.
struct Host {
    acceptor: Option<Acceptor>,
    idle: Idle,
    token_file: Option<PathBuf>,
    sessions: Sessions,
}

impl Host {
    fn serve(&self, connection: Connection, to: &Arc<ChannelProcessor>) {
        let Connection { socket, peer } = connection;
        let refused = |error: &dyn std::fmt::Display| {
            let name = to.counters().name();
            say::warn(name, format!("{peer}: {error}; the connection is closed"));
        };
        let secured = match &self.acceptor {
            None => Ok((socket, None)),
            Some(acceptor) => acceptor
                .accept_within(socket, self.idle.handshake(), to.stop())
                .map(|tunnel| (tunnel.fd, Some(tunnel.fate))),
        };
        match secured {
            Ok((socket, fate)) => {
                self.take(socket, &peer, to);
                fate.as_ref().inspect(|fate| fate.wait_flushed(LAST_BYTES));
                if let Some(why @ (tls::TlsError::Refused(_) | tls::TlsError::Failed(_))) =
                    fate.and_then(|fate| fate.why())
                {
                    refused(&why);
                }
            }
            Err(error) => {
                to.counters().add(Count::EventReadFail, 1);
                refused(&error);
            }
        }
    }

    /// Let in who shows the token: how far its stream is known.
    fn gate(&self) -> Gate {
        let (sessions, token_file) = (self.sessions.clone(), self.token_file.clone());
        Gate(Arc::new(move |hello: &Hello| {
            if let Some(file) = &token_file {
                // Read each time: it may be replaced.
                let token = token_in(file)
                    .and_then(|secret| secret.read())
                    .map_err(Refusal::retry)?;
                match hello.token.as_str() {
                    "" => {
                        return Err(Refusal::reject(
                            "it shows no token, and this server wants one (--token-file)",
                        ));
                    }
                    shown if !same_token(shown, &token) => return Err(Refusal::reject("its token is wrong")),
                    _ => {}
                }
            }
            Ok(match hello.wants_welcome() {
                true => sessions.known(&hello.origin),
                false => 0,
            })
        }))
    }

    fn open(&self, socket: OwnedFd, peer: &str, to: &Arc<ChannelProcessor>) -> Result<Intake, StageError> {
        let options = InletOptions {
            only_self: true,
            gate: Some(self.gate()),
            ..InletOptions::new(Identity::of_stage(to.counters().name()), peer)
        };
        let inlet = StreamInlet::open(socket, options, to.stop())?;
        Ok(Intake::new(inlet, peer)
            .remembering(&self.sessions)
            .with_patience(self.idle.patience_with_program()))
    }

    fn take(&self, socket: OwnedFd, peer: &str, to: &Arc<ChannelProcessor>) {
        let name = to.counters().name();
        let broke =
            |error: &dyn std::fmt::Display| say::warn(name, format!("{error}; the connection is closed"));
        let mut intake = match self.open(socket, peer, to) {
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
            hang_up(intake.input());
        }
        // Wakes a teller whose client does not read.
        let _ = rustix::net::shutdown(intake.input(), rustix::net::Shutdown::Both);
        intake.join();
    }
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
    use crate::value::Seconds;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::time::Instant;

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
            connections: Connections {
                max_connections: 10,
                keep_alive: Seconds(Duration::from_secs(30)),
            },
            idle: Idle {
                idle_timeout: Seconds(Duration::ZERO),
            },
            group: None,
            groups_file: None,
            token_file: None,
            resume_file: None,
            tls: ServerTls::default(),
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
