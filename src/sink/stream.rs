//! `stream`: frames to one or several addresses, such as a `source stream` on another host.

use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::address::Addresses;
use crate::link::groups::{Group, Mode};
use crate::link::outlet::{OutletOptions, Reply};
use crate::link::remote::{Access, Remote};
use crate::link::resend::Resend;
use crate::link::spread::{FanOut, Open, Spread, Turn};
use crate::link::{Address, Connect, Identity, Outlet, SendError, Window};
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use crate::value::{Seconds, Size};
use crate::wire::Compression;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Send the stream to an address, or to one of several; a batch is accepted when it was accepted there.
///
/// A connection that cannot be made or breaks is made again, with pauses that grow to 5 seconds; what was
/// not accepted is sent again, in its order. A server that still knows the stream takes nothing twice; what
/// goes to another one instead, since the first has failed, may have been taken by both.
#[derive(clap::Args, Debug, Clone)]
pub struct Stream {
    /// Addresses to send to: tcp:HOST:PORT, tls:HOST:PORT or unix:PATH.
    #[arg(id = "address", value_name = "ADDRESS", required_unless_present = "group", num_args = 1..)]
    pub address: Vec<Addresses>,
    /// With several addresses, which a batch goes to: the first until it fails (failover), the next one each time
    /// (round-robin), the one with the fewest unaccepted batches (least-loaded), or all (fan-out).
    #[arg(long, id = "mode", default_value = "failover", value_name = "MODE")]
    pub mode: Mode,
    /// Send to the servers of this group instead, as its mode says.
    #[arg(long, id = "group", value_name = "NAME", conflicts_with_all = ["address", "mode"])]
    pub group: Option<String>,
    /// File that describes groups; without it flume/groups in the configuration of the user or in /etc.
    #[arg(long, id = "groups-file", value_name = "FILE")]
    pub groups_file: Option<PathBuf>,
    /// How it is sent.
    #[command(flatten)]
    pub sending: Sending,
    /// Give up after so long without success.
    #[arg(skip)]
    pub retry_for: Option<Duration>,
    /// The stage as the other side sees it.
    #[arg(skip)]
    pub stage: Option<String>,
    #[arg(skip)]
    reach: Option<Reach>,
}

/// Whom it sends to, known when it has started.
#[derive(Debug, Clone)]
struct Reach {
    group: Group,
    remote: Remote,
}

/// How batches are sent to an address.
#[derive(clap::Args, Debug, Clone)]
pub struct Sending {
    /// How long one attempt to connect may take.
    #[arg(long, id = "connect-timeout", default_value = "20s", value_name = "TIME")]
    pub connect_timeout: Seconds,
    /// How much may be under way, and how it is packed.
    #[command(flatten)]
    pub under_way: UnderWay,
    /// Who may read it, and who takes it.
    #[command(flatten)]
    pub access: Access,
}

/// How much may be under way, and how it is packed.
#[derive(clap::Args, Debug, Clone)]
pub struct UnderWay {
    /// Batches that are sent and not accepted at most.
    #[arg(long, id = "max-unaccepted", default_value = "32", value_name = "BATCHES",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_unaccepted: u32,
    /// Their bytes at most; one batch may always be under way.
    #[arg(
        long,
        id = "max-unaccepted-bytes",
        default_value = "4MiB",
        value_name = "SIZE"
    )]
    pub max_unaccepted_bytes: Size,
    /// Compress payloads on their way.
    #[arg(long, id = "compression", default_value = "none", value_name = "HOW")]
    pub compression: Packing,
}

/// How payloads are compressed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// Fast.
    Lz4,
    /// Small.
    Zstd,
}

impl From<Packing> for Compression {
    fn from(packing: Packing) -> Self {
        match packing {
            Packing::None => Compression::None,
            Packing::Lz4 => Compression::Lz4,
            Packing::Zstd => Compression::Zstd,
        }
    }
}

impl UnderWay {
    /// Options of an outlet for a stage that is called this.
    pub fn options(&self, stage: &str, reply: Reply) -> OutletOptions {
        OutletOptions {
            window: Window {
                batches: self.max_unaccepted as usize,
                bytes: self.max_unaccepted_bytes.0 as usize,
            },
            compression: self.compression.into(),
            ..OutletOptions::new(Identity::of_stage(stage), reply)
        }
    }
}

