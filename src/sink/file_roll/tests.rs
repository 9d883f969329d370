//! The sink through its trait.

mod crash;
mod places;

use super::state::data_name;
use super::*;
use crate::component::{Spec, made};
use crate::event::{BatchBuilder, Event};
use std::fs;
use std::path::Path;
use std::process::Command;

const SPEC: Spec<FileRoll> = Spec::new::<FileRoll>("file_roll", made::<FileRoll>);

fn sink(directory: &Path, flags: &[&str]) -> FileRoll {
    let directory = format!("--directory={}", directory.display());
    let words = std::iter::once(directory).chain(flags.iter().map(|flag| flag.to_string()));
    SPEC.from_flags(&words.collect::<Vec<_>>()).unwrap()
}

fn started(directory: &Path, flags: &[&str]) -> FileRoll {
    let mut sink = sink(directory, flags);
    sink.start().unwrap();
    sink
}

fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    bodies.iter().for_each(|body| builder.push_body(body.as_bytes()));
    builder.finish()
}

fn written(sink: &mut FileRoll, bodies: &[&str]) {
    sink.write(&batch(bodies)).unwrap();
    sink.commit().unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // <ms>-<n>: in the order in which they were made.
    names.sort_by_key(|name| {
        let numbers = name.split_once('-').unwrap_or((name, ""));
        let number = |word: &str| word.parse::<u64>().ok();
        (number(numbers.0), number(numbers.1), name.clone())
    });
    names
}

/// Contents of the complete files; there must be nothing else.
fn contents(directory: &Path) -> Vec<String> {
    let names = names(directory);
    assert!(!names.iter().any(|name| name.starts_with('.')), "{names:?}");
    let read = |name: &String| fs::read_to_string(directory.join(name)).unwrap();
    names.iter().map(read).collect()
}

/// The name that the one file in progress will have.
fn in_progress(directory: &Path) -> String {
    let names = names(directory);
    let found = names.iter().find_map(|name| state::name_of_state(name));
    found.unwrap_or_else(|| panic!("{names:?}")).to_string()
}

fn wait_and_tick(sink: &mut FileRoll) {
    let deadline = sink.deadline().unwrap();
    std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
    sink.tick().unwrap();
}

#[test]
fn idle_sink_makes_the_directory_and_no_file() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let mut sink = started(&directory, &["--roll-interval=1ms"]);
    sink.write(&Batch::default()).unwrap();
    sink.commit().unwrap();
    assert_eq!(sink.deadline(), None);
    sink.stop().unwrap();
    assert_eq!(names(&directory), Vec::<String>::new());
}

#[test]
fn file_in_progress_begins_with_a_dot_until_it_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(
        directory.path(),
        &["--path-manager-prefix=web-", "--path-manager-extension=log"],
    );
    written(&mut sink, &["one"]);
    written(&mut sink, &["two"]);
    let all = names(directory.path());
    assert!(all.iter().all(|name| name.starts_with('.')), "{all:?}");
    sink.stop().unwrap();
    assert_eq!(contents(directory.path()), ["one\ntwo\n"]);
    let all = names(directory.path());
    assert!(
        all[0].starts_with("web-") && all[0].ends_with("-1.log"),
        "{all:?}"
    );
}

#[test]
fn files_are_rolled_at_exactly_so_many_events() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--roll-count=4"]);
    written(&mut sink, &["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
    written(&mut sink, &["9"]);
    sink.stop().unwrap();
    let expected = ["0\n1\n2\n3\n", "4\n5\n6\n7\n", "8\n9\n"];
    assert_eq!(contents(directory.path()), expected);
}

#[test]
fn files_are_rolled_when_they_have_the_size() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--roll-size=6"]);
    written(&mut sink, &["aaaa", "b", "cccc", "dddddddddd", "e"]);
    sink.stop().unwrap();
    let expected = ["aaaa\nb\n", "cccc\ndddddddddd\n", "e\n"];
    assert_eq!(contents(directory.path()), expected);
}

#[test]
fn files_are_rolled_by_time_though_nothing_comes() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--roll-interval=20ms"]);
    written(&mut sink, &["one"]);
    wait_and_tick(&mut sink);
    assert_eq!(contents(directory.path()), ["one\n"]);
    assert_eq!(sink.deadline(), None);
    written(&mut sink, &["two"]);
    wait_and_tick(&mut sink);
    assert_eq!(contents(directory.path()), ["one\n", "two\n"]);
    drop(sink);
    let mut never = started(directory.path(), &["--roll-interval=0"]);
    written(&mut never, &["three"]);
    assert_eq!(never.deadline(), None);
}

