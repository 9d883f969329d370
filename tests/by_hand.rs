//! The other end of a stage, played by hand: streams made frame by frame, a taker and a writer that do only
//! what the test says.

use flume::event::{Batch, BatchBuilder};
use flume::fd::PolledFd;
use flume::wire::{self, Compression, End, Frame, FrameReader, Got, Hello, Kind, Refuse};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a frame is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a stream, appended frame by frame.
#[derive(Default, Clone)]
pub struct Stream {
    /// The bytes so far.
    pub bytes: Vec<u8>,
    batches: u64,
}

/// A hello of this test for acceptances that go to `reply`.
pub fn hello(reply: &str, token: &str) -> Hello {
    Hello {
        version: wire::VERSION,
        stream: "by-hand".into(),
        stage: "source by-hand".into(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
        time: String::new(),
        reply: reply.into(),
        token: token.into(),
        origin: String::new(),
        via: Vec::new(),
        other: Default::default(),
    }
}

/// One event for each body.
pub fn batch_of(bodies: &[&[u8]]) -> Batch {
    let mut builder = BatchBuilder::new();
    bodies.iter().for_each(|body| builder.push_body(body));
    builder.finish()
}

impl Stream {
    /// A stream for whose acceptances nobody waits.
    pub fn unowed() -> Stream {
        Stream::answering(&hello("none", ""))
    }

    /// A stream with this hello.
    pub fn answering(hello: &Hello) -> Stream {
        Stream {
            bytes: hello.encode(),
            batches: 0,
        }
    }

    /// One more batch.
    pub fn batch(mut self, bodies: &[&[u8]]) -> Stream {
        self.batches += 1;
        let mut batch = batch_of(bodies);
        batch.sequence = self.batches;
        let (header, payload) = wire::batch_frame(&batch, Compression::None);
        self.bytes.extend_from_slice(&header.encode(0));
        self.bytes.extend_from_slice(&payload);
        self
    }

    /// Its end.
    pub fn end(mut self) -> Stream {
        let end = End {
            batches: self.batches,
            ..End::default()
        };
        self.bytes.extend_from_slice(&end.encode());
        self
    }
}

/// Makes a reader of the standard library one of frames.
pub struct Reader<R>(pub R);

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl<R: Read> wire::Input for Reader<R> {}

/// The next frame, or none at the end; a cut or damaged one is the end, too.
pub fn next_frame<R: wire::Input>(frames: &mut FrameReader<R>) -> Option<Frame> {
    match frames.next() {
        Ok(Got::Frame(frame)) => Some(frame),
        Ok(Got::Pending) => panic!("nothing came for {PATIENCE:?}"),
        Ok(Got::Eof) | Err(_) => None,
    }
}

/// Bodies of all whole batches in a recording, which may be torn at its end.
pub fn bodies_in(recording: &Path) -> Vec<Vec<u8>> {
    let mut frames = FrameReader::new(Reader(File::open(recording).unwrap()), wire::LIMIT);
    let mut bodies = Vec::new();
    while let Some(frame) = next_frame(&mut frames) {
        if frame.header.kind == Kind::Batch {
            let batch = frame.batch().unwrap();
            bodies.extend(batch.events().map(|event| event.unwrap().body().to_vec()));
        }
    }
    bodies
}

/// Takes from a stage as a sink would, but only when told.
pub struct Taker {
    frames: FrameReader<PolledFd>,
    reply: Option<UnixStream>,
    /// What the stage said of itself.
    pub hello: Hello,
}

impl Taker {
    /// Read the hello, and do not connect yet.
    pub fn of(pipe: PipeReader) -> Taker {
        let mut pipe = PolledFd::new(pipe.into(), false);
        pipe.deadline = Some(Instant::now() + PATIENCE);
        let mut frames = FrameReader::new(pipe, wire::LIMIT);
        let frame = next_frame(&mut frames).expect("a hello");
        let hello = Hello::from_frame(&frame).unwrap();
        Taker {
            frames,
            reply: None,
            hello,
        }
    }

    /// Connect, and be welcomed.
    pub fn connect(&mut self) {
        let reply = connect(&self.hello);
        let answer = Reader(reply.try_clone().unwrap());
        let welcome = next_frame(&mut FrameReader::new(answer, wire::LIMIT));
        assert_eq!(welcome.expect("a welcome").header.kind, Kind::Accept);
        self.reply = Some(reply);
    }

    /// Another taker of the same stream, which reads none of it.
    pub fn beside(&self) -> Taker {
        let (nothing, _) = std::io::pipe().unwrap();
        Taker {
            frames: FrameReader::new(PolledFd::new(nothing.into(), false), wire::LIMIT),
            reply: None,
            hello: self.hello.clone(),
        }
    }

    /// Connect, and be told that there is no place: why.
    pub fn is_turned_away(&mut self) -> String {
        let mut answers = FrameReader::new(Reader(connect(&self.hello)), wire::LIMIT);
        let answer = next_frame(&mut answers).expect("an answer");
        answer.json::<Refuse>("refusal").unwrap().reason
    }

    /// The next frame of the stream, but for those that only ask to hurry.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = next_frame(&mut self.frames)?;
            if frame.header.kind != Kind::Flush {
                return Some(frame);
            }
        }
    }

    /// Read batches up to this one.
    pub fn read_up_to(&mut self, sequence: u64) {
        loop {
            let frame = self.next().expect("more batches");
            if frame.header.kind == Kind::Batch && frame.header.sequence == sequence {
                return;
            }
        }
    }

    /// Accept every batch up to this one.
    pub fn accept(&mut self, sequence: u64) {
        self.say(&wire::accept_frame(sequence));
    }

    /// Refuse this batch.
    pub fn refuse(&mut self, sequence: u64, class: &str, reason: &str) {
        let refuse = Refuse {
            class: class.into(),
            reason: reason.into(),
        };
        self.say(&wire::encode_json(Kind::Refuse, sequence, &refuse));
    }

    fn say(&mut self, bytes: &[u8]) {
        let reply = self.reply.as_mut().expect("connected");
        reply.write_all(bytes).unwrap();
    }

    /// Close the reply and keep the pipe.
    pub fn hang_up(&mut self) {
        self.reply = None;
    }
}