impl Stream {
    /// To the servers of a group, as a tool does it.
    pub fn to_group(
        group: &str,
        groups_file: Option<PathBuf>,
        sending: Sending,
        retry_for: Option<Duration>,
        stage: &str,
    ) -> Stream {
        Stream {
            address: Vec::new(),
            mode: Mode::Failover,
            group: Some(group.to_string()),
            groups_file,
            sending,
            retry_for,
            stage: Some(stage.to_string()),
            reach: None,
        }
    }

    fn name(&self) -> String {
        self.stage.clone().unwrap_or_else(|| "sink stream".into())
    }

    /// The servers, and how they are shared out.
    fn servers(&self) -> Result<Group, StageError> {
        let group = match &self.group {
            Some(name) => Group::find(name, self.groups_file.as_deref()).map_err(StageError::Usage)?,
            None => Group {
                mode: self.mode,
                servers: self.address.iter().flat_map(|list| list.0.clone()).collect(),
            },
        };
        match group.servers.iter().find(|address| address.port() == Some(0)) {
            Some(address) => Err(StageError::Usage(format!(
                "nobody can listen on port 0 of {address}"
            ))),
            None => Ok(group),
        }
    }

    /// What opens a stream at one of the addresses.
    fn opener(&self, at: &Address, remote: &Remote, stop: &Stop) -> Open {
        let options = self.sending.under_way.options(&self.name(), Reply::SelfSocket);
        let (at, remote, stop) = (at.clone(), remote.clone(), stop.clone());
        Box::new(move || {
            let outlet: Arc<dyn Outlet> = remote.open(&at, &options, &stop)?;
            Ok(outlet)
        })
    }

    /// What connects to the servers, of which one is sent a batch.
    fn connector(&self, stop: &Stop) -> Option<Connect> {
        let Reach { group, remote } = self.reach.as_ref()?;
        let opener = |at: &Address| (at.to_string(), self.opener(at, remote, stop));
        let mut openers: Vec<_> = group.servers.iter().map(opener).collect();
        let turn = match group.mode {
            _ if openers.len() == 1 => return openers.pop().map(|(_, open)| open),
            Mode::Failover | Mode::FanOut => return Some(failing_over(openers, self.name())),
            Mode::RoundRobin => Turn::RoundRobin,
            Mode::LeastLoaded => Turn::LeastLoaded,
        };
        let most = self.sending.under_way.max_unaccepted as usize;
        let spread: Arc<dyn Outlet> = Arc::new(Spread::over(openers, turn, most, &self.name()));
        Some(Box::new(move || Ok(spread.clone())))
    }

    /// To all servers.
    fn fan_out(&self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        let Reach { group, remote } = self.reach.as_ref()?;
        let each = group.servers.iter().map(|at| {
            // Two addresses may lead to one server, which takes them for two streams.
            let open = self.opener(at, &remote.anew(), stop);
            self.resending(open, stop)
        });
        Some(Arc::new(FanOut::to(each.collect())))
    }

    fn resending(&self, connect: Open, stop: &Stop) -> Arc<dyn Outlet> {
        Arc::new(Resend::numbering(connect, self.retry_for, &self.name(), stop))
    }
}