#[test]
fn many_small_files_are_not_open_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--roll-count=1"]);
    let bodies: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    sink.write(&batch(&bodies)).unwrap();
    assert!(sink.files.full() < FULL_FILES);
    sink.commit().unwrap();
    assert_eq!(contents(directory.path()).len(), 100);
}

#[test]
fn rolled_back_events_are_in_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--roll-count=3"]);
    sink.write(&batch(&["never"])).unwrap();
    sink.rollback();
    assert_eq!(names(directory.path()), Vec::<String>::new());
    written(&mut sink, &["0", "1"]);
    sink.write(&batch(&["x", "x", "x", "x", "x"])).unwrap();
    sink.rollback();
    written(&mut sink, &["2", "3"]);
    sink.stop().unwrap();
    assert_eq!(contents(directory.path()), ["0\n1\n2\n", "3\n"]);
}

#[test]
fn two_sinks_in_one_directory_never_use_one_name() {
    let directory = tempfile::tempdir().unwrap();
    let mut one = started(directory.path(), &[]);
    let mut two = started(directory.path(), &[]);
    // As if both had started in the same millisecond.
    two.place.take_names_of(&one.place);
    written(&mut one, &["one"]);
    written(&mut two, &["two"]);
    written(&mut one, &["more of one"]);
    let mut three = started(directory.path(), &[]);
    assert_eq!(names(directory.path()).len(), 4, "the third leaves them alone");
    three.stop().unwrap();
    one.stop().unwrap();
    two.stop().unwrap();
    assert_eq!(contents(directory.path()), ["one\nmore of one\n", "two\n"]);
}

#[test]
fn file_that_somebody_made_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--path-manager-extension=log"]);
    written(&mut sink, &["one"]);
    let name = in_progress(directory.path());
    fs::write(directory.path().join(&name), "somebody's").unwrap();
    sink.stop().unwrap();
    assert_eq!(fs::read(directory.path().join(&name)).unwrap(), b"somebody's");
    let other = name.replace(".log", ".1.log");
    assert_eq!(fs::read(directory.path().join(other)).unwrap(), b"one\n");
}

#[test]
fn directory_that_is_gone_is_waited_for() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, moved) = (parent.path().join("out"), parent.path().join("moved"));
    let mut sink = started(&directory, &["--roll-count=2"]);
    written(&mut sink, &["one"]);
    fs::rename(&directory, &moved).unwrap();
    let error = sink.write(&batch(&["two", "three"])).unwrap_err();
    assert!(error.reason.contains("out: No such file"), "{error}");
    assert_eq!(error.class, crate::ack::Class::Retry);
    sink.rollback();
    fs::create_dir(&directory).unwrap();
    written(&mut sink, &["two", "three"]);
    sink.stop().unwrap();
    assert_eq!(contents(&moved), ["one\ntwo\n"]);
    assert_eq!(contents(&directory), ["three\n"]);
}

#[test]
fn events_are_not_accepted_into_a_file_that_somebody_removed() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &[]);
    written(&mut sink, &["one"]);
    let data = directory.path().join(data_name(&in_progress(directory.path())));
    fs::remove_file(data).unwrap();
    sink.write(&batch(&["two"])).unwrap();
    let error = sink.commit().unwrap_err();
    assert!(error.reason.contains("somebody removed the file"), "{error}");
    sink.rollback();
    written(&mut sink, &["two"]);
    sink.stop().unwrap();
    assert_eq!(contents(directory.path()), ["two\n"]);
}

#[test]
fn what_is_wrong_at_the_start_ends_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let failed = sink(&file.join("out"), &[]).start().unwrap_err();
    assert!(matches!(failed, StageError::Failed(_)), "{failed}");
    assert!(
        failed.to_string().contains("file/out cannot be created"),
        "{failed}"
    );
    let long = format!("--path-manager-prefix={}", "x".repeat(250));
    let failed = sink(directory.path(), &[&long]).start().unwrap_err();
    assert!(matches!(failed, StageError::Failed(_)), "{failed}");
    for flag in [
        "--serializer=jason",
        "--serializer-set=appendNewLine=true",
        "--path-manager=daily",
        "--path-manager-prefix=a/b",
    ] {
        let usage = sink(directory.path(), &[flag]).start().unwrap_err();
        assert!(matches!(usage, StageError::Usage(_)), "{flag}: {usage}");
    }
}

