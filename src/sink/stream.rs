//! `stream`: frames to an address, such as a `source stream` or a collector's `flume` on another host.

use crate::event::Batch;
use crate::exit::{StageError, StageResult};
use crate::link::outlet::{OutletOptions, Reply};
use crate::link::resend::Resend;
use crate::link::{Address, Identity, Outlet, SendError, StreamOutlet, Window};
use crate::stage::{Sink, SinkError};
use crate::stop::Stop;
use crate::value::{Seconds, Size};
use crate::wire::Compression;
use std::sync::Arc;
use std::time::Duration;

/// Send the stream to an address; a batch is accepted when it was accepted there.
///
/// A connection that cannot be made or breaks is made again, with pauses that grow to 5 seconds; what was
/// not accepted is sent again, in its order.
#[derive(clap::Args, Debug, Clone)]
pub struct Stream {
    /// Address to send to: tcp:HOST:PORT or unix:PATH.
    #[arg(id = "address", value_name = "ADDRESS", required = true)]
    pub address: Address,
    /// How it is sent.
    #[command(flatten)]
    pub sending: Sending,
    /// Give up after so long without success.
    #[arg(skip)]
    pub retry_for: Option<Duration>,
    /// The stage as the other side sees it.
    #[arg(skip)]
    pub stage: Option<String>,
}

/// How batches are sent to an address.
#[derive(clap::Args, Debug, Clone)]
pub struct Sending {
    /// How long one attempt to connect may take.
    #[arg(long, id = "connect-timeout", default_value = "20s", value_name = "TIME")]
    pub connect_timeout: Seconds,
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

impl Stream {
    fn name(&self) -> String {
        self.stage.clone().unwrap_or_else(|| "sink stream".into())
    }

    fn options(&self) -> OutletOptions {
        let identity = Identity::of_stage(self.name());
        OutletOptions {
            window: Window {
                batches: self.sending.max_unaccepted as usize,
                bytes: self.sending.max_unaccepted_bytes.0 as usize,
            },
            compression: self.sending.compression.into(),
            ..OutletOptions::new(identity, Reply::SelfSocket)
        }
    }
}

/// Connect to the address and open a stream there.
fn connect(
    address: &Address,
    timeout: Duration,
    options: &OutletOptions,
    stop: &Stop,
) -> Result<Arc<dyn Outlet>, SendError> {
    let failed = |error: std::io::Error| {
        SendError::Temporary(format!("a connection to {address} cannot be made: {error}"))
    };
    let socket = address.connect(timeout).map_err(failed)?;
    let outlet = StreamOutlet::open(socket, options.clone(), stop).map_err(failed)?;
    Ok(Arc::new(outlet))
}

impl Sink for Stream {
    fn start(&mut self) -> StageResult {
        match &self.address {
            Address::Tcp(_, 0) => Err(StageError::Usage(format!(
                "nobody can listen on port 0 of {}",
                self.address
            ))),
            _ => Ok(()),
        }
    }

    fn write(&mut self, _batch: &Batch) -> Result<(), SinkError> {
        Err(SinkError::retry("batches go to the outlet of this sink"))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn outlet(&mut self, stop: &Stop) -> Option<Arc<dyn Outlet>> {
        let (address, options) = (self.address.clone(), self.options());
        let (timeout, own) = (self.sending.connect_timeout.0, stop.clone());
        let again = Box::new(move || connect(&address, timeout, &options, &own));
        Some(Arc::new(Resend::connecting(
            again,
            self.retry_for,
            &self.name(),
            stop,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::Outcome;
    use crate::component::{Spec, made};
    use crate::event::Event;
    use crate::link::inlet::InletOptions;
    use crate::link::{Inlet, Next, StreamInlet, Wait};
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

    fn accept(listener: &UnixListener, stop: &Stop) -> StreamInlet {
        let (socket, _) = listener.accept().unwrap();
        let options = InletOptions::new(Identity::of_stage("test"), "client");
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
        let outlet = outlet(&path, &stop);
        let send = |body: &str| {
            let receipt = outlet.send(Batch::single(&Event::new(body.to_string()))).unwrap();
            outlet.flush().unwrap();
            receipt
        };
        let first = send("one");
        let mut inlet = accept(&listener, &stop);
        assert_eq!(next_body(&mut inlet, true), "one");
        inlet.flush_settled().unwrap();
        assert_eq!(first.wait(), Outcome::Accepted);
        let receipts = [send("two"), send("three")];
        assert_eq!(next_body(&mut inlet, false), "two");
        drop(inlet);
        let mut inlet = accept(&listener, &stop);
        assert_eq!(next_body(&mut inlet, true), "two");
        assert_eq!(next_body(&mut inlet, true), "three");
        inlet.flush_settled().unwrap();
        for receipt in &receipts {
            assert_eq!(receipt.wait(), Outcome::Accepted);
        }
        let reader = std::thread::spawn(move || {
            // The end asks to accept what is here.
            let mut end = std::iter::repeat_with(|| inlet.next(Wait::Forever));
            let end = end.find(|next| !matches!(next, Ok(Next::Flush)));
            matches!(end, Some(Ok(Next::End)))
        });
        assert_eq!(
            outlet.finish(Some(Instant::now() + Duration::from_secs(20))),
            Ok(())
        );
        drop(outlet);
        assert!(reader.join().unwrap());
    }

    #[test]
    fn address_nobody_listens_on_ends_when_the_patience_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let stop = stop();
        let address = format!("unix:{}", path.display());
        let mut sink = SPEC.from_flags(&[address]).unwrap();
        sink.retry_for = Some(Duration::from_millis(200));
        let outlet = sink.outlet(&stop).unwrap();
        let Err(SendError::Temporary(why)) = outlet.send(Batch::single(&Event::new("x"))) else {
            panic!("it was sent");
        };
        assert!(why.contains("unix:"), "{why}");
        assert!(why.ends_with("; events that were not accepted: 1"), "{why}");
        assert!(SPEC.from_flags(&["ftp:x:1".into()]).is_err());
    }
}
