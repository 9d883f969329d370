//! The source through its trait.

use super::*;
use crate::ack::Outcome;
use crate::component::{Spec, made};
use crate::event::{Event, put_bytes, put_long};
use crate::link::testing::Collect;
use crate::stop::Stop;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const SPEC: Spec<SpoolDir> = Spec::new::<SpoolDir>("spooldir", made::<SpoolDir>).positional("spoolDir");

/// A source on a directory, which ends when that is empty.
struct Bench {
    source: SpoolDir,
    to: Arc<ChannelProcessor>,
    collect: Collect,
    _stop: Stop,
}

fn source(directory: &Path, flags: &[&str]) -> SpoolDir {
    let mut words = vec!["--until-empty".to_string(), "--poll-delay=1ms".into()];
    words.extend(flags.iter().map(|flag| flag.to_string()));
    words.push(directory.display().to_string());
    SPEC.from_flags(&words).unwrap()
}

fn bench(directory: &Path, flags: &[&str], collect: Collect) -> Bench {
    let mut source = source(directory, flags);
    let (to, stop) = collect.processor("source spooldir");
    source.start(&to).unwrap();
    Bench {
        source,
        to,
        collect,
        _stop: stop,
    }
}

impl Bench {
    /// Until there is nothing to read any more.
    fn read_all(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.source.process(&self.to).unwrap() != Status::Finished {
            assert!(Instant::now() < deadline, "it does not end");
        }
    }

    /// Until so many events are out, not accepted ones counted.
    fn read_until(&mut self, events: usize) {
        while self.collect.events().len() < events {
            self.source.process(&self.to).unwrap();
        }
    }

    fn bodies(&self) -> Vec<String> {
        self.collect.bodies()
    }
}

