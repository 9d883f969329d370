//! Avro files of file_roll beside those of the real Flume: the same heads and the same blocks, but for the sync marker, which
//! is random, and for the order of entries in a head.

use super::*;
use std::collections::BTreeMap;
use std::str::FromStr;

/// What a container says.
#[derive(Debug, PartialEq)]
struct Container {
    /// The entries of its head.
    head: BTreeMap<String, String>,
    /// The records of each block: how many, and all of them without compression.
    blocks: Vec<(i64, Vec<u8>)>,
}

fn take_long(bytes: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (front, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(front)
}

fn take_bytes<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take_long(bytes)?;
    take(bytes, usize::try_from(length).ok()?)
}

impl Container {
    /// As far as its blocks are whole; `None` without a whole head.
    fn read(mut bytes: &[u8]) -> Option<Container> {
        assert!(take(&mut bytes, 4)? == b"Obj\x01");
        let mut head = BTreeMap::new();
        loop {
            let entries = take_long(&mut bytes)?;
            if entries == 0 {
                break;
            }
            for _ in 0..entries {
                let mut text = || Some(String::from_utf8(take_bytes(&mut bytes)?.to_vec()).unwrap());
                head.insert(text()?, text()?);
            }
        }
        let marker = take(&mut bytes, 16)?;
        let codec = apache_avro::Codec::from_str(&head["avro.codec"]).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = take_block(&mut bytes, marker, codec) {
            blocks.push(block);
        }
        Some(Container { head, blocks })
    }

    fn records(&self) -> i64 {
        self.blocks.iter().map(|(records, _)| records).sum()
    }
}

fn take_block(bytes: &mut &[u8], marker: &[u8], codec: apache_avro::Codec) -> Option<(i64, Vec<u8>)> {
    let records = take_long(bytes)?;
    let mut data = take_bytes(bytes)?.to_vec();
    assert_eq!(take(bytes, 16)?, marker);
    codec.decompress(&mut data).unwrap();
    Some((records, data))
}

/// What a container says, and all of its bytes.
type Found = (Container, Vec<u8>);

/// The only container in a directory, also while it is written.
fn container(side: &Side, directory: &str) -> Option<Found> {
    let entries = std::fs::read_dir(side.running.path(directory)).unwrap().flatten();
    let mut files = entries.filter(|entry| !entry.path().to_string_lossy().ends_with(".state"));
    let bytes = std::fs::read(files.next()?.path()).ok()?;
    Some((Container::read(&bytes)?, bytes))
}