/// Connects to the first that can be reached, beginning with the one that was connected last.
fn failing_over(openers: Vec<(String, Open)>, name: String) -> Open {
    let current = AtomicUsize::new(0);
    Box::new(move || {
        let first = current.load(Ordering::SeqCst);
        let mut said = Vec::new();
        for at in (0..openers.len()).map(|step| (first + step) % openers.len()) {
            let (to, open) = &openers[at];
            match open() {
                Ok(outlet) => {
                    if at != first {
                        crate::say::info(&name, format!("sending to {to}"));
                    }
                    current.store(at, Ordering::SeqCst);
                    return Ok(outlet);
                }
                Err(error @ SendError::Temporary(_)) => said.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Err(SendError::Temporary(said.join("; ")))
    })
}

impl Sink for Stream {
    fn start(&mut self) -> StageResult {
        let group = self.servers()?;
        let access = &self.sending.access;
        let remote = access.remote(&group.servers, self.sending.connect_timeout.0, &self.name())?;
        self.reach = Some(Reach { group, remote });
        Ok(())
    }

    fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
        Err(SinkError::retry("batches go to the outlet of this sink"))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn outlet(&mut self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        match self.reach.as_ref()?.group.mode {
            Mode::FanOut => self.fan_out(stop),
            _ => Some(self.resending(self.connector(stop)?, stop)),
        }
    }

    fn connect(&mut self, stop: &Stop) -> Option<Connect> {
        match self.reach.as_ref()?.group.mode {
            // Each server is sent again by itself what it has not taken.
            Mode::FanOut => {
                let all = self.fan_out(stop)?;
                Some(Box::new(move || Ok(all.clone())))
            }
            _ => self.connector(stop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::Outcome;
    use crate::component::{Spec, made};
    use crate::event::Event;
    use crate::link::inlet::InletOptions;
    use crate::link::welcome::Gate;
    use crate::link::{Inlet, Next, SendError, StreamInlet, Wait};
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::time::Instant;

    const SPEC: Spec<Stream> = Spec::new::<Stream>("stream", made::<Stream>).positional("address");

    fn stop() -> Stop {
        crate::say::be_quiet();
        Stop::new(Duration::from_secs(5)).unwrap()
    }

    fn outlet(path: &Path, stop: &Stop) -> Arc<dyn Outlet> {
        let address = format!("unix:{}", path.display());
        let mut sink = SPEC.from_flags(&["--address".into(), address]).unwrap();
        sink.start().unwrap();
        sink.outlet(stop).unwrap()
    }

    fn accept(listener: &UnixListener, known: u64, stop: &Stop) -> StreamInlet {
        let (socket, _) = listener.accept().unwrap();
        let options = InletOptions {
            gate: Some(Gate(Arc::new(move |_| Ok(known)))),
            ..InletOptions::new(Identity::of_stage("test"), "client")
        };
        StreamInlet::open(socket.into(), options, stop).unwrap()
    }

    fn next_body(inlet: &mut StreamInlet, accepted: bool) -> String {
        let Ok(Next::Delivery(delivery)) = inlet.next(Wait::Forever) else {
            panic!("no batch came");
        };
        let body = delivery.batch.events().next().unwrap().unwrap().body().to_vec();
        match accepted {
            true => delivery.accept(),
            // Nobody is told: the connection breaks before.
            false => drop(delivery),
        }
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn what_was_not_accepted_is_sent_again_over_a_new_connection() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let stop = stop();
        let own = stop.clone();
        let server = std::thread::spawn(move || {
            let mut inlet = accept(&listener, 0, &own);
            assert_eq!(next_body(&mut inlet, true), "one");
            inlet.flush_settled().unwrap();
            assert_eq!(next_body(&mut inlet, false), "two");
            drop(inlet);
            // It had accepted the second one, too, and lost only the word of it.
            let mut inlet = accept(&listener, 2, &own);
            assert_eq!(next_body(&mut inlet, true), "three");
            inlet.flush_settled().unwrap();
            // The end asks to accept what is here.
            let mut rest = std::iter::repeat_with(|| inlet.next(Wait::Forever));
            let end = rest.find(|next| !matches!(next, Ok(Next::Flush)));
            matches!(end, Some(Ok(Next::End)))
        });
        let outlet = outlet(&path, &stop);
        let send = |body: &str| {
            let receipt = outlet.send(Batch::single(&Event::new(body.to_string()))).unwrap();
            outlet.flush().unwrap();
            receipt
        };
        assert_eq!(send("one").wait(), Outcome::Accepted);
        for receipt in [send("two"), send("three")] {
            assert_eq!(receipt.wait(), Outcome::Accepted);
        }
        assert_eq!(
            outlet.finish(Some(Instant::now() + Duration::from_secs(20))),
            Ok(())
        );
        drop(outlet);
        assert!(server.join().unwrap());
    }

    #[test]
    fn settings_of_tls_need_an_address_for_it() {
        let mut sink = SPEC.from_flags(&["tcp:h:1".into(), "--tls-ca=x".into()]).unwrap();
        let error = sink.start().unwrap_err();
        assert!(error.to_string().contains("without a tls: address"), "{error}");
    }

    #[test]
    fn address_nobody_listens_on_ends_when_the_patience_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let stop = stop();
        let address = format!("unix:{}", path.display());
        let mut sink = SPEC.from_flags(&[address]).unwrap();
        sink.retry_for = Some(Duration::from_millis(200));
        sink.start().unwrap();
        let outlet = sink.outlet(&stop).unwrap();
        let Err(SendError::Temporary(why)) = outlet.send(Batch::single(&Event::new("x"))) else {
            panic!("it was sent");
        };
        assert!(why.contains("unix:"), "{why}");
        assert!(why.ends_with("; events that were not accepted: 1"), "{why}");
        assert!(SPEC.from_flags(&["ftp:x:1".into()]).is_err());
    }
}