/// Bodies of all that is in a directory.
fn read(directory: &Path, flags: &[&str]) -> Vec<String> {
    let mut bench = bench(directory, flags, Collect::accepting());
    bench.read_all();
    if let Err(error) = bench.source.stop() {
        assert!(error.to_string().contains("set aside"), "{error}");
    }
    bench.bodies()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

fn spool(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (age, (name, text)) in files.iter().enumerate() {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000 + age as u64);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    directory
}

use std::fs::File;

#[test]
fn files_are_read_oldest_first_and_get_the_suffix() {
    let spool = spool(&[
        ("b", "one\ntwo\n"),
        ("a", "three"),
        (".c", "no\n"),
        ("d.COMPLETED", "no\n"),
    ]);
    assert_eq!(read(spool.path(), &[]), ["one", "two", "three"]);
    assert_eq!(names(spool.path()), ["a.COMPLETED", "b.COMPLETED", "d.COMPLETED"]);
    assert!(!spool.path().join(".flumespool").join(tracker::NAME).exists());
}

#[test]
fn file_is_done_with_only_when_it_is_accepted() {
    let spool = spool(&[("a", "one\n"), ("b", "two\n")]);
    let mut bench = bench(spool.path(), &[], Collect::holding());
    bench.read_until(2);
    for _ in 0..5 {
        bench.source.process(&bench.to).unwrap();
    }
    assert_eq!(names(spool.path()), ["a", "b"]);
    bench.collect.settle_newest(Outcome::Accepted);
    bench.source.process(&bench.to).unwrap();
    assert_eq!(names(spool.path()), ["a", "b"], "the first one is not accepted");
    bench.collect.settle_all(Outcome::Accepted);
    bench.source.process(&bench.to).unwrap();
    assert_eq!(names(spool.path()), ["a.COMPLETED", "b.COMPLETED"]);
}

#[test]
fn policies_delete_or_mark_and_marks_are_seen_later() {
    let files = [("a", "one\n"), ("sub/b", "two\n")];
    let deleted = spool(&files);
    assert_eq!(read(deleted.path(), &["--delete-policy=IMMEDIATE"]), ["one"]);
    assert_eq!(names(deleted.path()), ["sub"]);
    let marked = spool(&files);
    let flags = [
        "--tracking-policy=tracker_dir",
        "--recursive-directory-search",
        "--tracker-dir=.marks",
    ];
    assert_eq!(read(marked.path(), &flags), ["one", "two"]);
    assert_eq!(names(marked.path()), ["a", "sub"]);
    assert!(marked.path().join(".marks/sub/b.COMPLETED").exists());
    assert_eq!(read(marked.path(), &flags), Vec::<String>::new());
    // A mark of Flume is empty.
    fs::write(marked.path().join(".marks/a.COMPLETED"), "").unwrap();
    assert_eq!(read(marked.path(), &flags), Vec::<String>::new());
    fs::remove_file(marked.path().join(".marks/a.COMPLETED")).unwrap();
    assert_eq!(read(marked.path(), &flags), ["one"]);
}

#[test]
fn names_are_picked_by_patterns_and_put_into_headers() {
    let spool = spool(&[("a.log", "one\n"), ("b.txt", "two\n"), ("c.log", "three\n")]);
    let flags = [
        r"--include-pattern=.*\.log",
        "--ignore-pattern=c.*",
        "--file-header",
        "--basename-header",
        "--basename-header-key=name",
    ];
    let mut bench = bench(spool.path(), &flags, Collect::accepting());
    bench.read_all();
    let path = spool.path().join("a.log").display().to_string();
    let expected = Event::new("one")
        .with_header("file", path)
        .with_header("name", "a.log");
    assert_eq!(bench.collect.events(), [expected]);
}

#[test]
fn empty_file_is_an_event_without_a_body() {
    let spool = spool(&[("a", ""), ("b", "\n")]);
    assert_eq!(read(spool.path(), &[]), ["", ""]);
    assert_eq!(names(spool.path()), ["a.COMPLETED", "b.COMPLETED"]);
}

#[test]
fn reading_goes_on_in_the_middle_of_a_file() {
    let text: String = (0..100).map(|number| format!("line {number}\n")).collect();
    for compressed in [false, true] {
        let spool = spool(&[("a", &text)]);
        if compressed {
            fs::write(
                spool.path().join("a"),
                zstd::encode_all(text.as_bytes(), 1).unwrap(),
            )
            .unwrap();
        }
        let mut first = bench(spool.path(), &["--batch-size=7"], Collect::holding());
        first.read_until(100);
        first.collect.settle_oldest(Outcome::Accepted);
        first.collect.settle_oldest(Outcome::Accepted);
        first.source.stop().unwrap();
        let found = tracker::read(&spool.path().join(".flumespool").join(tracker::NAME))
            .unwrap()
            .unwrap();
        assert_eq!(
            found.offset as usize,
            text.lines().take(14).map(|line| line.len() + 1).sum::<usize>()
        );
        drop(first);
        let rest = read(spool.path(), &[]);
        assert_eq!(rest.len(), 86);
        assert_eq!(rest[0], "line 14");
        assert_eq!(names(spool.path()), ["a.COMPLETED"]);
    }
}

/// A tracker as Flume writes it.
fn flumes_tracker(file: &Path, offset: i64) -> Vec<u8> {
    let mut bytes = b"Obj\x01".to_vec();
    put_long(&mut bytes, 2);
    let schema = br#"{"type":"record","name":"TransferStateFileMeta","namespace":"org.apache.flume.serialization","fields":[{"name":"offset","type":"long"}]}"#;
    for (name, value) in [
        (&b"avro.schema"[..], &schema[..]),
        (b"file", file.as_os_str().as_encoded_bytes()),
    ] {
        put_bytes(&mut bytes, name);
        put_bytes(&mut bytes, value);
    }
    put_long(&mut bytes, 0);
    bytes.extend_from_slice(&[7; 16]);
    let mut record = Vec::new();
    put_long(&mut record, offset);
    put_long(&mut bytes, 1);
    put_bytes(&mut bytes, &record);
    bytes.extend_from_slice(&[7; 16]);
    bytes
}

#[test]
fn position_of_flume_counts_and_its_file_is_first() {
    let spool = spool(&[("a", "one\n"), ("b", "two\nthree\n")]);
    fs::create_dir(spool.path().join(".flumespool")).unwrap();
    let meta = spool.path().join(".flumespool").join(tracker::NAME);
    fs::write(&meta, flumes_tracker(&spool.path().join("b"), 4)).unwrap();
    assert_eq!(read(spool.path(), &[]), ["three", "one"]);
    // That of a file that is gone, an empty one, and one that is none.
    fs::rename(spool.path().join("a.COMPLETED"), spool.path().join("a")).unwrap();
    fs::write(&meta, flumes_tracker(&spool.path().join("b"), 4)).unwrap();
    assert_eq!(read(spool.path(), &[]), ["one"]);
    for bytes in [&b""[..], b"nonsense"] {
        fs::rename(spool.path().join("a.COMPLETED"), spool.path().join("a")).unwrap();
        fs::write(&meta, bytes).unwrap();
        assert_eq!(read(spool.path(), &[]), ["one"]);
    }
}

#[test]
fn file_that_grows_while_it_is_read_is_set_aside_and_others_go_on() {
    let spool = spool(&[("a", "one\n"), ("b", "two\n")]);
    let mut bench = bench(spool.path(), &[], Collect::holding());
    bench.read_until(2);
    File::options()
        .append(true)
        .open(spool.path().join("a"))
        .unwrap()
        .write_all(b"more\n")
        .unwrap();
    bench.collect.settle_all(Outcome::Accepted);
    bench.read_all();
    assert_eq!(names(spool.path()), ["a.QUARANTINED", "b.COMPLETED"]);
    assert_eq!(bench.bodies(), ["one", "two"]);
    assert_eq!(
        fs::read(spool.path().join("a.QUARANTINED")).unwrap(),
        b"one\nmore\n"
    );
}

#[test]
fn another_file_that_takes_the_name_is_read_too() {
    let spool = spool(&[("a", "one\n")]);
    let mut bench = bench(spool.path(), &[], Collect::holding());
    bench.read_until(1);
    fs::write(spool.path().join(".a"), "two\n").unwrap();
    fs::rename(spool.path().join(".a"), spool.path().join("a")).unwrap();
    bench.collect.settle_all(Outcome::Accepted);
    bench.read_until(2);
    bench.collect.settle_all(Outcome::Accepted);
    bench.read_all();
    assert_eq!(bench.bodies(), ["one", "two"]);
    assert_eq!(names(spool.path()), ["a.COMPLETED"]);
}

#[test]
fn file_that_is_taken_away_is_no_trouble() {
    let spool = spool(&[("a", "one\n"), ("b", "two\n")]);
    let mut bench = bench(spool.path(), &[], Collect::holding());
    bench.read_until(1);
    fs::remove_file(spool.path().join("a")).unwrap();
    bench.read_until(2);
    bench.collect.settle_all(Outcome::Accepted);
    bench.read_all();
    assert_eq!(names(spool.path()), ["b.COMPLETED"]);
}

#[test]
fn file_that_has_changed_across_a_restart_is_set_aside() {
    let text = "x".repeat(1000) + "\n";
    let spool = spool(&[("a", &text.repeat(10))]);
    let mut first = bench(spool.path(), &["--batch-size=1"], Collect::holding());
    first.read_until(10);
    first.collect.settle_oldest(Outcome::Accepted);
    first.source.stop().unwrap();
    drop(first);
    fs::write(spool.path().join("a"), "other\n").unwrap();
    let mut second = bench(spool.path(), &[], Collect::accepting());
    second.read_all();
    let error = second.source.stop().unwrap_err().to_string();
    assert!(
        error.contains("1 files of spoolDir") && error.contains("set aside"),
        "{error}"
    );
    assert_eq!(second.bodies(), Vec::<String>::new());
    assert_eq!(names(spool.path()), ["a.QUARANTINED"]);
}

#[test]
fn file_that_is_no_text_is_set_aside_with_what_stands_before_handed_on() {
    let spool = spool(&[("a", ""), ("b", "three\n")]);
    fs::write(spool.path().join("a"), b"one\ntw\xffo\nmore\n").unwrap();
    let mut bodies = read(spool.path(), &[]);
    bodies.sort();
    assert_eq!(bodies, ["one", "three"]);
    assert_eq!(names(spool.path()), ["a.QUARANTINED", "b.COMPLETED"]);
    // A mark where names are not changed.
    let marked = spool_of_bytes("a", b"\xff\n");
    assert_eq!(
        read(marked.path(), &["--tracking-policy=tracker_dir"]),
        Vec::<String>::new()
    );
    let mark = fs::read_to_string(marked.path().join(".flumespool/a.QUARANTINED")).unwrap();
    assert!(mark.contains("byte 0 of it"), "{mark}");
    assert_eq!(names(marked.path()), ["a"]);
}

fn spool_of_bytes(name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), bytes).unwrap();
    directory
}