#[test]
fn properties_are_flumes() {
    let properties = [
        ("sink.directory", "/x"),
        ("sink.rollInterval", "0"),
        ("sink.batchSize", "1000"),
        ("sink.serializer", "avro_event"),
        ("sink.serializer.compressionCodec", "snappy"),
        ("sink.pathManager", "ROLLTIME"),
        ("sink.pathManager.prefix", "p"),
        ("sink.pathManager.extension", "log"),
    ];
    let properties = properties.map(|(key, value)| (key.to_string(), value.to_string()));
    let sink = SPEC.from_properties(&properties.into()).unwrap();
    assert_eq!(sink.serializer_set[0].name, "compressionCodec");
    assert_eq!(sink.place.base(), Path::new("/x"));
    assert!(
        SPEC.from_properties(&Default::default()).is_err(),
        "the directory is required"
    );
}

#[test]
fn serializer_of_ones_own_writes_head_and_foot() {
    struct List(bool);
    impl EventSerializer for List {
        fn begin(&mut self, out: &mut Vec<u8>) {
            out.push(b'[');
        }
        fn write(
            &mut self,
            event: crate::event::EventRef<'_>,
            out: &mut Vec<u8>,
        ) -> Result<(), codec::SerializeError> {
            if std::mem::replace(&mut self.0, true) {
                out.push(b',');
            }
            out.extend_from_slice(event.body());
            Ok(())
        }
        fn end(&mut self, out: &mut Vec<u8>) -> Result<(), codec::SerializeError> {
            out.push(b']');
            Ok(())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--roll-interval=1ms"];
    let mut sink = sink(directory.path(), &flags).with_serializer(|| Box::new(List(false)));
    sink.start().unwrap();
    written(&mut sink, &["1", "2"]);
    wait_and_tick(&mut sink);
    written(&mut sink, &["3"]);
    sink.stop().unwrap();
    assert_eq!(contents(directory.path()), ["[1,2]", "[3]"]);
}

/// A file system of a megabyte; `None`, said aloud, where we may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(options: &str) -> Option<SmallDisk> {
        let disk = SmallDisk(tempfile::tempdir().unwrap());
        let options = format!("size=1m,{options}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(disk.0.path())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(disk);
        }
        say::warn(NAME, "SKIPPED: a tmpfs cannot be mounted here, root can");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[test]
fn full_disk_is_for_now_and_what_was_accepted_stays() {
    let Some(disk) = SmallDisk::mount("rw") else {
        return;
    };
    let directory = disk.0.path();
    let mut sink = started(&directory.join("out"), &[]);
    written(&mut sink, &["one"]);
    fs::write(directory.join("ballast"), vec![0; 600 << 10]).unwrap();
    let large = "x".repeat(500 << 10);
    for _ in 0..3 {
        let write = sink.write(&batch(&[&large]));
        let error = write.and_then(|()| sink.commit()).unwrap_err();
        assert!(error.reason.contains("No space left"), "{error}");
        assert_eq!(error.class, crate::ack::Class::Retry);
        sink.rollback();
    }
    fs::remove_file(directory.join("ballast")).unwrap();
    written(&mut sink, &[&large]);
    sink.stop().unwrap();
    assert_eq!(contents(&directory.join("out")), [format!("one\n{large}\n")]);
}

#[test]
fn each_try_on_a_full_disk_says_the_same() {
    let Some(disk) = SmallDisk::mount("rw") else {
        return;
    };
    let directory = disk.0.path();
    let mut sink = started(directory, &["--roll-count=1"]);
    fs::write(directory.join("ballast"), vec![0; 800 << 10]).unwrap();
    let large = "x".repeat(100 << 10);
    let mut reasons = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let write = sink.write(&batch(&[&large, &large, &large, &large]));
        reasons.insert(write.and_then(|()| sink.commit()).unwrap_err().reason);
        sink.rollback();
    }
    assert_eq!(reasons.len(), 1, "{reasons:?}");
}

#[test]
fn read_only_directory_is_found_at_the_start() {
    let Some(disk) = SmallDisk::mount("ro") else {
        return;
    };
    let failed = sink(disk.0.path(), &[]).start().unwrap_err();
    assert!(matches!(failed, StageError::Failed(_)), "{failed}");
    assert!(failed.to_string().contains("Read-only"), "{failed}");
}

#[test]
fn header_and_text_writes_headers() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = started(directory.path(), &["--serializer=HEADER_AND_TEXT"]);
    sink.write(&Batch::single(&Event::new("x").with_header("k", "v")))
        .unwrap();
    sink.commit().unwrap();
    sink.stop().unwrap();
    assert_eq!(contents(directory.path()), ["{k=v} x\n"]);
}