/// Agents with these sinks get all events in one call, so that each sink has them in one transaction; the containers of each
/// directory, of Flume and of ours.
fn containers(sinks: &[(&str, &str)], events: &str, count: i64) -> Option<Vec<[Found; 2]>> {
    let channels: Vec<String> = sinks.iter().map(|(name, _)| format!("c{name}")).collect();
    let names: Vec<&str> = sinks.iter().map(|(name, _)| *name).collect();
    let mut properties = format!(
        "sources = r1\nchannels = {0}\nsinks = {1}\nsources.r1.type = avro\nsources.r1.bind = 127.0.0.1\n\
         sources.r1.port = PORT\nsources.r1.channels = {0}\n",
        channels.join(" "),
        names.join(" ")
    );
    for (name, serializer) in sinks {
        properties += &format!(
            "channels.c{name}.type = memory\nchannels.c{name}.capacity = 10000\nchannels.c{name}.transactionCapacity = 10000\n\
             sinks.{name}.type = file_roll\nsinks.{name}.channel = c{name}\nsinks.{name}.sink.directory = DIR/{name}\n\
             sinks.{name}.sink.rollInterval = 0\nsinks.{name}.sink.batchSize = 10000\n"
        );
        for setting in serializer.split(' ') {
            properties += &format!("sinks.{name}.sink.serializer{setting}\n");
        }
    }
    let mut found: Vec<Vec<Found>> = Vec::new();
    for side in both(&properties)? {
        side.wait_port();
        let send = format!(
            "send avro://127.0.0.1:{} --format json --batch-size 10000",
            side.port
        );
        Pipe::new(&send).input(events).run().expect_status([0]);
        let deadline = Instant::now() + PATIENCE;
        let is_all = |side: &Side| {
            let count_of = |name| container(side, name).map_or(0, |(found, _)| found.records());
            names.iter().all(|name| count_of(name) == count)
        };
        while !is_all(&side) {
            assert!(
                Instant::now() < deadline,
                "not all events came:\n{}",
                side.running.said(0)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        found.push(names.iter().map(|name| container(&side, name).unwrap()).collect());
        side.stop();
    }
    let ours = found.pop().unwrap();
    let pairs = found.pop().unwrap().into_iter().zip(ours);
    Some(pairs.map(|(flume, ours)| [flume, ours]).collect())
}

#[test]
fn avro_events_stand_in_the_same_blocks_as_flumes() {
    let line = |number: usize| {
        let body = format!("{number} {}", "x".repeat(number % 57));
        serde_json::json!({ "body": body }).to_string() + "\n"
    };
    let events: String = (0..400).map(line).collect();
    let found = containers(
        &[
            ("one", "=avro_event .syncIntervalBytes=1000"),
            (
                "two",
                "=avro_event .syncIntervalBytes=1000 .compressionCodec=deflate",
            ),
            (
                "three",
                "=avro_event .syncIntervalBytes=32 .compressionCodec=snappy",
            ),
            ("four", "=avro_event .compressionCodec=zstandard"),
        ],
        &events,
        400,
    );
    let Some(found) = found else { return };
    for [(flume, _), (ours, _)] in &found {
        assert_eq!(ours, flume);
    }
    let blocks: Vec<usize> = found.iter().map(|[_, (ours, _)]| ours.blocks.len()).collect();
    assert!(
        blocks[0] > 10 && blocks[1] == blocks[0] && blocks[2] > blocks[0] && blocks[3] == 1,
        "{blocks:?}"
    );
}

#[test]
fn headers_and_records_of_another_schema_are_as_flume_writes_them() {
    let schema =
        r#"{"type":"record","name":"N","fields":[{"name":"n","type":"long"},{"name":"t","type":"string"}]}"#;
    let line = |number: u8| {
        // The record {n: number, t: "xx"} in Avro binary.
        let body = String::from_utf8(vec![2 * number, 4, b'x', b'x']).unwrap();
        let headers = serde_json::json!({ "flume.avro.schema.literal": schema });
        serde_json::json!({ "headers": headers, "body": body }).to_string() + "\n"
    };
    let events: String = (0..60).map(line).collect();
    let own = "=org.apache.flume.sink.hdfs.AvroEventSerializer$Builder .syncIntervalBytes=50";
    let found = containers(
        &[
            ("one", own),
            ("two", &format!("{own} .compressionCodec=deflate")),
            ("three", "=avro_event .syncIntervalBytes=1000"),
        ],
        &events,
        60,
    );
    let Some(found) = found else { return };
    for [(flume, _), (ours, _)] in &found[..2] {
        assert_eq!(ours, flume);
        assert_eq!(ours.blocks.len(), 5);
    }
    // How many bytes a map of headers has is open in Avro: the same records, in blocks that are long enough.
    let [(flume, of_flume), (ours, of_ours)] = &found[2];
    assert_eq!(ours.head, flume.head);
    let records = |bytes: &[u8]| {
        let reader = apache_avro::Reader::new(bytes).unwrap();
        reader
            .map(|record| format!("{:?}", record.unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(records(of_ours), records(of_flume));
    for container in [flume, ours] {
        let (_, all_but_one) = container.blocks.split_last().unwrap();
        assert!(
            all_but_one.len() > 3
                && all_but_one
                    .iter()
                    .all(|(_, data)| (1000..1400).contains(&data.len()))
        );
    }
}