#[test]
fn nothing_is_replaced_by_a_file_that_is_done_with() {
    let spool = spool(&[("a.COMPLETED", "old"), ("a", "new\n")]);
    assert_eq!(read(spool.path(), &[]), ["new"]);
    assert_eq!(names(spool.path()), ["a.1.COMPLETED", "a.COMPLETED"]);
    assert_eq!(
        fs::read_to_string(spool.path().join("a.COMPLETED")).unwrap(),
        "old"
    );
}

#[test]
fn directory_has_one_reader_and_has_to_be_there() {
    let spool = spool(&[]);
    let first = bench(spool.path(), &[], Collect::accepting());
    let collect = Collect::accepting();
    let (to, _stop) = collect.processor("source spooldir");
    let error = source(spool.path(), &[]).start(&to).unwrap_err();
    assert!(error.to_string().contains("another source"), "{error}");
    drop(first);
    let error = source(&spool.path().join("none"), &[]).start(&to).unwrap_err();
    assert!(
        error.to_string().contains("none cannot be read: No such file"),
        "{error}"
    );
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (flag, what) in [
        ("--file-suffix=", "fileSuffix"),
        ("--quarantine-suffix=a/b", "quarantineSuffix"),
        ("--deserializer=XML", "XML"),
        ("--deserializer-set=maxLineLength=0", "maxLineLength"),
    ] {
        let error = source(Path::new("/tmp"), &[flag]).check().unwrap_err();
        assert!(error.contains(what), "{error}");
    }
    for flag in [
        "--include-pattern=(",
        "--consume-order=newest",
        "--input-charset=klingon",
        "--decode-error-policy=DIE",
    ] {
        let words = [flag.to_string(), "/tmp".into()];
        assert!(SPEC.from_flags(&words).is_err(), "{flag}");
    }
}