/// Connect to the endpoint that a hello names, and say nothing.
pub fn reach(hello: &Hello) -> UnixStream {
    let name = hello.reply.strip_prefix("unix:@").expect("an abstract socket");
    let address = SocketAddr::from_abstract_name(name).unwrap();
    UnixStream::connect_addr(&address).unwrap()
}

/// Connect to the endpoint that a hello names, and show its token.
pub fn connect(hello: &Hello) -> UnixStream {
    let mut reply = reach(hello);
    reply.set_read_timeout(Some(PATIENCE)).unwrap();
    let mine = Hello {
        stage: "sink by-hand".into(),
        reply: "none".into(),
        ..hello.clone()
    };
    reply.write_all(&mine.encode()).unwrap();
    reply
}

/// Waits for the acceptances of a stream that the test writes to a stage.
pub struct Endpoint {
    listener: UnixListener,
    /// The hello that leads here.
    pub hello: Hello,
}

impl Endpoint {
    /// A socket in this directory.
    pub fn below(directory: &Path) -> Endpoint {
        let path = directory.join("reply");
        Endpoint {
            listener: UnixListener::bind(&path).unwrap(),
            hello: hello(&format!("unix:{}", path.display()), "token"),
        }
    }

    /// Wait for the taker.
    pub fn wait(&self) {
        let listening = PollFd::new(&self.listener, PollFlags::IN);
        let patience = Timespec {
            tv_sec: PATIENCE.as_secs() as i64,
            tv_nsec: 0,
        };
        assert_eq!(
            rustix::event::poll(&mut [listening], Some(&patience)),
            Ok(1),
            "no taker came"
        );
    }

    /// Its connection.
    pub fn accept(&self) -> UnixStream {
        self.listener.accept().unwrap().0
    }

    /// Wait for the taker, and welcome it.
    pub fn welcome(&self) -> FrameReader<Reader<UnixStream>> {
        self.wait();
        let mut reply = self.accept();
        reply.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut frames = FrameReader::new(Reader(reply.try_clone().unwrap()), wire::LIMIT);
        let shown = next_frame(&mut frames).expect("a hello");
        assert_eq!(Hello::from_frame(&shown).unwrap().token, "token");
        reply.write_all(&wire::accept_frame(0)).unwrap();
        frames
    }
}
