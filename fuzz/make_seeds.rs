//! Writes the seeds that are committed in `seeds/`: one small valid input of each kind that a target reads.
//! Run in this directory: `cargo run --example make_seeds`.

use apache_avro::Codec;
use flume::codec::EventSerializer;
use flume::codec::avro::Container;
use flume::event::{Batch, BatchBuilder, Event};
use flume::rpc::avro::protocol::TEXT;
use flume::rpc::avro::{Answer, Deflate, HandshakeRequest, HandshakeResponse, RequestPack, Status};
use flume::source::spooldir::files::Identity;
use flume::source::spooldir::tracker::Tracker;
use flume::wire::{self, Compression, End, FrameHeader, Hello, Kind};
use std::fs;
use std::io;
use std::path::Path;

fn batch(sequence: u64, text: &str) -> Batch {
    let mut builder = BatchBuilder::new();
    builder.push_event(
        &Event::new(text.repeat(20))
            .with_header("host", "h")
            .with_header("day", "1"),
    );
    builder.push_body(b"body");
    builder.push_body(b"");
    let mut batch = builder.finish();
    batch.sequence = sequence;
    batch
}

fn frame(batch: &Batch, compression: Compression, salt: u64) -> Vec<u8> {
    let (header, payload) = wire::batch_frame(batch, compression);
    [&header.encode(salt)[..], &payload].concat()
}

fn hello() -> Hello {
    let json = serde_json::json!({
        "version": 1, "stream": "s", "stage": "source seq", "host": "h", "pid": 7, "time": "2026-01-01T00:00:00Z",
        "reply": "unix:@x", "token": "t", "origin": "c", "via": ["intercept static"], "colour": "blue"
    });
    serde_json::from_value(json).expect("a hello")
}

fn write(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = Path::new("seeds").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

/// A connection of Avro RPC: a call with the handshake, one without, a ping; and what a server says to the first.
fn avro() -> io::Result<()> {
    let greeting = HandshakeRequest::usual();
    let calls = [
        RequestPack::append_batch(1, Some(&greeting), &batch(0, "one")),
        RequestPack::append(2, None, &Batch::single(&Event::new("x").with_header("a", "b"))),
        RequestPack::ping(3, None),
    ];
    let stream: Vec<u8> = calls.iter().flat_map(|call| call.parts().concat()).collect();
    write("avro_pack", "calls", &stream)?;
    let (mut deflate, mut packed) = (Deflate::new(6), Vec::new());
    deflate.put(&stream, &mut packed)?;
    deflate.flush(&mut packed)?;
    write("avro_pack", "deflated", &packed)?;
    let mut answers = Vec::new();
    let ok = Answer::Status(Status::Ok);
    Answer::put(Some(&ok), 1, Some(&HandshakeResponse::BOTH), &mut answers);
    write("avro_handshake", "answer", &answers[12..])?;
    Answer::put(Some(&Answer::Error("why".into())), 2, None, &mut answers);
    write("avro_pack", "answers", &answers)?;
    let shown = HandshakeRequest {
        client_hash: [7; 16],
        client_protocol: Some(TEXT),
        server_hash: [7; 16],
        asks_order: true,
    };
    for (name, request) in [("usual", greeting), ("shown", shown)] {
        let mut bytes = Vec::new();
        request.put(&mut bytes);
        write("avro_handshake", name, &bytes)?;
    }
    write("avro_handshake", "text", TEXT.as_bytes())
}

/// Properties of agents: two of those that tests have, and two texts with variables of which one overrides the other.
fn agent_config() -> io::Result<()> {
    for name in ["guide/fan-out-multiplexing", "bad/group-with-bad-sink"] {
        let text = fs::read(format!("../tests/agent/{name}.conf"))?;
        write("agent_config", &name.replace('/', "-"), &text)?;
    }
    let text = "a.sources=s\na.channels=c\nn=5\na.sources.s.type=seq\na.sources.s.channels=c\n\
                a.sources.s.totalEvents=${n}${sys:x:-${env:HOME}}\na.channels.c.type=memory\n\
                a.configfilters=f\na.configfilters.f.type=env\na.channels.c.capacity=${f['N']}\0n=6\n";
    write("agent_config", "variables", text.as_bytes())
}

/// Streams of syslog messages; in front the size of a piece and of a message, less one.
fn syslog() -> io::Result<()> {
    let new = "<34>1 2003-10-11T22:14:15.003Z host app 7 ID [a@1 b=\"c\\]\"][d] text\n";
    let old =
        "<13>Oct 11 22:14:15 host app[42]: text\r\n<13>2003-10-11T22:14:15+02:00 host x\n<13>- - text\n";
    let counted = "20 <13>- h first\nsecond30 <13>cut";
    for (name, text) in [("new", new), ("old", old), ("counted", counted)] {
        write("syslog", name, &[&[7, 99][..], text.as_bytes()].concat())?;
    }
    write(
        "syslog",
        "custom",
        b"\x07\x63<13>1#2003-10-11T22:14:15Z#host#text\n",
    )
}

/// Position files of Flume, and with what ours notes beside it.
fn taildir_positions() -> io::Result<()> {
    let flumes = r#"[{"inode":2496272,"pos":12,"file":"/var/log/a.log"},{"inode":7,"pos":0,"file":"/b"}]"#;
    write("taildir_positions", "flume", flumes.as_bytes())?;
    let more = r#"{"version":1,"files":[{"device":1,"inode":2496272,"pos":12,"size":20,"file":"/var/log/a.log",
        "born":1790000000000000000,"fingerprint":[12,99]},{"device":1,"inode":9,"pos":1,"size":2,"file":"/?",
        "path":"2fff","fingerprint":[0,0],"left":true}]}"#;
    write(
        "taildir_positions",
        "both",
        format!("{flumes}\0{more}").as_bytes(),
    )
}