#[test]
fn properties_are_flumes() {
    let properties = [
        ("spoolDir", "/x"),
        ("fileSuffix", ".DONE"),
        ("deletePolicy", "Immediate"),
        ("trackingPolicy", "RENAME"),
        ("trackerDir", "/y"),
        ("includePattern", "^.*$"),
        ("ignorePattern", "^$"),
        ("fileHeader", "true"),
        ("fileHeaderKey", "f"),
        ("basenameHeader", "true"),
        ("basenameHeaderKey", "b"),
        ("consumeOrder", "YOUNGEST"),
        ("pollDelay", "500"),
        ("recursiveDirectorySearch", "true"),
        ("maxBackoff", "4000"),
        ("batchSize", "100"),
        ("inputCharset", "UTF-16"),
        ("decodeErrorPolicy", "replace"),
        ("deserializer", "LINE"),
        ("deserializer.maxLineLength", "10"),
        ("deserializer.outputCharset", "UTF-8"),
        ("bufferMaxLines", "100"),
        ("bufferMaxLineLength", "5000"),
    ];
    let properties = properties.map(|(key, value)| (key.to_string(), value.to_string()));
    let source = SPEC.from_properties(&properties.into()).unwrap();
    source.check().unwrap();
    assert_eq!(source.consume_order, ConsumeOrder::Youngest);
}

#[test]
fn older_name_of_the_line_length_counts() {
    let spool = spool(&[("a", "abcdef\n")]);
    assert_eq!(
        read(spool.path(), &["--buffer-max-line-length=4"]),
        ["abcd", "ef"]
    );
}

#[test]
fn deserializer_of_ones_own_cuts_the_files() {
    use crate::codec::deserializer::{DeserializeError, Events};
    struct Words;
    impl EventDeserializer for Words {
        fn take(
            &mut self,
            input: &[u8],
            is_all: bool,
            out: &mut Events<'_>,
        ) -> Result<usize, DeserializeError> {
            let mut used = 0;
            while !out.is_full() && used < input.len() {
                let end = memchr::memchr(b' ', &input[used..]).map(|at| used + at);
                let (word, done) = match end {
                    Some(end) => (&input[used..end], end + 1),
                    None if is_all => (&input[used..], input.len()),
                    None => break,
                };
                out.push(word);
                used = done;
            }
            Ok(used)
        }
    }
    let spool = spool(&[("a", "one two three")]);
    let mut source = source(spool.path(), &["--batch-size=2"]).with_deserializer(|| Box::new(Words));
    let collect = Collect::accepting();
    let (to, _stop) = collect.processor("source spooldir");
    source.start(&to).unwrap();
    while source.process(&to).unwrap() != Status::Finished {}
    assert_eq!(collect.bodies(), ["one", "two", "three"]);
}

#[test]
fn avro_goes_on_behind_the_block_that_was_accepted() {
    use crate::codec::{EventSerializer, avro::Container};
    let mut container = Container::new(apache_avro::Codec::Deflate(Default::default()), 32).unwrap();
    let mut file = Vec::new();
    container.begin(&mut file);
    for number in 0..20 {
        let batch = crate::event::Batch::single(&Event::new(format!("a body that fills a block {number}")));
        container.write_batch(&batch, &mut file).unwrap();
    }
    container.end(&mut file).unwrap();
    let spool = spool_of_bytes("a", &file);
    let mut first = bench(
        spool.path(),
        &["--deserializer=AVRO", "--batch-size=1"],
        Collect::holding(),
    );
    first.read_until(20);
    first.collect.settle_oldest(Outcome::Accepted);
    first.source.stop().unwrap();
    drop(first);
    let meta = spool.path().join(".flumespool").join(tracker::NAME);
    let offset = tracker::read(&meta).unwrap().unwrap().offset as usize;
    assert_eq!(
        &file[offset..offset + 16],
        &file[file.len() - 16..],
        "the position is no sync marker"
    );
    // Two are in a block.
    assert_eq!(read(spool.path(), &["--deserializer=AVRO"]).len(), 18);
}

#[test]
fn blob_is_the_file_as_it_is_also_when_that_is_compressed() {
    let packed = zstd::encode_all(&b"text\n"[..], 1).unwrap();
    let spool = spool_of_bytes("a", &packed);
    let mut bench = bench(spool.path(), &["--deserializer=BLOB"], Collect::accepting());
    bench.read_all();
    assert_eq!(bench.collect.events()[0].body(), &packed[..]);
}
