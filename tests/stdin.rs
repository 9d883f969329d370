//! `source stdin --format avro` and `avro_event` as a program: what others wrote, endless and broken input, and kills.

use crate::crash::{from_environment, in_rolled_files, seeded, tell};
use crate::pipe::Pipe;
use flume::codec::EventSerializer;
use flume::codec::avro::Container;
use flume::event::{BatchBuilder, Event};
use rustix::process::Signal;
use std::collections::HashSet;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

/// Kills in a test that nobody asked more of.
const ROUNDS: u64 = 20;
/// The longest that a pipeline lives.
const LONGEST: Duration = Duration::from_millis(150);

fn container(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let mut container = Container::new(apache_avro::Codec::Null, 4000).unwrap();
    let mut bytes = Vec::new();
    container.begin(&mut bytes);
    let mut batch = BatchBuilder::new();
    for number in numbers {
        batch.push_event(&Event::new(format!("{number:09}")).with_header("n", number.to_string()));
        if batch.len() == 100 {
            container.write_batch(&batch.finish(), &mut bytes).unwrap();
        }
    }
    container.write_batch(&batch.finish(), &mut bytes).unwrap();
    container.end(&mut bytes).unwrap();
    bytes
}

#[test]
fn record_of_any_schema_goes_into_a_container_and_comes_out_as_it_went() {
    let schema = r#"{"type":"record","name":"N","fields":[{"name":"n","type":"long"}]}"#;
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    for number in 0..100i64 {
        let record = vec![("n".to_string(), apache_avro::types::Value::Long(number))];
        writer
            .append_value(apache_avro::types::Value::Record(record))
            .unwrap();
    }
    let ended = Pipe::new("source stdin --format avro --schema-type literal")
        .input(writer.into_inner().unwrap())
        .then("sink file_roll --directory out --roll-interval 0 --serializer AvroEventSerializer")
        .run()
        .expect_status([0, 0])
        .expect_silence();
    let mut files = std::fs::read_dir(ended.path("out")).unwrap();
    let file = files.find_map(|file| {
        let path = file.unwrap().path();
        path.file_name().unwrap().as_encoded_bytes()[0]
            .is_ascii_digit()
            .then_some(path)
    });
    let bytes = std::fs::read(file.unwrap()).unwrap();
    let reader = apache_avro::Reader::new(&bytes[..]).unwrap();
    let numbers: Vec<_> = reader.map(|record| format!("{:?}", record.unwrap())).collect();
    assert_eq!(numbers.len(), 100);
    assert!(numbers[99].contains("Long(99)"), "{}", numbers[99]);
}

#[test]
fn block_is_handed_on_as_soon_as_it_is_whole_and_what_is_broken_ends_it_with_its_place() {
    let (read, mut write) = std::io::pipe().unwrap();
    let first = container(0..100);
    let running = Pipe::new("source stdin --format avro_event --batch-timeout 1ms")
        .input_from(read)
        .then("sink logger --max-bytes-to-log 16")
        .start();
    write.write_all(&first).unwrap();
    running.wait_for(1, "000000099");
    write.write_all(&container(100..101)).unwrap();
    running.wait_for(1, "000000100");
    write.write_all(b"Object\n").unwrap();
    let at = first.len() + container(100..101).len();
    let place: &'static str = format!("standard input: Avro container 3, at byte {at}: it is no Avro").leak();
    running.wait().says(0, [place]).says(1, ["the stream has no end"]);
}

#[test]
fn user_is_told_that_records_are_events_and_what_reads_them() {
    let bytes = container(0..3);
    Pipe::new("source stdin --format avro")
        .input(bytes)
        .then("sink null --summary json")
        .run()
        .expect_status([0, 0])
        .says(0, ["--format avro_event"])
        .counts(1, "accepted", 3);
    Pipe::new("source stdin --format avro_event")
        .input("{\"a\":1}\n")
        .then("sink null")
        .run()
        .says(0, ["byte 0: it is no Avro container"]);
    Pipe::new("source stdin --schema-type literal")
        .then("sink null")
        .run()
        .says(0, ["--schema-type is for --format avro"]);
}

/// The position of a file that was given as standard input is a place where a container begins, and nothing behind it was
/// accepted and forgotten: with the next run everything is at the other end.
#[test]
fn containers_survive_kills_of_the_source_and_the_sink() {
    let rounds = from_environment("FLUME_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let (seed, mut random) = seeded("FLUME_CRASH_SEED");
    tell(&format!(
        "crash avro on stdin: FLUME_CRASH_SEED={seed} FLUME_CRASH_ROUNDS={rounds}"
    ));
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("out")).unwrap();
    let path = directory.path().join("all.avro");
    let (mut file, mut starts) = (File::create(&path).unwrap(), HashSet::from([0]));
    let (mut next, mut length) = (0, 0);
    for _ in 0..10 * rounds {
        let count = 1 + random.below(3000);
        let bytes = container(next..next + count);
        file.write_all(&bytes).unwrap();
        length += bytes.len() as u64;
        starts.insert(length);
        next += count;
    }
    let (mut kills, mut position) = (0, 0);
    for round in 0..=rounds {
        let mut file = File::open(&path).unwrap();
        file.seek(SeekFrom::Start(position)).unwrap();
        let mut running = Pipe::new("source stdin --format avro_event --batch-size 70")
            .input_from(file.try_clone().unwrap())
            .then("sink file_roll --directory out")
            .dir(directory.path())
            .start();
        if round < rounds {
            let moment = Duration::from_micros(random.below(LONGEST.as_micros() as u64));
            let (victim, signal) = match random.below(3) {
                2 => (0, Signal::TERM),
                victim => (victim as usize, Signal::KILL),
            };
            running.ends_before(victim, Instant::now() + moment);
            running.kill(victim, signal);
        }
        let ended = running.wait();
        kills += u64::from((0..2).any(|stage| ended.status(stage) == -9));
        if ended.status(0) >= 0 {
            position = file.stream_position().unwrap();
            assert!(starts.contains(&position), "{position} is inside of a container");
        }
        if round == rounds {
            ended.expect_status([0, 0]);
        }
    }
    assert_eq!(position, length);
    let found: HashSet<Vec<u8>> = in_rolled_files(directory.path()).into_iter().collect();
    let lost = (0..next).filter(|number| !found.contains(format!("{number:09}\n").as_bytes()));
    assert_eq!(lost.count(), 0, "lost, {kills} kills");
}