/// Files of a spooling directory, its position, and words that Java reads.
fn spooldir() -> io::Result<()> {
    write(
        "deserializers",
        "lines",
        b"\x00\x00\x0a\x04one\ntwo and more\n\nx",
    )?;
    write("deserializers", "wide", b"\x04\x03\x03\x02\xff\xfea\0\n\0b\0")?;
    let mut container = Container::new(Codec::Deflate(Default::default()), 40).map_err(io::Error::other)?;
    let mut file = b"\x01\x00\x1e\x00".to_vec();
    container.begin(&mut file);
    for text in ["one", "two"] {
        container
            .write_batch(&batch(1, text), &mut file)
            .map_err(io::Error::other)?;
    }
    container.end(&mut file).map_err(io::Error::other)?;
    write("deserializers", "avro", &file)?;
    for (which, name) in [(3, "avro"), (4, "avro_event")] {
        write(
            "cutter",
            name,
            &[&[which, 30, 99], &file[4..], &file[4..]].concat(),
        )?;
    }
    write("cutter", "lines", b"\x00\x04\x05one\ntwo and more\n\nx")?;
    write("cutter", "netstrings", b"\x02\x04\x405:hello,0:,12:longer words,")?;
    write(
        "cutter",
        "json",
        b"\x01\x09\x40{\"headers\":{\"k\":\"v\"},\"body\":\"x\"}\n{",
    )?;
    let identity = Identity {
        device: 1,
        inode: 2,
        size: 3,
        changed_ns: 4,
    };
    write("spooldir_tracker", "mark", &identity.encode())?;
    let path = Path::new("seeds/spooldir_tracker/position").to_path_buf();
    Tracker::new(path, b"/spool/a".to_vec(), identity, 0).note(7)?;
    write("words", "date", b"\x002026-11-25 07:51:43,250 +0100")?;
    write("words", "names", b"\x01Wed, 25 Nov 26 7:51 am PST")?;
    write("words", "path", b"\x02../../etc/passwd")
}

/// Bodies of posts, behind a byte that chooses their type.
fn http_body() -> io::Result<()> {
    let text = "[{\"headers\":{\"k\":\"v\\u00e4\"},\"body\":\"one\"},{body:2.5,'more':[1,{}]} /* two */]";
    write("http_body", "json", format!("\0{text}").as_bytes())?;
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    write("http_body", "wide", &[&[1], &wide[..]].concat())?;
    write(
        "http_body",
        "lines",
        b"\x03{\"body\":\"one\"}\n\n{\"bodyBase64\":\"/w==\"}",
    )?;
    write("http_body", "query", b"\0a=1&b=x+%c3%bc")
}

fn main() -> io::Result<()> {
    http_body()?;
    agent_config()?;
    taildir_positions()?;
    spooldir()?;
    avro()?;
    syslog()?;
    let mut streams = Vec::new();
    for (name, compression) in [
        ("plain", Compression::None),
        ("lz4", Compression::Lz4),
        ("zstd", Compression::Zstd),
    ] {
        let mut stream = hello().encode();
        stream.extend(frame(&batch(1, "one"), compression, 0));
        stream.extend(FrameHeader::new(Kind::Flush, &[]).encode(0));
        stream.extend(frame(&batch(2, "two"), compression, 0));
        stream.extend(
            End {
                batches: 2,
                events: 6,
                bytes: 0,
            }
            .encode(),
        );
        write("frame_reader", name, &stream)?;
        streams.push(stream);
    }
    write("frame_reader", "two_streams", &streams[..2].concat())?;
    write(
        "event_decoder",
        "batch",
        &[&[3][..], batch(1, "one").encoded()].concat(),
    )?;
    // The same map as a block without its size, as others encode it.
    write(
        "event_decoder",
        "unsized",
        b"\x01\x04\x02k\x02v\x02l\x02w\x00\x04hi",
    )?;
    write("hello", "full", &hello().encode()[wire::HEADER..])?;
    write("hello", "least", br#"{"version":1}"#)?;
    // A put of two frames in one group, then a put of one: upper half the group, lower half what follows.
    let group = [
        frame(&batch(1, "a"), Compression::None, 1),
        frame(&batch(0, "b"), Compression::Lz4, 1),
    ];
    let next = frame(&batch(2 << 32, "c"), Compression::None, 1);
    write(
        "channel_segment",
        "puts",
        &[&group[0][..], &group[1], &next].concat(),
    )?;
    // Checksums are made right: frames of the segment, of another one, and a range that is none.
    let records = [(1, 0, 2), (1, 3, 4), (2, 0, 9), (1, 5, 4)].map(record);
    write("channel_log", "records", &[&[0][..], &records.concat()].concat())?;
    // Words of the index and of the table: what is published, a claim, a registration.
    let changes = [(0, 512, 7), (1, 8, 3), (1, 512, 1 << 62 | 5)].map(change);
    write("channel_table", "changes", &changes.concat())
}

/// A record of a log of acceptances without its checksum.
fn record((segment, from, to): (u64, u32, u32)) -> Vec<u8> {
    [
        &segment.to_le_bytes()[..],
        &from.to_le_bytes(),
        &to.to_le_bytes(),
        &[0; 8],
    ]
    .concat()
}

/// A file of the table, a word in it, and its new value.
fn change((file, word, value): (u8, u16, u64)) -> Vec<u8> {
    [&[file][..], &word.to_le_bytes(), &value.to_le_bytes()].concat()
}
